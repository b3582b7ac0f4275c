/* tools/perfetto.h - an event log in the JSON of the Trace Event Format (Google, "Trace Event Format", 2016), which Perfetto and
 * chrome://tracing show: a row a process (a rank), in it a track a thread with its spans (B, E), tracks of parts, and counters (C) of
 * memory, cores in use and bytes a second. Times are microseconds from the log's first moment. */
#ifndef TAMIS_TOOLS_PERFETTO_H
#define TAMIS_TOOLS_PERFETTO_H

#include "tools/eventlog.h"

/* Publishes PATH. */
MUST_USE ErrCode perfetto_write(const EventLog *log, const char *path, Err *err);

#endif
