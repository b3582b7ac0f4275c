/* Handing out: bins in batches to threads, partitions to the caller's function, groups and values to it. */
#include "core/exchange_impl.h"

#include "core/log.h"

#include <omp.h>
#include <stdlib.h>

/* --- the long way to groups and values: far records, merges */

struct ExchangeLong {
    BinStream *in;
    uint32_t partition;
    uint8_t key[EXCHANGE_KEY];
    bool in_group, taken; /* the record at hand was given out and is to be passed */
    bool folded;          /* combiner: the one value was given out */
    uint8_t *acc;         /* combiner: the folded value */
};
typedef struct ExchangeLong Long;

/* Passes the record at hand if it was given out; *at: the next one, NULL behind the group. */
static ErrCode next_of_group(Long *g, const uint8_t **at, Err *err)
{
    ErrCode rc = ERR_OK;

    if (g->taken) rc = binstream_pop(g->in, err);
    g->taken = false;
    *at = rc ? NULL : binstream_peek(g->in);
    if (*at && !same_key(*at, g->key)) *at = NULL;
    return rc;
}

static ErrCode fold_group(Long *g, Err *err)
{
    const Exchange *x = g->in->x;
    bool first = true;
    const uint8_t *r;
    ErrCode rc;

    while ((rc = next_of_group(g, &r, err)) == ERR_OK && r) {
        Span v = record_value(x, r);
        if (!first)
            x->spec.combine(g->acc, v.p);
        else if (v.n)
            memcpy(g->acc, v.p, v.n);
        first = false;
        g->taken = true;
    }
    g->folded = false;
    return rc;
}

ErrCode exchange_long_group(ExchangeGroups *groups, uint8_t key[EXCHANGE_KEY], bool *end, Err *err)
{
    Long *g = groups->by;
    const Exchange *x = g->in->x;
    const uint8_t *r;
    ErrCode rc = ERR_OK;

    if (g->in_group) {
        while ((rc = next_of_group(g, &r, err)) == ERR_OK && r) g->taken = true; /* what was left of the last one */
        if (rc) return rc;
    }
    r = binstream_peek(g->in);
    *end = !r || key_top(r, x->bits) != g->partition;
    g->in_group = !*end;
    if (*end) return ERR_OK;
    memcpy(g->key, r, EXCHANGE_KEY);
    memcpy(key, r, EXCHANGE_KEY);
    return x->spec.combine ? fold_group(g, err) : ERR_OK;
}

ErrCode exchange_long_value(ExchangeGroups *groups, Span *value, bool *end, Err *err)
{
    Long *g = groups->by;
    const Exchange *x = g->in->x;
    const uint8_t *r;
    ErrCode rc = ERR_OK;

    if (x->spec.combine) {
        *end = !g->in_group || g->folded;
        *value = span(g->acc, x->spec.value_bytes);
        g->folded = true;
        return ERR_OK;
    }
    if (!g->in_group) {
        *end = true;
        return ERR_OK;
    }
    rc = next_of_group(g, &r, err);
    *end = !r;
    if (rc || !r) return rc;
    *value = record_value(x, r);
    g->taken = true;
    return ERR_OK;
}

/* --- partitions */

typedef struct {
    Delivery *d;
    int number;
    BinStream in;
    uint8_t *acc;
} Thread;

static void keep_lowest(Delivery *d, uint32_t partition, ErrCode rc, const Err *err)
{
#pragma omp critical(exchange_failure)
    if (partition < d->failed) {
        d->failed = partition;
        d->rc = rc;
        d->err = *err;
    }
}

/* The first of the gathered items whose partition is not below p. */
static size_t partition_begin(const BinStream *in, uint32_t p)
{
    size_t lo = 0, hi = in->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (key_top(in->items + mid * in->x->width, in->x->bits) < p)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* What fn leaves unread is passed over. */
static ErrCode deliver_partition(Thread *t, uint32_t p, Err *err)
{
    Delivery *d = t->d;
    BinStream *in = &t->in;
    Long by = {.in = in, .partition = p, .acc = t->acc};
    ExchangeGroups g = {.width = d->x->width};
    uint8_t key[EXCHANGE_KEY];
    bool end = false;
    ErrCode rc;

    if (d->x->far || in->merge) {
        g.by = &by;
        rc = d->fn(d->ctx, t->number, p, &g, err);
        while (rc == ERR_OK && !end) rc = exchange_long_group(&g, key, &end, err);
        return rc;
    }
    g.at = in->items + in->next * g.width;
    in->next = d->x->bits == d->x->bin_bits ? in->n : partition_begin(in, p + 1);
    g.end = in->items + in->next * g.width;
    if (g.at < g.end) {
        memcpy(key, g.at, EXCHANGE_KEY);
        key[0] ^= 1;
        g.group = key;
    }
    return d->fn(d->ctx, t->number, p, &g, err);
}

/* Every partition of the loaded bin, or of a wide one, in turn. */
static ErrCode deliver_bin(Thread *t, uint32_t bin, bool wide)
{
    Exchange *x = t->d->x;
    unsigned shift = x->bits - x->bin_bits;
    uint32_t first = bin << shift, p = first;
    Err err;
    ErrCode rc = wide ? binstream_wide(&t->in, x, bin, &err) : binstream_gather(&t->in, x, NULL, bin, &err);

    for (; p < first + (1u << shift) && rc == ERR_OK; p++) rc = deliver_partition(t, p, &err);
    if (rc) keep_lowest(t->d, p > first ? p - 1 : p, rc, &err);
    return rc;
}

static void deliver_batch(Thread *t, BinRange bins, bool wide)
{
    Exchange *x = t->d->x;
    ErrCode rc;
    Err err;

    if (!t->acc)
        rc = err_nomem(&err, x->name);
    else if (interrupt_seen())
        rc = err_set(&err, ERR_INTR, "interrupted");
    else
        rc = wide ? ERR_OK : binstream_load(&t->in, x, bins, &err);
    if (rc) keep_lowest(t->d, bins.begin << (x->bits - x->bin_bits), rc, &err);
    for (uint32_t bin = bins.begin; bin < bins.end && rc == ERR_OK; bin++) rc = deliver_bin(t, bin, wide);
}

enum { BATCHES = 16 }; /* a thread, or more: so that none waits long for the last one */

void deliver_bins(Delivery *d, BinRange bins)
{
    Exchange *x = d->x;
    uint64_t all = 0, target;
    uint32_t next = bins.begin;

    for (uint32_t b = bins.begin; b < bins.end; b++) {
        BinSize s = bin_size(x, b);
        all += s.memory + s.disk;
    }
    target = all / ((uint64_t)x->threads * BATCHES) + 1;
#pragma omp parallel num_threads(x->threads)
    {
        Thread t = {.d = d, .number = omp_get_thread_num()};
        t.acc = malloc(x->spec.combine ? (size_t)x->spec.value_bytes + 1 : 1);
        for (;;) {
            BinRange batch = {0};
            bool wide = false;
#pragma omp critical(exchange_batch)
            if (next < bins.end) {
                batch = next_batch(x, next, bins.end, target, &wide);
                next = batch.end;
            }
            if (batch.begin == batch.end) break;
            deliver_batch(&t, batch, wide);
        }
        binstream_clear(&t.in);
        free(t.acc);
    }
}
