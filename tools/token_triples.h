/* tools/token_triples.h - token ids below 2^24 as three bytes each, little-endian: on their way to shards. */
#ifndef TAMIS_TOOLS_TOKEN_TRIPLES_H
#define TAMIS_TOOLS_TOKEN_TRIPLES_H

#include "core/bytes.h"

enum { TOKEN_BYTES = 3 };

/* Writes n * TOKEN_BYTES bytes. Four ids are twelve bytes, two stores. */
static inline void triples_put(uint8_t *out, const uint32_t *id, size_t n)
{
    size_t i = 0;

    for (; n - i >= 4; i += 4, out += 12) {
        le64_put(out, id[i] | (uint64_t)id[i + 1] << 24 | (uint64_t)id[i + 2] << 48);
        le32_put(out + 8, id[i + 2] >> 16 | id[i + 3] << 8);
    }
    for (; i < n; i++, out += 3) le16_put(out, (uint16_t)id[i]), out[2] = (uint8_t)(id[i] >> 16);
}

/* Reads n * TOKEN_BYTES bytes. */
static inline void triples_get(uint32_t *id, const uint8_t *p, size_t n)
{
    const uint32_t mask = 0xffffff;
    size_t i = 0;

    for (; n - i >= 4; i += 4, p += 12) {
        const uint64_t low = le64_get(p);
        const uint32_t high = le32_get(p + 8);
        id[i] = (uint32_t)low & mask;
        id[i + 1] = (uint32_t)(low >> 24) & mask;
        id[i + 2] = (uint32_t)(low >> 48) | (high << 16 & mask);
        id[i + 3] = high >> 8;
    }
    for (; i < n; i++, p += 3) id[i] = le16_get(p) | (uint32_t)p[2] << 16;
}

#endif
