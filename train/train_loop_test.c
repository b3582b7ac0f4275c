/* train/train_loop_test.c - whole runs on made-up tokens: learning, resuming bit for bit, surviving damage, the log. */
#include "tests/check.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/generate.h"
#include "train/model.h"
#include "train/train.h"
#include "train/train_log.h"

#include "core/log.h"
#include "core/store.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VOCAB = 40, CONTEXT = 16, STEPS = 12 };

/* A language that is easy beyond its unigrams: a token mostly decides the next one, two streams with other rules. */
static void make_text(uint64_t seed, uint32_t rule, uint32_t *out)
{
    out[0] = (uint32_t)(mix64(seed) % VOCAB);
    for (uint64_t i = 1; i <= CONTEXT; i++)
        out[i] =
            mix64(seed * 977 + i) % 8 ? (out[i - 1] * rule + 3) % VOCAB : (uint32_t)(mix64(seed * 31 + i) % VOCAB);
}

static ErrCode fake_sample(void *ctx, uint64_t s, uint32_t *out, Err *err)
{
    (void)ctx, (void)err;
    make_text(s + 1, s % 2 ? 7 : 11, out);
    return ERR_OK;
}

static ErrCode fake_heldout(void *ctx, uint64_t i, uint32_t *stream, uint32_t *out, Err *err)
{
    (void)ctx, (void)err;
    *stream = (uint32_t)(i % 2);
    make_text(i + (1ull << 40), i % 2 ? 7 : 11, out);
    return ERR_OK;
}

static const char *fake_name(void *ctx, uint32_t stream)
{
    (void)ctx;
    return stream ? "odd" : "even \"quoted\"";
}

static Span fake_bytes(void *ctx, uint32_t token)
{
    (void)ctx;
    return span("abcd", token % 2 ? 3 : 1);
}

static const DataSource source = {.vocab_size = VOCAB,
                                  .eos_id = 0,
                                  .n_streams = 2,
                                  .n_heldout = 30,
                                  .content = {1, 2},
                                  .tokenizer_id = {3, 4},
                                  .stream_name = fake_name,
                                  .sample = fake_sample,
                                  .heldout = fake_heldout,
                                  .bytes = fake_bytes};

static TrainConfig config(uint64_t steps)
{
    TrainConfig c;
    Err err;

    CHECK_OK(config_load(&c, "tiny", &err), &err);
    c.model = (ModelShape){.layers = 1,
                           .d_model = 32,
                           .heads = 2,
                           .kv_heads = 1,
                           .head_dim = 16,
                           .ffn = 48,
                           .context = CONTEXT,
                           .rope_theta = 100,
                           .norm_eps = 1e-6,
                           .init_std = 0.1};
    c.vocab_multiple = 8, c.batch = 6, c.micro_batch = 3, c.steps = steps, c.lr = 0.01, c.eval_every = 5;
    c.checkpoint_seconds = 0, c.checkpoint_steps = 4, c.keep = 3;
    CHECK_OK(config_resolve(&c, VOCAB, &err), &err);
    return c;
}

static char *in_tmp(Arena *a, const char *name) { return path_join(a, check_tmpdir(), name); }

static Buf read_file(const char *dir, const char *name)
{
    Arena a = {0};
    Buf b = {0};
    Err err;
    CHECK_OK(store_read(path_join(&a, dir, name), 1 << 28, &b, &err), &err);
    arena_clear(&a);
    return b;
}

static void check_same_file(const char *dir_a, const char *dir_b, const char *name)
{
    Buf a = read_file(dir_a, name), b = read_file(dir_b, name);
    CHECK(a.n > 0 && span_eq(buf_span(&a), buf_span(&b)));
    buf_clear(&a), buf_clear(&b);
}

static double field(const Json *j, const char *key)
{
    const Json *v = json_get(j, key);
    return v ? v->number : NAN;
}

/* One step line for each step from 1, in order, and `evals` evaluations. */
static void check_log(const char *dir, uint64_t steps, int evals)
{
    Arena a = {0};
    Buf log = read_file(dir, "log.jsonl");
    uint64_t step = 0;

    for (Span rest = buf_span(&log); rest.n;) {
        const size_t n = span_find(rest, '\n');
        Json *line = NULL;
        Err err;
        CHECK_OK(json_parse(&a, span(rest.p, n), "log", &line, &err), &err);
        if (json_get(line, "loss")) {
            CHECK_INT(++step, field(line, "step"));
            CHECK(field(line, "tokens") == (double)(step * 6 * CONTEXT) && field(line, "lr") > 0 &&
                  field(line, "grad_norm") > 0);
        } else {
            CHECK(field(line, "heldout_loss") > 0 && field(line, "heldout_bpb") > 0 &&
                  field(line, "step") == (double)step);
            CHECK(json_get(json_get(line, "streams"), "odd") &&
                  json_get(json_get(line, "streams"), "even \"quoted\""));
            evals--;
        }
        rest = span_from(rest, n + 1);
    }
    CHECK_INT(steps, step);
    CHECK_INT(0, evals);
    buf_clear(&log);
    arena_clear(&a);
}

TEST(a_run_learns_and_says_so)
{
    Arena a = {0};
    const char *dir = in_tmp(&a, "learns");
    const TrainOptions o = {.threads = 2};
    const TrainConfig c = config(60);
    Json *r;
    Err err;

    log_setup(LOG_QUIET, 0);
    CHECK_OK(train_run(&c, &source, dir, &o, &err), &err);
    Buf text = read_file(dir, "result.json");
    CHECK_OK(json_parse(&a, buf_span(&text), "result", &r, &err), &err);
    CHECK(fabs(field(r, "loss_first") - log(40)) < 0.5);
    CHECK(field(r, "unigram_entropy") > 3.3 && field(r, "unigram_entropy") < 3.8);
    CHECK(field(r, "heldout_loss") < field(r, "unigram_entropy") - 1);
    /* Mean bytes a token: 3 for odd ones, 1 for even ones, 0 for eos; near 2 all together. */
    CHECK(fabs(field(r, "heldout_bpb") / (field(r, "heldout_loss") / log(2)) - 0.5) < 0.06);
    CHECK(field(r, "steps") == 60 && field(r, "tokens") == 60 * 6 * CONTEXT &&
          field(r, "heldout_tokens") == 30 * CONTEXT);
    check_log(dir, 60, 12);
    CHECK_OK(train_run(&c, &source, dir, &o, &err), &err); /* finished: nothing happens */
    check_log(dir, 60, 12);
    buf_clear(&text);
    arena_clear(&a);
}

/* Stopped after every possible step, with other thread counts, and continued: the same checkpoint, byte for byte. */
TEST(resumed_equals_uninterrupted)
{
    Arena a = {0};
    const char *whole = in_tmp(&a, "whole"), *cut = in_tmp(&a, "cut");
    const TrainConfig c = config(STEPS);
    Err err;

    CHECK_OK(train_run(&c, &source, whole, &(TrainOptions){.threads = 1}, &err), &err);
    for (uint64_t at = 1; at < STEPS; at += 3) {
        CHECK_INT(ERR_INTR,
                  train_run(&c, &source, cut, &(TrainOptions){.threads = 2, .force = true, .stop_after = at}, &err));
        CHECK_INT(ERR_INTR, train_run(&c, &source, cut, &(TrainOptions){.threads = 7, .stop_after = at + 1}, &err));
        CHECK_OK(train_run(&c, &source, cut, &(TrainOptions){.threads = 2}, &err), &err);
        check_same_file(whole, cut, "step-000000000012.ckpt");
        check_log(cut, STEPS, 3);
    }
    arena_clear(&a);
}

#define STEP(step, loss, seconds) "{\"step\":" #step ",\"loss\":" #loss ",\"seconds\":" #seconds "}\n"
#define EVAL(step)                "{\"step\":" #step ",\"heldout_loss\":4}\n"

/* Opens a log of this text at step 5 of `last`; `want` must be left of it. */
static TrainLog *reopened(const char *text, uint64_t last, const char *want)
{
    Arena a = {0};
    TrainLog *log;
    const char *dir = in_tmp(&a, "a-log");
    Err err;

    CHECK_OK(store_mkdirs(dir, &err), &err);
    CHECK_OK(store_write(path_join(&a, dir, "log.jsonl"), span_str(text), &err), &err);
    CHECK_OK(trainlog_open(&log, dir, 5, last, &err), &err);
    Buf left = read_file(dir, "log.jsonl");
    CHECK_SPAN(span_str(want), buf_span(&left));
    buf_clear(&left);
    arena_clear(&a);
    return log;
}

TEST(a_damaged_log_line_costs_no_other)
{
    TrainLog *log =
        reopened("{\"step\":1,\"lo\n" STEP(2, 6, 0.5) "{\"step\":3,\"loss\":2}\n" EVAL(3) "\n\377[1]\n" STEP(2, 9, 9)
                     STEP(5, 4, 0.75) EVAL(5) EVAL(5) STEP(6, 3, 1) "{\"step\":7,",
                 9, STEP(2, 6, 0.5) EVAL(3) STEP(5, 4, 0.75) EVAL(5));

    CHECK(isnan(trainlog_first_loss(log)) && trainlog_last_loss(log) == 4 && trainlog_seconds(log) == 0.75);
    CHECK_INT(5, trainlog_evaluated(log));
    StepLine line = {.step = 6, .loss = 3, .seconds = 1};
    CHECK_OK(trainlog_step(log, &line, NULL), NULL);
    CHECK(isnan(trainlog_first_loss(log)) && trainlog_last_loss(log) == 3); /* step 6 is not the first */
    trainlog_close(log);
    log = reopened(STEP(1, 7, 0.25) "damage\n" EVAL(5), 5, STEP(1, 7, 0.25)); /* made anew at the end */
    CHECK(trainlog_first_loss(log) == 7 && isnan(trainlog_last_loss(log)) && trainlog_evaluated(log) == 0);
    trainlog_close(log);
}

/* ThreadSanitizer holds signals back for ever in a process forked by one of several threads: no signals to test there. */
#ifdef __has_feature
#define TSAN __has_feature(thread_sanitizer)
#else
#define TSAN 0
#endif

static uint64_t samples_until_signal, heldout_until_signal;

static ErrCode signalled_sample(void *ctx, uint64_t s, uint32_t *out, Err *err)
{
    if (samples_until_signal && --samples_until_signal == 0) raise(SIGTERM);
    return fake_sample(ctx, s, out, err);
}

static ErrCode signalled_heldout(void *ctx, uint64_t i, uint32_t *stream, uint32_t *out, Err *err)
{
    if (heldout_until_signal && --heldout_until_signal == 0) raise(SIGTERM);
    return fake_heldout(ctx, i, stream, out, err);
}

/* A run over `source` in a process of its own, which a signal reaches while that training or held-out sample, counted from 1,
 * is read (0: never). Returns the code it ended with. */
static int run_with_signal(const TrainConfig *c, const char *dir, uint64_t samples, uint64_t heldout)
{
    DataSource signalled = source;
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        Err err = {0};
        signalled.sample = signalled_sample, signalled.heldout = signalled_heldout;
        samples_until_signal = samples, heldout_until_signal = heldout;
        interrupt_install();
        ErrCode rc = train_run(c, &signalled, dir, &(TrainOptions){.threads = 1}, &err);
        _exit(rc == ERR_INTR && !strstr(err.msg, "the same command continues") ? 99 : (int)rc);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Evaluations after steps 5 and 10 of 30 samples each and the last one of 30; then the unigram count reads the 72 training
 * samples once more and the 30. A signal in any of them ends the run soon, and the same command ends with the same files. */
TEST(a_signal_is_heeded_in_evaluations)
{
    static const struct {
        uint64_t samples, heldout;
    } at[] = {{0, 1}, {0, 17}, {0, 31}, {0, 61}, {0, 75}, {72 + 3, 0}, {0, 91}, {0, 118}};
    Arena a = {0};
    TrainConfig c = config(STEPS);
    const char *whole = in_tmp(&a, "no-signal");
    bool finished;
    char name[16];
    Err err;

    if (TSAN) return;
    c.eval_samples = 30;
    CHECK_OK(train_run(&c, &source, whole, &(TrainOptions){.threads = 1}, &err), &err);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        snprintf(name, sizeof name, "signal-%zu", i);
        const char *dir = in_tmp(&a, name), *result = path_join(&a, dir, "result.json");
        CHECK_INT(ERR_INTR, run_with_signal(&c, dir, at[i].samples, at[i].heldout));
        CHECK_OK(store_exists(result, &finished, &err), &err);
        CHECK(!finished);
        CHECK_OK(train_run(&c, &source, dir, &(TrainOptions){.threads = 1}, &err), &err);
        check_same_file(whole, dir, "step-000000000012.ckpt");
        check_log(dir, STEPS, 3);
    }
    arena_clear(&a);
}

/* A kill leaves a temporary, a half-written log line and log lines behind the last checkpoint. */
TEST(what_a_kill_leaves_is_cleaned)
{
    Arena a = {0};
    const char *whole = in_tmp(&a, "unkilled"), *cut = in_tmp(&a, "killed");
    const TrainConfig c = config(STEPS);
    Err err;

    CHECK_OK(train_run(&c, &source, whole, &(TrainOptions){.threads = 1}, &err), &err);
    CHECK_INT(ERR_INTR, train_run(&c, &source, cut, &(TrainOptions){.threads = 1, .stop_after = 10}, &err));
    CHECK_OK(checkpoint_delete(cut, 10, &err), &err); /* as if it had not been written: 8 is the newest */
    Buf log = read_file(cut, "log.jsonl");
    buf_puts(&log, "{\"step\":11,\"los");
    CHECK_OK(store_write(path_join(&a, cut, "log.jsonl"), buf_span(&log), &err), &err);
    CHECK_OK(store_write(path_join(&a, cut, "step-000000000011.ckpt.host.1.tmp"), SPAN_LIT("half"), &err), &err);
    CHECK_OK(train_run(&c, &source, cut, &(TrainOptions){.threads = 1}, &err), &err);
    check_same_file(whole, cut, "step-000000000012.ckpt");
    check_log(cut, STEPS, 3);
    buf_clear(&log);
    arena_clear(&a);
}

static void damage(const char *dir, const char *name)
{
    Arena a = {0};
    Buf b = read_file(dir, name);
    Err err;
    b.p[b.n / 2] ^= 1;
    CHECK_OK(store_write(path_join(&a, dir, name), buf_span(&b), &err), &err);
    buf_clear(&b);
    arena_clear(&a);
}

TEST(a_damaged_checkpoint_is_passed_over)
{
    Arena a = {0};
    const char *whole = in_tmp(&a, "sound"), *cut = in_tmp(&a, "damaged");
    const TrainConfig c = config(STEPS);
    Err err;

    CHECK_OK(train_run(&c, &source, whole, &(TrainOptions){.threads = 1}, &err), &err);
    CHECK_INT(ERR_INTR, train_run(&c, &source, cut, &(TrainOptions){.threads = 1, .stop_after = 9}, &err));
    damage(cut, "step-000000000009.ckpt");
    CHECK_OK(train_run(&c, &source, cut, &(TrainOptions){.threads = 1}, &err), &err);
    check_same_file(whole, cut, "step-000000000012.ckpt");
    CHECK_OK(checkpoint_delete(cut, 8, &err), &err);
    CHECK_OK(checkpoint_delete(cut, 9, &err), &err);
    damage(cut, "step-000000000012.ckpt");
    CHECK_OK(store_delete(path_join(&a, cut, "result.json"), &err), &err);
    CHECK_INT(ERR_DATA, train_run(&c, &source, cut, &(TrainOptions){.threads = 1}, &err));
    CHECK(strstr(err.msg, "step-000000000012.ckpt"));
    arena_clear(&a);
}

TEST(another_run_is_refused)
{
    Arena a = {0};
    const char *dir = in_tmp(&a, "mine");
    TrainConfig c = config(3);
    DataSource other = source;
    Err err;

    other.content.lo++;
    CHECK_OK(train_run(&c, &source, dir, &(TrainOptions){.threads = 1}, &err), &err);
    CHECK_INT(ERR_DATA, train_run(&c, &other, dir, &(TrainOptions){.threads = 1}, &err));
    CHECK(strstr(err.msg, "other tokens"));
    other.tokenizer_id.hi++;
    CHECK_INT(ERR_DATA, train_run(&c, &other, dir, &(TrainOptions){.threads = 1}, &err));
    CHECK(strstr(err.msg, "another vocabulary"));
    c.lr *= 2;
    CHECK_INT(ERR_DATA, train_run(&c, &source, dir, &(TrainOptions){.threads = 1}, &err));
    CHECK(strstr(err.msg, "its lr is "));
    TrainConfig longer = config(4);
    CHECK_INT(ERR_DATA, train_run(&longer, &source, dir, &(TrainOptions){.threads = 1}, &err));
    CHECK(strstr(err.msg, "of 3 steps (") && strstr(err.msg, "not 4 ("));
    CHECK_OK(train_run(&c, &source, dir, &(TrainOptions){.threads = 1, .force = true}, &err), &err);
    check_log(dir, 3, 1);
    arena_clear(&a);
}

static ErrCode damaged_heldout(void *ctx, uint64_t i, uint32_t *stream, uint32_t *out, Err *err)
{
    (void)ctx, (void)i, (void)stream, (void)out;
    return err_set(err, ERR_DATA, "damaged");
}

/* An error in an evaluation is not lost where the run is about to stop anyway. */
TEST(an_error_counts_more_than_a_stop)
{
    Arena a = {0};
    const TrainConfig c = config(STEPS);
    DataSource damaged = source;
    Err err = {0};

    damaged.heldout = damaged_heldout;
    CHECK_INT(ERR_DATA, train_run(&c, &damaged, in_tmp(&a, "damaged"),
                                  &(TrainOptions){.threads = 1, .stop_after = c.eval_every}, &err));
    CHECK_STR("damaged", err.msg);
    arena_clear(&a);
}

/* Neither a run nor an export goes among the files of something else, --force or not. */
TEST(other_directories_are_spared)
{
    static const char *const theirs[] = {"manifest.json", "stage.json", "run.json", "model.safetensors"};
    Arena a = {0};
    const TrainConfig c = config(1);
    const char *ckpt = in_tmp(&a, "to-export");
    Hash128 tokenizer_id;
    struct Model *m;
    StoreList list;
    Err err;

    CHECK_OK(train_run(&c, &source, ckpt, &(TrainOptions){.threads = 1}, &err), &err);
    CHECK_OK(train_load_weights(ckpt, 1, &m, &tokenizer_id, &err), &err);
    CHECK(hash128_eq(tokenizer_id, source.tokenizer_id));
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        const char *dir = in_tmp(&a, theirs[i]);
        CHECK_OK(store_mkdirs(dir, &err), &err);
        CHECK_OK(store_write(path_join(&a, dir, theirs[i]), SPAN_LIT("{}"), &err), &err);
        CHECK_INT(ERR_DATA, train_run(&c, &source, dir, &(TrainOptions){.threads = 1, .force = true}, &err));
        CHECK(strstr(err.msg, theirs[i]));
        if (i < 3) CHECK_INT(ERR_DATA, hf_export(m, 0, dir, &err));
        CHECK_OK(store_list(dir, &list, &err), &err);
        CHECK_INT(1, list.n);
        storelist_clear(&list);
    }
    CHECK_INT(ERR_DATA, hf_export(m, 0, ckpt, &err));
    CHECK(strstr(err.msg, "log.jsonl"));
    model_free(m);
    arena_clear(&a);
}

/* What reads a model heeds a signal too, and leaves no half export. */
TEST(a_signal_ends_generation_and_export)
{
    const SampleParams p = {.seed = 1, .temperature = 1};
    const uint32_t prompt = 3;
    Arena a = {0};
    const TrainConfig c = config(1);
    const char *ckpt = in_tmp(&a, "to-read"), *hf = in_tmp(&a, "half-export");
    Hash128 tokenizer_id;
    Model *m;
    StoreList list;
    int status = -1;
    Err err;

    CHECK_OK(train_run(&c, &source, ckpt, &(TrainOptions){.threads = 1}, &err), &err);
    CHECK_OK(train_load_weights(ckpt, 1, &m, &tokenizer_id, &err), &err);
    const pid_t pid = fork();
    if (pid == 0) {
        uint32_t out[100];
        size_t n;
        interrupt_install();
        raise(SIGINT);
        const bool stopped =
            generate(m, &p, VOCAB, UINT32_MAX, &prompt, 1, out, 100, &n, &err) == ERR_INTR && n < 100;
        _exit(stopped && hf_export(m, 0, hf, &err) == ERR_INTR ? 0 : 1);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_OK(store_list(hf, &list, &err), &err);
    CHECK_INT(0, list.n);
    storelist_clear(&list);
    model_free(m);
    arena_clear(&a);
}

static ErrCode wild_sample(void *ctx, uint64_t s, uint32_t *out, Err *err)
{
    ErrCode rc = fake_sample(ctx, s, out, err);
    if (s == 20) out[3] = VOCAB;
    return rc;
}

TEST(a_token_beyond_the_vocabulary_stops_the_run)
{
    Arena a = {0};
    const TrainConfig c = config(STEPS);
    DataSource wild = source;
    Err err;

    wild.sample = wild_sample;
    CHECK_INT(ERR_DATA, train_run(&c, &wild, in_tmp(&a, "wild"), &(TrainOptions){.threads = 1}, &err));
    CHECK(strstr(err.msg, "sample 20") && strstr(err.msg, "token 40"));
    arena_clear(&a);
}

TEST(unigram_bound_equals_a_direct_count)
{
    double nats, want = 0, count[VOCAB] = {0};
    uint32_t text[CONTEXT + 1], stream;
    Err err;

    for (uint64_t s = 0; s < 50; s++) {
        CHECK_OK(fake_sample(NULL, s, text, &err), &err);
        for (int t = 1; t <= CONTEXT; t++) count[text[t]]++;
    }
    for (uint64_t i = 0; i < 30; i++) {
        CHECK_OK(fake_heldout(NULL, i, &stream, text, &err), &err);
        for (int t = 1; t <= CONTEXT; t++) want -= log((count[text[t]] + 1) / (50 * CONTEXT + VOCAB));
    }
    CHECK_OK(unigram_entropy(&source, CONTEXT, 50, 1000, &nats, &err), &err);
    CHECK(fabs(nats - want / (30 * CONTEXT)) < 1e-12);
}
