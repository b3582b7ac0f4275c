#include "tools/rundir.h"

#include "core/store.h"
#include "tests/check.h"

static Err err;

static void put(const char *dir, const char *sub, const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, sub);
    CHECK_OK(store_mkdirs(path, &err), &err);
    snprintf(path, sizeof path, "%s/%s/%s", dir, sub, name);
    CHECK_OK(store_write(path, span_str(text), &err), &err);
}

TEST(an_empty_directory_is_no_run)
{
    RunDir r;
    CHECK_INT(ERR_SYS, rundir_load(&r, check_tmpdir(), &err));
    rundir_clear(&r);
}

TEST(facts_are_read)
{
    const char *dir = check_tmpdir();
    RunDir r;
    put(dir, "docs", "manifest.json", "{\"n_in\":10,\"n_docs\":7,\"text_bytes\":900,\"dropped\":{\"x\":3}}\n");
    put(dir, "docs", "stats.json", "{\"counters\":{\"lang\":{\"en\":[7,900]}}}\n");
    put(dir, "ckpt", "result.json", "{\"heldout_loss\":4.5}\n");
    /* The last line is one that a killed trainer did not finish. */
    put(dir, "ckpt", "log.jsonl",
        "{\"step\":1,\"tokens\":64,\"loss\":9.5}\n{\"step\":1,\"heldout_loss\":9.1,\"heldout_bpb\":3.5}\n"
        "{\"step\":2,\"tokens\":128,\"loss\":9.25}\n{\"step\":3,\"tok");
    CHECK_OK(rundir_load(&r, dir, &err), &err);
    const RunStage *s = rundir_stage(&r, "ingest");
    CHECK_INT(10, s->n_in);
    CHECK_INT(7, s->n_docs);
    CHECK_INT(900, s->text_bytes);
    CHECK(rundir_stage(&r, "dedup")->manifest == NULL);
    CHECK_INT(2, r.n_train);
    CHECK_INT(1, r.n_heldout);
    CHECK(r.train[1].loss == 9.25 && r.heldout[0].bits == 3.5);
    CHECK(rundir_number(r.result, "heldout_loss") == 4.5 && rundir_number(r.result, "absent") == 0);
    rundir_clear(&r);
}

TEST(a_damaged_line_of_the_log_costs_itself)
{
    const char *dir = check_tmpdir();
    RunDir r;
    put(dir, "ckpt", "result.json", "{}\n");
    put(dir, "ckpt", "log.jsonl", "{\"step\":1,\"loss\":9.5}\n{\"step\":2,\"lo\xff\n\n[]\n{\"step\":4,\"loss\":8}\n");
    CHECK_OK(rundir_load(&r, dir, &err), &err);
    CHECK_INT(2, r.n_train);
    CHECK(r.train[1].step == 4);
    rundir_clear(&r);
}

TEST(counters_that_cannot_be_are_none)
{
    const char *dir = check_tmpdir();
    RunTime time[RECIPE_STAGES];
    RunDir r;
    put(dir, "docs", "manifest.json",
        "{\"n_in\":-3,\"n_docs\":1e300,\"text_bytes\":\"x\",\"dropped\":{\"x\":-1,\"y\":1e30}}");
    put(dir, ".", "run.json",
        "{\"stages\":[{\"verb\":\"ingest\",\"runs\":1e40,\"seconds\":1e300,\"cpu_seconds\":-1}]}");
    CHECK_OK(rundir_load(&r, dir, &err), &err);
    const RunStage *s = rundir_stage(&r, "ingest");
    CHECK(s->n_in == 0 && s->n_docs == 0 && s->text_bytes == 0 && s->time.runs == 0 && s->time.seconds == 0);
    RunDrop drop[2];
    size_t n_rest;
    uint64_t rest;
    CHECK_INT(0, rundir_drops(s, drop, 2, &n_rest, &rest));
    CHECK_OK(rundir_read_times(dir, time, &err), &err);
    time[0].runs = 1;
    CHECK_OK(rundir_write_times(dir, time, &err), &err);
    rundir_clear(&r);
}

TEST(a_damaged_file_is_named)
{
    const char *dir = check_tmpdir();
    RunDir r;
    put(dir, "docs", "manifest.json", "{\"n_in\":10,");
    CHECK_INT(ERR_DATA, rundir_load(&r, dir, &err));
    CHECK(strstr(err.msg, "manifest.json") != NULL);
    rundir_clear(&r);
}

TEST(times_come_back)
{
    const char *dir = check_tmpdir();
    RunTime in[RECIPE_STAGES] = {{0}}, out[RECIPE_STAGES];
    in[0] = (RunTime){.runs = 2, .seconds = 12.5, .cpu_seconds = 20.25, .finished = true};
    in[6] = (RunTime){.runs = 1, .seconds = 300, .cpu_seconds = 600};
    CHECK_OK(rundir_write_times(dir, in, &err), &err);
    CHECK_OK(rundir_read_times(dir, out, &err), &err);
    for (size_t i = 0; i < RECIPE_STAGES; i++) {
        CHECK_INT(in[i].runs, out[i].runs);
        CHECK(in[i].seconds == out[i].seconds && in[i].cpu_seconds == out[i].cpu_seconds &&
              in[i].finished == out[i].finished);
    }
    CHECK_OK(rundir_read_times(check_tmpdir(), out, &err), &err); /* none there: all zero */
    CHECK_INT(0, out[0].runs);
}

TEST(drops_are_sorted_and_summed)
{
    const char *dir = check_tmpdir();
    RunDrop drop[3];
    size_t n_rest;
    uint64_t rest;
    RunDir r;
    put(dir, "clean", "manifest.json",
        "{\"n_in\":30,\"dropped\":{\"a\":1,\"b\":9,\"c\":3,\"d\":0,\"e\":9,\"f\":2}}\n");
    CHECK_OK(rundir_load(&r, dir, &err), &err);
    CHECK_INT(3, rundir_drops(rundir_stage(&r, "filter"), drop, 3, &n_rest, &rest));
    CHECK(span_is(drop[0].reason, "b") && span_is(drop[1].reason, "e") && span_is(drop[2].reason, "c"));
    CHECK_INT(9, drop[1].n_docs);
    CHECK_INT(2, n_rest);
    CHECK_INT(3, rest);
    CHECK_INT(0, rundir_drops(rundir_stage(&r, "dedup"), drop, 3, &n_rest, &rest));
    rundir_clear(&r);
}
