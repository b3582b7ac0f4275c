/* Rates from a finished run directory: what its manifests, statistics, events, column files and run.json tell. What a run does
 * not tell is left out, and so stays what it was. */
#include "core/store.h"
#include "tools/plan.h"
#include "tools/rundir.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENTS_BYTES = 257 << 20 };
/* Below so many records, starting outweighs what exchanging them costs. */
static const double least_records = 1e7;
/* Of less text the words are not what fills the memory. */
static const double least_sample = 1e7;

typedef struct {
    RunDir run;
    PlanValues v; /* the built-in ones, whose shape is kept where a run gives one number for two */
    bool known[PLAN_N_VALUES];
} Calibration;

static void set(Calibration *c, PlanValue i, double value)
{
    if (!(value >= plan_defs[i].min && value <= plan_defs[i].max)) return;
    c->v.v[i] = value;
    c->known[i] = true;
}

/* n things at `us` each and bytes at `mb_s` took cpu_s: both are scaled alike. */
static void set_cost(Calibration *c, PlanValue us, double n, PlanValue mb_s, double bytes, double cpu_s)
{
    const double expected = n * c->v.v[us] * 1e-6 + bytes / (c->v.v[mb_s] * 1e6);

    if (!(expected > 0 && cpu_s > 0)) return;
    set(c, us, c->v.v[us] * cpu_s / expected);
    set(c, mb_s, c->v.v[mb_s] * expected / cpu_s);
}

/* A view's stage: what it passed over cost something too, at most half of all. */
static void set_view_cost(Calibration *c, PlanValue mb_s, double shown, double all, double cpu_s)
{
    double passed = (all - shown) / (c->v.v[PLAN_READ_MB_S] * 1e6);

    if (passed > cpu_s / 2) passed = cpu_s / 2;
    if (cpu_s > 0 && shown > 0) set(c, mb_s, shown / (cpu_s - passed) * 1e-6);
}

/* --- files of a stage's directory */

/* Bytes of the column files in DIR. */
static ErrCode column_bytes(const char *dir, double *bytes, Err *err)
{
    StoreList list = {0};
    Arena a = {0};
    uint64_t size;

    *bytes = 0;
    ErrCode rc = store_list(dir, &list, err);
    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        const size_t n = strlen(list.name[i]);
        if (n < 5 || strcmp(list.name[i] + n - 5, ".cols") != 0) continue;
        const char *path = path_join(&a, dir, list.name[i]);
        rc = path ? store_size(path, &size, err) : err_nomem(err, "a path");
        if (rc == ERR_OK) *bytes += (double)size;
    }
    storelist_clear(&list);
    arena_clear(&a);
    return rc;
}

/* CPU seconds of the signing below a deduplicated dataset; 0 when its files are gone. */
static ErrCode sign_seconds(const char *dedup_dir, double *cpu_s, Err *err)
{
    Arena a = {0};
    Buf text = {0};
    Json *stats = NULL;
    bool exists = false;
    ErrCode rc = ERR_OK;

    *cpu_s = 0;
    const char *path = path_join(&a, dedup_dir, "sign/stats.json");
    if (!path) return err_nomem(err, "a path");
    if ((rc = store_exists(path, &exists, err)) == ERR_OK && exists)
        if ((rc = store_read(path, RUNDIR_MAX_JSON, &text, err)) == ERR_OK)
            rc = json_parse(&a, buf_span(&text), path, &stats, err);
    if (rc == ERR_OK && stats) *cpu_s = rundir_number(stats, "cpu_seconds");
    buf_clear(&text);
    arena_clear(&a);
    return rc;
}

/* --- events: the peak memory of a process, and its threads */

typedef struct {
    char verb[24];
    double threads, peak;
} Process;

/* Torn and unknown lines are passed over: events are talk. */
static void read_process(Span text, Process *p)
{
    Arena a = {0};

    *p = (Process){.threads = 1};
    while (text.n) {
        const size_t n = span_find(text, '\n');
        Json *line;
        if (n < text.n && json_parse(&a, span(text.p, n), "", &line, NULL) == ERR_OK) {
            const Json *event = json_get(line, "event"), *verb = json_get(line, "verb");
            const bool start = event && event->type == JSON_STRING && span_is(event->string, "start");
            if (start && verb && verb->type == JSON_STRING)
                snprintf(p->verb, sizeof p->verb, "%s", (const char *)verb->string.p);
            if (start) p->threads = fmax(rundir_number(line, "threads"), 1);
            p->peak = fmax(p->peak, rundir_number(line, "peak_bytes"));
        }
        arena_reset(&a);
        text = span_from(text, n + 1);
    }
    arena_clear(&a);
}

static void take_process(Calibration *c, const Process *p)
{
    const double worker = p->peak / p->threads * 1e-6;

    if (strcmp(p->verb, "ingest") == 0 && p->peak > 0 &&
        !(c->known[PLAN_WORKER_MB] && c->v.v[PLAN_WORKER_MB] > worker))
        set(c, PLAN_WORKER_MB, worker);
    const double sample = fmin(c->v.v[PLAN_BPE_SAMPLE_MB] * 1e6, (double)rundir_stage(&c->run, "remix")->text_bytes);
    if (strcmp(p->verb, "bpe") == 0 && p->peak > 0 && sample >= least_sample)
        set(c, PLAN_BPE_WORDS, p->peak / sample);
}

static ErrCode take_events(Calibration *c, const char *run_dir, Err *err)
{
    StoreList list = {0};
    Arena a = {0};
    bool exists = false;
    ErrCode rc = ERR_OK;

    const char *dir = path_join(&a, run_dir, "events");
    if (!dir) return err_nomem(err, "a path");
    if ((rc = store_exists(dir, &exists, err)) == ERR_OK && exists) rc = store_list(dir, &list, err);
    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        Buf text = {0};
        Process p;
        const char *path = path_join(&a, dir, list.name[i]);
        rc = path ? store_read(path, MAX_EVENTS_BYTES, &text, err) : err_nomem(err, "a path");
        if (rc == ERR_OK) {
            read_process(buf_span(&text), &p);
            take_process(c, &p);
        }
        buf_clear(&text);
    }
    storelist_clear(&list);
    arena_clear(&a);
    return rc;
}

/* --- stages */

/* Of parts that were under way at once each counts what the process took, so that the sum may exceed what `tamis run` saw. */
static double cpu_of(const RunStage *s)
{
    const double parts = rundir_number(s->stats, "cpu_seconds"), process = s->time.cpu_seconds;

    return process > 0 && process < parts ? process : parts;
}

/* Pages: HTTP responses where they were counted, else records. */
static double pages_of(const RunStage *ingest)
{
    const Json *status = json_get(json_get(ingest->stats, "counters"), "status");
    double n = 0;

    for (const Json *s = status && status->type == JSON_OBJECT ? status->child : NULL; s; s = s->next)
        n += s->type == JSON_ARRAY && s->child ? (double)rundir_count_of(s->child) : 0;
    return n > 0 ? n : (double)ingest->n_in;
}

static void take_ingest(Calibration *c, const RunStage *s)
{
    const double pages = pages_of(s), bytes = rundir_number(s->stats, "bytes_in");

    set_cost(c, PLAN_INGEST_PAGE_US, pages, PLAN_INGEST_MB_S, bytes, cpu_of(s));
    if (pages > 0) set(c, PLAN_INGEST_KEEP, (double)s->n_docs / pages);
    if (s->n_docs) set(c, PLAN_INGEST_TEXT, (double)s->text_bytes / (double)s->n_docs);
    if (s->text_bytes) set(c, PLAN_INGEST_STORED, rundir_number(s->stats, "stored_bytes") / (double)s->text_bytes);
}

/* What clustering took is what signing and judging left of the verb's time: many records tell the rate, few what a step costs
 * beside them. */
static void take_clustering(Calibration *c, double docs, double cpu_s)
{
    enum { STEPS_BESIDE_BANDS = 6 };
    const double bands = c->v.v[PLAN_SIGN_BANDS];
    const double records = docs * (1 + bands * (1 - c->v.v[PLAN_DEDUP_EXACT]));

    if (records >= least_records && cpu_s > 0) set(c, PLAN_RECORDS_S, records / cpu_s);
    if (records < least_records)
        set(c, PLAN_STEP_S, fmax(cpu_s - records / c->v.v[PLAN_RECORDS_S], 0) / (bands + STEPS_BESIDE_BANDS));
}

static ErrCode take_dedup(Calibration *c, const RunStage *s, Err *err)
{
    const Json *bands = json_get(json_get(s->manifest, "params"), "bands");
    const double docs = (double)s->n_in, text = rundir_number(s->stats, "bytes_in");
    double bytes, sign_cpu;
    ErrCode rc = sign_seconds(s->dir, &sign_cpu, err);

    if (rc == ERR_OK) rc = column_bytes(s->dir, &bytes, err);
    if (rc != ERR_OK || docs == 0) return rc;
    if (bands && bands->type == JSON_NUMBER) set(c, PLAN_SIGN_BANDS, bands->number);
    const double judge_cpu = rundir_number(s->stats, "cpu_seconds"), process = s->time.cpu_seconds;
    const double scale = process > 0 && process < sign_cpu + judge_cpu ? process / (sign_cpu + judge_cpu) : 1;
    set_view_cost(c, PLAN_SIGN_MB_S, text, text, scale * sign_cpu);
    set(c, PLAN_JUDGE_DOC_US, scale * judge_cpu / docs * 1e6);
    set(c, PLAN_JUDGE_COLUMNS, bytes / docs);
    const Json *dropped = json_get(s->manifest, "dropped");
    set(c, PLAN_DEDUP_EXACT,
        (double)(rundir_count(dropped, "exact_duplicate") + rundir_count(dropped, "url_duplicate")) / docs);
    if (text > 0) set(c, PLAN_DEDUP_DROP, 1 - (double)s->text_bytes / text);
    if (sign_cpu > 0 && process > 0) take_clustering(c, docs, process - sign_cpu - judge_cpu);
    return ERR_OK;
}

static ErrCode take_view(Calibration *c, const RunStage *s, PlanValue mb_s, PlanValue columns, const RunStage *docs,
                         Err *err)
{
    double bytes;

    set_view_cost(c, mb_s, rundir_number(s->stats, "bytes_in"), (double)docs->text_bytes, cpu_of(s));
    ErrCode rc = column_bytes(s->dir, &bytes, err);
    if (rc == ERR_OK && docs->n_docs) set(c, columns, bytes / (double)docs->n_docs);
    return rc;
}

/* bpe and tokenize tell their CPU seconds to `tamis run` alone. */
static void take_tokens(Calibration *c, const RunStage *text, const RunStage *bpe, const RunStage *tokens,
                        const RunStage *docs)
{
    const double bytes = (double)text->text_bytes, passed = (double)docs->text_bytes;
    const double n_tokens = rundir_number(tokens->manifest, "n_tokens");
    const double vocab = rundir_number(tokens->manifest, "vocab_size");

    if (vocab > 256) {
        set(c, PLAN_BPE_MERGES, vocab - 256);
        set(c, PLAN_TOKEN_BITS, fmax(ceil(log2(vocab)), 16));
    }
    const double sample = fmin(bytes, c->v.v[PLAN_BPE_SAMPLE_MB] * 1e6);
    set_cost(c, PLAN_BPE_MERGE_US, c->v.v[PLAN_BPE_MERGES], PLAN_BPE_MB_S, sample, bpe->time.cpu_seconds);
    if (!tokens->manifest) return;
    set_view_cost(c, PLAN_TOKENIZE_MB_S, bytes, passed, tokens->time.cpu_seconds);
    if (n_tokens > (double)text->n_docs) set(c, PLAN_TOKEN_TEXT, bytes / (n_tokens - (double)text->n_docs));
}

static ErrCode take_all(Calibration *c, Err *err)
{
    const RunStage *docs = rundir_stage(&c->run, "ingest"), *unique = rundir_stage(&c->run, "dedup");
    const RunStage *clean = rundir_stage(&c->run, "filter"), *mixed = rundir_stage(&c->run, "remix");
    ErrCode rc = take_events(c, c->run.dir, err);

    if (docs->manifest) take_ingest(c, docs);
    if (rc == ERR_OK && unique->manifest) rc = take_dedup(c, unique, err);
    if (rc == ERR_OK && clean->manifest) {
        rc = take_view(c, clean, PLAN_FILTER_MB_S, PLAN_FILTER_COLUMNS, docs, err);
        const double in = rundir_number(clean->stats, "bytes_in");
        if (in > 0) set(c, PLAN_FILTER_KEEP, (double)clean->text_bytes / in);
    }
    if (rc == ERR_OK && mixed->manifest) rc = take_view(c, mixed, PLAN_REMIX_MB_S, PLAN_REMIX_COLUMNS, docs, err);
    if (rc == ERR_OK && mixed->manifest)
        take_tokens(c, mixed, rundir_stage(&c->run, "bpe"), rundir_stage(&c->run, "tokenize"), docs);
    return rc;
}

/* --- the file */

static void put_rates(Buf *out, const Calibration *c, const char *note)
{
    const RunStage *docs = rundir_stage(&c->run, "ingest");
    const char *section = NULL;
    Buf source = {0};

    buf_printf(&source, "%s: %" PRIu64 " documents, %.1f MB of text%s%s", c->run.dir, docs->n_docs,
               (double)docs->text_bytes / 1e6, note ? ", " : "", note ? note : "");
    buf_puts(out, "{\"format\":\"tamis-rates\",\"version\":1,\"source\":");
    json_put_string(out, buf_span(&source));
    for (int i = 0; i < PLAN_N_VALUES; i++) {
        const PlanDef *d = &plan_defs[i];
        if (!c->known[i]) continue;
        const bool same = section && strcmp(section, d->section) == 0;
        if (!same) buf_printf(out, "%s,\n\"%s\":{", section ? "}" : "", d->section);
        buf_printf(out, "%s\"%s\":", same ? "," : "", d->key);
        json_put_number(out, c->v.v[i]);
        section = d->section;
    }
    buf_puts(out, section ? "}}\n" : "}\n");
    buf_clear(&source);
}

ErrCode plan_calibrate(Buf *out, const char *run_dir, const char *note, Err *err)
{
    Calibration *c = calloc(1, sizeof *c);
    ErrCode rc;

    if (!c) return err_nomem(err, "rates");
    plan_defaults(&c->v);
    if ((rc = rundir_load(&c->run, run_dir, err)) == ERR_OK) rc = take_all(c, err);
    if (rc == ERR_OK) {
        put_rates(out, c, note);
        rc = buf_ok(out, "rates", err);
    }
    rundir_clear(&c->run);
    free(c);
    return rc;
}
