#include "core/stage.h"

#include "core/events.h"
#include "core/lease.h"
#include "core/log.h"
#include "core/stage_pipe.h"
#include "core/stage_share.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- keys and plans */

ErrCode stage_key(const StageDef *def, Span params, Span inputs_content, Hash128 *key, Err *err)
{
    Buf b = {0};
    ErrCode rc;

    buf_printf(&b, "{\"stage\":\"%s\",\"stage_version\":%" PRIu32 ",\"params\":", def->name, def->version);
    buf_put_span(&b, params);
    buf_puts(&b, ",\"inputs\":");
    buf_put_span(&b, inputs_content);
    buf_putc(&b, '}');
    rc = buf_ok(&b, "a key", err);
    *key = hash128(buf_span(&b));
    buf_clear(&b);
    return rc;
}

/* What identifies the inputs, without their paths. */
static void put_inputs_content(Buf *b, const StageJob *job)
{
    if (!job->set) {
        buf_put_span(b, job->inputs);
        return;
    }
    buf_putc(b, '[');
    for (size_t i = 0; i < datasetset_count(job->set); i++) {
        if (i) buf_putc(b, ',');
        json_put_hash(b, dataset_content(datasetset_at(job->set, i)));
    }
    buf_putc(b, ']');
}

/* [{path, content}…], paths as seen from the output directory. */
static ErrCode put_inputs(Buf *b, const StageJob *job, Err *err)
{
    Arena arena = {0};
    ErrCode rc = ERR_OK;

    if (job->inputs.p) {
        buf_put_span(b, job->inputs);
        return ERR_OK;
    }
    buf_putc(b, '[');
    for (size_t i = 0; i < datasetset_count(job->set) && rc == ERR_OK; i++) {
        const Dataset *ds = datasetset_at(job->set, i);
        const char *path;
        if ((rc = relative_path(&arena, job->out_dir, dataset_dir(ds), &path, err)) != ERR_OK) break;
        buf_puts(b, i ? ",{\"path\":" : "{\"path\":");
        json_put_cstr(b, path);
        buf_puts(b, ",\"content\":");
        json_put_hash(b, dataset_content(ds));
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
    arena_clear(&arena);
    return rc;
}

static uint32_t job_n_parts(const StageJob *job)
{
    return job->set ? datasetset_n_parts(job->set) : job->source->n_parts;
}

/* For whoever commits, which may be a program that knows no stage. */
static void put_unread(Buf *b, const StageDef *def)
{
    const char *sep = "";

    buf_puts(b, ",\"unread\":[");
    for (uint32_t i = 0; i < def->n_reasons; i++) {
        if (!def->is_unread(i)) continue;
        buf_printf(b, "%s\"%s\"", sep, def->reasons[i]);
        sep = ",";
    }
    buf_putc(b, ']');
}

static ErrCode make_plan(Buf *b, const StageJob *job, Hash128 key, Err *err)
{
    const StageDef *def = job->def;
    bool view = def->kind == DATASET_VIEW;
    Buf inputs = {0};
    ErrCode rc = put_inputs(&inputs, job, err);

    buf_printf(
        b,
        "{\"format\":\"tamis-dataset\",\"version\":%d,\"kind\":\"%s\",\"stage\":\"%s\",\"stage_version\":%" PRIu32
        ",\"key\":",
        DATASET_FORMAT_VERSION, view ? "view" : "written", def->name, def->version);
    json_put_hash(b, key);
    buf_puts(b, ",\"params\":");
    buf_put_span(b, job->params);
    buf_puts(b, ",\"inputs\":");
    buf_put_span(b, buf_span(&inputs));
    if (view) {
        buf_puts(b, ",\"base\":");
        buf_put_span(b, buf_span(&inputs));
    }
    buf_printf(b, ",\"n_parts\":%" PRIu32 ",\"reasons\":[", job_n_parts(job));
    for (uint32_t i = 0; i < def->n_reasons; i++) buf_printf(b, "%s\"%s\"", i ? "," : "", def->reasons[i]);
    buf_putc(b, ']');
    if (def->is_unread) put_unread(b, def);
    buf_puts(b, "}\n");
    if (rc == ERR_OK && inputs.oom) rc = err_nomem(err, "a plan");
    if (rc == ERR_OK) rc = buf_ok(b, "a plan", err);
    buf_clear(&inputs);
    return rc;
}

/* --- the output directory */

static bool is_ours(const char *name)
{
    static const char *const names[] = {"manifest.json", "parts.jsonl", "stats.json",    "stage.json",
                                        "mixture.json",  ALARM_FILE,    ALARM_FIRED_FILE};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(span_str(name), names[i])) return true;
    return span_starts(span_str(name), SPAN_LIT("part-"));
}

/* Whether a process works in `dir`, or in a directory below it: what a stage of several phases makes first (dedup's signatures). */
static ErrCode anybody_at_work(const char *dir, char who[128], bool *busy, Err *err)
{
    StoreList list = {0};
    char path[PATH_MAX];
    ErrCode rc = leases_anybody(dir, who, busy, err);

    if (rc != ERR_OK || *busy) return rc;
    rc = store_list(dir, &list, err);
    for (size_t i = 0; i < list.n && rc == ERR_OK && !*busy; i++)
        if (!is_ours(list.name[i]) && (rc = dataset_path(path, dir, list.name[i], err)) == ERR_OK)
            rc = leases_anybody(path, who, busy, err);
    storelist_clear(&list);
    return rc;
}

/* --force: removes another run's files, of the dataset the manifest first, so that what is left never looks complete. Not under the
 * hands of that run, whose parts would come back. */
static ErrCode wipe(const char *dir, Err *err)
{
    StoreList list = {0};
    char path[PATH_MAX], who[128];
    bool busy;
    ErrCode rc;

    if ((rc = anybody_at_work(dir, who, &busy, err)) != ERR_OK) return rc;
    if (busy) return err_set(err, ERR_DATA, "%s: another run is at work here (%s): stop it before --force", dir, who);
    if ((rc = leases_delete(dir, err)) != ERR_OK) return rc;
    if ((rc = dataset_path(path, dir, "manifest.json", err)) != ERR_OK || (rc = store_delete(path, err)) != ERR_OK)
        return rc;
    if ((rc = store_list(dir, &list, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < list.n && rc == ERR_OK; i++)
        if (is_ours(list.name[i]) && (rc = dataset_path(path, dir, list.name[i], err)) == ERR_OK)
            rc = store_delete(path, err);
    storelist_clear(&list);
    return rc;
}

static ErrCode holds_files(const char *dir, bool *yes, Err *err)
{
    StoreList list = {0};
    ErrCode rc = store_list(dir, &list, err);

    *yes = false;
    for (size_t i = 0; rc == ERR_OK && i < list.n; i++) *yes |= is_ours(list.name[i]);
    storelist_clear(&list);
    return rc;
}

/* A directory that the input is read from, as itself or as a base below it, must never be wiped. */
static ErrCode check_inputs(const StageJob *job, Err *err)
{
    size_t n = job->set ? datasetset_count(job->set) : 0;

    if (job->def->kind == DATASET_VIEW && n > DATASET_MAX_BASES)
        return err_set(err, ERR_LIMIT, "a view over %zu datasets; at most %d", n, DATASET_MAX_BASES);
    for (size_t i = 0; i < n; i++) {
        const Dataset *ds = datasetset_at(job->set, i);
        bool inside;
        ErrCode rc = dataset_stands_on(ds, job->out_dir, &inside, err);
        if (rc != ERR_OK) return rc;
        if (inside)
            return err_set(err, ERR_USAGE, "%s is both %s and output", job->out_dir,
                           dataset_is_view(ds) ? "a dataset that the input looks at" : "input");
    }
    return ERR_OK;
}

static ErrCode same_directory(const char *a, const char *b, bool *same, Err *err)
{
    Arena arena = {0};
    char *real_a, *real_b;
    ErrCode rc = store_resolve(&arena, a, &real_a, err);

    if (rc == ERR_OK) rc = store_resolve(&arena, b, &real_b, err);
    *same = rc == ERR_OK && strcmp(real_a, real_b) == 0;
    arena_clear(&arena);
    return rc;
}

/* What is dropped is written as parts, which must not replace those of a dataset. */
static ErrCode claim_rejected(const char *dir, const char *out_dir, Err *err)
{
    char path[PATH_MAX];
    bool taken, same;
    ErrCode rc;

    if ((rc = store_mkdirs(dir, err)) != ERR_OK || (rc = same_directory(dir, out_dir, &same, err)) != ERR_OK)
        return rc;
    if (same) return err_set(err, ERR_USAGE, "--rejected and --out are the same directory, %s: choose another", dir);
    if ((rc = dataset_path(path, dir, "stage.json", err)) != ERR_OK) return rc;
    if ((rc = store_exists(path, &taken, err)) != ERR_OK || !taken) return rc;
    return err_set(err, ERR_USAGE, "--rejected %s: a dataset is there; choose another directory", dir);
}

/* The plan of the directory; *found whether there is one, *ours whether it is this job's. */
static ErrCode look_at_plan(const StageJob *job, Hash128 key, bool *found, bool *ours, Err *err)
{
    Arena arena = {0};
    DatasetPlan plan;
    char path[PATH_MAX];
    ErrCode rc;

    *ours = false;
    if ((rc = dataset_path(path, job->out_dir, "stage.json", err)) != ERR_OK) return rc;
    if ((rc = store_exists(path, found, err)) != ERR_OK || !*found) return rc;
    rc = plan_read(&arena, job->out_dir, &plan, err);
    *ours = rc == ERR_OK && hash128_eq(plan.key, key);
    if (rc == ERR_OK && strcmp(plan.stage, job->def->name) != 0) /* --force replaces a run of the same stage alone */
        rc = err_set(err, ERR_DATA, "%s holds a run of %s: choose another directory", job->out_dir, plan.stage);
    else if (rc == ERR_OK && !*ours && !job->common->force)
        rc = err_set(
            err, ERR_DATA,
            "%s holds another run (stage %s, other parameters or inputs): choose another directory, or --force",
            job->out_dir, plan.stage);
    arena_clear(&arena);
    return rc;
}

/* Puts our plan there. Another task of the same job may do so at the same moment: then there is nothing left to do. */
static ErrCode create_plan(const StageJob *job, Hash128 key, Err *err)
{
    Buf text = {0};
    char path[PATH_MAX];
    bool created = false, found, ours = true;
    ErrCode rc = dataset_path(path, job->out_dir, "stage.json", err);

    if (rc == ERR_OK) rc = make_plan(&text, job, key, err);
    if (rc == ERR_OK) rc = store_create(path, buf_span(&text), &created, err);
    buf_clear(&text);
    if (rc == ERR_OK && !created) rc = look_at_plan(job, key, &found, &ours, err);
    if (rc == ERR_OK && !ours) rc = err_set(err, ERR_DATA, "%s: another job has just started here", job->out_dir);
    return rc;
}

/* Rank 0: makes the directory ours, or says whose it is. Parts come after a plan, so parts without one are no job's under
 * way, unless its plan came between two looks. */
static ErrCode claim(const StageJob *job, Hash128 key, Err *err)
{
    const char *rejected = job->common->rejected;
    bool found, ours, occupied = false;
    ErrCode rc;

    if ((rc = store_mkdirs(job->out_dir, err)) != ERR_OK || (rc = check_inputs(job, err)) != ERR_OK) return rc;
    if ((rc = look_at_plan(job, key, &found, &ours, err)) != ERR_OK) return rc;
    if (!found && (rc = holds_files(job->out_dir, &occupied, err)) != ERR_OK) return rc;
    if (occupied && (rc = look_at_plan(job, key, &found, &ours, err)) != ERR_OK) return rc;
    if (occupied && !found)
        return err_set(err, ERR_DATA, "%s holds files of something else: choose another directory", job->out_dir);
    if (rejected && (rc = claim_rejected(rejected, job->out_dir, err)) != ERR_OK) return rc;
    if (!ours && found && (rc = wipe(job->out_dir, err)) != ERR_OK) return rc;
    if (!ours && (rc = create_plan(job, key, err)) != ERR_OK) return rc;
    if (job->common->retry && (rc = leases_forget(job->out_dir, err)) != ERR_OK) return rc;
    if ((rc = stage_forget_repaired(job, job_n_parts(job), err)) != ERR_OK) return rc;
    return store_sweep(job->out_dir, 0, err);
}

/* --- the run */

/* Rank 0: the bands of this run become those of the directory. A task without bands leaves what the others were given. */
static ErrCode begin_alarms(const StageJob *job, const Par *par, Err *err)
{
    const CommonOptions *o = job->common;
    const bool forget = o->task.count <= 1 || o->no_alarm;
    const ErrCode rc = par->rank == 0 ? alarm_publish(job->out_dir, &o->alarm, forget, err) : ERR_OK;

    return par_agree(par, rc, err);
}

/* What a process has before it works, and what a thread has of blocks of 4 MiB as read, unpacked and written, and of scratch: as measured
 * of the stages that read datasets. Fewer threads do the work where all of them would take more than the budget. */
enum { PROCESS_BYTES = 36 << 20, THREAD_BYTES = 20 << 20 };

static int threads_within(int threads, uint64_t memory)
{
    uint64_t fit = memory > PROCESS_BYTES ? (memory - PROCESS_BYTES) / THREAD_BYTES : 0;

    return fit >= (uint64_t)threads ? threads : fit ? (int)fit : 1;
}

static ErrCode run_parts(const StageJob *job, const Par *par, Hash128 key, StageTotals *t, Err *err)
{
    StageTally tally = {0};
    WriteSpec spec = {
        .job = job, .key = key, .rejected_dir = job->common->rejected, .rank = par->rank, .tally = &tally};
    uint64_t bytes = 0, todo = 0, counts[2] = {0};
    Progress *progress = NULL;
    bool more = true;
    ErrCode rc = begin_alarms(job, par, err);

    if (rc == ERR_OK) rc = share_open(&spec.share, job, par, key, err);
    if (rc == ERR_OK) todo = share_n_todo(spec.share, &bytes);
    par_sum_u64(par, &todo, 1);
    if (rc == ERR_OK && todo) rc = progress_start(&progress, job->def->name, bytes, err);
    while (rc == ERR_OK && (rc = share_round(spec.share, &more, err)) == ERR_OK && more) {
        if ((rc = alarm_fired(job->out_dir, &job->common->alarm, err)) != ERR_OK) break;
        if (!progress) rc = progress_start(&progress, job->def->name, 0, err); /* others' parts only */
        EventSpan span = event_begin("map", job->def->name, 0);
        spec.memory = common_memory(job->common, par);
        if (rc == ERR_OK) rc = stage_pipe(&spec, threads_within(par->threads, spec.memory), progress, err);
        event_end(span, 0, 0);
    }
    if (rc == ERR_OK) rc = share_verdict(spec.share, err);
    if (spec.share) counts[0] = share_n_done(spec.share), counts[1] = share_n_reused(spec.share);
    share_close(spec.share);
    receipt_clear(&tally.sum);
    rc = par_agree(par, rc, err);
    par_sum_u64(par, counts, 2);
    progress_sum(progress, par);
    progress_stop(progress);
    t->n_parts_done = (uint32_t)counts[0];
    t->n_parts_reused = (uint32_t)counts[1];
    return rc;
}

static ErrCode read_totals(const char *dir, StageTotals *t, Err *err)
{
    Dataset *ds;
    ErrCode rc = dataset_open(&ds, dir, err);

    if (rc != ERR_OK) return rc;
    t->n_docs = dataset_n_docs(ds);
    t->text_bytes = dataset_text_bytes(ds);
    rc = json_get_u64(dataset_manifest(ds), "n_in", 0, dir, &t->n_in, err);
    t->n_dropped = t->n_in - t->n_docs;
    dataset_close(ds);
    return rc;
}

ErrCode stage_claim(const StageJob *job, const Par *par, Hash128 *key, Err *err)
{
    Buf inputs = {0};
    ErrCode rc;

    put_inputs_content(&inputs, job);
    rc = buf_ok(&inputs, "a key", err);
    if (rc == ERR_OK) rc = stage_key(job->def, job->params, buf_span(&inputs), key, err);
    if (rc == ERR_OK) rc = alarm_check(&job->common->alarm, job->def->reasons, job->def->n_reasons, err);
    if (rc == ERR_OK && par->rank == 0) rc = claim(job, *key, err);
    buf_clear(&inputs);
    return par_agree(par, rc, err);
}

ErrCode stage_is_complete(const char *dir, const Par *par, bool *yes, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = dataset_path(path, dir, "manifest.json", err);

    *yes = false;
    if (rc == ERR_OK && par->rank == 0) rc = store_exists(path, yes, err);
    return par_believe(par, rc, yes, err);
}

ErrCode stage_run(const StageJob *job, const Par *par, StageTotals *totals, Err *err)
{
    StageTotals t = {.n_parts = job_n_parts(job)};
    uint32_t have, all;
    Hash128 key;
    ErrCode rc;

    if ((rc = stage_claim(job, par, &key, err)) != ERR_OK) return rc;
    if ((rc = stage_is_complete(job->out_dir, par, &t.complete, err)) != ERR_OK) return rc;
    t.up_to_date = t.complete;
    if (!t.complete) {
        if ((rc = run_parts(job, par, key, &t, err)) != ERR_OK) return rc;
        if (par->rank == 0) rc = dataset_commit(job->out_dir, &t.complete, &have, &all, err);
        if ((rc = par_agree(par, rc, err)) != ERR_OK) return rc;
        if ((rc = stage_is_complete(job->out_dir, par, &t.complete, err)) != ERR_OK) return rc;
    }
    if (t.complete) rc = read_totals(job->out_dir, &t, err);
    if (!t.complete && job->common->task.count <= 1) /* a run that was taken for dead has come back */
        rc = err_set(err, ERR_DATA, "%s: parts of another run have appeared meanwhile; run it again", job->out_dir);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK && t.up_to_date)
        log_info("%s: %s is up to date: %" PRIu64 " documents", job->def->name, job->out_dir, t.n_docs);
    if (rc == ERR_OK && job->common->rejected && (t.up_to_date || t.n_parts_reused))
        log_warn("%s: --rejected shows only parts done now; %" PRIu32 " were done before", job->def->name,
                 t.up_to_date ? t.n_parts : t.n_parts_reused);
    if (totals) *totals = t;
    return rc;
}

bool stage_begin(const OptVerb *verb, int argc, char **argv, const CommonOptions *common, Par *par, DatasetSet **set,
                 ErrCode *rc, Err *err)
{
    int first = 0;
    const ErrCode begun = verb_begin(verb, argc, argv, common, par, &first, err);

    *set = NULL;
    *rc = begun == ERR_NO ? ERR_OK : begun;
    if (begun != ERR_OK) return false;
    *rc = datasetset_open(set, (const char *const *)argv + first, (size_t)(argc - first), err);
    *rc = par_agree(par, *rc, err); /* a rank may not see what the others see */
    return *rc == ERR_OK;
}

ErrCode stage_summary(const char *dir, Err *err)
{
    Dataset *ds;
    uint64_t n_in;
    ErrCode rc = dataset_open(&ds, dir, err);

    if (rc != ERR_OK) return rc;
    const Json *m = dataset_manifest(ds);
    if ((rc = json_get_u64(m, "n_in", 0, dir, &n_in, err)) == ERR_OK) {
        log_info("%s: %" PRIu64 " in, %" PRIu64 " out (%.1f MB of text), %" PRIu64 " dropped", dir, n_in,
                 dataset_n_docs(ds), (double)dataset_text_bytes(ds) / 1e6, n_in - dataset_n_docs(ds));
        const Json *dropped = json_get(m, "dropped");
        for (const Json *d = dropped ? dropped->child : NULL; d; d = d->next)
            log_info("  %12.0f %s", d->number, (const char *)d->key.p);
    }
    dataset_close(ds);
    return rc;
}
