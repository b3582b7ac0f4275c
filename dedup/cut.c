/* Going over texts and bringing what is found back to them. */
#include "dedup/cut.h"

#include "core/docscan.h"

#include <inttypes.h>
#include <stdlib.h>

void cutscratch_clear(CutScratch *w)
{
    units_clear(&w->units);
    resultscursor_clear(&w->found);
    buf_clear(&w->slice);
    buf_clear(&w->ranges);
    buf_clear(&w->work);
    buf_clear(&w->text);
    buf_clear(&w->edits);
    buf_clear(&w->lengths);
}

/* --- all texts of a rank */

typedef struct {
    const CutTable *t;
    CutScratch *w; /* one a thread */
    CutDocFn fn;
    void *ctx;
} Each;

static ErrCode give_doc(void *ctx, int thread, const Doc *doc, const DocPlace *at, Err *err)
{
    const Each *e = ctx;
    const uint64_t *first = e->t->docs.first + at->part;

    if (at->part_records != first[1] - first[0])
        return err_set(err, ERR_DATA, "part %" PRIu32 " changed while it was read", at->part);
    return e->fn(e->ctx, &e->w[thread], doc, first[0] + at->record, err);
}

ErrCode cut_each_doc(const CutTable *t, CutDocFn fn, void *ctx, Err *err)
{
    const DocTable *d = &t->docs;
    const int threads = d->par->threads;
    Each e = {t, calloc((size_t)threads, sizeof *e.w), fn, ctx};
    Progress *progress = NULL;
    ErrCode rc = e.w ? progress_start(&progress, t->name, 0, err) : err_nomem(err, "room for texts");

    for (int i = 0; e.w && i < threads; i++) e.w[i].lane = i;
    if (rc == ERR_OK) rc = docscan_parts(t->in, threads, d->begin, d->end, give_doc, &e, progress, err);
    progress_stop(progress);
    for (int i = 0; e.w && i < threads; i++) cutscratch_clear(&e.w[i]);
    free(e.w);
    return rc;
}

/* --- a document of the results */

ErrCode cut_slice(CutScratch *w, const Results *r, uint32_t width, uint64_t number, Span *records, Err *err)
{
    const uint8_t *record;
    ErrCode rc;

    if (w->found.results != r) {
        resultscursor_clear(&w->found);
        w->found = (ResultsCursor){.results = r};
    }
    buf_recycle(&w->slice);
    rc = resultscursor_seek(&w->found, number, err);
    while (rc == ERR_OK && (record = resultscursor_peek(&w->found)) != NULL && doc_get(record) == number) {
        buf_put(&w->slice, record, width);
        rc = resultscursor_next(&w->found, err);
    }
    *records = buf_span(&w->slice);
    return rc ? rc : buf_ok(&w->slice, "what was found in a document", err);
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
