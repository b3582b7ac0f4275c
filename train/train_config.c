/* train/train_config.c - the table of keys of train/train_config.h, its readers and writers, and the presets. */
#include "train/train_config.h"

#include "core/store.h"
#include "core/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum { KEY_U32, KEY_U64, KEY_F64 } KeyType;

typedef struct {
    const char *name;
    KeyType type;
    size_t offset;
    bool identity;
    double min, max;
    const char *help;
} Key;

#define KEY(name, type, member, identity, min, max, help)                   \
    {                                                                       \
        name, type, offsetof(TrainConfig, member), identity, min, max, help \
    }

/* Whole numbers of a JSON tree pass through double: 2^53 bounds them. */
static const double MAX_WHOLE = 9007199254740992.0;

static const Key keys[] = {
    KEY("layers", KEY_U32, model.layers, true, 1, SPEC_MAX_LAYERS, "decoder layers"),
    KEY("d_model", KEY_U32, model.d_model, true, 1, SPEC_MAX_WIDTH, "width of the residual stream"),
    KEY("heads", KEY_U32, model.heads, true, 1, SPEC_MAX_WIDTH, "query heads"),
    KEY("kv_heads", KEY_U32, model.kv_heads, true, 1, SPEC_MAX_WIDTH, "key and value heads"),
    KEY("head_dim", KEY_U32, model.head_dim, true, 2, SPEC_MAX_WIDTH, "width of a head"),
    KEY("ffn", KEY_U32, model.ffn, true, 1, SPEC_MAX_WIDTH, "inner width of SwiGLU"),
    KEY("context", KEY_U32, model.context, true, 1, SPEC_MAX_WIDTH, "tokens a sequence"),
    KEY("vocab_rows", KEY_U32, model.vocab_rows, true, 0, SPEC_MAX_VOCAB,
        "rows of the embeddings; 0: the vocabulary, padded"),
    KEY("vocab_multiple", KEY_U32, vocab_multiple, true, 1, 65536, "to a multiple of this"),
    KEY("rope_theta", KEY_F64, model.rope_theta, true, 1, 1e12, "base of the rotary frequencies"),
    KEY("norm_eps", KEY_F64, model.norm_eps, true, 1e-12, 1, "RMSNorm: added to the mean square"),
    KEY("init_std", KEY_F64, model.init_std, true, 1e-9, 10, "standard deviation of initial matrices"),
    KEY("batch", KEY_U32, batch, true, 1, 1 << 20, "sequences a step"),
    KEY("micro_batch", KEY_U32, micro_batch, true, 1, 65536, "sequences at a time"),
    KEY("tokens", KEY_U64, tokens, true, 0, MAX_WHOLE, "training tokens"),
    KEY("steps", KEY_U64, steps, true, 0, 1e12, "training steps; 0: from tokens"),
    KEY("lr", KEY_F64, lr, true, 1e-12, 10, "maximum learning rate"),
    KEY("warmup_steps", KEY_U64, warmup_steps, true, 0, 1e12, "linear warm-up; at most 5 % of all steps"),
    KEY("beta1", KEY_F64, adamw.beta1, true, 0, 0.999999, "AdamW"),
    KEY("beta2", KEY_F64, adamw.beta2, true, 0, 0.999999, "AdamW"),
    KEY("eps", KEY_F64, adamw.eps, true, 1e-20, 1, "AdamW"),
    KEY("weight_decay", KEY_F64, adamw.weight_decay, true, 0, 10, "AdamW; not on norms"),
    KEY("clip", KEY_F64, clip, true, 0, 1e9, "largest global norm of the gradient; 0: none"),
    KEY("seed", KEY_U64, seed, true, 0, MAX_WHOLE, "initial weights and order of the data"),
    KEY("heldout", KEY_F64, heldout, true, 0, 0.5, "share of every stream kept out of training"),
    KEY("block_bytes", KEY_U64, block_bytes, true, 0, 1e15, "permuted unit of the data; 0: 64 MiB"),
    KEY("window", KEY_U32, window, true, 0, 4294967295.0, "blocks shuffled together; 0: all"),
    KEY("eval_every", KEY_U64, eval_every, false, 0, 1e12, "steps between evaluations; 0: only at the end"),
    KEY("eval_samples", KEY_U32, eval_samples, false, 1, 1 << 24, "held-out sequences of an evaluation"),
    KEY("final_eval_samples", KEY_U32, final_eval_samples, false, 1, 1 << 24, "and of the last one"),
    KEY("checkpoint_seconds", KEY_F64, checkpoint_seconds, false, 0, 1e9, "seconds between checkpoints; 0: off"),
    KEY("checkpoint_steps", KEY_U64, checkpoint_steps, false, 0, 1e12, "steps between checkpoints; 0: off"),
    KEY("keep", KEY_U32, keep, false, 1, 1000, "newest checkpoints kept"),
};
enum { N_KEYS = sizeof keys / sizeof *keys };

/* Tokens of a micro-batch: with the bounds of a shape, activations then take less than 2^62 bytes. */
enum { MAX_MICRO_TOKENS = 1 << 26 };

#define PAPER_ADAMW                                                   \
    {                                                                 \
        .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1 \
    } /* arXiv 2401.02954, 2.3 */

static const struct {
    const char *name;
    TrainConfig config;
} presets[] = {
    /* A few minutes on two cores; docs/decisions.md says how these numbers were found. */
    {"tiny",
     {.model = {.layers = 2,
                .d_model = 128,
                .heads = 2,
                .kv_heads = 2,
                .head_dim = 64,
                .ffn = 352,
                .context = 256,
                .rope_theta = 10000,
                .norm_eps = 1e-6,
                .init_std = 0.06},
      .vocab_multiple = 64,
      .batch = 4,
      .micro_batch = 4,
      .tokens = 3000000,
      .lr = 3e-3,
      .warmup_steps = 2000,
      .adamw = PAPER_ADAMW,
      .clip = 1,
      .seed = 1,
      .heldout = 0.05,
      .eval_every = 100,
      .eval_samples = 32,
      .final_eval_samples = 512,
      .checkpoint_seconds = 60,
      .keep = 2}},
    /* DeepSeek LLM 7B: arXiv 2401.02954, table 2 and 2.3; ffn and eps from its published configuration. */
    {"7b",
     {.model = {.layers = 30,
                .d_model = 4096,
                .heads = 32,
                .kv_heads = 32,
                .head_dim = 128,
                .ffn = 11008,
                .context = 4096,
                .vocab_rows = 102400,
                .rope_theta = 10000,
                .norm_eps = 1e-6,
                .init_std = 0.006},
      .vocab_multiple = 64,
      .batch = 2304,
      .micro_batch = 1,
      .tokens = 2000000000000,
      .lr = 4.2e-4,
      .warmup_steps = 2000,
      .adamw = PAPER_ADAMW,
      .clip = 1,
      .seed = 1,
      .heldout = 0.0001,
      .eval_every = 1000,
      .eval_samples = 256,
      .final_eval_samples = 4096,
      .checkpoint_seconds = 300,
      .keep = 3}},
};

static double get(const TrainConfig *c, const Key *k)
{
    const char *p = (const char *)c + k->offset;
    switch (k->type) {
    case KEY_U32: return *(const uint32_t *)p;
    case KEY_U64: return (double)*(const uint64_t *)p;
    case KEY_F64: return *(const double *)p;
    }
    return 0;
}

static ErrCode put(TrainConfig *c, const Key *k, double v, const char *where, Err *err)
{
    char *p = (char *)c + k->offset;

    if (!(v >= k->min && v <= k->max))
        return err_set(err, ERR_USAGE, "%s: %s is %g, must be %g to %g", where, k->name, v, k->min, k->max);
    if (k->type != KEY_F64 && v != floor(v))
        return err_set(err, ERR_USAGE, "%s: %s is %g, must be a whole number", where, k->name, v);
    switch (k->type) {
    case KEY_U32: *(uint32_t *)p = (uint32_t)v; break;
    case KEY_U64: *(uint64_t *)p = (uint64_t)v; break;
    case KEY_F64: *(double *)p = v; break;
    }
    return ERR_OK;
}

static const Key *find_key(Span name)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (span_is(name, keys[i].name)) return &keys[i];
    return NULL;
}

static bool set_preset(TrainConfig *c, const char *name)
{
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0) {
            *c = presets[i].config;
            return true;
        }
    return false;
}

enum { PRESET_NAMES_SIZE = 64 };

/* "tiny, 7b" */
static const char *preset_names(char out[PRESET_NAMES_SIZE])
{
    size_t n = 0;

    for (size_t i = 0; i < sizeof presets / sizeof *presets && n < PRESET_NAMES_SIZE; i++)
        n += (size_t)snprintf(out + n, PRESET_NAMES_SIZE - n, "%s%s", i ? ", " : "", presets[i].name);
    return out;
}

static ErrCode read_tree(TrainConfig *c, const Json *tree, const char *name, Err *err)
{
    const char *preset = NULL;
    char names[PRESET_NAMES_SIZE];
    ErrCode rc;

    if (tree->type != JSON_OBJECT) return err_set(err, ERR_USAGE, "%s: must be a map of keys", name);
    if ((rc = json_get_str(tree, "preset", name, &preset, err)) != ERR_OK) return rc;
    if (!set_preset(c, preset ? preset : "tiny"))
        return err_set(err, ERR_USAGE, "%s: no preset \"%s\"; there are %s", name, preset, preset_names(names));
    for (const Json *v = tree->child; v; v = v->next) {
        const Key *k = find_key(v->key);
        if (span_is(v->key, "preset")) continue;
        if (!k) return err_set(err, ERR_USAGE, "%s: unknown key \"%.60s\"", name, (const char *)v->key.p);
        if (v->type != JSON_NUMBER) return err_set(err, ERR_USAGE, "%s: %s must be a number", name, k->name);
        if ((rc = put(c, k, v->number, name, err)) != ERR_OK) return rc;
    }
    return ERR_OK;
}

ErrCode config_load(TrainConfig *c, const char *name, Err *err)
{
    Arena arena = {0};
    Buf text = {0};
    Json *tree;
    bool exists;
    char names[PRESET_NAMES_SIZE];
    ErrCode rc;

    if (set_preset(c, name)) return ERR_OK;
    if ((rc = store_exists(name, &exists, err)) != ERR_OK) return rc;
    if (!exists)
        return err_set(err, ERR_SYS, "%s is neither a file nor a preset; the presets are %s", name,
                       preset_names(names));
    if ((rc = store_read(name, CONFIG_MAX_BYTES, &text, err)) != ERR_OK) goto out;
    if ((rc = yaml_parse(&arena, buf_span(&text), name, &tree, err)) != ERR_OK) goto out;
    rc = read_tree(c, tree, name, err);
out:
    buf_clear(&text);
    arena_clear(&arena);
    return rc;
}

ErrCode config_set(TrainConfig *c, const char *assignment, Err *err)
{
    const size_t eq = span_find(span_str(assignment), '=');
    const Key *k = find_key(span(assignment, eq));
    const char *value = assignment + eq + 1;
    char *end;
    double v;

    if (assignment[eq] != '=') return err_set(err, ERR_USAGE, "--set wants KEY=VALUE, not \"%s\"", assignment);
    if (!k) return err_set(err, ERR_USAGE, "--set: unknown key \"%.*s\"", (int)eq, assignment);
    v = strtod(value, &end);
    if (end == value || *end) return err_set(err, ERR_USAGE, "--set %s: not a number", assignment);
    return put(c, k, v, "--set", err);
}

ErrCode config_resolve(TrainConfig *c, uint32_t vocab_size, Err *err)
{
    const uint64_t step_tokens = (uint64_t)c->batch * c->model.context;
    ErrCode rc;

    if (c->model.vocab_rows == 0)
        c->model.vocab_rows = (vocab_size + c->vocab_multiple - 1) / c->vocab_multiple * c->vocab_multiple;
    if (c->model.vocab_rows < vocab_size)
        return err_set(err, ERR_USAGE, "vocab_rows is %" PRIu32 " but the tokens need %" PRIu32, c->model.vocab_rows,
                       vocab_size);
    if ((rc = modelshape_check(&c->model, err)) != ERR_OK) return rc;
    if (c->steps == 0) c->steps = (c->tokens + step_tokens - 1) / step_tokens;
    if (c->steps == 0) return err_set(err, ERR_USAGE, "one of steps and tokens must be above 0");
    if (c->steps > (uint64_t)MAX_WHOLE / step_tokens) /* a checkpoint could not give the number back */
        return err_set(err, ERR_USAGE, "%" PRIu64 " steps of %" PRIu64 " tokens are more than 2^53 tokens", c->steps,
                       step_tokens);
    c->tokens = c->steps * step_tokens;
    if (c->micro_batch > c->batch) c->micro_batch = c->batch;
    if (c->batch % c->micro_batch)
        return err_set(err, ERR_USAGE, "batch %" PRIu32 " is no multiple of micro_batch %" PRIu32, c->batch,
                       c->micro_batch);
    if (c->micro_batch > MAX_MICRO_TOKENS / c->model.context)
        return err_set(err, ERR_USAGE, "micro_batch * context is above %d tokens", MAX_MICRO_TOKENS);
    return ERR_OK;
}

void config_put_json(Buf *out, const TrainConfig *c, bool identity)
{
    bool first = true;

    for (size_t i = 0; i < N_KEYS; i++) {
        if (identity && !keys[i].identity) continue;
        /* 17 digits give back every double. */
        buf_printf(out, "%s\"%s\":%.17g", first ? "{" : ",", keys[i].name, get(c, &keys[i]));
        first = false;
    }
    buf_puts(out, "}");
}

ErrCode config_read_json(TrainConfig *c, Span text, const char *name, Err *err)
{
    Arena arena = {0};
    Json *tree;
    ErrCode rc;

    if ((rc = json_parse(&arena, text, name, &tree, err)) == ERR_OK) rc = read_tree(c, tree, name, err);
    arena_clear(&arena);
    if (rc != ERR_USAGE) return rc;
    if (err) err->code = ERR_DATA; /* a file of ours, not the user's */
    return ERR_DATA;
}

const char *config_difference(const TrainConfig *a, const TrainConfig *b)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (keys[i].identity && get(a, &keys[i]) != get(b, &keys[i])) return keys[i].name;
    return NULL;
}

double config_value(const TrainConfig *c, const char *key)
{
    const Key *k = find_key(span_str(key));
    return k ? get(c, k) : NAN;
}

void config_print_keys(void)
{
    TrainConfig tiny;

    if (!set_preset(&tiny, "tiny")) return;
    printf("Keys of a configuration, with the values of the preset tiny:\n");
    for (size_t i = 0; i < N_KEYS; i++)
        printf("  %-18s %-10.10g %s\n", keys[i].name, get(&tiny, &keys[i]), keys[i].help);
}
