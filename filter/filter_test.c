/* The stage end to end on a small dataset: verdicts, columns, totals, and the parameters that make its key. */
#include "filter/filter.h"

#include "filter/rules.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"
#include "tests/made_dataset.h"

#include <math.h>
#include <stdlib.h>

/* --- a dataset of one part: known texts first, then made ones */

static const struct {
    const char *text, *lang, *reason; /* reason under zh-en; NULL: kept */
} known[] = {
    {" \n\u3000 ", "en", "empty_text"},
    {"too short", "en", "gopher_short_doc"},
    {"太短了", "zh-Hans", "zh_short_doc"},
    {"Der Müller mahlt am Morgen das Korn, das die Bauern am Abend zuvor gebracht haben, siebt es dreimal und\n"
     "füllt das weiße Mehl in Säcke, die sein Sohn auf dem Wagen in die Stadt fährt, wo man schon darauf wartet.",
     "de", "other_language"},
    {"int main(void)\n{\n    return 0; /* nothing to be done, and done so in fifty characters */\n}\n", "code", NULL},
    {"x=1\n", "code", "code_short_doc"},
    {"short and without a language", NULL, "gopher_short_doc"},
};
enum { N_KNOWN = sizeof known / sizeof *known, N_DOCS = 400 };

static bool giant_first; /* the first made text has too many words to be measured */

static void make_doc(uint32_t i, Doc *d, Buf *text, char id[32])
{
    static const char *const en[] = {"the",  "river",  "of",   "mountain", "and",  "window",
                                     "that", "people", "have", "garden",   "with", "music"};
    static const char *const zh[] = {"山", "水", "人", "们", "说", "话", "的", "时", "候",
                                     "，", "。", "书", "本", "写", "字", "年", "月", "日"};

    buf_reset(text);
    snprintf(id, 32, "local/t#%u", i);
    *d = (Doc){.id = span_str(id)};
    if (i < N_KNOWN) {
        buf_puts(text, known[i].text);
        if (known[i].lang) d->lang = span_str(known[i].lang);
    } else if (giant_first && i == N_KNOWN) {
        for (size_t k = 0; k <= WORDS_MAX; k++) buf_putc(text, k % 2 ? '+' : '-');
    } else {
        bool chinese = i % 2;
        for (uint32_t k = 0; k < 30 + mix64(i) % 300; k++) {
            uint64_t r = mix64((uint64_t)i << 20 | k);
            buf_puts(text, chinese ? zh[r % 18] : en[r % 12]);
            buf_puts(text, r % 19 == 0 ? ".\n" : chinese ? "" : " ");
        }
        d->lang = chinese ? SPAN_LIT("zh-Hans") : SPAN_LIT("en");
    }
    d->text = buf_span(text);
}

static void emit_doc(void *ctx, uint32_t i, Arena *a, Doc *d)
{
    Buf text = {0};
    char id[32];

    (void)ctx;
    make_doc(i, d, &text, id);
    d->id = arena_copy(a, d->id);
    d->text = arena_copy(a, d->text);
    buf_clear(&text);
}

static void make_dataset(const char *dir) { made_dataset(dir, emit_doc, NULL, N_DOCS, 1); }

static void run(const FilterParams *params, const char *in, const char *out, int threads, StageTotals *totals)
{
    CommonOptions common = {0};
    Par par = par_alone(threads);
    DatasetSet *set = NULL;
    Err err = {0};

    CHECK_OK(datasetset_open(&set, &in, 1, &err), &err);
    CHECK_OK(filter_run(params, set, out, &common, &par, totals, &err), &err);
    datasetset_close(set);
}

static const char *path(Arena *a, const char *name)
{
    Buf b = {0};
    buf_printf(&b, "%s/%s", check_tmpdir(), name);
    char *s = arena_str(a, buf_span(&b));
    buf_clear(&b);
    return s;
}

/* The verdict of the first set, straight from the library: a reason or NULL. */
static const char *verdict(uint32_t i, SignalScratch *s, double v[SIG_COUNT])
{
    double limit[RULE_COUNT];
    Buf text = {0};
    Err err = {0};
    char id[32];
    Doc d;

    make_doc(i, &d, &text, id);
    for (int k = 0; k < RULE_COUNT; k++) limit[k] = rule_table[k].limit;
    TextKind kind = text_kind(d.lang, d.text);
    CHECK_OK(signals_measure(s, d.text, kind, v, &err), &err);
    int r = rules_judge(&rule_sets[0], kind, limit, v);
    const char *why = i < N_KNOWN ? known[i].reason : r < 0 ? NULL : rule_table[r].reason;
    if (i < N_KNOWN && r >= 0 && kind != KIND_OTHER && why && strcmp(why, "empty_text") != 0)
        CHECK_STR(why, rule_table[r].reason);
    buf_clear(&text);
    return why;
}

/* Every document the view shows is the next that the rules keep, with the measured values among its signals. */
TEST(filter_shows_what_the_rules_keep)
{
    Arena a = {0};
    const char *in = path(&a, "in"), *out = path(&a, "out");
    FilterParams params = FILTER_PARAMS_DEFAULT;
    SignalScratch s = {0};
    StageTotals t = {0};
    DocCursor *c = NULL;
    Err err = {0};
    uint64_t n_kept = 0;
    bool end = false;
    Doc d;
    DocId id;

    make_dataset(in);
    run(&params, in, out, 2, &t);
    CHECK(t.complete);
    CHECK_OK(doccursor_open(&c, &out, 1, &err), &err);
    for (uint32_t i = 0; i < N_DOCS; i++) {
        double v[SIG_COUNT];
        char want[32];
        uint32_t n_measured = 0;
        if (verdict(i, &s, v)) continue;
        n_kept++;
        CHECK_OK(doccursor_next(c, &d, &id, &end, &err), &err);
        CHECK(!end);
        if (end) break;
        snprintf(want, sizeof want, "local/t#%u", i);
        CHECK_SPAN(span_str(want), d.id);
        for (int k = 0; k < SIG_COUNT; k++) n_measured += !isnan(v[k]);
        CHECK_INT(n_measured, d.n_signals);
        for (uint32_t k = 0; k < d.n_signals; k++)
            if (span_is(d.signals[k].name, "chars")) CHECK(d.signals[k].value == v[SIG_CHARS]);
    }
    CHECK_OK(doccursor_next(c, &d, &id, &end, &err), &err);
    CHECK(end);
    CHECK_INT(n_kept, t.n_docs);
    CHECK_INT(N_DOCS, t.n_in);
    CHECK_INT(N_DOCS - n_kept, t.n_dropped);
    CHECK(n_kept > 20 && n_kept < N_DOCS - 20); /* the comparison saw both */
    doccursor_close(c);
    signals_clear(&s);
    arena_clear(&a);
}

/* Drops by reason in the manifest, against the same counts from the library. */
TEST(filter_counts_every_reason)
{
    Arena a = {0};
    const char *in = path(&a, "in2"), *out = path(&a, "out2");
    FilterParams params = FILTER_PARAMS_DEFAULT;
    SignalScratch s = {0};
    Dataset *ds = NULL;
    Err err = {0};
    uint64_t sum = 0;

    make_dataset(in);
    run(&params, in, out, 1, NULL);
    CHECK_OK(dataset_open(&ds, out, &err), &err);
    const Json *dropped = json_get(dataset_manifest(ds), "dropped");
    CHECK(dropped != NULL);
    for (const Json *j = dropped ? dropped->child : NULL; j; j = j->next) {
        uint64_t n = 0;
        for (uint32_t i = 0; i < N_DOCS; i++) {
            double v[SIG_COUNT];
            const char *why = verdict(i, &s, v);
            n += why && span_is(j->key, why);
        }
        CHECK_INT(n, (uint64_t)j->number);
        sum += n;
    }
    CHECK_INT(N_DOCS, sum + dataset_n_docs(ds));
    dataset_close(ds);
    signals_clear(&s);
    arena_clear(&a);
}

TEST(filter_keeps_others_when_asked_and_none_drops_only_the_empty)
{
    Arena a = {0};
    const char *in = path(&a, "in3"), *plain = path(&a, "a3"), *keep = path(&a, "b3"), *none = path(&a, "c3");
    FilterParams params = FILTER_PARAMS_DEFAULT;
    StageTotals t[3];

    make_dataset(in);
    run(&params, in, plain, 1, &t[0]);
    params.other = FILTER_OTHER_KEEP;
    run(&params, in, keep, 1, &t[1]);
    params = (FilterParams){.rules = 3, .other = FILTER_OTHER_DROP}; /* of no weight without rules */
    run(&params, in, none, 1, &t[2]);
    CHECK_INT(t[0].n_docs + 1, t[1].n_docs);
    CHECK_INT(N_DOCS - 1, t[2].n_docs);
    arena_clear(&a);
}

TEST(filter_drops_what_is_too_long_to_measure)
{
    Arena a = {0};
    const char *in = path(&a, "in4"), *out = path(&a, "out4");
    FilterParams params = {.rules = 3};
    Dataset *ds = NULL;
    Err err = {0};

    giant_first = true;
    make_dataset(in);
    giant_first = false;
    run(&params, in, out, 1, NULL);
    CHECK_OK(dataset_open(&ds, out, &err), &err);
    const Json *n = json_get(json_get(dataset_manifest(ds), "dropped"), "text_too_long");
    CHECK(n && n->number == 1);
    CHECK_INT(N_DOCS - 2, dataset_n_docs(ds));
    dataset_close(ds);
    arena_clear(&a);
}

TEST(filter_params_name_all_that_decides)
{
    static const char *const moved[] = {"gopher_short_doc=30", "zh_short_doc=12.5", "gopher_short_doc=31"};
    static const char *const wrong[] = {"gopher_short_doc",
                                        "gopher_short_doc=",
                                        "gopher_short_doc=3x",
                                        "no_such=1",
                                        "=1",
                                        "gopher_short_doc=nan",
                                        "gopher_short_doc=1e300",
                                        ""};
    FilterParams params = FILTER_PARAMS_DEFAULT;
    FilterContext *c = NULL;
    Err err = {0};
    Buf plain = {0}, now = {0};

    CHECK_OK(filter_context_new(&c, &params, &err), &err);
    buf_put_span(&plain, filter_context_params(c));
    CHECK(strstr(buf_cstr(&plain), "\"rules\":\"zh-en\",\"other\":\"drop\"") != NULL);
    CHECK(strstr(buf_cstr(&plain), "\"gopher_short_doc\":50,") != NULL);
    CHECK(strstr(buf_cstr(&plain), "line_punct_ratio") == NULL); /* not of this set */
    filter_context_free(c);

    params.limits = moved;
    params.n_limits = 3;
    CHECK_OK(filter_context_new(&c, &params, &err), &err);
    buf_put_span(&now, filter_context_params(c));
    CHECK(strstr(buf_cstr(&now), "\"gopher_short_doc\":31,") != NULL);
    CHECK(strstr(buf_cstr(&now), "\"zh_short_doc\":12.5,") != NULL);
    filter_context_free(c);

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        params.limits = &wrong[i];
        params.n_limits = 1;
        CHECK_INT(ERR_USAGE, filter_context_new(&c, &params, &err));
        CHECK(c == NULL && err.msg[0]);
    }
    params = (FilterParams){.rules = 99};
    CHECK_INT(ERR_USAGE, filter_context_new(&c, &params, &err));
    buf_clear(&plain);
    buf_clear(&now);
}

static ErrCode judge_some(void *ctx, Err *err)
{
    static const char *const moved[] = {"gopher_short_doc=30"};
    FilterParams params = {.limits = moved, .n_limits = 1};
    const Buf *text = ctx;
    FilterContext *c = NULL;
    void *worker = NULL;
    double v[SIG_COUNT];
    ErrCode rc = filter_context_new(&c, &params, err);

    if (rc == ERR_OK) rc = filter_stage.worker_new(c, &worker, err);
    for (int kind = 0; kind < KIND_COUNT && rc == ERR_OK; kind++)
        rc = signals_measure(worker, buf_span(text), (TextKind)kind, v, err);
    filter_stage.worker_free(worker);
    filter_context_free(c);
    return rc;
}

/* Words and lines enough for the arrays to grow. */
TEST(filter_without_memory)
{
    Buf text = {0};

    for (int i = 0; i < 9000; i++) buf_printf(&text, "%d\n", i);
    alloc_fault_each(judge_some, NULL, &text);
    buf_clear(&text);
}
