/* Packs beyond a lane's share go to scratch as one sorted run. */
#include "core/exchange_impl.h"

#include "core/hash.h"
#include "core/scratch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    CHUNK_HEAD = 16,
    CHUNK_BYTES = 256 << 10, /* a chunk is closed when it has so many */
    CHUNK_MAX = CHUNK_BYTES + FAR_HEAD + EXCHANGE_MAX_VALUE,
    WRITE_BYTES = 4 << 20, /* at a time; less when the share is small */
};

struct ExchangeRun {
    ExchangeRun *older;
    Scratch *file;
    uint64_t begin[]; /* bins + 1 offsets */
};

ExchangeRun *run_older(const ExchangeRun *r) { return r->older; }
uint64_t run_bin_bytes(const ExchangeRun *r, uint32_t bin) { return r->begin[bin + 1] - r->begin[bin]; }

static void run_free(ExchangeRun *r)
{
    if (!r) return;
    scratch_close(r->file);
    free(r);
}

void runs_free(Lane *lane)
{
    while (lane->run) {
        ExchangeRun *older = lane->run->older;
        run_free(lane->run);
        lane->run = older;
    }
}

/* --- writing */

struct RunWriter {
    const Exchange *x;
    ExchangeRun *run;
    uint32_t bins, n_begun;
    size_t flush_bytes;
    Buf out;      /* chunks not written yet */
    size_t chunk; /* where in `out` the open one begins */
    bool open;
    uint8_t *acc; /* combiner: a record waits here until one of another key comes */
    bool has_acc;
};

static ErrCode flush(RunWriter *w, Err *err)
{
    ErrCode rc = buf_ok(&w->out, w->x->name, err);

    if (rc == ERR_OK) rc = scratch_put(w->run->file, w->out.p, w->out.n, err);
    buf_reset(&w->out);
    return rc;
}

static ErrCode close_chunk(RunWriter *w, Err *err)
{
    ErrCode rc;

    if (!w->open) return ERR_OK;
    if ((rc = buf_ok(&w->out, w->x->name, err)) != ERR_OK) return rc;
    uint8_t *head = w->out.p + w->chunk;
    Span body = span_from(buf_span(&w->out), w->chunk + CHUNK_HEAD);
    le32_put(head, (uint32_t)body.n);
    le32_put(head + 4, 0);
    le64_put(head + 8, hash64(body));
    w->open = false;
    return w->out.n >= w->flush_bytes ? flush(w, err) : ERR_OK;
}

static ErrCode write_record(RunWriter *w, const uint8_t *record, Err *err)
{
    if (!w->open) {
        static const uint8_t head[CHUNK_HEAD];
        w->chunk = w->out.n;
        w->open = true;
        buf_put(&w->out, head, CHUNK_HEAD);
    }
    buf_put(&w->out, record, record_bytes(w->x, record));
    return w->out.n - w->chunk >= CHUNK_BYTES ? close_chunk(w, err) : ERR_OK;
}

static ErrCode end_bin(RunWriter *w, Err *err)
{
    ErrCode rc = w->has_acc ? write_record(w, w->acc, err) : ERR_OK;

    w->has_acc = false;
    return rc ? rc : close_chunk(w, err);
}

ErrCode runwriter_new(RunWriter **out, const Exchange *x, uint32_t bins, size_t buffer_bytes, Err *err)
{
    RunWriter *w = *out = calloc(1, sizeof *w);

    if (!w) return err_nomem(err, x->name);
    *w = (RunWriter){.x = x, .bins = bins, .flush_bytes = buffer_bytes < WRITE_BYTES ? buffer_bytes : WRITE_BYTES};
    w->run = calloc(1, sizeof *w->run + ((size_t)bins + 1) * sizeof(uint64_t));
    w->acc = x->spec.combine ? malloc(FAR_HEAD + (size_t)x->spec.value_bytes) : NULL;
    if (!w->run || (x->spec.combine && !w->acc)) return err_nomem(err, x->name);
    return scratch_open(&w->run->file, x->scratch, x->name, err);
}

void runwriter_free(RunWriter *w)
{
    if (!w) return;
    run_free(w->run);
    free(w->acc);
    buf_clear(&w->out);
    free(w);
}

ErrCode runwriter_bin(RunWriter *w, Err *err)
{
    ErrCode rc = end_bin(w, err);

    w->run->begin[w->n_begun++] = scratch_size(w->run->file) + w->out.n;
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

ErrCode runwriter_end(RunWriter *w, Lane *lane, Err *err)
{
    ErrCode rc = end_bin(w, err);

    if (rc == ERR_OK) rc = flush(w, err);
    if (rc) return rc;
    assert(w->n_begun == w->bins);
    w->run->begin[w->bins] = scratch_size(w->run->file);
    w->run->older = lane->run;
    lane->run = w->run;
    w->run = NULL;
    return ERR_OK;
}

static ErrCode write_bins(RunWriter *w, Exchange *x, const Lane *lane, Err *err)
{
    BinStream in = {0};
    const uint8_t *record;
    ErrCode rc = ERR_OK;

    for (uint32_t bin = 0; bin < x->bins && rc == ERR_OK; bin++) {
        rc = runwriter_bin(w, err);
        if (rc == ERR_OK) rc = binstream_open(&in, x, lane, bin, err);
        while (rc == ERR_OK && (record = binstream_peek(&in)) != NULL) {
            rc = runwriter_put(w, record, err);
            if (rc == ERR_OK) rc = binstream_pop(&in, err);
        }
    }
    binstream_clear(&in);
    return rc;
}

ErrCode run_spill(Exchange *x, Lane *lane, Err *err)
{
    EventSpan span = event_begin("spill", x->name, (int)(lane - x->lane));
    RunWriter *w;
    ErrCode rc = runwriter_new(&w, x, x->bins, (size_t)(x->share / 8), err);

    if (rc == ERR_OK) rc = write_bins(w, x, lane, err);
    if (rc == ERR_OK) rc = runwriter_end(w, lane, err);
    runwriter_free(w);
    event_end(span, 0, rc == ERR_OK ? scratch_size(lane->run->file) : 0);
    if (rc == ERR_OK) packs_free(x, lane);
    return rc;
}

/* --- reading */

ErrCode run_chunk(ExchangeRun *r, uint32_t bin, uint64_t *at, Buf *buf, bool *end, Err *err)
{
    uint64_t offset = r->begin[bin] + *at, left = r->begin[bin + 1] - offset;
    uint8_t head[CHUNK_HEAD];
    uint32_t n;
    ErrCode rc;

    buf_reset(buf);
    *end = left == 0;
    if (*end) return ERR_OK;
    if ((rc = scratch_read(r->file, offset, head, CHUNK_HEAD, err)) != ERR_OK) return rc;
    n = le32_get(head);
    if (n > CHUNK_MAX || n > left - CHUNK_HEAD || !buf_reserve(buf, n))
        return n > CHUNK_MAX || n > left - CHUNK_HEAD
                   ? err_set(err, ERR_DATA, "%s at %" PRIu64 ": damaged scratch file", scratch_name(r->file), offset)
                   : err_nomem(err, scratch_name(r->file));
    if ((rc = scratch_read(r->file, offset + CHUNK_HEAD, buf->p, n, err)) != ERR_OK) return rc;
    buf->n = n;
    if (hash64(buf_span(buf)) != le64_get(head + 8))
        return err_set(err, ERR_DATA, "%s at %" PRIu64 ": damaged scratch file", scratch_name(r->file), offset);
    *at += CHUNK_HEAD + (uint64_t)n;
    return ERR_OK;
}
