/* One bin as a sorted stream. Gathered: all its slices side by side in memory, one sort. Where that is more than the thread's
 * share of the budget, its slices are sorted where they lie and merged. */
#include "core/exchange_merge.h"

#include <stdlib.h>

typedef struct {
    const Lane *first, *last; /* [first, last) */
    bool packs_only;
} Lanes;

static Lanes lanes_of(const Exchange *x, const Lane *only)
{
    return only ? (Lanes){only, only + 1, true} : (Lanes){x->lane, x->lane + x->threads, false};
}
static ExchangeRun *runs_of(Lanes lanes, const Lane *l) { return lanes.packs_only ? NULL : l->run; }

void binstream_clear(BinStream *b)
{
    free(b->items);
    buf_clear(&b->raw);
    merge_free(b->merge);
    *b = (BinStream){0};
}

/* --- how much */

typedef struct {
    size_t pack_bytes, pack_records; /* far: counted one by one */
    uint64_t run_bytes;              /* with the heads of chunks */
    size_t sources;
} BinSize;

static BinSize measure(const Exchange *x, Lanes lanes, uint32_t bin)
{
    BinSize s = {0};

    for (const Lane *l = lanes.first; l < lanes.last; l++) {
        for (const Pack *p = l->pack; p; p = p->older) {
            Span slice = pack_slice(p, bin);
            if (slice.n == 0) continue;
            s.sources++;
            s.pack_bytes += slice.n;
            if (!x->far) continue;
            for (size_t at = 0; at < slice.n; at += record_bytes(x, slice.p + at)) s.pack_records++;
        }
        for (const ExchangeRun *r = runs_of(lanes, l); r; r = run_older(r)) {
            s.sources++;
            s.run_bytes += run_bin_bytes(r, bin);
        }
    }
    if (!x->far) s.pack_records = s.pack_bytes / x->width;
    return s;
}

/* --- gathering */

static bool reserve(BinStream *b, size_t n)
{
    size_t bytes = n * b->x->width;

    if (bytes <= b->cap) return true;
    free(b->items);
    b->cap = bytes + bytes / 8;
    b->items = malloc(2 * b->cap);
    b->scratch = b->items ? b->items + b->cap : NULL;
    if (!b->items) b->cap = 0;
    return b->items != NULL;
}

static void add_items(BinStream *b, Span slice) { b->n += items_of(b->x, slice, b->items + b->n * b->x->width); }

/* Narrow records are copied out of a chunk; far ones stay in `raw`, which has room for all of them and does not move. */
static ErrCode gather_run(BinStream *b, ExchangeRun *run, uint32_t bin, Buf *chunk, Err *err)
{
    uint64_t at = 0;
    bool end;
    ErrCode rc;

    while ((rc = run_chunk(run, bin, &at, chunk, &end, err)) == ERR_OK && !end) {
        Span records = buf_span(chunk);
        if (b->x->far) {
            buf_put_span(&b->raw, records);
            records = span(b->raw.p + b->raw.n - records.n, records.n);
        }
        add_items(b, records);
    }
    return rc;
}

static ErrCode gather(BinStream *b, Lanes lanes, uint32_t bin, const BinSize *size, Err *err)
{
    Exchange *x = b->x;
    size_t run_records = (size_t)size->run_bytes / (x->far ? FAR_HEAD : x->width);
    Buf chunk = {0};
    ErrCode rc = ERR_OK;

    buf_reset(&b->raw);
    if (!reserve(b, size->pack_records + run_records)) return err_nomem(err, x->name);
    if (x->far && !buf_reserve(&b->raw, (size_t)size->run_bytes)) return err_nomem(err, x->name);
    for (const Lane *l = lanes.first; l < lanes.last && rc == ERR_OK; l++) {
        for (const Pack *p = l->pack; p; p = p->older) add_items(b, pack_slice(p, bin));
        for (ExchangeRun *r = runs_of(lanes, l); r && rc == ERR_OK; r = run_older(r))
            rc = gather_run(b, r, bin, &chunk, err);
    }
    buf_clear(&chunk);
    if (rc == ERR_OK) items_sort(x, b->items, b->n, b->scratch, b->cap);
    return rc;
}

/* --- merging */

static ErrCode merge_bin(BinStream *b, Lanes lanes, uint32_t bin, const BinSize *size, Err *err)
{
    Exchange *x = b->x;
    ErrCode rc = merge_new(&b->merge, x, bin, size->sources, err);

    for (const Lane *l = lanes.first; l < lanes.last && rc == ERR_OK; l++) {
        for (Pack *p = l->pack; p && rc == ERR_OK; p = p->older) {
            Span slice = pack_slice(p, bin);
            if (slice.n == 0) continue;
            if (!x->far && !x->spec.combine)
                radix_sort(p->record + p->begin[bin], slice.n / x->width, x->width, x->width, NULL, 0);
            rc = merge_add_slice(b->merge, slice, err);
        }
        for (ExchangeRun *r = runs_of(lanes, l); r && rc == ERR_OK; r = run_older(r))
            rc = merge_add_run(b->merge, r, err);
    }
    if (rc == ERR_OK) merge_begin(b->merge);
    return rc;
}

ErrCode binstream_open(BinStream *b, Exchange *x, const Lane *only, uint32_t bin, Err *err)
{
    Lanes lanes = lanes_of(x, only);
    BinSize size = measure(x, lanes, bin);
    uint64_t records = size.pack_records + size.run_bytes / (x->far ? FAR_HEAD : x->width);

    merge_free(b->merge);
    b->merge = NULL;
    b->x = x;
    b->n = b->next = 0;
    if (records * x->width * 2 + (x->far ? size.run_bytes : 0) <= x->share) return gather(b, lanes, bin, &size, err);
    return merge_bin(b, lanes, bin, &size, err);
}

ErrCode bin_append(Exchange *x, uint32_t bin, Buf *out, Err *err)
{
    Buf chunk = {0};
    ErrCode rc = ERR_OK;

    for (const Lane *l = x->lane; l < x->lane + x->threads && rc == ERR_OK; l++) {
        for (const Pack *p = l->pack; p; p = p->older) buf_put_span(out, pack_slice(p, bin));
        for (ExchangeRun *r = l->run; r && rc == ERR_OK; r = run_older(r)) {
            uint64_t at = 0;
            bool end = false;
            while ((rc = run_chunk(r, bin, &at, &chunk, &end, err)) == ERR_OK && !end)
                buf_put_span(out, buf_span(&chunk));
        }
    }
    buf_clear(&chunk);
    return rc ? rc : buf_ok(out, x->name, err);
}
