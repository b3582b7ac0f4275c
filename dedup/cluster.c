#include "dedup/cluster.h"

#include "core/events.h"
#include "core/json.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLUSTERS_JSON_MAX = 1 << 20 };

static const ColumnDef result_columns[] = {
    {"verdict", COL_U8, 1, 0},    {"cluster", COL_U64, 1, 0},   {"dup_docs", COL_U32, 1, 0},
    {"dup_dumps", COL_U32, 1, 0}, {"dup_hosts", COL_U32, 1, 0},
};
enum { N_RESULT = 5 };

static ErrCode result_path(char out[PATH_MAX], const char *dir, DocId id, Err *err)
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
    Hash128 key;
} Writer;

/* An exact duplicate of a document that is itself a near duplicate belongs to that one's keeper. */
static void resolve_keepers(DocTable *t)
{
#pragma omp parallel for num_threads(t->par->threads)
    for (size_t i = 0; i < t->n; i++)
        if (t->state[i] & DOC_EXACT_DUP) t->keeper[i] = t->keeper[t->keeper[i]];
}

static uint8_t verdict_of(uint8_t state)
{
    if (!(state & DOC_SHOWN)) return CLUSTER_NOT_SHOWN;
    if (state & DOC_EXACT_DUP) return CLUSTER_EXACT;
    return state & DOC_NEAR_DUP ? CLUSTER_NEAR : CLUSTER_KEPT;
}

static ErrCode write_part(void *ctx, const SignPart *p, int lane, Err *err)
{
    const Writer *w = ctx;
    const DocTable *t = w->t;
    uint8_t *bytes = malloc((size_t)p->n * 21 + 1), *at[N_RESULT];
    ColumnData data[N_RESULT];
    char path[PATH_MAX];
    Buf receipt = {0};
    ErrCode rc = bytes ? result_path(path, w->dir, t->docid[p->part], err) : err_nomem(err, "a part's clusters");

    (void)lane;
    for (size_t c = 0, from = 0; rc == ERR_OK && c < N_RESULT; c++) {
        size_t n = p->n * coltype_size(result_columns[c].type);
        at[c] = bytes + from;
        data[c] = (ColumnData){.def = result_columns[c], .values = span(at[c], n)};
        from += n;
    }
    for (size_t i = 0; rc == ERR_OK && i < p->n; i++) {
        size_t doc = (size_t)p->first + i;
        uint8_t verdict = verdict_of(t->state[doc]);
        bool kept = verdict == CLUSTER_KEPT;
        at[0][i] = verdict;
        le64_put(at[1] + 8 * i, doctable_docid(t, t->keeper[doc]));
        le32_put(at[2] + 4 * i, kept ? t->u.dup_docs[doc] : 0);
        le32_put(at[3] + 4 * i, kept ? t->dup_dumps[doc] : 0);
        le32_put(at[4] + 4 * i, kept ? t->dup_hosts[doc] : 0);
    }
    put_key(&receipt, w->key);
    buf_putc(&receipt, '}');
    if (rc == ERR_OK) rc = buf_ok(&receipt, "a receipt", err);
    if (rc == ERR_OK) rc = columns_write(path, p->n, t->content[p->part], data, N_RESULT, buf_span(&receipt), err);
    buf_clear(&receipt);
    free(bytes);
    return rc;
}

static unsigned size_class(uint32_t n)
{
    static const uint32_t from[DEDUP_SIZES] = {1, 2, 3, 5, 100, 1000};
    unsigned c = 0;

    while (c + 1 < DEDUP_SIZES && n >= from[c + 1]) c++;
    return c;
}

static DedupTotals count_totals(const DocTable *t)
{
    DedupTotals n = {0};

    for (size_t i = 0; i < t->n; i++) {
        uint8_t state = t->state[i];
        if (!(state & DOC_SHOWN)) continue;
        n.n_docs++;
        n.n_exact += (state & DOC_EXACT_DUP) != 0;
        n.n_near += (state & DOC_NEAR_DUP) != 0;
        n.n_short += !t->params->exact_only && !(state & (DOC_EXACT_DUP | DOC_NEAR));
        if (state & (DOC_EXACT_DUP | DOC_NEAR_DUP)) continue;
        n.n_clusters[size_class(t->u.dup_docs[i])]++;
        if (t->u.dup_docs[i] > n.n_largest) n.n_largest = t->u.dup_docs[i];
    }
    return n;
}

static ErrCode write_totals(const DocTable *t, const char *dir, Hash128 key, Err *err)
{
    DedupTotals n = count_totals(t);
    char path[PATH_MAX];
    Buf b = {0};
    ErrCode rc = json_path(path, dir, err);

    put_key(&b, key);
    buf_printf(&b, ",\"n_docs\":%" PRIu64 ",\"n_exact\":%" PRIu64 ",\"n_near\":%" PRIu64, n.n_docs, n.n_exact,
               n.n_near);
    buf_printf(&b, ",\"n_short\":%" PRIu64 ",\"n_largest\":%" PRIu64 ",\"n_clusters\":[", n.n_short, n.n_largest);
    for (int i = 0; i < DEDUP_SIZES; i++) buf_printf(&b, "%s%" PRIu64, i ? "," : "", n.n_clusters[i]);
    buf_puts(&b, "]}\n");
    if (rc == ERR_OK) rc = buf_ok(&b, "the totals of clusters", err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    return rc;
}

/* Another run's result goes first, its clusters.json before all, so that what is left never looks complete. Files without
 * clusters.json stay: another task of this run may be writing them, with the same bytes in them, and what an older run left
 * is known by its receipt. */
static ErrCode start_dir(const char *dir, Err *err)
{
    char path[PATH_MAX];
    bool finished = false;
    ErrCode rc = json_path(path, dir, err);

    if (rc == ERR_OK) rc = store_exists(path, &finished, err);
    if (rc == ERR_OK && finished) rc = store_delete(path, err);
    if (rc == ERR_OK && finished) rc = store_delete_tree(dir, 0, err);
    if (rc == ERR_OK) rc = store_mkdirs(dir, err);
    return rc ? rc : store_sweep(dir, 0, err);
}

ErrCode cluster_run(const DedupParams *params, const DatasetSet *in, const char *sign_dir, const char *dir,
                    Hash128 key, uint64_t memory, const char *scratch, const Par *par, Err *err)
{
    Writer w = {.dir = dir, .key = key};
    DedupTotals totals;
    bool found = false;
    DocTable t;
    double began = clock_seconds();
    ErrCode rc = doctable_open(&t, params, in, sign_dir, memory, scratch, par, err);

    if (rc) return rc;
    w.t = &t;
    EventSpan span = event_begin("exact", NULL, 0);
    rc = exact_find(&t, err);
    event_end(span, t.n, 0);
    span = event_begin("bands", NULL, 0);
    log_debug("dedup: exact duplicates after %.1f s", clock_seconds() - began);
    if (rc == ERR_OK && !params->exact_only) rc = bands_join(&t, err);
    log_debug("dedup: components after %.1f s", clock_seconds() - began);
    event_end(span, 0, 0);
    span = event_begin("verify", NULL, 0);
    if (rc == ERR_OK && !params->exact_only) rc = verify_components(&t, err);
    event_end(span, 0, 0);
    span = event_begin("spread", NULL, 0);
    if (rc == ERR_OK) {
        resolve_keepers(&t);
        rc = spread_count(&t, err);
    }
    event_end(span, 0, 0);
    span = event_begin("write clusters", NULL, 0);
    if (rc == ERR_OK) rc = clusters_load(dir, key, &found, &totals, err); /* another task may have been faster */
    if (rc == ERR_OK && !found) rc = start_dir(dir, err);
    if (rc == ERR_OK && !found) rc = doctable_each_part(&t, write_part, &w, err);
    if (rc == ERR_OK && !found) rc = write_totals(&t, dir, key, err);
    event_end(span, 0, 0);
    if (rc == ERR_OK)
        log_info("dedup: %zu documents clustered in %.1f s, peak %.0f MB", t.n, clock_seconds() - began,
                 (double)peak_memory_bytes() / 1e6);
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

static ErrCode read_totals(const Json *j, const char *path, DedupTotals *t, Err *err)
{
    const struct {
        const char *name;
        uint64_t *to;
    } member[] = {{"n_docs", &t->n_docs},
                  {"n_exact", &t->n_exact},
                  {"n_near", &t->n_near},
                  {"n_short", &t->n_short},
                  {"n_largest", &t->n_largest}};
    const Json *classes = json_get(j, "n_clusters");
    uint32_t i = 0;
    ErrCode rc = ERR_OK;

    *t = (DedupTotals){0};
    for (size_t k = 0; k < sizeof member / sizeof *member && rc == ERR_OK; k++)
        rc = json_get_u64(j, member[k].name, 0, path, member[k].to, err);
    if (rc) return rc;
    if (!classes || classes->type != JSON_ARRAY || classes->n != DEDUP_SIZES)
        return err_set(err, ERR_DATA, "%s: n_clusters is not a list of %d numbers", path, DEDUP_SIZES);
    for (const Json *c = classes->child; c; c = c->next)
        if (c->type != JSON_NUMBER || !span_to_u64(c->string, &t->n_clusters[i++]))
            return err_set(err, ERR_DATA, "%s: n_clusters is not a list of %d numbers", path, DEDUP_SIZES);
    return ERR_OK;
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
    if (*found) rc = read_totals(j, path, totals, err);
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
    Span *spans[N_RESULT] = {&p->verdict, &p->cluster, &p->dup_docs, &p->dup_dumps, &p->dup_hosts};
    char path[PATH_MAX];
    ErrCode rc;

    *p = (ClusterPart){.docid = docid(docid_dataset(id), docid_part(id), 0)};
    if ((rc = result_path(path, dir, id, err)) != ERR_OK) return rc;
    if ((rc = columns_open(&p->cols, path, err)) != ERR_OK) return rc;
    rc = check_receipt(p->cols, path, key, err);
    for (uint32_t c = 0; rc == ERR_OK && c < N_RESULT; c++) {
        const ColumnDef *want = &result_columns[c];
        int i = columns_find(p->cols, want->name);
        const ColumnDef *d = i < 0 ? NULL : columns_def(p->cols, (uint32_t)i);
        if (!d || d->type != want->type || d->width != 1)
            rc = err_set(err, ERR_DATA, "%s has no column %s of the right type", path, want->name);
        else
            rc = columns_values(p->cols, (uint32_t)i, spans[c], NULL, err);
    }
    if (rc) clusterpart_close(p);
    return rc;
}

void clusterpart_close(ClusterPart *p)
{
    columns_close(p->cols);
    *p = (ClusterPart){0};
}
