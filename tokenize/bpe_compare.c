/* `tamis bpe compare`: two vocabularies side by side, and what each makes of texts. */
#include "core/options.h"
#include "tokenize/bpe_words.h"
#include "tokenize/token_counts.h"
#include "tokenize/token_text.h"
#include "tokenize/vocab_diff.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

static const char after[] =
    "Tokens are the same when they spell the same, whatever their ids. --list bounds the tokens that are listed of\n"
    "those that only A or only B has; the ones with low ids come first. With INPUT the tokens that A and B make of "
    "its\n"
    "texts are compared, by language. Any two tokenizers can be compared: the exit status is 0 however they differ.";

enum { QUOTED_CHARS = 40 };

typedef struct {
    uint32_t list;
    TextSource source;
    CommonOptions common;
} Options;

static void print_quoted(const Tokenizer *t, uint32_t id)
{
    Buf b = {0};

    token_quote(&b, t->bytes[id], QUOTED_CHARS);
    if (!b.oom) fwrite(b.p, 1, b.n, stdout);
    buf_clear(&b);
}

/* --- vocabularies */

static void print_only(const char *name, const Tokenizer *t, const uint32_t *id, uint32_t n, uint32_t list)
{
    printf("%-22s %" PRIu32 " tokens\n", name, n);
    for (uint32_t i = 0; i < n && i < list; i++) {
        printf("  %8" PRIu32 " ", id[i]);
        print_quoted(t, id[i]);
        putchar('\n');
    }
}

static void print_first_merge(const char *name, const Tokenizer *t, const uint32_t *merges, uint32_t n, uint32_t rank)
{
    const uint32_t *m = merges + 3 * (size_t)rank;

    printf("  %s: ", name);
    if (rank < n) {
        print_quoted(t, m[0]);
        fputs(" + ", stdout);
        print_quoted(t, m[1]);
        printf(" gives %" PRIu32, m[2]);
    } else {
        fputs("has no more", stdout);
    }
    putchar('\n');
}

static void print_overlap(Tokenizer *const *t, const VocabOverlap *o, uint32_t list)
{
    const Span chain[2] = {pretokenizer_spec(t[0]->pretokenizer), pretokenizer_spec(t[1]->pretokenizer)};
    uint32_t rank = o->n_same_merges;

    printf("%-22s %12s %12s\n", "", "A", "B");
    printf("%-22s %12" PRIu32 " %12" PRIu32 "\n", "ids", t[0]->n_ids, t[1]->n_ids);
    printf("%-22s %12" PRIu32 " %12" PRIu32 "\n", "tokens", o->n_tokens[0], o->n_tokens[1]);
    printf("%-22s %12" PRIu32 " %12" PRIu32 "\n", "merges", o->n_merges[0], o->n_merges[1]);
    printf("%-22s %10.1f %% %10.1f %%\n", "shared with the other", 100 * count_ratio(o->n_common, o->n_tokens[0]),
           100 * count_ratio(o->n_common, o->n_tokens[1]));
    printf("%-22s %" PRIu32 " tokens, %" PRIu32 " of them with the same id\n", "in common", o->n_common,
           o->n_same_id);
    print_only("only in A", t[0], o->only[0], o->n_tokens[0] - o->n_common, list);
    print_only("only in B", t[1], o->only[1], o->n_tokens[1] - o->n_common, list);
    printf("%-22s %" PRIu32 " in common, the first %" PRIu32 " are the same in order\n", "merges", o->n_common_merges,
           rank);
    if (rank < o->n_merges[0] || rank < o->n_merges[1]) {
        printf("merge %" PRIu32 "\n", rank);
        print_first_merge("A", t[0], o->merge[0], o->n_merges[0], rank);
        print_first_merge("B", t[1], o->merge[1], o->n_merges[1], rank);
    }
    printf("%-22s %s\n", "pre-tokenizer", span_eq(chain[0], chain[1]) ? "the same" : "another");
}

/* --- texts */

static void print_row(Span name, const TokenCount *a, const TokenCount *b)
{
    Buf shown = {0};

    token_escape(&shown, name);
    size_t columns = text_columns(buf_span(&shown));
    printf("%s%*s", buf_cstr(&shown) ? buf_cstr(&shown) : "?", columns < 22 ? (int)(22 - columns) : 0, "");
    buf_clear(&shown);
    printf(" %14" PRIu64 " %12" PRIu64 " %12" PRIu64 " %13.3f %13.3f %9.4f\n", a->text_bytes, a->n_tokens,
           b->n_tokens, count_ratio(a->text_bytes, a->n_tokens), count_ratio(b->text_bytes, b->n_tokens),
           count_ratio(b->n_tokens, a->n_tokens));
}

static void print_texts(const TokenCounts *c)
{
    static const char name[2] = "AB";

    printf("\n%-22s %14s %12s %12s %13s %13s %9s\n", "language", "bytes", "tokens of A", "tokens of B",
           "bytes/token A", "bytes/token B", "B / A");
    for (size_t i = 0; i < c[0].by_lang.n; i++) /* both have counted the same texts: the same names */
        print_row(c[0].by_lang.v[i].name, &c[0].by_lang.v[i].count, &c[1].by_lang.v[i].count);
    print_row(SPAN_LIT("all"), &c[0].all, &c[1].all);
    if (c->n_dropped) printf("%" PRIu64 " texts are left out (too_many_steps)\n", c->n_dropped);
    for (int i = 0; i < 2; i++)
        if (c[i].n_lost) printf("%c has no tokens for %" PRIu64 " bytes\n", name[i], c[i].n_lost);
}

/* --- all of it */

static ErrCode compare(const Options *o, char *const *path, Err *err)
{
    TokenCounts counts[2] = {{.n_ids = 0}};
    Tokenizer *t[2] = {NULL, NULL};
    VocabOverlap overlap;
    ErrCode rc = tokenizer_load(&t[0], path[0], err);

    if (rc == ERR_OK) rc = tokenizer_load(&t[1], path[1], err);
    if (rc == ERR_OK && (rc = vocab_overlap(t[0], t[1], &overlap, err)) == ERR_OK) {
        print_overlap(t, &overlap, o->list);
        vocaboverlap_clear(&overlap);
    }
    if (rc == ERR_OK && o->source.n && (rc = tokencounts_make(counts, t, 2, &o->source, err)) == ERR_OK)
        print_texts(counts);
    for (int i = 0; i < 2; i++) {
        tokencounts_clear(&counts[i]);
        tokenizer_free(t[i]);
    }
    return rc;
}

int bpe_compare(int argc, char **argv)
{
    Options o = {.list = 5};
    const OptSpec specs[] = {
        OPT_U32(0, "list", &o.list, "N", "list so many of the tokens that only one has"),
        OPT_FLAG(0, "text", &o.source.is_text, "INPUT is plain text files, a line a document; -: standard input"),
        OPT_COMMON_THREADS(&o.common),
        OPT_COMMON_TALK(&o.common),
        OPT_END,
    };
    const OptVerb verb = {.name = "bpe compare",
                          .usage = "[options] A B [INPUT...]",
                          .what = "Compare two tokenizers. INPUT: dataset directories, or text files with --text.",
                          .specs = specs,
                          .after = after};
    Err err = {0};
    int first;
    ErrCode rc = verb_begin_alone(&verb, argc, argv, &o.common, 2, INT_MAX, "two tokenizers", &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && (argc - first > 2 || o.source.is_text))
        rc = textsource_settle(&o.source, "bpe compare", argv + first + 2, argc - first - 2, &o.common, &err);
    if (rc == ERR_OK) {
        interrupt_install();
        rc = compare(&o, argv + first, &err);
    }
    return verb_exit(rc, &err);
}
