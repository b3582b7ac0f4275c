/* What is wrong with archives out there, a row each: the record it befalls, and what becomes of it and of the record behind it. However the
 * bytes are packed. */
#include "ingest/page.h"
#include "ingest/records.h"
#include "tests/check.h"
#include "tests/packing.h"

#define PROSE                                                                                                        \
    "The river rises in the hills to the north, and for most of its way it runs through open meadows, where cattle " \
    "graze in summer. In spring the water comes up over the banks, and the farmers build their barns higher."
#define PAGE "<title>t</title><p>" PROSE "</p>"
#define HTTP "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"

typedef struct {
    const char *name, *head, *block; /* "%zu" in the head is the block's length and `off` */
    long off;
    const char
        *becomes; /* of the record, and of the good one behind it: "doc", a reason; "*": mended; "!CLASS": cut */
} Row;

static const Row rows[] = {
    {"as it should be", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, 0,
     "doc doc"},
    {"version 0.9", "WARC/0.9\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, 0, "doc doc"},
    {"version 0.17", "WARC/0.17\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, 0,
     "doc doc"},
    {"version 1.1", "WARC/1.1\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, 0, "doc doc"},
    {"no version", "WARC/one\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, 0,
     "warc_malformed doc"},
    {"no head at all", "", "2024-05-06 07:08:09 fetched 200 http://a.test/", 0, "warc_malformed doc"},
    {"line ends of one byte", "WARC/1.0\nWARC-Type: response\nContent-Length: %zu\n\n",
     "HTTP/1.1 200 OK\nContent-Type: text/html\n\n" PAGE, 0, "doc doc"},
    {"names in lower case", "WARC/1.0\r\nwarc-type: RESPONSE\r\ncontent-length: %zu\r\n\r\n",
     "HTTP/1.1 200 OK\r\ncontent-type: TEXT/HTML\r\n\r\n" PAGE, 0, "doc doc"},
    {"fields twice",
     "WARC/1.0\r\nWARC-Type: response\r\nWARC-Type: request\r\nContent-Length: %zu\r\nContent-Length: 3\r\n\r\n",
     HTTP "\r\n" PAGE, 0, "doc doc"},
    {"a line without a colon, a continuation without its indent",
     "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.test/\r\nlong/path\r\nContent-Length: %zu\r\n\r\n",
     HTTP "X-Long: one\r\ntwo\r\n\r\n" PAGE, 0, "doc doc"},
    {"blanks around the colon", "WARC/1.0\r\nWARC-Type : response\r\nContent-Length :  %zu  \r\n\r\n",
     "HTTP/1.1 200 OK\r\nPower by: x\r\nContent-Type : text/html\r\n\r\n" PAGE, 0, "doc doc"},
    {"control characters", "WARC/1.0\r\nWARC-Type: response\r\nX-\x01\x02: \x03\x7f\r\nContent-Length: %zu\r\n\r\n",
     "HTTP/1.1 200 \x01\r\nX\x02: \x03\r\nContent-Type: text/html\r\n\r\n" PAGE, 0, "doc doc"},
    {"a version line inside the page", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n",
     HTTP "\r\n" PAGE "\r\nWARC/1.0\r\nis how records begin", 0, "doc doc"},
    {"a length short by one", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, -1,
     "doc* doc"},
    {"short by two, as Common Crawl's of 2018-34", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n",
     HTTP "\r\n\r\n" PAGE, -2, "doc* doc"},
    {"long by one", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, 1, "doc doc"},
    {"long by much", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, 300,
     "doc* doc"},
    {"no length", "WARC/1.0\r\nWARC-Type: warcinfo\r\n\r\n", "software: none", 0, "warc_malformed doc"},
    {"a length that is none", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: -5\r\n\r\n", HTTP "\r\n" PAGE, 0,
     "warc_malformed doc"},
    {"a length in hexadecimal", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 0x10\r\n\r\n", HTTP "\r\n" PAGE,
     0, "warc_malformed doc"},
    {"a length beyond 64 bits", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 18446744073709551617\r\n\r\n",
     HTTP "\r\n" PAGE, 0, "warc_malformed doc"},
    {"no type", "WARC/1.0\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n" PAGE, 0, "other_type doc"},
    {"an empty block", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n", "", 0, "no_payload doc"},
    {"an unchanged page", "WARC/1.0\r\nWARC-Type: revisit\r\nContent-Length: %zu\r\n\r\n", HTTP "\r\n", 0,
     "revisit doc"},
    {"a record of a WAT",
     "WARC/1.0\r\nWARC-Type: metadata\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
     "{\"Envelope\":{\"Payload-Metadata\":{}}}", 0, "metadata doc"},
    {"a record of a WET",
     "WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", PROSE, 0,
     "doc doc"},
    {"a page without an HTTP head, as in ClueWeb", "WARC/0.18\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n",
     "<html>" PAGE, 0, "doc doc"},
    {"a line end too many before the page", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n",
     HTTP "\r\n\r\n\r\n" PAGE, 0, "doc doc"},
    {"cut by the crawler", "WARC/1.0\r\nWARC-Type: response\r\nWARC-Truncated: length\r\nContent-Length: %zu\r\n\r\n",
     HTTP "Content-Length: 9000\r\n\r\n" PAGE, 0, "doc!length doc"},
    {"cut in silence", "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %zu\r\n\r\n",
     HTTP "Content-Length: 9000\r\n\r\n" PAGE, 0, "doc!silent doc"},
};

static void put_record(Buf *out, const Row *row)
{
    const size_t n = strlen(row->block);
    const char *at = strstr(row->head, "%zu");

    if (at) {
        buf_put(out, row->head, (size_t)(at - row->head));
        buf_printf(out, "%zu%s", (size_t)((long)n + row->off), at + 3);
    } else {
        buf_puts(out, row->head);
    }
    buf_printf(out, "%s\r\n\r\n", row->block);
}

typedef enum { PLAIN, GZIP_FILE, GZIP_ACROSS, GZIP, ZSTD, LZ4, N_PACKINGS } Packing;

static void pack(Buf *out, Span raw, Packing how)
{
    if (how == PLAIN) buf_put_span(out, raw);
    if (how == GZIP || how == GZIP_FILE) pack_gzip(out, raw);
    if (how == ZSTD) pack_zstd(out, raw, (Span){NULL, 0});
    if (how == LZ4) pack_lz4(out, raw);
    for (size_t at = 0; how == GZIP_ACROSS && at < raw.n; at += 100)
        pack_gzip(out, span(raw.p + at, raw.n - at < 100 ? raw.n - at : 100));
}

/* "doc warc_malformed …" of an archive. */
static void outcomes(PageWorker *w, Span archive, Buf *out)
{
    ByteStream *s;
    WarcRecord rec;
    bool more = true;
    Err err = {0};

    buf_reset(out);
    CHECK_OK(stream_open_bytes(&s, archive, 0, true, &err), &err);
    WarcReader r = warc_reader(s, 0, UINT64_MAX);
    for (;;) {
        PageResult p = {.reason = INGEST_N_REASONS};
        WarcHead h;
        CHECK_OK(warc_next(&r, &rec, &more, &err), &err);
        if (!more) break;
        p.reason = rec.reason;
        if (p.reason == INGEST_N_REASONS && record_head(rec.head, &h) == WARC_HEAD_FINE)
            p.reason = records_reason(h.type);
        if (p.reason == INGEST_N_REASONS) CHECK_OK(page_from_record(w, rec.head, rec.block, &p, &err), &err);
        if (out->n) buf_putc(out, ' ');
        buf_puts(out, p.reason == INGEST_N_REASONS ? "doc" : ingest_reasons[p.reason]);
        if (rec.mended) buf_putc(out, '*');
        if (p.truncated.n) buf_putc(out, '!'), buf_put_span(out, p.truncated);
    }
    stream_close(s);
}

TEST(every_kind_of_wrong_framing_costs_its_record_at_most)
{
    const IngestParams params = INGEST_PARAMS_DEFAULT;
    PageWorker *w = NULL;
    Buf raw = {0}, archive = {0}, got = {0};
    Err err = {0};

    CHECK_OK(pageworker_new(&params, &w, &err), &err);
    for (Packing how = PLAIN; how < N_PACKINGS; how++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const bool each = how >= GZIP;
            buf_reset(&raw), buf_reset(&archive);
            pack_record(&raw, "warcinfo", NULL, SPAN_LIT("software: none"), 14);
            if (each) pack(&archive, buf_span(&raw), how), buf_reset(&raw);
            put_record(&raw, &rows[i]);
            if (each) pack(&archive, buf_span(&raw), how), buf_reset(&raw);
            put_record(&raw, &rows[0]);
            pack(&archive, buf_span(&raw), how);
            outcomes(w, buf_span(&archive), &got);
            Span becomes = span_from(buf_span(&got), strlen("warcinfo "));
            if (!span_is(becomes, rows[i].becomes)) fprintf(stderr, "%s, packing %d:\n", rows[i].name, (int)how);
            CHECK_SPAN(span_str(rows[i].becomes), becomes);
        }
    }
    pageworker_free(w);
    buf_clear(&raw), buf_clear(&archive), buf_clear(&got);
}

/* Heads and blocks beyond the limits, padding and junk at the end, and a file that ends anywhere. */
static void put_large(Buf *b, const char *before, const char *each, size_t n, const char *behind)
{
    buf_puts(b, before);
    while (n--) buf_puts(b, each);
    buf_puts(b, behind);
}

TEST(limits_of_framing_are_kept)
{
    const IngestParams params = INGEST_PARAMS_DEFAULT;
    PageWorker *w = NULL;
    Buf a = {0}, got = {0};
    Err err = {0};

    CHECK_OK(pageworker_new(&params, &w, &err), &err);
    put_large(&a, "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 3\r\n", "X: y\r\n", WARC_MAX_LINES,
              "\r\nabc\r\n\r\n");
    put_record(&a, &rows[0]);
    outcomes(w, buf_span(&a), &got);
    CHECK_SPAN(SPAN_LIT("warc_malformed doc"), buf_span(&got));

    buf_reset(&a);
    put_large(&a, "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 3\r\nX: ", "yyyyyyyy", WARC_MAX_HEAD / 8,
              "\r\n\r\nabc\r\n\r\n");
    put_record(&a, &rows[0]);
    outcomes(w, buf_span(&a), &got);
    CHECK_SPAN(SPAN_LIT("warc_malformed doc"), buf_span(&got));

    buf_reset(&a); /* an honest giant */
    buf_printf(&a, "WARC/1.0\r\nWARC-Type: response\r\nContent-Length: %d\r\n\r\n", WARC_MAX_BLOCK + 8);
    put_large(&a, "", "yyyyyyyy", WARC_MAX_BLOCK / 8 + 1, "\r\n\r\n");
    put_record(&a, &rows[0]);
    outcomes(w, buf_span(&a), &got);
    CHECK_SPAN(SPAN_LIT("too_large doc"), buf_span(&got));

    buf_reset(&a); /* line ends without number before a record, and junk behind the last one */
    put_large(&a, "", "\r\n", 5000, "");
    put_record(&a, &rows[0]);
    outcomes(w, buf_span(&a), &got);
    CHECK_SPAN(SPAN_LIT("doc"), buf_span(&got));
    buf_puts(&a, "and that was all");
    outcomes(w, buf_span(&a), &got);
    CHECK_SPAN(SPAN_LIT("doc warc_malformed"), buf_span(&got));
    pageworker_free(w);
    buf_clear(&a), buf_clear(&got);
}

/* Cut inside of the second of two records: the first is whole, and the second is said to be cut, wherever that is. */
TEST(a_file_may_end_anywhere)
{
    const IngestParams params = INGEST_PARAMS_DEFAULT;
    PageWorker *w = NULL;
    Err err = {0};

    CHECK_OK(pageworker_new(&params, &w, &err), &err);
    for (Packing how = PLAIN; how < N_PACKINGS; how++) {
        Buf raw = {0}, archive = {0}, got = {0};
        if (how == GZIP_ACROSS) continue; /* where members break is all that shows there */
        put_record(&raw, &rows[0]);
        if (how != GZIP_FILE) pack(&archive, buf_span(&raw), how), buf_reset(&raw);
        size_t second = archive.n ? archive.n : 0;
        put_record(&raw, &rows[0]);
        pack(&archive, buf_span(&raw), how);
        size_t step = how == PLAIN ? 7 : 3, from = how == GZIP_FILE ? archive.n - 12 : second + 5;
        for (size_t cut = from; cut < archive.n - 8; cut += step) {
            Span edge = check_edge(span(archive.p, cut));
            outcomes(w, edge, &got);
            CHECK(span_starts(buf_span(&got), SPAN_LIT("doc")));
            if (how != GZIP_FILE) CHECK_SPAN(SPAN_LIT("doc truncated"), buf_span(&got));
            check_edge_free(edge);
        }
        buf_clear(&raw), buf_clear(&archive), buf_clear(&got);
    }
    pageworker_free(w);
}
