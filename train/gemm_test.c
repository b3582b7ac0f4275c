/* train/gemm_test.c - the product against three loops, all kernels, forms and thread counts. */
#include "tests/check.h"
#include "train/gemm.h"

#include "core/hash.h"

#include <math.h>
#include <stdlib.h>

static void fill(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)((double)(mix64(seed * 1000003 + i) >> 40) / (1 << 23) - 1.0);
}

static double at(GemmForm form, bool is_a, const float *x, size_t ld, size_t i, size_t k)
{
    bool swapped = is_a ? form == GEMM_TN : form == GEMM_NT;
    return swapped ? x[k * ld + i] : x[i * ld + k];
}

typedef struct {
    size_t m, n, k;
} Size;

static const Size sizes[] = {{1, 1, 1},   {1, 40, 7},   {13, 33, 5},  {12, 32, 256}, {25, 65, 257},
                             {7, 3, 520}, {70, 97, 11}, {64, 64, 64}, {5, 0, 3},     {3, 5, 0}};
enum { N_SIZES = sizeof sizes / sizeof *sizes, PAD = 3 };

/* Rows are PAD longer than needed and the padding must survive. */
static void one(const GemmKernel *kernel, GemmForm form, Size s, int threads, bool add, float *out)
{
    const size_t lda = (form == GEMM_TN ? s.m : s.k) + PAD, ldb = (form == GEMM_NT ? s.k : s.n) + PAD,
                 ldc = s.n + PAD;
    const size_t na = (form == GEMM_TN ? s.k : s.m) * lda, nb = (form == GEMM_NT ? s.n : s.k) * ldb;
    float *a = malloc((na + 1) * sizeof *a), *b = malloc((nb + 1) * sizeof *b);
    GemmWork w;
    Err err;

    CHECK_OK(gemmwork_init(&w, kernel, 60, 70, &err), &err);
    fill(a, na, 1), fill(b, nb, 2), fill(out, s.m * ldc, 3);
    gemm_f32(&w, threads, form, s.m, s.n, s.k, a, lda, b, ldb, out, ldc, add);
    gemmwork_clear(&w);
    free(a);
    free(b);
}

static void check_against_loops(const GemmKernel *kernel, GemmForm form, Size s, bool add)
{
    const size_t lda = (form == GEMM_TN ? s.m : s.k) + PAD, ldb = (form == GEMM_NT ? s.k : s.n) + PAD,
                 ldc = s.n + PAD;
    const size_t na = (form == GEMM_TN ? s.k : s.m) * lda, nb = (form == GEMM_NT ? s.n : s.k) * ldb;
    float *a = malloc((na + 1) * sizeof *a), *b = malloc((nb + 1) * sizeof *b);
    float *c = malloc((s.m * ldc + 1) * sizeof *c), *old = malloc((s.m * ldc + 1) * sizeof *old);
    bool good = true, padding = true;

    fill(a, na, 1), fill(b, nb, 2), fill(old, s.m * ldc, 3);
    one(kernel, form, s, 1, add, c);
    for (size_t i = 0; i < s.m; i++)
        for (size_t j = 0; j < ldc; j++) {
            double want = add ? old[i * ldc + j] : 0;
            if (j >= s.n) {
                padding = padding && c[i * ldc + j] == old[i * ldc + j];
                continue;
            }
            for (size_t k = 0; k < s.k; k++) want += at(form, true, a, lda, i, k) * at(form, false, b, ldb, k, j);
            /* |terms| <= 1, so k terms err by less than k * k * 2^-24 even in the worst case. */
            good = good && fabs(want - c[i * ldc + j]) <= 1e-6 + (double)s.k * 1e-6;
        }
    CHECK(good);
    CHECK(padding);
    free(a), free(b), free(c), free(old);
}

TEST(product_equals_three_loops)
{
    const GemmKernel *kernel;

    for (size_t v = 0; (kernel = gemm_kernel(v)); v++)
        for (size_t i = 0; i < N_SIZES; i++)
            for (int form = GEMM_NN; form <= GEMM_TN; form++) {
                check_against_loops(kernel, (GemmForm)form, sizes[i], false);
                check_against_loops(kernel, (GemmForm)form, sizes[i], true);
            }
}

TEST(kernels_and_threads_agree_bit_for_bit)
{
    static const int threads[] = {1, 2, 7};
    float *want = malloc(sizeof(float) * 100 * 110), *got = malloc(sizeof(float) * 100 * 110);
    const GemmKernel *kernel;

    for (size_t i = 0; i < N_SIZES; i++)
        for (int form = GEMM_NN; form <= GEMM_TN; form++) {
            size_t bytes = sizes[i].m * (sizes[i].n + PAD) * sizeof(float);
            one(gemm_kernel(0), (GemmForm)form, sizes[i], 1, true, want);
            for (size_t v = 0; (kernel = gemm_kernel(v)); v++)
                for (int t = 0; t < 3; t++) {
                    one(kernel, (GemmForm)form, sizes[i], threads[t], true, got);
                    CHECK(memcmp(want, got, bytes) == 0);
                }
        }
    free(want), free(got);
}
