/* dedup/rates.h - how the share of duplicates grows with the number of dumps: Table 1 of DeepSeek LLM (arXiv 2401.02954) for
 * dumps of one's own, for every number of dumps from one pass.
 *
 * Dumps are ordered by name, the newest first (or the oldest). In that order of documents, dump after dump and by input within one,
 * the first of its kind is kept; so whatever a document is a duplicate of lies in its own dump or in one before it, and the rate over the
 * first K dumps is the dropped documents of these over their documents, for all K at once.
 *
 * Exact duplicates are those that `tamis dedup` finds in the K dumps alone, always. Near duplicates are judged within components
 * (dedup.h) of all dumps, whose restriction to K dumps is compared with the same kept documents in the same order: the rate is
 * that of the K dumps alone unless two documents are connected only over documents of later dumps, which can add a few to
 * the near duplicates of K dumps, or a component has more than DEDUP_MAX_LEADERS kept documents. Over all dumps it is exact. */
#ifndef TAMIS_DEDUP_RATES_H
#define TAMIS_DEDUP_RATES_H

#include "dedup/dedup.h"

typedef struct {
    Span name;                        /* empty: documents that name no dump */
    uint64_t n_docs, n_exact, n_near; /* of this dump; dropped as duplicates of it or of dumps before it */
} RatesDump;
typedef struct {
    RatesDump *dump; /* n of them in order */
    uint32_t n;
    Arena arena;
} Rates;
void rates_clear(Rates *r);

/* Signs `in` into DIR/sign, where the signatures of a dedup of the same inputs serve too, and counts; steps under way lie in
 * DIR/rates. Collective. Of params `keep` and `scope` play no part. ERR_LIMIT: more than DUMPS_MAX dumps (dedup/dumpnames.h), or longer names. */
MUST_USE ErrCode rates_run(const DedupParams *params, const DatasetSet *in, const char *dir, bool oldest_first,
                           const CommonOptions *common, const Par *par, Rates *out, Err *err);

#endif
