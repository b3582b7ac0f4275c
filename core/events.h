/* core/events.h - what a process did and when, for whoever looks afterwards: one JSON object a line, in a file of the process's own,
 * DIR/VERB.HOST.PID.jsonl (shared storage has no appending by two hosts). --events DIR switches it on; `tamis run` gives RUN/events.
 * docs/formats.md has the schema, tools/eventlog.h reads and merges the files.
 *
 * Events are talk, like the lines on stderr: nothing reads them to decide an output, they hold no content and are part of no key. So
 * the state is global, like that of core/log.h, and a hook is one line anywhere. Switched off, a call is one load. A failure to
 * write costs a warning and the events that follow, never the job.
 *
 * One write(2) a line: a killed process loses the line it was at. What a file may hold is bounded: beyond a rate spans, beyond a
 * size all lines are only counted, and the last line says how many. A process that had nothing to say leaves no file. */
#ifndef TAMIS_CORE_EVENTS_H
#define TAMIS_CORE_EVENTS_H

#include "core/hash.h"
#include "core/par.h"

#include <stdint.h>

enum {
    EVENTS_MAX_LINE = 4096,       /* bytes, the newline too */
    EVENTS_MAX_BYTES = 256 << 20, /* a file */
    EVENTS_MAX_NAME = 64,         /* bytes of a name: what is longer is cut */
    EVENTS_SPAN_BURST = 4096,     /* spans that may begin at once, */
    EVENTS_SPANS_A_SECOND = 100   /* and how fast that room comes back */
};

/* Collective over `par`, once a process; dir NULL: off. The file is made by the first event. */
void events_open(const char *dir, const char *verb, const Par *par);
bool events_on(void);
/* The last line, with the exit status. Fine when off. */
void events_close(int status);

/* --- a part that is finished: (stage, key, part) is its name, so that what was done twice can be told. Seconds, counts and bytes that
 * are 0 are taken for unknown where `docs/formats.md` says "if known". */
typedef struct {
    const char *stage;
    Hash128 key; /* of the stage's run */
    uint32_t part;
    uint32_t attempt;           /* from 1 */
    uint64_t n_in, n_docs;      /* documents or records in and out */
    const char *const *reasons; /* n_reasons names, and documents dropped for each; NULL: none */
    const uint64_t *dropped;
    uint32_t n_reasons;
    uint64_t bytes_in, bytes_out; /* read and written, as stored */
    uint64_t text_bytes;          /* of documents out */
    double wall_s, cpu_s;         /* from the part's beginning; of all threads for this part */
    double read_s, write_s, wait_s;
} PartEvent;
void event_part(const PartEvent *e);

/* --- spans: a phase that begins and ends in one lane, which is a thread's number. Spans of a lane nest; one that is never ended (an
 * error on the way) ends with the one around it. Names are the field's words, static or short: `name` the kind of work ("send"),
 * `of` what is worked at ("band"), may be NULL. */
typedef uint64_t EventSpan; /* 0: none, which event_end() ignores */
EventSpan event_begin(const char *name, const char *of, int lane);
/* Records and bytes that went through; 0 where not known. */
void event_end(EventSpan span, uint64_t n_records, uint64_t bytes);

/* --- all ranks have just left the same collective call, into which this one went at `began` (clock_seconds()): by what they say of it
 * readers put their clocks side by side; a rank that waited there for long says so with a span "wait". Main thread. */
void event_barrier(double began);

/* Memory, CPU seconds and progress, if it is time for a sample: call it often. `what` is the progress counted (NULL: none). */
void event_sample(const char *what, uint64_t docs, uint64_t bytes);

#endif
