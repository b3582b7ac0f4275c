#include "ingest/page.h"

#include "core/buf.h"
#include "tests/check.h"

#define PROSE                                                                                                        \
    "The river rises in the hills to the north, and for most of its way it runs through open meadows, where cattle " \
    "graze in summer. In spring the water comes up over the banks, and the farmers build their barns higher."

static const IngestParams params = INGEST_PARAMS_DEFAULT;

static PageWorker *worker(void)
{
    PageWorker *w = NULL;
    Err err = {0};

    CHECK_OK(pageworker_new(&params, &w, &err), &err);
    return w;
}

static void record(PageWorker *w, const char *fields, const char *block, PageResult *r)
{
    Buf head = {0};
    Err err = {0};

    buf_printf(&head, "WARC/1.0\r\nContent-Length: 1\r\n%s\r\n", fields);
    CHECK_OK(page_from_record(w, buf_span(&head), span_str(block), r, &err), &err);
    buf_clear(&head);
}

/* What a page says of itself: meta before what we say of it. */
static Span said(const PageResult *r)
{
    const Span type = SPAN_LIT("\"type\""), confidence = SPAN_LIT("\"confidence\""), meta = r->doc.meta;

    for (size_t i = 0; i < meta.n; i++) {
        const Span rest = span_from(meta, i);
        if (span_starts(rest, type) || span_starts(rest, confidence)) return span(meta.p, i);
    }
    return meta;
}

TEST(what_came_to_no_text_says_what_is_known)
{
    static const struct {
        const char *block, *meta;
        IngestReason reason;
    } cases[] = {
        {"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>nothing",
         "{\"status\":404,\"mime\":\"text/html\"}", INGEST_HTTP_STATUS},
        {"HTTP/1.1 200 OK\r\nContent-Type: Application/PDF\r\n\r\n%PDF-1.7",
         "{\"status\":200,\"mime\":\"Application/PDF\"}", INGEST_NOT_HTML},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta name=robots content='noindex'><p>" PROSE,
         "{\"status\":200,\"mime\":\"text/html\",\"charset\":\"utf-8\",\"opt_out\":[\"noindex\"]}", INGEST_NOINDEX},
        {"HTTP/1.1 200 OK\r\nContent-Type: \xff\"\r\n\r\nx", "{\"status\":200}", INGEST_NOT_HTML},
        {"HTTP/1.1 OK\r\n\r\n<p>nothing", "", INGEST_HTTP_MALFORMED},
    };
    IngestParams strict = INGEST_PARAMS_DEFAULT;
    PageWorker *w = NULL;
    Err err = {0};

    strict.respect_opt_out = true;
    CHECK_OK(pageworker_new(&strict, &w, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PageResult r;
        Doc d;
        Buf head = {0};
        buf_puts(&head, "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: <http://a.test/x y>\r\n"
                        "WARC-Date: 2024-05-06T07:08:09Z\r\nContent-Length: 1\r\n\r\n");
        CHECK_OK(page_from_record(w, buf_span(&head), span_str(cases[i].block), &r, &err), &err);
        CHECK_INT(cases[i].reason, r.reason);
        CHECK_OK(page_known(w, &r, false, &d, &err), &err);
        CHECK_SPAN(SPAN_LIT("http://a.test/x%20y"), d.url);
        CHECK_SPAN(SPAN_LIT("2024-05-06T07:08:09Z"), d.date);
        CHECK_SPAN(span_str(cases[i].meta), d.meta);
        CHECK_INT(0, d.text.n);
        buf_clear(&head);
    }
    pageworker_free(w);
}

TEST(urls_and_dates_are_cleaned)
{
    static const struct {
        const char *fields, *url, *date;
    } cases[] = {
        {"WARC-Target-URI: <http://a.test/>\r\nWARC-Date: 2024-05-06T07:08:09Z\r\n", "http://a.test/",
         "2024-05-06T07:08:09Z"},
        {"WARC-Target-URI: http://a.test/x y\x01z\xff\r\nWARC-Date: 20240506070809\r\n", "http://a.test/x%20y%01z%FF",
         "2024-05-06T07:08:09Z"},
        {"WARC-Target-URI: http://例.test/\r\nWARC-Date: 2024-05-06T07:08:09.123456Z\r\n", "http://例.test/",
         "2024-05-06T07:08:09Z"},
        {"WARC-Date: 2009-03-65T08:43:19-0800\r\n", NULL, NULL},
        {"WARC-Date: 2009-03-65T08:43:19Z\r\n", NULL, NULL},
        {"WARC-Date: 2024-05\r\n", NULL, NULL},
    };
    PageWorker *w = worker();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PageResult r;
        Buf fields = {0};
        buf_printf(&fields, "WARC-Type: conversion\r\n%s", cases[i].fields);
        record(w, buf_cstr(&fields), PROSE, &r);
        CHECK_INT(INGEST_N_REASONS, r.reason);
        CHECK_SPAN(span_str(cases[i].url), r.doc.url);
        CHECK_SPAN(span_str(cases[i].date), r.doc.date);
        CHECK(!r.doc.meta.p);
        buf_clear(&fields);
    }
    pageworker_free(w);
}

TEST(cuts_that_a_record_does_not_tell_of_are_marked)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>" PROSE "</p>";
    PageWorker *w = worker();
    Buf block = {0};
    PageResult r;

    record(w, "WARC-Type: response\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n120\r\n<p>" PROSE, &r);
    CHECK_INT(INGEST_N_REASONS, r.reason);
    CHECK_INT(1 << HTTP_CHUNKED | 1 << HTTP_CUT, r.coding);
    CHECK_SPAN(SPAN_LIT("{\"truncated\":\"coding\","), said(&r));
    buf_puts(&block, head);
    while (block.n < strlen(head) - strlen("<p>" PROSE "</p>") + (1 << 20)) buf_putc(&block, ' ');
    record(w, "WARC-Type: response\r\n", buf_cstr(&block), &r);
    CHECK_SPAN(SPAN_LIT("{\"truncated\":\"length\","), said(&r));
    record(w, "WARC-Type: response\r\nWARC-Truncated: disconnect\r\n", buf_cstr(&block), &r);
    CHECK_SPAN(SPAN_LIT("{\"truncated\":\"disconnect\","), said(&r));
    /* Shorter than the server said; not so what is stored decoded, or without the chunks of old. */
    record(w, "WARC-Type: response\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4000\r\n\r\n<p>" PROSE, &r);
    CHECK_SPAN(SPAN_LIT("{\"truncated\":\"silent\","), said(&r));
    CHECK_SPAN(SPAN_LIT("silent"), r.truncated);
    record(w, "WARC-Type: response\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4000\r\nContent-Encoding: "
           "gzip\r\n\r\n<p>" PROSE,
           &r);
    CHECK_SPAN(SPAN_LIT("{"), said(&r));
    CHECK(!r.truncated.n);
    record(w, "WARC-Type: response\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 40\r\n\r\n<p>" PROSE, &r);
    CHECK_SPAN(SPAN_LIT("{"), said(&r));
    pageworker_free(w);
    buf_clear(&block);
}

TEST(mojibake_is_turned_back_and_told_of)
{
    PageWorker *w = worker();
    PageResult r;

    record(w, "WARC-Type: response\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<title>The cattleâ€™s "
           "meadow</title><p>" PROSE " Itâ€™s high, itâ€™s low.",
           &r);
    CHECK_INT(INGEST_N_REASONS, r.reason);
    CHECK_SPAN(SPAN_LIT(PROSE " It’s high, it’s low."), r.doc.text);
    CHECK_SPAN(SPAN_LIT("{\"title\":\"The cattle’s meadow\","), said(&r));
    CHECK_SPAN(SPAN_LIT("[{\"stage\":\"ingest\",\"version\":5,\"mojibake\":{\"windows-1252\":3}}]"), r.doc.edits);
    CHECK_INT(3, r.mojibake.n_turned[MOJIBAKE_LATIN]);
    record(w, "WARC-Type: conversion\r\n", PROSE " 锟斤拷", &r);
    CHECK_INT(INGEST_CHARSET, r.reason);
    CHECK_INT(3, r.n_lost);
    CHECK_INT(0, r.mojibake.n_turned[MOJIBAKE_LATIN]);
    pageworker_free(w);
}

TEST(what_a_record_says_of_itself_is_kept)
{
    PageWorker *w = worker();
    PageResult r;

    record(w, "WARC-Type: response\r\nWARC-Truncated: length\r\n",
           "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>A \"b\"</title><p>" PROSE, &r);
    CHECK_INT(INGEST_N_REASONS, r.reason);
    CHECK_SPAN(SPAN_LIT("{\"title\":\"A \\\"b\\\"\",\"truncated\":\"length\","), said(&r));
    CHECK_INT(200, r.status);
    CHECK_STR("utf-8", r.charset);
    record(w, "WARC-Type: resource\r\nContent-Type: text/html; charset=utf-8\r\n", "<p>" PROSE, &r);
    CHECK_SPAN(SPAN_LIT(PROSE), r.doc.text);
    record(w, "WARC-Type: response\r\nContent-Type: text/dns\r\n", "20240506 a.test IN A 10.0.0.1", &r);
    CHECK_INT(INGEST_OTHER_TYPE, r.reason);
    record(w, "WARC-Type: response\r\n", "<html><body><p>" PROSE, &r); /* a body without an HTTP head */
    CHECK_SPAN(SPAN_LIT(PROSE), r.doc.text);
    record(w, "WARC-Type: conversion\r\nContent-Type: text/plain\r\n", "one\x01two\nthree \xff four " PROSE, &r);
    CHECK_SPAN(SPAN_LIT("one two\nthree \xef\xbf\xbd four " PROSE), r.doc.text);
    record(w, "WARC-Type: conversion\r\n", "\xff\xff four", &r);
    CHECK_INT(INGEST_CHARSET, r.reason);
    pageworker_free(w);
}

/* A worker's memory is reused: what a page leaves behind must not show in the next. */
TEST(pages_do_not_see_each_other)
{
    static const char *const pages[] = {
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<title>one</title><p>" PROSE,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<div><p>" PROSE "</p><ul><li>" PROSE "</ul></div>",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>x"};
    enum { N = sizeof pages / sizeof pages[0] };
    PageWorker *shared = worker();

    for (size_t i = 0; i < (size_t)N * N; i++) {
        PageWorker *fresh = worker();
        PageResult first, alone, after;
        record(shared, "WARC-Type: response\r\n", pages[i / N], &first);
        record(shared, "WARC-Type: response\r\n", pages[i % N], &after);
        record(fresh, "WARC-Type: response\r\n", pages[i % N], &alone);
        CHECK_INT(alone.reason, after.reason);
        CHECK_SPAN(alone.doc.text, after.doc.text);
        CHECK_SPAN(alone.doc.meta, after.doc.meta);
        pageworker_free(fresh);
    }
    pageworker_free(shared);
}

/* What a line without an id, or with a number for one, says besides is taken as from any other; what it says wrongly goes alone. */
TEST(lines_without_an_id_keep_their_signals)
{
    static const struct {
        const char *line, *id, *edits;
        size_t n_signals;
        double score;
    } cases[] = {
        {"{\"text\":\"x\",\"signals\":{\"q\":3},\"edits\":[{\"stage\":\"s\"}],\"lang\":\"en\",\"lang_score\":0.5}",
         NULL, "[{\"stage\":\"s\"}]", 1, 0.5},
        {"{\"id\":7,\"text\":\"x\",\"signals\":{\"q\":3,\"r\":4}}", "7", NULL, 2, 0},
        {"{\"id\":\"a\",\"text\":\"x\",\"signals\":{\"q\":\"3\"}}", "a", NULL, 0, 0},
        {"{\"text\":\"x\",\"edits\":[{\"stage\":\"s\"}],\"lang\":\"en\",\"lang_score\":0.5,"
         "\"signals\":{\"q\":3,\"bad name!\":\"x\"}}",
         NULL, "[{\"stage\":\"s\"}]", 0, 0.5},
        {"{\"text\":\"x\",\"signals\":{\"q\":3},\"edits\":[1],\"lang\":\"en\",\"lang_score\":7}", NULL, "[1]", 1, 0},
        {"{\"text\":\"x\",\"signals\":[3],\"edits\":{},\"lang_score\":\"1\"}", NULL, NULL, 0, 0},
    };
    PageWorker *w = worker();

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PageResult r;
        Err err = {0};
        CHECK_OK(page_from_line(w, span_str(cases[i].line), &r, &err), &err);
        CHECK_INT(INGEST_N_REASONS, r.reason);
        CHECK_SPAN(span_str(cases[i].id), r.doc.id);
        CHECK_SPAN(span_str(cases[i].edits), r.doc.edits);
        CHECK_INT(cases[i].n_signals, r.doc.n_signals);
        if (cases[i].n_signals) CHECK_SPAN(SPAN_LIT("q"), r.doc.signals[0].name);
        if (cases[i].score > 0) CHECK(r.doc.lang_score == cases[i].score);
    }
    pageworker_free(w);
}

TEST(pages_that_opt_out)
{
    static const char page[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Robots-Tag: noai\r\n\r\n<html lang=en><title>T</title>"
        "<meta name=robots content=noindex><link rel=canonical href='http://a.test/'><meta name=pubdate "
        "content=2024-05-01><body><p>" PROSE;
    static const char indexed[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta name=robots content=noindex><p>" PROSE;
    IngestParams respect = INGEST_PARAMS_DEFAULT;
    PageWorker *w = worker(), *strict = NULL;
    PageResult r;
    Err err = {0};

    respect.respect_opt_out = true;
    CHECK_OK(pageworker_new(&respect, &strict, &err), &err);
    record(w, "WARC-Type: response\r\n", page, &r);
    CHECK_SPAN(
        SPAN_LIT(
            "{\"title\":\"T\",\"published\":\"2024-05-01\",\"canonical\":\"http://a.test/\",\"html_lang\":\"en\","
            "\"opt_out\":[\"noindex\",\"noai\"],"),
        said(&r));
    record(strict, "WARC-Type: response\r\n", page, &r);
    CHECK_INT(INGEST_OPT_OUT, r.reason);
    record(strict, "WARC-Type: response\r\n", indexed, &r);
    CHECK_INT(INGEST_NOINDEX, r.reason);
    record(strict, "WARC-Type: response\r\n", "HTTP/1.1 200 OK\r\n\r\n<html><p>" PROSE, &r);
    CHECK_INT(INGEST_N_REASONS, r.reason);
    pageworker_free(w), pageworker_free(strict);
}

TEST(a_page_of_too_many_elements_keeps_its_beginning)
{
    PageWorker *w = worker();
    Buf block = {0};
    PageResult r;

    buf_puts(&block, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>" PROSE);
    for (int i = 0; i < HTML_MAX_NODES; i++) buf_puts(&block, "<b>");
    buf_puts(&block, "<p>The end.");
    record(w, "WARC-Type: response\r\n", buf_cstr(&block), &r);
    CHECK_INT(INGEST_N_REASONS, r.reason);
    CHECK_SPAN(SPAN_LIT(PROSE), r.doc.text);
    CHECK_SPAN(SPAN_LIT("{\"truncated\":\"nodes\","), said(&r));
    CHECK_SPAN(SPAN_LIT("nodes"), r.truncated);
    pageworker_free(w), buf_clear(&block);
}
