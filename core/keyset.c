#include "core/keyset.h"

#include <stdlib.h>

static void put(KeySet *s, uint64_t hash)
{
    size_t i = keyset_slot(s, hash);

    while (s->slot[i]) i = (i + 1) & (s->cap - 1);
    s->slot[i] = hash;
    s->n++;
}

static ErrCode grow(KeySet *s, Err *err)
{
    enum { FIRST = 64 };
    KeySet bigger = {.cap = s->cap ? 2 * s->cap : FIRST};

    bigger.slot = calloc(bigger.cap, sizeof *bigger.slot);
    if (!bigger.slot) return err_nomem(err, "a set of hashes");
    for (size_t i = 0; i < s->cap; i++)
        if (s->slot[i]) put(&bigger, s->slot[i]);
    free(s->slot);
    *s = bigger;
    return ERR_OK;
}

ErrCode keyset_add(KeySet *s, uint64_t hash, bool *is_new, Err *err)
{
    const bool there = keyset_has(s, hash);

    if (is_new) *is_new = !there;
    if (there) return ERR_OK;
    if (3 * (s->n + 1) > 2 * s->cap) {
        ErrCode rc = grow(s, err);
        if (rc) return rc;
    }
    put(s, hash + (hash == 0));
    return ERR_OK;
}

void keyset_clear(KeySet *s)
{
    free(s->slot);
    *s = (KeySet){0};
}
