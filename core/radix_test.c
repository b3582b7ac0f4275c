#include "core/hash.h"
#include "core/radix.h"
#include "tests/check.h"

#include <stdlib.h>

/* Both sorts against qsort. */

static size_t cmp_bytes;
static int by_bytes(const void *a, const void *b) { return memcmp(a, b, cmp_bytes); }

static void fill(uint8_t *a, size_t bytes, uint64_t spread)
{
    for (size_t i = 0; i < bytes; i++) a[i] = (uint8_t)(mix64(i + 1) % spread);
}

static void sort_both(size_t n, size_t width, uint64_t spread, size_t scratch_bytes)
{
    uint8_t *a = malloc(n * width + 1), *b = malloc(n * width + 1), *scratch = malloc(scratch_bytes + 1);

    fill(a, n * width, spread);
    memcpy(b, a, n * width);
    radix_sort(a, n, width, width, scratch, scratch_bytes);
    cmp_bytes = width;
    qsort(b, n, width, by_bytes);
    CHECK(memcmp(a, b, n * width) == 0);
    free(a);
    free(b);
    free(scratch);
}

TEST(radix_sorts_like_qsort)
{
    const size_t widths[] = {1, 8, 16, 20, 24, 32, 33, 64};
    const uint64_t spreads[] = {1, 2, 7, 256};

    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++)
            for (size_t n = 0; n < 5000; n = n * 3 + 1) {
                sort_both(n, widths[w], spreads[s], 0);       /* in place */
                sort_both(n, widths[w], spreads[s], 4096);    /* both ways */
                sort_both(n, widths[w], spreads[s], 1 << 20); /* through the scratch */
            }
}

/* The items lie in slices of uneven size; their first `shared` bits are alike. */
static void gather_both(size_t n, size_t width, size_t key_bytes, uint64_t spread, unsigned shared)
{
    enum { SLICES = 40 };
    uint8_t *from = malloc(n * width + 1), *to = malloc(n * width + 1), *scratch = malloc(1 << 18);
    Span slice[SLICES];
    size_t n_slices = 0, at = 0;

    fill(from, n * width, spread);
    for (size_t i = 0; i < n; i++)
        for (unsigned bit = 0; bit < shared; bit++) from[i * width + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    while (at < n && n_slices + 1 < SLICES) {
        size_t k = mix64(n_slices + 7) % (n / 10 + 1);
        if (k > n - at) k = n - at;
        slice[n_slices++] = span(from + at * width, k * width);
        at += k;
    }
    slice[n_slices++] = span(from + at * width, (n - at) * width);
    radix_gather(to, slice, n_slices, width, key_bytes, shared, scratch, 1 << 18);
    cmp_bytes = key_bytes;
    for (size_t i = 1; i < n; i++)
        if (memcmp(to + (i - 1) * width, to + i * width, key_bytes) > 0)
            check_fail(__FILE__, __LINE__, "out of order");
    cmp_bytes = width; /* nothing was lost: both in one full order */
    qsort(from, n, width, by_bytes);
    qsort(to, n, width, by_bytes);
    CHECK(memcmp(from, to, n * width) == 0);
    free(from);
    free(to);
    free(scratch);
}

TEST(radix_gathers_like_qsort)
{
    const size_t widths[] = {16, 20, 24, 32, 33, 64};
    const uint64_t spreads[] = {1, 2, 256};

    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++)
            for (size_t n = 0; n < 5000; n = n * 4 + 1) {
                gather_both(n, widths[w], widths[w], spreads[s], 0);
                gather_both(n, widths[w], 16, spreads[s], 12);
                gather_both(n, widths[w], 8, spreads[s], 60); /* no room for as many bits as there are items */
            }
    gather_both(150000, 24, 24, 256, 12); /* buckets are sorted by a level of their own */
    gather_both(150000, 24, 24, 3, 0);
}
