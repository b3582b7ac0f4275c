/* tools/eventlog.h - the event files of a run (core/events.h) read and merged: processes, their spans, parts and samples, all on one
 * clock. The files are talk: a line that was torn, that is no event of ours or that says what cannot be costs itself and is
 * counted, and so is what is beyond a limit.
 *
 * Clocks. A line's time is its host's monotonic clock, which runs evenly and counts from wherever it likes. The ranks of one launch
 * (a gang) have left the same collective calls at the same moments, but for the time a rank takes to wake up: the median of the
 * differences over all calls that two ranks both wrote down puts their clocks side by side, whatever the hosts believe the time to
 * be. Gangs have no such moments in common: they are placed by the time of day at their start, which is the file system's where
 * that differs from the host's (over a network it is one clock for all hosts), of the lowest rank there is. */
#ifndef TAMIS_TOOLS_EVENTLOG_H
#define TAMIS_TOOLS_EVENTLOG_H

#include "core/buf.h"
#include "core/hash.h"

enum {
    EVENTLOG_MAX_FILES = 1 << 18,
    EVENTLOG_MAX_EVENTS = 1 << 22, /* of each kind; some hundred bytes each */
    EVENTLOG_MAX_NAMES = 1024,     /* different stages and phases; what comes later is called "other" */
    EVENTLOG_MAX_OPEN = 1024,      /* spans of one process begun and not ended */
    EVENTLOG_MAX_BARRIERS = 4096   /* of one process */
};

/* Seconds count from the log's first moment. Strings live as long as the log. */
typedef struct {
    const char *verb, *host;
    uint64_t pid;
    uint64_t gang; /* the same for the processes of one launch; by rank they are told apart */
    uint32_t rank, n_ranks, threads;
    double begin, end; /* end: of its last event */
    double cpu_s;      /* as far as known */
    uint64_t peak_bytes;
    int status;    /* -1: it never came to its end */
    uint64_t lost; /* events it did not write */
    double shift;  /* what a line's t lacks to the log's seconds */
} LogProcess;

typedef struct {
    uint32_t process, lane;
    const char *name, *of; /* of: "" when there is none */
    double begin, end;
    bool ended; /* false: `end` is the process's */
    uint64_t records, bytes;
} LogSpan;

typedef struct {
    uint32_t process, part, attempt;
    const char *stage;
    Hash128 key;
    uint64_t n_in, n_docs, n_dropped, bytes_in, bytes_out, text_bytes, peak_bytes;
    double begin, end; /* begin == end where wall_s is not known */
    double cpu_s, read_s, write_s, wait_s;
    bool stale; /* the same part stands there again, made later */
} LogPart;

typedef struct {
    uint32_t process;
    double t, cpu_s;
    uint64_t rss_bytes, bytes, docs;
    const char *of; /* NULL: memory and CPU alone */
} LogSample;

typedef struct {
    Arena arena;
    LogProcess *process; /* by begin */
    LogSpan *span;       /* by process and lane, then begin, the longer first */
    LogPart *part;       /* by stage, key and part number, then end */
    LogSample *sample;   /* by process, then t */
    size_t n_processes, n_spans, n_parts, n_samples;
    double origin;                  /* the first moment, seconds since 1970 */
    double length;                  /* seconds to the last */
    uint64_t n_damaged, n_left_out; /* lines */
} EventLog;

/* Reads all of DIR/events, or of DIR itself when that is not there. A directory without event files is an empty log. */
MUST_USE ErrCode eventlog_load(EventLog *log, const char *dir, Err *err);
void eventlog_clear(EventLog *log);

/* The same from bytes: files one after the other, then the end, which sets the clocks and sorts. ERR_NOMEM alone. */
typedef struct EventReader EventReader;
MUST_USE ErrCode eventreader_new(EventReader **r, EventLog *log, Err *err);
MUST_USE ErrCode eventreader_file(EventReader *r, Span text, Err *err);
MUST_USE ErrCode eventreader_end(EventReader *r, Err *err);
void eventreader_free(EventReader *r);

#endif
