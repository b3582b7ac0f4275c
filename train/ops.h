/* train/ops.h - the operations of the decoder on the CPU, forward and backward.
 *
 * Rows are tokens: an activation is [rows, width], row-major, without gaps; rows of a batch are sequence after
 * sequence, so row r of sequences of `seq` tokens has position r % seq. "Back" functions take the gradient of the
 * output and give gradients of the inputs; those of weights are added to (micro-batches accumulate), those of
 * activations are stored unless said. Nothing here allocates or fails.
 *
 * Determinism: work is shared out by element, row or column; every sum runs in an order that is a function of the
 * shapes alone. So results do not depend on the number of threads. */
#ifndef TAMIS_TRAIN_OPS_H
#define TAMIS_TRAIN_OPS_H

#include "core/err.h"
#include "train/gemm.h"
#include "train/real.h"

#include <stddef.h>

/* Query and key rows that attention handles at a time: a 64 x 64 block of scores and its operands fit the second-level
 * cache, and no T x T matrix is ever kept. */
enum { ATTENTION_BLOCK = 64 };

/* What operations need besides their arguments: threads and scratch memory. */
typedef struct {
    int threads;
    size_t scratch_reals; /* per thread */
    real *scratch;        /* threads * scratch_reals */
#ifndef TRAIN_F64
    GemmWork big;    /* panels shared by all threads */
    GemmWork *small; /* one a thread, for attention's blocks */
#endif
} Ops;

/* head_dim bounds that of the attention calls. */
MUST_USE ErrCode ops_init(Ops *o, int threads, size_t head_dim, Err *err);
void ops_clear(Ops *o);

/* C = or += the product of row-major matrices (train/gemm.h). All threads. */
void op_gemm(Ops *o, GemmForm form, size_t m, size_t n, size_t k, const real *a, size_t lda, const real *b,
             size_t ldb, real *c, size_t ldc, bool add);
/* y[n] = W[n, k] x[k]: one token's share of a linear layer, for decoding. All threads. */
void op_matvec(Ops *o, size_t n, size_t k, const real *w, const real *x, real *y);

/* out[r] = table[token[r]]. token[r] < rows of the table. */
void op_embed(Ops *o, real *out, const real *table, const uint32_t *token, size_t rows, size_t d);
void op_embed_back(Ops *o, real *d_table, const real *d_out, const uint32_t *token, size_t rows, size_t d);

/* RMSNorm (Zhang and Sennrich 2019): out = x * w / rms, rms = sqrt(mean(x^2) + eps). inv_rms[rows] is kept for the way
 * back, which adds to d_x (the residual path's gradient is already there) and to d_w. */
void op_rmsnorm(Ops *o, real *out, real *inv_rms, const real *x, const real *w, size_t rows, size_t d, double eps);
void op_rmsnorm_back(Ops *o, real *d_x, real *d_w, const real *d_out, const real *x, const real *w,
                     const real *inv_rms, size_t rows, size_t d);

/* Rotary position embedding (Su et al. 2021) in the half-split layout of Hugging Face's LLaMA: lanes i and
 * i + head_dim/2 turn together by position * theta^(-2i/head_dim). */
typedef struct {
    size_t head_dim, positions;
    real *cos, *sin; /* [positions, head_dim / 2] */
} Rope;
MUST_USE ErrCode rope_init(Rope *r, size_t head_dim, size_t positions, double theta, Err *err);
void rope_clear(Rope *r);
/* Turns, in place, the first n_heads heads of every row (rows are `width` reals apart); position first + row % seq.
 * back: turns the other way, which is the gradient. */
void op_rope(Ops *o, real *x, const Rope *rope, size_t rows, size_t seq, size_t first, size_t n_heads, size_t width,
             bool back);

/* SwiGLU (Shazeer 2020): gate_up is [rows, 2f], gates first; out[i] = silu(gate[i]) * up[i]. */
void op_swiglu(Ops *o, real *out, const real *gate_up, size_t rows, size_t f);
/* gate_up is overwritten by its gradient. */
void op_swiglu_back(Ops *o, real *gate_up, const real *d_out, size_t rows, size_t f);

/* Cross-entropy over rows of n logits. loss[r] = -log softmax(logits[r])[target[r]] in nats. With scale != 0 the logits
 * are overwritten by their gradient times scale, in place as in the paper (arXiv 2401.02954, 2.4); with scale 0 their
 * contents afterwards mean nothing. */
void op_cross_entropy(Ops *o, double *loss, real *logits, const uint32_t *target, size_t rows, size_t n, real scale);

/* Causal attention with grouped queries (Ainslie et al. 2023). A row of qkv holds `heads` query heads, then kv_heads key
 * heads, then kv_heads value heads; query head h uses key head h / (heads / kv_heads). Softmax runs online over blocks
 * of keys (Milakov and Gimelshein 2018; Dao et al. 2022). */
typedef struct {
    size_t batch, seq, heads, kv_heads, head_dim;
} AttentionShape;
/* out [batch * seq, heads * head_dim]; lse [batch, heads, seq]: log of the sum of exponentials, kept for the way back. */
void op_attention(Ops *o, const AttentionShape *s, real *out, real *lse, const real *qkv);
/* d_qkv is stored whole. */
void op_attention_back(Ops *o, const AttentionShape *s, real *d_qkv, const real *d_out, const real *out,
                       const real *lse, const real *qkv);
/* Scratch of one thread, in reals. */
size_t attention_scratch(size_t head_dim);

#endif
