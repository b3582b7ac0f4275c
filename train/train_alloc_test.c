/* Memory that runs out anywhere in a run, in its resume, and in what reads the model. */
#include "train/generate.h"
#include "train/train.h"

#include "core/log.h"
#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"

enum { VOCAB = 8, CONTEXT = 8 };

static ErrCode any_sample(void *ctx, uint64_t s, uint32_t *out, Err *err)
{
    (void)ctx, (void)err;
    for (uint64_t i = 0; i <= CONTEXT; i++) out[i] = (uint32_t)((s + i * i) % VOCAB);
    return ERR_OK;
}

static ErrCode any_heldout(void *ctx, uint64_t i, uint32_t *stream, uint32_t *out, Err *err)
{
    *stream = 0;
    return any_sample(ctx, i + 100, out, err);
}

static const char *the_name(void *ctx, uint32_t stream)
{
    (void)ctx, (void)stream;
    return "web";
}

static Span a_byte(void *ctx, uint32_t token)
{
    (void)ctx, (void)token;
    return SPAN_LIT("x");
}

typedef struct {
    TrainConfig config;
    char ckpt[512], hf[512];
    uint64_t stop_after;
} Bench;

static Bench bench(void)
{
    Bench b = {.stop_after = 0};
    Err err;

    CHECK_OK(config_load(&b.config, "tiny", &err), &err);
    b.config.model = (ModelShape){.layers = 1,
                                  .d_model = 4,
                                  .heads = 1,
                                  .kv_heads = 1,
                                  .head_dim = 4,
                                  .ffn = 4,
                                  .context = CONTEXT,
                                  .rope_theta = 100,
                                  .norm_eps = 1e-6,
                                  .init_std = 0.1};
    b.config.vocab_multiple = VOCAB, b.config.batch = b.config.micro_batch = 1, b.config.steps = 2;
    b.config.eval_every = 1;
    CHECK_OK(config_resolve(&b.config, VOCAB, &err), &err);
    snprintf(b.ckpt, sizeof b.ckpt, "%s/ckpt", check_tmpdir());
    snprintf(b.hf, sizeof b.hf, "%s/hf", check_tmpdir());
    log_setup(LOG_QUIET, 0);
    return b;
}

static ErrCode train_all(void *ctx, Err *err)
{
    const Bench *b = ctx;
    const DataSource d = {.vocab_size = VOCAB,
                          .n_streams = 1,
                          .n_heldout = 2,
                          .content = {1, 2},
                          .stream_name = the_name,
                          .sample = any_sample,
                          .heldout = any_heldout,
                          .bytes = a_byte};
    const TrainOptions o = {.threads = 1, .stop_after = b->stop_after};
    ErrCode rc = train_run(&b->config, &d, b->ckpt, &o, err);

    return rc == ERR_INTR ? ERR_OK : rc;
}

static ErrCode forget(void *ctx, Err *err)
{
    const Bench *b = ctx;
    return store_delete_tree(b->ckpt, 1, err);
}

/* Back to the checkpoint of step 1. */
static ErrCode go_back(void *ctx, Err *err)
{
    Bench b = *(const Bench *)ctx;
    ErrCode rc = forget(ctx, err);

    b.stop_after = 1;
    return rc == ERR_OK ? train_all(&b, err) : rc;
}

static ErrCode read_model(void *ctx, Err *err)
{
    const Bench *b = ctx;
    const SampleParams p = {.temperature = 1, .seed = 1};
    const uint32_t prompt = 3;
    uint32_t out[12];
    size_t n;
    Hash128 tokenizer_id;
    Model *m = NULL;
    ErrCode rc = train_load_weights(b->ckpt, 1, &m, &tokenizer_id, err);

    if (rc == ERR_OK) rc = generate(m, &p, VOCAB, UINT32_MAX, &prompt, 1, out, 12, &n, err);
    if (rc == ERR_OK) rc = hf_export(m, 0, b->hf, err);
    model_free(m);
    return rc;
}

TEST(training_without_memory)
{
    Bench b = bench();
    Err err;

    alloc_fault_each(train_all, forget, &b);
    CHECK_OK(go_back(&b, &err), &err);
    alloc_fault_each(train_all, go_back, &b);
    alloc_fault_each(read_model, NULL, &b);
}
