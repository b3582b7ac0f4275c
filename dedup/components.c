#include "dedup/components.h"

/* Relaxed order is enough: a parent only ever becomes smaller and carries no other data; the threads' barrier before the
 * components are read orders the rest. */
static inline uint32_t get(const Parent *p) { return atomic_load_explicit(p, memory_order_relaxed); }

void components_init(Parent *parent, size_t n)
{
    for (size_t i = 0; i < n; i++) atomic_init(&parent[i], (uint32_t)i);
}

uint32_t component_find(Parent *parent, uint32_t i)
{
    for (;;) {
        uint32_t up = get(&parent[i]), above;
        if (up == i || (above = get(&parent[up])) == up) return up;
        /* A lost race means that somebody shortened this path already. */
        atomic_compare_exchange_weak_explicit(&parent[i], &up, above, memory_order_relaxed, memory_order_relaxed);
        i = above;
    }
}

void component_unite(Parent *parent, uint32_t a, uint32_t b)
{
    for (;;) {
        a = component_find(parent, a);
        b = component_find(parent, b);
        if (a == b) return;
        if (a > b) {
            uint32_t t = a;
            a = b;
            b = t;
        }
        uint32_t root = b;
        if (atomic_compare_exchange_strong_explicit(&parent[b], &root, a, memory_order_relaxed, memory_order_relaxed))
            return;
    }
}
