/* The exchange of one process, in memory.
 *
 * Sending appends to a log of blocks, one log a lane, so that lanes share nothing. The log is never moved. Delivery
 * makes items out of it: a record of at most ITEM_MAX bytes is its own item, a larger or variable one is represented by its
 * key and the address of its value in the log. A pass over the log counts the items of every partition; then partitions
 * are taken in rounds, as many at once as the budget has room for: a second pass scatters the round's items into one
 * array, partition behind partition, and each partition is sorted and delivered by one thread. With room for all there
 * is one round. Which round a partition falls into changes nothing that is delivered.
 *
 * Ranks: in this build an exchange is local to the process that opens it. A stage that needs all records in one place
 * sends them from one rank. */
#include "core/exchange.h"

#include "core/log.h"
#include "core/radix.h"

#include <assert.h>
#include <inttypes.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ITEM_MAX = RADIX_MAX_WIDTH, /* direct items: key and value together */
    ITEM_FAR = EXCHANGE_KEY + sizeof(uint8_t *),
    FAR_HEAD = EXCHANGE_KEY + 4, /* of a record in the log that is not direct: key, u32 size of its value */
    BLOCK_FIRST = 64 << 10,
    BLOCK_MAX = 1 << 20,
    BLOCK_FOLD_MAX = 8 << 20, /* with a combiner: the more a block holds, the more it folds */
    SCRATCH_MAX = 4 << 20     /* of one thread's sort: what stays in a core's caches */
};

typedef struct Block {
    struct Block *older;
    size_t used, cap;
    uint8_t bytes[];
} Block;

typedef struct {
    Block *block; /* the newest */
    size_t next_cap;
    uint8_t pad[48]; /* lanes written by different threads do not share a cache line */
} Lane;

struct Exchange {
    ExchangeSpec spec;
    char name[32];
    int threads;
    unsigned bits;     /* partitions == 1 << bits */
    size_t width;      /* of an item */
    size_t sort_bytes; /* of an item's beginning that are sorted by */
    size_t block_max;
    bool direct, flipped;
    Lane *lane;
    _Atomic uint64_t log_bytes; /* memory of all blocks */
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

/* Folding a block takes about its size again; the quarter of the budget that the log may not use covers it. */
static size_t block_max(const ExchangeSpec *s, int threads)
{
    uint64_t share = s->memory / 16 / (uint64_t)threads;
    size_t most = s->combine ? BLOCK_FOLD_MAX : BLOCK_MAX;

    if (share > most) share = most;
    return share > BLOCK_FIRST ? (size_t)share : BLOCK_FIRST;
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
    x->threads = par->threads;
    while (1u << x->bits < spec->partitions) x->bits++;
    x->direct = spec->value_bytes <= ITEM_MAX - EXCHANGE_KEY;
    x->width = x->direct ? EXCHANGE_KEY + spec->value_bytes : ITEM_FAR;
    x->sort_bytes = x->direct && !spec->combine ? x->width : EXCHANGE_KEY;
    x->block_max = block_max(spec, par->threads);
    x->lane = calloc((size_t)par->threads, sizeof *x->lane);
    if (!x->lane) {
        exchange_close(x);
        return err_nomem(err, spec->name);
    }
    *out = x;
    return ERR_OK;
}

static void free_blocks(Block *b)
{
    while (b) {
        Block *older = b->older;
        free(b);
        b = older;
    }
}

void exchange_close(Exchange *x)
{
    if (!x) return;
    for (int i = 0; x->lane && i < x->threads; i++) free_blocks(x->lane[i].block);
    free(x->lane);
    free(x);
}

/* --- items of a block */

/* Bytes of the record at p in the log. */
static inline size_t record_bytes(const Exchange *x, const uint8_t *p)
{
    return x->direct ? x->width : FAR_HEAD + (size_t)le32_get(p + EXCHANGE_KEY);
}

static inline void make_item(const Exchange *x, uint8_t *item, const uint8_t *record)
{
    if (x->direct) {
        memcpy(item, record, x->width);
    } else {
        const uint8_t *value = record + EXCHANGE_KEY;
        memcpy(item, record, EXCHANGE_KEY);
        memcpy(item + EXCHANGE_KEY, &value, sizeof value);
    }
}

static inline Span item_value(const Exchange *x, const uint8_t *item)
{
    const uint8_t *value;

    if (x->direct) return span(item + EXCHANGE_KEY, x->spec.value_bytes);
    memcpy(&value, item + EXCHANGE_KEY, sizeof value);
    return span(value + 4, le32_get(value));
}

static inline uint32_t partition_of(const Exchange *x, const uint8_t *key)
{
    return (uint32_t)(exchange_be64(key) >> 1 >> (63 - x->bits));
}

static inline bool same_key(const uint8_t *a, const uint8_t *b) { return memcmp(a, b, EXCHANGE_KEY) == 0; }

/* --- sending */

static ErrCode too_large(const Exchange *x, uint64_t bytes, Err *err)
{
    return err_set(err, ERR_NOMEM, "exchange %s: %" PRIu64 " MiB do not fit in --memory of %" PRIu64 " MiB", x->name,
                   (bytes >> 20) + 1, x->spec.memory >> 20);
}

/* A quarter of the budget is left for delivery. */
static ErrCode charge(Exchange *x, size_t bytes, Err *err)
{
    uint64_t all = atomic_fetch_add(&x->log_bytes, bytes) + bytes;

    if (all <= x->spec.memory - x->spec.memory / 4) return ERR_OK;
    atomic_fetch_sub(&x->log_bytes, bytes);
    return too_large(x, all + all / 4, err);
}

/* Blocks double from small to BLOCK_MAX: many lanes that send little cost little. */
static ErrCode new_block(Exchange *x, Lane *lane, size_t at_least, Err *err)
{
    size_t cap = lane->next_cap ? lane->next_cap : BLOCK_FIRST;
    ErrCode rc;

    if (cap < at_least) cap = at_least;
    if ((rc = charge(x, sizeof(Block) + cap, err)) != ERR_OK) return rc;
    Block *b = malloc(sizeof *b + cap);
    if (!b) return err_nomem(err, x->name);
    *b = (Block){.older = lane->block, .cap = cap};
    lane->block = b;
    lane->next_cap = cap * 2 < x->block_max ? cap * 2 : x->block_max;
    return ERR_OK;
}

/* Folds records of equal keys of one block, which ends sorted. Direct: in place. Else through a copy. */
static void fold_sorted(const Exchange *x, Block *b, const uint8_t *items, size_t n, uint8_t *copy)
{
    uint8_t *to = x->direct ? b->bytes : copy, *acc = NULL;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *item = items + i * x->width;
        Span value = item_value(x, item);
        if (acc && same_key(acc, item)) {
            x->spec.combine(acc + (x->direct ? EXCHANGE_KEY : FAR_HEAD), value.p);
            continue;
        }
        acc = to;
        memmove(to, item, EXCHANGE_KEY);
        to += EXCHANGE_KEY;
        if (!x->direct) {
            le32_put(to, (uint32_t)value.n);
            to += 4;
        }
        memmove(to, value.p, value.n);
        to += value.n;
    }
    b->used = (size_t)(to - (x->direct ? b->bytes : copy));
    if (!x->direct) memcpy(b->bytes, copy, b->used);
}

static ErrCode fold_block(const Exchange *x, Block *b, Err *err)
{
    size_t n = 0, items_bytes = 0;
    uint8_t *room, *items = b->bytes;

    for (size_t at = 0; at < b->used; at += record_bytes(x, b->bytes + at)) n++;
    if (!x->direct) items_bytes = n * x->width;
    room = malloc(items_bytes + b->used + 1); /* items, then the scratch of the sort, then the copy */
    if (!room) return err_nomem(err, x->name);
    if (!x->direct) {
        items = room;
        n = 0;
        for (size_t at = 0; at < b->used; at += record_bytes(x, b->bytes + at))
            make_item(x, items + n++ * x->width, b->bytes + at);
    }
    radix_sort(items, n, x->width, EXCHANGE_KEY, room + items_bytes, b->used);
    fold_sorted(x, b, items, n, room + items_bytes);
    free(room);
    return ERR_OK;
}

/* Room for one record of n bytes in the lane's block. A combiner gets a chance on the full block first; a block that it
 * hardly shrinks is left as it is. */
static ErrCode make_room(Exchange *x, Lane *lane, size_t n, Err *err)
{
    Block *b = lane->block;
    ErrCode rc;

    if (b && x->spec.combine && b->cap >= n) {
        if ((rc = fold_block(x, b, err)) != ERR_OK) return rc;
        if (b->used <= b->cap / 2 && n <= b->cap - b->used) return ERR_OK;
    }
    return new_block(x, lane, n, err);
}

ErrCode exchange_put(Exchange *x, int lane_no, const uint8_t key[EXCHANGE_KEY], const void *value, uint32_t n,
                     Err *err)
{
    Lane *lane = &x->lane[lane_no];
    size_t bytes = x->direct ? x->width : FAR_HEAD + (size_t)n;
    ErrCode rc;

    assert(lane_no >= 0 && lane_no < x->threads && !x->flipped);
    if (x->spec.value_bytes == UINT32_MAX ? n > EXCHANGE_MAX_VALUE : n != x->spec.value_bytes)
        return err_set(err, ERR_LIMIT, "exchange %s: a value of %" PRIu32 " bytes", x->name, n);
    if (!lane->block || lane->block->cap - lane->block->used < bytes)
        if ((rc = make_room(x, lane, bytes, err)) != ERR_OK) return rc;
    uint8_t *p = lane->block->bytes + lane->block->used;
    lane->block->used += bytes;
    memcpy(p, key, EXCHANGE_KEY);
    p += EXCHANGE_KEY;
    if (!x->direct) {
        le32_put(p, n);
        p += 4;
    }
    if (n) memcpy(p, value, n);
    return ERR_OK;
}

ErrCode exchange_flip(Exchange *x, Err *err)
{
    (void)err;
    x->flipped = true;
    return ERR_OK;
}

/* --- receiving */

struct ExchangeGroups {
    const Exchange *x;
    uint8_t *items;
    size_t n, begin, end; /* the current group: items [begin, end) */
    size_t value;         /* next of it */
    uint8_t *acc;         /* folded value, with a combiner */
};

static int compare_values(const uint8_t *a, const uint8_t *b)
{
    const uint8_t *p, *q;

    memcpy(&p, a + EXCHANGE_KEY, sizeof p);
    memcpy(&q, b + EXCHANGE_KEY, sizeof q);
    return span_cmp(span(p + 4, le32_get(p)), span(q + 4, le32_get(q)));
}
static int compare_items(const void *a, const void *b) { return compare_values(a, b); }

ErrCode exchange_next_group(ExchangeGroups *g, uint8_t key[EXCHANGE_KEY], bool *end, Err *err)
{
    const Exchange *x = g->x;
    size_t w = x->width;

    (void)err;
    g->begin = g->value = g->end;
    *end = g->begin == g->n;
    if (*end) return ERR_OK;
    const uint8_t *first = g->items + g->begin * w;
    do g->end++;
    while (g->end < g->n && same_key(first, g->items + g->end * w));
    memcpy(key, first, EXCHANGE_KEY);
    if (x->spec.combine) {
        Span v = item_value(x, first);
        if (v.n) memcpy(g->acc, v.p, v.n);
        for (size_t i = g->begin + 1; i < g->end; i++) x->spec.combine(g->acc, item_value(x, g->items + i * w).p);
    } else if (!x->direct && g->end - g->begin > 1) {
        qsort(g->items + g->begin * w, g->end - g->begin, w, compare_items);
    }
    return ERR_OK;
}

ErrCode exchange_next_value(ExchangeGroups *g, Span *value, bool *end, Err *err)
{
    (void)err;
    *end = g->value == g->end;
    if (*end) return ERR_OK;
    if (g->x->spec.combine) {
        *value = span(g->acc, g->x->spec.value_bytes);
        g->value = g->end;
    } else {
        *value = item_value(g->x, g->items + g->value++ * g->x->width);
    }
    return ERR_OK;
}

/* --- delivery in rounds */

typedef struct {
    Exchange *x;
    ExchangeEach fn;
    void *ctx;
    const Block **block; /* of all lanes */
    size_t n_blocks;
    size_t *count; /* threads x partitions: items of partition p in the blocks of share t; later: where they go */
    size_t *total; /* of each partition */
    size_t scratch_bytes;
    uint8_t *items;  /* of the round */
    ErrCode rc;      /* of the lowest partition that failed */
    uint32_t failed; /* which; n of partitions while none did */
    Err err;
} Delivery;

static size_t share_begin(const Delivery *d, int t) { return d->n_blocks * (size_t)t / (size_t)d->x->threads; }

static ErrCode list_blocks(Delivery *d, Err *err)
{
    const Exchange *x = d->x;
    size_t n = 0, counts;

    for (int i = 0; i < x->threads; i++)
        for (const Block *b = x->lane[i].block; b; b = b->older) d->n_blocks++;
    d->block = calloc(d->n_blocks + 1, sizeof *d->block);
    if (!size_mul((size_t)x->threads, x->spec.partitions, &counts)) return err_nomem(err, x->name);
    d->count = calloc(counts, sizeof *d->count);
    d->total = calloc(x->spec.partitions, sizeof *d->total);
    if (!d->block || !d->count || !d->total) return err_nomem(err, x->name);
    for (int i = 0; i < x->threads; i++)
        for (const Block *b = x->lane[i].block; b; b = b->older) d->block[n++] = b;
    return ERR_OK;
}

static void count_items(Delivery *d)
{
    const Exchange *x = d->x;

#pragma omp parallel for schedule(static, 1) num_threads(x->threads)
    for (int t = 0; t < x->threads; t++) {
        size_t *count = d->count + (size_t)t * x->spec.partitions;
        for (size_t i = share_begin(d, t); i < share_begin(d, t + 1); i++) {
            const Block *b = d->block[i];
            for (size_t at = 0; at < b->used; at += record_bytes(x, b->bytes + at))
                count[partition_of(x, b->bytes + at)]++;
        }
    }
    for (int t = 0; t < x->threads; t++)
        for (uint32_t p = 0; p < x->spec.partitions; p++) d->total[p] += d->count[(size_t)t * x->spec.partitions + p];
}

/* Items of partitions [from, to), partition behind partition, within each in the order of shares. */
static void scatter_items(Delivery *d, uint32_t from, uint32_t to)
{
    const Exchange *x = d->x;
    size_t at = 0, n_parts = x->spec.partitions;

    for (uint32_t p = from; p < to; p++) {
        for (int t = 0; t < x->threads; t++) {
            size_t n = d->count[(size_t)t * n_parts + p];
            d->count[(size_t)t * n_parts + p] = at;
            at += n;
        }
    }
#pragma omp parallel for schedule(static, 1) num_threads(x->threads)
    for (int t = 0; t < x->threads; t++) {
        size_t *next = d->count + (size_t)t * n_parts;
        for (size_t i = share_begin(d, t); i < share_begin(d, t + 1); i++) {
            const Block *b = d->block[i];
            for (size_t k = 0; k < b->used; k += record_bytes(x, b->bytes + k)) {
                uint32_t p = partition_of(x, b->bytes + k);
                if (p >= from && p < to) make_item(x, d->items + next[p]++ * x->width, b->bytes + k);
            }
        }
    }
}

static void deliver_partition(Delivery *d, int thread, uint32_t p, uint8_t *items, uint8_t *scratch)
{
    const Exchange *x = d->x;
    ExchangeGroups g = {.x = x, .items = items, .n = d->total[p], .acc = scratch + d->scratch_bytes};
    Err err;
    ErrCode rc;

    if (interrupt_seen()) {
        rc = err_set(&err, ERR_INTR, "interrupted");
    } else {
        radix_sort(items, g.n, x->width, x->sort_bytes, scratch, d->scratch_bytes);
        rc = d->fn(d->ctx, thread, p, &g, &err);
    }
    if (rc == ERR_OK) return;
#pragma omp critical(exchange_failure)
    if (p < d->failed) {
        d->failed = p;
        d->rc = rc;
        d->err = err;
    }
}

static ErrCode deliver_round(Delivery *d, uint32_t from, uint32_t to, Err *err)
{
    const Exchange *x = d->x;
    size_t acc = x->spec.combine ? x->spec.value_bytes : 0, *first = calloc((size_t)(to - from) + 1, sizeof *first);
    uint8_t *scratch = malloc((d->scratch_bytes + acc + 64) * (size_t)x->threads);
    ErrCode rc = first && scratch ? ERR_OK : err_nomem(err, x->name);

    if (rc == ERR_OK) {
        for (uint32_t p = from; p < to; p++) first[p - from + 1] = first[p - from] + d->total[p];
        scatter_items(d, from, to);
#pragma omp parallel num_threads(x->threads)
        {
            int thread = omp_get_thread_num();
            uint8_t *own = scratch + (d->scratch_bytes + acc + 64) * (size_t)thread;
#pragma omp for schedule(dynamic, 1)
            for (uint32_t p = from; p < to; p++)
                deliver_partition(d, thread, p, d->items + first[p - from] * x->width, own);
        }
        rc = d->rc;
        if (rc && err) *err = d->err;
    }
    free(first);
    free(scratch);
    return rc;
}

/* How many items a round may hold: what the log leaves of the budget, less the scratch. */
static ErrCode round_capacity(Delivery *d, size_t *capacity, Err *err)
{
    const Exchange *x = d->x;
    uint64_t left = x->spec.memory - atomic_load(&x->log_bytes), n = 0, largest = 0,
             share = left / 8 / (uint64_t)x->threads;

    d->scratch_bytes = share < SCRATCH_MAX ? (size_t)share : SCRATCH_MAX;
    left -= (uint64_t)d->scratch_bytes * (uint64_t)x->threads;
    for (uint32_t p = 0; p < x->spec.partitions; p++) {
        n += d->total[p];
        if (d->total[p] > largest) largest = d->total[p];
    }
    if (largest * x->width > left) return too_large(x, atomic_load(&x->log_bytes) + largest * x->width, err);
    *capacity = (size_t)(left / x->width < n ? left / x->width : n);
    d->items = malloc(*capacity * x->width + 1);
    return d->items ? ERR_OK : err_nomem(err, x->name);
}

static ErrCode deliver_all(Delivery *d, Err *err)
{
    uint32_t n_parts = d->x->spec.partitions, to;
    size_t capacity = 0;
    ErrCode rc = round_capacity(d, &capacity, err);

    for (uint32_t from = 0; from < n_parts && rc == ERR_OK; from = to) {
        size_t n = 0;
        for (to = from; to < n_parts && d->total[to] <= capacity - n; to++) n += d->total[to];
        rc = deliver_round(d, from, to, err);
    }
    return rc;
}

ErrCode exchange_each(Exchange *x, ExchangeEach fn, void *ctx, Err *err)
{
    Delivery d = {.x = x, .fn = fn, .ctx = ctx, .failed = UINT32_MAX};
    ErrCode rc = list_blocks(&d, err);

    assert(x->flipped);
    if (rc == ERR_OK) {
        count_items(&d);
        rc = deliver_all(&d, err);
    }
    free(d.block);
    free(d.count);
    free(d.total);
    free(d.items);
    return rc;
}
