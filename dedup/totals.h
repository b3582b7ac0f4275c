/* dedup/totals.h - what a clustering comes to: counted part by part, added up over the exchange, kept as JSON. Private to the room. */
#ifndef TAMIS_DEDUP_TOTALS_H
#define TAMIS_DEDUP_TOTALS_H

#include "dedup/dedup.h"
#include "dedup/dumpnames.h"

/* Which class of DEDUP_SIZES a cluster of n documents is of. */
unsigned totals_size_class(uint32_t n);
/* Into the list of the largest, where it belongs there. */
void totals_add_largest(DedupTotals *t, uint64_t docs, DocId keeper);

/* A record of an exchange, which adds them. */
enum { TOTALS_BYTES = 8 * (6 + DEDUP_SIZES) + 16 * DEDUP_LARGEST };
void totals_put(uint8_t out[TOTALS_BYTES], const DedupTotals *t);
DedupTotals totals_get(const uint8_t *p);
void totals_add(uint8_t *acc, const uint8_t *value);

/* Members behind the first of an object, and its end. */
void totals_put_json(Buf *b, const DedupTotals *n, const DumpNames *dumps);
MUST_USE ErrCode totals_read_json(const Json *j, const char *path, DedupTotals *t, Err *err);

#endif
