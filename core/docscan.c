#include "core/docscan.h"

#include <omp.h>
#include <stdlib.h>

/* Parts are opened until so many blocks wait for each thread, or so many parts are open: small parts keep all threads busy, large
 * ones do not fill the memory with their columns. */
enum { BLOCKS_A_THREAD = 16, MAX_OPEN_PARTS = 256 };

typedef struct {
    PartView *view;
    uint32_t part, block;
} Work;

typedef struct {
    const DatasetSet *set;
    DocScanEach each;
    void *ctx;
    Progress *progress;
    int threads;
    BlockReader **reader; /* one a thread */
    PartView *open[MAX_OPEN_PARTS];
    uint32_t n_open, next_part, end_part;
    Work *work;
    size_t n_work, cap_work;
} Scan;

static void close_parts(Scan *s)
{
    for (uint32_t i = 0; i < s->n_open; i++) partview_close(s->open[i]);
    s->n_open = 0;
    s->n_work = 0;
}

static ErrCode add_blocks(Scan *s, PartView *v, uint32_t part, Err *err)
{
    size_t n = s->n_work + partview_n_blocks(v);

    if (n > s->cap_work) {
        Work *grown = realloc(s->work, n * sizeof *grown);
        if (!grown) return err_nomem(err, "a list of blocks");
        s->work = grown, s->cap_work = n;
    }
    for (uint32_t b = 0; b < partview_n_blocks(v); b++) s->work[s->n_work++] = (Work){v, part, b};
    return ERR_OK;
}

static ErrCode open_parts(Scan *s, Err *err)
{
    size_t want = (size_t)s->threads * BLOCKS_A_THREAD;

    while (s->next_part < s->end_part && s->n_work < want && s->n_open < MAX_OPEN_PARTS) {
        PartView *v;
        ErrCode rc = partview_open(&v, s->set, s->next_part, err);
        /* A part has a file open for each view it is seen through, so there may be no more to be had: it is tried again when
         * these are closed, and what else is wrong with it shows then. */
        if (rc == ERR_SYS && s->n_open) return ERR_OK;
        if (rc != ERR_OK) return rc;
        s->open[s->n_open++] = v;
        if ((rc = add_blocks(s, v, s->next_part++, err)) != ERR_OK) return rc;
    }
    return ERR_OK;
}

static ErrCode read_block(Scan *s, const Work *w, int thread, Err *err)
{
    DocPlace place = {.part = w->part, .part_records = partview_n_records(w->view)};
    uint64_t n_docs = 0;
    Doc doc;
    bool end;
    ErrCode rc;

    if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
    if ((rc = blockreader_open(s->reader[thread], w->view, w->block, err)) != ERR_OK) return rc;
    while ((rc = blockreader_next(s->reader[thread], &doc, &place.record, &end, err)) == ERR_OK && !end) {
        place.id = partview_docid(w->view, place.record);
        if ((rc = s->each(s->ctx, thread, &doc, &place, err)) != ERR_OK) return rc;
        n_docs++;
    }
    progress_add(s->progress, n_docs, partview_block_bytes(w->view, w->block));
    progress_tick(s->progress);
    return rc;
}

static ErrCode read_blocks(Scan *s, Err *err)
{
    ErrCode *rc_of = calloc(s->n_work + 1, sizeof *rc_of), rc = ERR_NOMEM;
    Err *err_of = calloc(s->n_work + 1, sizeof *err_of);
    bool failed = false;

    if (!rc_of || !err_of) {
        rc = err_nomem(err, "a list of blocks");
        goto out;
    }
#pragma omp parallel num_threads(s->threads)
    {
        int thread = omp_get_thread_num();
#pragma omp for schedule(dynamic, 1)
        for (size_t i = 0; i < s->n_work; i++) { /* slot i belongs to block i */
            bool skip;
#pragma omp atomic read
            skip = failed;
            if (skip) continue;
            rc_of[i] = read_block(s, &s->work[i], thread, &err_of[i]);
            if (rc_of[i] == ERR_OK) continue;
#pragma omp atomic write
            failed = true;
        }
    }
    rc = par_first_error(rc_of, err_of, s->n_work, err);
out:
    free(rc_of);
    free(err_of);
    return rc;
}

void docscan_share(const DatasetSet *set, const Par *par, uint32_t *begin, uint32_t *end)
{
    __uint128_t all = datasetset_text_bytes(set), ranks = (unsigned)par->n_ranks, rank = (unsigned)par->rank;
    uint32_t n = datasetset_n_parts(set), dataset, local;
    uint64_t before = 0;

    *begin = *end = n;
    for (uint32_t part = 0; part < n; part++) { /* a part is its rank's in whose range of the text it begins */
        if (*begin == n && before * ranks >= all * rank) *begin = part;
        if (before * ranks >= all * (rank + 1)) {
            if (rank + 1 < ranks) *end = part;
            break;
        }
        datasetset_locate(set, part, &dataset, &local);
        before += dataset_part(datasetset_at(set, dataset), local)->text_bytes;
    }
    if (*begin > *end) *begin = *end;
}

ErrCode docscan_parts(const DatasetSet *set, int threads, uint32_t begin, uint32_t end, DocScanEach each, void *ctx,
                      Progress *progress, Err *err)
{
    Scan s = {.set = set,
              .each = each,
              .ctx = ctx,
              .progress = progress,
              .threads = threads,
              .next_part = begin,
              .end_part = end};
    ErrCode rc = ERR_OK;

    if (!(s.reader = calloc((size_t)s.threads, sizeof *s.reader))) return err_nomem(err, "readers");
    for (int i = 0; i < s.threads && rc == ERR_OK; i++) rc = blockreader_new(&s.reader[i], err);
    while (rc == ERR_OK && s.next_part < s.end_part) {
        if ((rc = open_parts(&s, err)) == ERR_OK) rc = read_blocks(&s, err);
        close_parts(&s);
    }
    close_parts(&s);
    for (int i = 0; i < s.threads; i++) blockreader_free(s.reader[i]);
    free(s.reader);
    free(s.work);
    return rc;
}

ErrCode docscan(const DatasetSet *set, const Par *par, DocScanEach each, void *ctx, Progress *progress, Err *err)
{
    uint32_t begin, end;

    docscan_share(set, par, &begin, &end);
    return docscan_parts(set, par->threads, begin, end, each, ctx, progress, err);
}
