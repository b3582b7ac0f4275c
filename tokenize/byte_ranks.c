/* The merges behind a vocabulary that only ranks its tokens.
 *
 * Byte pair encoding by rank merges the two neighbours whose joined bytes have the lowest rank, the leftmost of equal ones. Until token
 * T is made in a word, nothing crosses its ends, so of the pairs inside it those that merge, and their order, are the ones of T's bytes
 * standing alone. Hence T is always made of the same two parts, those that its own bytes come to before the last merge, and the list of
 * these pairs in order of rank gives the same tokens, whatever the ranks are. A token whose bytes do not come to two parts is never made
 * by merging, only as a whole word. */
#include "tokenize/formats.h"

#include <stdlib.h>

enum { MAX_STEPS = 1 << 30 }; /* of merging all tokens alone: a second or so; cl100k_base takes a few million */

typedef struct {
    const Span *bytes;
    uint32_t *slot; /* ids by hash of their bytes; NO_ID: empty */
    size_t mask;
    uint32_t *begin,
        *rank; /* of each part of the token in work: where it begins, the id that it makes with the next one */
} Ranks;

static uint32_t *ranks_slot(const Ranks *r, Span bytes)
{
    size_t at = (size_t)hash64(bytes) & r->mask;

    while (r->slot[at] != NO_ID && !span_eq(r->bytes[r->slot[at]], bytes)) at = (at + 1) & r->mask;
    return &r->slot[at];
}

/* The id of the bytes [begin, end) of a token, or NO_ID. */
static uint32_t rank_of(const Ranks *r, Span token, uint32_t begin, uint32_t end)
{
    return *ranks_slot(r, (Span){token.p + begin, end - begin});
}

static DraftMerge parts_of(const Ranks *r, uint32_t id)
{
    const Span token = r->bytes[id];
    uint32_t n = (uint32_t)token.n;
    uint32_t *begin = r->begin, *rank = r->rank; /* begin[n] is the end */

    for (uint32_t i = 0; i <= n; i++) begin[i] = i;
    for (uint32_t i = 0; i + 1 < n; i++) rank[i] = rank_of(r, token, i, i + 2);
    while (n > 2) {
        uint32_t at = 0;
        for (uint32_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[at]) at = i;
        if (rank[at] == NO_ID) return (DraftMerge){NO_ID, NO_ID};
        memmove(begin + at + 1, begin + at + 2, (n - at - 1) * sizeof *begin);
        if (at + 2 < n) memmove(rank + at + 1, rank + at + 2, (n - at - 2) * sizeof *rank);
        n--;
        if (at + 1 < n) rank[at] = rank_of(r, token, begin[at], begin[at + 2]);
        if (at > 0) rank[at - 1] = rank_of(r, token, begin[at - 1], begin[at + 1]);
    }
    return (DraftMerge){rank_of(r, token, 0, begin[1]), rank_of(r, token, begin[1], begin[2])};
}

ErrCode merges_of_ranks(const char *name, const Span *bytes, uint32_t n_ids, DraftMerge *made, Err *err)
{
    Ranks r = {.bytes = bytes};
    size_t n_slots = 16, longest = 2;
    uint64_t steps = 0;

    while (n_slots < 2 * (size_t)n_ids) n_slots *= 2;
    r.mask = n_slots - 1;
    for (uint32_t id = 0; id < n_ids; id++) {
        if (bytes[id].n > longest) longest = bytes[id].n;
        steps += (uint64_t)bytes[id].n * bytes[id].n;
    }
    if (steps > MAX_STEPS)
        return err_set(err, ERR_LIMIT, "%s: too many long tokens: the squares of their lengths come to more than %d",
                       name, MAX_STEPS);
    r.slot = malloc(n_slots * sizeof *r.slot);
    r.begin = malloc((longest + 1) * sizeof *r.begin);
    r.rank = malloc(longest * sizeof *r.rank);
    bool ok = r.slot && r.begin && r.rank;
    if (ok) {
        memset(r.slot, 0xff, n_slots * sizeof *r.slot); /* NO_ID */
        for (uint32_t id = 0; id < n_ids; id++) {
            uint32_t *slot = bytes[id].n ? ranks_slot(&r, bytes[id]) : NULL;
            if (slot && *slot == NO_ID) *slot = id;
        }
    }
    for (uint32_t id = 0; ok && id < n_ids; id++) {
        made[id] = bytes[id].n >= 2 ? parts_of(&r, id) : (DraftMerge){NO_ID, NO_ID};
        if (made[id].right == NO_ID) made[id].left = NO_ID;
        if (made[id].left == NO_ID) made[id].right = NO_ID;
    }
    free(r.slot);
    free(r.begin);
    free(r.rank);
    return ok ? ERR_OK : err_nomem(err, "a vocabulary");
}
