/* `tamis bpe stats`: what a tokenizer makes of texts, as a table or JSON (docs/formats-tokenize.md). */
#include "core/json.h"
#include "core/options.h"
#include "tokenize/bpe_words.h"
#include "tokenize/token_counts.h"
#include "tokenize/token_text.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char after[] =
    "Tokens per word are the tokens that hold a byte of a word over the words: runs of letters and digits of "
    "scripts\n"
    "with blanks between words. Tokens per Han character likewise. Special tokens that a text spells out are text, "
    "and\n"
    "a document's end is not counted. The language of a text file's lines is unknown, their domain is its name.";

typedef struct {
    bool json;
    TextSource source;
    CommonOptions common;
} Options;

/* Of the tokens that are not special: how many there are, and how many no text has. */
typedef struct {
    uint32_t n_tokens, n_unused;
} Vocabulary;

static Vocabulary vocabulary_of(const Tokenizer *t, const TokenCounts *c)
{
    Vocabulary v = {0, 0};

    for (uint32_t id = 0; id < t->n_ids; id++) {
        if (!(t->flags[id] & TOKEN_USED) || (t->flags[id] & TOKEN_SPECIAL)) continue;
        v.n_tokens++;
        v.n_unused += c->seen[id] == 0;
    }
    return v;
}

/* --- a table */

/* Name in a column of 20. */
static void print_name(Span name)
{
    Buf shown = {0};

    token_escape(&shown, name);
    size_t columns = text_columns(buf_span(&shown));
    printf("%s%*s", buf_cstr(&shown) ? buf_cstr(&shown) : "?", columns < 20 ? (int)(20 - columns) : 0, "");
    buf_clear(&shown);
}

/* "-" where there is nothing to count. */
static void print_ratio(int width, const char *digits, uint64_t a, uint64_t b, double scale)
{
    char text[32] = "-";

    if (b) snprintf(text, sizeof text, strcmp(digits, "1") == 0 ? "%.1f" : "%.3f", scale * count_ratio(a, b));
    printf(" %*s", width, text);
}

static void print_row(Span name, const TokenCount *c)
{
    print_name(name);
    printf(" %10" PRIu64 " %14" PRIu64 " %13" PRIu64, c->n_docs, c->text_bytes, c->n_tokens);
    print_ratio(11, "3", c->text_bytes, c->n_tokens, 1);
    print_ratio(10, "1", c->n_tokens, c->n_docs, 1);
    print_ratio(11, "3", c->word_tokens, c->n_words, 1);
    print_ratio(10, "3", c->han_tokens, c->n_han, 1);
    print_ratio(8, "1", c->n_single, c->n_tokens, 100);
    putchar('\n');
}

static void print_head(const char *what)
{
    printf("%-20s %10s %14s %13s %11s %10s %11s %10s %8s\n", what, "documents", "bytes", "tokens", "bytes/token",
           "tokens/doc", "tokens/word", "tokens/Han", "% single");
}

static void print_table(const char *what, const CountTable *t)
{
    print_head(what);
    for (size_t i = 0; i < t->n; i++) print_row(t->v[i].name, &t->v[i].count);
    putchar('\n');
}

static void print_counts(const Tokenizer *t, const TokenCounts *c)
{
    Vocabulary v = vocabulary_of(t, c);

    print_table("language", &c->by_lang);
    print_table("domain", &c->by_domain);
    print_head("");
    print_row(SPAN_LIT("all"), &c->all);
    printf("\n%" PRIu32 " of %" PRIu32 " tokens, special ones aside, are in no text (%.1f %%)\n", v.n_unused,
           v.n_tokens, 100 * count_ratio(v.n_unused, v.n_tokens));
    if (c->n_dropped) printf("%" PRIu64 " texts are left out (too_many_steps)\n", c->n_dropped);
    if (c->n_lost) printf("%" PRIu64 " bytes have no token in this vocabulary\n", c->n_lost);
}

/* --- JSON */

static void put_count(Buf *b, const TokenCount *c)
{
    const struct {
        const char *name;
        uint64_t a, b;
    } ratio[] = {{"bytes_per_token", c->text_bytes, c->n_tokens},
                 {"tokens_per_doc", c->n_tokens, c->n_docs},
                 {"tokens_per_word", c->word_tokens, c->n_words},
                 {"tokens_per_han", c->han_tokens, c->n_han},
                 {"single_byte_share", c->n_single, c->n_tokens}};

    buf_printf(b, "\"n_docs\":%" PRIu64 ",\"text_bytes\":%" PRIu64 ",\"n_tokens\":%" PRIu64, c->n_docs, c->text_bytes,
               c->n_tokens);
    buf_printf(b, ",\"n_words\":%" PRIu64 ",\"word_tokens\":%" PRIu64, c->n_words, c->word_tokens);
    buf_printf(b, ",\"n_han\":%" PRIu64 ",\"han_tokens\":%" PRIu64, c->n_han, c->han_tokens);
    buf_printf(b, ",\"n_single\":%" PRIu64, c->n_single);
    for (size_t i = 0; i < sizeof ratio / sizeof *ratio; i++) {
        buf_printf(b, ",\"%s\":", ratio[i].name);
        if (ratio[i].b)
            json_put_number(b, count_ratio(ratio[i].a, ratio[i].b));
        else
            buf_puts(b, "null");
    }
}

static void put_table(Buf *b, const char *key, const CountTable *t)
{
    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < t->n; i++) {
        buf_puts(b, i ? ",{\"name\":" : "{\"name\":");
        json_put_string(b, t->v[i].name);
        buf_putc(b, ',');
        put_count(b, &t->v[i].count);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

static ErrCode print_json(const Tokenizer *t, const TokenCounts *c, Err *err)
{
    Vocabulary v = vocabulary_of(t, c);
    Buf b = {0};

    buf_puts(&b, "{\"format\":\"tamis-bpe-stats\",\"version\":1,\"tokenizer_id\":");
    json_put_hash(&b, t->id);
    buf_printf(&b,
               ",\"n_ids\":%" PRIu32 ",\"vocab_tokens\":%" PRIu32 ",\"vocab_unused\":%" PRIu32
               ",\"lost_bytes\":%" PRIu64,
               t->n_ids, v.n_tokens, v.n_unused, c->n_lost);
    if (c->n_dropped) buf_printf(&b, ",\"dropped\":{\"too_many_steps\":%" PRIu64 "}", c->n_dropped);
    put_table(&b, "languages", &c->by_lang);
    put_table(&b, "domains", &c->by_domain);
    buf_puts(&b, ",\"all\":{");
    put_count(&b, &c->all);
    buf_puts(&b, "}}\n");
    ErrCode rc = buf_ok(&b, "stats", err);
    if (rc == ERR_OK && fwrite(b.p, 1, b.n, stdout) != b.n) rc = err_sys(err, "cannot write to standard output");
    buf_clear(&b);
    return rc;
}

/* --- all of it */

static ErrCode stats(const Options *o, const char *path, Err *err)
{
    TokenCounts counts = {.n_ids = 0};
    Tokenizer *t = NULL;
    ErrCode rc = tokenizer_load(&t, path, err);

    if (rc == ERR_OK) rc = tokencounts_make(&counts, &t, 1, &o->source, err);
    if (rc == ERR_OK && o->json) rc = print_json(t, &counts, err);
    if (rc == ERR_OK && !o->json) print_counts(t, &counts);
    tokencounts_clear(&counts);
    tokenizer_free(t);
    return rc;
}

int bpe_stats(int argc, char **argv)
{
    Options o = {.json = false};
    const OptSpec specs[] = {
        OPT_FLAG(0, "text", &o.source.is_text, "INPUT is plain text files, a line a document; -: standard input"),
        OPT_FLAG(0, "json", &o.json, "one JSON object instead of tables"),
        OPT_COMMON_THREADS(&o.common),
        OPT_COMMON_TALK(&o.common),
        OPT_END,
    };
    const OptVerb verb = {.name = "bpe stats",
                          .usage = "[options] TOKENIZER INPUT...",
                          .what = "Count what a tokenizer makes of texts, by language and domain. INPUT: dataset "
                                  "directories, or text files with --text.",
                          .specs = specs,
                          .after = after};
    Err err = {0};
    int first;
    ErrCode rc = verb_begin_alone(&verb, argc, argv, &o.common, 2, INT_MAX, "TOKENIZER and INPUT", &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK)
        rc = textsource_settle(&o.source, "bpe stats", argv + first + 1, argc - first - 1, &o.common, &err);
    if (rc == ERR_OK) {
        interrupt_install();
        rc = stats(&o, argv[first], &err);
    }
    return verb_exit(rc, &err);
}
