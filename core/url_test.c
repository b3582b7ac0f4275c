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
