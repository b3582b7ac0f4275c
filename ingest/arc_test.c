#include "ingest/arc.h"

#include "core/counters.h"
#include "tests/check.h"
#include "tests/packing.h"
#include "tests/record_list.h"

#include <stdio.h>

static void check_head(const char *line, const char *url, const char *date, const char *type, const char *length)
{
    WarcHead h;
    Span s = span_str(line);

    CHECK_INT(WARC_HEAD_FINE, arc_head(s, &h));
    CHECK_SPAN(span_str(url), h.target_uri);
    CHECK_SPAN(span_str(date), h.date);
    CHECK_SPAN(span_str(type), h.content_type);
    CHECK(h.has_length == (length != NULL));
    if (length) CHECK_INT(atoll(length), h.length);
    CHECK_INT(s.n, h.head_bytes);
    CHECK(h.is_arc);
    for (size_t n = 0; n < s.n; n++) { /* every prefix is cut, and nothing behind it is read */
        Span edge = check_edge(span(s.p, n));
        CHECK_INT(WARC_HEAD_CUT, arc_head(edge, &h));
        check_edge_free(edge);
    }
}

TEST(arc_heads_of_all_kinds_are_read)
{
    check_head("http://a.test/ 192.0.2.1 20080430204825 text/html 1234\n", "http://a.test/", "20080430204825",
               "text/html", "1234");
    check_head("http://a.test/x y z?a=b c 192.0.2.1 20080430204825 text/html 1\r\n", "http://a.test/x y z?a=b c",
               "20080430204825", "text/html", "1");
    check_head("http://a.test/ 192.0.2.1 20080430204825 text/html; charset utf-8 1\n", "http://a.test/",
               "20080430204825", "text/html; charset utf-8", "1");
    check_head("dns:a.test 192.0.2.1 20080430204825 text/dns 55\n", "dns:a.test", "20080430204825", "text/dns", "55");
    check_head("http://a.test/1.2.3.4 20010101000000 x 2001:db8::1 200804302048 no-type 0\n",
               "http://a.test/1.2.3.4 20010101000000 x", "200804302048", "no-type", "0");
    check_head("http://a.test/ 192.0.2.1 201404010000000000 text/html -1\n", "http://a.test/", "20140401000000",
               "text/html", NULL);
    check_head("http://a.test/ - 20080430204825 text/html 99999999999999999999\n", "http://a.test/", "20080430204825",
               "text/html", NULL);
    check_head("http://a.test/ 192.0.2.1 20080430204825 text/html 200 - - 0 a.arc 12\n", "http://a.test/",
               "20080430204825", "text/html 200 - - 0 a.arc", "12"); /* version 2 */
    WarcHead h;
    CHECK_INT(WARC_HEAD_FINE, arc_head(SPAN_LIT("filedesc://x 0.0.0.0 20080430204825 text/plain 76\n"), &h));
    CHECK_INT(WARC_INFO, h.type);
}

TEST(other_lines_are_no_arc_heads)
{
    static const char *const lines[] = {"\n",
                                        " http://a.test/ 192.0.2.1 20080430204825 text/html 1\n",
                                        "http://a.test/\n",
                                        "http://a.test/ 192.0.2.1 20080430204825\n",
                                        "http://a.test/ 192.0.2.1 20080430204825 12\n",
                                        "http://a.test/ 192.0.2.1 2008 text/html 12\n",
                                        "http://a.test/ host.test 20080430204825 text/html 12\n",
                                        "192.0.2.1 20080430204825 text/html 12\n",
                                        "<p>http://a.test/ 192.0.2.1 20080430204825 text/html 12\n",
                                        "Content-Type: text/html\n"};
    WarcHead h;
    Buf b = {0};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        CHECK_INT(WARC_HEAD_BAD, arc_head(span_str(lines[i]), &h));
    buf_puts(&b, "http://a.test/");
    while (b.n < ARC_MAX_LINE) buf_putc(&b, 'x');
    CHECK_INT(WARC_HEAD_BAD, arc_head(buf_span(&b), &h));
    buf_clear(&b);
}

enum { FIRST = 8 }; /* bytes of a block that are listed */

enum { N = 9 };
typedef enum { PLAIN, GZIP, ZSTD, LZ4, ACROSS, N_PACKINGS } Packing;

static void pack(Buf *out, Span raw, Packing how)
{
    if (how == PLAIN) buf_put_span(out, raw);
    if (how == GZIP || how == ACROSS) pack_gzip(out, raw);
    if (how == ZSTD) pack_zstd(out, raw, (Span){NULL, 0});
    if (how == LZ4) pack_lz4(out, raw);
}

/* The version block and N records of some hundred bytes; every third speaks of a URL at the start of a line. */
static void make_arc(Packing how, Buf *out, uint64_t at[N + 1])
{
    Buf raw = {0}, block = {0};

    for (int i = -1; i < N; i++) {
        at[i + 1] = how == ACROSS ? raw.n : out->n;
        if (how != ACROSS) buf_reset(&raw);
        buf_reset(&block);
        buf_printf(&block, "block %02d\n", i);
        for (int k = 0; k < 30 + i * 9; k++) buf_printf(&block, "word%d ", k * i);
        if (i % 3 == 0) buf_puts(&block, "\nhttp://a.test/ is an address and 192.0.2.9 20080101000000 another\n");
        if (i < 0)
            pack_arc_version(&raw);
        else
            pack_arc(&raw, i == 4 ? "http://a.test/with a blank" : "http://a.test/", "text/html", buf_span(&block));
        if (how != ACROSS) pack(out, buf_span(&raw), how);
    }
    for (size_t i = 0; how == ACROSS && i < raw.n; i += 500)
        pack(out, span(raw.p + i, raw.n - i < 500 ? raw.n - i : 500), how);
    buf_clear(&raw), buf_clear(&block);
}

TEST(arc_records_are_read_whole_and_in_slices)
{
    for (Packing how = PLAIN; how < N_PACKINGS; how++) {
        Buf arc = {0}, whole = {0}, want = {0};
        uint64_t at[N + 1];
        make_arc(how, &arc, at);
        list_records(buf_span(&arc), 0, UINT64_MAX, FIRST, &whole);
        if (how != ACROSS) {
            buf_printf(&want, "0+0 %d 1 0 Made\n", INGEST_N_REASONS);
            for (int i = 0; i < N; i++)
                buf_printf(&want, "%llu+0 %d block %02d\n", (unsigned long long)at[i + 1], INGEST_N_REASONS, i);
            CHECK_SPAN(buf_span(&want), buf_span(&whole));
        }
        check_slices(buf_span(&arc), how == PLAIN ? 13 : 7, 700, FIRST, &whole);
        buf_clear(&arc), buf_clear(&whole), buf_clear(&want);
    }
}

/* Schemes in capitals, of any name, and archives whose first member is a line end or damaged. */
TEST(arcs_are_told_by_any_member)
{
    for (int first = 0; first < 3; first++) {
        Buf arc = {0}, raw = {0}, whole = {0}, want = {0};
        if (first == 1) pack_gzip(&arc, SPAN_LIT("\n"));
        if (first == 2) {
            pack_arc_version(&raw);
            pack_gzip(&arc, buf_span(&raw));
            arc.p[10] = 0xff; /* a block of the type that does not exist */
            buf_printf(&want, "0+0 %d \n", INGEST_GZIP_CORRUPT);
        }
        for (int i = 0; i < N; i++) {
            static const char *const urls[] = {"http://a.test/", "HTTP://a.test/", "gopher://a.test/", "DNS:a.test"};
            buf_reset(&raw);
            pack_arc(&raw, urls[i % 4], "text/html", SPAN_LIT("block of noise\nand some"));
            buf_printf(&want, "%zu+0 %d block of\n", arc.n, INGEST_N_REASONS);
            pack_gzip(&arc, buf_span(&raw));
        }
        list_records(buf_span(&arc), 0, UINT64_MAX, FIRST, &whole);
        CHECK_SPAN(buf_span(&want), buf_span(&whole));
        check_slices(buf_span(&arc), 7, 0, FIRST, &whole);
        buf_clear(&arc), buf_clear(&raw), buf_clear(&whole), buf_clear(&want);
    }
}

/* Lengths that lie are mended, lengths that are none cost their record, and in the version block not even that. */
TEST(a_wrong_arc_length_is_mended_or_costs_its_record)
{
    static const char *const lengths[] = {"0", "10", "14", "5000", "-1", "abc", "40000000", "99999999999999999999"};

    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        for (int bad = 0; bad < 3; bad++) { /* the version block, a record in the middle, the last one */
            Buf arc = {0}, got = {0}, want = {0};
            for (int i = 0; i < 3; i++) {
                bool fine = i != bad || k < (i == 2 ? 3 : 4);
                IngestReason lost = i == 0                         ? INGEST_WARCINFO
                                    : i == 2 && (k == 3 || k == 6) ? INGEST_TRUNCATED
                                                                   : INGEST_WARC_MALFORMED;
                buf_printf(&want, "%zu+0 %d %s\n", arc.n, fine ? INGEST_N_REASONS : lost, fine ? "a block " : "");
                buf_printf(&arc, "%s 192.0.2.1 20080430204825 text/html %s\na block of 15\nxx\n",
                           i ? "http://a.test/" : "filedesc://x", i != bad ? "16" : lengths[k]);
            }
            list_records(buf_span(&arc), 0, UINT64_MAX, FIRST, &got);
            CHECK_SPAN(buf_span(&want), buf_span(&got));
            buf_clear(&arc), buf_clear(&got), buf_clear(&want);
        }
    }
}
