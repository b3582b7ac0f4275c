/* Event files, line by line. */
#include "tools/eventlog.h"

#include "core/events.h"
#include "core/json.h"
#include "core/log.h"
#include "core/store.h"
#include "tools/eventlog_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static const double SECONDS_MAX = 1e12; /* beyond it no clock of ours has been; keeps sums finite */

typedef struct {
    uint64_t id;
    size_t span;
} OpenSpan;

struct EventReader {
    EventLog *log;
    Arena line; /* the tree of one line */
    const char *name[EVENTLOG_MAX_NAMES];
    size_t n_names;
    LogClock *clock; /* one a process */
    size_t cap_clocks, cap_processes, cap_spans, cap_parts, cap_samples;
    /* the file at hand */
    bool started;
    double last_t;
    OpenSpan open[EVENTLOG_MAX_OPEN];
    size_t n_open;
    bool left_out_span; /* so that an end may be that of a span we do not have */
};

ErrCode eventreader_new(EventReader **out, EventLog *log, Err *err)
{
    EventReader *r = *out = calloc(1, sizeof *r);

    *log = (EventLog){0};
    if (!r) return err_nomem(err, "events");
    r->log = log;
    return ERR_OK;
}

void eventreader_free(EventReader *r)
{
    if (!r) return;
    for (size_t i = 0; r->clock && i < r->log->n_processes; i++) free(r->clock[i].barrier);
    free(r->clock);
    arena_clear(&r->line);
    free(r);
}

void eventlog_clear(EventLog *log)
{
    arena_clear(&log->arena);
    free(log->process);
    free(log->span);
    free(log->part);
    free(log->sample);
    *log = (EventLog){0};
}

/* --- members. What is not there, or cannot be, is 0 or "". */

static bool get_seconds(const Json *line, const char *key, double *out)
{
    const Json *v = json_get(line, key);
    const bool good = v && v->type == JSON_NUMBER && fabs(v->number) <= SECONDS_MAX;

    *out = good ? v->number : 0;
    return good;
}

static double get_duration(const Json *line, const char *key)
{
    double v;

    return get_seconds(line, key, &v) && v > 0 ? v : 0;
}

static uint64_t get_count(const Json *line, const char *key)
{
    const Json *v = json_get(line, key);
    uint64_t n = 0;

    return v && v->type == JSON_NUMBER && span_to_u64(v->string, &n) && n <= INT64_MAX ? n
                                                                                       : 0; /* sums stay below 2^64 */
}

static uint32_t get_u32(const Json *line, const char *key, uint32_t most)
{
    const uint64_t n = get_count(line, key);
    return n <= most ? (uint32_t)n : 0;
}

static Span get_text(const Json *line, const char *key)
{
    const Json *v = json_get(line, key);
    return v && v->type == JSON_STRING ? v->string : (Span){NULL, 0};
}

static uint64_t get_hex(const Json *line, const char *key)
{
    const Span s = get_text(line, key);
    uint64_t v = 0;

    for (size_t i = 0; i < s.n && i < 16; i++) v = v << 4 | (uint64_t)(ascii_hex(s.p[i]) & 15);
    return v;
}

/* A name for terminals, pages and traces: printable ASCII, which is what we write. */
static char *plain_name(Arena *a, Span s)
{
    char *name = arena_str(a, span(s.p, s.n < EVENTS_MAX_NAME ? s.n : EVENTS_MAX_NAME));

    for (char *c = name; c && *c; c++)
        if (*c < 32 || *c > 126) *c = '_';
    return name;
}

/* The one copy of a name; NULL when there is no memory. */
static const char *intern(EventReader *r, Span s)
{
    if (s.n == 0) return "";
    if (s.n > EVENTS_MAX_NAME) s.n = EVENTS_MAX_NAME;
    for (size_t i = 0; i < r->n_names; i++)
        if (span_is(s, r->name[i])) return r->name[i];
    if (r->n_names == EVENTLOG_MAX_NAMES) return "other";
    const char *name = plain_name(&r->log->arena, s);
    if (name) r->name[r->n_names++] = name;
    return name;
}

/* Whether there may be one more of a kind; what is beyond the limit is counted. */
static bool has_room(EventReader *r, size_t n)
{
    r->log->n_left_out += n == EVENTLOG_MAX_EVENTS;
    return n < EVENTLOG_MAX_EVENTS;
}

/* --- events */

/* The file system's time where the host believes another: a file system gives whole seconds at worst. */
static double time_of_day(const Json *line)
{
    enum { APART = 3 };
    double host, files;
    const bool have_host = get_seconds(line, "time", &host), have_files = get_seconds(line, "fs_time", &files);

    return have_files && (!have_host || fabs(files - host) > APART) ? files : host;
}

static ErrCode on_start(EventReader *r, const Json *line, double t, bool *good, Err *err)
{
    EventLog *log = r->log;
    LogProcess *all;
    LogClock *clock;
    double began;

    *good = !r->started && get_count(line, "version") == 1 && log->n_processes < EVENTLOG_MAX_FILES;
    if (!*good) return ERR_OK;
    if (!(clock = array_grow(r->clock, log->n_processes, &r->cap_clocks, sizeof *clock)))
        return err_nomem(err, "events");
    r->clock = clock;
    if (!(all = array_grow(log->process, log->n_processes, &r->cap_processes, sizeof *all)))
        return err_nomem(err, "events");
    log->process = all;
    clock[log->n_processes] = (LogClock){.t = t, .day = time_of_day(line)};
    LogProcess *p = &all[log->n_processes++];
    *p = (LogProcess){.verb = intern(r, get_text(line, "verb")),
                      .host = plain_name(&log->arena, get_text(line, "host")),
                      .pid = get_count(line, "pid"),
                      .gang = get_hex(line, "gang"),
                      .rank = get_u32(line, "rank", INT32_MAX),
                      .n_ranks = get_u32(line, "ranks", INT32_MAX),
                      .threads = get_u32(line, "threads", INT32_MAX),
                      .begin = t,
                      .end = t,
                      .status = -1};
    if (get_seconds(line, "began", &began) && began < t) p->begin = began;
    r->started = true;
    r->n_open = 0;
    r->left_out_span = false;
    return p->verb && p->host ? ERR_OK : err_nomem(err, "events");
}

static uint64_t sum_dropped(const Json *line)
{
    const Json *dropped = json_get(line, "dropped");
    uint64_t n = 0, v;

    for (const Json *d = dropped && dropped->type == JSON_OBJECT ? dropped->child : NULL; d; d = d->next)
        if (d->type == JSON_NUMBER && span_to_u64(d->string, &v) && v <= INT64_MAX - n) n += v;
    return n;
}

static ErrCode on_part(EventReader *r, const Json *line, double t, bool *good, Err *err)
{
    EventLog *log = r->log;
    LogPart *all;

    *good = get_text(line, "stage").n > 0;
    if (!*good || !has_room(r, log->n_parts)) return ERR_OK;
    if (!(all = array_grow(log->part, log->n_parts, &r->cap_parts, sizeof *all))) return err_nomem(err, "events");
    log->part = all;
    LogPart *p = &all[log->n_parts++];
    *p = (LogPart){.process = (uint32_t)log->n_processes - 1,
                   .stage = intern(r, get_text(line, "stage")),
                   .part = get_u32(line, "part", UINT32_MAX),
                   .attempt = get_u32(line, "attempt", UINT32_MAX),
                   .n_in = get_count(line, "n_in"),
                   .n_docs = get_count(line, "n_docs"),
                   .n_dropped = sum_dropped(line),
                   .bytes_in = get_count(line, "bytes_in"),
                   .bytes_out = get_count(line, "bytes_out"),
                   .text_bytes = get_count(line, "text_bytes"),
                   .peak_bytes = get_count(line, "peak_bytes"),
                   .begin = t - get_duration(line, "wall_s"),
                   .end = t,
                   .cpu_s = get_duration(line, "cpu_s"),
                   .read_s = get_duration(line, "read_s"),
                   .write_s = get_duration(line, "write_s"),
                   .wait_s = get_duration(line, "wait_s")};
    if (!hash128_parse(get_text(line, "key"), &p->key)) p->key = (Hash128){0, 0};
    return p->stage ? ERR_OK : err_nomem(err, "events");
}

static ErrCode on_begin(EventReader *r, const Json *line, double t, bool *good, Err *err)
{
    EventLog *log = r->log;
    LogSpan *all;

    *good = get_count(line, "span") > 0 && get_text(line, "name").n > 0;
    if (!*good) return ERR_OK;
    if (r->n_open == EVENTLOG_MAX_OPEN || log->n_spans == EVENTLOG_MAX_EVENTS) {
        r->left_out_span = true;
        log->n_left_out++;
        return ERR_OK;
    }
    if (!(all = array_grow(log->span, log->n_spans, &r->cap_spans, sizeof *all))) return err_nomem(err, "events");
    log->span = all;
    LogSpan *s = &all[log->n_spans++];
    *s = (LogSpan){.process = (uint32_t)log->n_processes - 1,
                   .lane = get_u32(line, "lane", PAR_MAX_THREADS),
                   .name = intern(r, get_text(line, "name")),
                   .of = intern(r, get_text(line, "of")),
                   .begin = t,
                   .end = t};
    r->open[r->n_open++] = (OpenSpan){get_count(line, "span"), log->n_spans - 1};
    return s->name && s->of ? ERR_OK : err_nomem(err, "events");
}

/* The newest of that number, and no other: what lies between was not ended. */
static void on_end(EventReader *r, const Json *line, double t, bool *good)
{
    const uint64_t id = get_count(line, "span");
    size_t i = r->n_open;

    while (i > 0 && r->open[i - 1].id != id) i--;
    *good = i > 0 || r->left_out_span;
    if (i == 0) return;
    LogSpan *s = &r->log->span[r->open[i - 1].span];
    s->end = t > s->begin ? t : s->begin;
    s->ended = true;
    s->records = get_count(line, "records");
    s->bytes = get_count(line, "bytes");
    memmove(&r->open[i - 1], &r->open[i], (r->n_open - i) * sizeof *r->open);
    r->n_open--;
}

static ErrCode on_barrier(EventReader *r, const Json *line, double t, bool *good, Err *err)
{
    LogClock *c = &r->clock[r->log->n_processes - 1];
    const uint64_t n = get_count(line, "n");
    LogBarrier *grown;

    *good = n > 0 && (c->n == 0 || n > c->barrier[c->n - 1].n) && c->n < EVENTLOG_MAX_BARRIERS;
    if (!*good) return ERR_OK;
    if (!(grown = array_grow(c->barrier, c->n, &c->cap, sizeof *grown))) return err_nomem(err, "events");
    c->barrier = grown;
    c->barrier[c->n++] = (LogBarrier){n, t};
    return ERR_OK;
}

static ErrCode on_sample(EventReader *r, const Json *line, double t, Err *err)
{
    EventLog *log = r->log;
    const Span of = get_text(line, "of");
    LogSample *all;

    if (!has_room(r, log->n_samples)) return ERR_OK;
    if (!(all = array_grow(log->sample, log->n_samples, &r->cap_samples, sizeof *all)))
        return err_nomem(err, "events");
    log->sample = all;
    LogSample *s = &all[log->n_samples++];
    *s = (LogSample){.process = (uint32_t)log->n_processes - 1,
                     .t = t,
                     .cpu_s = get_duration(line, "cpu_s"),
                     .rss_bytes = get_count(line, "rss_bytes"),
                     .bytes = get_count(line, "bytes"),
                     .docs = get_count(line, "docs"),
                     .of = of.n ? intern(r, of) : NULL};
    return of.n && !s->of ? err_nomem(err, "events") : ERR_OK;
}

static void on_last(EventReader *r, const Json *line)
{
    LogProcess *p = &r->log->process[r->log->n_processes - 1];

    p->status = (int)get_u32(line, "status", 255);
    p->cpu_s = get_duration(line, "cpu_s");
    p->peak_bytes = get_count(line, "peak_bytes");
    p->lost = get_count(line, "lost_spans") + get_count(line, "lost_lines");
}

/* *good: it was an event we know, or one that a later version may have. */
static ErrCode on_line(EventReader *r, const Json *line, bool *good, Err *err)
{
    const Span event = get_text(line, "event");
    double t;

    *good = event.n > 0 && get_seconds(line, "t", &t) && (r->started || span_is(event, "start"));
    if (!*good) return ERR_OK;
    if (span_is(event, "start")) return on_start(r, line, t, good, err);
    LogProcess *p = &r->log->process[r->log->n_processes - 1];
    if (t > p->end) p->end = t;
    if (t < p->begin) p->begin = t;
    if (span_is(event, "part")) return on_part(r, line, t, good, err);
    if (span_is(event, "begin")) return on_begin(r, line, t, good, err);
    if (span_is(event, "barrier")) return on_barrier(r, line, t, good, err);
    if (span_is(event, "sample")) return on_sample(r, line, t, err);
    if (span_is(event, "end")) on_end(r, line, t, good);
    if (span_is(event, "exit")) on_last(r, line);
    return ERR_OK;
}

/* --- files */

/* What the process did not end, ended with it. */
static void end_file(EventReader *r)
{
    for (size_t i = 0; i < r->n_open; i++)
        r->log->span[r->open[i].span].end = r->log->process[r->log->n_processes - 1].end;
    r->n_open = 0;
    r->started = false;
}

ErrCode eventreader_file(EventReader *r, Span text, Err *err)
{
    ErrCode rc = ERR_OK;

    while (text.n && rc == ERR_OK) {
        const size_t n = span_find(text, '\n');
        Json *line = NULL;
        bool good = n < text.n && n < EVENTS_MAX_LINE; /* a line without its end was torn */
        if (good) {
            rc = json_parse(&r->line, span(text.p, n), "events", &line, err);
            if (rc == ERR_NOMEM) break;
            good = rc == ERR_OK;
            rc = ERR_OK;
        }
        if (good) rc = on_line(r, line, &good, err);
        r->log->n_damaged += !good;
        arena_reset(&r->line);
        text = span_from(text, n + 1);
    }
    end_file(r);
    return rc;
}

ErrCode eventreader_end(EventReader *r, Err *err) { return eventlog_settle(r->log, r->clock, err); }

static ErrCode load_file(EventReader *r, const char *path, Buf *text, Err *err)
{
    const size_t most = (size_t)EVENTS_MAX_BYTES + EVENTS_MAX_LINE;
    ErrCode rc;

    buf_reset(text);
    rc = store_read(path, most, text, err);
    if (rc == ERR_LIMIT) log_warn("%s: larger than our event files are; left out", path);
    if (rc == ERR_LIMIT) return ERR_OK;
    return rc == ERR_OK ? eventreader_file(r, buf_span(text), err) : rc;
}

static bool ends_with(const char *s, const char *tail)
{
    const size_t n = strlen(s), m = strlen(tail);
    return n > m && strcmp(s + n - m, tail) == 0;
}

ErrCode eventlog_load(EventLog *log, const char *dir, Err *err)
{
    EventReader *r = NULL;
    StoreList list = {0};
    Arena paths = {0};
    Buf text = {0};
    bool below = false;
    ErrCode rc;

    if ((rc = eventreader_new(&r, log, err)) != ERR_OK) return rc;
    const char *inner = path_join(&paths, dir, "events");
    rc = inner ? store_is_dir(inner, &below, err) : err_nomem(err, "a path");
    if (below) dir = inner;
    if (rc == ERR_OK) rc = store_list(dir, &list, err);
    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        if (!ends_with(list.name[i], ".jsonl")) continue;
        const char *path = path_join(&paths, dir, list.name[i]);
        rc = path ? load_file(r, path, &text, err) : err_nomem(err, "a path");
    }
    if (rc == ERR_OK) rc = eventreader_end(r, err);
    storelist_clear(&list);
    arena_clear(&paths);
    buf_clear(&text);
    eventreader_free(r);
    if (rc != ERR_OK) eventlog_clear(log);
    return rc;
}
