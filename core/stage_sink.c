#include "core/stage_sink.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

ErrCode sink_init(StageSink *s, const StageJob *job, Err *err)
{
    const StageDef *def = job->def;
    const StageBeside *beside = job->beside;

    *s = (StageSink){.def = def,
                     .beside = beside,
                     .columns = beside ? beside->columns : def->columns,
                     .n_columns = beside ? beside->n_columns : def->n_columns,
                     .want_rejected = job->common->rejected != NULL};
    assert(def->n_reasons <= DATASET_MAX_REASONS && s->n_columns < COLS_MAX);
    assert(!beside || def->kind == DATASET_WRITTEN);
    s->column = calloc(s->n_columns ? s->n_columns : 1, sizeof *s->column);
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
    for (uint32_t c = 0; c < s->n_columns; c++) n += s->column[c].cap;
    return n;
}

void sink_give_back(StageSink *s)
{
    Buf *list[SINK_BUFS];

    list_bufs(s, list);
    for (int i = 0; i < SINK_BUFS; i++) buf_clear(list[i]);
    for (uint32_t c = 0; s->column && c < s->n_columns; c++) buf_clear(&s->column[c]);
}

void sink_clear(StageSink *s)
{
    sink_give_back(s);
    free(s->column);
    counters_clear(&s->counters);
    *s = (StageSink){0};
}

/* What stands for no value, n times: NaN and ~0 mean absent, numbers are 0. */
static bool add_absent(Buf *b, const ColumnDef *d, size_t n_values)
{
    size_t from = b->n, bytes = n_values * coltype_size(d->type);

    if (!buf_reserve(b, bytes)) return false;
    b->n += bytes;
    if (d->type == COL_F32) {
        for (; from < b->n; from += 4) le32_put(b->p + from, 0x7fc00000u); /* the quiet NaN, one bit pattern */
    } else if (bytes) {
        memset(b->p + from, d->type == COL_STRING ? 0xff : 0, bytes);
    }
    return true;
}

static bool add_absent_rows(StageSink *s, uint32_t n)
{
    for (uint32_t c = 0; c < s->n_columns; c++)
        if (!add_absent(&s->column[c], &s->columns[c], (size_t)n * s->columns[c].width)) return false;
    s->n_rows += n;
    return true;
}

ErrCode sink_begin(StageSink *s, uint32_t first, uint32_t n_rows, Err *err)
{
    Buf *list[SINK_BUFS];

    s->sums = (SinkSums){0};
    counters_reset(&s->counters);
    list_bufs(s, list);
    for (int i = 0; i < SINK_BUFS; i++) buf_recycle(list[i]);
    s->first = first;
    s->n_rows = s->row = 0;
    s->oom = false;
    for (uint32_t c = 0; c < s->n_columns; c++) buf_reset(&s->column[c]);
    if (s->def->kind != DATASET_VIEW) return ERR_OK;
    if (!buf_reserve(&s->drop, n_rows) || !add_absent_rows(s, n_rows)) return err_nomem(err, "the rows of a block");
    if (n_rows) memset(s->drop.p, DROP_ABSENT, n_rows);
    s->drop.n = n_rows;
    return ERR_OK;
}

static void count_in(StageSink *s, uint64_t id_hash, uint64_t bytes)
{
    s->sums.n_in++;
    s->sums.in_id_sum += id_hash;
    s->sums.bytes_in += bytes;
}

void sink_in(StageSink *s, Span id, uint64_t bytes) { count_in(s, hash64(id), bytes); }
void sink_in_row(StageSink *s, const StageRow *row) { count_in(s, row->id_hash, row->bytes); }

static void count_kept(StageSink *s, const StageRow *row, Span stands_for_it)
{
    s->sums.n_docs++;
    s->sums.text_bytes += row->bytes;
    s->sums.id_sum += row->id_hash;
    s->sums.doc_sum += hash64(stands_for_it);
    if (row->lang.p) counters_add(&s->counters, SPAN_LIT("lang"), row->lang, 1, row->bytes);
    if (row->domain.p) counters_add(&s->counters, SPAN_LIT("domain"), row->domain, 1, row->bytes);
}

static StageRow row_of(const Doc *doc)
{
    return (StageRow){.id_hash = hash64(doc->id), .bytes = doc->text.n, .lang = doc->lang, .domain = doc->domain};
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
    if (s->lines.oom) return buf_ok(&s->lines, "a document's line", err);
    StageRow row = row_of(doc);
    count_kept(s, &row, span(s->lines.p + from, s->lines.n - from - 1)); /* without its '\n' */
    if (!s->beside) return ERR_OK;
    s->row = s->n_rows;
    if (!add_absent_rows(s, 1)) return err_nomem(err, "the rows of a block");
    return s->beside->put(s->beside->ctx, s->beside_worker, doc, s, err);
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
    if (s->def->kind != DATASET_VIEW) s->sums.dropped_id_sum += hash64(id);
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

bool sink_wants_rejected(const StageSink *s) { return s->want_rejected; }

void sink_count(StageSink *s, const char *group, Span name, uint64_t docs, uint64_t bytes)
{
    counters_add(&s->counters, span_str(group), name, docs, bytes);
}

/* --- columns */

static uint8_t *cell(StageSink *s, uint32_t c, uint32_t i, ColType type)
{
    const ColumnDef *d = &s->columns[c];

    assert(c < s->n_columns && s->row < s->n_rows && d->type == type && i < d->width);
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

void sink_values(StageSink *s, uint32_t c, const void *values)
{
    const size_t bytes = s->columns[c].width * coltype_size(s->columns[c].type);

    assert(c < s->n_columns && s->columns[c].type != COL_STRING);
    memcpy(s->column[c].p + s->row * bytes, values, bytes);
}

bool sink_edit(StageSink *s, uint32_t c, const Doc *doc)
{
    size_t at = s->pool.n;
    uint8_t length[4] = {0};

    assert(s->columns[c].flags & COL_LINE);
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

/* --- what a view says of a document */

static bool joins(const ColumnDef *d) { return d->flags & (COL_SIGNAL | COL_FIELD | COL_LINE); }

void sink_put_head(Buf *b, const StageDef *def, Hash128 input)
{
    uint8_t hash[16];

    hash128_put(hash, input);
    buf_put(b, hash, sizeof hash);
    for (uint32_t c = 0; c < def->n_columns; c++) {
        const ColumnDef *d = &def->columns[c];
        if (!joins(d)) continue;
        buf_puts(b, d->name);
        buf_putc(b, 0);
        buf_putc(b, (uint8_t)d->type);
        buf_putc(b, (uint8_t)d->flags);
        buf_putc(b, (uint8_t)d->width);
        buf_putc(b, (uint8_t)(d->width >> 8));
    }
}

static Span row_string(const StageSink *s, uint32_t c)
{
    uint64_t at = le64_get(s->column[c].p + 8 * (size_t)s->row);

    return at == UINT64_MAX ? (Span){NULL, 0} : span(s->pool.p + at + 4, le32_get(s->pool.p + at));
}

/* Its record, and the values of the columns that join it: a string as u32 length and bytes, ~0 where it is absent. */
static void put_row(StageSink *s, StageRow *row)
{
    Buf *b = &s->lines;
    uint8_t number[4];

    le32_put(number, s->first + s->row);
    buf_put(b, number, sizeof number);
    for (uint32_t c = 0; c < s->n_columns; c++) {
        const ColumnDef *d = &s->columns[c];
        size_t bytes = d->width * coltype_size(d->type);
        if (!joins(d)) continue;
        if (d->type != COL_STRING) {
            buf_put(b, s->column[c].p + s->row * bytes, bytes);
            continue;
        }
        Span v = row_string(s, c);
        le32_put(number, v.p ? (uint32_t)v.n : UINT32_MAX);
        buf_put(b, number, sizeof number);
        buf_put_span(b, v);
        if ((d->flags & COL_FIELD) && v.p) row->domain = v;
    }
}

/* How many signals the document has with those of this view. */
static uint32_t count_signals(const StageSink *s, const Doc *doc)
{
    uint32_t n = doc->n_signals;

    for (uint32_t c = 0; c < s->n_columns; c++) {
        Span name = span_str(s->columns[c].name);
        bool own = !(s->columns[c].flags & COL_SIGNAL);
        for (uint32_t i = 0; i < doc->n_signals && !own; i++) own = span_eq(doc->signals[i].name, name);
        n += !own;
    }
    return n;
}

bool sink_is_crowded(const StageSink *s, uint32_t n_signals)
{
    uint32_t own = 0;

    if (s->dropped_now || n_signals + s->n_columns <= DOC_MAX_SIGNALS) return false;
    for (uint32_t c = 0; c < s->n_columns; c++) own += (s->columns[c].flags & COL_SIGNAL) != 0;
    return own && n_signals + own > DOC_MAX_SIGNALS;
}

ErrCode sink_judged_row(StageSink *s, StageRow row, Err *err)
{
    size_t from = s->lines.n;

    if (s->pool.oom) return err_nomem(err, "a block's strings");
    if (s->dropped_now) {
        s->sums.dropped_id_sum += row.id_hash;
        return ERR_OK;
    }
    put_row(s, &row);
    if (s->lines.oom) return buf_ok(&s->lines, "a block's rows", err);
    count_kept(s, &row, span(s->lines.p + from, s->lines.n - from));
    return ERR_OK;
}

ErrCode sink_judged(StageSink *s, const Doc *doc, Err *err)
{
    const Doc *shown = s->edited ? &s->shown : doc;
    StageRow row = row_of(shown);
    ErrCode rc = ERR_OK;

    if (!s->dropped_now && doc->n_signals + s->n_columns > DOC_MAX_SIGNALS)
        rc = check_signals(shown, count_signals(s, shown), err);
    return rc ? rc : sink_judged_row(s, row, err);
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
