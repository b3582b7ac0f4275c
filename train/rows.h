/* train/rows.h - loops over one row of numbers, the inner part of train/ops.h.
 *
 * On x86-64 gcc compiles each for AVX-512, AVX2 and the base set, and the loader picks one (clang 14 gives such functions
 * another name, which other files do not find: there it is the base set). Their results are equal bit
 * for bit: terms are never fused (-ffp-contract=off), and sums and maxima run in REAL_LANES lanes that are combined in one
 * order, whatever the width of the machine's vectors. */
#ifndef TAMIS_TRAIN_ROWS_H
#define TAMIS_TRAIN_ROWS_H

#include "train/real.h"

#include <stddef.h>

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(TRAIN_F64)
#define ROW_KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ROW_KERNEL
#endif

real row_sum(const real *x, size_t n);
real row_dot(const real *x, const real *y, size_t n);
/* n >= 1 */
real row_max(const real *x, size_t n);
void row_scale(real *x, size_t n, real factor);
/* x = e^(factor * x - shift); returns the sum. */
real row_exp(real *x, size_t n, real factor, real shift);
/* out = x * factor * w */
void row_norm(real *out, const real *x, const real *w, size_t n, real factor);
/* x = x * inv is the normalised row, g = d_out * w:  d_x += inv * (g - x * mean(g * x)) */
void row_norm_back(real *d_x, const real *d_out, const real *x, const real *w, size_t n, real inv);
/* out = silu(gate) * up; and its gradient over gate and up. */
void row_swiglu(real *out, const real *gate, const real *up, size_t n);
void row_swiglu_back(real *gate, real *up, const real *d_out, size_t n);
/* p = e^(scale * p - lse);  dp = p * (dp - dot) * scale */
void row_softmax_back(real *p, real *dp, size_t n, real scale, real lse, real dot);

#endif
