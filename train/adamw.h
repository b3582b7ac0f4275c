/* train/adamw.h - AdamW (Loshchilov and Hutter 2019) with clipping by the global norm.
 *
 * At step t = 1, 2, …, with g the gradient times the clip factor:
 *   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *   w = w - lr * (m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay * w)
 * Decay applies to tensors whose table line says so (train/spec.h: not to norms). */
#ifndef TAMIS_TRAIN_ADAMW_H
#define TAMIS_TRAIN_ADAMW_H

#include "train/spec.h"

typedef struct {
    double beta1, beta2, eps, weight_decay;
} AdamWParams;

/* Euclidean norm of all gradients: sums of blocks of 4096 in double, added in order, for any number of threads. */
double gradient_norm(const float *grads, uint64_t n, int threads);

/* One update; grads are multiplied by `scale` (the clip factor) on the fly and set to zero for the next step. */
void adamw_update(const ModelSpec *spec, const AdamWParams *p, uint64_t step, double lr, double scale, float *params,
                  float *grads, float *m, float *v, int threads);

#endif
