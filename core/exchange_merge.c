/* A binary heap of sorted sources; the one with the least record is at the top. */
#include "core/exchange_merge.h"

#include <stdlib.h>

typedef struct {
    const uint8_t *cur, *end; /* records at hand */
    ExchangeRun *run;         /* more of them come from here; NULL: a slice */
    uint64_t at;              /* of its next chunk */
    Buf chunk;
} Source;

struct BinMerge {
    const Exchange *x;
    uint32_t bin;
    ExchangeRun *runs; /* its own */
    Source *source;
    Source **heap;
    size_t n_sources, cap, n; /* all; room for them; those with a record at hand */
};

ErrCode merge_new(BinMerge **out, const Exchange *x, uint32_t bin, Err *err)
{
    BinMerge *m = *out = calloc(1, sizeof *m);

    if (!m) return err_nomem(err, x->name);
    *m = (BinMerge){.x = x, .bin = bin};
    return ERR_OK;
}

void merge_free(BinMerge *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->n_sources; i++) buf_clear(&m->source[i].chunk);
    runs_free(&m->runs);
    free(m->source);
    free(m->heap);
    free(m);
}

/* Puts the source at heap[i] where it belongs below. */
static void sift_down(BinMerge *m, size_t i)
{
    Source *s = m->heap[i];

    for (size_t child; (child = 2 * i + 1) < m->n; i = child) {
        if (child + 1 < m->n && record_cmp(m->x, m->heap[child + 1]->cur, m->heap[child]->cur) < 0) child++;
        if (record_cmp(m->x, s->cur, m->heap[child]->cur) <= 0) break;
        m->heap[i] = m->heap[child];
    }
    m->heap[i] = s;
}

/* Makes the source's next record be at hand; *end when it has none. */
static ErrCode refill(const BinMerge *m, Source *s, bool *end, Err *err)
{
    ErrCode rc = ERR_OK;

    *end = s->cur == s->end;
    if (!*end || !s->run) return ERR_OK;
    if ((rc = run_chunk(s->run, m->bin, &s->at, &s->chunk, end, err)) != ERR_OK || *end) return rc;
    s->cur = s->chunk.p;
    s->end = s->chunk.p + s->chunk.n;
    return ERR_OK;
}

static ErrCode add_source(BinMerge *m, Source s, Err *err)
{
    Source *grown = array_grow(m->source, m->n_sources, &m->cap, sizeof *grown);

    if (!grown) return err_nomem(err, m->x->name);
    m->source = grown;
    m->source[m->n_sources++] = s;
    return ERR_OK;
}

ErrCode merge_add_slice(BinMerge *m, Span slice, Err *err)
{
    return add_source(m, (Source){.cur = slice.p, .end = slice.p + slice.n}, err);
}

ErrCode merge_take_runs(BinMerge *m, ExchangeRun **runs, Err *err)
{
    ErrCode rc = ERR_OK;

    m->runs = *runs;
    *runs = NULL;
    for (ExchangeRun *r = m->runs; r && rc == ERR_OK; r = *run_older(r)) rc = add_source(m, (Source){.run = r}, err);
    return rc;
}

ErrCode merge_begin(BinMerge *m, Err *err)
{
    ErrCode rc = ERR_OK;
    bool end;

    m->heap = calloc(m->n_sources + 1, sizeof(Source *));
    if (!m->heap) return err_nomem(err, m->x->name);
    for (size_t i = 0; i < m->n_sources && rc == ERR_OK; i++) {
        rc = refill(m, &m->source[i], &end, err);
        if (rc == ERR_OK && !end) m->heap[m->n++] = &m->source[i];
    }
    for (size_t i = m->n / 2; i-- > 0 && rc == ERR_OK;) sift_down(m, i);
    return rc;
}

const uint8_t *merge_peek(const BinMerge *m) { return m->n ? m->heap[0]->cur : NULL; }

ErrCode merge_pop(BinMerge *m, Err *err)
{
    Source *s = m->heap[0];
    bool end;
    ErrCode rc;

    s->cur += record_bytes(m->x, s->cur);
    if ((rc = refill(m, s, &end, err)) != ERR_OK) return rc;
    if (end) m->heap[0] = m->heap[--m->n];
    if (m->n) sift_down(m, 0);
    return ERR_OK;
}
