/* tokenize/bpe_gather.h - the counts of all threads and ranks, brought together as one list of words.
 *
 * As long as the counters of one process fit its memory they stay in it and are merged there. What does not fit, and all words
 * where there are several ranks, goes through the exchange: words meet by their hash, their counts add up, and rank 0 receives
 * every distinct word once. So the list is the same in each case. */
#ifndef TAMIS_TOKENIZE_BPE_GATHER_H
#define TAMIS_TOKENIZE_BPE_GATHER_H

#include "tokenize/bpe_count.h"

typedef struct {
    uint64_t memory;      /* of this process, for counting and gathering */
    uint64_t max_symbols; /* of the list */
    uint64_t max_text;    /* of words in memory, as wordtable_text(); 0: WORDTABLE_MAX_TEXT */
    const Pretokenizer *pretokenizer;
    const char *scratch; /* directory for what does not fit */
} GatherSpec;

typedef struct WordGather WordGather;
/* Collective, as finishing is. */
MUST_USE ErrCode wordgather_open(WordGather **g, const GatherSpec *spec, const Par *par, Err *err);
void wordgather_close(WordGather *g); /* NULL is fine */
const Pretokenizer *wordgather_pretokenizer(const WordGather *g);
/* The ranks, and as many of the threads as have counters of a sensible size in the memory. Lives as long as g. */
const Par *wordgather_par(const WordGather *g);
/* The counter of a thread, 0 <= thread < those of wordgather_par(); to be asked for each document. */
MUST_USE ErrCode wordgather_counter(WordGather *g, int thread, BpeCounter **c, Err *err);
/* How often words left a counter for what did not fit. */
uint64_t wordgather_n_spills(const WordGather *g);
/* Rank 0 gets the list, with the size of the text of all; the others an empty one. */
MUST_USE ErrCode wordgather_finish(WordGather *g, WordList *list, Err *err);

#endif
