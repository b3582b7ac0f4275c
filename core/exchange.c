/* Opening, flipping and closing: see core/exchange_impl.h for what lies between. */
#include "core/exchange_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BLOCK_FIRST = 64 << 10,
    BLOCK_MAX = 8 << 20, /* of a combiner: the more a block holds, the more it folds */
    STAGE_WHOLE = 192,   /* whole cache lines and whole records of 12, 16, 24, 32, 48 or 64 bytes; of 20 bytes: */
    STAGE_20 = 320,
    STAGE_ODD = 256,
    BIN_COST = 1280, /* bytes of a lane for one bin: stage, first chunk, index */
    RUN_CHUNK_LEAST = 4 << 10,
    RUN_CHUNK_MOST = 256 << 10,
    MEMORY_LEAST = 256 << 10 /* a thread: below that, runs would be smaller than blocks */
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

    if (share > BLOCK_MAX) share = BLOCK_MAX;
    return share > BLOCK_FIRST ? (size_t)share : BLOCK_FIRST;
}

static size_t stage_bytes(size_t width)
{
    if (STAGE_WHOLE % width == 0) return STAGE_WHOLE;
    return width == 20 ? STAGE_20 : STAGE_ODD / width * width;
}

static size_t clamp(uint64_t n, size_t least, size_t most) { return n < least ? least : n > most ? most : (size_t)n; }

/* More ranks have more records, and each has some bins for each of its threads. */
static uint32_t bins_max(const Par *par)
{
    return par->n_ranks < BINS_MAX_RANKS ? BINS_MAX * (uint32_t)par->n_ranks : BINS_MAX * BINS_MAX_RANKS;
}

static void set_shape(Exchange *x)
{
    const ExchangeSpec *s = &x->spec;

    while (1u << x->bits < s->partitions) x->bits++;
    x->far = s->value_bytes > ITEM_MAX - EXCHANGE_KEY;
    x->hot_bytes = s->value_bytes;
    x->width = x->far ? ITEM_FAR : EXCHANGE_KEY + s->value_bytes;
    x->sort_bytes = x->far || s->combine ? EXCHANGE_KEY : x->width;
    x->stage_bytes = x->far ? 0 : stage_bytes(x->width);
    x->block_max = block_max(s, x->threads);
    x->share =
        s->memory * 7 / 16 / (uint64_t)x->threads; /* for chunks, for delivery; an eighth for stages and buffers */
    x->chunk_bytes = clamp(x->share / 32, RUN_CHUNK_LEAST, RUN_CHUNK_MOST);
    x->bin_bits = x->bits;
    while (x->bin_bits > 0 &&
           (1u << x->bin_bits > bins_max(&x->par) || (uint64_t)BIN_COST << x->bin_bits > x->share / 4))
        x->bin_bits--;
    x->bins = 1u << x->bin_bits;
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
    for (int i = 0; x->lane && i < x->threads; i++) lane_clear(x, &x->lane[i]);
    free(x->lane);
    free(x->scratch);
    free(x);
}

void exchange_own(const Exchange *x, uint32_t *begin, uint32_t *end)
{
    *begin = rank_bin(x, x->par.rank) << (x->bits - x->bin_bits);
    *end = rank_bin(x, x->par.rank + 1) << (x->bits - x->bin_bits);
}

ErrCode exchange_flip(Exchange *x, Err *err)
{
    ErrCode *rc = calloc((size_t)x->threads, sizeof *rc), first;
    Err *errs = calloc((size_t)x->threads, sizeof *errs);

    event_end(x->sending, 0, 0);
    EventSpan span = event_begin("flip", x->name, 0);
    if (!rc || !errs) {
        first = err_nomem(err, x->name);
    } else {
#pragma omp parallel for schedule(dynamic, 1) num_threads(x->threads)
        for (int i = 0; i < x->threads; i++) rc[i] = lane_flip(x, &x->lane[i], &errs[i]);
        first = par_first_error(rc, errs, (size_t)x->threads, err);
    }
    x->flipped = true;
    free(rc);
    free(errs);
    event_end(span, 0, 0);
    return first;
}

ErrCode exchange_each(Exchange *x, ExchangeEach fn, void *ctx, Err *err)
{
    Delivery d = {.x = x, .fn = fn, .ctx = ctx, .failed = UINT32_MAX};

    assert(x->flipped);
    EventSpan span = event_begin("deliver", x->name, 0);
    if (x->par.n_ranks > 1) {
        d.rc = exchange_each_rank(x, fn, ctx, err);
    } else {
        deliver_bins(&d, (BinRange){0, x->bins});
        if (d.rc && err) *err = d.err;
    }
    event_end(span, 0, 0);
    return d.rc;
}
