/* train/model.h - the decoder: parameters, gradients, activations of one micro-batch, forward and backward.
 *
 *   x = embed[token];  each layer:  x += Wo attention(rope(Wqkv norm(x)));  x += Wdown swiglu(Wgate,up norm(x));
 *   logits = head norm(x)
 * All memory is allocated by model_new; a step allocates nothing. The output matrix, which is by far the widest, is
 * worked off HEAD_ROWS tokens at a time, logits, loss and gradient together, so that the logits of a batch never
 * exist at once (arXiv 2401.02954, 2.4, and train/ops.h: in place). */
#ifndef TAMIS_TRAIN_MODEL_H
#define TAMIS_TRAIN_MODEL_H

#include "train/ops.h"
#include "train/spec.h"

/* Tokens of one chunk of the output matrix. Part of the order of sums. */
enum { HEAD_ROWS = 512 };

/* Activations that one layer keeps for the way back; rows = batch * context. */
typedef struct {
    real *x_in;                /* [rows, d] input of the layer */
    real *attention_norm;      /* [rows, d] */
    real *qkv;                 /* [rows, (heads + 2 kv_heads) * head_dim], rotated */
    real *attention;           /* [rows, heads * head_dim] */
    real *lse;                 /* [batch, heads, context] */
    real *x_mid;               /* [rows, d] after attention */
    real *ffn_norm;            /* [rows, d] */
    real *gate_up;             /* [rows, 2 ffn]; backward leaves its gradient here */
    real *swiglu;              /* [rows, ffn] */
    real *inv_rms1, *inv_rms2; /* [rows] */
} LayerActs;

typedef struct Model {
    ModelSpec spec;
    uint32_t max_batch; /* sequences of one micro-batch at most */
    Ops ops;
    Rope rope;
    real *params; /* spec.n_params; order of the table */
    real *grads;  /* the same; NULL for a model that only reads */
    real *acts;   /* everything below points into it */
    LayerActs *layer;
    real *x_out, *final_norm, *inv_rms; /* [rows, d], [rows, d], [rows] */
    real *logits;                       /* [HEAD_ROWS, vocab_rows] */
    real *dx, *d_norm;                  /* [rows, d] */
    real *d_wide;                       /* [rows, max(ffn, heads * head_dim)] */
    real *d_qkv;                        /* like qkv */
    double *loss;                       /* [rows] nats */
    uint32_t *token, *target;           /* [rows] */
} Model;

/* Bytes that model_new will allocate: parameters, gradients, activations. */
uint64_t model_bytes(const ModelSpec *spec, uint32_t max_batch, bool train);
/* batch 0: no activations, for decoding (train/generate.h). The parameters are zero. */
MUST_USE ErrCode model_new(Model **m, const ModelShape *shape, uint32_t max_batch, bool train, int threads, Err *err);
void model_free(Model *m);

/* Normal values of each tensor's init_std, ones for norms; a function of (seed, tensor name, index), in integer
 * arithmetic, so equal on all machines. */
void model_init(Model *m, uint64_t seed);

/* Forward and backward of `batch` sequences. samples: batch * (context + 1) tokens < vocab_rows; position t predicts
 * token t + 1. Adds scale * d(sum of losses) to the gradients; returns the sum of losses in nats. */
double model_step(Model *m, const uint32_t *samples, uint32_t batch, real scale);
/* Forward only: loss[batch * context] in nats, in the order of predictions. */
void model_eval(Model *m, const uint32_t *samples, uint32_t batch, double *loss);
/* Logits [vocab_rows] at the last of n <= context tokens, by the whole forward pass (slow; the decoder's reference).
 * Needs max_batch >= 1. Valid until the next call. */
const real *model_logits(Model *m, const uint32_t *token, uint32_t n);

/* A tensor of this model's parameters. */
real *model_weight(const Model *m, TensorKind kind, uint32_t layer);

#endif
