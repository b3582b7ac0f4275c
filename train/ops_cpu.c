/* train/ops_cpu.c - the operations of train/ops.h but attention. */
#include "train/ops.h"
#include "train/rows.h"

#include <assert.h>
#include <stdlib.h>

/* Columns that one thread sums over all rows: one cache line of floats. */
enum { COLUMN_GROUP = 16 };

ErrCode ops_init(Ops *o, int threads, size_t head_dim, Err *err)
{
    ErrCode rc = ERR_OK;

    assert(threads >= 1);
    *o = (Ops){.threads = threads, .scratch_reals = attention_scratch(head_dim)};
    o->scratch = malloc((size_t)threads * o->scratch_reals * sizeof *o->scratch);
    if (!o->scratch) return err_nomem(err, "scratch of operations");
#ifndef TRAIN_F64
    o->small = calloc((size_t)threads, sizeof *o->small);
    if (!o->small) rc = err_nomem(err, "scratch of operations");
    for (int i = 0; i < threads && rc == ERR_OK; i++)
        rc = gemmwork_init(&o->small[i], NULL, ATTENTION_BLOCK,
                           head_dim > ATTENTION_BLOCK ? head_dim : ATTENTION_BLOCK, err);
    if (rc == ERR_OK) rc = gemmwork_init(&o->big, NULL, 1024, 1024, err);
#endif
    if (rc != ERR_OK) ops_clear(o);
    return rc;
}

void ops_clear(Ops *o)
{
#ifndef TRAIN_F64
    for (int i = 0; o->small && i < o->threads; i++) gemmwork_clear(&o->small[i]);
    free(o->small);
    gemmwork_clear(&o->big);
#endif
    free(o->scratch);
    *o = (Ops){0};
}

#ifdef TRAIN_F64
/* The plain product, for the double-precision twin that gradients are checked with. */
static void plain_gemm(GemmForm form, size_t m, size_t n, size_t k, const real *a, size_t lda, const real *b,
                       size_t ldb, real *c, size_t ldc, bool add)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            real s = 0;
            for (size_t t = 0; t < k; t++)
                s += (form == GEMM_TN ? a[t * lda + i] : a[i * lda + t]) *
                     (form == GEMM_NT ? b[j * ldb + t] : b[t * ldb + j]);
            c[i * ldc + j] = add ? c[i * ldc + j] + s : s;
        }
}
#endif

void op_gemm(Ops *o, GemmForm form, size_t m, size_t n, size_t k, const real *a, size_t lda, const real *b,
             size_t ldb, real *c, size_t ldc, bool add)
{
#ifdef TRAIN_F64
    (void)o;
    plain_gemm(form, m, n, k, a, lda, b, ldb, c, ldc, add);
#else
    gemm_f32(&o->big, o->threads, form, m, n, k, a, lda, b, ldb, c, ldc, add);
#endif
}

void op_matvec(Ops *o, size_t n, size_t k, const real *w, const real *x, real *y)
{
#pragma omp parallel for schedule(static) num_threads(o->threads)
    for (size_t i = 0; i < n; i++) y[i] = row_dot(w + i * k, x, k);
}

void op_embed(Ops *o, real *out, const real *table, const uint32_t *token, size_t rows, size_t d)
{
#pragma omp parallel for schedule(static) num_threads(o->threads)
    for (size_t r = 0; r < rows; r++) memcpy(out + r * d, table + token[r] * d, d * sizeof *out);
}

/* Threads own columns, not rows: the same token may stand in several rows, and the order of the sum stays fixed. */
void op_embed_back(Ops *o, real *d_table, const real *d_out, const uint32_t *token, size_t rows, size_t d)
{
#pragma omp parallel for schedule(static) num_threads(o->threads)
    for (size_t j0 = 0; j0 < d; j0 += COLUMN_GROUP) {
        const size_t n = d - j0 < COLUMN_GROUP ? d - j0 : COLUMN_GROUP;
        for (size_t r = 0; r < rows; r++) {
            real *to = d_table + token[r] * d + j0;
            for (size_t j = 0; j < n; j++) to[j] += d_out[r * d + j0 + j];
        }
    }
}

void op_rmsnorm(Ops *o, real *out, real *inv_rms, const real *x, const real *w, size_t rows, size_t d, double eps)
{
#pragma omp parallel for schedule(static) num_threads(o->threads)
    for (size_t r = 0; r < rows; r++) {
        const real *xr = x + r * d;
        const real inv = (real)(1.0 / sqrt((double)row_dot(xr, xr, d) / (double)d + eps));
        row_norm(out + r * d, xr, w, d, inv);
        inv_rms[r] = inv;
    }
}

/* With n = x * inv (inv = 1 / rms) and g = d_out * w:  d_x += inv * (g - n * mean(g * n)),  d_w += sum over rows of
 * d_out * n. */
void op_rmsnorm_back(Ops *o, real *d_x, real *d_w, const real *d_out, const real *x, const real *w,
                     const real *inv_rms, size_t rows, size_t d)
{
#pragma omp parallel num_threads(o->threads)
    {
#pragma omp for schedule(static) nowait
        for (size_t r = 0; r < rows; r++) row_norm_back(d_x + r * d, d_out + r * d, x + r * d, w, d, inv_rms[r]);
#pragma omp for schedule(static)
        for (size_t j0 = 0; j0 < d; j0 += COLUMN_GROUP) {
            const size_t n = d - j0 < COLUMN_GROUP ? d - j0 : COLUMN_GROUP;
            real acc[COLUMN_GROUP] = {0};
            for (size_t r = 0; r < rows; r++)
                for (size_t j = 0; j < n; j++) acc[j] += d_out[r * d + j0 + j] * x[r * d + j0 + j] * inv_rms[r];
            for (size_t j = 0; j < n; j++) d_w[j0 + j] += acc[j];
        }
    }
}

ErrCode rope_init(Rope *r, size_t head_dim, size_t positions, double theta, Err *err)
{
    const size_t half = head_dim / 2;

    assert(head_dim % 2 == 0);
    *r = (Rope){.head_dim = head_dim, .positions = positions};
    r->cos = malloc((positions * half + 1) * sizeof *r->cos);
    r->sin = malloc((positions * half + 1) * sizeof *r->sin);
    if (!r->cos || !r->sin) {
        rope_clear(r);
        return err_nomem(err, "rotary tables");
    }
    for (size_t i = 0; i < half; i++) {
        const double step = pow(theta, -2.0 * (double)i / (double)head_dim);
        for (size_t p = 0; p < positions; p++) {
            r->cos[p * half + i] = (real)cos((double)p * step);
            r->sin[p * half + i] = (real)sin((double)p * step);
        }
    }
    return ERR_OK;
}

void rope_clear(Rope *r)
{
    free(r->cos);
    free(r->sin);
    *r = (Rope){0};
}

void op_rope(Ops *o, real *x, const Rope *rope, size_t rows, size_t seq, size_t first, size_t n_heads, size_t width,
             bool back)
{
    const size_t half = rope->head_dim / 2;
    const real turn = back ? -1 : 1;

    assert(first + (rows < seq ? rows : seq) <= rope->positions);
#pragma omp parallel for schedule(static) num_threads(o->threads)
    for (size_t r = 0; r < rows; r++) {
        const real *c = rope->cos + (first + r % seq) * half, *s = rope->sin + (first + r % seq) * half;
        for (size_t h = 0; h < n_heads; h++) {
            real *lo = x + r * width + h * rope->head_dim, *hi = lo + half;
            for (size_t i = 0; i < half; i++) {
                const real a = lo[i], b = hi[i], t = turn * s[i];
                lo[i] = a * c[i] - b * t;
                hi[i] = b * c[i] + a * t;
            }
        }
    }
}

void op_swiglu(Ops *o, real *out, const real *gate_up, size_t rows, size_t f)
{
#pragma omp parallel for schedule(static) num_threads(o->threads)
    for (size_t r = 0; r < rows; r++) row_swiglu(out + r * f, gate_up + r * 2 * f, gate_up + r * 2 * f + f, f);
}

void op_swiglu_back(Ops *o, real *gate_up, const real *d_out, size_t rows, size_t f)
{
#pragma omp parallel for schedule(static) num_threads(o->threads)
    for (size_t r = 0; r < rows; r++) row_swiglu_back(gate_up + r * 2 * f, gate_up + r * 2 * f + f, d_out + r * f, f);
}

void op_cross_entropy(Ops *o, double *loss, real *logits, const uint32_t *target, size_t rows, size_t n, real scale)
{
#pragma omp parallel for schedule(static) num_threads(o->threads)
    for (size_t r = 0; r < rows; r++) {
        real *x = logits + r * n;
        const real top = row_max(x, n), at_target = x[target[r]], sum = row_exp(x, n, 1, top);
        loss[r] = log((double)sum) + (double)top - (double)at_target;
        if (scale == 0) continue;
        row_scale(x, n, scale / sum);
        x[target[r]] -= scale;
    }
}
