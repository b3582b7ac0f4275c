/* train/generate.h - continuing a text: one token at a time, with keys and values of earlier tokens kept. */
#ifndef TAMIS_TRAIN_GENERATE_H
#define TAMIS_TRAIN_GENERATE_H

#include "train/model.h"

/* The state of one sequence: keys and values of up to `context` positions. */
typedef struct Decoder Decoder;
/* `m` is borrowed; it needs no activations (max_batch 0). */
MUST_USE ErrCode decoder_new(Decoder **d, Model *m, Err *err);
void decoder_free(Decoder *d);
void decoder_reset(Decoder *d);
uint32_t decoder_position(const Decoder *d); /* tokens fed so far */
/* Feeds one token (position < context); the logits [vocab_rows] of the next one, valid until the next call. */
const float *decoder_feed(Decoder *d, uint32_t token);

typedef struct {
    double temperature; /* 0: always the likeliest */
    uint32_t top_k;     /* of the likeliest tokens; 0: all */
    uint64_t seed;
} SampleParams;
/* Chooses one of n logits. Randomness is a hash of (seed, position), ties go to the smaller id. `scratch` has room for n. */
uint32_t sample_token(const float *logits, uint32_t n, const SampleParams *p, uint64_t position, uint32_t *scratch);

/* Continues prompt[n_prompt >= 1] by up to n tokens, ending early after `stop` (which is not counted; UINT32_MAX: never).
 * When the context is full, its older half is dropped and the rest fed anew. Only tokens < vocab_size are chosen. */
MUST_USE ErrCode generate(Model *m, const SampleParams *p, uint32_t vocab_size, uint32_t stop, const uint32_t *prompt,
                          size_t n_prompt, uint32_t *out, size_t n, size_t *n_out, Err *err);

#endif
