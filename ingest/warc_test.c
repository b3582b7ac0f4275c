#include "ingest/warc.h"

#include "tests/check.h"
#include "tests/packing.h"
#include "tests/record_list.h"

#include <stdio.h>

TEST(heads_of_all_kinds_are_read)
{
    WarcHead h;
    Span s = SPAN_LIT(
        "WARC/0.18\r\nWARC-Type: response\nWARC-Target-URI:  http://a.test/ b \r\n"
        "warc-date: 2009-03-65T08:43:19-0800\r\nno colon here\r\nContent-Length: 12 \r\ncontent-length: 13\r\n"
        "WARC-Truncated: length\r\n\r\nbody");
    CHECK_INT(WARC_HEAD_FINE, warc_head(s, &h));
    CHECK_INT(WARC_RESPONSE, h.type);
    CHECK_SPAN(SPAN_LIT("http://a.test/ b"), h.target_uri);
    CHECK_SPAN(SPAN_LIT("length"), h.truncated);
    CHECK(h.has_length);
    CHECK_INT(12, h.length);
    CHECK_INT(s.n - 4, h.head_bytes);
    for (size_t n = 0; n < s.n - 4; n++) { /* every prefix is cut, never bad, and nothing behind it is read */
        Span edge = check_edge(span(s.p, n));
        CHECK_INT(WARC_HEAD_CUT, warc_head(edge, &h));
        check_edge_free(edge);
    }
    CHECK_INT(WARC_HEAD_BAD, warc_head(SPAN_LIT("WARC/x.0\r\n\r\n"), &h));
    CHECK_INT(WARC_HEAD_BAD, warc_head(SPAN_LIT("HTTP/1.0 200\r\n\r\n"), &h));
    CHECK_INT(WARC_HEAD_FINE, warc_head(SPAN_LIT("WARC/1.1\nContent-Length: 99999999999999999999\n\n"), &h));
    CHECK(!h.has_length);
}

TEST(endless_heads_are_bad)
{
    Buf b = {0};
    WarcHead h;

    buf_puts(&b, "WARC/1.0\r\n");
    while (b.n < WARC_MAX_HEAD) buf_puts(&b, "x: y\r\n");
    CHECK_INT(WARC_HEAD_BAD, warc_head(buf_span(&b), &h));
    b.n = 10;
    while (b.n < WARC_MAX_HEAD + 100) buf_putc(&b, 'x');
    CHECK_INT(WARC_HEAD_BAD, warc_head(buf_span(&b), &h));
    buf_clear(&b);
}

enum { FIRST = 12 }; /* bytes of a block that are listed */

/* "block 07…" of some hundred bytes; every third holds what looks like a record, after text on the same line. */
static void put_block(Buf *b, int i)
{
    buf_reset(b);
    buf_printf(b, "block %02d ", i);
    for (int k = 0; k < 20 + i * 7; k++) buf_printf(b, "word%d ", k * i);
    if (i % 3 == 0) buf_puts(b, "talk of WARC/1.0 records");
}

enum { N = 12 };
typedef enum { PLAIN, BY_RECORD, BY_FILE, LZ4, ZSTD, ACROSS, LZ4_ACROSS, ZSTD_ACROSS, N_PACKINGS } Packing;
static bool by_record(Packing how) { return how == BY_RECORD || how == LZ4 || how == ZSTD; }

static void pack(Buf *out, Span raw, Packing how)
{
    if (how == LZ4 || how == LZ4_ACROSS)
        pack_lz4(out, raw);
    else if (how == ZSTD || how == ZSTD_ACROSS)
        pack_zstd(out, raw, (Span){NULL, 0});
    else
        pack_gzip(out, raw);
}

static void make_archive(Packing how, Buf *out, uint64_t stored[N], uint64_t inner[N])
{
    Buf raw = {0}, block = {0};

    for (int i = 0; i < N; i++) {
        stored[i] = how == BY_FILE ? 0 : by_record(how) ? out->n : raw.n;
        inner[i] = how == BY_FILE ? raw.n : 0;
        if (by_record(how)) buf_reset(&raw);
        put_block(&block, i);
        pack_record(&raw, i % 4 == 1 ? "request" : "response", "http://a.test/", buf_span(&block), block.n);
        if (by_record(how)) pack(out, buf_span(&raw), how);
    }
    if (how == PLAIN) buf_put_span(out, buf_span(&raw));
    if (how == BY_FILE) pack_gzip(out, buf_span(&raw));
    if (how >= ACROSS)
        for (size_t at = 0; at < raw.n; at += 1000)
            pack(out, span(raw.p + at, raw.n - at < 1000 ? raw.n - at : 1000), how);
    buf_clear(&raw), buf_clear(&block);
}

TEST(records_are_the_same_however_they_are_packed)
{
    for (Packing how = PLAIN; how < N_PACKINGS; how++) {
        Buf archive = {0}, got = {0}, want = {0};
        uint64_t stored[N], inner[N];
        make_archive(how, &archive, stored, inner);
        list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
        if (how >= ACROSS) { /* addresses are what the packing makes them: only the blocks are compared */
            int n = 0;
            for (size_t i = 0; i + 8 < got.n; i++) n += !memcmp(got.p + i, "block ", 6);
            CHECK_INT(N, n);
        } else {
            for (int i = 0; i < N; i++)
                buf_printf(&want, "%llu+%llu %d block %02d wor\n", (unsigned long long)stored[i],
                           (unsigned long long)inner[i], INGEST_N_REASONS, i);
            CHECK_SPAN(buf_span(&want), buf_span(&got));
        }
        buf_clear(&archive), buf_clear(&got), buf_clear(&want);
    }
}

TEST(slices_make_up_the_whole)
{
    for (Packing how = PLAIN; how < N_PACKINGS; how++) {
        Buf archive = {0}, whole = {0};
        uint64_t stored[N], inner[N];
        make_archive(how, &archive, stored, inner);
        list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &whole);
        check_slices(buf_span(&archive), how == PLAIN ? 13 : 7, 700, FIRST, &whole);
        buf_clear(&archive), buf_clear(&whole);
    }
}

/* Three records, the middle one with a wrong length: it is mended where the next one is in sight, and lost alone where not. */
TEST(a_wrong_length_is_mended_or_costs_its_record)
{
    static const long off[] = {-100, -40, -2, -1, 1, 2, 3, 5, 50, 200, 5000, 1 << 30, 40l << 30};

    for (int gz = 0; gz < 2; gz++) {
        for (size_t k = 0; k < sizeof off / sizeof off[0]; k++) {
            Buf archive = {0}, block = {0}, raw = {0};
            uint64_t at[4];
            for (int i = 0; i < 3; i++) {
                buf_reset(&raw);
                put_block(&block, i + 1);
                pack_record(&raw, "response", NULL, buf_span(&block),
                            i == 1 ? (size_t)((long)block.n + off[k]) : block.n);
                at[i] = archive.n;
                if (gz)
                    pack_gzip(&archive, buf_span(&raw));
                else
                    buf_put_span(&archive, buf_span(&raw));
            }
            at[3] = archive.n;
            ByteStream *s;
            WarcRecord rec;
            bool more;
            Err err = {0};
            CHECK_OK(stream_open_bytes(&s, buf_span(&archive), 0, true, &err), &err);
            WarcReader r = warc_reader(s, 0, UINT64_MAX);
            for (int i = 0; i < 3; i++) {
                bool lost = i == 1 && off[k] > 1 << 20;
                CHECK_OK(warc_next(&r, &rec, &more, &err), &err);
                CHECK(more);
                CHECK_INT(at[i], rec.stored);
                CHECK_INT(lost ? INGEST_WARC_MALFORMED : INGEST_N_REASONS, rec.reason);
                put_block(&block, i + 1);
                /* Up to four bytes more are the line ends behind the block, and then nothing shows. */
                bool seems_fine = i != 1 || (off[k] > 0 && off[k] <= 4);
                if (!lost) {
                    CHECK(rec.mended == !seems_fine);
                    CHECK_SPAN(buf_span(&block), span(rec.block.p, block.n));
                    CHECK(rec.block.n <= block.n + (seems_fine && i == 1 ? 4 : 0));
                }
            }
            CHECK_OK(warc_next(&r, &rec, &more, &err), &err);
            CHECK(!more);
            stream_close(s);
            buf_clear(&archive), buf_clear(&block), buf_clear(&raw);
        }
    }
}

/* What stands between two records is lost alone when the first one's length is right. */
TEST(junk_behind_a_record_leaves_it_whole)
{
    Buf archive = {0}, got = {0}, want = {0};

    pack_record(&archive, "response", NULL, SPAN_LIT("first block"), 11);
    size_t junk = archive.n;
    buf_puts(&archive, "some log line\r\nand one more\r\n");
    size_t b = archive.n;
    pack_record(&archive, "response", NULL, SPAN_LIT("second block"), 12);
    list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
    buf_printf(&want, "0+0 %d first block\n%zu+0 %d \n%zu+0 %d second block\n", INGEST_N_REASONS, junk,
               INGEST_WARC_MALFORMED, b, INGEST_N_REASONS);
    CHECK_SPAN(buf_span(&want), buf_span(&got));
    buf_clear(&archive), buf_clear(&got), buf_clear(&want);
}

TEST(junk_cuts_and_giants_are_counted)
{
    Buf archive = {0}, got = {0}, want = {0}, giant = {0};

    buf_puts(&archive, "no record at all\r\n\r\n");
    size_t a = archive.n;
    pack_record(&archive, "response", NULL, SPAN_LIT("first block"), 11);
    CHECK(buf_reserve(&giant, (32 << 20) + 1));
    memset(giant.p, 'g', (32 << 20) + 1);
    giant.n = (32 << 20) + 1;
    size_t b = archive.n;
    pack_record(&archive, "response", NULL, buf_span(&giant), giant.n);
    size_t c = archive.n;
    pack_record(&archive, "response", NULL, SPAN_LIT("second block"), 12);
    archive.n -= 10; /* cut inside the last block */
    list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
    buf_printf(&want, "0+0 %d \n%zu+0 %d first block\n%zu+0 %d \n%zu+0 %d \n", INGEST_WARC_MALFORMED, a,
               INGEST_N_REASONS, b, INGEST_TOO_LARGE, c, INGEST_TRUNCATED);
    CHECK_SPAN(buf_span(&want), buf_span(&got));
    buf_clear(&archive), buf_clear(&got), buf_clear(&want), buf_clear(&giant);
}

TEST(a_corrupt_member_is_a_record_of_its_own)
{
    Buf archive = {0}, got = {0}, want = {0}, raw = {0}, block = {0};
    size_t at[4];

    for (int i = 0; i < 4; i++) {
        buf_reset(&raw);
        put_block(&block, i);
        pack_record(&raw, "response", NULL, buf_span(&block), block.n);
        at[i] = archive.n;
        pack_gzip(&archive, buf_span(&raw));
    }
    archive.p[at[1] + 10] = 0xff; /* the first block of the deflate stream: of a type that does not exist */
    archive.p[at[2] + 80] ^= 0xff;
    list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
    buf_printf(&want, "0+0 %d block 00 wor\n%zu+0 %d \n%zu+0 %d \n%zu+0 %d block 03 wor\n", INGEST_N_REASONS, at[1],
               INGEST_GZIP_CORRUPT, at[2], INGEST_GZIP_CORRUPT, at[3], INGEST_N_REASONS);
    CHECK_SPAN(buf_span(&want), buf_span(&got));
    buf_clear(&archive), buf_clear(&got), buf_clear(&want), buf_clear(&raw), buf_clear(&block);
}

/* Whatever byte of the middle member is hit, its record is either what it was or gone: a wrong checksum counts. */
TEST(a_record_with_a_wrong_checksum_is_not_believed)
{
    for (Packing how = BY_RECORD; how <= ZSTD; how++) {
        Buf archive = {0}, raw = {0}, block = {0}, whole = {0};
        size_t begin = 0, end = 0;
        if (how == BY_FILE) continue;
        for (int i = 0; i < 3; i++) {
            if (i == 1) begin = archive.n;
            buf_reset(&raw);
            put_block(&block, i);
            pack_record(&raw, "response", NULL, buf_span(&block), block.n);
            if (how == ZSTD && i == 1) { /* whose own default is no checksum */
                ZSTD_CCtx *c = ZSTD_createCCtx();
                CHECK(c && buf_reserve(&archive, ZSTD_compressBound(raw.n)));
                (void)ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
                archive.n += ZSTD_compress2(c, archive.p + archive.n, ZSTD_compressBound(raw.n), raw.p, raw.n);
                ZSTD_freeCCtx(c);
            } else {
                pack(&archive, buf_span(&raw), how);
            }
            if (i == 1) end = archive.n;
        }
        list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &whole);
        for (size_t hit = begin; hit < end; hit++) {
            Buf got = {0}, want = {0}, cut = {0};
            archive.p[hit] ^= 0x11;
            list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
            /* Where a length is hit, members behind it may be swallowed, and then the input ends too early. */
            for (int k = 0; k < 2; k++) {
                Buf *b = k ? &cut : &want;
                buf_printf(b, "0+0 %d block 00 wor\n%zu+0 %d \n%zu+0 %d block 02 wor\n", INGEST_N_REASONS, begin,
                           k ? INGEST_TRUNCATED : INGEST_GZIP_CORRUPT, end, INGEST_N_REASONS);
            }
            if (!span_eq(buf_span(&whole), buf_span(&got)) && !span_eq(buf_span(&cut), buf_span(&got)))
                CHECK_SPAN(buf_span(&want), buf_span(&got));
            archive.p[hit] ^= 0x11;
            buf_clear(&got), buf_clear(&want), buf_clear(&cut);
        }
        buf_clear(&archive), buf_clear(&raw), buf_clear(&block), buf_clear(&whole);
    }
}

TEST(many_line_ends_before_a_record_do_not_hide_its_head)
{
    Buf archive = {0}, got = {0}, want = {0};

    for (size_t i = 0; i < STREAM_STORED_WINDOW - 20; i++) buf_putc(&archive, '\n'); /* a fill ends inside the head */
    size_t at = archive.n;
    pack_record(&archive, "response", NULL, SPAN_LIT("first block"), 11);
    list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
    buf_printf(&want, "%zu+0 %d first block\n", at, INGEST_N_REASONS);
    CHECK_SPAN(buf_span(&want), buf_span(&got));
    buf_clear(&archive), buf_clear(&got), buf_clear(&want);
}

/* A record without Content-Length costs itself, wherever the next one starts: on the next byte, behind a block, or behind a
 * header that has no end. */
TEST(a_record_without_length_does_not_hide_the_next)
{
    static const char *const broken[] = {"WARC/1.0\r\nWARC-Type: response\r\n\r\n",
                                         "WARC/1.0\r\nWARC-Type: response\r\n\r\na block\r\n\r\n",
                                         "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: x\r\n\r\n\r\n\r\n",
                                         "WARC/1.0\r\nWARC-Type: response\r\n",
                                         "WARC/1.0\r\n",
                                         "WARC/1.0\r\nContent-Length: 40\r\n\r\n",
                                         "WARC/1.0\r\nContent-Length: 99999999999\r\n\r\n"};

    for (int how = 0; how < 3; how++) { /* plain, one member, a member a record */
        for (size_t k = 0; k < sizeof broken / sizeof broken[0]; k++) {
            Buf raw = {0}, archive = {0}, got = {0}, want = {0};
            uint64_t at[3], inner[3];
            for (int i = 0; i < 3; i++) {
                at[i] = how == 0 ? raw.n : how == 1 ? 0 : archive.n;
                inner[i] = how == 1 ? raw.n : 0;
                if (how == 2) buf_reset(&raw);
                if (i == 1)
                    buf_puts(&raw, broken[k]);
                else
                    pack_record(&raw, "response", NULL, SPAN_LIT("a whole block"), 13);
                if (how == 2) pack_gzip(&archive, buf_span(&raw));
            }
            if (how == 0) buf_put_span(&archive, buf_span(&raw));
            if (how == 1) pack_gzip(&archive, buf_span(&raw));
            list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
            for (int i = 0; i < 3; i++)
                buf_printf(&want, "%d+%d %d %s\n", (int)at[i], (int)inner[i],
                           i == 1 ? INGEST_WARC_MALFORMED : INGEST_N_REASONS, i == 1 ? "" : "a whole bloc");
            CHECK_SPAN(buf_span(&want), buf_span(&got));
            buf_clear(&raw), buf_clear(&archive), buf_clear(&got), buf_clear(&want);
        }
    }
}

/* Behind a member line that broke off inside a header stands a whole record. */
TEST(a_header_ends_with_its_member)
{
    Buf raw = {0}, archive = {0}, got = {0}, want = {0};

    pack_gzip(&archive, SPAN_LIT("WARC/1.0\r\nWARC-Type: resp"));
    size_t at = archive.n;
    pack_record(&raw, "response", NULL, SPAN_LIT("a whole block"), 13);
    pack_gzip(&archive, buf_span(&raw));
    list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
    buf_printf(&want, "0+0 %d \n%zu+0 %d a whole bloc\n", INGEST_WARC_MALFORMED, at, INGEST_N_REASONS);
    CHECK_SPAN(buf_span(&want), buf_span(&got));
    buf_clear(&raw), buf_clear(&archive), buf_clear(&got), buf_clear(&want);
}

/* A giant whose length is a lie, in a member that is read in steps and ends where one does. */
TEST(a_giant_ends_with_its_member)
{
    Buf raw = {0}, archive = {0}, got = {0}, want = {0};

    buf_puts(&raw, "WARC/1.0\r\nContent-Length: 99999999999\r\n\r\n");
    for (uint64_t i = 0; raw.n < (size_t)8 * STREAM_STEP; i++) buf_put_u64(&raw, mix64(i));
    raw.n = (size_t)8 * STREAM_STEP;
    pack_gzip(&archive, buf_span(&raw));
    size_t at = archive.n;
    buf_reset(&raw);
    pack_record(&raw, "response", NULL, SPAN_LIT("a whole block"), 13);
    pack_gzip(&archive, buf_span(&raw));
    list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
    buf_printf(&want, "0+0 %d \n%zu+0 %d a whole bloc\n", INGEST_WARC_MALFORMED, at, INGEST_N_REASONS);
    CHECK_SPAN(buf_span(&want), buf_span(&got));
    buf_clear(&raw), buf_clear(&archive), buf_clear(&got), buf_clear(&want);
}

/* In one member nobody can look whether a giant ends well: it ends at the first whole head, wherever in what is skipped that stands. */
TEST(a_giant_ends_with_the_next_head)
{
    static const size_t sizes[] = {
        0, 100, STREAM_STEP - 40, STREAM_STEP - 1, STREAM_STEP, STREAM_STEP + WARC_MAX_HEAD, 5 << 20};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Buf raw = {0}, archive = {0}, got = {0}, want = {0};
        buf_puts(&raw, "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 99999999999\r\n\r\n");
        for (uint64_t k = 0; k < sizes[i] / 8; k++) buf_put(&raw, "abcdefg\n", 8);
        buf_puts(&raw, "WARC/1.0 is a version\r\n\r\n");
        size_t at = raw.n;
        pack_record(&raw, "response", NULL, SPAN_LIT("a whole block"), 13);
        pack_record(&raw, "response", NULL, SPAN_LIT("a whole block"), 13);
        size_t second = at + (raw.n - at) / 2;
        pack_gzip(&archive, buf_span(&raw));
        list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &got);
        buf_printf(&want, "0+0 %d \n0+%zu %d a whole bloc\n0+%zu %d a whole bloc\n", INGEST_WARC_MALFORMED, at,
                   INGEST_N_REASONS, second, INGEST_N_REASONS);
        CHECK_SPAN(buf_span(&want), buf_span(&got));
        buf_clear(&raw), buf_clear(&archive), buf_clear(&got), buf_clear(&want);
    }
}

/* Blocks that say 5000 bytes and have around STREAM_STEP more: what is in sight is the same from wherever an archive is entered. */
TEST(what_is_mended_is_the_same_in_slices)
{
    enum { RECORDS = 12, CUTS = 40 };

    for (Packing how = PLAIN; how <= BY_RECORD; how++) {
        Buf archive = {0}, raw = {0}, block = {0}, whole = {0};
        for (int i = 0; i < RECORDS; i++) {
            buf_reset(&raw), buf_reset(&block);
            buf_printf(&block, "block %02d ", i);
            for (int k = 0; k < 90000 + i * 9000; k++) buf_puts(&block, "some words\n");
            pack_record(&raw, "response", NULL, buf_span(&block), i % 2 ? 5000 : block.n);
            if (how == PLAIN)
                buf_put_span(&archive, buf_span(&raw));
            else
                pack_gzip(&archive, buf_span(&raw));
        }
        list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &whole);
        for (uint64_t i = 1; i < CUTS; i++) check_cut(buf_span(&archive), archive.n * i / CUTS, 0, FIRST, &whole);
        buf_clear(&archive), buf_clear(&raw), buf_clear(&block), buf_clear(&whole);
    }
}

/* A gzip member with a header field of n bytes, in front of whose content stand empty stored blocks. */
static void pack_gzip_oddly(Buf *out, Span raw, size_t field, int n_empty)
{
    Buf gz = {0};

    pack_gzip(&gz, raw);
    buf_put(out, gz.p, 10);
    out->p[out->n - 7] = field ? 4 : 0;
    if (field) buf_putc(out, (uint8_t)field), buf_putc(out, (uint8_t)(field >> 8));
    for (size_t i = 0; i < field; i++) buf_putc(out, 'e');
    for (int i = 0; i < n_empty; i++) buf_put(out, "\0\0\0\xff\xff", 5);
    buf_put_span(out, span_from(buf_span(&gz), 10));
    buf_clear(&gz);
}

/* A search that looks at the first KiB of a member does not see that these start with records: no slice may end there. */
TEST(members_that_hide_their_records_belong_to_a_slice)
{
    for (int odd = 0; odd < 2; odd++) {
        Buf archive = {0}, raw = {0}, block = {0}, whole = {0};
        for (int i = 0; i < N; i++) {
            buf_reset(&raw);
            put_block(&block, i);
            pack_record(&raw, "response", NULL, buf_span(&block), block.n);
            const bool plain = i % 4 == 0;
            pack_gzip_oddly(&archive, buf_span(&raw), plain || odd ? 0 : 2000, plain || !odd ? 0 : 300);
        }
        list_records(buf_span(&archive), 0, UINT64_MAX, FIRST, &whole);
        check_slices(buf_span(&archive), 101, 3000, FIRST, &whole);
        buf_clear(&archive), buf_clear(&raw), buf_clear(&block), buf_clear(&whole);
    }
}

/* 400,000 members, each with a header in its middle that claims all the others as its block. */
TEST(lengths_over_many_members_cost_no_search_each)
{
    enum { MEMBERS = 400000 };
    Buf one = {0}, archive = {0};
    WarcRecord rec;
    ByteStream *s;
    bool more;
    int n = 0;
    Err err = {0};

    pack_gzip(&one, SPAN_LIT("x\r\nWARC/1.0\r\nContent-Length: 33000000\r\n\r\n"));
    for (int i = 0; i < MEMBERS; i++) buf_put_span(&archive, buf_span(&one));
    CHECK_OK(stream_open_bytes(&s, buf_span(&archive), 0, true, &err), &err);
    WarcReader r = warc_reader(s, 0, UINT64_MAX);
    for (;; n++) {
        CHECK_OK(warc_next(&r, &rec, &more, &err), &err);
        if (!more) break;
        CHECK(rec.reason != INGEST_N_REASONS || rec.mended);
    }
    CHECK_INT(MEMBERS + 1, n); /* the first x is junk of its own */
    stream_close(s);
    buf_clear(&one), buf_clear(&archive);
}
