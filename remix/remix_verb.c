/* remix/remix_verb.c - `tamis remix`. */
#include "remix/remix.h"

static const char after[] =
    "A recipe (YAML) may hold alpha, epochs, max_epochs, default, weights and domains, a list of rules:\n"
    "  domains: [{name: wiki, hosts: [wikipedia.org], langs: [en, zh]}, {name: code, sources: [code]}]\n"
    "The first rule whose conditions all hold names the domain; without a recipe it is SOURCE-LANG. DIR/mixture.json "
    "then\n"
    "holds the share of training of each: given by weights, or in proportion to (text bytes)^alpha.";

int remix_verb(int argc, char **argv)
{
    CommonOptions common = {0};
    const char *out = NULL, *path = NULL;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the view and mixture.json go here (created)"),
        OPT_STR('r', "recipe", &path, "FILE", "domains and weights"),
        OPT_COMMON_STAGE(&common),
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
    RemixRecipe *recipe = NULL;
    StageTotals totals = {0};
    Err err = {0};
    int first = 0;

    ErrCode rc = verb_begin(&verb, argc, argv, &common, &par, &first, &err);
    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc != ERR_OK) goto out;
    if ((rc = remix_recipe_load(&recipe, path, &err)) != ERR_OK) goto out;
    if ((rc = datasetset_open(&set, (const char *const *)argv + first, (size_t)(argc - first), &err)) != ERR_OK)
        goto out;
    if ((rc = remix_run(recipe, set, out, &common, &par, &totals, &err)) != ERR_OK) goto out;
    if (totals.complete && !totals.up_to_date && par.rank == 0 && !common.quiet) rc = stage_summary(out, &err);
out:
    datasetset_close(set);
    remix_recipe_free(recipe);
    par_stop(&par);
    return verb_exit(rc, &err);
}
