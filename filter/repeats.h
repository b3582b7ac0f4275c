/* filter/repeats.h - repeated n-grams and repeated pieces of one text. Private to the room.
 *
 * Counting every n from 2 to 10 at every word would cost nine hash-table look-ups a word. A repeated (n+1)-gram
 * begins with a repeated n-gram, so only positions whose n-gram occurs twice or more are looked at for n+1: about two
 * look-ups a word in ordinary text, and the same numbers. N-grams are told apart by 64 bits of hash. */
#ifndef TAMIS_FILTER_REPEATS_H
#define TAMIS_FILTER_REPEATS_H

#include "filter/words.h"

enum { TOP_GRAM_FIRST = 2, TOP_GRAM_LAST = 4, DUP_GRAM_FIRST = 5, DUP_GRAM_LAST = 10 };

/* Scratch of one thread; zero-initialise. The table holds item numbers: items with equal keys share the first one's.
 */
typedef struct {
    uint32_t *slot;  /* item + 1, 0: empty */
    size_t mask;     /* of the table in use, a power of two less one */
    size_t n_slots;  /* allocated */
    uint64_t *key;   /* of n_items: an n-gram, a line */
    uint32_t *first; /* the first item of that key */
    uint32_t *count; /* of a first item: how many have its key */
    uint32_t *pos;   /* of n-grams: the word at which it begins, rising */
    size_t n_items, cap;
} Repeats;

/* Code points, over all words. top[n]: length times count of the most frequent n-gram (the first seen of equals), its
 * words joined by `gap` code points; 0 when the text has fewer than n words. dup[n]: length of the n-grams that were
 * seen before, scanning on behind each, so that none overlap. */
typedef struct {
    uint64_t top[TOP_GRAM_LAST + 1];
    uint64_t dup[DUP_GRAM_LAST + 1];
} RepeatedGrams;
MUST_USE ErrCode repeats_grams(Repeats *r, const Words *w, uint32_t gap, RepeatedGrams *out, Err *err);

/* Starts a set of at most n members, ERR_LIMIT beyond WORDS_MAX; then repeats_seen says of at most n keys whether this one
 * was asked for before. */
MUST_USE ErrCode repeats_begin(Repeats *r, size_t n, Err *err);
bool repeats_seen(Repeats *r, uint64_t key);

void repeats_clear(Repeats *r);

#endif
