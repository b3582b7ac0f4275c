/* train/gemm_kernels.c - the micro-kernels of train/gemm.h: AVX-512, AVX2 with FMA, and plain C.
 *
 * All three keep one sum in one register lane and use a fused multiply-add a term, so their results are equal bit
 * for bit. The shapes fill the register file: 12 x 32 takes 24 of 32 zmm registers for sums, 2 for B and broadcasts A
 * from memory; 4 x 24 takes 12 of 16 ymm, 3 for B and 1 for A. MR is a multiple of 4 so that packing can transpose
 * 4 x 4 blocks. */
#include "train/gemm.h"

#include <math.h>
#include <string.h>

enum { PORTABLE_MR = 4, PORTABLE_NR = 8 };

static void micro_portable(size_t kc, const float *pa, const float *pb, float *c, size_t ldc, bool add)
{
    float acc[PORTABLE_MR][PORTABLE_NR] = {{0}};

    for (size_t k = 0; k < kc; k++, pa += PORTABLE_MR, pb += PORTABLE_NR)
        for (int i = 0; i < PORTABLE_MR; i++)
            for (int j = 0; j < PORTABLE_NR; j++) acc[i][j] = fmaf(pa[i], pb[j], acc[i][j]);
    for (size_t i = 0; i < PORTABLE_MR; i++)
        for (size_t j = 0; j < PORTABLE_NR; j++) c[i * ldc + j] = add ? c[i * ldc + j] + acc[i][j] : acc[i][j];
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define TARGET_AVX512 __attribute__((target("avx512f")))
#define TARGET_AVX2   __attribute__((target("avx2,fma")))

enum { AVX512_MR = 12, AVX512_NR = 32, AVX2_MR = 4, AVX2_NR = 24 };

/* One row of the tile: two vectors of sums. Written out by macro because the sums must be named variables to be
 * sure of their registers. */
#define ROW512_ZERO(i) __m512 s##i##a = _mm512_setzero_ps(), s##i##b = _mm512_setzero_ps()
#define ROW512_STEP(i) \
    x = _mm512_set1_ps(pa[i]), s##i##a = _mm512_fmadd_ps(x, b0, s##i##a), s##i##b = _mm512_fmadd_ps(x, b1, s##i##b)
#define ROW512_STORE(i)                                                \
    do {                                                               \
        float *r = c + (size_t)(i)*ldc;                                \
        if (add) {                                                     \
            s##i##a = _mm512_add_ps(_mm512_loadu_ps(r), s##i##a);      \
            s##i##b = _mm512_add_ps(_mm512_loadu_ps(r + 16), s##i##b); \
        }                                                              \
        _mm512_storeu_ps(r, s##i##a);                                  \
        _mm512_storeu_ps(r + 16, s##i##b);                             \
    } while (0)

TARGET_AVX512 static void micro_avx512(size_t kc, const float *pa, const float *pb, float *c, size_t ldc, bool add)
{
    ROW512_ZERO(0);
    ROW512_ZERO(1);
    ROW512_ZERO(2);
    ROW512_ZERO(3);
    ROW512_ZERO(4);
    ROW512_ZERO(5);
    ROW512_ZERO(6);
    ROW512_ZERO(7);
    ROW512_ZERO(8);
    ROW512_ZERO(9);
    ROW512_ZERO(10);
    ROW512_ZERO(11);

    for (size_t k = 0; k < kc; k++, pa += AVX512_MR, pb += AVX512_NR) {
        __m512 b0 = _mm512_load_ps(pb), b1 = _mm512_load_ps(pb + 16), x;
        ROW512_STEP(0), ROW512_STEP(1), ROW512_STEP(2), ROW512_STEP(3), ROW512_STEP(4), ROW512_STEP(5);
        ROW512_STEP(6), ROW512_STEP(7), ROW512_STEP(8), ROW512_STEP(9), ROW512_STEP(10), ROW512_STEP(11);
    }
    ROW512_STORE(0);
    ROW512_STORE(1);
    ROW512_STORE(2);
    ROW512_STORE(3);
    ROW512_STORE(4);
    ROW512_STORE(5);
    ROW512_STORE(6);
    ROW512_STORE(7);
    ROW512_STORE(8);
    ROW512_STORE(9);
    ROW512_STORE(10);
    ROW512_STORE(11);
}

#define ROW256_ZERO(i) __m256 s##i##a = _mm256_setzero_ps(), s##i##b = s##i##a, s##i##c = s##i##a
#define ROW256_STEP(i)                                                            \
    x = _mm256_broadcast_ss(pa + (i)), s##i##a = _mm256_fmadd_ps(x, b0, s##i##a), \
    s##i##b = _mm256_fmadd_ps(x, b1, s##i##b), s##i##c = _mm256_fmadd_ps(x, b2, s##i##c)
#define ROW256_STORE(i)                                                \
    do {                                                               \
        float *r = c + (size_t)(i)*ldc;                                \
        if (add) {                                                     \
            s##i##a = _mm256_add_ps(_mm256_loadu_ps(r), s##i##a);      \
            s##i##b = _mm256_add_ps(_mm256_loadu_ps(r + 8), s##i##b);  \
            s##i##c = _mm256_add_ps(_mm256_loadu_ps(r + 16), s##i##c); \
        }                                                              \
        _mm256_storeu_ps(r, s##i##a);                                  \
        _mm256_storeu_ps(r + 8, s##i##b);                              \
        _mm256_storeu_ps(r + 16, s##i##c);                             \
    } while (0)

TARGET_AVX2 static void micro_avx2(size_t kc, const float *pa, const float *pb, float *c, size_t ldc, bool add)
{
    ROW256_ZERO(0);
    ROW256_ZERO(1);
    ROW256_ZERO(2);
    ROW256_ZERO(3);

    for (size_t k = 0; k < kc; k++, pa += AVX2_MR, pb += AVX2_NR) {
        __m256 b0 = _mm256_load_ps(pb), b1 = _mm256_load_ps(pb + 8), b2 = _mm256_load_ps(pb + 16), x;
        ROW256_STEP(0), ROW256_STEP(1), ROW256_STEP(2), ROW256_STEP(3);
    }
    ROW256_STORE(0);
    ROW256_STORE(1);
    ROW256_STORE(2);
    ROW256_STORE(3);
}

static const GemmKernel kernel_avx512 = {"avx512", AVX512_MR, AVX512_NR, micro_avx512};
static const GemmKernel kernel_avx2 = {"avx2", AVX2_MR, AVX2_NR, micro_avx2};
#endif

static const GemmKernel kernel_portable = {"portable", PORTABLE_MR, PORTABLE_NR, micro_portable};

const GemmKernel *gemm_kernel(size_t i)
{
    const GemmKernel *usable[4] = {NULL};
    size_t n = 0;

#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx512f")) usable[n++] = &kernel_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable[n++] = &kernel_avx2;
#endif
    usable[n++] = &kernel_portable;
    return i < n ? usable[i] : NULL;
}
