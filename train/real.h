/* train/real.h - the number type of the model and its operations.
 *
 * The model computes in single precision. A gradient cannot be checked against finite differences in single
 * precision to more than three digits, so the same sources compile a second time in double: a test defines
 * TRAIN_F64 and includes them. The names are then changed here, so that both can live in one program. */
#ifndef TAMIS_TRAIN_REAL_H
#define TAMIS_TRAIN_REAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef TRAIN_F64

typedef double real;
#define row_sum           row_sum_f64
#define row_dot           row_dot_f64
#define row_max           row_max_f64
#define row_scale         row_scale_f64
#define row_exp           row_exp_f64
#define row_norm          row_norm_f64
#define row_norm_back     row_norm_back_f64
#define row_swiglu        row_swiglu_f64
#define row_swiglu_back   row_swiglu_back_f64
#define row_softmax_back  row_softmax_back_f64
#define ops_init          ops_init_f64
#define ops_clear         ops_clear_f64
#define op_gemm           op_gemm_f64
#define op_matvec         op_matvec_f64
#define op_embed          op_embed_f64
#define op_embed_back     op_embed_back_f64
#define op_rmsnorm        op_rmsnorm_f64
#define op_rmsnorm_back   op_rmsnorm_back_f64
#define rope_init         rope_init_f64
#define rope_clear        rope_clear_f64
#define op_rope           op_rope_f64
#define op_swiglu         op_swiglu_f64
#define op_swiglu_back    op_swiglu_back_f64
#define op_cross_entropy  op_cross_entropy_f64
#define op_attention      op_attention_f64
#define op_attention_back op_attention_back_f64
#define attention_scratch attention_scratch_f64
#define model_new         model_new_f64
#define model_free        model_free_f64
#define model_init        model_init_f64
#define model_step        model_step_f64
#define model_eval        model_eval_f64
#define model_logits      model_logits_f64
#define model_weight      model_weight_f64
#define model_bytes       model_bytes_f64

static inline real real_exp(real x) { return exp(x); }

#else

typedef float real;

/* e^x to about 2 units in the last place: 2^n times a polynomial on [-ln 2 / 2, ln 2 / 2] (coefficients of
 * Cephes' expf, S. Moshier). Unlike libm's it is the same on every machine and the compiler can vectorise a loop of
 * it. Below -87.3 it stays at 1e-38 rather than going to 0, above 88.3 at 2e38. */
static inline real real_exp(real x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float t, n, r, y;
    int32_t bits;

    x = x < -87.3f ? -87.3f : x;
    x = x > 88.3f ? 88.3f : x;
    t = x * 1.44269504f + magic;
    n = t - magic;
    r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    memcpy(&bits, &t, sizeof bits);
    bits = (int32_t)((uint32_t)(bits - 0x4b400000 + 127) << 23);
    memcpy(&t, &bits, sizeof t);
    return y * t;
}

#endif

/* Running totals of a sum (train/rows.h): a power of two, the width of the widest vectors. */
enum { REAL_LANES = 16 };

#endif
