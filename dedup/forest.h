/* dedup/forest.h - a spanning forest of the edges one thread has seen, in bounded memory. Private to the room.
 *
 * Union-find over an open-addressing table of the nodes that occur; the larger root is hung below the smaller. A full table is
 * drained: every node that is not a root yields one edge to its root. So what leaves are at most as many edges as distinct
 * nodes since the last drain, with the same components as the edges that came. */
#ifndef TAMIS_DEDUP_FOREST_H
#define TAMIS_DEDUP_FOREST_H

#include "core/err.h"

#include <stdint.h>

typedef struct Forest Forest;
/* An edge with root < node. */
typedef ErrCode (*ForestEdge)(void *ctx, uint64_t node, uint64_t root, Err *err);

/* Takes at most `memory` bytes (16 a slot, a power of two of slots, 64 at the least); less while there are few edges. */
MUST_USE ErrCode forest_new(Forest **f, uint64_t memory, ForestEdge fn, void *ctx, Err *err);
void forest_free(Forest *f);
MUST_USE ErrCode forest_add(Forest *f, uint64_t a, uint64_t b, Err *err); /* nodes below UINT64_MAX */
MUST_USE ErrCode forest_drain(Forest *f, Err *err);

#endif
