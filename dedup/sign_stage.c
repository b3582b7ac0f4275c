/* dedup/sign_stage.c - the sign stage: signatures of a part are taken from beside its documents where they lie there, and made from the
 * texts where not. */
#include "core/log.h"
#include "core/store.h"
#include "dedup/dumpnames.h"
#include "dedup/signer.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    Signer signer;
    Buf beside;       /* the receipt that signatures beside documents must have */
    atomic_bool told; /* that a part had signatures of others */
} SignContext;

typedef struct {
    SignScratch scratch;
    bool looked; /* at `part`, whose signatures are … */
    uint32_t part;
    Columns *ready;                                                                /* … these; NULL: not there */
    Span values[SIGN_BANDS + DEDUP_MAX_BANDS], pool[SIGN_BANDS + DEDUP_MAX_BANDS]; /* of the signer's columns */
    Span dump, dump_pool;
} SignWorker;

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(SignWorker));
    return *worker ? ERR_OK : err_nomem(err, "a signature");
}

static void worker_free(void *worker)
{
    SignWorker *w = worker;

    if (!w) return;
    signscratch_clear(&w->scratch);
    columns_close(w->ready);
    free(w);
}

static ErrCode sign_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err)
{
    SignContext *c = ctx;
    SignWorker *w = worker;

    (void)id;
    return signer_put(&c->signer, &w->scratch, doc, sink, err);
}

/* --- signatures that are there */

/* The file beside the root part `part`. */
static bool beside_path(char path[PATH_MAX], Span part)
{
    const Span end = SPAN_LIT(".jsonl.zst");
    int n;

    if (part.n < end.n) return false;
    n = snprintf(path, PATH_MAX, "%.*s.%s.cols", (int)(part.n - end.n), (const char *)part.p, SIGN_BESIDE);
    return n > 0 && n < PATH_MAX;
}

/* The last file of a part is the root part's. */
static bool beside_file(const StageJob *job, uint32_t part, uint32_t i, Buf *path)
{
    char beside[PATH_MAX];
    Buf root = {0};
    bool there = false;

    for (uint32_t k = 0; i == 0 && datasetset_part_file(job->set, part, k, path); k++) {
        buf_reset(&root);
        buf_put_span(&root, buf_span(path));
        buf_reset(path);
    }
    there = i == 0 && !root.oom && beside_path(beside, buf_span(&root));
    if (there) buf_puts(path, beside);
    buf_clear(&root);
    return there;
}

/* Whether the file that is open was made as we would make it, over these documents. An --exact-only run asks for no bands. */
static bool is_of_use(const SignContext *c, const Columns *cols, const PartView *view)
{
    Span have = columns_receipt(cols), want = buf_span(&c->beside);

    if (!hash128_eq(columns_part(cols), partview_root_content(view)) ||
        columns_n_docs(cols) != partview_n_records(view))
        return false;
    if (c->signer.near || span_eq(have, want)) return span_eq(have, want);
    return span_starts(have, span(want.p, want.n - 1)) &&
           have.p[want.n - 1] == ','; /* with bands behind the version */
}

static ErrCode open_ready(SignContext *c, SignWorker *w, const PartView *view, Err *err)
{
    char path[PATH_MAX];
    bool there;
    ErrCode rc;

    columns_close(w->ready);
    w->ready = NULL;
    if (c->signer.keep.n_stored || partview_rewrites(view)) return ERR_OK;
    if (!beside_path(path, span_str(partview_root_path(view)))) return ERR_OK;
    if ((rc = store_exists(path, &there, err)) != ERR_OK || !there) return rc;
    if ((rc = columns_open(&w->ready, path, err)) != ERR_OK) return rc;
    if (!is_of_use(c, w->ready, view)) {
        if (!atomic_exchange(&c->told, true))
            log_info("dedup: %s has signatures of other parameters or documents: they are made anew", path);
        columns_close(w->ready);
        w->ready = NULL;
        return ERR_OK;
    }
    for (uint32_t i = 0; i < c->signer.n_columns && rc == ERR_OK; i++)
        rc = columns_typed(w->ready, &c->signer.column[i], &w->values[i], &w->pool[i], err);
    if (rc == ERR_OK)
        rc = columns_typed(w->ready, &(ColumnDef){sign_column_names[SIGN_DUMP_NAME], COL_STRING, 1, 0}, &w->dump,
                           &w->dump_pool, err);
    return rc;
}

static ErrCode is_ready(void *ctx, void *worker, PartView *view, uint32_t part, bool *yes, Err *err)
{
    SignWorker *w = worker;
    ErrCode rc = ERR_OK;

    if (!w->looked || w->part != part) {
        w->looked = false;
        if ((rc = open_ready(ctx, w, view, err)) != ERR_OK) return rc;
        w->looked = true;
        w->part = part;
    }
    *yes = w->ready != NULL;
    return rc;
}

static ErrCode ready_string(const SignWorker *w, uint32_t column, uint32_t record, Span *out, Err *err)
{
    return column_string(w->ready, w->values[column], w->pool[column], record, out, err);
}

/* As signer_put() would. */
static ErrCode sign_row(void *ctx, void *worker, PartView *view, uint32_t part, uint32_t record, StageRow *row,
                        StageSink *sink, Err *err)
{
    const Signer *s = &((SignContext *)ctx)->signer;
    const SignWorker *w = worker;
    Span domain, dump, value;
    ErrCode rc;

    (void)part;
    row->id_hash = le64_get(w->values[s->at[SIGN_ID_HASH]].p + 8 * (size_t)record);
    row->bytes = le32_get(w->values[s->at[SIGN_BYTES]].p + 4 * (size_t)record);
    if ((rc = ready_string(w, s->at[SIGN_LANG], record, &row->lang, err)) != ERR_OK) return rc;
    if ((rc = ready_string(w, s->at[SIGN_DOMAIN], record, &row->domain, err)) != ERR_OK) return rc;
    if ((rc = partview_domain(view, record, &domain, err)) != ERR_OK) return rc;
    if (domain.p) row->domain = domain;
    for (uint32_t i = 0; i < s->n_columns && rc == ERR_OK; i++) {
        const size_t bytes = s->column[i].width * coltype_size(s->column[i].type);
        if (s->column[i].type != COL_STRING) {
            sink_values(sink, i, w->values[i].p + record * bytes);
            continue;
        }
        value = row->domain;
        if (i != s->at[SIGN_DOMAIN]) rc = ready_string(w, i, record, &value, err);
        if (rc == ERR_OK && value.p) sink_string(sink, i, value);
    }
    if (rc == ERR_OK) rc = column_string(w->ready, w->dump, w->dump_pool, record, &dump, err);
    if (rc == ERR_OK && dump.p) sink_count(sink, "dump", dump, 1, row->bytes);
    return rc;
}

/* --- the stage */

static ErrCode beside_receipt(Buf *b, const DedupParams *params, Err *err)
{
    Signer *s = malloc(sizeof *s);
    ErrCode rc;

    if (!s) return err_nomem(err, "signatures");
    if ((rc = signer_init(s, params, true, err)) == ERR_OK) signer_put_params(b, s);
    signer_clear(s);
    free(s);
    return rc ? rc : buf_ok(b, "parameters", err);
}

ErrCode sign_run(const DedupParams *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                 const Par *par, StageTotals *totals, Err *err)
{
    SignContext ctx = {.told = false};
    StageDef def = {.name = "sign",
                    .version = DEDUP_VERSION,
                    .kind = DATASET_VIEW,
                    .columns = ctx.signer.column,
                    .worker_new = worker_new,
                    .worker_free = worker_free};
    CommonOptions quiet_drop = *common; /* nothing is dropped here: the view of the verb fills --rejected */
    Buf json = {0};
    ErrCode rc = signer_init(&ctx.signer, params, false, err);

    if (rc == ERR_OK) rc = beside_receipt(&ctx.beside, params, err);
    def.n_columns = ctx.signer.n_columns;
    quiet_drop.rejected = NULL;
    quiet_drop.alarm.n = 0;
    if (rc == ERR_OK) signer_put_params(&json, &ctx.signer);
    if (rc == ERR_OK) rc = buf_ok(&json, "parameters", err);
    if (rc == ERR_OK) {
        StageJob job = {.def = &def,
                        .ctx = &ctx,
                        .params = buf_span(&json),
                        .out_dir = out_dir,
                        .set = in,
                        .map = sign_map,
                        .judge = sign_row,
                        .can_judge = is_ready,
                        .own_file = beside_file,
                        .common = &quiet_drop};
        rc = stage_run(&job, par, totals, err);
    }
    signer_clear(&ctx.signer);
    buf_clear(&ctx.beside);
    buf_clear(&json);
    return rc;
}

/* --- beside documents that are written */

typedef struct {
    StageBeside beside; /* first: what the caller sees */
    DedupParams params;
    Signer signer;
    Buf receipt;
} SignBeside;

static ErrCode scratch_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(SignScratch));
    return *worker ? ERR_OK : err_nomem(err, "a signature");
}

static void scratch_free(void *worker)
{
    if (worker) signscratch_clear(worker);
    free(worker);
}

static ErrCode beside_put(void *ctx, void *worker, const Doc *doc, StageSink *sink, Err *err)
{
    const SignBeside *b = ctx;

    return signer_put(&b->signer, worker, doc, sink, err);
}

ErrCode dedup_beside_new(const DedupParams *params, StageBeside **out, Err *err)
{
    SignBeside *b = calloc(1, sizeof *b);
    ErrCode rc;

    *out = NULL;
    if (!b) return err_nomem(err, "signatures");
    b->params = *params;
    if ((rc = dedup_check(params, err)) == ERR_OK && (rc = signer_init(&b->signer, &b->params, true, err)) == ERR_OK)
        rc = beside_receipt(&b->receipt, params, err);
    b->beside = (StageBeside){.name = SIGN_BESIDE,
                              .columns = b->signer.column,
                              .n_columns = b->signer.n_columns,
                              .receipt = buf_span(&b->receipt),
                              .ctx = b,
                              .worker_new = scratch_new,
                              .worker_free = scratch_free,
                              .put = beside_put};
    *out = &b->beside;
    if (rc == ERR_OK) return ERR_OK;
    dedup_beside_free(*out);
    *out = NULL;
    return rc;
}

void dedup_beside_free(StageBeside *beside)
{
    SignBeside *b = (SignBeside *)(void *)beside;

    if (!b) return;
    signer_clear(&b->signer);
    buf_clear(&b->receipt);
    free(b);
}
