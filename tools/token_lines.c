#include "tools/token_lines.h"

#include "core/dataset_mixture.h"
#include "core/lines.h"
#include "core/store.h"
#include "core/turns.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <stdlib.h>

const char *linefile_name(const char *path) { return strcmp(path, "-") == 0 ? "stdin" : path_base(path); }

static bool has_lines_name(const char *path)
{
    static const char *const ends[] = {".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst"};
    const size_t n = strlen(path);

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (n >= strlen(ends[i]) && strcmp(path + n - strlen(ends[i]), ends[i]) == 0) return true;
    return false;
}

ErrCode tokenlines_check(const char *path, Err *err)
{
    LineFile *f = NULL;
    LineBlock b = {0};
    Buf decoded = {0};
    LineDoc doc;
    bool end = false;
    ErrCode rc;

    if (has_lines_name(path)) return ERR_OK;
    rc = linefile_open(&f, path, false, err);
    if (rc == ERR_OK) rc = linefile_next(f, &b, &end, err);
    Span rest = buf_span(&b.bytes), line = {NULL, 0};
    while (rest.n && span_trim(line).n == 0) line = line_take(&rest);
    if (rc == ERR_OK && span_trim(line).n && line_read(&decoded, line, &doc) == LINE_BAD_JSON)
        rc = err_set(err, ERR_DATA, "%s is no JSON Lines: a dataset is a directory, plain text wants --text", path);
    linefile_close(f);
    buf_clear(&b.bytes);
    buf_clear(&decoded);
    return rc;
}

/* --- lines that give no document */

static void drop(LineDrops *d, uint32_t part, uint64_t line, LineReason reason)
{
    d->n[reason]++;
    if (d->line && (d->part < part || (d->part == part && d->line < line))) return;
    d->part = part, d->line = line, d->reason = reason;
}

void linedrops_add(LineDrops *into, const LineDrops *from)
{
    for (int i = 0; i < LINE_N_REASONS; i++) into->n[i] += from->n[i];
    if (!from->line ||
        (into->line && (into->part < from->part || (into->part == from->part && into->line <= from->line))))
        return;
    into->part = from->part, into->line = from->line, into->reason = from->reason;
}

/* Appends "5 bad_json, 1 no_text"; how many that is. */
static uint64_t put_reasons(Buf *b, const uint64_t lines[LINE_N_REASONS])
{
    uint64_t n = 0;

    for (int i = 0; i < LINE_N_REASONS; i++) {
        if (lines[i]) buf_printf(b, "%s%" PRIu64 " %s", n ? ", " : "", lines[i], line_reasons[i]);
        n += lines[i];
    }
    return n;
}

void linedrops_warn(const LineDrops *d, const TokenInput *in)
{
    Buf reasons = {0};
    const uint64_t n = put_reasons(&reasons, d->n);

    if (n && d->line && buf_cstr(&reasons))
        log_warn("tokenize: %" PRIu64 " line%s left out: %s; the first is line %" PRIu64 " of %s (%s)", n,
                 n == 1 ? " was" : "s were", buf_cstr(&reasons), d->line, linefile_name(in->spec.path[d->part]),
                 line_reasons[d->reason]);
    buf_clear(&reasons);
}

/* --- reading */

typedef struct {
    LineBlock block;
    uint32_t part;
    Buf decoded, id;
    size_t id_head; /* bytes of `id` before the number of the line */
    LineDrops drops;
    uint64_t n_docs;
} LineThread;

typedef struct {
    const TokenInput *in;
    LineFiles files;
    TokenEach each;
    TokenDone done;
    void *ctx;
    Progress *progress;
    LineThread *thread;
} LineScan;

static ErrCode take_block(void *ctx, int thread, bool *end, Err *err)
{
    LineScan *s = ctx;
    LineThread *t = &s->thread[thread];

    return linefiles_next(&s->files, &t->block, &t->part, end, err);
}

/* What a line says. LINE_N_REASONS: it is a document. */
static LineReason read_line(const TokenInput *in, LineThread *t, Span line, LineDoc *out)
{
    LineReason reason = LINE_N_REASONS;

    if (in->kind == TOKEN_TEXT)
        *out = (LineDoc){.text = line};
    else
        reason = line_read(&t->decoded, line, out);
    if (reason == LINE_N_REASONS && in->spec.documents && span_trim(out->text).n == 0) return LINE_EMPTY_TEXT;
    return reason;
}

static ErrCode give_line(LineScan *s, int thread, Span line, uint64_t number, uint64_t at, Err *err)
{
    LineThread *t = &s->thread[thread];
    const uint64_t *before = &s->in->before[t->part], bytes = before[1] - before[0];
    LineDoc d;

    if (s->in->kind == TOKEN_JSONL && span_trim(line).n == 0) return ERR_OK;
    if (number >= DOCID_MAX_RECORDS)
        return err_set(err, ERR_LIMIT, "%s: more than %d lines: cut it into several files", s->in->spec.path[t->part],
                       DOCID_MAX_RECORDS);
    const LineReason reason = read_line(s->in, t, line, &d);
    if (t->decoded.oom) return err_nomem(err, "a line");
    if (reason != LINE_N_REASONS) {
        drop(&t->drops, t->part, number + 1, reason);
        return ERR_OK;
    }
    t->id.n = t->id_head;
    buf_put_u64(&t->id, number);
    const TokenDoc doc = {.id = buf_span(&t->id),
                          .text = d.text,
                          .domain = d.domain.p ? d.domain : SPAN_LIT(DOMAIN_DEFAULT),
                          .lang = d.lang,
                          .own_id = d.id,
                          .doc = docid(0, t->part, (uint32_t)number),
                          .part = t->part,
                          .record = (uint32_t)number,
                          .before = before[0] + (at < bytes ? at : bytes)};
    t->n_docs++;
    return t->id.oom ? err_nomem(err, "an id") : s->each(s->ctx, thread, &doc, err);
}

static ErrCode give_block(void *ctx, int thread, Err *err)
{
    LineScan *s = ctx;
    LineThread *t = &s->thread[thread];
    const uint64_t n_before = t->n_docs;
    Span rest = buf_span(&t->block.bytes);
    uint64_t number = t->block.first_line, at = t->block.begin;
    ErrCode rc = ERR_OK;

    buf_reset(&t->id);
    buf_puts(&t->id, "local/");
    utf8_repair(&t->id, span_str(linefile_name(s->in->spec.path[t->part])));
    buf_putc(&t->id, '#');
    t->id_head = t->id.n;
    if (t->block.too_long) drop(&t->drops, t->part, number + 1, LINE_TOO_LONG);
    for (; rest.n && rc == ERR_OK; number++) {
        const Span line = line_take(&rest);
        rc = give_line(s, thread, line, number, at, err);
        at += line.n;
    }
    progress_add(s->progress, t->n_docs - n_before, t->block.bytes.n);
    progress_tick(s->progress);
    return rc;
}

static ErrCode finish_block(void *ctx, int thread, Err *err)
{
    LineScan *s = ctx;

    return s->done(s->ctx, thread, err);
}

ErrCode tokeninput_check(const TokenInput *in, const uint64_t lines[LINE_N_REASONS], uint64_t n_docs, Err *err)
{
    if (n_docs || in->kind == TOKEN_DATASETS) return ERR_OK;
    const char *name = linefile_name(in->spec.path[0]), *others = in->spec.n > 1 ? " and others" : "";
    const bool is_json = in->kind == TOKEN_JSONL;
    Buf reasons = {0};
    const uint64_t n = put_reasons(&reasons, lines);
    ErrCode rc = buf_ok(&reasons, "a message", err);
    const bool wrong = rc == ERR_OK && (n || in->spec.documents);
    if (wrong && n == lines[LINE_EMPTY_TEXT])
        rc = err_set(err, ERR_DATA, "%s%s: %s", name, others, n ? "all texts are blank" : "no text in it");
    else if (wrong)
        rc = err_set(err, ERR_DATA, "%s%s: no line is a %s (%s)%s", name, others,
                     is_json ? "JSON object with a text" : "text", buf_cstr(&reasons),
                     is_json ? "; plain text wants --text" : "");
    buf_clear(&reasons);
    return rc;
}

ErrCode tokenlines_read(const TokenInput *in, int threads, uint32_t begin, uint32_t end, TokenEach each,
                        TokenDone done, void *ctx, LineDrops *drops, Progress *progress, Err *err)
{
    const Turns turns = {take_block, give_block, done ? finish_block : NULL};
    LineScan s = {.in = in,
                  .files = {.path = in->spec.path, .at = begin, .end = end, .soon = done != NULL},
                  .each = each,
                  .done = done,
                  .ctx = ctx,
                  .progress = progress};
    LineDrops mine = {0};
    uint64_t n_docs = 0;
    ErrCode rc;

    if (!(s.thread = calloc((size_t)threads, sizeof *s.thread))) return err_nomem(err, "readers");
    rc = turns_run(&turns, &s, threads, err);
    linefiles_close(&s.files);
    for (int i = 0; i < threads; i++) {
        LineThread *t = &s.thread[i];
        linedrops_add(&mine, &t->drops);
        n_docs += t->n_docs;
        buf_clear(&t->block.bytes);
        buf_clear(&t->decoded);
        buf_clear(&t->id);
    }
    free(s.thread);
    if (rc == ERR_OK && done) rc = tokeninput_check(in, mine.n, n_docs, err);
    linedrops_add(drops, &mine);
    return rc;
}
