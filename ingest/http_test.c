#include "ingest/http.h"

#include "core/hash.h"
#include "tests/check.h"
#include "tests/packing.h"

#include <zstd.h>

static unsigned notes; /* of the last body */

static Span body_of(const char *head, Span stored, Buf scratch[2], BodyStatus *result)
{
    static Buf block; /* the body points into it */
    HttpResponse r;
    Span out = {NULL, 0};

    buf_reset(&block);
    buf_puts(&block, head);
    buf_put_span(&block, stored);
    CHECK(http_parse(buf_span(&block), &r));
    *result = http_body(&r, scratch, &out, &notes);
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
    CHECK_INT(1 << HTTP_GZIP | 1 << HTTP_CUT, notes);
    body_of("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", SPAN_LIT("\x1b\x00\x01\x02 not text"), s, &got);
    CHECK_INT(BODY_FAILED, got);
    body_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip,gzip,gzip,gzip\r\n\r\n", buf_span(&gz), s, &got);
    CHECK_INT(BODY_FAILED, got);
    buf_clear(&s[0]), buf_clear(&s[1]), buf_clear(&gz), buf_clear(&twice), buf_clear(&chunked);
}

/* "hello world, hello world, hello world" by the brotli program of Debian 12 at quality 11. */
static const uint8_t hello_br[] = {0x1f, 0x24, 0x00, 0xf8, 0x8d, 0xd4, 0x4e, 0xf9, 0xc3, 0x50, 0x54, 0x65, 0x68, 0x0d,
                                   0xc2, 0xc2, 0xf6, 0xa6, 0x66, 0xa1, 0xa6, 0x1a, 0xc8, 0x80, 0x6a, 0x96, 0x00};

static void put_zstd(Buf *out, Span raw)
{
    size_t bound = ZSTD_compressBound(raw.n);

    CHECK(buf_reserve(out, bound));
    out->n += ZSTD_compress(out->p + out->n, bound, raw.p, raw.n, 3);
}

TEST(brotli_and_zstd_bodies)
{
    Span text = SPAN_LIT("hello world, hello world, hello world"), br = span(hello_br, sizeof hello_br);
    Buf s[2] = {{0}, {0}}, z = {0};
    BodyStatus got;
    const char *head = "HTTP/1.1 200 OK\r\nContent-Encoding: BR\r\n\r\n";

    CHECK_SPAN(text, body_of(head, br, s, &got));
    CHECK_INT(BODY_FINE, got);
    CHECK_INT(1 << HTTP_BR, notes);
    CHECK_SPAN(text, body_of(head, text, s, &got));
    CHECK_INT(1 << HTTP_NOT_CODED, notes);
    Span cut = body_of(head, span(br.p, br.n - 1), s, &got);
    CHECK_INT(BODY_FINE, got);
    CHECK(cut.n && span_starts(text, cut));
    CHECK_INT(1 << HTTP_BR | 1 << HTTP_CUT, notes);
    put_zstd(&z, text);
    put_zstd(&z, text); /* two frames are one body */
    CHECK_INT(2 * text.n, body_of("HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\n\r\n", buf_span(&z), s, &got).n);
    CHECK_INT(1 << HTTP_ZSTD, notes);
    body_of("HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\n\r\n", span(z.p, 9), s, &got);
    CHECK_INT(BODY_FAILED, got);
    z.n = 0;
    put_zstd(&z, br);
    CHECK_SPAN(text, body_of("HTTP/1.1 200 OK\r\nContent-Encoding: br, zstd\r\n\r\n", buf_span(&z), s, &got));
    CHECK_SPAN(text, body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: zstd, chunked\r\nContent-Encoding: br\r\n\r\n",
                             buf_span(&z), s, &got)); /* stored without its chunks */
    CHECK_INT(1 << HTTP_BR | 1 << HTTP_ZSTD | 1 << HTTP_NOT_CODED, notes);
    buf_clear(&s[0]), buf_clear(&s[1]), buf_clear(&z);
}

/* What ends with the last byte of a step of output is whole. */
TEST(zstd_bodies_of_whole_steps_are_not_cut)
{
    for (size_t n = (128 << 10) - 1; n < 512 << 10; n += n % 2 ? 1 : (128 << 10) - 1) {
        Buf s[2] = {{0}, {0}}, z = {0}, raw = {0};
        BodyStatus got;
        for (size_t i = 0; i < n; i++) buf_putc(&raw, (uint8_t)mix64(i));
        put_zstd(&z, buf_span(&raw));
        Span body = body_of("HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\n\r\n", buf_span(&z), s, &got);
        CHECK(span_eq(buf_span(&raw), body));
        CHECK_INT(1 << HTTP_ZSTD, notes);
        buf_clear(&s[0]), buf_clear(&s[1]), buf_clear(&z), buf_clear(&raw);
    }
}

/* What Common Crawl, its news crawl and others do to heads and bodies (nutch issue 5, news-crawl issue 30). */
TEST(heads_that_do_not_tell_the_truth)
{
    Span text = SPAN_LIT("<html><body>stored without its codings</body></html>");
    Buf s[2] = {{0}, {0}}, gz = {0};
    BodyStatus got;

    pack_gzip(&gz, text);
    CHECK_SPAN(text, body_of("HTTP/1.1 200 OK\r\nX-Crawler-Content-Encoding: gzip\r\nX-Crawler-Transfer-Encoding: "
                             "chunked\r\n\r\n",
                             text, s, &got));
    CHECK_INT(0, notes);
    CHECK_SPAN(text, body_of("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n", text, s,
                             &got));
    CHECK_INT(1 << HTTP_NOT_CODED, notes);
    Buf blank = {0};
    buf_puts(&blank, "\r\n");
    buf_put_span(&blank, buf_span(&gz));
    CHECK_SPAN(text, body_of("HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\n\r\n", buf_span(&blank), s, &got));
    CHECK_STR("application/pdf", http_sniff_binary(SPAN_LIT("\r\n%PDF-1.4")));
    CHECK_SPAN(SPAN_LIT("<p>"), http_skip_blank(SPAN_LIT("\r\n \n<p>")));
    CHECK_INT(6, http_skip_blank(SPAN_LIT("\n\0<\0p\0")).n);
    /* A year on its own line is no chunk. */
    CHECK_INT(24, body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                          SPAN_LIT("10\r\n<p>0123456789abcdefg"), s, &got)
                      .n);
    CHECK_SPAN(SPAN_LIT("hello"), body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
                                          "chunked\r\n\r\n",
                                          SPAN_LIT("0000000000005\r\nhello\r\n0\r\n\r\n"), s, &got));
    buf_clear(&s[0]), buf_clear(&s[1]), buf_clear(&gz), buf_clear(&blank);
}

TEST(the_first_valid_of_headers_given_twice)
{
    HttpResponse r;

    CHECK(http_parse(SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Type: utf-8\r\nContent-Type: text/html;\r\n charset=gbk\r\n"
                              "Content-Type: text/plain\r\n\r\n"),
                     &r));
    CHECK_SPAN(SPAN_LIT("text/html"), http_media_type(r.content_type));
    CHECK_SPAN(SPAN_LIT("gbk"), http_parameter(r.content_type, "charset"));
    CHECK_SPAN(SPAN_LIT("gbk"), http_parameter(SPAN_LIT("text/html; charset=gbk, text/html"), "charset"));
}

TEST(log_lines_before_a_head_are_skipped)
{
    HttpResponse r;

    CHECK(http_parse(
        SPAN_LIT("2019-03-01 warning: cache miss\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>"), &r));
    CHECK_INT(200, r.status);
    CHECK_SPAN(SPAN_LIT("<p>"), r.body);
    CHECK(http_parse(SPAN_LIT("<p>a page that quotes\nHTTP/1.1 200 OK\n\n"), &r));
    CHECK_INT(0, r.status);
    CHECK(http_parse(SPAN_LIT("2019-03-01 nothing but a log\n"), &r));
    CHECK_INT(0, r.status);
    CHECK(!http_sniff_html(r.body));
}

/* 2 MiB of blanks shrink to 1:1000: beyond the ratio, though far below the limit of a body. */
TEST(a_ratio_beyond_that_of_pages_is_a_bomb)
{
    Buf s[2] = {{0}, {0}}, blanks = {0}, gz = {0};
    BodyStatus got;

    CHECK(buf_reserve(&blanks, 2 << 20));
    memset(blanks.p, ' ', 2 << 20);
    blanks.n = 2 << 20;
    pack_gzip(&gz, buf_span(&blanks));
    body_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", buf_span(&gz), s, &got);
    CHECK_INT(BODY_TOO_LARGE, got);
    gz.n = 0;
    pack_gzip(&gz, span(blanks.p, 1 << 20)); /* so much anything may have */
    CHECK_INT(1 << 20, body_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", buf_span(&gz), s, &got).n);
    buf_clear(&s[0]), buf_clear(&s[1]), buf_clear(&blanks), buf_clear(&gz);
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
