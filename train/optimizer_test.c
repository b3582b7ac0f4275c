/* train/optimizer_test.c - AdamW against its formula in double, the norm, the schedule, the table of tensors. */
#include "tests/check.h"
#include "train/adamw.h"
#include "train/schedule.h"

#include "core/hash.h"

#include <math.h>
#include <stdlib.h>

static const ModelShape tiny = {.layers = 1,
                                .d_model = 6,
                                .heads = 1,
                                .kv_heads = 1,
                                .head_dim = 4,
                                .ffn = 5,
                                .context = 4,
                                .vocab_rows = 7,
                                .rope_theta = 100,
                                .norm_eps = 1e-5,
                                .init_std = 0.3};

static float value(uint64_t i) { return (float)((double)(mix64(i + 1) >> 40) / (1 << 23) - 1); }

TEST(adamw_equals_its_formula)
{
    const AdamWParams p = {0.9, 0.95, 1e-8, 0.1};
    ModelSpec spec;
    Err err;

    CHECK_OK(modelspec_init(&spec, &tiny, &err), &err);
    const size_t n = spec.n_params;
    float *w = malloc(n * sizeof *w), *g = malloc(n * sizeof *g), *m = calloc(n, sizeof *m),
          *v = calloc(n, sizeof *v);
    double *ww = malloc(n * sizeof *ww), *mm = calloc(n, sizeof *mm), *vv = calloc(n, sizeof *vv);
    for (size_t i = 0; i < n; i++) ww[i] = w[i] = value(i);
    for (uint64_t t = 1; t <= 4; t++) {
        const double lr = 0.01 / (double)t, clip = 0.5;
        for (size_t i = 0; i < n; i++) g[i] = value(1000 * t + i);
        for (uint32_t k = 0; k < spec.n_tensors; k++)
            for (uint64_t i = spec.tensor[k].first;
                 i < spec.tensor[k].first + spec.tensor[k].rows * spec.tensor[k].cols; i++) {
                const double gi = clip * g[i], decay = strstr(spec.tensor[k].name, "norm") ? 0 : 0.1;
                mm[i] = 0.9 * mm[i] + 0.1 * gi;
                vv[i] = 0.95 * vv[i] + 0.05 * gi * gi;
                ww[i] -= lr * (mm[i] / (1 - pow(0.9, (double)t)) / (sqrt(vv[i] / (1 - pow(0.95, (double)t))) + 1e-8) +
                               decay * ww[i]);
            }
        adamw_update(&spec, &p, t, lr, clip, w, g, m, v, 2);
    }
    for (size_t i = 0; i < n; i++) {
        CHECK(fabs(w[i] - ww[i]) < 1e-6);
        CHECK(fabs(m[i] - mm[i]) < 1e-6 && fabs(v[i] - vv[i]) < 1e-6);
        CHECK(g[i] == 0);
    }
    free(w), free(g), free(m), free(v), free(ww), free(mm), free(vv);
    modelspec_clear(&spec);
}

TEST(norm_equals_the_plain_sum)
{
    const size_t n = 3 * 4096 + 5;
    float *g = malloc(n * sizeof *g);
    double sum = 0;

    for (size_t i = 0; i < n; i++) g[i] = value(i), sum += (double)g[i] * g[i];
    CHECK(fabs(gradient_norm(g, n, 1) - sqrt(sum)) < 1e-9 * sqrt(sum));
    CHECK(gradient_norm(g, n, 1) == gradient_norm(g, n, 7));
    CHECK(gradient_norm(g, 0, 2) == 0);
    free(g);
}

TEST(schedule_has_the_papers_steps)
{
    static const struct {
        uint64_t step;
        double factor;
    } table[] = {{0, 1 / 2000.0}, {999, 0.5},     {1999, 1},    {2000, 1},   {79999, 1},
                 {80000, 0.316},  {89999, 0.316}, {90000, 0.1}, {99999, 0.1}};

    CHECK_INT(2000, schedule_warmup(2000, 100000));
    CHECK_INT(50, schedule_warmup(2000, 1000)); /* never more than 5 % */
    CHECK_INT(1, schedule_warmup(2000, 10));
    CHECK_INT(1, schedule_warmup(0, 1000));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        CHECK(fabs(schedule_lr(4.2e-4, 2000, table[i].step, 100000) - 4.2e-4 * table[i].factor) < 1e-12);
    CHECK(schedule_lr(1, 1, 0, 1) == 1);
}

/* Parameters and costs of the paper's models: 6,910,365,696 and 67,425,001,472 parameters, both embeddings counted;
 * table 3 has M = 45.1e9 for 32 x 4096 and 0.85 = 6 N1 / M. */
TEST(tensors_add_up_to_the_papers_models)
{
    ModelShape s = {.layers = 30,
                    .d_model = 4096,
                    .heads = 32,
                    .kv_heads = 32,
                    .head_dim = 128,
                    .ffn = 11008,
                    .context = 4096,
                    .vocab_rows = 102400,
                    .rope_theta = 10000,
                    .norm_eps = 1e-6,
                    .init_std = 0.006};
    ModelSpec spec;
    ModelCost cost;
    Err err;

    CHECK_OK(modelspec_init(&spec, &s, &err), &err);
    CHECK_INT(6910365696, spec.n_params);
    CHECK_STR("model.layers.29.mlp.down_proj.weight", spec.tensor[spec.n_tensors - 3].name);
    CHECK(modelspec_at(&spec, TENSOR_K, 3) == modelspec_at(&spec, TENSOR_Q, 3) + 4096ull * 4096);
    CHECK(modelspec_at(&spec, TENSOR_HEAD, 0) + 102400ull * 4096 == spec.n_params);
    modelspec_clear(&spec);

    s.layers = 95, s.d_model = 8192, s.heads = 64, s.kv_heads = 8, s.ffn = 22016;
    CHECK_OK(modelspec_init(&spec, &s, &err), &err);
    CHECK_INT(67425001472, spec.n_params);
    modelspec_clear(&spec);

    s.layers = 32, s.d_model = 4096, s.heads = s.kv_heads = 32, s.ffn = 11008;
    CHECK_OK(modelspec_init(&spec, &s, &err), &err);
    cost = model_cost(&spec);
    CHECK(fabs(cost.m_flops / 1e9 - 45.1) < 0.05 && fabs(cost.n1_flops / cost.m_flops - 0.857) < 0.001);
    modelspec_clear(&spec);

    s.kv_heads = 5;
    CHECK_INT(ERR_USAGE, modelspec_init(&spec, &s, &err));
    s.kv_heads = 32, s.layers = 0;
    CHECK_INT(ERR_USAGE, modelspec_init(&spec, &s, &err));
    CHECK(strstr(err.msg, "layers"));
}
