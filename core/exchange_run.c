/* Chunks beyond a lane's share go to scratch as one run. */
#include "core/exchange_impl.h"

#include "core/hash.h"
#include "core/scratch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    RUN_HEAD = 16,         /* of a chunk */
    WRITE_BYTES = 4 << 20, /* at a time; less when the share is small */
};

typedef struct {
    uint64_t offset, records;
} RunBin;

struct ExchangeRun {
    ExchangeRun *older;
    Scratch *file;    /* shared by the runs of a list */
    size_t chunk_max; /* bytes of the largest one */
    uint32_t first_bin, bins;
    RunBin bin[]; /* and one for the end */
};

ExchangeRun **run_older(ExchangeRun *r) { return &r->older; }
size_t run_chunk_max(const ExchangeRun *r) { return r->chunk_max; }

/* A bin's place in the index, or the end's. */
static const RunBin *run_bin(const ExchangeRun *r, uint32_t bin)
{
    if (bin < r->first_bin) return &r->bin[0];
    return &r->bin[bin - r->first_bin < r->bins ? bin - r->first_bin : r->bins];
}

uint64_t run_bytes(const ExchangeRun *r, uint32_t begin, uint32_t end)
{
    return run_bin(r, end)->offset - run_bin(r, begin)->offset;
}
uint64_t run_records(const ExchangeRun *r, uint32_t bin)
{
    return bin < r->first_bin || bin - r->first_bin >= r->bins ? 0 : run_bin(r, bin)->records;
}

void run_free(ExchangeRun *r)
{
    if (!r) return;
    scratch_close(r->file);
    free(r);
}

void runs_free(ExchangeRun **newest)
{
    while (*newest) {
        ExchangeRun *older = (*newest)->older;
        run_free(*newest);
        *newest = older;
    }
}

/* --- writing */

struct RunWriter {
    const Exchange *x;
    ExchangeRun *run, **list; /* the one being written, and where it goes */
    uint32_t n_begun;
    size_t flush_bytes;
    Buf *out;     /* chunks not written yet */
    size_t chunk; /* where in `out` the open one begins */
    bool open;
    uint8_t *acc; /* combiner: a record waits here until one of another key comes */
    bool has_acc;
};

static ErrCode flush(RunWriter *w, Err *err)
{
    ErrCode rc = buf_ok(w->out, w->x->name, err);

    if (rc == ERR_OK) rc = scratch_put(w->run->file, w->out->p, w->out->n, err);
    buf_reset(w->out);
    return rc;
}

static ErrCode close_chunk(RunWriter *w, Err *err)
{
    ErrCode rc;

    if (!w->open) return ERR_OK;
    if ((rc = buf_ok(w->out, w->x->name, err)) != ERR_OK) return rc;
    uint8_t *head = w->out->p + w->chunk;
    Span body = span_from(buf_span(w->out), w->chunk + RUN_HEAD);
    le32_put(head, (uint32_t)body.n);
    le32_put(head + 4, 0);
    le64_put(head + 8, hash64(body));
    if (body.n > w->run->chunk_max) w->run->chunk_max = body.n;
    w->open = false;
    return w->out->n >= w->flush_bytes ? flush(w, err) : ERR_OK;
}

/* n whole records. */
static ErrCode write_records(RunWriter *w, const uint8_t *p, size_t bytes, uint64_t n, Err *err)
{
    if (!w->open) {
        static const uint8_t head[RUN_HEAD];
        w->chunk = w->out->n;
        w->open = true;
        buf_put(w->out, head, RUN_HEAD);
    }
    buf_put(w->out, p, bytes);
    w->run->bin[w->n_begun - 1].records += n;
    return w->out->n - w->chunk >= w->x->chunk_bytes ? close_chunk(w, err) : ERR_OK;
}

static ErrCode write_record(RunWriter *w, const uint8_t *record, Err *err)
{
    return write_records(w, record, record_bytes(w->x, record), 1, err);
}

static ErrCode end_bin(RunWriter *w, Err *err)
{
    ErrCode rc = w->has_acc ? write_record(w, w->acc, err) : ERR_OK;

    w->has_acc = false;
    return rc ? rc : close_chunk(w, err);
}

/* A list of runs is one file, since there may be more runs than a process may have files. */
static ErrCode list_file(RunWriter *w, Err *err)
{
    if (!*w->list) return scratch_open(&w->run->file, w->x->scratch, w->x->name, err);
    w->run->file = scratch_share((*w->list)->file);
    return ERR_OK;
}

ErrCode runwriter_new(RunWriter **writer, const Exchange *x, uint32_t first_bin, uint32_t bins, ExchangeRun **list,
                      Buf *out, Err *err)
{
    RunWriter *w = *writer = calloc(1, sizeof *w);
    uint64_t flush_bytes = x->share / 8;

    if (!w) return err_nomem(err, x->name);
    buf_reset(out);
    *w = (RunWriter){.x = x,
                     .list = list,
                     .out = out,
                     .flush_bytes = flush_bytes < WRITE_BYTES ? (size_t)flush_bytes : WRITE_BYTES};
    w->run = calloc(1, sizeof *w->run + ((size_t)bins + 1) * sizeof(RunBin));
    w->acc = x->spec.combine ? malloc(FAR_HEAD + (size_t)x->spec.value_bytes) : NULL;
    if (!w->run || (x->spec.combine && !w->acc)) return err_nomem(err, x->name);
    w->run->first_bin = first_bin;
    w->run->bins = bins;
    return list_file(w, err);
}

void runwriter_free(RunWriter *w)
{
    if (!w) return;
    run_free(w->run);
    free(w->acc);
    free(w);
}

ErrCode runwriter_bin(RunWriter *w, Err *err)
{
    ErrCode rc = end_bin(w, err);

    w->run->bin[w->n_begun++].offset = scratch_size(w->run->file) + w->out->n;
    return rc;
}

ErrCode runwriter_put(RunWriter *w, const uint8_t *record, Err *err)
{
    size_t head = w->x->far ? FAR_HEAD : EXCHANGE_KEY;
    ErrCode rc = ERR_OK;

    if (!w->x->spec.combine) return write_record(w, record, err);
    if (w->has_acc && same_key(w->acc, record)) {
        w->x->spec.combine(w->acc + head, record + head);
        return ERR_OK;
    }
    if (w->has_acc) rc = write_record(w, w->acc, err);
    memcpy(w->acc, record, record_bytes(w->x, record));
    w->has_acc = true;
    return rc;
}

ErrCode runwriter_slice(RunWriter *w, Span records, Err *err)
{
    const Exchange *x = w->x;
    ErrCode rc = ERR_OK;

    while (records.n && rc == ERR_OK) {
        size_t n = record_bytes(x, records.p), used = w->open ? w->out->n - w->chunk : 0;
        if (!x->far && used + n < x->chunk_bytes)
            n = (x->chunk_bytes - used) / n * n; /* as many as the chunk takes */
        if (n > records.n) n = records.n;
        rc = write_records(w, records.p, n, x->far ? 1 : n / x->width, err);
        records = span_from(records, n);
    }
    return rc;
}

ErrCode runwriter_end(RunWriter *w, Err *err)
{
    ErrCode rc = end_bin(w, err);

    if (rc == ERR_OK) rc = flush(w, err);
    if (rc) return rc;
    assert(w->n_begun == w->run->bins);
    w->run->bin[w->n_begun].offset = scratch_size(w->run->file);
    w->run->older = *w->list;
    *w->list = w->run;
    w->run = NULL;
    return ERR_OK;
}

/* With a combiner a bin is folded first. */
static ErrCode write_bin(RunWriter *w, BinStream *in, Exchange *x, const Lane *lane, uint32_t bin, Err *err)
{
    const uint8_t *record;
    ErrCode rc = runwriter_bin(w, err);

    if (rc || !lane->chunk[bin]) return rc;
    if (!x->spec.combine) {
        if ((rc = binstream_slices(in, x, lane, bin, err)) != ERR_OK) return rc;
        for (size_t i = 0; i < in->n_slices && rc == ERR_OK; i++) rc = runwriter_slice(w, in->slice[i], err);
        return rc;
    }
    rc = binstream_gather(in, x, lane, bin, err);
    for (; rc == ERR_OK && (record = binstream_peek(in)) != NULL; rc = binstream_pop(in, err))
        if ((rc = runwriter_put(w, record, err)) != ERR_OK) break;
    return rc;
}

ErrCode run_spill(Exchange *x, Lane *lane, Err *err)
{
    EventSpan span = event_begin("spill", x->name, (int)(lane - x->lane));
    BinStream in = {.x = x};
    RunWriter *w = NULL;
    uint64_t need = 0; /* at most: a combiner leaves less */
    ErrCode rc;

    for (uint32_t bin = 0; bin < x->bins; bin++) need += lane_bytes(lane, bin);
    rc = scratch_room(x->scratch, x->name, need * (uint64_t)x->threads,
                      err); /* lanes are full at about the same time */

    if (rc == ERR_OK) rc = runwriter_new(&w, x, 0, x->bins, &lane->run, &lane->out, err);
    for (uint32_t bin = 0; bin < x->bins && rc == ERR_OK; bin++) rc = write_bin(w, &in, x, lane, bin, err);
    if (rc == ERR_OK) rc = runwriter_end(w, err);
    if (rc == ERR_OK) lane->run_index += ((uint64_t)x->bins + 1) * sizeof(RunBin);
    runwriter_free(w);
    binstream_clear(&in);
    event_end(span, 0, rc == ERR_OK ? run_bytes(lane->run, 0, x->bins) : 0);
    return rc;
}

/* --- reading */

static ErrCode damaged(const ExchangeRun *r, uint64_t offset, Err *err)
{
    return err_set(err, ERR_DATA, "%s at %" PRIu64 ": damaged scratch file", scratch_name(r->file), offset);
}

/* The length that the head of a chunk says, of which `left` bytes with the head are the bin's. */
static ErrCode chunk_length(const ExchangeRun *r, const uint8_t *head, uint64_t left, uint64_t offset, uint32_t *n,
                            Err *err)
{
    *n = left < RUN_HEAD ? 0 : le32_get(head);
    return *n == 0 || *n > r->chunk_max || *n > left - RUN_HEAD ? damaged(r, offset, err) : ERR_OK;
}

ErrCode run_chunk(ExchangeRun *r, uint32_t bin, uint64_t *at, Buf *buf, bool *end, Err *err)
{
    uint64_t offset = run_bin(r, bin)->offset + *at, left = run_bin(r, bin + 1)->offset - offset;
    uint8_t head[RUN_HEAD];
    uint32_t n;
    ErrCode rc;

    buf_reset(buf);
    *end = left == 0;
    if (*end) return ERR_OK;
    if ((rc = scratch_read(r->file, offset, head, RUN_HEAD, err)) != ERR_OK) return rc;
    if ((rc = chunk_length(r, head, left, offset, &n, err)) != ERR_OK) return rc;
    if (!buf_reserve(buf, n)) return err_nomem(err, scratch_name(r->file));
    if ((rc = scratch_read(r->file, offset + RUN_HEAD, buf->p, n, err)) != ERR_OK) return rc;
    buf->n = n;
    *at += RUN_HEAD + (uint64_t)n;
    return hash64(buf_span(buf)) == le64_get(head + 8) ? ERR_OK : damaged(r, offset, err);
}

ErrCode run_read(ExchangeRun *r, uint32_t begin, uint32_t end, uint8_t *to, Err *err)
{
    return scratch_read(r->file, run_bin(r, begin)->offset, to, (size_t)run_bytes(r, begin, end), err);
}

ErrCode run_next(ExchangeRun *r, uint32_t first, const uint8_t *bytes, uint32_t bin, uint64_t *at, Span *records,
                 Err *err)
{
    uint64_t offset = run_bin(r, bin)->offset + *at, left = run_bin(r, bin + 1)->offset - offset;
    const uint8_t *head;
    uint32_t n;
    ErrCode rc;

    *records = span(NULL, 0);
    if (left == 0) return ERR_OK;
    head = bytes + (offset - run_bin(r, first)->offset);
    if ((rc = chunk_length(r, head, left, offset, &n, err)) != ERR_OK) return rc;
    *records = span(head + RUN_HEAD, n);
    *at += RUN_HEAD + (uint64_t)n;
    return hash64(*records) == le64_get(head + 8) ? ERR_OK : damaged(r, offset, err);
}
