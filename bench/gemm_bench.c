/* bench/gemm_bench.c - GFLOP/s of train/gemm.h on the shapes of a training step, and of the bare micro-kernel on panels
 * that stay in the first-level cache, which is this machine's practical peak. Usage: gemm_bench [threads]. */
#include "core/log.h"
#include "train/gemm.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *what;
    GemmForm form;
    size_t m, n, k;
} Shape;

static const Shape shapes[] = {
    {"Y = X W^T, 2048 x 768, k 256", GEMM_NT, 2048, 768, 256},
    {"dX = dY W, 2048 x 256, k 768", GEMM_NN, 2048, 256, 768},
    {"dW = dY^T X, 768 x 256, k 2048", GEMM_TN, 768, 256, 2048},
    {"logits, 512 x 8192, k 256", GEMM_NT, 512, 8192, 256},
    {"dW head, 8192 x 256, k 512", GEMM_TN, 8192, 256, 512},
    {"square, 1024^3", GEMM_NN, 1024, 1024, 1024},
};

static float *filled(size_t n)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; x && i < n; i++) x[i] = (float)(i * 2654435761u % 1000) / 1000 - 0.5f;
    return x;
}

/* The best of several runs: other work on the machine only ever slows one down. */
static double best_gflops(GemmWork *w, int threads, const Shape *s, const float *a, const float *b, float *c)
{
    const size_t lda = s->form == GEMM_TN ? s->m : s->k, ldb = s->form == GEMM_NT ? s->k : s->n;
    double best = 0;

    for (int i = 0; i < 20; i++) {
        double t = clock_seconds();
        gemm_f32(w, threads, s->form, s->m, s->n, s->k, a, lda, b, ldb, c, s->n, true);
        t = 2e-9 * (double)s->m * (double)s->n * (double)s->k / (clock_seconds() - t);
        best = t > best ? t : best;
    }
    return best;
}

static double peak_gflops(const GemmWork *w, float *c)
{
    const GemmKernel *k = w->kernel;
    double best = 0;

    for (int i = 0; i < 20; i++) {
        double t = clock_seconds();
        for (int r = 0; r < 200; r++) k->micro(GEMM_KC, w->a, w->b, c, k->nr, false);
        t = 2e-9 * 200 * GEMM_KC * k->mr * k->nr / (clock_seconds() - t);
        best = t > best ? t : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1;
    float *a = filled(8192 * 1024), *b = filled(8192 * 1024), *c = filled(8192 * 1024);
    const GemmKernel *kernel;

    for (size_t v = 0; a && b && c && (kernel = gemm_kernel(v)); v++) {
        GemmWork w;
        if (gemmwork_init(&w, kernel, 1024, 1024, NULL) != ERR_OK) return 5;
        for (size_t i = 0; i < w.rows * GEMM_KC; i++) w.a[i] = a[i];
        for (size_t i = 0; i < w.cols * GEMM_KC; i++) w.b[i] = b[i];
        printf("%-8s  %-32s %7.1f GFLOP/s, one thread\n", kernel->name, "micro-kernel alone", peak_gflops(&w, c));
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            printf("%-8s  %-32s %7.1f GFLOP/s, %d threads\n", kernel->name, shapes[i].what,
                   best_gflops(&w, threads, &shapes[i], a, b, c), threads);
        gemmwork_clear(&w);
    }
    free(a), free(b), free(c);
    return 0;
}
