/* Which rule wins, and what names documents can make. */
#include "core/store.h"
#include "remix/mixrecipe.h"
#include "tests/check.h"

#include <stdio.h>

static RemixRecipe *recipe(const char *text)
{
    RemixRecipe *r = NULL;
    char path[300];
    Err err = {0};

    snprintf(path, sizeof path, "%s/d.yaml", check_tmpdir());
    CHECK_OK(store_write(path, span_str(text), &err), &err);
    CHECK_OK(remix_recipe_load(&r, path, &err), &err);
    return r;
}

static Span or_absent(const char *s) { return s ? span_str(s) : (Span){NULL, 0}; }

static const char *const rules = "default: rest\n"
                                 "domains:\n"
                                 "  - {name: zh-wiki, hosts: [wikipedia.org], langs: [zh]}\n"
                                 "  - {name: wiki, hosts: [wikipedia.org, wikimedia.org]}\n"
                                 "  - {name: code, sources: [code, repo]}\n"
                                 "  - {name: 'big-{lang}', sources: [web], langs: [en, zh, fr-CA]}\n"
                                 "  - {name: gov, hosts: [gov.cn, gov]}\n";

TEST(domain_first_rule_wins)
{
    static const struct {
        const char *url, *source, *lang, *want;
    } cases[] = {{"http://zh.wikipedia.org/wiki/X", "web", "zh-Hans", "zh-wiki"},
                 {"http://zh.wikipedia.org/wiki/X", "web", "zhx", "wiki"},
                 {"https://EN.Wikipedia.ORG:443/", "web", "en", "wiki"},
                 {"http://notwikipedia.org/", "other", "en", "rest"},
                 {"http://example.org/http://wikipedia.org/", "other", "en", "rest"},
                 {"http://upload.wikimedia.org/", NULL, NULL, "wiki"},
                 {NULL, "code", "en", "code"},
                 {"http://x.gov/", "repo", NULL, "code"},
                 {"http://x.gov/", "web", "en", "big-en"},
                 {"http://x.gov/", "web", "zh-Hant", "big-zh-Hant"},
                 {"http://x.gov/", "web", "fr", "gov"},
                 {"http://x.gov/", "web", "fr-CA", "big-fr-CA"},
                 {"http://a.gov.cn/", NULL, "en", "gov"},
                 {"http://cn/", NULL, "en", "rest"},
                 {"not a url", NULL, NULL, "rest"},
                 {NULL, NULL, NULL, "rest"}};
    RemixRecipe *r = recipe(rules);
    DomainScratch s = {0};

    for (size_t i = 0; r && i < sizeof cases / sizeof *cases; i++) {
        Doc d = {
            .url = or_absent(cases[i].url), .source = or_absent(cases[i].source), .lang = or_absent(cases[i].lang)};
        CHECK_SPAN(span_str(cases[i].want), domain_of(r, &s, &d));
    }
    remix_recipe_free(r);
}

/* Names become directories: nothing of a document may make one that leaves its place. */
TEST(domain_names_are_harmless)
{
    static const struct {
        const char *source, *lang, *want;
    } cases[] = {{"web", "en", "web-en"},
                 {NULL, NULL, "unknown-unknown"},
                 {"", "", "unknown-unknown"},
                 {"../../etc", "en", "_._.._etc-en"},
                 {"-rf", "en", "_rf-en"},
                 {"a b/c\xe4\xb8\xad", "zh-Hans", "a_b_c___-zh-Hans"},
                 {"0123456789012345678901234567890123456789012345678901234567890123456789", "en",
                  "0123456789012345678901234567890123456789012345678901234567890123"}};
    RemixRecipe *r = NULL;
    DomainScratch s = {0};
    Err err = {0};

    CHECK_OK(remix_recipe_load(&r, NULL, &err), &err);
    for (size_t i = 0; r && i < sizeof cases / sizeof *cases; i++) {
        Doc d = {.source = or_absent(cases[i].source), .lang = or_absent(cases[i].lang)};
        CHECK_SPAN(span_str(cases[i].want), domain_of(r, &s, &d));
    }
    remix_recipe_free(r);
}

TEST(domain_rule_without_conditions_takes_all)
{
    RemixRecipe *r = recipe("domains: [{name: all}, {name: never}]");
    DomainScratch s = {0};
    Doc d = {.source = SPAN_LIT("web")};

    if (r) CHECK_SPAN(SPAN_LIT("all"), domain_of(r, &s, &d));
    remix_recipe_free(r);
}

TEST(domain_of_repeated_documents)
{
    static const struct {
        double value;
        const char *want;
        uint32_t repeat;
    } cases[] = {{0, "all", 1},  {1.9, "all", 1},     {2, "all-x2", 2},     {8.7, "all-x8", 8},
                 {-3, "all", 1}, {12, "all-x12", 12}, {5000, "all-x99", 99}};
    static const char *const plain[] = {"-x2", "x-x", "a-x1", "a-x0", "ax2", "a-2", "", "2", "x22"};
    RemixRecipe *r = recipe("repeat: dup_weight\ndefault: all"), *without = recipe("default: all");
    DomainScratch s = {0};

    for (size_t i = 0; r && without && i < sizeof cases / sizeof *cases; i++) {
        Signal signals[2] = {{SPAN_LIT("dup_docs"), 7}, {SPAN_LIT("dup_weight"), cases[i].value}};
        Doc d = {.signals = signals, .n_signals = 2};
        CHECK_SPAN(span_str(cases[i].want), domain_of(r, &s, &d));
        CHECK_INT(cases[i].repeat, domain_repeat(r, span_str(cases[i].want)));
        CHECK_INT(1, domain_repeat(without, span_str(cases[i].want)));
        CHECK_SPAN(SPAN_LIT("all"), domain_of(without, &s, &d));
    }
    for (size_t i = 0; r && i < sizeof plain / sizeof *plain; i++) CHECK_INT(1, domain_repeat(r, span_str(plain[i])));
    remix_recipe_free(r);
    remix_recipe_free(without);
}

TEST(domain_of_a_repeated_document_keeps_its_end)
{
    char name[80] = "default: ";
    DomainScratch s = {0};
    Signal weight = {SPAN_LIT("w"), 33};
    Doc d = {.signals = &weight, .n_signals = 1};

    memset(name + 9, 'a', REMIX_MAX_NAME);
    strcpy(name + 9 + REMIX_MAX_NAME, "\n");
    char text[120];
    snprintf(text, sizeof text, "%srepeat: w\n", name);
    RemixRecipe *r = recipe(text);
    if (!r) return;
    Span got = domain_of(r, &s, &d);
    CHECK_INT(REMIX_MAX_NAME, got.n);
    CHECK_INT(33, domain_repeat(r, got));
    remix_recipe_free(r);
}
