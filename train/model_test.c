/* train/model_test.c - the single-precision model: against the double one, over threads, over ways to compute the same. */
#include "tests/check.h"
#include "train/adamw.h"
#include "train/generate.h"
#include "train/model.h"

#include "core/hash.h"

#include <math.h>
#include <stdlib.h>

/* grad_test.c: the same model in double. */
void reference_step(const ModelShape *shape, const float *params, const uint32_t *samples, uint32_t batch,
                    double *grads, double *loss);

/* Wide enough for several blocks everywhere: 130 positions cross attention's blocks, 8 * 3 head rows those of packing. */
static const ModelShape shape = {.layers = 2,
                                 .d_model = 40,
                                 .heads = 4,
                                 .kv_heads = 2,
                                 .head_dim = 8,
                                 .ffn = 72,
                                 .context = 130,
                                 .vocab_rows = 100,
                                 .rope_theta = 10000,
                                 .norm_eps = 1e-6,
                                 .init_std = 0.1};
enum { BATCH = 3 };

static uint32_t *make_samples(uint64_t seed)
{
    uint32_t *s = malloc(BATCH * (shape.context + 1) * sizeof *s);
    for (uint32_t i = 0; i < BATCH * (shape.context + 1); i++)
        s[i] = (uint32_t)(mix64(seed * 1000 + i) % shape.vocab_rows);
    return s;
}

static Model *model(uint32_t batch, bool train, int threads)
{
    Model *m;
    Err err;
    CHECK_OK(model_new(&m, &shape, batch, train, threads, &err), &err);
    model_init(m, 3);
    return m;
}

TEST(single_precision_follows_double)
{
    Model *m = model(BATCH, true, 2);
    const size_t n = m->spec.n_params;
    double *grads = malloc(n * sizeof *grads), *loss = malloc(BATCH * shape.context * sizeof *loss);
    uint32_t *samples = make_samples(1);

    reference_step(&shape, m->params, samples, BATCH, grads, loss);
    model_step(m, samples, BATCH, 1);
    for (uint32_t i = 0; i < BATCH * shape.context; i++) CHECK(fabs(loss[i] - m->loss[i]) < 1e-5);
    for (uint32_t i = 0; i < m->spec.n_tensors; i++) {
        const TensorSpec *t = &m->spec.tensor[i];
        double error = 0, size = 0;
        for (uint64_t k = t->first; k < t->first + t->rows * t->cols; k++) {
            error += (grads[k] - m->grads[k]) * (grads[k] - m->grads[k]);
            size += grads[k] * grads[k];
        }
        /* 2^-24 a rounding, a few hundred of them on the way. */
        CHECK(size > 0 && sqrt(error / size) < 2e-6);
    }
    free(grads), free(loss), free(samples);
    model_free(m);
}

TEST(bits_do_not_depend_on_threads)
{
    static const int threads[] = {1, 2, 7};
    uint32_t *samples = make_samples(2);
    float *want = NULL;
    double want_norm = 0;

    for (int i = 0; i < 3; i++) {
        Model *m = model(BATCH, true, threads[i]);
        const size_t bytes = m->spec.n_params * sizeof(float);
        float *moments = calloc(2 * m->spec.n_params, sizeof *moments);
        const AdamWParams adamw = {0.9, 0.95, 1e-8, 0.1};
        double norm = 0;
        for (uint64_t step = 1; step <= 3; step++) {
            model_step(m, samples, BATCH, 0.01f);
            norm = gradient_norm(m->grads, m->spec.n_params, threads[i]);
            adamw_update(&m->spec, &adamw, step, 1e-3, 0.9, m->params, m->grads, moments, moments + m->spec.n_params,
                         threads[i]);
        }
        if (!want) {
            want = malloc(bytes);
            memcpy(want, m->params, bytes);
            want_norm = norm;
        }
        CHECK(memcmp(want, m->params, bytes) == 0);
        CHECK(want_norm == norm && norm > 0);
        free(moments);
        model_free(m);
    }
    free(want), free(samples);
}

TEST(evaluation_equals_training_loss)
{
    Model *m = model(BATCH, true, 1), *reader = model(2, false, 2); /* the reader keeps one layer's activations */
    uint32_t *samples = make_samples(3);
    double *loss = malloc(BATCH * shape.context * sizeof *loss), sum = model_step(m, samples, BATCH, 1), again = 0;

    model_eval(reader, samples, 2, loss);
    model_eval(reader, samples + 2 * (shape.context + 1), 1, loss + 2 * shape.context);
    for (uint32_t i = 0; i < BATCH * shape.context; i++) {
        CHECK(loss[i] == m->loss[i]);
        again += loss[i];
    }
    CHECK(sum == again);
    free(samples), free(loss);
    model_free(m), model_free(reader);
}

TEST(decoder_equals_the_whole_pass)
{
    Model *m = model(1, false, 2);
    Decoder *d;
    uint32_t *token = make_samples(4);
    Err err;

    CHECK_OK(decoder_new(&d, m, &err), &err);
    for (uint32_t n = 1; n <= shape.context; n++) {
        const float *step = decoder_feed(d, token[n - 1]), *whole;
        double worst = 0;
        if (n % 43 && n != 1 && n != shape.context) continue;
        whole = model_logits(m, token, n);
        for (uint32_t v = 0; v < shape.vocab_rows; v++) worst = fmax(worst, fabs((double)step[v] - whole[v]));
        CHECK(worst < 1e-5);
    }
    CHECK_INT(shape.context, decoder_position(d));
    decoder_free(d);
    free(token);
    model_free(m);
}

/* Learns 64 tokens by heart, then says them. */
TEST(overfits_a_sequence_of_64_tokens)
{
    const ModelShape small = {.layers = 2,
                              .d_model = 32,
                              .heads = 2,
                              .kv_heads = 1,
                              .head_dim = 16,
                              .ffn = 64,
                              .context = 64,
                              .vocab_rows = 64,
                              .rope_theta = 10000,
                              .norm_eps = 1e-6,
                              .init_std = 0.1};
    const AdamWParams adamw = {0.9, 0.95, 1e-8, 0};
    const SampleParams greedy = {.temperature = 0};
    uint32_t sample[65], said[60];
    double first = 0, last = 0;
    float *moments;
    size_t n = 0;
    Model *m;
    Err err;

    CHECK_OK(model_new(&m, &small, 1, true, 1, &err), &err);
    model_init(m, 1);
    moments = calloc(2 * m->spec.n_params, sizeof *moments);
    for (uint32_t i = 0; i < 65; i++) sample[i] = (uint32_t)(mix64(i + 77) % 64);
    for (uint64_t step = 1; step <= 120; step++) {
        last = model_step(m, sample, 1, 1.0f / 64) / 64;
        if (step == 1) first = last;
        adamw_update(&m->spec, &adamw, step, 5e-3, 1, m->params, m->grads, moments, moments + m->spec.n_params, 1);
    }
    CHECK(first > 3.5 && first < 5.5); /* ln 64 = 4.16 */
    CHECK(last < 0.05);
    CHECK_OK(generate(m, &greedy, 64, UINT32_MAX, sample, 4, said, 60, &n, &err), &err);
    CHECK_INT(60, n);
    CHECK_INT(0, memcmp(said, sample + 4, 60 * sizeof *said));
    free(moments);
    model_free(m);
}

TEST(text_longer_than_the_context_goes_on)
{
    Model *m = model(0, false, 1);
    const SampleParams p = {.temperature = 1, .top_k = 5, .seed = 9};
    uint32_t *prompt = make_samples(6), said[300], again[300];
    size_t n = 0, n_again = 0;
    Err err;

    CHECK_OK(generate(m, &p, 90, UINT32_MAX, prompt, 2 * shape.context, said, 300, &n, &err), &err);
    CHECK_INT(300, n);
    for (size_t i = 0; i < n; i++) CHECK(said[i] < 90);
    CHECK_OK(generate(m, &p, 90, said[7], prompt, 2 * shape.context, again, 300, &n_again, &err), &err);
    CHECK(n_again <= 7 && memcmp(said, again, n_again * sizeof *said) == 0);
    free(prompt);
    model_free(m);
}

TEST(sampling_follows_the_probabilities)
{
    const float logits[4] = {0, logf(2), logf(5), -1e30f};
    const SampleParams all = {.temperature = 1, .seed = 4}, top2 = {.temperature = 1, .top_k = 2, .seed = 4},
                       greedy = {.temperature = 0, .seed = 4};
    uint32_t count[4] = {0}, count2[4] = {0}, scratch[4];

    for (uint64_t i = 0; i < 8000; i++) {
        count[sample_token(logits, 4, &all, i, scratch)]++;
        count2[sample_token(logits, 4, &top2, i, scratch)]++;
    }
    /* 8000 draws: sigma of a share is below 0.0056; four of them. */
    CHECK(fabs(count[0] / 8000.0 - 1.0 / 8) < 0.022 && fabs(count[2] / 8000.0 - 5.0 / 8) < 0.022 && count[3] == 0);
    CHECK(count2[0] == 0 && fabs(count2[1] / 8000.0 - 2.0 / 7) < 0.022);
    CHECK_INT(2, sample_token(logits, 4, &greedy, 0, scratch));
}
