#include "core/hash.h"

#include "tests/check.h"

/* In pieces as at once, both lengths, around the sizes where XXH3 changes its method (16, 128, 240, blocks of 1024). */
TEST(hash_in_pieces)
{
    enum { MAX = 5000 };
    static uint8_t text[MAX];
    HashStream *h;
    Err err;

    for (size_t i = 0; i < MAX; i++) text[i] = (uint8_t)mix64(i);
    CHECK_OK(hashstream_new(&h, &err), &err);
    for (size_t n = 0; n <= MAX; n += n < 300 ? 1 : 97) {
        hashstream_reset(h);
        for (size_t at = 0, k = 1; at < n; k = k * 5 % 307 + 1) {
            if (k > n - at) k = n - at;
            hashstream_add(h, span(text + at, k));
            at += k;
        }
        CHECK(hash128_eq(hash128(span(text, n)), hashstream_digest(h)));
        CHECK(hash64(span(text, n)) == hashstream_digest64(h));
    }
    hashstream_free(h);
}

/* The values `xxhsum -H3` and `xxhsum -H2` print for the empty input. */
TEST(hash_of_nothing)
{
    char hex[HASH128_HEX];
    Hash128 h = hash128(span("", 0)), back;
    uint8_t bytes[16];

    CHECK(hash64(span("", 0)) == 0x2d06800538d394c2u);
    hash128_hex(hex, h);
    CHECK_STR("99aa06d3014798d86001c324468d497f", hex);
    CHECK(hash128_parse(span_str(hex), &back) && hash128_eq(h, back));
    hash128_put(bytes, h);
    CHECK(hash128_eq(h, hash128_get(bytes)));
    CHECK(!hash128_parse(SPAN_LIT("99aa06d3014798d86001c324468d497"), &back));
    CHECK(!hash128_parse(SPAN_LIT("99aa06d3014798d86001c324468d497g"), &back));
}
