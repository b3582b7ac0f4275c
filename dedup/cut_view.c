/* Writing the view: what was found goes out of the texts. */
#include "dedup/cut.h"

#include "core/lease.h"
#include "core/store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { REASON_NOTHING_LEFT, REASON_TOO_LONG, N_REASONS };
enum { COLUMN_LINE, COLUMN_UNITS, COLUMN_BYTES, N_COLUMNS };
static const char *const reasons[N_REASONS] = {"nothing_left", "line_too_long"};

typedef struct {
    const CutStage *stage;
    const CutTable *table;
    const Results *found;
} CutContext;

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(CutScratch));
    return *worker ? ERR_OK : err_nomem(err, "scratch for cutting");
}

static void worker_free(void *worker)
{
    if (worker) cutscratch_clear(worker);
    free(worker);
}

/* --- one document */

typedef struct {
    uint64_t units, bytes;
    bool left; /* a key token stays */
} Cut;

static void put_length(Buf *b, uint64_t n)
{
    if (b->n) buf_putc(b, ',');
    buf_put_u64(b, n);
}

/* What stays goes to w->text, the lengths of what stays and goes to w->lengths. */
static Cut cut_text(CutScratch *w, Span text)
{
    Cut c = {0};
    size_t at = 0, unit = 0;

    buf_recycle(&w->text);
    buf_recycle(&w->lengths);
    for (size_t i = 0; i < w->ranges.n; i += sizeof(UnitRange)) {
        UnitRange r, bytes;
        memcpy(&r, w->ranges.p + i, sizeof r);
        bytes = units_cut(&w->units, text, &r);
        for (; unit < r.begin; unit++) c.left |= w->units.unit[unit].n_tok != 0;
        unit = r.end;
        if (bytes.begin == bytes.end) continue;
        put_length(&w->lengths, bytes.begin - at);
        put_length(&w->lengths, bytes.end - bytes.begin);
        buf_put(&w->text, text.p + at, bytes.begin - at);
        at = bytes.end;
        c.units += r.end - r.begin;
        c.bytes += bytes.end - bytes.begin;
    }
    for (; unit < w->units.n; unit++) c.left |= w->units.unit[unit].n_tok != 0;
    buf_put_span(&w->text, span_from(text, at));
    return c;
}

/* The document's edits with one more. */
static void put_edits(CutScratch *w, const CutStage *stage, Span before)
{
    Buf *b = &w->edits;

    buf_recycle(b);
    if (before.n > 2) { /* raw JSON without white space: "[]" is empty */
        buf_put_span(b, span(before.p, before.n - 1));
        buf_putc(b, ',');
    } else {
        buf_putc(b, '[');
    }
    buf_printf(b, "{\"stage\":\"%s\",\"version\":%" PRIu32 ",\"cut\":[", stage->name, stage->version);
    buf_put_span(b, buf_span(&w->lengths));
    buf_puts(b, "]}]");
}

static ErrCode edit_doc(const CutStage *stage, CutScratch *w, const Doc *doc, StageSink *sink, Err *err)
{
    const Cut c = cut_text(w, doc->text);
    Doc shown = *doc;
    ErrCode rc;

    if (c.bytes == 0) return ERR_OK;
    put_edits(w, stage, doc->edits);
    if ((rc = buf_ok(&w->text, "what is left of a text", err)) != ERR_OK) return rc;
    if (w->lengths.oom || (rc = buf_ok(&w->edits, "edits", err)) != ERR_OK) return err_nomem(err, "edits");
    shown.text = buf_span(&w->text);
    shown.edits = buf_span(&w->edits);
    sink_u32(sink, COLUMN_UNITS, 0, (uint32_t)c.units);
    sink_u32(sink, COLUMN_BYTES, 0, (uint32_t)c.bytes);
    sink_count(sink, "cut", SPAN_LIT("documents"), 1, c.bytes);
    sink_count(sink, "cut", span_str(stage->units), c.units, c.bytes);
    if (!c.left)
        sink_drop(sink, REASON_NOTHING_LEFT, doc->id, doc);
    else if (!sink_edit(sink, COLUMN_LINE, &shown))
        sink_drop(sink, REASON_TOO_LONG, doc->id, doc);
    return ERR_OK;
}

/* The number of the document `id`. */
static ErrCode number_of(const DocTable *d, DocId id, uint64_t *number, Err *err)
{
    const DocId first = id - docid_record(id);
    uint32_t lo = 0, hi = d->n_parts;

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (d->docid[mid] <= first)
            lo = mid;
        else
            hi = mid;
    }
    *number = d->first[lo] + docid_record(id);
    if (d->docid[lo] == first && *number < d->first[lo + 1]) return ERR_OK;
    return err_set(err, ERR_DATA, "record %" PRIu32 " of part %" PRIu32 " is not among the documents read before",
                   docid_record(id), docid_part(id));
}

static ErrCode cut_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err)
{
    const CutContext *c = ctx;
    CutScratch *w = worker;
    uint64_t number = 0;
    Span records;
    ErrCode rc = number_of(&c->table->docs, id, &number, err);

    if (rc == ERR_OK) rc = cut_slice(w, c->found, c->stage->width, number, &records, err);
    if (rc || records.n == 0) return rc;
    if ((rc = units_split(&w->units, c->stage->kind, doc->text, err)) != ERR_OK) return rc;
    buf_recycle(&w->ranges);
    rc = c->stage->ranges(c->stage->ctx, w, doc, records, sink, err);
    if (rc == ERR_OK) rc = buf_ok(&w->ranges, "ranges of units", err);
    return rc ? rc : edit_doc(c->stage, w, doc, sink, err);
}

/* Where the last step left what it found. */
static bool own_file(const StageJob *job, uint32_t part, uint32_t i, Buf *path)
{
    (void)part;
    if (i == 0) buf_printf(path, "%s/passes/cuts", job->out_dir);
    return i == 0;
}

/* --- the run */

/* Finds what repeats, unless all of it is done. Somebody must be seen at work meanwhile, for --force of another and `tamis status`. */
static ErrCode find(const CutStage *stage, const StageJob *job, const CutTable *t, Pass **found, Err *err)
{
    const Par *par = t->docs.par;
    Leases *at_work = NULL;
    ErrCode rc = ERR_OK;

    if (par->rank == 0) rc = leases_open(&at_work, job->out_dir, job->def->name, "finding", err);
    rc = par_agree(par, rc, err);
    if (rc == ERR_OK) rc = stage->find(stage->ctx, t, found, err);
    leases_close(at_work);
    return rc;
}

/* Half of the budget is for the texts under way, as in the map engine, but never more than they need. */
static uint64_t step_memory(const CommonOptions *common, const Par *par)
{
    const uint64_t all = common_memory(common, par), texts = (uint64_t)par->threads << 25;

    return all - (texts < all / 2 ? texts : all / 2);
}

/* *waiting: tasks of an array have not found their shares yet; `err` says which. */
static ErrCode find_and_write(const CutStage *stage, StageJob *job, const char *passes, Hash128 key, const Par *par,
                              StageTotals *totals, bool *waiting, Err *err)
{
    const DocTableSpec spec = {.passes_dir = passes,
                               .scratch = job->common->scratch ? job->common->scratch : job->out_dir,
                               .key = key,
                               .task = job->common->task,
                               .memory = step_memory(job->common, par)};
    CutTable t = {.in = job->set, .name = stage->name};
    CutContext ctx = {.stage = stage, .table = &t};
    Pass *found = NULL;
    ErrCode rc = doctable_number(&t.docs, job->set, &spec, par, err);

    if (rc) return rc;
    rc = find(stage, job, &t, &found, err);
    *waiting = rc == ERR_NO;
    if (rc == ERR_OK) {
        ctx.found = pass_results(found);
        job->ctx = &ctx;
        rc = stage_run(job, par, totals, err);
    }
    pass_close(found);
    doctable_clear(&t.docs);
    return rc;
}

/* With the view there, what was found is nothing. Others may be reading or deleting it at this moment. */
static void drop_passes(const char *passes, const Par *par)
{
    Err err;

    if (par->rank == 0 && store_delete_tree(passes, 2, &err) != ERR_OK)
        log_debug("%s; the next run deletes it", err.msg);
}

static ErrCode run_phases(const CutStage *stage, StageJob *job, const Par *par, StageTotals *totals, Err *err)
{
    char passes[PATH_MAX];
    int n = snprintf(passes, sizeof passes, "%s/passes", job->out_dir);
    Err failure;
    Hash128 key;
    bool done;
    ErrCode rc = n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", job->out_dir);

    if (rc == ERR_OK) rc = stage_claim(job, par, &key, err);
    if (rc == ERR_OK) rc = stage_is_complete(job->out_dir, par, &done, err);
    if (rc) return rc;
    if (!done) {
        bool waiting = false;
        rc = find_and_write(stage, job, passes, key, par, totals, &waiting, err);
        if (waiting) {
            log_info("%s: this share is done so far: %s. Run every share once more.", stage->name, err->msg);
            return ERR_OK;
        }
        failure = *err; /* another may have finished it all, and taken away what was read here */
        if (rc && (stage_is_complete(job->out_dir, par, &done, err) != ERR_OK || !done)) {
            *err = failure;
            return rc;
        }
    }
    if (done) rc = stage_run(job, par, totals, err);
    if (rc == ERR_OK && totals->complete) drop_passes(passes, par);
    return rc;
}

/* --- what was cut */

static uint64_t number_at(const Json *list, uint32_t i)
{
    const Json *j = list && list->type == JSON_ARRAY ? list->child : NULL;
    uint64_t n = 0;

    for (; j && i; i--) j = j->next;
    return j && j->type == JSON_NUMBER && span_to_u64(j->string, &n) ? n : 0;
}

static ErrCode read_totals(const CutStage *stage, const char *dir, CutTotals *totals, Err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/stats.json", dir);
    Arena arena = {0};
    Buf text = {0};
    Json *j = NULL;
    ErrCode rc = n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", dir);

    *totals = (CutTotals){.what = stage->units};
    if (rc == ERR_OK) rc = store_read(path, 256 << 20, &text, err);
    if (rc == ERR_OK) rc = json_parse(&arena, buf_span(&text), path, &j, err);
    if (rc == ERR_OK) {
        const Json *counters = json_get(j, "counters"), *cut = counters ? json_get(counters, "cut") : NULL;
        const Json *docs = cut ? json_get(cut, "documents") : NULL;
        totals->docs = number_at(docs, 0);
        totals->bytes = number_at(docs, 1);
        totals->units = number_at(cut ? json_get(cut, stage->units) : NULL, 0);
    }
    buf_clear(&text);
    arena_clear(&arena);
    return rc;
}

/* --- all of it */

ErrCode cut_run(const CutStage *stage, Span params, const DatasetSet *in, const char *out_dir,
                const CommonOptions *common, const Par *par, StageTotals *totals, CutTotals *cut, Err *err)
{
    const ColumnDef columns[N_COLUMNS] = {[COLUMN_LINE] = {"line", COL_STRING, 1, COL_LINE},
                                          [COLUMN_UNITS] = {stage->columns[0], COL_U32, 1, COL_SIGNAL},
                                          [COLUMN_BYTES] = {stage->columns[1], COL_U32, 1, COL_SIGNAL}};
    const StageDef def = {.name = stage->name,
                          .version = stage->version,
                          .kind = DATASET_VIEW,
                          .reasons = reasons,
                          .n_reasons = N_REASONS,
                          .columns = columns,
                          .n_columns = N_COLUMNS,
                          .worker_new = worker_new,
                          .worker_free = worker_free};
    StageJob job = {.def = &def,
                    .params = params,
                    .out_dir = out_dir,
                    .set = in,
                    .map = cut_map,
                    .own_file = own_file,
                    .common = common};
    StageTotals own = {.n_parts = datasetset_n_parts(in)};
    ErrCode rc = run_phases(stage, &job, par, &own, err);

    if (rc == ERR_OK && own.complete && cut) rc = read_totals(stage, out_dir, cut, err);
    if (totals) *totals = own;
    return rc;
}
