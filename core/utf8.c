/* core/utf8.c - decoding, validating and repairing UTF-8.
 *
 * Validation with AVX2 is the method of Keiser and Lemire ("Validating UTF-8 in less than one instruction per byte",
 * 2021): three table look-ups of half bytes, and-ed, tell every ill-formed pair of neighbouring bytes; what pairs
 * cannot tell, the missing third and fourth bytes, is compared with the lead bytes two and three places back. It only
 * says whether 32 bytes are good; the exact place of a fault is then found by the plain loop. */
#include "core/utf8.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define UTF8_HAVE_AVX2 1
#include <immintrin.h>
#endif

static inline bool is_tail(uint8_t c) { return (c & 0xC0) == 0x80; }

unsigned utf8_next_multi(const uint8_t *p, size_t n, uint32_t *cp)
{
    uint8_t lead = p[0], low = 0x80, high = 0xBF; /* bounds of the second byte: Unicode 15.0, table 3-7 */
    unsigned len;

    *cp = UTF8_BAD;
    if (lead < 0xC2 || lead > 0xF4) return 1;
    if (lead < 0xE0) {
        len = 2;
    } else if (lead < 0xF0) {
        len = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
    } else {
        len = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
    }
    if (n < 2 || p[1] < low || p[1] > high) return 1;
    uint32_t v = (lead & (0x7Fu >> len)) << 6 | (p[1] & 0x3Fu);
    for (unsigned i = 2; i < len; i++) {
        if (i >= n || !is_tail(p[i])) return i;
        v = v << 6 | (p[i] & 0x3Fu);
    }
    *cp = v;
    return len;
}

unsigned utf8_put(uint8_t out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xC0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xE0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (cp & 0x3F));
    return 4;
}

void utf8_append(Buf *b, uint32_t cp)
{
    uint8_t bytes[4];
    unsigned n = utf8_put(bytes, cp);

    buf_put(b, bytes, n);
}

void utf8_disarm(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        unsigned len = utf8_next(p + i, n - i, &cp);
        if (cp == UTF8_BAD)
            memset(p + i, '?', len);
        else if (utf8_is_control(cp))
            memset(p + i, ' ', len);
        i += len;
    }
}

/* From `at`, a boundary of code points, to the first fault or the end. */
static size_t valid_plain(const uint8_t *p, size_t n, size_t at)
{
    while (at < n) {
        if (p[at] < 0x80) {
            uint64_t w;
            while (n - at >= 8 && (memcpy(&w, p + at, 8), (w & 0x8080808080808080u) == 0)) at += 8;
            while (at < n && p[at] < 0x80) at++;
            continue;
        }
        /* Most of Chinese: a lead byte without special bounds, two tails. */
        if (p[at] > 0xE0 && p[at] < 0xF0 && p[at] != 0xED && n - at >= 3 && is_tail(p[at + 1]) &&
            is_tail(p[at + 2])) {
            at += 3;
            continue;
        }
        uint32_t cp;
        unsigned len = utf8_next_multi(p + at, n - at, &cp);
        if (cp == UTF8_BAD) return at;
        at += len;
    }
    return at;
}

#ifdef UTF8_HAVE_AVX2
#define AVX2_FN __attribute__((target("avx2")))

/* Faults of a pair of bytes, one bit each; a pair is bad when all three look-ups have the bit. TWO_TAILS is the odd
 * one: two tail bytes in a row are right or wrong by what stands before them, which is decided apart. */
enum {
    TOO_SHORT = 1 << 0,  /* lead, then no tail */
    TOO_LONG = 1 << 1,   /* ASCII, then a tail */
    OVERLONG_3 = 1 << 2, /* E0 80..9F */
    SURROGATE = 1 << 4,  /* ED A0..BF */
    OVERLONG_2 = 1 << 5, /* C0 or C1 */
    TWO_TAILS = 1 << 7,
    TOO_LARGE = 1 << 3,      /* F4 90.. and F5.. with a tail >= 90 */
    TOO_LARGE_1000 = 1 << 6, /* F5.. with a tail 80..8F; shares its bit with: */
    OVERLONG_4 = 1 << 6      /* F0 80..8F */
};
enum { CARRY = TOO_SHORT | TOO_LONG | TWO_TAILS }; /* faults that do not look at the low half of the first byte */

AVX2_FN static inline __m256i both(const uint8_t table[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

/* The 32 bytes that end n (1..3) bytes before the end of `now`. */
#define SHIFT_IN(now, before, n) _mm256_alignr_epi8((now), _mm256_permute2x128_si256((before), (now), 0x21), 16 - (n))

typedef struct {
    __m256i first_high, first_low, second_high;
} PairTables;

AVX2_FN static inline __m256i block_faults(const PairTables *t, __m256i now, __m256i before)
{
    const __m256i low4 = _mm256_set1_epi8(0x0F);
    __m256i prev1 = SHIFT_IN(now, before, 1), prev2 = SHIFT_IN(now, before, 2), prev3 = SHIFT_IN(now, before, 3);
    __m256i a = _mm256_shuffle_epi8(t->first_high, _mm256_and_si256(_mm256_srli_epi16(prev1, 4), low4));
    __m256i b = _mm256_shuffle_epi8(t->first_low, _mm256_and_si256(prev1, low4));
    __m256i c = _mm256_shuffle_epi8(t->second_high, _mm256_and_si256(_mm256_srli_epi16(now, 4), low4));
    __m256i pair = _mm256_and_si256(_mm256_and_si256(a, b), c);
    /* Bit 7 is set exactly where a third or fourth byte has to be: two after >= E0, three after >= F0. */
    __m256i third = _mm256_subs_epu8(prev2, _mm256_set1_epi8((char)(0xE0 - 0x80)));
    __m256i fourth = _mm256_subs_epu8(prev3, _mm256_set1_epi8((char)(0xF0 - 0x80)));
    __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must, pair);
}

/* A place, at a boundary of code points, before which all is well-formed: within 35 bytes of the first fault or of
 * the end. */
AVX2_FN static size_t valid_avx2(const uint8_t *p, size_t n)
{
    static const uint8_t first_high[16] = {TOO_LONG,
                                           TOO_LONG,
                                           TOO_LONG,
                                           TOO_LONG,
                                           TOO_LONG,
                                           TOO_LONG,
                                           TOO_LONG,
                                           TOO_LONG,
                                           TWO_TAILS,
                                           TWO_TAILS,
                                           TWO_TAILS,
                                           TWO_TAILS,
                                           TOO_SHORT | OVERLONG_2,
                                           TOO_SHORT,
                                           TOO_SHORT | OVERLONG_3 | SURROGATE,
                                           TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4};
    static const uint8_t first_low[16] = {CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4,
                                          CARRY | OVERLONG_2,
                                          CARRY,
                                          CARRY,
                                          CARRY | TOO_LARGE,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000 | SURROGATE,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000,
                                          CARRY | TOO_LARGE | TOO_LARGE_1000};
    static const uint8_t second_high[16] = {TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_LONG | OVERLONG_2 | TWO_TAILS | OVERLONG_3 | TOO_LARGE_1000 |
                                                OVERLONG_4,
                                            TOO_LONG | OVERLONG_2 | TWO_TAILS | OVERLONG_3 | TOO_LARGE,
                                            TOO_LONG | OVERLONG_2 | TWO_TAILS | SURROGATE | TOO_LARGE,
                                            TOO_LONG | OVERLONG_2 | TWO_TAILS | SURROGATE | TOO_LARGE,
                                            TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_SHORT,
                                            TOO_SHORT};
    PairTables t = {both(first_high), both(first_low), both(second_high)};
    __m256i before = _mm256_setzero_si256();
    bool open = false; /* the bytes before `at` may end inside a code point */
    size_t at = 0;

    for (; n - at >= 32; at += 32) {
        __m256i now = _mm256_loadu_si256((const __m256i *)(const void *)(p + at));
        if (_mm256_movemask_epi8(now) == 0 && !open) {
            before = now;
            continue;
        }
        __m256i bad = block_faults(&t, now, before);
        if (!_mm256_testz_si256(bad, bad)) break;
        before = now;
        open = p[at + 31] >= 0xC0 || p[at + 30] >= 0xE0 || p[at + 29] >= 0xF0;
    }
    /* A code point cut by the end of the last good block starts at most three bytes back. */
    for (size_t back = 1; back <= 3 && back <= at; back++) {
        uint8_t c = p[at - back];
        if (is_tail(c)) continue;
        if ((back == 1 && c >= 0xC0) || (back == 2 && c >= 0xE0) || (back == 3 && c >= 0xF0)) at -= back;
        break;
    }
    return at;
}
#endif

size_t utf8_valid_prefix(Span s)
{
    size_t at = 0;

#ifdef UTF8_HAVE_AVX2
    if (s.n >= 64 && __builtin_cpu_supports("avx2")) at = valid_avx2(s.p, s.n);
#endif
    return valid_plain(s.p, s.n, at);
}

size_t utf8_count(Span s)
{
    const uint64_t ones = 0x0101010101010101u;
    size_t tails = 0, i = 0;

    for (; s.n - i >= 8; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        tails += (((w >> 7) & (~w >> 6) & ones) * ones) >> 56; /* bit 7 set, bit 6 clear; sum of eight */
    }
    for (; i < s.n; i++) tails += is_tail(s.p[i]);
    return s.n - tails;
}

size_t utf8_repair(Buf *out, Span s)
{
    size_t n_bad = 0;

    while (s.n) {
        size_t good = utf8_valid_prefix(s);
        uint32_t cp;
        buf_put(out, s.p, good);
        s = span_from(s, good);
        if (!s.n) break;
        s = span_from(s, utf8_next(s.p, s.n, &cp));
        utf8_append(out, 0xFFFD);
        n_bad++;
    }
    return n_bad;
}

size_t utf8_floor(Span s, size_t limit)
{
    if (limit >= s.n) return s.n;
    while (limit > 0 && is_tail(s.p[limit])) limit--;
    return limit;
}
