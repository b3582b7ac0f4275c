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

enum {
    RESULT_VERDICT,
    RESULT_CLUSTER,
    RESULT_DOCS,
    RESULT_DUMPS,
    RESULT_HOSTS,
    RESULT_FIRST,
    RESULT_LAST,
    N_RESULT,
    RESULT_BYTES = 1 + 8 + 5 * 4 /* of a record */
};
const char *const cluster_reasons[CLUSTER_N] = {
    [CLUSTER_EXACT] = "exact_duplicate", [CLUSTER_NEAR] = "near_duplicate", [CLUSTER_URL] = "url_duplicate"};

static const ColumnDef result_columns[N_RESULT] = {
    {"verdict", COL_U8, 1, 0},    {"cluster", COL_U64, 1, 0},   {"dup_docs", COL_U32, 1, 0},
    {"dup_dumps", COL_U32, 1, 0}, {"dup_hosts", COL_U32, 1, 0}, {"dup_first", COL_U32, 1, 0},
    {"dup_last", COL_U32, 1, 0},
};

ErrCode clusters_path(char out[PATH_MAX], const char *dir, DocId id, Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%05" PRIu32 "-%06" PRIu32 ".cols", dir, docid_dataset(id), docid_part(id));

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
}

static ErrCode json_path(char out[PATH_MAX], const char *dir, Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/clusters.json", dir);

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
}

static void put_key(Buf *b, Hash128 key)
{
    buf_puts(b, "{\"key\":");
    json_put_hash(b, key);
}

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

/* A part's result, column by column, as it will lie in the file. */
typedef struct {
    uint8_t *bytes, *at[N_RESULT];
    ColumnData data[N_RESULT + 1]; /* the last where an index was asked */
    Buf match;
} PartResult;

static ErrCode partresult_new(PartResult *p, uint32_t n, Err *err)
{
    if (!(p->bytes = malloc((size_t)n * RESULT_BYTES + 1))) return err_nomem(err, "a part's clusters");
    for (size_t c = 0, from = 0; c < N_RESULT; c++) {
        size_t bytes = n * coltype_size(result_columns[c].type);
        p->at[c] = p->bytes + from;
        p->data[c] = (ColumnData){.def = result_columns[c], .values = span(p->at[c], bytes)};
        from += bytes;
    }
    return ERR_OK;
}

enum { N_COUNTS = N_RESULT - RESULT_DOCS };
static void put_record(const PartResult *r, size_t i, uint8_t verdict, DocId keeper, const uint32_t counts[N_COUNTS])
{
    r->at[RESULT_VERDICT][i] = verdict;
    le64_put(r->at[RESULT_CLUSTER] + 8 * i, keeper);
    for (int c = 0; c < N_COUNTS; c++) le32_put(r->at[RESULT_DOCS + c] + 4 * i, counts[c]);
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
        put_record(r, i, shown ? CLUSTER_KEPT : CLUSTER_NOT_SHOWN, w->t->docid[p->part] + i, shown ? one : none);
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
        le32_put(r->at[RESULT_DOCS] + 4 * i, others < UINT32_MAX ? others + 1 : others);
    }
    for (size_t at = 0; at < spread.n; at += SPREAD_BYTES) {
        size_t i = (size_t)(doc_get(spread.p + at) - p->first);
        const uint8_t *s = spread.p + at + DOC_BYTES;
        memcpy(r->at[RESULT_DUMPS] + 4 * i, s, 4);
        memcpy(r->at[RESULT_HOSTS] + 4 * i, s + 4, 4);
        le32_put(r->at[RESULT_FIRST] + 4 * i, le16_get(s + 8));
        le32_put(r->at[RESULT_LAST] + 4 * i, le16_get(s + 10));
    }
    return ERR_OK;
}

/* What the index holds. */
static ErrCode put_indexed(const Writer *w, SignPart *p, PartResult *r, Err *err)
{
    static const uint32_t none[N_COUNTS];
    static const uint8_t why[2] = {CLUSTER_EXACT, CLUSTER_NEAR};
    Span found;

    if (!buf_reserve(&r->match, 8 * (size_t)p->n)) return err_nomem(err, "references");
    memset(r->match.p, 0xff, 8 * (size_t)p->n);
    r->match.n = 8 * (size_t)p->n;
    for (int kind = 0; kind < 2 && w->indexed[kind]; kind++) {
        ErrCode rc = signpart_slice(p, w->indexed[kind], kind, &found, err);
        if (rc) return rc;
        for (size_t at = 0; at < found.n; at += PAIR_BYTES) {
            size_t i = (size_t)(doc_get(found.p + at) - p->first);
            put_record(r, i, why[kind], CLUSTER_INDEXED, none);
            le64_put(r->match.p + 8 * i, exchange_be64(found.p + at + DOC_BYTES));
        }
    }
    r->data[N_RESULT] = (ColumnData){{"match", COL_U64, 1, 0}, buf_span(&r->match), {0}};
    return ERR_OK;
}

static DedupTotals count_part(const SignPart *p, const PartResult *r, bool exact_only)
{
    DedupTotals n = {0};

    for (size_t i = 0; i < p->n; i++) {
        uint8_t verdict = r->at[RESULT_VERDICT][i];
        uint32_t docs = le32_get(r->at[RESULT_DOCS] + 4 * i);
        if (verdict == CLUSTER_NOT_SHOWN) continue;
        n.n_docs++;
        n.n_exact += verdict == CLUSTER_EXACT;
        n.n_url += verdict == CLUSTER_URL;
        n.n_near += verdict == CLUSTER_NEAR;
        n.n_short += !exact_only && verdict != CLUSTER_EXACT && verdict != CLUSTER_URL && !(p->state[i] & DOC_LONG);
        if (verdict != CLUSTER_KEPT) continue;
        n.n_clusters[totals_size_class(docs)]++;
        if (docs > n.n_largest) n.n_largest = docs;
        totals_add_largest(&n, docs, le64_get(r->at[RESULT_CLUSTER] + 8 * i));
    }
    return n;
}

/* --- */

static ErrCode write_part(void *ctx, SignPart *p, int lane, Err *err)
{
    static const uint8_t key[EXCHANGE_KEY];
    const Writer *w = ctx;
    uint8_t totals[TOTALS_BYTES];
    char path[PATH_MAX];
    PartResult r = {0};
    Buf receipt = {0};
    ErrCode rc = clusters_path(path, w->dir, w->t->docid[p->part], err);

    if (rc == ERR_OK) rc = partresult_new(&r, p->n, err);
    if (rc == ERR_OK) rc = put_alone(w, p, &r, err);
    if (rc == ERR_OK) rc = put_found(w, p, &r, err);
    if (rc == ERR_OK && w->has_index) rc = put_indexed(w, p, &r, err);
    put_key(&receipt, w->key);
    buf_putc(&receipt, '}');
    if (rc == ERR_OK) rc = buf_ok(&receipt, "a receipt", err);
    if (rc == ERR_OK)
        rc = columns_write(path, p->n, columns_part(p->cols), r.data, N_RESULT + w->has_index, buf_span(&receipt),
                           err);
    if (rc == ERR_OK) {
        DedupTotals n = count_part(p, &r, w->t->params->exact_only);
        totals_put(totals, &n);
        rc = pass_put(w->written, lane, key, totals, sizeof totals, err);
    }
    buf_clear(&receipt);
    buf_clear(&r.match);
    free(r.bytes);
    return rc;
}

static ErrCode write_parts(void *ctx, Pass *p, Err *err)
{
    Writer *w = ctx;

    w->written = p;
    return doctable_each_part(w->t, write_part, w, err);
}

/* Another run's clusters.json goes first, so that what is left never looks complete. Its columns files stay until they are written
 * over: another job may be writing its own, and a receipt says whose a file is. */
static ErrCode start_dir(const char *dir, Hash128 key, Err *err)
{
    char path[PATH_MAX];
    DedupTotals totals;
    bool ours, other = false;
    ErrCode rc = json_path(path, dir, err);

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

static ErrCode write_totals(const Results *written, const ClusterSpec *spec, const DocTable *t, Err *err)
{
    DedupTotals n = {0};
    char path[PATH_MAX];
    Buf b = {0}, record = {0};
    ErrCode rc = json_path(path, spec->dir, err);

    if (rc == ERR_OK) rc = results_range(written, 0, 1, &record, err);
    if (rc == ERR_OK && record.n) n = totals_get(record.p + DOC_BYTES); /* no parts, no record */
    put_key(&b, spec->key);
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

/* --- reading */

static bool key_is(const Json *obj, Hash128 key)
{
    const Json *k = json_get(obj, "key");
    Hash128 got;

    return k && k->type == JSON_STRING && hash128_parse(k->string, &got) && hash128_eq(got, key);
}

ErrCode clusters_load(const char *dir, Hash128 key, bool *found, DedupTotals *totals, Err *err)
{
    char path[PATH_MAX];
    Arena arena = {0};
    Buf text = {0};
    Json *j = NULL;
    ErrCode rc = json_path(path, dir, err);

    *found = false;
    if (rc == ERR_OK) rc = store_exists(path, found, err);
    if (rc || !*found) return rc;
    if ((rc = store_read(path, CLUSTERS_JSON_MAX, &text, err)) != ERR_OK) goto out;
    if ((rc = json_parse(&arena, buf_span(&text), path, &j, err)) != ERR_OK) goto out;
    *found = key_is(j, key);
    if (*found) rc = totals_read_json(j, path, totals, err);
out:
    buf_clear(&text);
    arena_clear(&arena);
    return rc;
}

static ErrCode check_receipt(const Columns *c, const char *path, Hash128 key, Err *err)
{
    Arena arena = {0};
    Json *j = NULL;
    ErrCode rc = json_parse(&arena, columns_receipt(c), path, &j, err);

    if (rc == ERR_OK && !key_is(j, key)) rc = err_set(err, ERR_DATA, "%s belongs to another run", path);
    arena_clear(&arena);
    return rc;
}

ErrCode clusterpart_open(ClusterPart *p, const char *dir, Hash128 key, DocId id, Err *err)
{
    Span *spans[N_RESULT] = {&p->verdict,   &p->cluster,   &p->dup_docs, &p->dup_dumps,
                             &p->dup_hosts, &p->dup_first, &p->dup_last};
    const DocId first = docid(docid_dataset(id), docid_part(id), 0);
    char path[PATH_MAX];
    ErrCode rc;

    if (p->cols && p->docid == first) return ERR_OK;
    clusterpart_close(p);
    p->docid = first;
    if ((rc = clusters_path(path, dir, id, err)) != ERR_OK) return rc;
    if ((rc = columns_open(&p->cols, path, err)) != ERR_OK) return rc;
    rc = check_receipt(p->cols, path, key, err);
    for (uint32_t c = 0; rc == ERR_OK && c < N_RESULT; c++)
        rc = columns_typed(p->cols, &result_columns[c], spans[c], NULL, err);
    int match = rc == ERR_OK ? columns_find(p->cols, "match") : -1;
    if (match >= 0 && columns_def(p->cols, (uint32_t)match)->type == COL_U64 &&
        columns_def(p->cols, (uint32_t)match)->width == 1)
        rc = columns_values(p->cols, (uint32_t)match, &p->match, NULL, err);
    if (rc) clusterpart_close(p);
    return rc;
}

void clusterpart_close(ClusterPart *p)
{
    columns_close(p->cols);
    *p = (ClusterPart){0};
}
