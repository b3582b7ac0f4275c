/* Recipes: what they become, and that whatever is wrong is refused with its place. */
#include "remix/mixrecipe.h"

#include "core/store.h"
#include "tests/check.h"

#include <stdio.h>

/* One directory for all recipes here. */
static const char *dir(void)
{
    static const char *made;

    if (!made) made = check_tmpdir();
    return made;
}

static ErrCode load(RemixRecipe **r, const char *text, Err *err)
{
    char path[300];

    *err = (Err){0};
    snprintf(path, sizeof path, "%s/mix.yaml", dir());
    CHECK_OK(store_write(path, span_str(text), err), err);
    return remix_recipe_load(r, path, err);
}

TEST(recipe_default)
{
    RemixRecipe *r = NULL, *empty = NULL;
    Err err = {0};

    CHECK_OK(remix_recipe_load(&r, NULL, &err), &err);
    CHECK(r->alpha == 0.5 && r->epochs == 1 && r->max_epochs == 4 && r->n_rules == 0 && r->n_weights == 0);
    CHECK_SPAN(SPAN_LIT("{\"domains\":[],\"default\":\"{source}-{lang}\"}"), remix_recipe_params(r));
    CHECK_OK(load(&empty, "# nothing\n", &err), &err);
    CHECK_SPAN(remix_recipe_params(r), remix_recipe_params(empty));
    remix_recipe_free(r);
    remix_recipe_free(empty);
}

TEST(recipe_is_read_whole)
{
    RemixRecipe *r = NULL;
    Err err;

    CHECK_OK(load(&r,
                  "alpha: 0.3\nepochs: 2\nmax_epochs: 0\ndefault: 'web-{lang}'\n"
                  "domains:\n  - {name: wiki, hosts: [Wikipedia.org, '*.wikimedia.org'], langs: zh}\n"
                  "  - {name: code, sources: [code, books]}\nweights: {wiki: 0.25, code: 0}\n",
                  &err),
             &err);
    CHECK(r->alpha == 0.3 && r->epochs == 2 && r->max_epochs == 0);
    CHECK_INT(2, r->n_rules);
    CHECK(r->rule[0].by_host && !r->rule[1].by_host);
    CHECK_INT(2, r->hosts.n_hosts);
    CHECK_INT(2, r->n_weights);
    CHECK(r->weight[0].weight == 0.25 && r->weight[1].weight == 0);
    Span params = remix_recipe_params(r);
    CHECK(span_starts(params, SPAN_LIT("{\"domains\":[{\"name\":\"wiki\",\"hosts\":{\"n\":2,\"content\":\"")));
    CHECK(!strstr(buf_cstr(&r->params), "alpha")); /* weights are no part of the key */
    remix_recipe_free(r);
}

TEST(recipe_reads_hosts_beside_it)
{
    RemixRecipe *r = NULL;
    char path[300];
    Err err = {0};

    snprintf(path, sizeof path, "%s/hosts.txt", dir());
    CHECK_OK(store_write(path, SPAN_LIT("# list\n a.org \r\n\nB.org # more\n.c.org."), &err), &err);
    CHECK_OK(load(&r, "domains: [{name: x, hosts_file: ./hosts.txt}]", &err), &err);
    CHECK_INT(3, r ? r->hosts.n_hosts : 0);
    uint64_t hit = 0;
    if (r) hostmap_find(&r->hosts, SPAN_LIT("www.b.org"), &hit);
    CHECK_INT(1, hit);
    /* another list is another key */
    Buf before = {0};
    if (r) buf_put_span(&before, remix_recipe_params(r));
    remix_recipe_free(r);
    CHECK_OK(store_write(path, SPAN_LIT("a.org\nb.org\nd.org\n"), &err), &err);
    CHECK_OK(load(&r, "domains: [{name: x, hosts_file: ./hosts.txt}]", &err), &err);
    if (r) CHECK(!span_eq(buf_span(&before), remix_recipe_params(r)));
    buf_clear(&before);
    remix_recipe_free(r);
    CHECK_OK(store_write(path, SPAN_LIT("a.org\nhttp://b.org/\n"), &err), &err);
    CHECK_INT(ERR_USAGE, load(&r, "domains: [{name: x, hosts_file: ./hosts.txt}]", &err));
    CHECK_INT(ERR_SYS, load(&r, "domains: [{name: x, hosts_file: ./absent.txt}]", &err));
}

TEST(recipe_errors_are_named)
{
    static const struct {
        const char *text, *word;
    } bad[] = {{"alhpa: 1", "alhpa"},
               {"alpha: 2", "alpha"},
               {"alpha: high", "alpha"},
               {"epochs: 0", "epochs"},
               {"max_epochs: -1", "max_epochs"},
               {"- a\n- b", "mapping"},
               {"domains: {a: b}", "list"},
               {"domains: [x]", "rule 1"},
               {"domains: [{hosts: [a.org]}]", "no name"},
               {"domains: [{name: a, host: b.org}]", "host"},
               {"domains: [{name: a/b}]", "a/b"},
               {"domains: [{name: ../x}]", "../x"},
               {"domains: [{name: .x}]", ".x"},
               {"domains: [{name: 'a{url}'}]", "a{url}"},
               {"domains: [{name: ''}]", "name"},
               {"domains: [{name: 12}]", "name"},
               {"domains: [{name: a, hosts: ['a b']}]", "a b"},
               {"domains: [{name: a, hosts: ['a.org:80']}]", "a.org:80"},
               {"domains: [{name: a, hosts: ['http://a.org']}]", "http://a.org"},
               {"domains: [{name: a, hosts: ['']}]", "host"},
               {"domains: [{name: a, hosts: []}]", "empty list"},
               {"domains: [{name: a, hosts: [1]}]", "hosts"},
               {"domains: [{name: a, langs: []}]", "empty list"},
               {"domains: [{name: a, langs: [true]}]", "langs"},
               {"default: 'x y'", "x y"},
               {"weights: [a]", "weights"},
               {"weights: {a: -1}", "a"},
               {"weights: {a: b}", "a"},
               {"weights: {'a-{lang}': 1}", "a-{lang}"},
               {"weights: {'': 1}", "weights"}};
    RemixRecipe *r;
    Err err;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ErrCode rc = load(&r, bad[i].text, &err);
        if (rc != ERR_USAGE) check_fail_i64(__FILE__, __LINE__, bad[i].text, ERR_USAGE, rc);
        CHECK(r == NULL);
        remix_recipe_free(r);
        if (!strstr(err.msg, bad[i].word) || !strstr(err.msg, "mix.yaml")) check_fail(__FILE__, __LINE__, err.msg);
    }
    CHECK_INT(ERR_SYS, remix_recipe_load(&r, "/nonexistent/mix.yaml", &err));
}
