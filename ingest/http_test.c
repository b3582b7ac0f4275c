#include "ingest/http.h"

#include "tests/check.h"
#include "tests/packing.h"

static Span body_of(const char *head, Span stored, Buf scratch[2], BodyStatus *result)
{
    static Buf block; /* the body points into it */
    HttpResponse r;
    Span out = {NULL, 0};

    buf_reset(&block);
    buf_puts(&block, head);
    buf_put_span(&block, stored);
    CHECK(http_parse(buf_span(&block), &r));
    *result = http_body(&r, scratch, &out);
    return out;
}

TEST(heads_are_read_leniently)
{
    HttpResponse r;

    CHECK(http_parse(SPAN_LIT("HTTP/1.1 200 OK\r\ncontent-TYPE : text/html;Charset=utf-8;charset=UTF-8\r\njunk\r\n"
                              "Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\nbody"),
                     &r));
    CHECK_INT(200, r.status);
    CHECK_SPAN(SPAN_LIT("text/html"), http_media_type(r.content_type));
    CHECK_SPAN(SPAN_LIT("utf-8"), http_parameter(r.content_type, "charset"));
    CHECK(r.chunked);
    CHECK_SPAN(SPAN_LIT("body"), r.body);
    CHECK(http_parse(SPAN_LIT("HTTP/1.0 404\n\nx"), &r));
    CHECK_INT(404, r.status);
    CHECK(http_parse(SPAN_LIT("HTTP/1.1 200 OK"), &r));
    CHECK_INT(0, r.body.n);
    CHECK(http_parse(SPAN_LIT("<html>"), &r));
    CHECK_INT(0, r.status);
    CHECK_SPAN(SPAN_LIT("<html>"), r.body);
    CHECK(!http_parse(SPAN_LIT("HTTP/1.1 OK\r\n\r\n"), &r));
    CHECK(!http_parse(SPAN_LIT("HTTP/1.1 20\r\n\r\n"), &r));
    CHECK_SPAN(SPAN_LIT("gbk"), http_parameter(SPAN_LIT("text/html; x=1; charset=\"gbk\""), "charset"));
    CHECK_INT(0, http_parameter(SPAN_LIT("text/html; charset="), "charset").n);
}

TEST(a_head_without_end_is_malformed)
{
    Buf b = {0};
    HttpResponse r;

    buf_puts(&b, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < HTTP_MAX_LINES + 1; i++) buf_puts(&b, "a: b\r\n");
    buf_puts(&b, "\r\nbody");
    CHECK(!http_parse(buf_span(&b), &r));
    b.n = 17;
    while (b.n <= HTTP_MAX_HEAD + 1) buf_putc(&b, 'x');
    CHECK(!http_parse(buf_span(&b), &r));
    buf_clear(&b);
}

TEST(chunks_are_joined_and_lies_are_left)
{
    Buf s[2] = {{0}, {0}};
    BodyStatus got;
    const char *head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    CHECK_SPAN(SPAN_LIT("hello world"),
               body_of(head, SPAN_LIT("5\r\nhello\r\n006;ext=1\r\n world\r\n0\r\n\r\n"), s, &got));
    CHECK_SPAN(SPAN_LIT("hello wo"), body_of(head, SPAN_LIT("5\r\nhello\r\n6\r\n wo"), s, &got));
    CHECK_SPAN(SPAN_LIT("hello"), body_of(head, SPAN_LIT("5\r\nhello\r\nzz\r\nmore"), s, &got));
    CHECK_SPAN(SPAN_LIT("<html>stored plain"), body_of(head, SPAN_LIT("<html>stored plain"), s, &got));
    CHECK_SPAN(SPAN_LIT("fffffffff\r\nx"),
               body_of(head, SPAN_LIT("fffffffff\r\nx"), s, &got)); /* nine digits: no size */
    CHECK_INT(BODY_FINE, got);
    buf_clear(&s[0]), buf_clear(&s[1]);
}

TEST(codings_are_undone_where_they_are)
{
    Span text = SPAN_LIT("<html><body>some text, some text, some text</body></html>");
    Buf s[2] = {{0}, {0}}, gz = {0}, twice = {0}, chunked = {0};
    BodyStatus got;

    pack_gzip(&gz, text);
    pack_gzip(&twice, buf_span(&gz));
    buf_printf(&chunked, "%zx\r\n", gz.n);
    buf_put_span(&chunked, buf_span(&gz));
    buf_puts(&chunked, "\r\n0\r\n\r\n");
    CHECK_SPAN(text, body_of("HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\n\r\n", buf_span(&gz), s, &got));
    CHECK_SPAN(text,
               body_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", text, s, &got)); /* stored decoded */
    CHECK_SPAN(text, body_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\n", buf_span(&twice), s, &got));
    CHECK_SPAN(text, body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n",
                             buf_span(&chunked), s, &got));
    CHECK_SPAN(text,
               body_of("HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n", span(gz.p + 10, gz.n - 18), s, &got));
    CHECK_INT(BODY_FINE, got);
    Span cut = body_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", span(gz.p, gz.n - 12), s, &got);
    CHECK_INT(BODY_FINE, got); /* what inflates is kept */
    CHECK(cut.n > 0 && span_starts(text, cut));
    body_of("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", SPAN_LIT("\x1b\x00\x01\x02 not text"), s, &got);
    CHECK_INT(BODY_FAILED, got);
    body_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip,gzip,gzip,gzip\r\n\r\n", buf_span(&gz), s, &got);
    CHECK_INT(BODY_FAILED, got);
    buf_clear(&s[0]), buf_clear(&s[1]), buf_clear(&gz), buf_clear(&twice), buf_clear(&chunked);
}

TEST(a_body_that_inflates_without_end_is_too_large)
{
    Buf s[2] = {{0}, {0}}, zeros = {0}, gz = {0};
    BodyStatus got;

    CHECK(buf_reserve(&zeros, (33 << 20)));
    memset(zeros.p, ' ', 33 << 20);
    zeros.n = 33 << 20;
    pack_gzip(&gz, buf_span(&zeros));
    body_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", buf_span(&gz), s, &got);
    CHECK_INT(BODY_TOO_LARGE, got);
    CHECK(s[0].n <= (33 << 20));
    buf_clear(&s[0]), buf_clear(&s[1]), buf_clear(&zeros), buf_clear(&gz);
}

TEST(first_bytes_tell_what_a_body_is)
{
    Buf b = {0};

    CHECK_STR("application/pdf", http_sniff_binary(SPAN_LIT("%PDF-1.4 text/html it is not")));
    CHECK_STR("image/png", http_sniff_binary(SPAN_LIT("\x89PNG\r\n")));
    CHECK(!http_sniff_binary(SPAN_LIT("<html>\0\0 some NULs happen")));
    CHECK(!http_sniff_binary(SPAN_LIT("\xff\xfe<\0h\0t\0")));
    for (int i = 0; i < 600; i++) buf_putc(&b, (uint8_t)(i * 7 % 32));
    CHECK_STR("application/octet-stream", http_sniff_binary(buf_span(&b)));
    CHECK(http_sniff_html(SPAN_LIT("\n\n <!-- x --> <!DOCTYPE HTML><p>")));
    CHECK(!http_sniff_html(SPAN_LIT("{\"a\": \"<b>\"}")));
    buf_clear(&b);
}
