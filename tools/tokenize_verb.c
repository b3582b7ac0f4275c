/* tools/tokenize_verb.c - `tamis tokenize`: documents into a tokens directory, or into ids.
 *
 * stage.json, written first, holds the key of the run; manifest.json comes last. In between lie encoded parts and finished shards,
 * from which the same command goes on (tools/token_shuffle.h). */
#include "core/events.h"
#include "core/json.h"
#include "core/lease.h"
#include "core/options.h"
#include "core/store.h"
#include "tools/token_ids.h"
#include "tools/token_plan.h"
#include "tools/token_shuffle.h"
#include "tools/verbs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

static const char after[] =
    "INPUT is a dataset; JSON Lines of objects with a text, plain, gzip or zstd; with --text lines of plain text; or "
    "- for\n"
    "standard input. DIR gets one stream for each mixture domain, STREAM/shard-NNNNNN.tok, its documents ended by "
    "the tokenizer's\n"
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

typedef struct {
    const char *out, *tokenizer;
    uint32_t n_shards, order, wait_seconds;
    uint64_t seed;
    bool ids, plain, text;
    CommonOptions common;
} TokenizeRun;

/* --- the work */

static Span bytes_of(const void *ctx, uint32_t id) { return tokenizer_bytes(ctx, id); }

/* Numbers for people and the report; nothing reads them to decide an output. */
static ErrCode write_stats(TokenPlan *p, const DomainSet *domains, const TokenLost *lost, double seconds, Err *err)
{
    const char *path = tokenplan_path(p, "stats.json");
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
    buf_printf(&b, "],\"lost_bytes\":%" PRIu64 ",\"left_out\":{", lost->bytes);
    for (int i = 0; i < LINE_N_REASONS; i++)
        buf_printf(&b, "%s\"%s\":%" PRIu64, i ? "," : "", line_reasons[i], lost->lines[i]);
    buf_puts(&b, "},\"seconds\":");
    json_put_number(&b, seconds);
    buf_printf(&b, ",\"peak_memory\":%" PRIu64 "}\n", peak_memory_bytes());
    if ((rc = buf_ok(&b, "stats", err)) == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    return rc;
}

static void summarize(const DomainSet *domains, const TokenLost *lost, double seconds)
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
    for (int i = 0; i < LINE_N_REASONS; i++)
        if (lost->lines[i]) log_info("  left out: %" PRIu64 " lines, %s", lost->lines[i], line_reasons[i]);
    if (lost->bytes)
        log_warn("tokenize: %" PRIu64 " bytes have no token in this vocabulary and were left out", lost->bytes);
}

static ErrCode commit(TokenPlan *p, const TokenizeRun *run, const DomainSet *domains, const TokenLost *lost, Err *err)
{
    TokensDrop drops[LINE_N_REASONS + 1] = {[LINE_N_REASONS] = {"too_many_steps", 0}};
    StreamPlan *plan = calloc(domains->n + 1, sizeof *plan);
    ErrCode rc;

    if (!plan) return err_nomem(err, "streams");
    for (int i = 0; i < LINE_N_REASONS; i++) drops[i] = (TokensDrop){line_reasons[i], lost->lines[i]};
    for (size_t i = 0; i < domains->n; i++) {
        const DomainCount *d = &domains->v[i];
        plan[i] = (StreamPlan){d->name, run->n_shards, d->n_docs, d->n_tokens};
        drops[LINE_N_REASONS].n += d->n_dropped;
    }
    rc = tokensdir_commit(run->out, p->key, buf_span(&p->params), buf_span(&p->inputs), buf_span(&p->mixture), plan,
                          (uint32_t)domains->n, drops, sizeof drops / sizeof *drops, err);
    free(plan);
    return rc;
}

/* Rank 0: the shards are there; several tasks may come to this point, with the same to say. */
static ErrCode publish(TokenPlan *p, const TokenizeRun *run, const Tokenizer *t, const DomainSet *domains,
                       const TokenLost *lost, double seconds, Err *err)
{
    const char *vocab = tokenplan_path(p, "vocab.bin");
    ErrCode rc = vocab ? ERR_OK : err_nomem(err, "a path");

    if (rc == ERR_OK)
        rc = vocab_write(vocab, tokenizer_vocab_size(t), tokenizer_eos(t), tokenizer_id(t), bytes_of, t, err);
    if (rc == ERR_OK) rc = write_stats(p, domains, lost, seconds, err);
    if (rc == ERR_OK) rc = commit(p, run, domains, lost, err);
    if (rc == ERR_OK) summarize(domains, lost, seconds);
    return rc;
}

static ErrCode write_tokens(TokenPlan *p, const TokenizeRun *run, const TokenInput *in, const Tokenizer *t,
                            const Par *par, Err *err)
{
    ShuffleSpec spec = {.input = in,
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
    TokenLost lost;
    ErrCode rc = ERR_OK;

    if (par->rank == 0) rc = leases_open(&at_work, run->out, "tokenize", "tokenizing", err);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = tokens_shuffle(&spec, par, &domains, &lost, err);
    if (rc == ERR_OK && par->rank == 0) rc = publish(p, run, t, &domains, &lost, clock_seconds() - began, err);
    leases_close(at_work);
    domainset_clear(&domains);
    return par_agree(par, rc, err);
}

/* Other tasks of the array, or a second job, may have finished meanwhile and taken away what this one was reading. */
static ErrCode look_if_done(TokenPlan *p, const TokenizeRun *run, const Par *par, bool *done, Err *err)
{
    const char *manifest = tokenplan_path(p, "manifest.json");
    ErrCode rc = manifest ? ERR_OK : err_nomem(err, "a path");

    *done = false;
    if (rc == ERR_OK && par->rank == 0) rc = store_exists(manifest, done, err);
    if (rc == ERR_OK && *done) rc = tokens_drop_encoded(run->out, err);
    return par_believe(par, rc, done, err);
}

/* A task looks again, ever less often, until nothing new has come for as long as the user would wait. */
static ErrCode run_patiently(TokenPlan *p, const TokenizeRun *run, const TokenInput *in, const Tokenizer *t,
                             const Par *par, Err *err)
{
    enum { FIRST_MS = 50, LAST_MS = 15000 };
    double until = clock_seconds() + run->wait_seconds;
    Err waiting, last = {0}, later;
    unsigned ms = FIRST_MS;
    bool done;

    for (;;) {
        const ErrCode rc = write_tokens(p, run, in, t, par, err);
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

static void put_params(Buf *b, const TokenizeRun *run, const TokenInput *in, const Tokenizer *t)
{
    static const char *const kinds[] = {[TOKEN_JSONL] = "jsonl", [TOKEN_TEXT] = "text"};

    buf_puts(b, "{\"tokenizer_id\":");
    json_put_hash(b, tokenizer_id(t));
    buf_printf(b, ",\"shards\":%" PRIu32 ",\"order\":\"%s\",\"seed\":%" PRIu64, run->n_shards, orders[run->order],
               run->seed);
    if (!tokeninput_set(in)) buf_printf(b, ",\"lines\":\"%s\"", kinds[tokeninput_kind(in)]);
    buf_putc(b, '}');
}

static ErrCode open_inputs(TokenPlan *plan, const TokenizeRun *run, const TokenInputSpec *spec, const Par *par,
                           Tokenizer **t, TokenInput **in, Err *err)
{
    ErrCode rc = tokenizer_load(t, run->tokenizer, err);

    if (rc != ERR_OK) return rc;
    if (tokenizer_eos(*t) == UINT32_MAX)
        return err_set(err, ERR_DATA,
                       "%s: no end-of-document token: none of its added tokens is <|end_of_text|>, <|endoftext|> or "
                       "<\uff5cend\u2581of\u2581sentence\uff5c>; bpe --special adds one",
                       run->tokenizer);
    if ((rc = tokeninput_open(in, spec, err)) != ERR_OK) return rc;
    if (tokeninput_once(*in) && (par->n_ranks > 1 || run->common.task.count))
        return err_set(err, ERR_USAGE, "tokenize: standard input is for one process, not for ranks or tasks");
    put_params(&plan->params, run, *in, *t);
    return tokenplan_make(plan, *in, err);
}

/* Rank 0 makes the directory ours; all know whether there is something to do. */
static ErrCode claim_all(TokenPlan *plan, const TokenizeRun *run, const Par *par, bool *done, Err *err)
{
    ErrCode rc = ERR_OK;

    if (par->rank == 0) {
        rc = tokenplan_claim(plan, done, err);
        if (rc == ERR_OK && *done) log_info("tokenize: %s is up to date", run->out);
        if (rc == ERR_OK && (*done || !plan->mixture.n)) rc = tokenplan_refresh_mixture(plan, err);
        if (rc == ERR_OK && *done)
            rc = tokens_drop_encoded(run->out, err); /* its run may have been killed just before */
    }
    return par_believe(par, rc, done, err);
}

static ErrCode tokenize_run(const TokenizeRun *run, const TokenInputSpec *spec, const Par *par, Err *err)
{
    TokenInput *in = NULL;
    TokenPlan plan = {.out = run->out, .force = run->common.force};
    Tokenizer *t = NULL;
    bool done;
    ErrCode rc = par_agree(par, open_inputs(&plan, run, spec, par, &t, &in, err), err);

    if (rc == ERR_OK) rc = claim_all(&plan, run, par, &done, err);
    if (rc == ERR_OK && !done) rc = run_patiently(&plan, run, in, t, par, err);
    tokenplan_clear(&plan);
    tokeninput_close(in);
    tokenizer_free(t);
    return rc;
}

/* --ids. Without an operand the lines of standard input, whose ids are arrays: prompts. */
static ErrCode ids_run(const TokenizeRun *run, TokenInputSpec spec, Err *err)
{
    static const char *const prompts[] = {"-"};
    const bool bare = spec.n == 0;
    TokenInput *in = NULL;
    Tokenizer *t = NULL;
    ErrCode rc = par_refuse_tasks("tokenize --ids", err);

    if (bare) spec.path = prompts, spec.n = 1, spec.text = true;
    if (rc == ERR_OK) rc = tokenizer_load(&t, run->tokenizer, err);
    if (rc == ERR_OK) rc = tokeninput_open(&in, &spec, err);
    if (rc == ERR_OK)
        rc = tokenids_print(t, run->plain ? ENCODE_PLAIN : ENCODE_ALL, in, bare,
                            run->common.threads ? (int)run->common.threads : par_cores(), err);
    tokeninput_close(in);
    tokenizer_free(t);
    return rc;
}

/* --- the verb */

static ErrCode check_values(void *options, Err *err)
{
    const TokenizeRun *run = options;

    if (run->wait_seconds && !run->common.task.count)
        return err_set(err, ERR_USAGE,
                       "tokenize: --wait is for --task: without it there is no other share to wait for");
    if (run->plain && !run->ids) return err_set(err, ERR_USAGE, "tokenize: --plain goes with --ids");
    if (run->n_shards == 0 || run->n_shards > 65536 || (run->n_shards & (run->n_shards - 1)))
        return err_set(err, ERR_USAGE, "tokenize: --shards wants a power of two up to 65536, not %" PRIu32,
                       run->n_shards);
    return ERR_OK;
}

static ErrCode check_operands(const TokenizeRun *run, int n_operands, Err *err)
{
    if (run->ids && (run->out || run->common.events))
        return err_set(err, ERR_USAGE, "tokenize: --ids takes no %s", run->out ? "-o" : "--events");
    if (run->ids) return ERR_OK;
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
        OPT_FLAG(0, "text", &run.text, "INPUT is plain text, a text a line"),
        OPT_FLAG(0, "ids", &run.ids, "print ids instead: an object a document, or an array a line of standard input"),
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
                          .usage = "[options] {-o DIR|--ids} -t FILE INPUT...",
                          .what = "Encode documents and pack them into token shards.",
                          .specs = specs,
                          .after = after};
    Par par = par_alone(1);
    Err err = {0};
    int first;

    ErrCode rc = options_parse(&verb, argc, argv, &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK) rc = check_operands(&run, argc - first, &err);
    if (rc == ERR_OK) rc = common_scratch(&run.common, &err);
    if (rc != ERR_OK) return verb_exit(rc, &err);
    const TokenInputSpec spec = {.path = (const char *const *)argv + first,
                                 .n = (size_t)(argc - first),
                                 .text = run.text,
                                 .documents = !run.ids};
    const LogLevel level = run.common.quiet ? LOG_QUIET : run.common.verbose ? LOG_VERBOSE : LOG_NORMAL;
    if (run.ids) {
        log_setup(level, 0);
        interrupt_install();
        return verb_exit(ids_run(&run, spec, &err), &err);
    }
    if ((rc = par_start(&par, (int)run.common.threads, &err)) != ERR_OK) return verb_exit(rc, &err);
    log_setup(level, par.rank);
    interrupt_install();
    events_open(run.common.events, verb.name, &par);
    if (run.common.task.count && par.n_ranks > 1)
        rc = err_set(&err, ERR_USAGE, "tokenize: --task is for processes without MPI");
    else
        rc = tokenize_run(&run, &spec, &par, &err);
    par_stop(&par);
    return verb_exit(rc, &err);
}
