/* The sending side of one thread: a record goes to its bin's stage, the stage to the bin's chunk. A stage is written out
 * past the caches (on x86), since nobody reads a chunk before delivery: this halves the traffic with memory. */
#include "core/exchange_impl.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    SLAB_FIRST = 128 << 10,
    SLAB_MAX = 8 << 20,
    INDEX_LARGE = 512 << 10,
    INDEX_HUGE = (2 << 20) - SLAB_HEAD,
    BLOCK_FIRST = 64 << 10
};

/* --- memory */

/* The next n bytes of the slab, cleared, from the beginning of a cache line. */
static void *carve(Slab *s, size_t n)
{
    void *p = slab_bytes(s) + s->used;

    s->used += (n + 63) / 64 * 64;
    return memset(p, 0, n);
}

/* A lane's arrays, at its first record: side by side, and on one huge page when they are large, since every record goes to another
 * place in them. */
static ErrCode lane_begin(const Exchange *x, Lane *lane, Err *err)
{
    size_t bins = x->bins, each = sizeof(BinTail) + sizeof(Chunk *) + sizeof(uint64_t) + sizeof(uint16_t);
    size_t bytes = bins * (x->stage_bytes + each) + 5 * 64;
    Slab *s = lane->index = slab_take(bytes >= INDEX_LARGE && bytes < INDEX_HUGE ? INDEX_HUGE : bytes);

    if (!s) return err_nomem(err, x->name);
    lane->stage = carve(s, bins * x->stage_bytes);
    lane->tail = carve(s, bins * sizeof *lane->tail);
    lane->chunk = carve(s, bins * sizeof(Chunk *));
    lane->n_far = carve(s, bins * sizeof *lane->n_far);
    lane->n_staged = carve(s, bins * sizeof *lane->n_staged);
    lane->hot = !x->far && !x->spec.combine && (x->hot_bytes == 0 || x->hot_bytes == 4 || x->hot_bytes == 8);
    return ERR_OK;
}

static void forget_chunks(Exchange *x, Lane *lane)
{
    while (lane->slab) {
        Slab *older = lane->slab->older;
        slab_give(lane->slab, x->spec.memory);
        lane->slab = older;
    }
    atomic_fetch_sub(&x->slab_bytes, lane->slab_bytes);
    lane->slab_bytes = 0;
    if (!lane->index) return;
    memset(lane->tail, 0, x->bins * sizeof *lane->tail);
    memset(lane->chunk, 0, x->bins * sizeof(Chunk *));
    memset(lane->n_far, 0, x->bins * sizeof *lane->n_far);
}

void lane_clear(Exchange *x, Lane *lane)
{
    forget_chunks(x, lane);
    slab_give(lane->index, x->spec.memory);
    free(lane->block);
    buf_clear(&lane->out);
    runs_free(&lane->run);
}

void chunks_close(const Exchange *x, Lane *lane)
{
    for (uint32_t b = 0; lane->index && b < x->bins; b++)
        if (lane->chunk[b]) lane->chunk[b]->used = lane->chunk[b]->cap - lane->tail[b].room;
}

/* Runs' indexes are part of a lane's share, up to half of it: what is left must hold chunks worth writing. */
static uint64_t chunk_share(const Exchange *x, const Lane *lane)
{
    return x->share - (lane->run_index < x->share / 2 ? lane->run_index : x->share / 2);
}

/* Chunks may take a lane's share and then go to scratch; without scratch, what delivery leaves of the whole budget. */
static ErrCode bound_memory(Exchange *x, Lane *lane, size_t more, Err *err)
{
    uint64_t all = atomic_load(&x->slab_bytes) + more, most = x->share * (uint64_t)x->threads;

    if (x->scratch) {
        if (lane->slab_bytes == 0 || lane->slab_bytes + more <= chunk_share(x, lane)) return ERR_OK;
        chunks_close(x, lane);
        ErrCode rc = run_spill(x, lane, err);
        if (rc == ERR_OK) forget_chunks(x, lane);
        return rc;
    }
    if (all <= most) return ERR_OK;
    return err_set(err, ERR_NOMEM,
                   "exchange %s: %" PRIu64 " MiB do not fit in --memory of %" PRIu64
                   " MiB, whose half is for delivery",
                   x->name, all >> 20, x->spec.memory >> 20);
}

static ErrCode new_slab(Exchange *x, Lane *lane, size_t need, Err *err)
{
    size_t cap = lane->slab ? lane->slab->cap * 2 : SLAB_FIRST;
    ErrCode rc;
    Slab *s;

    if (cap > SLAB_MAX) cap = SLAB_MAX;
    if (cap > x->share / 4) cap = x->share / 4;
    if (cap < need) cap = need;
    if ((rc = bound_memory(x, lane, SLAB_HEAD + cap, err)) != ERR_OK) return rc;
    if (!(s = slab_take(cap))) return err_nomem(err, x->name);
    s->older = lane->slab;
    lane->slab = s;
    lane->slab_bytes += SLAB_HEAD + s->cap;
    atomic_fetch_add(&x->slab_bytes, SLAB_HEAD + s->cap);
    return ERR_OK;
}

/* A chunk of the bin with room for `need` bytes. What the lane had may have gone to scratch. */
static ErrCode new_chunk(Exchange *x, Lane *lane, uint32_t bin, size_t need, Err *err)
{
    BinTail *tail = &lane->tail[bin];
    Chunk *old = lane->chunk[bin];
    size_t unit = x->stage_bytes ? x->stage_bytes : x->width, cap;
    uint64_t have;
    ErrCode rc;

    if (old) old->used = old->cap - tail->room;
    have = old ? old->older_bytes + old->used : 0;
    cap = have / 8 > CHUNK_FIRST ? have / 8 < CHUNK_MAX ? (size_t)(have / 8) : CHUNK_MAX : CHUNK_FIRST;
    if (cap > x->share / 16) cap = (size_t)(x->share / 16);
    if (cap < need) cap = need;
    cap = (cap + unit - 1) / unit * unit;
    size_t bytes = (CHUNK_HEAD + cap + 63) / 64 * 64;
    if (!lane->slab || lane->slab->cap - lane->slab->used < bytes)
        if ((rc = new_slab(x, lane, bytes, err)) != ERR_OK) return rc;
    Chunk *c = (Chunk *)(void *)(slab_bytes(lane->slab) + lane->slab->used);
    lane->slab->used += bytes;
    old = lane->chunk[bin];
    c->older = old;
    c->older_bytes = old ? have : 0;
    c->used = 0;
    c->cap = cap;
    lane->chunk[bin] = c;
    *tail = (BinTail){c->record, cap};
    return ERR_OK;
}

/* --- the way of a record */

/* Copies what never is read soon. On x86 the stores pass by the caches and are weakly ordered: whoever reads what another thread sent
 * has met that thread in between, by a barrier or a lock, and locked instructions wait for such stores. */
static inline void copy_out(uint8_t *to, const uint8_t *from, size_t n)
{
#ifdef __SSE2__
    if (((uintptr_t)to | (uintptr_t)from | n) % 64 == 0) {
        for (size_t i = 0; i < n; i += 64) {
            const __m128i *f = (const __m128i *)(const void *)(from + i);
            __m128i *t = (__m128i *)(void *)(to + i);
            __m128i a = _mm_load_si128(f), b = _mm_load_si128(f + 1), c = _mm_load_si128(f + 2),
                    d = _mm_load_si128(f + 3);
            _mm_stream_si128(t, a);
            _mm_stream_si128(t + 1, b);
            _mm_stream_si128(t + 2, c);
            _mm_stream_si128(t + 3, d);
        }
        return;
    }
#endif
    memcpy(to, from, n);
}

/* A record is lost, and its stage may be full. So nothing more is taken: callers go on with what they have next. */
static ErrCode lane_fail(Lane *lane, ErrCode rc, const Err *err)
{
    lane->failed = rc;
    lane->hot = false;
    if (err)
        lane->err = *err;
    else
        err_set(&lane->err, rc, "sending has failed before");
    return rc;
}

static ErrCode lane_failed(const Lane *lane, Err *err)
{
    if (lane->failed && err) *err = lane->err;
    return lane->failed;
}

__attribute__((noinline)) static ErrCode flush_stage(Exchange *x, Lane *lane, uint32_t bin, Err *err)
{
    BinTail *tail = &lane->tail[bin];
    size_t n = lane->n_staged[bin];
    ErrCode rc;

    if (tail->room < n)
        if ((rc = new_chunk(x, lane, bin, n, err)) != ERR_OK) return lane_fail(lane, rc, err);
    copy_out(tail->to, lane->stage + bin * x->stage_bytes, n);
    tail->to += n;
    tail->room -= n;
    lane->n_staged[bin] = 0;
    return ERR_OK;
}

/* By halves, as keys are made: loads of what two stores have just written would wait for the stores. */
static inline void key_copy(uint8_t *to, const uint8_t *key)
{
    uint64_t a, b;

    memcpy(&a, key, 8);
    memcpy(&b, key + 8, 8);
#ifdef __GNUC__
    __asm__("" : "+r"(b)); /* or the compiler makes one load of them again */
#endif
    memcpy(to, &a, 8);
    memcpy(to + 8, &b, 8);
}

/* Where the record's value goes; *n_staged is then what the bin has staged with it. */
static inline uint8_t *stage_record(const Exchange *x, Lane *lane, const uint8_t *key, uint32_t value_bytes,
                                    uint32_t *bin, size_t *n_staged)
{
    uint8_t *p;

    *bin = key_top(key, x->bin_bits);
    p = lane->stage + *bin * x->stage_bytes + lane->n_staged[*bin];
    key_copy(p, key);
    *n_staged = lane->n_staged[*bin] + EXCHANGE_KEY + (size_t)value_bytes;
    lane->n_staged[*bin] = (uint16_t)*n_staged;
    return p + EXCHANGE_KEY;
}

static ErrCode put_narrow(Exchange *x, Lane *lane, const uint8_t *key, const void *value, Err *err)
{
    uint32_t bin;
    size_t n;
    uint8_t *p = stage_record(x, lane, key, x->spec.value_bytes, &bin, &n);

    if (x->spec.value_bytes) memcpy(p, value, x->spec.value_bytes);
    return n == x->stage_bytes ? flush_stage(x, lane, bin, err) : ERR_OK;
}

static ErrCode put_far(Exchange *x, Lane *lane, const uint8_t *key, const void *value, uint32_t n, Err *err)
{
    uint32_t bin = key_top(key, x->bin_bits);
    BinTail *tail = &lane->tail[bin];
    size_t bytes = FAR_HEAD + (size_t)n;
    ErrCode rc;

    if (tail->room < bytes)
        if ((rc = new_chunk(x, lane, bin, bytes, err)) != ERR_OK) return rc;
    memcpy(tail->to, key, EXCHANGE_KEY);
    le32_put(tail->to + EXCHANGE_KEY, n);
    if (n) memcpy(tail->to + FAR_HEAD, value, n);
    tail->to += bytes;
    tail->room -= bytes;
    lane->n_far[bin]++;
    return ERR_OK;
}

static ErrCode put_binned(Exchange *x, Lane *lane, const uint8_t *key, const void *value, uint32_t n, Err *err)
{
    return x->far ? put_far(x, lane, key, value, n, err) : put_narrow(x, lane, key, value, err);
}

/* --- combiner: the block */

/* Folds the block. What is left stays in it when that is half or less, and else goes to the bins. */
static ErrCode fold_block(Exchange *x, Lane *lane, bool last, Err *err)
{
    BinStream in = {0};
    const uint8_t *r, *acc = NULL;
    size_t head = x->far ? FAR_HEAD : EXCHANGE_KEY, used = 0;
    Span all = span(lane->block, lane->used);
    uint8_t *out = NULL;
    ErrCode rc = binstream_sort(&in, x, &all, 1, 0, err);

    if (rc == ERR_OK && !(out = malloc(lane->used))) rc = err_nomem(err, x->name);
    for (; rc == ERR_OK && (r = binstream_peek(&in)) != NULL; rc = binstream_pop(&in, err)) {
        if (acc && same_key(acc, r)) {
            x->spec.combine(out + (acc - out) + head, r + head);
            continue;
        }
        memcpy(out + used, r, record_bytes(x, r));
        acc = out + used;
        used += record_bytes(x, r);
    }
    lane->used = 0;
    if (rc == ERR_OK && !last && used <= lane->cap / 2) {
        memcpy(lane->block, out, used);
        lane->used = used;
        used = 0;
    }
    for (size_t at = 0; at < used && rc == ERR_OK; at += record_bytes(x, out + at)) {
        Span v = record_value(x, out + at);
        rc = put_binned(x, lane, out + at, v.p, (uint32_t)v.n, err);
    }
    free(out);
    binstream_clear(&in);
    return rc;
}

/* Room for a record of n bytes. Blocks double from small to block_max: many lanes that send little cost little. A block that was
 * halved stays; it then has room, since a record of more than half a block is never halved. */
static ErrCode make_room(Exchange *x, Lane *lane, size_t n, Err *err)
{
    size_t cap = lane->cap ? lane->cap * 2 : BLOCK_FIRST;
    uint8_t *block;
    ErrCode rc = lane->used ? fold_block(x, lane, false, err) : ERR_OK;

    if (rc || lane->used) return rc;
    if (cap > x->block_max) cap = x->block_max;
    if (cap < n) cap = n;
    if (cap <= lane->cap) return ERR_OK;
    free(lane->block);
    lane->block = block = malloc(cap);
    lane->cap = block ? cap : 0;
    return block ? ERR_OK : err_nomem(err, x->name);
}

static ErrCode put_block(Exchange *x, Lane *lane, const uint8_t *key, const void *value, uint32_t n, Err *err)
{
    size_t head = x->far ? FAR_HEAD : EXCHANGE_KEY;
    ErrCode rc;

    if (lane->cap - lane->used < head + n)
        if ((rc = make_room(x, lane, head + n, err)) != ERR_OK) return rc;
    uint8_t *p = lane->block + lane->used;
    memcpy(p, key, EXCHANGE_KEY);
    if (x->far) le32_put(p + EXCHANGE_KEY, n);
    if (n) memcpy(p + head, value, n);
    lane->used += head + n;
    return ERR_OK;
}

/* All but the hot way. */
__attribute__((noinline)) static ErrCode put_checked(Exchange *x, Lane *lane, const uint8_t *key, const void *value,
                                                     uint32_t n, Err *err)
{
    ErrCode rc;

    assert(!x->flipped);
    if ((rc = lane_failed(lane, err)) != ERR_OK) return rc;
    if (x->spec.value_bytes == UINT32_MAX ? n > EXCHANGE_MAX_VALUE : n != x->spec.value_bytes)
        return err_set(err, ERR_LIMIT, "exchange %s: a value of %" PRIu32 " bytes", x->name, n);
    if (!lane->index)
        if ((rc = lane_begin(x, lane, err)) != ERR_OK) return rc;
    rc = x->spec.combine ? put_block(x, lane, key, value, n, err) : put_binned(x, lane, key, value, n, err);
    return rc ? lane_fail(lane, rc, err) : ERR_OK;
}

ErrCode exchange_put(Exchange *x, int lane_no, const uint8_t key[EXCHANGE_KEY], const void *value, uint32_t n,
                     Err *err)
{
    Lane *lane = &x->lane[lane_no];
    uint32_t bin;
    size_t staged;
    uint8_t *p;

    assert(lane_no >= 0 && lane_no < x->threads);
    if (n != x->hot_bytes || !lane->hot) return put_checked(x, lane, key, value, n, err);
    p = stage_record(x, lane, key, n, &bin, &staged);
    if (n == 8)
        memcpy(p, value, 8);
    else if (n == 4)
        memcpy(p, value, 4);
    return staged == x->stage_bytes ? flush_stage(x, lane, bin, err) : ERR_OK;
}

ErrCode lane_flip(Exchange *x, Lane *lane, Err *err)
{
    ErrCode rc = lane_failed(lane, err);

    if (rc == ERR_OK && lane->used) rc = fold_block(x, lane, true, err);
    for (uint32_t b = 0; lane->index && b < x->bins && rc == ERR_OK; b++)
        if (lane->n_staged[b]) rc = flush_stage(x, lane, b, err);
    chunks_close(x, lane);
    lane->hot = false;
    free(lane->block);
    buf_clear(&lane->out);
    lane->block = NULL;
    lane->cap = lane->used = 0;
    return rc;
}
