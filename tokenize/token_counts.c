#include "tokenize/token_counts.h"

#include "core/unicode.h"
#include "core/utf8.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- one text */

enum { IN_WORD = 1, IN_HAN = 2 };

static unsigned kind_of(uint32_t cp)
{
    if (cp < 0x80) return ascii_is_alnum((uint8_t)cp) ? IN_WORD : 0;
    if (cp > UNICODE_MAX) return 0;
    switch (unicode_class(cp)) {
    case UC_HAN: return IN_HAN;
    case UC_LETTER:
    case UC_HANGUL:
    case UC_MARK:
    case UC_DIGIT:
    case UC_NUMBER: return IN_WORD;
    default: return 0;
    }
}

/* Words and Han characters of a text, and the tokens that hold bytes of them. Tokens lie in order and do not overlap, but for the white
 * space around added ones. */
static void count_units(Span text, const TokenOffset *token, size_t n_tokens, TokenCount *c)
{
    unsigned before = 0, holds = 0;
    uint32_t cp;
    size_t k = 0;

    for (size_t at = 0, end; at < text.n; at = end) {
        end = at + utf8_next(text.p + at, text.n - at, &cp);
        unsigned kind = kind_of(cp);
        c->n_words += kind == IN_WORD && before != IN_WORD;
        c->n_han += kind == IN_HAN;
        before = kind;
        while (k < n_tokens && token[k].begin < end) { /* it ends behind `at` */
            holds |= kind;
            if (token[k].end > end) break;
            c->word_tokens += holds & IN_WORD;
            c->han_tokens += (holds & IN_HAN) != 0;
            holds = 0;
            k++;
        }
    }
}

/* --- tables */

static void add(TokenCount *to, const TokenCount *c)
{
    to->n_docs += c->n_docs, to->text_bytes += c->text_bytes, to->n_tokens += c->n_tokens;
    to->n_words += c->n_words, to->word_tokens += c->word_tokens;
    to->n_han += c->n_han, to->han_tokens += c->han_tokens;
    to->n_single += c->n_single;
}

/* Adds to the count of that name. */
static ErrCode table_add(CountTable *t, Span name, const TokenCount *c, Err *err)
{
    size_t low = 0, high = t->n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = span_cmp(t->v[mid].name, name);
        if (order == 0) {
            add(&t->v[mid].count, c);
            return ERR_OK;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (t->n == TOKENCOUNTS_MAX_NAMES)
        return err_set(err, ERR_LIMIT, "more than %d languages or domains", TOKENCOUNTS_MAX_NAMES);
    NamedCount *v = array_grow(t->v, t->n, &t->cap, sizeof *v);
    if (v) t->v = v;
    Span kept = arena_copy(&t->names, name);
    if (!v || !kept.p) return err_nomem(err, "counts");
    memmove(v + low + 1, v + low, (t->n - low) * sizeof *v);
    v[low] = (NamedCount){kept, *c};
    t->n++;
    return ERR_OK;
}

static ErrCode table_merge(CountTable *to, const CountTable *from, Err *err)
{
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < from->n && rc == ERR_OK; i++) rc = table_add(to, from->v[i].name, &from->v[i].count, err);
    return rc;
}

static void table_clear(CountTable *t)
{
    free(t->v);
    arena_clear(&t->names);
}

void tokencounts_clear(TokenCounts *c)
{
    table_clear(&c->by_lang);
    table_clear(&c->by_domain);
    free(c->seen);
    *c = (TokenCounts){.n_ids = 0};
}

static ErrCode tokencounts_init(TokenCounts *c, const Tokenizer *t, Err *err)
{
    *c = (TokenCounts){.n_ids = tokenizer_vocab_size(t)};
    c->seen = calloc(c->n_ids, sizeof *c->seen);
    return c->seen ? ERR_OK : err_nomem(err, "counts");
}

static ErrCode tokencounts_merge(TokenCounts *to, const TokenCounts *from, Err *err)
{
    ErrCode rc = table_merge(&to->by_lang, &from->by_lang, err);

    if (rc == ERR_OK) rc = table_merge(&to->by_domain, &from->by_domain, err);
    add(&to->all, &from->all);
    to->n_lost += from->n_lost;
    to->n_dropped += from->n_dropped;
    for (uint32_t id = 0; id < to->n_ids; id++) to->seen[id] += from->seen[id];
    return rc;
}

/* --- all texts */

/* Of one thread and one tokenizer. */
typedef struct {
    Encoder *encoder;
    Buf ids, offsets, normalized;
    Span seen; /* what the tokens of the text in work lie in */
    TokenCounts counts;
} TextCounter;

typedef struct {
    TextCounter *counter; /* thread * n + number of the tokenizer */
    size_t n;
} Counting;

/* A text that is encoded. */
static ErrCode count_text(TextCounter *c, const SourceText *text, Err *err)
{
    const Tokenizer *t = encoder_tokenizer(c->encoder);
    const uint32_t *id = (const uint32_t *)(const void *)c->ids.p;
    TokenCount one = {.n_docs = 1, .text_bytes = text->text.n, .n_tokens = c->ids.n / sizeof *id};
    for (size_t i = 0; i < one.n_tokens; i++) {
        c->counts.seen[id[i]]++;
        one.n_single += tokenizer_bytes(t, id[i]).n == 1;
    }
    count_units(c->seen, (const TokenOffset *)(const void *)c->offsets.p, one.n_tokens, &one);
    add(&c->counts.all, &one);
    ErrCode rc = table_add(&c->counts.by_lang, text->lang, &one, err);
    return rc == ERR_OK ? table_add(&c->counts.by_domain, text->domain, &one, err) : rc;
}

static ErrCode count_with_all(void *ctx, int thread, const SourceText *text, Err *err)
{
    const Counting *w = ctx;
    TextCounter *c = &w->counter[(size_t)thread * w->n];
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < w->n && rc == ERR_OK; i++)
        rc = encode_normalized(c[i].encoder, text->text, ENCODE_DOCUMENT, &c[i].ids, &c[i].offsets, &c[i].normalized,
                               &c[i].seen, err);
    if (rc == ERR_LIMIT) { /* all count the same texts */
        for (size_t i = 0; i < w->n; i++) c[i].counts.n_dropped++;
        return ERR_OK;
    }
    for (size_t i = 0; i < w->n && rc == ERR_OK; i++) rc = count_text(&c[i], text, err);
    return rc;
}

ErrCode tokencounts_make(TokenCounts *out, Tokenizer *const *t, size_t n, const TextSource *source, Err *err)
{
    const size_t n_counters = n * (size_t)source->threads;
    Counting w = {.counter = calloc(n_counters, sizeof *w.counter), .n = n};
    ErrCode rc = w.counter ? ERR_OK : err_nomem(err, "counts");

    for (size_t i = 0; i < n; i++) out[i] = (TokenCounts){.n_ids = 0};
    for (size_t i = 0; i < n && rc == ERR_OK; i++) rc = tokencounts_init(&out[i], t[i], err);
    for (size_t i = 0; i < n_counters && rc == ERR_OK; i++) {
        rc = encoder_new(&w.counter[i].encoder, t[i % n], err);
        if (rc == ERR_OK) rc = tokencounts_init(&w.counter[i].counts, t[i % n], err);
    }
    if (rc == ERR_OK) rc = textsource_read(source, count_with_all, &w, err);
    for (size_t i = 0; i < n_counters && rc == ERR_OK; i++) {
        w.counter[i].counts.n_lost = encoder_n_lost(w.counter[i].encoder);
        rc = tokencounts_merge(&out[i % n], &w.counter[i].counts, err);
    }
    for (size_t i = 0; w.counter && i < n_counters; i++) {
        encoder_free(w.counter[i].encoder);
        buf_clear(&w.counter[i].ids);
        buf_clear(&w.counter[i].offsets);
        buf_clear(&w.counter[i].normalized);
        tokencounts_clear(&w.counter[i].counts);
    }
    free(w.counter);
    return rc;
}
