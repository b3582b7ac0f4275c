/* train/model.c - forward and backward of the decoder (train/model.h). */
#include "train/model.h"

#include "core/hash.h"

#include <assert.h>
#include <stdlib.h>

/* Widths that follow from the shape. */
typedef struct {
    size_t d, ffn, q, qkv, vocab, seq;
} Widths;

static Widths widths_of(const ModelShape *s)
{
    const size_t hd = s->head_dim;
    return (Widths){s->d_model,    s->ffn,    s->heads * hd, (s->heads + 2 * (size_t)s->kv_heads) * hd,
                    s->vocab_rows, s->context};
}

/* --- memory: one walk over the activations either counts them or hands out their places. */

static real *take(real *base, size_t *used, size_t n)
{
    real *p = base ? base + *used : NULL;
    *used += (n + 15) / 16 * 16; /* cache lines, so that threads do not share one */
    return p;
}

/* Places all activations of `m` from `base` on (NULL: only counts); returns their number of reals. Loss, token and
 * target have arrays of their own. */
static size_t place_acts(Model *m, LayerActs *layer, const ModelShape *s, size_t batch, bool train, real *base)
{
    const Widths w = widths_of(s);
    const size_t rows = batch * w.seq, keep = train ? s->layers : 1;
    const size_t wide = w.ffn > w.q ? w.ffn : w.q;
    size_t n = 0;

    for (size_t l = 0; l < keep; l++) {
        const LayerActs a = {
            .x_in = take(base, &n, rows * w.d),
            .attention_norm = take(base, &n, rows * w.d),
            .qkv = take(base, &n, rows * w.qkv),
            .attention = take(base, &n, rows * w.q),
            .lse = take(base, &n, rows * s->heads),
            .x_mid = take(base, &n, rows * w.d),
            .ffn_norm = take(base, &n, rows * w.d),
            .gate_up = take(base, &n, rows * 2 * w.ffn),
            .swiglu = take(base, &n, rows * w.ffn),
            .inv_rms1 = take(base, &n, rows),
            .inv_rms2 = take(base, &n, rows),
        };
        if (layer) layer[l] = a;
    }
    for (size_t l = keep; layer && l < s->layers; l++) layer[l] = layer[0]; /* nothing is kept: layers take turns */
    m->x_out = take(base, &n, rows * w.d);
    m->final_norm = take(base, &n, rows * w.d);
    m->inv_rms = take(base, &n, rows);
    m->logits = take(base, &n, rows ? HEAD_ROWS * w.vocab : 0);
    if (train) {
        m->dx = take(base, &n, rows * w.d);
        m->d_norm = take(base, &n, rows * w.d);
        m->d_wide = take(base, &n, rows * wide);
        m->d_qkv = take(base, &n, rows * w.qkv);
    }
    return n;
}

uint64_t model_bytes(const ModelSpec *spec, uint32_t max_batch, bool train)
{
    Model unused = {0};
    const uint64_t rows = (uint64_t)max_batch * spec->shape.context;

    return sizeof(real) *
               (spec->n_params * (train ? 2 : 1) + place_acts(&unused, NULL, &spec->shape, max_batch, train, NULL)) +
           rows * (sizeof(double) + 2 * sizeof(uint32_t));
}

ErrCode model_new(Model **out, const ModelShape *shape, uint32_t max_batch, bool train, int threads, Err *err)
{
    Model *m = calloc(1, sizeof *m);
    const size_t rows = (size_t)max_batch * shape->context;
    ErrCode rc;

    *out = NULL;
    if (!m) return err_nomem(err, "a model");
    m->max_batch = max_batch;
    if ((rc = modelspec_init(&m->spec, shape, err)) != ERR_OK) goto out;
    if ((rc = ops_init(&m->ops, threads, shape->head_dim, err)) != ERR_OK) goto out;
    if ((rc = rope_init(&m->rope, shape->head_dim, shape->context, shape->rope_theta, err)) != ERR_OK) goto out;
    m->params = calloc(m->spec.n_params, sizeof *m->params);
    if (train) m->grads = calloc(m->spec.n_params, sizeof *m->grads);
    m->layer = calloc(shape->layers, sizeof *m->layer);
    m->acts = calloc(place_acts(m, NULL, shape, max_batch, train, NULL) + 16, sizeof *m->acts);
    m->loss = calloc(rows + 1, sizeof *m->loss);
    m->token = calloc(rows + 1, sizeof *m->token);
    m->target = calloc(rows + 1, sizeof *m->target);
    if (!m->params || (train && !m->grads) || !m->layer || !m->acts || !m->loss || !m->token || !m->target) {
        rc = err_nomem(err, "the model; a smaller micro_batch needs less");
        goto out;
    }
    place_acts(m, m->layer, shape, max_batch, train, m->acts);
    *out = m;
    return ERR_OK;
out:
    model_free(m);
    return rc;
}

void model_free(Model *m)
{
    if (!m) return;
    ops_clear(&m->ops);
    rope_clear(&m->rope);
    modelspec_clear(&m->spec);
    free(m->params);
    free(m->grads);
    free(m->acts);
    free(m->layer);
    free(m->loss);
    free(m->token);
    free(m->target);
    free(m);
}

real *model_weight(const Model *m, TensorKind kind, uint32_t layer)
{
    return m->params + modelspec_at(&m->spec, kind, layer);
}

static real *grad(const Model *m, TensorKind kind, uint32_t layer)
{
    return m->grads + modelspec_at(&m->spec, kind, layer);
}

/* A normal value by the sum of twelve uniform ones (Irwin-Hall): 16-bit integers, mean 6 * 65535, variance
 * 65536^2 - 1, within six standard deviations. Integer but for the last scaling. */
static real normal(uint64_t key, uint64_t i)
{
    int64_t sum = 0;

    for (uint64_t w = 0; w < 3; w++)
        for (uint64_t r = mix64(key + mix64(3 * i + w + 1)), k = 0; k < 4; k++, r >>= 16) sum += (int64_t)(r & 65535);
    return (real)((double)(sum - 6 * 65535) / 65536.0);
}

void model_init(Model *m, uint64_t seed)
{
    for (uint32_t t = 0; t < m->spec.n_tensors; t++) {
        const TensorSpec *s = &m->spec.tensor[t];
        const uint64_t n = s->rows * s->cols, key = hash64_seed(span_str(s->name), seed);
        real *w = m->params + s->first;
#pragma omp parallel for schedule(static) num_threads(m->ops.threads)
        for (uint64_t i = 0; i < n; i++) w[i] = s->init_std > 0 ? (real)s->init_std * normal(key, i) : 1;
    }
}

/* --- forward */

/* y[rows, out] = (or +=) x[rows, in] W[out, in]^T */
static void linear(Model *m, real *y, const real *x, const real *w, size_t rows, size_t in, size_t out, bool add)
{
    op_gemm(&m->ops, GEMM_NT, rows, out, in, x, in, w, in, y, out, add);
}

/* dx = dy W;  dW += dy^T x */
static void linear_back(Model *m, real *dx, real *dw, const real *dy, const real *x, const real *w, size_t rows,
                        size_t in, size_t out)
{
    op_gemm(&m->ops, GEMM_TN, out, in, rows, dy, out, x, in, dw, in, true);
    op_gemm(&m->ops, GEMM_NN, rows, in, out, dy, out, w, in, dx, in, false);
}

static AttentionShape attention_shape(const Model *m, uint32_t batch, size_t seq)
{
    const ModelShape *s = &m->spec.shape;
    return (AttentionShape){batch, seq, s->heads, s->kv_heads, s->head_dim};
}

/* x_in -> next, which is the next layer's x_in or x_out (with one set of activations it is x_in itself). */
static void layer_forward(Model *m, uint32_t l, real *next, uint32_t batch, size_t seq)
{
    const ModelShape *s = &m->spec.shape;
    const Widths w = widths_of(s);
    const LayerActs *a = &m->layer[l];
    const size_t rows = batch * seq;
    const AttentionShape shape = attention_shape(m, batch, seq);
    Ops *o = &m->ops;

    op_rmsnorm(o, a->attention_norm, a->inv_rms1, a->x_in, model_weight(m, TENSOR_ATTENTION_NORM, l), rows, w.d,
               s->norm_eps);
    linear(m, a->qkv, a->attention_norm, model_weight(m, TENSOR_Q, l), rows, w.d, w.qkv, false);
    op_rope(o, a->qkv, &m->rope, rows, seq, 0, (size_t)s->heads + s->kv_heads, w.qkv, false);
    op_attention(o, &shape, a->attention, a->lse, a->qkv);
    memcpy(a->x_mid, a->x_in, rows * w.d * sizeof *a->x_mid);
    linear(m, a->x_mid, a->attention, model_weight(m, TENSOR_O, l), rows, w.q, w.d, true);
    op_rmsnorm(o, a->ffn_norm, a->inv_rms2, a->x_mid, model_weight(m, TENSOR_FFN_NORM, l), rows, w.d, s->norm_eps);
    linear(m, a->gate_up, a->ffn_norm, model_weight(m, TENSOR_GATE, l), rows, w.d, 2 * w.ffn, false);
    op_swiglu(o, a->swiglu, a->gate_up, rows, w.ffn);
    memcpy(next, a->x_mid, rows * w.d * sizeof *next);
    linear(m, next, a->swiglu, model_weight(m, TENSOR_DOWN, l), rows, w.ffn, w.d, true);
}

/* Embedding, layers, final norm. */
static void trunk_forward(Model *m, uint32_t batch, size_t seq)
{
    const ModelShape *s = &m->spec.shape;
    const size_t rows = batch * seq, d = s->d_model;

    op_embed(&m->ops, m->layer[0].x_in, model_weight(m, TENSOR_EMBED, 0), m->token, rows, d);
    for (uint32_t l = 0; l < s->layers; l++)
        layer_forward(m, l, l + 1 < s->layers ? m->layer[l + 1].x_in : m->x_out, batch, seq);
    op_rmsnorm(&m->ops, m->final_norm, m->inv_rms, m->x_out, model_weight(m, TENSOR_FINAL_NORM, 0), rows, d,
               s->norm_eps);
}

/* Logits and loss of all rows, chunk by chunk; with scale != 0 also d_norm and the gradient of the output matrix. */
static void head(Model *m, size_t rows, real scale)
{
    const size_t d = m->spec.shape.d_model, v = m->spec.shape.vocab_rows;
    const real *w = model_weight(m, TENSOR_HEAD, 0);

    for (size_t r = 0; r < rows; r += HEAD_ROWS) {
        const size_t n = rows - r < HEAD_ROWS ? rows - r : HEAD_ROWS;
        linear(m, m->logits, m->final_norm + r * d, w, n, d, v, false);
        op_cross_entropy(&m->ops, m->loss + r, m->logits, m->target + r, n, v, scale);
        if (scale != 0)
            linear_back(m, m->d_norm + r * d, grad(m, TENSOR_HEAD, 0), m->logits, m->final_norm + r * d, w, n, d, v);
    }
}

/* --- backward */

/* m->dx: gradient of the layer's output on entry, of its input on return. */
static void layer_back(Model *m, uint32_t l, uint32_t batch, size_t seq)
{
    const ModelShape *s = &m->spec.shape;
    const Widths w = widths_of(s);
    const LayerActs *a = &m->layer[l];
    const size_t rows = batch * seq;
    const AttentionShape shape = attention_shape(m, batch, seq);
    Ops *o = &m->ops;

    linear_back(m, m->d_wide, grad(m, TENSOR_DOWN, l), m->dx, a->swiglu, model_weight(m, TENSOR_DOWN, l), rows, w.ffn,
                w.d);
    op_swiglu_back(o, a->gate_up, m->d_wide, rows, w.ffn);
    linear_back(m, m->d_norm, grad(m, TENSOR_GATE, l), a->gate_up, a->ffn_norm, model_weight(m, TENSOR_GATE, l), rows,
                w.d, 2 * w.ffn);
    op_rmsnorm_back(o, m->dx, grad(m, TENSOR_FFN_NORM, l), m->d_norm, a->x_mid, model_weight(m, TENSOR_FFN_NORM, l),
                    a->inv_rms2, rows, w.d);

    linear_back(m, m->d_wide, grad(m, TENSOR_O, l), m->dx, a->attention, model_weight(m, TENSOR_O, l), rows, w.q,
                w.d);
    op_attention_back(o, &shape, m->d_qkv, m->d_wide, a->attention, a->lse, a->qkv);
    op_rope(o, m->d_qkv, &m->rope, rows, seq, 0, (size_t)s->heads + s->kv_heads, w.qkv, true);
    linear_back(m, m->d_norm, grad(m, TENSOR_Q, l), m->d_qkv, a->attention_norm, model_weight(m, TENSOR_Q, l), rows,
                w.d, w.qkv);
    op_rmsnorm_back(o, m->dx, grad(m, TENSOR_ATTENTION_NORM, l), m->d_norm, a->x_in,
                    model_weight(m, TENSOR_ATTENTION_NORM, l), a->inv_rms1, rows, w.d);
}

static void trunk_back(Model *m, uint32_t batch, size_t seq)
{
    const ModelShape *s = &m->spec.shape;
    const size_t rows = batch * seq, d = s->d_model;

    memset(m->dx, 0, rows * d * sizeof *m->dx);
    op_rmsnorm_back(&m->ops, m->dx, grad(m, TENSOR_FINAL_NORM, 0), m->d_norm, m->x_out,
                    model_weight(m, TENSOR_FINAL_NORM, 0), m->inv_rms, rows, d);
    for (uint32_t l = s->layers; l-- > 0;) layer_back(m, l, batch, seq);
    op_embed_back(&m->ops, grad(m, TENSOR_EMBED, 0), m->dx, m->token, rows, d);
}

/* --- entry points */

static void load_samples(Model *m, const uint32_t *samples, uint32_t batch)
{
    const size_t seq = m->spec.shape.context;

    assert(batch >= 1 && batch <= m->max_batch);
    for (size_t b = 0; b < batch; b++) {
        memcpy(m->token + b * seq, samples + b * (seq + 1), seq * sizeof *m->token);
        memcpy(m->target + b * seq, samples + b * (seq + 1) + 1, seq * sizeof *m->target);
    }
}

double model_step(Model *m, const uint32_t *samples, uint32_t batch, real scale)
{
    const size_t rows = (size_t)batch * m->spec.shape.context;
    double sum = 0;

    assert(m->grads && scale != 0);
    load_samples(m, samples, batch);
    trunk_forward(m, batch, m->spec.shape.context);
    head(m, rows, scale);
    trunk_back(m, batch, m->spec.shape.context);
    for (size_t r = 0; r < rows; r++) sum += m->loss[r];
    return sum;
}

void model_eval(Model *m, const uint32_t *samples, uint32_t batch, double *loss)
{
    const size_t rows = (size_t)batch * m->spec.shape.context;

    load_samples(m, samples, batch);
    trunk_forward(m, batch, m->spec.shape.context);
    head(m, rows, 0);
    memcpy(loss, m->loss, rows * sizeof *loss);
}

const real *model_logits(Model *m, const uint32_t *token, uint32_t n)
{
    const size_t d = m->spec.shape.d_model;

    assert(n >= 1 && n <= m->spec.shape.context && m->max_batch >= 1);
    memcpy(m->token, token, n * sizeof *token);
    trunk_forward(m, 1, n);
    op_matvec(&m->ops, m->spec.shape.vocab_rows, d, model_weight(m, TENSOR_HEAD, 0), m->final_norm + (n - 1) * d,
              m->logits);
    return m->logits;
}
