/* Behind an array: are all parts there? If not, the tasks that did not end well are submitted again, and so is this. */
#include "core/alarm.h"
#include "core/dataset.h"
#include "core/log.h"
#include "core/store.h"
#include "tools/slurm_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ROUNDS = 100,       /* of dedup as an array, which takes some twenty where no two tasks run at a time */
    MAX_STATUS = 64,        /* bytes of a status file */
    MAX_INDICES = 32 << 10, /* bytes of one --array; the kernel takes 128 KiB a word */
    MAX_NAMED = 300         /* bytes of tasks in a message */
};

typedef struct {
    Arena arena;
    const char *dir, *verb, *commit; /* RUN/slurm, "ingest", "commit-ingest" */
    const Json *state, *self;        /* jobs.json, and this job in it */
    const char *output;
    uint64_t id, tasks, tries, retries, max_array;
    uint64_t rounds; /* times it was looked after already */
    bool stuck;      /* this round counts as a try: a task failed, or none did and waiting does not help */
    bool *again;     /* the tasks that did not end well */
    uint64_t *array;
    size_t n_arrays; /* submitted by us */
    uint64_t next;   /* the commit job behind them */
} Sweep;

static ErrCode load(Sweep *s, const char *run, const char *verb, Err *err)
{
    char name[40];
    ErrCode rc;

    snprintf(name, sizeof name, "commit-%.24s", verb);
    s->verb = verb;
    s->dir = path_join(&s->arena, run, "slurm");
    s->commit = arena_str(&s->arena, span_str(name));
    if (!s->dir || !s->commit) return err_nomem(err, "a sweep");
    if ((rc = slurm_read_state(&s->arena, s->dir, &s->state, err)) != ERR_OK) return rc;
    const Json *jobs = json_get(s->state, "jobs");
    for (const Json *j = jobs ? jobs->child : NULL; j; j = j->next) {
        const Json *n = json_get(j, "name");
        if (n && n->type == JSON_STRING && span_is(n->string, s->commit)) s->self = j;
    }
    if (!s->self) return err_set(err, ERR_USAGE, "%s/jobs.json knows no job %s", s->dir, s->commit);
    if ((rc = json_get_u64(s->self, "id", 0, "jobs.json", &s->id, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(s->self, "tasks", 0, "jobs.json", &s->tasks, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(s->self, "tries", 0, "jobs.json", &s->tries, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(s->self, "rounds", 0, "jobs.json", &s->rounds, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(s->state, "retries", 0, "jobs.json", &s->retries, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(s->state, "max_array", 0, "jobs.json", &s->max_array, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(s->self, "output", "jobs.json", &s->output, err)) != ERR_OK) return rc;
    if (!s->output || !s->tasks || s->tasks > SLURM_MAX_TASKS || !s->max_array || s->max_array > UINT32_MAX ||
        s->tries > s->retries || s->rounds > MAX_ROUNDS)
        return err_set(err, ERR_DATA, "%s/jobs.json is damaged", s->dir);
    s->again = calloc(s->tasks, sizeof *s->again);
    return s->again ? ERR_OK : err_nomem(err, "a sweep");
}

static ErrCode all_there(Sweep *s, bool *done, Err *err)
{
    const char *plan = path_join(&s->arena, s->output, "stage.json");
    uint32_t have, all;
    bool begun = false;

    *done = false;
    if (!plan) return err_nomem(err, "a path");
    if (strcmp(s->verb, "tokenize") == 0) { /* no dataset: its last task publishes it */
        const char *manifest = path_join(&s->arena, s->output, "manifest.json");
        return manifest ? store_exists(manifest, done, err) : err_nomem(err, "a path");
    }
    ErrCode rc = store_exists(plan, &begun, err);
    if (rc != ERR_OK || !begun) return rc;
    rc = dataset_commit(s->output, done, &have, &all, err);
    if (rc == ERR_NO) return err->code = ERR_DATA; /* an alarm: status 1 is that of tasks on their way once more */
    if (rc == ERR_OK) log_info("%s: %" PRIu32 " of %" PRIu32 " parts are there", s->output, have, all);
    return rc;
}

/* *status: how the task ended, -1 where it did not come to say so. */
static ErrCode task_status(const Sweep *s, uint64_t task, int *status, Err *err)
{
    Arena a = {0};
    Buf text = {0};
    char name[80];
    bool exists = false;
    uint64_t n = 0;

    snprintf(name, sizeof name, "status/%.24s.%" PRIu64, s->verb, task);
    const char *path = path_join(&a, s->dir, name);
    ErrCode rc = path ? store_exists(path, &exists, err) : err_nomem(err, "a path");
    if (rc == ERR_OK && exists) rc = store_read(path, MAX_STATUS, &text, err);
    *status = rc == ERR_OK && exists && span_to_u64(span_trim(buf_span(&text)), &n) && n < 256 ? (int)n : -1;
    buf_clear(&text);
    arena_clear(&a);
    return rc;
}

/* "3,17-19": the tasks to be done again from *at on and before `end`, minus `base`; *at moves on behind the last that fitted. */
static void put_tasks(const Sweep *s, uint64_t *at, uint64_t end, uint64_t base, size_t most, Buf *b)
{
    while (*at < end && b->n < most) {
        uint64_t to = *at;
        if (!s->again[*at]) {
            ++*at;
            continue;
        }
        while (to + 1 < end && s->again[to + 1]) to++;
        buf_printf(b, "%s%" PRIu64, b->n ? "," : "", *at - base);
        if (to > *at) buf_printf(b, "-%" PRIu64, to - base);
        *at = to + 1;
    }
}

/* The band for which tasks ended with status 1, if that is why; ERR_OK: it is not. */
static ErrCode find_alarm(Sweep *s, Err *err)
{
    AlarmBands bands;
    ErrCode rc = alarm_load(&s->arena, s->output, &bands, err);

    if (rc == ERR_OK) rc = alarm_fired(s->output, &bands, err);
    return rc == ERR_NO ? err->code = ERR_DATA : rc; /* as in all_there() */
}

/* Marks the tasks to be done again; ERR_DATA where doing so cannot help. */
static ErrCode look_at_tasks(Sweep *s, Err *err)
{
    uint64_t n_again = 0, at = 0, bad = 0;
    int status, bad_status = 0;
    Buf named = {0};
    ErrCode rc = ERR_OK;

    for (uint64_t i = 0; i < s->tasks && rc == ERR_OK; i++) {
        rc = task_status(s, i, &status, err);
        s->again[i] = status != 0;
        n_again += s->again[i];
        if (!bad_status && (status == 1 || status == 2 || status == 4 || status == 5)) bad = i, bad_status = status;
    }
    /* Every task says that its share is done, and yet parts are missing: they were deleted, or left to one that died. */
    if (rc == ERR_OK && n_again == 0) memset(s->again, true, s->tasks * sizeof *s->again);
    /* A share of dedup or tokenize ends well once it has done what the others had made possible. */
    s->stuck = n_again || (strcmp(s->verb, "dedup") != 0 && strcmp(s->verb, "tokenize") != 0);
    put_tasks(s, &at, s->tasks, 0, MAX_NAMED, &named);
    const char *tasks = buf_cstr(&named);
    if (rc == ERR_OK && bad_status == 1) rc = find_alarm(s, err);
    if (rc == ERR_OK && bad_status)
        rc = err_set(err, ERR_DATA,
                     "%s: task %" PRIu64 " of %" PRIu64 " ended with status %d: see %s/log; not done: %s", s->verb,
                     bad, s->tasks, bad_status, s->dir, tasks ? tasks : "");
    else if (rc == ERR_OK && ((s->stuck && s->tries == s->retries) || s->rounds == MAX_ROUNDS))
        rc = err_set(err, ERR_DATA,
                     "%s: parts are missing after %" PRIu64 " rounds; tasks not done, of %" PRIu64 ": %s", s->verb,
                     s->rounds + 1, s->tasks, tasks ? tasks : "");
    else if (rc == ERR_OK)
        log_info("%s: once more the tasks %s of %" PRIu64, s->verb, tasks ? tasks : "", s->tasks);
    buf_clear(&named);
    return rc;
}

/* --- once more */

static ErrCode submit_array(Sweep *s, const Buf *indices, uint64_t first, Err *err)
{
    size_t cap = s->n_arrays;
    uint64_t *more = array_grow(s->array, s->n_arrays, &cap, sizeof *more);

    if (!more) return err_nomem(err, "a sweep");
    s->array = more;
    const SlurmCall call = {
        .dir = s->dir, .name = s->verb, .indices = (const char *)indices->p, .first = (uint32_t)first};
    ErrCode rc = slurm_sbatch(&call, &s->array[s->n_arrays], err);
    if (rc == ERR_OK) s->n_arrays++;
    return rc;
}

static ErrCode submit_arrays(Sweep *s, Err *err)
{
    Buf indices = {0};
    ErrCode rc = ERR_OK;

    for (uint64_t first = 0; first < s->tasks && rc == ERR_OK; first += s->max_array) {
        const uint64_t end = s->tasks - first < s->max_array ? s->tasks : first + s->max_array;
        for (uint64_t at = first; at < end && rc == ERR_OK;) {
            buf_reset(&indices);
            put_tasks(s, &at, end, first, MAX_INDICES, &indices);
            if (indices.n && !buf_cstr(&indices)) rc = err_nomem(err, "a sweep");
            if (indices.n && rc == ERR_OK) rc = submit_array(s, &indices, first, err);
        }
    }
    buf_clear(&indices);
    return rc;
}

static ErrCode submit_next(Sweep *s, Err *err)
{
    Buf after = {0};

    slurm_put_after(&after, "afterany", s->array, s->n_arrays);
    /* Held until jobs.json, which it reads, knows of it. */
    const SlurmCall call = {.dir = s->dir, .name = s->commit, .after = buf_cstr(&after), .hold = true};
    ErrCode rc = call.after ? slurm_sbatch(&call, &s->next, err) : err_nomem(err, "a sweep");
    buf_clear(&after);
    return rc;
}

static bool waits_for(const Json *job, uint64_t id)
{
    const Json *after = json_get(job, "after");
    uint64_t n;

    for (const Json *e = after ? after->child : NULL; e; e = e->next)
        if (e->type == JSON_NUMBER && span_to_u64(e->string, &n) && n == id) return true;
    return false;
}

static ErrCode release_next(const Sweep *s, Err *err)
{
    char id[24];
    const char *const argv[] = {"scontrol", "release", id, NULL};
    Buf says = {0};

    snprintf(id, sizeof id, "%" PRIu64, s->next);
    ErrCode rc = slurm_command(argv, &says, err);
    buf_clear(&says);
    return rc;
}

/* What waits for this job waits for the next one from now on. */
static ErrCode hand_over(const Sweep *s, const Json *job, Err *err)
{
    char id[40], after[40];
    const char *const argv[] = {"scontrol", "update", id, after, NULL};
    Buf says = {0};
    uint64_t n;

    ErrCode rc = json_get_u64(job, "id", 0, "jobs.json", &n, err);
    if (rc != ERR_OK) return rc;
    snprintf(id, sizeof id, "JobId=%" PRIu64, n);
    snprintf(after, sizeof after, "Dependency=afterok:%" PRIu64, s->next);
    rc = slurm_command(argv, &says, err);
    buf_clear(&says);
    return rc;
}

/* An entry of another stage, waiting for the new job where it waited for this one. */
static ErrCode copy_entry(const Sweep *s, const Json *job, Buf *b, Err *err)
{
    SlurmEntry e = {0};
    uint64_t first, tasks, tries, rounds, gate = s->next;
    ErrCode rc;

    if ((rc = json_get_str(job, "name", "jobs.json", &e.name, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(job, "output", "jobs.json", &e.output, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(job, "id", 0, "jobs.json", &e.id, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(job, "first", 0, "jobs.json", &first, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(job, "tasks", 0, "jobs.json", &tasks, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(job, "tries", 0, "jobs.json", &tries, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(job, "rounds", 0, "jobs.json", &rounds, err)) != ERR_OK) return rc;
    e.rounds = (uint32_t)rounds;
    e.first = (uint32_t)first, e.tasks = (uint32_t)tasks, e.tries = (uint32_t)tries;
    if (!e.name) return err_set(err, ERR_DATA, "%s/jobs.json is damaged", s->dir);
    const Json *after = json_get(job, "after");
    uint64_t *ids = calloc(after && after->n ? after->n : 1, sizeof *ids);
    if (!ids) return err_nomem(err, "jobs.json");
    for (const Json *v = after ? after->child : NULL; v; v = v->next)
        if (v->type == JSON_NUMBER && span_to_u64(v->string, &ids[e.n_after])) e.n_after++;
    e.after = waits_for(job, s->id) ? &gate : ids;
    if (e.after == &gate) e.n_after = 1;
    slurm_put_entry(b, &e);
    free(ids);
    return ERR_OK;
}

static void put_own(const Sweep *s, Buf *b)
{
    for (size_t i = 0; i < s->n_arrays; i++)
        slurm_put_entry(b, &(SlurmEntry){.name = s->verb, .id = s->array[i], .tasks = (uint32_t)s->tasks});
    slurm_put_entry(b, &(SlurmEntry){.name = s->commit,
                                     .id = s->next,
                                     .tasks = (uint32_t)s->tasks,
                                     .tries = (uint32_t)s->tries + s->stuck,
                                     .rounds = (uint32_t)s->rounds + 1,
                                     .output = s->output,
                                     .after = s->array,
                                     .n_after = s->n_arrays});
}

static ErrCode write_state(Sweep *s, Err *err)
{
    const char *path = path_join(&s->arena, s->dir, "jobs.json");
    const Json *jobs = json_get(s->state, "jobs");
    Buf b = {0};
    ErrCode rc = path ? ERR_OK : err_nomem(err, "a path");

    slurm_put_head(&b, (uint32_t)s->max_array, (uint32_t)s->retries);
    for (const Json *j = jobs->child; j && rc == ERR_OK; j = j->next) {
        const Json *name = json_get(j, "name");
        if (j == s->self)
            put_own(s, &b);
        else if (!name || !span_is(name->string, s->verb))
            rc = copy_entry(s, j, &b, err);
    }
    slurm_put_tail(&b);
    if (rc == ERR_OK) rc = buf_ok(&b, "jobs.json", err);
    if (rc == ERR_OK) rc = store_write(path, buf_span(&b), err);
    buf_clear(&b);
    return rc;
}

static ErrCode once_more(Sweep *s, Err *err)
{
    const Json *jobs = json_get(s->state, "jobs");
    ErrCode rc;

    slurm_forget_job();
    if ((rc = submit_arrays(s, err)) != ERR_OK) return rc;
    if ((rc = submit_next(s, err)) != ERR_OK) return rc;
    if ((rc = write_state(s, err)) != ERR_OK) return rc;
    for (const Json *j = jobs->child; j && rc == ERR_OK; j = j->next)
        if (waits_for(j, s->id)) rc = hand_over(s, j, err);
    if (rc == ERR_OK) rc = release_next(s, err);
    if (rc == ERR_OK) log_info("jobs %" PRIu64 " to %" PRIu64 " see to them", s->array[0], s->next);
    return rc;
}

ErrCode slurm_sweep(const char *run, const char *verb, Err *err)
{
    Sweep s = {0};
    bool done = false;

    ErrCode rc = load(&s, run, verb, err);
    if (rc == ERR_OK) rc = all_there(&s, &done, err);
    if (rc == ERR_OK && !done) rc = look_at_tasks(&s, err);
    if (rc == ERR_OK && !done) rc = once_more(&s, err);
    free(s.again);
    free(s.array);
    arena_clear(&s.arena);
    return rc;
}
