/* tokenize/leb128.h - unsigned integers in 7-bit groups, the lowest first, the top bit set on all but the last (DWARF 5, 7.6). */
#ifndef TAMIS_TOKENIZE_LEB128_H
#define TAMIS_TOKENIZE_LEB128_H

#include "core/bytes.h"

enum { LEB128_MAX = 10 }; /* bytes of one integer */

static inline unsigned leb128_size(uint64_t v)
{
    unsigned n = 1;

    while (v >>= 7) n++;
    return n;
}

/* Returns what is behind it. */
static inline uint8_t *leb128_put(uint8_t *p, uint64_t v)
{
    for (; v >= 128; v >>= 7) *p++ = (uint8_t)(v | 128);
    *p++ = (uint8_t)v;
    return p;
}

/* Of bytes we wrote ourselves: nothing is checked. */
static inline const uint8_t *leb128_get(const uint8_t *p, uint64_t *v)
{
    uint64_t sum = *p & 127;

    for (unsigned shift = 7; *p++ & 128; shift += 7) sum |= (uint64_t)(*p & 127) << shift;
    *v = sum;
    return p;
}

#endif
