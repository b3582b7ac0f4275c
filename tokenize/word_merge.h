/* tokenize/word_merge.h - one pretoken into token ids: the lowest merge rank first, the leftmost of equal ones
 * (huggingface/tokenizers, models/bpe/word.rs). Few tokens are merged by scanning for the lowest rank, many with a heap, in
 * O(n log n).
 *
 * A word longer than MERGE_PIECE is merged in pieces, with the same ids. No merge crosses the end of a final token, so what lies
 * between two such ends is merged as it would be alone. Hence two texts' ids stand side by side when the last token of one and the
 * first of the other, encoded together, come out as they were: a merge across the seam would have to be the next one among these two
 * as well. Where they do not, more tokens on both sides of the seam are encoded together, until the outermost come out as they were:
 * these then stand beside their neighbours as before.
 *
 * A thread keeps at most 40 bytes for each of MERGE_PIECE, 10 MiB. While it encodes a longer word it holds 50 for each byte of a piece
 * and of what about its seams hangs together: a piece or two, unless the merges are made to defy it. */
#ifndef TAMIS_TOKENIZE_WORD_MERGE_H
#define TAMIS_TOKENIZE_WORD_MERGE_H

#include "tokenize/tokenizer.h"

enum {
    MERGE_FEW = 48,       /* tokens that are merged by scanning */
    MERGE_PIECE = 1 << 18 /* bytes of a word that are merged at once */
};

/* A token of a word that is being merged with the heap. */
typedef struct {
    uint32_t id, prev, next; /* positions; NO_ID at the ends */
} MergeNode;

/* Scratch of one thread. Zero-initialise but for t. */
typedef struct {
    const Tokenizer *t;
    uint32_t *id; /* of the word in hand, before merging */
    MergeNode *node;
    uint64_t *heap; /* merge_rank << 32 | position */
    size_t cap;     /* of the three, in bytes of the word */
    size_t n_heap;
    uint64_t n_lost;       /* bytes without a token, so far */
    uint64_t n_steps;      /* tokens to start from and merges queued, so far: what long words cost, for the test */
    size_t piece_bytes;    /* 0: MERGE_PIECE; tests want less */
    Buf bytes, next, seam; /* of a word in pieces: text about the seam, ids of the next piece, of the seam */
} WordMerger;
void wordmerger_clear(WordMerger *w);

/* Appends the ids of the word to `ids`, whose state is the caller's to check. */
MUST_USE ErrCode word_encode(WordMerger *w, Span word, Buf *ids, Err *err);

/* The code point of a sequence of two or three bytes at p, 0 when there is none. Overlong forms are none; a surrogate may come
 * out, for which no token is kept. */
static inline uint32_t short_sequence(const uint8_t *p, size_t n)
{
    if (n >= 3 && p[0] >= 0xE0 && p[0] <= 0xEF && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        uint32_t cp = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
        return cp >= 0x800 ? cp : 0;
    }
    if (n >= 2 && p[0] >= 0xC2 && p[0] <= 0xDF && (p[1] & 0xC0) == 0x80)
        return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
    return 0;
}

static inline void put_id(Buf *ids, uint32_t id)
{
    if (ids->cap - ids->n < sizeof id && !buf_reserve(ids, sizeof id)) return;
    memcpy(ids->p + ids->n, &id, sizeof id);
    ids->n += sizeof id;
}

/* What merging a word starts from: tokens of the characters that may start whole (tokenizer.h), of the single bytes of the others, at most
 * one a byte. Bytes that the vocabulary lacks are left out, as the reference leaves them out, and counted. */
uint32_t start_tokens(WordMerger *w, Span word, uint32_t *id);

/* Merges id[0, n) in place, n <= MERGE_FEW, and returns how many are left. */
uint32_t merge_few(const Tokenizer *t, uint32_t *id, uint32_t n);

#endif
