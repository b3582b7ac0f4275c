/* tools/slurm.h - the chain of a recipe as dependent jobs of Slurm: a plan, a script a job in RUN/slurm, their submission.
 *
 *   slurm:                       # all of it may be left out
 *     partition: cpu             # resources of every stage …
 *     time: 4:00:00
 *     cpus: 8                    # of a task; else the recipe's `threads`, else 1
 *     mem: 16G                   # of a node, as sbatch takes it
 *     sbatch: [--constraint=ib]  # further options, as they are
 *     ingest: {tasks: 256}       # … and of one, over these: tasks of an array (ingest, filter, remix),
 *     dedup: {nodes: 4, tasks: 32}   # ranks of MPI (dedup, bpe, tokenize); the rest runs as one task
 *     commit: {mem: 2G}          # what looks after an array; `report` likewise
 *     mpi: auto                  # srun where it knows PMIx, else mpirun; or the one of them that is named; or none
 *     requeues: 20               # times a job that meets its time limit goes on
 *     retries: 3                 # times one that failed is tried again
 *     jitter: 10                 # seconds over which the tasks of an array start
 *     warn: 120                  # seconds between the signal and the time limit
 *
 * A map stage is an array (several where it is longer than MaxArraySize) and a job behind it that finds out which tasks did not
 * end well. It submits these again, with another such job, on which it lets the next stage wait; when all parts are there it is done.
 * Without MPI dedup and tokenize are arrays too, and every round of them goes as far as the one before allows (--task --wait).
 * An array whose stage is complete already is one task, which finds that out. Exchange stages are MPI jobs. RUN/slurm/status/STAGE.TASK
 * holds the exit status of a task; RUN/slurm/jobs.json what was submitted: {"format":"tamis-slurm","version":1,"max_array":N,
 * "retries":N,"jobs":[{"name","id","first"?,"tasks"?,"output"?,"tries"?,"rounds"?,"after":[id…]}…]}.
 *
 * A script takes nothing from the recipe but quoted words and #SBATCH lines without control characters, which a shell does not read. */
#ifndef TAMIS_TOOLS_SLURM_H
#define TAMIS_TOOLS_SLURM_H

#include "tools/recipe.h"

enum {
    SLURM_MAX_TASKS = 1 << 20, /* of one stage */
    SLURM_MAX_JOBS = 4096,     /* pieces of arrays and all */
    SLURM_MAX_VALUE = 255,     /* bytes of a partition's name and the like */
    SLURM_ARRAY_SIZE = 1001    /* MaxArraySize unless a cluster says otherwise */
};

typedef enum { SLURM_MPI_AUTO, SLURM_MPI_SRUN, SLURM_MPI_MPIRUN, SLURM_MPI_NONE } SlurmMpi;
extern const char *const slurm_mpi_names[]; /* as the recipe spells them */

typedef struct {
    const char *partition, *account, *qos, *time, *mem; /* NULL: as the cluster has it */
    uint32_t nodes, tasks, cpus;                        /* cpus 0: as many as the stage has threads */
    const Json *sbatch[2]; /* lists of further options: of all, of the stage; NULL: none */
} SlurmNeeds;

enum { SLURM_COMMIT = RECIPE_STAGES, SLURM_REPORT, SLURM_PLACES };
typedef struct {
    SlurmNeeds needs[SLURM_PLACES]; /* by the verb's place in the chain, then commit and report */
    SlurmMpi mpi;
    uint32_t requeues, retries, jitter, warn;
} SlurmSettings;

/* Reads the section; defaults where there is none. ERR_USAGE names line and key. */
MUST_USE ErrCode slurm_settings(const Recipe *r, SlurmSettings *out, Err *err);

typedef enum { SLURM_IS_ARRAY, SLURM_IS_MPI, SLURM_IS_ONE, SLURM_IS_COMMIT, SLURM_IS_REPORT } SlurmKind;

typedef struct {
    const char *name; /* "ingest", "commit-ingest", "report" */
    SlurmKind kind;
    const RecipeStage *stage; /* NULL: the report */
    const SlurmNeeds *needs;
    uint32_t first, tasks; /* an array: [first, first + tasks) of the stage's; commit: all of them */
    size_t after, n_after; /* the jobs [after, after + n_after) of the plan must have ended before */
    uint64_t id;           /* once it is submitted */
} SlurmJob;

typedef struct {
    Arena arena;
    const Recipe *recipe;
    SlurmSettings set;
    const char *run, *dir;    /* absolute: RUN, RUN/slurm */
    const char *cwd, *binary; /* where the scripts run, and what */
    uint32_t max_array;
    SlurmJob *job;
    size_t n;
} SlurmPlan;

/* The recipe stays borrowed. max_array 0: SLURM_ARRAY_SIZE. Looks at which stages are complete; starts nothing. */
MUST_USE ErrCode slurm_plan(SlurmPlan *p, const Recipe *r, uint32_t max_array, Err *err);
void slurm_plan_clear(SlurmPlan *p);
/* The plan for people: a comment and an sbatch command a job. */
void slurm_plan_print(const SlurmPlan *p, Buf *out);
/* The script of a job; all pieces of an array have the same. */
void slurm_script(const SlurmPlan *p, const SlurmJob *j, Buf *out);

/* MaxArraySize of the cluster, asked of scontrol. */
MUST_USE ErrCode slurm_ask_max_array(uint32_t *max_array, Err *err);
/* Writes the scripts and submits the jobs, all or none. ERR_NO when jobs of the run are queued. */
MUST_USE ErrCode slurm_submit(SlurmPlan *p, Err *err);
/* What the commit job of a stage does in the run directory `run`. Afterwards the stage is complete, or tasks of it were submitted
 * again and a job like this one behind them. */
MUST_USE ErrCode slurm_sweep(const char *run, const char *verb, Err *err);

#endif
