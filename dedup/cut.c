/* Going over texts and bringing what is found back to them. */
#include "dedup/cut.h"

#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>

/* --- all texts of a rank: blocks of several parts at a time, so that neither many small parts nor one large one leave threads idle */

typedef struct {
    PartView *view;
    uint64_t first;       /* number of its first record */
    uint32_t first_block; /* of all blocks of the batch */
} OpenPart;

typedef struct {
    const CutTable *t;
    OpenPart *part;
    uint32_t n, n_blocks;
    CutDocFn fn;
    void *ctx;
    Progress *progress;
} Batch;

void cutscratch_clear(CutScratch *w)
{
    units_clear(&w->units);
    buf_clear(&w->slice);
    buf_clear(&w->ranges);
    buf_clear(&w->work);
    buf_clear(&w->text);
    buf_clear(&w->edits);
    buf_clear(&w->lengths);
}

static void batch_close(Batch *b)
{
    for (uint32_t i = 0; i < b->n; i++) partview_close(b->part[i].view);
    b->n = b->n_blocks = 0;
}

/* The parts from `part` on, as many as there are threads. */
static ErrCode batch_open(Batch *b, uint32_t part, Err *err)
{
    const DocTable *d = &b->t->docs;
    ErrCode rc = ERR_OK;

    for (; part < d->end && b->n < (uint32_t)d->par->threads && rc == ERR_OK; part++) {
        OpenPart *p = &b->part[b->n];
        if ((rc = partview_open(&p->view, b->t->in, part, err)) != ERR_OK) break;
        b->n++;
        p->first = d->first[part];
        p->first_block = b->n_blocks;
        b->n_blocks += partview_n_blocks(p->view);
        if (partview_n_records(p->view) != d->first[part + 1] - d->first[part])
            rc = err_set(err, ERR_DATA, "part %" PRIu32 " changed while it was read", part);
    }
    return rc;
}

static ErrCode one_block(const Batch *b, uint32_t block, BlockReader *reader, CutScratch *w, Err *err)
{
    const OpenPart *p = b->part + b->n - 1;
    uint32_t record;
    bool end;
    Doc doc;
    ErrCode rc;

    if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
    while (p->first_block > block) p--;
    const uint32_t own = block - p->first_block;
    if ((rc = blockreader_open(reader, p->view, own, err)) != ERR_OK) return rc;
    while ((rc = blockreader_next(reader, &doc, &record, &end, err)) == ERR_OK && !end)
        if ((rc = b->fn(b->ctx, w, &doc, p->first + record, err)) != ERR_OK) return rc;
    progress_add(b->progress, partview_first_record(p->view, own + 1) - partview_first_record(p->view, own),
                 partview_block_bytes(p->view, own));
    return rc;
}

/* The lowest block's failure wins. */
static ErrCode batch_run(const Batch *b, Err *err)
{
    uint32_t failed = UINT32_MAX;
    ErrCode rc = ERR_OK;

#pragma omp parallel num_threads(b->t->docs.par->threads)
    {
        CutScratch w = {.lane = omp_get_thread_num()};
        BlockReader *reader = NULL;
        Err own;
        ErrCode mine = blockreader_new(&reader, &own);
#pragma omp for schedule(dynamic, 1)
        for (uint32_t block = 0; block < b->n_blocks; block++) {
            if (reader) mine = one_block(b, block, reader, &w, &own);
            progress_tick(b->progress);
            if (mine == ERR_OK) continue;
#pragma omp critical(cut_failure)
            if (block < failed) {
                failed = block;
                rc = mine;
                if (err) *err = own;
            }
        }
        blockreader_free(reader);
        cutscratch_clear(&w);
    }
    return rc;
}

ErrCode cut_each_doc(const CutTable *t, CutDocFn fn, void *ctx, Err *err)
{
    const DocTable *d = &t->docs;
    Batch b = {.t = t, .part = calloc((size_t)d->par->threads, sizeof *b.part), .fn = fn, .ctx = ctx};
    ErrCode rc = b.part ? progress_start(&b.progress, t->name, 0, err) : err_nomem(err, "the parts that are open");

    for (uint32_t part = d->begin; rc == ERR_OK && part < d->end; part += (uint32_t)d->par->threads) {
        rc = batch_open(&b, part, err);
        if (rc == ERR_OK) rc = batch_run(&b, err);
        batch_close(&b);
    }
    progress_stop(b.progress);
    free(b.part);
    return rc;
}

/* --- slices of results */

enum { SLICE_DOCS = 4096 }; /* read together */

ErrCode cut_slice(CutScratch *w, const Results *r, uint32_t width, uint64_t number, Span *records, Err *err)
{
    ErrCode rc;

    if (number < w->slice_from || number >= w->slice_end) {
        buf_recycle(&w->slice);
        w->slice_from = w->slice_end = 0;
        const uint64_t from = number - number % SLICE_DOCS;
        if ((rc = results_range(r, from, from + SLICE_DOCS, &w->slice, err)) != ERR_OK) return rc;
        w->slice_from = from;
        w->slice_end = from + SLICE_DOCS;
    }
    size_t lo = 0, hi = w->slice.n / width; /* the first record of the document */
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (doc_get(w->slice.p + mid * width) < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (hi = lo; hi < w->slice.n / width && doc_get(w->slice.p + hi * width) == number;) hi++;
    *records = lo < hi ? span(w->slice.p + lo * width, (hi - lo) * width) : span(NULL, 0);
    return ERR_OK;
}

/* --- steps */

ErrCode cut_put(CutScratch *w, Pass *p, Hash128 key, uint64_t number, uint32_t at, Err *err)
{
    uint8_t k[EXCHANGE_KEY], place[PLACE_BYTES];

    exchange_key_u64(k, key.hi, key.lo);
    doc_put(place, number);
    at_put(place + DOC_BYTES, at);
    return pass_put(p, w->lane, k, place, sizeof place, err);
}

static ErrCode put_range(ResultsOut *out, const uint8_t *doc, UnitRange r, Err *err)
{
    uint8_t record[DOC_BYTES + 2 * AT_BYTES];

    if (r.begin == r.end) return ERR_OK;
    memcpy(record, doc, DOC_BYTES);
    at_put(record + DOC_BYTES, r.begin);
    at_put(record + DOC_BYTES + AT_BYTES, r.end);
    return resultsout_put(out, record, err);
}

ErrCode cut_merge(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY];
    Span value;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        UnitRange open = {0, 0};
        while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end) {
            const UnitRange r = {at_get(value.p), at_get(value.p + AT_BYTES)};
            if (r.begin <= open.end && open.end) {
                if (r.end > open.end) open.end = r.end;
                continue;
            }
            if ((rc = put_range(out, key + 8, open, err)) != ERR_OK) return rc;
            open = r;
        }
        if (rc == ERR_OK) rc = put_range(out, key + 8, open, err);
        if (rc) return rc;
    }
    return rc;
}

ErrCode cut_sort(const CutTable *t, const char *name, const Results *from, uint32_t width, PassReceive receive,
                 Pass **out, Err *err)
{
    const StepSpec spec = {.name = name, .value_bytes = width - DOC_BYTES, .result_bytes = width};
    ErrCode rc = doctable_step(&t->docs, &spec, out, err);

    return rc ? rc : sort_by_doc(&t->docs, from, width, receive, *out, err);
}
