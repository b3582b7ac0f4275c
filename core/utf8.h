/* core/utf8.h - UTF-8 as of Unicode 15.0 section 3.9 (RFC 3629): no surrogates, nothing above U+10FFFF,
 * no overlong forms. */
#ifndef TAMIS_CORE_UTF8_H
#define TAMIS_CORE_UTF8_H

#include "core/buf.h"

/* One code point from p[0..n), n >= 1. Returns its length 1..4 and sets *cp. For an ill-formed sequence
 * returns the length of its maximal subpart (1..3, the WHATWG replacement practice) and sets *cp to
 * UTF8_BAD. */
#define UTF8_BAD 0xFFFFFFFFu
static inline unsigned utf8_next(const uint8_t *p, size_t n, uint32_t *cp);

/* Writes cp (a scalar value) to out[0..4) and returns its length. */
unsigned utf8_put(uint8_t out[4], uint32_t cp);
void utf8_append(Buf *b, uint32_t cp);

/* Offset of the first ill-formed byte, or s.n. Several GB/s. */
size_t utf8_valid_prefix(Span s);
static inline bool utf8_valid(Span s) { return utf8_valid_prefix(s) == s.n; }

/* Code points in well-formed text (bytes that are not continuation bytes). */
size_t utf8_count(Span s);

/* Appends s with every maximal ill-formed subpart replaced by U+FFFD; returns how many were. */
size_t utf8_repair(Buf *out, Span s);

/* The largest k <= limit such that s[0..k) does not cut a code point of well-formed text. */
size_t utf8_floor(Span s, size_t limit);

/* Whether a terminal obeys it, or it changes how the text around it is read: C0, DEL, C1, marks and overrides of direction, line and
 * paragraph separators, the byte order mark (Unicode 15.0, sections 23.1 to 23.2; UAX 9). */
static inline bool utf8_is_control(uint32_t cp);

/* Text from outside that goes to a terminal as one line: every byte of such code points becomes a space, every byte of ill-formed
 * sequences a question mark. */
void utf8_disarm(uint8_t *p, size_t n);

/* The slow path of utf8_next: lead byte >= 0x80. */
unsigned utf8_next_multi(const uint8_t *p, size_t n, uint32_t *cp);
static inline unsigned utf8_next(const uint8_t *p, size_t n, uint32_t *cp)
{
    if (p[0] < 0x80) {
        *cp = p[0];
        return 1;
    }
    return utf8_next_multi(p, n, cp);
}

static inline bool utf8_is_control(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x061c || (cp >= 0x200e && cp <= 0x200f) ||
           (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

#endif
