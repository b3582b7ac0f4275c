/* remix/hostmap.h - from a host to the rules that name it or a domain above it. Private to the room. */
#ifndef TAMIS_REMIX_HOSTMAP_H
#define TAMIS_REMIX_HOSTMAP_H

#include "core/bytes.h"
#include "core/err.h"

typedef struct {
    uint64_t hash; /* of the host */
    Span host;     /* borrowed from whoever added it; p == NULL: an empty slot */
    uint32_t link; /* first of its rules, index + 1 */
} HostSlot;
typedef struct {
    uint32_t rule, next; /* index + 1, 0: the last */
} HostLink;

/* Zero-initialise. Any number of threads may look up once all hosts are in. */
typedef struct {
    HostSlot *slot;
    size_t n_slots, n_hosts;
    HostLink *link;
    size_t n_links, cap_links;
} HostMap;

/* `host` is lower-cased and outlives the map. */
MUST_USE ErrCode hostmap_add(HostMap *m, Span host, uint32_t rule, Err *err);
/* Sets bit `rule` of hit[] for every rule of `host` and of the domains above it. */
void hostmap_find(const HostMap *m, Span host, uint64_t *hit);
void hostmap_clear(HostMap *m);

#endif
