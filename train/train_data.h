/* train/train_data.h - where samples come from: a table of functions, so that the loop and its tests need no shards.
 *
 * A sample is context + 1 tokens; token t + 1 is the target of token t. sample(s) is a pure function of s, so a run's
 * place in the data is one number. Functions are called from one thread at a time. */
#ifndef TAMIS_TRAIN_TRAIN_DATA_H
#define TAMIS_TRAIN_TRAIN_DATA_H

#include "core/hash.h"
#include "train/train_config.h"

typedef struct {
    void *ctx; /* owned; release() frees it */
    uint32_t vocab_size, eos_id, n_streams;
    uint64_t n_heldout; /* samples kept out of training */
    Hash128 content;    /* stands for tokens and mixture: equal means the same samples */
    Hash128 tokenizer_id;
    const char *(*stream_name)(void *ctx, uint32_t stream);
    ErrCode (*sample)(void *ctx, uint64_t s, uint32_t *out, Err *err);
    ErrCode (*heldout)(void *ctx, uint64_t i, uint32_t *stream, uint32_t *out, Err *err);
    Span (*bytes)(void *ctx, uint32_t token); /* valid as long as the source */
    void (*release)(void *ctx);
} DataSource;

/* sample() and heldout() with every token checked against the vocabulary: a damaged shard must not become an index. */
MUST_USE ErrCode datasource_sample(const DataSource *d, uint64_t s, uint32_t context, uint32_t *out, Err *err);
MUST_USE ErrCode datasource_heldout(const DataSource *d, uint64_t i, uint32_t context, uint32_t *stream,
                                    uint32_t *out, Err *err);
void datasource_clear(DataSource *d);

/* Only vocab_size, eos_id, tokenizer_id and bytes(): for generating and for sizing the model. */
MUST_USE ErrCode tokens_vocab(DataSource *d, const char *dir, Err *err);
/* A tokens directory, blended by its mixture.json (by size where there is none). The configuration gives context, seed,
 * held-out share and data order. */
MUST_USE ErrCode tokens_source(DataSource *d, const char *dir, const TrainConfig *c, Err *err);

#endif
