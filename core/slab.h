/* core/slab.h - large blocks of memory that are filled from the front, kept for the next taker when given back.
 *
 * The first touch of fresh memory costs more than all that the exchange does with it (the kernel clears every page), and one
 * exchange follows another. So what is given back stays with the process, up to a bound, and the kernel is told that it may take
 * the pages when it needs them (MADV_FREE); until then they are there at no cost. Large slabs lie on huge pages. The list of
 * kept slabs is the process's, behind a lock; nothing but speed depends on it. */
#ifndef TAMIS_CORE_SLAB_H
#define TAMIS_CORE_SLAB_H

#include "core/bytes.h"

enum { SLAB_HEAD = 64 };

typedef struct Slab Slab;
struct Slab {
    Slab *older;      /* the owner's list */
    size_t used, cap; /* bytes behind the head, which starts a cache line */
};

/* At least n bytes, none used, not cleared; NULL when there is no memory. */
Slab *slab_take(size_t n);
/* Keeps the slab while no more than `most` bytes are kept, else frees it. NULL is fine. */
void slab_give(Slab *s, uint64_t most);

static inline uint8_t *slab_bytes(Slab *s) { return (uint8_t *)s + SLAB_HEAD; }

#endif
