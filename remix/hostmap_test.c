/* Host look-ups against comparing every entry's tail. */
#include "remix/hostmap.h"

#include "core/hash.h"
#include "tests/check.h"

#include <stdio.h>

enum { N_HOSTS = 700 };
typedef char HostName[40];

/* Few labels, so that hosts lie under each other. */
static void make_host(HostName out, uint64_t seed)
{
    static const char *const label[] = {"a", "b", "ab", "example", "www", "x1"};
    static const char *const top[] = {"org", "com", "cn", "com.cn"};
    int n = 0;

    for (uint64_t i = 0; i < mix64(seed) % 4; i++)
        n += snprintf(out + n, 40 - (size_t)n, "%s.", label[mix64(seed * 7 + i) % 6]);
    snprintf(out + n, 40 - (size_t)n, "%s", top[mix64(seed + 99) % 4]);
}

/* Equal, or ends in "." and the entry. */
static bool under(const char *host, const char *entry)
{
    size_t h = strlen(host), e = strlen(entry);

    if (h < e || strcmp(host + h - e, entry) != 0) return false;
    return h == e || host[h - e - 1] == '.';
}

TEST(hostmap_finds_all_rules_of_a_host_and_above)
{
    static HostName entry[N_HOSTS];
    HostMap m = {0};
    Err err = {0};

    for (uint32_t i = 0; i < N_HOSTS; i++) {
        make_host(entry[i], i + 1);
        CHECK_OK(hostmap_add(&m, span_str(entry[i]), i % 130, &err), &err);
    }
    for (uint64_t seed = 5000; seed < 5400; seed++) {
        uint64_t want[3] = {0}, got[3] = {0};
        HostName host;
        make_host(host, seed);
        for (uint32_t i = 0; i < N_HOSTS; i++)
            if (under(host, entry[i])) want[i % 130 / 64] |= UINT64_C(1) << i % 130 % 64;
        hostmap_find(&m, span_str(host), got);
        CHECK(memcmp(want, got, sizeof want) == 0);
    }
    hostmap_clear(&m);
}

TEST(hostmap_knows_label_edges)
{
    HostMap m = {0};
    Err err = {0};
    uint64_t hit = 0;

    hostmap_find(&m, SPAN_LIT("anything.org"), &hit);
    CHECK_INT(0, hit);
    CHECK_OK(hostmap_add(&m, SPAN_LIT("example.org"), 0, &err), &err);
    CHECK_OK(hostmap_add(&m, SPAN_LIT("org"), 5, &err), &err);
    hostmap_find(&m, SPAN_LIT("notexample.org"), &hit);
    CHECK_INT(1 << 5, hit);
    hit = 0;
    hostmap_find(&m, SPAN_LIT("deep.www.example.org"), &hit);
    CHECK_INT(1 | 1 << 5, hit);
    hit = 0;
    hostmap_find(&m, SPAN_LIT("example.org.evil.com"), &hit);
    hostmap_find(&m, SPAN_LIT(""), &hit);
    hostmap_find(&m, SPAN_LIT("..."), &hit);
    CHECK_INT(0, hit);
    hostmap_clear(&m);
}
