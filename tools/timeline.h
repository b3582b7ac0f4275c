/* tools/timeline.h - the figure of who did what when: a row a process (a rank), bars for its phases over seconds. */
#ifndef TAMIS_TOOLS_TIMELINE_H
#define TAMIS_TOOLS_TIMELINE_H

#include "tools/eventlog.h"

enum { TIMELINE_MAX_ROWS = 64 };

/* Appends the SVG and its legend, or nothing for an empty log. Time in which no process worked is cut out. */
MUST_USE ErrCode timeline_put(Buf *b, const EventLog *log, Err *err);

#endif
