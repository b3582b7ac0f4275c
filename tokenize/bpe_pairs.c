/* The tracked pairs: a table, a heap whose order is the rule, and memory for positions. */
#include "tokenize/bpe_trainer.h"

enum { PAIR_MIN_BITS = 12, POOL_CHUNK = 256 << 10 };

struct PoolChunk {
    PoolChunk *older;
    Slab *slab;
};

/* --- the table */

static size_t pair_slot(const Trainer *t, uint64_t pair)
{
    size_t mask = ((size_t)1 << t->pair_bits) - 1, at = (size_t)mix64(pair) & mask;

    while (t->pairs[at].list.at && t->pairs[at].pair != pair) at = (at + 1) & mask;
    return at;
}

PairInfo *pair_find(const Trainer *t, uint64_t pair)
{
    PairInfo *p = &t->pairs[pair_slot(t, pair)];

    return p->list.at ? p : NULL;
}

static ErrCode pairs_grow(Trainer *t, Err *err)
{
    PairInfo *old = t->pairs;
    size_t n_old = (size_t)1 << t->pair_bits;

    if (!(t->pairs = calloc(2 * n_old, sizeof *old))) {
        t->pairs = old;
        return err_nomem(err, "pairs of tokens");
    }
    t->pair_bits++;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].list.at) t->pairs[pair_slot(t, old[i].pair)] = old[i];
    free(old);
    return ERR_OK;
}

/* A table at most half full. */
static unsigned bits_for(uint64_t n)
{
    unsigned bits = PAIR_MIN_BITS;

    while (bits < 60 && n > (uint64_t)1 << (bits - 1)) bits++;
    return bits;
}

uint64_t pairs_bytes(uint64_t n) { return (sizeof(PairInfo) << bits_for(n)) + 2 * n * sizeof(HeapEntry); }

ErrCode pairs_start(Trainer *t, size_t n, Err *err)
{
    t->pair_bits = bits_for(n);
    t->pairs = calloc((size_t)1 << t->pair_bits, sizeof *t->pairs);
    return t->pairs ? ERR_OK : err_nomem(err, "pairs of tokens");
}

bool pairs_fit(Trainer *t, uint64_t n, uint64_t bytes)
{
    const uint64_t table = bits_for(t->n_pairs + n) > t->pair_bits ? sizeof(PairInfo) << (t->pair_bits + 1) : 0;
    const uint64_t heap = t->n_heap + n > t->cap_heap ? 2 * t->cap_heap * sizeof(HeapEntry) : 0;
    const uint64_t now = t->pool_bytes + (sizeof(PairInfo) << t->pair_bits) + t->cap_heap * sizeof(HeapEntry);

    t->full = t->full || bytes > t->memory || now + table + heap > t->memory - bytes;
    return !t->full;
}

void pairs_clear(Trainer *t)
{
    free(t->pairs);
    free(t->heap);
    t->pairs = NULL, t->heap = NULL;
    t->n_pairs = t->n_heap = t->cap_heap = 0;
    while (t->pool) {
        PoolChunk *c = t->pool;
        t->pool = c->older;
        slab_give(c->slab, 0);
    }
    t->pool_at = NULL;
    t->pool_left = 0;
    t->pool_bytes = 0;
    t->full = false;
}

/* --- the heap: highest count first, then the smaller pair */

static inline bool goes_first(HeapEntry a, HeapEntry b)
{
    return a.count != b.count ? a.count > b.count : a.pair < b.pair;
}

static void heap_sink(Trainer *t, size_t i, HeapEntry e)
{
    for (size_t child; (child = 2 * i + 1) < t->n_heap; i = child) {
        if (child + 1 < t->n_heap && goes_first(t->heap[child + 1], t->heap[child])) child++;
        if (!goes_first(t->heap[child], e)) break;
        t->heap[i] = t->heap[child];
    }
    t->heap[i] = e;
}

static ErrCode heap_push(Trainer *t, HeapEntry e, Err *err)
{
    HeapEntry *heap = array_grow(t->heap, t->n_heap, &t->cap_heap, sizeof *heap);
    size_t i = t->n_heap;

    if (!heap) return err_nomem(err, "pairs of tokens");
    t->heap = heap;
    t->n_heap++;
    for (; i && goes_first(e, heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = e;
    return ERR_OK;
}

bool heap_pop(Trainer *t, HeapEntry *best)
{
    while (t->n_heap) {
        HeapEntry top = t->heap[0];
        uint64_t now = t->pairs[pair_slot(t, top.pair)].count;
        if (now == top.count) {
            if (--t->n_heap) heap_sink(t, 0, t->heap[t->n_heap]);
            *best = top;
            return true;
        }
        if (now >= t->least)
            heap_sink(t, 0, (HeapEntry){now, top.pair});
        else if (--t->n_heap)
            heap_sink(t, 0, t->heap[t->n_heap]);
    }
    return false;
}

ErrCode pair_add(Trainer *t, uint64_t pair, uint64_t count, Positions list, Err *err)
{
    t->pairs[pair_slot(t, pair)] = (PairInfo){pair, count, list};
    if (++t->n_pairs > (size_t)1 << (t->pair_bits - 1)) {
        ErrCode rc = pairs_grow(t, err);
        if (rc != ERR_OK) return rc;
    }
    return heap_push(t, (HeapEntry){count, pair}, err);
}

/* --- memory for positions */

/* Large lists lie on huge pages. */
uint64_t pool_bytes(uint64_t bytes)
{
    const uint64_t page = 2 << 20;

    return bytes > POOL_CHUNK ? (bytes + SLAB_HEAD + sizeof(PoolChunk) + page - 1) / page * page : bytes;
}

static uint8_t *pool_chunk(Trainer *t, size_t bytes)
{
    Slab *slab = slab_take(sizeof(PoolChunk) + bytes);

    if (!slab) return NULL;
    t->pool_bytes += SLAB_HEAD + slab->cap;
    PoolChunk *c = (PoolChunk *)(void *)slab_bytes(slab);
    *c = (PoolChunk){t->pool, slab};
    t->pool = c;
    return (uint8_t *)(c + 1);
}

uint8_t *pool_take(Trainer *t, size_t bytes)
{
    if (bytes > POOL_CHUNK / 4) return pool_chunk(t, bytes);
    if (bytes > t->pool_left) {
        if (!(t->pool_at = pool_chunk(t, POOL_CHUNK))) return NULL;
        t->pool_left = POOL_CHUNK;
    }
    uint8_t *p = t->pool_at;
    t->pool_at += bytes, t->pool_left -= bytes;
    return p;
}
