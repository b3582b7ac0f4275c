/* dedup/slow_test.h - the whole stage as dedup/dedup.h words it, slow and obvious: all pairs compared, components by spreading labels. */
#ifndef TAMIS_DEDUP_SLOW_TEST_H
#define TAMIS_DEDUP_SLOW_TEST_H

#include "dedup/made_test.h"

typedef struct {
    uint32_t most_leaders;        /* kept documents that one was compared with */
    uint32_t n_unsure, n_refuted; /* whose shingles were compared; that were kept then */
    /* Dropped in a later round: of those that one before refuted, of those that the first kept; how many rounds, 0: one. */
    uint32_t n_again, n_freed, rounds;
} SlowCounts;
/* verdict and keeper of every document. */
void slow_dedup(const Corpus *c, const DedupParams *p, uint8_t *verdict, uint32_t *keeper, SlowCounts *counts);
/* Whether the one may be dropped for the other. */
bool slow_in_reach(const Corpus *c, const DedupParams *p, uint32_t a, uint32_t b);

#endif
