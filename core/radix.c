#include "core/radix.h"

typedef struct {
    size_t width, key_bytes;
    uint8_t *scratch;
    size_t scratch_bytes;
} Radix;

/* Called with a constant width and inlined into each caller, a copy becomes moves through registers. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE void item_copy(uint8_t *to, const uint8_t *from, size_t width)
{
    switch (width) {
    case 16: memcpy(to, from, 16); break;
    case 20: memcpy(to, from, 20); break;
    case 24: memcpy(to, from, 24); break;
    case 32: memcpy(to, from, 32); break;
    default: memcpy(to, from, width);
    }
}

ALWAYS_INLINE bool item_less(const uint8_t *a, const uint8_t *b, size_t key_bytes)
{
    for (; key_bytes >= 8; a += 8, b += 8, key_bytes -= 8) {
        uint64_t x = be64_get(a), y = be64_get(b);
        if (x != y) return x < y;
    }
    return memcmp(a, b, key_bytes) < 0;
}

static void insertion_sort(uint8_t *a, size_t n, const Radix *r)
{
    uint8_t held[RADIX_MAX_WIDTH];
    size_t w = r->width;

    for (size_t i = 1; i < n; i++) {
        size_t k = i;
        if (!item_less(a + i * w, a + (i - 1) * w, r->key_bytes)) continue;
        item_copy(held, a + i * w, w);
        do {
            item_copy(a + k * w, a + (k - 1) * w, w);
            k--;
        } while (k > 0 && item_less(held, a + (k - 1) * w, r->key_bytes));
        item_copy(a + k * w, held, w);
    }
}

/* Moves every item to its bucket; first[b] is where bucket b begins, first[256] == n. */
static void scatter_through(uint8_t *a, size_t n, size_t depth, const size_t first[257], const Radix *r)
{
    size_t next[256], w = r->width;

    memcpy(next, first, sizeof next);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *item = a + i * w;
        item_copy(r->scratch + next[item[depth]]++ * w, item, w);
    }
    memcpy(a, r->scratch, n * w);
}

/* American flag: takes the first item out of place, follows its cycle until the hole closes. */
static void scatter_in_place(uint8_t *a, size_t depth, const size_t first[257], const Radix *r)
{
    uint8_t held[RADIX_MAX_WIDTH], other[RADIX_MAX_WIDTH];
    size_t next[256], w = r->width;

    memcpy(next, first, sizeof next);
    for (size_t b = 0; b < 256; b++) {
        while (next[b] < first[b + 1]) {
            size_t hole = next[b];
            item_copy(held, a + hole * w, w);
            while (held[depth] != b) {
                size_t to = next[held[depth]]++;
                item_copy(other, a + to * w, w);
                item_copy(a + to * w, held, w);
                item_copy(held, other, w);
            }
            item_copy(a + hole * w, held, w);
            next[b]++;
        }
    }
}

/* The first byte from `depth` on in which items differ; key_bytes when there is none. */
static size_t first_difference(const uint8_t *a, size_t n, size_t depth, const Radix *r)
{
    for (; depth < r->key_bytes; depth += 8) {
        size_t bytes = r->key_bytes - depth < 8 ? r->key_bytes - depth : 8;
        uint64_t differ = 0, first = 0, here = 0;
        memcpy(&first, a + depth, bytes);
        for (size_t i = 1; i < n; i++) {
            memcpy(&here, a + i * r->width + depth, bytes);
            differ |= first ^ here;
        }
        for (size_t k = 0; differ && k < bytes; k++)
            if (((const uint8_t *)&differ)[k]) return depth + k;
    }
    return r->key_bytes;
}

static void sort_level(uint8_t *a, size_t n, size_t depth, const Radix *r)
{
    size_t first[257] = {0};

    if (n <= RADIX_SMALL) {
        insertion_sort(a, n, r);
        return;
    }
    if ((depth = first_difference(a, n, depth, r)) == r->key_bytes) return;
    for (size_t i = 0; i < n; i++) first[a[i * r->width + depth] + 1]++;
    for (size_t b = 1; b <= 256; b++) first[b] += first[b - 1];
    if (n * r->width <= r->scratch_bytes)
        scatter_through(a, n, depth, first, r);
    else
        scatter_in_place(a, depth, first, r);
    for (size_t b = 0; b < 256; b++)
        if (first[b + 1] - first[b] > 1) sort_level(a + first[b] * r->width, first[b + 1] - first[b], depth + 1, r);
}

void radix_sort(uint8_t *items, size_t n, size_t width, size_t key_bytes, uint8_t *scratch, size_t scratch_bytes)
{
    Radix r = {width, key_bytes, scratch, scratch_bytes};

    if (n > 1) sort_level(items, n, 0, &r);
}

/* --- out of slices */

enum {
    DIGIT_MAX = 13,              /* bits of a level: its counters stay in the first-level cache */
    GATHER_DEEP = 8 << DIGIT_MAX /* items from which a bucket is worth a level of its own */
};

/* Counts, then places; first[b] is then where bucket b begins. */
ALWAYS_INLINE void place_items(uint8_t *to, const Span *slice, size_t n_slices, size_t width, unsigned shared,
                               unsigned bits, uint32_t *first)
{
    uint32_t at = 0;

    for (size_t s = 0; s < n_slices; s++) {
        const uint8_t *end = slice[s].p + slice[s].n;
        if (s + 1 < n_slices) __builtin_prefetch(slice[s + 1].p);
        for (const uint8_t *p = slice[s].p; p < end; p += width) first[be64_get(p) << shared >> (64 - bits)]++;
    }
    for (size_t b = 0; b < (size_t)1 << bits; b++) {
        uint32_t n = first[b];
        first[b] = at;
        at += n;
    }
    for (size_t s = 0; s < n_slices; s++)
        for (const uint8_t *p = slice[s].p, *end = p + slice[s].n; p < end; p += width)
            item_copy(to + (size_t)first[be64_get(p) << shared >> (64 - bits)]++ * width, p, width);
    memmove(first + 1, first, sizeof *first << bits); /* where they end is where the next ones begin */
    first[0] = 0;
}

/* Of items that are nearly in order: buckets are small, and no item leaves its own. */
ALWAYS_INLINE void insert_items(uint8_t *a, size_t n, size_t width, size_t key_bytes)
{
    uint8_t held[RADIX_MAX_WIDTH];
    uint64_t last = n ? be64_get(a) : 0;

    for (uint8_t *p = a + width, *end = a + n * width; p < end; p += width) {
        uint64_t key = be64_get(p);
        if (key > last || (key == last && !item_less(p, p - width, key_bytes))) {
            last = key;
            continue;
        }
        uint8_t *hole = p;
        item_copy(held, p, width);
        do {
            item_copy(hole, hole - width, width);
            hole -= width;
        } while (hole > a && item_less(held, hole - width, key_bytes));
        item_copy(hole, held, width);
    }
}

static void place_by_width(uint8_t *to, const Span *slice, size_t n_slices, size_t width, unsigned shared,
                           unsigned bits, uint32_t *first)
{
    switch (width) {
    case 16: place_items(to, slice, n_slices, 16, shared, bits, first); break;
    case 20: place_items(to, slice, n_slices, 20, shared, bits, first); break;
    case 24: place_items(to, slice, n_slices, 24, shared, bits, first); break;
    case 32: place_items(to, slice, n_slices, 32, shared, bits, first); break;
    default: place_items(to, slice, n_slices, width, shared, bits, first);
    }
}

static void insert_by_width(uint8_t *a, size_t n, size_t width, size_t key_bytes)
{
    switch (width == key_bytes ? width : 0) {
    case 16: insert_items(a, n, 16, 16); break;
    case 20: insert_items(a, n, 20, 20); break;
    case 24: insert_items(a, n, 24, 24); break;
    case 32: insert_items(a, n, 32, 32); break;
    default: insert_items(a, n, width, key_bytes);
    }
}

void radix_gather(uint8_t *to, const Span *slice, size_t n_slices, size_t width, size_t key_bytes, unsigned shared,
                  uint8_t *scratch, size_t scratch_bytes)
{
    uint32_t first[(1 << DIGIT_MAX) + 1];
    unsigned bits = 1;
    size_t n = 0;

    for (size_t s = 0; s < n_slices; s++) n += slice[s].n / width;
    while (bits < DIGIT_MAX && (size_t)1 << bits < n) bits++;
    if (n > UINT32_MAX ||
        shared + bits > 64) { /* no bits to tell them apart by, or too many of them for the counters */
        for (size_t s = 0; s < n_slices; s++) {
            if (slice[s].n) memcpy(to, slice[s].p, slice[s].n);
            to += slice[s].n;
        }
        radix_sort(to - n * width, n, width, key_bytes, scratch, scratch_bytes);
        return;
    }
    memset(first, 0, sizeof *first << bits);
    place_by_width(to, slice, n_slices, width, shared, bits, first);
    for (size_t b = 0; b < (size_t)1 << bits; b++) {
        size_t in = first[b + 1] - first[b], bytes = in * width;
        uint8_t *a = to + first[b] * width;
        if (in <= RADIX_SMALL) continue;
        if (n >= GATHER_DEEP && in <= n / 2 && bytes <= scratch_bytes / 2) {
            memcpy(scratch, a, bytes);
            radix_gather(a, &(Span){scratch, bytes}, 1, width, key_bytes, shared + bits, scratch + bytes,
                         scratch_bytes - bytes);
        } else {
            radix_sort(a, in, width, key_bytes, scratch, scratch_bytes);
        }
    }
    insert_by_width(to, n, width, key_bytes);
}
