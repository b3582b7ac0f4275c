#include "tokenize/bpe_run.h"

#include "core/events.h"
#include "core/json.h"
#include "core/stage.h"
#include "core/store.h"
#include "tokenize/bpe_keep.h"
#include "tokenize/bpe_model.h"
#include "tokenize/formats.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BPE_STAGE_VERSION = 1,
    MANIFEST_MAX_BYTES = 1 << 20,
    PROJECTION_LEAST = 20000 /* words; of fewer it is noise */
};

/* What the run is: everything that decides tokenizer.json. */
typedef struct {
    Buf params, inputs, contents;
    Hash128 key;
    Arena names;
    const char *manifest; /* path */
    const char *dir;      /* where all of it goes */
    BpeKeep keep;
    uint64_t memory; /* for words and merging them */
    Buf base_json;   /* of --extend */
    Tokenizer *base;
} BpePlan;

static void plan_clear(BpePlan *p)
{
    buf_clear(&p->params);
    buf_clear(&p->inputs);
    buf_clear(&p->contents);
    buf_clear(&p->base_json);
    tokenizer_free(p->base);
    arena_clear(&p->names);
}

static ErrCode read_base(BpePlan *p, const BpeRun *run, Err *err)
{
    static const FormatHints none = {.special = NULL};
    ErrCode rc;

    if (!run->extend) return ERR_OK;
    if ((rc = format_load_json(run->extend, &none, &p->base_json, err)) != ERR_OK) return rc;
    if ((rc = tokenizer_parse(&p->base, buf_span(&p->base_json), run->extend, err)) != ERR_OK) return rc;
    if (run->bpe.vocab_size > tokenizer_vocab_size(p->base)) return ERR_OK;
    return err_set(err, ERR_USAGE, "bpe: %s has %" PRIu32 " ids already: --vocab-size %" PRIu32 " adds none",
                   run->extend, tokenizer_vocab_size(p->base), run->bpe.vocab_size);
}

static const Pretokenizer *pretokenizer_of(const BpePlan *p, const BpeRun *run)
{
    return p->base ? p->base->pretokenizer : run->bpe.pretokenizer;
}

static void put_params(BpePlan *p, const BpeRun *run)
{
    const BpeParams *bpe = &run->bpe;
    Buf *b = &p->params;

    buf_printf(b, "{\"preset\":\"%s\",\"vocab_size\":%" PRIu32 ",\"min_frequency\":%" PRIu64, run->preset,
               bpe->vocab_size, bpe->min_frequency);
    buf_printf(b, ",\"max_token_length\":%" PRIu32 ",\"sample_bytes\":%" PRIu64, bpe->max_token_length,
               run->source.sample_bytes);
    buf_printf(b, ",\"all_bytes\":%s,\"added\":[", bpe->all_bytes ? "true" : "false");
    for (uint32_t i = 0; i < bpe->n_added; i++) {
        if (i) buf_putc(b, ',');
        json_put_cstr(b, bpe->added[i]);
    }
    buf_puts(b, "],\"pre_tokenizer\":");
    json_put_hash(b, hash128(pretokenizer_spec(pretokenizer_of(p, run))));
    if (run->extend) {
        buf_puts(b, ",\"extend\":");
        json_put_hash(b, hash128(buf_span(&p->base_json)));
        if (p->base->nfc) buf_puts(b, ",\"normalizer\":\"NFC\"");
        if (p->base->ignore_merges) buf_puts(b, ",\"ignore_merges\":true");
    }
    buf_putc(b, '}');
}

/* What is taken whatever the text: by the process with its libraries, for each id while merging, since there are more pairs to look at the
 * more ids there are, and, when that is over, for tokenizer.json as text and as what is read back; and for the least text. Constants on
 * the safe side, nothing that is measured in a run: the words that are left out must not depend on it. */
enum { PROCESS_BYTES = 28 << 20, MERGING_ID_BYTES = 400, TOKENIZER_ID_BYTES = 1300, LEAST_TEXT_BYTES = 12 << 20 };

static ErrCode settle_memory(BpePlan *p, const BpeRun *run, Err *err)
{
    const uint64_t ids = (uint64_t)run->bpe.vocab_size + run->bpe.n_added,
                   base = p->base ? (uint64_t)tokenizer_vocab_size(p->base) * TOKENIZER_ID_BYTES : 0,
                   fixed = PROCESS_BYTES + base + ids * MERGING_ID_BYTES,
                   after = PROCESS_BYTES + base + ids * TOKENIZER_ID_BYTES, before = fixed + LEAST_TEXT_BYTES,
                   least = after > before ? after : before;

    if (run->memory < least)
        return err_set(err, ERR_USAGE, "bpe: --memory is too small: %" PRIu32 " tokens take at least %" PRIu64 "M",
                       run->bpe.vocab_size, (least >> 20) + 1);
    p->memory = run->memory - fixed;
    return ERR_OK;
}

/* FILE and what is added to its name. */
static const char *beside(BpePlan *p, const char *out, const char *suffix)
{
    Buf path = {0};

    buf_puts(&path, out);
    buf_puts(&path, suffix);
    char *s = path.oom ? NULL : arena_str(&p->names, buf_span(&path));
    buf_clear(&path);
    return s;
}

static ErrCode plan_make(BpePlan *p, const BpeRun *run, const BpeInput *in, Err *err)
{
    static const StageDef def = {.name = "bpe", .version = BPE_STAGE_VERSION};
    ErrCode rc = read_base(p, run, err);

    if (rc == ERR_OK) rc = settle_memory(p, run, err);
    if (rc != ERR_OK) return rc;
    put_params(p, run);
    bpeinput_describe(in, &p->inputs, &p->contents);
    const char *slash = strrchr(run->out, '/');
    p->dir = slash ? arena_str(&p->names, span(run->out, (size_t)(slash - run->out) + 1)) : ".";
    p->manifest = beside(p, run->out, ".manifest.json");
    p->keep.words = beside(p, run->out, ".words");
    p->keep.merges = beside(p, run->out, ".merges");
    if (!p->dir || !p->manifest || !p->keep.words || !p->keep.merges) return err_nomem(err, "a path");
    if ((rc = buf_ok(&p->params, "a key", err)) != ERR_OK) return rc;
    if ((rc = buf_ok(&p->contents, "a key", err)) != ERR_OK) return rc;
    if ((rc = buf_ok(&p->inputs, "a key", err)) != ERR_OK) return rc;
    rc = stage_key(&def, buf_span(&p->params), buf_span(&p->contents), &p->key, err);
    p->keep.key = p->key;
    return rc;
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
    if ((rc = bpekeep_check(&p->keep, err)) != ERR_OK) return rc;
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
    return bpekeep_delete(&p->keep, err); /* of a run that was ended just before it would have */
}

/* --- the manifest */

typedef struct {
    BpeDocs docs;
    uint64_t text_bytes, n_words;
    uint64_t left_out, left_out_bytes; /* distinct words that did not fit, and their bytes */
    uint32_t n_ids;
    Hash128 content, tokenizer_id;
} BpeTotals;

/* Only the reasons that there are. */
static void put_dropped(const BpeDocs *docs, Buf *b)
{
    const char *before = ",\"dropped\":{";

    for (int k = 0; k < BPE_N_DROPS; k++) {
        if (!docs->n_dropped[k]) continue;
        buf_printf(b, "%s\"%s\":%" PRIu64, before, bpe_drop_names[k], docs->n_dropped[k]);
        before = ",";
    }
    if (*before == ',' && !before[1]) buf_putc(b, '}');
}

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
                   totals->docs.n_taken, totals->text_bytes, totals->n_words, totals->n_ids);
        put_dropped(&totals->docs, &b);
        buf_printf(&b, ",\"exact\":%s,\"words_left_out\":%" PRIu64 ",\"bytes_left_out\":%" PRIu64,
                   totals->left_out ? "false" : "true", totals->left_out, totals->left_out_bytes);
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

/* --- counting */

/* Every rank counts a share; rank 0 gets all of it. */
static ErrCode count(const BpeRun *run, const BpePlan *plan, BpeInput *in, WordList *words, BpeTotals *totals,
                     Err *err)
{
    const Par *par = run->source.par;
    const bool nfc = plan->base && plan->base->nfc;
    GatherSpec spec = {.memory = plan->memory,
                       .max_symbols = bpe_max_symbols(plan->memory),
                       .pretokenizer = pretokenizer_of(plan, run),
                       .scratch = store_local_dir(run->scratch ? run->scratch : plan->dir)};
    EventSpan counting = event_begin("count words", NULL, 0);
    WordGather *g = NULL;

    const double began = cpu_seconds();
    ErrCode rc = wordgather_open(&g, &spec, par, err);
    if (rc == ERR_OK) rc = par_agree(par, bpeinput_count(in, g, nfc, &totals->docs, err), err);
    par_sum_u64(par, &totals->docs.n_taken, 1);
    par_sum_u64(par, totals->docs.n_dropped, BPE_N_DROPS);
    if (rc == ERR_OK)
        log_debug("bpe: counted in %.2f s of the processor; words left memory %" PRIu64 " times",
                  cpu_seconds() - began, wordgather_n_spills(g));
    if (rc == ERR_OK) rc = wordgather_finish(g, words, err);
    wordgather_close(g);
    if (rc == ERR_OK) event_end(counting, totals->docs.n_taken, words->corpus_bytes);
    return rc;
}

/* The words an earlier run has counted, or those that all ranks count now, which are kept when that took long. */
static ErrCode words_of(const BpeRun *run, const BpePlan *plan, BpeInput *in, WordList *words, BpeTotals *totals,
                        Err *err)
{
    const Par *par = run->source.par;
    const double began = clock_seconds();
    uint64_t most = bpe_max_symbols(plan->memory);
    bool found = false;
    ErrCode rc = ERR_OK;

    if (par->rank == 0 && run->force) rc = bpekeep_delete(&plan->keep, err);
    if (par->rank == 0 && rc == ERR_OK) rc = bpekeep_load_words(&plan->keep, words, &totals->docs, most, &found, err);
    if ((rc = par_believe(par, rc, &found, err)) != ERR_OK) return rc;
    if (found) {
        log_info("bpe: the words are counted already");
        return ERR_OK;
    }
    if ((rc = count(run, plan, in, words, totals, err)) != ERR_OK) return rc;
    if (par->rank == 0 && words->n_words && clock_seconds() - began >= run->save_seconds / 8.0)
        rc = bpekeep_save_words(&plan->keep, words, totals->docs, most, err);
    return rc;
}

/* --- training */

typedef struct {
    const BpeRun *run;
    const BpePlan *plan;
    uint64_t words_sum;
    BpeModel model;
    Buf merges, json;
    Tokenizer *upto; /* what there is when training goes on */
} Training;

static ErrCode save_merges(void *ctx, const Buf *merges, Err *err)
{
    const Training *t = ctx;

    return bpekeep_save_merges(&t->plan->keep, t->words_sum, merges, err);
}

static void set_merges(Training *t)
{
    t->model.merges = (const Merge *)(const void *)t->merges.p;
    t->model.n_merges = (uint32_t)(t->merges.n / sizeof(Merge));
}

/* tokenizer.json of what there is; without added tokens where merges are still to come. */
static ErrCode make_json(Training *t, bool more_to_come, Err *err)
{
    const BpePlan *plan = t->plan;
    BpeParams params = t->run->bpe;

    buf_reset(&t->json);
    set_merges(t);
    if (more_to_come) params.n_added = 0;
    if (!plan->base) return bpe_model_json(&t->model, &params, &t->json, err);
    return bpe_extended_json(buf_span(&plan->base_json), plan->base, t->run->extend, &t->merges, &t->json, err);
}

/* Merges that an earlier run has found. */
static ErrCode resume(Training *t, Err *err)
{
    const BpePlan *plan = t->plan;
    uint32_t first = plan->base ? tokenizer_vocab_size(plan->base) : t->model.n_alphabet;
    ErrCode rc = bpekeep_load_merges(&plan->keep, t->words_sum, &t->merges, err);

    if (rc != ERR_OK || t->merges.n == 0) return rc;
    set_merges(t);
    for (uint32_t i = 0; i < t->model.n_merges; i++)
        if (t->model.merges[i].left >= first + i || t->model.merges[i].right >= first + i)
            return err_set(err, ERR_DATA, "%s is damaged: delete it, or --force", plan->keep.merges);
    log_info("bpe: goes on from %" PRIu32 " merges", t->model.n_merges);
    if ((rc = make_json(t, true, err)) != ERR_OK) return rc;
    return tokenizer_parse(&t->upto, buf_span(&t->json), plan->keep.merges, err);
}

static ErrCode learn(Training *t, WordList *words, Err *err)
{
    BpeTask task = {.params = &t->run->bpe,
                    .memory = t->plan->memory,
                    .threads = t->run->source.par->threads,
                    .save = save_merges,
                    .ctx = t,
                    .save_seconds = t->run->save_seconds};
    ErrCode rc;

    t->words_sum = wordlist_sum(words);
    if (!t->plan->base) bpe_alphabet(&t->run->bpe, words, &t->model);
    if ((rc = resume(t, err)) != ERR_OK) return rc;
    if (t->upto) { /* it stays while training goes on */
        const uint64_t upto = (uint64_t)tokenizer_vocab_size(t->upto) * TOKENIZER_ID_BYTES;
        task.memory -= upto < task.memory / 2 ? upto : task.memory / 2;
    }
    task.base = t->upto ? t->upto : t->plan->base;
    task.extended = t->plan->base;
    if ((rc = bpe_learn(&task, words, &t->merges, err)) != ERR_OK) return rc;
    return make_json(t, false, err);
}

/* What we write, we can read. */
static ErrCode read_back(const Training *t, BpeTotals *totals, Err *err)
{
    const BpeParams *bpe = &t->run->bpe;
    uint32_t wanted = bpe->vocab_size + (t->plan->base ? 0 : bpe->n_added), n_shared = 0;
    Tokenizer *made;
    ErrCode rc = tokenizer_parse(&made, buf_span(&t->json), t->run->out, err);

    if (rc != ERR_OK) return rc;
    totals->n_ids = tokenizer_vocab_size(made);
    totals->tokenizer_id = tokenizer_id(made);
    totals->content = hash128(buf_span(&t->json));
    for (uint32_t id = 0; !t->plan->base && id < t->model.n_alphabet + t->model.n_merges; id++)
        n_shared += (made->flags[id] & TOKEN_ADDED) != 0;
    if (n_shared)
        log_info("bpe: %" PRIu32 " of the added tokens are bytes or merged tokens as well and keep these ids",
                 n_shared);
    wanted -= n_shared;
    if (totals->n_ids < wanted)
        log_warn("bpe: the text has no more pairs to merge: %" PRIu32 " tokens, %" PRIu32 " were wanted",
                 totals->n_ids, wanted);
    tokenizer_free(made);
    return ERR_OK;
}

/* Words grow with the text by a power of it (Heaps' law), of which a part of the text and all of it tell the exponent. Above 1,
 * which no growth of words has, the part was unlike the rest. */
static double projected(double part, double all, double part_bytes, double all_bytes, double bytes)
{
    return all * pow(bytes / all_bytes, fmin(1, log(all / part) / log(all_bytes / part_bytes)));
}

static void log_projection(const WordList *words)
{
    const double part = (double)words->part_bytes, all = (double)words->corpus_bytes, bytes = 24e9,
                 n_words = (double)(words->n_words + words->left_out),
                 n_symbols = (double)(words->n_symbols + words->left_out_symbols);

    if (words->part_words < PROJECTION_LEAST) return;
    const double then = projected((double)words->part_words, n_words, part, all, bytes),
                 symbols = projected((double)words->part_symbols, n_symbols, part, all, bytes);
    log_info(
        "bpe: 24 GB of such text would have %.1f million distinct words, %.1f GB of them, and take %.1f GB of memory",
        then / 1e6, (symbols - then) / 1e9, (symbols * (double)bpe_symbol_bytes() + PROCESS_BYTES) / 1e9);
}

static ErrCode train(Training *t, WordList *words, BpeTotals *totals, Err *err)
{
    const double began = clock_seconds();
    ErrCode rc;

    totals->n_words = words->n_words;
    totals->text_bytes = words->corpus_bytes;
    totals->left_out = words->left_out;
    totals->left_out_bytes = words->left_out_symbols - words->left_out;
    log_info("bpe: %" PRIu64 " documents, %.1f MB of text, %" PRIu64 " distinct words, %.1f MB of them",
             totals->docs.n_taken, (double)totals->text_bytes / 1e6, totals->n_words,
             (double)(words->n_symbols - words->n_words) / 1e6);
    for (int k = 0; k < BPE_N_DROPS; k++)
        if (totals->docs.n_dropped[k])
            log_warn("bpe: %" PRIu64 " texts are left out (%s)", totals->docs.n_dropped[k], bpe_drop_names[k]);
    log_projection(words);
    if (totals->left_out)
        log_warn("bpe: not exact: the %" PRIu64
                 " rarest words, %.1f MB of them, are left out, since --memory does not "
                 "hold them",
                 totals->left_out, (double)totals->left_out_bytes / 1e6);
    if (totals->n_words == 0) return err_set(err, ERR_DATA, "bpe: no text to train on");
    EventSpan merging = event_begin("merge pairs", NULL, 0);
    if ((rc = learn(t, words, err)) != ERR_OK) return rc;
    event_end(merging, totals->n_words, 0);
    if ((rc = read_back(t, totals, err)) != ERR_OK) return rc;
    log_info("bpe: %" PRIu32 " tokens in %.1f s, peak %.0f MB", totals->n_ids, clock_seconds() - began,
             (double)peak_memory_bytes() / 1e6);
    return ERR_OK;
}

/* Rank 0 alone. */
static ErrCode train_and_write(const BpePlan *plan, const BpeRun *run, WordList *words, BpeTotals *totals, Err *err)
{
    Training t = {.run = run, .plan = plan};
    ErrCode rc = train(&t, words, totals, err);

    if (rc == ERR_OK) rc = write_manifest(plan, totals, false, err);
    if (rc == ERR_OK) rc = store_write(run->out, buf_span(&t.json), err);
    if (rc == ERR_OK) rc = write_manifest(plan, totals, true, err);
    if (rc == ERR_OK) rc = bpekeep_delete(&plan->keep, err);
    tokenizer_free(t.upto);
    buf_clear(&t.merges);
    buf_clear(&t.json);
    return rc;
}

/* --- all of it */

/* Rank 0 looks, and all believe it. A directory that cannot be made shows now rather than when all is done. */
static ErrCode look_all(const BpePlan *plan, const BpeRun *run, bool *done, Err *err)
{
    const Par *par = run->source.par;
    ErrCode rc = ERR_OK;

    if (par->rank == 0) rc = look(plan, run, done, err);
    if (par->rank == 0 && rc == ERR_OK && !*done) rc = store_mkdirs(plan->dir, err);
    if ((rc = par_believe(par, rc, done, err)) != ERR_OK) return rc;
    if (*done) log_info("bpe: %s is up to date", run->out);
    return ERR_OK;
}

ErrCode bpe_run(const BpeRun *run, Err *err)
{
    const Par *par = run->source.par;
    WordList words = {0};
    BpeTotals totals = {0};
    BpeInput *in = NULL;
    BpePlan plan = {0};
    bool done;
    ErrCode rc = bpeinput_open(&in, &run->source, err);

    if (rc == ERR_OK) rc = plan_make(&plan, run, in, err);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = look_all(&plan, run, &done, err);
    if (rc == ERR_OK && !done) {
        rc = words_of(run, &plan, in, &words, &totals, err);
        if (rc == ERR_OK && par->rank == 0) rc = train_and_write(&plan, run, &words, &totals, err);
        rc = par_agree(par, rc, err);
    }
    wordlist_clear(&words);
    plan_clear(&plan);
    bpeinput_close(in);
    return rc;
}
