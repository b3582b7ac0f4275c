/* train/train_main.c - tamis-train: options to parameters, one of its modes, the exit status. */
#include "train/device.h"
#include "train/gemm.h"
#include "train/generate.h"
#include "train/train.h"

#include "core/events.h"
#include "core/log.h"
#include "core/options.h"
#include "core/store.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { GENERATE_MAX_TOKENS = 1 << 20 };

typedef struct {
    CommonOptions common;
    const char *config, *out, *steps, *tokens, *seed;
    OptList set;
    bool plan, keys, version;
    const char *generate, *score, *export_hf; /* directories of checkpoints */
    const char *tokens_dir, *prompt_ids;
    uint32_t n, top_k;
    double temperature;
    bool ids;
    SampleParams sample; /* from here on: settled */
    TrainConfig config_values;
} Options;

static const char usage[] = "[options] -c CONFIG -o CKPT_DIR TOKENS_DIR\n"
                            "       tamis train --generate CKPT_DIR --tokens-dir TOKENS_DIR [--prompt-ids 1,2,3]\n"
                            "       tamis train --export-hf CKPT_DIR [--tokens-dir TOKENS_DIR] OUT_DIR\n"
                            "       tamis train --score CKPT_DIR --prompt-ids 1,2,3\n"
                            "       tamis train --plan -c CONFIG [TOKENS_DIR]";

/* --- training */

static ErrCode load_config(const Options *o, TrainConfig *c, Err *err)
{
    const struct {
        const char *key, *value;
    } own[] = {{"steps", o->steps}, {"tokens", o->tokens}, {"seed", o->seed}};
    char text[128];
    ErrCode rc = config_load(c, o->config, err);

    for (size_t i = 0; i < o->set.n && rc == ERR_OK; i++) rc = config_set(c, o->set.v[i], err);
    for (size_t i = 0; i < 3 && rc == ERR_OK; i++) {
        if (!own[i].value) continue;
        snprintf(text, sizeof text, "%s=%s", own[i].key, own[i].value);
        rc = config_set(c, text, err);
        if (rc == ERR_OK && i == 0 && c->steps == 0) rc = err_set(err, ERR_USAGE, "train: --steps must be above 0");
        if (rc == ERR_OK && i == 1 && !o->steps) c->steps = 0; /* --tokens counts, not the file's steps */
    }
    return rc;
}

static ErrCode train(const Options *o, const char *tokens_dir, const Par *par, Err *err)
{
    const TrainOptions run = {.threads = par->threads, .force = o->common.force};
    TrainConfig c = o->config_values;
    DataSource vocab = {0}, data = {0};
    ErrCode rc;

    if ((rc = tokens_vocab(&vocab, tokens_dir, err)) != ERR_OK) goto out;
    if ((rc = config_resolve(&c, vocab.vocab_size, err)) != ERR_OK) goto out;
    if ((rc = tokens_source(&data, tokens_dir, &c, err)) != ERR_OK) goto out;
    rc = train_run(&c, &data, o->out, &run, err);
out:
    datasource_clear(&data);
    datasource_clear(&vocab);
    return rc;
}

/* Without a tokens directory the vocabulary is the configuration's, else 8192. */
static uint32_t assumed_vocab(const TrainConfig *c) { return c->model.vocab_rows ? c->model.vocab_rows : 8192; }

static ErrCode plan(const Options *o, const char *tokens_dir, Err *err)
{
    TrainConfig c = o->config_values;
    DataSource vocab = {0};
    uint32_t vocab_size = assumed_vocab(&c);
    ErrCode rc;

    if (tokens_dir) {
        if ((rc = tokens_vocab(&vocab, tokens_dir, err)) != ERR_OK) return rc;
        vocab_size = vocab.vocab_size;
        datasource_clear(&vocab);
    }
    if ((rc = config_resolve(&c, vocab_size, err)) != ERR_OK) return rc;
    return train_plan(&c, err);
}

/* --- reading a trained model */

/* "1,2,3", or "[1,2,3]" as tamis tokenize --ids prints them, into ids < limit. */
static ErrCode parse_ids(const char *text, uint32_t limit, uint32_t **ids, size_t *n, Err *err)
{
    Span rest = span_trim(span_str(text));

    if (rest.n >= 2 && rest.p[0] == '[' && rest.p[rest.n - 1] == ']') rest = span_trim(span(rest.p + 1, rest.n - 2));
    *n = 0;
    *ids = malloc((rest.n + 1) * sizeof **ids);
    if (!*ids) return err_nomem(err, "a prompt");
    while (rest.n > 0) {
        const size_t comma = span_find(rest, ',');
        uint64_t id;
        if (!span_to_u64(span_trim(span(rest.p, comma)), &id) || id >= limit)
            return err_set(err, ERR_USAGE, "--prompt-ids wants token ids below %" PRIu32 ", not \"%.40s\"", limit,
                           (const char *)rest.p);
        (*ids)[(*n)++] = (uint32_t)id;
        rest = span_from(rest, comma + 1);
    }
    return ERR_OK;
}

/* Token ids as text; bytes that are no UTF-8 (a cut character) become U+FFFD. */
static ErrCode print_text(const DataSource *d, const uint32_t *id, size_t n, Err *err)
{
    Buf raw = {0}, text = {0};
    ErrCode rc;

    for (size_t i = 0; i < n; i++)
        if (id[i] != d->eos_id) buf_put_span(&raw, d->bytes(d->ctx, id[i]));
    if (!raw.oom) utf8_repair(&text, buf_span(&raw));
    buf_putc(&text, '\n');
    rc = raw.oom ? err_nomem(err, "generated text") : buf_ok(&text, "generated text", err);
    if (rc == ERR_OK) fwrite(text.p, 1, text.n, stdout);
    buf_clear(&raw);
    buf_clear(&text);
    return rc;
}

/* Prints prompt and continuation. Without a prompt the text begins after an end-of-document token. */
static ErrCode generate_mode(const Options *o, Model *m, const DataSource *d, Err *err)
{
    uint32_t *prompt = NULL, *all = NULL;
    size_t n_prompt = 0, n_out = 0;
    ErrCode rc = ERR_OK;

    rc = parse_ids(o->prompt_ids ? o->prompt_ids : "", d->vocab_size, &prompt, &n_prompt, err);
    if (rc == ERR_OK && n_prompt == 0) prompt[n_prompt++] = d->eos_id;
    if (rc == ERR_OK) all = malloc((n_prompt + o->n + 1) * sizeof *all);
    if (rc == ERR_OK && !all) rc = err_nomem(err, "generated text");
    if (rc == ERR_OK) {
        memcpy(all, prompt, n_prompt * sizeof *all);
        rc = generate(m, &o->sample, d->vocab_size, d->eos_id, prompt, n_prompt, all + n_prompt, o->n, &n_out, err);
    }
    if (rc == ERR_OK && o->ids) {
        for (size_t i = 0; i < n_prompt + n_out; i++) printf("%s%" PRIu32, i ? "," : "", all[i]);
        printf("\n");
    } else if (rc == ERR_OK) {
        rc = print_text(d, all, n_prompt + n_out, err);
    }
    free(prompt);
    free(all);
    return rc;
}

/* Nats of every token of the prompt after the first, one a line. */
static ErrCode score_mode(const Options *o, Model *m, Err *err)
{
    const uint32_t v = m->spec.shape.vocab_rows;
    uint32_t *id = NULL;
    size_t n = 0;
    Decoder *d = NULL;
    ErrCode rc = parse_ids(o->prompt_ids ? o->prompt_ids : "", v, &id, &n, err);

    if (rc == ERR_OK && (n < 2 || n > m->spec.shape.context))
        rc =
            err_set(err, ERR_USAGE, "--score wants 2 to %" PRIu32 " --prompt-ids, not %zu", m->spec.shape.context, n);
    if (rc == ERR_OK) rc = decoder_new(&d, m, err);
    for (size_t i = 0; rc == ERR_OK && i + 1 < n; i++) {
        const float *logits = decoder_feed(d, id[i]);
        double sum = 0;
        if (interrupt_seen()) rc = err_set(err, ERR_INTR, "stopped after %zu tokens", i);
        for (uint32_t t = 0; t < v; t++) sum += exp((double)logits[t] - logits[id[i + 1]]);
        printf("%.9g\n", log(sum));
    }
    decoder_free(d);
    free(id);
    return rc;
}

static ErrCode read_mode(const Options *o, const char *out_dir, const Par *par, Err *err)
{
    const char *dir = o->generate ? o->generate : o->score ? o->score : o->export_hf;
    DataSource d = {0};
    Model *m = NULL;
    Hash128 tokenizer_id;
    ErrCode rc = train_load_weights(dir, par->threads, &m, &tokenizer_id, err);

    if (rc == ERR_OK && o->tokens_dir) rc = tokens_vocab(&d, o->tokens_dir, err);
    if (rc == ERR_OK && o->tokens_dir && !hash128_eq(d.tokenizer_id, tokenizer_id))
        rc = err_set(err, ERR_DATA, "%s has another vocabulary than the model of %s was trained with", o->tokens_dir,
                     dir);
    if (rc == ERR_OK && o->tokens_dir && d.vocab_size > m->spec.shape.vocab_rows)
        rc = err_set(err, ERR_DATA, "%s has %" PRIu32 " tokens, the model of %s only %" PRIu32, o->tokens_dir,
                     d.vocab_size, dir, m->spec.shape.vocab_rows);
    if (rc == ERR_OK) {
        if (o->generate)
            rc = generate_mode(o, m, &d, err);
        else if (o->score)
            rc = score_mode(o, m, err);
        else
            rc = hf_export(m, o->tokens_dir ? d.eos_id : UINT32_MAX, out_dir, err);
    }
    model_free(m);
    datasource_clear(&d);
    return rc;
}

/* --- */

static void print_version(void)
{
    char devices[4096];

    device_describe(devices, sizeof devices);
    printf("tamis-train " TAMIS_VERSION "\nbuilt with " TAMIS_LIBRARIES "\nmatrix product: %s\n%s",
           gemm_kernel(0)->name, devices);
}

static int n_reading(const Options *o) { return !!o->generate + !!o->score + !!o->export_hf; }

/* Options against each other, and the configuration; of the Options *value. What depends on the tokens is left to the run. */
static ErrCode settle(void *value, Err *err)
{
    Options *o = value;
    TrainConfig c;
    ErrCode rc;

    if (o->version || o->keys) return ERR_OK;
    if (n_reading(o) + o->plan > 1)
        return err_set(err, ERR_USAGE, "train: --generate, --score, --export-hf and --plan exclude each other");
    if (o->generate && !o->tokens_dir) return err_set(err, ERR_USAGE, "train: --generate needs --tokens-dir");
    if (o->n > GENERATE_MAX_TOKENS) return err_set(err, ERR_USAGE, "train: --n is at most %d", GENERATE_MAX_TOKENS);
    if (o->common.threads > PAR_MAX_THREADS)
        return err_set(err, ERR_USAGE, "train: --threads is at most %d", PAR_MAX_THREADS);
    if (!(o->temperature >= 0)) return err_set(err, ERR_USAGE, "train: --temperature must be 0 or more");
    o->sample = (SampleParams){.temperature = o->temperature, .top_k = o->top_k, .seed = 1};
    if (n_reading(o))
        return !o->seed || span_to_u64(span_str(o->seed), &o->sample.seed)
                   ? ERR_OK
                   : err_set(err, ERR_USAGE, "train: --seed wants a whole number, not \"%s\"", o->seed);
    if ((rc = load_config(o, &o->config_values, err)) != ERR_OK) return rc;
    c = o->config_values;
    return config_resolve(&c, assumed_vocab(&c), err);
}

/* What the modes need of operands, before anything is read. */
static ErrCode check_operands(const Options *o, int n_operands, char **operands, Err *err)
{
    const bool training = !n_reading(o) && !o->plan;

    if (o->export_hf && n_operands != 1) return err_set(err, ERR_USAGE, "train: --export-hf needs one OUT_DIR");
    if ((o->generate || o->score) && n_operands)
        return err_set(err, ERR_USAGE, "train: unexpected operand %s", operands[0]);
    if (o->plan && n_operands > 1) return err_set(err, ERR_USAGE, "train: --plan takes at most one TOKENS_DIR");
    if (training && n_operands != 1)
        return err_set(err, ERR_USAGE, "train: one TOKENS_DIR is needed; try tamis train --help");
    if (training && !o->out) return err_set(err, ERR_USAGE, "train: --out is needed; try tamis train --help");
    if (training && store_is_remote(o->out))
        return err_set(err, ERR_USAGE,
                       "train: --out must be a directory of a file system; copy it to an object store afterwards");
    return ERR_OK;
}

static ErrCode run(int argc, char **argv, Options *o, Err *err)
{
    const OptSpec specs[] = {
        OPT_HEAD("Training:"),
        OPT_STR('c', "config", &o->config, "NAME|FILE", "preset tiny or 7b, or a YAML file of keys"),
        OPT_STR('o', "out", &o->out, "DIR", "checkpoints, log.jsonl and result.json go here; a rerun continues"),
        OPT_STR(0, "steps", &o->steps, "N", "training steps"),
        OPT_STR(0, "tokens", &o->tokens, "N", "training tokens, rounded up to whole steps"),
        OPT_STR('s', "seed", &o->seed, "N", "initial weights and order of data; or of generated text"),
        OPT_LIST(0, "set", &o->set, "KEY=VALUE", "any key of the configuration"),
        OPT_COMMON_THREADS(&o->common),
        OPT_FLAG(0, "force", &o->common.force, "start anew although DIR holds another run"),
        OPT_FLAG(0, "plan", &o->plan, "print parameters, memory and FLOPs; train nothing"),
        OPT_FLAG(0, "keys", &o->keys, "print the keys of a configuration"),
        OPT_HEAD("Reading a trained model:"),
        OPT_STR(0, "generate", &o->generate, "CKPT_DIR", "print a continuation of --prompt-ids"),
        OPT_STR(0, "score", &o->score, "CKPT_DIR", "print the nats of each of --prompt-ids after the first"),
        OPT_STR(0, "export-hf", &o->export_hf, "CKPT_DIR",
                "write the model to OUT_DIR as transformers' LlamaForCausalLM"),
        OPT_STR(0, "tokens-dir", &o->tokens_dir, "DIR", "whose vocab.bin the model was trained with"),
        OPT_STR(0, "prompt-ids", &o->prompt_ids, "1,2,3", "token ids"),
        OPT_U32('n', "n", &o->n, "N", "tokens to add at most"),
        OPT_F64(0, "temperature", &o->temperature, "T", "0: always the likeliest"),
        OPT_U32(0, "top-k", &o->top_k, "K", "choose among the K likeliest; 0: all"),
        OPT_FLAG(0, "ids", &o->ids, "print token ids instead of text"),
        OPT_HEAD("Other:"),
        OPT_FLAG(0, "version", &o->version, "print version, libraries and devices"),
        OPT_CHECK(settle, o),
        OPT_COMMON_EVENTS(&o->common),
        OPT_COMMON_TALK(&o->common),
        OPT_END,
    };
    const OptVerb verb = {
        "train", usage, "Pretrain a LLaMA-style model from a tokens directory, on the CPU in single precision.",
        specs,
        "A run's length (--steps, --tokens) is part of its plan, since the learning rate follows it.\n"
        "`tamis tokenize --ids -t tokenizer.json` makes the ids of a prompt out of text."};
    int first;
    ErrCode rc = options_parse(&verb, argc, argv, &first, err);

    if (rc != ERR_OK) return rc;
    if (o->version || o->keys) {
        if (o->version)
            print_version();
        else
            config_print_keys();
        return ERR_OK;
    }
    if ((rc = check_operands(o, argc - first, argv + first, err)) != ERR_OK) return rc;
    if ((rc = par_refuse_tasks("tamis train", err)) != ERR_OK) return rc;
    const Par par = par_alone((int)o->common.threads);
    const char *operand = first < argc ? argv[first] : NULL;
    log_setup(o->common.quiet ? LOG_QUIET : o->common.verbose ? LOG_VERBOSE : LOG_NORMAL, 0);
    if (o->plan) return plan(o, operand, err);
    if (o->generate || o->score || o->export_hf) return read_mode(o, operand, &par, err);
    events_open(o->common.events, verb.name, &par);
    return train(o, operand, &par, err);
}

int main(int argc, char **argv)
{
    Options o = {.config = "tiny", .n = 200, .top_k = 40, .temperature = 0.8};
    Err err = {0};

    interrupt_install();
    ErrCode rc = run(argc, argv, &o, &err);
    optlist_clear(&o.set);
    if (rc == ERR_NO && !err.msg[0]) rc = ERR_OK; /* --help was printed */
    return verb_exit(rc, &err);
}
