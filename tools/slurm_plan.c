/* From a recipe to jobs: which there are, and which waits for which. */
#include "tools/slurm.h"

#include "core/store.h"
#include "tools/child.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static SlurmKind kind_of(const char *verb, SlurmMpi mpi)
{
    static const char *const map[] = {"ingest", "filter", "remix"}, *const exchange[] = {"dedup", "bpe", "tokenize"};

    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (strcmp(verb, map[i]) == 0) return SLURM_IS_ARRAY;
    for (size_t i = 0; i < sizeof exchange / sizeof *exchange; i++)
        if (strcmp(verb, exchange[i]) == 0) {
            if (mpi != SLURM_MPI_NONE) return SLURM_IS_MPI;
            return strcmp(verb, "bpe") == 0 ? SLURM_IS_ONE : SLURM_IS_ARRAY;
        }
    return SLURM_IS_ONE;
}

static size_t place_of(const char *verb)
{
    size_t i = 0;
    while (i + 1 < RECIPE_STAGES && strcmp(recipe_verb(i), verb) != 0) i++;
    return i;
}

/* Puts a job behind the `n_after` last ones. */
static ErrCode add_job(SlurmPlan *p, SlurmJob job, size_t n_after, Err *err)
{
    if (p->n == SLURM_MAX_JOBS)
        return err_set(err, ERR_LIMIT, "%s: more than %d jobs: fewer tasks, or a larger MaxArraySize",
                       p->recipe->path, SLURM_MAX_JOBS);
    job.after = p->n - n_after;
    job.n_after = n_after;
    p->job[p->n++] = job;
    return ERR_OK;
}

/* An array, cut where it is longer than MaxArraySize, and what looks after it. */
static ErrCode add_array(SlurmPlan *p, const RecipeStage *s, const SlurmNeeds *needs, Err *err)
{
    const size_t before = p->n;
    char name[32];
    ErrCode rc = ERR_OK;

    for (uint32_t at = 0; at < needs->tasks && rc == ERR_OK; at += p->max_array) {
        const uint32_t rest = needs->tasks - at;
        const SlurmJob piece = {.name = s->verb,
                                .kind = SLURM_IS_ARRAY,
                                .stage = s,
                                .needs = needs,
                                .first = at,
                                .tasks = rest < p->max_array ? rest : p->max_array};
        rc = add_job(p, piece, 0, err);
        if (rc == ERR_OK && before) p->job[p->n - 1].after = before - 1, p->job[p->n - 1].n_after = 1;
    }
    if (rc != ERR_OK) return rc;
    snprintf(name, sizeof name, "commit-%s", s->verb);
    const SlurmJob commit = {.name = arena_str(&p->arena, span_str(name)),
                             .kind = SLURM_IS_COMMIT,
                             .stage = s,
                             .needs = &p->set.needs[SLURM_COMMIT],
                             .tasks = needs->tasks};
    if (!commit.name) return err_nomem(err, "a plan");
    return add_job(p, commit, p->n - before, err);
}

static ErrCode add_stage(SlurmPlan *p, const RecipeStage *s, Err *err)
{
    SlurmJob job = {
        .name = s->verb, .kind = kind_of(s->verb, p->set.mpi), .stage = s, .needs = &p->set.needs[place_of(s->verb)]};
    bool complete = false;

    ErrCode rc = store_exists(s->finished, &complete, err);
    if (rc != ERR_OK) return rc;
    if (job.kind == SLURM_IS_ARRAY && !complete && job.needs->tasks > 1) return add_array(p, s, job.needs, err);
    if (job.kind == SLURM_IS_ARRAY) job.kind = SLURM_IS_ONE;
    return add_job(p, job, p->n ? 1 : 0, err);
}

/* Where the scripts are to run, what they call, and where they are. */
static ErrCode find_places(SlurmPlan *p, Err *err)
{
    char path[PATH_MAX];

    if (!getcwd(path, sizeof path)) return err_sys(err, "cannot tell the current directory");
    p->cwd = arena_str(&p->arena, span_str(path));
    const ssize_t n = readlink(CHILD_SELF, path, sizeof path);
    if (n <= 0 || n == (ssize_t)sizeof path) return err_sys(err, "cannot tell where this program is");
    p->binary = arena_str(&p->arena, span(path, (size_t)n));
    if (p->recipe->out_dir[0] == '/')
        p->run = p->recipe->out_dir;
    else if (p->cwd)
        p->run = path_join(&p->arena, p->cwd, p->recipe->out_dir);
    p->dir = p->run ? path_join(&p->arena, p->run, "slurm") : NULL;
    return p->dir && p->binary ? ERR_OK : err_nomem(err, "a plan");
}

ErrCode slurm_plan(SlurmPlan *p, const Recipe *r, uint32_t max_array, Err *err)
{
    ErrCode rc;

    *p = (SlurmPlan){.recipe = r, .max_array = max_array ? max_array : SLURM_ARRAY_SIZE};
    p->job = arena_array(&p->arena, SLURM_MAX_JOBS, sizeof *p->job);
    if (!p->job) return err_nomem(err, "a plan");
    if ((rc = slurm_settings(r, &p->set, err)) != ERR_OK) return rc;
    if ((rc = find_places(p, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < r->n && rc == ERR_OK; i++) rc = add_stage(p, &r->stage[i], err);
    const SlurmJob report = {.name = "report", .kind = SLURM_IS_REPORT, .needs = &p->set.needs[SLURM_REPORT]};
    return rc == ERR_OK ? add_job(p, report, 1, err) : rc;
}

void slurm_plan_clear(SlurmPlan *p) { arena_clear(&p->arena); }
