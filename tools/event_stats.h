/* tools/event_stats.h - an event log in numbers: what each stage's parts cost, which were slow, and how evenly the ranks worked in
 * each phase. */
#ifndef TAMIS_TOOLS_EVENT_STATS_H
#define TAMIS_TOOLS_EVENT_STATS_H

#include "core/events.h"
#include "tools/eventlog.h"

enum { STATS_MAX_SLOWEST = 16 };

/* The parts of one stage, each counted once. */
typedef struct {
    const char *stage;
    size_t n_parts, n_again, n_keys; /* n_again: made more than once; n_keys: datasets, or runs of one */
    uint64_t n_in, n_docs, n_dropped, bytes_in, bytes_out, text_bytes;
    uint64_t peak_bytes; /* the largest of all processes */
    double begin;        /* of the first part */
    double busy_s;       /* seconds in which at least one part was under way */
    double cpu_s, median_s;
    uint32_t n_ranks; /* the most that worked at it together */
    double imbalance; /* CPU seconds of the busiest rank over the mean of all; 0 for one rank */
    const LogPart *slowest[STATS_MAX_SLOWEST];
    size_t n_slowest;
} LogStage;

/* Spans of one kind: `of` that differ in a number at the end alone (band_000, band_001, …) are one. Seconds of lane 0 and of others are added: they are work, not wall clock, where threads have spans of their own. */
typedef struct {
    const char *verb, *name;
    char of[EVENTS_MAX_NAME + 2]; /* "band_*" */
    size_t n;
    double begin;           /* of the first */
    double worst_s, mean_s; /* of a rank's sum, over ranks */
    uint64_t bytes;
    uint32_t n_ranks;
} LogPhase;

typedef struct {
    LogStage *stage; /* by begin */
    LogPhase *phase; /* by begin */
    size_t n_stages, n_phases;
} EventStats;

/* Borrows the log. */
MUST_USE ErrCode eventstats_make(EventStats *s, const EventLog *log, Err *err);
void eventstats_clear(EventStats *s);
/* NULL: no part of that stage. */
const LogStage *eventstats_stage(const EventStats *s, const char *stage);

#endif
