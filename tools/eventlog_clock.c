/* What files say of their clocks, made one time; then the order that readers want. tools/eventlog.h says how and why. */
#include "tools/eventlog_impl.h"

#include <stdlib.h>
#include <string.h>

static int cmp_double(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct {
    uint64_t gang;
    uint32_t rank;
    size_t process;
} Member;

static int cmp_member(const void *pa, const void *pb)
{
    const Member *a = pa, *b = pb;

    if (a->gang != b->gang) return a->gang < b->gang ? -1 : 1;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return (a->process > b->process) - (a->process < b->process);
}

/* The median of how far `c` is behind `ref` at the barriers that both wrote down; false: there is none. `at` has room for c->n. */
static bool lag_behind(const LogClock *ref, const LogClock *c, double *at, double *lag)
{
    size_t n = 0;

    for (size_t i = 0, k = 0; i < ref->n && k < c->n;) {
        if (ref->barrier[i].n == c->barrier[k].n) at[n++] = ref->barrier[i].t - c->barrier[k].t;
        const bool step_ref = ref->barrier[i].n <= c->barrier[k].n, step_c = c->barrier[k].n <= ref->barrier[i].n;
        i += step_ref;
        k += step_c;
    }
    if (!n) return false;
    qsort(at, n, sizeof *at, cmp_double);
    *lag = (at[(n - 1) / 2] + at[n / 2]) / 2;
    return true;
}

/* zero[i]: the time of day at which process i's clock was 0. Members [begin, end) are one gang, by rank. */
static void align_gang(const Member *m, size_t begin, size_t end, const LogClock *clock, double *zero, double *room)
{
    size_t ref = begin;
    double lag;

    while (ref < end && clock[m[ref].process].n == 0) ref++; /* the lowest rank that has any */
    for (size_t i = ref + 1; i < end; i++)
        if (lag_behind(&clock[m[ref].process], &clock[m[i].process], room, &lag))
            zero[m[i].process] = zero[m[ref].process] + lag;
}

static ErrCode find_zeros(const EventLog *log, const LogClock *clock, double *zero, Err *err)
{
    size_t most = 1, n = log->n_processes;

    for (size_t i = 0; i < n; i++) {
        zero[i] = clock[i].day - clock[i].t;
        if (clock[i].n > most) most = clock[i].n;
    }
    Member *m = malloc((n + 1) * sizeof *m);
    double *room = malloc(most * sizeof *room);
    if (m && room) {
        for (size_t i = 0; i < n; i++) m[i] = (Member){log->process[i].gang, log->process[i].rank, i};
        if (n) qsort(m, n, sizeof *m, cmp_member);
        for (size_t begin = 0, end; begin < n; begin = end) {
            for (end = begin + 1; end < n && m[end].gang == m[begin].gang;) end++;
            if (m[begin].gang) align_gang(m, begin, end, clock, zero, room);
        }
    }
    const bool ok = m && room;
    free(m);
    free(room);
    return ok ? ERR_OK : err_nomem(err, "events");
}

static void shift_all(EventLog *log, const double *zero)
{
    LogProcess *p = log->process;

    log->origin = p[0].begin + zero[0];
    for (size_t i = 1; i < log->n_processes; i++)
        if (p[i].begin + zero[i] < log->origin) log->origin = p[i].begin + zero[i];
    for (size_t i = 0; i < log->n_processes; i++) {
        p[i].shift = zero[i] - log->origin;
        p[i].begin += p[i].shift;
        p[i].end += p[i].shift;
        if (p[i].end > log->length) log->length = p[i].end;
    }
    for (size_t i = 0; i < log->n_spans; i++) {
        log->span[i].begin += p[log->span[i].process].shift;
        log->span[i].end += p[log->span[i].process].shift;
    }
    for (size_t i = 0; i < log->n_parts; i++) {
        LogPart *part = &log->part[i];
        part->begin += p[part->process].shift;
        part->end += p[part->process].shift;
        if (part->begin < p[part->process].begin) part->begin = p[part->process].begin;
    }
    for (size_t i = 0; i < log->n_samples; i++) log->sample[i].t += p[log->sample[i].process].shift;
}

/* --- order */

typedef struct {
    LogProcess p;
    uint32_t was;
} Placed;

static int cmp_process(const void *pa, const void *pb)
{
    const Placed *a = pa, *b = pb;

    if (a->p.begin != b->p.begin) return a->p.begin < b->p.begin ? -1 : 1;
    return (a->was > b->was) - (a->was < b->was);
}

static int cmp_span(const void *pa, const void *pb)
{
    const LogSpan *a = pa, *b = pb;

    if (a->process != b->process) return a->process < b->process ? -1 : 1;
    if (a->lane != b->lane) return a->lane < b->lane ? -1 : 1;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    return (a->end < b->end) - (a->end > b->end);
}

/* Of the same part the same, of another another way round. */
static int cmp_part_name(const LogPart *a, const LogPart *b)
{
    const int stage = strcmp(a->stage, b->stage);

    if (stage) return stage;
    if (a->key.hi != b->key.hi) return a->key.hi < b->key.hi ? -1 : 1;
    if (a->key.lo != b->key.lo) return a->key.lo < b->key.lo ? -1 : 1;
    return (a->part > b->part) - (a->part < b->part);
}

static int cmp_part(const void *pa, const void *pb)
{
    const LogPart *a = pa, *b = pb;
    const int name = cmp_part_name(a, b);

    return name ? name : (a->end > b->end) - (a->end < b->end);
}

static int cmp_sample(const void *pa, const void *pb)
{
    const LogSample *a = pa, *b = pb;

    if (a->process != b->process) return a->process < b->process ? -1 : 1;
    return (a->t > b->t) - (a->t < b->t);
}

static ErrCode sort_processes(EventLog *log, Err *err)
{
    const size_t n = log->n_processes;
    Placed *placed = malloc(n * sizeof *placed);
    uint32_t *now = malloc(n * sizeof *now);
    const bool ok = placed && now;

    for (size_t i = 0; ok && i < n; i++) placed[i] = (Placed){log->process[i], (uint32_t)i};
    if (ok) qsort(placed, n, sizeof *placed, cmp_process);
    for (size_t i = 0; ok && i < n; i++) {
        log->process[i] = placed[i].p;
        now[placed[i].was] = (uint32_t)i;
    }
    for (size_t i = 0; ok && i < log->n_spans; i++) log->span[i].process = now[log->span[i].process];
    for (size_t i = 0; ok && i < log->n_parts; i++) log->part[i].process = now[log->part[i].process];
    for (size_t i = 0; ok && i < log->n_samples; i++) log->sample[i].process = now[log->sample[i].process];
    free(placed);
    free(now);
    return ok ? ERR_OK : err_nomem(err, "events");
}

/* A process that was killed has no last line: what its samples said last. */
static void fill_in_cpu(EventLog *log)
{
    for (size_t i = 0; i < log->n_samples; i++) {
        LogProcess *p = &log->process[log->sample[i].process];
        if (log->sample[i].cpu_s > p->cpu_s) p->cpu_s = log->sample[i].cpu_s;
        if (log->sample[i].rss_bytes > p->peak_bytes) p->peak_bytes = log->sample[i].rss_bytes;
    }
}

ErrCode eventlog_settle(EventLog *log, const LogClock *clock, Err *err)
{
    double *zero;
    ErrCode rc;

    if (log->n_processes == 0) return ERR_OK;
    if (!(zero = malloc(log->n_processes * sizeof *zero))) return err_nomem(err, "events");
    rc = find_zeros(log, clock, zero, err);
    if (rc == ERR_OK) shift_all(log, zero);
    free(zero);
    if (rc != ERR_OK || (rc = sort_processes(log, err)) != ERR_OK) return rc;
    if (log->n_spans) qsort(log->span, log->n_spans, sizeof *log->span, cmp_span);
    if (log->n_parts) qsort(log->part, log->n_parts, sizeof *log->part, cmp_part);
    if (log->n_samples) qsort(log->sample, log->n_samples, sizeof *log->sample, cmp_sample);
    for (size_t i = 0; i + 1 < log->n_parts; i++)
        log->part[i].stale = cmp_part_name(&log->part[i], &log->part[i + 1]) == 0;
    fill_in_cpu(log);
    return ERR_OK;
}
