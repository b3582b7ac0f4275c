/* A bin too large to gather: its slices, each sorted, as one stream. A binary heap of sources; the one with the least record
 * is at the top. */
#include "core/exchange_merge.h"

#include <stdlib.h>

typedef struct {
    const uint8_t *cur, *end; /* records at hand */
    ExchangeRun *run;         /* more of them come from here; NULL: a pack's slice */
    uint64_t at;              /* of its next chunk */
    Buf chunk;
} Source;

struct BinMerge {
    const Exchange *x;
    uint32_t bin;
    Source *source;
    Source **heap;
    size_t n_sources, n; /* all; those with a record at hand */
};

ErrCode merge_new(BinMerge **out, const Exchange *x, uint32_t bin, size_t most, Err *err)
{
    BinMerge *m = calloc(1, sizeof *m);

    *out = m;
    if (!m) return err_nomem(err, x->name);
    *m = (BinMerge){.x = x, .bin = bin};
    m->source = calloc(most + 1, sizeof *m->source);
    m->heap = calloc(most + 1, sizeof(Source *));
    return m->source && m->heap ? ERR_OK : err_nomem(err, x->name);
}

void merge_free(BinMerge *m)
{
    if (!m) return;
    for (size_t i = 0; m->source && i < m->n_sources; i++) buf_clear(&m->source[i].chunk);
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
    Source *new = &m->source[m->n_sources++];
    bool end;
    ErrCode rc;

    *new = s;
    rc = refill(m, new, &end, err);
    if (rc == ERR_OK && !end) m->heap[m->n++] = new;
    return rc;
}

ErrCode merge_add_slice(BinMerge *m, Span slice, Err *err)
{
    return add_source(m, (Source){.cur = slice.p, .end = slice.p + slice.n}, err);
}
ErrCode merge_add_run(BinMerge *m, ExchangeRun *run, Err *err) { return add_source(m, (Source){.run = run}, err); }

void merge_begin(BinMerge *m)
{
    for (size_t i = m->n / 2; i-- > 0;) sift_down(m, i);
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
