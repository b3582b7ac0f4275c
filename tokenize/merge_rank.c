#include "tokenize/tokenizer.h"

#include <stdlib.h>

enum { LEAST_BITS = 14, TRIES = 16 };

/* False when a merge finds no place near its home. */
static bool fill(MergeRanks *m, const Tokenizer *t)
{
    size_t n_slots = ((size_t)1 << m->bits) + MERGE_REACH;

    memset(m->slot, 0xff, n_slots * sizeof *m->slot);
    memset(m->filter, 0, ((size_t)1 << m->bits << MERGE_FILTER_BITS) / 8);
    for (size_t k = 0; k >> t->merge_bits == 0; k++) {
        const MergeSlot *from = &t->merges[k];
        if (from->merge_rank == NO_ID) continue;
        uint64_t product = merge_product(m, from->left, from->right);
        size_t home = merge_home(m, product), i = 0, bit = (size_t)(product >> (64 - m->bits - MERGE_FILTER_BITS));
        while (i < MERGE_REACH && m->slot[home + i] != UINT64_MAX) i++;
        if (i == MERGE_REACH) return false;
        m->slot[home + i] = (merge_rest(m, product) + i) << 24 | from->merge_rank;
        m->filter[bit / 64] |= (uint64_t)1 << bit % 64;
    }
    return true;
}

/* At most half full, so that even a chosen set of merges would have to withstand sixteen factors. */
static ErrCode fill_slots(MergeRanks *m, const Tokenizer *t, Err *err)
{
    for (m->bits = LEAST_BITS; (size_t)1 << m->bits < 2 * (size_t)t->n_merges;) m->bits++;
    size_t n_slots = ((size_t)1 << m->bits) + MERGE_REACH;
    m->slab = slab_take(n_slots * sizeof *m->slot + ((size_t)1 << m->bits << MERGE_FILTER_BITS) / 8);
    if (!m->slab) return err_nomem(err, "the tokenizer");
    m->slot = (uint64_t *)(void *)slab_bytes(m->slab);
    m->filter = m->slot + n_slots;
    for (uint64_t i = 0; i < TRIES; i++) {
        m->factor = mix64(i + 1) | 1;
        if (fill(m, t)) return ERR_OK;
    }
    return err_set(err, ERR_LIMIT, "the merges of the tokenizer do not fit a table");
}

/* A trained vocabulary gives ids in the order of the merges. */
static void drop_ids(MergeRanks *m, uint32_t n_merges)
{
    for (uint32_t rank = 0; rank < n_merges; rank++)
        if (m->id[rank] - rank != m->id[0]) return;
    m->id_base = n_merges ? m->id[0] : 0;
    free(m->id);
    m->id = NULL;
}

ErrCode tokenizer_rank_merges(Tokenizer *t, Err *err)
{
    MergeRanks *m = &t->ranks;

    if (t->n_merges > MERGE_RANKS) return err_set(err, ERR_LIMIT, "a tokenizer of more than %d merges", MERGE_RANKS);
    m->low = malloc(sizeof *m->low * LOW_IDS * LOW_IDS);
    m->id = malloc(sizeof *m->id * (t->n_merges ? t->n_merges : 1));
    if (!m->low || !m->id) return err_nomem(err, "the tokenizer");
    memset(m->low, 0xff, sizeof *m->low * LOW_IDS * LOW_IDS); /* NO_RANK */
    for (size_t k = 0; k >> t->merge_bits == 0; k++) {
        const MergeSlot *from = &t->merges[k];
        if (from->merge_rank == NO_ID) continue;
        m->id[from->merge_rank] = from->id;
        if ((from->left | from->right) < LOW_IDS) m->low[from->left * LOW_IDS + from->right] = from->merge_rank;
    }
    drop_ids(m, t->n_merges);
    return fill_slots(m, t, err);
}

void mergeranks_clear(MergeRanks *m)
{
    free(m->low);
    free(m->id);
    slab_give(m->slab, 0);
}
