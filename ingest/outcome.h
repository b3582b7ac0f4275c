/* ingest/outcome.h - what became of each input of a run, so that a file that is damaged or holds nothing we read is named
 * and not only a number in the statistics.
 *
 * Threads add to atomic counters that do not depend on order; at the end the ranks' are added up and rank 0 prints a line
 * an input, in input order. Only inputs opened in this run are spoken of: those of parts done before were then. */
#ifndef TAMIS_INGEST_OUTCOME_H
#define TAMIS_INGEST_OUTCOME_H

#include "core/par.h"
#include "ingest/ingest.h"
#include "ingest/inputs.h"

enum { OUTCOME_MAX_LINES = 20 }; /* warnings a run; the rest becomes one with their number */

typedef struct Outcome Outcome; /* of one input */
/* One for each of `in`; freed with free(). */
MUST_USE ErrCode outcomes_new(Outcome **o, const Inputs *in, Err *err);
/* One of the input's slices was opened. Any thread. */
void outcome_opened(Outcome *o, const InputSlice *s);
/* One of its items came to an end: with a reason, or (INGEST_N_REASONS) as a document. `stored` as in RecordItem. */
void outcome_item(Outcome *o, uint32_t input, IngestReason reason, uint64_t stored);
/* The digests of a record there are not those of its bytes. */
void outcome_mismatch(Outcome *o, uint32_t input, uint64_t stored);
/* Collective: prints the warnings. */
MUST_USE ErrCode outcomes_report(const Outcome *o, const Inputs *in, const Par *par, Err *err);

/* Whether the reason says that the bytes are no record or line we read, rather than one that is not wanted. */
bool outcome_is_unread(IngestReason reason);

#endif
