/* dedup/dumps.h - the dumps that documents come from: signatures hold their hashes, the documents their names. Private to the room. */
#ifndef TAMIS_DEDUP_DUMPS_H
#define TAMIS_DEDUP_DUMPS_H

#include "dedup/doctable.h"
#include "dedup/rates.h"

/* All dumps of documents that the inputs show, in order. Collective. */
MUST_USE ErrCode dumps_find(const DocTable *t, const DatasetSet *in, bool oldest_first, Rates *out, Err *err);

/* From a hash to the place in that order, for one thread. */
typedef struct {
    uint64_t hash; /* of the last one asked for */
    uint32_t rank;
    bool known;
    const uint32_t *by_hash; /* places, sorted by their hashes */
    const Rates *rates;
} DumpFinder;
/* by_hash: rates->n places to fill. */
DumpFinder dumpfinder(const Rates *rates, uint32_t *by_hash);
uint32_t dump_rank(DumpFinder *f, uint64_t hash);

#endif
