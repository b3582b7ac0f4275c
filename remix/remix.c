/* remix/remix.c - the stage: every document's domain into the column. */
#include "remix/remix.h"

#include "remix/mixrecipe.h"

#include <stdlib.h>

enum { COLUMN_DOMAIN };
static const ColumnDef columns[] = {
    [COLUMN_DOMAIN] = {.name = "domain", .type = COL_STRING, .width = 1, .flags = COL_FIELD}};

static ErrCode worker_new(void *ctx, void **worker, Err *err)
{
    (void)ctx;
    *worker = calloc(1, sizeof(DomainScratch));
    return *worker ? ERR_OK : err_nomem(err, "the scratch of remix");
}

static void worker_free(void *worker) { free(worker); }

const StageDef remix_stage = {
    .name = "remix",
    .version = 1,
    .kind = DATASET_VIEW,
    .columns = columns,
    .n_columns = sizeof columns / sizeof *columns,
    .worker_new = worker_new,
    .worker_free = worker_free,
};

ErrCode remix_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err)
{
    Span domain = domain_of(ctx, worker, doc);

    (void)id, (void)err;
    sink_string(sink, COLUMN_DOMAIN, domain);
    /* The engine counts kept documents by their domain (stats.json), out of which mixture.c makes the mixture. */
    return ERR_OK;
}

ErrCode remix_run(const RemixRecipe *recipe, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                  const Par *par, StageTotals *totals, Err *err)
{
    StageTotals own = {0};
    StageJob job = {.def = &remix_stage,
                    .ctx = (void *)recipe,
                    .params = remix_recipe_params(recipe),
                    .out_dir = out_dir,
                    .set = in,
                    .map = remix_map,
                    .common = common};
    ErrCode rc = stage_run(&job, par, &own, err);

    if (rc == ERR_OK && own.complete && par->rank == 0) rc = remix_write_mixture(recipe, out_dir, err);
    rc = par_agree(par, rc, err);
    if (totals) *totals = own;
    return rc;
}
