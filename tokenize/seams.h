/* tokenize/seams.h - where a word can be cut so that its pieces are encoded each alone.
 *
 * Merging never joins two bytes that stand side by side in no token. So a word may be cut between two such bytes: whatever merges is
 * on one side, in the same order as in the whole. Nor does it join two characters that stand side by side in no token, if both are
 * whole (Tokenizer.char_id): each of them has then become one token before anything reaches beyond it, and a merge across the
 * seam would make a token that holds both.
 *
 * The first helps where a vocabulary has few tokens of a script. The second is for Chinese, whose runs between punctuation are
 * unique: cut so, most of their pieces are characters and words of two or three. Pairs of characters are kept in a filter of one
 * hashed bit each; a pair in twenty or so is taken for joined when it is not, which costs time only.
 *
 * A byte that has no token is left out (word_merge.h), which brings its neighbours together; so there is no seam at it. */
#ifndef TAMIS_TOKENIZE_SEAMS_H
#define TAMIS_TOKENIZE_SEAMS_H

#include "core/bytes.h"
#include "tokenize/tokenize.h"

typedef struct {
    uint64_t joined_bytes[0x10000 / 64]; /* bit first << 8 | second */
    uint64_t whole[0x10000 / 64];        /* bit code point */
    unsigned pair_bits;
    uint64_t joined_chars[]; /* 2^pair_bits bits */
} Seams;

/* Of the tokens of t, whose char_id is there. */
MUST_USE ErrCode seams_new(Seams **s, const Tokenizer *t, Err *err);
void seams_free(Seams *s);

/* Cuts text[at, end), which lies in one word and begins it or a piece of it, at < end: the ends of its first pieces in end_of[0, *n),
 * at most cap >= 2. The last of them is `end` when that was reached, else one from which to go on. */
void seams_cut(const Seams *s, Span text, size_t at, size_t end, size_t *end_of, size_t cap, size_t *n);

#endif
