/* ingest/html_scan.h - the bytes of a page to tags, 16 at a time. Private to the HTML parser.
 *
 * A page to be scanned lies in a buffer of ours (scan_copy): without control characters, so that a NUL stands only behind its
 * end, and with SCAN_PAD NULs there. No loop then compares with the end: each stops at a NUL. */
#ifndef TAMIS_INGEST_HTML_SCAN_H
#define TAMIS_INGEST_HTML_SCAN_H

#include "ingest/html_names.h"

#if defined(__SSE2__) && defined(__GNUC__)
#include <emmintrin.h>
#define SCAN_SSE2 1
#endif

enum { SCAN_PAD = 64 };

/* Copies a page's bytes with controls other than tab and line ends as blanks; SCAN_PAD NULs behind. */
void scan_copy(uint8_t *to, Span page);

#ifdef SCAN_SSE2
typedef __m128i Scan16;
static inline Scan16 scan_load(const uint8_t *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
static inline Scan16 scan_is(Scan16 v, uint8_t c) { return _mm_cmpeq_epi8(v, _mm_set1_epi8((char)c)); }
static inline Scan16 scan_upto(Scan16 v, uint8_t c)
{
    return _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8((char)c)), v);
}
static inline Scan16 scan_or(Scan16 a, Scan16 b) { return _mm_or_si128(a, b); }
static inline Scan16 scan_and(Scan16 a, Scan16 b) { return _mm_and_si128(a, b); }
static inline unsigned scan_mask(Scan16 v) { return (unsigned)_mm_movemask_epi8(v); }
enum { SCAN_STEP = 16 };
#else
/* One byte at a time, in the same words. */
typedef unsigned Scan16;
static inline Scan16 scan_load(const uint8_t *p) { return *p; }
static inline Scan16 scan_is(Scan16 v, uint8_t c) { return v == c; }
static inline Scan16 scan_upto(Scan16 v, uint8_t c) { return v <= c; }
static inline Scan16 scan_or(Scan16 a, Scan16 b) { return a | b; }
static inline Scan16 scan_and(Scan16 a, Scan16 b) { return a & b; }
static inline unsigned scan_mask(Scan16 v) { return v; }
enum { SCAN_STEP = 1 };
#endif

#define SCAN_UNTIL(p, v, hit)                              \
    for (;; (p) += SCAN_STEP) {                            \
        Scan16 v = scan_load(p);                           \
        unsigned scan_bits = scan_mask(hit);               \
        if (scan_bits) return (p) + bit_lowest(scan_bits); \
    }

/* The first '<', '&' or NUL from p on. */
static inline const uint8_t *scan_text(const uint8_t *p)
{
    SCAN_UNTIL(p, v, scan_or(scan_or(scan_is(v, '<'), scan_is(v, '&')), scan_is(v, 0)));
}

/* What ends a name: white space, NUL, '/', '>', '='. */
static inline const uint8_t *scan_name(const uint8_t *p)
{
    SCAN_UNTIL(p, v, scan_or(scan_or(scan_upto(v, ' '), scan_is(v, '/')), scan_or(scan_is(v, '>'), scan_is(v, '='))));
}

/* What ends an unquoted value: white space, NUL, '>'. */
static inline const uint8_t *scan_unquoted(const uint8_t *p)
{
    SCAN_UNTIL(p, v, scan_or(scan_upto(v, ' '), scan_is(v, '>')));
}

/* The first c or NUL. */
static inline const uint8_t *scan_byte(const uint8_t *p, uint8_t c)
{
    SCAN_UNTIL(p, v, scan_or(scan_is(v, c), scan_is(v, 0)));
}

/* The first a with b behind it, or NUL. */
static inline const uint8_t *scan_pair(const uint8_t *p, uint8_t a, uint8_t b)
{
    SCAN_UNTIL(p, v, scan_or(scan_and(scan_is(v, a), scan_is(scan_load(p + 1), b)), scan_is(v, 0)));
}

/* The first byte that is no white space. */
static inline const uint8_t *scan_blank(const uint8_t *p)
{
    while (*p && *p <= ' ') p++;
    return p;
}

/* A start tag, or an end tag, whose attributes are read over. */
typedef struct {
    const uint8_t *value;
    uint32_t n;
    uint8_t attr;
} ScanAttr;
typedef struct {
    uint8_t tag;   /* HTML_OTHER, or one of html_names.h */
    bool empty;    /* it ends in "/>" */
    uint32_t name; /* HTML_OTHER: a hash of its name */
    unsigned n_attrs;
    ScanAttr attr[HTML_MAX_TAG_ATTRIBUTES]; /* those somebody looks at, as they stand: references are not resolved */
} ScanTag;

/* Reads the tag whose name starts at p; returns what is behind its '>', or the page's end when it has none. */
const uint8_t *scan_tag(const HtmlNames *names, const uint8_t *p, ScanTag *tag);
/* `name` of an element: of its lower-case letters. */
uint32_t scan_hash_name(const uint8_t *p, size_t n);
/* What is behind the end tag whose name starts at p. */
const uint8_t *scan_tag_end(const uint8_t *p);
/* The "</name" from p on, in any case, with no letter or digit behind it; NULL when there is none. */
const uint8_t *scan_close(const uint8_t *p, Span name);
/* What is behind the end of a comment whose "<!--" ends at p; NULL when it has none. */
const uint8_t *scan_comment(const uint8_t *p);

#endif
