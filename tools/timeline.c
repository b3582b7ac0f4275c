#include "tools/timeline.h"

#include "tools/svg.h"
#include "tools/tracks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lengths are units of the drawing, which is as wide as the page's text. */
enum {
    WIDTH = 860,
    LEFT = 150,
    RIGHT = 12,
    ROW = 26,
    BAR_TOP = 4,
    BAR = 18, /* of the process */
    PHASE_TOP = 6,
    PHASE = 8, /* phases of the verb */
    INNER_TOP = 15,
    INNER = 5, /* of exchanges, below them */
    AXIS = 34,
    CUTS_MAX = 64 /* further idle time stays in the picture */
};
static const double CUT_SHARE = 0.02; /* of busy time: idle time longer than that is cut out */
static const double LEAST_SEEN = 0.4; /* bars of one kind this near are drawn as one */

/* --- the axis: seconds of the log without the idle time cut out */

typedef struct {
    double from, to; /* of the log, idle */
} Cut;

typedef struct {
    Cut cut[CUTS_MAX];
    size_t n;
    double length; /* seconds that are left */
} Axis;

static double axis_seconds(const Axis *a, double t)
{
    double at = t;

    for (size_t i = 0; i < a->n && a->cut[i].from < t; i++)
        at -= (t < a->cut[i].to ? t : a->cut[i].to) - a->cut[i].from;
    return at;
}

static double axis_x(const Axis *a, double t)
{
    return LEFT + (a->length > 0 ? axis_seconds(a, t) / a->length : 0) * (WIDTH - LEFT - RIGHT);
}

/* Processes are sorted by begin. */
static Axis make_axis(const EventLog *log)
{
    Axis a = {0};
    double end = 0, busy = log->length;

    for (size_t i = 0; i < log->n_processes; i++) {
        if (log->process[i].begin > end) busy -= log->process[i].begin - end;
        if (log->process[i].end > end) end = log->process[i].end;
    }
    end = 0;
    for (size_t i = 0; i < log->n_processes; i++) {
        const LogProcess *p = &log->process[i];
        if (p->begin - end > CUT_SHARE * busy && a.n < CUTS_MAX) a.cut[a.n++] = (Cut){end, p->begin};
        if (p->end > end) end = p->end;
    }
    a.length = log->length;
    for (size_t i = 0; i < a.n; i++) a.length -= a.cut[i].to - a.cut[i].from;
    return a;
}

/* --- bars */

typedef enum { KIND_WORK, KIND_EXCHANGE, KIND_WAIT, N_KINDS } Kind;
static const char *const kind_names[N_KINDS] = {"work on parts and phases", "exchange: send, deliver",
                                                "waiting for ranks"};

static Kind kind_of(const LogSpan *s)
{
    static const char *const exchange[] = {"send", "flip", "deliver", "fill", "round", "wide bin", "spill"};

    if (strcmp(s->name, "wait") == 0) return KIND_WAIT;
    for (size_t i = 0; i < sizeof exchange / sizeof *exchange; i++)
        if (strcmp(s->name, exchange[i]) == 0) return KIND_EXCHANGE;
    return KIND_WORK;
}

/* A bar that may still grow: what follows it closely and is of its kind is drawn with it. */
typedef struct {
    double from, to; /* x */
    Kind kind;
    const LogSpan *first;
    size_t n;
} Pending;

static void put_pending(Buf *b, Pending *p, double y, int height)
{
    const LogSpan *s = p->first;

    if (!p->n) return;
    const double width = p->to - p->from;
    buf_printf(b, "<rect class=\"t%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"><title>", (int)p->kind,
               p->from, y, width < LEAST_SEEN ? LEAST_SEEN : width, height);
    html_put(b, span_str(s->name));
    if (s->of[0]) buf_putc(b, ' ');
    html_put(b, span_str(s->of));
    if (p->n > 1)
        buf_printf(b, " and %zu more", p->n - 1);
    else
        buf_printf(b, ", %.2f s", s->end - s->begin);
    buf_puts(b, "</title></rect>\n");
    p->n = 0;
}

/* The spans of one depth, 0 (phases of the verb) or deeper, of the first thread. */
static void put_spans(Buf *b, const Axis *a, const TrackItem *item, size_t n, bool inner, double y, int height)
{
    Pending p = {0};

    for (size_t i = 0; i < n; i++) {
        const LogSpan *s = item[i].what;
        const Kind kind = kind_of(s);
        const double from = axis_x(a, s->begin), to = axis_x(a, s->end);
        const bool deep = item[i].depth > 0 || kind != KIND_WORK;
        if (item[i].track != 0 || deep != inner) continue;
        if (p.n && (kind != p.kind || from - p.to > LEAST_SEEN)) put_pending(b, &p, y, height);
        if (!p.n) p = (Pending){.from = from, .to = to, .kind = kind, .first = s};
        if (to > p.to) p.to = to;
        p.n++;
    }
    put_pending(b, &p, y, height);
}

/* --- rows */

/* Which processes are drawn: all, or of each verb as many as there is room for, spread over them. */
typedef struct {
    size_t process[TIMELINE_MAX_ROWS], n;
} Rows;

typedef struct {
    const char *verb;
    size_t n, seen;
} VerbCount;

/* Finds or adds; NULL when there are more verbs than rows. */
static VerbCount *find_verb(VerbCount *v, size_t *n, const char *verb)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(v[i].verb, verb) == 0) return &v[i];
    if (*n == TIMELINE_MAX_ROWS) return NULL;
    v[*n] = (VerbCount){.verb = verb};
    return &v[(*n)++];
}

static Rows choose_rows(const EventLog *log)
{
    VerbCount verb[TIMELINE_MAX_ROWS], *v;
    size_t n_verbs = 0;
    Rows r = {.n = 0};

    for (size_t i = 0; i < log->n_processes; i++)
        if ((v = find_verb(verb, &n_verbs, log->process[i].verb)) != NULL) v->n++;
    const size_t quota = log->n_processes <= TIMELINE_MAX_ROWS ? TIMELINE_MAX_ROWS : TIMELINE_MAX_ROWS / n_verbs;
    for (size_t i = 0; i < log->n_processes && r.n < TIMELINE_MAX_ROWS; i++) {
        if (!(v = find_verb(verb, &n_verbs, log->process[i].verb))) continue;
        const size_t at = v->seen++;
        if (v->n <= quota || at * quota / v->n != (at + 1) * quota / v->n) r.process[r.n++] = i;
    }
    return r;
}

static void put_label(Buf *b, const EventLog *log, size_t process, double y)
{
    const LogProcess *p = &log->process[process];
    char rank[48] = "";

    if (p->n_ranks > 1) snprintf(rank, sizeof rank, " %" PRIu32, p->rank);
    buf_printf(b, "<text class=\"l\" x=\"%d\" y=\"%.1f\">", LEFT - 8, y + 17);
    html_put(b, span_str(p->verb));
    buf_puts(b, rank);
    buf_puts(b, "</text>\n");
}

static void put_process(Buf *b, const EventLog *log, const Axis *a, size_t process, double y)
{
    const LogProcess *p = &log->process[process];
    const double from = axis_x(a, p->begin), to = axis_x(a, p->end);

    put_label(b, log, process, y);
    buf_printf(b, "<rect class=\"p\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"><title>", from, y + BAR_TOP,
               to - from < 1 ? 1.0 : to - from, BAR);
    html_put(b, span_str(p->verb));
    buf_printf(b, " on ");
    html_put(b, span_str(p->host));
    buf_printf(b, ", %.2f s, %.2f CPU s, peak %.0f MB%s</title></rect>\n", p->end - p->begin, p->cpu_s,
               (double)p->peak_bytes / 1e6,
               p->status < 0 ? ", without an end"
               : p->status   ? ", failed"
                             : "");
}

/* The spans of a process in lane 0, [first, end) of the log's. */
static ErrCode put_row(Buf *b, const EventLog *log, const Axis *a, size_t process, size_t first, size_t end, double y,
                       Err *err)
{
    TrackItem *item = malloc((end - first + 1) * sizeof *item);

    if (!item) return err_nomem(err, "the timeline");
    for (size_t i = first; i < end; i++)
        item[i - first] = (TrackItem){.begin = log->span[i].begin, .end = log->span[i].end, .what = &log->span[i]};
    tracks_lay(item, end - first, false);
    put_process(b, log, a, process, y);
    put_spans(b, a, item, end - first, false, y + PHASE_TOP, PHASE);
    put_spans(b, a, item, end - first, true, y + INNER_TOP, INNER);
    free(item);
    return ERR_OK;
}

static ErrCode put_rows(Buf *b, const EventLog *log, const Axis *a, const Rows *rows, Err *err)
{
    size_t at = 0, end;
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < rows->n && rc == ERR_OK; i++) {
        const size_t process = rows->process[i];
        while (at < log->n_spans && log->span[at].process < process) at++;
        for (end = at; end < log->n_spans && log->span[end].process == process && log->span[end].lane == 0;) end++;
        rc = put_row(b, log, a, process, at, end, (double)i * ROW, err);
    }
    return rc;
}

/* --- around them */

typedef struct {
    const char *name;
    double seconds;
} Unit;

static Unit unit_of(double length)
{
    if (length < 600) return (Unit){"seconds", 1};
    return length < 4 * 3600 ? (Unit){"minutes", 60} : (Unit){"hours", 3600};
}

static void put_axis(Buf *b, const Axis *a, double bottom)
{
    const double length = a->length / unit_of(a->length).seconds, step = svg_step(length, 8);

    for (int i = 0; i * step <= length; i++) {
        const double x = LEFT + i * step / length * (WIDTH - LEFT - RIGHT);
        buf_printf(b, "<path class=\"g\" d=\"M%.1f 0V%.0f\"/><text class=\"m\" x=\"%.1f\" y=\"%.0f\">%.10g</text>\n",
                   x, bottom, x, bottom + 15, i * step);
    }
    for (size_t i = 0; i < a->n; i++) {
        const double x = axis_x(a, a->cut[i].from);
        buf_printf(b, "<path class=\"d\" d=\"M%.1f 0V%.0f\"><title>%.0f idle seconds cut out</title></path>\n", x,
                   bottom, a->cut[i].to - a->cut[i].from);
    }
}

static void put_legend(Buf *b, const Axis *a, double y)
{
    int x = LEFT;

    for (int k = 0; k < N_KINDS; k++, x += 190)
        buf_printf(b,
                   "<rect class=\"t%d\" x=\"%d\" y=\"%.0f\" width=\"14\" height=\"8\"/><text x=\"%d\" "
                   "y=\"%.0f\">%s</text>\n",
                   k, x, y - 8, x + 20, y, kind_names[k]);
    buf_printf(b, "<text class=\"l\" x=\"%d\" y=\"%.0f\">%s</text>\n", WIDTH - RIGHT, y, unit_of(a->length).name);
}

ErrCode timeline_put(Buf *b, const EventLog *log, Err *err)
{
    const Rows rows = choose_rows(log);
    const double bottom = (double)rows.n * ROW + 4;
    const Axis a = make_axis(log);

    if (rows.n == 0 || !(a.length > 0)) return ERR_OK;
    buf_printf(b, "<svg role=\"img\" viewBox=\"0 0 %d %.0f\"><title>phases of each process over time</title>\n",
               WIDTH, bottom + AXIS);
    put_axis(b, &a, bottom);
    ErrCode rc = put_rows(b, log, &a, &rows, err);
    put_legend(b, &a, bottom + AXIS - 3);
    buf_puts(b, "</svg>\n");
    if (rows.n < log->n_processes)
        buf_printf(b, "<p class=\"quiet\">Drawn are %zu of %zu processes.</p>\n", rows.n, log->n_processes);
    return rc;
}
