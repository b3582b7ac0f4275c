/* `tamis dedup signatures`. */
#include "dedup/datatrove.h"
#include "dedup/dedup_words.h"

#include <inttypes.h>

static const char after[] =
    "Words are a document's member `tokens`: what datatrove's word tokenizer made of its simplified text. Of "
    "documents\n"
    "without it, the text cut at white space. A document of fewer words than a shingle has no signature there.";

static ErrCode settle(void *params, Err *err)
{
    const DedupParams *p = params;

    if (p->seed > UINT32_MAX) return err_set(err, ERR_USAGE, "dedup signatures: --seed is below 2^32");
    return dedup_check(p, err);
}

int signatures_verb(int argc, char **argv)
{
    static const char *const formats[] = {"datatrove", NULL};
    DedupParams params = DEDUP_PARAMS_DEFAULT;
    CommonOptions common = {0};
    const char *out = NULL;
    uint32_t format = 0;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the files go here (created)"),
        OPT_CHOICE(0, "compat", &format, formats, "datatrove", "whose files"),
        OPT_U32('b', "bands", &params.bands, "N", "num_buckets"),
        OPT_U32('r', "rows", &params.rows, "N", "hashes_per_bucket"),
        OPT_U32('w', "shingle", &params.shingle, "N", "n_grams"),
        OPT_U64('s', "seed", &params.seed, "N", "seed, below 2^32"),
        OPT_HEAD("Running:"),
        OPT_COMMON_THREADS(&common),
        OPT_COMMON_EVENTS(&common),
        OPT_COMMON_TALK(&common),
        OPT_CHECK(settle, &params),
        OPT_END,
    };
    const OptVerb verb = {.name = "dedup signatures",
                          .usage = "[options] -o DIR INPUT...",
                          .what = "Write the MinHash signatures that datatrove would, file for file: "
                                  "bucket_BBB/PPPPP.minhash.sig, P a part. INPUT: dataset directories.",
                          .specs = specs,
                          .after = after};
    Par par = {0};
    DatasetSet *set = NULL;
    TroveTotals totals = {0};
    Err err = {0};
    ErrCode rc;

    if (!stage_begin(&verb, argc, argv, &common, &par, &set, &rc, &err)) goto out;
    rc = par_agree(&par, trove_run(&params, set, out, &par, &totals, &err), &err);
    par_sum_u64(&par, &totals.n_docs, 1);
    par_sum_u64(&par, &totals.n_signed, 1);
    if (rc == ERR_OK && par.rank == 0)
        log_info("dedup signatures: %" PRIu64 " of %" PRIu64 " documents signed, %" PRIu32 " files a part",
                 totals.n_signed, totals.n_docs, params.bands);
out:
    datasetset_close(set);
    par_stop(&par);
    return verb_exit(rc, &err);
}
