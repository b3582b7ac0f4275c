/* tokenize/bpe_model.h - what training found, before it becomes tokenizer.json. */
#ifndef TAMIS_TOKENIZE_BPE_MODEL_H
#define TAMIS_TOKENIZE_BPE_MODEL_H

#include "tokenize/tokenize.h"

typedef struct {
    uint32_t left, right;
} Merge;

/* Ids: 0 .. n_alphabet - 1 are the bytes of `alphabet`, n_alphabet + r is the token of merge r. */
typedef struct {
    uint8_t alphabet[256]; /* sorted by the characters that stand for them */
    uint32_t n_alphabet;
    const Merge *merges;
    uint32_t n_merges;
} BpeModel;

/* Trains; the merges are in *store (an array of Merge), which the caller clears. */
MUST_USE ErrCode bpe_learn(const BpeParams *params, const BpeCounter *words, BpeModel *model, Buf *store, Err *err);

/* Appends tokenizer.json as HuggingFace `tokenizers` saves it with pretty=True. */
MUST_USE ErrCode bpe_model_json(const BpeModel *model, const BpeParams *params, Buf *out, Err *err);

#endif
