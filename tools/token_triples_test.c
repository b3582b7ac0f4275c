#include "tools/token_triples.h"

#include "core/hash.h"
#include "tests/check.h"

/* Against byte by byte, up to the last byte before what may not be touched. */
TEST(ids_are_three_bytes_each)
{
    enum { MAX = 45 };
    uint32_t id[MAX], got[MAX + 1];
    uint8_t bytes[3 * MAX + 1];

    for (size_t n = 0; n <= MAX; n++) {
        for (size_t i = 0; i < n; i++) id[i] = i % 5 ? (uint32_t)mix64(n * 100 + i) & 0xffffff : 0xffffff;
        memset(bytes, 0xa5, sizeof bytes);
        triples_put(bytes, id, n);
        for (size_t i = 0; i < 3 * n; i++) CHECK_INT(id[i / 3] >> (8 * (i % 3)) & 255, bytes[i]);
        CHECK_INT(0xa5, bytes[3 * n]);
        const Span edge = check_edge(span(bytes, 3 * n));
        got[n] = 77;
        triples_get(got, edge.p, n);
        CHECK_SPAN(span(id, n * 4), span(got, n * 4));
        CHECK_INT(77, got[n]);
        check_edge_free(edge);
    }
}
