/* dedup/stars.h - connected components over ranks: every node's label is the least node of its component.
 *
 * Nodes are numbered 0 .. n_nodes - 1; edges come from any rank and thread in any order. One process with 4 bytes a node to spare
 * joins them in one flat array (dedup/components.h). Otherwise each thread reduces its edges to a spanning forest
 * (dedup/forest.h), and the forests' edges go through the exchange in rounds of large-star and small-star (Kiveris,
 * Lattanzi, Mirrokni, Rastogi, Vassilvitskii: Connected Components in MapReduce and Beyond, SoCC 2014): a large-star hangs each
 * node's larger neighbours on its least neighbour, a small-star its smaller ones, and what is left in the end is a star a
 * component. The paper bounds the rounds by O(log^2 n); the forests between them only make them fewer. A node's neighbours are
 * a stream, so a hub needs no memory of its own. Each rank ends with the labels of a contiguous range of nodes: 8 bytes
 * a node over all ranks, beside the budget, whatever the graph. */
#ifndef TAMIS_DEDUP_STARS_H
#define TAMIS_DEDUP_STARS_H

#include "core/exchange.h"

enum { STARS_PARTITIONS = 1024 }; /* enough for any number of ranks here */
typedef struct {
    uint64_t n_nodes;
    uint32_t partitions; /* of the exchanges */
    uint64_t memory;     /* budget in bytes beside the labels */
    const char *scratch; /* as in ExchangeSpec */
} StarsSpec;

typedef struct Stars Stars;
/* Collective, like everything here but stars_edge(). */
MUST_USE ErrCode stars_open(Stars **s, const StarsSpec *spec, const Par *par, Err *err);
void stars_close(Stars *s);
/* a and b are in one component. `lane` as of exchange_put(). */
MUST_USE ErrCode stars_edge(Stars *s, int lane, uint64_t a, uint64_t b, Err *err);
/* All edges are in. Afterwards label[i] is the label of node *first + i, for the *n nodes of this rank; the Stars owns it.
 * rounds (may be NULL): how many exchanges it took. */
MUST_USE ErrCode stars_solve(Stars *s, const uint64_t **label, uint64_t *first, uint64_t *n, unsigned *rounds,
                             Err *err);

#endif
