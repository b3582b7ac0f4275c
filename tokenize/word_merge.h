/* tokenize/word_merge.h - one pretoken into token ids: the lowest merge rank first, the leftmost of equal ones
 * (huggingface/tokenizers, models/bpe/word.rs). Few tokens are merged by scanning for the lowest rank, many with a heap, in
 * O(n log n). */
#ifndef TAMIS_TOKENIZE_WORD_MERGE_H
#define TAMIS_TOKENIZE_WORD_MERGE_H

#include "tokenize/tokenizer.h"

enum {
    MERGE_FEW = 48,      /* tokens that are merged by scanning */
    MERGE_KEEP = 1 << 20 /* bytes of a word; scratch for a longer one, 40 bytes for each, is given back after it */
};

/* A token of a word that is being merged with the heap. */
typedef struct {
    uint32_t id, prev, next; /* positions; NO_ID at the ends */
} Piece;

/* Scratch of one thread. Zero-initialise but for t. */
typedef struct {
    const Tokenizer *t;
    uint32_t *id; /* of the word in hand, before merging */
    Piece *piece;
    uint64_t *heap; /* merge_rank << 32 | position */
    size_t cap;     /* of the three, in bytes of the word */
    size_t n_heap;
    uint64_t n_lost; /* bytes without a token, so far */
} WordMerger;
void wordmerger_clear(WordMerger *w);

/* Appends the ids of the word to `ids`, whose state is the caller's to check. */
MUST_USE ErrCode word_encode(WordMerger *w, Span word, Buf *ids, Err *err);

/* Merges id[0, n) in place, n <= MERGE_FEW, and returns how many are left. */
uint32_t merge_few(const Tokenizer *t, uint32_t *id, uint32_t n);

#endif
