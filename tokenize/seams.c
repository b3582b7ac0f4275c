#include "tokenize/seams.h"

#include "core/utf8.h"
#include "tokenize/bytelevel.h"
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

/* Calls on every two characters that stand side by side in the bytes. */
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

/* The bytes of a token that merging can make: bytes[id] may be other ones, of an added token. */
static bool bytes_of(const Tokenizer *t, uint32_t id, Buf *bytes)
{
    buf_reset(bytes);
    return (t->flags[id] & TOKEN_USED) && bytelevel_read(bytes, t->spelling[id]);
}

static unsigned choose_bits(const Tokenizer *t, Buf *bytes)
{
    size_t n_pairs = 0;
    unsigned bits = LEAST_PAIR_BITS;

    for (uint32_t id = 0; id < t->n_ids; id++)
        if (bytes_of(t, id, bytes)) n_pairs += join_chars(NULL, buf_span(bytes));
    while (bits < MOST_PAIR_BITS && (size_t)1 << bits < 8 * n_pairs) bits++;
    return bits;
}

static void fill(Seams *s, const Tokenizer *t, Buf *bytes)
{
    for (uint32_t id = 0; id < t->n_ids; id++) {
        if (!bytes_of(t, id, bytes)) continue;
        join_chars(s, buf_span(bytes));
        for (size_t i = 1; i < bytes->n; i++) set_bit(s->joined_bytes, (size_t)bytes->p[i - 1] << 8 | bytes->p[i]);
    }
    for (size_t pair = 0; pair < 0x10000; pair++) {
        if (t->byte_id[pair >> 8] == NO_ID || t->byte_id[pair & 255] == NO_ID) set_bit(s->joined_bytes, pair);
        if (t->char_id[pair] != NO_ID) set_bit(s->whole, pair); /* as many code points as pairs of bytes */
    }
}

ErrCode seams_new(Seams **out, const Tokenizer *t, Err *err)
{
    Buf bytes = {0};
    unsigned pair_bits = choose_bits(t, &bytes);
    Seams *s = calloc(1, sizeof *s + ((size_t)1 << pair_bits) / 8);

    *out = NULL;
    if (!s) {
        buf_clear(&bytes);
        return err_nomem(err, "the tokenizer");
    }
    s->pair_bits = pair_bits;
    fill(s, t, &bytes);
    ErrCode rc = buf_ok(&bytes, "the tokenizer", err);
    buf_clear(&bytes);
    if (rc == ERR_OK)
        *out = s;
    else
        seams_free(s);
    return rc;
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
