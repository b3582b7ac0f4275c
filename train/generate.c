/* train/generate.c - the decoder with its cache, and the choice of tokens (train/generate.h). */
#include "train/generate.h"
#include "train/rows.h"

#include "core/hash.h"
#include "core/log.h"

#include <assert.h>
#include <stdlib.h>

struct Decoder {
    Model *m;
    uint32_t position;
    float *cache; /* [layers][context][2][kv_heads * head_dim]: key, then value */
    float *work;  /* all below point into it */
    float *x, *norm, *qkv, *attention, *gate_up, *swiglu, *y, *scores, *logits;
};

static size_t kv_width(const ModelShape *s) { return (size_t)s->kv_heads * s->head_dim; }

ErrCode decoder_new(Decoder **out, Model *m, Err *err)
{
    const ModelShape *s = &m->spec.shape;
    const size_t d = s->d_model, q = (size_t)s->heads * s->head_dim, qkv = q + 2 * kv_width(s), f = s->ffn;
    Decoder *n = calloc(1, sizeof *n);

    *out = NULL;
    if (n) {
        n->m = m;
        n->cache = calloc((size_t)s->layers * s->context * 2 * kv_width(s), sizeof *n->cache);
        n->work = calloc(3 * d + qkv + q + 3 * f + s->context + s->vocab_rows, sizeof *n->work);
    }
    if (!n || !n->cache || !n->work) {
        decoder_free(n);
        return err_nomem(err, "the cache of keys and values");
    }
    n->x = n->work, n->norm = n->x + d, n->y = n->norm + d, n->qkv = n->y + d;
    n->attention = n->qkv + qkv, n->gate_up = n->attention + q, n->swiglu = n->gate_up + 2 * f;
    n->scores = n->swiglu + f, n->logits = n->scores + s->context;
    *out = n;
    return ERR_OK;
}

void decoder_free(Decoder *d)
{
    if (!d) return;
    free(d->cache);
    free(d->work);
    free(d);
}

void decoder_reset(Decoder *d) { d->position = 0; }
uint32_t decoder_position(const Decoder *d) { return d->position; }

/* One query head over all positions up to this one. */
static void attend(Decoder *d, const float *layer_cache, uint32_t h)
{
    const ModelShape *s = &d->m->spec.shape;
    const size_t hd = s->head_dim, stride = 2 * kv_width(s), n = (size_t)d->position + 1;
    const float *k = layer_cache + h / (s->heads / s->kv_heads) * hd, *v = k + kv_width(s), *q = d->qkv + h * hd;
    const float scale = (float)(1.0 / sqrt((double)hd));
    float *y = d->attention + h * hd, top, inv;

    for (size_t j = 0; j < n; j++) d->scores[j] = row_dot(q, k + j * stride, hd) * scale;
    top = row_max(d->scores, n);
    inv = 1 / row_exp(d->scores, n, 1, top);
    memset(y, 0, hd * sizeof *y);
    for (size_t j = 0; j < n; j++)
        for (size_t t = 0; t < hd; t++) y[t] += d->scores[j] * inv * v[j * stride + t];
}

static void add_linear(Decoder *d, TensorKind kind, uint32_t l, const float *x, size_t in)
{
    const size_t n = d->m->spec.shape.d_model;

    op_matvec(&d->m->ops, n, in, model_weight(d->m, kind, l), x, d->y);
    for (size_t i = 0; i < n; i++) d->x[i] += d->y[i];
}

static void decode_layer(Decoder *d, uint32_t l)
{
    Model *m = d->m;
    const ModelShape *s = &m->spec.shape;
    const size_t w = s->d_model, q = (size_t)s->heads * s->head_dim, kv = kv_width(s);
    float *cache = d->cache + (size_t)l * s->context * 2 * kv, unused;

    op_rmsnorm(&m->ops, d->norm, &unused, d->x, model_weight(m, TENSOR_ATTENTION_NORM, l), 1, w, s->norm_eps);
    op_matvec(&m->ops, q + 2 * kv, w, model_weight(m, TENSOR_Q, l), d->norm, d->qkv);
    op_rope(&m->ops, d->qkv, &m->rope, 1, 1, d->position, (size_t)s->heads + s->kv_heads, q + 2 * kv, false);
    memcpy(cache + (size_t)d->position * 2 * kv, d->qkv + q, 2 * kv * sizeof *cache);
    for (uint32_t h = 0; h < s->heads; h++) attend(d, cache, h);
    add_linear(d, TENSOR_O, l, d->attention, q);
    op_rmsnorm(&m->ops, d->norm, &unused, d->x, model_weight(m, TENSOR_FFN_NORM, l), 1, w, s->norm_eps);
    op_matvec(&m->ops, 2 * (size_t)s->ffn, w, model_weight(m, TENSOR_GATE, l), d->norm, d->gate_up);
    op_swiglu(&m->ops, d->swiglu, d->gate_up, 1, s->ffn);
    add_linear(d, TENSOR_DOWN, l, d->swiglu, s->ffn);
}

const float *decoder_feed(Decoder *d, uint32_t token)
{
    Model *m = d->m;
    const ModelShape *s = &m->spec.shape;
    float unused;

    assert(d->position < s->context && token < s->vocab_rows);
    op_embed(&m->ops, d->x, model_weight(m, TENSOR_EMBED, 0), &token, 1, s->d_model);
    for (uint32_t l = 0; l < s->layers; l++) decode_layer(d, l);
    op_rmsnorm(&m->ops, d->norm, &unused, d->x, model_weight(m, TENSOR_FINAL_NORM, 0), 1, s->d_model, s->norm_eps);
    op_matvec(&m->ops, s->vocab_rows, s->d_model, model_weight(m, TENSOR_HEAD, 0), d->norm, d->logits);
    d->position++;
    return d->logits;
}

/* Moves the k likeliest ids of scratch[0, n) to its front, likeliest first: a heap of the k best so far, its root the
 * worst, then emptied from the back. */
static bool worse(const float *x, uint32_t a, uint32_t b) { return x[a] < x[b] || (x[a] == x[b] && a > b); }

static void sift(const float *x, uint32_t *heap, size_t n, size_t i)
{
    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= n) return;
        if (c + 1 < n && worse(x, heap[c + 1], heap[c])) c++;
        if (!worse(x, heap[c], heap[i])) return;
        uint32_t t = heap[i];
        heap[i] = heap[c], heap[c] = t;
        i = c;
    }
}

static void top_ids(const float *x, uint32_t *id, size_t n, size_t k)
{
    for (size_t i = k / 2; i-- > 0;) sift(x, id, k, i);
    for (size_t i = k; i < n; i++)
        if (worse(x, id[0], id[i])) {
            id[0] = id[i];
            sift(x, id, k, 0);
        }
    for (size_t left = k; left > 1; left--) {
        uint32_t t = id[0];
        id[0] = id[left - 1], id[left - 1] = t;
        sift(x, id, left - 1, 0);
    }
}

uint32_t sample_token(const float *logits, uint32_t n, const SampleParams *p, uint64_t position, uint32_t *scratch)
{
    const uint32_t k = p->temperature <= 0 ? 1 : p->top_k == 0 || p->top_k > n ? n : p->top_k;
    const double u = (double)(mix64(p->seed + mix64(position + 1)) >> 11) / 9007199254740992.0; /* [0, 1) */
    double total = 0, upto = 0;

    for (uint32_t i = 0; i < n; i++) scratch[i] = i;
    top_ids(logits, scratch, n, k);
    if (k == 1) return scratch[0];
    for (uint32_t i = 0; i < k; i++) total += exp(((double)logits[scratch[i]] - logits[scratch[0]]) / p->temperature);
    for (uint32_t i = 0; i < k; i++) {
        upto += exp(((double)logits[scratch[i]] - logits[scratch[0]]) / p->temperature);
        if (u * total < upto) return scratch[i];
    }
    return scratch[k - 1];
}

/* Feeds text[0, n), or its end when it does not fit: half a context then. */
static const float *feed_all(Decoder *d, const uint32_t *text, size_t n)
{
    const size_t context = d->m->spec.shape.context, keep = context / 2 ? context / 2 : 1;
    const float *logits = NULL;

    decoder_reset(d);
    for (size_t i = n > context ? n - keep : 0; i < n; i++) logits = decoder_feed(d, text[i]);
    return logits;
}

ErrCode generate(Model *m, const SampleParams *p, uint32_t vocab_size, uint32_t stop, const uint32_t *prompt,
                 size_t n_prompt, uint32_t *out, size_t n, size_t *n_out, Err *err)
{
    uint32_t *text = malloc((n_prompt + n) * sizeof *text),
             *scratch = malloc(((size_t)vocab_size + 1) * sizeof *scratch);
    Decoder *d = NULL;
    ErrCode rc = text && scratch ? decoder_new(&d, m, err) : err_nomem(err, "generated text");

    assert(n_prompt >= 1);
    *n_out = 0;
    if (rc == ERR_OK) {
        memcpy(text, prompt, n_prompt * sizeof *text);
        const float *logits = feed_all(d, text, n_prompt);
        for (size_t at = n_prompt; *n_out < n; at++) {
            const uint32_t next = sample_token(logits, vocab_size, p, at, scratch);
            if (next == stop) break;
            out[(*n_out)++] = text[at] = next;
            if (*n_out == n) break;
            if (interrupt_seen()) {
                rc = err_set(err, ERR_INTR, "stopped after %zu tokens", *n_out);
                break;
            }
            if (decoder_position(d) < m->spec.shape.context)
                logits = decoder_feed(d, next);
            else
                logits = feed_all(d, text, at + 1);
        }
    }
    decoder_free(d);
    free(text);
    free(scratch);
    return rc;
}
