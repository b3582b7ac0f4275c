/* core/hash.h - the two hashes of every Tamis format: XXH3-64 and XXH3-128 (xxHash 0.8, seed 0 unless
 * said). A Hash128 is written as 16 bytes, low word first, each little-endian, and printed as the 32
 * hexadecimal digits of high word then low word, as `xxhsum -H2` prints it. */
#ifndef TAMIS_CORE_HASH_H
#define TAMIS_CORE_HASH_H

#include "core/bytes.h"
#include "core/err.h"

typedef struct {
    uint64_t lo, hi;
} Hash128;

uint64_t hash64(Span s);
uint64_t hash64_seed(Span s, uint64_t seed);
Hash128 hash128(Span s);

static inline bool hash128_eq(Hash128 a, Hash128 b) { return a.lo == b.lo && a.hi == b.hi; }
void hash128_put(uint8_t out[16], Hash128 h);
Hash128 hash128_get(const uint8_t in[16]);
enum { HASH128_HEX = 33 }; /* 32 digits and a NUL */
void hash128_hex(char out[HASH128_HEX], Hash128 h);
bool hash128_parse(Span hex, Hash128 *out);

/* XXH3-128 and XXH3-64 of bytes that arrive in pieces. */
typedef struct HashStream HashStream;
MUST_USE ErrCode hashstream_new(HashStream **h, Err *err);
void hashstream_free(HashStream *h);
void hashstream_reset(HashStream *h);
void hashstream_add(HashStream *h, Span s);
Hash128 hashstream_digest(const HashStream *h);    /* of all bytes so far; more may follow */
uint64_t hashstream_digest64(const HashStream *h); /* the same bytes' XXH3-64 */

/* A bijection of 64-bit words that spreads every bit (the splitmix64 finaliser, Vigna 2015): makes a
 * pseudo-random word out of a counter or an id. */
static inline uint64_t mix64(uint64_t x)
{
    x ^= x >> 30, x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27, x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
/* Takes a value into a hash of a sequence: quick, for tables of one page where a collision does little harm. */
static inline uint32_t mix32(uint32_t hash, uint32_t value)
{
    hash = (hash ^ value) * 0x9e3779b1u;
    return hash ^ hash >> 15;
}

#endif
