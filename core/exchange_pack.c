/* A full block becomes a pack: its records bin behind bin, so that delivery finds those of a bin in one place. */
#define _DEFAULT_SOURCE /* madvise */
#include "core/exchange_impl.h"

#include <stdlib.h>
#include <sys/mman.h>

int record_cmp(const Exchange *x, const uint8_t *a, const uint8_t *b)
{
    int c = memcmp(a, b, EXCHANGE_KEY);

    return c ? c : span_cmp(record_value(x, a), record_value(x, b));
}

/* --- items */

size_t items_of(const Exchange *x, Span slice, uint8_t *items)
{
    const uint8_t *p = slice.p, *end = slice.p + slice.n;
    size_t n = 0;

    if (!x->far) {
        if (slice.n) memcpy(items, slice.p, slice.n);
        return slice.n / x->width;
    }
    for (; p < end; p += record_bytes(x, p), n++) {
        memcpy(items + n * ITEM_FAR, p, EXCHANGE_KEY);
        memcpy(items + n * ITEM_FAR + EXCHANGE_KEY, &p, sizeof p);
    }
    return n;
}

static int by_value(const void *pa, const void *pb)
{
    const uint8_t *a, *b;

    memcpy(&a, (const uint8_t *)pa + EXCHANGE_KEY, sizeof a);
    memcpy(&b, (const uint8_t *)pb + EXCHANGE_KEY, sizeof b);
    return span_cmp(span(a + FAR_HEAD, le32_get(a + EXCHANGE_KEY)), span(b + FAR_HEAD, le32_get(b + EXCHANGE_KEY)));
}

void items_sort(const Exchange *x, uint8_t *items, size_t n, uint8_t *scratch, size_t scratch_bytes)
{
    radix_sort(items, n, x->width, x->sort_bytes, scratch, scratch_bytes);
    if (!x->far || x->spec.combine) return; /* what is folded needs no order of values */
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && same_key(items + i * ITEM_FAR, items + k * ITEM_FAR);) k++;
        if (k - i > 1) qsort(items + i * ITEM_FAR, k - i, ITEM_FAR, by_value);
    }
}

/* --- slabs: few large allocations instead of a million page faults */

enum { HUGE_PAGE = 2 << 20, SLAB_FIRST = 128 << 10, SLAB_MAX = 8 << 20 };

struct Slab {
    Slab *older;
    size_t used, cap; /* bytes behind this head */
};
enum { SLAB_HEAD = (sizeof(Slab) + 63) / 64 * 64 };

static ErrCode new_slab(Exchange *x, Lane *lane, size_t need, Err *err)
{
    size_t cap = lane->slab ? lane->slab->cap * 2 : SLAB_FIRST;
    Slab *s = NULL;

    if (cap > SLAB_MAX) cap = SLAB_MAX;
    if (cap > x->share / 4) cap = x->share / 4;
    if (cap < need) cap = need;
    if (SLAB_HEAD + cap >= HUGE_PAGE) {
        cap = (SLAB_HEAD + cap + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        s = aligned_alloc(HUGE_PAGE, cap);
        if (s) (void)madvise(s, cap, MADV_HUGEPAGE); /* only speed depends on it */
        cap -= SLAB_HEAD;
    } else {
        s = aligned_alloc(64, (SLAB_HEAD + cap + 63) / 64 * 64);
    }
    if (!s) return err_nomem(err, x->name);
    *s = (Slab){.older = lane->slab, .cap = cap};
    lane->slab = s;
    lane->slab_bytes += SLAB_HEAD + cap;
    atomic_fetch_add(&x->slab_bytes, SLAB_HEAD + cap);
    return ERR_OK;
}

void packs_free(Exchange *x, Lane *lane)
{
    while (lane->slab) {
        Slab *older = lane->slab->older;
        free(lane->slab);
        lane->slab = older;
    }
    lane->pack = NULL;
    atomic_fetch_sub(&x->slab_bytes, lane->slab_bytes);
    lane->slab_bytes = 0;
}

/* --- packs */

static size_t pack_memory(const Exchange *x, size_t bytes)
{
    return (sizeof(Pack) + bytes + ((size_t)x->bins + 1) * sizeof(uint32_t) + 15) / 8 * 8;
}

/* At the end of the newest slab, which counts it only once it is taken. */
static ErrCode pack_new(Exchange *x, Lane *lane, size_t bytes, Pack **out, Err *err)
{
    size_t need = pack_memory(x, bytes);
    ErrCode rc;

    if (!lane->slab || lane->slab->cap - lane->slab->used < need)
        if ((rc = new_slab(x, lane, need, err)) != ERR_OK) return rc;
    *out = (Pack *)(void *)((uint8_t *)lane->slab + SLAB_HEAD + lane->slab->used);
    **out = (Pack){.bytes = bytes, .record = (uint8_t *)(*out + 1)};
    return ERR_OK;
}

/* The index lies behind the records, of which there may be less than pack_new() was told. */
static void place_index(Pack *p) { p->begin = (uint32_t *)(void *)(p->record + (p->bytes + 3) / 4 * 4); }

static void take_pack(const Exchange *x, Lane *lane, Pack *p)
{
    p->older = lane->pack;
    lane->pack = p;
    lane->slab->used += pack_memory(x, p->bytes);
    lane->used = 0;
}

/* Counting sort by bin. */
static void bin_block(const Exchange *x, const Lane *lane, Pack *p)
{
    uint32_t *begin, at = 0;
    size_t w = x->width;

    place_index(p);
    begin = p->begin;
    memset(begin, 0, ((size_t)x->bins + 1) * sizeof *begin);
    for (const uint8_t *r = lane->block, *end = r + lane->used; r < end; r += w)
        begin[key_top(r, x->bin_bits) + 1] += (uint32_t)w;
    /* begin[b + 1] is first where bin b begins; the scatter moves it to where it ends */
    for (uint32_t b = 1; b <= x->bins; b++) {
        uint32_t bytes = begin[b];
        begin[b] = at;
        at += bytes;
    }
    for (const uint8_t *r = lane->block, *end = r + lane->used; r < end; r += w) {
        uint32_t *to = &begin[key_top(r, x->bin_bits) + 1];
        switch (w) { /* the widths of hot records as constants: the compiler then moves them through registers */
        case 16: memcpy(p->record + *to, r, 16); break;
        case 20: memcpy(p->record + *to, r, 20); break;
        case 24: memcpy(p->record + *to, r, 24); break;
        case 32: memcpy(p->record + *to, r, 32); break;
        default: memcpy(p->record + *to, r, w);
        }
        *to += (uint32_t)w;
    }
}

static void index_sorted(const Exchange *x, Pack *p)
{
    uint32_t bin = 0;

    place_index(p);
    p->begin[0] = 0;
    for (size_t at = 0; at < p->bytes; at += record_bytes(x, p->record + at))
        for (uint32_t b = key_top(p->record + at, x->bin_bits); bin < b;) p->begin[++bin] = (uint32_t)at;
    while (bin < x->bins) p->begin[++bin] = (uint32_t)p->bytes;
}

/* Writes the records of sorted items to `to`, with a combiner those of one key as one; returns the bytes. */
static size_t write_sorted(const Exchange *x, const uint8_t *items, size_t n, uint8_t *to)
{
    size_t head = x->far ? FAR_HEAD : EXCHANGE_KEY, used = 0;
    uint8_t *acc = NULL;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *r = item_record(x, items + i * x->width);
        if (x->spec.combine && acc && same_key(acc, r)) {
            x->spec.combine(acc + head, r + head);
            continue;
        }
        acc = to + used;
        memcpy(acc, r, record_bytes(x, r));
        used += record_bytes(x, r);
    }
    return used;
}

static ErrCode sort_block(const Exchange *x, Lane *lane, Pack *p, Err *err)
{
    uint8_t *items = lane->block;
    size_t n = 0;

    if (x->far) {
        for (size_t at = 0; at < lane->used; at += record_bytes(x, lane->block + at)) n++;
        if (!(items = malloc(n * ITEM_FAR))) return err_nomem(err, x->name);
    } else {
        n = lane->used / x->width;
    }
    if (x->far) (void)items_of(x, span(lane->block, lane->used), items);
    items_sort(x, items, n, p->record, p->bytes);
    p->bytes = write_sorted(x, items, n, p->record);
    if (x->far) free(items);
    return ERR_OK;
}

ErrCode pack_block(Exchange *x, Lane *lane, Err *err)
{
    Pack *p;
    ErrCode rc = pack_new(x, lane, lane->used, &p, err);

    if (rc) return rc;
    if (!x->far && !x->spec.combine) {
        bin_block(x, lane, p);
        take_pack(x, lane, p);
        return ERR_OK;
    }
    if ((rc = sort_block(x, lane, p, err)) != ERR_OK) return rc;
    if (x->spec.combine && !x->flipped && p->bytes <= lane->cap / 2) {
        memcpy(lane->block, p->record, p->bytes);
        lane->used = p->bytes;
        return ERR_OK;
    }
    index_sorted(x, p);
    take_pack(x, lane, p);
    return ERR_OK;
}
