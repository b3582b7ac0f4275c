/* filter/repeats.h - repeated n-grams and repeated pieces of one text. Private to the room.
 *
 * Counting every n from 2 to 10 at every word would cost nine hash-table look-ups a word. A repeated (n+1)-gram begins with a
 * repeated n-gram, so only positions whose n-gram occurs twice or more are looked at for n+1: about two look-ups a word in
 * ordinary text, and the same numbers. N-grams are told apart by 64 bits of hash. */
#ifndef TAMIS_FILTER_REPEATS_H
#define TAMIS_FILTER_REPEATS_H

#include "filter/words.h"

enum { TOP_GRAM_FIRST = 2, TOP_GRAM_LAST = 4, DUP_GRAM_FIRST = 5, DUP_GRAM_LAST = 10 };

typedef struct {
    uint64_t key;
    uint32_t count, round; /* a slot of another round is empty */
} RepeatSlot;

/* Scratch of one thread; zero-initialise. */
typedef struct {
    RepeatSlot *slot;
    size_t n_slots; /* a power of two, or 0 */
    uint32_t round;
    uint32_t *pos;     /* words at which an n-gram may repeat, rising */
    uint64_t *sum;     /* their n-gram's hash */
    uint32_t *slot_of; /* where it is counted */
    size_t cap;
} Repeats;

/* Code points, over all words: */
typedef struct {
    uint64_t top[TOP_GRAM_LAST +
                 1]; /* [n]: length x count of the most frequent n-gram (the first seen of equals), its words
                                        joined by `gap` code points; 0 when the text has fewer than n words */
    uint64_t dup[DUP_GRAM_LAST +
                 1]; /* [n]: words of n-grams that were seen before, scanning on behind each (not overlapping) */
} RepeatedGrams;
MUST_USE ErrCode repeats_grams(Repeats *r, const Words *w, uint32_t gap, RepeatedGrams *out, Err *err);

/* Starts a set of at most n members; then repeats_seen says whether this key was asked for before. */
MUST_USE ErrCode repeats_begin(Repeats *r, size_t n, Err *err);
bool repeats_seen(Repeats *r, uint64_t key);

void repeats_clear(Repeats *r);

#endif
