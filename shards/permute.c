#include "shards/permute.h"

#include "core/hash.h"

Permute permute_make(uint64_t n, uint64_t key)
{
    Permute p = {.n = n};
    unsigned bits = 0;

    while (bits < 64 && (n - 1) >> bits) bits++;
    unsigned high_bits = bits / 2;
    p.low_bits = bits - high_bits; /* at most 32 */
    p.low_mask = (UINT64_C(1) << p.low_bits) - 1;
    p.high_mask = (UINT64_C(1) << high_bits) - 1;
    for (unsigned r = 0; r < PERMUTE_ROUNDS; r++) p.key[r] = mix64(key + r);
    return p;
}

uint64_t permute_at(const Permute *p, uint64_t i)
{
    do {
        uint64_t low = i & p->low_mask, high = i >> p->low_bits;
        for (unsigned r = 0; r < PERMUTE_ROUNDS; r += 2) {
            low ^= mix64(high ^ p->key[r]) & p->low_mask;
            high ^= mix64(low ^ p->key[r + 1]) & p->high_mask;
        }
        i = high << p->low_bits | low;
    } while (i >= p->n); /* ends: the walk is a cycle through i, which is below n; two steps on average at most */
    return i;
}

uint64_t permute_index(const Permute *p, uint64_t v)
{
    do {
        uint64_t low = v & p->low_mask, high = v >> p->low_bits;
        for (unsigned r = PERMUTE_ROUNDS; r > 0; r -= 2) {
            high ^= mix64(low ^ p->key[r - 1]) & p->high_mask;
            low ^= mix64(high ^ p->key[r - 2]) & p->low_mask;
        }
        v = high << p->low_bits | low;
    } while (v >= p->n);
    return v;
}
