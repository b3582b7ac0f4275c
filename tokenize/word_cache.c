#include "tokenize/word_cache.h"

#include "core/hash.h"

ErrCode wordcache_init(WordCache *c, Err *err)
{
    size_t line_bytes = sizeof(CacheLine) << CACHE_BITS, long_bytes = sizeof(LongWord) << LONG_BITS;

    *c = (WordCache){.slab = slab_take(line_bytes + long_bytes)};
    if (!c->slab) return err_nomem(err, "an encoder");
    c->line = (CacheLine *)(void *)slab_bytes(c->slab); /* a line of it is one of the machine */
    c->longs = (LongWord *)(void *)(slab_bytes(c->slab) + line_bytes);
    memset(c->line, 0, line_bytes + long_bytes);
    return ERR_OK;
}

void wordcache_clear(WordCache *c)
{
    slab_give(c->slab, 0);
    *c = (WordCache){0};
}

void wordcache_put(CacheLine *line, uint64_t lo, uint64_t hi, const uint32_t *ids, size_t n_ids)
{
    line->key[1] = line->key[0];
    memcpy(line->ids[1], line->ids[0], sizeof line->ids[0]);
    line->key[0] = (CacheKey){lo, hi};
    memcpy(line->ids[0], ids, n_ids * sizeof *ids);
    line->ids[0][0] |= (uint32_t)n_ids << 24;
}

LongWord *wordcache_long(const WordCache *c, Span word)
{
    LongWord *place = &c->longs[hash64(word) >> (64 - LONG_BITS)];

    if (!span_eq(span(place->bytes, place->n_bytes), word)) place->n_ids = 0;
    return place;
}

void longword_put(LongWord *place, Span word, const uint32_t *ids, size_t n_ids)
{
    memcpy(place->bytes, word.p, word.n);
    memcpy(place->ids, ids, n_ids * sizeof *ids);
    place->n_bytes = (uint32_t)word.n;
    place->n_ids = (uint32_t)n_ids;
}
