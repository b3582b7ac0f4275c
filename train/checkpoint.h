/* train/checkpoint.h - the state of a training run on disk: DIR/step-%012u.ckpt, version 2. Integers are little-endian,
 * numbers of tensors IEEE 754 binary32, little-endian.
 *
 *   offset   size  field
 *        0      8  magic      "TAMISCKP"
 *        8      4  version    2
 *       12      4  n_tensors  N
 *       16      8  step       updates done; the file's name says it too
 *       24      8  samples    training samples used; the next is this one (a run has no other random state)
 *       32      8  tokens     training tokens seen
 *       40      8  n_params   P
 *       48     16  data       XXH3-128 that stands for the tokens and their mixture
 *       64     16  tokenizer  tokenizer_id of the vocabulary that the tokens are of (shards/shards.h)
 *       80      8  n_config   C
 *       88      C  config     JSON: the keys of train/train_config.h that make the run's identity; then zeros to a
 *                             multiple of 8
 *      ...   136N  directory  per tensor, in memory order: name 64 bytes zero-padded; u64 rows; u64 cols; u64 offset;
 *                             3 x XXH3-128 of its values w, m, v
 *      ...      8  header_sum XXH3-64 of all before it
 *      ...         values     per tensor: rows * cols of w (weights), then m, then v (AdamW's moments)
 *      end      8  header_sum again: a cut file shows
 * The file is a function of the run alone (no clock, host or thread count): a resumed run writes the same bytes as one
 * that was never interrupted. */
#ifndef TAMIS_TRAIN_CHECKPOINT_H
#define TAMIS_TRAIN_CHECKPOINT_H

#include "core/buf.h"
#include "core/hash.h"
#include "train/train_config.h"

enum { CHECKPOINT_VERSION = 2, CHECKPOINT_MAX_CONFIG = CONFIG_MAX_BYTES };

typedef struct {
    uint64_t step, samples, tokens;
    Hash128 data, tokenizer_id;
    TrainConfig config; /* keys outside the identity have a preset's values */
} CheckpointInfo;

/* Publishes DIR/step-….ckpt, then deletes all but the newest `keep`. */
MUST_USE ErrCode checkpoint_write(const char *dir, const CheckpointInfo *info, const ModelSpec *spec, const float *w,
                                  const float *m, const float *v, uint32_t keep, Err *err);

/* Steps of the checkpoints in DIR, rising; temporaries are not looked at. A missing directory has none. Free with free(). */
MUST_USE ErrCode checkpoint_list(const char *dir, uint64_t **steps, size_t *n, Err *err);

/* Header of one checkpoint, checked against its sums, the file's size and its name. */
MUST_USE ErrCode checkpoint_info(const char *dir, uint64_t step, CheckpointInfo *info, Err *err);
/* Values into arrays of spec->n_params; m and v NULL: weights only. Every value's sum is checked. ERR_DATA names a
 * damaged file, one under another step's name, a tensor that `spec` does not have, or another version. */
MUST_USE ErrCode checkpoint_load(const char *dir, uint64_t step, const ModelSpec *spec, float *w, float *m, float *v,
                                 Err *err);

/* Deletes one. */
MUST_USE ErrCode checkpoint_delete(const char *dir, uint64_t step, Err *err);

/* The bytes before the values, for checkpoint_info() and the fuzzer; `path` is for messages. */
MUST_USE ErrCode checkpoint_parse_header(Span header, uint64_t file_bytes, const char *path, CheckpointInfo *info,
                                         Err *err);

#endif
