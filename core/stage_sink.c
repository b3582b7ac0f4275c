#include "core/stage_sink.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

ErrCode sink_init(StageSink *s, const StageDef *def, bool want_rejected, Err *err)
{
    *s = (StageSink){.def = def, .want_rejected = want_rejected};
    assert(def->n_reasons <= DATASET_MAX_REASONS && def->n_columns < COLS_MAX);
    s->column = calloc(def->n_columns ? def->n_columns : 1, sizeof *s->column);
    return s->column ? ERR_OK : err_nomem(err, "the columns of a block");
}

/* All buffers but the columns. */
enum { SINK_BUFS = 8 };
static void list_bufs(StageSink *s, Buf *list[SINK_BUFS])
{
    Buf *all[SINK_BUFS] = {&s->lines,  &s->rejected,        &s->drop,           &s->pool, &s->stored,
                           &s->frames, &s->rejected_stored, &s->rejected_frames};

    memcpy(list, all, sizeof all);
}

uint64_t sink_held_bytes(StageSink *s)
{
    Buf *list[SINK_BUFS];
    uint64_t n = 0;

    list_bufs(s, list);
    for (int i = 0; i < SINK_BUFS; i++) n += list[i]->cap;
    for (uint32_t c = 0; c < s->def->n_columns; c++) n += s->column[c].cap;
    return n;
}

void sink_give_back(StageSink *s)
{
    Buf *list[SINK_BUFS];

    list_bufs(s, list);
    for (int i = 0; i < SINK_BUFS; i++) buf_clear(list[i]);
    for (uint32_t c = 0; s->column && c < s->def->n_columns; c++) buf_clear(&s->column[c]);
}

void sink_clear(StageSink *s)
{
    sink_give_back(s);
    free(s->column);
    counters_clear(&s->counters);
    *s = (StageSink){0};
}

/* Values of records the base does not show: NaN and ~0 mean absent, numbers are 0. */
static bool fill_absent(Buf *b, const ColumnDef *d, size_t n_values)
{
    size_t bytes = n_values * coltype_size(d->type);

    buf_reset(b);
    if (!buf_reserve(b, bytes)) return false;
    if (d->type == COL_F32) {
        for (size_t i = 0; i < n_values; i++)
            le32_put(b->p + 4 * i, 0x7fc00000u); /* the quiet NaN, one bit pattern */
    } else {
        memset(b->p, d->type == COL_STRING ? 0xff : 0, bytes);
    }
    b->n = bytes;
    return true;
}

ErrCode sink_begin(StageSink *s, uint32_t n_rows, Err *err)
{
    Buf *list[SINK_BUFS];

    s->sums = (SinkSums){0};
    counters_reset(&s->counters);
    list_bufs(s, list);
    for (int i = 0; i < SINK_BUFS; i++) buf_recycle(list[i]);
    s->n_rows = n_rows;
    s->row = 0;
    s->oom = false;
    if (s->def->kind != DATASET_VIEW) return ERR_OK;
    if (!buf_reserve(&s->drop, n_rows)) return err_nomem(err, "the rows of a block");
    if (n_rows) memset(s->drop.p, DROP_ABSENT, n_rows);
    s->drop.n = n_rows;
    for (uint32_t c = 0; c < s->def->n_columns; c++)
        if (!fill_absent(&s->column[c], &s->def->columns[c], (size_t)n_rows * s->def->columns[c].width))
            return err_nomem(err, "the rows of a block");
    return ERR_OK;
}

void sink_in(StageSink *s, Span id, uint64_t bytes)
{
    s->sums.n_in++;
    s->sums.in_id_sum += hash64(id);
    s->sums.bytes_in += bytes;
}

/* Counts a kept document, whose canonical line is what `lines` gained from `from` on. */
static void count_kept(StageSink *s, const Doc *doc, size_t from)
{
    s->sums.n_docs++;
    s->sums.text_bytes += doc->text.n;
    s->sums.id_sum += hash64(doc->id);
    if (s->lines.n > from)
        s->sums.doc_sum += hash64(span(s->lines.p + from, s->lines.n - from - 1)); /* without its '\n' */
    if (doc->lang.p) counters_add(&s->counters, SPAN_LIT("lang"), doc->lang, 1, doc->text.n);
    if (doc->domain.p) counters_add(&s->counters, SPAN_LIT("domain"), doc->domain, 1, doc->text.n);
}

/* What nobody could read back is refused where it is written. */
static ErrCode check_signals(const Doc *doc, uint32_t n_signals, Err *err)
{
    if (n_signals <= DOC_MAX_SIGNALS) return ERR_OK;
    return err_set(err, ERR_LIMIT, "document %.*s: %u signals; a line holds at most %d",
                   (int)(doc->id.n < 200 ? doc->id.n : 200), (const char *)doc->id.p, (unsigned)n_signals,
                   DOC_MAX_SIGNALS);
}

ErrCode sink_emit(StageSink *s, const Doc *doc, Err *err)
{
    size_t from = s->lines.n;
    ErrCode rc = check_signals(doc, doc->n_signals, err);

    assert(s->def->kind == DATASET_WRITTEN);
    if (rc != ERR_OK) return rc;
    doc_write(&s->lines, doc);
    if (s->lines.n - from > DOC_MAX_LINE) {
        s->lines.n = from;
        return err_set(err, ERR_LIMIT, "document %.*s: its line exceeds %d bytes",
                       (int)(doc->id.n < 200 ? doc->id.n : 200), (const char *)doc->id.p, DOC_MAX_LINE);
    }
    count_kept(s, doc, from);
    return buf_ok(&s->lines, "a document's line", err);
}

/* The members of `extra` (checked JSON, comma-separated) but one named `key`, each behind a comma. */
static void put_other_members(Buf *b, Span extra, const char *key)
{
    JsonScan scan = json_scan(extra);
    Buf decoded = {0};
    Span name, value;

    b->oom |= !buf_reserve(&decoded, extra.n);
    while (!b->oom && json_peek(&scan) == '"') {
        const uint8_t *begin = scan.p;
        if (!json_string(&scan, &decoded, &name) || !json_expect(&scan, ':') || !json_skip(&scan, &value)) break;
        if (!span_is(name, key)) {
            buf_putc(b, ',');
            buf_put_span(b, span(begin, (size_t)(scan.p - begin)));
        }
        if (json_peek(&scan) == ',') scan.p++;
    }
    buf_clear(&decoded);
}

void sink_drop(StageSink *s, uint32_t reason, Span id, const Doc *doc)
{
    assert(reason < s->def->n_reasons);
    s->sums.dropped[reason]++;
    s->sums.dropped_id_sum += hash64(id);
    s->dropped_now = true;
    if (s->def->kind == DATASET_VIEW) s->drop.p[s->row] = (uint8_t)(reason + 1);
    if (s->want_rejected) {
        Doc shown = doc ? *doc : (Doc){.text = SPAN_LIT("")};
        Buf why = {0};
        shown.id = id;
        buf_printf(&why, "\"reason\":\"%s\"", s->def->reasons[reason]);
        put_other_members(&why, shown.extra, "reason"); /* an earlier stage's or the author's own */
        shown.extra = buf_span(&why);
        doc_write(&s->rejected, &shown);
        s->oom |= why.oom;
        buf_clear(&why);
    }
}

void sink_count(StageSink *s, const char *group, Span name, uint64_t docs, uint64_t bytes)
{
    counters_add(&s->counters, span_str(group), name, docs, bytes);
}

/* --- columns */

static uint8_t *cell(StageSink *s, uint32_t c, uint32_t i, ColType type)
{
    const ColumnDef *d = &s->def->columns[c];

    assert(s->def->kind == DATASET_VIEW && c < s->def->n_columns && d->type == type && i < d->width);
    (void)type;
    return s->column[c].p + ((size_t)s->row * d->width + i) * coltype_size(d->type);
}

void sink_u8(StageSink *s, uint32_t c, uint32_t i, uint8_t v) { *cell(s, c, i, COL_U8) = v; }
void sink_u32(StageSink *s, uint32_t c, uint32_t i, uint32_t v) { le32_put(cell(s, c, i, COL_U32), v); }
void sink_u64(StageSink *s, uint32_t c, uint32_t i, uint64_t v) { le64_put(cell(s, c, i, COL_U64), v); }

void sink_f32(StageSink *s, uint32_t c, uint32_t i, float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof bits);
    le32_put(cell(s, c, i, COL_F32), isnan(v) ? 0x7fc00000u : bits);
}

void sink_string(StageSink *s, uint32_t c, Span v)
{
    uint8_t length[4];

    le64_put(cell(s, c, 0, COL_STRING), s->pool.n);
    le32_put(length, (uint32_t)v.n);
    buf_put(&s->pool, length, sizeof length);
    buf_put_span(&s->pool, v);
}

bool sink_edit(StageSink *s, uint32_t c, const Doc *doc)
{
    size_t at = s->pool.n;
    uint8_t length[4] = {0};

    assert(s->def->columns[c].flags & COL_LINE);
    buf_put(&s->pool, length, sizeof length);
    doc_write(&s->pool, doc);
    if (s->pool.oom) return true;                  /* said at the end of the block */
    size_t n = s->pool.n - at - sizeof length - 1; /* without its '\n' */
    if (n + 1 > DOC_MAX_LINE) {
        s->pool.n = at;
        return false;
    }
    s->pool.n--;
    le32_put(s->pool.p + at, (uint32_t)n);
    le64_put(cell(s, c, 0, COL_STRING), at);
    s->shown = *doc;
    s->edited = true;
    return true;
}

void sink_row(StageSink *s, uint32_t row)
{
    assert(row < s->n_rows);
    s->row = row;
    s->drop.p[row] = DROP_KEPT;
    s->dropped_now = s->edited = false;
}

/* The columns of the current row that join the document, as signals in the order of their names. */
static uint32_t row_signals(StageSink *s, Signal *out, Span *domain)
{
    uint32_t n = 0;

    for (uint32_t c = 0; c < s->def->n_columns; c++) {
        const ColumnDef *d = &s->def->columns[c];
        const uint8_t *p = s->column[c].p + (size_t)s->row * d->width * coltype_size(d->type);
        uint32_t bits;
        double value = 0;
        float f;
        if (d->type == COL_STRING && (d->flags & COL_FIELD) && le64_get(p) != UINT64_MAX) {
            const uint8_t *at = s->pool.p + le64_get(p);
            *domain = span(at + 4, le32_get(at));
        }
        if (!(d->flags & COL_SIGNAL) || d->width != 1) continue;
        switch (d->type) {
        case COL_U8: value = *p; break;
        case COL_U32: value = le32_get(p); break;
        case COL_U64: value = (double)le64_get(p); break;
        case COL_F32:
            bits = le32_get(p);
            memcpy(&f, &bits, sizeof f);
            value = (double)f;
            break;
        case COL_STRING: continue;
        }
        if (isnan(value)) continue;
        Signal sig = {span_str(d->name), value};
        uint32_t at = n++;
        for (; at && span_cmp(out[at - 1].name, sig.name) > 0; at--) out[at] = out[at - 1];
        out[at] = sig;
    }
    return n;
}

ErrCode sink_judged(StageSink *s, const Doc *doc, Err *err)
{
    Signal signals[COLS_MAX] = {{{NULL, 0}, 0}};
    Span domain = {NULL, 0};
    size_t from = s->lines.n;

    if (s->dropped_now) return ERR_OK;
    if (s->pool.oom) return err_nomem(err, "a block's strings");
    if (s->edited) doc = &s->shown;
    uint32_t n = row_signals(s, signals, &domain);
    ErrCode rc = check_signals(doc, doc_write_joined(&s->lines, doc, signals, n, domain), err);
    if (rc != ERR_OK) return rc;
    Doc shown = *doc;
    if (domain.p) shown.domain = domain;
    count_kept(s, &shown, from);
    return buf_ok(&s->lines, "a document's line", err);
}

ErrCode sink_finish(StageSink *s, Err *err)
{
    uint64_t n_dropped = 0;

    for (uint32_t i = 0; i < s->def->n_reasons; i++) n_dropped += s->sums.dropped[i];
    if (s->oom || s->rejected.oom || s->pool.oom || s->counters.oom) return err_nomem(err, "a block's output");
    if (s->sums.n_in != s->sums.n_docs + n_dropped || s->sums.in_id_sum != s->sums.id_sum + s->sums.dropped_id_sum)
        return err_set(err, ERR_DATA,
                       "stage %s: %llu documents in, %llu out, %llu dropped, or their ids differ: some are lost",
                       s->def->name, (unsigned long long)s->sums.n_in, (unsigned long long)s->sums.n_docs,
                       (unsigned long long)n_dropped);
    return ERR_OK;
}
