/* The stage end to end: domains in the documents, and the mixture file they add up to. */
#include "remix/remix.h"

#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"
#include "tests/made_dataset.h"

#include <inttypes.h>
#include <stdlib.h>

enum { N_DOCS = 300, N_PARTS = 3 };

static void make_doc(void *ctx, uint32_t i, Arena *a, Doc *d)
{
    static const char *const host[] = {"en.wiki.test", "shop.test", "zh.wiki.test", "example.test"};
    uint64_t r = mix64(i + 1);
    Buf text = {0};

    (void)ctx;
    for (uint64_t k = 0; k < 1 + r % 50; k++) buf_puts(&text, "word ");
    *d = (Doc){.id = made_text(a, "local/t#%" PRIu32, i),
               .url = made_text(a, "http://%s/%" PRIu32, host[r >> 8 & 3], i),
               .text = arena_copy(a, buf_span(&text)),
               .source = SPAN_LIT("web"),
               .lang = r >> 16 & 1 ? SPAN_LIT("en") : SPAN_LIT("zh-Hans")};
    buf_clear(&text);
}

static char *path(Arena *a, const char *name)
{
    static const char *dir;

    if (!dir) dir = check_tmpdir();
    return path_join(a, dir, name);
}

static void make_dataset(const char *dir) { made_dataset(dir, make_doc, NULL, N_DOCS, N_PARTS); }

static ErrCode run(const char *recipe_path, const char *in, const char *out, const CommonOptions *common, int threads,
                   StageTotals *t, Err *err)
{
    Par par = par_alone(threads);
    DatasetSet *set = NULL;
    RemixRecipe *r = NULL;

    CHECK_OK(datasetset_open(&set, &in, 1, err), err);
    ErrCode rc = remix_recipe_load(&r, recipe_path, err);
    if (rc == ERR_OK) rc = remix_run(r, set, out, common, &par, t, err);
    remix_recipe_free(r);
    datasetset_close(set);
    return rc;
}

static Json *mixture(Arena *a, const char *out)
{
    Buf b = {0};
    Json *top = NULL;
    Err err = {0};

    CHECK_OK(store_read(path_join(a, out, "mixture.json"), 1 << 20, &b, &err), &err);
    Span text = arena_copy(a, buf_span(&b));
    CHECK_OK(json_parse(a, text, "mixture.json", &top, &err), &err);
    buf_clear(&b);
    return top;
}

/* Documents and bytes of the domain, summed from what the view shows; *n_shown of all. */
static void count_domain(const char *out, Span name, uint64_t *docs, uint64_t *bytes, uint64_t *n_shown)
{
    DocCursor *c = NULL;
    Err err = {0};
    bool end = false;
    DocId id;
    Doc d;

    *docs = *bytes = *n_shown = 0;
    CHECK_OK(doccursor_open(&c, &out, 1, &err), &err);
    while (c && doccursor_next(c, &d, &id, &end, &err) == ERR_OK && !end) {
        ++*n_shown;
        if (!span_eq(d.domain, name)) continue;
        ++*docs;
        *bytes += d.text.n;
    }
    doccursor_close(c);
}

static double weight_of(const Json *top, const char *name)
{
    const Json *phases = json_get(top, "phases"),
               *w = phases ? json_get(json_get(phases->child, "weights"), name) : NULL;

    return w ? w->number : -1;
}

static const char *const recipe_text =
    "domains:\n  - {name: wiki, hosts: [wiki.test]}\n  - {name: shop, hosts: [shop.test]}\n"
    "default: 'rest-{lang}'\nmax_epochs: 0\n";

TEST(remix_mixture_adds_up)
{
    Arena a = {0};
    const char *in = path(&a, "in"), *out = path(&a, "out"), *recipe = path(&a, "r.yaml");
    CommonOptions common = {0};
    StageTotals t = {0};
    Err err = {0};
    uint64_t all = 0;
    size_t n_domains = 0;

    make_dataset(in);
    CHECK_OK(store_write(recipe, span_str(recipe_text), &err), &err);
    CHECK_OK(run(recipe, in, out, &common, 2, &t, &err), &err);
    CHECK(t.complete && t.n_docs == N_DOCS && t.n_dropped == 0);
    Json *top = mixture(&a, out);
    const Json *domains = json_get(top, "domains");
    CHECK(domains && json_get(top, "format") && span_is(json_get(top, "format")->string, "tamis-mixture"));
    for (const Json *d = domains ? domains->child : NULL; d; d = d->next, n_domains++) {
        uint64_t docs, bytes, n_shown;
        count_domain(out, json_get(d, "name")->string, &docs, &bytes, &n_shown);
        CHECK_INT(N_DOCS, n_shown);
        CHECK_INT(docs, (uint64_t)json_get(d, "docs")->number);
        CHECK_INT(bytes, (uint64_t)json_get(d, "text_bytes")->number);
        if (d->next) CHECK(span_cmp(json_get(d, "name")->string, json_get(d->next, "name")->string) < 0);
        all += docs;
    }
    CHECK_INT(4, n_domains); /* wiki, shop, rest-en, rest-zh-Hans */
    CHECK_INT(N_DOCS, all);
    CHECK(weight_of(top, "wiki") > weight_of(top, "rest-en")); /* half of the hosts against an eighth */
    arena_clear(&a);
}

/* Other weights for the same domains: the view stands, the mixture is written anew. Other domains: another run. */
TEST(remix_weights_are_no_part_of_the_key)
{
    Arena a = {0};
    const char *in = path(&a, "in2"), *out = path(&a, "out2"), *recipe = path(&a, "r2.yaml");
    CommonOptions common = {0};
    StageTotals t = {0};
    Err err = {0};
    Buf text = {0};

    make_dataset(in);
    CHECK_OK(store_write(recipe, span_str(recipe_text), &err), &err);
    CHECK_OK(run(recipe, in, out, &common, 1, &t, &err), &err);
    buf_printf(&text, "%sweights: {wiki: 0.7}\n", recipe_text);
    CHECK_OK(store_write(recipe, buf_span(&text), &err), &err);
    CHECK_OK(run(recipe, in, out, &common, 1, &t, &err), &err);
    CHECK(t.up_to_date);
    CHECK(weight_of(mixture(&a, out), "wiki") == 0.7);
    CHECK_INT(ERR_DATA, run(NULL, in, out, &common, 1, &t, &err));
    common.force = true;
    CHECK_OK(run(NULL, in, out, &common, 1, &t, &err), &err);
    CHECK(weight_of(mixture(&a, out), "web-en") > 0 && weight_of(mixture(&a, out), "wiki") < 0);
    buf_clear(&text);
    arena_clear(&a);
}

TEST(remix_tasks_and_threads_make_the_same_mixture)
{
    Arena a = {0};
    const char *in = path(&a, "in3"), *one = path(&a, "one3"), *tasks = path(&a, "tasks3");
    CommonOptions common = {0};
    StageTotals t = {0};
    Err err = {0};
    Buf x = {0}, y = {0};

    make_dataset(in);
    CHECK_OK(run(NULL, in, one, &common, 2, &t, &err), &err);
    for (uint32_t i = 0; i < 2; i++) {
        common.task = (OptTask){1 - i, 2};
        CHECK_OK(run(NULL, in, tasks, &common, 1, &t, &err), &err);
    }
    common.task = (OptTask){0};
    CHECK_OK(run(NULL, in, tasks, &common, 1, &t, &err), &err);
    CHECK(t.complete);
    CHECK_OK(store_read(path_join(&a, one, "mixture.json"), 1 << 20, &x, &err), &err);
    CHECK_OK(store_read(path_join(&a, tasks, "mixture.json"), 1 << 20, &y, &err), &err);
    CHECK_SPAN(buf_span(&x), buf_span(&y));
    buf_clear(&x);
    buf_clear(&y);
    arena_clear(&a);
}

typedef struct {
    const char *recipe, *out;
} Places;

static ErrCode weigh(void *ctx, Err *err)
{
    const Places *at = ctx;
    RemixRecipe *r = NULL;
    ErrCode rc = remix_recipe_load(&r, at->recipe, err);

    if (rc == ERR_OK) rc = remix_write_mixture(r, at->out, err);
    remix_recipe_free(r);
    return rc;
}

TEST(remix_without_memory)
{
    Arena a = {0};
    const char *in = path(&a, "in4"), *hosts = path(&a, "hosts.txt");
    Places at = {path(&a, "r4.yaml"), path(&a, "out4")};
    CommonOptions common = {0};
    StageTotals t = {0};
    Err err = {0};
    Buf text = {0};

    make_dataset(in);
    for (int i = 0; i < 100; i++) buf_printf(&text, "host%d.test\n", i);
    CHECK_OK(store_write(hosts, buf_span(&text), &err), &err);
    buf_reset(&text);
    buf_puts(&text,
             "domains: [{name: wiki, hosts: [wiki.test], hosts_file: hosts.txt, sources: web, langs: [en, zh]}]\n"
             "weights: {wiki: 0.5}\n");
    CHECK_OK(store_write(at.recipe, buf_span(&text), &err), &err);
    CHECK_OK(run(at.recipe, in, at.out, &common, 1, &t, &err), &err);
    alloc_fault_each(weigh, NULL, &at);
    buf_clear(&text);
    arena_clear(&a);
}
