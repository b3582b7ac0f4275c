/* train/train_log.c - the log of a run (train/train_log.h). */
#include "train/train_log.h"

#include "core/log.h"
#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOG_MAX_BYTES = 1 << 30 };

struct TrainLog {
    int fd;
    char *path;
    Arena arena;
    Buf line;
    double seconds, first_loss, last_loss;
    uint64_t step, evaluated; /* of the newest lines */
};

static void note_step(TrainLog *log, uint64_t step, double loss, double seconds)
{
    if (step == 1) log->first_loss = loss;
    log->last_loss = loss;
    log->seconds = seconds;
    log->step = step;
}

static double number(const Json *line, const char *key)
{
    const Json *v = json_get(line, key);
    return v && v->type == JSON_NUMBER ? v->number : NAN;
}

/* A line of ours that goes on from those kept so far? An evaluation of step `last` is not kept. */
static bool keep_line(TrainLog *log, const Json *line, uint64_t step, uint64_t last)
{
    const double at = number(line, "step"), loss = number(line, "loss"), seconds = number(line, "seconds");

    if (!(at >= 1 && at <= (double)step)) return false;
    const uint64_t whole = (uint64_t)at;
    if (isnan(loss)) {
        if (isnan(number(line, "heldout_loss")) || whole == last || whole <= log->evaluated) return false;
        log->evaluated = whole;
        return true;
    }
    if (isnan(seconds) || whole <= log->step) return false;
    note_step(log, whole, loss, seconds);
    return true;
}

/* Appends to `kept` the lines up to `step`. A damaged one costs no other. */
static ErrCode keep_lines(TrainLog *log, Span text, uint64_t step, uint64_t last, Buf *kept, Err *err)
{
    Arena arena = {0};
    uint64_t n_damaged = 0;
    ErrCode rc = ERR_OK;

    while (text.n > 0 && rc == ERR_OK) {
        const size_t n = span_find(text, '\n');
        Json *line;
        if (n == text.n) break;
        rc = json_parse(&arena, span(text.p, n), log->path, &line, err);
        if (rc == ERR_OK && keep_line(log, line, step, last)) buf_put(kept, text.p, n + 1);
        if (rc == ERR_DATA) n_damaged++, rc = ERR_OK;
        arena_reset(&arena);
        text = span_from(text, n + 1);
    }
    if (n_damaged) log_warn("%s: damaged lines left out: %" PRIu64, log->path, n_damaged);
    if (log->step != step) log->last_loss = NAN;
    arena_clear(&arena);
    return rc == ERR_OK ? buf_ok(kept, "the training log", err) : rc;
}

static ErrCode cut_back(TrainLog *log, uint64_t step, uint64_t last, Err *err)
{
    Buf text = {0}, kept = {0};
    bool there = false;
    ErrCode rc = store_exists(log->path, &there, err);

    if (rc == ERR_OK && there && step > 0) rc = store_read(log->path, LOG_MAX_BYTES, &text, err);
    if (rc == ERR_OK) rc = keep_lines(log, buf_span(&text), step, last, &kept, err);
    if (rc == ERR_OK && (!there || step == 0 || kept.n != text.n)) rc = store_write(log->path, buf_span(&kept), err);
    buf_clear(&text);
    buf_clear(&kept);
    return rc;
}

ErrCode trainlog_open(TrainLog **out, const char *dir, uint64_t step, uint64_t last, Err *err)
{
    TrainLog *log = calloc(1, sizeof *log);
    ErrCode rc;

    *out = NULL;
    if (!log) return err_nomem(err, "the training log");
    log->fd = -1;
    log->first_loss = log->last_loss = NAN;
    log->path = path_join(&log->arena, dir, "log.jsonl");
    rc = log->path ? cut_back(log, step, last, err) : err_nomem(err, "a path");
    if (rc == ERR_OK) {
        log->fd = open(log->path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (log->fd < 0) rc = err_sys(err, "cannot open %s", log->path);
    }
    if (rc == ERR_OK)
        *out = log;
    else
        trainlog_close(log);
    return rc;
}

double trainlog_seconds(const TrainLog *log) { return log->seconds; }
double trainlog_first_loss(const TrainLog *log) { return log->first_loss; }
double trainlog_last_loss(const TrainLog *log) { return log->last_loss; }
uint64_t trainlog_evaluated(const TrainLog *log) { return log->evaluated; }

/* One write(2) a line: a kill leaves whole lines, but for a full disk. */
static ErrCode flush_line(TrainLog *log, Err *err)
{
    ErrCode rc = buf_ok(&log->line, "the training log", err);

    for (size_t at = 0; rc == ERR_OK && at < log->line.n;) {
        const ssize_t n = write(log->fd, log->line.p + at, log->line.n - at);
        if (n > 0)
            at += (size_t)n;
        else if (n == 0 || errno != EINTR)
            rc = err_sys(err, "cannot write %s", log->path);
    }
    buf_reset(&log->line);
    return rc;
}

ErrCode trainlog_step(TrainLog *log, const StepLine *s, Err *err)
{
    buf_printf(&log->line,
               "{\"step\":%" PRIu64 ",\"tokens\":%" PRIu64
               ",\"loss\":%.9g,\"grad_norm\":%.9g,\"lr\":%.9g,\"tok_s\":%.0f,"
               "\"seconds\":%.3f}\n",
               s->step, s->tokens, s->loss, s->grad_norm, s->lr, s->tok_s, s->seconds);
    note_step(log, s->step, s->loss, s->seconds);
    return flush_line(log, err);
}

ErrCode trainlog_eval(TrainLog *log, uint64_t step, uint64_t tokens, const EvalResult *r, const DataSource *d,
                      Err *err)
{
    const char *comma = "";

    buf_printf(&log->line,
               "{\"step\":%" PRIu64 ",\"tokens\":%" PRIu64
               ",\"heldout_loss\":%.9g,\"heldout_bpb\":%.9g,\"heldout_tokens\":%" PRIu64 ",\"streams\":{",
               step, tokens, eval_loss(&r->all), eval_bpb(&r->all), r->all.tokens);
    for (uint32_t i = 0; i < d->n_streams; i++) {
        if (r->stream[i].tokens == 0) continue;
        buf_puts(&log->line, comma);
        json_put_cstr(&log->line, d->stream_name(d->ctx, i));
        buf_printf(&log->line, ":{\"loss\":%.9g,\"bpb\":%.9g}", eval_loss(&r->stream[i]), eval_bpb(&r->stream[i]));
        comma = ",";
    }
    buf_puts(&log->line, "}}\n");
    log->evaluated = step;
    return flush_line(log, err);
}

void trainlog_close(TrainLog *log)
{
    if (!log) return;
    if (log->fd >= 0) close(log->fd);
    buf_clear(&log->line);
    arena_clear(&log->arena);
    free(log);
}
