/* dedup/strings_verb.c - `tamis dedup lines`, `spans` and `substrings`. */
#include "dedup/dedup_words.h"
#include "dedup/strings.h"

#include <inttypes.h>

/* Runs a verb that writes a view without repeated strings. */
typedef ErrCode (*RunFn)(const void *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                         const Par *par, StageTotals *totals, CutTotals *cut, Err *err);

static int run_verb(const OptVerb *verb, int argc, char **argv, const CommonOptions *common, const char *const *out,
                    RunFn run, const void *params)
{
    Par par = {0};
    DatasetSet *set = NULL;
    StageTotals totals = {0};
    CutTotals cut = {0};
    Err err = {0};
    ErrCode rc;

    if (!stage_begin(verb, argc, argv, common, &par, &set, &rc, &err)) goto out;
    if ((rc = run(params, set, *out, common, &par, &totals, &cut, &err)) != ERR_OK) goto out;
    if (totals.complete && !totals.up_to_date && par.rank == 0 && !common->quiet) {
        rc = stage_summary(*out, &err);
        log_info("cut: %" PRIu64 " %s, %.1f MB, in %" PRIu64 " documents", cut.units, cut.what,
                 (double)cut.bytes / 1e6, cut.docs);
    }
out:
    datasetset_close(set);
    par_stop(&par);
    return verb_exit(rc, &err);
}

/* --- tamis dedup lines */

static ErrCode settle_lines(void *params, Err *err) { return lines_check(params, err); }

static ErrCode run_lines(const void *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                         const Par *par, StageTotals *totals, CutTotals *cut, Err *err)
{
    return lines_run(params, in, out_dir, common, par, totals, cut, err);
}

int lines_verb(int argc, char **argv)
{
    static const char *const units[] = {"line", "paragraph", NULL}, *const withins[] = {"corpus", "host", NULL};
    LinesParams p = LINES_PARAMS_DEFAULT;
    CommonOptions common = {0};
    const char *out = NULL;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the view goes here (created)"),
        OPT_CHOICE('u', "unit", &p.paragraphs, units, "line|paragraph",
                   "what is compared; blank lines end a paragraph"),
        OPT_CHOICE('w', "within", &p.within, withins, "corpus|host",
                   "compare everything, or each web host by itself"),
        OPT_U32('m', "min-words", &p.min_words, "N", "leave units of fewer words; numbers do not count"),
        OPT_U32('n', "docs", &p.docs, "N", "cut what more than N documents have; 0: what was seen before"),
        OPT_FLAG('a', "all", &p.drop_all, "cut the first one too; with --docs"),
        OPT_HEAD("Running:"),
        OPT_COMMON_STAGE(&common),
        OPT_COMMON_SCRATCH(&common),
        OPT_STR(0, "rejected", &common.rejected, "DIR", "write what is dropped, with its reason"),
        OPT_CHECK(settle_lines, &p),
        OPT_END,
    };
    const OptVerb verb = {
        .name = "dedup lines",
        .usage = "[options] -o DIR INPUT...",
        .what = "Cut repeated lines or paragraphs out of texts; a view, texts that lose something are written anew. "
                "INPUT:\n"
                "dataset directories.",
        .specs = specs,
        .after = "The first one in order of input stays. Case, width, punctuation, digits and traditional against "
                 "simplified\n"
                 "characters make no difference; each Chinese, Japanese or Korean character counts as a word. "
                 "Documents of\n"
                 "which nothing is left are dropped. With --task run every share again until DIR is complete."};

    return run_verb(&verb, argc, argv, &common, &out, run_lines, &p);
}

/* --- tamis dedup spans */

static ErrCode settle_spans(void *params, Err *err) { return spans_check(params, err); }

static ErrCode run_spans(const void *params, const DatasetSet *in, const char *out_dir, const CommonOptions *common,
                         const Par *par, StageTotals *totals, CutTotals *cut, Err *err)
{
    return spans_run(params, in, out_dir, common, par, totals, cut, err);
}

int spans_verb(int argc, char **argv)
{
    SpansParams p = SPANS_PARAMS_DEFAULT;
    CommonOptions common = {0};
    const char *out = NULL;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the view goes here (created)"),
        OPT_U32('n', "sentences", &p.sentences, "N", "consecutive sentences a span"),
        OPT_U32('m', "min-words", &p.min_words, "N", "leave spans of fewer words; numbers do not count"),
        OPT_HEAD("Running:"),
        OPT_COMMON_STAGE(&common),
        OPT_COMMON_SCRATCH(&common),
        OPT_STR(0, "rejected", &common.rejected, "DIR", "write what is dropped, with its reason"),
        OPT_CHECK(settle_spans, &p),
        OPT_END,
    };
    const OptVerb verb = {.name = "dedup spans",
                          .usage = "[options] -o DIR INPUT...",
                          .what = "Cut spans of consecutive sentences that stood before out of texts; a view, texts "
                                  "that lose something are\n"
                                  "written anew. INPUT: dataset directories.",
                          .specs = specs,
                          .after = "The first one in order of input stays. Case, width, punctuation, digits and "
                                   "traditional against simplified\n"
                                   "characters make no difference. Documents of which nothing is left are dropped. "
                                   "With --task run every share\n"
                                   "again until DIR is complete."};

    return run_verb(&verb, argc, argv, &common, &out, run_spans, &p);
}

/* --- tamis dedup substrings */

static ErrCode settle_substrings(void *params, Err *err) { return substrings_check(params, err); }

static ErrCode run_substrings(const void *params, const DatasetSet *in, const char *out_dir,
                              const CommonOptions *common, const Par *par, StageTotals *totals, CutTotals *cut,
                              Err *err)
{
    return substrings_run(params, in, out_dir, common, par, totals, cut, err);
}

int substrings_verb(int argc, char **argv)
{
    SubstringsParams p = SUBSTRINGS_PARAMS_DEFAULT;
    CommonOptions common = {0};
    const char *out = NULL;
    const OptSpec specs[] = {
        OPT_NEED('o', "out", &out, "DIR", "the view goes here (created)"),
        OPT_U32('n', "tokens", &p.tokens, "N", "words or Han characters that a repeat must have"),
        OPT_HEAD("Running:"),
        OPT_COMMON_STAGE(&common),
        OPT_COMMON_SCRATCH(&common),
        OPT_STR(0, "rejected", &common.rejected, "DIR", "write what is dropped, with its reason"),
        OPT_CHECK(settle_substrings, &p),
        OPT_END,
    };
    const OptVerb verb = {
        .name = "dedup substrings",
        .usage = "[options] -o DIR INPUT...",
        .what = "Cut every substring of N tokens or more that stood before out of texts; a view, texts that lose "
                "something\n"
                "are written anew. INPUT: dataset directories.",
        .specs = specs,
        .after = "The first one in order of input stays. Case, width, punctuation, digits and traditional against "
                 "simplified\n"
                 "characters make no difference; each Chinese, Japanese or Korean character is a token. Documents of "
                 "which\n"
                 "nothing is left are dropped. With --task run every share again until DIR is complete."};

    return run_verb(&verb, argc, argv, &common, &out, run_substrings, &p);
}
