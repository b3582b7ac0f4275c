#include "core/s3_xml.h"

#include "tests/check.h"

#include <time.h>

TEST(s3xml_elements_in_order)
{
    Span rest = SPAN_LIT(
        "<R xmlns=\"x\"><C><Key>a&amp;b&#x9;&lt;&#38;</Key><Size>12</Size></C><C><Key>c</Key></C><Size>7</Size></R>");
    Span element;
    Buf text = {0};
    uint64_t v;

    CHECK(s3xml_next(&rest, "C", &element));
    CHECK(s3xml_text(element, "Key", &text));
    CHECK_SPAN(SPAN_LIT("a&b\t<&"), buf_span(&text));
    CHECK(s3xml_u64(element, "Size", &v) && v == 12);
    CHECK(s3xml_next(&rest, "C", &element));
    CHECK(!s3xml_u64(element, "Size", &v));
    CHECK(!s3xml_next(&rest, "C", &element));
    CHECK(s3xml_u64(rest, "Size", &v) && v == 7);
    buf_clear(&text);
}

TEST(s3xml_refuses_what_is_no_text)
{
    static const char *const bad[] = {"<K>a<b/></K>",
                                      "<K>a",
                                      "K",
                                      "<K>&nbsp;</K>",
                                      "<K>&</K>",
                                      "<K>&#0;</K>",
                                      "<K>&#x;</K>",
                                      "<K>&#xfffffffff;</K>",
                                      "</K><K>",
                                      "<",
                                      ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        Buf text = {0};
        CHECK(!s3xml_text(span_str(bad[i]), "K", &text));
        buf_clear(&text);
    }
}

/* Against the system's own calendar. */
TEST(s3xml_times)
{
    char text[64];
    int64_t got;

    for (time_t t = 0; t < (time_t)5000000000; t += 7654321) {
        struct tm tm;
        CHECK(gmtime_r(&t, &tm) != NULL);
        CHECK(strftime(text, sizeof text, "<T>%Y-%m-%dT%H:%M:%S.000Z</T>", &tm) > 0);
        CHECK(s3xml_time(span_str(text), "T", &got));
        CHECK_INT((long long)t, (long long)got);
    }
    CHECK(!s3xml_time(SPAN_LIT("<T>2009-13-12T17:50:30Z</T>"), "T", &got));
    CHECK(!s3xml_time(SPAN_LIT("<T>yesterday</T>"), "T", &got));
}

TEST(s3xml_quoting)
{
    Buf b = {0};

    s3xml_put(&b, SPAN_LIT("\"a<&>\""));
    CHECK_SPAN(SPAN_LIT("&quot;a&lt;&amp;&gt;&quot;"), buf_span(&b));
    buf_reset(&b);
    buf_puts(&b, "a+b%2B%c3%A9/");
    CHECK(s3xml_unquote(&b));
    CHECK_SPAN(SPAN_LIT("a b+\xc3\xa9/"), buf_span(&b));
    static const char *const bad[] = {"a%0", "%", "%zz", "a%00"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_reset(&b);
        buf_puts(&b, bad[i]);
        CHECK(!s3xml_unquote(&b));
    }
    buf_clear(&b);
}
