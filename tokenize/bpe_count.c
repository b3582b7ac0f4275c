/* Word counts. A word of up to 15 bytes, which most of text is, is a key of 16 bytes inside its table
 * (tokenize/word_key.h); a longer one is found by its XXH3 and kept in an arena. Both tables probe linearly and stay at most half full. */
#include "tokenize/bpe_count.h"

#include "tokenize/pretoken.h"
#include "tokenize/word_key.h"

#include <stdlib.h>

enum { TABLE_MIN_BITS = 12, BATCH_WORDS = 64 };

typedef struct {
    uint64_t lo, hi, count; /* empty: hi is 0, since a key's length is not */
} ShortWord;

typedef struct {
    const uint8_t *p; /* empty: NULL */
    size_t n;
    uint64_t hash, count;
} LongWord;

struct BpeCounter {
    PretokenScan *scan;
    ShortWord *few; /* short words */
    LongWord *lng;
    unsigned few_bits, long_bits; /* log2 of the sizes */
    uint64_t n_few, n_long;
    uint64_t text_bytes;
    Arena arena;
};

static size_t table_size(unsigned bits) { return (size_t)1 << bits; }

ErrCode bpecounter_new(BpeCounter **out, const Pretokenizer *p, Err *err)
{
    BpeCounter *c = calloc(1, sizeof *c);

    *out = NULL;
    if (!c) return err_nomem(err, "word counts");
    c->few_bits = c->long_bits = TABLE_MIN_BITS;
    c->few = calloc(table_size(c->few_bits), sizeof *c->few);
    c->lng = calloc(table_size(c->long_bits), sizeof *c->lng);
    ErrCode rc = c->few && c->lng ? pretokenscan_new(&c->scan, p, err) : err_nomem(err, "word counts");
    if (rc != ERR_OK) {
        bpecounter_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

void bpecounter_free(BpeCounter *c)
{
    if (!c) return;
    pretokenscan_free(c->scan);
    free(c->few);
    free(c->lng);
    arena_clear(&c->arena);
    free(c);
}

uint64_t bpecounter_words(const BpeCounter *c) { return c->n_few + c->n_long; }

uint64_t bpecounter_bytes(const BpeCounter *c) { return c->text_bytes; }

static inline size_t short_slot(const BpeCounter *c, uint64_t lo, uint64_t hi)
{
    return (size_t)(word_key_hash(lo, hi) >> (64 - c->few_bits));
}

static ErrCode short_grow(BpeCounter *c, Err *err)
{
    ShortWord *old = c->few, *grown = calloc(table_size(c->few_bits + 1), sizeof *grown);
    size_t n_old = table_size(c->few_bits), mask = 2 * n_old - 1;

    if (!grown) return err_nomem(err, "word counts");
    c->few = grown;
    c->few_bits++;
    for (size_t i = 0; i < n_old; i++) {
        if (!old[i].hi) continue;
        size_t at = short_slot(c, old[i].lo, old[i].hi);
        while (grown[at].hi) at = (at + 1) & mask;
        grown[at] = old[i];
    }
    free(old);
    return ERR_OK;
}

static inline ErrCode short_add(BpeCounter *c, uint64_t lo, uint64_t hi, uint64_t count, Err *err)
{
    size_t mask = table_size(c->few_bits) - 1, at = short_slot(c, lo, hi);

    for (; c->few[at].hi; at = (at + 1) & mask)
        if (c->few[at].lo == lo && c->few[at].hi == hi) {
            c->few[at].count += count;
            return ERR_OK;
        }
    c->few[at] = (ShortWord){lo, hi, count};
    return ++c->n_few > mask / 2 ? short_grow(c, err) : ERR_OK;
}

static ErrCode long_grow(BpeCounter *c, Err *err)
{
    LongWord *old = c->lng, *grown = calloc(table_size(c->long_bits + 1), sizeof *grown);
    size_t n_old = table_size(c->long_bits), mask = 2 * n_old - 1;

    if (!grown) return err_nomem(err, "word counts");
    c->lng = grown;
    c->long_bits++;
    for (size_t i = 0; i < n_old; i++) {
        if (!old[i].p) continue;
        size_t at = (size_t)old[i].hash & mask;
        while (grown[at].p) at = (at + 1) & mask;
        grown[at] = old[i];
    }
    free(old);
    return ERR_OK;
}

static ErrCode long_add(BpeCounter *c, Span word, uint64_t hash, uint64_t count, Err *err)
{
    size_t mask = table_size(c->long_bits) - 1, at = (size_t)hash & mask;

    for (; c->lng[at].p; at = (at + 1) & mask) {
        LongWord *w = &c->lng[at];
        if (w->hash == hash && w->n == word.n && memcmp(w->p, word.p, word.n) == 0) {
            w->count += count;
            return ERR_OK;
        }
    }
    Span kept = arena_copy(&c->arena, word);
    if (!kept.p) return err_nomem(err, "word counts");
    c->lng[at] = (LongWord){kept.p, kept.n, hash, count};
    return ++c->n_long > mask / 2 ? long_grow(c, err) : ERR_OK;
}

ErrCode bpecounter_add(BpeCounter *c, Span word, uint64_t count, Err *err)
{
    uint64_t lo, hi;

    if (word.n > WORD_KEY_MAX) return long_add(c, word, hash64(word), count, err);
    word_key(word, 0, word.n, &lo, &hi);
    return short_add(c, lo, hi, count, err);
}

void bpecounter_set_bytes(BpeCounter *c, uint64_t text_bytes) { c->text_bytes = text_bytes; }

ErrCode bpecounter_feed(BpeCounter *c, Span text, Err *err)
{
    size_t end[BATCH_WORDS], n, at = 0;
    ErrCode rc;

    pretokenscan_begin(c->scan, text);
    while ((rc = pretokenscan_next(c->scan, end, BATCH_WORDS, &n, err)) == ERR_OK && n)
        for (size_t i = 0; i < n; at = end[i++]) {
            if (end[i] - at <= WORD_KEY_MAX) {
                uint64_t lo, hi;
                word_key(text, at, end[i] - at, &lo, &hi);
                rc = short_add(c, lo, hi, 1, err);
            } else {
                Span word = {text.p + at, end[i] - at};
                rc = long_add(c, word, hash64(word), 1, err);
            }
            if (rc != ERR_OK) return rc;
        }
    c->text_bytes += text.n;
    return rc;
}

ErrCode bpecounter_merge(BpeCounter *into, const BpeCounter *from, Err *err)
{
    ErrCode rc = ERR_OK;

    /* The words come in the order of their hashes; into a smaller table of the same hash they would pile up at its front. */
    while (into->few_bits < from->few_bits && rc == ERR_OK) rc = short_grow(into, err);
    while (into->long_bits < from->long_bits && rc == ERR_OK) rc = long_grow(into, err);
    for (size_t i = 0; i < table_size(from->few_bits) && rc == ERR_OK; i++) {
        const ShortWord *w = &from->few[i];
        rc = bpe_listen(i, err);
        if (rc == ERR_OK && w->hi) rc = short_add(into, w->lo, w->hi, w->count, err);
    }
    for (size_t i = 0; i < table_size(from->long_bits) && rc == ERR_OK; i++) {
        const LongWord *w = &from->lng[i];
        rc = bpe_listen(i, err);
        if (rc == ERR_OK && w->p) rc = long_add(into, (Span){w->p, w->n}, w->hash, w->count, err);
    }
    into->text_bytes += from->text_bytes;
    return rc;
}

bool wordcursor_next(WordCursor *w)
{
    const BpeCounter *c = w->counter;
    size_t n_few = table_size(c->few_bits), n_all = n_few + table_size(c->long_bits);

    for (; w->at < n_all; w->at++) {
        if (w->at < n_few) {
            const ShortWord *s = &c->few[w->at];
            if (!s->hi) continue;
            le64_put(w->bytes, s->lo);
            le64_put(w->bytes + 8, s->hi);
            w->word = (Span){w->bytes, w->bytes[15]};
            w->count = s->count;
        } else {
            const LongWord *l = &c->lng[w->at - n_few];
            if (!l->p) continue;
            w->word = (Span){l->p, l->n};
            w->count = l->count;
        }
        w->at++;
        return true;
    }
    return false;
}

ErrCode bpecounter_list(const BpeCounter *c, uint64_t max_symbols, WordList *list, Err *err)
{
    WordCursor w = wordcursor(c);
    WordBuilder b;
    ErrCode rc = wordbuilder_init(&b, max_symbols, err);

    for (size_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        rc = bpe_listen(i, err);
        if (rc == ERR_OK) rc = wordbuilder_add(&b, w.word, w.count, err);
    }
    if (rc == ERR_OK) rc = wordbuilder_finish(&b, list, err);
    if (rc == ERR_OK) list->corpus_bytes = c->text_bytes;
    wordbuilder_clear(&b);
    return rc;
}
