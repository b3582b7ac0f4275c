/* `tamis run`: the chain of a recipe, stage by stage, as child processes; then the report.
 *
 * Nothing is decided here twice: a stage whose output has the same key ends at once by itself, one that was cut short
 * goes on where it stopped, one whose output belongs to other parameters refuses with status 4. */
#include "core/options.h"
#include "core/store.h"
#include "tools/child.h"
#include "tools/recipe.h"
#include "tools/report.h"
#include "tools/rundir.h"
#include "tools/slurm.h"
#include "tools/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SWEEP_DEPTH = 3 }; /* DIR/tokens/STREAM holds the deepest files of a run */

typedef struct {
    const char *out, *until;
    uint32_t threads;
    bool slurm;
    uint32_t max_array;
    const char *sweep; /* a stage, of which this is the commit job; else NULL */
    bool dry_run, force, no_alarm, quiet, verbose;
} RunOptions;

/* What tells a finished stage that was redone from one that was left alone. */
typedef struct {
    bool exists;
    ino_t inode;
    struct timespec changed;
} Stamp;

static Stamp stamp_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) return (Stamp){0};
    return (Stamp){.exists = true, .inode = st.st_ino, .changed = st.st_mtim};
}

static bool stamp_eq(Stamp a, Stamp b)
{
    return a.exists == b.exists && a.inode == b.inode && a.changed.tv_sec == b.changed.tv_sec &&
           a.changed.tv_nsec == b.changed.tv_nsec;
}

static double children_cpu(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_CHILDREN, &u) != 0) return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static size_t chain_index(const char *verb)
{
    size_t i = 0;
    while (i + 1 < RECIPE_STAGES && strcmp(recipe_verb(i), verb) != 0) i++;
    return i;
}

/* One stage. *status is its exit status; 0 means that its output is complete. `interrupted`: we were asked to stop
 * meanwhile, which a stage near its end may not have seen. */
static ErrCode run_stage(const Recipe *r, size_t i, RunTime *times, int *status, bool *interrupted, Err *err)
{
    const RecipeStage *s = &r->stage[i];
    RunTime *t = &times[chain_index(s->verb)];
    const Stamp before = stamp_of(s->finished);
    const double begin = clock_seconds(), cpu = children_cpu();
    Buf command = {0};

    recipe_command(s, &command);
    log_info("%zu/%zu %s", i + 1, r->n, buf_cstr(&command) ? (const char *)command.p : s->verb);
    buf_clear(&command);
    ErrCode rc = child_run(CHILD_SELF, s->argv, status, interrupted, err);
    if (rc != ERR_OK) return rc;
    const Stamp after = stamp_of(s->finished);
    if (*status == 0 && !after.exists)
        return err_set(err, ERR_DATA, "%s ended well but made no %s", s->verb, s->finished);
    if (after.exists && stamp_eq(before, after) && (*status == 0 || t->finished)) return ERR_OK; /* left alone */
    if (t->finished) *t = (RunTime){0};                                                          /* made anew */
    t->runs++;
    t->seconds += clock_seconds() - begin;
    t->cpu_seconds += children_cpu() - cpu;
    t->finished = *status == 0;
    return rundir_write_times(r->out_dir, times, err);
}

/* Two runs in one directory would write the same files twice over. The lock dies with the process; the file stays. */
static ErrCode lock_dir(Arena *a, const char *dir, int *fd, Err *err)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (store_is_remote(dir))
        return err_set(err, ERR_USAGE, "%s: a run's directory is on a file system; its inputs may be remote", dir);
    const char *path = path_join(a, dir, "run.lock");
    if (!path) return err_nomem(err, "a path");
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0) return err_sys(err, "cannot open %s", path);
    if (fcntl(*fd, F_SETLK, &l) == 0) return ERR_OK;
    if (errno == EACCES || errno == EAGAIN) return err_set(err, ERR_SYS, "%s: another tamis run works here", dir);
    return err_sys(err, "cannot lock %s", path);
}

static ErrCode run_chain(const Recipe *r, const RunOptions *o, int *status, Err *err)
{
    RunTime times[RECIPE_STAGES];
    int lock = -1;
    bool interrupted = false;
    Arena arena = {0};
    ErrCode rc;

    if ((rc = store_mkdirs(r->out_dir, err)) != ERR_OK) goto out;
    if ((rc = lock_dir(&arena, r->out_dir, &lock, err)) != ERR_OK) goto out;
    if ((rc = recipe_write_files(r, err)) != ERR_OK) goto out;
    if ((rc = recipe_check(r, true, err)) != ERR_OK) goto out;
    if ((rc = rundir_read_times(r->out_dir, times, err)) != ERR_OK) goto out;
    for (size_t i = 0; i < r->n && rc == ERR_OK && *status == 0; i++) {
        rc = run_stage(r, i, times, status, &interrupted, err);
        if (rc == ERR_OK && (interrupted || interrupt_seen()))
            rc = err_set(err, ERR_INTR, "interrupted behind %s; run it again", r->stage[i].verb);
    }
    if (rc == ERR_OK && *status == 0) rc = report_write(r->out_dir, !o->quiet, err);
    if (rc == ERR_OK && *status == 0) rc = store_sweep(r->out_dir, SWEEP_DEPTH, err);
out:
    if (lock >= 0) close(lock);
    arena_clear(&arena);
    return rc;
}

static ErrCode print_commands(const Recipe *r, Err *err)
{
    Buf b = {0};
    ErrCode rc = recipe_check(r, false, err);

    if (rc != ERR_OK) return rc;
    for (size_t i = 0; i < r->n; i++) {
        recipe_command(&r->stage[i], &b);
        buf_putc(&b, '\n');
    }
    rc = buf_ok(&b, "the commands", err);
    if (rc == ERR_OK) fwrite(b.p, 1, b.n, stdout);
    buf_clear(&b);
    return rc;
}

static ErrCode print_plan(const SlurmPlan *p, Err *err)
{
    Buf b = {0};
    ErrCode rc = recipe_check(p->recipe, false, err);

    if (rc != ERR_OK) return rc;
    slurm_plan_print(p, &b);
    rc = buf_ok(&b, "the plan", err);
    if (rc == ERR_OK) fwrite(b.p, 1, b.n, stdout);
    buf_clear(&b);
    return rc;
}

static ErrCode submit(SlurmPlan *p, Err *err)
{
    const Recipe *r = p->recipe;
    int lock = -1;
    ErrCode rc;

    if ((rc = store_mkdirs(r->out_dir, err)) != ERR_OK) return rc;
    if ((rc = lock_dir(&p->arena, r->out_dir, &lock, err)) != ERR_OK) goto out;
    if ((rc = recipe_write_files(r, err)) != ERR_OK) goto out;
    if ((rc = recipe_check(r, true, err)) != ERR_OK) goto out;
    rc = slurm_submit(p, err);
out:
    if (lock >= 0) close(lock);
    return rc;
}

static ErrCode run_slurm(const Recipe *r, const RunOptions *o, Err *err)
{
    uint32_t max_array = o->max_array;
    SlurmPlan p = {0};
    ErrCode rc = ERR_OK;

    if (!max_array && !o->dry_run) rc = slurm_ask_max_array(&max_array, err);
    if (rc == ERR_OK) rc = slurm_plan(&p, r, max_array, err);
    if (rc == ERR_OK) rc = o->dry_run ? print_plan(&p, err) : submit(&p, err);
    slurm_plan_clear(&p);
    return rc;
}

static ErrCode check_options(void *options, Err *err)
{
    const RunOptions *o = options;

    if (o->slurm && o->force) /* tasks that start together would wipe what the first of them has done */
        return err_set(err, ERR_USAGE,
                       "run: --force does not go with --slurm; take another --out, or delete what is in the way");
    if (o->max_array && !o->slurm) return err_set(err, ERR_USAGE, "run: --max-array is of --slurm");
    if (o->sweep && (o->slurm || o->dry_run || o->out || o->until || o->threads || o->force))
        return err_set(err, ERR_USAGE, "run: --sweep goes with no other option");
    return ERR_OK;
}

static ErrCode run_recipe(const char *path, const RunOptions *o, const char *const *input, size_t n_input,
                          int *status, Err *err)
{
    const RecipeOverrides over = {.out_dir = o->out,
                                  .until = o->until,
                                  .input = input,
                                  .n_input = n_input,
                                  .threads = o->threads,
                                  .force = o->force,
                                  .no_alarm = o->no_alarm,
                                  .quiet = o->quiet};
    Recipe r;

    ErrCode rc = recipe_load(&r, path, &over, err);
    if (rc == ERR_OK && o->slurm)
        rc = run_slurm(&r, o, err);
    else if (rc == ERR_OK)
        rc = o->dry_run ? print_commands(&r, err) : run_chain(&r, o, status, err);
    recipe_clear(&r);
    return rc;
}

int run_verb(int argc, char **argv)
{
    RunOptions o = {0};
    const OptSpec specs[] = {
        OPT_STR('o', "out", &o.out, "DIR", "run directory; the recipe's `out`, else run"),
        OPT_U32('j', "threads", &o.threads, "N",
                "threads of every stage; 0: the recipe's, else the cores we may use"),
        OPT_STR(0, "until", &o.until, "STAGE", "stop behind this stage"),
        OPT_FLAG('n', "dry-run", &o.dry_run, "print the commands, run nothing"),
        OPT_FLAG(0, "slurm", &o.slurm, "write job scripts to DIR/slurm and submit them; with -n print the jobs"),
        OPT_U32(0, "max-array", &o.max_array, "N", "tasks of one array; 0: Slurm's MaxArraySize"),
        OPT_STR(0, "sweep", &o.sweep, "STAGE",
                "for job scripts: see to the missing parts of the run directory RECIPE"),
        OPT_FLAG(0, "force", &o.force, "make anew what is of other parameters or inputs; the rest stays"),
        OPT_FLAG(0, "no-alarm", &o.no_alarm, "go on whatever the recipe's alarms say"),
        OPT_COMMON_TALK(&o),
        OPT_CHECK(check_options, &o),
        OPT_END,
    };
    const OptVerb verb = {
        "run", "[options] RECIPE [INPUT...]",
        "Run the chain of a recipe (YAML): ingest, dedup, filter, remix, bpe, tokenize, train; then write\n"
        "DIR/report.html. INPUT replaces the recipe's. Stages that are done already are left alone.",
        specs,
        "Sections of a recipe: out (DIR), threads, slurm, ingest, dedup, filter, remix, bpe, tokenize, train.\n"
        "One of a stage holds long options of its verb (`tamis STAGE --help`) in full; the first stage's,\n"
        "its `input` too; one left out means defaults, `STAGE: false` leaves the stage out. All is checked\n"
        "before the first stage starts. Run it again after a failure or a kill: it goes on where it\n"
        "stopped. The status is that of the stage that failed."};
    int first = 0, status = 0;
    Err err = {0};

    ErrCode rc = options_parse(&verb, argc, argv, &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && first == argc) rc = err_set(&err, ERR_USAGE, "run: a recipe is needed");
    if (rc == ERR_OK) rc = par_refuse_tasks("tamis run", &err);
    log_setup(o.quiet ? LOG_QUIET : o.verbose ? LOG_VERBOSE : LOG_NORMAL, 0);
    if (rc == ERR_OK && o.sweep)
        rc = slurm_sweep(argv[first], o.sweep, &err);
    else if (rc == ERR_OK)
        rc = run_recipe(argv[first], &o, (const char *const *)argv + first + 1, (size_t)(argc - first - 1), &status,
                        &err);
    const int own = verb_exit(rc, &err);
    return own ? own : status;
}
