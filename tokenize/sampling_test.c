#include "tests/check.h"
#include "tokenize/sampling.h"

#include <stdio.h>

/* Of n documents of a domain, how many are taken. */
static unsigned taken(const Sampling *s, const char *domain, unsigned n)
{
    unsigned k = 0;

    for (unsigned i = 0; i < n; i++) {
        char id[40];
        snprintf(id, sizeof id, "local/a.warc#%u", i * 977);
        Doc doc = {.id = span_str(id), .domain = span_str(domain)};
        k += sampling_takes(s, &doc);
    }
    return k;
}

static void check_share(const Sampling *s, const char *domain, double chance)
{
    /* 20000 draws: sigma is at most 71; four sigma, and the hash is fixed. */
    double got = taken(s, domain, 20000);
    CHECK(got > 20000 * chance - 290 && got < 20000 * chance + 290);
}

TEST(documents_without_a_domain_are_of_the_default_one)
{
    static const char mixture[] = "{\"domains\":[{\"name\":\"default\",\"text_bytes\":1000},{\"name\":\"a\","
                                  "\"text_bytes\":1000}],\"phases\":[{\"weights\":{\"default\":1}}]}";
    Sampling s;
    Err err = {0};

    CHECK_OK(sampling_make(&s, span_str(mixture), "m", 0, 2000, &err), &err);
    CHECK_INT(500, taken(&s, "", 500));
    CHECK_INT(500, taken(&s, "default", 500));
    CHECK_INT(0, taken(&s, "a", 500));
    sampling_clear(&s);
}

TEST(without_a_mixture_all_or_a_share)
{
    Sampling s;
    Err err = {0};

    CHECK_OK(sampling_make(&s, (Span){NULL, 0}, "m", 0, 1000, &err), &err);
    CHECK_INT(500, taken(&s, "a", 500));
    CHECK_OK(sampling_make(&s, (Span){NULL, 0}, "m", 5000, 1000, &err), &err);
    CHECK_INT(500, taken(&s, "a", 500));
    CHECK_OK(sampling_make(&s, (Span){NULL, 0}, "m", 250, 1000, &err), &err);
    check_share(&s, "a", 0.25);
    sampling_clear(&s);
}

static const char mixture[] =
    "{\"format\":\"tamis-mixture\",\"version\":1,\"domains\":[{\"name\":\"en\",\"docs\":3,\"text_bytes\":6000},"
    "{\"name\":\"zh\",\"docs\":1,\"text_bytes\":2000},{\"name\":\"ads\",\"docs\":9,\"text_bytes\":900}],"
    "\"phases\":[{\"from\":0,\"to\":null,\"weights\":{\"zh\":1,\"en\":1,\"ads\":0}}]}";

/* All of 8000 bytes are wanted, half of them Chinese: more than there is, so all of it; 4000 of 6000 English ones. */
TEST(shares_follow_the_weights)
{
    Sampling s;
    Err err = {0};

    CHECK_OK(sampling_make(&s, span_str(mixture), "m", 0, 8900, &err), &err);
    CHECK_INT(500, taken(&s, "zh", 500));
    check_share(&s, "en", 4000.0 / 6000);
    CHECK_INT(0, taken(&s, "ads", 500));
    CHECK_INT(0, taken(&s, "unheard of", 500));
    sampling_clear(&s);
    CHECK_OK(sampling_make(&s, span_str(mixture), "m", 1000, 8900, &err), &err);
    check_share(&s, "zh", 0.25);
    check_share(&s, "en", 500.0 / 6000);
    sampling_clear(&s);
}

TEST(broken_mixtures_are_refused)
{
    static const char *const bad[] = {
        "{",
        "{}",
        "{\"phases\":[]}",
        "{\"phases\":[{}]}",
        "{\"phases\":[{\"weights\":{}}]}",
        "{\"phases\":[{\"weights\":{\"a\":-1}}]}",
        "{\"phases\":[{\"weights\":{\"a\":\"x\"}}]}",
        "{\"domains\":[{\"name\":\"a\",\"text_bytes\":\"x\"}],\"phases\":[{\"weights\":{\"a\":1}}]}"};
    Sampling s;
    Err err = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(ERR_DATA, sampling_make(&s, span_str(bad[i]), "m.json", 0, 10, &err));
        CHECK(strncmp(err.msg, "m.json", 6) == 0);
        sampling_clear(&s);
    }
}
