/* tokenize/bpe_count.h - walking through the words of a counter, in no particular order. */
#ifndef TAMIS_TOKENIZE_BPE_COUNT_H
#define TAMIS_TOKENIZE_BPE_COUNT_H

#include "tokenize/tokenize.h"

typedef struct {
    const BpeCounter *counter;
    size_t at;
    uint8_t bytes[16]; /* a short word is unpacked here */
    Span word;         /* valid until the next call */
    uint64_t count;
} WordCursor;
static inline WordCursor wordcursor(const BpeCounter *c) { return (WordCursor){.counter = c}; }
/* False when there are no more. */
bool wordcursor_next(WordCursor *w);

#endif
