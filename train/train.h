/* train/train.h - pretraining: samples in, a trained model out. LLaMA-style decoder, single precision, CPU threads.
 *
 * DIR receives
 *   config.json            the resolved configuration
 *   step-%012u.ckpt        the newest checkpoints (train/checkpoint.h)
 *   log.jsonl              a line a step, and evaluations (train/train_log.h)
 *   result.json            last: {"loss_first","loss_last","heldout_loss","heldout_bpb","unigram_entropy","steps","tokens",
 *                          "heldout_tokens","parameters","seconds"}; losses in nats a token
 * A call on a DIR that holds the same run continues it from the newest checkpoint that is whole; one that is finished
 * returns at once. The weights are a function of configuration and data alone: not of threads, kills or resumes. */
#ifndef TAMIS_TRAIN_TRAIN_H
#define TAMIS_TRAIN_TRAIN_H

#include "train/train_data.h"

typedef struct {
    int threads;
    bool force; /* start anew although DIR holds another run */
    uint64_t
        stop_after; /* end as if interrupted once this many steps are done; 0: never (for tests and slices of jobs) */
} TrainOptions;

/* ERR_INTR after SIGINT, SIGTERM or stop_after: a checkpoint was written, a rerun continues. ERR_DATA: DIR holds another
 * run or the output of another verb (which --force spares too), or the loss is no longer a number. */
MUST_USE ErrCode train_run(const TrainConfig *c, const DataSource *d, const char *dir, const TrainOptions *o,
                           Err *err);

/* ERR_DATA when DIR has one of these files (a NULL ends them): it is not a directory to write ours into. */
MUST_USE ErrCode train_refuse_dir(const char *dir, const char *const *foreign, Err *err);

/* Parameters, memory and arithmetic of a configuration, to stdout. */
MUST_USE ErrCode train_plan(const TrainConfig *c, Err *err);

/* The newest checkpoint in DIR whose header and values are sound, weights only, as a model without activations; and the
 * id of the vocabulary it was trained with. */
struct Model;
MUST_USE ErrCode train_load_weights(const char *dir, int threads, struct Model **m, Hash128 *tokenizer_id, Err *err);

/* Writes model.safetensors and config.json, as transformers' LlamaForCausalLM reads them, into out_dir. eos_id
 * UINT32_MAX: not known, left out. */
MUST_USE ErrCode hf_export(const struct Model *m, uint32_t eos_id, const char *out_dir, Err *err);

#endif
