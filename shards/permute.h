/* shards/permute.h - a keyed bijection of [0, n), computable at any place in both directions without a table: a Feistel
 * network over the bits of n - 1, repeated until the result lies below n (cycle walking; Black & Rogaway 2002). */
#ifndef TAMIS_SHARDS_PERMUTE_H
#define TAMIS_SHARDS_PERMUTE_H

#include <stdint.h>

enum { PERMUTE_ROUNDS = 6 };

typedef struct {
    uint64_t n;                   /* >= 1 */
    uint64_t low_mask, high_mask; /* the two halves of a word of the network, low half first */
    unsigned low_bits;
    uint64_t key[PERMUTE_ROUNDS];
} Permute;

Permute permute_make(uint64_t n, uint64_t key);
uint64_t permute_at(const Permute *p, uint64_t i);    /* i < n */
uint64_t permute_index(const Permute *p, uint64_t v); /* the i with permute_at(i) == v */

#endif
