/* bytes, buf, arena, hash, counters: the small things everything stands on. */
#include "core/buf.h"
#include "core/bytes.h"
#include "core/counters.h"
#include "core/hash.h"
#include "core/par.h"
#include "tests/check.h"

#include <inttypes.h>
#include <stdlib.h>

TEST(little_endian_round_trips_at_any_alignment)
{
    uint8_t bytes[16] = {0};

    for (int at = 0; at < 8; at++) {
        le64_put(bytes + at, 0x0123456789abcdefu);
        CHECK_INT(0xef, bytes[at]);
        CHECK_INT(0x01, bytes[at + 7]);
        CHECK(le64_get(bytes + at) == 0x0123456789abcdefu);
        CHECK(le32_get(bytes + at) == 0x89abcdefu);
        CHECK(le16_get(bytes + at) == 0xcdefu);
    }
}

TEST(checked_arithmetic_refuses_overflow)
{
    size_t out;

    CHECK(size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
    CHECK(!size_add(SIZE_MAX, 1, &out));
    CHECK(size_mul(SIZE_MAX / 3, 3, &out));
    CHECK(!size_mul(SIZE_MAX / 3 + 1, 3, &out));
    CHECK(size_mul(0, SIZE_MAX, &out) && out == 0);
}

TEST(numbers_are_digits_and_nothing_else)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616", "99999999999999999999"};
    uint64_t v;

    CHECK(span_to_u64(SPAN_LIT("18446744073709551615"), &v) && v == UINT64_MAX);
    CHECK(span_to_u64(SPAN_LIT("007"), &v) && v == 7);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!span_to_u64(span_str(bad[i]), &v));
}

TEST(spans_compare_as_memcmp_then_length)
{
    CHECK(span_cmp(SPAN_LIT("a"), SPAN_LIT("b")) < 0);
    CHECK(span_cmp(SPAN_LIT("a"), SPAN_LIT("a\0")) < 0);
    CHECK(span_cmp(SPAN_LIT("\xff"), SPAN_LIT("a")) > 0);
    CHECK_INT(0, span_cmp(span(NULL, 0), SPAN_LIT("")));
    CHECK(span_eq_nocase(SPAN_LIT("Content-TYPE"), SPAN_LIT("content-type")));
    CHECK(!span_eq_nocase(SPAN_LIT("\xc4"), SPAN_LIT("\xe4")));
    CHECK_SPAN(SPAN_LIT("x y"), span_trim(SPAN_LIT(" \t\r\nx y\v\f ")));
    CHECK_SPAN(SPAN_LIT(""), span_trim(SPAN_LIT("  ")));
    CHECK_INT(3, span_find(SPAN_LIT("abc"), 'z'));
}

TEST(buf_grows_and_remembers_a_failed_allocation)
{
    Buf b = {0};
    Err err = {.code = ERR_OK};

    for (int i = 0; i < 10000; i++) buf_printf(&b, "%d,", i);
    CHECK_INT(48890, b.n);
    CHECK_SPAN(SPAN_LIT("9999,"), span(b.p + b.n - 5, 5));
    CHECK(buf_ok(&b, "x", &err) == ERR_OK);
    CHECK(!buf_reserve(&b, SIZE_MAX - 10));
    size_t n = b.n;
    buf_puts(&b, "lost");
    CHECK_INT(n, b.n);
    CHECK_INT(ERR_NOMEM, buf_ok(&b, "the test", &err));
    buf_reset(&b);
    buf_put_u64(&b, UINT64_MAX);
    buf_putc(&b, ' ');
    buf_put_u64(&b, 0);
    CHECK_SPAN(SPAN_LIT("18446744073709551615 0"), buf_span(&b));
    buf_clear(&b);
}

TEST(arena_hands_out_disjoint_aligned_memory)
{
    Arena a = {0};
    uint8_t *p[200];

    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < 200; i++) {
            p[i] = arena_alloc(&a, i * 37);
            CHECK(p[i] && (uintptr_t)p[i] % 16 == 0);
            memset(p[i], (int)i, i * 37);
        }
        for (size_t i = 1; i < 200; i++) CHECK(p[i][0] == i && p[i][i * 37 - 1] == i);
        arena_reset(&a);
    }
    CHECK(arena_alloc(&a, SIZE_MAX - 3) == NULL);
    CHECK(arena_array(&a, SIZE_MAX / 2, 3) == NULL);
    CHECK_STR("copy", arena_str(&a, SPAN_LIT("copy")));
    arena_clear(&a);
}

/* Published by the author of xxHash: XXH3 of no bytes, seed 0. */
TEST(hashes_are_xxh3)
{
    HashStream *h;
    Err err = {.code = ERR_OK};
    char hex[HASH128_HEX];
    Hash128 back;
    uint8_t bytes[1000];

    CHECK(hash64(span(NULL, 0)) == 0x2d06800538d394c2u);
    hash128_hex(hex, hash128(span(NULL, 0)));
    CHECK_STR("99aa06d3014798d86001c324468d497f", hex);
    CHECK(hash128_parse(span_str(hex), &back) && hash128_eq(back, hash128(span(NULL, 0))));
    CHECK(!hash128_parse(SPAN_LIT("99aa06d3014798d86001c324468d497"), &back));
    CHECK(!hash128_parse(SPAN_LIT("99aa06d3014798d86001c324468d497g"), &back));

    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)mix64(i);
    CHECK_OK(hashstream_new(&h, &err), &err);
    for (size_t at = 0, n = 1; at < sizeof bytes; at += n, n = n * 2 + 1) {
        if (n > sizeof bytes - at) n = sizeof bytes - at;
        hashstream_add(h, span(bytes + at, n));
    }
    CHECK(hash128_eq(hashstream_digest(h), hash128(span(bytes, sizeof bytes))));
    hashstream_free(h);
}

TEST(counters_do_not_depend_on_order_and_come_back)
{
    Counters a = {0}, b = {0}, c = {0};
    Buf ja = {0}, jb = {0};
    Arena arena = {0};
    Json *tree;
    Err err = {.code = ERR_OK};
    char name[32];

    for (uint64_t i = 0; i < 500; i++) {
        uint64_t k = mix64(i) % 50;
        snprintf(name, sizeof name, "n%" PRIu64, k);
        counters_add(&a, k % 2 ? SPAN_LIT("odd") : SPAN_LIT("even"), span_str(name), 1, k);
        k = mix64(499 - i) % 50;
        snprintf(name, sizeof name, "n%" PRIu64, k);
        counters_add(i % 3 ? &b : &c, k % 2 ? SPAN_LIT("odd") : SPAN_LIT("even"), span_str(name), 1, k);
    }
    counters_merge(&b, &c);
    counters_put_json(&ja, &a);
    counters_put_json(&jb, &b);
    CHECK_SPAN(buf_span(&ja), buf_span(&jb));
    counters_reset(&c);
    CHECK_OK(json_parse(&arena, buf_span(&ja), "test", &tree, &err), &err);
    CHECK_OK(counters_read_json(&c, tree, "test", &err), &err);
    buf_reset(&jb);
    counters_put_json(&jb, &c);
    CHECK_SPAN(buf_span(&ja), buf_span(&jb));
    arena_clear(&arena);
    buf_clear(&ja);
    buf_clear(&jb);
    counters_clear(&a);
    counters_clear(&b);
    counters_clear(&c);
}

TEST(a_counter_group_is_bounded)
{
    Counters c = {0};
    char name[32];
    uint64_t docs = 0;

    for (int i = 0; i < COUNTERS_MAX_NAMES + 100; i++) {
        snprintf(name, sizeof name, "%08d", i);
        counters_add(&c, SPAN_LIT("g"), span_str(name), 1, 2);
    }
    CHECK_INT(COUNTERS_MAX_NAMES + 1, c.n);
    for (size_t i = 0; i < c.n; i++) docs += c.v[i].docs;
    CHECK_INT(COUNTERS_MAX_NAMES + 100, docs);
    counters_clear(&c);
}

TEST(first_error_by_index_wins)
{
    ErrCode rc[3] = {ERR_OK, ERR_DATA, ERR_SYS};
    Err errs[3] = {{.code = ERR_OK}, {ERR_DATA, "second", false}, {ERR_SYS, "third", false}}, err;

    CHECK_INT(ERR_DATA, par_first_error(rc, errs, 3, &err));
    CHECK_STR("second", err.msg);
    CHECK_INT(ERR_OK, par_first_error(rc, errs, 1, &err));
    CHECK(par_cores() >= 1);
    Par p = par_alone(0);
    CHECK(p.threads >= 1 && p.n_ranks == 1 && par_memory(&p) > 1 << 20);
}

TEST(messages_stay_on_one_line)
{
    Err err;

    CHECK_INT(ERR_DATA, err_set(&err, ERR_DATA, "a\nb%c", 1));
    CHECK_STR("a?b?", err.msg);
    CHECK_INT(2, err_status(ERR_USAGE));
    CHECK_INT(4, err_status(ERR_LIMIT));
    CHECK_INT(6, err_status(ERR_INTR));
}

TEST(array_grow_doubles_and_refuses_what_does_not_fit)
{
    uint32_t *v = NULL;
    size_t cap = 0;

    for (uint32_t n = 0; n < 1000; n++) {
        uint32_t *room = array_grow(v, n, &cap, sizeof *v);
        if (!room) break;
        v = room;
        CHECK(cap > n && cap <= 2 * ((size_t)n + 16));
        v[n] = n;
    }
    for (uint32_t n = 0; n < 1000; n++) CHECK_INT(n, v[n]);
    size_t huge = SIZE_MAX / 8;
    CHECK(array_grow(v, huge, &huge, 8) == NULL);
    CHECK(huge == SIZE_MAX / 8);
    free(v);
}
