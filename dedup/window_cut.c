/* Repeated spans of sentences and repeated strings of key tokens: windows of consecutive units that stood before.
 *
 *   grams     substrings only: gram -> (document, gram) of those chosen more than once
 *   marks     the same by document
 *   windows   window -> (document, begin, end) of units to cut
 *   cuts      the same by document, ranges that touch joined
 *
 * A window of K tokens is as long as a substring must be to be cut, so a longer one is many of them. To send each would be 28 bytes a token. So
 * first of all each window chooses one of the grams of K / 2 tokens in it, the one of the least hash (winnowing: Schleimer, Wilkerson & Aiken 2003,
 * local algorithms for document fingerprinting): equal windows choose equal grams, so a window whose choice nobody else made, at another place, is no
 * copy and has none. Neighbours mostly choose the same one: some 2 in 27 places are sent. Only windows whose gram is marked are then sent
 * themselves, under a hash of all their tokens, which alone decides. */
#include "dedup/cut.h"
#include "dedup/strings.h"

#include "core/unicode.h"

enum { RANGE_BYTES = DOC_BYTES + 2 * AT_BYTES };

typedef struct {
    uint32_t window; /* units */
    uint32_t gram;   /* substrings: tokens */
    uint32_t min_words;
    const CutTable *table;
    Pass *pass;           /* to send into */
    const Results *marks; /* substrings */
} Find;

/* --- both: windows that meet */

static ErrCode put_range(ResultsOut *out, const uint8_t *place, uint32_t begin, uint32_t end, Err *err)
{
    uint8_t record[RANGE_BYTES];

    memcpy(record, place, DOC_BYTES);
    at_put(record + DOC_BYTES, begin);
    at_put(record + DOC_BYTES + AT_BYTES, end);
    return resultsout_put(out, record, err);
}

/* All but the first are cut; one that overlaps the first (a text that repeats with a short period), only behind it. */
static ErrCode judge_windows(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    const Find *f = ctx;
    uint8_t key[EXCHANGE_KEY], first[PLACE_BYTES];
    Span place;
    bool end;
    ErrCode rc;

    (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &place, &end, err)) != ERR_OK) return rc;
        memcpy(first, place.p, sizeof first);
        const uint32_t behind = at_get(first + DOC_BYTES) + f->window;
        while ((rc = exchange_next_value(g, &place, &end, err)) == ERR_OK && !end) {
            const uint32_t at = at_get(place.p + DOC_BYTES);
            const bool overlaps = memcmp(place.p, first, DOC_BYTES) == 0 && at < behind;
            if ((rc = put_range(out, place.p, overlaps ? behind : at, at + f->window, err)) != ERR_OK) return rc;
        }
        if (rc) return rc;
    }
    return rc;
}

static ErrCode send_docs(Find *f, Pass *p, CutDocFn fn, Err *err)
{
    f->pass = p;
    return cut_each_doc(f->table, fn, f, err);
}

static ErrCode find_windows(Find *f, PassSend send, Pass **out, Err *err)
{
    const StepSpec spec = {.name = "windows", .value_bytes = PLACE_BYTES, .result_bytes = RANGE_BYTES};
    Pass *windows = NULL;
    ErrCode rc = doctable_step(&f->table->docs, &spec, &windows, err);

    if (rc == ERR_OK) rc = pass_run(windows, send, judge_windows, f, err);
    if (rc == ERR_OK) rc = cut_sort(f->table, "cuts", pass_results(windows), RANGE_BYTES, cut_merge, out, err);
    pass_close(windows);
    return rc;
}

static ErrCode check_range(const uint8_t *record, size_t n, Err *err)
{
    const uint32_t begin = at_get(record + DOC_BYTES), end = at_get(record + DOC_BYTES + AT_BYTES);

    return begin < end && end <= n ? ERR_OK : err_set(err, ERR_DATA, "a text has changed since its units were found");
}

/* --- spans: sentences that have a token, numbered through */

/* Their places among all units, uint32_t, in w->work. */
static ErrCode list_sentences(CutScratch *w, Span text, Err *err)
{
    ErrCode rc = units_split(&w->units, UNIT_SENTENCE, text, err);

    buf_recycle(&w->work);
    for (uint32_t i = 0; rc == ERR_OK && i < w->units.n; i++)
        if (w->units.unit[i].n_tok) buf_put(&w->work, &i, sizeof i);
    return rc ? rc : buf_ok(&w->work, "the sentences of a text", err);
}

static const Unit *sentence(const CutScratch *w, size_t i)
{
    uint32_t unit;

    memcpy(&unit, w->work.p + i * sizeof unit, sizeof unit);
    return &w->units.unit[unit];
}

static ErrCode send_spans(void *ctx, CutScratch *w, const Doc *doc, uint64_t number, Err *err)
{
    const Find *f = ctx;
    ErrCode rc = list_sentences(w, doc->text, err);

    for (uint32_t i = 0; rc == ERR_OK && i + (size_t)f->window <= w->work.n / sizeof(uint32_t); i++) {
        const Unit *first = sentence(w, i), *last = sentence(w, i + f->window - 1);
        const uint32_t n_tok = last->tok + last->n_tok - first->tok;
        if (n_tok < f->min_words || units_words(&w->units, first->tok, n_tok) < f->min_words) continue;
        rc = cut_put(w, f->pass, units_hash(&w->units, first->tok, n_tok), number, i, err);
    }
    return rc;
}

static ErrCode send_all_spans(void *ctx, Pass *p, Err *err) { return send_docs(ctx, p, send_spans, err); }

static ErrCode find_spans(void *ctx, const CutTable *t, Pass **out, Err *err)
{
    const SpansParams *p = ctx;
    Find f = {.window = p->sentences, .min_words = p->min_words, .table = t};

    return find_windows(&f, send_all_spans, out, err);
}

static ErrCode span_ranges(void *ctx, CutScratch *w, const Doc *doc, Span records, StageSink *sink, Err *err)
{
    ErrCode rc = list_sentences(w, doc->text, err);

    (void)ctx, (void)sink;
    for (size_t at = 0; rc == ERR_OK && at < records.n; at += RANGE_BYTES) {
        const uint8_t *r = records.p + at;
        if ((rc = check_range(r, w->work.n / sizeof(uint32_t), err)) != ERR_OK) break;
        const Unit *first = sentence(w, at_get(r + DOC_BYTES)),
                   *last = sentence(w, at_get(r + DOC_BYTES + AT_BYTES) - 1);
        cut_range(w, (uint32_t)(first - w->units.unit), (uint32_t)(last - w->units.unit) + 1);
    }
    return rc;
}

/* --- substrings: grams chosen by windows */

/* The hashes of all grams (textkey_ngram() of each, rolled along), in w->work. False: the text is shorter than a window. */
static ErrCode make_grams(const Find *f, CutScratch *w, Span text, bool *any, Err *err)
{
    ErrCode rc = units_split(&w->units, UNIT_TOKEN, text, err);
    const KeyToken *t = w->units.key.tok;
    const size_t n = w->units.key.n_tok, len = f->gram;
    uint64_t sum = 0, top = 1; /* base^(len - 1): what the leaving token weighs */

    *any = rc == ERR_OK && n >= f->window;
    if (!*any) return rc;
    buf_recycle(&w->work);
    if (!buf_reserve(&w->work, (n - len + 1) * sizeof(uint64_t))) return err_nomem(err, "the grams of a text");
    uint64_t *gram = (void *)w->work.p;
    for (size_t i = 1; i < len; i++) {
        sum = sum * TEXTKEY_NGRAM_BASE + t[i - 1].hash;
        top *= TEXTKEY_NGRAM_BASE;
    }
    for (size_t i = 0; i + len <= n; i++) {
        sum = sum * TEXTKEY_NGRAM_BASE + t[i + len - 1].hash;
        gram[i] = mix64(sum + len);
        sum -= t[i].hash * top;
    }
    return ERR_OK;
}

/* The place of the least gram of window i, of equal ones the last; `before` is that of window i - 1 (any for i = 0). It never goes back. */
static size_t choose_gram(const Find *f, const uint64_t *gram, size_t i, size_t before)
{
    const size_t last = i + f->window - f->gram;
    size_t least = before;

    if (i && before >= i) return gram[last] <= gram[before] ? last : before;
    least = i;
    for (size_t k = i + 1; k <= last; k++)
        if (gram[k] <= gram[least]) least = k;
    return least;
}

static size_t n_windows(const Find *f, const CutScratch *w) { return w->units.key.n_tok - f->window + 1; }

static ErrCode send_grams(void *ctx, CutScratch *w, const Doc *doc, uint64_t number, Err *err)
{
    const Find *f = ctx;
    size_t chosen = 0;
    bool any;
    ErrCode rc = make_grams(f, w, doc->text, &any, err);
    const uint64_t *gram = (const void *)w->work.p;

    for (size_t i = 0; rc == ERR_OK && any && i < n_windows(f, w); i++) {
        const size_t next = choose_gram(f, gram, i, chosen);
        if (i == 0 || next != chosen)
            rc = cut_put(w, f->pass, (Hash128){.hi = gram[next]}, number, (uint32_t)next, err);
        chosen = next;
    }
    return rc;
}

static ErrCode send_all_grams(void *ctx, Pass *p, Err *err) { return send_docs(ctx, p, send_grams, err); }

/* Those that several places chose. */
static ErrCode judge_grams(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY], first[PLACE_BYTES];
    Span place;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        bool several = false;
        if ((rc = exchange_next_value(g, &place, &end, err)) != ERR_OK) return rc;
        memcpy(first, place.p, sizeof first);
        while ((rc = exchange_next_value(g, &place, &end, err)) == ERR_OK && !end) {
            if ((rc = resultsout_put(out, place.p, err)) != ERR_OK) return rc;
            several = true;
        }
        if (rc == ERR_OK && several) rc = resultsout_put(out, first, err);
        if (rc) return rc;
    }
    return rc;
}

static ErrCode send_marked(void *ctx, CutScratch *w, const Doc *doc, uint64_t number, Err *err)
{
    const Find *f = ctx;
    size_t chosen = 0, at = 0;
    Span marks;
    bool any = false;
    ErrCode rc = cut_slice(w, f->marks, PLACE_BYTES, number, &marks, err);

    if (rc || marks.n == 0) return rc;
    rc = make_grams(f, w, doc->text, &any, err);
    const uint64_t *gram = (const void *)w->work.p;
    for (size_t i = 0; rc == ERR_OK && any && i < n_windows(f, w); i++) {
        chosen = choose_gram(f, gram, i, chosen);
        while (at < marks.n && at_get(marks.p + at + DOC_BYTES) < chosen) at += PLACE_BYTES;
        if (at == marks.n) break;
        if (at_get(marks.p + at + DOC_BYTES) == chosen)
            rc = cut_put(w, f->pass, units_hash(&w->units, i, f->window), number, (uint32_t)i, err);
    }
    return rc;
}

static ErrCode send_all_marked(void *ctx, Pass *p, Err *err) { return send_docs(ctx, p, send_marked, err); }

static ErrCode find_substrings(void *ctx, const CutTable *t, Pass **out, Err *err)
{
    const SubstringsParams *p = ctx;
    const StepSpec spec = {.name = "grams", .value_bytes = PLACE_BYTES, .result_bytes = PLACE_BYTES};
    Find f = {.window = p->tokens, .gram = p->tokens / 2, .table = t};
    Pass *grams = NULL, *marks = NULL;
    ErrCode rc = doctable_step(&t->docs, &spec, &grams, err);

    if (rc == ERR_OK) rc = pass_run(grams, send_all_grams, judge_grams, &f, err);
    if (rc == ERR_OK) rc = cut_sort(t, "marks", pass_results(grams), PLACE_BYTES, list_all_by_doc, &marks, err);
    if (rc == ERR_OK) {
        f.marks = pass_results(marks);
        rc = find_windows(&f, send_all_marked, out, err);
    }
    pass_close(marks);
    pass_close(grams);
    return rc;
}

static ErrCode substring_ranges(void *ctx, CutScratch *w, const Doc *doc, Span records, StageSink *sink, Err *err)
{
    ErrCode rc = ERR_OK;

    (void)ctx, (void)sink, (void)doc;
    for (size_t at = 0; rc == ERR_OK && at < records.n; at += RANGE_BYTES) {
        const uint8_t *r = records.p + at;
        rc = check_range(r, w->units.n, err);
        if (rc == ERR_OK) cut_range(w, at_get(r + DOC_BYTES), at_get(r + DOC_BYTES + AT_BYTES));
    }
    return rc;
}

/* --- the runs */

static ErrCode run(const CutStage *stage, Buf *params, ErrCode rc, const DatasetSet *in, const char *out_dir,
                   const CommonOptions *common, const Par *par, StageTotals *totals, CutTotals *cut, Err *err)
{
    buf_puts(params, ",\"unicode\":");
    json_put_cstr(params, unicode_tables_id());
    buf_putc(params, '}');
    if (rc == ERR_OK) rc = buf_ok(params, "parameters", err);
    if ((rc = par_agree(par, rc, err)) == ERR_OK)
        rc = cut_run(stage, buf_span(params), in, out_dir, common, par, totals, cut, err);
    buf_clear(params);
    return rc;
}

ErrCode spans_check(const SpansParams *p, Err *err)
{
    if (p->sentences >= 1 && p->sentences <= SPANS_MAX_SENTENCES) return ERR_OK;
    return err_set(err, ERR_USAGE, "dedup spans: --sentences is 1 to %d", SPANS_MAX_SENTENCES);
}

ErrCode spans_run(const SpansParams *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                  const Par *par, StageTotals *totals, CutTotals *cut, Err *err)
{
    const CutStage stage = {.name = "spans",
                            .units = "sentences",
                            .columns = {"cut_sentences", "cut_span_bytes"},
                            .version = STRINGS_VERSION,
                            .kind = UNIT_SENTENCE,
                            .ctx = (void *)(uintptr_t)params,
                            .width = RANGE_BYTES,
                            .find = find_spans,
                            .ranges = span_ranges};
    Buf json = {0};

    buf_printf(&json, "{\"sentences\":%u,\"min_words\":%u", (unsigned)params->sentences, (unsigned)params->min_words);
    return run(&stage, &json, spans_check(params, err), in, out_dir, common, par, totals, cut, err);
}

ErrCode substrings_check(const SubstringsParams *p, Err *err)
{
    if (p->tokens >= SUBSTRINGS_MIN_TOKENS && p->tokens <= SUBSTRINGS_MAX_TOKENS) return ERR_OK;
    return err_set(err, ERR_USAGE, "dedup substrings: --tokens is %d to %d", SUBSTRINGS_MIN_TOKENS,
                   SUBSTRINGS_MAX_TOKENS);
}

ErrCode substrings_run(const SubstringsParams *params, const DatasetSet *in, const char *out_dir,
                       const CommonOptions *common, const Par *par, StageTotals *totals, CutTotals *cut, Err *err)
{
    const CutStage stage = {.name = "substrings",
                            .units = "tokens",
                            .columns = {"cut_tokens", "cut_token_bytes"},
                            .version = STRINGS_VERSION,
                            .kind = UNIT_TOKEN,
                            .ctx = (void *)(uintptr_t)params,
                            .width = RANGE_BYTES,
                            .find = find_substrings,
                            .ranges = substring_ranges};
    Buf json = {0};

    buf_printf(&json, "{\"tokens\":%u", (unsigned)params->tokens);
    return run(&stage, &json, substrings_check(params, err), in, out_dir, common, par, totals, cut, err);
}
