#include "tools/recipe.h"

#include "core/store.h"
#include "tests/check.h"

#include <stdlib.h>

static Recipe recipe;
static Err err;

/* One directory for all tests here, so that a file written by one line is beside the recipe of the next. */
static const char *work_dir(void)
{
    static const char *dir;
    if (!dir) dir = check_tmpdir();
    return dir;
}

/* Writes `text` as DIR/NAME and returns the path. */
static const char *file(const char *name, const char *text)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", work_dir(), name);
    CHECK_OK(store_write(path, span_str(text), &err), &err);
    return path;
}

static ErrCode load(const char *text, const RecipeOverrides *over)
{
    static const RecipeOverrides none = {0};
    err = (Err){0};
    return recipe_load(&recipe, file("recipe.yaml", text), over ? over : &none, &err);
}

/* The commands of the recipe, a line each; the temporary directory in them is written as T. */
static const char *commands(void)
{
    static char out[8192];
    const char *tmp = work_dir();
    Buf b = {0};
    size_t w = 0;

    for (size_t i = 0; i < recipe.n; i++) {
        recipe_command(&recipe.stage[i], &b);
        buf_putc(&b, '\n');
    }
    for (const char *s = buf_cstr(&b); s && *s && w + 1 < sizeof out;) {
        if (strncmp(s, tmp, strlen(tmp)) == 0) {
            out[w++] = 'T';
            s += strlen(tmp);
        } else
            out[w++] = *s++;
    }
    out[w] = 0;
    buf_clear(&b);
    return out;
}

TEST(sections_left_out_run_with_defaults)
{
    CHECK_OK(load("ingest: {input: a.warc.gz}\n", NULL), &err);
    CHECK_STR("tamis ingest -o run/docs --events=run/events -- a.warc.gz\n"
              "tamis dedup -o run/unique --events=run/events -- run/docs\n"
              "tamis filter -o run/clean --events=run/events -- run/unique\n"
              "tamis remix -o run/mixed --events=run/events -- run/clean\n"
              "tamis bpe -o run/tokenizer.json --events=run/events -- run/mixed\n"
              "tamis tokenize -o run/tokens -t run/tokenizer.json --events=run/events -- run/mixed\n"
              "tamis train -o run/ckpt --events=run/events -- run/tokens\n",
              commands());
    CHECK_STR("run/docs/manifest.json", recipe.stage[0].finished);
    CHECK_STR("run/tokenizer.json", recipe.stage[4].finished);
    CHECK_STR("run/ckpt/result.json", recipe.stage[6].finished);
    recipe_clear(&recipe);
}

TEST(values_become_options)
{
    CHECK_OK(load("out: my run\nthreads: 2\ningest:\n  input: [b, a]\n  keep-lang: en,zh\n  tag: [x, 'y z', 3]\n"
                  "  quiet: true\n  verbose: false\n  dump: null\ndedup: false\nfilter: {threads: 1, rate: "
                  "0.25}\nremix: false\n"
                  "bpe: false\ntokenize: false\ntrain: {config: tiny, input: tokens}\n",
                  NULL),
             &err);
    CHECK_STR("tamis ingest -o 'my run/docs' '--events=my run/events' --threads=2 --keep-lang=en,zh --tag=x '--tag=y "
              "z' --tag=3 --quiet -- b a\n"
              "tamis filter -o 'my run/clean' '--events=my run/events' --threads=1 --rate=0.25 -- 'my run/docs'\n"
              "tamis train -o 'my run/ckpt' '--events=my run/events' --threads=2 --config=tiny -- tokens\n",
              commands());
    recipe_clear(&recipe);
}

TEST(the_command_line_wins)
{
    const char *const input[] = {"w*.gz", "it's"};
    const RecipeOverrides over = {
        .out_dir = "D", .until = "dedup", .input = input, .n_input = 2, .threads = 7, .force = true, .quiet = true};
    CHECK_OK(load("out: run\nthreads: 2\ningest: {input: a}\n", &over), &err);
    CHECK_STR("tamis ingest -o D/docs --events=D/events --threads=7 --force --quiet -- 'w*.gz' 'it'\\''s'\n"
              "tamis dedup -o D/unique --events=D/events --threads=7 --force --quiet -- D/docs\n",
              commands());
    recipe_clear(&recipe);
}

TEST(the_first_stage_reads_input)
{
    CHECK_OK(load("ingest: false\ndedup: {input: [one, two]}\nfilter: false\nremix: false\nbpe: false\n"
                  "tokenize: {tokenizer: t.json}\ntrain: false\n",
                  NULL),
             &err);
    CHECK_STR("tamis dedup -o run/unique --events=run/events -- one two\ntamis tokenize -o run/tokens "
              "--events=run/events --tokenizer=t.json -- run/unique\n",
              commands());
    recipe_clear(&recipe);
}

/* INPUT of the command line is what the first stage reads: bpe and tokenize both read it here, train does not. */
TEST(inputs_given_go_to_all_who_read_such_things)
{
    const char *const input[] = {"-x"};
    const RecipeOverrides over = {.input = input, .n_input = 1};
    CHECK_OK(load("ingest: false\ndedup: false\nfilter: false\nremix: false\n", &over), &err);
    CHECK_STR("tamis bpe -o run/tokenizer.json --events=run/events -- -x\n"
              "tamis tokenize -o run/tokens -t run/tokenizer.json --events=run/events -- -x\n"
              "tamis train -o run/ckpt --events=run/events -- run/tokens\n",
              commands());
    recipe_clear(&recipe);
    CHECK_INT(ERR_USAGE, load("ingest: {input: a}\nbpe: false\ntokenize: false\ntrain: {}\n", &over));
    CHECK(strstr(err.msg, "recipe.yaml:4: train.input") != NULL);
    recipe_clear(&recipe);
}

TEST(patterns_expand_sorted)
{
    file("b.gz", "x");
    file("a.gz", "x");
    CHECK_OK(load("ingest: {input: ./?.gz}\ndedup: false\nfilter: false\nremix: false\nbpe: false\ntokenize: "
                  "false\ntrain: false\n",
                  NULL),
             &err);
    CHECK_STR("tamis ingest -o run/docs --events=run/events -- T/a.gz T/b.gz\n", commands());
    recipe_clear(&recipe);
    CHECK_INT(ERR_SYS, load("ingest: {input: ./nothing*.gz}\n", NULL));
    recipe_clear(&recipe);
}

TEST(mappings_become_files)
{
    char dir[4096], text[8192];
    Buf got = {0};
    snprintf(dir, sizeof dir, "%s/out", work_dir());
    const RecipeOverrides over = {.out_dir = dir, .until = "remix"};
    snprintf(text, sizeof text, "ingest: {input: a}\nremix: {recipe: {alpha: 0.5, domains: [{name: x}]}}\n");
    CHECK_OK(load(text, &over), &err);
    CHECK(strstr(
              commands(),
              "tamis remix -o T/out/mixed --events=T/out/events --recipe=T/out/remix.recipe.yaml -- T/out/clean\n") !=
          NULL);
    CHECK_OK(store_mkdirs(dir, &err), &err);
    CHECK_OK(recipe_write_files(&recipe, &err), &err);
    CHECK_OK(recipe_write_files(&recipe, &err), &err);
    snprintf(text, sizeof text, "%s/remix.recipe.yaml", dir);
    CHECK_OK(store_read(text, 1 << 20, &got, &err), &err);
    CHECK_SPAN(span_str("{\"alpha\":0.5,\"domains\":[{\"name\":\"x\"}]}\n"), buf_span(&got));
    buf_clear(&got);
    recipe_clear(&recipe);
}

TEST(alarms_become_bands)
{
    const RecipeOverrides over = {.until = "filter", .no_alarm = true};
    const char *const text = "ingest: {input: a, alarm: [drop=0:0.5]}\ndedup:\n"
                             "filter: {alarm: {drop: [0.2, 0.60], lang/en: [0, 1]}}\n";

    CHECK_OK(load(text, &(RecipeOverrides){.until = "filter"}), &err);
    CHECK_STR(
        "tamis ingest -o run/docs --events=run/events --alarm=drop=0:0.5 -- a\n"
        "tamis dedup -o run/unique --events=run/events -- run/docs\n"
        "tamis filter -o run/clean --events=run/events --alarm=drop=0.2:0.60 --alarm=lang/en=0:1 -- run/unique\n",
        commands());
    recipe_clear(&recipe);
    CHECK_OK(load(text, &over), &err);
    CHECK(strstr(commands(), "run/docs --no-alarm --events") || strstr(commands(), "--no-alarm --alarm=drop=0:0.5"));
    CHECK(!strstr(commands(), "run/unique --no-alarm"));
    recipe_clear(&recipe);
    CHECK_INT(ERR_USAGE, load("ingest: {input: a}\nfilter:\n  alarm: {drop: 0.5}\n", NULL));
    CHECK(strstr(err.msg, "recipe.yaml:3: filter.alarm: a band is NAME: [LOW, HIGH]"));
    recipe_clear(&recipe);
    CHECK_INT(ERR_USAGE, load("ingest: {input: a}\nfilter: {alarm: {drop: [0.5]}}\n", NULL));
    recipe_clear(&recipe);
}

TEST(mistakes_are_named)
{
    static const struct {
        const char *text, *what;
    } wrong[] = {
        {"- a\n", "mapping of sections"},
        {"ingest: {input: a}\ndedupe: {}\n", "recipe.yaml:2: dedupe: unknown section"},
        {"\"ingest\\0x\": {input: a}\n", "recipe.yaml:1: ingest: unknown section"},
        {"ingest:\n  input:\n  - a\n  - \"b\\0c\"\n", "recipe.yaml:4: ingest.input: a path is empty or holds a NUL"},
        {"ingest:\n  input: a\n  dump:\n  - \"b\\0c\"\n", "recipe.yaml:4: ingest.dump: holds a NUL"},
        {"out: \"b\\0c\"\n", "recipe.yaml:1: out: the path"},
        {"out: [a]\n", "recipe.yaml:1: out: the path"},
        {"# x\nthreads: two\n", "recipe.yaml:2: threads: a whole number"},
        {"ingest: {input: a}\nbpe: false\ntokenize: {}\n", "recipe.yaml:3: tokenize.tokenizer: says which"},
        {"ingest: {input: a}\nbpe: false\n", "recipe.yaml:2: tokenize.tokenizer: says which"},
        {"ingest: {input: a}\ntrain:\n  config: tiny\n  plan: true\n", "recipe.yaml:4: train.plan: is wired"},
        {"ingest: {input: a}\ndedup: {check-options: true}\n", "dedup.check-options: is wired"},
        {"ingest: {keep-lang: en}\n", "ingest.input"},
        {"ingest: {input: []}\n", "ingest.input"},
        {"ingest: {input: [{a: b}]}\n", "ingest.input"},
        {"ingest: {input: a}\ndedup: {out: x}\n", "dedup.out: is wired"},
        {"ingest: {input: a}\ndedup: {input: x}\n", "dedup.input: is wired"},
        {"ingest: {input: a}\ntokenize: {tokenizer: x}\n", "tokenize.tokenizer: is wired"},
        {"ingest: {input: a, Bad Key: 1}\n", "no long option"},
        {"ingest: {input: a, -x: 1}\n", "no long option"},
        {"ingest: {input: a}\ndedup: [1]\n", "dedup: a mapping"},
        {"ingest: {input: a, tag: [[1]]}\n", "only plain values"},
        {"threads: 5000\ningest: {input: a}\n", "threads"},
        {"ingest: false\ndedup: false\nfilter: false\nremix: false\nbpe: false\ntokenize: false\ntrain: false\n",
         "switched off"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_INT(ERR_USAGE, load(wrong[i].text, NULL));
        if (!strstr(err.msg, wrong[i].what))
            check_fail_span(__FILE__, __LINE__, "message", span_str(wrong[i].what), span_str(err.msg));
        recipe_clear(&recipe);
    }
    CHECK_INT(ERR_USAGE, load("ingest: {input: a}\n", &(RecipeOverrides){.until = "nowhere"}));
    recipe_clear(&recipe);
}
