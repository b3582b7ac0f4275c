/* dedup/components.h - connected components by union-find over a flat array. Private to the room.
 *
 * parent[i] <= i always: the larger root is hung below the smaller, so a component's root is its smallest member however
 * many threads joined in whatever order (Jayanti & Tarjan 2016 show such linking by compare-and-swap to be correct). Paths are
 * halved while they are walked (Tarjan & van Leeuwen 1984). */
#ifndef TAMIS_DEDUP_COMPONENTS_H
#define TAMIS_DEDUP_COMPONENTS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint32_t Parent;

void components_init(Parent *parent, size_t n);
uint32_t component_find(Parent *parent, uint32_t i);
void component_unite(Parent *parent, uint32_t a, uint32_t b);

#endif
