#include "core/publicsuffix.h"

#include "tests/check.h"

/* Suffixes that will not change: they are in the list's own test data. */
TEST(domains_of_known_hosts)
{
    static const char *const cases[][2] = {{"example.com", "example.com"},
                                           {"a.b.example.co.uk", "example.co.uk"},
                                           {"com", ""},
                                           {"co.uk", ""},
                                           {"www.example.com.cn", "example.com.cn"},
                                           {"192.168.0.1", ""},
                                           {"[::1]", ""},
                                           {"", ""},
                                           {"www.\xe4\xbe\x8b\xe5\xad\x90.\xe4\xb8\xad\xe5\x9b\xbd",
                                            "\xe4\xbe\x8b\xe5\xad\x90.\xe4\xb8\xad\xe5\x9b\xbd"},
                                           {"www.xn--fsqu00a.xn--fiqs8s", "xn--fsqu00a.xn--fiqs8s"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Span host = check_edge(span_str(cases[i][0]));
        CHECK_SPAN(span_str(cases[i][1]), publicsuffix_domain(host));
        check_edge_free(host);
    }
}
