/* core/keyset.h - a set of 64-bit hashes for many lookups: open addressing, at most two slots in three taken, so that a lookup touches one
 * line of memory, which can be asked for ahead. The hash 0 is kept as 1. */
#ifndef TAMIS_CORE_KEYSET_H
#define TAMIS_CORE_KEYSET_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t *slot; /* 0: free */
    size_t n, cap;  /* cap: a power of two, or 0 */
} KeySet;

/* Adds; *is_new (may be NULL): it was not there. ERR_NOMEM. */
MUST_USE ErrCode keyset_add(KeySet *s, uint64_t hash, bool *is_new, Err *err);
void keyset_clear(KeySet *s);

static inline size_t keyset_slot(const KeySet *s, uint64_t hash) { return (size_t)hash & (s->cap - 1); }
static inline void keyset_prefetch(const KeySet *s, uint64_t hash)
{
    if (s->cap) __builtin_prefetch(&s->slot[keyset_slot(s, hash)]);
}
static inline bool keyset_has(const KeySet *s, uint64_t hash)
{
    hash += hash == 0;
    if (s->n == 0) return false;
    for (size_t i = keyset_slot(s, hash); s->slot[i]; i = (i + 1) & (s->cap - 1))
        if (s->slot[i] == hash) return true;
    return false;
}

#endif
