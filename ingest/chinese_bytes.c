#include "ingest/chinese_bytes.h"

#include "core/utf8.h"

#if defined(__SSE2__) && defined(__GNUC__)
#include <emmintrin.h>
#endif

#include "ingest/chinese_tables.inc"

enum {
    ROW = 192,        /* of a table: trails 0x40 to 0xFF, for every lead from 0x80 on */
    LEAST = 0x800,    /* smaller values of a table are 0 for none, or an index into the list of other characters */
    BLOCK = 16 << 10, /* bytes read between two looks at the room in `out` */
    MOST = 3,         /* bytes written for a byte read: U+FFFD; a pair becomes at most two characters of two bytes */
    SLACK = 32        /* bytes that a wide store may write beyond what it counts */
};

/* Copies ASCII from p[0..n) to `to` up to the first other byte; returns how many. May write 16 bytes more. */
static size_t copy_ascii(uint8_t *to, const uint8_t *p, size_t n)
{
    size_t i = 0;

#if defined(__SSE2__) && defined(__GNUC__)
    for (; n - i >= 16; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        _mm_storeu_si128((__m128i *)(void *)(to + i), v);
        unsigned high = (unsigned)_mm_movemask_epi8(v);
        if (high) return i + bit_lowest(high);
    }
#else
    for (; n - i >= 8; i += 8) {
        uint64_t v = le64_get(p + i);
        le64_put(to + i, v);
        v &= UINT64_C(0x8080808080808080);
        if (v) return i + bit_lowest(v) / 8;
    }
#endif
    for (; i < n && p[i] < 0x80; i++) to[i] = p[i];
    return i;
}

/* A code point of 0x0800 to 0xFFFF: three bytes, stored as four. */
static inline void put_three(uint8_t *to, uint32_t cp)
{
    le32_put(to, 0x8080e0u | cp >> 12 | (cp << 2 & 0x3f00u) | (cp << 16 & 0x3f0000u));
}

static inline uint32_t value_of(const uint16_t *table, const uint8_t *pair)
{
    return table[(size_t)(pair[0] & 0x7f) * ROW + pair[1] - 0x40];
}

/* Pairs of characters with three bytes of UTF-8 from p to `end`, as long as there are, four at a time. Returns where it stopped
 * and sets *to. */
static inline const uint8_t *copy_pairs(const uint16_t *table, const uint8_t *p, const uint8_t *end, uint8_t **to)
{
    const uint64_t leads = UINT64_C(0x0080008000800080), trails = leads << 8;
    uint8_t *t = *to;

    for (; end - p >= 8; p += 8, t += 12) {
        uint64_t w = le64_get(p);
        if ((w & leads) != leads || ((w | w << 1) & trails) != trails)
            break; /* trails from 0x40 on have one of two bits */
        uint32_t a = value_of(table, p), b = value_of(table, p + 2), c = value_of(table, p + 4),
                 d = value_of(table, p + 6);
        if (a < LEAST || b < LEAST || c < LEAST || d < LEAST) break;
        put_three(t, a);
        put_three(t + 3, b);
        put_three(t + 6, c);
        put_three(t + 9, d);
    }
    while (end - p >= 2 && p[0] >= 0x80 && p[1] >= 0x40) {
        uint32_t cp = value_of(table, p);
        if (cp < LEAST) break;
        put_three(t, cp);
        t += 3;
        p += 2;
    }
    *to = t;
    return p;
}

static unsigned put(uint8_t *to, uint32_t cp) { return utf8_put(to, cp == UTF8_BAD ? 0xFFFD : cp); }

/* --- GB18030 */

/* Four bytes: the basic plane by runs, all other planes in order. */
static uint32_t gb_four(const uint8_t *p)
{
    enum { PLANES = 189000 }; /* 90 30 81 30 */
    uint32_t n = ((p[0] - 0x81u) * 10 + p[1] - 0x30u) * 1260 + (p[2] - 0x81u) * 10 + p[3] - 0x30u;

    if (n >= PLANES) return n - PLANES <= 0xFFFFF ? n - PLANES + 0x10000 : UTF8_BAD;
    if (n >= GB_FOUR_BMP) return UTF8_BAD;
    unsigned lo = 0, hi = GB_N_RUNS;
    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;
        if (gb_run_at[mid] <= n)
            lo = mid;
        else
            hi = mid;
    }
    return gb_run_cp[lo] + (n - gb_run_at[lo]);
}

uint32_t gb18030_next(const uint8_t *p, size_t n, unsigned *length)
{
    *length = 1;
    if (p[0] < 0x80) return p[0];
    if (p[0] == 0x80) return 0x20AC; /* as in GBK's Windows code page */
    if (p[0] == 0xff || n < 2) return UTF8_BAD;
    if (p[1] >= 0x40) {
        uint32_t v = value_of(gb_two, p);
        *length = v || p[1] >= 0x80 ? 2 : 1;
        return v == 0 ? UTF8_BAD : v < LEAST ? gb_other[v] : v;
    }
    if (n < 4 || !ascii_is_digit(p[1]) || p[2] <= 0x80 || p[2] == 0xff || !ascii_is_digit(p[3])) return UTF8_BAD;
    uint32_t cp = gb_four(p);
    if (cp != UTF8_BAD) *length = 4;
    return cp;
}

/* --- Big5 */

static uint32_t big5_pair(const uint8_t *p, size_t n, unsigned *length)
{
    *length = 1;
    if (p[0] < 0x80) return p[0];
    if (p[0] == 0x80 || p[0] == 0xff || n < 2 || p[1] < 0x40) return UTF8_BAD;
    uint32_t v = value_of(big5_two, p);
    *length = v || p[1] >= 0x80 ? 2 : 1;
    return v == 0 ? UTF8_BAD : v < LEAST ? big5_other[v] : v;
}

/* A pair that is two characters, a letter and a mark above it, is listed as both. */
static bool is_two(uint32_t cp) { return cp > 0x10FFFF && cp != UTF8_BAD; }

uint32_t big5_next(const uint8_t *p, size_t n, unsigned *length)
{
    uint32_t cp = big5_pair(p, n, length);

    return is_two(cp) ? cp >> 16 : cp;
}

/* --- whole texts: the two differ in what is no common pair */

typedef uint32_t NextFn(const uint8_t *p, size_t n, unsigned *length);

static inline size_t decode(Span in, size_t max_replaced, Buf *out, size_t *n_replaced, const uint16_t *table,
                            NextFn *next)
{
    const uint8_t *p = in.p, *end = in.p + in.n;

    while (p < end && *n_replaced <= max_replaced) {
        const uint8_t *stop = end - p > BLOCK ? p + BLOCK : end;
        if (!buf_reserve(out, BLOCK * MOST + SLACK)) break;
        uint8_t *to = out->p + out->n;
        while (p < stop && *n_replaced <= max_replaced) {
            size_t n = copy_ascii(to, p, (size_t)(stop - p));
            p += n;
            to += n;
            p = copy_pairs(table, p, stop, &to);
            if (p == stop || *p < 0x80) continue;
            unsigned length;
            uint32_t cp = next(p, (size_t)(end - p), &length);
            *n_replaced += cp == UTF8_BAD;
            if (is_two(cp)) {
                to += put(to, cp >> 16);
                cp &= 0xffff;
            }
            to += put(to, cp);
            p += length;
        }
        out->n = (size_t)(to - out->p);
    }
    return (size_t)(p - in.p);
}

size_t gb18030_to_utf8(Span in, size_t max_replaced, Buf *out, size_t *n_replaced)
{
    return decode(in, max_replaced, out, n_replaced, gb_two, gb18030_next);
}

size_t big5_to_utf8(Span in, size_t max_replaced, Buf *out, size_t *n_replaced)
{
    return decode(in, max_replaced, out, n_replaced, big5_two, big5_pair);
}
