/* core/exchange_impl.h - private to core/exchange*.c: what the sending half leaves for the delivering half.
 *
 * A record in memory or on scratch is its key, then (when values vary or are wide: a `far` exchange) u32 size of the value, then the
 * value. The key space is cut into bins by the key's top bits, one or more partitions a bin.
 *
 *   put      with a combiner: block of a lane --full--> folded; what does not fold away goes on
 *            narrow records: staged, a few a bin, so that the stage stays in a core's cache  --full-->  chunk of the bin
 *            chunks of a lane beyond its share of the budget  -->  run: bin behind bin on scratch, runs of a lane in one file
 *   flip     what is staged becomes chunks
 *   deliver  bins in batches by each thread: a batch's part of every run is read in one go, then bin after bin is sorted out of
 *            its slices (chunks, parts of runs, what other ranks sent) into one place; a bin that does not fit is sorted in
 *            pieces and merged as a stream (core/exchange_wide.c)
 *
 * No slice is in any order, and which way a record went changes nothing that is delivered. */
#ifndef TAMIS_CORE_EXCHANGE_IMPL_H
#define TAMIS_CORE_EXCHANGE_IMPL_H

#include "core/buf.h"
#include "core/events.h"
#include "core/exchange.h"
#include "core/radix.h"
#include "core/slab.h"

#include <stdatomic.h>

enum {
    ITEM_MAX = RADIX_MAX_WIDTH, /* records up to here are sorted as they are; wider ones by key and address */
    ITEM_FAR = EXCHANGE_KEY + sizeof(uint8_t *),
    FAR_HEAD = EXCHANGE_KEY + 4,
    CHUNK_HEAD = 64,
    CHUNK_FIRST = 768,   /* bytes; later ones have an eighth of what the bin has */
    CHUNK_MAX = 1 << 20, /* but for a record that is larger */
    BINS_MAX = 4096,     /* the stage of so many is 768 KiB; a multiple of it when there are */
    BINS_MAX_RANKS = 16  /* more ranks, up to this */
};

/* Records of one bin and lane, one behind the other. */
typedef struct Chunk Chunk;
struct Chunk {
    Chunk *older;
    uint64_t older_bytes; /* of records in all older ones */
    uint64_t used; /* bytes of records here; of the newest chunk of a bin known once chunks_close() was called */
    uint64_t cap;
    uint8_t pad[CHUNK_HEAD - 32];
    uint8_t record[]; /* begins a cache line */
};

typedef struct {
    uint8_t *to; /* where the newest chunk goes on */
    size_t room;
} BinTail;

typedef struct ExchangeRun ExchangeRun;
typedef struct BinMerge BinMerge;

typedef struct {
    Slab *index;        /* in which the next five lie; NULL: nothing was put yet */
    uint8_t *stage;     /* narrow: stage_bytes a bin */
    uint16_t *n_staged; /* bytes of them in use */
    bool hot;           /* records go straight to the stage: values of 0, 4 or 8 bytes, no combiner, not flipped */
    BinTail *tail;      /* of every bin */
    Chunk **chunk;      /* of every bin, the newest */
    uint64_t *n_far;    /* far: records of every bin in chunks */
    uint8_t *block;     /* combiner: records as they came */
    size_t used, cap;
    Slab *slab;          /* the newest, in which chunks lie */
    uint64_t slab_bytes; /* memory of all slabs */
    ExchangeRun *run;    /* the newest */
    uint64_t run_index;  /* memory in which runs keep where their bins begin */
    Buf out;             /* on its way to a run */
    ErrCode failed;      /* a put has: its record is lost, and every later call says so again */
    Err err;
    uint8_t pad[32]; /* lanes written by different threads do not share a cache line */
} Lane;

/* What another rank sent of the bins [begin, end). */
typedef struct {
    uint32_t begin, end;
    uint8_t *record;
    uint64_t *offset; /* of every bin's records, and where the last one's end */
    const uint8_t *n; /* far: u32 records of every bin */
} Section;

struct Exchange {
    ExchangeSpec spec;
    char name[32], *scratch;
    Par par;
    int threads;
    unsigned bits, bin_bits; /* partitions == 1 << bits, bins == 1 << bin_bits, bin_bits <= bits */
    uint32_t bins;
    size_t width;                               /* of an item: the record itself, or key and address of a far one */
    size_t sort_bytes;                          /* of an item's beginning that are sorted by */
    size_t stage_bytes, block_max, chunk_bytes; /* chunk_bytes: of a run, read and checked at once */
    uint64_t share; /* of the budget: what the chunks of one lane, or a thread that delivers, may take */
    bool far, flipped;
    uint32_t hot_bytes; /* of a value, where lane->hot */
    Lane *lane;
    EventSpan sending;           /* from the opening to the flip */
    _Atomic uint64_t slab_bytes; /* of all lanes */
    Section *section;            /* over ranks, while bins are delivered: what others sent */
    size_t n_sections;
    ExchangeRun *section_run; /* and what they sent of a bin too large to be sent at once */
};

/* --- records and items */

static inline size_t record_bytes(const Exchange *x, const uint8_t *p)
{
    return x->far ? FAR_HEAD + (size_t)le32_get(p + EXCHANGE_KEY) : x->width;
}
static inline Span record_value(const Exchange *x, const uint8_t *p)
{
    return x->far ? span(p + FAR_HEAD, le32_get(p + EXCHANGE_KEY)) : span(p + EXCHANGE_KEY, x->spec.value_bytes);
}
static inline uint32_t key_top(const uint8_t *key, unsigned bits) /* bits <= 16 */
{
    return (uint32_t)(be64_get(key) >> 1 >> (63 - bits));
}
static inline bool same_key(const uint8_t *a, const uint8_t *b) { return memcmp(a, b, EXCHANGE_KEY) == 0; }
int record_cmp(const Exchange *x, const uint8_t *a, const uint8_t *b); /* by key, then by bytes of the value */

/* Each rank owns a contiguous range of bins. */
static inline uint32_t rank_bin(const Exchange *x, int rank)
{
    return (uint32_t)((uint64_t)x->bins * (uint64_t)rank / (uint64_t)x->par.n_ranks);
}

/* --- lanes (exchange_lane.c) */

/* Everything that is staged or in the block goes to chunks, whose sizes are then known. */
MUST_USE ErrCode lane_flip(Exchange *x, Lane *lane, Err *err);
void chunks_close(const Exchange *x, Lane *lane);
void lane_clear(Exchange *x, Lane *lane); /* with its runs */
static inline uint64_t lane_bytes(const Lane *lane, uint32_t bin)
{
    const Chunk *c = lane->index ? lane->chunk[bin] : NULL;

    return c ? c->older_bytes + c->used : 0;
}

/* --- runs (exchange_run.c): bins in a file of this process, gone with it; a list of runs shares one file. Each bin's records follow in chunks of whole records: u32
 * bytes, u32 zero, u64 XXH3-64 of the records, the records. Where bins begin stays in memory. */

/* Takes records bin after bin; with a combiner each bin's in order of keys, which are folded. */
typedef struct RunWriter RunWriter;
/* list: takes the run when it is ended; only one is written for it at a time. out: holds what is not written yet. Both borrowed. */
MUST_USE ErrCode runwriter_new(RunWriter **w, const Exchange *x, uint32_t first_bin, uint32_t bins,
                               ExchangeRun **list, Buf *out, Err *err);
void runwriter_free(RunWriter *w);                      /* also after a failed runwriter_new() */
MUST_USE ErrCode runwriter_bin(RunWriter *w, Err *err); /* the next bin begins */
MUST_USE ErrCode runwriter_put(RunWriter *w, const uint8_t *record, Err *err); /* borrowed, like those: */
MUST_USE ErrCode runwriter_slice(RunWriter *w, Span records, Err *err);        /* as they are, not folded */
MUST_USE ErrCode runwriter_end(RunWriter *w, Err *err);                        /* the list takes the run */
/* Writes all chunks of the lane, closed ones, as one run; the lane is then empty. */
MUST_USE ErrCode run_spill(Exchange *x, Lane *lane, Err *err);
void run_free(ExchangeRun *r);
void runs_free(ExchangeRun **newest);
ExchangeRun **run_older(ExchangeRun *r);
/* Bytes that the bins' chunks [begin, end) take in the file, and records in one of them. */
uint64_t run_bytes(const ExchangeRun *r, uint32_t begin, uint32_t end);
uint64_t run_records(const ExchangeRun *r, uint32_t bin);
size_t run_chunk_max(const ExchangeRun *r); /* bytes of the largest chunk */
/* Of lane i; of what other ranks sent when i is x->threads. */
static inline ExchangeRun *runs_of(const Exchange *x, int i)
{
    return i < x->threads ? x->lane[i].run : x->section_run;
}
/* The next chunk of the bin into *buf (replaced); *at counts on from 0 and *end tells that there was none left. */
MUST_USE ErrCode run_chunk(ExchangeRun *r, uint32_t bin, uint64_t *at, Buf *buf, bool *end, Err *err);
/* All chunks of the bins [begin, end) in one go; then one of them out of what was read, *at as above. */
MUST_USE ErrCode run_read(ExchangeRun *r, uint32_t begin, uint32_t end, uint8_t *to, Err *err);
MUST_USE ErrCode run_next(ExchangeRun *r, uint32_t first, const uint8_t *bytes, uint32_t bin, uint64_t *at,
                          Span *records, Err *err);

/* --- one bin (exchange_bin.c) */

typedef struct {
    uint64_t memory, disk; /* bytes; on disk with the heads of chunks */
    uint64_t items;        /* bytes that gathering it takes */
} BinSize;
BinSize bin_size(const Exchange *x, uint32_t bin);
/* Whether a thread may gather it. */
static inline bool bin_fits(const Exchange *x, BinSize s) { return s.disk + s.items <= x->share; }

typedef struct {
    uint32_t begin, end; /* bins */
} BinRange;
/* The next bins from range->begin on, at most up to `last`, that a thread takes at once; *wide: one that does not fit. */
BinRange next_batch(const Exchange *x, uint32_t begin, uint32_t last, uint64_t target, bool *wide);

/* A sorted stream of one bin after the other: gathered, or merged where that does not fit. */
typedef struct {
    Exchange *x;
    Span *slice; /* of the bin at hand */
    size_t n_slices, cap_slices;
    Buf loaded; /* the runs' parts for the bins of `range`, run after run */
    BinRange range;
    uint8_t *items, *scratch;
    size_t cap_items;
    size_t n, next;  /* items */
    BinMerge *merge; /* not NULL: this way */
} BinStream;
void binstream_clear(BinStream *b);
/* Reads from scratch what there is of these bins. */
MUST_USE ErrCode binstream_load(BinStream *b, Exchange *x, BinRange range, Err *err);
/* The slices of a loaded bin; only the chunks of one lane, unless that is NULL. */
MUST_USE ErrCode binstream_slices(BinStream *b, Exchange *x, const Lane *only, uint32_t bin, Err *err);
/* Begins the stream of a loaded bin. Narrow records with a combiner are folded. */
MUST_USE ErrCode binstream_gather(BinStream *b, Exchange *x, const Lane *only, uint32_t bin, Err *err);
/* The same for slices that are given. */
MUST_USE ErrCode binstream_sort(BinStream *b, Exchange *x, const Span *slice, size_t n, unsigned shared, Err *err);
/* Begins the stream of a bin that is too wide and was not loaded. */
MUST_USE ErrCode binstream_wide(BinStream *b, Exchange *x, uint32_t bin, Err *err);
MUST_USE ErrCode merge_pop(BinMerge *m, Err *err);
const uint8_t *merge_peek(const BinMerge *m);
void merge_free(BinMerge *m);

static inline const uint8_t *item_record(const BinStream *b, size_t i)
{
    const uint8_t *p = b->items + i * b->x->width;

    if (b->x->far) memcpy(&p, p + EXCHANGE_KEY, sizeof p);
    return p;
}
/* The record at hand, NULL at the end. Valid until the pop. */
static inline const uint8_t *binstream_peek(const BinStream *b)
{
    if (b->merge) return merge_peek(b->merge);
    return b->next < b->n ? item_record(b, b->next) : NULL;
}
static inline ErrCode binstream_pop(BinStream *b, Err *err)
{
    if (b->merge) return merge_pop(b->merge, err);
    b->next++;
    return ERR_OK;
}

/* --- delivery (exchange_deliver.c) */

typedef struct {
    Exchange *x;
    ExchangeEach fn;
    void *ctx;
    ErrCode rc;      /* of the lowest partition that failed */
    uint32_t failed; /* which; UINT32_MAX while none did */
    Err err;
} Delivery;
/* Gives fn the partitions of the bins, threads in parallel. */
void deliver_bins(Delivery *d, BinRange bins);
/* Delivery over ranks (exchange_ranks.c). Collective. */
MUST_USE ErrCode exchange_each_rank(Exchange *x, ExchangeEach fn, void *ctx, Err *err);

#endif
