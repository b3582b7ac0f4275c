/* tokenize/word_key.h - a word of up to 15 bytes as two words of the machine: its bytes, zero-padded, and its length in the last
 * byte. The counter and the encoder's cache are keyed by it. The high half of a key is never 0. */
#ifndef TAMIS_TOKENIZE_WORD_KEY_H
#define TAMIS_TOKENIZE_WORD_KEY_H

#include "core/bytes.h"

enum { WORD_KEY_MAX = 15 };

/* The key of text[at, at + n), 1 <= n <= WORD_KEY_MAX. Lengths are as good as random: no branch on n. */
static inline void word_key(Span text, size_t at, size_t n, uint64_t *lo, uint64_t *hi)
{
    uint8_t copy[16] = {0};
    const uint8_t *p = text.p + at;
    unsigned bits = 8 * (unsigned)n, past = bits & 63; /* of the half in which the word ends */

    if (text.n - at < 16) {
        memcpy(copy, p, n);
        p = copy;
    }
    uint64_t keep = ((uint64_t)1 << past) - 1, low = le64_get(p), high = le64_get(p + 8),
             is_long = 0 - (uint64_t)(bits >> 6);
    *lo = low & (keep | is_long);
    *hi = (high & keep & is_long) | (uint64_t)n << 56;
}

/* Use the top bits. */
static inline uint64_t word_key_hash(uint64_t lo, uint64_t hi)
{
    uint64_t h = (lo ^ hi * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;

    return (h ^ h >> 32) * 0x94d049bb133111ebu;
}

#endif
