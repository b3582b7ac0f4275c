#include "core/dataset_files.h"
#include "core/dataset_open.h"
#include "core/store.h"

#include <stdlib.h>

/* DatasetSet: several datasets as one input. Their order, and so every DocId, is (dump, directory name, content), not the
 * order on the command line: a shuffled list gives the same result. */

void dataset_root_of(const Dataset *ds, uint32_t part, const Dataset **root, uint32_t *root_part)
{
    while (ds->n_bases) {
        const PartInfo *p = &ds->parts[part];
        ds = ds->base[p->base];
        part = p->base_part;
    }
    *root = ds;
    *root_part = part;
}

static Span dump_of(const Dataset *ds)
{
    while (ds->n_bases) ds = ds->base[0];
    const Json *dump = json_get(json_get(ds->manifest, "params"), "dump");
    return dump && dump->type == JSON_STRING ? dump->string : SPAN_LIT("");
}

/* The root's own directory name: a view may be called anything, and "." is no name. */
static Span name_of(const Dataset *ds)
{
    while (ds->n_bases) ds = ds->base[0];
    return span_str(path_base(ds->real));
}

static int compare_datasets(const void *pa, const void *pb)
{
    const Dataset *a = *(Dataset *const *)pa, *b = *(Dataset *const *)pb;
    int d = span_cmp(dump_of(a), dump_of(b));

    if (!d) d = span_cmp(name_of(a), name_of(b));
    if (!d) d = (a->content.hi > b->content.hi) - (a->content.hi < b->content.hi);
    if (!d) d = (a->content.lo > b->content.lo) - (a->content.lo < b->content.lo);
    return d;
}

/* A dataset that several inputs look at is opened once for each; all get one number. */
static ErrCode add_root(DatasetSet *set, Dataset *root, Err *err)
{
    uint32_t i = 0;

    while (i < set->n_roots && strcmp(set->root[i]->real, root->real) != 0) i++;
    root->number = i;
    if (i < set->n_roots) return ERR_OK;
    if (i == DOCID_MAX_DATASETS) return err_set(err, ERR_LIMIT, "more than %d datasets", DOCID_MAX_DATASETS);
    const Dataset **more = realloc(set->root, (i + (size_t)1) * sizeof *more);
    if (!more) return err_nomem(err, "a set of datasets");
    set->root = more;
    set->root[set->n_roots++] = root;
    return ERR_OK;
}

/* Written datasets below `ds`, in the order of its bases. */
static ErrCode add_roots(DatasetSet *set, Dataset *ds, Err *err)
{
    ErrCode rc = ERR_OK;

    if (!ds->n_bases) return add_root(set, ds, err);
    for (uint32_t i = 0; i < ds->n_bases && rc == ERR_OK; i++) rc = add_roots(set, ds->base[i], err);
    return rc;
}

ErrCode datasetset_open(DatasetSet **out, const char *const *dirs, size_t n, Err *err)
{
    DatasetSet *set = calloc(1, sizeof *set);
    uint64_t parts = 0;
    ErrCode rc = ERR_OK;

    *out = NULL;
    if (!set) return err_nomem(err, "a set of datasets");
    set->ds = calloc(n ? n : 1, sizeof *set->ds);
    set->first = calloc(n + 1, sizeof *set->first);
    if (!set->ds || !set->first) {
        rc = err_nomem(err, "a set of datasets");
        goto fail;
    }
    for (; set->n < n; set->n++)
        if ((rc = dataset_open(&set->ds[set->n], dirs[set->n], err)) != ERR_OK) goto fail;
    qsort(set->ds, n, sizeof *set->ds, compare_datasets);
    for (size_t i = 0; i < n; i++) {
        if (i && compare_datasets(&set->ds[i - 1], &set->ds[i]) == 0) {
            rc = err_set(err, ERR_USAGE, "%s is given twice", set->ds[i]->dir);
            goto fail;
        }
        set->first[i] = (uint32_t)parts;
        parts += set->ds[i]->n_parts;
        if (parts > DOCID_MAX_PARTS) {
            rc = err_set(err, ERR_LIMIT, "more than %d parts in all inputs", DOCID_MAX_PARTS);
            goto fail;
        }
        if ((rc = add_roots(set, set->ds[i], err)) != ERR_OK) goto fail;
    }
    set->first[n] = (uint32_t)parts;
    *out = set;
    return ERR_OK;
fail:
    datasetset_close(set);
    return rc;
}

void datasetset_close(DatasetSet *set)
{
    if (!set) return;
    for (size_t i = 0; i < set->n; i++) dataset_close(set->ds[i]);
    free(set->ds);
    free(set->first);
    free(set->root);
    free(set);
}

size_t datasetset_count(const DatasetSet *set) { return set->n; }
const Dataset *datasetset_at(const DatasetSet *set, size_t i) { return set->ds[i]; }
uint32_t datasetset_n_parts(const DatasetSet *set) { return set->first[set->n]; }

void datasetset_locate(const DatasetSet *set, uint32_t part, uint32_t *dataset, uint32_t *local)
{
    size_t lo = 0, hi = set->n;

    while (hi - lo > 1) { /* the last dataset whose first part is not behind `part` */
        size_t mid = lo + (hi - lo) / 2;
        if (set->first[mid] <= part)
            lo = mid;
        else
            hi = mid;
    }
    *dataset = (uint32_t)lo;
    *local = part - set->first[lo];
}

DocId datasetset_docid(const DatasetSet *set, uint32_t part)
{
    uint32_t which, local, root_part;
    const Dataset *root;

    datasetset_locate(set, part, &which, &local);
    dataset_root_of(set->ds[which], local, &root, &root_part);
    return docid(root->number, root_part, 0);
}

uint64_t datasetset_n_records(const DatasetSet *set, uint32_t part)
{
    uint32_t which, local, root_part;
    const Dataset *root;

    datasetset_locate(set, part, &which, &local);
    dataset_root_of(set->ds[which], local, &root, &root_part);
    return root->parts[root_part].n_docs;
}

bool datasetset_part_file(const DatasetSet *set, uint32_t part, uint32_t i, Buf *path)
{
    uint32_t which, local;
    char file[PATH_MAX];

    datasetset_locate(set, part, &which, &local);
    const Dataset *ds = set->ds[which];
    for (; i && ds->n_bases; i--) {
        const PartInfo *p = &ds->parts[local];
        ds = ds->base[p->base];
        local = p->base_part;
    }
    const DatasetKind kind = ds->n_bases ? DATASET_VIEW : DATASET_WRITTEN;
    if (i || dataset_part_path(file, ds->dir, kind, ds->stage, local, NULL) != ERR_OK) return false;
    buf_puts(path, file);
    return true;
}

uint64_t datasetset_n_docs(const DatasetSet *set)
{
    uint64_t n = 0;

    for (size_t i = 0; i < set->n; i++) n += set->ds[i]->n_docs;
    return n;
}

uint64_t datasetset_text_bytes(const DatasetSet *set)
{
    uint64_t n = 0;

    for (size_t i = 0; i < set->n; i++) n += set->ds[i]->text_bytes;
    return n;
}
