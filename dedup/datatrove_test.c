/* Against vectors taken from datatrove 0.10.0 and NumPy, and a slow version of the formula. */
#include "dedup/datatrove.h"

#include "tests/check.h"

#include <stdlib.h>

TEST(trove_family_is_that_of_numpy)
{
    static const uint64_t a[] = {0xac1f425ff4780ec, 0x18672f8ceebc1449, 0x77eff20ccc38a, 0xd65aacbffc11e86},
                          b[] = {0xebe938e3124088d, 0x1262acd476dd1e74, 0x10e5632b3af90e86, 0x16606cd821c82b8};
    TroveFamily f;
    Err err;

    CHECK_OK(trovefamily_init(&f, 112, 1, &err), &err);
    for (int i = 0; i < 4; i++) CHECK(f.a[i] == a[i] && f.b[i] == b[i]);
    CHECK(f.a[111] == 0x31b5419be25d5f2 && f.b[111] == 0xf3ac82b88ccf401);
    trovefamily_clear(&f);
}

static Doc doc_of(Span text, Span extra) { return (Doc){.id = SPAN_LIT("d"), .text = text, .extra = extra}; }

TEST(trove_signature_is_that_of_datatrove)
{
    static const uint64_t want[] = {0x12f280a6c3d7d52, 0x6a5ac96e3d7ab1, 0xfad9d3f7496bb5};
    Doc doc = doc_of(
        SPAN_LIT("the quick brown fox jumps over the lazy dog and then runs away from all of them again and again"),
        (Span){NULL, 0});
    TroveWords w = {0};
    TroveFamily f;
    uint64_t values[112];
    Err err;

    CHECK_OK(trovefamily_init(&f, 112, 1, &err), &err);
    CHECK_OK(trovewords_read(&w, &doc, &err), &err);
    CHECK_INT(20, w.n);
    CHECK(trove_sign(&w, &f, 5, values));
    for (int i = 0; i < 3; i++) CHECK(values[i] == want[i]);
    CHECK(!trove_sign(&w, &f, 21, values));
    trovewords_clear(&w);
    trovefamily_clear(&f);
}

/* The words of a document, joined by '|'. */
static const char *words_of(Span text, Span extra, Buf *out)
{
    Doc doc = doc_of(text, extra);
    TroveWords w = {0};
    Err err = {0};

    buf_reset(out);
    if (trovewords_read(&w, &doc, &err) != ERR_OK) {
        buf_puts(out, err.msg);
    } else {
        for (size_t i = 0, begin = 0; i < w.n; begin = w.end[i++] + 1) {
            if (i) buf_putc(out, '|');
            buf_put_span(out, span(w.text.p + begin, w.end[i] - begin));
        }
    }
    trovewords_clear(&w);
    return buf_cstr(out);
}

TEST(trove_words)
{
    static const Span none = {NULL, 0};
    Buf b = {0};

    CHECK_STR("", words_of(SPAN_LIT(""), none, &b));
    CHECK_STR("", words_of(SPAN_LIT(" \n\xe3\x80\x80"), none, &b));
    CHECK_STR("a|b|\xe4\xbd\xa0\xe5\xa5\xbd|c", words_of(SPAN_LIT("a\xe3\x80\x80"
                                                                  "b \xe4\xbd\xa0\xe5\xa5\xbd\x1c"
                                                                  "c\xc2\x85"),
                                                         none, &b));
    CHECK_STR("x y|z", words_of(SPAN_LIT("other"), SPAN_LIT("\"k\":[1],\"tokens\":[\"x y\",\"\\u007a\"]"), &b));
    CHECK_STR("", words_of(SPAN_LIT("other"), SPAN_LIT("\"tokens\":[]"), &b));
    CHECK_STR("other", words_of(SPAN_LIT("other"), SPAN_LIT("\"Tokens\":[\"x\"]"), &b));
    CHECK_STR("document d: tokens is no array of strings",
              words_of(SPAN_LIT("o"), SPAN_LIT("\"tokens\":[\"x\",1]"), &b));
    CHECK_STR("document d: tokens is no array of strings", words_of(SPAN_LIT("o"), SPAN_LIT("\"tokens\":\"x\""), &b));
    buf_clear(&b);
}
