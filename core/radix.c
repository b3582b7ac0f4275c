#include "core/radix.h"

typedef struct {
    size_t width, key_bytes;
    uint8_t *scratch;
    size_t scratch_bytes;
} Radix;

/* The widths of the exchange's hot records as constants: the compiler then moves them through registers. */
static inline void item_copy(uint8_t *to, const uint8_t *from, size_t width)
{
    switch (width) {
    case 16: memcpy(to, from, 16); break;
    case 20: memcpy(to, from, 20); break;
    case 24: memcpy(to, from, 24); break;
    case 32: memcpy(to, from, 32); break;
    default: memcpy(to, from, width);
    }
}

static inline uint64_t be64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) v = v << 8 | p[i];
    return v;
}

static inline bool item_less(const uint8_t *a, const uint8_t *b, size_t key_bytes)
{
    if (key_bytes >= 8) {
        uint64_t x = be64(a), y = be64(b);
        if (x != y) return x < y;
        a += 8, b += 8, key_bytes -= 8;
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

static void sort_level(uint8_t *a, size_t n, size_t depth, const Radix *r)
{
    size_t first[257];

    for (;; depth++) { /* past the bytes that all items share */
        if (n <= RADIX_SMALL) {
            insertion_sort(a, n, r);
            return;
        }
        if (depth == r->key_bytes) return;
        memset(first, 0, sizeof first);
        for (size_t i = 0; i < n; i++) first[a[i * r->width + depth] + 1]++;
        if (first[a[depth] + 1] != n) break;
    }
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
