#include "shards/bitpack.h"

#include <assert.h>

unsigned bitpack_width(uint32_t vocab_size)
{
    unsigned bits = 16;

    while (bits < 32 && (vocab_size - 1) >> bits) bits++;
    return bits;
}

/* Returns where the next byte goes. */
static inline uint8_t *put_values(uint8_t *out, const uint32_t *v, size_t n, unsigned bits)
{
    uint64_t pending = 0; /* bits not written yet, the next one lowest */
    unsigned n_pending = 0;

    for (size_t i = 0; i < n; i++) {
        assert(bits == 32 || v[i] >> bits == 0);
        pending |= (uint64_t)v[i] << n_pending; /* at most 31 + 32 bits */
        n_pending += bits;
        if (n_pending < 32) continue;
        le32_put(out, (uint32_t)pending);
        out += 4;
        pending >>= 32;
        n_pending -= 32;
    }
    for (; n_pending; n_pending -= n_pending < 8 ? n_pending : 8, pending >>= 8) *out++ = (uint8_t)pending;
    return out;
}

/* Eight values are whole bytes; with the width known when compiled there is no branch in them. */
static inline uint8_t *put_eights(uint8_t *out, const uint32_t *v, size_t n_eights, unsigned bits)
{
    for (size_t i = 0; i < n_eights; i++) out = put_values(out, v + 8 * i, 8, bits);
    return out;
}

void bitpack_put(uint8_t *out, const uint32_t *v, size_t n, unsigned bits)
{
    size_t done = n / 8 * 8;

    switch (bits) { /* the widths of vocabularies in use, 65536 to 262144 */
    case 16: out = put_eights(out, v, n / 8, 16); break;
    case 17: out = put_eights(out, v, n / 8, 17); break;
    case 18: out = put_eights(out, v, n / 8, 18); break;
    default: done = 0; break;
    }
    put_values(out, v + done, n - done, bits);
}

/* With the width known when compiled, eight values take `bits` bytes and every shift is a constant. */
static inline void get_eights(uint32_t *out, const uint8_t *p, size_t n_eights, unsigned bits)
{
    const uint64_t mask = (UINT64_C(1) << bits) - 1;

    for (size_t i = 0; i < n_eights; i++, p += bits, out += 8)
        for (unsigned k = 0; k < 8; k++) out[k] = (uint32_t)(le64_get(p + k * bits / 8) >> (k * bits % 8) & mask);
}

static void get_slow(uint32_t *out, const uint8_t *p, uint64_t first, size_t n, unsigned bits)
{
    const uint64_t mask = (UINT64_C(1) << bits) - 1;

    for (size_t i = 0; i < n; i++) {
        uint64_t bit = (first + i) % 8 * bits;
        out[i] = (uint32_t)(le64_get(p + (first + i) / 8 * bits + bit / 8) >> (bit % 8) & mask);
    }
}

void bitpack_get(uint32_t *out, const uint8_t *p, uint64_t first, size_t n, unsigned bits)
{
    size_t head = (size_t)(-first & 7);

    if (head > n) head = n;
    get_slow(out, p, first, head, bits);
    const uint8_t *q = p + (first + head) / 8 * bits;
    size_t n_eights = (n - head) / 8;
    switch (bits) { /* the widths of vocabularies in use, 65536 to 262144 */
    case 16: get_eights(out + head, q, n_eights, 16); break;
    case 17: get_eights(out + head, q, n_eights, 17); break;
    case 18: get_eights(out + head, q, n_eights, 18); break;
    default: get_eights(out + head, q, n_eights, bits); break;
    }
    size_t done = head + n_eights * 8;
    get_slow(out + done, p, first + done, n - done, bits);
}
