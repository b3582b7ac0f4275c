#include "tokenize/seams.h"

#include "core/utf8.h"
#include "tokenize/tokenizer.h"
#include "tokenize/word_merge.h"

#include <stdlib.h>

enum { LEAST_PAIR_BITS = 12, MOST_PAIR_BITS = 22 };

static inline bool bit_of(const uint64_t *bits, size_t i) { return bits[i / 64] >> i % 64 & 1; }
static inline void set_bit(uint64_t *bits, size_t i) { bits[i / 64] |= (uint64_t)1 << i % 64; }

static inline size_t pair_bit(const Seams *s, uint32_t first, uint32_t second)
{
    return (size_t)((first << 16 | second) * 0x9e3779b1u >> (32 - s->pair_bits));
}

/* Counts the pairs of characters that stand side by side in the bytes, and keeps them in s unless it is NULL. */
static size_t join_chars(Seams *s, Span bytes)
{
    size_t n_pairs = 0;

    for (size_t i = 0; i < bytes.n; i++) {
        uint32_t first = short_sequence(bytes.p + i, bytes.n - i);
        if (!first) continue;
        size_t next = i + (first < 0x800 ? 2 : 3);
        uint32_t second = next < bytes.n ? short_sequence(bytes.p + next, bytes.n - next) : 0;
        if (!second) continue;
        n_pairs++;
        if (s) set_bit(s->joined_chars, pair_bit(s, first, second));
    }
    return n_pairs;
}

static unsigned choose_bits(const Tokenizer *t)
{
    size_t n_pairs = 0;
    unsigned bits = LEAST_PAIR_BITS;

    for (uint32_t id = 0; id < t->n_ids; id++)
        if (t->flags[id] & TOKEN_BYTELEVEL) n_pairs += join_chars(NULL, t->bytes[id]);
    while (bits < MOST_PAIR_BITS && (size_t)1 << bits < 4 * n_pairs) bits++;
    return bits;
}

static void fill(Seams *s, const Tokenizer *t)
{
    for (uint32_t id = 0; id < t->n_ids; id++) {
        Span bytes = t->bytes[id];
        if (!(t->flags[id] & TOKEN_BYTELEVEL)) continue;
        join_chars(s, bytes);
        for (size_t i = 1; i < bytes.n; i++) set_bit(s->joined_bytes, (size_t)bytes.p[i - 1] << 8 | bytes.p[i]);
    }
    for (size_t pair = 0; pair < 0x10000; pair++) {
        if (t->byte_id[pair >> 8] == NO_ID || t->byte_id[pair & 255] == NO_ID) set_bit(s->joined_bytes, pair);
        if (t->char_id[pair] != NO_ID) set_bit(s->whole, pair); /* as many code points as pairs of bytes */
    }
}

ErrCode seams_new(Seams **out, const Tokenizer *t, Err *err)
{
    unsigned pair_bits = choose_bits(t);
    Seams *s = calloc(1, sizeof *s + ((size_t)1 << pair_bits) / 8);

    *out = s;
    if (!s) return err_nomem(err, "the tokenizer");
    s->pair_bits = pair_bits;
    fill(s, t);
    return ERR_OK;
}

void seams_free(Seams *s) { free(s); }

void seams_cut(const Seams *s, Span text, size_t at, size_t end, size_t *end_of, size_t cap, size_t *n_out)
{
    size_t begin = at, n = 0;
    uint32_t before = 0; /* the whole character in front */

    while (at < end && n + 1 < cap) {
        const uint8_t *p = text.p + at;
        uint32_t cp = *p < 0x80 ? 0 : short_sequence(p, end - at);
        bool cut = at > begin && !bit_of(s->joined_bytes, (size_t)p[-1] << 8 | *p);
        size_t length = cp >= 0x800 ? 3 : cp ? 2 : 1;
        if (cp && !bit_of(s->whole, cp)) cp = 0;
        if (before && cp) cut |= !bit_of(s->joined_chars, pair_bit(s, before, cp));
        end_of[n] = at; /* kept if it is a cut: no branch that could be foreseen */
        n += cut;
        before = cp;
        at += length;
    }
    if (at == end) end_of[n++] = end;
    *n_out = n;
}
