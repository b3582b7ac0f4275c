/* dedup/strings.h - repeated strings: what several texts, or one, have in common below the level of whole documents is cut out of all of
 * them but the first. Each function runs a view stage whose texts are rewritten (dedup/cut.h). Texts are compared by their text key
 * (core/textkey.h): case, width, punctuation, digits and Han variants make no difference. "First" is by order of input. Results are a
 * function of inputs and params alone. Collective: every rank of `par` calls them with equal arguments; `totals` and `cut` may be NULL. With
 * --task a run takes its share as far as what the other tasks have done allows, and ends; the array is run again until the view is complete. */
#ifndef TAMIS_DEDUP_STRINGS_H
#define TAMIS_DEDUP_STRINGS_H

#include "core/stage.h"

enum { STRINGS_VERSION = 3, LINES_MAX_DOCS = 1000000 };

/* What was cut, from the statistics of a complete view. */
typedef struct {
    uint64_t docs, units, bytes; /* documents that lost something; units and bytes of all */
    const char *what;            /* the units: "lines" … */
} CutTotals;

typedef enum { LINES_WITHIN_CORPUS, LINES_WITHIN_HOST } LinesWithin;

/* Repeated lines, or paragraphs. */
typedef struct {
    uint32_t paragraphs; /* 1: units are paragraphs, not lines */
    uint32_t within;     /* LinesWithin: compared with everything, or with documents of one web host */
    uint32_t min_words;  /* units of fewer key tokens that are no numbers are left alone */
    uint32_t
        docs; /* 0: a unit that was seen before is cut, in the same document too; N: units that more than N documents have */
    bool drop_all; /* the first one too; with docs >= 1 */
} LinesParams;
#define LINES_PARAMS_DEFAULT \
    {                        \
        .min_words = 10      \
    }
MUST_USE ErrCode lines_check(const LinesParams *params, Err *err);
MUST_USE ErrCode lines_run(const LinesParams *params, const DatasetSet *in, const char *out_dir,
                           const CommonOptions *common, const Par *par, StageTotals *totals, CutTotals *cut,
                           Err *err);

/* Spans of consecutive sentences that stood before, as in C4 (Raffel et al. 2020), but the first one stays. A sentence without a token is none. */
typedef struct {
    uint32_t sentences; /* a span: 1 .. SPANS_MAX_SENTENCES */
    uint32_t min_words; /* spans of fewer key tokens that are no numbers are left alone */
} SpansParams;
enum { SPANS_MAX_SENTENCES = 1000 };
#define SPANS_PARAMS_DEFAULT            \
    {                                   \
        .sentences = 3, .min_words = 10 \
    }
MUST_USE ErrCode spans_check(const SpansParams *params, Err *err);
MUST_USE ErrCode spans_run(const SpansParams *params, const DatasetSet *in, const char *out_dir,
                           const CommonOptions *common, const Par *par, StageTotals *totals, CutTotals *cut,
                           Err *err);

/* All substrings of at least so many key tokens that stood before (Lee et al. 2022, "Deduplicating training data makes language models better",
 * without a suffix array; window_cut.c says how). */
typedef struct {
    uint32_t tokens; /* SUBSTRINGS_MIN_TOKENS .. SUBSTRINGS_MAX_TOKENS */
} SubstringsParams;
enum { SUBSTRINGS_MIN_TOKENS = 8, SUBSTRINGS_MAX_TOKENS = 1000 };
#define SUBSTRINGS_PARAMS_DEFAULT \
    {                             \
        .tokens = 50              \
    }
MUST_USE ErrCode substrings_check(const SubstringsParams *params, Err *err);
MUST_USE ErrCode substrings_run(const SubstringsParams *params, const DatasetSet *in, const char *out_dir,
                                const CommonOptions *common, const Par *par, StageTotals *totals, CutTotals *cut,
                                Err *err);

#endif
