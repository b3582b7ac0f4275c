/* `tamis dedup remove`. */
#include "core/json.h"
#include "dedup/dedup_words.h"
#include "dedup/remove.h"

#include <inttypes.h>
#include <stdio.h>

static const char after[] =
    "LIST: a line an entry, which is an id (in double quotes, or has '#'), a URL (has \"://\") "
    "or a host. The ids of\n"
    "what was taken out of the index are printed. Views that stand on a dataset still show its documents, and shards "
    "hold "
    "their tokens: make these anew.";

typedef struct {
    const char *index, *out;
    OptList dataset;
    const CommonOptions *common;
} Options;

static ErrCode settle(void *options, Err *err)
{
    const Options *o = options;

    if (!o->index && o->dataset.n == 0)
        return err_set(err, ERR_USAGE, "dedup remove: --index DIR, --dataset DIR or both");
    if ((o->dataset.n > 0) != (o->out != NULL))
        return err_set(err, ERR_USAGE, "dedup remove: --dataset needs -o VIEW, and only that does");
    if (o->index && o->common->task.count)
        return err_set(err, ERR_USAGE, "dedup remove: --index does not go with --task");
    return ERR_OK;
}

/* Before anything is deleted: afterwards nobody knows the ids. */
static ErrCode print_ids(const Buf *ids, Err *err)
{
    if (fwrite(ids->p, 1, ids->n, stdout) != ids->n || fflush(stdout) != 0)
        return err_sys(err, "cannot write to standard output");
    return ERR_OK;
}

static ErrCode from_index(const char *dir, const RemoveList *l, const Par *par, Err *err)
{
    const Par alone = par_alone(par->threads);
    Index ix;
    IndexClaim claim = {0};
    RemoveFound found = {0};
    ErrCode rc = index_load(&ix, dir, NULL, &alone, err);

    if (rc) return rc;
    rc = indexclaim_take(&claim, &ix, "remove", NULL, (Hash128){0, 0}, err);
    index_clear(&ix); /* another may have added to it just now */
    if (rc == ERR_OK) rc = index_load(&ix, dir, NULL, &alone, err);
    if (rc == ERR_OK) rc = remove_find(&ix, l, par->threads, &found, err);
    if (rc == ERR_OK && found.ids.n) rc = print_ids(&found.ids, err);
    if (rc == ERR_OK) rc = remove_take_out(&ix, &claim, &found, par->threads, err);
    indexclaim_end(&claim, true);
    if (rc == ERR_OK) log_info("remove: %" PRIu64 " documents taken out of %s", found.n, dir);
    index_clear(&ix);
    removefound_clear(&found);
    return rc;
}

/* *all: every part was looked through by this call. */
static ErrCode from_datasets(const Options *o, const RemoveList *l, const CommonOptions *common, const Par *par,
                             bool *all, Err *err)
{
    DatasetSet *set = NULL;
    StageTotals totals = {0};
    ErrCode rc = par_agree(par, datasetset_open(&set, o->dataset.v, o->dataset.n, err), err);

    if (rc == ERR_OK) rc = remove_from_datasets(l, set, o->out, common, par, &totals, err);
    if (rc == ERR_OK && totals.complete && !totals.up_to_date && par->rank == 0 && !common->quiet)
        rc = stage_summary(o->out, err);
    *all = totals.complete && totals.n_parts_done == totals.n_parts;
    datasetset_close(set);
    return par_believe(par, rc, all, err);
}

int remove_verb(int argc, char **argv)
{
    CommonOptions common = {0};
    Options o = {.common = &common};
    const OptSpec specs[] = {
        OPT_STR(0, "index", &o.index, "DIR", "take them out of this index"),
        OPT_LIST(0, "dataset", &o.dataset, "DIR", "make a view of this dataset without them; repeatable"),
        OPT_STR('o', "out", &o.out, "VIEW", "the view goes here (created)"),
        OPT_HEAD("Running:"),
        OPT_COMMON_STAGE(&common),
        OPT_STR(0, "rejected", &common.rejected, "DIR", "write what is dropped, with its reason"),
        OPT_CHECK(settle, &o),
        OPT_END,
    };
    const OptVerb verb = {.name = "dedup remove",
                          .usage = "[options] --index DIR LIST | --dataset DIR -o VIEW LIST",
                          .what = "Remove documents on request, by URL, host or id, from an index and from datasets.",
                          .specs = specs,
                          .after = after};
    Par par = {0};
    RemoveList list = {0};
    Err err = {0};
    int first = 0;
    bool all = true;

    ErrCode rc = verb_begin(&verb, argc, argv, &common, &par, &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && argc - first != 1)
        rc = err_set(&err, ERR_USAGE, "dedup remove: one LIST; try tamis dedup remove --help");
    if (rc == ERR_OK) rc = par_agree(&par, removelist_read(&list, argv[first], &err), &err);
    if (rc == ERR_OK && o.index)
        rc = par_agree(&par, par.rank ? ERR_OK : from_index(o.index, &list, &par, &err), &err);
    if (rc == ERR_OK && o.out) rc = from_datasets(&o, &list, &common, &par, &all, &err);
    if (rc == ERR_OK && all) rc = removelist_warn(&list, argv[first], &par, &err);
    removelist_clear(&list);
    optlist_clear(&o.dataset);
    par_stop(&par);
    return verb_exit(rc, &err);
}
