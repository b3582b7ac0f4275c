/* core/exchange_impl.h - private to core/exchange*.c: what the sending half leaves for the delivering half.
 *
 * A record in memory or on scratch is its key, then (when values vary or are wide: a `far` exchange) u32 size of the value, then the
 * value. The key space is cut into bins by the key's top bits, one or more partitions a bin.
 *
 *   lane    block of records as they came  --full-->  pack: the same records, bin behind bin, with an index of bins
 *           packs of a lane beyond its share of the budget  -->  run: one file on scratch, every bin sorted
 *   flip    the last blocks become packs
 *   deliver a bin at a time by each thread: its slices of all packs and runs are gathered and sorted, or, when that does not
 *           fit, sorted where they lie and merged as a stream
 *
 * A bin's slice of a far or folded pack is sorted; of any other it is in no order. Which of these ways a record went changes
 * nothing that is delivered. */
#ifndef TAMIS_CORE_EXCHANGE_IMPL_H
#define TAMIS_CORE_EXCHANGE_IMPL_H

#include "core/events.h"
#include "core/exchange.h"
#include "core/radix.h"
#include "core/store.h"

#include <stdatomic.h>

enum {
    ITEM_MAX = RADIX_MAX_WIDTH, /* records up to here are sorted as they are; wider ones by key and address */
    ITEM_FAR = EXCHANGE_KEY + sizeof(uint8_t *),
    FAR_HEAD = EXCHANGE_KEY + 4
};

/* Memory of a lane's packs, given back all at once. */
typedef struct Slab Slab;

typedef struct Pack {
    struct Pack *older;
    size_t bytes;    /* of records */
    uint32_t *begin; /* bins + 1 offsets of the bins' records */
    uint8_t *record;
} Pack;

typedef struct ExchangeRun ExchangeRun;
typedef struct BinMerge BinMerge;

typedef struct {
    uint8_t *block; /* records as they came */
    size_t used, cap;
    Pack *pack;          /* the newest */
    Slab *slab;          /* in which it lies */
    uint64_t slab_bytes; /* memory of all slabs */
    ExchangeRun *run;    /* the newest */
    uint8_t pad[8];      /* lanes written by different threads do not share a cache line */
} Lane;

struct Exchange {
    ExchangeSpec spec;
    char name[32], *scratch;
    Par par;
    int threads;
    unsigned bits, bin_bits;  /* partitions == 1 << bits, bins == 1 << bin_bits, bin_bits <= bits */
    uint32_t bins, first_bin; /* those that packs and runs have; all of them but for what came from other ranks */
    size_t width;             /* of an item: the record itself, or key and address of a far one */
    size_t sort_bytes;        /* of an item's beginning that are sorted by */
    size_t block_max;
    uint64_t share; /* of the budget: what the packs of one lane, or a thread that delivers, may take */
    bool far, flipped;
    Lane *lane;
    EventSpan sending;           /* from the opening to the flip */
    _Atomic uint64_t slab_bytes; /* of all lanes */
};

/* Delivery of one bin (exchange.c), numbered from the exchange's first_bin. */
typedef struct {
    Exchange *x;
    ExchangeEach fn;
    void *ctx;
    ErrCode rc;      /* of the lowest partition that failed */
    uint32_t failed; /* which; UINT32_MAX while none did */
    Err err;
} Delivery;
void deliver_bins(Delivery *d, int threads);

/* Each rank owns a contiguous range of bins. */
static inline uint32_t rank_bin(const Exchange *x, int rank)
{
    return (uint32_t)((uint64_t)x->bins * (uint64_t)rank / (uint64_t)x->par.n_ranks);
}
/* Delivery over ranks (exchange_ranks.c). Collective. */
MUST_USE ErrCode exchange_each_rank(Exchange *x, ExchangeEach fn, void *ctx, Err *err);

/* --- records and items */

static inline size_t record_bytes(const Exchange *x, const uint8_t *p)
{
    return x->far ? FAR_HEAD + (size_t)le32_get(p + EXCHANGE_KEY) : x->width;
}
static inline Span record_value(const Exchange *x, const uint8_t *p)
{
    return x->far ? span(p + FAR_HEAD, le32_get(p + EXCHANGE_KEY)) : span(p + EXCHANGE_KEY, x->spec.value_bytes);
}
static inline const uint8_t *item_record(const Exchange *x, const uint8_t *item)
{
    const uint8_t *p;

    if (!x->far) return item;
    memcpy(&p, item + EXCHANGE_KEY, sizeof p);
    return p;
}
static inline uint32_t key_top(const uint8_t *key, unsigned bits) /* bits <= 16 */
{
    return (uint32_t)(exchange_be64(key) >> 1 >> (63 - bits));
}
static inline bool same_key(const uint8_t *a, const uint8_t *b) { return memcmp(a, b, EXCHANGE_KEY) == 0; }
int record_cmp(const Exchange *x, const uint8_t *a, const uint8_t *b); /* by key, then by bytes of the value */

/* --- packs (exchange_pack.c) */

/* Makes a pack of the lane's block, which is empty afterwards. With a combiner the block is folded first and stays the
 * lane's when that halves it. */
MUST_USE ErrCode pack_block(Exchange *x, Lane *lane, Err *err);
void packs_free(Exchange *x, Lane *lane); /* and their slabs */
static inline Span pack_slice(const Pack *p, uint32_t bin)
{
    return span(p->record + p->begin[bin], p->begin[bin + 1] - p->begin[bin]); /* bin counts from first_bin */
}
/* Sorts the n items by key and value; scratch as of radix_sort(). */
void items_sort(const Exchange *x, uint8_t *items, size_t n, uint8_t *scratch, size_t scratch_bytes);
/* Fills in the items of one slice and returns how many. */
size_t items_of(const Exchange *x, Span slice, uint8_t *items);

/* --- runs (exchange_run.c): sorted bins in a file of this process, gone with it. After the header each bin's records follow
 * in chunks of whole records: u32 bytes, u32 zero, u64 XXH3-64 of the records, the records. Where bins begin stays in memory. */

/* Takes records bin after bin, each bin's in order of key and value; folds them when there is a combiner. */
typedef struct RunWriter RunWriter;
MUST_USE ErrCode runwriter_new(RunWriter **w, const Exchange *x, uint32_t bins, size_t buffer_bytes,
                               Err *err);                                      /* free *w even on failure */
MUST_USE ErrCode runwriter_bin(RunWriter *w, Err *err);                        /* the next bin begins */
MUST_USE ErrCode runwriter_put(RunWriter *w, const uint8_t *record, Err *err); /* borrowed */
MUST_USE ErrCode runwriter_end(RunWriter *w, Lane *lane, Err *err);            /* the lane takes the run */
void runwriter_free(RunWriter *w);
/* Writes all packs of the lane as one run and frees them. */
MUST_USE ErrCode run_spill(Exchange *x, Lane *lane, Err *err);
void runs_free(Lane *lane);
ExchangeRun *run_older(const ExchangeRun *r);
/* Bytes that the bin's chunks take in the file. */
uint64_t run_bin_bytes(const ExchangeRun *r, uint32_t bin);
/* The next chunk of the bin into *buf (replaced); *at counts on from 0 and *end tells that there was none left. */
MUST_USE ErrCode run_chunk(ExchangeRun *r, uint32_t bin, uint64_t *at, Buf *buf, bool *end, Err *err);

/* --- one bin as a sorted stream (exchange_bin.c): gathered, or merged where that does not fit */
typedef struct {
    Exchange *x;
    uint8_t *items, *scratch; /* gathered: sorted items, and the other half of the same allocation */
    size_t n, next, cap;      /* items; cap: bytes of each half */
    Buf raw;                  /* far records that came from runs */
    BinMerge *merge;          /* not NULL: this way */
} BinStream;
void binstream_clear(BinStream *b);
/* Only the lane's packs: what a spill writes. NULL: all of the exchange. */
MUST_USE ErrCode binstream_open(BinStream *b, Exchange *x, const Lane *only, uint32_t bin, Err *err);
/* The bin's records behind `out`, in no order. */
MUST_USE ErrCode bin_append(Exchange *x, uint32_t bin, Buf *out, Err *err);
MUST_USE ErrCode merge_pop(BinMerge *m, Err *err);
const uint8_t *merge_peek(const BinMerge *m);
void merge_free(BinMerge *m);

/* The record at hand, NULL at the end. Valid until the pop. */
static inline const uint8_t *binstream_peek(const BinStream *b)
{
    if (b->merge) return merge_peek(b->merge);
    return b->next < b->n ? item_record(b->x, b->items + b->next * b->x->width) : NULL;
}
static inline ErrCode binstream_pop(BinStream *b, Err *err)
{
    if (b->merge) return merge_pop(b->merge, err);
    b->next++;
    return ERR_OK;
}

#endif
