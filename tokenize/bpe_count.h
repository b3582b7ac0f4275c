/* tokenize/bpe_count.h - walking through the words of a counter, in no particular order, and stopping on a long walk. */
#ifndef TAMIS_TOKENIZE_BPE_COUNT_H
#define TAMIS_TOKENIZE_BPE_COUNT_H

#include "core/log.h"
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

enum { BPE_LISTEN = 1 << 20 }; /* steps between two looks, a power of two: far less than a second */
/* Step i of a long walk: ERR_INTR after a signal. What was walked over is then in pieces and can only be freed. */
static inline ErrCode bpe_listen(size_t i, Err *err)
{
    if ((i & (BPE_LISTEN - 1)) != 0 || !interrupt_seen()) return ERR_OK;
    return err_set(err, ERR_INTR, "interrupted; a rerun starts again");
}

#endif
