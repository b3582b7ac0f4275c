#include "core/hash.h"

#include <stdio.h>
#ifdef TAMIS_XXHASH_DISPATCH
#include <xxh_x86dispatch.h> /* the widest vectors of this processor: 30 GB/s, not the 8 of what the library was compiled for */
#else
#include <xxhash.h>
#endif

uint64_t hash64(Span s) { return XXH3_64bits(s.p, s.n); }
uint64_t hash64_seed(Span s, uint64_t seed) { return XXH3_64bits_withSeed(s.p, s.n, seed); }

Hash128 hash128(Span s)
{
    XXH128_hash_t h = XXH3_128bits(s.p, s.n);

    return (Hash128){h.low64, h.high64};
}

void hash128_put(uint8_t out[16], Hash128 h)
{
    le64_put(out, h.lo);
    le64_put(out + 8, h.hi);
}

Hash128 hash128_get(const uint8_t in[16]) { return (Hash128){le64_get(in), le64_get(in + 8)}; }

void hash128_hex(char out[HASH128_HEX], Hash128 h)
{
    snprintf(out, HASH128_HEX, "%016llx%016llx", (unsigned long long)h.hi, (unsigned long long)h.lo);
}

bool hash128_parse(Span hex, Hash128 *out)
{
    uint64_t word[2] = {0, 0};

    if (hex.n != 32) return false;
    for (size_t i = 0; i < 32; i++) {
        int d = ascii_hex(hex.p[i]);
        if (d < 0) return false;
        word[i / 16] = word[i / 16] << 4 | (uint64_t)d;
    }
    *out = (Hash128){.hi = word[0], .lo = word[1]};
    return true;
}

ErrCode hashstream_new(HashStream **h, Err *err)
{
    XXH3_state_t *state = XXH3_createState();

    if (!state) return err_nomem(err, "a hash state");
    *h = (HashStream *)state;
    hashstream_reset(*h);
    return ERR_OK;
}

void hashstream_free(HashStream *h) { XXH3_freeState((XXH3_state_t *)h); }
void hashstream_reset(HashStream *h) { XXH3_128bits_reset((XXH3_state_t *)h); }
void hashstream_add(HashStream *h, Span s)
{
    if (s.n) XXH3_128bits_update((XXH3_state_t *)h, s.p, s.n);
}

Hash128 hashstream_digest(const HashStream *h)
{
    XXH128_hash_t d = XXH3_128bits_digest((const XXH3_state_t *)h);

    return (Hash128){d.low64, d.high64};
}

/* In xxHash 0.8 the two lengths differ in the digest alone: XXH3_128bits_reset and _update are defined as their 64-bit
 * twins. hash_test.c holds it to that. */
uint64_t hashstream_digest64(const HashStream *h) { return XXH3_64bits_digest((const XXH3_state_t *)h); }
