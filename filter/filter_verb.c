/* filter/filter_verb.c - `tamis filter`. */
#include "filter/filter.h"

static const char after[] =
    "Every measure becomes a signal of the documents, those dropped too: `tamis docs` shows them, --limit moves a\n"
    "limit by the reason it is counted under (gopher_short_doc=30). Rule sets: zh-en judges English by Gopher, "
    "Chinese by\n"
    "characters, code by its lines; gopher and fineweb judge every text by words; none only measures.";

typedef struct {
    FilterParams params;
    OptList limits;
} Options;

/* Rules and limits that fit each other make a context. */
static ErrCode settle(void *options, Err *err)
{
    Options *o = options;
    FilterContext *ctx = NULL;

    o->params.limits = o->limits.v;
    o->params.n_limits = o->limits.n;
    ErrCode rc = filter_context_new(&ctx, &o->params, err);
    filter_context_free(ctx);
    return rc;
}

int filter_verb(int argc, char **argv)
{
    static const char *const others[] = {"drop", "keep", NULL};
    Options o = {.params = FILTER_PARAMS_DEFAULT};
    CommonOptions common = {0};
    const char *out = NULL;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the view goes here (created)"),
        OPT_CHOICE('R', "rules", &o.params.rules, filter_rule_sets, "SET", "zh-en, gopher, fineweb or none"),
        OPT_LIST('l', "limit", &o.limits, "REASON=X", "another limit for the rule of this reason; repeatable"),
        OPT_CHOICE(0, "other", &o.params.other, others, "drop|keep", "documents neither English, Chinese nor code"),
        OPT_COMMON_STAGE(&common),
        OPT_STR(0, "rejected", &common.rejected, "DIR", "write what is dropped, with its reason"),
        OPT_CHECK(settle, &o),
        OPT_END,
    };
    const OptVerb verb = {
        .name = "filter",
        .usage = "[options] -o DIR INPUT...",
        .what = "Drop documents of low quality by rules; a view, nothing is copied. INPUT: dataset directories.",
        .specs = specs,
        .after = after};
    Par par = {0};
    DatasetSet *set = NULL;
    Err err = {0};
    ErrCode rc;

    if (!stage_begin(&verb, argc, argv, &common, &par, &set, &rc, &err)) goto out;
    StageTotals totals = {0};
    if ((rc = filter_run(&o.params, set, out, &common, &par, &totals, &err)) != ERR_OK) goto out;
    if (totals.complete && !totals.up_to_date && par.rank == 0 && !common.quiet) rc = stage_summary(out, &err);
out:
    datasetset_close(set);
    par_stop(&par);
    optlist_clear(&o.limits);
    return verb_exit(rc, &err);
}
