#include "dedup/dedup.h"

#include "core/lease.h"
#include "core/store.h"
#include "core/unicode.h"
#include "dedup/cluster.h"
#include "dedup/index.h"
#include "dedup/sign.h"
#include "dedup/totals.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* --- judging: the verdicts found, document by document */

enum { N_REASONS = CLUSTER_N - 1 }; /* the verdict less one */
enum { COLUMN_CLUSTER, COLUMN_DOCS, COLUMN_DUMPS, COLUMN_HOSTS, COLUMN_WEIGHT, COLUMN_MATCH, N_COLUMNS };

/* Penedo et al. 2025, by classes of DEDUP_SIZES. */
static const uint8_t weights[DEDUP_SIZES] = {1, 2, 3, 5, 8, 1};

typedef struct {
    const char *dir, *sign_dir; /* DIR/clusters, DIR/sign */
    Hash128 key;
    Index *index; /* NULL: none, and no column match */
} JudgeContext;

enum { SIGNED_BYTES, SIGNED_ID_HASH, SIGNED_SIGNALS, SIGNED_LANG, SIGNED_DOMAIN, N_SIGNED };
static const SignColumn signed_columns[N_SIGNED] = {SIGN_BYTES, SIGN_ID_HASH, SIGN_SIGNALS, SIGN_LANG, SIGN_DOMAIN};
static const ColType signed_types[N_SIGNED] = {COL_U32, COL_U64, COL_U8, COL_STRING, COL_STRING};

/* What is said of one part, for all threads. */
typedef struct {
    ClusterFile clusters;
    Columns *signs;
    uint32_t column[N_SIGNED];
} JudgePart;

typedef struct {
    ClusterRows clusters; /* those at hand */
    Buf signs[N_SIGNED];  /* of the same records */
    StringWindow window[N_SIGNED];
} JudgeWorker;

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(JudgeWorker));
    return *worker ? ERR_OK : err_nomem(err, "a part's clusters");
}

static void worker_free(void *worker)
{
    JudgeWorker *w = worker;

    if (!w) return;
    clusterrows_clear(&w->clusters);
    for (int i = 0; i < N_SIGNED; i++) {
        buf_clear(&w->signs[i]);
        stringwindow_clear(&w->window[i]);
    }
    free(w);
}

static void judge_close(void *said)
{
    JudgePart *p = said;

    clusterfile_close(&p->clusters);
    columns_close(p->signs);
    free(p);
}

static ErrCode open_signs(JudgePart *p, const char *dir, uint32_t part, Hash128 content, Err *err)
{
    ErrCode rc = sign_open(&p->signs, dir, part, err);

    if (rc == ERR_OK && !hash128_eq(columns_part(p->signs), content))
        rc = err_set(err, ERR_DATA, "%s: part %" PRIu32 " has signatures of other documents", dir, part);
    for (int i = 0; i < N_SIGNED && rc == ERR_OK; i++) {
        const ColumnDef want = {sign_column_names[signed_columns[i]], signed_types[i], 1, 0};
        rc = columns_require(p->signs, &want, &p->column[i], err);
    }
    return rc;
}

static ErrCode judge_open(void *ctx, const PartView *view, uint32_t part, void **said, Err *err)
{
    const JudgeContext *c = ctx;
    JudgePart *p = calloc(1, sizeof *p);
    ErrCode rc;

    if (!p) return err_nomem(err, "a part's clusters");
    rc = clusterfile_open(&p->clusters, c->dir, c->key, partview_docid(view, 0), err);
    if (rc == ERR_OK) rc = open_signs(p, c->sign_dir, part, partview_root_content(view), err);
    if (rc)
        judge_close(p);
    else
        *said = p;
    return rc;
}

static ErrCode judge_rows(void *ctx, void *worker, void *said, uint32_t first, uint32_t n, Err *err)
{
    const JudgePart *p = said;
    JudgeWorker *w = worker;
    ErrCode rc = clusterrows_load(&w->clusters, &p->clusters, first, n, err);

    (void)ctx;
    for (int i = 0; i < N_SIGNED && rc == ERR_OK; i++) {
        stringwindow_reset(&w->window[i]); /* the rows before may have been another part's */
        rc = columns_range(p->signs, p->column[i], first, n, &w->signs[i], err);
    }
    return rc;
}

/* `doc` may be NULL. */
static ErrCode judge(const JudgeContext *c, const JudgeWorker *w, uint32_t record, const Doc *doc, StageSink *sink,
                     Err *err)
{
    const ClusterRow row = clusterrows_at(&w->clusters, record);

    if (row.verdict >= CLUSTER_N) return err_set(err, ERR_DATA, "%s does not know record %" PRIu32, c->dir, record);
    sink_u64(sink, COLUMN_CLUSTER, 0, row.keeper);
    sink_u32(sink, COLUMN_DOCS, 0, row.docs);
    sink_u32(sink, COLUMN_DUMPS, 0, row.dumps);
    sink_u32(sink, COLUMN_HOSTS, 0, row.hosts);
    if (row.verdict == CLUSTER_KEPT)
        sink_u8(sink, COLUMN_WEIGHT, 0, weights[totals_size_class(row.docs)]);
    else
        sink_drop(sink, row.verdict - 1u, doc ? doc->id : (Span){NULL, 0}, doc);
    if (c->index) sink_u64(sink, COLUMN_MATCH, 0, row.match);
    return ERR_OK;
}

static ErrCode judge_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err)
{
    return judge(ctx, worker, docid_record(id), doc, sink, err);
}

static ErrCode signed_string(const JudgePart *p, JudgeWorker *w, int column, uint32_t record, Span *out, Err *err)
{
    return columns_string_at(p->signs, p->column[column], buf_span(&w->signs[column]), w->clusters.first, record,
                             &w->window[column], out, err);
}

static ErrCode judge_row(void *ctx, void *worker, void *said, PartView *view, uint32_t record, StageRow *row,
                         StageSink *sink, Err *err)
{
    JudgeWorker *w = worker;
    const size_t i = record - w->clusters.first;
    ErrCode rc;

    (void)view;
    row->id_hash = le64_get(w->signs[SIGNED_ID_HASH].p + 8 * i);
    row->bytes = le32_get(w->signs[SIGNED_BYTES].p + 4 * i);
    row->n_signals = w->signs[SIGNED_SIGNALS].p[i] * (uint32_t)SIGNALS_UNIT;
    if ((rc = signed_string(said, w, SIGNED_LANG, record, &row->lang, err)) != ERR_OK) return rc;
    if ((rc = signed_string(said, w, SIGNED_DOMAIN, record, &row->domain, err)) != ERR_OK) return rc;
    return judge(ctx, w, record, NULL, sink, err);
}

static const StageJudge judge_files = {judge_open, judge_close, judge_rows, judge_row};

/* Clusters and signatures. */
static bool own_file(const StageJob *job, uint32_t part, uint32_t i, Buf *path)
{
    const JudgeContext *c = job->ctx;
    char file[PATH_MAX];
    Err none;
    bool there = false;

    if (i == 0) there = clusters_path(file, c->dir, datasetset_docid(job->set, part), &none) == ERR_OK;
    if (i == 1) there = sign_path(file, sizeof file, c->sign_dir, part);
    if (there) buf_puts(path, file);
    return there;
}

static const ColumnDef columns[N_COLUMNS] = {
    [COLUMN_CLUSTER] = {"cluster", COL_U64, 1, 0},           [COLUMN_DOCS] = {"dup_docs", COL_U32, 1, COL_SIGNAL},
    [COLUMN_DUMPS] = {"dup_dumps", COL_U32, 1, COL_SIGNAL},  [COLUMN_HOSTS] = {"dup_hosts", COL_U32, 1, COL_SIGNAL},
    [COLUMN_WEIGHT] = {"dup_weight", COL_U8, 1, COL_SIGNAL}, [COLUMN_MATCH] = {"match", COL_U64, 1, 0},
};
static const StageDef judge_def = {
    .name = "dedup",
    .version = DEDUP_VERSION,
    .kind = DATASET_VIEW,
    .reasons = cluster_reasons + 1,
    .n_reasons = N_REASONS,
    .columns = columns,
    .n_columns = COLUMN_MATCH,
    .worker_new = worker_new,
    .worker_free = worker_free,
};

/* --- the run */

ErrCode dedup_check(const DedupParams *p, Err *err)
{
    KeepOrder keep;

    if (!p->exact_only && (p->bands == 0 || p->bands > DEDUP_MAX_BANDS))
        return err_set(err, ERR_USAGE, "dedup: --bands is 1 to %d", DEDUP_MAX_BANDS);
    if (!p->exact_only && (p->rows == 0 || p->rows > DEDUP_MAX_VALUES / p->bands))
        return err_set(err, ERR_USAGE, "dedup: bands times rows is 1 to %d", DEDUP_MAX_VALUES);
    if (p->shingle == 0 || p->shingle > DEDUP_MAX_SHINGLE)
        return err_set(err, ERR_USAGE, "dedup: --shingle is 1 to %d", DEDUP_MAX_SHINGLE);
    if (!(p->verify >= 0 && p->verify <= 1)) return err_set(err, ERR_USAGE, "dedup: --verify is 0 to 1");
    if (p->window > DEDUP_MAX_WINDOW)
        return err_set(err, ERR_USAGE, "dedup: --scope window is of 1 to %d dumps", DEDUP_MAX_WINDOW);
    if (p->index && p->window)
        return err_set(err, ERR_USAGE,
                       "dedup: --index compares with all earlier dumps: it goes with --scope all only");
    return keep_parse(&keep, p->keep, err);
}

/* Checked before. */
static void put_keep(Buf *b, const DedupParams *p)
{
    KeepOrder keep;
    Buf text = {0};
    Err none;

    if (keep_parse(&keep, p->keep, &none) == ERR_OK) keep_put(&text, &keep, false);
    json_put_string(b, buf_span(&text));
    b->oom |= text.oom;
    buf_clear(&text);
}

static void put_params(Buf *b, const DedupParams *p, const Index *index)
{
    buf_puts(b, "{\"keep\":");
    put_keep(b, p);
    if (p->window > 1)
        buf_printf(b, ",\"scope\":\"window:%" PRIu32 "\"", p->window);
    else
        buf_puts(b, p->window ? ",\"scope\":\"dump\"" : ",\"scope\":\"all\"");
    if (p->url) buf_puts(b, ",\"url\":true");
    if (index) {
        buf_puts(b, ",\"index\":");
        json_put_hash(b, index_state(index));
    }
    if (p->exact_only) {
        buf_puts(b, ",\"exact_only\":true");
    } else {
        buf_printf(b,
                   ",\"bands\":%" PRIu32 ",\"rows\":%" PRIu32 ",\"shingle\":%" PRIu32 ",\"seed\":\"%" PRIu64
                   "\",\"verify\":",
                   p->bands, p->rows, p->shingle, p->seed);
        json_put_number(b, (double)lround(p->verify * 1e6) / 1e6);
    }
    buf_puts(b, ",\"unicode\":");
    json_put_cstr(b, unicode_tables_id());
    buf_putc(b, '}');
}

typedef struct {
    char sign[PATH_MAX], passes[PATH_MAX], clusters[PATH_MAX];
} Paths;

static ErrCode make_paths(Paths *p, const char *dir, Err *err)
{
    int a = snprintf(p->sign, sizeof p->sign, "%s/sign", dir),
        b = snprintf(p->passes, sizeof p->passes, "%s/passes", dir),
        c = snprintf(p->clusters, sizeof p->clusters, "%s/clusters", dir);

    if (a < 0 || b < 0 || c < 0 || c >= (int)sizeof p->clusters)
        return err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
    return ERR_OK;
}

/* Rank 0 looks, and all believe it. */
static ErrCode have_clusters(const Paths *paths, Hash128 key, const Par *par, bool *found, Err *err)
{
    DedupTotals totals;
    ErrCode rc = ERR_OK;

    if (par->rank == 0) rc = clusters_load(paths->clusters, key, found, &totals, err);
    return par_believe(par, rc, found, err);
}

/* Steps are what a run that was cut short goes on from: with the result there, they are nothing. Others may be writing there,
 * or deleting, at this moment. */
static void drop_steps(const Paths *paths, const Par *par)
{
    Err err;

    if (par->rank == 0 && store_delete_tree(paths->passes, 2, &err) != ERR_OK)
        log_debug("%s; the next run deletes it", err.msg);
}

/* Where several do this at the same time, the first to end takes away what the others were still reading, and the result is
 * there; some may have begun steps anew. */
static ErrCode make_clusters(const DedupParams *params, const StageJob *job, const Paths *paths, Hash128 key,
                             const Par *par, Err *err)
{
    Index *index = ((const JudgeContext *)job->ctx)->index;
    const ClusterSpec spec = {.dir = paths->clusters,
                              .key = key,
                              .index = index,
                              .table = {.sign_dir = paths->sign,
                                        .passes_dir = paths->passes,
                                        .scratch = job->common->scratch ? job->common->scratch : job->out_dir,
                                        .key = index ? index_steps_key(index, key) : key,
                                        .task = job->common->task,
                                        .memory = common_memory(job->common, par)}};
    Leases *at_work = NULL; /* so that --force of another sees us, and `tamis status` */
    bool found;
    Err failure;
    ErrCode rc = have_clusters(paths, key, par, &found, err);

    if (rc == ERR_OK && !found) {
        if (par->rank == 0) rc = leases_open(&at_work, job->out_dir, job->def->name, "clustering", err);
        if ((rc = par_agree(par, rc, err)) == ERR_OK) rc = cluster_run(params, job->set, &spec, par, err);
        leases_close(at_work);
        if (rc) failure = *err;
        if (rc && have_clusters(paths, key, par, &found, err) == ERR_OK && found) rc = ERR_OK;
        if (rc) *err = failure;
    }
    if (rc == ERR_OK) drop_steps(paths, par);
    return rc;
}

/* *is_signed: they are complete, and this was said. */
static ErrCode run_sign(const DedupParams *params, const StageJob *job, const Paths *paths, const Par *par,
                        bool *is_signed, Err *err)
{
    StageTotals signs = {0};
    KeepOrder keep;
    ErrCode rc;

    if (*is_signed) return ERR_OK;
    if ((rc = sign_run(params, job->set, paths->sign, job->common, par, &signs, err)) != ERR_OK) return rc;
    *is_signed = signs.complete;
    if (!signs.complete || par->rank || keep_parse(&keep, params->keep, NULL) != ERR_OK) return ERR_OK;
    keep_warn(&keep, paths->sign);
    return ERR_OK;
}

/* As far as it goes now; `waiting` says what for, when others have to come first. */
static ErrCode run_phases(const DedupParams *params, const StageJob *job, const Paths *paths, Hash128 key,
                          const Par *par, bool *is_signed, StageTotals *totals, Err *waiting, Err *err)
{
    bool done;
    ErrCode rc;

    if ((rc = stage_is_complete(job->out_dir, par, &done, err)) != ERR_OK) return rc;
    if (!done) {
        if ((rc = run_sign(params, job, paths, par, is_signed, err)) != ERR_OK) return rc;
        *totals = (StageTotals){.n_parts = datasetset_n_parts(job->set)};
        if (!*is_signed) {
            (void)err_set(waiting, ERR_NO, "%s is not complete yet", paths->sign);
            return ERR_OK;
        }
        if ((rc = make_clusters(params, job, paths, key, par, err)) == ERR_NO) {
            *waiting = *err;
            return ERR_OK;
        }
        if (rc) return rc;
    }
    return stage_run(job, par, totals, err);
}

/* Other tasks of the array may be at work at this moment: looks again, ever less often, until nothing new has come for as long as
 * the user would wait. */
static ErrCode run_patiently(const DedupParams *params, const StageJob *job, const Paths *paths, Hash128 key,
                             const Par *par, StageTotals *totals, Err *err)
{
    enum { FIRST_MS = 50, LAST_MS = 15000 };
    double until = clock_seconds() + params->wait_seconds;
    Err waiting = {0}, last = {0};
    unsigned ms = FIRST_MS;
    bool is_signed = false;
    ErrCode rc;

    while ((rc = run_phases(params, job, paths, key, par, &is_signed, totals, &waiting, err)) == ERR_OK &&
           waiting.msg[0]) {
        if (strcmp(last.msg, waiting.msg) != 0) {
            until = clock_seconds() + params->wait_seconds;
            ms = FIRST_MS;
        }
        last = waiting;
        if (clock_seconds() >= until) {
            log_info("dedup: this share is done so far: %s. Run every share once more.", waiting.msg);
            return ERR_OK;
        }
        waiting.msg[0] = 0;
        if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
        if (ms < LAST_MS) ms *= 2;
    }
    return rc;
}

/* --- the index */

static ErrCode open_index(Index *ix, const DedupParams *params, const DatasetSet *in, const Par *par, bool *held,
                          Hash128 *inputs, Err *err)
{
    ErrCode rc = index_load(ix, params->index, params, par, err);

    return rc ? rc : par_agree(par, index_find_inputs(ix, in, inputs, held, err), err);
}

/* Opens it for adding what it does not hold yet: nobody else adds to it until indexclaim_end(). */
static ErrCode claim_index(Index *ix, IndexClaim *claim, const DedupParams *params, const DatasetSet *in,
                           const char *out_dir, const Par *par, Err *err)
{
    Hash128 inputs;
    bool held;
    ErrCode rc = open_index(ix, params, in, par, &held, &inputs, err);

    if (rc || held) return rc;
    if (par->rank == 0) rc = indexclaim_take(claim, ix, "dedup", out_dir, inputs, err);
    if ((rc = par_agree(par, rc, err)) != ERR_OK) return rc;
    index_clear(ix); /* another may have added to it just now */
    return open_index(ix, params, in, par, &held, &inputs, err);
}

/* What stays goes into the index, which must be the one that was asked. */
static ErrCode add_to_index(Index *ix, const IndexClaim *claim, const DedupParams *params, const StageJob *job,
                            Hash128 key, const Par *par, Err *err)
{
    const CommonOptions *common = job->common;
    const IndexWork work = {.par = par,
                            .memory = common_memory(common, par),
                            .scratch = common->scratch ? common->scratch : job->out_dir,
                            .claim = claim,
                            .params = job->params};
    Hash128 state = index_state(ix), inputs;
    bool held;
    ErrCode rc;

    index_clear(ix);
    if ((rc = open_index(ix, params, job->set, par, &held, &inputs, err)) != ERR_OK) return rc;
    if (held) {
        log_info("dedup: %s holds these documents, from %s: nothing is added", params->index,
                 ix->dataset[ix->n_prior].out);
        return ERR_OK;
    }
    if (!hash128_eq(index_state(ix), state))
        return err_set(err, ERR_DATA, "%s has got other documents meanwhile: deduplicate again, with --force",
                       params->index);
    return index_add(ix, job->out_dir, datasetset_n_parts(job->set), inputs, key, &work, err);
}

/* --- all of it */

typedef struct {
    const DedupParams *params;
    Paths paths;
    JudgeContext ctx;
    StageDef def;
    Index index; /* where ctx.index is set */
    IndexClaim claim;
    Buf json;   /* of the parameters */
    bool begun; /* the output directory is this run's */
} Run;

/* What the key is made of: the parameters, and the state of the index, which nobody else adds to from here on. */
static ErrCode run_begin(Run *r, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                         const Par *par, Err *err)
{
    ErrCode rc = dedup_check(r->params, err);

    if (rc == ERR_OK) rc = make_paths(&r->paths, out_dir, err);
    if (rc == ERR_OK && r->params->index && common->task.count)
        rc = err_set(err, ERR_USAGE, "dedup: --index does not go with --task");
    if ((rc = par_agree(par, rc, err)) != ERR_OK) return rc;
    r->def = judge_def;
    r->ctx.dir = r->paths.clusters;
    r->ctx.sign_dir = r->paths.sign;
    if (r->params->index) {
        r->ctx.index = &r->index;
        r->def.n_columns = N_COLUMNS;
        if ((rc = claim_index(&r->index, &r->claim, r->params, in, out_dir, par, err)) != ERR_OK) return rc;
    }
    put_params(&r->json, r->params, r->ctx.index);
    rc = buf_ok(&r->json, "parameters", err);
    if (rc == ERR_OK && r->ctx.index) rc = index_check_held(&r->index, buf_span(&r->json), err);
    return par_agree(par, rc, err);
}

static ErrCode run_job(Run *r, const StageJob *job, const Par *par, StageTotals *totals, Err *err)
{
    const IndexDataset *held = r->ctx.index ? index_held(&r->index) : NULL;
    ErrCode rc = stage_claim(job, par, &r->ctx.key, err);

    if (rc) return rc;
    if (held && !hash128_eq(held->key, r->ctx.key))
        return err_set(err, ERR_DATA, "%s: these documents were added by another version of this program, from %s",
                       r->params->index, held->out);
    r->begun = true;
    indexclaim_begin(&r->claim);
    rc = par_agree(par, indexclaim_check(&r->claim, err), err);
    if (rc == ERR_OK) rc = run_patiently(r->params, job, &r->paths, r->ctx.key, par, totals, err);
    if (rc == ERR_OK && totals->complete && r->ctx.index)
        rc = add_to_index(&r->index, &r->claim, r->params, job, r->ctx.key, par, err);
    return rc;
}

/* Clusters may have been deleted by their owner: then there is nothing to tell. */
static ErrCode read_totals(const Run *r, const StageTotals *totals, DedupTotals *dedup, Err *err)
{
    bool found;
    ErrCode rc = clusters_load(r->paths.clusters, r->ctx.key, &found, dedup, err);

    if (rc == ERR_OK && !found) *dedup = (DedupTotals){.n_docs = totals->n_in};
    return rc;
}

ErrCode dedup_run(const DedupParams *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                  const Par *par, StageTotals *totals, DedupTotals *dedup, Err *err)
{
    StageTotals own = {0};
    Run *r = calloc(1, sizeof *r);
    ErrCode rc = par_agree(par, r ? ERR_OK : err_nomem(err, "a run"), err);

    if (rc == ERR_OK) {
        r->params = params;
        rc = run_begin(r, in, out_dir, common, par, err);
    }
    if (rc == ERR_OK) {
        const StageJob job = {.def = &r->def,
                              .ctx = &r->ctx,
                              .params = buf_span(&r->json),
                              .out_dir = out_dir,
                              .set = in,
                              .map = judge_map,
                              .judge = &judge_files,
                              .own_file = own_file,
                              .common = common};
        rc = run_job(r, &job, par, &own, err);
    }
    if (rc == ERR_OK && own.complete && dedup) rc = read_totals(r, &own, dedup, err);
    if (totals) *totals = own;
    if (!r) return rc;
    indexclaim_end(&r->claim, rc == ERR_OK || !r->begun); /* else it is held for who goes on with it */
    if (r->ctx.index) index_clear(&r->index);
    buf_clear(&r->json);
    free(r);
    return rc;
}
