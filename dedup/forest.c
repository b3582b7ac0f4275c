#include "dedup/forest.h"

#include "core/hash.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64, SLOTS_FIRST = 4096, GROW = 8 };

typedef struct {
    uint64_t node; /* plus one; 0: free */
    uint32_t up;   /* slot of the parent; its own: a root */
} Slot;

struct Forest {
    Slot *slot;
    uint32_t mask, used, most, slots_max;
    ForestEdge fn;
    void *ctx;
};

static ErrCode set_slots(Forest *f, uint32_t slots, Err *err)
{
    if (slots > f->slots_max) slots = f->slots_max;
    free(f->slot);
    f->slot = calloc(slots, sizeof *f->slot);
    f->used = 0;
    f->mask = slots - 1;
    f->most = slots / 4 * 3;
    return f->slot ? ERR_OK : err_nomem(err, "a spanning forest");
}

ErrCode forest_new(Forest **out, uint64_t memory, ForestEdge fn, void *ctx, Err *err)
{
    Forest *f = *out = calloc(1, sizeof *f);
    uint64_t slots = SLOTS_MIN;

    if (!f) return err_nomem(err, "a spanning forest");
    while (slots * 2 * sizeof(Slot) <= memory && slots < 1u << 31) slots *= 2;
    *f = (Forest){.slots_max = (uint32_t)slots, .fn = fn, .ctx = ctx};
    return set_slots(f, SLOTS_FIRST, err);
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

/* All edges out; the table is then empty and has so many slots. */
static ErrCode drain_to(Forest *f, uint32_t slots, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; f->used && i <= f->mask && rc == ERR_OK; i++) {
        if (!f->slot[i].node) continue;
        uint32_t root = root_of(f, i);
        if (root != i) rc = f->fn(f->ctx, f->slot[i].node - 1, f->slot[root].node - 1, err);
    }
    if (rc || !f->used) return rc;
    if (slots != f->mask + 1) return set_slots(f, slots, err);
    memset(f->slot, 0, ((size_t)f->mask + 1) * sizeof *f->slot);
    f->used = 0;
    return ERR_OK;
}

ErrCode forest_drain(Forest *f, Err *err) { return drain_to(f, SLOTS_FIRST, err); }

/* Full: few edges cost little memory, many soon have all of it. */
static ErrCode make_room(Forest *f, Err *err)
{
    uint32_t slots = f->mask + 1;

    return drain_to(f, slots > f->slots_max / GROW ? f->slots_max : slots * GROW, err);
}

ErrCode forest_add(Forest *f, uint64_t a, uint64_t b, Err *err)
{
    ErrCode rc;

    if (a == b) return ERR_OK;
    if (f->used + 2 > f->most && (rc = make_room(f, err)) != ERR_OK) return rc;
    uint32_t i = root_of(f, slot_of(f, a)), k = root_of(f, slot_of(f, b));
    if (f->slot[i].node < f->slot[k].node)
        f->slot[k].up = i;
    else if (i != k)
        f->slot[i].up = k;
    return ERR_OK;
}
