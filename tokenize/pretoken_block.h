/* tokenize/pretoken_block.h - the frame of all hand-written scans: 64 bytes as bit masks, from masks the cuts, from cuts the ends.
 *
 * A chain gives two functions. CUTS says, from the masks of the at most 64 bytes behind a known cut, before which of them there
 * is a cut too, as far as these bytes alone tell; END finds the next end one character after the other, for what CUTS leaves
 * open. Every block begins at a cut, so nothing is carried from one to the next: each pair of functions is pure. No byte behind
 * the text is read.
 *
 * PRETOKEN_SCANS(NAME, CUTS, END) makes of them NAME_scan_portable() and NAME_scan_avx2(), the same function twice, the second for
 * AVX2 and BMI. */
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
    uint64_t han;                  /* of these all three bytes of U+4000..U+9F7F */
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

/* han, from the masks of lead bytes E4..E8, lead byte E9, continuation bytes and bytes BE..BF. A character that the block cuts in
 * two is not in it. */
static inline uint64_t han_bytes(uint64_t e4_e8, uint64_t e9, uint64_t tail, uint64_t be_bf)
{
    uint64_t lead = (e4_e8 | (e9 & ~(be_bf >> 1))) & tail >> 1 & tail >> 2;

    return lead | lead << 1 | lead << 2;
}

/* --- masks without vector instructions: a class a byte from a table, then eight classes of eight bytes turned into eight bytes of
 * bits (Warren, Hacker's Delight, 7-3) */

enum {
    BYTE_LETTER = 1,
    BYTE_DIGIT = 2,
    BYTE_PUNCT = 4,
    BYTE_BLANK = 8,
    BYTE_TAB = 16,
    BYTE_NEWLINE = 32,
    BYTE_QUOTE = 64,
    BYTE_HIGH = 128
};
extern const uint8_t pretoken_byte[256];

static inline uint64_t transpose_bits(uint64_t x)
{
    uint64_t t = (x ^ x >> 7) & UINT64_C(0x00aa00aa00aa00aa);

    x ^= t ^ t << 7;
    t = (x ^ x >> 14) & UINT64_C(0x0000cccc0000cccc);
    x ^= t ^ t << 14;
    t = (x ^ x >> 28) & UINT64_C(0x00000000f0f0f0f0);
    return x ^ t ^ t << 28;
}

PRETOKEN_INLINE ByteMasks byte_masks_portable(const uint8_t *p)
{
    uint64_t m[8] = {0};

    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t x = 0;
        for (unsigned k = 0; k < 8; k++) x |= (uint64_t)pretoken_byte[p[i + k]] << 8 * k;
        x = transpose_bits(x);
        for (unsigned c = 0; c < 8; c++) m[c] |= (x >> 8 * c & 0xff) << i;
    }
    ByteMasks out = {.letter = m[0],
                     .digit = m[1],
                     .punct = m[2],
                     .blank = m[3],
                     .tab = m[4],
                     .newline = m[5],
                     .quote = m[6],
                     .high = m[7]};
    if (out.high) {
        uint64_t e4_e8 = 0, e9 = 0, tail = 0, be_bf = 0;
        for (unsigned i = 0; i < 64; i++) {
            e4_e8 |= (uint64_t)((uint8_t)(p[i] - 0xE4) < 5) << i;
            e9 |= (uint64_t)(p[i] == 0xE9) << i;
            tail |= (uint64_t)((p[i] & 0xC0) == 0x80) << i;
            be_bf |= (uint64_t)((p[i] & 0xFE) == 0xBE) << i;
        }
        out.han = han_bytes(e4_e8, e9, tail, be_bf);
    }
    return out;
}

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

PRETOKEN_AVX2 ByteMasks byte_masks_avx2(const uint8_t *p)
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
    if (m.high)
        m.han = han_bytes(bytes_within(b, 0xE4, 5), bytes_equal(b, 0xE9), bytes_within(b, 0x80, 0x40),
                          bytes_within(b, 0xBE, 2));
    return m;
}

#endif

/* Before which bytes of a block is a cut? Only what holds whatever stands in front of the block and in its bytes `beyond`, which are
 * not there; bit 0 does not count. */
typedef uint64_t (*PretokenCuts)(const ByteMasks *m, const uint8_t *p, uint64_t beyond);
/* Where the pretoken ends that begins at `at` < s.n. */
typedef size_t (*PretokenEnd)(Span s, size_t at);

/* Appends base + i for the bits i of cuts, as far as there is room. */
PRETOKEN_INLINE size_t put_ends(uint64_t cuts, size_t base, size_t *end, size_t room)
{
    size_t n = 0;

    for (; cuts && n < room; cuts &= cuts - 1) end[n++] = base + lowest_bit(cuts);
    return n;
}

#ifdef PRETOKEN_HAVE_AVX2
/* The same, four at a time where there is room for any block: what is written behind the last one does not count. Bit 0 is not set,
 * so there are at most 63. */
PRETOKEN_AVX2 size_t put_ends_avx2(uint64_t cuts, size_t base, size_t *end, size_t room)
{
    size_t all = (size_t)__builtin_popcountll(cuts);

    if (room < 64) return put_ends(cuts, base, end, room);
    for (size_t n = 0; n < all; n += 4)
        for (size_t k = 0; k < 4; k++, cuts &= cuts - 1) end[n + k] = base + lowest_bit(cuts | UINT64_C(1) << 63);
    return all;
}
#endif

/* The block's bytes: those of the text, or a copy in last[64] where the text has fewer. */
PRETOKEN_INLINE const uint8_t *block_at(Span s, size_t at, uint8_t last[64], uint64_t *beyond)
{
    *beyond = 0;
    if (s.n - at >= 64) return s.p + at;
    *beyond = ~UINT64_C(0) << (s.n - at);
    memset(last, '\n', 64);
    memcpy(last, s.p + at, s.n - at);
    return last;
}

/* A macro, so that the compiler needs no inlining through pointers. */
#define PRETOKEN_SCAN(NAME, MASKS, CUTS, END, PUT)                 \
    static size_t NAME(Span s, size_t at, size_t *end, size_t cap) \
    {                                                              \
        size_t n = 0;                                              \
        while (n < cap && at < s.n) {                              \
            uint8_t last[64];                                      \
            uint64_t beyond;                                       \
            const uint8_t *p = block_at(s, at, last, &beyond);     \
            ByteMasks m = MASKS(p);                                \
            uint64_t cuts = CUTS(&m, p, beyond) & ~UINT64_C(1);    \
            if (cuts)                                              \
                n += PUT(cuts, at, end + n, cap - n);              \
            else                                                   \
                end[n] = END(s, at), n++;                          \
            at = end[n - 1];                                       \
        }                                                          \
        return n;                                                  \
    }
#ifdef PRETOKEN_HAVE_AVX2
#define PRETOKEN_SCANS(NAME, CUTS, END)                                           \
    PRETOKEN_SCAN(NAME##_scan_portable, byte_masks_portable, CUTS, END, put_ends) \
    PRETOKEN_TARGET_AVX2 PRETOKEN_SCAN(NAME##_scan_avx2, byte_masks_avx2, CUTS, END, put_ends_avx2)
#else
#define PRETOKEN_SCANS(NAME, CUTS, END) PRETOKEN_SCAN(NAME##_scan_portable, byte_masks_portable, CUTS, END, put_ends)
#endif

#endif
