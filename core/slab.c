#define _DEFAULT_SOURCE /* madvise */
#include "core/slab.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20, KEPT_LEAST = 64 << 10 }; /* smaller slabs are not worth keeping */

static struct {
    pthread_mutex_t lock;
    Slab *slab;
    uint64_t bytes;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A kept slab of n bytes, not twice as large. */
static Slab *take_kept(size_t n)
{
    Slab *found = NULL;

    pthread_mutex_lock(&kept.lock);
    for (Slab **at = &kept.slab; *at; at = &(*at)->older) {
        if ((*at)->cap < n || (*at)->cap / 2 > n) continue;
        found = *at;
        *at = found->older;
        kept.bytes -= SLAB_HEAD + found->cap;
        break;
    }
    pthread_mutex_unlock(&kept.lock);
    return found;
}

Slab *slab_take(size_t n)
{
    size_t bytes, unit;
    Slab *s;

    if (n > SIZE_MAX - SLAB_HEAD - HUGE_PAGE) return NULL;
    unit = SLAB_HEAD + n >= HUGE_PAGE ? HUGE_PAGE : 64;
    bytes = (SLAB_HEAD + n + unit - 1) / unit * unit;
    s = bytes >= KEPT_LEAST ? take_kept(bytes - SLAB_HEAD) : NULL;
    if (!s) {
        if (!(s = aligned_alloc(unit, bytes))) return NULL;
        if (unit == HUGE_PAGE) { /* only speed depends on it; pages that malloc had used before would stay small */
            (void)madvise(s, bytes, MADV_DONTNEED);
            (void)madvise(s, bytes, MADV_HUGEPAGE);
        }
        s->cap = bytes - SLAB_HEAD;
    }
    s->older = NULL;
    s->used = 0;
    return s;
}

void slab_give(Slab *s, uint64_t most)
{
    uint64_t bytes;

    if (!s) return;
    bytes = SLAB_HEAD + s->cap;
#ifdef MADV_FREE
    if (bytes > HUGE_PAGE) /* the head stays */
        (void)madvise((uint8_t *)s + HUGE_PAGE, (size_t)bytes - HUGE_PAGE, MADV_FREE);
#endif
    pthread_mutex_lock(&kept.lock);
    if (bytes >= KEPT_LEAST && kept.bytes + bytes <= most) {
        s->older = kept.slab;
        kept.slab = s;
        kept.bytes += bytes;
        s = NULL;
    }
    pthread_mutex_unlock(&kept.lock);
    free(s);
}
