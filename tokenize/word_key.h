/* tokenize/word_key.h - a word of up to 15 bytes as two words of the machine: its bytes, zero-padded, and its length in the last
 * byte. The counter and the encoder's cache are keyed by it. The high half of a key is never 0. */
#ifndef TAMIS_TOKENIZE_WORD_KEY_H
#define TAMIS_TOKENIZE_WORD_KEY_H

#include "core/bytes.h"

enum { WORD_KEY_MAX = 15 };

/* The key of fewer bytes than 16 at the end of a text. */
static inline void word_key_at_end(const uint8_t *p, size_t n, uint64_t *lo, uint64_t *hi)
{
    uint8_t copy[16] = {0};

    memcpy(copy, p, n);
    *lo = le64_get(copy);
    *hi = le64_get(copy + 8) | (uint64_t)n << 56;
}

/* The same where 16 bytes can be read. Lengths are as good as random: no branch on n. */
static inline void word_key_inside(const uint8_t *p, size_t n, uint64_t *lo, uint64_t *hi)
{
    static const uint8_t keep[32] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    const uint8_t *mask = keep + 16 - n;

    *lo = le64_get(p) & le64_get(mask);
    *hi = (le64_get(p + 8) & le64_get(mask + 8)) | (uint64_t)n << 56;
}

/* The key of text[at, at + n), 1 <= n <= WORD_KEY_MAX. */
static inline void word_key(Span text, size_t at, size_t n, uint64_t *lo, uint64_t *hi)
{
    if (text.n - at < 16)
        word_key_at_end(text.p + at, n, lo, hi);
    else
        word_key_inside(text.p + at, n, lo, hi);
}

/* Use the top bits. */
static inline uint64_t word_key_hash(uint64_t lo, uint64_t hi)
{
    return (lo ^ hi * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
}

#endif
