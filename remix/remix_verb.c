/* remix/remix_verb.c - `tamis remix`. */
#include "remix/remix.h"

static const char after[] =
    "A recipe (YAML) may hold alpha, epochs, max_epochs, default, weights and domains, a list of rules:\n"
    "  domains: [{name: wiki, hosts: [wikipedia.org], langs: [en, zh]}, {name: code, sources: [code]}]\n"
    "The first rule whose conditions all hold names the domain; without a recipe it is SOURCE-LANG. DIR/mixture.json "
    "then\n"
    "holds the share of training of each: given by weights, or in proportion to (text bytes)^alpha.";

/* The recipe, read with the options: what is wrong in it shows before the inputs are looked at. */
typedef struct {
    const char *path;
    RemixRecipe *recipe;
} Options;

static ErrCode settle(void *options, Err *err)
{
    Options *o = options;
    return remix_recipe_load(&o->recipe, o->path, err);
}

int remix_verb(int argc, char **argv)
{
    CommonOptions common = {0};
    const char *out = NULL;
    Options o = {0};
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the view and mixture.json go here (created)"),
        OPT_STR('r', "recipe", &o.path, "FILE", "domains and weights"),
        OPT_COMMON_STAGE(&common),
        OPT_CHECK(settle, &o),
        OPT_END,
    };
    const OptVerb verb = {
        .name = "remix",
        .usage = "[options] -o DIR INPUT...",
        .what = "Give every document its mixture domain and every domain its weight in training; a view, nothing is "
                "copied. INPUT: dataset directories.",
        .specs = specs,
        .after = after};
    Par par = {0};
    DatasetSet *set = NULL;
    StageTotals totals = {0};
    Err err = {0};
    ErrCode rc;

    if (!stage_begin(&verb, argc, argv, &common, &par, &set, &rc, &err)) goto out;
    if ((rc = remix_run(o.recipe, set, out, &common, &par, &totals, &err)) != ERR_OK) goto out;
    if (totals.complete && !totals.up_to_date && par.rank == 0 && !common.quiet) rc = stage_summary(out, &err);
out:
    datasetset_close(set);
    remix_recipe_free(o.recipe);
    par_stop(&par);
    return verb_exit(rc, &err);
}
