/* train/spec.c - the table of tensors of train/spec.h. */
#include "train/spec.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum { DIM_ONE, DIM_MODEL, DIM_Q, DIM_KV, DIM_FFN, DIM_VOCAB } Dim;

/* One line a kind, in the order of TensorKind and of memory. */
static const struct {
    const char *name; /* behind "model.layers.N." where in_layer */
    bool in_layer;
    Dim rows, cols;
} kinds[] = {
    [TENSOR_EMBED] = {"model.embed_tokens.weight", false, DIM_VOCAB, DIM_MODEL},
    [TENSOR_ATTENTION_NORM] = {"input_layernorm.weight", true, DIM_ONE, DIM_MODEL},
    [TENSOR_Q] = {"self_attn.q_proj.weight", true, DIM_Q, DIM_MODEL},
    [TENSOR_K] = {"self_attn.k_proj.weight", true, DIM_KV, DIM_MODEL},
    [TENSOR_V] = {"self_attn.v_proj.weight", true, DIM_KV, DIM_MODEL},
    [TENSOR_O] = {"self_attn.o_proj.weight", true, DIM_MODEL, DIM_Q},
    [TENSOR_FFN_NORM] = {"post_attention_layernorm.weight", true, DIM_ONE, DIM_MODEL},
    [TENSOR_GATE] = {"mlp.gate_proj.weight", true, DIM_FFN, DIM_MODEL},
    [TENSOR_UP] = {"mlp.up_proj.weight", true, DIM_FFN, DIM_MODEL},
    [TENSOR_DOWN] = {"mlp.down_proj.weight", true, DIM_MODEL, DIM_FFN},
    [TENSOR_FINAL_NORM] = {"model.norm.weight", false, DIM_ONE, DIM_MODEL},
    [TENSOR_HEAD] = {"lm_head.weight", false, DIM_VOCAB, DIM_MODEL},
};
enum { LAYER_FIRST = TENSOR_ATTENTION_NORM, LAYER_LAST = TENSOR_DOWN, LAYER_TENSORS = LAYER_LAST - LAYER_FIRST + 1 };

static uint64_t dim(const ModelShape *s, Dim d)
{
    switch (d) {
    case DIM_ONE: return 1;
    case DIM_MODEL: return s->d_model;
    case DIM_Q: return (uint64_t)s->heads * s->head_dim;
    case DIM_KV: return (uint64_t)s->kv_heads * s->head_dim;
    case DIM_FFN: return s->ffn;
    case DIM_VOCAB: return s->vocab_rows;
    }
    return 0;
}

ErrCode modelshape_check(const ModelShape *s, Err *err)
{
    const struct {
        const char *name;
        uint64_t value, max;
    } bounds[] = {
        {"layers", s->layers, SPEC_MAX_LAYERS},
        {"d_model", s->d_model, SPEC_MAX_WIDTH},
        {"heads", s->heads, SPEC_MAX_WIDTH},
        {"kv_heads", s->kv_heads, s->heads},
        {"head_dim", s->head_dim, SPEC_MAX_WIDTH},
        {"heads * head_dim", (uint64_t)s->heads * s->head_dim, SPEC_MAX_WIDTH},
        {"ffn", s->ffn, SPEC_MAX_WIDTH},
        {"context", s->context, SPEC_MAX_WIDTH},
        {"vocabulary rows", s->vocab_rows, SPEC_MAX_VOCAB},
    };

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (bounds[i].value < 1 || bounds[i].value > bounds[i].max)
            return err_set(err, ERR_USAGE, "model: %s is %" PRIu64 ", must be 1 to %" PRIu64, bounds[i].name,
                           bounds[i].value, bounds[i].max);
    if (s->heads % s->kv_heads)
        return err_set(err, ERR_USAGE, "model: %" PRIu32 " heads are no multiple of %" PRIu32 " kv_heads", s->heads,
                       s->kv_heads);
    if (s->head_dim % 2) return err_set(err, ERR_USAGE, "model: head_dim %" PRIu32 " is odd", s->head_dim);
    if (!(s->rope_theta >= 1) || !(s->norm_eps > 0) || !(s->init_std > 0))
        return err_set(err, ERR_USAGE, "model: rope_theta must be >= 1, norm_eps and init_std > 0");
    return ERR_OK;
}

static void add_tensor(ModelSpec *m, TensorKind kind, uint32_t layer)
{
    TensorSpec *t = &m->tensor[m->n_tensors++];

    *t = (TensorSpec){.kind = kind, .layer = layer, .first = m->n_params};
    if (kinds[kind].in_layer)
        snprintf(t->name, sizeof t->name, "model.layers.%" PRIu32 ".%s", layer, kinds[kind].name);
    else
        snprintf(t->name, sizeof t->name, "%s", kinds[kind].name);
    t->rows = dim(&m->shape, kinds[kind].rows);
    t->cols = dim(&m->shape, kinds[kind].cols);
    t->decay = kinds[kind].rows != DIM_ONE;
    t->init_std = t->decay ? m->shape.init_std : 0;
    m->n_params += t->rows * t->cols; /* bounds of modelshape_check: below 2^10 * 8 * 2^40 + 2 * 2^44 */
}

ErrCode modelspec_init(ModelSpec *m, const ModelShape *shape, Err *err)
{
    ErrCode rc;

    *m = (ModelSpec){.shape = *shape};
    if ((rc = modelshape_check(shape, err)) != ERR_OK) return rc;
    m->tensor = calloc((size_t)shape->layers * LAYER_TENSORS + 3, sizeof *m->tensor);
    if (!m->tensor) return err_nomem(err, "the table of tensors");
    add_tensor(m, TENSOR_EMBED, 0);
    for (uint32_t l = 0; l < shape->layers; l++)
        for (int k = LAYER_FIRST; k <= LAYER_LAST; k++) add_tensor(m, (TensorKind)k, l);
    add_tensor(m, TENSOR_FINAL_NORM, 0);
    add_tensor(m, TENSOR_HEAD, 0);
    return ERR_OK;
}

void modelspec_clear(ModelSpec *m)
{
    free(m->tensor);
    *m = (ModelSpec){.tensor = NULL};
}

uint64_t modelspec_at(const ModelSpec *m, TensorKind kind, uint32_t layer)
{
    uint32_t i = 0;

    assert(layer < m->shape.layers);
    if (kinds[kind].in_layer)
        i = 1 + layer * LAYER_TENSORS + (uint32_t)kind - LAYER_FIRST;
    else if (kind != TENSOR_EMBED)
        i = m->n_tensors - (kind == TENSOR_HEAD ? 1 : 2);
    assert(m->tensor[i].kind == kind && m->tensor[i].layer == (kinds[kind].in_layer ? layer : 0));
    return m->tensor[i].first;
}

ModelCost model_cost(const ModelSpec *m)
{
    const ModelShape *s = &m->shape;
    const double l = s->layers, d = s->d_model, v = s->vocab_rows, t = s->context;
    const uint64_t norms = (2 * (uint64_t)s->layers + 1) * s->d_model;

    return (ModelCost){
        .params = m->n_params,
        .embedding_params = 2 * (uint64_t)s->vocab_rows * s->d_model,
        .n1_flops = 72 * l * d * d,
        .n2_flops = 72 * l * d * d + 6 * v * d,
        .m_flops = 72 * l * d * d + 12 * l * d * t,
        .matrix_flops = 6 * (double)(m->n_params - (uint64_t)s->vocab_rows * s->d_model - norms) +
                        6 * l * (double)s->heads * s->head_dim * t,
    };
}
