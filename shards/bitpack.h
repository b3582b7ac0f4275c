/* shards/bitpack.h - token ids in a fixed number of bits each: value i lies in bits [i * bits, (i + 1) * bits) of the
 * byte string, bit b being bit b % 8 of byte b / 8. 1 <= bits <= 32. */
#ifndef TAMIS_SHARDS_BITPACK_H
#define TAMIS_SHARDS_BITPACK_H

#include "core/bytes.h"

/* Readable bytes that must lie behind packed values: a value is read with one load of 64 bits. */
enum { BITPACK_SLACK = 8 };

/* Bytes of n packed values; n * bits must not overflow. */
static inline uint64_t bitpack_bytes(uint64_t n, unsigned bits) { return n / 8 * bits + (n % 8 * bits + 7) / 8; }

/* Bits a token id below vocab_size takes in a shard: 16..32. */
unsigned bitpack_width(uint32_t vocab_size);

/* Writes bitpack_bytes(n, bits) bytes, the unused bits of the last one zero. Values must fit. */
void bitpack_put(uint8_t *out, const uint32_t *v, size_t n, unsigned bits);

/* Values [first, first + n) of p, which has BITPACK_SLACK readable bytes behind its packed values. */
void bitpack_get(uint32_t *out, const uint8_t *p, uint64_t first, size_t n, unsigned bits);

#endif
