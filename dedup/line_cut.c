/* Repeated lines and paragraphs.
 *
 *   units   unit (and host) -> (document, unit, kind, documents) of what is to be cut, and of a first one that stays
 *   cuts    the same by document
 * Where the number of documents decides, a document sends a unit once, so that a group needs no more memory than that number, and its
 * other copies in the document share its fate. Where it does not, every copy is sent. */
#include "dedup/cut.h"
#include "dedup/strings.h"

#include "core/unicode.h"
#include "core/url.h"

#include <stdlib.h>

enum { KIND_CUT, KIND_FIRST };
enum { LINE_BYTES = PLACE_BYTES + 1 + 4 }; /* a place, a kind, how many copies (of a first one) */
enum { TELL_COPIES = 100 };                /* from which on statistics name a unit */

/* --- which units count, and which of them stood in the document before */

/* Open addressing over hashes of units; slot: unit + 1. */
typedef struct {
    uint32_t *slot;
    size_t mask;
    const UnitText *u;
} Seen;

/* Room for all units of the text, in `work`. */
static ErrCode seen_init(Seen *s, const UnitText *u, Buf *work, Err *err)
{
    size_t slots = 16;

    while (slots < 2 * u->n) slots *= 2;
    buf_recycle(work);
    if (!buf_reserve(work, slots * sizeof *s->slot)) return err_nomem(err, "the units of a text");
    *s = (Seen){.slot = (void *)work->p, .mask = slots - 1, .u = u};
    memset(s->slot, 0, slots * sizeof *s->slot);
    return ERR_OK;
}

static Hash128 unit_hash(const UnitText *u, size_t i) { return units_hash(u, u->unit[i].tok, u->unit[i].n_tok); }

/* The first unit of the document that has this hash: i itself if none did. */
static uint32_t seen_first(Seen *s, uint32_t i, Hash128 h)
{
    size_t at = (size_t)h.lo & s->mask;

    for (; s->slot[at]; at = (at + 1) & s->mask)
        if (hash128_eq(unit_hash(s->u, s->slot[at] - 1), h)) return s->slot[at] - 1;
    s->slot[at] = i + 1;
    return i;
}

static bool unit_counts(const LinesParams *p, const UnitText *u, size_t i)
{
    const Unit *unit = &u->unit[i];

    return unit->n_tok && unit->n_tok >= p->min_words && units_words(u, unit->tok, unit->n_tok) >= p->min_words;
}

/* --- finding */

typedef struct {
    const LinesParams *params;
    Pass *pass;
    const CutTable *table;
} Find;

static UnitKind unit_kind(const LinesParams *p) { return p->paragraphs ? UNIT_PARAGRAPH : UNIT_LINE; }

static ErrCode send_doc(void *ctx, CutScratch *w, const Doc *doc, uint64_t number, Err *err)
{
    const Find *f = ctx;
    uint8_t host_bytes[URL_MAX_HOST];
    Span host = {NULL, 0};
    Seen seen = {0};
    ErrCode rc;

    if (f->params->within == LINES_WITHIN_HOST && (host = url_host(doc->url, host_bytes)).n == 0) return ERR_OK;
    if ((rc = units_split(&w->units, unit_kind(f->params), doc->text, err)) != ERR_OK) return rc;
    if (f->params->docs && (rc = seen_init(&seen, &w->units, &w->work, err)) != ERR_OK) return rc;
    const uint64_t salt = host.n ? mix64(hash64(host)) : 0;
    for (uint32_t i = 0; i < w->units.n && rc == ERR_OK; i++) {
        if (!unit_counts(f->params, &w->units, i)) continue;
        Hash128 h = unit_hash(&w->units, i);
        if (f->params->docs && seen_first(&seen, i, h) != i) continue;
        h.hi ^= salt;
        rc = cut_put(w, f->pass, h, number, i, err);
    }
    return rc;
}

static ErrCode send_all(void *ctx, Pass *p, Err *err)
{
    Find *f = ctx;

    f->pass = p;
    return cut_each_doc(f->table, send_doc, f, err);
}

static ErrCode put_line(ResultsOut *out, const uint8_t *place, uint8_t kind, uint64_t copies, Err *err)
{
    uint8_t record[LINE_BYTES];

    memcpy(record, place, PLACE_BYTES);
    record[PLACE_BYTES] = kind;
    at_put(record + PLACE_BYTES + 1, copies < UINT32_MAX ? (uint32_t)copies : UINT32_MAX);
    return resultsout_put(out, record, err);
}

/* One unit. Its copies are cut from the one on that makes them too many; those before wait in `held`. */
static ErrCode judge_unit(const LinesParams *p, ExchangeGroups *g, Buf *held, ResultsOut *out, Err *err)
{
    uint8_t first[PLACE_BYTES];
    uint64_t n = 0;
    Span place;
    bool end;
    ErrCode rc;

    buf_reset(held);
    while ((rc = exchange_next_value(g, &place, &end, err)) == ERR_OK && !end) {
        if (n++ == 0) {
            memcpy(first, place.p, sizeof first);
            continue;
        }
        if (n <= p->docs) {
            buf_put_span(held, place);
            continue;
        }
        for (size_t at = 0; at < held->n && rc == ERR_OK; at += PLACE_BYTES)
            rc = put_line(out, held->p + at, KIND_CUT, 0, err);
        buf_reset(held);
        if (rc == ERR_OK) rc = put_line(out, place.p, KIND_CUT, 0, err);
        if (rc) return rc;
    }
    if (rc == ERR_OK) rc = buf_ok(held, "copies of a unit", err);
    if (rc || n <= p->docs || n < 2 || (p->docs == 0 && n < TELL_COPIES)) return rc;
    return put_line(out, first, p->drop_all ? KIND_CUT : KIND_FIRST, n, err);
}

static ErrCode judge_units(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    const Find *f = ctx;
    uint8_t key[EXCHANGE_KEY];
    Buf held = {0};
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end)
        if ((rc = judge_unit(f->params, g, &held, out, err)) != ERR_OK) break;
    buf_clear(&held);
    return rc;
}

static ErrCode find(void *ctx, const CutTable *t, Pass **out, Err *err)
{
    const StepSpec spec = {.name = "units", .value_bytes = PLACE_BYTES, .result_bytes = LINE_BYTES};
    Find f = {.params = ctx, .table = t};
    Pass *units = NULL;
    ErrCode rc = doctable_step(&t->docs, &spec, &units, err);

    if (rc == ERR_OK) rc = pass_run(units, send_all, judge_units, &f, err);
    if (rc == ERR_OK) rc = cut_sort(t, "cuts", pass_results(units), LINE_BYTES, list_all_by_doc, out, err);
    pass_close(units);
    return rc;
}

/* --- writing */

/* Repeated units are told once, by their first copy, in groups that the frequent ones have for themselves. */
static void tell(const UnitText *u, Span text, uint32_t i, uint64_t copies, StageSink *sink)
{
    const Unit *unit = &u->unit[i];
    const char *group = copies >= 10000 ? "repeats 10000-" : copies >= 1000 ? "repeats 1000-9999" : "repeats 100-999";

    if (copies >= TELL_COPIES)
        sink_count(sink, group, span(text.p + unit->begin, unit->end - unit->begin), copies,
                   copies * (unit->end - unit->begin));
}

/* What the records say of the units: KIND + 1, 0 nothing. In w->work. */
static ErrCode mark_units(CutScratch *w, Span text, Span records, StageSink *sink, uint8_t **marks, Err *err)
{
    buf_recycle(&w->work);
    if (!buf_reserve(&w->work, w->units.n)) return err_nomem(err, "the units of a text");
    *marks = w->work.p;
    memset(*marks, 0, w->units.n);
    for (size_t at = 0; at < records.n; at += LINE_BYTES) {
        const uint8_t *r = records.p + at;
        const uint32_t i = at_get(r + DOC_BYTES);
        if (i >= w->units.n) return err_set(err, ERR_DATA, "a text has changed since its units were found");
        (*marks)[i] = (uint8_t)(r[PLACE_BYTES] + 1);
        tell(&w->units, text, i, at_get(r + PLACE_BYTES + 1), sink);
    }
    return ERR_OK;
}

/* Copies of a marked unit in the same document go with it, or, when it is the first of all, alone. */
static ErrCode mark_copies(const LinesParams *p, CutScratch *w, uint8_t *marks, Err *err)
{
    Buf table = {0};
    Seen seen = {0};
    ErrCode rc = seen_init(&seen, &w->units, &table, err);

    for (uint32_t i = 0; rc == ERR_OK && i < w->units.n; i++) {
        if (!unit_counts(p, &w->units, i)) continue;
        uint32_t first = seen_first(&seen, i, unit_hash(&w->units, i));
        if (first != i && marks[first]) marks[i] = KIND_CUT + 1;
    }
    buf_clear(&table);
    return rc;
}

static ErrCode ranges(void *ctx, CutScratch *w, const Doc *doc, Span records, StageSink *sink, Err *err)
{
    const LinesParams *p = ctx;
    uint8_t *marks = NULL;
    ErrCode rc = mark_units(w, doc->text, records, sink, &marks, err);

    if (rc == ERR_OK && p->docs) rc = mark_copies(p, w, marks, err);
    for (uint32_t i = 0, end; rc == ERR_OK && i < w->units.n; i = end) {
        for (end = i; end < w->units.n && marks[end] == KIND_CUT + 1;) end++;
        if (end > i)
            cut_range(w, i, end);
        else
            end++;
    }
    return rc;
}

/* --- the run */

ErrCode lines_check(const LinesParams *p, Err *err)
{
    if (p->docs > LINES_MAX_DOCS) return err_set(err, ERR_USAGE, "dedup lines: --docs is 0 to %d", LINES_MAX_DOCS);
    if (p->drop_all && p->docs == 0) return err_set(err, ERR_USAGE, "dedup lines: --all needs --docs of at least 1");
    return ERR_OK;
}

static void put_params(Buf *b, const LinesParams *p)
{
    buf_printf(b, "{\"unit\":\"%s\",\"within\":\"%s\",\"min_words\":%u,\"docs\":%u,\"all\":%s,\"unicode\":",
               p->paragraphs ? "paragraph" : "line", p->within == LINES_WITHIN_HOST ? "host" : "corpus",
               (unsigned)p->min_words, (unsigned)p->docs, p->drop_all ? "true" : "false");
    json_put_cstr(b, unicode_tables_id());
    buf_putc(b, '}');
}

static CutStage lines_stage(const LinesParams *params)
{
    return (CutStage){.name = "lines",
                      .units = params->paragraphs ? "paragraphs" : "lines",
                      .columns = {"cut_lines", "cut_line_bytes"},
                      .version = STRINGS_VERSION,
                      .kind = unit_kind(params),
                      .ctx = (void *)(uintptr_t)params,
                      .width = LINE_BYTES,
                      .find = find,
                      .ranges = ranges};
}

ErrCode lines_run(const LinesParams *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                  const Par *par, StageTotals *totals, CutTotals *cut, Err *err)
{
    const CutStage stage = lines_stage(params);
    Buf json = {0};
    ErrCode rc = lines_check(params, err);

    put_params(&json, params);
    if (rc == ERR_OK) rc = buf_ok(&json, "parameters", err);
    if ((rc = par_agree(par, rc, err)) == ERR_OK)
        rc = cut_run(&stage, buf_span(&json), in, out_dir, common, par, totals, cut, err);
    buf_clear(&json);
    return rc;
}
