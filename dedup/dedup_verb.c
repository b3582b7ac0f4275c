/* dedup/dedup_verb.c - `tamis dedup`. */
#include "dedup/dedup.h"

#include "dedup/cluster_table.h"
#include "dedup/dedup_words.h"

#include <inttypes.h>
#include <unistd.h>

enum {
    AGGRESSIVE_BANDS = 20,
    AGGRESSIVE_ROWS = 8
}; /* 160 values, in the way of DeepSeek LLM's "aggressive deduplication" */

static const char after[] =
    "A pair of similarity s meets with chance 1-(1-s^rows)^bands: 14 x 8 gives 0.56 at 0.7, 0.77 at 0.75, 0.92 at "
    "0.8,\n"
    "0.99 at 0.85; 20 x 8 gives 0.70, 0.88, 0.97, 1.00. What met is compared again by an independent sketch "
    "(--verify).\n"
    "Shingles are runs of words; each Chinese, Japanese or Korean character counts as a word. Case, width, "
    "punctuation,\n"
    "digits and traditional against simplified characters make no difference. DIR/sign and DIR/clusters hold the\n"
    "signatures and clusters of a run; they may be deleted when it is done. With --task every share goes as far as "
    "what "
    "the\n"
    "others have done allows: run them again until DIR is complete, or at the same time with --wait.";

typedef struct {
    DedupParams params;
    const char *scope;
    bool aggressive;
    const CommonOptions *common;
} Options;

static ErrCode settle_scope(Options *o, Err *err)
{
    const Span window = SPAN_LIT("window:"), given = span_str(o->scope);
    uint64_t n = 0;

    if (span_is(given, "dump"))
        n = 1;
    else if (!span_is(given, "all") && (!span_starts(given, window) || !span_to_u64(span_from(given, window.n), &n) ||
                                        n == 0 || n > DEDUP_MAX_WINDOW))
        return err_set(err, ERR_USAGE, "dedup: --scope %s is none of all, dump and window:K, K of 1 to %d", o->scope,
                       DEDUP_MAX_WINDOW);
    o->params.window = (uint32_t)n;
    return ERR_OK;
}

static ErrCode settle(void *options, Err *err)
{
    const DedupParams plain = DEDUP_PARAMS_DEFAULT;
    Options *o = options;
    DedupParams *p = &o->params;

    if (settle_scope(o, err) != ERR_OK) return ERR_USAGE;
    if (p->wait_seconds && !o->common->task.count)
        return err_set(err, ERR_USAGE, "dedup: --wait is for --task: without it there is no other share to wait for");
    if (p->exact_only && p->verify != plain.verify)
        return err_set(err, ERR_USAGE, "dedup: --verify and --exact-only exclude one another");
    if (!o->aggressive) return dedup_check(p, err);
    if (p->bands != plain.bands || p->rows != plain.rows || p->exact_only)
        return err_set(err, ERR_USAGE,
                       "dedup: --aggressive stands for --bands %d --rows %d and goes with no other choice of them",
                       AGGRESSIVE_BANDS, AGGRESSIVE_ROWS);
    p->bands = AGGRESSIVE_BANDS;
    p->rows = AGGRESSIVE_ROWS;
    return dedup_check(p, err);
}

static void say_totals(const DedupTotals *t)
{
    static const char *const sizes[DEDUP_SIZES] = {"1", "2", "3-4", "5-99", "100-999", "1000-"};

    log_info("documents kept, by how many they stand for (largest cluster %" PRIu64 "):", t->n_largest);
    for (int i = 0; i < DEDUP_SIZES; i++)
        if (t->n_clusters[i]) log_info("  %12" PRIu64 " for %s", t->n_clusters[i], sizes[i]);
}

/* Whoever made them, templates and error pages: worth a look. The view is complete, whether they can be shown or not. */
static void say_largest(const DedupTotals *t, const char *dir)
{
    Err err;

    if (t->largest[0].docs == 0) return;
    log_info("clusters of %d documents and more (`tamis dedup clusters --largest 100 %s` shows more of them):",
             DEDUP_GIANT, dir);
    if (clusters_tell(dir, t, &err) != ERR_OK) log_warn("the largest clusters cannot be shown: %s", err.msg);
}

/* An input that cannot be opened may be another verb, behind an option where getopt_long() has found it. */
static ErrCode blame_operand(int argc, char **argv, ErrCode rc, Err *err)
{
    Err word;

    if (optind >= argc || dedup_words_check(argv[optind], &word) == ERR_OK) return rc;
    if (!err->said_elsewhere) *err = word;
    return ERR_USAGE;
}

int dedup_verb(int argc, char **argv)
{
    CommonOptions common = {0};
    Options o = {.params = DEDUP_PARAMS_DEFAULT, .scope = "all", .common = &common};
    const char *out = NULL;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the view goes here (created)"),
        OPT_HEAD("Similarity:"),
        OPT_U32('b', "bands", &o.params.bands, "N", "LSH bands; more bands catch more pairs"),
        OPT_U32('r', "rows", &o.params.rows, "N", "MinHash values a band; more rows are stricter"),
        OPT_FLAG('a', "aggressive", &o.aggressive, "20 bands of 8 rows"),
        OPT_U32('w', "shingle", &o.params.shingle, "N", "words a shingle"),
        OPT_U64('s', "seed", &o.params.seed, "N", "hash family"),
        OPT_F64(0, "verify", &o.params.verify, "X", "similarity from which a document is dropped"),
        OPT_FLAG(0, "exact-only", &o.params.exact_only, "drop equal texts only"),
        OPT_FLAG(0, "url", &o.params.url, "documents of one URL are duplicates, too"),
        OPT_STR(0, "keep", &o.params.keep, "LIST",
                "which document of a cluster stays: source:A:B, signal:NAME, longest, earliest, latest, first"),
        OPT_STR(0, "scope", &o.scope, "SCOPE", "what is compared: all, each dump alone, or window:K of K dumps"),
        OPT_STR(0, "index", &o.params.index, "DIR",
                "compare with the earlier dumps in this index too, and add what stays (created)"),
        OPT_HEAD("Running:"),
        OPT_COMMON_STAGE(&common),
        OPT_COMMON_SCRATCH(&common),
        OPT_U32(0, "wait", &o.params.wait_seconds, "S",
                "with --task: wait S seconds for what other shares have not done yet"),
        OPT_STR(0, "rejected", &common.rejected, "DIR", "write what is dropped, with its reason"),
        OPT_CHECK(settle, &o),
        OPT_END,
    };
    const OptVerb verb = {
        .name = "dedup",
        .usage = "[options] -o DIR INPUT...",
        .what = "Drop exact and near duplicates (MinHash, banded LSH); a view, nothing is copied. INPUT: dataset "
                "directories.",
        .specs = specs,
        .after = after};
    Par par = {0};
    DatasetSet *set = NULL;
    StageTotals totals = {0};
    DedupTotals dedup = {0};
    Err err = {0};
    ErrCode rc;

    if (!stage_begin(&verb, argc, argv, &common, &par, &set, &rc, &err)) {
        if (rc == ERR_SYS || rc == ERR_DATA) rc = blame_operand(argc, argv, rc, &err);
        goto out;
    }
    if ((rc = dedup_run(&o.params, set, out, &common, &par, &totals, &dedup, &err)) != ERR_OK) goto out;
    if (totals.complete && !totals.up_to_date && par.rank == 0 && !common.quiet) {
        rc = stage_summary(out, &err);
        if (dedup.n_clusters[0] + dedup.n_largest) say_totals(&dedup);
        if (rc == ERR_OK) say_largest(&dedup, out);
    }
out:
    datasetset_close(set);
    par_stop(&par);
    return verb_exit(rc, &err);
}
