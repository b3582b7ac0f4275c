#include "core/hash.h"
#include "core/options.h"
#include "tools/docs.h"
#include "tools/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `tamis docs head | cat | show | grep | sample | wet`: one pass over the documents of datasets or views, in order. */

static const char *const formats[] = {"auto", "json", "text", "pretty", NULL};

typedef struct {
    uint32_t n, format;
    uint64_t seed;
    DocsStyle style; /* its format is `format` */
    bool ignore_case, count;
    CommonOptions common;
} DocsOptions;

/* doccursor_next() for people: ends the pass when they interrupt it, or when nobody reads what it prints. */
static ErrCode next_doc(DocCursor *c, Doc *doc, DocId *id, bool *end, Err *err)
{
    if (interrupt_seen()) return err_set(err, ERR_INTR, "docs: interrupted");
    if (ferror(stdout)) return err_set(err, ERR_SYS, "cannot write to standard output");
    return doccursor_next(c, doc, id, end, err);
}

static ErrCode print_first(DocCursor *c, uint64_t limit, const DocsOptions *o, Err *err)
{
    for (uint64_t i = 0; i < limit; i++) {
        Doc doc;
        DocId id;
        bool end;
        ErrCode rc = next_doc(c, &doc, &id, &end, err);
        if (rc != ERR_OK || end) return rc;
        if ((rc = docs_print(&doc, &o->style, err)) != ERR_OK) return rc;
    }
    return ERR_OK;
}

static ErrCode write_wet(DocCursor *c, Err *err)
{
    DocsWet *w = NULL;
    Doc doc;
    DocId id;
    bool end = false;
    ErrCode rc = docswet_new(&w, err);

    while (rc == ERR_OK && (rc = next_doc(c, &doc, &id, &end, err)) == ERR_OK && !end)
        rc = docswet_write(w, &doc, err);
    docswet_free(w);
    return rc;
}

static ErrCode show(DocCursor *c, const char *wanted, const DocsOptions *o, Err *err)
{
    DocsStyle style = o->style;

    style.text_bytes = 0;
    if (style.format == DOCS_AUTO) style.format = DOCS_PRETTY;
    for (;;) {
        Doc doc;
        DocId id;
        bool end;
        ErrCode rc = next_doc(c, &doc, &id, &end, err);
        if (rc != ERR_OK) return rc;
        if (end) return err_set(err, ERR_NO, "docs show: no document has the id %s", wanted);
        if (span_is(doc.id, wanted)) return docs_print(&doc, &style, err);
    }
}

/* One line a match: id, then what surrounds it, on one line. */
static void print_match(const Doc *doc, size_t begin, size_t end)
{
    enum { AROUND = 60 };
    size_t from = begin > AROUND ? begin - AROUND : 0, to = end + AROUND < doc->text.n ? end + AROUND : doc->text.n;

    while (from > 0 && (doc->text.p[from] & 0xc0) == 0x80) from--;
    while (to < doc->text.n && (doc->text.p[to] & 0xc0) == 0x80) to++;
    docs_put_shown(doc->id, true);
    fputs(": ", stdout);
    docs_put_shown(span(doc->text.p + from, to - from), true);
    putchar('\n');
}

static ErrCode grep(DocCursor *c, const char *pattern, const DocsOptions *o, Err *err)
{
    DocsPattern *p;
    uint64_t n_docs = 0, n_matches = 0;
    ErrCode rc = docspattern_new(&p, pattern, o->ignore_case, err);

    while (rc == ERR_OK) {
        Doc doc;
        DocId id;
        bool end, hit;
        size_t begin, stop;
        if ((rc = next_doc(c, &doc, &id, &end, err)) != ERR_OK || end) break;
        if ((rc = docspattern_find(p, doc.text, 0, &begin, &stop, &hit, err)) != ERR_OK || !hit) continue;
        n_docs++;
        if (o->count) {
            while (hit && rc == ERR_OK) {
                n_matches++;
                size_t next = stop > begin ? stop : stop + 1;
                while (next < doc.text.n && (doc.text.p[next] & 0xc0) == 0x80) next++;
                if (next > doc.text.n) break;
                rc = docspattern_find(p, doc.text, next, &begin, &stop, &hit, err);
            }
        } else if (o->style.format == DOCS_AUTO) {
            print_match(&doc, begin, stop);
        } else {
            rc = docs_print(&doc, &o->style, err);
        }
    }
    docspattern_free(p);
    if (rc == ERR_OK && o->count)
        printf("%llu documents, %llu matches\n", (unsigned long long)n_docs, (unsigned long long)n_matches);
    return rc == ERR_OK && n_docs == 0 ? err_set(err, ERR_NO, "docs grep: nothing matches") : rc;
}

/* --- sample: the n documents whose hashed DocId is smallest, printed in order. */
typedef struct {
    uint64_t rank;
    DocId id;
    Span line;
} Sampled;

static int by_rank(const void *a, const void *b)
{
    const Sampled *x = a, *y = b;

    return (x->rank > y->rank) - (x->rank < y->rank);
}

static int by_id(const void *a, const void *b)
{
    const Sampled *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* Keeps twice what is wanted and cuts back when full: each document is copied only if it is among the best so far. */
static ErrCode collect(DocCursor *c, const DocsOptions *o, Sampled *s, size_t *n, Err *err)
{
    uint64_t worst = UINT64_MAX;
    Buf line = {0};
    ErrCode rc;

    for (*n = 0;;) {
        Doc doc;
        DocId id;
        bool end;
        if ((rc = next_doc(c, &doc, &id, &end, err)) != ERR_OK || end) break;
        uint64_t rank = mix64(id + mix64(o->seed + 1));
        if (rank >= worst) continue;
        buf_reset(&line);
        doc_write(&line, &doc);
        uint8_t *copy = malloc(line.n ? line.n : 1);
        if (!copy || line.oom) {
            free(copy);
            rc = err_nomem(err, "a sample");
            break;
        }
        memcpy(copy, line.p, line.n);
        s[(*n)++] = (Sampled){rank, id, span(copy, line.n)};
        if (*n < 2 * (size_t)o->n) continue;
        qsort(s, *n, sizeof *s, by_rank);
        for (; *n > o->n; --*n) free((uint8_t *)(uintptr_t)s[*n - 1].line.p);
        worst = s[*n - 1].rank;
    }
    buf_clear(&line);
    qsort(s, *n, sizeof *s, by_rank);
    return rc;
}

static ErrCode sample(DocCursor *c, const DocsOptions *o, Err *err)
{
    Sampled *s = calloc(2 * (size_t)o->n + 1, sizeof *s);
    DocScratch scratch = {0};
    size_t n = 0, shown;
    ErrCode rc;

    if (!s) return err_nomem(err, "a sample");
    if (o->n == 0) goto out_ok;
    rc = collect(c, o, s, &n, err);
    shown = n < o->n ? n : o->n;
    qsort(s, shown, sizeof *s, by_id);
    for (size_t i = 0; i < shown && rc == ERR_OK; i++) {
        Doc doc;
        const char *why;
        if (!doc_read(&scratch, s[i].line, &doc, &why))
            rc = err_set(err, ERR_DATA, "docs sample: %s", why);
        else
            rc = docs_print(&doc, &o->style, err);
    }
    goto out;
out_ok:
    rc = ERR_OK;
out:
    for (size_t i = 0; i < n; i++) free((uint8_t *)(uintptr_t)s[i].line.p);
    free(s);
    docscratch_clear(&scratch);
    return rc;
}

static ErrCode run(const char *what, int argc, char **argv, const DocsOptions *o, Err *err)
{
    bool takes_word = !strcmp(what, "show") || !strcmp(what, "grep");
    int first = takes_word ? 1 : 0;
    DocCursor *c;
    ErrCode rc;

    if (argc <= first)
        return err_set(err, ERR_USAGE, "docs %s: %s; try tamis docs --help", what,
                       takes_word ? "wants a word and a dataset" : "no dataset");
    if ((rc = doccursor_open(&c, (const char *const *)argv + first, (size_t)(argc - first), err)) != ERR_OK)
        return rc;
    if (!strcmp(what, "head"))
        rc = print_first(c, o->n, o, err);
    else if (!strcmp(what, "cat"))
        rc = print_first(c, UINT64_MAX, o, err);
    else if (!strcmp(what, "wet"))
        rc = write_wet(c, err);
    else if (!strcmp(what, "show"))
        rc = show(c, argv[0], o, err);
    else if (!strcmp(what, "grep"))
        rc = grep(c, argv[0], o, err);
    else if (!strcmp(what, "sample"))
        rc = sample(c, o, err);
    else
        rc = err_set(err, ERR_USAGE, "docs: no subcommand \"%s\"; try tamis docs --help", what);
    doccursor_close(c);
    return rc;
}

int docs_verb(int argc, char **argv)
{
    DocsOptions o = {.n = 10, .seed = 1, .style = {.text_bytes = 400}};
    const OptSpec specs[] = {
        OPT_U32('n', "count", &o.n, "N", "documents of head and sample"),
        OPT_U64(0, "seed", &o.seed, "N", "which sample"),
        OPT_CHOICE('f', "format", &o.format, formats, "FORMAT",
                   "auto, json, text or pretty; auto: pretty on a terminal and for show, else json; a line a match "
                   "for grep"),
        OPT_U64(0, "text-bytes", &o.style.text_bytes, "N", "pretty shows so much of the text; 0: all"),
        OPT_FLAG('s', "signals", &o.style.signals, "pretty shows all signals, behind the text"),
        OPT_FLAG('i', "ignore-case", &o.ignore_case, "grep: letters match in either case"),
        OPT_FLAG('c', "matches", &o.count, "grep: only count documents and matches"),
        OPT_COMMON_TALK(&o.common),
        OPT_END,
    };
    const OptVerb verb = {
        "docs", "head|cat|sample|wet [options] DATASET... | show ID DATASET... | grep PATTERN DATASET...",
        "Look at documents of any dataset or view, in order. PATTERN is a Perl-compatible regular expression.", specs,
        "Status 1: show or grep found nothing."};
    Err err = {.code = ERR_OK};
    int first;

    signal(SIGPIPE, SIG_DFL); /* `| head` ends us quietly, as it does cat(1) */
    ErrCode rc = options_parse(&verb, argc, argv, &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && first == argc) rc = err_set(&err, ERR_USAGE, "docs: no subcommand; try tamis docs --help");
    if (rc == ERR_OK) {
        log_setup(o.common.quiet ? LOG_QUIET : LOG_NORMAL, 0);
        o.style.format = (DocsFormat)o.format;
        rc = run(argv[first], argc - first - 1, argv + first + 1, &o, &err);
    }
    return verb_exit(rc, &err);
}
