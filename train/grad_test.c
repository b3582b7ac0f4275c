/* train/grad_test.c - every gradient against finite differences, in double.
 *
 * The sources of the operations and the model compile here a second time with double numbers (train/real.h), so what is
 * differentiated is the code that runs, only more precise. The single-precision build is then compared with this one. */
#define TRAIN_F64
#include "train/attention.c"
#include "train/model.c"
#include "train/ops_cpu.c"
#include "train/rows.c"

#include "tests/check.h"

/* A scalar function of everything it is given, and the place whose gradient is asked for. */
typedef double (*Scalar)(void *ctx);

static double uniform(uint64_t seed, uint64_t i) { return (double)(mix64(seed * 7919 + i) >> 11) / (1ull << 52) - 1; }

static void fill(double *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) x[i] = uniform(seed, i);
}

/* Central difference with h = 1e-5 errs by h^2 f'''/6 and rounding 1e-16 |f| / h: about 1e-10 each here. */
static double worst_error(Scalar f, void *ctx, double *x, const double *gradient, size_t n)
{
    const double h = 1e-5;
    double worst = 0;

    for (size_t i = 0; i < n; i++) {
        const double old = x[i];
        double up, down, error;
        x[i] = old + h, up = f(ctx);
        x[i] = old - h, down = f(ctx);
        x[i] = old;
        error = fabs((up - down) / (2 * h) - gradient[i]) / (1 + fabs(gradient[i]));
        worst = error > worst ? error : worst;
    }
    return worst;
}

enum { ROWS = 6, D = 10, FFN = 7, VOCAB = 11, MAX = 4096 };

/* One context for all operations: inputs, weights, outputs, and the random vector that makes outputs a scalar. */
typedef struct {
    Ops ops;
    Rope rope;
    AttentionShape shape;
    double x[MAX], w[MAX], y[MAX], dy[MAX], dx[MAX], dw[MAX], lse[MAX], inv[ROWS], loss[ROWS];
    uint32_t token[ROWS];
    size_t n_y;
} OpTest;

static OpTest *optest_new(size_t head_dim, int threads)
{
    OpTest *t = calloc(1, sizeof *t);
    Err err;
    CHECK_OK(ops_init(&t->ops, threads, head_dim, &err), &err);
    CHECK_OK(rope_init(&t->rope, head_dim, 200, 100.0, &err), &err);
    fill(t->x, MAX, 1), fill(t->w, MAX, 2), fill(t->dy, MAX, 3);
    for (uint32_t r = 0; r < ROWS; r++) t->token[r] = (r * 5) % 4; /* tokens repeat */
    return t;
}

static void optest_free(OpTest *t)
{
    ops_clear(&t->ops);
    rope_clear(&t->rope);
    free(t);
}

static double dot_dy(const OpTest *t)
{
    double s = 0;
    for (size_t i = 0; i < t->n_y; i++) s += t->y[i] * t->dy[i];
    return s;
}

static double f_embed(void *ctx)
{
    OpTest *t = ctx;
    op_embed(&t->ops, t->y, t->w, t->token, ROWS, D);
    return dot_dy(t);
}

TEST(embedding_gradient)
{
    OpTest *t = optest_new(4, 2);
    t->n_y = ROWS * D;
    op_embed_back(&t->ops, t->dw, t->dy, t->token, ROWS, D);
    CHECK(worst_error(f_embed, t, t->w, t->dw, 5 * D) < 1e-8);
    optest_free(t);
}

static double f_rmsnorm(void *ctx)
{
    OpTest *t = ctx;
    op_rmsnorm(&t->ops, t->y, t->inv, t->x, t->w, ROWS, D, 1e-3);
    return dot_dy(t);
}

TEST(rmsnorm_gradient)
{
    OpTest *t = optest_new(4, 2);
    t->n_y = ROWS * D;
    f_rmsnorm(t);
    op_rmsnorm_back(&t->ops, t->dx, t->dw, t->dy, t->x, t->w, t->inv, ROWS, D);
    CHECK(worst_error(f_rmsnorm, t, t->x, t->dx, ROWS * D) < 1e-8);
    CHECK(worst_error(f_rmsnorm, t, t->w, t->dw, D) < 1e-8);
    optest_free(t);
}

/* The first 2 of 3 heads of 4, sequences of 3 tokens that begin at position 5. */
static double f_rope(void *ctx)
{
    OpTest *t = ctx;
    memcpy(t->y, t->x, ROWS * 12 * sizeof *t->y);
    op_rope(&t->ops, t->y, &t->rope, ROWS, 3, 5, 2, 12, false);
    return dot_dy(t);
}

TEST(rope_gradient_and_angle)
{
    OpTest *t = optest_new(4, 2);
    t->n_y = ROWS * 12;
    f_rope(t);
    memcpy(t->dx, t->dy, ROWS * 12 * sizeof *t->dx);
    op_rope(&t->ops, t->dx, &t->rope, ROWS, 3, 5, 2, 12, true);
    CHECK(worst_error(f_rope, t, t->x, t->dx, ROWS * 12) < 1e-8);
    /* Row 4 is position 5 + 4 % 3 = 6; lane 1 turns by 6 * 100^(-2/4) = 0.6 together with lane 3. */
    CHECK(fabs(t->y[4 * 12 + 1] - (t->x[4 * 12 + 1] * cos(0.6) - t->x[4 * 12 + 3] * sin(0.6))) < 1e-12);
    CHECK(fabs(t->y[4 * 12 + 3] - (t->x[4 * 12 + 3] * cos(0.6) + t->x[4 * 12 + 1] * sin(0.6))) < 1e-12);
    optest_free(t);
}

static double f_swiglu(void *ctx)
{
    OpTest *t = ctx;
    op_swiglu(&t->ops, t->y, t->x, ROWS, FFN);
    return dot_dy(t);
}

TEST(swiglu_gradient)
{
    OpTest *t = optest_new(4, 2);
    t->n_y = ROWS * FFN;
    memcpy(t->dx, t->x, sizeof t->dx);
    op_swiglu_back(&t->ops, t->dx, t->dy, ROWS, FFN);
    CHECK(worst_error(f_swiglu, t, t->x, t->dx, ROWS * 2 * FFN) < 1e-8);
    optest_free(t);
}

static double f_cross_entropy(void *ctx)
{
    OpTest *t = ctx;
    double s = 0;
    memcpy(t->y, t->x, ROWS * VOCAB * sizeof *t->y);
    op_cross_entropy(&t->ops, t->loss, t->y, t->token, ROWS, VOCAB, 0);
    for (size_t r = 0; r < ROWS; r++) s += t->loss[r];
    return s;
}

TEST(cross_entropy_gradient)
{
    OpTest *t = optest_new(4, 2);
    double direct = 0;
    memcpy(t->dx, t->x, sizeof t->dx);
    op_cross_entropy(&t->ops, t->loss, t->dx, t->token, ROWS, VOCAB, 1);
    CHECK(worst_error(f_cross_entropy, t, t->x, t->dx, ROWS * VOCAB) < 1e-8);
    for (size_t i = 0; i < VOCAB; i++) direct += exp(t->x[2 * VOCAB + i]);
    CHECK(fabs(t->loss[2] - (log(direct) - t->x[2 * VOCAB + t->token[2]])) < 1e-12);
    optest_free(t);
}

static double f_linear(void *ctx)
{
    OpTest *t = ctx;
    op_gemm(&t->ops, GEMM_NT, ROWS, FFN, D, t->x, D, t->w, D, t->y, FFN, false);
    return dot_dy(t);
}

TEST(linear_gradient)
{
    OpTest *t = optest_new(4, 2);
    t->n_y = ROWS * FFN;
    op_gemm(&t->ops, GEMM_NN, ROWS, D, FFN, t->dy, FFN, t->w, D, t->dx, D, false);
    op_gemm(&t->ops, GEMM_TN, FFN, D, ROWS, t->dy, FFN, t->x, D, t->dw, D, true);
    CHECK(worst_error(f_linear, t, t->x, t->dx, ROWS * D) < 1e-8);
    CHECK(worst_error(f_linear, t, t->w, t->dw, FFN * D) < 1e-8);
    optest_free(t);
}

static size_t n_qkv(const AttentionShape *s)
{
    return s->batch * s->seq * (s->heads + 2 * s->kv_heads) * s->head_dim;
}

static double f_attention(void *ctx)
{
    OpTest *t = ctx;
    op_attention(&t->ops, &t->shape, t->y, t->lse, t->x);
    return dot_dy(t);
}

/* Softmax over all visible keys at once, straight from the definition. */
static void plain_attention(const AttentionShape *s, double *out, const double *qkv)
{
    const size_t hd = s->head_dim, width = (s->heads + 2 * s->kv_heads) * hd;

    for (size_t b = 0; b < s->batch; b++)
        for (size_t h = 0; h < s->heads; h++)
            for (size_t i = 0; i < s->seq; i++) {
                const double *q = qkv + (b * s->seq + i) * width + h * hd;
                const size_t at_k = (s->heads + h / (s->heads / s->kv_heads)) * hd;
                double *y = out + (b * s->seq + i) * s->heads * hd + h * hd, sum = 0;
                memset(y, 0, hd * sizeof *y);
                for (size_t j = 0; j <= i; j++) {
                    const double *k = qkv + (b * s->seq + j) * width + at_k, *v = k + s->kv_heads * hd;
                    double e = 0;
                    for (size_t c = 0; c < hd; c++) e += q[c] * k[c];
                    e = exp(e / sqrt((double)hd));
                    sum += e;
                    for (size_t c = 0; c < hd; c++) y[c] += e * v[c];
                }
                for (size_t c = 0; c < hd; c++) y[c] /= sum;
            }
}

/* Short, a whole block, a block and one row, two blocks and a bit; with and without groups. */
static const AttentionShape attention_shapes[] = {
    {2, 5, 4, 2, 4}, {1, 64, 2, 1, 2}, {1, 65, 2, 2, 2}, {2, 130, 2, 1, 2}, {1, 1, 1, 1, 2}};

TEST(attention_equals_its_definition)
{
    for (size_t i = 0; i < sizeof attention_shapes / sizeof *attention_shapes; i++) {
        OpTest *t = optest_new(4, 2);
        double worst = 0;
        t->shape = attention_shapes[i];
        for (size_t j = 0; j < MAX; j++) t->x[j] *= 4; /* far from uniform attention */
        op_attention(&t->ops, &t->shape, t->y, t->lse, t->x);
        plain_attention(&t->shape, t->dx, t->x);
        for (size_t j = 0; j < t->shape.batch * t->shape.seq * t->shape.heads * t->shape.head_dim; j++)
            worst = fabs(t->y[j] - t->dx[j]) > worst ? fabs(t->y[j] - t->dx[j]) : worst;
        CHECK(worst < 1e-12);
        optest_free(t);
    }
}

TEST(attention_gradient)
{
    for (size_t i = 0; i < sizeof attention_shapes / sizeof *attention_shapes; i++) {
        OpTest *t = optest_new(4, 2);
        const AttentionShape *s = &t->shape;
        t->shape = attention_shapes[i];
        t->n_y = s->batch * s->seq * s->heads * s->head_dim;
        f_attention(t);
        op_attention_back(&t->ops, s, t->dx, t->dy, t->y, t->lse, t->x);
        /* Differences cost n * n: of long inputs the first and last 60 numbers. */
        CHECK(worst_error(f_attention, t, t->x, t->dx, n_qkv(s) < 60 ? n_qkv(s) : 60) < 1e-8);
        if (n_qkv(s) > 60) CHECK(worst_error(f_attention, t, t->x + n_qkv(s) - 60, t->dx + n_qkv(s) - 60, 60) < 1e-8);
        optest_free(t);
    }
}

/* --- the whole model */

static const ModelShape tiny_shape = {.layers = 2,
                                      .d_model = 12,
                                      .heads = 4,
                                      .kv_heads = 2,
                                      .head_dim = 4,
                                      .ffn = 10,
                                      .context = 9,
                                      .vocab_rows = 13,
                                      .rope_theta = 100,
                                      .norm_eps = 1e-5,
                                      .init_std = 0.3};

static void make_samples(uint32_t *samples, uint32_t batch)
{
    for (uint32_t i = 0; i < batch * (tiny_shape.context + 1); i++)
        samples[i] = (uint32_t)(mix64(i + 1) % tiny_shape.vocab_rows);
}

typedef struct {
    Model *m;
    uint32_t samples[64];
    double loss[64];
} ModelTest;

static double f_model(void *ctx)
{
    ModelTest *t = ctx;
    double s = 0;
    model_eval(t->m, t->samples, 3, t->loss);
    for (size_t i = 0; i < 3 * tiny_shape.context; i++) s += t->loss[i];
    return s;
}

TEST(gradient_of_the_whole_model)
{
    ModelTest t = {0};
    double sum;
    Err err;

    CHECK_OK(model_new(&t.m, &tiny_shape, 3, true, 2, &err), &err);
    model_init(t.m, 5);
    make_samples(t.samples, 3);
    sum = model_step(t.m, t.samples, 3, 1);
    CHECK(fabs(sum - f_model(&t)) < 1e-9);
    for (uint32_t i = 0; i < t.m->spec.n_tensors; i++) {
        const TensorSpec *s = &t.m->spec.tensor[i];
        double error = worst_error(f_model, &t, t.m->params + s->first, t.m->grads + s->first, s->rows * s->cols);
        if (!(error < 1e-7)) printf("%s: error %g\n", s->name, error);
        CHECK(error < 1e-7);
    }
    model_free(t.m);
}

/* Sum of losses by micro-batches of 1, with half the scale: gradients add up to half. */
TEST(micro_batches_accumulate)
{
    ModelTest t = {0};
    double *whole, worst = 0;
    size_t n;
    Err err;

    CHECK_OK(model_new(&t.m, &tiny_shape, 3, true, 1, &err), &err);
    n = t.m->spec.n_params;
    whole = malloc(n * sizeof *whole);
    model_init(t.m, 5);
    make_samples(t.samples, 3);
    model_step(t.m, t.samples, 3, 1);
    memcpy(whole, t.m->grads, n * sizeof *whole);
    memset(t.m->grads, 0, n * sizeof *whole);
    for (uint32_t b = 0; b < 3; b++) model_step(t.m, t.samples + b * (tiny_shape.context + 1), 1, 0.5);
    for (size_t i = 0; i < n; i++) {
        double e = fabs(t.m->grads[i] * 2 - whole[i]);
        worst = e > worst ? e : worst;
    }
    CHECK(worst < 1e-12);
    free(whole);
    model_free(t.m);
}

/* --- hands the double-precision results to the test of the single-precision build (model_test.c). */
void reference_step(const ModelShape *shape, const float *params, const uint32_t *samples, uint32_t batch,
                    double *grads, double *loss);
void reference_step(const ModelShape *shape, const float *params, const uint32_t *samples, uint32_t batch,
                    double *grads, double *loss)
{
    Model *m;
    Err err;

    CHECK_OK(model_new(&m, shape, batch, true, 1, &err), &err);
    for (size_t i = 0; i < m->spec.n_params; i++) m->params[i] = params[i];
    model_step(m, samples, batch, 1);
    memcpy(grads, m->grads, m->spec.n_params * sizeof *grads);
    memcpy(loss, m->loss, batch * shape->context * sizeof *loss);
    model_free(m);
}
