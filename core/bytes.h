/* core/bytes.h - runs of bytes, checked size arithmetic, little-endian integers, ASCII classes.
 *
 * Crawled text contains NUL and is not a C string: bytes travel as Span. A Span borrows; whoever
 * hands one out says what keeps it alive. */
#ifndef TAMIS_CORE_BYTES_H
#define TAMIS_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *p; /* may be NULL when n is 0 */
    size_t n;
} Span;

static inline Span span(const void *p, size_t n) { return (Span){p, n}; }
static inline Span span_str(const char *s) { return (Span){(const uint8_t *)s, s ? strlen(s) : 0}; }
/* A Span of a string literal, its length known at compile time. */
#define SPAN_LIT(s) ((Span){(const uint8_t *)("" s), sizeof(s) - 1})

static inline bool span_eq(Span a, Span b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }
static inline bool span_is(Span a, const char *s) { return span_eq(a, span_str(s)); }
static inline bool span_starts(Span a, Span prefix)
{
    return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}
/* The bytes from `from` on; empty when `from` is past the end. */
static inline Span span_from(Span a, size_t from)
{
    return from >= a.n ? (Span){NULL, 0} : (Span){a.p + from, a.n - from};
}
/* memcmp order, the shorter first when one is a prefix of the other. */
int span_cmp(Span a, Span b);
/* ASCII letters compare equal in either case; other bytes compare as they are. */
bool span_eq_nocase(Span a, Span b);
/* Without leading and trailing ASCII white space. */
Span span_trim(Span a);
/* Offset of the first `byte`, or a.n. */
size_t span_find(Span a, uint8_t byte);

/* Checked arithmetic on lengths that were read from somewhere. False on overflow; *out is then unset. */
static inline bool size_add(size_t a, size_t b, size_t *out)
{
    if (b > SIZE_MAX - a) return false;
    *out = a + b;
    return true;
}
static inline bool size_mul(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}
static inline bool u64_to_size(uint64_t a, size_t *out)
{
    if (a > SIZE_MAX) return false;
    *out = (size_t)a;
    return true;
}

/* Little-endian integers at any alignment. */
static inline uint16_t le16_get(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t le32_get(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t le64_get(const uint8_t *p) { return le32_get(p) | (uint64_t)le32_get(p + 4) << 32; }
static inline void le16_put(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
/* (Written out, not as loops: so compilers make one store of it.) */
static inline void le32_put(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}
static inline void le64_put(uint8_t *p, uint64_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
    p[4] = (uint8_t)(v >> 32);
    p[5] = (uint8_t)(v >> 40);
    p[6] = (uint8_t)(v >> 48);
    p[7] = (uint8_t)(v >> 56);
}

/* Big-endian words at any alignment: byte order is numeric order. */
static inline uint64_t be64_get(const uint8_t *p)
{
    uint64_t v = 0;

#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&v, p, 8); /* compilers do not see through the loop */
    return __builtin_bswap64(v);
#endif
    for (int i = 0; i < 8; i++) v = v << 8 | p[i];
    return v;
}
static inline void be64_put(uint8_t *p, uint64_t v)
{
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
    return;
#endif
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (56 - 8 * i));
}
/* For qsort() and bsearch() over uint64_t. */
static inline int u64_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* ASCII classes; bytes above 127 belong to none. (isspace() and friends depend on the locale and are
 * undefined for negative char.) */
static inline bool ascii_is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static inline bool ascii_is_upper(uint8_t c) { return c >= 'A' && c <= 'Z'; }
static inline bool ascii_is_lower(uint8_t c) { return c >= 'a' && c <= 'z'; }
static inline bool ascii_is_alpha(uint8_t c) { return ascii_is_lower(c | 0x20); }
static inline bool ascii_is_alnum(uint8_t c) { return ascii_is_digit(c) || ascii_is_alpha(c); }
static inline bool ascii_is_space(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13); }
static inline bool ascii_is_punct(uint8_t c) { return c > 32 && c < 127 && !ascii_is_alnum(c); }
static inline uint8_t ascii_lower(uint8_t c) { return ascii_is_upper(c) ? (uint8_t)(c + 32) : c; }
/* Number of the lowest bit that is on; bits != 0. */
static inline unsigned bit_lowest(uint64_t bits)
{
    unsigned n = 0;

#ifdef __GNUC__
    n = (unsigned)__builtin_ctzll(bits);
#else
    while (!(bits >> n & 1)) n++;
#endif
    return n;
}
/* Number of the highest bit that is on; bits != 0. */
static inline unsigned bit_highest(uint64_t bits)
{
    unsigned n = 0;

#ifdef __GNUC__
    n = 63 - (unsigned)__builtin_clzll(bits);
#else
    while (bits >>= 1) n++;
#endif
    return n;
}
/* How many of the first eight bytes are ASCII letters before the first that is none, given as le64_get() reads them.
 * With bit 5 on and bit 7 off, adding 0x1F carries a byte into bit 7 from 'a' on, adding 5 from '{' on. */
static inline unsigned ascii_leading_letters(uint64_t eight)
{
    const uint64_t high = 0x8080808080808080u;
    uint64_t lower = eight | 0x2020202020202020u, low7 = lower & ~high;
    uint64_t other = ~((low7 + 0x1F1F1F1F1F1F1F1Fu) & ~(low7 + 0x0505050505050505u) & ~lower) & high;

    return other ? bit_lowest(other) / 8 : 8;
}
/* Value of a hexadecimal digit, or -1. */
int ascii_hex(uint8_t c);

/* Decimal digits only, no sign, no blanks, at least one digit; false on anything else or overflow. */
bool span_to_u64(Span s, uint64_t *out);

#endif
