/* core/json_bytes.h - the inner loop of JSON strings, read and written: runs of bytes that stand for themselves.
 * Special are `"`, `\` and everything below 0x20. Private to json_scan.c and json_write.c. */
#ifndef TAMIS_CORE_JSON_BYTES_H
#define TAMIS_CORE_JSON_BYTES_H

#include "core/bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>

/* Bit i is set when p[i] is special, i < 16. */
static inline unsigned json_special16(__m128i v)
{
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    __m128i ctrl = _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(0x1f)), _mm_set1_epi8(0x1f));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), ctrl));
}

static inline __m128i json_load16(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
static inline void json_store16(uint8_t *p, __m128i v) { _mm_storeu_si128((__m128i *)(void *)p, v); }
#endif

static inline bool json_is_special(uint8_t c) { return c == '"' || c == '\\' || c < 0x20; }

/* Offset of the first special byte of p[0..n), or n. */
static inline size_t json_find_special(const uint8_t *p, size_t n)
{
    size_t i = 0;

#if defined(__SSE2__)
    for (; n - i >= 16; i += 16) {
        unsigned at = json_special16(json_load16(p + i));
        if (at) return i + (size_t)__builtin_ctz(at);
    }
#endif
    while (i < n && !json_is_special(p[i])) i++;
    return i;
}

/* Copies p[0..n) up to its first special byte, whose offset (or n) it returns. `out` has room for n bytes, of which
 * those past the returned offset may be overwritten too. */
static inline size_t json_copy_plain(uint8_t *out, const uint8_t *p, size_t n)
{
    size_t i = 0;

#if defined(__SSE2__)
    /* Lines of text are some 50 bytes apart: looking at 64 without a branch in between costs less than the branch that
     * is guessed wrong at the end of each. */
    for (; n - i >= 64; i += 64) {
        __m128i a = json_load16(p + i), b = json_load16(p + i + 16), c = json_load16(p + i + 32),
                d = json_load16(p + i + 48);
        json_store16(out + i, a);
        json_store16(out + i + 16, b);
        json_store16(out + i + 32, c);
        json_store16(out + i + 48, d);
        uint64_t at = json_special16(a) | (uint64_t)json_special16(b) << 16 | (uint64_t)json_special16(c) << 32 |
                      (uint64_t)json_special16(d) << 48;
        if (at) return i + (size_t)__builtin_ctzll(at);
    }
    for (; n - i >= 16; i += 16) {
        __m128i v = json_load16(p + i);
        unsigned at = json_special16(v);
        json_store16(out + i, v);
        if (at) return i + (size_t)__builtin_ctz(at);
    }
#endif
    for (; i < n && !json_is_special(p[i]); i++) out[i] = p[i];
    return i;
}

#endif
