/* Runs of an index: sorted entries of some datasets' survivors. Making one is a sort, whatever it is made for. */
#include "core/log.h"
#include "core/pass.h"
#include "core/store.h"
#include "dedup/index.h"

#include <inttypes.h>
#include <limits.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXACT = INDEX_EXACT, BANDS = INDEX_BANDS, FILTER = INDEX_FILTER };
enum { PARTITION_ENTRIES = 64 << 10, RESULTS_MEMORY = 4 << 20, SEND_ROWS = 4096 /* of a file, read at a time */ };
/* What a docs file under way takes: of its columns, of ids that may recur, of rows and strings it is made from, with any number of bands. */
enum { DOCS_MEMORY = 8 << 20 };
static const char *const kinds[] = {"exact", "bands"};
static const uint32_t widths[INDEX_KINDS] = {INDEX_EXACT_BYTES, INDEX_BAND_BYTES, INDEX_LINE_BYTES};

/* --- making */

typedef struct {
    const Index *ix;
    const IndexRun *run;
    const Par *par;
    Pass *p;
    int kind;
} Build;

static uint32_t keys_width(const Build *b) { return b->kind == EXACT ? 16 : 8 * b->ix->bands; }

static ErrCode send_row(const Build *b, DocId id, const uint8_t *keys, int lane, Err *err)
{
    uint8_t key[EXCHANGE_KEY], ref[8];
    ErrCode rc = ERR_OK;

    if (index_is_removed(b->ix, id)) return ERR_OK;
    if (b->kind == EXACT) {
        exchange_key_u64(key, le64_get(keys + 8), le64_get(keys));
        be64_put(ref, id);
        return pass_put(b->p, lane, key, ref, sizeof ref, err);
    }
    for (uint32_t i = 0; i < b->ix->bands && rc == ERR_OK; i++) {
        uint64_t band = le64_get(keys + 8 * (size_t)i);
        exchange_key_u64(key, band, id);
        if (band) rc = pass_put(b->p, lane, key, NULL, 0, err); /* 0: too short for shingles */
    }
    return rc;
}

static ErrCode send_file(const Build *b, uint32_t dataset, uint32_t part, Err *err)
{
    const uint32_t width = keys_width(b);
    IndexDocs d;
    Buf keys = {0};
    ErrCode rc;

    if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
    if ((rc = indexdocs_open(&d, b->ix, dataset, part, DOCS_RECORDS, err)) != ERR_OK) return rc;
    for (uint32_t at = 0, n; at < d.n && rc == ERR_OK; at += n) {
        n = d.n - at < SEND_ROWS ? d.n - at : SEND_ROWS;
        rc = indexdocs_keys(&d, b->ix, b->kind == BANDS, at, n, &keys, err);
        for (uint32_t i = 0; i < n && rc == ERR_OK; i++) {
            const DocId id = d.first + le32_get(d.record.p + 4 * (size_t)(at + i));
            rc = send_row(b, id, keys.p + (size_t)i * width, omp_get_thread_num(), err);
        }
    }
    buf_clear(&keys);
    indexdocs_close(&d);
    return rc;
}

static ErrCode send_files(void *ctx, Pass *p, Err *err)
{
    Build *b = ctx;
    uint32_t ranks = (uint32_t)b->par->n_ranks, rank = (uint32_t)b->par->rank;
    ErrCode rc = ERR_OK;

    b->p = p;
    for (uint32_t i = 0; i < b->run->n_datasets && rc == ERR_OK; i++) {
        uint32_t dataset = b->run->dataset[i], n_parts = b->ix->dataset[dataset].n_parts, failed = UINT32_MAX;
#pragma omp parallel for schedule(dynamic, 1) num_threads(b->par->threads)
        for (uint32_t part = rank; part < n_parts; part += ranks) {
            Err own;
            ErrCode mine = send_file(b, dataset, part, &own);
#pragma omp critical(index_run)
            if (mine && part < failed) {
                failed = part;
                rc = mine;
                *err = own;
            }
        }
    }
    return rc;
}

/* The entries as they are sorted: key and reference. */
static ErrCode list_entries(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t entry[INDEX_EXACT_BYTES];
    Span ref;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, entry, &end, err)) == ERR_OK && !end) {
        while ((rc = exchange_next_value(g, &ref, &end, err)) == ERR_OK && !end) {
            if (ref.n) memcpy(entry + EXCHANGE_KEY, ref.p, ref.n);
            if ((rc = resultsout_put(out, entry, err)) != ERR_OK) return rc;
        }
        if (rc) return rc;
    }
    return rc;
}

static ErrCode build_kind(Build *b, const char *dir, const IndexWork *work, Err *err)
{
    const PassSpec spec = {.dir = dir,
                           .name = kinds[b->kind],
                           .key = b->run->key,
                           .result_bytes = widths[b->kind],
                           .piece_bytes = INDEX_PIECE,
                           .repair = b->ix->repair,
                           .exchange = {.partitions = b->run->partitions[b->kind],
                                        .value_bytes = widths[b->kind] - EXCHANGE_KEY,
                                        .memory = work->memory,
                                        .scratch = work->scratch}};
    Pass *p = NULL;
    ErrCode rc = pass_open(&p, &spec, work->par, err);

    if (rc == ERR_OK) rc = pass_run(p, send_files, list_entries, b, err);
    pass_close(p);
    return rc;
}

static ErrCode run_dir(char out[PATH_MAX], const Index *ix, uint32_t number, Err *err)
{
    char rest[32];

    snprintf(rest, sizeof rest, "runs/%06" PRIu32, number);
    return index_path(out, PATH_MAX, ix->dir, rest, err);
}

ErrCode indexrun_build(const Index *ix, IndexRun *run, const IndexWork *work, Err *err)
{
    Build b = {.ix = ix, .run = run, .par = work->par};
    char dir[PATH_MAX];
    ErrCode rc = run_dir(dir, ix, run->number, err);

    if (rc == ERR_OK) rc = build_kind(&b, dir, work, err);
    b.kind = BANDS;
    if (rc == ERR_OK && ix->bands) rc = build_kind(&b, dir, work, err);
    return rc || !ix->bands ? rc : indexfilter_build(ix, run, work->par, err);
}

/* --- opening */

ErrCode indexrun_open(const Index *ix, IndexRun *run, int kind, const Par *par, Err *err)
{
    const ResultsSpec spec = {.dir = run->path[kind],
                              .key = run->key,
                              .partitions = run->partitions[kind == EXACT ? EXACT : BANDS],
                              .width = widths[kind],
                              .memory = RESULTS_MEMORY,
                              .piece = INDEX_PIECE,
                              .repair = ix->repair};

    return results_open(&run->results[kind], &spec, par, err);
}

void indexrun_close(IndexRun *run)
{
    for (int kind = 0; kind < INDEX_KINDS; kind++) {
        results_close(run->results[kind]);
        run->results[kind] = NULL;
    }
    run->n_loaded = 0;
}

static ErrCode open_whole(const Index *ix, IndexRun *run, int kind, const Par *par, Err *err)
{
    ErrCode rc = indexrun_open(ix, run, kind, par, err);

    if (rc == ERR_OK && !results_complete(run->results[kind]))
        rc =
            err_set(err, ERR_DATA, "%s is damaged: it has %" PRIu32 " of %" PRIu32 " partitions; %s", run->path[kind],
                    results_n_done(run->results[kind]), run->partitions[kind == EXACT ? EXACT : BANDS], ix->repair);
    return rc;
}

static ErrCode open_run(const Index *ix, IndexRun *run, const Par *par, Err *err)
{
    ErrCode rc = ERR_OK;

    for (int kind = 0; kind < (ix->bands ? INDEX_KINDS : BANDS) && rc == ERR_OK; kind++)
        rc = open_whole(ix, run, kind, par, err);
    return rc;
}

ErrCode indexruns_open(Index *ix, const Par *par, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < ix->n_runs && rc == ERR_OK; i++) rc = open_run(ix, &ix->run[i], par, err);
    return rc;
}

void indexruns_close(Index *ix)
{
    for (uint32_t i = 0; i < ix->n_runs; i++) indexrun_close(&ix->run[i]);
    slab_give(ix->lines, 0);
    ix->lines = NULL;
}

/* --- adding */

/* As many docs files at a time as half the memory holds: a dedup holds other things beside. */
static ErrCode write_docs(const Index *ix, uint32_t dataset, bool damaged_only, const IndexWork *work,
                          IndexDocsCount *n, Err *err)
{
    const uint64_t fit = work->memory / 2 / DOCS_MEMORY;
    Par par = *work->par;

    if (fit < (uint64_t)par.threads) par.threads = fit ? (int)fit : 1;
    return indexdocs_write(ix, dataset, damaged_only, &par, n, err);
}

/* Collective. */
static ErrCode check_claim(const IndexWork *work, Err *err)
{
    return par_agree(work->par, work->par->rank == 0 && work->claim ? indexclaim_check(work->claim, err) : ERR_OK,
                     err);
}

static uint32_t n_partitions(uint64_t entries)
{
    uint32_t n = 64;

    while (n < EXCHANGE_MAX_PARTITIONS && n * (uint64_t)PARTITION_ENTRIES < entries) n *= 2;
    return n;
}

/* Runs of a level that is full with the new one join it, and so on upwards; the list of the others closes up. */
static ErrCode join_levels(Index *ix, IndexRun *fresh, Err *err)
{
    for (;;) {
        uint32_t same = 0, kept = 0;
        for (uint32_t i = 0; i < ix->n_runs; i++) same += ix->run[i].level == fresh->level;
        if (same + 1 < INDEX_FANOUT) return ERR_OK;
        for (uint32_t i = 0; i < ix->n_runs; i++) {
            IndexRun *r = &ix->run[i];
            if (r->level != fresh->level) {
                ix->run[kept++] = *r;
                continue;
            }
            if (r->n_datasets > ix->n_datasets - fresh->n_datasets)
                return err_set(err, ERR_DATA, "%s/index.json: two runs hold one dataset", ix->dir);
            memcpy(fresh->dataset + fresh->n_datasets, r->dataset, r->n_datasets * sizeof *r->dataset);
            fresh->n_datasets += r->n_datasets;
        }
        ix->n_runs = kept;
        fresh->level++;
    }
}

static int by_number(const void *pa, const void *pb)
{
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;

    return (a > b) - (a < b);
}

static ErrCode plan_run(Index *ix, IndexRun *run, Err *err)
{
    Buf b = {0};
    ErrCode rc;

    *run = (IndexRun){.number = ix->next_run++, .dataset = arena_array(&ix->arena, ix->n_datasets, sizeof(uint32_t))};
    if (!run->dataset) return err_nomem(err, "an index");
    if ((rc = index_name_run(ix, run, err)) != ERR_OK) return rc;
    run->dataset[run->n_datasets++] = ix->n_datasets - 1;
    if ((rc = join_levels(ix, run, err)) != ERR_OK) return rc;
    qsort(run->dataset, run->n_datasets, sizeof *run->dataset, by_number);
    for (uint32_t i = 0; i < run->n_datasets; i++) {
        uint8_t key[16];
        run->n_docs += ix->dataset[run->dataset[i]].n_docs;
        hash128_put(key, ix->dataset[run->dataset[i]].key);
        buf_put(&b, key, sizeof key);
    }
    run->partitions[EXACT] = n_partitions(run->n_docs);
    run->partitions[BANDS] = n_partitions(run->n_docs * (ix->bands ? ix->bands : 1));
    buf_printf(&b, " %" PRIu32 " %zu", run->number, ix->n_removed);
    if ((rc = buf_ok(&b, "a key", err)) == ERR_OK) run->key = hash128(buf_span(&b));
    buf_clear(&b);
    return rc;
}

/* Whether a directory's name is that of a run, which the manifest does not name. */
static bool is_left_over(const Index *ix, const char *name, uint32_t *number)
{
    char usual[32];
    uint64_t n;

    if (!span_to_u64(span_str(name), &n) || n >= UINT32_MAX) return false;
    *number = (uint32_t)n;
    snprintf(usual, sizeof usual, "%06" PRIu32, *number);
    if (strcmp(name, usual) != 0) return false;
    for (uint32_t k = 0; k < ix->n_runs; k++)
        if (ix->run[k].number == *number) return false;
    return true;
}

/* Runs that the manifest does not name: merged ones, and what an addition left that was cut short. */
static void drop_runs(const Index *ix)
{
    char dir[PATH_MAX];
    StoreList list = {0};
    Err err;
    ErrCode rc = index_path(dir, sizeof dir, ix->dir, "runs", &err);

    if (rc == ERR_OK) rc = store_list(dir, &list, &err);
    for (size_t i = 0; rc == ERR_OK && i < list.n; i++) {
        uint32_t number;
        char path[PATH_MAX];
        if (is_left_over(ix, list.name[i], &number) && (rc = run_dir(path, ix, number, &err)) == ERR_OK)
            rc = store_delete_tree(path, 3, &err);
    }
    if (rc) log_debug("%s; the next addition deletes it", err.msg);
    storelist_clear(&list);
}

static ErrCode new_dataset(Index *ix, const char *out_dir, uint32_t n_parts, Hash128 inputs, Hash128 key, Err *err)
{
    IndexDataset *d = &ix->dataset[ix->n_datasets];
    char *real = NULL;
    ErrCode rc;

    if (ix->n_datasets == DOCID_MAX_DATASETS)
        return err_set(err, ERR_LIMIT, "%s: holds %d datasets, more do not fit", ix->dir, DOCID_MAX_DATASETS);
    if (ix->n_runs >= INDEX_MAX_RUNS || n_parts > UINT32_MAX - ix->n_files)
        return err_set(err, ERR_LIMIT, "%s: too many runs or parts", ix->dir);
    if ((rc = store_resolve(&ix->arena, out_dir, &real, err)) != ERR_OK) return rc;
    *d = (IndexDataset){.inputs = inputs, .key = key, .out = real, .n_parts = n_parts, .first_file = ix->n_files};
    ix->n_files += n_parts;
    ix->n_datasets++;
    return ERR_OK;
}

ErrCode index_add(Index *ix, const char *out_dir, uint32_t n_parts, Hash128 inputs, Hash128 key,
                  const IndexWork *work, Err *err)
{
    const Par *par = work->par;
    IndexDocsCount count = {0};
    IndexRun *run = NULL, fresh;
    ErrCode rc = par_agree(par, new_dataset(ix, out_dir, n_parts, inputs, key, err), err);

    if (rc) return rc;
    indexruns_close(ix);
    rc = write_docs(ix, ix->n_datasets - 1, false, work, &count, err);
    ix->dataset[ix->n_datasets - 1].n_docs = count.docs;
    ix->dataset[ix->n_datasets - 1].params = work->params;
    if (rc == ERR_OK) {
        rc = plan_run(ix, &fresh, err);
        run = &ix->run[ix->n_runs];
        if (rc == ERR_OK) *run = fresh;
        rc = par_agree(par, rc, err);
    }
    if (rc == ERR_OK) rc = indexrun_build(ix, run, work, err);
    if (rc == ERR_OK) {
        ix->n_runs++;
        rc = check_claim(work, err);
        if (par->rank == 0 && rc == ERR_OK) rc = index_publish(ix, err);
        rc = par_agree(par, rc, err);
    }
    if (rc == ERR_OK && par->rank == 0) drop_runs(ix);
    return rc;
}

/* --- making again */

/* Every piece is read, so that its sums are checked. */
static ErrCode touch(void *ctx, int thread, uint32_t partition, Span records, Err *err)
{
    (void)ctx, (void)thread, (void)partition, (void)records, (void)err;
    return interrupt_seen() ? err_set(err, ERR_INTR, "interrupted") : ERR_OK;
}

static ErrCode check_run(const Index *ix, IndexRun *run, const Par *par, Err *err)
{
    ErrCode rc = open_run(ix, run, par, err);

    for (int kind = 0; kind < INDEX_KINDS && rc == ERR_OK; kind++)
        if (run->results[kind]) rc = par_agree(par, results_each(run->results[kind], touch, NULL, err), err);
    indexrun_close(run);
    return rc;
}

static ErrCode rebuild_run(Index *ix, IndexRun *run, const IndexWork *work, Err *err)
{
    char dir[PATH_MAX];
    ErrCode rc = check_claim(work, err);

    if (rc == ERR_OK) rc = run_dir(dir, ix, run->number, err);
    if (rc == ERR_OK && work->par->rank == 0) rc = store_delete_tree(dir, 3, err);
    rc = par_agree(work->par, rc, err);
    return rc ? rc : indexrun_build(ix, run, work, err);
}

/* The docs files of a dataset. */
static ErrCode rebuild_docs(Index *ix, uint32_t dataset, const IndexWork *work, uint64_t *n_files, uint64_t *n_lost,
                            Err *err)
{
    const char *out = ix->dataset[dataset].out;
    IndexDocsCount n = {0};
    ErrCode rc = check_claim(work, err);

    if (rc == ERR_OK) rc = write_docs(ix, dataset, true, work, &n, err);
    *n_files += n.written;
    *n_lost += n.lost;
    ix->dataset[dataset].lost = n.lost > 0;
    if (rc == ERR_OK && n.lost && work->par->rank == 0)
        log_error(
            "index: addition %" PRIu32
            " needs %s and the sign/ in it: delete %s/manifest.json, if it is there, give the command again that "
            "made it (tamis dedup -o %s …), and then this one",
            dataset, out, out, out);
    return rc;
}

/* Needs docs files that are lost. */
static bool is_run_lost(const Index *ix, const IndexRun *run)
{
    bool lost = false;

    for (uint32_t i = 0; i < run->n_datasets; i++) lost |= ix->dataset[run->dataset[i]].lost;
    return lost;
}

ErrCode index_rebuild(Index *ix, const IndexWork *work, uint32_t *n_runs, uint64_t *n_files, Err *err)
{
    uint64_t lost_files = 0;
    uint32_t lost_runs = 0;
    ErrCode rc = ERR_OK;

    *n_runs = 0;
    *n_files = 0;
    ix->repair = "found by --rebuild";
    for (uint32_t i = 0; i < ix->n_datasets && rc == ERR_OK; i++)
        rc = rebuild_docs(ix, i, work, n_files, &lost_files, err);
    for (uint32_t i = 0; i < ix->n_runs && rc == ERR_OK; i++) {
        Err why;
        if ((rc = check_run(ix, &ix->run[i], work->par, &why)) == ERR_OK) continue;
        if (rc != ERR_DATA) {
            *err = why;
            return rc;
        }
        if (is_run_lost(ix, &ix->run[i])) {
            if (work->par->rank == 0)
                log_error("index: %s; it cannot be made again before its docs files are", why.msg);
            lost_runs++;
            rc = ERR_OK;
            continue;
        }
        if ((rc = rebuild_run(ix, &ix->run[i], work, err)) != ERR_OK) return rc;
        log_info("index: %s; made again", why.msg);
        ++*n_runs;
    }
    if (rc == ERR_OK && (lost_files || lost_runs))
        rc = err_set(err, ERR_DATA, "%s is not whole: %" PRIu64 " docs files and %" PRIu32 " runs are damaged still",
                     ix->dir, lost_files, lost_runs);
    return rc;
}
