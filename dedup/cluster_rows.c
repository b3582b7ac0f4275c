/* dedup/cluster_rows.c - the result of clustering as it lies on disk: where, and reading it, some rows at a time. */
#include "dedup/cluster.h"

#include "core/json.h"
#include "core/store.h"
#include "dedup/totals.h"

#include <inttypes.h>
#include <stdio.h>

const ColumnDef cluster_columns[N_RESULT + 1] = {
    [RESULT_VERDICT] = {"verdict", COL_U8, 1, 0},  [RESULT_CLUSTER] = {"cluster", COL_U64, 1, 0},
    [RESULT_DOCS] = {"dup_docs", COL_U32, 1, 0},   [RESULT_DUMPS] = {"dup_dumps", COL_U32, 1, 0},
    [RESULT_HOSTS] = {"dup_hosts", COL_U32, 1, 0}, [RESULT_FIRST] = {"dup_first", COL_U32, 1, 0},
    [RESULT_LAST] = {"dup_last", COL_U32, 1, 0},   [RESULT_MATCH] = {"match", COL_U64, 1, 0},
};

ErrCode clusters_path(char out[PATH_MAX], const char *dir, DocId id, Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%05" PRIu32 "-%06" PRIu32 ".cols", dir, docid_dataset(id), docid_part(id));

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
}

ErrCode clusters_json_path(char out[PATH_MAX], const char *dir, Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/clusters.json", dir);

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", dir);
}

void clusters_put_key(Buf *b, Hash128 key)
{
    buf_puts(b, "{\"key\":");
    json_put_hash(b, key);
}

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
    ErrCode rc = clusters_json_path(path, dir, err);

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

/* --- a part's file */

ErrCode clusterfile_open(ClusterFile *f, const char *dir, Hash128 key, DocId id, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = clusters_path(path, dir, id, err);

    *f = (ClusterFile){.n_columns = N_RESULT};
    if (rc == ERR_OK) rc = columns_open(&f->cols, path, err);
    if (rc == ERR_OK) rc = check_receipt(f->cols, path, key, err);
    if (rc == ERR_OK && columns_find(f->cols, cluster_columns[RESULT_MATCH].name) >= 0) f->n_columns++;
    for (uint32_t c = 0; rc == ERR_OK && c < f->n_columns; c++)
        rc = columns_require(f->cols, &cluster_columns[c], &f->column[c], err);
    if (rc) clusterfile_close(f);
    return rc;
}

void clusterfile_close(ClusterFile *f)
{
    columns_close(f->cols);
    *f = (ClusterFile){0};
}

ErrCode clusterrows_load(ClusterRows *r, const ClusterFile *f, uint32_t first, uint32_t n, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t c = 0; rc == ERR_OK && c < f->n_columns; c++)
        rc = columns_range(f->cols, f->column[c], first, n, &r->column[c], err);
    r->first = first;
    r->n = rc ? 0 : n;
    r->has_match = f->n_columns > RESULT_MATCH;
    return rc;
}

void clusterrows_clear(ClusterRows *r)
{
    for (int c = 0; c <= RESULT_MATCH; c++) buf_clear(&r->column[c]);
    *r = (ClusterRows){0};
}

ClusterRow clusterrows_at(const ClusterRows *r, uint32_t record)
{
    const size_t i = record - r->first;

    return (ClusterRow){.verdict = r->column[RESULT_VERDICT].p[i],
                        .keeper = le64_get(r->column[RESULT_CLUSTER].p + 8 * i),
                        .match = r->has_match ? le64_get(r->column[RESULT_MATCH].p + 8 * i) : UINT64_MAX,
                        .docs = le32_get(r->column[RESULT_DOCS].p + 4 * i),
                        .dumps = le32_get(r->column[RESULT_DUMPS].p + 4 * i),
                        .hosts = le32_get(r->column[RESULT_HOSTS].p + 4 * i),
                        .first = le32_get(r->column[RESULT_FIRST].p + 4 * i),
                        .last = le32_get(r->column[RESULT_LAST].p + 4 * i)};
}

/* --- whatever document */

enum { LOOK_ROWS = 4096 };

ErrCode clusterlook_part(ClusterLook *l, DocId id, uint32_t *n, Err *err)
{
    const DocId part = docid(docid_dataset(id), docid_part(id), 0);
    ErrCode rc = ERR_OK;

    if (!l->file.cols || l->part != part) {
        clusterfile_close(&l->file);
        l->rows.n = 0;
        rc = clusterfile_open(&l->file, l->dir, l->key, id, err);
        l->part = part;
    }
    *n = rc ? 0 : (uint32_t)columns_n_docs(l->file.cols);
    return rc;
}

ErrCode clusterlook_at(ClusterLook *l, DocId id, ClusterRow *row, Err *err)
{
    const uint32_t record = docid_record(id), first = record - record % LOOK_ROWS;
    uint32_t n;
    ErrCode rc = clusterlook_part(l, id, &n, err);

    if (rc) return rc;
    if (record >= n) return err_set(err, ERR_DATA, "%s does not know all documents of its inputs", l->dir);
    if (l->rows.n == 0 || l->rows.first != first)
        rc = clusterrows_load(&l->rows, &l->file, first, n - first < LOOK_ROWS ? n - first : LOOK_ROWS, err);
    if (rc == ERR_OK) *row = clusterrows_at(&l->rows, record);
    return rc;
}

void clusterlook_clear(ClusterLook *l)
{
    clusterfile_close(&l->file);
    clusterrows_clear(&l->rows);
}
