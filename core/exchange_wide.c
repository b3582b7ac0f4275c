/* A bin too large to gather: one key or few have most records, or the budget is small. What of it lies in memory is sorted where it
 * lies; what lies on scratch is read in pieces, each sorted and written again as a run of this bin alone, and such runs are
 * merged until those left can be read side by side. Then all of it merges as a stream. */
#include "core/exchange_merge.h"

#include "core/scratch.h"

#include <stdlib.h>

enum { FAN_IN_LEAST = 4 };

typedef struct {
    Exchange *x;
    uint32_t bin;
    size_t piece_bytes;
    BinStream sort;    /* sorts a piece */
    Buf piece;         /* records of runs, not sorted yet; sorted ones of a slice */
    Buf chunk;         /* of a run */
    Buf out;           /* on its way to a run */
    ExchangeRun *runs; /* sorted ones */
    size_t n_runs, chunk_max;
    uint64_t disk; /* bytes of the bin's runs */
} Wide;

static void wide_clear(Wide *w)
{
    binstream_clear(&w->sort);
    buf_clear(&w->piece);
    buf_clear(&w->chunk);
    buf_clear(&w->out);
    runs_free(&w->runs);
}

/* --- runs of sorted records */

static ErrCode write_stream(RunWriter *to, BinStream *in, Err *err)
{
    const uint8_t *r;
    ErrCode rc = ERR_OK;

    if (!in->merge && !in->x->far) return runwriter_slice(to, span(in->items, in->n * in->x->width), err);
    while (rc == ERR_OK && (r = binstream_peek(in)) != NULL)
        if ((rc = runwriter_put(to, r, err)) == ERR_OK) rc = binstream_pop(in, err);
    return rc;
}

/* The stream as one more run of *runs. */
static ErrCode keep_stream(Wide *w, BinStream *in, ExchangeRun **runs, Err *err)
{
    RunWriter *to;
    ErrCode rc = runwriter_new(&to, w->x, w->bin, 1, runs, &w->out, err);

    if (rc == ERR_OK) rc = runwriter_bin(to, err);
    if (rc == ERR_OK) rc = write_stream(to, in, err);
    if (rc == ERR_OK) rc = runwriter_end(to, err);
    runwriter_free(to);
    if (rc == ERR_OK && run_chunk_max(*runs) > w->chunk_max) w->chunk_max = run_chunk_max(*runs);
    return rc;
}

static ErrCode sort_piece(Wide *w, Err *err)
{
    Span all = buf_span(&w->piece);
    ErrCode rc;

    if (all.n == 0) return ERR_OK;
    rc = binstream_sort(&w->sort, w->x, &all, 1, w->x->bin_bits, err);
    if (rc == ERR_OK) rc = keep_stream(w, &w->sort, &w->runs, err);
    w->n_runs++;
    buf_reset(&w->piece);
    return rc;
}

static ErrCode add_run(Wide *w, ExchangeRun *run, Err *err)
{
    uint64_t at = 0;
    bool end;
    ErrCode rc;

    while ((rc = run_chunk(run, w->bin, &at, &w->chunk, &end, err)) == ERR_OK && !end) {
        if (w->piece.n > 0 && w->piece.n + w->chunk.n > w->piece_bytes)
            if ((rc = sort_piece(w, err)) != ERR_OK) break;
        buf_put_span(&w->piece, buf_span(&w->chunk));
        if ((rc = buf_ok(&w->piece, w->x->name, err)) != ERR_OK) break;
    }
    return rc;
}

static ErrCode add_runs(Wide *w, Err *err)
{
    const Exchange *x = w->x;
    ErrCode rc = ERR_OK;

    for (int i = 0; i <= x->threads; i++)
        for (ExchangeRun *r = runs_of(x, i); r && rc == ERR_OK; r = *run_older(r)) rc = add_run(w, r, err);
    if (rc == ERR_OK) rc = sort_piece(w, err);
    binstream_clear(&w->sort);
    buf_clear(&w->piece);
    return rc;
}

/* --- few enough of them */

/* Merges the first n runs into one of *to. */
static ErrCode merge_some(Wide *w, size_t n, ExchangeRun **to, Err *err)
{
    BinStream in = {.x = w->x};
    ExchangeRun *some = w->runs, **last = &w->runs;
    ErrCode rc;

    for (; n > 0 && *last; n--) last = run_older(*last);
    w->runs = *last;
    *last = NULL;
    rc = merge_new(&in.merge, w->x, w->bin, err);
    if (rc == ERR_OK) rc = merge_take_runs(in.merge, &some, err);
    if (rc == ERR_OK) rc = merge_begin(in.merge, err);
    if (rc == ERR_OK) rc = keep_stream(w, &in, to, err);
    runs_free(&some);
    binstream_clear(&in);
    return rc;
}

/* The buffers of runs that are read side by side take half of the share. */
static size_t fan_in(const Wide *w)
{
    uint64_t n = w->x->share / 2 / (w->chunk_max + 1);

    return n > FAN_IN_LEAST ? (size_t)n : FAN_IN_LEAST;
}

static ErrCode cascade(Wide *w, Err *err)
{
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && w->n_runs > fan_in(w)) {
        ExchangeRun *merged = NULL;
        size_t at_once = fan_in(w), n = 0;
        rc = scratch_room(w->x->scratch, w->x->name, w->disk, err); /* all is there twice until the last is merged */
        for (; w->runs && rc == ERR_OK; n++) rc = merge_some(w, at_once, &merged, err);
        runs_free(&w->runs); /* of a failure */
        w->runs = merged;
        w->n_runs = n;
    }
    return rc;
}

/* --- in memory */

/* Far records cannot change places: they are written in order elsewhere and back. */
static ErrCode sort_far_slice(Wide *w, Span slice, Err *err)
{
    const uint8_t *r;
    ErrCode rc = binstream_sort(&w->sort, w->x, &slice, 1, w->x->bin_bits, err);

    buf_reset(&w->piece);
    for (; rc == ERR_OK && (r = binstream_peek(&w->sort)) != NULL; rc = binstream_pop(&w->sort, err))
        buf_put(&w->piece, r, record_bytes(w->x, r));
    if (rc == ERR_OK) rc = buf_ok(&w->piece, w->x->name, err);
    if (rc == ERR_OK) memcpy((uint8_t *)(uintptr_t)slice.p, w->piece.p, slice.n);
    return rc;
}

static ErrCode add_slice(Wide *w, BinMerge *m, Span slice, Err *err)
{
    const Exchange *x = w->x;
    ErrCode rc = ERR_OK;

    if (!x->far) {
        radix_sort((uint8_t *)(uintptr_t)slice.p, slice.n / x->width, x->width, x->sort_bytes, NULL, 0);
        return merge_add_slice(m, slice, err);
    }
    while (slice.n && rc == ERR_OK) {
        size_t n = 0, next;
        while (n < slice.n && ((next = n + record_bytes(x, slice.p + n)) <= w->piece_bytes || n == 0)) n = next;
        rc = sort_far_slice(w, span(slice.p, n), err);
        if (rc == ERR_OK) rc = merge_add_slice(m, span(slice.p, n), err);
        slice = span_from(slice, n);
    }
    return rc;
}

static ErrCode add_memory(Wide *w, BinStream *b, Err *err)
{
    ErrCode rc;

    b->range = (BinRange){0};
    rc = binstream_slices(b, w->x, NULL, w->bin, err);
    for (size_t i = 0; i < b->n_slices && rc == ERR_OK; i++) rc = add_slice(w, b->merge, b->slice[i], err);
    binstream_clear(&w->sort);
    buf_clear(&w->piece);
    return rc;
}

ErrCode binstream_wide(BinStream *b, Exchange *x, uint32_t bin, Err *err)
{
    Wide w = {.x = x, .bin = bin, .piece_bytes = (size_t)(x->share / 4), .disk = bin_size(x, bin).disk};
    ErrCode rc = w.disk ? scratch_room(x->scratch, x->name, w.disk, err) : ERR_OK;

    binstream_clear(b);
    b->x = x;
    if (rc == ERR_OK) rc = add_runs(&w, err);
    if (rc == ERR_OK) rc = cascade(&w, err);
    if (rc == ERR_OK) rc = merge_new(&b->merge, x, bin, err);
    if (rc == ERR_OK) rc = merge_take_runs(b->merge, &w.runs, err);
    if (rc == ERR_OK) rc = add_memory(&w, b, err);
    if (rc == ERR_OK) rc = merge_begin(b->merge, err);
    wide_clear(&w);
    return rc;
}
