/* The split made beforehand: whose part is which, by bytes. */
#include "core/stage_share.h"

#include <stdlib.h>

typedef struct {
    uint64_t bytes;
    uint32_t part;
} PartWeight;

static int heavier_first(const void *pa, const void *pb)
{
    const PartWeight *a = pa, *b = pb;

    if (a->bytes != b->bytes) return a->bytes < b->bytes ? 1 : -1;
    return a->part < b->part ? -1 : a->part > b->part;
}

typedef struct {
    uint64_t bytes;
    uint32_t worker;
} Load;

static bool lighter(const Load *a, const Load *b)
{
    return a->bytes != b->bytes ? a->bytes < b->bytes : a->worker < b->worker;
}

/* The root of a binary heap, the least loaded, has become heavier. */
static void sink_root(Load *heap, size_t n)
{
    for (size_t i = 0, child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && lighter(&heap[child + 1], &heap[child])) child++;
        if (lighter(&heap[i], &heap[child])) return;
        Load l = heap[i];
        heap[i] = heap[child];
        heap[child] = l;
    }
}

/* Largest part first, each to the least loaded of all workers, of equals the first. */
ErrCode share_split(uint32_t *owner, const uint64_t *bytes, uint32_t n_parts, uint64_t n_workers, Err *err)
{
    const uint32_t n = n_workers < n_parts ? (uint32_t)n_workers : n_parts; /* those beyond get nothing */
    PartWeight *w = malloc((n_parts + (size_t)1) * sizeof *w);
    Load *heap = malloc((n + (size_t)1) * sizeof *heap);
    ErrCode rc = w && heap ? ERR_OK : err_nomem(err, "the list of parts");

    for (uint32_t i = 0; rc == ERR_OK && i < n_parts; i++) w[i] = (PartWeight){bytes[i], i};
    for (uint32_t k = 0; rc == ERR_OK && k < n; k++) heap[k] = (Load){0, k};
    if (rc == ERR_OK && n_parts) qsort(w, n_parts, sizeof *w, heavier_first);
    for (uint32_t i = 0; rc == ERR_OK && i < n_parts; i++) {
        owner[w[i].part] = heap[0].worker;
        heap[0].bytes += w[i].bytes + 1; /* empty parts are spread too */
        sink_root(heap, n);
    }
    free(w);
    free(heap);
    return rc;
}
