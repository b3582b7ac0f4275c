/* Blocklists against cases by hand, and the automaton and the tables against slow obvious versions. */
#include "core/blocklist.h"

#include "core/keyset.h"
#include "core/store.h"
#include "core/substrings.h"
#include "tests/check.h"

#include <stdio.h>
#include <stdlib.h>

static ErrCode add(Blocklist **b, const char *kind, const char *text, Err *err)
{
    char path[4096], spec[4200];

    snprintf(path, sizeof path, "%s/list", check_tmpdir());
    CHECK_OK(store_write(path, span_str(text), err), err);
    snprintf(spec, sizeof spec, "%s:%s", kind, path);
    return blocklist_add(b, spec, err);
}

static const char *kind_of(const Blocklist *b, const char *url)
{
    Buf scratch = {0};
    BlocklistKind k = blocklist_find(b, span_str(url), &scratch);

    buf_clear(&scratch);
    return k == BLOCKLIST_N ? "" : blocklist_kinds[k];
}

TEST(blocklists_block_what_they_say)
{
    static const char *const cases[][2] = {
        {"http://example.org/", "domain"},
        {"https://WWW.example.ORG:8080/x", "domain"},
        {"http://notexample.org/", ""},
        {"http://org/", ""},
        {"http://sub.dotted.example/", "domain"},
        {"http://sub.starred.example/", "domain"},
        {"http://www.\xe4\xbe\x8b\xe5\xad\x90.\xe4\xb8\xad\xe5\x9b\xbd/", "domain"},
        {"http://a.xn--fsqu00a.xn--fiqs8s/", "domain"},
        {"http://site.example/a", "url"},
        {"https://site.example/a/", "url"},
        {"https://site.example/a/b?c", "url"},
        {"https://site.example/a?c", "url"},
        {"https://site.example/ab", ""},
        {"https://site.example/", ""},
        {"https://site.example:444/a", ""},
        {"http://whole.example/deep/down", "url"},
        {"http://q.example/p?id=7", "url"},
        {"http://q.example/p?id=7&x=1", "url"},
        {"http://q.example/p?id=77", ""},
        {"http://x.example/one/CASINO-bonus", "word"},
        {"http://x.example/casinos", ""},
        {"http://x.example/%63asino", "word"},
        {"http://x.example/cheap", ""},
        {"http://x.example/cheap/cheap", ""},
        {"http://x.example/cheap/pills", "soft_word"},
        {"http://x.example/free-poker.html", "substring"},
        {"http://free.p.oker.example/", "substring"},
        {"http://x.example/freepoke", ""},
        {"http://x.example/%E8%B5%8C%E5%8D%9A", "word"},
        {"", ""}};
    Blocklist *b = NULL;
    Err err;

    CHECK_OK(add(&b, "domain",
                 "# "
                 "comment\n\nExample.org\n.dotted.example\r\n*.starred.example\n\xe4\xbe\x8b\xe5\xad\x90."
                 "\xe4\xb8\xad\xe5\x9b\xbd\nno/domain\n",
                 &err),
             &err);
    CHECK_OK(add(&b, "url", "http://Site.example:80/a\nwhole.example/\nq.example/p?id=7\nftp://other/\n", &err),
             &err);
    CHECK_OK(add(&b, "word", "casino\n\xe8\xb5\x8c\xe5\x8d\x9a\ntwo words\n", &err), &err);
    CHECK_OK(add(&b, "soft_word", "cheap\npills\n", &err), &err);
    CHECK_OK(add(&b, "substring", "Free-Poker\n--\n", &err), &err);
    CHECK_OK(blocklist_seal(b, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i][1], kind_of(b, cases[i][0])) != 0) fprintf(stderr, "%s\n", cases[i][0]);
        CHECK_STR(cases[i][1], kind_of(b, cases[i][0]));
    }
    blocklist_free(b);
}

TEST(blocklists_content_is_of_the_entries)
{
    Blocklist *a = NULL, *b = NULL, *c = NULL;
    Err err;

    CHECK_OK(add(&a, "domain", "a.b\nc.d\n", &err), &err);
    CHECK_OK(add(&b, "domain", "c.d\n#x\nA.B\n", &err), &err);
    CHECK_OK(add(&b, "domain", "a.b\n", &err), &err);
    CHECK_OK(add(&c, "word", "a\n", &err), &err);
    CHECK(hash128_eq(blocklist_content(a), blocklist_content(b)));
    CHECK(!hash128_eq(blocklist_content(a), blocklist_content(c)));
    blocklist_free(a);
    blocklist_free(b);
    blocklist_free(c);
}

TEST(blocklists_refuse)
{
    Blocklist *b = NULL;
    Err err;

    CHECK_INT(ERR_USAGE, blocklist_add(&b, "domains:x", &err));
    CHECK_INT(ERR_USAGE, blocklist_add(&b, "domain", &err));
    CHECK_INT(ERR_USAGE, blocklist_add(&b, "domain:", &err));
    CHECK_INT(ERR_SYS, blocklist_add(&b, "domain:/nowhere/at/all", &err));
    CHECK_INT(ERR_DATA, add(&b, "domain", "# nothing\n", &err));
    CHECK_INT(ERR_DATA, add(&b, "word", "two words\n", &err));
    blocklist_free(b);
}

/* Each of the million beginnings of its path would be hashed from the start: 500 GB. */
TEST(endless_urls_cost_no_more_than_long_ones)
{
    Blocklist *b = NULL;
    Buf url = {0};
    Err err;

    CHECK_OK(add(&b, "url", "site.example/zzz\nsite.example/b/a\n", &err), &err);
    CHECK_OK(blocklist_seal(b, &err), &err);
    buf_puts(&url, "http://site.example");
    for (int i = 0; i < 1000000; i++) buf_puts(&url, "/a");
    buf_putc(&url, 0);
    CHECK_STR("", kind_of(b, (char *)url.p));
    memcpy(url.p + strlen("http://site.example/"), "b", 1);
    CHECK_STR("url", kind_of(b, (char *)url.p));
    buf_clear(&url);
    blocklist_free(b);
}

TEST(too_many_substrings_are_refused_while_they_are_added)
{
    Blocklist *b = NULL;
    ErrCode rc = ERR_OK;
    Err err;
    int n = 0;

    while (rc == ERR_OK && n < 1 << 20)
        rc = blocklist_add_lines(&b, BLOCKLIST_SUBSTRING, SPAN_LIT("abcdefgh\nijklmnop\n"), &err), n++;
    CHECK_INT(ERR_LIMIT, rc);
    CHECK_INT(BLOCKLIST_MAX_STATES / 16 + 1, n);
    blocklist_free(b);
}

/* Strings over three letters, so that they hold and end in each other. */
TEST(substrings_against_memmem)
{
    uint8_t text[400], strings[40][6];
    Span list[40];
    uint64_t r = 1;
    Err err;

    for (int round = 0; round < 200; round++) {
        Substrings s;
        size_t n = 1 + (r = mix64(r + 1)) % 40;
        for (size_t i = 0; i < n; i++) {
            list[i] = span(strings[i], 1 + (r = mix64(r + 1)) % 6);
            for (size_t k = 0; k < list[i].n; k++) strings[i][k] = (uint8_t)('a' + (r = mix64(r + 1)) % 3);
        }
        for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)('a' + (r = mix64(r + 1)) % 4);
        CHECK_OK(substrings_build(&s, list, n, 1000, &err), &err);
        uint32_t state = 0;
        for (size_t end = 1; end <= sizeof text; end++) {
            bool want = false;
            for (size_t i = 0; i < n; i++)
                want |= list[i].n <= end && memcmp(text + end - list[i].n, list[i].p, list[i].n) == 0;
            CHECK(want == substrings_step(&s, &state, text[end - 1]));
        }
        substrings_clear(&s);
    }
    CHECK_INT(ERR_LIMIT, substrings_build(&(Substrings){0}, list, 1, list[0].n - 1, &err));
}

TEST(keysets_hold_what_was_added)
{
    enum { N = 10000 };
    KeySet s = {0};
    bool is_new;
    Err err;

    CHECK(!keyset_has(&s, 0));
    for (uint64_t i = 2; i < N; i++) {
        CHECK_OK(keyset_add(&s, i % 2 ? i : mix64(i), &is_new, &err), &err);
        CHECK(is_new);
        CHECK_OK(keyset_add(&s, i % 2 ? i : mix64(i), &is_new, &err), &err);
        CHECK(!is_new);
    }
    CHECK(!keyset_has(&s, 1));
    CHECK_OK(keyset_add(&s, 0, &is_new, &err), &err); /* kept as 1 */
    CHECK(is_new && keyset_has(&s, 0) && keyset_has(&s, 1));
    for (uint64_t i = 2; i < N; i++) {
        CHECK(keyset_has(&s, i % 2 ? i : mix64(i)));
        CHECK(!keyset_has(&s, mix64(i + N)));
    }
    keyset_clear(&s);
}
