#include "ingest/metadata.h"

#include "tests/check.h"

static const char url[] = "https://www.example-news.test/2023/02/27/a.html";

/* What a page says of itself, captured on 2024-05-06. */
static void read_page(const char *page, const char *page_url, const HttpResponse *http, HtmlTree *t, Metadata *m)
{
    HtmlParser *p;
    HtmlStatus status;
    Err err = {0};

    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    CHECK_OK(htmlparser_parse(p, span_str(page), t, &status, &err), &err);
    CHECK_OK(metadata_read(m, t, http, span_str(page_url), SPAN_LIT("2024-05-06T07:08:09Z"), &err), &err);
    htmlparser_free(p);
}

TEST(titles)
{
    static const struct {
        const char *page, *title;
    } cases[] = {{"<title> A\n page </title><body><h1>x</h1>", "A page"},
                 {"<title>A page - A site</title><meta property='og:title' content='A page'><body>", "A page"},
                 {"<title>A page - Example News</title><body>", "A page"},
                 {"<title>A - b - My Site</title><meta property=og:site_name content='my site'>", "A - b"},
                 {"<title>一个标题_新闻_某某网</title><body><h1>一个标题</h1>", "一个标题"},
                 {"<title>一个标题_新闻_某某网</title><body><h1>一个</h1><h1>标题</h1>", "一个标题_新闻_某某网"},
                 {"<body><p>x<h1>The\xc2\xa0<b>only</b><br>one</h1>", "The only one"},
                 {"<title>Example News</title>", "Example News"},
                 {"<title>A news - Exam</title>", "A news - Exam"},
                 {"<title>A news-example-news</title>", "A news-example-news"},
                 {"<title> - </title>", "-"},
                 {"<body><p>none</p>", ""}};
    Metadata m = {0};
    HtmlTree t = {0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_page(cases[i].page, url, NULL, &t, &m);
        CHECK_SPAN(span_str(cases[i].title), buf_span(&m.title));
    }
    htmltree_clear(&t), metadata_clear(&m);
}

TEST(site_names_are_whole_labels)
{
    static const char *const cases[][3] = {
        {"http://mail.example.com/", "Setting up your E-mail", "Setting up your E-mail"},
        {"http://mail.example.com/", "Setting up - Mail", "Setting up - Mail"},
        {"http://www.amazon.com/x", "A chair - Amazon.com", "A chair"},
        {"http://www.amazon.com/x", "A chair | Amazon", "A chair"},
        {"http://www.amazon.com/x", "A river - Amazo", "A river - Amazo"},
        {"http://my.blog-of-it.co.uk/x", "A day - Blog of it", "A day"},
        {"http://x.test/", "A day - x", "A day - x"},
        {"https://www.example.co.uk", "A day - Example", "A day"},
    };
    Metadata m = {0};
    HtmlTree t = {0};
    Buf page = {0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_reset(&page);
        buf_printf(&page, "<title>%s</title>", cases[i][1]);
        read_page(buf_cstr(&page), cases[i][0], NULL, &t, &m);
        CHECK_SPAN(span_str(cases[i][2]), buf_span(&m.title));
    }
    htmltree_clear(&t), metadata_clear(&m), buf_clear(&page);
}

/* Where it is tomorrow already. */
TEST(a_page_may_be_a_day_younger_than_its_capture)
{
    static const char *const cases[][3] = {{"2024-05-06T17:00:00Z", "2024-05-07", "2024-05-08"},
                                           {"2024-05-31T17:00:00Z", "2024-06-01", "2024-06-02"},
                                           {"2024-02-28", "2024-02-29", "2024-03-01"},
                                           {"2023-02-28", "2023-03-01", "2023-03-02"},
                                           {"2024-02-29", "2024-03-01", "2024-03-02"},
                                           {"2023-12-31", "2024-01-01", "2024-01-02"},
                                           {"2024-04-09", "2024-04-10", "2024-04-11"}};
    Metadata m = {0};
    HtmlTree t = {0};
    HtmlParser *p;
    HtmlStatus status;
    Err err = {0};
    char page[80];

    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int late = 0; late < 2; late++) {
            snprintf(page, sizeof page, "<meta name=date content='%s'><p>x", cases[i][1 + late]);
            CHECK_OK(htmlparser_parse(p, span_str(page), &t, &status, &err), &err);
            CHECK_OK(metadata_read(&m, &t, NULL, SPAN_LIT("http://a.test/"), span_str(cases[i][0]), &err), &err);
            CHECK_STR(late ? "" : cases[i][1], m.published.day);
        }
    PageDate last = {"2099-12-31"};
    pagedate_next(&last);
    CHECK_STR("2099-12-31", last.day);
    htmlparser_free(p);
    htmltree_clear(&t), metadata_clear(&m);
}

/* Without a day of capture only a constant bounds a date. */
TEST(no_page_is_of_the_far_future)
{
    static const char *const cases[][2] = {{"<meta name=date content='2099-01-01'><p>x", ""},
                                           {"<meta name=date content='2024-01-01'><p>x", "2024-01-01"}};
    Metadata m = {0};
    HtmlTree t = {0};
    HtmlParser *p;
    HtmlStatus status;
    Err err = {0};

    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_OK(htmlparser_parse(p, span_str(cases[i][0]), &t, &status, &err), &err);
        CHECK_OK(metadata_read(&m, &t, NULL, SPAN_LIT("http://a.test/"), (Span){NULL, 0}, &err), &err);
        CHECK_STR(cases[i][1], m.published.day);
    }
    htmlparser_free(p);
    htmltree_clear(&t), metadata_clear(&m);
}

TEST(days_of_publication)
{
    static const struct {
        const char *page, *url, *day;
    } cases[] = {
        {"<script type='application/ld+json'>{\"x\":\"\\\"datePublished\\\":1\",\"@type\":\"NewsArticle\","
         "\"datePublished\":\"2024-05-01T08:00:00+08:00\"}</script>"
         "<meta property='article:published_time' content='2024-04-30'>",
         url, "2024-05-01"},
        {"<script "
         "type='application/ld+json'>{\"@type\":\"Product\",\"review\":[{\"@type\":\"Review\",\"datePublished\":"
         "\"2011-02-03\"}]}</script><body><p>x",
         "http://a.test/", ""},
        {"<script type='application/ld+json'>{\"@graph\":[{\"@type\":\"WebPage\",\"datePublished\":\"2012-02-03\"},"
         "{\"datePublished\":\"2013-02-03\",\"@type\":[\"Article\",\"Thing\"]}]}</script><body><p>x",
         "http://a.test/", "2013-02-03"},
        {"<script type='application/ld+json'>{\"@type\":\"WebPage\",\"datePublished\":\"2012-02-03\"}</script>x",
         "http://a.test/", "2012-02-03"},
        {"<body><h1>N</h1><p>He was born in a village on 1993-05-01, people say.</p>", "http://a.test/", ""},
        {"<body><h1>某人</h1><p>某人，1993年5月1日出生于一个小村庄，是著名的作家，他写了很多书。</p>",
         "http://a.test/", ""},
        {"<body><h1>N</h1><p>2013-05-01 by X", "http://a.test/", "2013-05-01"},
        {"<body><h1>N</h1><p>Posted by X on 2013-05-01", "http://a.test/", "2013-05-01"},
        {"<body><aside><time datetime=2012-01-01>x</time></aside><time "
         "datetime=2013-01-01>x</time><h1>C</h1><nav><time "
         "datetime=2014-01-01></time></nav><time datetime=2020-01-01>x</time>",
         "http://a.test/", "2020-01-01"},
        {"<meta name=date content='2020-01-01'><meta property='article:published_time' "
         "content='2024-04-30T01:02:03Z'>",
         url, "2024-04-30"},
        {"<meta itemprop=datePublished content='Wed, 01 May 2024 10:00:00 GMT'>", url, "2024-05-01"},
        {"<body><time datetime='2024-05-02 10:11'>today</time>", url, "2024-05-02"},
        {"<body><p>x", url, "2023-02-27"},
        {"<body><p>x", "http://a.test/n/20230228/1.html", "2023-02-28"},
        {"<body><p>x", "http://a.test/n/20231328/1.html", ""},
        {"<body><p>2024-01-01<h1>T</h1><p>发布时间：2024年5月1日 来源：x", "http://a.test/", "2024-05-01"},
        {"<body><p>2024-01-01<p>x", "http://a.test/2024", ""},
        {"<meta name=pubdate content='2031-05-01'>", "http://a.test/", ""},
        {"<meta name=pubdate content='2024-05-07'>", "http://a.test/", "2024-05-07"},
        {"<meta name=pubdate content='2024-05-08'>", "http://a.test/", ""},
    };
    Metadata m = {0};
    HtmlTree t = {0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        read_page(cases[i].page, cases[i].url, NULL, &t, &m);
        CHECK_STR(cases[i].day, m.published.day);
    }
    htmltree_clear(&t), metadata_clear(&m);
}

TEST(spellings_of_days)
{
    static const char *const cases[][2] = {
        {"2024-05-01", "2024-05-01"},
        {"2024/5/1 10:00", "2024-05-01"},
        {"2024.5.31", "2024-05-31"},
        {"20240501", "2024-05-01"},
        {"20240501103000", "2024-05-01"},
        {"2024年 5 月 1 日", "2024-05-01"},
        {"May 1st, 2024", ""},
        {"May 1, 2024", "2024-05-01"},
        {"1 Sept. 2024", "2024-09-01"},
        {"Thu, 29 Feb 2024", "2024-02-29"},
        {"2023-02-29", ""},
        {"2024-13-01", ""},
        {"1989-01-01", ""},
        {"12024-05-01", ""},
        {"2024-05-011", ""},
        {"2024-5", ""},
        {"", ""},
        {"posted 2024-05-01", "2024-05-01"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PageDate d = {""};
        (void)pagedate_read(span_str(cases[i][0]), &d);
        CHECK_STR(cases[i][1], d.day);
    }
}

TEST(addresses_and_languages)
{
    HttpResponse http = {.language = SPAN_LIT("de, en")};
    Metadata m = {0};
    HtmlTree t = {0};

    read_page("<html lang=' zh-CN '><link rel=canonical href='https://a.test/1'><meta property=og:url "
              "content='http://b.test/'>",
              url, &http, &t, &m);
    CHECK_SPAN(SPAN_LIT("https://a.test/1"), m.canonical);
    CHECK_SPAN(SPAN_LIT("zh-CN"), m.html_lang);
    read_page("<link rel=canonical href='/1'><meta property=og:url content='http://b.test/?a=1&amp;b'>", url, &http,
              &t, &m);
    CHECK_SPAN(SPAN_LIT("http://b.test/?a=1&b"), m.canonical);
    CHECK_SPAN(SPAN_LIT("de"), m.html_lang);
    read_page("<meta charset=utf-8><p id=x>a<html lang=de><p>b<html lang=fr>", url, NULL, &t, &m);
    CHECK_SPAN(SPAN_LIT("de"), m.html_lang);
    for (uint32_t i = 0; i < t.n_nodes; i++)
        if (t.node[i].tag == HTML_p) CHECK(html_attr(&t, i, HTML_ID).n == (html_attr(&t, i, HTML_ID).p ? 1u : 0u));
    read_page("<meta name=twitter:title property=og:title content='A whole title'><meta property=og:url name=x "
              "content='http://c.test/'><p>x",
              url, NULL, &t, &m);
    CHECK_SPAN(SPAN_LIT("A whole title"), buf_span(&m.title));
    CHECK_SPAN(SPAN_LIT("http://c.test/"), m.canonical);
    read_page("<link rel=canonical href='http://b.test/a b'><meta http-equiv=content-language content='x'>", url,
              NULL, &t, &m);
    CHECK_INT(0, m.canonical.n);
    CHECK_INT(0, m.html_lang.n);
    htmltree_clear(&t), metadata_clear(&m);
}

TEST(opt_outs)
{
    static const struct {
        const char *name, *content;
        unsigned flags;
    } metas[] = {{"ROBOTS", "NOINDEX,nofollow", 1 << OPT_OUT_NOINDEX},
                 {"robots", "none", 1 << OPT_OUT_NOINDEX},
                 {"robots", "index, follow, max-image-preview:large", 0},
                 {"robots", "noai, noimageai", 1 << OPT_OUT_NOAI | 1 << OPT_OUT_NOIMAGEAI},
                 {"CCBot", "noindex noarchive", 1 << OPT_OUT_NOINDEX | 1 << OPT_OUT_NOARCHIVE},
                 {"GPTBot", "noindex", 1 << OPT_OUT_NOAI},
                 {"googlebot", "noindex", 0},
                 {"googlebot", "noindex, noml", 1 << OPT_OUT_NOML},
                 {"tdm-reservation", " 1 ", 1 << OPT_OUT_TDM},
                 {"tdm-reservation", "0", 0},
                 {"description", "noindex", 0}},
      headers[] = {{"", "noindex", 1 << OPT_OUT_NOINDEX},
                   {"", "gptbot: noindex, nofollow", 1 << OPT_OUT_NOAI},
                   {"", "unavailable_after: 25 Jun 2030 15:00:00 PST, nocache", 1 << OPT_OUT_NOCACHE},
                   {"", "googlebot:noindex, otherbot: noai", 1 << OPT_OUT_NOAI},
                   {"", "max-snippet:50, nosnippet", 1 << OPT_OUT_NOSNIPPET},
                   {"", ",;: ", 0}};

    for (size_t i = 0; i < sizeof metas / sizeof metas[0]; i++)
        CHECK_INT(metas[i].flags, optout_of_meta(span_str(metas[i].name), span_str(metas[i].content)));
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        CHECK_INT(headers[i].flags, optout_of_header(span_str(headers[i].content)));
}

TEST(opt_outs_of_a_page_and_its_response)
{
    HttpResponse http;
    Metadata m = {0};
    HtmlTree t = {0};

    CHECK(http_parse(
        SPAN_LIT("HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nx-robots-tag: noarchive\r\nTDM-Reservation: 1\r\n\r\n"),
        &http));
    read_page("<meta name=robots content=noindex><p>x", url, &http, &t, &m);
    CHECK_INT(1 << OPT_OUT_NOAI | 1 << OPT_OUT_NOARCHIVE | 1 << OPT_OUT_TDM | 1 << OPT_OUT_NOINDEX, m.opt_out);
    read_page("<p>x", url, NULL, &t, &m);
    CHECK_INT(0, m.opt_out);
    htmltree_clear(&t), metadata_clear(&m);
}
