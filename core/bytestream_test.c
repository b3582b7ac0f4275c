#include "core/bytestream.h"

#include "tests/check.h"
#include "tests/packing.h"

#include <zdict.h>

/* Pseudo-random text that deflates about as well as pages do. */
static void put_noise(Buf *b, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        buf_putc(b, (uint8_t)("etaoin shrdlu\n<p>"[seed >> 60]));
    }
}

/* Reads all there is in steps of `step`, passing breaks; returns how many breaks were met. */
static int read_all(ByteStream *s, size_t step, Buf *out)
{
    int n_breaks = 0;
    Err err = {0};

    for (;;) {
        CHECK_OK(stream_need(s, step, &err), &err);
        Span v = stream_view(s);
        size_t n = v.n < step ? v.n : step;
        buf_put(out, v.p, n);
        stream_skip(s, n);
        if (n) continue;
        if (stream_at_end(s)) return n_breaks;
        CHECK(stream_break(s, NULL) != STREAM_FINE);
        n_breaks++;
        CHECK_OK(stream_pass(s, &err), &err);
    }
}

static void check_reads(Span stored, Span raw, StreamCoding coding)
{
    static const size_t steps[] = {1000, 77777, 9 << 20};

    for (size_t i = 0; i < 3; i++) {
        ByteStream *s;
        Buf out = {0};
        Err err = {0};
        CHECK_OK(stream_open_bytes(&s, stored, 0, true, &err), &err);
        CHECK_INT(coding, stream_coding(s));
        CHECK_INT(0, read_all(s, steps[i], &out));
        CHECK(span_eq(raw, buf_span(&out)));
        stream_close(s);
        buf_clear(&out);
    }
}

TEST(members_of_any_size_give_their_bytes)
{
    static const size_t sizes[] = {0, 1, 5000, 3 << 20, 0, 6 << 20, 100};
    Buf raw = {0}, gz = {0}, zst = {0}, lz4 = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t from = raw.n;
        put_noise(&raw, sizes[i], i + 1);
        Span piece = span_from(buf_span(&raw), from);
        pack_gzip(&gz, piece);
        pack_zstd(&zst, piece, (Span){NULL, 0});
        pack_lz4(&lz4, piece);
    }
    check_reads(buf_span(&raw), buf_span(&raw), STREAM_PLAIN);
    check_reads(buf_span(&gz), buf_span(&raw), STREAM_GZIP);
    check_reads(buf_span(&zst), buf_span(&raw), STREAM_ZSTD);
    check_reads(buf_span(&lz4), buf_span(&raw), STREAM_LZ4);
    static const uint8_t zeros[700] = {0}; /* padding behind the last member */
    buf_put(&gz, zeros, sizeof zeros);
    check_reads(buf_span(&gz), buf_span(&raw), STREAM_GZIP);
    buf_clear(&raw), buf_clear(&gz), buf_clear(&zst), buf_clear(&lz4);
}

typedef enum { AS_GZIP, AS_ZSTD, AS_LZ4, N_PACKINGS } PackedAs;
static void pack(Buf *out, Span raw, PackedAs how)
{
    if (how == AS_GZIP) pack_gzip(out, raw);
    if (how == AS_ZSTD) pack_zstd(out, raw, (Span){NULL, 0});
    if (how == AS_LZ4) pack_lz4(out, raw);
}

static void check_places(PackedAs how)
{
    uint64_t starts[20], stored, inner;
    Buf packed = {0}, piece = {0};
    ByteStream *s;
    Err err = {0};

    for (int i = 0; i < 20; i++) {
        starts[i] = packed.n;
        buf_reset(&piece);
        buf_printf(&piece, "WARC/%02d", i);
        put_noise(&piece, 93, (uint64_t)i);
        pack(&packed, buf_span(&piece), how);
    }
    CHECK_OK(stream_open_bytes(&s, buf_span(&packed), 0, true, &err), &err);
    CHECK_OK(stream_need(s, 2000, &err), &err);
    CHECK_INT(2000, stream_view(s).n);
    for (size_t at = 0; at < 2000; at++) {
        stream_where(s, at, &stored, &inner);
        CHECK(stored == starts[at / 100] && inner == at % 100);
        CHECK(stream_is_member_start(s, at) == (at % 100 == 0));
    }
    CHECK_INT(0, stream_next_member(s, 0, 2000));
    CHECK_INT(100, stream_next_member(s, 1, 2000));
    CHECK_INT(300, stream_next_member(s, 201, 2000));
    CHECK_INT(299, stream_next_member(s, 201, 299));
    stream_skip(s, 1234);
    stream_where(s, 0, &stored, &inner);
    CHECK(stored == starts[12] && inner == 34);
    stream_close(s);
    /* Entered in the middle: at the first member from there on. */
    for (uint64_t begin = starts[3] + 1; begin <= starts[5]; begin++) {
        CHECK_OK(stream_open_bytes(&s, buf_span(&packed), begin, true, &err), &err);
        CHECK_OK(stream_need(s, 7, &err), &err);
        CHECK_SPAN(begin <= starts[4] ? SPAN_LIT("WARC/04") : SPAN_LIT("WARC/05"), span(stream_view(s).p, 7));
        stream_close(s);
    }
    buf_clear(&packed), buf_clear(&piece);
}

TEST(every_byte_knows_where_it_is_stored)
{
    for (PackedAs how = AS_GZIP; how < N_PACKINGS; how++) check_places(how);
}

/* Whatever byte of the middle member is hit, what stands before it and behind it is read. */
static void check_damage(PackedAs how)
{
    Buf packed = {0}, piece = {0};
    size_t begin = 0, end = 0;
    Err err = {0};

    for (int i = 0; i < 3; i++) {
        if (i == 1) begin = packed.n;
        buf_reset(&piece);
        buf_printf(&piece, "WARC/%d.0 ", i);
        put_noise(&piece, 400, (uint64_t)i + 7);
        pack(&packed, buf_span(&piece), how);
        if (i == 1) end = packed.n;
    }
    for (size_t hit = begin; hit < end; hit++) {
        Buf bad = {0}, out = {0};
        ByteStream *s;
        if (how == AS_GZIP && hit > begin + 3 && hit < begin + 10)
            continue; /* flags, time and system of the header change nothing, or its length */
        buf_put_span(&bad, buf_span(&packed));
        bad.p[hit] ^= 0x5a;
        CHECK_OK(stream_open_bytes(&s, buf_span(&bad), 0, true, &err), &err);
        int n = read_all(s, 5000, &out);
        CHECK(n == 1 || (n == 0 && how == AS_ZSTD)); /* zstd's own default is no checksum */
        CHECK_SPAN(SPAN_LIT("WARC/0.0 "), span(out.p, 9));
        CHECK_SPAN(SPAN_LIT("WARC/2.0 "), span(out.p + out.n - 409, 9));
        stream_close(s);
        buf_clear(&bad), buf_clear(&out);
    }
    for (size_t cut = end + 1; cut < packed.n; cut++) { /* a file that ends inside its last member */
        Buf out = {0};
        ByteStream *s;
        Span edge = check_edge(span(packed.p, cut));
        CHECK_OK(stream_open_bytes(&s, edge, 0, true, &err), &err);
        CHECK_OK(stream_need(s, 5000, &err), &err);
        CHECK_INT(STREAM_CUT, stream_break(s, NULL));
        CHECK_INT(1, read_all(s, 5000, &out));
        stream_close(s);
        check_edge_free(edge);
        buf_clear(&out);
    }
    buf_clear(&packed), buf_clear(&piece);
}

TEST(damage_costs_its_member)
{
    for (PackedAs how = AS_GZIP; how < N_PACKINGS; how++) check_damage(how);
}

TEST(a_bomb_is_left_in_time)
{
    Buf gz = {0}, zeros = {0};
    ByteStream *s;
    Err err = {0};
    uint64_t seen = 0, stored;

    /* 100 MiB of zeros in 100 KB. */
    CHECK(buf_reserve(&zeros, 100 << 20));
    memset(zeros.p, 0, 100 << 20);
    zeros.n = 100 << 20;
    pack_gzip(&gz, buf_span(&zeros));
    size_t bomb = gz.n;
    pack_gzip(&gz, SPAN_LIT("WARC/1.0\r\nthe next one"));
    CHECK(bomb < 200 << 10);
    CHECK_OK(stream_open_bytes(&s, buf_span(&gz), 0, true, &err), &err);
    for (;;) {
        CHECK_OK(stream_need(s, 1 << 20, &err), &err);
        if (stream_view(s).n == 0) break;
        seen += stream_view(s).n;
        stream_skip(s, stream_view(s).n);
    }
    CHECK_INT(STREAM_BOMB, stream_break(s, &stored));
    CHECK_INT(0, stored);
    CHECK(seen > STREAM_BOMB_BYTES && seen < STREAM_BOMB_BYTES + (8 << 20));
    CHECK_OK(stream_pass(s, &err), &err);
    CHECK_OK(stream_need(s, 100, &err), &err);
    CHECK_SPAN(SPAN_LIT("WARC/1.0\r\nthe next one"), stream_view(s));
    stream_where(s, 0, &stored, &seen);
    CHECK_INT(bomb, stored);
    stream_close(s);
    buf_clear(&gz), buf_clear(&zeros);
}

/* Behind a hole of zeros the next member's header ends with the window of stored bytes. */
TEST(a_member_at_the_end_of_the_stored_window_is_found)
{
    for (size_t back = 1; back < 40; back += 6) {
        Buf gz = {0}, out = {0};
        ByteStream *s;
        Err err = {0};

        pack_gzip(&gz, SPAN_LIT("WARC/1.0\r\nfirst"));
        size_t hole = STREAM_STORED_WINDOW - back;
        CHECK(buf_reserve(&gz, hole - gz.n));
        memset(gz.p + gz.n, 0, hole - gz.n);
        gz.n = hole;
        pack_gzip(&gz, SPAN_LIT("WARC/1.0\r\nsecond"));
        CHECK_OK(stream_open_bytes(&s, buf_span(&gz), 0, true, &err), &err);
        CHECK_INT(1, read_all(s, 1000, &out));
        CHECK_SPAN(SPAN_LIT("WARC/1.0\r\nfirstWARC/1.0\r\nsecond"), buf_span(&out));
        stream_close(s);
        buf_clear(&gz), buf_clear(&out);
    }
}

/* Reads on and counts breaks; what comes out is not kept. The last bytes before the end are. */
static int drain(Span stored, Buf *last)
{
    int n_breaks = 0;
    ByteStream *s;
    Err err = {0};

    CHECK_OK(stream_open_bytes(&s, stored, 0, true, &err), &err);
    for (;;) {
        CHECK_OK(stream_need(s, 1 << 16, &err), &err);
        Span v = stream_view(s);
        if (v.n) {
            buf_reset(last);
            buf_put_span(last, v.n < 100 ? v : span_from(v, v.n - 100));
        } else if (stream_at_end(s)) {
            break;
        } else {
            n_breaks++;
            CHECK_OK(stream_pass(s, &err), &err);
        }
        stream_skip(s, v.n);
    }
    stream_close(s);
    return n_breaks;
}

static void put_le16(Buf *b, size_t v) { buf_putc(b, (uint8_t)v), buf_putc(b, (uint8_t)(v >> 8)); }

static void put_stored_block(Buf *b, size_t n)
{
    buf_putc(b, 0);
    put_le16(b, n);
    put_le16(b, ~n);
}

/* Members inside of each other: stored deflate blocks one behind the other, full of headers whose own stored block ends where
 * theirs does, so that each of the 600,000 members reads all 12 MB to the end, where they break together. Read once each
 * that is 3.6 TB. */
TEST(nested_members_are_not_read_again_and_again)
{
    enum { SEGMENTS = 200, UNIT = 20, UNITS = 3000, SEGMENT = UNIT * UNITS };
    Buf gz = {0}, last = {0};

    buf_put(&gz, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    for (int i = 0; i < SEGMENTS; i++) {
        put_stored_block(&gz, SEGMENT);
        for (size_t u = 0; u < UNITS; u++) {
            buf_put(&gz, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
            put_stored_block(&gz, SEGMENT - u * UNIT - 15);
            buf_puts(&gz, "WARC/");
        }
    }
    buf_putc(&gz, 7); /* a block of the type that does not exist */
    pack_gzip(&gz, SPAN_LIT("WARC/1.0\r\nbehind it all"));
    int n_breaks = drain(buf_span(&gz), &last);
    CHECK(n_breaks > 1 && n_breaks <= 2 * STREAM_REREAD);
    CHECK_SPAN(SPAN_LIT("WARC/1.0\r\nbehind it all"), buf_span(&last));
    buf_clear(&gz), buf_clear(&last);
}

/* 800,000 headers, each with a file name that never ends. */
TEST(endless_names_do_not_slow_the_search)
{
    Buf gz = {0}, last = {0};

    pack_gzip(&gz, SPAN_LIT("WARC/1.0\r\nfirst"));
    for (int i = 0; i < 800000; i++) buf_put(&gz, "\x1f\x8b\x08\x08name/.", 10);
    pack_gzip(&gz, SPAN_LIT("WARC/1.0\r\nbehind it all"));
    CHECK_INT(1, drain(buf_span(&gz), &last));
    CHECK_SPAN(SPAN_LIT("WARC/1.0\r\nbehind it all"), buf_span(&last));
    buf_clear(&gz), buf_clear(&last);
}

/* A dictionary trained on pages of a kind, as one that writes WARCs would have. */
static void make_dictionary(Buf *out)
{
    enum { SAMPLES = 400 };
    Buf all = {0};
    size_t sizes[SAMPLES];

    for (size_t i = 0; i < SAMPLES; i++) {
        size_t from = all.n;
        buf_puts(&all, "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n");
        put_noise(&all, 200 + i, i * 77 + 5);
        sizes[i] = all.n - from;
    }
    CHECK(buf_reserve(out, 16 << 10));
    out->n = ZDICT_trainFromBuffer(out->p, 16 << 10, all.p, sizes, SAMPLES);
    CHECK(!ZDICT_isError(out->n));
    buf_clear(&all);
}

static int read_bytes(Span stored, Buf *out)
{
    ByteStream *s;
    Err err = {0};

    buf_reset(out);
    CHECK_OK(stream_open_bytes(&s, stored, 0, true, &err), &err);
    CHECK_INT(STREAM_ZSTD, stream_coding(s));
    int n_breaks = read_all(s, 3000, out);
    stream_close(s);
    return n_breaks;
}

/* The dictionary of a zstd WARC, plain and packed; cut anywhere, damaged, too large and missing. */
TEST(frames_are_read_with_the_dictionary_in_front)
{
    Buf dictionary = {0}, packed = {0}, zst = {0}, raw = {0}, out = {0}, bad = {0};
    size_t first_frame = 0;

    make_dictionary(&dictionary);
    pack_zstd(&packed, buf_span(&dictionary), (Span){NULL, 0});
    for (int plain = 0; plain < 2; plain++) {
        buf_reset(&zst);
        buf_reset(&raw);
        pack_zstd_dictionary(&zst, plain ? buf_span(&dictionary) : buf_span(&packed));
        first_frame = zst.n;
        for (int i = 0; i < 5; i++) {
            Buf piece = {0};
            buf_printf(&piece, "WARC/1.0\r\nWARC-Type: response\r\nrecord %d\r\n", i);
            put_noise(&piece, 300, (uint64_t)i);
            buf_put_span(&raw, buf_span(&piece));
            pack_zstd(&zst, buf_span(&piece), buf_span(&dictionary));
            buf_clear(&piece);
        }
        CHECK_INT(0, read_bytes(buf_span(&zst), &out));
        CHECK_SPAN(buf_span(&raw), buf_span(&out));
    }
    for (size_t cut = 8; cut < first_frame; cut += 97) { /* inside of the dictionary */
        CHECK_INT(1, read_bytes(span(zst.p, cut), &out));
        CHECK_INT(0, out.n);
    }
    CHECK(read_bytes(span_from(buf_span(&zst), first_frame), &out) > 0); /* without it nothing is read, or junk */
    buf_put_span(&bad, buf_span(&zst));
    memset(bad.p + 8, 0xff, 64); /* no dictionary */
    CHECK(read_bytes(buf_span(&bad), &out) > 0);
    buf_reset(&bad); /* a bomb for one */
    CHECK(buf_reserve(&raw, 64 << 20));
    memset(raw.p, 0, 64 << 20);
    pack_zstd(&bad, span(raw.p, 64 << 20), (Span){NULL, 0});
    buf_reset(&out);
    pack_zstd_dictionary(&out, buf_span(&bad));
    pack_zstd(&out, SPAN_LIT("WARC/1.0 and no need of it"), (Span){NULL, 0});
    buf_reset(&bad);
    buf_put_span(&bad, buf_span(&out));
    CHECK_INT(0, read_bytes(buf_span(&bad), &out));
    CHECK_SPAN(SPAN_LIT("WARC/1.0 and no need of it"), buf_span(&out));
    buf_clear(&dictionary), buf_clear(&packed), buf_clear(&zst), buf_clear(&raw), buf_clear(&out), buf_clear(&bad);
}

/* Frames whose first block is as large as may be and says nothing: each peek at one costs it, but not all of them the product. */
TEST(zstd_headers_that_cost_much_do_not_slow_the_search)
{
    enum { HEADERS = 400000 };
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00,
                                    0x58, 0x04, 0x00, 0x10}; /* a compressed block of 128 KiB */
    Buf zst = {0}, last = {0};

    pack_zstd(&zst, SPAN_LIT("WARC/1.0\r\nfirst"), (Span){NULL, 0});
    buf_puts(&zst, "junk");
    for (int i = 0; i < HEADERS; i++) buf_put(&zst, frame, sizeof frame);
    for (int i = 0; i < 200000; i++) buf_putc(&zst, 'x');
    pack_zstd(&zst, SPAN_LIT("WARC/1.0\r\nbehind it all"), (Span){NULL, 0});
    CHECK_INT(1, drain(buf_span(&zst), &last));
    CHECK_SPAN(SPAN_LIT("WARC/1.0\r\nbehind it all"), buf_span(&last));
    buf_clear(&zst), buf_clear(&last);
}
