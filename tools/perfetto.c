#include "tools/perfetto.h"

#include "core/json.h"
#include "core/store.h"
#include "tools/tracks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FLUSH_BYTES = 1 << 20 };

typedef struct {
    const EventLog *log;
    OutFile *file;
    Buf b;
    bool comma;
    int pid, tid; /* of the process and track at hand; both count from 1 */
} Trace;

/* --- single events */

static void put_head(Trace *t, const char *ph)
{
    buf_printf(&t->b, "%s\n{\"ph\":\"%s\",\"pid\":%d", t->comma ? "," : "", ph, t->pid);
    t->comma = true;
}

static void put_event(Trace *t, const char *ph, double seconds)
{
    put_head(t, ph);
    buf_printf(&t->b, ",\"ts\":%.3f", seconds > 0 ? seconds * 1e6 : 0); /* the first moment, but for rounding */
}

/* process_name, thread_name, …: its one argument is a text, or a number when `text` is NULL. */
static void put_metadata(Trace *t, const char *name, const char *arg, const char *text, int number)
{
    put_head(t, "M");
    buf_printf(&t->b, ",\"tid\":%d,\"name\":\"%s\",\"args\":{\"%s\":", t->tid, name, arg);
    if (text)
        json_put_cstr(&t->b, text);
    else
        buf_printf(&t->b, "%d", number);
    buf_puts(&t->b, "}}");
}

static void put_end(Trace *t, double end)
{
    put_event(t, "E", end);
    buf_printf(&t->b, ",\"tid\":%d}", t->tid);
}

static void put_counter(Trace *t, double at, const char *name, const char *unit, double value)
{
    put_event(t, "C", at);
    buf_printf(&t->b, ",\"name\":\"%s\",\"args\":{\"%s\":%.3f}}", name, unit, value);
}

static ErrCode flush(Trace *t, size_t from, Err *err)
{
    ErrCode rc = buf_ok(&t->b, "a trace", err);

    if (rc != ERR_OK || t->b.n < from) return rc;
    rc = outfile_put(t->file, t->b.p, t->b.n, err);
    buf_reset(&t->b);
    return rc;
}

/* --- tracks */

typedef void (*PutBegin)(Trace *t, const void *what);

static void put_span(Trace *t, const void *what)
{
    const LogSpan *s = what;

    put_event(t, "B", s->begin);
    buf_printf(&t->b, ",\"tid\":%d,\"cat\":\"phase\",\"name\":", t->tid);
    if (s->of[0]) {
        char name[256];
        snprintf(name, sizeof name, "%s %s", s->name, s->of);
        json_put_cstr(&t->b, name);
    } else {
        json_put_cstr(&t->b, s->name);
    }
    buf_printf(&t->b, ",\"args\":{\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 "%s}}", s->records, s->bytes,
               s->ended ? "" : ",\"cut\":true");
}

static void put_part(Trace *t, const void *what)
{
    const LogPart *p = what;
    char name[128];

    snprintf(name, sizeof name, "%s part %" PRIu32, p->stage, p->part);
    put_event(t, "B", p->begin);
    buf_printf(&t->b, ",\"tid\":%d,\"cat\":\"part\",\"name\":", t->tid);
    json_put_cstr(&t->b, name);
    buf_printf(&t->b, ",\"args\":{\"attempt\":%" PRIu32 ",\"n_in\":%" PRIu64 ",\"n_docs\":%" PRIu64, p->attempt,
               p->n_in, p->n_docs);
    buf_printf(&t->b, ",\"dropped\":%" PRIu64 ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64, p->n_dropped,
               p->bytes_in, p->bytes_out);
    buf_printf(&t->b, ",\"cpu_s\":%.6f,\"read_s\":%.6f,\"write_s\":%.6f}}", p->cpu_s, p->read_s, p->write_s);
}

/* Every begin with its end, by time. */
static void put_track(Trace *t, const TrackItem *item, size_t n, int track, PutBegin put_begin)
{
    double end[TRACKS_MAX_DEPTH];
    int depth = 0;

    for (size_t i = 0; i < n; i++) {
        if (item[i].track != track) continue;
        while (depth > item[i].depth) put_end(t, end[--depth]);
        put_begin(t, item[i].what);
        end[depth++] = item[i].end;
    }
    while (depth > 0) put_end(t, end[--depth]);
}

static ErrCode put_tracks(Trace *t, TrackItem *item, size_t n, bool flat, const char *name, PutBegin put_begin,
                          Err *err)
{
    const int n_tracks = tracks_lay(item, n, flat);
    ErrCode rc = ERR_OK;

    for (int k = 0; k < n_tracks && rc == ERR_OK; k++) {
        char again[96];
        t->tid++;
        snprintf(again, sizeof again, "%s (%d)", name, k + 1);
        put_metadata(t, "thread_name", "name", k ? again : name, 0);
        put_metadata(t, "thread_sort_index", "sort_index", NULL, t->tid);
        put_track(t, item, n, k, put_begin);
        rc = flush(t, FLUSH_BYTES, err);
    }
    return rc;
}

/* The spans of one lane: [first, end) of the log's. */
static ErrCode put_lane(Trace *t, size_t first, size_t end, Err *err)
{
    const LogSpan *s = t->log->span;
    TrackItem *item = malloc((end - first) * sizeof *item);
    char name[32];

    if (!item) return err_nomem(err, "a trace");
    for (size_t i = first; i < end; i++)
        item[i - first] = (TrackItem){.begin = s[i].begin, .end = s[i].end, .what = &s[i]};
    snprintf(name, sizeof name, "thread %" PRIu32, s[first].lane);
    ErrCode rc = put_tracks(t, item, end - first, false, name, put_span, err);
    free(item);
    return rc;
}

/* --- processes */

static void put_counters(Trace *t, const LogSample *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const LogSample *before = i ? &s[i - 1] : NULL;
        put_counter(t, s[i].t, "memory", "MB", (double)s[i].rss_bytes / 1e6);
        if (!before || s[i].t <= before->t) continue;
        const double took = s[i].t - before->t;
        if (s[i].cpu_s >= before->cpu_s)
            put_counter(t, s[i].t, "cores in use", "cores", (s[i].cpu_s - before->cpu_s) / took);
        if (s[i].of && s[i].of == before->of && s[i].bytes >= before->bytes)
            put_counter(t, s[i].t, "input", "MB/s", (double)(s[i].bytes - before->bytes) / 1e6 / took);
    }
}

static void put_process(Trace *t, const LogProcess *p)
{
    char name[256];

    t->tid = 0;
    if (p->n_ranks > 1)
        snprintf(name, sizeof name, "%s, rank %" PRIu32 " of %" PRIu32 " (%s %" PRIu64 ")", p->verb, p->rank,
                 p->n_ranks, p->host, p->pid);
    else
        snprintf(name, sizeof name, "%s (%s %" PRIu64 ")", p->verb, p->host, p->pid);
    put_metadata(t, "process_name", "name", name, 0);
    put_metadata(t, "process_sort_index", "sort_index", NULL, t->pid);
    if (p->status != 0) put_metadata(t, "process_labels", "labels", p->status < 0 ? "no end" : "failed", 0);
}

static int by_process(const void *pa, const void *pb)
{
    const LogPart *a = *(const LogPart *const *)pa, *b = *(const LogPart *const *)pb;

    if (a->process != b->process) return a->process < b->process ? -1 : 1;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end > b->end ? -1 : 1;
    return (a > b) - (a < b);
}

/* Where each kind of event of the next process begins. */
typedef struct {
    size_t span, part, sample;
} Cursor;

static ErrCode put_all_of(Trace *t, uint32_t process, const LogPart **part, TrackItem *item, Cursor *at, Err *err)
{
    const EventLog *log = t->log;
    size_t n = 0, sample = at->sample;
    ErrCode rc = ERR_OK;

    t->pid = (int)process + 1;
    put_process(t, &log->process[process]);
    while (at->span < log->n_spans && log->span[at->span].process == process && rc == ERR_OK) {
        size_t end = at->span + 1;
        while (end < log->n_spans && log->span[end].process == process &&
               log->span[end].lane == log->span[at->span].lane)
            end++;
        rc = put_lane(t, at->span, end, err);
        at->span = end;
    }
    for (; at->part < log->n_parts && part[at->part]->process == process; at->part++, n++)
        item[n] = (TrackItem){.begin = part[at->part]->begin, .end = part[at->part]->end, .what = part[at->part]};
    if (rc == ERR_OK) rc = put_tracks(t, item, n, true, "parts", put_part, err);
    while (at->sample < log->n_samples && log->sample[at->sample].process == process) at->sample++;
    put_counters(t, log->sample + sample, at->sample - sample);
    return rc == ERR_OK ? flush(t, FLUSH_BYTES, err) : rc;
}

static ErrCode put_trace(Trace *t, Err *err)
{
    const EventLog *log = t->log;
    const LogPart **part = malloc((log->n_parts + 1) * sizeof(LogPart *));
    TrackItem *item = malloc((log->n_parts + 1) * sizeof *item);
    Cursor at = {0};
    ErrCode rc = part && item ? ERR_OK : err_nomem(err, "a trace");

    for (size_t i = 0; rc == ERR_OK && i < log->n_parts; i++) part[i] = &log->part[i];
    if (rc == ERR_OK && log->n_parts) qsort(part, log->n_parts, sizeof(LogPart *), by_process);
    buf_printf(&t->b,
               "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"program\":\"tamis " TAMIS_VERSION "\",\"origin\":%.6f}",
               log->origin);
    buf_puts(&t->b, ",\"traceEvents\":[");
    for (uint32_t i = 0; i < log->n_processes && rc == ERR_OK; i++) rc = put_all_of(t, i, part, item, &at, err);
    buf_puts(&t->b, "\n]}\n");
    free(part);
    free(item);
    return rc == ERR_OK ? flush(t, 0, err) : rc;
}

ErrCode perfetto_write(const EventLog *log, const char *path, Err *err)
{
    Trace t = {.log = log};
    ErrCode rc = outfile_open(&t.file, path, err);

    if (rc == ERR_OK) rc = put_trace(&t, err);
    if (rc == ERR_OK) rc = outfile_commit(&t.file, err);
    outfile_abandon(t.file);
    buf_clear(&t.b);
    return rc;
}
