/* train/rows.c - see train/rows.h. */
#include "train/rows.h"

static inline real add_lanes(const real acc[REAL_LANES])
{
    real s[REAL_LANES];
    memcpy(s, acc, sizeof s);
    for (int w = REAL_LANES / 2; w > 0; w /= 2)
        for (int l = 0; l < w; l++) s[l] += s[l + w];
    return s[0];
}

ROW_KERNEL real row_sum(const real *x, size_t n)
{
    real acc[REAL_LANES] = {0}, tail = 0;
    size_t i = 0;

    for (; i + REAL_LANES <= n; i += REAL_LANES)
        for (int l = 0; l < REAL_LANES; l++) acc[l] += x[i + (size_t)l];
    for (; i < n; i++) tail += x[i];
    return add_lanes(acc) + tail;
}

ROW_KERNEL real row_dot(const real *x, const real *y, size_t n)
{
    real acc[REAL_LANES] = {0}, tail = 0;
    size_t i = 0;

    for (; i + REAL_LANES <= n; i += REAL_LANES)
        for (int l = 0; l < REAL_LANES; l++) acc[l] += x[i + (size_t)l] * y[i + (size_t)l];
    for (; i < n; i++) tail += x[i] * y[i];
    return add_lanes(acc) + tail;
}

ROW_KERNEL real row_max(const real *x, size_t n)
{
    real acc[REAL_LANES], top = x[0];
    size_t i = 0;

    for (int l = 0; l < REAL_LANES; l++) acc[l] = x[0];
    for (; i + REAL_LANES <= n; i += REAL_LANES)
        for (int l = 0; l < REAL_LANES; l++) acc[l] = x[i + (size_t)l] > acc[l] ? x[i + (size_t)l] : acc[l];
    for (; i < n; i++) top = x[i] > top ? x[i] : top;
    for (int l = 0; l < REAL_LANES; l++) top = acc[l] > top ? acc[l] : top;
    return top;
}

ROW_KERNEL void row_scale(real *x, size_t n, real factor)
{
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

ROW_KERNEL real row_exp(real *x, size_t n, real factor, real shift)
{
    real acc[REAL_LANES] = {0}, tail = 0;
    size_t i = 0;

    for (; i + REAL_LANES <= n; i += REAL_LANES) {
        real e[REAL_LANES];
        for (int l = 0; l < REAL_LANES; l++) e[l] = real_exp(x[i + (size_t)l] * factor - shift);
        for (int l = 0; l < REAL_LANES; l++) acc[l] += e[l];
        memcpy(x + i, e, sizeof e);
    }
    for (; i < n; i++) tail += x[i] = real_exp(x[i] * factor - shift);
    return add_lanes(acc) + tail;
}

ROW_KERNEL void row_norm(real *restrict out, const real *x, const real *w, size_t n, real factor)
{
    for (size_t i = 0; i < n; i++) out[i] = x[i] * factor * w[i];
}

ROW_KERNEL void row_norm_back(real *restrict d_x, const real *d_out, const real *x, const real *w, size_t n, real inv)
{
    real acc[REAL_LANES] = {0}, tail = 0, mean;
    size_t i = 0;

    for (; i + REAL_LANES <= n; i += REAL_LANES)
        for (int l = 0; l < REAL_LANES; l++) acc[l] += d_out[i + (size_t)l] * w[i + (size_t)l] * x[i + (size_t)l];
    for (; i < n; i++) tail += d_out[i] * w[i] * x[i];
    mean = (add_lanes(acc) + tail) * inv / (real)n;
    for (i = 0; i < n; i++) d_x[i] += inv * (d_out[i] * w[i] - x[i] * inv * mean);
}

ROW_KERNEL void row_swiglu(real *restrict out, const real *gate, const real *up, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = gate[i] / (1 + real_exp(-gate[i])) * up[i];
}

/* With s = sigmoid(gate): d_up = d * gate * s, d_gate = d * up * s * (1 + gate * (1 - s)). */
ROW_KERNEL void row_swiglu_back(real *restrict gate, real *restrict up, const real *restrict d_out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const real g = gate[i], s = 1 / (1 + real_exp(-g));
        gate[i] = d_out[i] * up[i] * s * (1 + g * (1 - s));
        up[i] = d_out[i] * g * s;
    }
}

ROW_KERNEL void row_softmax_back(real *restrict p, real *restrict dp, size_t n, real scale, real lse, real dot)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = real_exp(p[i] * scale - lse);
        dp[i] = p[i] * (dp[i] - dot) * scale;
    }
}
