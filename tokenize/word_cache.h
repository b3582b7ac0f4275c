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

/* ids[0] has the number of ids in its top byte. */
typedef struct {
    uint64_t lo, hi;
    uint32_t ids[CACHE_IDS];
} CachedWord;
/* The one in front came last. */
typedef struct {
    CachedWord word[2];
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

/* The line of a key. */
static inline CacheLine *wordcache_line(const WordCache *c, uint64_t lo, uint64_t hi)
{
    return &c->line[word_key_hash(lo, hi) >> (64 - CACHE_BITS)];
}
/* Puts a word in front of its line; n_ids <= CACHE_IDS. */
void wordcache_put(CacheLine *line, uint64_t lo, uint64_t hi, const uint32_t *ids, size_t n_ids);

/* The place of a word of at most LONG_BYTES, which it now has: n_ids is 0 unless the word was there. */
LongWord *wordcache_long(const WordCache *c, Span word);
/* n_ids <= LONG_IDS */
void longword_put(LongWord *place, Span word, const uint32_t *ids, size_t n_ids);

#endif
