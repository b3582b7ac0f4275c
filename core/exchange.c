/* Opening, sending and handing out: see core/exchange_impl.h for what lies between. Ranks: in this build an exchange is local
 * to the process that opens it. */
#include "core/exchange_impl.h"

#include "core/log.h"

#include <assert.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BLOCK_FIRST = 64 << 10,
    BLOCK_MAX = 1 << 20,      /* stays in a core's second-level cache */
    BLOCK_FOLD_MAX = 8 << 20, /* with a combiner: the more a block holds, the more it folds */
    BIN_INDEX = 64,           /* bytes of a block for one bin, of which the index takes 4 */
    MEMORY_LEAST = 256 << 10  /* a thread: below that, runs would be smaller than blocks */
};

/* --- opening */

static ErrCode check_spec(const ExchangeSpec *s, Err *err)
{
    if (s->partitions == 0 || s->partitions > EXCHANGE_MAX_PARTITIONS || (s->partitions & (s->partitions - 1)))
        return err_set(err, ERR_USAGE, "exchange %s: %" PRIu32 " partitions, a power of two up to %d is wanted",
                       s->name, s->partitions, EXCHANGE_MAX_PARTITIONS);
    if (s->value_bytes != UINT32_MAX && s->value_bytes > EXCHANGE_MAX_VALUE)
        return err_set(err, ERR_LIMIT, "exchange %s: values of %" PRIu32 " bytes are beyond %d", s->name,
                       s->value_bytes, EXCHANGE_MAX_VALUE);
    if (s->combine && s->value_bytes == UINT32_MAX)
        return err_set(err, ERR_USAGE, "exchange %s: a combiner needs values of fixed width", s->name);
    return ERR_OK;
}

static size_t block_max(const ExchangeSpec *s, int threads)
{
    uint64_t share = s->memory / 16 / (uint64_t)threads;
    size_t most = s->combine ? BLOCK_FOLD_MAX : BLOCK_MAX;

    if (share > most) share = most;
    return share > BLOCK_FIRST ? (size_t)share : BLOCK_FIRST;
}

static void set_shape(Exchange *x)
{
    const ExchangeSpec *s = &x->spec;

    while (1u << x->bits < s->partitions) x->bits++;
    x->far = s->value_bytes > ITEM_MAX - EXCHANGE_KEY;
    x->width = x->far ? ITEM_FAR : EXCHANGE_KEY + s->value_bytes;
    x->sort_bytes = x->far || s->combine ? EXCHANGE_KEY : x->width;
    x->block_max = block_max(s, x->threads);
    x->bin_bits = x->bits;
    while (x->bin_bits > 0 && ((size_t)BIN_INDEX << x->bin_bits) > x->block_max) x->bin_bits--;
    x->bins = 1u << x->bin_bits;
    x->share =
        s->memory * 7 / 16 / (uint64_t)x->threads; /* for packs, for delivery; an eighth for blocks and buffers */
}

ErrCode exchange_open(Exchange **out, const ExchangeSpec *spec, const Par *par, Err *err)
{
    Exchange *x;
    ErrCode rc = check_spec(spec, err);

    *out = NULL;
    if (rc) return rc;
    if (!(x = calloc(1, sizeof *x))) return err_nomem(err, spec->name);
    x->spec = *spec;
    snprintf(x->name, sizeof x->name, "%s", spec->name);
    x->spec.name = x->name;
    x->par = *par;
    x->threads = par->threads;
    if (x->spec.memory < (uint64_t)MEMORY_LEAST * (uint64_t)x->threads)
        x->spec.memory = (uint64_t)MEMORY_LEAST * (uint64_t)x->threads;
    set_shape(x);
    x->scratch = spec->scratch ? strdup(spec->scratch) : NULL;
    x->lane = calloc((size_t)par->threads, sizeof *x->lane);
    if (!x->lane || (spec->scratch && !x->scratch)) {
        exchange_close(x);
        return err_nomem(err, spec->name);
    }
    x->sending = event_begin("send", x->name, 0);
    *out = x;
    return ERR_OK;
}

void exchange_close(Exchange *x)
{
    if (!x) return;
    for (int i = 0; x->lane && i < x->threads; i++) {
        free(x->lane[i].block);
        packs_free(x, &x->lane[i]);
        runs_free(&x->lane[i]);
    }
    free(x->lane);
    free(x->scratch);
    free(x);
}

void exchange_own(const Exchange *x, uint32_t *begin, uint32_t *end)
{
    *begin = rank_bin(x, x->par.rank) << (x->bits - x->bin_bits);
    *end = rank_bin(x, x->par.rank + 1) << (x->bits - x->bin_bits);
}

/* --- sending */

/* Blocks double from small to block_max: many lanes that send little cost little. */
static ErrCode grow_block(const Exchange *x, Lane *lane, size_t need, Err *err)
{
    size_t cap = lane->cap ? lane->cap * 2 : BLOCK_FIRST;
    uint8_t *block;

    if (cap > x->block_max) cap = x->block_max;
    if (cap < need) cap = need;
    if (cap <= lane->cap) return ERR_OK;
    free(lane->block);
    lane->block = block = malloc(cap);
    lane->cap = block ? cap : 0;
    return block ? ERR_OK : err_nomem(err, x->name);
}

/* Packs may take a lane's share and then go to scratch; without scratch, what delivery leaves of the whole budget. */
static ErrCode bound_packs(Exchange *x, Lane *lane, Err *err)
{
    uint64_t packed = atomic_load(&x->slab_bytes);

    if (x->scratch) return lane->slab_bytes > x->share ? run_spill(x, lane, err) : ERR_OK;
    if (packed <= x->spec.memory - x->spec.memory / 8) return ERR_OK;
    return err_set(err, ERR_NOMEM, "exchange %s: %" PRIu64 " MiB do not fit in --memory of %" PRIu64 " MiB", x->name,
                   packed >> 20, x->spec.memory >> 20);
}

/* Room for a record of n bytes: the block becomes a pack, and the packs a run when they are beyond the lane's share. A block that
 * a combiner has halved stays; it then has room, since a record of more than half a block is never halved. */
static ErrCode make_room(Exchange *x, Lane *lane, size_t n, Err *err)
{
    ErrCode rc = lane->used ? pack_block(x, lane, err) : ERR_OK;

    if (rc == ERR_OK) rc = bound_packs(x, lane, err);
    if (rc == ERR_OK && lane->used == 0) rc = grow_block(x, lane, n, err);
    return rc;
}

ErrCode exchange_put(Exchange *x, int lane_no, const uint8_t key[EXCHANGE_KEY], const void *value, uint32_t n,
                     Err *err)
{
    Lane *lane = &x->lane[lane_no];
    size_t bytes = x->far ? FAR_HEAD + (size_t)n : x->width;
    ErrCode rc;

    assert(lane_no >= 0 && lane_no < x->threads && !x->flipped);
    if (x->spec.value_bytes == UINT32_MAX ? n > EXCHANGE_MAX_VALUE : n != x->spec.value_bytes)
        return err_set(err, ERR_LIMIT, "exchange %s: a value of %" PRIu32 " bytes", x->name, n);
    if (lane->cap - lane->used < bytes)
        if ((rc = make_room(x, lane, bytes, err)) != ERR_OK) return rc;
    uint8_t *p = lane->block + lane->used;
    lane->used += bytes;
    memcpy(p, key, EXCHANGE_KEY);
    p += EXCHANGE_KEY;
    if (x->far) {
        le32_put(p, n);
        p += 4;
    }
    switch (n) { /* what is hot, as constants: no call */
    case 0: break;
    case 4: memcpy(p, value, 4); break;
    case 8: memcpy(p, value, 8); break;
    default: memcpy(p, value, n);
    }
    return ERR_OK;
}

ErrCode exchange_flip(Exchange *x, Err *err)
{
    ErrCode *rc = calloc((size_t)x->threads, sizeof *rc), first;
    Err *errs = calloc((size_t)x->threads, sizeof *errs);

    event_end(x->sending, 0, 0);
    EventSpan span = event_begin("flip", x->name, 0);
    x->flipped = true;
    if (!rc || !errs) {
        first = err_nomem(err, x->name);
    } else {
#pragma omp parallel for schedule(dynamic, 1) num_threads(x->threads)
        for (int i = 0; i < x->threads; i++) {
            Lane *lane = &x->lane[i];
            if (lane->used) rc[i] = pack_block(x, lane, &errs[i]);
            free(lane->block);
            lane->block = NULL;
            lane->cap = lane->used = 0;
        }
        first = par_first_error(rc, errs, (size_t)x->threads, err);
    }
    free(rc);
    free(errs);
    event_end(span, 0, 0);
    return first;
}

/* --- receiving */

struct ExchangeGroups {
    const Exchange *x;
    BinStream *in;
    uint32_t partition;
    uint8_t key[EXCHANGE_KEY];
    bool in_group, taken; /* the record at hand was given out and is to be passed */
    bool folded;          /* combiner: the one value was given out */
    uint8_t *acc;         /* combiner: the folded value */
};

/* Passes the record at hand if it was given out; *at: the next one, NULL behind the group. */
static ErrCode next_of_group(ExchangeGroups *g, const uint8_t **at, Err *err)
{
    ErrCode rc = ERR_OK;

    if (g->taken) rc = binstream_pop(g->in, err);
    g->taken = false;
    *at = rc ? NULL : binstream_peek(g->in);
    if (*at && !same_key(*at, g->key)) *at = NULL;
    return rc;
}

static ErrCode fold_group(ExchangeGroups *g, Err *err)
{
    const Exchange *x = g->x;
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

ErrCode exchange_next_group(ExchangeGroups *g, uint8_t key[EXCHANGE_KEY], bool *end, Err *err)
{
    const uint8_t *r;
    ErrCode rc = ERR_OK;

    if (g->in_group) {
        while ((rc = next_of_group(g, &r, err)) == ERR_OK && r) g->taken = true; /* what was left of the last one */
        if (rc) return rc;
    }
    r = binstream_peek(g->in);
    *end = !r || key_top(r, g->x->bits) != g->partition;
    g->in_group = !*end;
    if (*end) return ERR_OK;
    memcpy(g->key, r, EXCHANGE_KEY);
    memcpy(key, r, EXCHANGE_KEY);
    return g->x->spec.combine ? fold_group(g, err) : ERR_OK;
}

ErrCode exchange_next_value(ExchangeGroups *g, Span *value, bool *end, Err *err)
{
    const uint8_t *r;
    ErrCode rc = ERR_OK;

    if (g->x->spec.combine) {
        *end = !g->in_group || g->folded;
        *value = span(g->acc, g->x->spec.value_bytes);
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
    *value = record_value(g->x, r);
    g->taken = true;
    return ERR_OK;
}

/* --- delivery */

static void keep_lowest(Delivery *d, uint32_t partition, ErrCode rc, const Err *err)
{
#pragma omp critical(exchange_failure)
    if (partition < d->failed) {
        d->failed = partition;
        d->rc = rc;
        d->err = *err;
    }
}

/* Every partition of the bin in turn; what fn leaves unread is passed over. */
static void deliver_bin(Delivery *d, int thread, uint32_t bin, BinStream *in, uint8_t *acc)
{
    Exchange *x = d->x;
    unsigned shift = x->bits - x->bin_bits;
    uint8_t key[EXCHANGE_KEY];
    Err err;
    ErrCode rc = interrupt_seen() ? err_set(&err, ERR_INTR, "interrupted") : binstream_open(in, x, NULL, bin, &err);
    uint32_t first = (x->first_bin + bin) << shift, p = first;

    for (; p < first + (1u << shift) && rc == ERR_OK; p++) {
        ExchangeGroups g = {.x = x, .in = in, .partition = p, .acc = acc};
        bool end = false;
        rc = d->fn(d->ctx, thread, p, &g, &err);
        while (rc == ERR_OK && !end) rc = exchange_next_group(&g, key, &end, &err);
    }
    if (rc) keep_lowest(d, p > first ? p - 1 : p, rc, &err);
}

void deliver_bins(Delivery *d, int threads)
{
    Exchange *x = d->x;

#pragma omp parallel num_threads(threads)
    {
        BinStream in = {0};
        uint8_t *acc = malloc(x->spec.combine ? (size_t)x->spec.value_bytes + 1 : 1);
#pragma omp for schedule(dynamic, 1)
        for (uint32_t bin = 0; bin < x->bins; bin++) {
            Err none;
            if (acc)
                deliver_bin(d, omp_get_thread_num(), bin, &in, acc);
            else
                keep_lowest(d, (x->first_bin + bin) << (x->bits - x->bin_bits), err_nomem(&none, x->name), &none);
        }
        binstream_clear(&in);
        free(acc);
    }
}

ErrCode exchange_each(Exchange *x, ExchangeEach fn, void *ctx, Err *err)
{
    Delivery d = {.x = x, .fn = fn, .ctx = ctx, .failed = UINT32_MAX};

    assert(x->flipped);
    EventSpan span = event_begin("deliver", x->name, 0);
    if (x->par.n_ranks > 1) {
        d.rc = exchange_each_rank(x, fn, ctx, err);
    } else {
        deliver_bins(&d, x->threads);
        if (d.rc && err) *err = d.err;
    }
    event_end(span, 0, 0);
    return d.rc;
}
