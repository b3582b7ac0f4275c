#include "dedup/doctable.h"

#include "core/log.h"
#include "core/store.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <limits.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TABLE_BYTES = 17,             /* a record, in the arrays below */
    EXCHANGE_LEAST = 64 << 20,    /* memory an exchange is given at the least */
    PARTITION_RECORDS = 64 << 10, /* what one thread sorts at a time */
    PARTITIONS_MAX = 4096
};

static ErrCode sign_path(const DocTable *t, uint32_t part, char out[PATH_MAX], Err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/part-%06" PRIu32 ".sign.cols", t->sign_dir, part);

    return n > 0 && n < PATH_MAX ? ERR_OK : err_set(err, ERR_LIMIT, "%s: the path is too long", t->sign_dir);
}

static ErrCode open_part(const DocTable *t, uint32_t part, Columns **cols, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = sign_path(t, part, path, err);

    *cols = NULL;
    return rc ? rc : columns_open(cols, path, err);
}

/* --- opening */

typedef struct {
    DocId id;
    uint32_t part;
} RootPart;

static int by_docid(const void *pa, const void *pb)
{
    const RootPart *a = pa, *b = pb;

    return (a->id > b->id) - (a->id < b->id);
}

/* Two views of one dataset would show the same documents twice. */
static ErrCode check_roots(const DocTable *t, const DatasetSet *in, Err *err)
{
    RootPart *roots = malloc((t->n_parts + (size_t)1) * sizeof *roots);
    ErrCode rc = ERR_OK;

    if (!roots) return err_nomem(err, "the list of parts");
    for (uint32_t i = 0; i < t->n_parts; i++) roots[i] = (RootPart){t->docid[i], i};
    qsort(roots, t->n_parts, sizeof *roots, by_docid);
    for (uint32_t i = 1; i < t->n_parts && rc == ERR_OK; i++) {
        uint32_t a, b, local;
        if (roots[i - 1].id != roots[i].id) continue;
        datasetset_locate(in, roots[i - 1].part, &a, &local);
        datasetset_locate(in, roots[i].part, &b, &local);
        rc = err_set(err, ERR_USAGE, "%s and %s show documents of the same dataset: give one of them",
                     dataset_dir(datasetset_at(in, a)), dataset_dir(datasetset_at(in, b)));
    }
    free(roots);
    return rc;
}

static ErrCode read_heads(DocTable *t, const DatasetSet *in, Err *err)
{
    for (uint32_t i = 0; i < t->n_parts; i++) {
        Columns *c;
        ErrCode rc = open_part(t, i, &c, err);
        if (rc) return rc;
        t->docid[i] = datasetset_docid(in, i);
        t->content[i] = columns_part(c);
        t->first[i + 1] = t->first[i] + columns_n_docs(c);
        columns_close(c);
    }
    if (t->first[t->n_parts] >= UINT32_MAX)
        return err_set(err, ERR_LIMIT,
                       "%" PRIu64 " documents are beyond what one deduplication compares (%" PRIu32 ")",
                       t->first[t->n_parts], UINT32_MAX - 1);
    t->n = (size_t)t->first[t->n_parts];
    return ERR_OK;
}

static ErrCode alloc_arrays(DocTable *t, uint64_t memory, Err *err)
{
    uint64_t arrays = (uint64_t)TABLE_BYTES * t->n, least = EXCHANGE_LEAST + ((uint64_t)t->par->threads << 22);
    size_t n = t->n ? t->n : 1;

    if (memory < arrays || memory - arrays < least)
        return err_set(err, ERR_NOMEM, "%zu documents need --memory of at least %" PRIu64 " MiB", t->n,
                       ((arrays + least) >> 20) + 1);
    t->memory = memory - arrays;
    t->state = calloc(n, 1);
    t->keeper = malloc(n * sizeof *t->keeper);
    t->u.parent = malloc(n * sizeof *t->u.parent);
    t->dup_dumps = calloc(n, sizeof *t->dup_dumps);
    t->dup_hosts = calloc(n, sizeof *t->dup_hosts);
    if (!t->state || !t->keeper || !t->u.parent || !t->dup_dumps || !t->dup_hosts)
        return err_nomem(err, "the table of documents");
    for (size_t i = 0; i < t->n; i++) t->keeper[i] = (uint32_t)i;
    components_init(t->u.parent, t->n);
    return ERR_OK;
}

/* Which records the inputs show, and which are long enough for shingles. */
static ErrCode read_states(void *ctx, const SignPart *p, int lane, Err *err)
{
    DocTable *t = ctx;
    Span drop, tokens;
    ErrCode rc;

    (void)lane;
    if ((rc = signpart_column(p, "drop", COL_U8, 1, &drop, err)) != ERR_OK) return rc;
    if ((rc = signpart_column(p, sign_column_names[SIGN_TOKENS], COL_U32, 1, &tokens, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < p->n; i++) {
        bool near = !t->params->exact_only && le32_get(tokens.p + 4 * (size_t)i) >= t->params->shingle;
        t->state[p->first + i] = (uint8_t)(drop.p[i] ? 0 : DOC_SHOWN | (near ? DOC_NEAR : 0));
    }
    return ERR_OK;
}

ErrCode doctable_open(DocTable *t, const DedupParams *params, const DatasetSet *in, const char *sign_dir,
                      uint64_t memory, const char *scratch, const Par *par, Err *err)
{
    ErrCode rc;

    *t = (DocTable){
        .params = params, .par = par, .sign_dir = sign_dir, .scratch = scratch, .n_parts = datasetset_n_parts(in)};
    t->first = calloc(t->n_parts + (size_t)1, sizeof *t->first);
    t->docid = calloc(t->n_parts + (size_t)1, sizeof *t->docid);
    t->content = calloc(t->n_parts + (size_t)1, sizeof *t->content);
    rc = t->first && t->docid && t->content ? ERR_OK : err_nomem(err, "the list of parts");
    if (rc == ERR_OK) rc = read_heads(t, in, err);
    if (rc == ERR_OK) rc = check_roots(t, in, err);
    if (rc == ERR_OK) rc = alloc_arrays(t, memory, err);
    if (rc == ERR_OK) rc = doctable_each_part(t, read_states, t, err);
    if (rc) doctable_clear(t);
    return rc;
}

void doctable_clear(DocTable *t)
{
    free(t->first);
    free(t->docid);
    free(t->content);
    free(t->state);
    free(t->keeper);
    free(t->u.parent);
    free(t->dup_dumps);
    free(t->dup_hosts);
    *t = (DocTable){0};
}

DocId doctable_docid(const DocTable *t, uint32_t doc)
{
    uint32_t lo = 0, hi = t->n_parts; /* the last part whose first record is not behind doc */

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (t->first[mid] <= doc)
            lo = mid;
        else
            hi = mid;
    }
    return t->docid[lo] + (doc - t->first[lo]);
}

/* --- going over the signatures */

ErrCode signpart_column(const SignPart *p, const char *name, ColType type, uint16_t width, Span *values, Err *err)
{
    int i = columns_find(p->cols, name);

    if (i < 0 || columns_def(p->cols, (uint32_t)i)->type != type || columns_def(p->cols, (uint32_t)i)->width != width)
        return err_set(err, ERR_DATA, "the signatures of part %" PRIu32 " have no column %s of the right type",
                       p->part, name);
    return columns_values(p->cols, (uint32_t)i, values, NULL, err);
}

static ErrCode one_part(const DocTable *t, uint32_t part, PartFn fn, void *ctx, Err *err)
{
    SignPart p = {.part = part, .first = t->first[part]};
    ErrCode rc;

    if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
    if ((rc = open_part(t, part, &p.cols, err)) != ERR_OK) return rc;
    p.n = (uint32_t)columns_n_docs(p.cols);
    if (p.n != t->first[part + 1] - t->first[part])
        rc = err_set(err, ERR_DATA, "%s: part %" PRIu32 " changed while it was read", t->sign_dir, part);
    else
        rc = fn(ctx, &p, omp_get_thread_num(), err);
    columns_close(p.cols);
    return rc;
}

ErrCode doctable_each_part(const DocTable *t, PartFn fn, void *ctx, Err *err)
{
    uint32_t failed = UINT32_MAX;
    ErrCode rc = ERR_OK;

#pragma omp parallel for schedule(dynamic, 1) num_threads(t->par->threads)
    for (uint32_t part = 0; part < t->n_parts; part++) {
        Err own;
        ErrCode mine = one_part(t, part, fn, ctx, &own);
        if (mine == ERR_OK) continue;
#pragma omp critical(doctable_failure)
        if (part < failed) {
            failed = part;
            rc = mine;
            if (err) *err = own;
        }
    }
    return rc;
}

/* --- order and exchanges */

void order_put(uint8_t out[ORDER_BYTES], const DedupParams *params, uint32_t bytes, uint32_t doc)
{
    uint32_t first = params->keep == DEDUP_KEEP_LONGEST ? ~bytes : 0;

    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(first >> (24 - 8 * i));
        out[4 + i] = (uint8_t)(doc >> (24 - 8 * i));
    }
}

uint32_t order_doc(const uint8_t *order)
{
    return (uint32_t)order[4] << 24 | (uint32_t)order[5] << 16 | (uint32_t)order[6] << 8 | order[7];
}

void doctable_exchange(const DocTable *t, const char *name, uint64_t n_records, uint32_t value_bytes,
                       ExchangeSpec *spec)
{
    *spec = (ExchangeSpec){
        .name = name, .partitions = 1, .value_bytes = value_bytes, .memory = t->memory, .scratch = t->scratch};
    while (spec->partitions < PARTITIONS_MAX && spec->partitions * (uint64_t)PARTITION_RECORDS < n_records)
        spec->partitions *= 2;
}
