/* train/train_config_test.c - presets, files, overrides, and what a checkpoint keeps of them. */
#include "tests/check.h"
#include "train/train_config.h"

#include "core/store.h"

static const char *write_file(Arena *a, const char *text)
{
    const char *path = path_join(a, check_tmpdir(), "config.yaml");
    Err err;
    CHECK_OK(store_write(path, span_str(text), &err), &err);
    return path;
}

TEST(presets_resolve)
{
    TrainConfig c;
    Err err;

    CHECK_OK(config_load(&c, "tiny", &err), &err);
    CHECK_OK(config_resolve(&c, 8150, &err), &err);
    CHECK_INT(8192, c.model.vocab_rows);
    CHECK(c.steps > 0 && c.tokens == c.steps * c.batch * c.model.context);
    CHECK_OK(config_load(&c, "7b", &err), &err);
    CHECK_OK(config_resolve(&c, 100015, &err), &err);
    CHECK_INT(102400, c.model.vocab_rows);
    CHECK_INT(211928, c.steps); /* 2e12 / (2304 * 4096), rounded up */
    CHECK_INT(ERR_USAGE, config_resolve(&c, 102401, &err));
}

TEST(a_file_changes_a_preset)
{
    Arena a = {0};
    TrainConfig c, tiny;
    Err err;

    CHECK_OK(config_load(&tiny, "tiny", &err), &err);
    CHECK_OK(config_load(&c, write_file(&a, "preset: tiny\nlayers: 3\nlr: 1.5e-4\ntokens: 1000000\n"), &err), &err);
    CHECK_INT(3, c.model.layers);
    CHECK(c.lr == 1.5e-4 && c.tokens == 1000000 && c.model.d_model == tiny.model.d_model);
    CHECK_STR("layers", config_difference(&c, &tiny));
    CHECK_OK(config_set(&c, "layers=5", &err), &err);
    CHECK_INT(5, c.model.layers);
    arena_clear(&a);
}

TEST(mistakes_are_named)
{
    static const char *const files[][2] = {{"layer: 3\n", "layer"},    {"layers: many\n", "layers"},
                                           {"layers: 0\n", "layers"},  {"layers: 2.5\n", "layers"},
                                           {"preset: huge\n", "huge"}, {"- 1\n", "map"}};
    static const char *const sets[][2] = {
        {"layers", "KEY=VALUE"}, {"layer=3", "layer"}, {"lr=fast", "lr"}, {"lr=-1", "lr"}, {"lr=nan", "lr"}};
    Arena a = {0};
    TrainConfig c;
    Err err;

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        CHECK_INT(ERR_USAGE, config_load(&c, write_file(&a, files[i][0]), &err));
        CHECK(strstr(err.msg, files[i][1]));
    }
    CHECK_INT(ERR_SYS, config_load(&c, "/nowhere/else.yaml", &err));
    CHECK_OK(config_load(&c, "tiny", &err), &err);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        CHECK_INT(ERR_USAGE, config_set(&c, sets[i][0], &err));
        CHECK(strstr(err.msg, sets[i][1]));
    }
    CHECK_OK(config_set(&c, "micro_batch=3", &err), &err);
    CHECK_INT(ERR_USAGE, config_resolve(&c, 100, &err)); /* 4 is no multiple of 3 */
    CHECK_OK(config_load(&c, "tiny", &err), &err);
    c.steps = (1ull << 53) / (4 * 256); /* the most tokens that a checkpoint gives back */
    CHECK_OK(config_resolve(&c, 100, &err), &err);
    CHECK(c.tokens == 1ull << 53);
    c.steps++;
    CHECK_INT(ERR_USAGE, config_resolve(&c, 100, &err));
    CHECK(strstr(err.msg, "2^53"));
    CHECK_OK(config_load(&c, "tiny", &err), &err);
    c.batch = c.micro_batch = 65536, c.model.context = 2048; /* 2^27 tokens at a time */
    CHECK_INT(ERR_USAGE, config_resolve(&c, 100, &err));
    CHECK(strstr(err.msg, "micro_batch * context"));
    arena_clear(&a);
}

TEST(json_gives_back_the_same_values)
{
    TrainConfig c, back;
    Buf text = {0};
    Err err;

    CHECK_OK(config_load(&c, "7b", &err), &err);
    c.lr = 1.0 / 3, c.seed = (1ull << 53) - 1;
    CHECK_OK(config_resolve(&c, 100015, &err), &err);
    config_put_json(&text, &c, true);
    CHECK_OK(config_read_json(&back, buf_span(&text), "config", &err), &err);
    CHECK(config_difference(&c, &back) == NULL);
    CHECK(back.lr == c.lr && back.seed == c.seed);
    back.eval_every++; /* not of the identity */
    CHECK(config_difference(&c, &back) == NULL);
    back.seed--;
    CHECK_STR("seed", config_difference(&c, &back));
    CHECK_INT(ERR_DATA, config_read_json(&back, span_str("{\"layers\":\"x\"}"), "config", &err));
    buf_clear(&text);
}
