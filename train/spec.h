/* train/spec.h - the shape of a model and the table of its tensors.
 *
 * Everything that knows a tensor's name, shape, place in memory, decay or initialisation reads this table: the model,
 * the optimizer, checkpoints, the export and the planner. Names and shapes are those of Hugging Face's
 * LlamaForCausalLM; a matrix is [outputs, inputs], row-major. Tensors lie in one array in the table's order, without
 * gaps, so that q, k and v of a layer, and gate and up, each form one matrix that a single product can use. */
#ifndef TAMIS_TRAIN_SPEC_H
#define TAMIS_TRAIN_SPEC_H

#include "core/err.h"

#include <stdint.h>

/* The model: a pre-norm decoder with RMSNorm, rotary positions, grouped-query attention, SwiGLU and separate input and
 * output embeddings (arXiv 2401.02954, 2.2). */
typedef struct {
    uint32_t layers, d_model;
    uint32_t heads, kv_heads; /* heads is a multiple of kv_heads */
    uint32_t head_dim;        /* even; need not be d_model / heads */
    uint32_t ffn;             /* inner width of SwiGLU */
    uint32_t context;         /* tokens a sequence */
    uint32_t vocab_rows;      /* rows of both embeddings: the vocabulary, padded */
    double rope_theta, norm_eps, init_std;
} ModelShape;

enum {
    SPEC_NAME_BYTES = 64,
    SPEC_MAX_LAYERS = 1024,
    SPEC_MAX_WIDTH = 1 << 20, /* d_model, ffn, heads * head_dim, context */
    SPEC_MAX_VOCAB = 1 << 24
};

typedef enum {
    TENSOR_EMBED,
    TENSOR_ATTENTION_NORM,
    TENSOR_Q,
    TENSOR_K,
    TENSOR_V,
    TENSOR_O,
    TENSOR_FFN_NORM,
    TENSOR_GATE,
    TENSOR_UP,
    TENSOR_DOWN,
    TENSOR_FINAL_NORM,
    TENSOR_HEAD
} TensorKind;

typedef struct {
    char name[SPEC_NAME_BYTES]; /* NUL-terminated */
    TensorKind kind;
    uint32_t layer;      /* 0 for tensors outside layers */
    uint64_t rows, cols; /* rows 1 for the vector of a norm */
    uint64_t first;      /* index of element 0 in the array of all parameters */
    bool decay;          /* AdamW's weight decay applies; not to norms */
    double init_std;     /* of the normal distribution; 0: all ones */
} TensorSpec;

typedef struct {
    ModelShape shape;
    TensorSpec *tensor;
    uint32_t n_tensors;
    uint64_t n_params;
} ModelSpec;

/* ERR_USAGE names the first member of `shape` that is out of range. */
MUST_USE ErrCode modelshape_check(const ModelShape *shape, Err *err);
MUST_USE ErrCode modelspec_init(ModelSpec *m, const ModelShape *shape, Err *err);
void modelspec_clear(ModelSpec *m);
/* Index in the array of all parameters. */
uint64_t modelspec_at(const ModelSpec *m, TensorKind kind, uint32_t layer);

/* Accounting of the paper (arXiv 2401.02954, 3.1): non-embedding FLOPs a token, and what a product of all matrices would
 * count. */
typedef struct {
    uint64_t params, embedding_params; /* all; both embeddings */
    double n1_flops;                   /* 6 N1 = 72 L d^2 */
    double n2_flops;                   /* 6 N2 = 72 L d^2 + 6 V d */
    double m_flops;                    /* M = 72 L d^2 + 12 L d T: the paper's own measure, attention counted whole */
    double
        matrix_flops; /* 6 (params - input embedding - norms) + 6 L h hd T: causal attention, with the output matrix */
} ModelCost;
ModelCost model_cost(const ModelSpec *m);

#endif
