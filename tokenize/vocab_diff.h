/* tokenize/vocab_diff.h - in what two tokenizers differ: as files of ids (tokenizer_differences), or as vocabularies whatever ids the
 * tokens have (vocab_overlap). */
#ifndef TAMIS_TOKENIZE_VOCAB_DIFF_H
#define TAMIS_TOKENIZE_VOCAB_DIFF_H

#include "tokenize/tokenizer.h"

/* What a difference is about; counted apart, so that a vocabulary that is off by one does not hide the rest. */
typedef enum { DIFF_TOKENS, DIFF_MERGES, DIFF_ADDED, DIFF_FRAME, DIFF_KINDS } DiffKind;
enum { DIFF_SHOWN = 5 };
typedef struct {
    const char *name[2]; /* of the two, for messages */
    uint64_t n[DIFF_KINDS];
    Buf shown; /* the first DIFF_SHOWN of each kind, a line each */
} Differences;
/* Fills n and shown of *d: every difference that can change an id, an added token's search or what post_processor adds. */
MUST_USE ErrCode tokenizer_differences(const Tokenizer *a, const Tokenizer *b, Differences *d, Err *err);
uint64_t differences_sum(const Differences *d);

/* Whether an added token is searched for in the normalized text: its flag `normalized`. */
bool added_is_normalized(const Tokenizer *t, uint32_t id);

/* Two tokens are the same when their spelling is, and whether it spells bytes; an added token that every text gives anyhow may stand in
 * model.vocab too or not. */
typedef struct {
    uint32_t n_tokens[2]; /* ids with a token */
    uint32_t n_common;    /* tokens that both have … */
    uint32_t n_same_id;   /* … with the same id */
    uint32_t n_merges[2];
    uint32_t n_same_merges; /* from the first one on: the same pairs in the same order */
    uint32_t n_common_merges;
    uint32_t *only[2];  /* ascending ids of tokens that only one has; n_tokens - n_common of them */
    uint32_t *merge[2]; /* by merge rank three ids each: left, right, what they make */
} VocabOverlap;
MUST_USE ErrCode vocab_overlap(const Tokenizer *a, const Tokenizer *b, VocabOverlap *o, Err *err);
void vocaboverlap_clear(VocabOverlap *o);

#endif
