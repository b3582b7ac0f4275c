/* train/adamw.c - the optimizer of train/adamw.h. */
#include "train/adamw.h"
#include "train/rows.h"

#include <assert.h>
#include <math.h>

enum { NORM_BLOCK = 4096, NORM_LANES = 8, UPDATE_BLOCK = 16384 };

static double square_sum(const float *g, uint64_t n)
{
    double acc[NORM_LANES] = {0}, sum = 0;
    uint64_t i = 0;

    for (; i + NORM_LANES <= n; i += NORM_LANES)
        for (int l = 0; l < NORM_LANES; l++) acc[l] += (double)g[i + (uint64_t)l] * g[i + (uint64_t)l];
    for (; i < n; i++) acc[0] += (double)g[i] * g[i];
    for (int l = 0; l < NORM_LANES; l++) sum += acc[l];
    return sum;
}

/* A window of blocks at a time, so that the partial sums need no allocation. */
double gradient_norm(const float *grads, uint64_t n, int threads)
{
    enum { WINDOW = 256 };
    double part[WINDOW], total = 0;

    for (uint64_t first = 0; first < n; first += (uint64_t)WINDOW * NORM_BLOCK) {
        const uint64_t left = n - first, blocks = (left + NORM_BLOCK - 1) / NORM_BLOCK;
        const uint64_t count = blocks < WINDOW ? blocks : WINDOW;
#pragma omp parallel for schedule(static) num_threads(threads)
        for (uint64_t b = 0; b < count; b++) {
            const uint64_t at = b * NORM_BLOCK;
            part[b] = square_sum(grads + first + at, left - at < NORM_BLOCK ? left - at : NORM_BLOCK);
        }
        for (uint64_t b = 0; b < count; b++) total += part[b];
    }
    return sqrt(total);
}

typedef struct {
    float b1, b2, eps, scale, step, root, shrink; /* step = lr / (1 - b1^t); root = 1 / sqrt(1 - b2^t) */
} UpdateFactors;

ROW_KERNEL static void update_block(const UpdateFactors *f, uint64_t n, float *restrict w, float *restrict g,
                                    float *restrict m, float *restrict v)
{
    for (uint64_t i = 0; i < n; i++) {
        const float gi = g[i] * f->scale;
        m[i] = f->b1 * m[i] + (1 - f->b1) * gi;
        v[i] = f->b2 * v[i] + (1 - f->b2) * gi * gi;
        w[i] = w[i] * f->shrink - f->step * m[i] / (sqrtf(v[i]) * f->root + f->eps);
        g[i] = 0;
    }
}

void adamw_update(const ModelSpec *spec, const AdamWParams *p, uint64_t step, double lr, double scale, float *params,
                  float *grads, float *m, float *v, int threads)
{
    const double t = (double)step;

    assert(step >= 1);
    for (uint32_t i = 0; i < spec->n_tensors; i++) {
        const TensorSpec *s = &spec->tensor[i];
        const uint64_t n = s->rows * s->cols;
        const UpdateFactors f = {(float)p->beta1,
                                 (float)p->beta2,
                                 (float)p->eps,
                                 (float)scale,
                                 (float)(lr / (1 - pow(p->beta1, t))),
                                 (float)(1 / sqrt(1 - pow(p->beta2, t))),
                                 (float)(s->decay ? 1 - lr * p->weight_decay : 1)};
#pragma omp parallel for schedule(static) num_threads(threads)
        for (uint64_t at = 0; at < n; at += UPDATE_BLOCK) {
            const uint64_t k = s->first + at;
            update_block(&f, n - at < UPDATE_BLOCK ? n - at : UPDATE_BLOCK, params + k, grads + k, m + k, v + k);
        }
    }
}
