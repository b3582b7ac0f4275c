/* filter/filter.c - the stage: a document's signals into columns, its verdict into the sink. */
#include "filter/filter.h"

#include "core/unicode.h"
#include "filter/lines.h"
#include "filter/rules.h"

#include <math.h>
#include <stdlib.h>

/* Reasons: these, then the rules of the table. */
enum { REASON_EMPTY, REASON_TOO_LONG, REASON_OTHER_LANG, REASON_RULES };
enum { N_REASONS = REASON_RULES + RULE_COUNT };
static const double LIMIT_MAX = 1e15; /* what a canonical number can hold */

#define REASON(group, reason, signal, test, limit, from_chars) reason,
static const char *const reasons[N_REASONS] = {"empty_text", "text_too_long", "other_language", RULES(REASON)};
#undef REASON
#define COLUMN(id, column) {.name = column, .type = COL_F32, .width = 1, .flags = COL_SIGNAL},
static const ColumnDef columns[SIG_COUNT] = {SIGNALS(COLUMN)};
#undef COLUMN
#define SET_NAME(name, by_kind, english, chinese, code, other) name,
const char *const filter_rule_sets[RULE_SET_COUNT + 1] = {RULE_SETS(SET_NAME) NULL};
#undef SET_NAME
static const char *const other_names[] = {[FILTER_OTHER_DROP] = "drop", [FILTER_OTHER_KEEP] = "keep"};

struct FilterContext {
    const RuleSet *set;
    FilterOther other;
    double limit[RULE_COUNT];
    Buf params;
};

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(SignalScratch));
    return *worker ? ERR_OK : err_nomem(err, "the filter's scratch");
}

static void worker_free(void *worker)
{
    if (worker) signals_clear(worker);
    free(worker);
}

const StageDef filter_stage = {
    .name = "filter",
    .version = 2,
    .kind = DATASET_VIEW,
    .reasons = reasons,
    .n_reasons = N_REASONS,
    .columns = columns,
    .n_columns = SIG_COUNT,
    .worker_new = worker_new,
    .worker_free = worker_free,
};

/* REASON=NUMBER */
static ErrCode set_limit(FilterContext *c, const char *text, Err *err)
{
    Span s = span_str(text);
    size_t eq = span_find(s, '=');
    char *end = NULL;
    int rule = rule_find(span(s.p, eq));

    if (eq == s.n) return err_set(err, ERR_USAGE, "a limit is given as REASON=NUMBER, not \"%s\"", text);
    if (rule < 0)
        return err_set(err, ERR_USAGE, "no rule gives the reason \"%.*s\": tamis-filter(1) lists them",
                       (int)(eq < 100 ? eq : 100), text);
    double v = strtod(text + eq + 1, &end);
    if (end == text + eq + 1 || *end || !(fabs(v) < LIMIT_MAX))
        return err_set(err, ERR_USAGE, "the limit of %s is no number: \"%s\"", rule_table[rule].reason,
                       text + eq + 1);
    c->limit[rule] = round(v * 1e6) / 1e6; /* as precise as what it is compared with */
    return ERR_OK;
}

/* Rules that can judge something under this set. */
static bool rule_is_used(const RuleSet *set, const Rule *r)
{
    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (set->groups[kind] & (unsigned)r->group) return true;
    return false;
}

/* A set without rules only measures, so no language is a reason to drop. */
static bool set_judges(const RuleSet *set)
{
    unsigned groups = 0;

    for (int kind = 0; kind < KIND_COUNT; kind++) groups |= set->groups[kind];
    return groups != 0;
}

static void put_params(FilterContext *c)
{
    Buf *b = &c->params;
    bool first = true;

    buf_puts(b, "{\"rules\":");
    json_put_cstr(b, c->set->name);
    buf_puts(b, ",\"other\":");
    json_put_cstr(b, other_names[c->other]);
    buf_puts(b, ",\"unicode\":");
    json_put_cstr(b, unicode_tables_id());
    buf_puts(b, ",\"limits\":{");
    for (int i = 0; i < RULE_COUNT; i++) {
        if (!rule_is_used(c->set, &rule_table[i])) continue;
        if (!first) buf_putc(b, ',');
        first = false;
        json_put_cstr(b, rule_table[i].reason);
        buf_putc(b, ':');
        json_put_number(b, c->limit[i]);
    }
    buf_puts(b, "}}");
}

ErrCode filter_context_new(FilterContext **ctx, const FilterParams *params, Err *err)
{
    FilterContext *c;
    ErrCode rc = ERR_OK;

    *ctx = NULL;
    if (params->rules >= RULE_SET_COUNT) return err_set(err, ERR_USAGE, "there is no rule set %u", params->rules);
    if (!(c = calloc(1, sizeof *c))) return err_nomem(err, "the filter's rules");
    c->set = &rule_sets[params->rules];
    c->other = params->other == FILTER_OTHER_KEEP || !set_judges(c->set) ? FILTER_OTHER_KEEP : FILTER_OTHER_DROP;
    for (int i = 0; i < RULE_COUNT; i++) c->limit[i] = rule_table[i].limit;
    for (size_t i = 0; rc == ERR_OK && i < params->n_limits; i++) rc = set_limit(c, params->limits[i], err);
    if (rc == ERR_OK) {
        put_params(c);
        rc = buf_ok(&c->params, "the filter's parameters", err);
    }
    if (rc != ERR_OK) {
        filter_context_free(c);
        return rc;
    }
    *ctx = c;
    return ERR_OK;
}

void filter_context_free(FilterContext *ctx)
{
    if (ctx) buf_clear(&ctx->params);
    free(ctx);
}

Span filter_context_params(const FilterContext *ctx) { return buf_span(&ctx->params); }

ErrCode filter_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err)
{
    const FilterContext *c = ctx;
    double v[SIG_COUNT];
    ErrCode rc;

    (void)id;
    if (text_trim(doc->text).n == 0) {
        sink_drop(sink, REASON_EMPTY, doc->id, doc);
        return ERR_OK;
    }
    TextKind kind = c->set->by_kind ? text_kind(doc->lang, doc->text) : KIND_ENGLISH;
    if ((rc = signals_measure(worker, doc->text, kind, v, err)) == ERR_LIMIT) {
        sink_drop(sink, REASON_TOO_LONG, doc->id, doc);
        return ERR_OK;
    }
    if (rc != ERR_OK) return rc;
    for (uint32_t i = 0; i < SIG_COUNT; i++)
        if (!isnan(v[i])) sink_f32(sink, i, 0, (float)v[i]);
    if (kind == KIND_OTHER && c->other == FILTER_OTHER_DROP) {
        sink_drop(sink, REASON_OTHER_LANG, doc->id, doc);
        return ERR_OK;
    }
    int rule = rules_judge(c->set, kind, c->limit, v);
    if (rule >= 0) sink_drop(sink, REASON_RULES + (uint32_t)rule, doc->id, doc);
    return ERR_OK;
}

ErrCode filter_run(const FilterParams *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                   const Par *par, StageTotals *totals, Err *err)
{
    FilterContext *ctx = NULL;
    ErrCode rc = filter_context_new(&ctx, params, err);

    if (rc == ERR_OK) {
        StageJob job = {.def = &filter_stage,
                        .ctx = ctx,
                        .params = filter_context_params(ctx),
                        .out_dir = out_dir,
                        .set = in,
                        .map = filter_map,
                        .common = common};
        rc = stage_run(&job, par, totals, err);
    }
    filter_context_free(ctx);
    return rc;
}
