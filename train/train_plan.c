/* train/train_plan.c - what a run will take, without running it: parameters, memory, arithmetic (train/train.h). */
#include "train/model.h"
#include "train/schedule.h"
#include "train/train.h"

#include <inttypes.h>
#include <stdio.h>

static void line_u64(const char *what, uint64_t v) { printf("%-34s %" PRIu64 "\n", what, v); }
static void line_f64(const char *what, double v, const char *note)
{
    printf("%-34s %.4g%s%s\n", what, v, *note ? "   " : "", note);
}

static void line_bytes(const char *what, uint64_t v) { printf("%-34s %.1f MiB\n", what, (double)v / (1 << 20)); }

ErrCode train_plan(const TrainConfig *c, Err *err)
{
    const ModelShape *s = &c->model;
    const uint64_t step_tokens = (uint64_t)c->batch * s->context;
    ModelSpec spec;
    ErrCode rc = modelspec_init(&spec, s, err);

    if (rc != ERR_OK) return rc;
    const ModelCost cost = model_cost(&spec);
    const uint64_t activations = model_bytes(&spec, c->micro_batch, true) - 8 * spec.n_params;
    printf("%-34s %" PRIu32 " layers, d %" PRIu32 ", %" PRIu32 "/%" PRIu32 " heads of %" PRIu32 ", ffn %" PRIu32 "\n",
           "model", s->layers, s->d_model, s->heads, s->kv_heads, s->head_dim, s->ffn);
    printf("%-34s context %" PRIu32 ", %" PRIu32 " rows of vocabulary\n", "", s->context, s->vocab_rows);
    line_u64("parameters", cost.params);
    line_u64("  of both embeddings", cost.embedding_params);
    line_u64("  others", cost.params - cost.embedding_params);
    line_f64("FLOPs a token, M", cost.m_flops, "72 L d^2 + 12 L d T, the paper's measure");
    line_f64("              6 N1", cost.n1_flops, "72 L d^2");
    line_f64("              6 N2", cost.n2_flops, "72 L d^2 + 6 V d");
    line_f64("              of all matrices", cost.matrix_flops, "causal attention, output matrix");
    line_u64("tokens a step", step_tokens);
    line_u64("steps", c->steps);
    line_u64("  of warm-up", schedule_warmup(c->warmup_steps, c->steps));
    line_u64("tokens", c->tokens);
    line_f64("FLOPs of the run, C = M D", cost.m_flops * (double)c->tokens, "");
    line_f64("              of all matrices", cost.matrix_flops * (double)c->tokens, "");
    line_bytes("memory: weights, gradients, moments", 16 * spec.n_params);
    line_bytes("  activations of a micro-batch", activations);
    line_bytes("  together", 16 * spec.n_params + activations);
    line_bytes("a checkpoint", 12 * spec.n_params);
    modelspec_clear(&spec);
    return ERR_OK;
}
