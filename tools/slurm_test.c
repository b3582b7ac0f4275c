#include "tools/slurm.h"

#include "core/store.h"
#include "tests/check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static Recipe recipe;
static SlurmPlan plan;
static Err err;

static const char *path_of(const char *name)
{
    static char path[8][4096];
    static const char *dir;
    static unsigned turn;

    if (!dir) dir = check_tmpdir();
    char *p = path[turn++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static ErrCode load(const char *text, const char *out, uint32_t max_array)
{
    const char *path = path_of("recipe.yaml");
    const RecipeOverrides over = {.out_dir = out ? out : path_of("run")};

    err = (Err){0};
    CHECK_OK(store_write(path, span_str(text), &err), &err);
    CHECK_OK(recipe_load(&recipe, path, &over, &err), &err);
    return slurm_plan(&plan, &recipe, max_array, &err);
}

static void unload(void)
{
    slurm_plan_clear(&plan);
    recipe_clear(&recipe);
}

/* "NAME FIRST+TASKS <AFTER+N_AFTER" a job. */
static const char *jobs(void)
{
    static char out[4096];
    size_t n = 0;

    for (size_t i = 0; i < plan.n && n < sizeof out; i++) {
        const SlurmJob *j = &plan.job[i];
        n += (size_t)snprintf(out + n, sizeof out - n, "%s %u+%u <%zu+%zu\n", j->name, j->first, j->tasks, j->after,
                              j->n_after);
    }
    return out;
}

TEST(without_a_section_each_stage_is_one_job)
{
    CHECK_OK(
        load(
            "ingest: {input: a}\ndedup: {}\nfilter: false\nremix: false\nbpe: false\ntokenize: false\ntrain: false\n",
            NULL, 0),
        &err);
    CHECK_STR("ingest 0+0 <0+0\ndedup 0+0 <0+1\nreport 0+0 <1+1\n", jobs());
    CHECK_INT(SLURM_ARRAY_SIZE, plan.max_array);
    CHECK_INT(SLURM_IS_ONE, plan.job[0].kind);
    CHECK_INT(SLURM_IS_MPI, plan.job[1].kind);
    unload();
}

/* Ten tasks at most four an array: three of them, all behind the gate of the stage before, and one commit behind the three. */
TEST(arrays_are_cut_at_the_largest)
{
    CHECK_OK(
        load(
            "slurm: {tasks: 10, filter: {tasks: 1}}\ningest: {input: a}\nbpe: false\ntokenize: false\ntrain: false\n",
            NULL, 4),
        &err);
    CHECK_STR("ingest 0+4 <0+0\ningest 4+4 <1+0\ningest 8+2 <2+0\ncommit-ingest 0+10 <0+3\n"
              "dedup 0+0 <3+1\nfilter 0+0 <4+1\n"
              "remix 0+4 <5+1\nremix 4+4 <5+1\nremix 8+2 <5+1\ncommit-remix 0+10 <6+3\nreport 0+0 <9+1\n",
              jobs());
    unload();
}

TEST(a_complete_stage_is_no_array)
{
    CHECK_OK(store_mkdirs(path_of("done/docs"), &err), &err);
    CHECK_OK(store_write(path_of("done/docs/manifest.json"), SPAN_LIT("{}"), &err), &err);
    CHECK_OK(load("slurm: {tasks: 10}\ningest: {input: a}\ndedup: false\nremix: false\nbpe: false\ntokenize: "
                  "false\ntrain: false\n",
                  path_of("done"), 0),
             &err);
    CHECK_STR("ingest 0+0 <0+0\nfilter 0+10 <0+1\ncommit-filter 0+10 <1+1\nreport 0+0 <2+1\n", jobs());
    unload();
}

TEST(resources_of_a_stage_win)
{
    Buf b = {0};

    CHECK_OK(load("threads: 3\nslurm: {time: '1-0:00:00', mem: 4G, sbatch: [--all], warn: 9, train: {time: 5, cpus: "
                  "7, sbatch: "
                  "[\"--own='a b'\"]}}\n"
                  "ingest: {input: a}\ndedup: false\nfilter: false\nremix: false\nbpe: false\ntokenize: "
                  "false\ntrain: {input: t}\n",
                  NULL, 0),
             &err);
    slurm_script(&plan, &plan.job[1], &b);
    CHECK(strstr(buf_cstr(&b), "#SBATCH --time=5\n#SBATCH --mem=4G\n#SBATCH --nodes=1\n#SBATCH --ntasks=1\n"
                               "#SBATCH --cpus-per-task=7\n#SBATCH --requeue\n#SBATCH --open-mode=append\n"
                               "#SBATCH --signal=B:USR1@9\n#SBATCH --all\n#SBATCH --own='a b'\n") != NULL);
    buf_reset(&b);
    slurm_script(&plan, &plan.job[0], &b);
    CHECK(strstr(buf_cstr(&b), "#SBATCH --time=1-0:00:00\n") && strstr(buf_cstr(&b), "#SBATCH --cpus-per-task=3\n"));
    buf_clear(&b);
    unload();
}

/* What the script of a job calls, as the called program sees it: a word a line, in brackets. */
static const char *called_by(const SlurmJob *j, const char *arguments)
{
    static const char program[] = "#!/bin/sh\nfor word; do printf '[%s]\\n' \"$word\"; done\n";
    static char out[8192];
    char command[16384];
    Buf script = {0};

    CHECK_OK(store_write(path_of("program"), span_str(program), &err), &err);
    CHECK(chmod(path_of("program"), 0755) == 0);
    plan.binary = path_of("program");
    plan.cwd = "/";
    slurm_script(&plan, j, &script);
    CHECK_OK(store_write(path_of("script"), buf_span(&script), &err), &err);
    buf_clear(&script);
    CHECK_OK(store_mkdirs(path_of("run/slurm/status"), &err), &err);
    snprintf(command, sizeof command, "SLURM_JOB_ID=1 SLURM_ARRAY_TASK_ID=2 sh '%s' %s 2>'%s'", path_of("script"),
             arguments, path_of("said"));
    FILE *f = popen(command, "r"); /* NOLINT(cert-env33-c) */
    CHECK(f != NULL);
    const size_t n = f ? fread(out, 1, sizeof out - 1, f) : 0;
    out[n] = 0;
    CHECK_INT(0, f ? pclose(f) : -1);
    return out;
}

/* Whatever a recipe says reaches the verb as the words it is. */
TEST(a_script_runs_no_word_of_a_recipe)
{
    Buf want = {0};

    CHECK_OK(
        load("slurm: {ingest: {tasks: 9}, jitter: 0, sbatch: [\"--x=$(touch bad)`touch bad`';touch bad\"]}\n"
             "ingest: {input: [\"it's\", '$(touch bad)', '`touch bad`', \"a\\nb\", '-x', ';touch bad', '$HOME'], "
             "dump: \"'$(touch bad)'\"}\n"
             "dedup: false\nfilter: false\nremix: false\nbpe: false\ntokenize: false\ntrain: false\n",
             NULL, 0),
        &err);
    const char *got = called_by(&plan.job[0], "4");
    buf_puts(&want, "[ingest]\n[--threads=1]\n[--task=6/9]\n[-o]\n[");
    buf_puts(&want, recipe.stage[0].output);
    buf_puts(&want, "]\n");
    CHECK(strncmp(buf_cstr(&want), got, want.n) == 0);
    CHECK(strstr(got, "[--dump='$(touch bad)']\n") != NULL);
    CHECK(strstr(got, "[--]\n[it's]\n[$(touch bad)]\n[`touch bad`]\n[a\nb]\n[-x]\n[;touch bad]\n[$HOME]\n") != NULL);
    CHECK(access("/bad", F_OK) != 0);
    buf_clear(&want);
    unload();
}

TEST(mistakes_are_named)
{
    static const struct {
        const char *text, *what;
    } wrong[] = {
        {"slurm: [1]\n", "recipe.yaml:1: slurm: a mapping"},
        {"slurm: {ingest: 3}\n", "slurm: ingest: a mapping of resources"},
        {"slurm:\n  time: 1\n  partitions: x\n", "recipe.yaml:3: slurm: partitions: unknown"},
        {"slurm: {time: banana}\n", "recipe.yaml:1: slurm: time: a time as sbatch takes it"},
        {"slurm: {time: '1:2:3:4'}\n", "slurm: time: a time"},
        {"slurm: {time: '1-'}\n", "slurm: time: a time"},
        {"slurm: {time: '1::2'}\n", "slurm: time: a time"},
        {"slurm: {ingest: {time: 4h}}\n", "slurm: time: a time"},
        {"slurm: {mem: lots}\n", "slurm: mem: a size as sbatch takes it"},
        {"slurm: {mem: G}\n", "slurm: mem: a size"},
        {"slurm: {ingest: {mpi: srun}}\n", "slurm: mpi: unknown; a stage has"},
        {"slurm: {mpi: rsh}\n", "auto, srun, mpirun or none"},
        {"slurm: {partition: 'a b'}\n", "a word of letters"},
        {"slurm: {partition: \"a\\nb\"}\n", "a word of letters"},
        {"slurm: {partition: ''}\n", "a word of letters"},
        {"slurm: {mem: -1}\n", "a word of letters"},
        {"slurm: {account: '$(x)'}\n", "a word of letters"},
        {"slurm: {tasks: 0}\n", "slurm: tasks: a whole number, 1 to"},
        {"slurm: {tasks: 1.5}\n", "slurm: tasks: a whole number, 1 to"},
        {"slurm: {tasks: 99999999}\n", "slurm: tasks: a whole number, 1 to"},
        {"slurm: {warn: 0}\n", "slurm: warn: a whole number"},
        {"slurm: {sbatch: --x}\n", "a list of long options"},
        {"slurm: {sbatch: [x]}\n", "a list of long options"},
        {"slurm: {sbatch: [\"--x\\ntouch bad\"]}\n", "a list of long options"},
        {"slurm: {sbatch: [\"--x\\r\"]}\n", "a list of long options"},
    };
    char text[512];

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, "%singest: {input: a}\n", wrong[i].text);
        CHECK_INT(ERR_USAGE, load(text, NULL, 0));
        if (!strstr(err.msg, wrong[i].what))
            check_fail_span(__FILE__, __LINE__, "message", span_str(wrong[i].what), span_str(err.msg));
        unload();
    }
    CHECK_INT(ERR_LIMIT, load("slurm: {tasks: 5000}\ningest: {input: a}\n", NULL, 1));
    unload();
}
