/* filter/filter.h - quality rules: a view stage that measures every document, exports what it measured as signal
 * columns, and drops the documents whose measures lie beyond the limits of a rule set, each with its reason.
 *
 * English is judged by the rules of Gopher (Rae et al. 2021): quality and repetition, on words. Chinese has no words
 * without a segmenter, so its rules count characters (kinds and sources in filter/rules.h); rules whose measure
 * depends on the length of a text hold from a length on. Code has light rules of its own. Documents in other
 * languages are dropped or kept by option, and kept by the set `none`; without `lang` the script decides between English and Chinese.
 *
 * A text of more than 32 MiB or 8 million words or lines is not measured but dropped as text_too_long. A thread needs 40 bytes a
 * word: 320 MiB at the most, of which 40 are kept for the next text.
 *
 * A limit can be moved by reason (--limit). Since the measures are columns of the view, a later stage or a person can
 * move it too without reading the texts again. All comparisons are of values rounded to 1e-6. */
#ifndef TAMIS_FILTER_FILTER_H
#define TAMIS_FILTER_FILTER_H

#include "core/stage.h"

typedef enum { FILTER_OTHER_DROP, FILTER_OTHER_KEEP } FilterOther;

typedef struct {
    uint32_t rules;            /* index into filter_rule_sets */
    uint32_t other;            /* FilterOther: documents neither English, Chinese nor code */
    const char *const *limits; /* n_limits strings REASON=NUMBER that replace limits; later ones win. Borrowed */
    size_t n_limits;
} FilterParams;
#define FILTER_PARAMS_DEFAULT                  \
    {                                          \
        .rules = 0, .other = FILTER_OTHER_DROP \
    }

/* NULL-terminated names: zh-en gopher fineweb none. */
extern const char *const filter_rule_sets[];

/* The stage and its parts, for whoever composes stages. The context is made from params, serves any number of threads
 * and outlives the run. */
extern const StageDef filter_stage;
typedef struct FilterContext FilterContext;
MUST_USE ErrCode filter_context_new(FilterContext **ctx, const FilterParams *params, Err *err);
void filter_context_free(FilterContext *ctx);
/* Canonical JSON of what decides the output; lives as long as the context. */
Span filter_context_params(const FilterContext *ctx);
/* StageMap; `ctx` is a FilterContext. */
ErrCode filter_map(void *ctx, void *worker, const Doc *doc, DocId id, StageSink *sink, Err *err);

/* Runs the stage over `in`. Collective: every rank of `par` calls it with equal arguments. `totals` may be NULL. */
MUST_USE ErrCode filter_run(const FilterParams *params, const DatasetSet *in, const char *out_dir,
                            const CommonOptions *common, const Par *par, StageTotals *totals, Err *err);

/* `tamis filter` */
int filter_verb(int argc, char **argv);

#endif
