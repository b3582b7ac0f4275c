/* tokenize/bpe_keep.h - what a run of `tamis bpe` keeps beside its output until that is there, so that one that was ended goes on
 * where it was: the words, when counting them took long, and now and then the merges so far. The two are all there is to know
 * (tokenize/bpe_trainer.h). docs/formats-tokenize.md has the formats. */
#ifndef TAMIS_TOKENIZE_BPE_KEEP_H
#define TAMIS_TOKENIZE_BPE_KEEP_H

#include "core/hash.h"
#include "tokenize/bpe_input.h"
#include "tokenize/word_list.h"

typedef struct {
    const char *words, *merges; /* paths */
    Hash128 key;                /* of the run */
} BpeKeep;

MUST_USE ErrCode bpekeep_save_words(const BpeKeep *k, const WordList *l, BpeDocs docs, uint64_t max_symbols,
                                    Err *err);
/* *found false, and no list: there are none, or they are another run's, or words were left out for want of other memory. */
MUST_USE ErrCode bpekeep_load_words(const BpeKeep *k, WordList *l, BpeDocs *docs, uint64_t max_symbols, bool *found,
                                    Err *err);
/* Merges found in the words of this sum (wordlist_sum): pairs of u32. */
MUST_USE ErrCode bpekeep_save_merges(const BpeKeep *k, uint64_t words_sum, const Buf *merges, Err *err);
/* Empty when there are none for these words. */
MUST_USE ErrCode bpekeep_load_merges(const BpeKeep *k, uint64_t words_sum, Buf *merges, Err *err);
/* ERR_DATA when one of the two is there and is something else, which is neither replaced nor deleted. */
MUST_USE ErrCode bpekeep_check(const BpeKeep *k, Err *err);
/* The output is there. */
MUST_USE ErrCode bpekeep_delete(const BpeKeep *k, Err *err);

#endif
