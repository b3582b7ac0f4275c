/* Normalization Form C. Vectors of Unicode's NormalizationTest.txt and Standard Annex 15; tests/formats_hf.py compares with the
 * reference. */
#include "tokenize/nfc.h"

#include "core/hash.h"
#include "core/utf8.h"
#include "tests/check.h"

static void check_nfc(const char *text, const char *want)
{
    Buf buf = {0};
    Span out, edge = check_edge(span_str(text));
    Err err = {0};

    CHECK_OK(nfc_text(edge, &buf, &out, &err), &err);
    CHECK_STR(want, (buf_reset(&buf), buf_put_span(&buf, out), buf_cstr(&buf)));
    check_edge_free(edge);
    buf_clear(&buf);
}

TEST(vectors)
{
    check_nfc("", "");
    check_nfc("plain ASCII, more than eight bytes", "plain ASCII, more than eight bytes");
    check_nfc("caf\u00e9 \u4e2d\u6587", "caf\u00e9 \u4e2d\u6587");
    check_nfc("cafe\u0301", "caf\u00e9");
    check_nfc("e\u0301e\u0301", "\u00e9\u00e9");
    check_nfc("\u0301a", "\u0301a");
    check_nfc("\u212b\u2126", "\u00c5\u03a9");                   /* singletons */
    check_nfc("s\u0323\u0307", "\u1e69");                        /* two marks */
    check_nfc("s\u0307\u0323", "\u1e69");                        /* in the other order */
    check_nfc("\u1e9b\u0323", "\u1e9b\u0323");                   /* does not compose further */
    check_nfc("\u1e0b\u0323", "\u1e0d\u0307");                   /* taken apart and put together otherwise */
    check_nfc("q\u0307\u0323", "q\u0323\u0307");                 /* only reordered */
    check_nfc("\u0958", "\u0915\u093c");                         /* excluded from composition */
    check_nfc("\u1100\u1161\u11a8\uac00\u11a8", "\uac01\uac01"); /* Hangul */
    check_nfc("\uac01\u11a8", "\uac01\u11a8");
    check_nfc("a\u05b0\u0300\u0327b", "\u00e0\u05b0\u0327b"); /* class 10 and 202 stand before 230 */
    check_nfc("\U0001d15e", "\U0001d157\U0001d165");
    check_nfc("\ufb1d", "\u05d9\u05b4");
    check_nfc("\u0344", "\u0308\u0301");
    check_nfc("u\u0344", "\u01d8");
}

/* Bytes that are no UTF-8 stay, and nothing combines over them. */
TEST(ill_formed_text)
{
    check_nfc("e\xff\u0301", "e\xff\u0301");
    check_nfc("e\u0301\xff", "\u00e9\xff");
    check_nfc("\xcc", "\xcc");
    check_nfc("e\xcc", "e\xcc");
    check_nfc("\xe1\x84\u1161", "\xe1\x84\u1161");
}

/* A text in this form stays; what is found to be in it for certain is. */
TEST(twice_is_once)
{
    Buf text = {0}, one = {0}, two = {0};
    Span a, b;
    Err err = {0};

    for (uint64_t seed = 0; seed < 3000; seed++) {
        static const uint32_t often[] = {'a',    's',    0x301,  0x323,  0x307, 0x327,  0x1100,
                                         0x1161, 0x11a8, 0xac00, 0x4e2d, 0x344, 0x3099, 0x304b};
        buf_reset(&text);
        for (uint64_t i = 0; i < 1 + seed % 20; i++) {
            uint64_t r = mix64(seed * 64 + i);
            uint32_t cp = r % 3 ? often[(r >> 8) % (sizeof often / sizeof *often)] : (uint32_t)((r >> 8) % 0x30000);
            utf8_append(&text, cp >= 0xD800 && cp < 0xE000 ? 'x' : cp);
        }
        CHECK_OK(nfc_text(buf_span(&text), &one, &a, &err), &err);
        CHECK_OK(nfc_text(a, &two, &b, &err), &err);
        CHECK_SPAN(a, b);
        CHECK(nfc_first(buf_span(&text)) < text.n || span_eq(buf_span(&text), a));
    }
    buf_clear(&text);
    buf_clear(&one);
    buf_clear(&two);
}

/* 2^18 marks behind one letter, in the worst order. */
TEST(many_marks)
{
    Buf text = {0}, buf = {0};
    Span out;
    Err err = {0};

    buf_putc(&text, 'a');
    for (int i = 0; i < 1 << 18; i++) utf8_append(&text, i % 2 ? 0x323 : 0x301);
    CHECK_OK(nfc_text(buf_span(&text), &buf, &out, &err), &err);
    CHECK_INT(text.n + 3 - 1 - 2, out.n); /* a and the first dot below are one character of three bytes */
    CHECK(span_starts(out, SPAN_LIT("\u1ea1\u0323\u0323")));
    buf_clear(&text);
    buf_clear(&buf);
}
