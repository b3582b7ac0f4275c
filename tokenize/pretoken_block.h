/* tokenize/pretoken_block.h - the frame of all hand-written scans: 64 bytes as bit masks, from masks the cuts, from cuts the ends.
 *
 * A chain gives two functions. END finds the next end one character after the other. CUTS says, from the masks of the at most 64 bytes
 * behind a known cut, before which of them there is a cut too, as far as these bytes alone tell; what it leaves open, END finds. Every
 * block begins at a cut, so nothing is carried from one to the next and both functions are pure. No byte behind the text is read.
 *
 * PRETOKEN_SCANS(NAME, CUTS, END) makes NAME_scan_portable(), which is END again and again, and where there may be AVX2
 * NAME_scan_avx2(). */
#ifndef TAMIS_TOKENIZE_PRETOKEN_BLOCK_H
#define TAMIS_TOKENIZE_PRETOKEN_BLOCK_H

#include "core/utf8.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define PRETOKEN_HAVE_AVX2 1
#include <immintrin.h>
#define PRETOKEN_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#endif
#if defined(__GNUC__)
#define PRETOKEN_INLINE static inline __attribute__((always_inline))
#else
#define PRETOKEN_INLINE static inline
#endif

/* Bit i is byte i of the block. Bytes that are not there (a text's last block) are newlines. */
typedef struct {
    uint64_t letter, digit, punct; /* ASCII; punct is all other printable characters */
    uint64_t blank, tab, newline;  /* ' '; \t \v \f; \r \n */
    uint64_t quote;                /* ', which is in punct too */
    uint64_t high;                 /* bytes above 127 */
    /* Of these all bytes of the most frequent characters of Chinese text: U+4E00..U+9F7F; FF01..FF0F and FF1A..FF20; 3001 and 3002. A
     * character that the block cuts in two is in none. */
    uint64_t han, wide_punct, cjk_stop;
    uint64_t tail; /* continuation bytes */
} ByteMasks;

/* Bits of length len from bit i on. */
static inline uint64_t byte_run(unsigned i, unsigned len) { return ((UINT64_C(1) << len) - 1) << i; }
/* All bits below the lowest one set; all when none is. */
static inline uint64_t bits_below(uint64_t m) { return (m - 1) & ~m; }
static inline unsigned lowest_bit(uint64_t m)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(m);
#else
    unsigned i = 0;
    for (; !(m & 1); m >>= 1) i++;
    return i;
#endif
}

/* --- AVX2 */

#ifdef PRETOKEN_HAVE_AVX2

typedef struct {
    __m256i lo, hi;
} Bytes64;

#define PRETOKEN_AVX2 PRETOKEN_TARGET_AVX2 PRETOKEN_INLINE

PRETOKEN_AVX2 uint64_t bits_of(__m256i lo, __m256i hi)
{
    return (uint32_t)_mm256_movemask_epi8(lo) | (uint64_t)(uint32_t)_mm256_movemask_epi8(hi) << 32;
}

PRETOKEN_AVX2 uint64_t bytes_equal(Bytes64 b, uint8_t c)
{
    __m256i v = _mm256_set1_epi8((char)c);
    return bits_of(_mm256_cmpeq_epi8(b.lo, v), _mm256_cmpeq_epi8(b.hi, v));
}

/* first <= byte < first + n, for any bytes: shifted so that the range begins at the lowest signed value */
PRETOKEN_AVX2 uint64_t bytes_within(Bytes64 b, uint8_t first, uint8_t n)
{
    __m256i shift = _mm256_set1_epi8((char)(0x80 - first)), limit = _mm256_set1_epi8((char)(n - 0x80));
    return bits_of(_mm256_cmpgt_epi8(limit, _mm256_add_epi8(b.lo, shift)),
                   _mm256_cmpgt_epi8(limit, _mm256_add_epi8(b.hi, shift)));
}

static inline uint64_t three_bytes(uint64_t lead) { return lead | lead << 1 | lead << 2; }

PRETOKEN_AVX2 void find_chinese(ByteMasks *m, Bytes64 b)
{
    m->tail = bytes_within(b, 0x80, 0x40);
    uint64_t two_tails = m->tail >> 1 & m->tail >> 2;

    uint64_t before_4e00 = bytes_equal(b, 0xE4) & ~(bytes_within(b, 0xB8, 8) >> 1);
    uint64_t after_9f7f = bytes_equal(b, 0xE9) & bytes_within(b, 0xBE, 2) >> 1;
    m->han = three_bytes(bytes_within(b, 0xE4, 6) & ~before_4e00 & ~after_9f7f & two_tails);
    if (!(m->high & ~m->han)) return;
    uint64_t wide = bytes_equal(b, 0xEF) & bytes_equal(b, 0xBC) >> 1,
             cjk = bytes_equal(b, 0xE3) & bytes_equal(b, 0x80) >> 1;
    m->wide_punct = three_bytes(wide & (bytes_within(b, 0x81, 15) | bytes_within(b, 0x9A, 7)) >> 2);
    m->cjk_stop = three_bytes(cjk & bytes_within(b, 0x81, 2) >> 2);
}

PRETOKEN_AVX2 ByteMasks byte_masks(const uint8_t *p)
{
    Bytes64 b = {_mm256_loadu_si256((const __m256i *)(const void *)p),
                 _mm256_loadu_si256((const __m256i *)(const void *)(p + 32))};
    __m256i fold = _mm256_set1_epi8(0x20);
    Bytes64 lower = {_mm256_or_si256(b.lo, fold), _mm256_or_si256(b.hi, fold)};
    ByteMasks m = {.high = bits_of(b.lo, b.hi)};

    m.letter = bytes_within(lower, 'a', 26);
    m.digit = bytes_within(b, '0', 10);
    m.punct = bytes_within(b, '!', 0x7f - '!') & ~(m.letter | m.digit);
    m.blank = bytes_equal(b, ' ');
    m.newline = bytes_equal(b, '\n') | bytes_equal(b, '\r');
    m.tab = bytes_within(b, '\t', 5) & ~m.newline;
    m.quote = bytes_equal(b, '\'');
    if (m.high) find_chinese(&m, b);
    return m;
}

/* Appends base + i for the bits i of cuts, as far as there is room: four at a time where three more would fit, since what is written
 * behind the last one does not count. */
PRETOKEN_AVX2 size_t put_ends(uint64_t cuts, size_t base, size_t *end, size_t room)
{
    size_t all = (size_t)__builtin_popcountll(cuts), n = 0;

    if (room < all + 3) {
        for (; cuts && n < room; cuts &= cuts - 1) end[n++] = base + lowest_bit(cuts);
        return n;
    }
    for (; n < all; n += 4)
        for (size_t k = 0; k < 4; k++, cuts &= cuts - 1) end[n + k] = base + lowest_bit(cuts | UINT64_C(1) << 63);
    return all;
}

/* The block's bytes: those of the text, or a copy in last[64] where the text has fewer. */
PRETOKEN_AVX2 const uint8_t *block_at(Span s, size_t at, uint8_t last[64], uint64_t *beyond)
{
    *beyond = 0;
    if (s.n - at >= 64) return s.p + at;
    *beyond = ~UINT64_C(0) << (s.n - at);
    memset(last, '\n', 64);
    memcpy(last, s.p + at, s.n - at);
    return last;
}

#endif

/* Macros, so that the compiler needs no inlining through pointers. */
#define PRETOKEN_SCAN_PORTABLE(NAME, END)                                          \
    static size_t NAME##_scan_portable(Span s, size_t at, size_t *end, size_t cap) \
    {                                                                              \
        size_t n = 0;                                                              \
        while (n < cap && at < s.n) at = end[n++] = END(s, at);                    \
        return n;                                                                  \
    }
#ifdef PRETOKEN_HAVE_AVX2
#define PRETOKEN_SCANS(NAME, CUTS, END)                                                             \
    PRETOKEN_SCAN_PORTABLE(NAME, END)                                                               \
    PRETOKEN_TARGET_AVX2 static size_t NAME##_scan_avx2(Span s, size_t at, size_t *end, size_t cap) \
    {                                                                                               \
        size_t n = 0;                                                                               \
        while (n < cap && at < s.n) {                                                               \
            uint8_t last[64];                                                                       \
            uint64_t beyond;                                                                        \
            const uint8_t *p = block_at(s, at, last, &beyond);                                      \
            ByteMasks m = byte_masks(p);                                                            \
            uint64_t cuts = CUTS(&m, p, beyond) & ~UINT64_C(1);                                     \
            if (cuts)                                                                               \
                n += put_ends(cuts, at, end + n, cap - n);                                          \
            else                                                                                    \
                end[n] = END(s, at), n++;                                                           \
            at = end[n - 1];                                                                        \
        }                                                                                           \
        return n;                                                                                   \
    }
#else
#define PRETOKEN_SCANS(NAME, CUTS, END) PRETOKEN_SCAN_PORTABLE(NAME, END)
#endif

#endif
