/* tokenize/merge_rank.h - the rank of the merge of two tokens, in 8 bytes a merge, so that those of a vocabulary of 100000 take 2 MiB.
 *
 * The pair of ids, 48 bits, is multiplied by an odd number modulo 2^48, which loses nothing. The top bits of the product say where in
 * the table the search begins, the others, the distance from there and the rank are what a slot holds:
 *
 *   bits 63…24  (product's other bits) << 6 | distance, below 64       bits 23…0  rank
 *
 * so a slot says exactly which pair it belongs to. Pairs of ids below LOW_IDS, which are those of single bytes in most vocabularies, have
 * a table without search. A filter of one bit a pair, small enough to stay near, answers for most pairs without a merge. */
#ifndef TAMIS_TOKENIZE_MERGE_RANK_H
#define TAMIS_TOKENIZE_MERGE_RANK_H

#include "core/slab.h"

enum {
    LOW_IDS = 256,
    MERGE_RANKS = (1 << 24) - 1, /* so many merges can be told from each other */
    MERGE_REACH = 64,            /* the distance of a slot from its home is below */
    MERGE_FILTER_BITS = 2        /* log2 of the bits of the filter a slot */
};
#define NO_RANK UINT32_MAX

typedef struct {
    uint32_t *low; /* [left * LOW_IDS + right]: rank or NO_RANK */
    uint64_t *slot, *filter;
    uint32_t *id; /* by rank: the token that it makes; NULL: id_base + rank */
    uint32_t id_base;
    unsigned bits;
    uint64_t factor;
    Slab *slab; /* of slot and filter */
} MergeRanks;

/* The top 48 bits stand for the pair. */
static inline uint64_t merge_product(const MergeRanks *m, uint32_t left, uint32_t right)
{
    return ((uint64_t)left << 40 | (uint64_t)right << 16) * m->factor;
}

static inline size_t merge_home(const MergeRanks *m, uint64_t product) { return (size_t)(product >> (64 - m->bits)); }

/* What the slot at the home would hold above the rank. */
static inline uint64_t merge_rest(const MergeRanks *m, uint64_t product)
{
    return (product << m->bits >> m->bits >> 16) * MERGE_REACH;
}

static inline uint32_t merge_search(const MergeRanks *m, uint64_t product)
{
    const uint64_t *slot = m->slot + merge_home(m, product);
    uint64_t want = merge_rest(m, product);

    for (size_t i = 0; i < MERGE_REACH && slot[i] != UINT64_MAX; i++)
        if (slot[i] >> 24 == want + i) return (uint32_t)(slot[i] & 0xffffff);
    return NO_RANK;
}

/* False of most pairs without a merge. */
static inline bool merge_may_be(const MergeRanks *m, uint64_t product)
{
    size_t bit = (size_t)(product >> (64 - m->bits - MERGE_FILTER_BITS));

    return m->filter[bit / 64] >> bit % 64 & 1;
}

/* The rank of the merge of two tokens, or NO_RANK. */
static inline uint32_t merge_rank(const MergeRanks *m, uint32_t left, uint32_t right)
{
    if ((left | right) < LOW_IDS) return m->low[left * LOW_IDS + right];
    uint64_t product = merge_product(m, left, right);
    return merge_may_be(m, product) ? merge_search(m, product) : NO_RANK;
}

/* The token that a merge makes. */
static inline uint32_t merge_id(const MergeRanks *m, uint32_t rank)
{
    return m->id ? m->id[rank] : m->id_base + rank;
}

#endif
