/* core/sharedmem.h - memory that one process fills and others of the same machine read in place, so that what ranks of one machine
 * send one another is not copied through messages.
 *
 * It is a file without a name (Linux: memfd_create(2)), on huge pages where the kernel gives them to those who ask; others open
 * it through /proc. That fails between containers that do not see one another, on other systems, and where /proc is closed: callers
 * then send messages. The last one that was given back stays with the process for the next taker, like slabs (core/slab.h).
 * Called by the main thread only. */
#ifndef TAMIS_CORE_SHAREDMEM_H
#define TAMIS_CORE_SHAREDMEM_H

#include "core/bytes.h"

typedef struct {
    uint8_t *p; /* NULL: none */
    size_t bytes;
    int fd;
} SharedMem;

/* Two words by which another process finds it. */
typedef struct {
    uint64_t place; /* process and descriptor */
    uint64_t inode; /* so that what is found there is known to be it */
} SharedName;

/* At least n bytes, page after page given only as they are touched; not cleared. False: there is none to be had. */
bool sharedmem_take(SharedMem *m, size_t n, SharedName *name);
void sharedmem_give(SharedMem *m);
/* n bytes of another process's, until sharedmem_leave(); NULL when it cannot be seen from here. */
uint8_t *sharedmem_see(const SharedName *name, size_t n);
void sharedmem_leave(uint8_t *p, size_t n);

#endif
