/* dedup/sign_stage.c - the sign stage: signatures of a part are taken from beside its documents where they lie there, and made from the
 * texts where not. */
#include "core/log.h"
#include "core/store.h"
#include "dedup/dumpnames.h"
#include "dedup/signer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    Signer signer;
    Buf beside; /* the receipt that signatures beside documents must have */
    bool told;  /* that a part had signatures of others */
} SignContext;

/* Of one thread. */
typedef struct {
    SignScratch scratch;
    /* of rows from `first` on, of the signer's columns and the name of the dump, where they are ready */
    uint32_t first;
    Buf values[SIGN_BANDS + DEDUP_MAX_BANDS], dump;
    StringWindow window[SIGN_BANDS + DEDUP_MAX_BANDS], dump_window;
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
    for (size_t i = 0; i < sizeof w->values / sizeof *w->values; i++) {
        buf_clear(&w->values[i]);
        stringwindow_clear(&w->window[i]);
    }
    buf_clear(&w->dump);
    stringwindow_clear(&w->dump_window);
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

/* Those of one part, for all threads. */
typedef struct {
    Columns *cols;
    uint32_t column[SIGN_BANDS + DEDUP_MAX_BANDS],
        dump; /* where the signer's columns lie, and the name of the dump */
} Ready;

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
    return have.n >= want.n && span_starts(have, span(want.p, want.n - 1)) &&
           have.p[want.n - 1] == ','; /* with bands behind the version */
}

static void ready_close(void *said)
{
    Ready *r = said;

    columns_close(r->cols);
    free(r);
}

/* Where the columns lie that the signer would make. */
static ErrCode find_columns(Ready *r, const Signer *s, Err *err)
{
    ErrCode rc =
        columns_require(r->cols, &(ColumnDef){sign_column_names[SIGN_DUMP_NAME], COL_STRING, 1, 0}, &r->dump, err);

    for (uint32_t i = 0; i < s->n_columns && rc == ERR_OK; i++)
        rc = columns_require(r->cols, &s->column[i], &r->column[i], err);
    return rc;
}

/* Nobody mends such a file, and nobody needs to. */
static ErrCode say_remedy(ErrCode rc, Err *err)
{
    const size_t n = err && rc == ERR_DATA ? strlen(err->msg) : sizeof err->msg;

    if (n < sizeof err->msg)
        snprintf(err->msg + n, sizeof err->msg - n, "; delete this file, and the texts are read instead");
    return rc;
}

/* *said NULL: there are none, or none of use. */
static ErrCode ready_open(void *ctx, const PartView *view, uint32_t part, void **said, Err *err)
{
    SignContext *c = ctx;
    char path[PATH_MAX];
    bool there = false;
    Ready *r;
    ErrCode rc = ERR_OK;

    (void)part;
    if (c->signer.keep.n_stored || partview_rewrites(view)) return ERR_OK;
    if (!beside_path(path, span_str(partview_root_path(view)))) return ERR_OK;
    if ((rc = store_exists(path, &there, err)) != ERR_OK || !there) return rc;
    if (!(r = calloc(1, sizeof *r))) return err_nomem(err, "signatures");
    if ((rc = columns_open(&r->cols, path, err)) == ERR_OK && is_of_use(c, r->cols, view)) {
        rc = find_columns(r, &c->signer, err);
        if (rc == ERR_OK) *said = r;
    } else if (rc == ERR_OK && !c->told) {
        c->told = true;
        log_info("dedup: %s has signatures of other parameters or documents: they are made anew", path);
    }
    if (!*said) ready_close(r);
    return say_remedy(rc, err);
}

static ErrCode ready_rows(void *ctx, void *worker, void *said, uint32_t first, uint32_t n, Err *err)
{
    const Signer *s = &((SignContext *)ctx)->signer;
    const Ready *r = said;
    SignWorker *w = worker;
    ErrCode rc = columns_range(r->cols, r->dump, first, n, &w->dump, err);

    for (uint32_t i = 0; i < s->n_columns && rc == ERR_OK; i++) {
        rc = columns_range(r->cols, r->column[i], first, n, &w->values[i], err);
        stringwindow_reset(&w->window[i]); /* the rows before may have been another part's */
    }
    stringwindow_reset(&w->dump_window);
    w->first = first;
    return say_remedy(rc, err);
}

static ErrCode ready_string(const Ready *r, SignWorker *w, uint32_t column, uint32_t record, Span *out, Err *err)
{
    return columns_string_at(r->cols, r->column[column], buf_span(&w->values[column]), w->first, record,
                             &w->window[column], out, err);
}

/* What the engine counts; *dump is the name of the dump. */
static ErrCode fill_row(const Signer *s, const Ready *r, SignWorker *w, PartView *view, uint32_t record,
                        StageRow *row, Span *dump, Err *err)
{
    const size_t i = record - w->first;
    Span domain;
    ErrCode rc;

    row->id_hash = le64_get(w->values[s->at[SIGN_ID_HASH]].p + 8 * i);
    row->bytes = le32_get(w->values[s->at[SIGN_BYTES]].p + 4 * i);
    row->n_signals = w->values[s->at[SIGN_SIGNALS]].p[i] * (uint32_t)SIGNALS_UNIT;
    if ((rc = ready_string(r, w, s->at[SIGN_LANG], record, &row->lang, err)) != ERR_OK) return rc;
    if ((rc = ready_string(r, w, s->at[SIGN_DOMAIN], record, &row->domain, err)) != ERR_OK) return rc;
    if ((rc = partview_domain(view, record, &domain, err)) != ERR_OK) return rc;
    if (domain.p) row->domain = domain;
    return columns_string_at(r->cols, r->dump, buf_span(&w->dump), w->first, record, &w->dump_window, dump, err);
}

/* As signer_put() would. */
static ErrCode ready_row(void *ctx, void *worker, void *said, PartView *view, uint32_t record, StageRow *row,
                         StageSink *sink, Err *err)
{
    const Signer *s = &((SignContext *)ctx)->signer;
    SignWorker *w = worker;
    Span dump, value;
    ErrCode rc = fill_row(s, said, w, view, record, row, &dump, err);

    for (uint32_t i = 0; i < s->n_columns && rc == ERR_OK; i++) {
        const size_t bytes = s->column[i].width * coltype_size(s->column[i].type);
        if (s->column[i].type != COL_STRING) {
            sink_values(sink, i, w->values[i].p + (record - w->first) * bytes);
            continue;
        }
        value = i == s->at[SIGN_DOMAIN] ? row->domain : row->lang;
        if (i != s->at[SIGN_DOMAIN] && i != s->at[SIGN_LANG]) rc = ready_string(said, w, i, record, &value, err);
        if (rc == ERR_OK && value.p) sink_string(sink, i, value);
    }
    if (rc == ERR_OK && dump.p) sink_count(sink, "dump", dump, 1, row->bytes);
    return rc;
}

static const StageJudge ready_judge = {ready_open, ready_close, ready_rows, ready_row};

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
                        .judge = &ready_judge,
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
