/* One bin as a sorted stream. Gathered: its slices, wherever they lie, are sorted into one place. */
#include "core/exchange_impl.h"

#include <stdlib.h>

int record_cmp(const Exchange *x, const uint8_t *a, const uint8_t *b)
{
    int c = memcmp(a, b, EXCHANGE_KEY);

    return c ? c : span_cmp(record_value(x, a), record_value(x, b));
}

/* --- how much */

static uint64_t slice_records(const Exchange *x, Span slice)
{
    uint64_t n = 0;

    for (size_t at = 0; at < slice.n; at += record_bytes(x, slice.p + at)) n++;
    return n;
}

static Span section_slice(const Section *s, uint32_t bin)
{
    if (bin < s->begin || bin >= s->end) return span(NULL, 0);
    return span(s->record + s->offset[bin - s->begin],
                (size_t)(s->offset[bin - s->begin + 1] - s->offset[bin - s->begin]));
}

static uint64_t section_count(const Section *s, uint32_t bin)
{
    return le32_get(s->n + (size_t)(bin - s->begin) * 4);
}

static void add_run_size(const Exchange *x, const ExchangeRun *run, uint32_t bin, BinSize *s)
{
    s->disk += run_bytes(run, bin, bin + 1);
    s->items += run_records(run, bin) * x->width;
}

BinSize bin_size(const Exchange *x, uint32_t bin)
{
    BinSize s = {0};

    for (const Lane *l = x->lane; l < x->lane + x->threads; l++) {
        uint64_t bytes = lane_bytes(l, bin);
        s.memory += bytes;
        s.items += x->far ? (l->index ? l->n_far[bin] * x->width : 0) : bytes;
    }
    for (int i = 0; i <= x->threads; i++)
        for (ExchangeRun *r = runs_of(x, i); r; r = *run_older(r)) add_run_size(x, r, bin, &s);
    for (size_t i = 0; i < x->n_sections; i++) {
        Span slice = section_slice(&x->section[i], bin);
        s.memory += slice.n;
        s.items += x->far && slice.n ? section_count(&x->section[i], bin) * x->width : slice.n;
    }
    if (x->far) s.items *= 2; /* they are made in one place and sorted into another */
    return s;
}

BinRange next_batch(const Exchange *x, uint32_t begin, uint32_t last, uint64_t target, bool *wide)
{
    uint64_t disk = 0, items = 0, bytes = 0;
    uint32_t b = begin;

    *wide = false;
    for (; b < last && (b == begin || bytes < target); b++) {
        BinSize s = bin_size(x, b);
        uint64_t most = s.items > items ? s.items : items;
        if (b == begin) *wide = !bin_fits(x, s);
        if (b > begin && (*wide || disk + s.disk + most > x->share)) break;
        disk += s.disk;
        items = most;
        bytes += s.memory + s.disk;
    }
    return (BinRange){begin, b};
}

/* --- slices */

static bool add_slice(BinStream *b, Span slice)
{
    Span *grown = array_grow(b->slice, b->n_slices, &b->cap_slices, sizeof *grown);

    if (grown) {
        b->slice = grown;
        b->slice[b->n_slices++] = slice;
    }
    return grown != NULL;
}

/* The bin's part of what was read of the run, which begins at `bytes`. */
static ErrCode add_run_slices(BinStream *b, ExchangeRun *run, const uint8_t *bytes, uint32_t bin, Err *err)
{
    uint64_t at = 0;
    Span records;
    ErrCode rc;

    while ((rc = run_next(run, b->range.begin, bytes, bin, &at, &records, err)) == ERR_OK && records.n)
        if (!add_slice(b, records)) return err_nomem(err, b->x->name);
    return rc;
}

static bool add_chunks(BinStream *b, const Lane *lane, uint32_t bin)
{
    bool ok = true;

    for (const Chunk *c = lane->index ? lane->chunk[bin] : NULL; c && ok; c = c->older)
        ok = add_slice(b, span(c->record, (size_t)c->used));
    return ok;
}

ErrCode binstream_slices(BinStream *b, Exchange *x, const Lane *only, uint32_t bin, Err *err)
{
    const uint8_t *loaded = b->loaded.p;
    bool ok = true, in_range = bin >= b->range.begin && bin < b->range.end;
    ErrCode rc = ERR_OK;

    b->n_slices = 0;
    if (only) return add_chunks(b, only, bin) ? ERR_OK : err_nomem(err, x->name);
    for (const Lane *l = x->lane; l < x->lane + x->threads && ok; l++) ok = add_chunks(b, l, bin);
    for (size_t i = 0; i < x->n_sections && ok; i++) {
        Span slice = section_slice(&x->section[i], bin);
        if (slice.n) ok = add_slice(b, slice);
    }
    for (int i = 0; i <= x->threads && in_range; i++)
        for (ExchangeRun *r = runs_of(x, i); r && rc == ERR_OK; r = *run_older(r)) {
            rc = add_run_slices(b, r, loaded, bin, err);
            loaded += run_bytes(r, b->range.begin, b->range.end);
        }
    return rc ? rc : ok ? ERR_OK : err_nomem(err, x->name);
}

static ErrCode load_run(BinStream *b, ExchangeRun *run, Err *err)
{
    uint64_t n = run_bytes(run, b->range.begin, b->range.end);
    ErrCode rc = run_read(run, b->range.begin, b->range.end, b->loaded.p + b->loaded.n, err);

    b->loaded.n += (size_t)n;
    return rc;
}

ErrCode binstream_load(BinStream *b, Exchange *x, BinRange range, Err *err)
{
    uint64_t n = 0;
    ErrCode rc = ERR_OK;

    b->range = range;
    buf_reset(&b->loaded);
    for (int i = 0; i <= x->threads; i++)
        for (ExchangeRun *r = runs_of(x, i); r; r = *run_older(r)) n += run_bytes(r, range.begin, range.end);
    if (n == 0) return ERR_OK;
    if (n > SIZE_MAX || !buf_reserve(&b->loaded, (size_t)n)) return err_nomem(err, x->name);
    for (int i = 0; i <= x->threads; i++)
        for (ExchangeRun *r = runs_of(x, i); r && rc == ERR_OK; r = *run_older(r)) rc = load_run(b, r, err);
    return rc;
}

/* --- sorting */

void binstream_clear(BinStream *b)
{
    free(b->items);
    free(b->slice);
    buf_clear(&b->loaded);
    merge_free(b->merge);
    *b = (BinStream){0};
}

enum { SCRATCH = 256 << 10 }; /* for buckets of the radix sort; less when the bin is smaller */

/* Room for n bytes of items, and for the sort's scratch: as much for far records, whose items are made there. */
static bool reserve(BinStream *b, size_t n, size_t scratch)
{
    if (n == 0) return true;
    if (n + scratch <= b->cap_items) {
        b->scratch = b->items + n;
        return true;
    }
    free(b->items);
    b->cap_items = n + n / 8 + scratch;
    b->items = malloc(b->cap_items);
    b->scratch = b->items ? b->items + n : NULL;
    if (!b->items) b->cap_items = 0;
    return b->items != NULL;
}

static int by_value(const void *pa, const void *pb)
{
    const uint8_t *a, *b;

    memcpy(&a, (const uint8_t *)pa + EXCHANGE_KEY, sizeof a);
    memcpy(&b, (const uint8_t *)pb + EXCHANGE_KEY, sizeof b);
    return span_cmp(span(a + FAR_HEAD, le32_get(a + EXCHANGE_KEY)), span(b + FAR_HEAD, le32_get(b + EXCHANGE_KEY)));
}

static void sort_ties(uint8_t *items, size_t n)
{
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && same_key(items + i * ITEM_FAR, items + k * ITEM_FAR);) k++;
        if (k - i > 1) qsort(items + i * ITEM_FAR, k - i, ITEM_FAR, by_value);
    }
}

/* Key and address of every record to `to`; the bytes. */
static size_t make_items(const Exchange *x, const Span *slice, size_t n_slices, uint8_t *to)
{
    uint8_t *begin = to;

    for (size_t s = 0; s < n_slices; s++)
        for (const uint8_t *p = slice[s].p, *end = p + slice[s].n; p < end; p += record_bytes(x, p)) {
            memcpy(to, p, EXCHANGE_KEY);
            memcpy(to + EXCHANGE_KEY, &p, sizeof p);
            to += ITEM_FAR;
        }
    return (size_t)(to - begin);
}

static ErrCode sort_far(BinStream *b, const Span *slice, size_t n_slices, unsigned shared, Err *err)
{
    const Exchange *x = b->x;
    size_t n = 0;

    for (size_t s = 0; s < n_slices; s++) n += (size_t)slice_records(x, slice[s]);
    if (!reserve(b, n * ITEM_FAR, n * ITEM_FAR)) return err_nomem(err, x->name);
    if ((b->n = n) == 0) return ERR_OK;
    Span items = span(b->scratch, make_items(x, slice, n_slices, b->scratch));
    radix_gather(b->items, &items, 1, ITEM_FAR, EXCHANGE_KEY, shared, NULL, 0);
    if (!x->spec.combine) sort_ties(b->items, n); /* what is folded needs no order of values */
    return ERR_OK;
}

/* One record a key; how many. */
static size_t fold_items(const Exchange *x, uint8_t *items, size_t n)
{
    uint8_t *acc = items;

    for (size_t i = 1; i < n; i++) {
        const uint8_t *r = items + i * x->width;
        if (same_key(acc, r)) {
            x->spec.combine(acc + EXCHANGE_KEY, r + EXCHANGE_KEY);
            continue;
        }
        acc += x->width;
        if (acc != r) memcpy(acc, r, x->width);
    }
    return n ? (size_t)(acc - items) / x->width + 1 : 0;
}

ErrCode binstream_sort(BinStream *b, Exchange *x, const Span *slice, size_t n_slices, unsigned shared, Err *err)
{
    size_t bytes = 0, scratch;

    merge_free(b->merge);
    b->merge = NULL;
    b->x = x;
    b->n = b->next = 0;
    if (x->far) return sort_far(b, slice, n_slices, shared, err);
    for (size_t s = 0; s < n_slices; s++) bytes += slice[s].n;
    scratch = bytes < SCRATCH ? bytes : SCRATCH;
    if (!reserve(b, bytes, scratch)) return err_nomem(err, x->name);
    if ((b->n = bytes / x->width) == 0) return ERR_OK;
    radix_gather(b->items, slice, n_slices, x->width, x->sort_bytes, shared, b->scratch, scratch);
    if (x->spec.combine) b->n = fold_items(x, b->items, b->n);
    return ERR_OK;
}

ErrCode binstream_gather(BinStream *b, Exchange *x, const Lane *only, uint32_t bin, Err *err)
{
    ErrCode rc;

    b->x = x;
    rc = binstream_slices(b, x, only, bin, err);
    return rc ? rc : binstream_sort(b, x, b->slice, b->n_slices, x->bin_bits, err);
}
