/* core/docscan.h - all documents of a set, in parallel and in no order: for what only counts documents or sends them on, so that
 * the order cannot matter. Blocks of several parts are read at once; nothing is written. */
#ifndef TAMIS_CORE_DOCSCAN_H
#define TAMIS_CORE_DOCSCAN_H

#include "core/dataset.h"
#include "core/log.h"

/* Where a document is: `part` counts through the set, `record` is its index in the root part. */
typedef struct {
    DocId id;
    uint32_t part, record;
    uint32_t part_records; /* of the root part */
} DocPlace;

/* Gets each document once, in some thread: 0 <= thread < threads. The document is valid during the call. */
typedef ErrCode (*DocScanEach)(void *ctx, int thread, const Doc *doc, const DocPlace *place, Err *err);

/* The parts that this rank reads, [begin, end): ranges of about as much text for each. */
void docscan_share(const DatasetSet *set, const Par *par, uint32_t *begin, uint32_t *end);
/* Reads this rank's parts. progress may be NULL. Failures: that of the earliest block among those that were tried. ERR_INTR after a
 * signal. Not collective. */
MUST_USE ErrCode docscan(const DatasetSet *set, const Par *par, DocScanEach each, void *ctx, Progress *progress,
                         Err *err);
/* The same of parts [begin, end), by so many threads. */
MUST_USE ErrCode docscan_parts(const DatasetSet *set, int threads, uint32_t begin, uint32_t end, DocScanEach each,
                               void *ctx, Progress *progress, Err *err);

#endif
