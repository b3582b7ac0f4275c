/* core/ascii_block.h - which of 64 bytes are ASCII letters, as bits, for loops that go by runs of letters. Private to the room. */
#ifndef TAMIS_CORE_ASCII_BLOCK_H
#define TAMIS_CORE_ASCII_BLOCK_H

#include "core/bytes.h"

#if defined(__SSE2__) && defined(__GNUC__)
#include <emmintrin.h>
#endif

enum { ASCII_BLOCK = 64 };
typedef struct {
    uint64_t letters; /* bit i: byte i is one of A-Z a-z */
    uint64_t other;   /* bit i: byte i is a digit, or above 0x7F */
} AsciiBlock;

static inline AsciiBlock ascii_block_portable(const uint8_t p[ASCII_BLOCK])
{
    AsciiBlock b = {0, 0};

    for (unsigned i = 0; i < ASCII_BLOCK; i++) {
        b.letters |= (uint64_t)ascii_is_alpha(p[i]) << i;
        b.other |= (uint64_t)(ascii_is_digit(p[i]) || p[i] > 0x7F) << i;
    }
    return b;
}

#if defined(__SSE2__) && defined(__GNUC__)
static inline AsciiBlock ascii_block(const uint8_t p[ASCII_BLOCK])
{
    AsciiBlock b = {0, 0};

    for (unsigned i = 0; i < ASCII_BLOCK; i += 16) {
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i letter = _mm_sub_epi8(_mm_or_si128(c, _mm_set1_epi8(0x20)), _mm_set1_epi8('a')),
                digit = _mm_sub_epi8(c, _mm_set1_epi8('0')); /* in range when no more than the last one's, unsigned */
        letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
        digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
        b.letters |= (uint64_t)(uint32_t)_mm_movemask_epi8(letter) << i;
        b.other |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_or_si128(digit, c))
                   << i; /* its top bit is c's above 0x7F */
    }
    return b;
}
#else
static inline AsciiBlock ascii_block(const uint8_t p[ASCII_BLOCK]) { return ascii_block_portable(p); }
#endif

#endif
