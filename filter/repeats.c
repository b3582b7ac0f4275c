/* filter/repeats.c - repeated n-grams by narrowing, in one small hash table of item numbers. */
#include "filter/repeats.h"

#include "core/hash.h"
#include "core/textkey.h"

#include <stdlib.h>

enum { ITEMS_FIRST = 4096, SLOTS_LEAST = 64 };

/* Room for n items; what the arrays held is lost. */
static ErrCode reserve_items(Repeats *r, size_t n, Err *err)
{
    size_t cap = ITEMS_FIRST;

    if (n > WORDS_MAX) return err_set(err, ERR_LIMIT, "a text has more than %d lines", WORDS_MAX);
    if (n <= r->cap) return ERR_OK;
    while (cap < n) cap *= 2;
    free(r->key);
    free(r->first);
    free(r->count);
    free(r->pos);
    r->cap = 0;
    r->key = malloc(cap * sizeof *r->key);
    r->first = malloc(cap * sizeof *r->first);
    r->count = malloc(cap * sizeof *r->count);
    r->pos = malloc(cap * sizeof *r->pos);
    if (!r->key || !r->first || !r->count || !r->pos) return err_nomem(err, "the n-grams of a text");
    r->cap = cap;
    return ERR_OK;
}

/* An empty table, at most half full with n items. */
static ErrCode empty_table(Repeats *r, size_t n, Err *err)
{
    size_t want = SLOTS_LEAST;

    while (want / 2 < n) want *= 2;
    if (want > r->n_slots) {
        uint32_t *slot = malloc(want * sizeof *slot);
        if (!slot) return err_nomem(err, "the n-grams of a text");
        free(r->slot);
        r->slot = slot;
        r->n_slots = want;
    }
    memset(r->slot, 0, want * sizeof *r->slot);
    r->mask = want - 1;
    return ERR_OK;
}

/* Enters item i, whose key stands: true when an earlier item has the key. */
static inline bool enter(Repeats *r, uint32_t i)
{
    uint64_t key = r->key[i];
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & r->mask;

    for (uint32_t in; (in = r->slot[at]) != 0; at = (at + 1) & r->mask)
        if (r->key[in - 1] == key) {
            r->first[i] = in - 1;
            r->count[in - 1]++;
            return true;
        }
    r->slot[at] = i + 1;
    r->first[i] = i;
    r->count[i] = 1;
    return false;
}

ErrCode repeats_begin(Repeats *r, size_t n, Err *err)
{
    ErrCode rc = reserve_items(r, n, err);

    r->n_items = 0;
    return rc == ERR_OK ? empty_table(r, n, err) : rc;
}

bool repeats_seen(Repeats *r, uint64_t key)
{
    r->key[r->n_items] = key;
    return enter(r, (uint32_t)r->n_items++);
}

/* Lengthens the items' (n-1)-grams by a word, forgets those that the end of the text cuts, counts the rest. */
static ErrCode count_grams(Repeats *r, const Words *w, size_t n, Err *err)
{
    ErrCode rc = empty_table(r, r->n_items, err);

    if (rc != ERR_OK) return rc;
    while (r->n_items && r->pos[r->n_items - 1] + n > w->n) r->n_items--;
    for (uint32_t i = 0; i < r->n_items; i++) {
        r->key[i] = r->key[i] * TEXTKEY_NGRAM_BASE + w->hash[r->pos[i] + n - 1];
        enter(r, i);
    }
    return ERR_OK;
}

/* Keeps the items whose n-gram occurs more than once. */
static void narrow(Repeats *r)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->n_items; i++) {
        r->pos[kept] = r->pos[i];
        r->key[kept] = r->key[i];
        kept += r->count[r->first[i]] > 1;
    }
    r->n_items = kept;
}

static uint64_t top_gram(const Repeats *r, const Words *w, size_t n, uint32_t gap)
{
    uint32_t count = 1, begin = 0;

    if (w->n < n) return 0;
    for (size_t i = 0; i < r->n_items; i++)
        if (r->count[r->first[i]] > count) {
            count = r->count[r->first[i]];
            begin = r->pos[i];
        }
    return (uint64_t)count * (w->chars[begin + n] - w->chars[begin] + (n - 1) * gap);
}

/* Of n-grams met again, the code points. A scan that steps over a repeat does not see the n-grams inside it, so which
 * ones were seen is marked in the top bit of their count, which is only asked afterwards whether it is more than 1.
 */
static uint64_t dup_grams(const Repeats *r, const Words *w, size_t n)
{
    uint64_t chars = 0;
    size_t next = 0; /* words before it are inside a repeat and begin no n-gram */

    const uint32_t seen = UINT32_C(1) << 31;
    for (size_t i = 0; i < r->n_items; i++) {
        uint32_t *state = &r->count[r->first[i]];
        if (*state < 2 || r->pos[i] < next) continue;
        if (*state & seen) {
            chars += w->chars[r->pos[i] + n] - w->chars[r->pos[i]];
            next = r->pos[i] + n;
        }
        *state |= seen;
    }
    return chars;
}

ErrCode repeats_grams(Repeats *r, const Words *w, uint32_t gap, RepeatedGrams *out, Err *err)
{
    ErrCode rc;

    *out = (RepeatedGrams){0};
    if ((rc = reserve_items(r, w->n, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < w->n; i++) {
        r->pos[i] = (uint32_t)i;
        r->key[i] = w->hash[i];
    }
    r->n_items = w->n;
    for (size_t n = TOP_GRAM_FIRST; n <= DUP_GRAM_LAST; n++) {
        if ((rc = count_grams(r, w, n, err)) != ERR_OK) return rc;
        if (n <= TOP_GRAM_LAST)
            out->top[n] = top_gram(r, w, n, gap);
        else
            out->dup[n] = dup_grams(r, w, n);
        narrow(r);
    }
    return ERR_OK;
}

void repeats_clear(Repeats *r)
{
    free(r->slot);
    free(r->key);
    free(r->first);
    free(r->count);
    free(r->pos);
    *r = (Repeats){0};
}
