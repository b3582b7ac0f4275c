#include "ingest/chinese_bytes.h"

#include "core/utf8.h"
#include "tests/check.h"

#include <iconv.h>
#include <stdlib.h>

/* One sequence by the C library, which is somebody else's table: its code points as a number, 0 when it is none. */
static uint64_t by_iconv(iconv_t cd, const uint8_t *p, size_t n)
{
    char buf[32], *in = (char *)(uintptr_t)p, *to = buf;
    size_t in_left = n, room = sizeof buf;
    uint64_t all = 0;

    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &in, &in_left, &to, &room) == (size_t)-1) return 0;
    iconv(cd, NULL, NULL, &to, &room);
    for (size_t at = 0, length; at < sizeof buf - room; at += length) {
        uint32_t cp;
        length = utf8_next((const uint8_t *)buf + at, sizeof buf - room - at, &cp);
        all = all << 32 | cp;
    }
    return all;
}

/* The same by our own, through whole texts; UTF8_BAD where it is none. */
static uint64_t by_ours(size_t (*decode)(Span, size_t, Buf *, size_t *), const uint8_t *p, size_t n)
{
    static Buf out;
    size_t n_replaced = 0;
    uint64_t all = 0;

    buf_reset(&out);
    CHECK_INT(n, decode(span(p, n), SIZE_MAX, &out, &n_replaced));
    if (n_replaced) {
        CHECK(span_starts(buf_span(&out), SPAN_LIT("\xef\xbf\xbd")));
        return 0;
    }
    for (size_t at = 0, length; at < out.n; at += length) {
        uint32_t cp;
        length = utf8_next(out.p + at, out.n - at, &cp);
        CHECK(cp != UTF8_BAD);
        all = all << 32 | cp;
    }
    return all;
}

static bool is_private(uint64_t cp) { return cp >= 0xE000 && cp <= 0xF8FF; }

/* glibc knows GB 18030-2005 with part of 2022: the same, but for A3A0, which the Encoding Standard makes a wide blank. */
TEST(every_pair_of_gb18030_is_as_glibc_has_it)
{
    iconv_t cd = iconv_open("UTF-8", "GB18030");

    CHECK(cd != (iconv_t)-1);
    for (unsigned lead = 0x81; lead < 0xff; lead++)
        for (unsigned trail = 0x40; trail < 0xff; trail++) {
            uint8_t p[2] = {(uint8_t)lead, (uint8_t)trail};
            uint64_t want = trail == 0x7f ? 0 : by_iconv(cd, p, 2);
            unsigned length;
            if (lead == 0xa3 && trail == 0xa0) want = 0x3000;
            if (by_ours(gb18030_to_utf8, p, 2) != want) CHECK_INT(lead << 8 | trail, 0);
            uint32_t cp = gb18030_next(p, 2, &length);
            if ((cp == UTF8_BAD) != (want == 0) || (want && (cp != want || length != 2)))
                CHECK_INT(lead << 8 | trail, 1);
        }
    iconv_close(cd);
}

/* All 1,587,600 sequences of four. glibc has eighteen characters by their pairs alone, the standards by both. */
TEST(every_four_bytes_of_gb18030_are_as_glibc_has_them)
{
    iconv_t cd = iconv_open("UTF-8", "GB18030");
    int n_both = 0;

    CHECK(cd != (iconv_t)-1);
    for (unsigned n = 0; n < 126 * 10 * 126 * 10; n++) {
        uint8_t p[4] = {(uint8_t)(0x81 + n / 12600), (uint8_t)(0x30 + n / 1260 % 10), (uint8_t)(0x81 + n / 10 % 126),
                        (uint8_t)(0x30 + n % 10)};
        uint64_t want = by_iconv(cd, p, 4), got = by_ours(gb18030_to_utf8, p, 4);
        if (want == got) continue;
        n_both++;
        if (want || !((got >= 0x9FB4 && got <= 0x9FBB) || (got >= 0xFE10 && got <= 0xFE19))) CHECK_INT(n, 0);
    }
    CHECK_INT(18, n_both);
    iconv_close(cd);
}

/* glibc knows HKSCS-2008; it has other signs for some of the punctuation (rows A1 and A2, two box corners), and leaves out
 * characters that HKSCS codes twice. No character of ours is private. */
TEST(every_pair_of_big5_is_as_glibc_has_it)
{
    iconv_t cd = iconv_open("UTF-8", "BIG5-HKSCS");
    int n_signs = 0, n_more = 0;

    CHECK(cd != (iconv_t)-1);
    for (unsigned lead = 0x81; lead < 0xff; lead++)
        for (unsigned trail = 0x40; trail < 0xff; trail++) {
            uint8_t p[2] = {(uint8_t)lead, (uint8_t)trail};
            uint64_t want = by_iconv(cd, p, 2), got = by_ours(big5_to_utf8, p, 2);
            CHECK(!is_private(got));
            if (want == got) continue;
            if (want == 0) {
                n_more++;
            } else {
                n_signs++;
                if (lead > 0xa2 && lead != 0xf9) CHECK_INT(lead << 8 | trail, 0);
            }
        }
    CHECK_INT(11, n_signs);
    CHECK_INT(131, n_more);
    iconv_close(cd);
}

/* Text of every kind of character, at every distance from the wide loads and the blocks of the decoders. */
TEST(long_texts_decode_as_their_characters_do)
{
    static const char *const charsets[] = {"GB18030", "BIG5-HKSCS"};
    static const char chars[] =
        "abc <p> 的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那";
    Buf utf8 = {0}, raw = {0}, out = {0};
    uint32_t x = 1;

    for (int i = 0; i < 40000; i++) {
        size_t at = (x = x * 1664525 + 1013904223) >> 8, n = sizeof chars - 1;
        uint32_t cp;
        at %= n;
        while ((chars[at] & 0xc0) == 0x80) at--;
        buf_put(&utf8, chars + at, utf8_next((const uint8_t *)chars + at, n - at, &cp));
        if (x >> 28 == 0) buf_puts(&utf8, "plain words between ");
    }
    for (int k = 0; k < 2; k++) {
        iconv_t cd = iconv_open(charsets[k], "UTF-8");
        char *in = (char *)utf8.p;
        size_t in_left = utf8.n, room = utf8.n * 2, n_replaced = 0;
        buf_reset(&raw);
        buf_reset(&out);
        CHECK(buf_reserve(&raw, room));
        char *to = (char *)raw.p;
        CHECK(iconv(cd, &in, &in_left, &to, &room) != (size_t)-1);
        raw.n = (size_t)((uint8_t *)to - raw.p);
        CHECK_INT(raw.n, (k ? big5_to_utf8 : gb18030_to_utf8)(buf_span(&raw), 0, &out, &n_replaced));
        CHECK_INT(0, n_replaced);
        CHECK(span_eq(buf_span(&utf8), buf_span(&out)));
        iconv_close(cd);
    }
    buf_clear(&utf8), buf_clear(&raw), buf_clear(&out);
}

static void check_text(size_t (*decode)(Span, size_t, Buf *, size_t *), Span in, Span want, size_t n_bad)
{
    Buf out = {0};
    size_t n_replaced = 0;

    CHECK_INT(in.n, decode(in, SIZE_MAX, &out, &n_replaced));
    CHECK_SPAN(want, buf_span(&out));
    CHECK_INT(n_bad, n_replaced);
    buf_clear(&out);
}

TEST(wrong_bytes_cost_themselves)
{
    check_text(gb18030_to_utf8, SPAN_LIT("\xd6<p>\xd6\xd0\xff\x80"), SPAN_LIT("\xef\xbf\xbd<p>中\xef\xbf\xbd€"), 2);
    check_text(gb18030_to_utf8, SPAN_LIT("\x81\x30\x81<\xd6\xd0"),
               SPAN_LIT("\xef\xbf\xbd"
                        "0\xef\xbf\xbd<中"),
               2);
    check_text(gb18030_to_utf8, SPAN_LIT("\xd6\xff\xd6"), SPAN_LIT("\xef\xbf\xbd\xef\xbf\xbd"), 2);
    check_text(big5_to_utf8, SPAN_LIT("\xa4<p>\xa4\xa4\x80\xff\xa4"),
               SPAN_LIT("\xef\xbf\xbd<p>中\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"), 4);
    check_text(big5_to_utf8, SPAN_LIT("\x81\x40\x81\xa1\x88\x62"),
               SPAN_LIT("\xef\xbf\xbd@\xef\xbf\xbd\xc3\x8a\xcc\x84"), 2);
    Buf out = {0};
    size_t n_replaced = 0;
    CHECK_INT(3, gb18030_to_utf8(SPAN_LIT("a\xff\xff\xff"), 1, &out, &n_replaced)); /* stops at the second */
    CHECK_INT(2, n_replaced);
    buf_clear(&out);
}
