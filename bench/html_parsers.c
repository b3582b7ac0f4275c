/* bench/html_parsers.c - what two parsers say of the same pages: the words they see, and how fast.
 *
 *   html_parsers [-C DIR] [-n PASSES] [-w WORST] [-t PARSER] < NAMES
 * NAMES: one page a line, in DIR, of the set that its first folder names. For each set the mean over pages of the F1 of two bags of
 * words (text outside elements that nobody reads; a Han character is a word), the fast parser's against libxml2's, and bytes of UTF-8
 * a second of both, the least time of PASSES (1). WORST pages of the lowest F1 are named with the words of one side alone.
 * With -t no comparison, but what one parser sees: a line {"file","runs":[[BLOCK, LINK, TEXT], ...]} a page, with the innermost block
 * element and whether a link is around, for bench/html_oracle.py. */
#include "core/hash.h"
#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "core/utf8.h"
#include "ingest/blocks.h"
#include "ingest/charset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SETS = 64, MAX_SHOWN = 12 };

typedef struct {
    uint64_t hash;
    uint32_t at, n; /* in the text of its side */
} Word;

typedef struct {
    HtmlParser *parser;
    HtmlTree tree;
    Buf text;
    Word *word;
    size_t n, cap;
    double seconds;
} Side;

typedef struct {
    char name[64];
    size_t n_pages, bytes;
    double f1, seconds[HTML_N_PARSERS];
} Set;

typedef struct {
    Charset *charset;
    Side side[HTML_N_PARSERS];
    Buf page, utf8, line;
    Set set[MAX_SETS];
    size_t n_sets;
    int passes;
} Bench;

/* The text that is not silent; a blank between two texts that an element parts. */
static void visible_text(Side *s)
{
    const HtmlTree *t = &s->tree;
    uint32_t before = UINT32_MAX;

    buf_reset(&s->text);
    for (uint32_t i = 0; i < t->n_nodes;) {
        const HtmlNode *n = &t->node[i];
        if (blocks_is_silent((HtmlTag)n->tag)) {
            i = n->end;
            continue;
        }
        if (n->tag == HTML_TEXT) {
            if (before != i - 1 || t->node[before].parent != n->parent) buf_putc(&s->text, ' ');
            buf_put_span(&s->text, html_text(t, i));
            before = i;
        }
        i++;
    }
}

static ErrCode add_word(Side *s, size_t from, size_t end, Err *err)
{
    if (end == from) return ERR_OK;
    Word *room = array_grow(s->word, s->n, &s->cap, sizeof *room);
    if (!room) return err_nomem(err, "words");
    s->word = room;
    s->word[s->n++] =
        (Word){.hash = hash64(span(s->text.p + from, end - from)), .at = (uint32_t)from, .n = (uint32_t)(end - from)};
    return ERR_OK;
}

static int by_hash(const void *a, const void *b)
{
    const Word *x = a, *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

static ErrCode words_of(Side *s, Err *err)
{
    size_t from = 0;
    ErrCode rc = ERR_OK;

    visible_text(s);
    s->n = 0;
    for (size_t i = 0, n; i < s->text.n && rc == ERR_OK; i += n) {
        uint32_t cp;
        n = utf8_next(s->text.p + i, s->text.n - i, &cp);
        bool blank = cp <= ' ' || cp == 0xA0 || cp == 0x3000, wide = weight_of(cp) == 25;
        if (!blank && !wide) continue;
        rc = add_word(s, from, i, err);
        if (wide && rc == ERR_OK) rc = add_word(s, i, i + n, err);
        from = i + n;
    }
    if (rc == ERR_OK) rc = add_word(s, from, s->text.n, err);
    if (s->n) qsort(s->word, s->n, sizeof *s->word, by_hash);
    return rc;
}

static void show(const Side *s, const Word *w, char side, size_t *shown)
{
    if (*shown >= MAX_SHOWN) return;
    printf("    %c %.*s\n", side, (int)(w->n < 60 ? w->n : 60), (const char *)s->text.p + w->at);
    ++*shown;
}

/* F1 of the two bags; with `names`, prints words that one side alone has. */
static double compare(const Side *a, const Side *b, bool names)
{
    size_t i = 0, k = 0, same = 0, only_a = 0, only_b = 0;

    while (i < a->n || k < b->n) {
        if (k == b->n || (i < a->n && a->word[i].hash < b->word[k].hash)) {
            if (names) show(a, &a->word[i], '+', &only_a);
            i++;
        } else if (i == a->n || a->word[i].hash > b->word[k].hash) {
            if (names) show(b, &b->word[k], '-', &only_b);
            k++;
        } else {
            same++, i++, k++;
        }
    }
    return a->n + b->n ? 2.0 * (double)same / (double)(a->n + b->n) : 1;
}

static ErrCode parse(Bench *b, int kind, Err *err)
{
    Side *s = &b->side[kind];
    HtmlStatus status;
    ErrCode rc = ERR_OK;

    for (int i = 0; i < b->passes && rc == ERR_OK; i++) {
        double from = thread_cpu_seconds();
        rc = htmlparser_parse(s->parser, buf_span(&b->utf8), &s->tree, &status, err);
        double took = thread_cpu_seconds() - from;
        if (i == 0 || took < s->seconds) s->seconds = took;
    }
    return rc;
}

static Set *set_of(Bench *b, Span name)
{
    Set key = {.n_pages = 0};
    size_t i = 0;

    snprintf(key.name, sizeof key.name, "%.*s", (int)span_find(name, '/'), (const char *)name.p);
    while (i < b->n_sets && strcmp(b->set[i].name, key.name) != 0) i++;
    if (i == MAX_SETS) return &b->set[MAX_SETS - 1];
    if (i == b->n_sets) b->set[b->n_sets++] = key;
    return &b->set[i];
}

static ErrCode load(Bench *b, const char *dir, Span name, Err *err)
{
    CharsetResult charset;
    Buf path = {0};

    buf_reset(&b->page);
    buf_reset(&b->utf8);
    buf_printf(&path, "%s/%.*s", dir, (int)name.n, (const char *)name.p);
    ErrCode rc =
        buf_cstr(&path) ? store_read(buf_cstr(&path), (size_t)1 << 30, &b->page, err) : err_nomem(err, "a path");
    buf_clear(&path);
    if (rc != ERR_OK) return rc;
    return charset_to_utf8(b->charset, buf_span(&b->page), (Span){NULL, 0}, &b->utf8, &charset, err);
}

static ErrCode run_page(Bench *b, Span name, double *f1, bool names, Err *err)
{
    ErrCode rc = ERR_OK;

    for (int k = 0; k < HTML_N_PARSERS && rc == ERR_OK; k++) {
        rc = parse(b, k, err);
        if (rc == ERR_OK) rc = words_of(&b->side[k], err);
    }
    if (rc != ERR_OK) return rc;
    if (names) printf("%.*s\n", (int)name.n, (const char *)name.p);
    *f1 = compare(&b->side[HTML_PARSER_FAST], &b->side[HTML_PARSER_LIBXML2], names);
    return ERR_OK;
}

static void print_sets(const Bench *b)
{
    printf("%-16s %6s %8s %8s %10s %10s\n", "set", "pages", "MB", "F1", "fast MB/s", "libxml2");
    for (size_t i = 0; i < b->n_sets; i++) {
        const Set *s = &b->set[i];
        printf("%-16s %6zu %8.2f %8.4f %10.1f %10.1f\n", s->name, s->n_pages, 1e-6 * (double)s->bytes,
               s->f1 / (double)s->n_pages, 1e-6 * (double)s->bytes / s->seconds[HTML_PARSER_FAST],
               1e-6 * (double)s->bytes / s->seconds[HTML_PARSER_LIBXML2]);
    }
}

typedef struct {
    Span name;
    double f1;
} Result;

static int by_f1(const void *a, const void *b)
{
    const Result *x = a, *y = b;

    return (x->f1 > y->f1) - (x->f1 < y->f1);
}

static void put_run(Buf *line, const HtmlTree *t, uint32_t i)
{
    const char *block = NULL;
    bool link = false;

    for (uint32_t up = t->node[i].parent;; up = t->node[up].parent) {
        HtmlTag tag = (HtmlTag)t->node[up].tag;
        if (!block && (blocks_is_block(tag) || up == 0)) block = html_tag_name(tag);
        link |= tag == HTML_a;
        if (up == 0) break;
    }
    buf_printf(line, "[\"%s\",%s,", block, link ? "true" : "false");
    json_put_string(line, html_text(t, i));
    buf_putc(line, ']');
}

static ErrCode print_runs(Bench *b, int kind, Span name, Err *err)
{
    const HtmlTree *t = &b->side[kind].tree;
    Buf *line = &b->line;
    ErrCode rc = parse(b, kind, err);
    bool first = true;

    if (rc != ERR_OK) return rc;
    buf_reset(line);
    buf_puts(line, "{\"file\":");
    json_put_string(line, name);
    buf_puts(line, ",\"runs\":[");
    for (uint32_t i = 0; i < t->n_nodes;) {
        bool silent = blocks_is_silent((HtmlTag)t->node[i].tag);
        if (t->node[i].tag == HTML_TEXT) {
            if (!first) buf_putc(line, ',');
            first = false;
            put_run(line, t, i);
        }
        i = silent ? t->node[i].end : i + 1;
    }
    buf_puts(line, "]}\n");
    if ((rc = buf_ok(line, "a line", err)) == ERR_OK && fwrite(line->p, 1, line->n, stdout) != line->n)
        rc = err_set(err, ERR_SYS, "cannot write the texts");
    return rc;
}

/* `only`: HTML_N_PARSERS to compare. */
static ErrCode run(Bench *b, const char *dir, Span names, size_t worst, int only, Err *err)
{
    Result *result = NULL;
    size_t n = 0, cap = 0;
    ErrCode rc = ERR_OK;

    for (Span rest = names; rest.n && rc == ERR_OK;) {
        Span name = span(rest.p, span_find(rest, '\n'));
        rest = span_from(rest, name.n + 1);
        if (name.n == 0 || (rc = load(b, dir, name, err)) != ERR_OK) continue;
        if (only < HTML_N_PARSERS) {
            rc = print_runs(b, only, name, err);
            continue;
        }
        Result *room = array_grow(result, n, &cap, sizeof *room);
        if (!room) {
            rc = err_nomem(err, "results");
            break;
        }
        result = room;
        result[n].name = name;
        if ((rc = run_page(b, name, &result[n].f1, false, err)) != ERR_OK) break;
        Set *s = set_of(b, name);
        s->n_pages++;
        s->bytes += b->utf8.n;
        s->f1 += result[n++].f1;
        for (int k = 0; k < HTML_N_PARSERS; k++) s->seconds[k] += b->side[k].seconds;
    }
    if (n) qsort(result, n, sizeof *result, by_f1);
    for (size_t i = 0; i < worst && i < n && rc == ERR_OK; i++) {
        double f1;
        printf("%.4f ", result[i].f1);
        if ((rc = load(b, dir, result[i].name, err)) == ERR_OK) rc = run_page(b, result[i].name, &f1, true, err);
    }
    if (rc == ERR_OK && only == HTML_N_PARSERS) print_sets(b);
    free(result);
    return rc;
}

int main(int argc, char **argv)
{
    Bench b = {.passes = 1};
    const char *dir = ".";
    size_t worst = 0;
    int c, only = HTML_N_PARSERS;
    Buf names = {0};
    Err err = {0};

    while ((c = getopt(argc, argv, "C:n:w:t:")) != -1) {
        if (c == 'C') dir = optarg;
        if (c == 'n') b.passes = atoi(optarg);
        if (c == 'w') worst = (size_t)atoi(optarg);
        if (c == 't')
            only = strcmp(optarg, html_parser_names[HTML_PARSER_FAST]) ? HTML_PARSER_LIBXML2 : HTML_PARSER_FAST;
        if (c == '?') b.passes = 0;
    }
    if (b.passes < 1) {
        fputs("usage: html_parsers [-C DIR] [-n PASSES] [-w WORST] [-t PARSER] < NAMES\n", stderr);
        return 2;
    }
    uint8_t chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, stdin)) > 0;) buf_put(&names, chunk, n);
    ErrCode rc = charset_new(&b.charset, &err);
    for (int k = 0; k < HTML_N_PARSERS && rc == ERR_OK; k++)
        rc = htmlparser_new(&b.side[k].parser, (HtmlParserKind)k, &err);
    if (rc == ERR_OK) rc = run(&b, dir, buf_span(&names), worst, only, &err);
    if (rc != ERR_OK) fprintf(stderr, "html_parsers: %s\n", err.msg);
    charset_free(b.charset);
    for (int k = 0; k < HTML_N_PARSERS; k++) {
        htmlparser_free(b.side[k].parser);
        htmltree_clear(&b.side[k].tree);
        buf_clear(&b.side[k].text);
        free(b.side[k].word);
    }
    buf_clear(&b.page), buf_clear(&b.utf8), buf_clear(&b.line), buf_clear(&names);
    return rc ? err_status(rc) : 0;
}
