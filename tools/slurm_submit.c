/* Submitting a plan: all of it or nothing, and never twice at a time. */
#include "core/log.h"
#include "core/store.h"
#include "tools/slurm_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STATUS_DEPTH = 1 };

ErrCode slurm_ask_max_array(uint32_t *max_array, Err *err)
{
    const char *const argv[] = {"scontrol", "show", "config", NULL};
    Buf says = {0};
    uint64_t n = 0;

    ErrCode rc = slurm_command(argv, &says, err);
    for (Span rest = buf_span(&says); rc == ERR_OK && rest.n;) {
        const Span line = span(rest.p, span_find(rest, '\n'));
        const size_t equals = span_find(line, '=');
        if (span_is(span_trim(span(line.p, equals)), "MaxArraySize") &&
            !span_to_u64(span_trim(span_from(line, equals + 1)), &n))
            n = 0;
        rest = span_from(rest, line.n + 1);
    }
    if (rc == ERR_OK && (n < 1 || n > UINT32_MAX))
        rc = err_set(err, ERR_SYS, "scontrol show config names no MaxArraySize; --max-array says it");
    *max_array = (uint32_t)n;
    buf_clear(&says);
    return rc;
}

/* --- not while others are queued */

static bool listed(Span ids, uint64_t id)
{
    for (uint64_t n; ids.n;) {
        const Span line = span(ids.p, span_find(ids, '\n'));
        if (span_to_u64(span_trim(line), &n) && n == id) return true;
        ids = span_from(ids, line.n + 1);
    }
    return false;
}

/* Job ids are used again after a long time: the name is that of our jobs too. */
static ErrCode refuse_queued(const SlurmPlan *p, Err *err)
{
    const char *const argv[] = {"squeue", "--noheader", "--format=%F", NULL};
    Arena a = {0};
    Buf says = {0};
    const Json *state;

    ErrCode rc = slurm_read_state(&a, p->dir, &state, err);
    if (rc == ERR_OK && state) rc = slurm_command(argv, &says, err);
    const Json *jobs = rc == ERR_OK ? json_get(state, "jobs") : NULL;
    for (const Json *j = jobs ? jobs->child : NULL; j && rc == ERR_OK; j = j->next) {
        const char *name = NULL;
        uint64_t id;
        rc = json_get_u64(j, "id", 0, "jobs.json", &id, err);
        if (rc == ERR_OK) rc = json_get_str(j, "name", "jobs.json", &name, err);
        if (rc == ERR_OK && listed(buf_span(&says), id))
            rc = err_set(err, ERR_SYS,
                         "%s: job %" PRIu64 " (%s) of this run is queued or runs; wait, or scancel its jobs", p->run,
                         id, name ? name : "?");
    }
    buf_clear(&says);
    arena_clear(&a);
    return rc;
}

/* --- files */

static ErrCode write_script(SlurmPlan *p, const SlurmJob *j, Err *err)
{
    char name[40];
    Buf b = {0};

    snprintf(name, sizeof name, "%s.sh", j->name);
    slurm_script(p, j, &b);
    const char *path = path_join(&p->arena, p->dir, name);
    ErrCode rc = buf_ok(&b, "a script", err);
    if (rc == ERR_OK) rc = path ? store_write(path, buf_span(&b), err) : err_nomem(err, "a path");
    buf_clear(&b);
    return rc;
}

static ErrCode write_files(SlurmPlan *p, Err *err)
{
    const char *log = path_join(&p->arena, p->dir, "log"), *status = path_join(&p->arena, p->dir, "status");
    ErrCode rc;

    if (!log || !status) return err_nomem(err, "paths");
    if ((rc = store_mkdirs(log, err)) != ERR_OK) return rc;
    if ((rc = store_delete_tree(status, STATUS_DEPTH, err)) != ERR_OK) return rc;
    if ((rc = store_mkdirs(status, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < p->n && rc == ERR_OK; i++)
        if (i == 0 || strcmp(p->job[i].name, p->job[i - 1].name) != 0) rc = write_script(p, &p->job[i], err);
    return rc;
}

static ErrCode write_state(SlurmPlan *p, Err *err)
{
    const char *path = path_join(&p->arena, p->dir, "jobs.json");
    uint64_t *after = arena_array(&p->arena, p->n, sizeof *after);
    Buf b = {0};

    if (!path || !after) return err_nomem(err, "jobs.json");
    for (size_t i = 0; i < p->n; i++) after[i] = p->job[i].id;
    slurm_put_head(&b, p->max_array, p->set.retries);
    for (size_t i = 0; i < p->n; i++) {
        const SlurmJob *j = &p->job[i];
        slurm_put_entry(&b, &(SlurmEntry){.name = j->name,
                                          .id = j->id,
                                          .first = j->first,
                                          .tasks = j->tasks,
                                          .output = j->kind == SLURM_IS_COMMIT ? j->stage->output : NULL,
                                          .after = after + j->after,
                                          .n_after = j->n_after});
    }
    slurm_put_tail(&b);
    ErrCode rc = buf_ok(&b, "jobs.json", err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    return rc;
}

/* --- jobs */

static const char *how_after(const SlurmJob *j) { return j->kind == SLURM_IS_COMMIT ? "afterany" : "afterok"; }

/* The call of a job. What waits for nothing is held until all are there. */
static SlurmCall call_of(const SlurmPlan *p, const SlurmJob *j, char indices[32])
{
    snprintf(indices, 32, "0-%" PRIu32, j->tasks - 1);
    return (SlurmCall){.dir = p->dir,
                       .name = j->name,
                       .indices = j->kind == SLURM_IS_ARRAY ? indices : NULL,
                       .first = j->first,
                       .hold = j->n_after == 0};
}

static ErrCode submit_job(SlurmPlan *p, SlurmJob *j, Err *err)
{
    uint64_t *id = arena_array(&p->arena, j->n_after + 1, sizeof *id);
    char indices[32];
    SlurmCall call = call_of(p, j, indices);
    Buf after = {0};

    if (!id) return err_nomem(err, "a plan");
    for (size_t i = 0; i < j->n_after; i++) id[i] = p->job[j->after + i].id;
    slurm_put_after(&after, how_after(j), id, j->n_after);
    if (j->n_after) call.after = buf_cstr(&after);
    ErrCode rc = buf_ok(&after, "a plan", err);
    if (rc == ERR_OK) rc = slurm_sbatch(&call, &j->id, err);
    buf_clear(&after);
    return rc;
}

/* `what` is release, or cancel: of those submitted that are held, or of all. */
static ErrCode each_job(const SlurmPlan *p, bool release, Err *err)
{
    Buf says = {0};
    char id[24];
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < p->n && rc == ERR_OK; i++) {
        const SlurmJob *j = &p->job[i];
        const char *const letting[] = {"scontrol", "release", id, NULL}, *const ending[] = {"scancel", id, NULL};
        if (!j->id || (release && j->n_after)) continue;
        snprintf(id, sizeof id, "%" PRIu64, j->id);
        rc = slurm_command(release ? letting : ending, &says, err);
    }
    buf_clear(&says);
    return rc;
}

ErrCode slurm_submit(SlurmPlan *p, Err *err)
{
    Err ignored;
    ErrCode rc;

    slurm_forget_job();
    if ((rc = refuse_queued(p, err)) != ERR_OK) return rc;
    if ((rc = write_files(p, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < p->n && rc == ERR_OK; i++) rc = submit_job(p, &p->job[i], err);
    if (rc == ERR_OK) rc = write_state(p, err);
    if (rc == ERR_OK) rc = each_job(p, true, err);
    if (rc != ERR_OK && each_job(p, false, &ignored) != ERR_OK) log_warn("jobs stayed behind: %s", ignored.msg);
    if (rc != ERR_OK) return rc;
    for (size_t i = 0; i < p->n; i++) log_info("job %" PRIu64 " %s", p->job[i].id, p->job[i].name);
    return ERR_OK;
}

/* --- for people */

static void print_needs(const SlurmPlan *p, const SlurmJob *j, Buf *out)
{
    Buf script = {0};

    slurm_script(p, j, &script);
    for (Span rest = buf_span(&script); rest.n;) {
        const Span line = span(rest.p, span_find(rest, '\n'));
        if (span_starts(line, SPAN_LIT("#SBATCH ")) || span_starts(line, SPAN_LIT("run \"")))
            buf_printf(out, "%s%.*s", line.p[0] == '#' ? " " : "\n#  ", (int)(line.n - (line.p[0] == '#' ? 8 : 3)),
                       (const char *)line.p + (line.p[0] == '#' ? 8 : 3));
        rest = span_from(rest, line.n + 1);
    }
    buf_clear(&script);
}

static void print_call(const SlurmPlan *p, Arena *a, size_t i, Buf *out)
{
    const SlurmJob *j = &p->job[i];
    char indices[32];
    const SlurmCall call = call_of(p, j, indices);
    const char *const *argv = slurm_sbatch_words(a, &call);

    buf_printf(out, "job%zu=$(", i + 1);
    for (size_t k = 0; argv && argv[k]; k++) {
        if (k) buf_putc(out, ' ');
        recipe_put_word(out, argv[k]);
        if (k != 1 || !j->n_after) continue;
        buf_printf(out, " --kill-on-invalid-dep=yes --dependency=%s", how_after(j));
        for (size_t w = 0; w < j->n_after; w++) buf_printf(out, ":$job%zu", j->after + w + 1);
    }
    buf_puts(out, ")\n");
}

void slurm_plan_print(const SlurmPlan *p, Buf *out)
{
    Arena a = {0};

    buf_printf(out, "# %zu jobs, arrays of at most %" PRIu32 " tasks\n", p->n, p->max_array);
    for (size_t i = 0; i < p->n; i++) {
        const SlurmJob *j = &p->job[i];
        buf_printf(out, "\n# %s:", j->name);
        if (j->kind == SLURM_IS_ARRAY)
            buf_printf(out, " tasks %" PRIu32 " to %" PRIu32 " of %" PRIu32 ",", j->first, j->first + j->tasks - 1,
                       j->needs->tasks);
        print_needs(p, j, out);
        buf_putc(out, '\n');
        print_call(p, &a, i, out);
        arena_reset(&a);
    }
    arena_clear(&a);
}
