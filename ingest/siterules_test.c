#include "ingest/siterules.h"

#include "core/store.h"
#include "ingest/maintext.h"
#include "tests/packing.h"
#include "tests/page_tree.h"

static SiteRules *rules_of(const char *text)
{
    SiteRules *s = NULL;
    Err err = {0};

    CHECK_OK(siterules_parse(&s, "rules", span_str(text), &err), &err);
    return s;
}

/* What each element with an id is marked as: "a:main b:drop", the title's and date's as well; "-" when no rule counts. */
static void marked(const SiteRules *s, const char *url, const HtmlTree *t, Buf *out)
{
    static SiteMarks m;
    Err err = {0};

    buf_reset(out);
    CHECK_OK(siterules_mark(s, &m, span_str(url), t, &err), &err);
    if (!m.asked) buf_puts(out, "-");
    for (uint32_t i = 1; m.asked && i < t->n_nodes; i++) {
        const Span id = html_attr(t, i, HTML_ID);
        const unsigned mark = m.mark[i] & (MARK_DROP | MARK_MAIN | MARK_KEEP);
        if (!id.p || !(mark || m.first[SITE_TITLE] == i || m.first[SITE_DATE] == i)) continue;
        if (out->n) buf_putc(out, ' ');
        buf_put_span(out, id);
        if (mark & MARK_MAIN) buf_puts(out, ":main");
        if (mark & MARK_KEEP) buf_puts(out, ":keep");
        if (mark & MARK_DROP) buf_puts(out, ":drop");
        if (m.first[SITE_TITLE] == i) buf_puts(out, ":title");
        if (m.first[SITE_DATE] == i) buf_puts(out, ":date");
    }
    sitemarks_clear(&m);
}

#define CHECK_MARKED(want, s, url, t)                \
    do {                                             \
        Buf got_ = {0};                              \
        marked(s, url, t, &got_);                    \
        CHECK_SPAN(SPAN_LIT(want), buf_span(&got_)); \
        buf_clear(&got_);                            \
    } while (0)

TEST(hosts_are_matched_by_whole_labels)
{
    SiteRules *s = rules_of("# comment\n\n  Example.ORG drop #a\r\nb.example.org\tdrop\t #b\norg keep #c\n"
                            "1.2.3.4 drop #a\n[::1] drop #b\n例子.example drop #c");
    HtmlTree t = {0};

    page_tree("<p id=a>x<p id=b>y<p id=c>z", &t);
    CHECK_MARKED("a:drop c:keep", s, "http://example.org/", &t);
    CHECK_MARKED("a:drop c:keep", s, "https://user@WWW.example.org.:8080/x?y", &t);
    CHECK_MARKED("a:drop b:drop c:keep", s, "http://a.b.example.org", &t);
    CHECK_MARKED("c:keep", s, "http://anexample.org/", &t);
    CHECK_MARKED("-", s, "http://example.org.uk/", &t);
    CHECK_MARKED("-", s, "http://example.com/?example.org", &t);
    CHECK_MARKED("a:drop", s, "http://1.2.3.4/", &t);
    CHECK_MARKED("-", s, "http://9.1.2.3.4/", &t);
    CHECK_MARKED("b:drop", s, "http://[::1]:80/", &t);
    CHECK_MARKED("c:drop", s, "http://www.xn--fsqu00a.example/", &t);
    CHECK_MARKED("c:drop", s, "http://例子.example/", &t);
    CHECK_MARKED("-", s, "", &t);
    CHECK_MARKED("-", s, "not a URL", &t);
    siterules_free(s);
    htmltree_clear(&t);
}

TEST(paths_are_beginnings)
{
    SiteRules *s =
        rules_of("a.example/blog/ drop #a\na.example/p?x= drop #b\na.example/ keep #c\na.example/%7eu drop #d\n"
                 "*/forum drop #c\n");
    HtmlTree t = {0};

    page_tree("<p id=a>x<p id=b>y<p id=c>z<p id=d>z", &t);
    CHECK_MARKED("c:keep", s, "http://a.example", &t);
    CHECK_MARKED("a:drop c:keep", s, "http://a.example/blog/1", &t);
    CHECK_MARKED("c:keep", s, "http://a.example/blog", &t);
    CHECK_MARKED("b:drop c:keep", s, "http://a.example:81/p?x=1&y=2", &t);
    CHECK_MARKED("c:keep", s, "http://a.example/p?y=2&x=1", &t);
    CHECK_MARKED("c:keep d:drop", s, "http://a.example/~user/", &t);
    CHECK_MARKED("c:drop", s, "http://a.example/forums", &t);
    CHECK_MARKED("c:drop", s, "https://b.example/forum", &t);
    CHECK_MARKED("-", s, "https://b.example/", &t);
    siterules_free(s);
    htmltree_clear(&t);
}

TEST(main_is_of_the_longest_host_and_path_that_find_text)
{
    SiteRules *s =
        rules_of("* main #e\nexample.org main #d\nexample.org/x main #b, #nothing\nexample.org/x/y main #a\n"
                 "www.example.org main #c\nother.example main #f\nother.example main .g\nw.example main #c p\na.test "
                 "main #c\ntest main #c, #d\n");
    HtmlTree t = {0};

    page_tree(
        "<div id=a> </div><div id=b>b</div><div id=c>c</div><div id=d>d</div><div id=e>e</div><div id=f>f<b id=g "
        "class=g></b></div>",
        &t);
    CHECK_MARKED("d:main", s, "http://example.org/", &t);
    CHECK_MARKED("b:main", s, "http://example.org/x", &t);
    CHECK_MARKED("b:main", s, "http://example.org/x/y", &t); /* #a is blank */
    CHECK_MARKED("c:main", s, "http://www.example.org/x/y", &t);
    CHECK_MARKED("e:main", s, "http://example.com/", &t);
    CHECK_MARKED("e:main", s, "", &t); /* as of a file */
    CHECK_MARKED("f:main g:main", s, "http://other.example/", &t);
    CHECK_MARKED("e:main", s, "http://w.example/", &t);
    CHECK_MARKED("c:main", s, "http://a.test/", &t);
    CHECK_MARKED("c:main d:main", s, "http://b.test/", &t);
    siterules_free(s);
    htmltree_clear(&t);
}

TEST(what_nobody_reads_is_no_text_of_a_main)
{
    SiteRules *s = rules_of("example.org main #c, #e\nexample.org/x main #a, #d\nexample.org/y main #b\n");
    HtmlTree t = {0};

    page_tree("<div id=a><button>Show more <b id=b>of it</b></button> ... </div><div id=c>c</div><div id=d></div>"
              "<div id=e></div>",
              &t);
    CHECK_MARKED("c:main e:main", s, "http://example.org/", &t);
    CHECK_MARKED("c:main e:main", s, "http://example.org/x", &t);
    CHECK_MARKED("c:main e:main", s, "http://example.org/y", &t);
    siterules_free(s);
    htmltree_clear(&t);
}

TEST(what_is_dropped_is_not_there_for_other_rules)
{
    SiteRules *s = rules_of(
        "* main .m\n* drop .d\n* keep .k\n* title h1, h2\n* date time\na.example date #z\na.example main #y\n");
    HtmlTree t = {0};

    page_tree(
        "<div id=a class=m><p id=b class=d>x<b id=c class=k>y</b></p><h1 id=d class='d m'>z</h1>"
        "<h2 id=e class='m k'>Title</h2><h1 id=f>no</h1></div><time id=g>x</time><time id=h>y</time><i id=z>x</i>"
        "<p id=y><b class=d>dropped</b>",
        &t);
    CHECK_MARKED("a:main b:drop c:drop d:drop e:main:keep:title g:date", s, "", &t);
    CHECK_MARKED("a:main b:drop c:drop d:drop e:main:keep:title z:date", s, "http://a.example/", &t);
    siterules_free(s);
    htmltree_clear(&t);
}

TEST(files_of_rules_are_told_apart_by_what_they_say)
{
    SiteRules *s = rules_of("a.example main p"), *same = rules_of("\xef\xbb\xbf# x\n\n a.example  main\tp \r\n"),
              *other = rules_of("a.example main b");

    CHECK(hash128_eq(siterules_content(s), siterules_content(same)));
    CHECK(!hash128_eq(siterules_content(s), siterules_content(other)));
    siterules_free(s), siterules_free(same), siterules_free(other);
}

static void check_refused(const char *text, const char *why)
{
    SiteRules *s = NULL;
    Err err = {0};

    CHECK_INT(ERR_DATA, siterules_parse(&s, "r", span_str(text), &err));
    CHECK(s == NULL);
    CHECK_SPAN(span_str(why), span_str(err.msg));
}

TEST(what_is_no_rule_is_refused_with_its_line)
{
    Buf text = {0};

    check_refused("", "r: no site rule in it");
    check_refused("# a\n \n", "r: no site rule in it");
    check_refused("a.example", "r:1: no action behind the host");
    check_refused("a.example main p\na.example mian p",
                  "r:2: no such action: mian; there are main, drop, keep, title, date");
    check_refused("a.example main", "r:1: no element, at the end of the selector");
    check_refused("a.example main p:x", "r:1: pseudo-classes are not for rules, at :x");
    check_refused("http://a.example/ main p", "r:1: a rule begins with a host, without scheme and port, or with *");
    check_refused("a.example:80/ main p", "r:1: a rule begins with a host, without scheme and port, or with *");
    check_refused("*.a.example main p", "r:1: a rule begins with a host, without scheme and port, or with *");
    check_refused("u@a.example main p", "r:1: a rule begins with a host, without scheme and port, or with *");
    check_refused("/x main p", "r:1: a rule begins with a host, without scheme and port, or with *");
    check_refused("a.example/#x main p", "r:1: no fragment (#) can be in a path");
    check_refused("a.example main .a\x01", "r:1: a control character, or no UTF-8");
    check_refused("\n\na.example main .a\xff", "r:3: a control character, or no UTF-8");
    buf_puts(&text, "a.example main ");
    while (text.n <= SITERULES_MAX_LINE) buf_puts(&text, "p ");
    check_refused(buf_cstr(&text), "r:1: a line of more than 4096 bytes");
    buf_reset(&text);
    for (int i = 0; i < 600; i++) buf_printf(&text, "%s drop .a%d .b\n", i % 2 ? "*" : "www.a.example", i);
    check_refused(buf_cstr(&text),
                  "r:1: rules with 1200 elements count for pages of www.a.example; there can be 1024");
    buf_clear(&text);
}

TEST(rules_come_from_files)
{
    char file[300];
    SiteRules *s = NULL;
    Err err = {0};
    Buf packed = {0};

    snprintf(file, sizeof file, "%s/rules", check_tmpdir());
    CHECK_INT(ERR_SYS, siterules_read(&s, file, &err));
    CHECK(s == NULL);
    pack_gzip(&packed, SPAN_LIT("a.example main p\n\nb.example main\n"));
    CHECK_OK(store_write(file, buf_span(&packed), &err), &err);
    CHECK_INT(ERR_DATA, siterules_read(&s, file, &err));
    CHECK(s == NULL && strstr(err.msg, "rules:3: no element"));
    CHECK_OK(store_write(file, SPAN_LIT("a.example main p\n"), &err), &err);
    CHECK_OK(siterules_read(&s, file, &err), &err);
    siterules_free(s);
    buf_clear(&packed);
}
