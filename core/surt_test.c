/* SURT keys of known URLs; the expected ones are what the Internet Archive's Python package makes of them. */
#include "core/surt.h"
#include "tests/check.h"

TEST(surt_of_known_urls)
{
    static const struct {
        const char *url, *want; /* NULL: none */
    } cases[] = {
        {"http://www.Example.com/Foo/Bar/?b=2&a=1&utm_source=x#frag", "com,example)/foo/bar?a=1&b=2&utm_source=x"},
        {"http://example.com:80/", "com,example)/"},
        {"https://www2.example.com:8443/a/../b//c/?", "com,example:8443)/b/c"},
        {"http://user:pw@example.com/%7Ejoe/%41%2f?q=%20x+y", "com,example)/~joe/a?q=%20x+y"},
        {"http://example.com/?PHPSESSID=9682993c8daa2c5497996114facdc805&x=1", "com,example)/?x=1"},
        {"http://example.com/index.html?sid=9682993c8daa2c5497996114facdc805", "com,example)/index.html"},
        {"http://192.168.0.1/a", "1,0,168,192)/a"},
        {"http://[::1]/a", "::1)/a"},
        {"ftp://example.com/A", "com,example)/a"},
        {"http://\xe4\xbe\x8b\xe5\xad\x90.\xe4\xb8\xad\xe5\x9b\xbd/\xe8\xb7\xaf?\xe9\x97\xae",
         "xn--fiqs8s,xn--fsqu00a)/%e8%b7%af?%e9%97%ae"},
        {"http://example.com/a?", "com,example)/a"},
        {"http://example.com/a?&b=&&a", "com,example)/a?&&a&b="},
        {"http://example.com/a/./b/", "com,example)/a/b"},
        {"http://www.example.com.:80/a", "com,example)/a"},
        {"HTTP://EXAMPLE.com", "com,example)/"},
        {"http://example.com/%E4%B8%AD?x=%e4", "com,example)/%e4%b8%ad?x=%e4"},
        {"http://example.com/a b", "com,example)/a%20b"},
        {"https://example.com:443/", "com,example)/"},
        {"http://example.com:443/", "com,example:443)/"},
        {"http://example.com/../../a", "com,example)/a"},
        {"http://example.com/%252541", "com,example)/a"},
        {"http://www.com/", "com)/"},
        {"dns:example.com", NULL},
        {"", NULL},
        {"http:///a", NULL}};
    Buf out = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Span url = check_edge(span_str(cases[i].url));
        buf_reset(&out);
        CHECK(url_surt(&out, url) == (cases[i].want != NULL));
        if (cases[i].want) CHECK_SPAN(span_str(cases[i].want), buf_span(&out));
        if (!cases[i].want) CHECK_INT(0, out.n);
        check_edge_free(url);
    }
    buf_clear(&out);
}

/* More parameters than are sorted stay as they come. */
TEST(surt_of_a_long_query)
{
    Buf url = {0}, out = {0};

    buf_puts(&url, "http://a.b/?z");
    for (int i = 0; i < 2000; i++) buf_puts(&url, "&a");
    CHECK(url_surt(&out, buf_span(&url)));
    CHECK_SPAN(SPAN_LIT("b,a)/?z&a&a"), span(out.p, 11));
    CHECK_INT(url.n - strlen("http://a.b") + strlen("b,a)"), out.n);
    buf_clear(&url);
    buf_clear(&out);
}
