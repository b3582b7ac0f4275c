/* train/attention.c - causal attention with grouped queries, block by block (train/ops.h).
 *
 * A task is one (sequence, query head) forward and one (sequence, key head) backward: the queries of a group add to the
 * same gradients of keys and values, so one thread runs over them in order. */
#include "train/ops.h"
#include "train/rows.h"

#include <assert.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static int thread_index(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Scratch of one thread: probabilities and their gradients for a block, a block of outputs, row statistics. */
typedef struct {
    real *p, *dp;    /* [BLOCK, BLOCK] */
    real *acc;       /* [BLOCK, head_dim] */
    real *top, *sum; /* [BLOCK] */
} BlockScratch;

size_t attention_scratch(size_t head_dim) { return (size_t)ATTENTION_BLOCK * (2 * ATTENTION_BLOCK + head_dim + 2); }

static BlockScratch block_scratch(const Ops *o, size_t head_dim)
{
    const size_t b = ATTENTION_BLOCK;
    real *base = o->scratch + (size_t)thread_index() * o->scratch_reals;

    assert(attention_scratch(head_dim) <= o->scratch_reals);
    return (BlockScratch){base, base + b * b, base + 2 * b * b, base + 2 * b * b + b * head_dim,
                          base + 2 * b * b + b * head_dim + b};
}

/* A product within one thread. */
static void small_gemm(Ops *o, GemmForm form, size_t m, size_t n, size_t k, const real *a, size_t lda, const real *b,
                       size_t ldb, real *c, size_t ldc, bool add)
{
#ifdef TRAIN_F64
    op_gemm(o, form, m, n, k, a, lda, b, ldb, c, ldc, add);
#else
    gemm_f32(&o->small[thread_index()], 1, form, m, n, k, a, lda, b, ldb, c, ldc, add);
#endif
}

static size_t block_rows(size_t seq, size_t first)
{
    return seq - first < ATTENTION_BLOCK ? seq - first : ATTENTION_BLOCK;
}

/* Keys that query row r of the block at i0 may see within the key block at j0. */
static size_t visible(size_t i0, size_t r, size_t j0, size_t cols) { return i0 == j0 && r + 1 < cols ? r + 1 : cols; }

/* Takes a block of raw scores into the running softmax of `rows` queries: s becomes exp(scale * score - top), the sums
 * and outputs so far are rescaled to the new maximum. */
static void online_softmax(const BlockScratch *b, size_t rows, size_t cols, size_t i0, size_t j0, size_t hd,
                           real scale)
{
    for (size_t r = 0; r < rows; r++) {
        real *p = b->p + r * cols, *acc = b->acc + r * hd, top, sum;
        const size_t n = visible(i0, r, j0, cols);

        top = row_max(p, n) * scale;
        if (j0 > 0 && b->top[r] > top) top = b->top[r];
        sum = row_exp(p, n, scale, top);
        for (size_t c = n; c < cols; c++) p[c] = 0;
        if (j0 > 0) {
            const real shrink = real_exp(b->top[r] - top);
            sum += b->sum[r] * shrink;
            row_scale(acc, hd, shrink);
        }
        b->sum[r] = sum;
        b->top[r] = top;
    }
}

void op_attention(Ops *o, const AttentionShape *s, real *out, real *lse, const real *qkv)
{
    const size_t hd = s->head_dim, group = s->heads / s->kv_heads;
    const size_t width = (s->heads + 2 * s->kv_heads) * hd, out_width = s->heads * hd;
    const real scale = (real)(1.0 / sqrt((double)hd));

#pragma omp parallel for schedule(dynamic) num_threads(o->threads)
    for (size_t task = 0; task < s->batch * s->heads; task++) {
        const size_t h = task % s->heads, row0 = task / s->heads * s->seq;
        const real *q = qkv + row0 * width + h * hd;
        const real *k = qkv + row0 * width + (s->heads + h / group) * hd, *v = k + s->kv_heads * hd;
        const BlockScratch b = block_scratch(o, hd);

        for (size_t i0 = 0; i0 < s->seq; i0 += ATTENTION_BLOCK) {
            const size_t rows = block_rows(s->seq, i0);
            for (size_t j0 = 0; j0 <= i0; j0 += ATTENTION_BLOCK) {
                const size_t cols = block_rows(s->seq, j0);
                small_gemm(o, GEMM_NT, rows, cols, hd, q + i0 * width, width, k + j0 * width, width, b.p, cols,
                           false);
                online_softmax(&b, rows, cols, i0, j0, hd, scale);
                small_gemm(o, GEMM_NN, rows, hd, cols, b.p, cols, v + j0 * width, width, b.acc, hd, j0 > 0);
            }
            for (size_t r = 0; r < rows; r++) {
                const real inv = 1 / b.sum[r];
                real *y = out + (row0 + i0 + r) * out_width + h * hd;
                for (size_t t = 0; t < hd; t++) y[t] = b.acc[r * hd + t] * inv;
                lse[task * s->seq + i0 + r] = b.top[r] + (real)log((double)b.sum[r]);
            }
        }
    }
}

/* Pointers of one (sequence, query head); all rows are `width` apart but those of outputs. */
typedef struct {
    const real *q, *k, *v, *out, *d_out, *lse;
    real *dq, *dk, *dv;
    size_t width, out_width;
    real scale;
} HeadBack;

/* The block of queries at i0 against the block of keys at j0. With P = exp(scale * Q K^T - lse) and
 * D = rowsum(d_out * out):  dV += P^T d_out,  dS = P * (d_out V^T - D) * scale,  dQ += dS K,  dK += dS^T Q. */
static void block_back(Ops *o, const AttentionShape *s, const HeadBack *g, const BlockScratch *b, size_t i0,
                       size_t j0)
{
    const size_t hd = s->head_dim, w = g->width, rows = block_rows(s->seq, i0), cols = block_rows(s->seq, j0);
    const real *d_out = g->d_out + i0 * g->out_width;

    small_gemm(o, GEMM_NT, rows, cols, hd, g->q + i0 * w, w, g->k + j0 * w, w, b->p, cols, false);
    small_gemm(o, GEMM_NT, rows, cols, hd, d_out, g->out_width, g->v + j0 * w, w, b->dp, cols, false);
    for (size_t r = 0; r < rows; r++) {
        real *p = b->p + r * cols, *dp = b->dp + r * cols;
        const size_t n = visible(i0, r, j0, cols);
        row_softmax_back(p, dp, n, g->scale, g->lse[i0 + r], b->sum[r]);
        for (size_t c = n; c < cols; c++) p[c] = dp[c] = 0;
    }
    small_gemm(o, GEMM_TN, cols, hd, rows, b->p, cols, d_out, g->out_width, g->dv + j0 * w, w, true);
    small_gemm(o, GEMM_NN, rows, hd, cols, b->dp, cols, g->k + j0 * w, w, g->dq + i0 * w, w, true);
    small_gemm(o, GEMM_TN, cols, hd, rows, b->dp, cols, g->q + i0 * w, w, g->dk + j0 * w, w, true);
}

static void head_back(Ops *o, const AttentionShape *s, const HeadBack *g)
{
    const BlockScratch b = block_scratch(o, s->head_dim);

    for (size_t i0 = 0; i0 < s->seq; i0 += ATTENTION_BLOCK) {
        for (size_t r = 0; r < block_rows(s->seq, i0); r++)
            b.sum[r] = row_dot(g->d_out + (i0 + r) * g->out_width, g->out + (i0 + r) * g->out_width, s->head_dim);
        for (size_t j0 = 0; j0 <= i0; j0 += ATTENTION_BLOCK) block_back(o, s, g, &b, i0, j0);
    }
}

void op_attention_back(Ops *o, const AttentionShape *s, real *d_qkv, const real *d_out, const real *out,
                       const real *lse, const real *qkv)
{
    const size_t hd = s->head_dim, group = s->heads / s->kv_heads;
    const size_t width = (s->heads + 2 * s->kv_heads) * hd, out_width = s->heads * hd;
    const size_t rows = s->batch * s->seq;

#pragma omp parallel num_threads(o->threads)
    {
#pragma omp for schedule(static)
        for (size_t r = 0; r < rows; r++) memset(d_qkv + r * width, 0, width * sizeof *d_qkv);
#pragma omp for schedule(dynamic)
        for (size_t task = 0; task < s->batch * s->kv_heads; task++) {
            const size_t kv = task % s->kv_heads, seq_index = task / s->kv_heads, row0 = seq_index * s->seq;
            const size_t at_k = row0 * width + (s->heads + kv) * hd, at_v = at_k + s->kv_heads * hd;
            for (size_t h = kv * group; h < (kv + 1) * group; h++) {
                const size_t at_q = row0 * width + h * hd, at_out = row0 * out_width + h * hd;
                const HeadBack g = {qkv + at_q,   qkv + at_k,     qkv + at_v,
                                    out + at_out, d_out + at_out, lse + (seq_index * s->heads + h) * s->seq,
                                    d_qkv + at_q, d_qkv + at_k,   d_qkv + at_v,
                                    width,        out_width,      (real)(1.0 / sqrt((double)hd))};
                head_back(o, s, &g);
            }
        }
    }
}
