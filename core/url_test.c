/* Hosts of well-formed and of hostile URLs. */
#include "core/url.h"
#include "tests/check.h"

TEST(url_host_of_known_urls)
{
    static const struct {
        const char *url, *want; /* NULL: no host */
    } cases[] = {{"http://Example.ORG/a?b#c", "example.org"},
                 {"https://user:p@ss@a.b:8080/x", "a.b"},
                 {"http://a.b?q", "a.b"},
                 {"http://a.b#f@evil.org", "a.b"},
                 {"http://a.b\\@evil.org", "a.b"},
                 {"http://a.b/@evil.org", "a.b"},
                 {"http://a.b.", "a.b"},
                 {"http://a.b:", "a.b"},
                 {"HTTP://A", "a"},
                 {"http://[2001:DB8::1]:80/", "[2001:db8::1]"},
                 {"http://[::1]", "[::1]"},
                 {"ftp+x://h", "h"},
                 {"http://\xe4\xbe\x8b\xe5\xad\x90.\xe4\xb8\xad\xe5\x9b\xbd/",
                  "\xe4\xbe\x8b\xe5\xad\x90.\xe4\xb8\xad\xe5\x9b\xbd"},
                 {"http://192.168.0.1:8/", "192.168.0.1"},
                 {"", NULL},
                 {"example.org/a", NULL},
                 {"//example.org/a", NULL},
                 {"://a", NULL},
                 {"1http://a", NULL},
                 {"http:/a", NULL},
                 {"mailto:a@b", NULL},
                 {"http://", NULL},
                 {"http:///x", NULL},
                 {"http://:80", NULL},
                 {"http://.", NULL},
                 {"http://..", NULL},
                 {"http://.a", NULL},
                 {"http://@", NULL},
                 {"http://a b/", NULL},
                 {"http://a\tb/", NULL},
                 {"http://a%2eb/", NULL},
                 {"http://a:8x/", NULL},
                 {"http://a:1:2/", NULL},
                 {"http://[::1/", NULL},
                 {"http://[::1]x/", NULL},
                 {"http://[g]/", NULL},
                 {"http://[]/", NULL},
                 {"http://a<b>/", NULL}};
    uint8_t out[URL_MAX_HOST];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Span url = check_edge(span_str(cases[i].url)), got = url_host(url, out);
        if (!cases[i].want)
            CHECK(got.p == NULL);
        else
            CHECK_SPAN(span_str(cases[i].want), got);
        check_edge_free(url);
    }
}

TEST(url_host_has_a_greatest_length)
{
    char url[8 + URL_MAX_HOST + 2] = "http://";
    uint8_t out[URL_MAX_HOST];

    memset(url + 7, 'a', URL_MAX_HOST + 1);
    CHECK_INT(URL_MAX_HOST, url_host(span(url, 7 + URL_MAX_HOST), out).n);
    CHECK(url_host(span(url, 8 + URL_MAX_HOST), out).p == NULL);
    url[7 + URL_MAX_HOST] = '.'; /* the trailing dot does not count */
    CHECK_INT(URL_MAX_HOST, url_host(span(url, 8 + URL_MAX_HOST), out).n);
}

TEST(host_parent_walks_up)
{
    Span h = SPAN_LIT("a.b.c");

    h = host_parent(h);
    CHECK_SPAN(SPAN_LIT("b.c"), h);
    h = host_parent(h);
    CHECK_SPAN(SPAN_LIT("c"), h);
    CHECK_INT(0, host_parent(h).n);
    CHECK_INT(0, host_parent(SPAN_LIT("a.")).n);
}

TEST(url_key_of_known_urls)
{
    static const struct {
        const char *url, *want; /* NULL: no key */
    } cases[] = {
        {"http://Example.ORG", "//example.org/"},
        {"https://example.org:443/#top", "//example.org/"},
        {"http://user:p@example.org.:080/", "//example.org/"},
        {"http://example.org:443/", "//example.org:443/"},
        {"http://example.org:8080?a=1", "//example.org:8080/?a=1"},
        {"http://[2001:DB8::1]:80/x", "//[2001:db8::1]/x"},
        {"http://a.b/%7Euser/%e4%bd%a0%2f\xe4\xbd\xa0 x%", "//a.b/~user/%E4%BD%A0%2F%E4%BD%A0%20x%25"},
        {"http://a.b/%%41b", "//a.b/%25Ab"}, /* not %AB, which would be another key when read again */
        {"http://a.b/Path/./x//y", "//a.b/Path/./x//y"},
        {"http://a.b\\c\\d?e\\f", "//a.b/c/d?e\\f"},
        {"http://a.b/?utm_source=x&UTM_Medium=y", "//a.b/"},
        {"http://a.b/?id=1&utm_source=x&b=2&fbclid=z", "//a.b/?id=1&b=2"},
        {"http://a.b/?gclid=z&id=1#f?x", "//a.b/?id=1"},
        {"http://a.b/?%66bclid=z&&q", "//a.b/?q"},
        {"http://a.b/?utm=1&utm_&gclids=2&spm", "//a.b/?utm=1&utm_&gclids=2"},
        {"http://a.b/x;jsessionid=12;v=1/y;JSessionID=3?PHPSESSID=4", "//a.b/x;v=1/y"},
        {"http://a.b/x?q=a/b?c;jsessionid=1", "//a.b/x?q=a/b?c;jsessionid=1"},
        {"HTTPS://A:0/", "//a/"},
        {"ftp://a.b/", NULL},
        {"httpsx://a.b/", NULL},
        {"http:/a", NULL},
        {"http://a:x/", NULL},
        {"", NULL},
    };
    Buf key = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Span url = check_edge(span_str(cases[i].url));
        buf_reset(&key);
        CHECK((cases[i].want != NULL) == url_key(&key, url));
        CHECK_SPAN(span_str(cases[i].want ? cases[i].want : ""), buf_span(&key));
        check_edge_free(url);
    }
    buf_clear(&key);
}
