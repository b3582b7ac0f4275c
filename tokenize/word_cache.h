/* tokenize/word_cache.h - the words that a thread has seen, with their ids. Of fixed size: what comes pushes out what lies in its place.
 *
 * Words of at most WORD_KEY_MAX bytes and CACHE_IDS ids lie two to a line of the machine's cache, found by one look. Longer ones, up to
 * LONG_BYTES and LONG_IDS (rulers of hyphens, indents, words of 16 letters), have places of their own. */
#ifndef TAMIS_TOKENIZE_WORD_CACHE_H
#define TAMIS_TOKENIZE_WORD_CACHE_H

#include "core/slab.h"
#include "tokenize/tokenize.h"
#include "tokenize/word_key.h"

enum {
    CACHE_BITS = 16, /* lines: 4 MiB */
    CACHE_IDS = 4,
    LONG_BITS = 12, /* places: 1 MiB */
    LONG_BYTES = 128,
    LONG_IDS = 30,
    CACHE_ID_MASK = 0xffffff
};

typedef struct {
    uint64_t lo, hi;
} CacheKey;
/* Two words, the one in front came last. Their first id has the number of ids in its top byte. */
typedef struct {
    CacheKey key[2];
    uint32_t ids[2][CACHE_IDS];
} CacheLine;

typedef struct {
    uint32_t n_bytes, n_ids;
    uint8_t bytes[LONG_BYTES];
    uint32_t ids[LONG_IDS];
} LongWord;

typedef struct {
    CacheLine *line;
    LongWord *longs;
    Slab *slab;
} WordCache;

MUST_USE ErrCode wordcache_init(WordCache *c, Err *err);
void wordcache_clear(WordCache *c);

/* Which line is a key's. */
static inline uint32_t wordcache_line(uint64_t lo, uint64_t hi)
{
    return (uint32_t)(word_key_hash(lo, hi) >> (64 - CACHE_BITS));
}
static inline void wordcache_ask(const WordCache *c, uint32_t line)
{
#if defined(__GNUC__)
    __builtin_prefetch(&c->line[line]);
#else
    (void)c, (void)line;
#endif
}
/* Puts a word in front of its line; n_ids <= CACHE_IDS. */
void wordcache_put(CacheLine *line, uint64_t lo, uint64_t hi, const uint32_t *ids, size_t n_ids);

/* The place of a word of at most LONG_BYTES, which it now has: n_ids is 0 unless the word was there. */
LongWord *wordcache_long(const WordCache *c, Span word);
/* n_ids <= LONG_IDS */
void longword_put(LongWord *place, Span word, const uint32_t *ids, size_t n_ids);

#endif
