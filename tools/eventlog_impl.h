/* tools/eventlog_impl.h - private to eventlog.c, which reads lines, and eventlog_clock.c, which puts what they say on one clock. */
#ifndef TAMIS_TOOLS_EVENTLOG_IMPL_H
#define TAMIS_TOOLS_EVENTLOG_IMPL_H

#include "tools/eventlog.h"

typedef struct {
    uint64_t n;
    double t;
} LogBarrier;

/* What a file says of its clock. */
typedef struct {
    double t, day; /* the start: monotonic, and seconds since 1970 */
    LogBarrier *barrier;
    size_t n, cap; /* barriers, n rising */
} LogClock;

/* Shifts all times to the log's, and sorts. clock[i] is of log->process[i]. */
MUST_USE ErrCode eventlog_settle(EventLog *log, const LogClock *clock, Err *err);

#endif
