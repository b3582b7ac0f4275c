/* UTF-8 against tables of everything well-formed, made by encoding every scalar value in the obvious way. */
#include "core/hash.h"
#include "core/utf8.h"
#include "tests/check.h"

#include <stdlib.h>

/* One bit per byte string of length 1, 2, 3: a proper prefix or the whole of some well-formed sequence. */
typedef struct {
    uint8_t *begins[4]; /* [n]: strings of n bytes that begin some sequence */
    uint8_t *whole[4];  /* [n]: strings of n bytes that are a sequence */
} Oracle;

static bool bit(const uint8_t *b, uint32_t i) { return b[i / 8] >> (i % 8) & 1; }

static unsigned encode_slow(uint32_t cp, uint8_t *s)
{
    unsigned n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const uint8_t mark[5] = {0, 0, 0xC0, 0xE0, 0xF0};

    for (unsigned i = n; i-- > 1; cp /= 64) s[i] = (uint8_t)(0x80 + cp % 64);
    s[0] = (uint8_t)(mark[n] + cp);
    return n;
}

static Oracle *oracle(void)
{
    static Oracle o;

    if (o.begins[1]) return &o;
    for (unsigned n = 1; n <= 3; n++) {
        o.begins[n] = calloc((size_t)1 << (8 * n - 3), 1);
        o.whole[n] = calloc((size_t)1 << (8 * n - 3), 1);
        if (!o.begins[n] || !o.whole[n]) exit(99);
    }
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        uint8_t s[4];
        uint32_t key = 0;
        if (cp >= 0xD800 && cp <= 0xDFFF) continue;
        unsigned n = encode_slow(cp, s);
        for (unsigned i = 1; i <= n && i <= 3; i++) {
            key = key << 8 | s[i - 1];
            o.begins[i][key / 8] |= (uint8_t)(1u << key % 8);
            if (i == n) o.whole[i][key / 8] |= (uint8_t)(1u << key % 8);
        }
    }
    return &o;
}

/* The first sequence of s[0..n) by its definition: whole and well-formed, or the longest prefix of one. */
static unsigned next_slow(const uint8_t *s, size_t n, bool *good)
{
    const Oracle *o = oracle();
    uint32_t key = 0;
    unsigned longest = 1;

    *good = false;
    for (unsigned i = 1; i <= 3 && i <= n; i++) {
        key = key << 8 | s[i - 1];
        if (bit(o->whole[i], key)) return *good = true, i;
        if (!bit(o->begins[i], key)) return longest;
        longest = i;
    }
    /* Three bytes that begin a sequence of four: any tail ends it. */
    if (longest == 3 && n >= 4 && s[3] / 64 == 2) return *good = true, 4;
    return longest;
}

static bool same_next(const uint8_t *s, size_t n)
{
    uint32_t cp;
    bool good;
    unsigned want = next_slow(s, n, &good), got = utf8_next(s, n, &cp);
    uint8_t again[4];

    if (got != want || good != (cp != UTF8_BAD)) return false;
    return !good || (encode_slow(cp, again) == got && memcmp(again, s, got) == 0);
}

TEST(utf8_next_agrees_on_all_short_strings)
{
    unsigned long n_wrong = 0;

    for (uint32_t a = 0; a < 256; a++) {
        uint8_t s[4] = {(uint8_t)a};
        n_wrong += !same_next(s, 1);
        for (uint32_t b = 0; b < 256; b++) {
            s[1] = (uint8_t)b;
            n_wrong += !same_next(s, 2);
            for (uint32_t c = 0; a >= 0xC0 && c < 256; c++) {
                s[2] = (uint8_t)c;
                n_wrong += !same_next(s, 3);
                for (uint32_t d = 0; a >= 0xF0 && b % 16 == 0 && c % 8 == 7 && d < 256; d += 5) {
                    s[3] = (uint8_t)d;
                    n_wrong += !same_next(s, 4);
                }
            }
        }
    }
    CHECK_INT(0, n_wrong);
}

TEST(utf8_put_writes_every_scalar)
{
    unsigned long n_wrong = 0;

    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        uint8_t want[4], got[4];
        if (cp >= 0xD800 && cp <= 0xDFFF) continue;
        unsigned n = encode_slow(cp, want);
        n_wrong += utf8_put(got, cp) != n || memcmp(want, got, n) != 0;
    }
    CHECK_INT(0, n_wrong);
}

static size_t prefix_slow(Span s)
{
    size_t at = 0;

    while (at < s.n) {
        bool good;
        unsigned len = next_slow(s.p + at, s.n - at, &good);
        if (!good) break;
        at += len;
    }
    return at;
}

/* Well-formed text of about n bytes: runs of ASCII and runs of any planes. */
static void make_text(Buf *b, size_t n, uint64_t seed)
{
    buf_reset(b);
    while (b->n < n) {
        uint64_t r = mix64(seed++);
        uint32_t cp = (uint32_t)(r >> 8) % (r % 4 == 0 ? 0x10FFFF : r % 4 == 1 ? 0x9FFF : 0x600);
        if (cp >= 0xD800 && cp <= 0xDFFF) cp = 0x4E2D;
        for (unsigned i = 0; i <= (r >> 56) % 40; i++) utf8_append(b, r % 8 >= 6 ? 'a' + i % 26 : cp);
    }
}

TEST(utf8_valid_prefix_finds_a_planted_fault)
{
    static const char *const faults[] = {"\x80",
                                         "\xC1\x81",
                                         "\xE0\x9F\xBF",
                                         "\xED\xA0\x80",
                                         "\xF0\x8F\xBF\xBF",
                                         "\xF4\x90\x80\x80",
                                         "\xF5\x80\x80\x80",
                                         "\xFF",
                                         "\xE4\xB8",
                                         "\xF0\x9F\x98"};
    Buf b = {0}, bad = {0};

    for (uint64_t seed = 1; seed <= 400; seed++) {
        make_text(&b, 1 + mix64(seed) % 300, seed * 1000);
        Span good = check_edge(buf_span(&b));
        CHECK_INT(good.n, utf8_valid_prefix(good));
        CHECK(utf8_valid(good));
        /* any cut of well-formed text */
        for (size_t cut = good.n > 70 ? good.n - 70 : 0; cut < good.n; cut++)
            CHECK_INT(prefix_slow(span(good.p, cut)), utf8_valid_prefix(span(good.p, cut)));
        check_edge_free(good);
        for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
            size_t at = mix64(seed * 16 + f) % (b.n + 1);
            buf_reset(&bad);
            buf_put(&bad, b.p, at);
            buf_puts(&bad, faults[f]);
            buf_put(&bad, b.p + at, b.n - at);
            CHECK_INT(prefix_slow(buf_span(&bad)), utf8_valid_prefix(buf_span(&bad)));
        }
    }
    buf_clear(&b);
    buf_clear(&bad);
}

/* Every pair of neighbouring bytes inside otherwise plain text, across the edge of a 32-byte block too. */
TEST(utf8_valid_prefix_judges_every_pair)
{
    unsigned long n_wrong = 0;

    for (size_t at = 30; at < 34; at++)
        for (uint32_t pair = 0x8000; pair < 0x10000; pair++) {
            uint8_t s[96];
            memset(s, 'x', sizeof s);
            memcpy(s + 60, "\xE4\xB8\xAD", 3);
            s[at] = (uint8_t)(pair >> 8);
            s[at + 1] = (uint8_t)pair;
            memcpy(s + at + 2, "\x90\x85", pair & 1 ? 2 : 1);
            Span text = {s, sizeof s};
            n_wrong += utf8_valid_prefix(text) != prefix_slow(text);
        }
    CHECK_INT(0, n_wrong);
}

TEST(utf8_count_and_floor_agree_with_decoding)
{
    Buf b = {0};

    for (uint64_t seed = 1; seed <= 60; seed++) {
        make_text(&b, mix64(seed) % 200, seed * 77);
        Span s = check_edge(buf_span(&b));
        size_t n = 0, begin = 0;
        for (size_t at = 0; at < s.n; n++) {
            uint32_t cp;
            at += utf8_next(s.p + at, s.n - at, &cp);
            for (size_t limit = begin; limit < at; limit++) CHECK_INT(begin, utf8_floor(s, limit));
            begin = at;
        }
        CHECK_INT(n, utf8_count(s));
        CHECK_INT(s.n, utf8_floor(s, s.n + 5));
        check_edge_free(s);
    }
    buf_clear(&b);
}

TEST(utf8_repair_replaces_maximal_subparts)
{
    Buf out = {0};

    /* Unicode 15.0, table 3-8 and 3-11 */
    CHECK_INT(8, utf8_repair(&out, SPAN_LIT("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82"
                                            "A")));
    CHECK_INT(8 * 3 + 1, out.n);
    buf_reset(&out);
    CHECK_INT(4, utf8_repair(&out, SPAN_LIT("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
                                            "A")));
    CHECK_SPAN(SPAN_LIT("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                        "A"),
               buf_span(&out));
    buf_reset(&out);
    CHECK_INT(0, utf8_repair(&out, SPAN_LIT("")));
    CHECK_INT(0, out.n);
    buf_clear(&out);
}

static void disarmed(const char *want, const char *text)
{
    char got[64];
    size_t n = strlen(text);

    memcpy(got, text, n + 1);
    utf8_disarm((uint8_t *)got, n);
    CHECK_STR(want, got);
}

/* The list is written out here by code point, from the Unicode 15.0 charts. */
TEST(utf8_disarm_leaves_nothing_that_a_terminal_obeys)
{
    static const uint32_t marks[] = {0x61c,  0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c,
                                     0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff};
    size_t at = 0;

    for (uint32_t cp = 0; cp < 0x11000; cp++) {
        bool mark = at < sizeof marks / sizeof *marks && marks[at] == cp;
        at += mark;
        CHECK_INT(mark || cp < ' ' || cp == 127 || (cp >= 128 && cp < 160), utf8_is_control(cp));
    }
    disarmed("", "");
    disarmed("plain \xe4\xbd\xa0 \xf0\x9f\x98\x80 caf\xc3\xa9", "plain \xe4\xbd\xa0 \xf0\x9f\x98\x80 caf\xc3\xa9");
    disarmed(" [31mred   x  ", "\033[31mred\a\n\tx\r\177");
    disarmed("  31m   x", "\xc2\x9b"
                          "31m\xe2\x80\xaex");
    disarmed("?x ??x?", "\x9bx\x01\xe2\x80x\xff");
}
