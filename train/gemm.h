/* train/gemm.h - the matrix product in single precision, C = A B or C += A B, on the CPU.
 *
 * Packed and blocked after Goto and van de Geijn (2008): panels of A (MR rows) and of B (NR columns) are copied into
 * the order in which a micro-kernel reads them, MR x NR sums stay in registers.
 *
 * Order of sums, which is the promise of this file: k is cut into blocks of GEMM_KC; inside a block a sum starts at 0
 * and runs over rising k with fused multiply-add (one rounding a term), then is added to C. Every kernel follows it,
 * and threads share out elements of C, never a sum: the bits of C depend on neither the processor nor the number of
 * threads. */
#ifndef TAMIS_TRAIN_GEMM_H
#define TAMIS_TRAIN_GEMM_H

#include "core/err.h"

#include <stddef.h>

enum {
    GEMM_KC = 256,       /* part of the result's definition: do not tune it without a new checkpoint version */
    GEMM_MAX_TILE = 512, /* MR * NR of any kernel at most */
    GEMM_PAD = 64        /* MR and NR of any kernel at most */
};

/* One micro-kernel. micro() forms the mr x nr tile sum_k pa[k * mr + i] * pb[k * nr + j] over k < kc <= GEMM_KC and
 * stores it to c (row stride ldc) or adds it. pb is aligned to the kernel's vectors. */
typedef struct {
    const char *name;
    unsigned mr, nr;
    void (*micro)(size_t kc, const float *pa, const float *pb, float *c, size_t ldc, bool add);
} GemmKernel;

/* The kernels this processor can run, fastest first: avx512, avx2, portable. NULL past the end. */
const GemmKernel *gemm_kernel(size_t i);

/* Room for packed panels: blocks of up to `rows` rows of A and `cols` columns of B. */
typedef struct {
    const GemmKernel *kernel;
    size_t rows, cols; /* rounded up to whole panels */
    float *a, *b;
} GemmWork;

/* kernel NULL: the fastest. rows and cols bound the block, not the product. */
MUST_USE ErrCode gemmwork_init(GemmWork *w, const GemmKernel *kernel, size_t rows, size_t cols, Err *err);
void gemmwork_clear(GemmWork *w);

/* Row-major matrices: A is m x k (stored k x m for TN), B is k x n (stored n x k for NT), C is m x n. */
typedef enum {
    GEMM_NN, /* C = A B     gradients of inputs:  dX = dY W         */
    GEMM_NT, /* C = A B^T   the way forward:      Y = X W^T         */
    GEMM_TN  /* C = A^T B   gradients of weights: dW = dY^T X       */
} GemmForm;

/* lda, ldb, ldc: distance of stored rows in floats. add: C += instead of C =. threads 1 runs in the caller, inside a
 * parallel region too. C must not overlap A or B. */
void gemm_f32(GemmWork *w, int threads, GemmForm form, size_t m, size_t n, size_t k, const float *a, size_t lda,
              const float *b, size_t ldb, float *c, size_t ldc, bool add);

#endif
