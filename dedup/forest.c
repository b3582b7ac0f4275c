#include "dedup/forest.h"

#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

typedef struct {
    uint64_t node; /* plus one; 0: free */
    uint32_t up;   /* slot of the parent; its own: a root */
} Slot;

struct Forest {
    Slot *slot;
    uint32_t mask, used, most;
    ForestEdge fn;
    void *ctx;
};

ErrCode forest_new(Forest **out, uint64_t memory, ForestEdge fn, void *ctx, Err *err)
{
    Forest *f = *out = calloc(1, sizeof *f);
    uint64_t slots = SLOTS_MIN;

    if (!f) return err_nomem(err, "a spanning forest");
    while (slots * 2 * sizeof(Slot) <= memory && slots < 1u << 31) slots *= 2;
    *f = (Forest){.mask = (uint32_t)(slots - 1), .most = (uint32_t)(slots / 4 * 3), .fn = fn, .ctx = ctx};
    f->slot = calloc(slots, sizeof *f->slot);
    return f->slot ? ERR_OK : err_nomem(err, "a spanning forest");
}

void forest_free(Forest *f)
{
    if (!f) return;
    free(f->slot);
    free(f);
}

static uint32_t slot_of(Forest *f, uint64_t node)
{
    uint32_t i = (uint32_t)mix64(node + 1) & f->mask;

    while (f->slot[i].node && f->slot[i].node != node + 1) i = (i + 1) & f->mask;
    if (!f->slot[i].node) {
        f->slot[i] = (Slot){node + 1, i};
        f->used++;
    }
    return i;
}

static uint32_t root_of(Forest *f, uint32_t i)
{
    while (f->slot[i].up != i) i = f->slot[i].up = f->slot[f->slot[i].up].up;
    return i;
}

ErrCode forest_drain(Forest *f, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i <= f->mask && rc == ERR_OK; i++) {
        if (!f->slot[i].node) continue;
        uint32_t root = root_of(f, i);
        if (root != i) rc = f->fn(f->ctx, f->slot[i].node - 1, f->slot[root].node - 1, err);
    }
    memset(f->slot, 0, ((size_t)f->mask + 1) * sizeof *f->slot);
    f->used = 0;
    return rc;
}

ErrCode forest_add(Forest *f, uint64_t a, uint64_t b, Err *err)
{
    ErrCode rc;

    if (a == b) return ERR_OK;
    if (f->used + 2 > f->most && (rc = forest_drain(f, err)) != ERR_OK) return rc;
    uint32_t i = root_of(f, slot_of(f, a)), k = root_of(f, slot_of(f, b));
    if (f->slot[i].node < f->slot[k].node)
        f->slot[k].up = i;
    else if (i != k)
        f->slot[i].up = k;
    return ERR_OK;
}
