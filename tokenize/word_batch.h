/* tokenize/word_batch.h - words on their way to their ids, a batch at a time.
 *
 * A word, be it a pretoken or a piece of one, of at most 15 bytes is looked up in a cache of fixed size, keyed as in the counter. Its
 * line is asked for when the word is added and looked at when the batch is full, so that the memory answers meanwhile; what is written
 * for a word that is found depends neither on how many ids it has nor on where in its line it is: both are as good as random, and
 * a branch on them costs more than the rest. Words that are not found are held back, merged in groups (tokenize/word_group.h), long ones
 * alone (tokenize/word_merge.h), and put where they belong. */
#ifndef TAMIS_TOKENIZE_WORD_BATCH_H
#define TAMIS_TOKENIZE_WORD_BATCH_H

#include "tokenize/word_cache.h"
#include "tokenize/word_merge.h"

enum {
    BATCH_WORDS = 128, /* with their lines of the cache in half of the nearest memory */
    BATCH_SLACK = 8    /* so many more ids are read and written than count */
};

#define BATCH_LONG UINT64_MAX /* no key has this high half */
typedef struct {
    uint64_t lo, hi; /* key; of a long word, its bytes and BATCH_LONG */
    size_t at;       /* where the word begins in the text */
    uint32_t line;   /* of the cache; any, unless a key */
} BatchWord;

typedef struct {
    WordMerger merger;
    WordCache cache;
    bool has_avx2;
    size_t n;
    BatchWord word[BATCH_WORDS];
    uint32_t found[BATCH_WORDS * CACHE_IDS + BATCH_SLACK]; /* ids, but for those held back */
} WordBatch;

MUST_USE ErrCode wordbatch_init(WordBatch *b, const Tokenizer *t, Err *err);
void wordbatch_clear(WordBatch *b);

/* Appends the ids of all words, which lie in the text, to `ids`, whose state is the caller's to check; none is left. */
MUST_USE ErrCode wordbatch_flush(WordBatch *b, Span text, Buf *ids, Err *err);

static inline bool wordbatch_has_room(const WordBatch *b, size_t n) { return n <= BATCH_WORDS - b->n; }

/* Adds text[at, at + n), n >= 1. There must be room. */
static inline void wordbatch_put(WordBatch *b, Span text, size_t at, size_t n)
{
    BatchWord *w = &b->word[b->n++];

    *w = (BatchWord){n, BATCH_LONG, at, 0};
    if (n > WORD_KEY_MAX) return;
    word_key(text, at, n, &w->lo, &w->hi);
    w->line = wordcache_line(w->lo, w->hi);
    wordcache_ask(&b->cache, w->line);
}

/* Adds the words of a text from text[at] on that end at end[0, n), up to one that is long or has a byte above 127, unless it is a character
 * alone, or lies near the end of the text; returns how many, as long as there is room. */
size_t wordbatch_put_plain(WordBatch *b, Span text, size_t at, const size_t *end, size_t n);

#endif
