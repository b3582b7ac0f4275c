/* train/checkpoint_test.c - what is written is read, and every kind of damage is named. */
#include "tests/check.h"
#include "train/checkpoint.h"

#include "core/store.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *dir;
    CheckpointInfo info;
    ModelSpec spec;
    float *w, *m, *v;
} State;

static State state(const char *name)
{
    static Arena arena;
    State s = {.dir = path_join(&arena, check_tmpdir(), name)};
    Err err;

    CHECK_OK(store_mkdirs(s.dir, &err), &err);
    CHECK_OK(config_load(&s.info.config, "tiny", &err), &err);
    s.info.config.model = (ModelShape){.layers = 2,
                                       .d_model = 8,
                                       .heads = 2,
                                       .kv_heads = 1,
                                       .head_dim = 4,
                                       .ffn = 6,
                                       .context = 4,
                                       .vocab_rows = 64,
                                       .rope_theta = 100,
                                       .norm_eps = 1e-5,
                                       .init_std = 0.3};
    s.info.step = 7, s.info.samples = 56, s.info.tokens = 224, s.info.data = (Hash128){5, 6};
    s.info.tokenizer_id = (Hash128){7, 8};
    CHECK_OK(modelspec_init(&s.spec, &s.info.config.model, &err), &err);
    s.w = malloc(s.spec.n_params * sizeof(float)), s.m = malloc(s.spec.n_params * sizeof(float)),
    s.v = malloc(s.spec.n_params * sizeof(float));
    for (uint64_t i = 0; i < s.spec.n_params; i++)
        s.w[i] = (float)i * 0.25f, s.m[i] = -(float)i, s.v[i] = 1.0f / (float)(i + 1);
    return s;
}

static void state_free(State *s)
{
    modelspec_clear(&s->spec);
    free(s->w), free(s->m), free(s->v);
}

static ErrCode write_one(State *s, uint64_t step, uint32_t keep)
{
    Err err = {0};
    s->info.step = step;
    ErrCode rc = checkpoint_write(s->dir, &s->info, &s->spec, s->w, s->m, s->v, keep, &err);
    CHECK_OK(rc, &err);
    return rc;
}

TEST(checkpoint_round_trip)
{
    State s = state("round");
    const size_t bytes = s.spec.n_params * sizeof(float);
    float *back = malloc(3 * bytes);
    CheckpointInfo info;
    Err err;

    write_one(&s, 7, 2);
    CHECK_OK(checkpoint_info(s.dir, 7, &info, &err), &err);
    CHECK(info.step == 7 && info.samples == 56 && info.tokens == 224 && hash128_eq(info.data, s.info.data) &&
          hash128_eq(info.tokenizer_id, s.info.tokenizer_id));
    CHECK(config_difference(&info.config, &s.info.config) == NULL);
    CHECK_OK(checkpoint_load(s.dir, 7, &s.spec, back, back + s.spec.n_params, back + 2 * s.spec.n_params, &err),
             &err);
    CHECK(memcmp(back, s.w, bytes) == 0 && memcmp(back + s.spec.n_params, s.m, bytes) == 0 &&
          memcmp(back + 2 * s.spec.n_params, s.v, bytes) == 0);
    CHECK_OK(checkpoint_load(s.dir, 7, &s.spec, back, NULL, NULL, &err), &err);
    free(back);
    state_free(&s);
}

TEST(the_newest_are_kept)
{
    State s = state("keep");
    uint64_t *steps;
    size_t n;
    Err err;

    for (uint64_t step = 10; step <= 50; step += 10) write_one(&s, step, 3);
    CHECK_OK(checkpoint_list(s.dir, &steps, &n, &err), &err);
    CHECK_INT(3, n);
    CHECK(n == 3 && steps[0] == 30 && steps[2] == 50);
    free(steps);
    CHECK_OK(checkpoint_list("/nowhere/at/all", &steps, &n, &err), &err);
    CHECK_INT(0, n);
    free(steps);
    state_free(&s);
}

/* Its step is what the header says; the name only finds it. */
TEST(a_checkpoint_under_another_name_is_refused)
{
    State s = state("renamed");
    float *back = malloc(s.spec.n_params * sizeof(float));
    Arena a = {0};
    CheckpointInfo info;
    Err err = {0};

    write_one(&s, 7, 2);
    CHECK_INT(0,
              rename(path_join(&a, s.dir, "step-000000000007.ckpt"), path_join(&a, s.dir, "step-000000000009.ckpt")));
    CHECK_INT(ERR_DATA, checkpoint_info(s.dir, 9, &info, &err));
    CHECK(strstr(err.msg, "step-000000000009.ckpt: the checkpoint of step 7"));
    CHECK_INT(ERR_DATA, checkpoint_load(s.dir, 9, &s.spec, back, NULL, NULL, &err));
    arena_clear(&a);
    free(back);
    state_free(&s);
}

/* The file with one byte changed, or cut, must be refused wherever that is. */
TEST(damage_is_found_everywhere)
{
    State s = state("damage");
    Arena a = {0};
    Buf whole = {0};
    float *back = malloc(3 * s.spec.n_params * sizeof(float));
    const char *path = path_join(&a, s.dir, "step-000000000007.ckpt");
    Err err = {0};

    write_one(&s, 7, 2);
    CHECK_OK(store_read(path, 1 << 30, &whole, &err), &err);
    for (size_t at = 0; at < whole.n; at += at < 2000 ? 37 : 211) {
        whole.p[at] ^= 0x10;
        CHECK_OK(store_write(path, buf_span(&whole), &err), &err);
        ErrCode rc =
            checkpoint_load(s.dir, 7, &s.spec, back, back + s.spec.n_params, back + 2 * s.spec.n_params, &err);
        whole.p[at] ^= 0x10;
        if (rc != ERR_DATA) printf("byte %zu changed: code %d\n", at, rc);
        CHECK_INT(ERR_DATA, rc);
    }
    for (size_t n = 0; n < whole.n; n += n < 2000 ? 111 : 1777) {
        CHECK_OK(store_write(path, span(whole.p, n), &err), &err);
        CHECK_INT(ERR_DATA, checkpoint_load(s.dir, 7, &s.spec, back, NULL, NULL, &err));
        CHECK(strstr(err.msg, "step-000000000007.ckpt"));
    }
    buf_putc(&whole, 0);
    CHECK_OK(store_write(path, buf_span(&whole), &err), &err);
    CHECK_INT(ERR_DATA, checkpoint_load(s.dir, 7, &s.spec, back, NULL, NULL, &err));
    buf_clear(&whole);
    arena_clear(&a);
    free(back);
    state_free(&s);
}

TEST(another_version_and_another_model_are_named)
{
    State s = state("version");
    ModelShape wider = s.info.config.model;
    Arena a = {0};
    Buf whole = {0};
    ModelSpec other;
    CheckpointInfo info;
    const char *path = path_join(&a, s.dir, "step-000000000007.ckpt");
    Err err = {0};

    write_one(&s, 7, 2);
    wider.ffn = 7;
    CHECK_OK(modelspec_init(&other, &wider, &err), &err);
    float *back = malloc(other.n_params * sizeof(float));
    CHECK_INT(ERR_DATA, checkpoint_load(s.dir, 7, &other, back, NULL, NULL, &err));
    CHECK(strstr(err.msg, "gate_proj"));
    CHECK_OK(store_read(path, 1 << 30, &whole, &err), &err);
    le32_put(whole.p + 8, 1);
    CHECK_OK(store_write(path, buf_span(&whole), &err), &err);
    CHECK_INT(ERR_DATA, checkpoint_info(s.dir, 7, &info, &err));
    CHECK(strstr(err.msg, "checkpoint version 1; this program knows 2"));
    free(back);
    modelspec_clear(&other);
    buf_clear(&whole);
    arena_clear(&a);
    state_free(&s);
}
