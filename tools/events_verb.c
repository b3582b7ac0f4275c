/* `tamis events`: what a run did and when, as a table or as a trace. */
#include "core/log.h"
#include "core/store.h"
#include "tools/dir_verb.h"
#include "tools/event_stats.h"
#include "tools/perfetto.h"
#include "tools/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

typedef struct {
    const char *perfetto;
    uint32_t slowest;
    CommonOptions common;
} Options;

static void print_head(const EventLog *log)
{
    const time_t began = (time_t)log->origin;
    char day[32] = "";
    struct tm tm;
    size_t n_open = 0, n_failed = 0;
    uint64_t lost = 0;

    if (gmtime_r(&began, &tm)) strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%SZ", &tm);
    for (size_t i = 0; i < log->n_processes; i++) {
        n_open += log->process[i].status < 0;
        n_failed += log->process[i].status > 0;
        lost += log->process[i].lost;
    }
    printf("%zu processes in %.1f seconds from %s", log->n_processes, log->length, day);
    if (n_failed) printf(", %zu failed", n_failed);
    if (n_open) printf(", %zu without an end (at work, or killed)", n_open);
    printf("\n");
    if (lost) printf("%" PRIu64 " events were not written: they came too fast, or were too many\n", lost);
    if (log->n_damaged) printf("%" PRIu64 " damaged lines were passed over\n", log->n_damaged);
    if (log->n_left_out) printf("%" PRIu64 " events were left out here: too many\n", log->n_left_out);
}

/* A number, or "-" where it is not known. */
static void print_known(int width, int decimals, double v)
{
    if (v > 0)
        printf(" %*.*f", width, decimals, v);
    else
        printf(" %*s", width, "-");
}

static void print_stages(const EventStats *s)
{
    printf("\n%-12s %6s %6s %12s %12s %12s %9s %9s %10s %8s %5s %9s\n", "stage", "parts", "again", "in", "out",
           "dropped", "seconds", "CPU s", "MB/s/core", "peak MB", "ranks", "imbalance");
    for (size_t i = 0; i < s->n_stages; i++) {
        const LogStage *st = &s->stage[i];
        printf("%-12s %6zu %6zu %12" PRIu64 " %12" PRIu64 " %12" PRIu64, st->stage, st->n_parts, st->n_again,
               st->n_in, st->n_docs, st->n_dropped);
        printf(" %9.1f %9.1f", st->busy_s, st->cpu_s);
        print_known(10, 1, st->cpu_s > 0 ? (double)st->bytes_in / 1e6 / st->cpu_s : 0); /* tokenize does not count */
        printf(" %8.0f %5" PRIu32, (double)st->peak_bytes / 1e6, st->n_ranks);
        print_known(9, 2, st->imbalance);
        putchar('\n');
    }
}

static void print_slowest(const EventLog *log, const EventStats *s, uint32_t most)
{
    if (s->n_stages && most) printf("\nslowest parts\n");
    for (size_t i = 0; i < s->n_stages; i++)
        for (size_t k = 0; k < s->stage[i].n_slowest && k < most; k++) {
            const LogPart *p = s->stage[i].slowest[k];
            const LogProcess *by = &log->process[p->process];
            printf("%-12s %6" PRIu32 " %9.2f s, median %.2f s, %" PRIu64 " in, rank %" PRIu32 " on %s\n", p->stage,
                   p->part, p->end - p->begin, s->stage[i].median_s, p->n_in, by->rank, by->host);
        }
}

static void print_phases(const EventStats *s)
{
    if (s->n_phases)
        printf("\n%-10s %-16s %-16s %6s %9s %9s %10s %5s %9s\n", "verb", "phase", "of", "times", "seconds", "mean",
               "MB", "ranks", "imbalance");
    for (size_t i = 0; i < s->n_phases; i++) {
        const LogPhase *p = &s->phase[i];
        printf("%-10s %-16s %-16s %6zu %9.3f %9.3f %10.1f %5" PRIu32, p->verb, p->name, p->of, p->n, p->worst_s,
               p->mean_s, (double)p->bytes / 1e6, p->n_ranks);
        print_known(9, 2, p->n_ranks > 1 && p->mean_s > 0 ? p->worst_s / p->mean_s : 0);
        putchar('\n');
    }
}

static ErrCode print_tables(const EventLog *log, const Options *o, Err *err)
{
    EventStats stats;
    ErrCode rc = eventstats_make(&stats, log, err);

    if (rc != ERR_OK) return rc;
    print_head(log);
    if (stats.n_stages) print_stages(&stats);
    print_slowest(log, &stats, o->slowest);
    print_phases(&stats);
    eventstats_clear(&stats);
    return ERR_OK;
}

static ErrCode show(const char *dir, const void *options, Err *err)
{
    const Options *o = options;
    EventLog log;
    ErrCode rc = eventlog_load(&log, dir, err);

    if (rc != ERR_OK) return rc;
    if (log.n_processes == 0) rc = err_set(err, ERR_NO, "%s: no events here", dir);
    if (rc == ERR_OK && !o->perfetto) rc = print_tables(&log, o, err);
    if (rc == ERR_OK && o->perfetto) rc = perfetto_write(&log, o->perfetto, err);
    if (rc == ERR_OK && o->perfetto)
        log_info("%s: %zu processes, %zu spans, %zu parts", o->perfetto, log.n_processes, log.n_spans, log.n_parts);
    eventlog_clear(&log);
    return rc;
}

static ErrCode check_values(void *options, Err *err)
{
    const Options *o = options;

    if (o->slowest <= STATS_MAX_SLOWEST) return ERR_OK;
    return err_set(err, ERR_USAGE, "events: --slowest is at most %d", STATS_MAX_SLOWEST);
}

int events_verb(int argc, char **argv)
{
    Options o = {.slowest = 3};
    const OptSpec specs[] = {
        OPT_STR('p', "perfetto", &o.perfetto, "FILE", "write a trace for ui.perfetto.dev instead of the table"),
        OPT_U32('n', "slowest", &o.slowest, "N", "parts of each stage that are named as its slowest"),
        OPT_COMMON_TALK(&o.common),
        OPT_CHECK(check_values, &o),
        OPT_END,
    };
    const OptVerb verb = {
        "events", "[options] DIR",
        "Say what a run did and when: what its parts cost, which were slow, how evenly the ranks worked in\n"
        "each phase. DIR: a run directory, or what a verb's --events named. Works while the run does.",
        specs, NULL};
    return dir_verb(&verb, argc, argv, show, &o, &o.common);
}
