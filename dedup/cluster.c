#include "dedup/cluster.h"

#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "dedup/index.h"
#include "dedup/sign.h"
#include "dedup/totals.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

const char *const cluster_reasons[CLUSTER_N] = {
    [CLUSTER_EXACT] = "exact_duplicate", [CLUSTER_NEAR] = "near_duplicate", [CLUSTER_URL] = "url_duplicate"};

/* --- writing */

typedef struct {
    const DocTable *t;
    const char *dir;
    Hash128 key; /* of the result */
    const Results *verdicts, *sizes, *spread;
    const Results *indexed[2]; /* as index_find() has them */
    bool has_index;
    Pass *written;
} Writer;

/* Results of some records of a part, column by column, as they will lie in the file. */
typedef struct {
    Buf column[N_RESULT + 1]; /* the last where an index was asked */
} PartResult;

static ErrCode partresult_size(PartResult *r, uint32_t n, Err *err)
{
    for (int c = 0; c <= RESULT_MATCH; c++) {
        Buf *b = &r->column[c];
        buf_reset(b);
        if (!buf_reserve(b, n * coltype_size(cluster_columns[c].type) + 1))
            return err_nomem(err, "a part's clusters");
        b->n = n * coltype_size(cluster_columns[c].type);
    }
    return ERR_OK;
}

static void partresult_clear(PartResult *r)
{
    for (int c = 0; c <= RESULT_MATCH; c++) buf_clear(&r->column[c]);
}

enum { N_COUNTS = N_RESULT - RESULT_DOCS };
static void put_record(const PartResult *r, size_t i, uint8_t verdict, DocId keeper, const uint32_t counts[N_COUNTS])
{
    r->column[RESULT_VERDICT].p[i] = verdict;
    le64_put(r->column[RESULT_CLUSTER].p + 8 * i, keeper);
    for (int c = 0; c < N_COUNTS; c++) le32_put(r->column[RESULT_DOCS + c].p + 4 * i, counts[c]);
}

/* As if nothing was said of any document: a shown one stands for itself. */
static ErrCode put_alone(const Writer *w, const SignPart *p, const PartResult *r, Err *err)
{
    static const uint32_t none[N_COUNTS];
    Span dump, host;
    ErrCode rc;

    if ((rc = signpart_column(p, sign_column_names[SIGN_DUMP], COL_U64, 1, &dump, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_HOST], COL_U64, 1, &host, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < p->n; i++) {
        bool shown = p->state[i] & DOC_SHOWN;
        uint64_t hash = le64_get(dump.p + 8 * i);
        uint16_t number = dumpnames_number(&w->t->dumps, hash);
        const uint32_t one[N_COUNTS] = {1, hash != 0, le64_get(host.p + 8 * i) != 0, number, number};
        put_record(r, i, shown ? CLUSTER_KEPT : CLUSTER_NOT_SHOWN, w->t->docid[p->part] + p->at + i,
                   shown ? one : none);
    }
    return ERR_OK;
}

static ErrCode put_found(const Writer *w, SignPart *p, const PartResult *r, Err *err)
{
    static const uint32_t none[N_COUNTS];
    Span verdicts, sizes, spread;
    ErrCode rc;

    if ((rc = signpart_slice(p, w->verdicts, 0, &verdicts, err)) != ERR_OK) return rc;
    if ((rc = signpart_slice(p, w->sizes, 1, &sizes, err)) != ERR_OK) return rc;
    if ((rc = signpart_slice(p, w->spread, 2, &spread, err)) != ERR_OK) return rc;
    for (size_t at = 0; at < verdicts.n; at += VERDICT_BYTES) {
        const uint8_t *v = verdicts.p + at;
        put_record(r, (size_t)(doc_get(v) - p->first), v[2 * REF_BYTES], doctable_docid(w->t, doc_get(v + REF_BYTES)),
                   none);
    }
    for (size_t at = 0; at < sizes.n; at += SIZE_BYTES) {
        size_t i = (size_t)(doc_get(sizes.p + at) - p->first);
        uint32_t others = le32_get(sizes.p + at + DOC_BYTES);
        le32_put(r->column[RESULT_DOCS].p + 4 * i, others < UINT32_MAX ? others + 1 : others);
    }
    for (size_t at = 0; at < spread.n; at += SPREAD_BYTES) {
        size_t i = (size_t)(doc_get(spread.p + at) - p->first);
        const uint8_t *s = spread.p + at + DOC_BYTES;
        memcpy(r->column[RESULT_DUMPS].p + 4 * i, s, 4);
        memcpy(r->column[RESULT_HOSTS].p + 4 * i, s + 4, 4);
        le32_put(r->column[RESULT_FIRST].p + 4 * i, le16_get(s + 8));
        le32_put(r->column[RESULT_LAST].p + 4 * i, le16_get(s + 10));
    }
    return ERR_OK;
}

/* What the index holds. */
static ErrCode put_indexed(const Writer *w, SignPart *p, const PartResult *r, Err *err)
{
    static const uint32_t none[N_COUNTS];
    static const uint8_t why[2] = {CLUSTER_EXACT, CLUSTER_NEAR};
    Span found;

    memset(r->column[RESULT_MATCH].p, 0xff, r->column[RESULT_MATCH].n);
    for (int kind = 0; kind < 2 && w->indexed[kind]; kind++) {
        ErrCode rc = signpart_slice(p, w->indexed[kind], kind, &found, err);
        if (rc) return rc;
        for (size_t at = 0; at < found.n; at += PAIR_BYTES) {
            size_t i = (size_t)(doc_get(found.p + at) - p->first);
            put_record(r, i, why[kind], CLUSTER_INDEXED, none);
            le64_put(r->column[RESULT_MATCH].p + 8 * i, be64_get(found.p + at + DOC_BYTES));
        }
    }
    return ERR_OK;
}

static DedupTotals count_records(const SignPart *p, const PartResult *r, bool exact_only)
{
    DedupTotals n = {0};

    for (size_t i = 0; i < p->n; i++) {
        uint8_t verdict = r->column[RESULT_VERDICT].p[i];
        uint32_t docs = le32_get(r->column[RESULT_DOCS].p + 4 * i);
        if (verdict == CLUSTER_NOT_SHOWN) continue;
        n.n_docs++;
        n.n_exact += verdict == CLUSTER_EXACT;
        n.n_url += verdict == CLUSTER_URL;
        n.n_near += verdict == CLUSTER_NEAR;
        n.n_short += !exact_only && verdict != CLUSTER_EXACT && verdict != CLUSTER_URL && !(p->state[i] & DOC_LONG);
        if (verdict != CLUSTER_KEPT) continue;
        n.n_clusters[totals_size_class(docs)]++;
        if (docs > n.n_largest) n.n_largest = docs;
        totals_add_largest(&n, docs, le64_get(r->column[RESULT_CLUSTER].p + 8 * i));
    }
    return n;
}

/* --- */

/* The records at hand: to the file, and to the totals. */
static ErrCode write_records(const Writer *w, SignPart *p, PartResult *r, ColumnsWriter *out, int lane, Err *err)
{
    static const uint8_t key[EXCHANGE_KEY];
    uint8_t totals[TOTALS_BYTES];
    DedupTotals n;
    ErrCode rc = partresult_size(r, p->n, err);

    if (rc == ERR_OK) rc = put_alone(w, p, r, err);
    if (rc == ERR_OK) rc = put_found(w, p, r, err);
    if (rc == ERR_OK && w->has_index) rc = put_indexed(w, p, r, err);
    for (uint32_t c = 0; c < N_RESULT + (uint32_t)w->has_index && rc == ERR_OK; c++)
        rc = columnswriter_values(out, c, buf_span(&r->column[c]), err);
    if (rc) return rc;
    n = count_records(p, r, w->t->params->exact_only);
    totals_put(totals, &n);
    return pass_put(w->written, lane, key, totals, sizeof totals, err);
}

/* While the totals are few, the steps' memory is for columns: what is beyond lies in scratch until the file is whole. */
static ErrCode write_part(void *ctx, SignPart *p, int lane, Err *err)
{
    const Writer *w = ctx;
    const uint64_t memory = w->t->memory / 2 / (uint64_t)w->t->par->threads;
    const char *scratch = w->t->scratch ? w->t->scratch : w->dir;
    char path[PATH_MAX];
    PartResult r = {0};
    ColumnsWriter *out = NULL;
    Buf receipt = {0};
    ErrCode rc = clusters_path(path, w->dir, w->t->docid[p->part], err);

    clusters_put_key(&receipt, w->key);
    buf_putc(&receipt, '}');
    if (rc == ERR_OK) rc = buf_ok(&receipt, "a receipt", err);
    if (rc == ERR_OK) rc = columnswriter_new(&out, cluster_columns, N_RESULT + w->has_index, memory, scratch, err);
    while (rc == ERR_OK && signpart_next(p)) rc = write_records(w, p, &r, out, lane, err);
    if (rc == ERR_OK) rc = columnswriter_commit(out, path, p->part_records, p->content, buf_span(&receipt), err);
    columnswriter_free(out);
    partresult_clear(&r);
    buf_clear(&receipt);
    return rc;
}

static ErrCode write_parts(void *ctx, Pass *p, Err *err)
{
    Writer *w = ctx;

    w->written = p;
    return doctable_each_whole_part(w->t, write_part, w, err);
}

/* Another run's clusters.json goes first, so that what is left never looks complete. Its columns files stay until they are written
 * over: another job may be writing its own, and a receipt says whose a file is. */
static ErrCode start_dir(const char *dir, Hash128 key, Err *err)
{
    char path[PATH_MAX];
    DedupTotals totals;
    bool ours, other = false;
    ErrCode rc = clusters_json_path(path, dir, err);

    if (rc == ERR_OK) rc = clusters_load(dir, key, &ours, &totals, err);
    if (rc == ERR_OK && !ours) rc = store_exists(path, &other, err);
    if (rc == ERR_OK && other) rc = store_delete(path, err);
    if (rc == ERR_OK) rc = store_mkdirs(dir, err);
    return rc ? rc : store_sweep(dir, 0, err);
}

static ErrCode write_result(Writer *w, Pass **written, Err *err)
{
    const StepSpec spec = {.name = "written",
                           .value_bytes = TOTALS_BYTES,
                           .result_bytes = DOC_BYTES + TOTALS_BYTES,
                           .combine = totals_add,
                           .single = true};
    ErrCode rc = doctable_step(w->t, &spec, written, err);

    if (rc || pass_is_done(*written)) return rc;
    if (w->t->par->rank == 0) rc = start_dir(w->dir, w->key, err);
    if ((rc = par_agree(w->t->par, rc, err)) != ERR_OK) return rc;
    return pass_run(*written, write_parts, list_by_doc, w, err);
}

/* Where it was: for messages. Whether an index is the one that was asked, its state tells. */
static ErrCode put_index(Buf *b, const Index *ix, Err *err)
{
    Arena arena = {0};
    char *real;
    ErrCode rc = store_resolve(&arena, ix->dir, &real, err);

    if (rc == ERR_OK) {
        buf_printf(b, ",\"index\":{\"additions\":%" PRIu32 ",\"path\":", ix->n_prior);
        json_put_cstr(b, real);
        buf_putc(b, '}');
    }
    arena_clear(&arena);
    return rc;
}

static ErrCode write_totals(const Results *written, const ClusterSpec *spec, const DocTable *t, Err *err)
{
    DedupTotals n = {0};
    char path[PATH_MAX];
    Buf b = {0}, record = {0};
    ErrCode rc = clusters_json_path(path, spec->dir, err);

    if (rc == ERR_OK) rc = results_range(written, 0, 1, &record, err);
    if (rc == ERR_OK && record.n) n = totals_get(record.p + DOC_BYTES); /* no parts, no record */
    clusters_put_key(&b, spec->key);
    if (spec->index && rc == ERR_OK) rc = put_index(&b, spec->index, err);
    totals_put_json(&b, &n, &t->dumps);
    if (rc == ERR_OK) rc = buf_ok(&b, "the totals of clusters", err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&record);
    buf_clear(&b);
    return rc;
}

/* --- all of it */

typedef struct {
    Pass *indexed[2], *exact, *url, *components, *near[NEAR_LISTS], *verdicts, *sizes, *spread, *written;
} Steps;

static void steps_clear(Steps *s)
{
    pass_close(s->indexed[0]);
    pass_close(s->indexed[1]);
    pass_close(s->exact);
    pass_close(s->url);
    pass_close(s->components);
    for (int i = 0; i < NEAR_LISTS; i++) pass_close(s->near[i]);
    pass_close(s->verdicts);
    pass_close(s->sizes);
    pass_close(s->spread);
    pass_close(s->written);
}

static ErrCode run_steps(DocTable *t, const DatasetSet *in, const ClusterSpec *spec, Steps *s, Err *err)
{
    Writer w = {.t = t, .dir = spec->dir, .key = spec->key, .has_index = spec->index != NULL};
    ErrCode rc = spec->index ? index_find(t, spec->index, s->indexed, err) : ERR_OK;

    if (rc == ERR_OK) rc = exact_find(t, &s->exact, err);
    if (rc == ERR_OK && t->params->url) rc = url_find(t, &s->url, err);
    if (rc == ERR_OK && !t->params->exact_only) {
        rc = bands_join(t, &s->components, err);
        if (rc == ERR_OK) rc = near_find(t, in, s->components, s->near, err);
    }
    if (rc == ERR_OK) rc = verdicts_find(t, s->exact, s->url, s->near, &s->verdicts, err);
    if (rc == ERR_OK) rc = sizes_count(t, s->verdicts, &s->sizes, err);
    if (rc == ERR_OK) rc = spread_count(t, s->verdicts, s->sizes, &s->spread, err);
    if (rc) return rc;
    for (int kind = 0; kind < 2; kind++) w.indexed[kind] = s->indexed[kind] ? pass_results(s->indexed[kind]) : NULL;
    w.verdicts = pass_results(s->verdicts);
    w.sizes = pass_results(s->sizes);
    w.spread = pass_results(s->spread);
    return write_result(&w, &s->written, err);
}

static ErrCode finish(const DocTable *t, const ClusterSpec *spec, const Steps *s, Err *err)
{
    ErrCode rc = ERR_OK;

    if (t->par->rank == 0) rc = write_totals(pass_results(s->written), spec, t, err);
    return par_agree(t->par, rc, err);
}

ErrCode cluster_run(const DedupParams *params, const DatasetSet *in, const ClusterSpec *spec, const Par *par,
                    Err *err)
{
    const double began = clock_seconds();
    Steps s = {0};
    DocTable t;
    ErrCode rc = doctable_open(&t, params, in, &spec->table, par, err);

    if (rc) return rc;
    rc = run_steps(&t, in, spec, &s, err);
    if (rc == ERR_OK) rc = finish(&t, spec, &s, err);
    if (rc == ERR_OK)
        log_info("dedup: %" PRIu64 " documents clustered in %.1f s, peak %.0f MB", t.n, clock_seconds() - began,
                 (double)peak_memory_bytes() / 1e6);
    steps_clear(&s);
    doctable_clear(&t);
    return rc;
}
