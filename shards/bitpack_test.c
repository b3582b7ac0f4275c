#include "shards/bitpack.h"

#include "core/hash.h"
#include "tests/check.h"

#include <stdlib.h>

static uint32_t value(uint64_t i, unsigned bits)
{
    return (uint32_t)(mix64(i * 33 + bits) & ((UINT64_C(1) << bits) - 1));
}

/* One bit at a time. */
static void put_bits(uint8_t *out, const uint32_t *v, size_t n, unsigned bits)
{
    for (uint64_t b = 0; b < n * bits; b++)
        if (v[b / bits] >> (b % bits) & 1) out[b / 8] |= (uint8_t)(1u << (b % 8));
}

TEST(bitpack_against_single_bits)
{
    enum { MAX = 75 };
    uint32_t v[MAX], got[MAX];
    uint8_t want[MAX * 4], packed[MAX * 4 + 1];

    for (unsigned bits = 16; bits <= 32; bits++)
        for (size_t n = 0; n <= MAX; n++) {
            for (size_t i = 0; i < n; i++) v[i] = value(i, bits);
            size_t bytes = (size_t)bitpack_bytes(n, bits);
            CHECK_INT((n * bits + 7) / 8, bytes);
            memset(want, 0, sizeof want);
            memset(packed, 0xA5, sizeof packed);
            put_bits(want, v, n, bits);
            bitpack_put(packed, v, n, bits);
            CHECK_SPAN(span(want, bytes), span(packed, bytes));
            CHECK_INT(0xA5, packed[bytes]); /* nothing behind */
            for (size_t first = 0; first <= n; first += n < 20 ? 1 : 5) {
                uint8_t file[MAX * 4 + BITPACK_SLACK] = {0};
                memcpy(file, packed, bytes);
                Span edge = check_edge(span(file, bytes + BITPACK_SLACK));
                bitpack_get(got, edge.p, first, n - first, bits);
                CHECK_SPAN(span(v + first, (n - first) * 4), span(got, (n - first) * 4));
                check_edge_free(edge);
            }
        }
}

TEST(bitpack_width_of_vocabulary)
{
    CHECK_INT(16, bitpack_width(1));
    CHECK_INT(16, bitpack_width(65536));
    CHECK_INT(17, bitpack_width(65537));
    CHECK_INT(17, bitpack_width(100015));
    CHECK_INT(17, bitpack_width(131072));
    CHECK_INT(18, bitpack_width(131073));
    CHECK_INT(32, bitpack_width(UINT32_MAX));
}
