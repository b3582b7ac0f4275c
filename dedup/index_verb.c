/* `tamis dedup index`. */
#include "core/store.h"
#include "dedup/dedup_words.h"
#include "dedup/index.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

static const char after[] = "Without --rebuild: what was added, the runs and their bytes. With it every file is "
                            "read; what is damaged is made again,\n"
                            "runs from the index's own docs files, these from the view that was added, if its "
                            "directory and DIR/sign still are there.";

static ErrCode bytes_below(const char *dir, int depth, uint64_t *bytes, Err *err)
{
    StoreList list = {0};
    char path[PATH_MAX];
    ErrCode rc = store_list(dir, &list, err);

    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        uint64_t size = list.size ? list.size[i] : 0;
        bool is_dir = list.size && list.size[i] == STORE_DIR;
        if ((rc = index_path(path, sizeof path, dir, list.name[i], err)) != ERR_OK) break;
        if (!list.size && (rc = store_is_dir(path, &is_dir, err)) != ERR_OK) break;
        if (is_dir)
            rc = depth ? bytes_below(path, depth - 1, bytes, err) : ERR_OK;
        else if (!list.size)
            rc = store_size(path, &size, err);
        if (!is_dir) *bytes += size;
    }
    storelist_clear(&list);
    return rc;
}

static ErrCode say_bytes(const Index *ix, const char *what, uint64_t n_docs, Err *err)
{
    char path[PATH_MAX];
    uint64_t bytes = 0;
    ErrCode rc = index_path(path, sizeof path, ix->dir, what, err);

    if (rc == ERR_OK) rc = bytes_below(path, 2, &bytes, err);
    if (rc == ERR_OK)
        printf("%-8s %14" PRIu64 " bytes, %.0f a document\n", what, bytes,
               n_docs ? (double)bytes / (double)n_docs : 0.0);
    return rc;
}

static ErrCode say_claim(const Index *ix, Err *err)
{
    Arena arena = {0};
    IndexClaimant c;
    bool there;
    ErrCode rc = indexclaim_look(ix, &arena, &c, &there, err);

    if (rc == ERR_OK && there)
        printf("claimed  by tamis dedup%s%s %s, process %" PRIu64 " of %s\n", *c.out ? "" : " ",
               *c.out ? " -o" : c.what, c.out, c.pid, c.host);
    arena_clear(&arena);
    return rc;
}

static ErrCode show(const Index *ix, Err *err)
{
    uint64_t n_docs = 0;
    ErrCode rc;

    for (uint32_t i = 0; i < ix->n_datasets; i++) n_docs += ix->dataset[i].n_docs;
    n_docs -= n_docs < ix->n_removed ? n_docs : ix->n_removed;
    printf("params   %.*s\n", (int)ix->params.n, (const char *)ix->params.p);
    printf("holds    %14" PRIu64 " documents of %" PRIu32 " additions in %" PRIu32 " runs; %zu removed on request\n",
           n_docs, ix->n_datasets, ix->n_runs, ix->n_removed);
    if ((rc = say_bytes(ix, "docs", n_docs, err)) != ERR_OK) return rc;
    if ((rc = say_bytes(ix, "runs", n_docs, err)) != ERR_OK) return rc;
    if ((rc = say_claim(ix, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < ix->n_datasets; i++)
        printf("added %2" PRIu32 " %14" PRIu64 " documents of %s\n", i, ix->dataset[i].n_docs, ix->dataset[i].out);
    for (uint32_t i = 0; i < ix->n_runs; i++) {
        const IndexRun *r = &ix->run[i];
        printf("run %06" PRIu32 ", level %" PRIu32 ": %" PRIu64 " documents of", r->number, r->level, r->n_docs);
        for (uint32_t k = 0; k < r->n_datasets; k++) printf(" %" PRIu32, r->dataset[k]);
        printf("\n");
    }
    return ERR_OK;
}

static ErrCode rebuild(Index *ix, const CommonOptions *common, const Par *par, Err *err)
{
    IndexClaim claim = {0};
    const IndexWork work = {.par = par,
                            .memory = common_memory(common, par),
                            .scratch = common->scratch ? common->scratch : ix->dir,
                            .claim = &claim};
    uint32_t n_runs = 0;
    uint64_t n_files = 0;
    ErrCode rc = par->rank ? ERR_OK : indexclaim_take(&claim, ix, "index --rebuild", NULL, (Hash128){0, 0}, err);

    if ((rc = par_agree(par, rc, err)) == ERR_OK) rc = index_rebuild(ix, &work, &n_runs, &n_files, err);
    indexclaim_end(&claim, true);
    if (rc == ERR_OK || n_files + n_runs)
        log_info("index: %s%s; %" PRIu64 " docs files and %" PRIu32 " runs were made again", ix->dir,
                 rc ? "" : " is whole", n_files, n_runs);
    return rc;
}

int index_verb(int argc, char **argv)
{
    CommonOptions common = {0};
    bool again = false;
    const OptSpec specs[] = {
        OPT_FLAG(0, "rebuild", &again, "read every file and make again what is damaged"),
        OPT_HEAD("Running:"),
        OPT_COMMON_THREADS(&common),
        OPT_SIZE(0, "memory", &common.memory, "SIZE", "budget per process: 800M, 24G; 0: 3/4 of what is free"),
        OPT_COMMON_SCRATCH(&common),
        OPT_COMMON_TALK(&common),
        OPT_END,
    };
    const OptVerb verb = {.name = "dedup index",
                          .usage = "[options] DIR",
                          .what = "What an index across dumps holds (tamis dedup --index DIR).",
                          .specs = specs,
                          .after = after};
    Par par = {0};
    Index ix = {0};
    Err err = {0};
    int first = 0;

    ErrCode rc = verb_begin(&verb, argc, argv, &common, &par, &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && argc - first != 1)
        rc = err_set(&err, ERR_USAGE, "dedup index: one DIR; try tamis dedup index --help");
    if (rc == ERR_OK) rc = index_load(&ix, argv[first], NULL, &par, &err);
    if (rc == ERR_OK && again) rc = rebuild(&ix, &common, &par, &err);
    if (rc == ERR_OK && !again && par.rank == 0) rc = show(&ix, &err);
    index_clear(&ix);
    par_stop(&par);
    return verb_exit(rc, &err);
}
