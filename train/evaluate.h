/* train/evaluate.h - how well a model predicts text it was not trained on. */
#ifndef TAMIS_TRAIN_EVALUATE_H
#define TAMIS_TRAIN_EVALUATE_H

#include "train/model.h"
#include "train/train_data.h"

typedef struct {
    uint64_t tokens, bytes; /* targets, and the bytes of text they stand for; eos stands for none */
    double nats;            /* sum of losses */
} EvalSum;

static inline double eval_loss(const EvalSum *s) { return s->tokens ? s->nats / (double)s->tokens : 0; }
/* Bits per byte compares models of different vocabularies: nats / ln 2 / bytes. */
static inline double eval_bpb(const EvalSum *s)
{
    return s->bytes ? s->nats / 0.69314718055994530942 / (double)s->bytes : 0;
}

typedef struct {
    EvalSum all;
    EvalSum *stream; /* n_streams */
} EvalResult;

/* Up to max_samples held-out samples, evenly over the split; the same ones in every call. Free with evalresult_clear. ERR_INTR after a
 * signal, as below. */
MUST_USE ErrCode evaluate(Model *m, const DataSource *d, uint64_t max_samples, EvalResult *out, Err *err);
void evalresult_clear(EvalResult *r);

/* Cross-entropy, in nats a token, of the same held-out targets under the unigram distribution of the targets of
 * training samples 0 <= s < n_samples (of UNIGRAM_MAX_SAMPLES of them, evenly, when there are more), one added to every
 * count: what a model knows that has learnt only how frequent each token is. */
enum { UNIGRAM_MAX_SAMPLES = 1 << 20 };
MUST_USE ErrCode unigram_entropy(const DataSource *d, uint32_t context, uint64_t n_samples, uint64_t max_heldout,
                                 double *nats, Err *err);

#endif
