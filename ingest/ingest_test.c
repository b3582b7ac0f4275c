/* The whole stage over archives made here: what comes in leaves as a document or with the right reason. */
#include "ingest/ingest.h"

#include "core/store.h"
#include "tests/check.h"
#include "tests/packing.h"

#include <stdio.h>

#define PROSE                                                                                                        \
    "The river rises in the hills to the north, and for most of its way it runs through open meadows, where cattle " \
    "graze in summer. "                                                                                              \
    "In spring the water comes up over the banks, sometimes as far as the road, and the farmers build their barns "  \
    "higher."
#define ZH                                                                                                                                                                  \
    "这条河发源于北面的山里，大部分河道穿过开阔的草地，夏天有牛羊在那里吃草，冬天有大雁在那里歇脚，附近的村民世世代" \
    "代都靠这条河生活。"
#define GERMAN                                                                                                          \
    "Der Fluss entspringt in den Bergen im Norden und fließt die meiste Zeit durch offene Wiesen, auf denen im "       \
    "Sommer Kühe grasen "                                                                                              \
    "und im Winter Gänse rasten. Im Frühjahr steigt das Wasser über die Ufer, manchmal bis an die Straße, und die " \
    "Bauern bauen höher."

static void page(Buf *block, const char *type, const char *text)
{
    Buf body = {0};

    buf_reset(block);
    buf_printf(&body, "<html><head><title>A title</title></head><body><p>%s</p></body></html>", text);
    pack_http(block, type, buf_span(&body));
    buf_clear(&body);
}

typedef struct {
    Buf file, raw, block;
    uint64_t expected[INGEST_N_REASONS + 1]; /* the last: documents */
    uint64_t first_doc;                      /* where the first document's member starts */
} Crawl;

/* One gzip member with one record. */
static void add(Crawl *c, const char *type, Span block, int reason)
{
    buf_reset(&c->raw);
    pack_record(&c->raw, type, "http://a.test/x y", block, block.n);
    pack_gzip(&c->file, buf_span(&c->raw));
    c->expected[reason]++;
}

static void repeated(Buf *b, const char *head, const char *s, size_t n, const char *tail)
{
    Buf body = {0};

    buf_reset(b);
    buf_puts(&body, head);
    for (size_t i = 0; i < n; i++) buf_puts(&body, s);
    buf_puts(&body, tail);
    pack_http(b, "text/html", buf_span(&body));
    buf_clear(&body);
}

static void add_bad_pages(Crawl *c)
{
    Buf *b = &c->block;

    page(b, "application/pdf", PROSE);
    add(c, "response", buf_span(b), INGEST_NOT_HTML);
    buf_reset(b);
    pack_http(b, "text/html", SPAN_LIT("%PDF-1.7\n%\xe2\xe3\xcf\xd3 and so on"));
    add(c, "response", buf_span(b), INGEST_NOT_HTML);
    add(c, "response", SPAN_LIT("HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>nothing"),
        INGEST_HTTP_STATUS);
    add(c, "response", SPAN_LIT("HTTP/1.1 OK\r\n\r\n<p>nothing"), INGEST_HTTP_MALFORMED);
    add(c, "response", SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"), INGEST_NO_PAYLOAD);
    add(c, "response", SPAN_LIT(""), INGEST_NO_PAYLOAD);
    add(c, "response",
        SPAN_LIT("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\n\r\n\x1b\x01\x02\x03"),
        INGEST_DECODE_FAILED);
    repeated(b, "<body>", "<div>", 100000, "deep");
    add(c, "response", buf_span(b), INGEST_LANGUAGE); /* a word of text, whatever it is nested in */
    repeated(b, "<body><p>", "0123456789", 1 << 20, "");
    add(c, "response", buf_span(b), INGEST_TOO_LARGE);
    repeated(b, "\xff\xfe", "\x01\xdc", 400, ""); /* UTF-16 by its mark, and all of it halves of pairs */
    add(c, "response", buf_span(b), INGEST_CHARSET);
    repeated(b, "<body>", "<br>", 10, "");
    add(c, "response", buf_span(b), INGEST_EMPTY_TEXT);
    page(b, "text/html; charset=utf-8", GERMAN);
    add(c, "response", buf_span(b), INGEST_LANGUAGE);
}

static void add_good_pages(Crawl *c)
{
    Buf *b = &c->block, gz = {0};

    c->first_doc = c->file.n;
    page(b, "text/html; charset=utf-8", PROSE);
    add(c, "response", buf_span(b), INGEST_N_REASONS);
    page(b, "text/html; charset=gb2312", ZH); /* a wrong label */
    add(c, "response", buf_span(b), INGEST_N_REASONS);
    buf_reset(b);
    pack_http(b, "text/html",
              SPAN_LIT("<body>\0<p>\0" PROSE "\0 \xff</p>")); /* NULs, one bad byte in a page of ASCII */
    add(c, "response", buf_span(b), INGEST_N_REASONS);
    pack_gzip(&gz, SPAN_LIT("<body><p>" PROSE "</p>"));
    buf_reset(b);
    buf_puts(b, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n");
    buf_put_span(b, buf_span(&gz));
    add(c, "response", buf_span(b), INGEST_N_REASONS);
    add(c, "conversion", SPAN_LIT(PROSE), INGEST_N_REASONS);
    buf_clear(&gz);
}

static void add_broken_members(Crawl *c)
{
    Buf *b = &c->block;
    size_t at = c->file.n;

    page(b, "text/html", PROSE);
    add(c, "response", buf_span(b), INGEST_GZIP_CORRUPT);
    c->file.p[at + 12] ^= 0xff;
    c->file.p[at + 40] ^= 0xff;
    buf_reset(&c->raw);
    pack_record(&c->raw, "response", NULL, buf_span(b), b->n + 1000);
    pack_gzip(&c->file, buf_span(&c->raw));
    c->expected[INGEST_N_REASONS]++; /* mended */
    pack_gzip(
        &c->file,
        SPAN_LIT("WARC/1.0\r\nWARC-Type: response\r\nContent-Length: many\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\r\n\r\n"));
    c->expected[INGEST_WARC_MALFORMED]++;
    buf_reset(b); /* a page of 100 MB that repeats beyond deflate's window, so that its size is honest */
    CHECK(buf_reserve(b, 100 << 20));
    for (size_t i = 0; i < 40000; i++) buf_putc(b, (uint8_t)(mix64(i) % 26 + 'a'));
    memcpy(b->p, "HTTP/1.1 200 OK\r\n\r\n<p>", 22);
    while (b->n < (size_t)100 << 20) buf_put(b, b->p, b->n < (50 << 20) ? 40000 : (100 << 20) - b->n);
    add(c, "response", buf_span(b), INGEST_TOO_LARGE);
    memset(b->p + 22, ' ', b->n - 22); /* and one that is a bomb */
    add(c, "response", buf_span(b), INGEST_BOMB);
    buf_reset(b);
    buf_reset(&c->raw);
}

static void make_crawl(Crawl *c)
{
    add(c, "warcinfo", SPAN_LIT("software: none"), INGEST_WARCINFO);
    add(c, "request", SPAN_LIT("GET / HTTP/1.1\r\n\r\n"), INGEST_REQUEST);
    add(c, "metadata", SPAN_LIT("fetchTimeMs: 1"), INGEST_METADATA);
    add(c, "revisit", SPAN_LIT("HTTP/1.1 200 OK\r\n\r\n"), INGEST_REVISIT);
    add(c, "continuation", SPAN_LIT("x"), INGEST_OTHER_TYPE);
    add_good_pages(c);
    add_bad_pages(c);
    add_broken_members(c);
    page(&c->block, "text/html", PROSE " " PROSE);
    add(c, "response", buf_span(&c->block), INGEST_N_REASONS); /* behind all the damage */
    buf_reset(&c->raw);
    pack_record(&c->raw, "response", NULL, buf_span(&c->block), c->block.n);
    size_t at = c->file.n;
    pack_gzip(&c->file, buf_span(&c->raw));
    c->file.n = at + (c->file.n - at) / 2; /* the file ends inside its last member */
    c->expected[INGEST_TRUNCATED]++;
}

static void crawl_clear(Crawl *c) { buf_clear(&c->file), buf_clear(&c->raw), buf_clear(&c->block); }

static Hash128 run(const IngestParams *params, const char *const *operands, size_t n, const char *out, int threads)
{
    CommonOptions common = {.quiet = true};
    Par par = par_alone(threads);
    StageTotals totals = {0};
    Dataset *ds = NULL;
    Hash128 content = {0, 0};
    Err err = {0};

    log_setup(LOG_QUIET, 0);
    CHECK_OK(ingest_run(params, operands, n, out, &common, &par, &totals, &err), &err);
    CHECK(totals.complete);
    CHECK_OK(dataset_open(&ds, out, &err), &err);
    if (ds) content = dataset_content(ds);
    dataset_close(ds);
    return content;
}

TEST(every_record_leaves_as_a_document_or_with_its_reason)
{
    const char *dir = check_tmpdir();
    Crawl c = {0};
    char in[400], out[3][400];
    IngestParams params = INGEST_PARAMS_DEFAULT;
    Dataset *ds;
    Err err = {0};

    make_crawl(&c);
    snprintf(in, sizeof in, "%s/x.warc.gz", dir);
    CHECK_OK(store_write(in, buf_span(&c.file), &err), &err);
    const char *operands[] = {in};
    params.keep_lang = "en,zh";
    Hash128 content[3];
    for (int i = 0; i < 3; i++) {
        snprintf(out[i], sizeof out[i], "%s/out%d", dir, i);
        content[i] = run(&params, operands, 1, out[i], i == 0 ? 1 : i == 1 ? 2 : 7);
    }
    CHECK(hash128_eq(content[0], content[1]) && hash128_eq(content[0], content[2]));
    CHECK_OK(dataset_open(&ds, out[0], &err), &err);
    const Json *dropped = json_get(dataset_manifest(ds), "dropped");
    for (int r = 0; r < INGEST_N_REASONS; r++) {
        uint64_t n;
        CHECK_OK(json_get_u64(dropped, ingest_reasons[r], 0, "manifest", &n, &err), &err);
        if (n != c.expected[r]) fprintf(stderr, "%s:\n", ingest_reasons[r]);
        CHECK_INT(c.expected[r], n);
    }
    CHECK_INT(c.expected[INGEST_N_REASONS], dataset_n_docs(ds));
    dataset_close(ds);
    crawl_clear(&c);
}

TEST(documents_carry_their_address_and_fields)
{
    const char *dir = check_tmpdir();
    Crawl c = {0};
    char in[400], out[400], id[200];
    IngestParams params = INGEST_PARAMS_DEFAULT;
    DocCursor *cursor;
    Doc d;
    DocId docid;
    bool end;
    Err err = {0};

    add(&c, "warcinfo", SPAN_LIT("software: none"), INGEST_WARCINFO);
    add_good_pages(&c);
    snprintf(in, sizeof in, "%s/CC-MAIN-2023-06", dir);
    CHECK_OK(store_mkdirs(in, &err), &err);
    snprintf(in, sizeof in, "%s/CC-MAIN-2023-06/x.warc.gz", dir);
    snprintf(out, sizeof out, "%s/out", dir);
    CHECK_OK(store_write(in, buf_span(&c.file), &err), &err);
    const char *operands[] = {in}, *dirs[] = {out};
    run(&params, operands, 1, out, 2);
    CHECK_OK(doccursor_open(&cursor, dirs, 1, &err), &err);
    CHECK_OK(doccursor_next(cursor, &d, &docid, &end, &err), &err);
    snprintf(id, sizeof id, "CC-MAIN-2023-06/x.warc.gz#%llu", (unsigned long long)c.first_doc);
    CHECK_SPAN(span_str(id), d.id);
    CHECK_SPAN(span_str(PROSE), d.text);
    CHECK_SPAN(SPAN_LIT("http://a.test/x%20y"), d.url);
    CHECK_SPAN(SPAN_LIT("2023-02-01T10:20:30Z"), d.date);
    CHECK_SPAN(SPAN_LIT("CC-MAIN-2023-06"), d.dump);
    CHECK_SPAN(SPAN_LIT("web"), d.source);
    CHECK_SPAN(SPAN_LIT("en"), d.lang);
    CHECK(d.has_lang_score && d.lang_score > 0.9);
    CHECK(span_starts(d.meta, SPAN_LIT("{\"title\":\"A title\",\"")));
    CHECK_OK(doccursor_next(cursor, &d, &docid, &end, &err), &err);
    CHECK_SPAN(SPAN_LIT(ZH), d.text);
    CHECK_SPAN(SPAN_LIT("zh-Hans"), d.lang);
    CHECK_OK(doccursor_next(cursor, &d, &docid, &end, &err), &err);
    CHECK(span_starts(d.text, SPAN_LIT(PROSE)));
    doccursor_close(cursor);
    crawl_clear(&c);
}

/* Parts cut by bytes, by count or not at all hold the same documents in the same order. */
TEST(cutting_into_parts_changes_no_document)
{
    const char *dir = check_tmpdir();
    char in[3][400];
    const char *operands[3];
    uint64_t sum = 0;
    Err err = {0};

    for (int f = 0; f < 3; f++) {
        Crawl c = {0};
        for (int i = 0; i < 20; i++) {
            char text[600];
            snprintf(text, sizeof text, "Page %d of file %d. %s", i, f, PROSE);
            page(&c.block, "text/html", text);
            add(&c, "response", buf_span(&c.block), INGEST_N_REASONS);
        }
        snprintf(in[f], sizeof in[f], "%s/f%d.warc.gz", dir, f);
        CHECK_OK(store_write(in[f], buf_span(&c.file), &err), &err);
        operands[f] = in[f];
        crawl_clear(&c);
    }
    for (int k = 0; k < 4; k++) {
        IngestParams params = INGEST_PARAMS_DEFAULT;
        char out[400];
        DocCursor *cursor;
        uint64_t ordered = 0, n = 0;
        params.inputs_per_part = k == 1 ? 1 : k == 2 ? 2 : 0;
        if (k == 3) params.part_bytes = 1500;
        snprintf(out, sizeof out, "%s/out%d", dir, k);
        run(&params, operands, 3, out, 2);
        const char *dirs[] = {out};
        CHECK_OK(doccursor_open(&cursor, dirs, 1, &err), &err);
        for (bool end = false;;) {
            Doc d;
            DocId id;
            CHECK_OK(doccursor_next(cursor, &d, &id, &end, &err), &err);
            if (end) break;
            n++;
            ordered = ordered * 31 + hash64(d.id) + hash64(d.text);
            if (k == 3 && n == 60) CHECK(docid_part(id) >= 6);
        }
        doccursor_close(cursor);
        CHECK_INT(60, n);
        if (k == 0) sum = ordered;
        CHECK(ordered == sum);
    }
}

TEST(foreign_lines_keep_what_they_have)
{
    const char *dir = check_tmpdir();
    char in[400], out[400];
    IngestParams params = INGEST_PARAMS_DEFAULT;
    DocCursor *cursor;
    Dataset *ds;
    Doc d;
    DocId docid;
    bool end;
    Err err = {0};
    static const char lines[] =
        "{\"id\": \"a-1\", \"text\": \"one \\u4e2d\", \"url\": \"http://x.test/\", \"lang\": \"zh\", \"source\": "
        "\"book\", \"stars\": [1, 2]}\n"
        "\n"
        "{\"text\": \"" PROSE "\", \"id\": 17, \"meta\": {\"a\": 1, \"id\": \"old\"}, \"url\": null}\n"
        "not json\n"
        "{\"id\": \"b\", \"body\": \"no text\"}\n"
        "{\"id\": \"c\", \"text\": \"x\", \"text\": \"y\"}\n"
        "{\"id\": \"d\", \"text\": \"  \"}\n"
        "{\"id\": \"e\", \"text\": \"\xff\"}\n"
        "{\"text\": \"last line\", \"lang\": \"en\"}";

    snprintf(in, sizeof in, "%s/b.jsonl", dir);
    snprintf(out, sizeof out, "%s/out", dir);
    CHECK_OK(store_write(in, span_str(lines), &err), &err);
    const char *operands[] = {in}, *dirs[] = {out};
    run(&params, operands, 1, out, 2);
    CHECK_OK(doccursor_open(&cursor, dirs, 1, &err), &err);
    CHECK_OK(doccursor_next(cursor, &d, &docid, &end, &err), &err);
    CHECK_SPAN(SPAN_LIT("local/b.jsonl#0"), d.id);
    CHECK_SPAN(SPAN_LIT("one 中"), d.text);
    CHECK_SPAN(SPAN_LIT("zh-Hans"), d.lang);
    CHECK_SPAN(SPAN_LIT("book"), d.source);
    CHECK_SPAN(SPAN_LIT("{\"id\":\"a-1\"}"), d.meta);
    CHECK_SPAN(SPAN_LIT("\"stars\":[1,2]"), d.extra);
    CHECK_OK(doccursor_next(cursor, &d, &docid, &end, &err), &err);
    CHECK_SPAN(SPAN_LIT("local/b.jsonl#2"), d.id);
    CHECK_SPAN(SPAN_LIT("en"), d.lang);
    CHECK_SPAN(SPAN_LIT("local"), d.source);
    CHECK_SPAN(SPAN_LIT("{\"id\":\"17\",\"a\":1}"), d.meta);
    CHECK(!d.url.p);
    CHECK_OK(doccursor_next(cursor, &d, &docid, &end, &err), &err);
    CHECK_SPAN(SPAN_LIT("local/b.jsonl#8"), d.id);
    CHECK_OK(doccursor_next(cursor, &d, &docid, &end, &err), &err);
    CHECK(end);
    doccursor_close(cursor);
    CHECK_OK(dataset_open(&ds, out, &err), &err);
    static const struct {
        const char *reason;
        uint64_t n;
    } want[] = {{"bad_json", 3}, {"no_text", 1}, {"empty_text", 1}};
    for (int i = 0; i < 3; i++) {
        uint64_t n;
        CHECK_OK(json_get_u64(json_get(dataset_manifest(ds), "dropped"), want[i].reason, 0, "manifest", &n, &err),
                 &err);
        CHECK_INT(want[i].n, n);
    }
    dataset_close(ds);
}

/* Whoever commits, nothing is published, and the same command reads again. */
TEST(a_run_that_reads_nothing_is_no_dataset)
{
    static const char *const nothing[] = {"", "<p>a page, not an archive", ""};
    const char *dir = check_tmpdir();
    char in[400], out[400], manifest[460], part[460];
    const char *operands[] = {in};
    CommonOptions common = {.quiet = true};
    Par par = par_alone(2);
    bool there;
    Err err = {0};

    log_setup(LOG_QUIET, 0);
    for (int i = 0; i < 3; i++) {
        IngestParams params = INGEST_PARAMS_DEFAULT;
        params.html = i == 2;
        snprintf(in, sizeof in, "%s/%d.warc", dir, i);
        snprintf(out, sizeof out, "%s/out%d", dir, i);
        snprintf(manifest, sizeof manifest, "%s/manifest.json", out);
        snprintf(part, sizeof part, "%s/part-000000.jsonl.zst", out);
        CHECK_OK(store_write(in, span_str(nothing[i]), &err), &err);
        for (int again = 0; again < 2; again++) {
            CHECK_INT(ERR_DATA, ingest_run(&params, operands, 1, out, &common, &par, NULL, &err));
            CHECK(strstr(err.msg, i == 1 ? "not one record of local/1.warc could be read, mostly for warc_malformed"
                                         : "nothing to read in local/"));
            CHECK_OK(store_exists(manifest, &there, &err), &err);
            CHECK(!there);
            CHECK_OK(store_exists(part, &there, &err), &err);
            CHECK(!there);
        }
    }
}

TEST(wrong_params_are_usage)
{
    CommonOptions common = {.quiet = true};
    IngestParams params = INGEST_PARAMS_DEFAULT;
    const char *operands[] = {"/nowhere/x.warc"};
    Par par = par_alone(1);
    Err err = {0};

    CHECK_INT(ERR_SYS, ingest_run(&params, operands, 1, "/nowhere/out", &common, &par, NULL, &err));
    CHECK_INT(ERR_USAGE, ingest_run(&params, operands, 0, "/nowhere/out", &common, &par, NULL, &err));
    params.keep_lang = "en,martian";
    CHECK_INT(ERR_USAGE, ingest_run(&params, operands, 1, "/nowhere/out", &common, &par, NULL, &err));
    CHECK(strstr(err.msg, "martian"));
}

/* The limit holds whether or not the line's end is in sight with its start. */
TEST(a_line_beyond_the_limit_is_too_large)
{
    const char *dir = check_tmpdir();
    enum { LONG = (64 << 20) + 1 };
    IngestParams params = INGEST_PARAMS_DEFAULT;
    char in[400], out[400];
    const char *operands[] = {in};
    Buf lines = {0};
    Dataset *ds;
    uint64_t n;
    Err err = {0};

    CHECK(buf_reserve(&lines, LONG + 100));
    memset(lines.p, 'x', LONG);
    lines.n = LONG;
    buf_puts(&lines, "\n{\"text\": \"" PROSE "\"}\n");
    snprintf(in, sizeof in, "%s/long.jsonl", dir);
    snprintf(out, sizeof out, "%s/out", dir);
    CHECK_OK(store_write(in, buf_span(&lines), &err), &err);
    run(&params, operands, 1, out, 1);
    CHECK_OK(dataset_open(&ds, out, &err), &err);
    CHECK_OK(json_get_u64(json_get(dataset_manifest(ds), "dropped"), "too_large", 0, "manifest", &n, &err), &err);
    CHECK_INT(1, n);
    CHECK_INT(1, dataset_n_docs(ds));
    dataset_close(ds);
    buf_clear(&lines);
}
