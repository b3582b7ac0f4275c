/* tools/tokenize_verb.c - `tamis tokenize`: documents of a dataset into a tokens directory, or text on stdin into ids.
 *
 * stage.json, written first, holds the key of the run; manifest.json comes last. In between lie encoded parts and finished shards,
 * from which the same command goes on (tools/token_shuffle.h). */
#include "core/dataset_mixture.h"
#include "core/events.h"
#include "core/json.h"
#include "core/lease.h"
#include "core/options.h"
#include "core/stage.h"
#include "core/store.h"
#include "tools/token_shuffle.h"
#include "tools/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char after[] =
    "DIR gets one stream for each mixture domain, STREAM/shard-NNNNNN.tok, its documents ended by the tokenizer's\n"
    "end-of-document token; special tokens spelled out in a text stay text. mixture.json of DATASET is carried "
    "over.\n"
    "Hashed order puts neighbours of the input far apart. --ids prints a JSON array of ids for each line of "
    "standard\n"
    "input, its line end included, so the arrays one after the other are the ids of the whole text. With --task "
    "every\n"
    "share goes as far as what the others have done allows: run them again until DIR is complete, or at the same "
    "time\n"
    "with --wait.";

static const char *const orders[] = {"hashed", "input", NULL};

enum { PLAN_MAX_BYTES = 1 << 20 };

typedef struct {
    const char *out, *tokenizer;
    uint32_t n_shards, order, wait_seconds;
    uint64_t seed;
    bool ids, plain;
    CommonOptions common;
} TokenizeRun;

typedef struct {
    Buf params, inputs, mixture;
    Hash128 key;
    Arena names;
} TokenizePlan;

static void plan_clear(TokenizePlan *p)
{
    buf_clear(&p->params);
    buf_clear(&p->inputs);
    buf_clear(&p->mixture);
    arena_clear(&p->names);
}

static char *out_path(TokenizePlan *p, const TokenizeRun *run, const char *name)
{
    return path_join(&p->names, run->out, name);
}

/* --- what the run is */

/* The mixture of the dataset, its domains called as their streams. */
static ErrCode read_mixture(TokenizePlan *p, const DatasetSet *set, Err *err)
{
    const char *path;
    Buf text = {0};
    ErrCode rc = datasetset_mixture(set, &p->names, &text, &path, err);

    if (rc == ERR_OK) rc = mixture_rename(buf_span(&text), path, &p->mixture, err);
    buf_clear(&text);
    return rc;
}

static ErrCode plan_make(TokenizePlan *p, const TokenizeRun *run, const DatasetSet *set, const Tokenizer *t, Err *err)
{
    static const StageDef def = {.name = "tokenize", .version = TOKENS_STAGE_VERSION};
    Buf contents = {0};
    ErrCode rc;

    if ((rc = read_mixture(p, set, err)) != ERR_OK) return rc;
    buf_puts(&p->params, "{\"tokenizer_id\":");
    json_put_hash(&p->params, tokenizer_id(t));
    buf_printf(&p->params, ",\"shards\":%" PRIu32 ",\"order\":\"%s\",\"seed\":%" PRIu64 "}", run->n_shards,
               orders[run->order], run->seed);
    buf_putc(&p->inputs, '[');
    buf_putc(&contents, '[');
    for (size_t i = 0; i < datasetset_count(set); i++) {
        const Dataset *ds = datasetset_at(set, i);
        if (i) buf_putc(&contents, ',');
        buf_puts(&p->inputs, i ? ",{\"path\":" : "{\"path\":");
        json_put_cstr(&p->inputs, dataset_dir(ds));
        buf_puts(&p->inputs, ",\"content\":");
        json_put_hash(&p->inputs, dataset_content(ds));
        buf_putc(&p->inputs, '}');
        dataset_put_identity(&contents, ds); /* the shards hold DocIds */
    }
    buf_putc(&contents, ']'); /* the mixture is left out: no shard depends on it */
    buf_putc(&p->inputs, ']');
    if ((rc = buf_ok(&p->params, "a key", err)) == ERR_OK && (rc = buf_ok(&contents, "a key", err)) == ERR_OK)
        rc = buf_ok(&p->inputs, "a key", err);
    if (rc == ERR_OK) rc = stage_key(&def, buf_span(&p->params), buf_span(&contents), &p->key, err);
    buf_clear(&contents);
    return rc;
}

/* --- the directory */

/* *found whether `path` holds a key, *same whether it is this run's. */
static ErrCode compare_key(const TokenizePlan *p, const char *path, bool *found, bool *same, Err *err)
{
    Arena tree = {0};
    Buf text = {0};
    const char *hex, *format;
    Hash128 key;
    Json *root;
    ErrCode rc;

    *same = false;
    if ((rc = store_exists(path, found, err)) != ERR_OK || !*found) return rc;
    if ((rc = store_read(path, PLAN_MAX_BYTES, &text, err)) == ERR_OK &&
        (rc = json_parse(&tree, buf_span(&text), path, &root, err)) == ERR_OK &&
        (rc = json_get_str(root, "format", path, &format, err)) == ERR_OK &&
        (rc = json_get_str(root, "key", path, &hex, err)) == ERR_OK) {
        if (!format || strcmp(format, "tamis-tokens-plan") != 0)
            rc = err_set(err, ERR_DATA, "%s is no plan of tokens: choose another directory", path);
        else if (!hex || !hash128_parse(span_str(hex), &key))
            rc = err_set(err, ERR_DATA, "%s: no key in it", path);
        else
            *same = hash128_eq(key, p->key);
    }
    buf_clear(&text);
    arena_clear(&tree);
    return rc;
}

/* shard-NNNNNN.tok, or one that was being written. */
static bool is_shard(const char *name)
{
    static const char before[] = "shard-", behind[] = ".tok";
    const char *at = name + sizeof before - 1;

    if (strncmp(name, before, sizeof before - 1) != 0 || !ascii_is_digit((uint8_t)*at)) return false;
    while (ascii_is_digit((uint8_t)*at)) at++;
    if (strncmp(at, behind, sizeof behind - 1) != 0) return false;
    at += sizeof behind - 1;
    return *at == 0 || (strlen(at) > 4 && strcmp(at + strlen(at) - 4, ".tmp") == 0);
}

/* Removes the shards of one stream, and its directory when nothing else is in it. */
static ErrCode wipe_stream(Arena *names, const char *dir, Err *err)
{
    StoreList list = {0};
    size_t n_left = 0, n_shards = 0;
    ErrCode rc = store_list(dir, &list, err);

    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        const char *path = path_join(names, dir, list.name[i]);
        if (!is_shard(list.name[i])) {
            n_left++;
            continue;
        }
        n_shards++;
        rc = path ? store_delete(path, err) : err_nomem(err, "a path");
    }
    if (rc == ERR_OK && n_shards && n_left == 0) rc = store_delete_tree(dir, 1, err);
    storelist_clear(&list);
    return rc;
}

static ErrCode wipe_streams(TokenizePlan *p, const TokenizeRun *run, Err *err)
{
    StoreList list = {0};
    ErrCode rc = store_list(run->out, &list, err);

    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        const char *path = out_path(p, run, list.name[i]);
        bool is_dir = false;
        rc = path ? store_is_dir(path, &is_dir, err) : err_nomem(err, "a path");
        if (rc == ERR_OK && is_dir) rc = wipe_stream(&p->names, path, err);
    }
    storelist_clear(&list);
    return rc;
}

static ErrCode check_idle(const char *dir, Err *err)
{
    char who[128];
    bool busy;
    ErrCode rc = leases_anybody(dir, who, &busy, err);

    if (rc != ERR_OK || !busy) return rc;
    return err_set(err, ERR_DATA, "%s: another run is at work here (%s): stop it before --force", dir, who);
}

/* --force: removes the files of another run, the manifest first, so that what is left never looks complete, and the plan last,
 * so that what is left is known for another run's. */
static ErrCode wipe(TokenizePlan *p, const TokenizeRun *run, Err *err)
{
    static const char *const files[] = {"manifest.json", "vocab.bin", "mixture.json", "stats.json"};
    const char *plan = out_path(p, run, "stage.json");
    ErrCode rc = check_idle(run->out, err);

    if (rc == ERR_OK) rc = leases_delete(run->out, err);
    for (size_t i = 0; i < sizeof files / sizeof *files && rc == ERR_OK; i++) {
        const char *path = out_path(p, run, files[i]);
        rc = path ? store_delete(path, err) : err_nomem(err, "a path");
    }
    if (rc == ERR_OK) rc = wipe_streams(p, run, err);
    if (rc == ERR_OK) rc = tokens_drop_encoded(run->out, err);
    if (rc == ERR_OK) rc = plan ? store_delete(plan, err) : err_nomem(err, "a path");
    return rc;
}

/* Puts our plan there. Another task of the same job may do so at the same moment: then there is nothing left to do. */
static ErrCode create_plan(const TokenizePlan *p, const TokenizeRun *run, const char *stage, Err *err)
{
    bool created = false, found, ours = true;
    Buf plan = {0};
    ErrCode rc;

    buf_puts(&plan, "{\"format\":\"tamis-tokens-plan\",\"version\":1,\"stage\":\"tokenize\",\"key\":");
    json_put_hash(&plan, p->key);
    buf_puts(&plan, ",\"params\":");
    buf_put_span(&plan, buf_span(&p->params));
    buf_puts(&plan, "}\n");
    if ((rc = buf_ok(&plan, "a plan", err)) == ERR_OK) rc = store_create(stage, buf_span(&plan), &created, err);
    buf_clear(&plan);
    if (rc == ERR_OK && !created) rc = compare_key(p, stage, &found, &ours, err);
    if (rc == ERR_OK && !ours) rc = err_set(err, ERR_DATA, "%s: another job has just started here", run->out);
    return rc;
}

/* Makes the directory ours, or says that it is another's. *done when the tokens are there. */
static ErrCode claim(TokenizePlan *p, const TokenizeRun *run, bool *done, Err *err)
{
    const char *stage = out_path(p, run, "stage.json"), *manifest = out_path(p, run, "manifest.json");
    bool planned, same, finished;
    ErrCode rc;

    *done = false;
    if (!stage || !manifest) return err_nomem(err, "a path");
    if ((rc = store_mkdirs(run->out, err)) != ERR_OK) return rc;
    if ((rc = compare_key(p, stage, &planned, &same, err)) != ERR_OK) return rc;
    if ((rc = store_exists(manifest, &finished, err)) != ERR_OK) return rc;
    if (planned && same) {
        *done = finished;
        return ERR_OK;
    }
    if (finished && !planned) /* --force replaces tokens, not whatever else is there */
        return err_set(err, ERR_DATA, "%s holds something else: choose another directory", run->out);
    if (!run->common.force && planned)
        return err_set(err, ERR_DATA,
                       "%s holds another run (other parameters or inputs): choose another directory, or --force",
                       run->out);
    if (planned && (rc = wipe(p, run, err)) != ERR_OK) return rc;
    return create_plan(p, run, stage, err);
}

/* --- the work */

static Span bytes_of(const void *ctx, uint32_t id) { return tokenizer_bytes(ctx, id); }

/* Numbers for people and the report; nothing reads them to decide an output. */
static ErrCode write_stats(TokenizePlan *p, const TokenizeRun *run, const DomainSet *domains, uint64_t n_lost,
                           double seconds, Err *err)
{
    const char *path = out_path(p, run, "stats.json");
    Buf b = {0};
    ErrCode rc;

    if (!path) return err_nomem(err, "a path");
    buf_puts(&b, "{\"stage\":\"tokenize\",\"streams\":[");
    for (size_t i = 0; i < domains->n; i++) {
        const DomainCount *d = &domains->v[i];
        buf_puts(&b, i ? ",{\"name\":" : "{\"name\":");
        json_put_cstr(&b, d->name);
        buf_puts(&b, ",\"domain\":");
        json_put_string(&b, d->domain);
        buf_printf(&b, ",\"n_docs\":%" PRIu64 ",\"text_bytes\":%" PRIu64 ",\"n_tokens\":%" PRIu64 "}", d->n_docs,
                   d->text_bytes, d->n_tokens);
    }
    buf_printf(&b, "],\"lost_bytes\":%" PRIu64 ",\"seconds\":", n_lost);
    json_put_number(&b, seconds);
    buf_printf(&b, ",\"peak_memory\":%" PRIu64 "}\n", peak_memory_bytes());
    if ((rc = buf_ok(&b, "stats", err)) == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    return rc;
}

static void summarize(const DomainSet *domains, uint64_t n_lost, double seconds)
{
    uint64_t n_docs = 0, text = 0, tokens = 0, n_dropped = 0;

    for (size_t i = 0; i < domains->n; i++) {
        const DomainCount *d = &domains->v[i];
        n_docs += d->n_docs, text += d->text_bytes, tokens += d->n_tokens, n_dropped += d->n_dropped;
        log_info("  %-24s %10" PRIu64 " documents %14" PRIu64 " tokens  %.3f bytes a token", d->name, d->n_docs,
                 d->n_tokens, (double)d->text_bytes / (double)(d->n_tokens ? d->n_tokens : 1));
    }
    log_info("tokenize: %" PRIu64 " documents, %.1f MB of text, %" PRIu64 " tokens in %.1f s", n_docs,
             (double)text / 1e6, tokens, seconds);
    if (n_dropped)
        log_warn("tokenize: %" PRIu64
                 " documents are dropped (too_many_steps): the tokenizer's patterns backtrack on "
                 "them; --verbose names them",
                 n_dropped);
    if (n_lost) log_warn("tokenize: %" PRIu64 " bytes have no token in this vocabulary and were left out", n_lost);
}

static ErrCode commit(TokenizePlan *p, const TokenizeRun *run, const DomainSet *domains, Err *err)
{
    StreamPlan *plan = calloc(domains->n + 1, sizeof *plan);
    ErrCode rc;

    if (!plan) return err_nomem(err, "streams");
    for (size_t i = 0; i < domains->n; i++)
        plan[i] = (StreamPlan){domains->v[i].name, run->n_shards, domains->v[i].n_docs, domains->v[i].n_tokens,
                               domains->v[i].n_dropped};
    rc = tokensdir_commit(run->out, p->key, buf_span(&p->params), buf_span(&p->inputs), buf_span(&p->mixture), plan,
                          (uint32_t)domains->n, err);
    free(plan);
    return rc;
}

/* Rank 0: the shards are there; several tasks may come to this point, with the same to say. */
static ErrCode publish(TokenizePlan *p, const TokenizeRun *run, const Tokenizer *t, const DomainSet *domains,
                       uint64_t n_lost, double seconds, Err *err)
{
    const char *vocab = out_path(p, run, "vocab.bin");
    ErrCode rc = vocab ? ERR_OK : err_nomem(err, "a path");

    if (rc == ERR_OK)
        rc = vocab_write(vocab, tokenizer_vocab_size(t), tokenizer_eos(t), tokenizer_id(t), bytes_of, t, err);
    if (rc == ERR_OK) rc = write_stats(p, run, domains, n_lost, seconds, err);
    if (rc == ERR_OK) rc = commit(p, run, domains, err);
    if (rc == ERR_OK) summarize(domains, n_lost, seconds);
    return rc;
}

static ErrCode write_tokens(TokenizePlan *p, const TokenizeRun *run, const DatasetSet *set, const Tokenizer *t,
                            const Par *par, Err *err)
{
    ShuffleSpec spec = {.set = set,
                        .tokenizer = t,
                        .out_dir = run->out,
                        .n_shards = run->n_shards,
                        .input_order = run->order == 1,
                        .seed = run->seed,
                        .key = p->key,
                        .task = run->common.task,
                        .memory = common_memory(&run->common, par),
                        .scratch = run->common.scratch ? run->common.scratch : run->out};
    const double began = clock_seconds();
    Leases *at_work = NULL; /* so that --force of another sees us */
    DomainSet domains = {0};
    uint64_t n_lost;
    ErrCode rc = ERR_OK;

    if (par->rank == 0) rc = leases_open(&at_work, run->out, "tokenize", "tokenizing", err);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = tokens_shuffle(&spec, par, &domains, &n_lost, err);
    if (rc == ERR_OK && par->rank == 0) rc = publish(p, run, t, &domains, n_lost, clock_seconds() - began, err);
    leases_close(at_work);
    domainset_clear(&domains);
    return par_agree(par, rc, err);
}

/* Other tasks of the array, or a second job, may have finished meanwhile and taken away what this one was reading. */
static ErrCode look_if_done(TokenizePlan *p, const TokenizeRun *run, const Par *par, bool *done, Err *err)
{
    const char *manifest = out_path(p, run, "manifest.json");
    ErrCode rc = manifest ? ERR_OK : err_nomem(err, "a path");

    *done = false;
    if (rc == ERR_OK && par->rank == 0) rc = store_exists(manifest, done, err);
    if (rc == ERR_OK && *done) rc = tokens_drop_encoded(run->out, err);
    return par_believe(par, rc, done, err);
}

/* A task looks again, ever less often, until nothing new has come for as long as the user would wait. */
static ErrCode run_patiently(TokenizePlan *p, const TokenizeRun *run, const DatasetSet *set, const Tokenizer *t,
                             const Par *par, Err *err)
{
    enum { FIRST_MS = 50, LAST_MS = 15000 };
    double until = clock_seconds() + run->wait_seconds;
    Err waiting, last = {0}, later;
    unsigned ms = FIRST_MS;
    bool done;

    for (;;) {
        const ErrCode rc = write_tokens(p, run, set, t, par, err);
        waiting = *err;
        if (rc == ERR_INTR || look_if_done(p, run, par, &done, &later) != ERR_OK) return rc;
        if (done) return ERR_OK;
        if (rc != ERR_NO) return rc;
        if (strcmp(last.msg, waiting.msg) != 0) {
            until = clock_seconds() + run->wait_seconds;
            ms = FIRST_MS;
        }
        last = waiting;
        if (clock_seconds() >= until) {
            log_info("tokenize: this share is done so far: %s. Run every share once more.", waiting.msg);
            return ERR_OK;
        }
        if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
        if (ms < LAST_MS) ms *= 2;
    }
}

/* Weights may have been changed since the tokens were made, or taken away since a run that was stopped. */
static ErrCode refresh_mixture(TokenizePlan *p, const TokenizeRun *run, Err *err)
{
    const char *path = out_path(p, run, "mixture.json");
    Buf have = {0};
    bool exists;
    ErrCode rc;

    if (!path) return err_nomem(err, "a path");
    if ((rc = store_exists(path, &exists, err)) == ERR_OK && exists)
        rc = store_read(path, MIXTURE_MAX_BYTES, &have, err);
    if (rc == ERR_OK && exists && !p->mixture.n) {
        log_info("tokenize: the dataset has no mixture any more; %s is removed", path);
        rc = store_delete(path, err);
    } else if (rc == ERR_OK && !span_eq(buf_span(&have), buf_span(&p->mixture))) {
        log_info("tokenize: %s is written anew, as the mixture of the dataset is now", path);
        rc = store_write(path, buf_span(&p->mixture), err);
    }
    buf_clear(&have);
    return rc;
}

static ErrCode open_inputs(TokenizePlan *plan, const TokenizeRun *run, const char *const *dirs, size_t n,
                           Tokenizer **t, DatasetSet **set, Err *err)
{
    ErrCode rc = tokenizer_load(t, run->tokenizer, err);

    if (rc != ERR_OK) return rc;
    if (tokenizer_eos(*t) == UINT32_MAX)
        return err_set(err, ERR_DATA, "%s: no end-of-document token (<|end_of_text|>)", run->tokenizer);
    if ((rc = datasetset_open(set, dirs, n, err)) != ERR_OK) return rc;
    return plan_make(plan, run, *set, *t, err);
}

/* Rank 0 makes the directory ours; all know whether there is something to do. */
static ErrCode claim_all(TokenizePlan *plan, const TokenizeRun *run, const Par *par, bool *done, Err *err)
{
    ErrCode rc = ERR_OK;

    if (par->rank == 0) {
        rc = claim(plan, run, done, err);
        if (rc == ERR_OK && *done) log_info("tokenize: %s is up to date", run->out);
        if (rc == ERR_OK && (*done || !plan->mixture.n)) rc = refresh_mixture(plan, run, err);
        if (rc == ERR_OK && *done)
            rc = tokens_drop_encoded(run->out, err); /* its run may have been killed just before */
    }
    return par_believe(par, rc, done, err);
}

static ErrCode tokenize_run(const TokenizeRun *run, const char *const *dirs, size_t n, const Par *par, Err *err)
{
    DatasetSet *set = NULL;
    TokenizePlan plan = {0};
    Tokenizer *t = NULL;
    bool done;
    ErrCode rc = par_agree(par, open_inputs(&plan, run, dirs, n, &t, &set, err), err);

    if (rc == ERR_OK) rc = claim_all(&plan, run, par, &done, err);
    if (rc == ERR_OK && !done) rc = run_patiently(&plan, run, set, t, par, err);
    plan_clear(&plan);
    datasetset_close(set);
    tokenizer_free(t);
    return rc;
}

/* --- --ids */

static void print_ids(const Buf *ids)
{
    putchar('[');
    for (size_t i = 0; i < ids->n / sizeof(uint32_t); i++) {
        uint32_t id;
        memcpy(&id, ids->p + i * sizeof id, sizeof id);
        printf(i ? ",%" PRIu32 : "%" PRIu32, id);
    }
    puts("]");
}

static ErrCode ids_run(const TokenizeRun *run, Err *err)
{
    EncodeMode mode = run->plain ? ENCODE_PLAIN : ENCODE_ALL;
    Encoder *e = NULL;
    Tokenizer *t = NULL;
    char *line = NULL;
    size_t cap = 0;
    Buf ids = {0};
    ssize_t n;
    ErrCode rc;

    if ((rc = tokenizer_load(&t, run->tokenizer, err)) != ERR_OK) goto out;
    if ((rc = encoder_new(&e, t, err)) != ERR_OK) goto out;
    errno = 0;
    while (rc == ERR_OK && (n = getline(&line, &cap, stdin)) > 0)
        if ((rc = encode_as(e, span(line, (size_t)n), mode, &ids, err)) == ERR_OK) print_ids(&ids);
    if (rc == ERR_OK && !feof(stdin)) rc = err_sys(err, "cannot read standard input");
out:
    free(line);
    buf_clear(&ids);
    encoder_free(e);
    tokenizer_free(t);
    return rc;
}

/* --- the verb */

static ErrCode check_values(void *options, Err *err)
{
    const TokenizeRun *run = options;

    if (run->plain && !run->ids) return err_set(err, ERR_USAGE, "tokenize: --plain goes with --ids");
    if (run->n_shards == 0 || run->n_shards > 65536 || (run->n_shards & (run->n_shards - 1)))
        return err_set(err, ERR_USAGE, "tokenize: --shards wants a power of two up to 65536, not %" PRIu32,
                       run->n_shards);
    return ERR_OK;
}

static ErrCode check_operands(const TokenizeRun *run, int n_operands, Err *err)
{
    if (run->ids)
        return n_operands || run->out
                   ? err_set(err, ERR_USAGE,
                             "tokenize: --ids reads standard input and takes neither -o nor a dataset")
                   : ERR_OK;
    if (!run->out) return err_set(err, ERR_USAGE, "tokenize: --out is missing (see tamis tokenize --help)");
    if (n_operands == 0) return err_set(err, ERR_USAGE, "tokenize: no input (see tamis tokenize --help)");
    return ERR_OK;
}

int tokenize_verb(int argc, char **argv)
{
    TokenizeRun run = {.n_shards = 1, .seed = 1};
    const OptSpec specs[] = {
        OPT_STR('o', "out", &run.out, "DIR", "the tokens go here (created)"),
        OPT_NEED('t', "tokenizer", &run.tokenizer, "FILE", "tokenizer.json"),
        OPT_U32('s', "shards", &run.n_shards, "N", "shards of each stream, a power of two"),
        OPT_CHOICE(0, "order", &run.order, orders, "hashed|input", "order of the documents in a stream"),
        OPT_U64(0, "seed", &run.seed, "N", "picks the hashed order"),
        OPT_FLAG(0, "ids", &run.ids, "print ids of text on standard input instead"),
        OPT_FLAG(0, "plain", &run.plain, "with --ids: added tokens in the text are text"),
        OPT_COMMON_THREADS(&run.common),
        OPT_SIZE(0, "memory", &run.common.memory, "SIZE", "for tokens on their way; 0: 3/4 of what is free"),
        OPT_COMMON_SCRATCH(&run.common),
        OPT_TASK(0, "task", &run.common.task, "I/N", "do only share I of N (a job array)"),
        OPT_U32(0, "wait", &run.wait_seconds, "S",
                "with --task: wait S seconds for what other shares have not done yet"),
        OPT_FLAG(0, "force", &run.common.force, "start anew although DIR holds another run; not with --task"),
        OPT_COMMON_EVENTS(&run.common),
        OPT_COMMON_TALK(&run.common),
        OPT_CHECK(check_values, &run),
        OPT_CHECK(common_check, &run.common),
        OPT_END,
    };
    const OptVerb verb = {.name = "tokenize",
                          .usage = "[options] -o DIR -t FILE DATASET...",
                          .what = "Encode documents and pack them into token shards.",
                          .specs = specs,
                          .after = after};
    Par par = par_alone(1);
    Err err = {0};
    int first;

    ErrCode rc = options_parse(&verb, argc, argv, &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK) rc = check_operands(&run, argc - first, &err);
    if (rc == ERR_OK && run.ids) rc = ids_run(&run, &err);
    if (rc != ERR_OK || run.ids) return verb_exit(rc, &err);
    if ((rc = par_start(&par, (int)run.common.threads, &err)) != ERR_OK) return verb_exit(rc, &err);
    log_setup(run.common.quiet ? LOG_QUIET : run.common.verbose ? LOG_VERBOSE : LOG_NORMAL, par.rank);
    interrupt_install();
    events_open(run.common.events, verb.name, &par);
    if (run.common.task.count && par.n_ranks > 1)
        rc = err_set(&err, ERR_USAGE, "tokenize: --task is for processes without MPI");
    else
        rc = tokenize_run(&run, (const char *const *)argv + first, (size_t)(argc - first), &par, &err);
    par_stop(&par);
    return verb_exit(rc, &err);
}
