/* filter/repeats.c - repeated n-grams by narrowing, in one hash table that is emptied by counting rounds. */
#include "filter/repeats.h"

#include "core/hash.h"
#include "core/textkey.h"

#include <stdlib.h>

enum { SLOTS_FIRST = 4096 };

ErrCode repeats_begin(Repeats *r, size_t n, Err *err)
{
    size_t want = SLOTS_FIRST;

    while (want / 2 < n && want < SIZE_MAX / sizeof *r->slot / 2) want *= 2;
    if (want > r->n_slots) {
        RepeatSlot *slot = calloc(want, sizeof *slot);
        if (!slot) return err_nomem(err, "the n-grams of a text");
        free(r->slot);
        r->slot = slot;
        r->n_slots = want;
        r->round = 0;
    }
    if (++r->round == 0) { /* wrapped: old rounds could be taken for new ones */
        memset(r->slot, 0, r->n_slots * sizeof *r->slot);
        r->round = 1;
    }
    return ERR_OK;
}

/* The slot of `key`, made with count 0 when new. */
static inline uint32_t find(Repeats *r, uint64_t key)
{
    size_t mask = r->n_slots - 1, i = (size_t)(mix64(key) & mask);

    while (r->slot[i].round == r->round && r->slot[i].key != key) i = (i + 1) & mask;
    if (r->slot[i].round != r->round) r->slot[i] = (RepeatSlot){.key = key, .count = 0, .round = r->round};
    return (uint32_t)i;
}

bool repeats_seen(Repeats *r, uint64_t key) { return r->slot[find(r, key)].count++ != 0; }

static ErrCode reserve(Repeats *r, size_t n, Err *err)
{
    if (n <= r->cap) return ERR_OK;
    size_t cap = r->cap ? r->cap : SLOTS_FIRST;
    while (cap < n) cap *= 2;
    free(r->pos);
    free(r->sum);
    free(r->slot_of);
    r->cap = 0;
    r->pos = malloc(cap * sizeof *r->pos);
    r->sum = malloc(cap * sizeof *r->sum);
    r->slot_of = malloc(cap * sizeof *r->slot_of);
    if (!r->pos || !r->sum || !r->slot_of) return err_nomem(err, "the n-grams of a text");
    r->cap = cap;
    return ERR_OK;
}

/* Lengthens the n_cand candidates' (n-1)-grams by a word, forgets those at the end of the text, counts the rest.
 * Returns how many are left. */
static ErrCode count_grams(Repeats *r, const Words *w, size_t n, size_t *n_cand, Err *err)
{
    size_t kept = 0;
    ErrCode rc;

    if ((rc = repeats_begin(r, *n_cand, err)) != ERR_OK) return rc;
    for (size_t c = 0; c < *n_cand && r->pos[c] + n <= w->n; c++) {
        r->sum[c] = r->sum[c] * TEXTKEY_NGRAM_BASE + w->hash[r->pos[c] + n - 1];
        r->slot_of[c] = find(r, r->sum[c]);
        r->slot[r->slot_of[c]].count++;
        kept++;
    }
    *n_cand = kept;
    return ERR_OK;
}

/* Keeps the candidates whose n-gram occurs more than once. */
static size_t narrow(Repeats *r, size_t n_cand)
{
    size_t kept = 0;

    for (size_t c = 0; c < n_cand; c++) {
        if (r->slot[r->slot_of[c]].count < 2) continue;
        r->pos[kept] = r->pos[c];
        r->sum[kept] = r->sum[c];
        r->slot_of[kept++] = r->slot_of[c];
    }
    return kept;
}

static uint64_t top_gram(const Repeats *r, const Words *w, size_t n, size_t n_cand, uint32_t gap)
{
    uint32_t count = 1, first = 0;

    if (w->n < n) return 0;
    for (size_t c = 0; c < n_cand; c++)
        if (r->slot[r->slot_of[c]].count > count) {
            count = r->slot[r->slot_of[c]].count;
            first = r->pos[c];
        }
    return (uint64_t)count * (w->chars[first + n] - w->chars[first] + (n - 1) * gap);
}

/* Of n-grams met again, the code points; uses up the counts. */
static uint64_t dup_grams(Repeats *r, const Words *w, size_t n, size_t n_cand)
{
    uint64_t chars = 0;
    size_t next = 0; /* words before it are inside a repeat and begin no n-gram */

    for (size_t c = 0; c < n_cand; c++) {
        RepeatSlot *s = &r->slot[r->slot_of[c]];
        if (r->pos[c] < next) continue;
        if (s->count == 0) {
            chars += w->chars[r->pos[c] + n] - w->chars[r->pos[c]];
            next = r->pos[c] + n;
        }
        s->count = 0; /* seen */
    }
    return chars;
}

ErrCode repeats_grams(Repeats *r, const Words *w, uint32_t gap, RepeatedGrams *out, Err *err)
{
    size_t n_cand = w->n;
    ErrCode rc;

    *out = (RepeatedGrams){0};
    if ((rc = reserve(r, w->n, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < w->n; i++) {
        r->pos[i] = (uint32_t)i;
        r->sum[i] = w->hash[i];
    }
    for (size_t n = TOP_GRAM_FIRST; n <= DUP_GRAM_LAST; n++) {
        if ((rc = count_grams(r, w, n, &n_cand, err)) != ERR_OK) return rc;
        n_cand = narrow(r, n_cand);
        if (n <= TOP_GRAM_LAST)
            out->top[n] = top_gram(r, w, n, n_cand, gap);
        else
            out->dup[n] = dup_grams(r, w, n, n_cand);
    }
    return ERR_OK;
}

void repeats_clear(Repeats *r)
{
    free(r->slot);
    free(r->pos);
    free(r->sum);
    free(r->slot_of);
    *r = (Repeats){0};
}
