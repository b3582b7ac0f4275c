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

/* Where cutting is, and what it has found. */
typedef struct {
    size_t at;
    uint32_t before; /* the whole character in front of it, or 0 */
    size_t *end_of, n;
} Cut;

/* A cut or none at c->at: it is kept if it is one, since no branch on it could be foreseen. */
static inline void put_cut(Cut *c, bool is_cut)
{
    c->end_of[c->n] = c->at;
    c->n += is_cut;
}

/* Goes over whole characters of three bytes behind such a character, at most `most`, while a fourth byte can be read. */
static inline void cut_whole(const Seams *s, Span text, size_t end, size_t most, Cut *c)
{
    size_t room = (end < text.n ? end : text.n - 1) - c->at;
    Cut now = *c;

    if (most > room / 3) most = room / 3;
    for (size_t i = 0; i < most; i++) {
        uint32_t w = le32_get(text.p + now.at);
        uint32_t cp = (w & 15) << 12 | (w >> 2 & 0xFC0) | (w >> 16 & 63);
        if ((w & 0xC0C0F0) != 0x8080E0 || cp < 0x800 || !bit_of(s->whole, cp)) break;
        put_cut(&now, !bit_of(s->joined_chars, pair_bit(s, now.before, cp)));
        now.before = cp;
        now.at += 3;
    }
    *c = now;
}

/* Goes over one character, whatever it is. */
static void cut_any(const Seams *s, Span text, size_t begin, size_t end, Cut *c)
{
    const uint8_t *p = text.p + c->at;
    uint32_t cp = *p < 0x80 ? 0 : short_sequence(p, end - c->at);
    size_t length = cp >= 0x800 ? 3 : cp ? 2 : 1;

    if (!bit_of(s->whole, cp)) cp = 0; /* as U+0000 is not */
    if (c->before && cp)               /* two bytes that are in no token are in no pair of characters */
        put_cut(c, !bit_of(s->joined_chars, pair_bit(s, c->before, cp)));
    else
        put_cut(c, c->at > begin && !bit_of(s->joined_bytes, (size_t)p[-1] << 8 | *p));
    c->before = cp;
    c->at += length;
}

void seams_cut(const Seams *s, Span text, size_t at, size_t end, size_t *end_of, size_t cap, size_t *n)
{
    Cut c = {.at = at, .end_of = end_of};

    while (c.at < end && c.n + 1 < cap) {
        if (c.before >= 0x800) cut_whole(s, text, end, cap - 1 - c.n, &c);
        if (c.at < end && c.n + 1 < cap) cut_any(s, text, at, end, &c);
    }
    if (c.at == end) end_of[c.n++] = end;
    *n = c.n;
}

void seams_free(Seams *s) { free(s); }
