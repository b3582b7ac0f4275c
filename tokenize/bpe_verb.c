/* tokenize/bpe_verb.c - `tamis bpe`. Beside tokenizer.json lies tokenizer.json.manifest.json with the key of the run, by which a
 * rerun knows what is there. When the tokenizer is trained the manifest is written without the content's hash, then
 * tokenizer.json, then the manifest again with it: a run that was stopped before has left nothing, one killed in between has left a
 * file that its rerun knows for its own. */
#include "core/events.h"
#include "core/json.h"
#include "core/options.h"
#include "core/stage.h"
#include "core/store.h"
#include "tokenize/bpe_count.h"
#include "tokenize/bpe_input.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char after[] = "With a mixture.json in DATASET its weights are the shares of text that are counted. The "
                            "added tokens of a preset\n"
                            "come behind the last merge: 100000 + 15. Presets: tamis starts from all 256 bytes and "
                            "adds <|end_of_text|> (the end\n"
                            "of a document) and 14 more special tokens; deepseek-llm starts from the bytes seen and "
                            "adds what DeepSeek-LLM adds.\n"
                            "Distinct words stay in memory: some 15 bytes for a byte of Chinese text, 3 of English.";

static const char *const presets[] = {"tamis", "deepseek-llm", NULL};

enum { BPE_STAGE_VERSION = 1, MANIFEST_MAX_BYTES = 1 << 20 };

typedef struct {
    const char *out;
    uint32_t preset;
    BpeParams bpe;
    BpeSource source;
    uint64_t memory; /* of this process */
    bool force;
} BpeRun;

/* What the run is: everything that decides tokenizer.json. */
typedef struct {
    Buf params, inputs, contents;
    Hash128 key;
    Arena names;
    char *manifest; /* path */
} BpePlan;

static void plan_clear(BpePlan *p)
{
    buf_clear(&p->params);
    buf_clear(&p->inputs);
    buf_clear(&p->contents);
    arena_clear(&p->names);
}

static ErrCode plan_make(BpePlan *p, const BpeRun *run, const BpeInput *in, Err *err)
{
    static const StageDef def = {.name = "bpe", .version = BPE_STAGE_VERSION};
    Buf path = {0};
    ErrCode rc;

    buf_printf(&p->params, "{\"preset\":\"%s\",\"vocab_size\":%" PRIu32 ",\"min_frequency\":%" PRIu64,
               presets[run->preset], run->bpe.vocab_size, run->bpe.min_frequency);
    buf_printf(&p->params, ",\"max_token_length\":%" PRIu32 ",\"sample_bytes\":%" PRIu64 "}",
               run->bpe.max_token_length, run->source.sample_bytes);
    bpeinput_describe(in, &p->inputs, &p->contents);
    buf_puts(&path, run->out);
    buf_puts(&path, ".manifest.json");
    p->manifest = arena_str(&p->names, buf_span(&path));
    bool ok = p->manifest && !path.oom;
    buf_clear(&path);
    if (!ok) return err_nomem(err, "a path");
    if ((rc = buf_ok(&p->params, "a key", err)) != ERR_OK) return rc;
    if ((rc = buf_ok(&p->contents, "a key", err)) != ERR_OK) return rc;
    if ((rc = buf_ok(&p->inputs, "a key", err)) != ERR_OK) return rc;
    return stage_key(&def, buf_span(&p->params), buf_span(&p->contents), &p->key, err);
}

/* --- what is there already */

static ErrCode hash_file(const char *path, Hash128 *content, Err *err)
{
    Buf bytes = {0};
    ErrCode rc = store_read(path, TOKENIZER_MAX_BYTES, &bytes, err);

    *content = hash128(buf_span(&bytes));
    buf_clear(&bytes);
    return rc;
}

static ErrCode read_manifest(const BpePlan *p, bool *same_key, bool *complete, Hash128 *content, Err *err)
{
    Arena tree = {0};
    Buf text = {0};
    const char *format, *key, *hex;
    Hash128 found;
    Json *root;
    ErrCode rc;

    *same_key = *complete = false;
    if ((rc = store_read(p->manifest, MANIFEST_MAX_BYTES, &text, err)) != ERR_OK) goto out;
    if ((rc = json_parse(&tree, buf_span(&text), p->manifest, &root, err)) != ERR_OK) goto out;
    if ((rc = json_get_str(root, "format", p->manifest, &format, err)) != ERR_OK) goto out;
    if ((rc = json_get_str(root, "key", p->manifest, &key, err)) != ERR_OK) goto out;
    if ((rc = json_get_str(root, "content", p->manifest, &hex, err)) != ERR_OK) goto out;
    if (!format || strcmp(format, "tamis-bpe") != 0 || !key || !hash128_parse(span_str(key), &found)) {
        rc = err_set(err, ERR_DATA, "%s is not the manifest of a tokenizer: choose another name", p->manifest);
        goto out;
    }
    *same_key = hash128_eq(found, p->key);
    *complete = hex && hash128_parse(span_str(hex), content);
out:
    buf_clear(&text);
    arena_clear(&tree);
    return rc;
}

/* ERR_DATA when the place is taken by something else, which --force spares too where bpe did not make it; *done when our
 * tokenizer is there. */
static ErrCode look(const BpePlan *p, const BpeRun *run, bool *done, Err *err)
{
    bool have_out, have_manifest, same_key, complete;
    Hash128 content, is;
    ErrCode rc;

    *done = false;
    if ((rc = store_exists(run->out, &have_out, err)) != ERR_OK) return rc;
    if ((rc = store_exists(p->manifest, &have_manifest, err)) != ERR_OK) return rc;
    if (!have_manifest)
        return have_out ? err_set(err, ERR_DATA, "%s is there and is not a tokenizer of bpe's: choose another name",
                                  run->out)
                        : ERR_OK;
    if ((rc = read_manifest(p, &same_key, &complete, &content, err)) != ERR_OK || run->force) return rc;
    if (!same_key)
        return err_set(err, ERR_DATA,
                       "%s is of another run (other parameters or inputs): choose another name, or --force",
                       run->out);
    if (!complete || !have_out) return ERR_OK;
    if ((rc = hash_file(run->out, &is, err)) != ERR_OK) return rc;
    if (!hash128_eq(is, content))
        return err_set(err, ERR_DATA, "%s was changed since it was made: --force makes it anew", run->out);
    *done = true;
    return ERR_OK;
}

/* --- doing it */

typedef struct {
    uint64_t n_docs, text_bytes, n_words;
    uint32_t n_ids;
    Hash128 content, tokenizer_id;
} BpeTotals;

/* done: tokenizer.json is there. */
static ErrCode write_manifest(const BpePlan *p, const BpeTotals *totals, bool done, Err *err)
{
    Buf b = {0};
    ErrCode rc;

    buf_printf(&b, "{\"format\":\"tamis-bpe\",\"version\":1,\"stage\":\"bpe\",\"stage_version\":%d",
               BPE_STAGE_VERSION);
    buf_puts(&b, ",\"key\":");
    json_put_hash(&b, p->key);
    buf_puts(&b, ",\"params\":");
    buf_put_span(&b, buf_span(&p->params));
    buf_puts(&b, ",\"inputs\":");
    buf_put_span(&b, buf_span(&p->inputs));
    if (done) {
        buf_printf(&b,
                   ",\"n_docs\":%" PRIu64 ",\"text_bytes\":%" PRIu64 ",\"n_words\":%" PRIu64 ",\"n_ids\":%" PRIu32,
                   totals->n_docs, totals->text_bytes, totals->n_words, totals->n_ids);
        buf_puts(&b, ",\"tokenizer_id\":");
        json_put_hash(&b, totals->tokenizer_id);
        buf_puts(&b, ",\"content\":");
        json_put_hash(&b, totals->content);
    }
    buf_puts(&b, "}\n");
    if ((rc = buf_ok(&b, "a manifest", err)) == ERR_OK) rc = store_write(p->manifest, buf_span(&b), err);
    buf_clear(&b);
    return rc;
}

/* Every rank counts a share; rank 0 gets all of it. */
static ErrCode count(const BpeRun *run, BpeInput *in, BpeCounter **words, BpeTotals *totals, Err *err)
{
    const Par *par = run->source.par;
    Arena arena = {0};
    const char *slash = strrchr(run->out, '/');
    BpeGather how = {.memory = run->memory / 4,
                     .pretokenizer = run->bpe.pretokenizer,
                     .scratch = slash ? arena_str(&arena, span(run->out, (size_t)(slash - run->out) + 1)) : "."};
    const double began = cpu_seconds();
    EventSpan counting = event_begin("count words", NULL, 0);
    ErrCode rc = bpeinput_count(in, words, &totals->n_docs, err);

    log_debug("bpe: counted in %.2f s of the processor", cpu_seconds() - began);
    if (rc == ERR_OK && !how.scratch) rc = err_nomem(err, "a path");
    rc = par_agree(par, rc, err);
    par_sum_u64(par, &totals->n_docs, 1);
    if (rc == ERR_OK) rc = bpecounter_gather(words, &how, par, err);
    if (rc == ERR_OK) event_end(counting, totals->n_docs, bpecounter_bytes(*words));
    arena_clear(&arena);
    return rc;
}

static ErrCode train(const BpeRun *run, const BpeCounter *words, Buf *json, BpeTotals *totals, Err *err)
{
    const double began = clock_seconds();
    Tokenizer *t = NULL;
    ErrCode rc;

    totals->n_words = bpecounter_words(words);
    totals->text_bytes = bpecounter_bytes(words);
    log_info("bpe: %" PRIu64 " documents, %.1f MB of text, %" PRIu64 " distinct words", totals->n_docs,
             (double)totals->text_bytes / 1e6, totals->n_words);
    if (totals->n_words == 0) return err_set(err, ERR_DATA, "bpe: no text to train on");
    EventSpan merging = event_begin("merge pairs", NULL, 0);
    if ((rc = bpe_train(&run->bpe, words, json, err)) != ERR_OK) return rc;
    event_end(merging, totals->n_words, 0);
    /* what we write, we can read */
    if ((rc = tokenizer_parse(&t, buf_span(json), run->out, err)) != ERR_OK) return rc;
    totals->n_ids = tokenizer_vocab_size(t);
    totals->tokenizer_id = tokenizer_id(t);
    totals->content = hash128(buf_span(json));
    if (totals->n_ids < run->bpe.vocab_size + run->bpe.n_added)
        log_warn("bpe: the text has no more pairs to merge: %" PRIu32 " tokens, %" PRIu32 " were wanted",
                 totals->n_ids, run->bpe.vocab_size + run->bpe.n_added);
    log_info("bpe: %" PRIu32 " tokens in %.1f s", totals->n_ids, clock_seconds() - began);
    tokenizer_free(t);
    return ERR_OK;
}

/* Rank 0 alone. */
static ErrCode train_and_write(const BpePlan *plan, const BpeRun *run, const BpeCounter *words, BpeTotals *totals,
                               Err *err)
{
    Buf json = {0};
    ErrCode rc = train(run, words, &json, totals, err);

    if (rc == ERR_OK) rc = write_manifest(plan, totals, false, err);
    if (rc == ERR_OK) rc = store_write(run->out, buf_span(&json), err);
    if (rc == ERR_OK) rc = write_manifest(plan, totals, true, err);
    buf_clear(&json);
    return rc;
}

/* Rank 0 looks, and all believe it. */
static ErrCode look_all(const BpePlan *plan, const BpeRun *run, bool *done, Err *err)
{
    const Par *par = run->source.par;
    ErrCode rc = ERR_OK;

    if (par->rank == 0) rc = look(plan, run, done, err);
    if ((rc = par_believe(par, rc, done, err)) != ERR_OK) return rc;
    if (*done) log_info("bpe: %s is up to date", run->out);
    return ERR_OK;
}

static ErrCode bpe_run(const BpeRun *run, Err *err)
{
    const Par *par = run->source.par;
    BpeCounter *words = NULL;
    BpeTotals totals = {0};
    BpeInput *in = NULL;
    BpePlan plan = {0};
    bool done;
    ErrCode rc = bpeinput_open(&in, &run->source, err);

    if (rc == ERR_OK) rc = plan_make(&plan, run, in, err);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = look_all(&plan, run, &done, err);
    if (rc == ERR_OK && !done) {
        rc = count(run, in, &words, &totals, err);
        if (rc == ERR_OK && par->rank == 0) rc = train_and_write(&plan, run, words, &totals, err);
        rc = par_agree(par, rc, err);
    }
    bpecounter_free(words);
    plan_clear(&plan);
    bpeinput_close(in);
    return rc;
}

typedef struct {
    BpeRun run;
    BpeParams given; /* what the preset does not decide */
} Options;

static ErrCode settle(void *options, Err *err)
{
    Options *o = options;
    BpeParams *bpe = &o->run.bpe;

    *bpe = *bpe_preset(presets[o->run.preset]);
    o->run.source.pretokenizer = bpe->pretokenizer;
    bpe->vocab_size = o->given.vocab_size;
    bpe->min_frequency = o->given.min_frequency;
    bpe->max_token_length = o->given.max_token_length;
    if (bpe->vocab_size > TOKENIZER_MAX_IDS - bpe->n_added)
        return err_set(err, ERR_USAGE, "bpe: --vocab-size %" PRIu32 " is too large: at most %" PRIu32,
                       bpe->vocab_size, TOKENIZER_MAX_IDS - bpe->n_added);
    if (!bpe->all_bytes || bpe->vocab_size >= 256) return ERR_OK;
    return err_set(err, ERR_USAGE, "bpe: --vocab-size %" PRIu32 " does not hold the 256 bytes", bpe->vocab_size);
}

int bpe_verb(int argc, char **argv)
{
    Options o = {.run.source.sample_bytes = (uint64_t)2 << 30, .given.vocab_size = 100000};
    BpeRun *run = &o.run;
    CommonOptions common = {0};
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &run->out, "FILE", "tokenizer.json goes here"),
        OPT_U32('n', "vocab-size", &o.given.vocab_size, "N", "byte and merged tokens; added tokens come on top"),
        OPT_CHOICE('p', "preset", &run->preset, presets, "NAME", "tamis or deepseek-llm"),
        OPT_U64(0, "min-frequency", &o.given.min_frequency, "N", "merge pairs that occur at least so often"),
        OPT_U32(0, "max-token-length", &o.given.max_token_length, "N", "merged tokens have fewer bytes; 0: no limit"),
        OPT_SIZE(0, "sample-bytes", &run->source.sample_bytes, "SIZE",
                 "count about so much text of datasets; 0: all"),
        OPT_FLAG(0, "text", &run->source.text, "INPUT is plain text files, taken whole"),
        OPT_COMMON_THREADS(&common),
        OPT_FLAG(0, "force", &run->force, "start anew although FILE holds another tokenizer"),
        OPT_COMMON_EVENTS(&common),
        OPT_COMMON_TALK(&common),
        OPT_CHECK(settle, &o),
        OPT_END,
    };
    const OptVerb verb = {
        .name = "bpe",
        .usage = "[options] -o FILE INPUT...",
        .what = "Train a byte-level BPE tokenizer. INPUT: dataset directories, or text files with --text.",
        .specs = specs,
        .after = after};
    Par par;
    Err err = {0};
    int first;

    ErrCode rc = verb_begin(&verb, argc, argv, &common, &par, &first, &err);
    if (rc != ERR_OK) return verb_exit(rc == ERR_NO ? ERR_OK : rc, &err);
    run->source.path = (const char *const *)argv + first;
    run->source.n = (size_t)(argc - first);
    run->source.par = &par;
    run->memory = common_memory(&common, &par);
    if (run->source.text) run->source.sample_bytes = 0;
    rc = bpe_run(run, &err);
    par_stop(&par);
    return verb_exit(rc, &err);
}
