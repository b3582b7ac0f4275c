/* tokenize/byte_set.h - the next byte of a text that is in a set, 32 bytes at a time where the machine can. */
#ifndef TAMIS_TOKENIZE_BYTE_SET_H
#define TAMIS_TOKENIZE_BYTE_SET_H

#include "core/bytes.h"

typedef struct {
    uint8_t low[16], high[16]; /* by a byte's low half: a bit for each high half below 8, from 8 on */
} ByteSet;

static inline bool byteset_has(const ByteSet *s, uint8_t byte)
{
    return (byte < 0x80 ? s->low : s->high)[byte & 15] >> (byte >> 4 & 7) & 1;
}
static inline void byteset_add(ByteSet *s, uint8_t byte)
{
    (byte < 0x80 ? s->low : s->high)[byte & 15] |= (uint8_t)(1 << (byte >> 4 & 7));
}

/* Where the first such byte of text[at, …) is; text.n when there is none. at <= text.n */
size_t byteset_find(const ByteSet *s, Span text, size_t at);
/* The same by the two kernels; the second does nothing but say false where the machine has no AVX2. */
size_t byteset_find_portable(const ByteSet *s, Span text, size_t at);
bool byteset_find_avx2(const ByteSet *s, Span text, size_t *at);

#endif
