/* tokenize/bpe_count.h - the words of a counter, and stopping on a long walk. */
#ifndef TAMIS_TOKENIZE_BPE_COUNT_H
#define TAMIS_TOKENIZE_BPE_COUNT_H

#include "core/log.h"
#include "core/par.h"
#include "tokenize/tokenize.h"
#include "tokenize/word_list.h"
#include "tokenize/word_table.h"

/* All words so far. Valid until the counter is fed again. */
MUST_USE ErrCode bpecounter_table(BpeCounter *c, WordTable **words, Err *err);

/* The words of a counter as a list of at most so many symbols. */
MUST_USE ErrCode bpecounter_list(BpeCounter *c, uint64_t max_symbols, WordList *list, Err *err);

/* What it takes; what its table does of WORDTABLE_MAX_TEXT; forgetting the words, not the size of the text. */
uint64_t bpecounter_memory(const BpeCounter *c);
uint64_t bpecounter_text(const BpeCounter *c);
MUST_USE ErrCode bpecounter_empty(BpeCounter *c, Err *err);

/* How words grew with the text: what there were of them at some time. */
typedef struct {
    uint64_t text_bytes, n_words, n_symbols; /* a symbol for each byte and one for each word's end */
} WordGrowth;
/* After at most so much text; all 0 when that is not known. */
WordGrowth bpecounter_growth(const BpeCounter *c, uint64_t most);

enum { BPE_LISTEN = 1 << 20 }; /* steps between two looks, a power of two: far less than a second */
/* Step i of a long walk: ERR_INTR after a signal. What was walked over is then in pieces and can only be freed. */
static inline ErrCode bpe_listen(size_t i, Err *err)
{
    if ((i & (BPE_LISTEN - 1)) != 0 || !interrupt_seen()) return ERR_OK;
    return err_set(err, ERR_INTR, "interrupted; a rerun goes on from what is kept");
}

#endif
