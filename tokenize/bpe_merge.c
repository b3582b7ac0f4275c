/* One merge. The positions of the pair are walked through once to replace it and to gather what its neighbours lose and gain, and,
 * where a new pair is frequent enough to be tracked, once more to write down where it is. */
#include "tokenize/bpe_trainer.h"

/* --- walking through positions, some ahead of those at hand */

typedef struct {
    const Symbols *s;
    const uint8_t *p;
    uint64_t left;
    size_t last;
    size_t at[2][WALK_POSITIONS];
    size_t n[2];
    unsigned now; /* which of the two is at hand */
} Walk;

static void walk_fill(Walk *w, unsigned which)
{
    size_t n = w->left < WALK_POSITIONS ? (size_t)w->left : WALK_POSITIONS;
    uint64_t step;

    for (size_t i = 0; i < n; i++) {
        w->p = leb128_get(w->p, &step);
        w->last += step;
        w->at[which][i] = w->last;
        BPE_PREFETCH(&w->s->sym[w->last]);
    }
    w->n[which] = n;
    w->left -= n;
}

static void walk_begin(Walk *w, const Symbols *s, Positions list)
{
    w->s = s, w->p = list.at, w->left = list.n, w->last = 0, w->now = 1;
    walk_fill(w, 0);
}

/* The next positions; false when there are none. */
static bool walk_next(Walk *w, const size_t **at, size_t *n)
{
    w->now ^= 1;
    *at = w->at[w->now];
    *n = w->n[w->now];
    if (*n) walk_fill(w, w->now ^ 1);
    return *n != 0;
}

/* --- neighbours */

/* Where the token begins that ends before position `at`; 0 when `at` begins a word (slot 0 is a separator). */
static inline size_t token_before(const uint32_t *sym, size_t at)
{
    uint32_t last = sym[at - 1];

    if (last == SEPARATOR) return 0;
    return last & BACK ? at - (last & ~BACK) : at - 1;
}

static inline Neighbour *met(Neighbour *side, uint32_t *ids, uint32_t *n_ids, uint32_t id)
{
    Neighbour *b = &side[id];

    if (!b->lost && !b->n) ids[(*n_ids)++] = id;
    return b;
}

static inline void gain(Neighbour *x, size_t at, uint64_t count)
{
    x->gained += count;
    x->bytes += leb128_size(at - x->last);
    x->last = at;
    x->n++;
}

/* The pair at one position becomes the token. Two of them side by side make a pair, which belongs to the right one: so the
 * left one looks ahead whether what follows is about to be replaced too. */
static inline void replace_one(Trainer *t, const PairInfo *p, uint32_t token, size_t at, uint64_t count)
{
    uint32_t *sym = t->text.sym, a = (uint32_t)(p->pair >> 32), b = (uint32_t)p->pair;
    size_t mid = at + t->slots[a], end = at + t->slots[token], before = token_before(sym, at);
    uint32_t next = sym[end];

    if (before) {
        Neighbour *x = met(t->left, t->left_ids, &t->n_left, sym[before]);
        if (sym[before] != token) x->lost += count;
        gain(x, before, count);
    }
    if (next != SEPARATOR) {
        Neighbour *y = met(t->right, t->right_ids, &t->n_right, next);
        y->lost += count;
        if (next != a || sym[end + t->slots[a]] != b) gain(y, at, count);
    }
    sym[at] = token;
    sym[mid] = INNER;
    sym[end - 1] = BACK | t->slots[token];
}

static ErrCode replace_pair(Trainer *t, const PairInfo *p, uint32_t token, Err *err)
{
    uint32_t a = (uint32_t)(p->pair >> 32), b = (uint32_t)p->pair;
    size_t n, seg = 0, a_slots = t->slots[a];
    const uint32_t *sym = t->text.sym;
    const size_t *at;
    uint64_t done = 0;
    Walk w;

    walk_begin(&w, &t->text, p->list);
    for (; walk_next(&w, &at, &n); done += n) {
        ErrCode rc = bpe_listen((size_t)done, err);
        if (rc != ERR_OK) return rc;
        for (size_t i = 0; i < n; i++)
            if (sym[at[i]] == a && sym[at[i] + a_slots] == b)
                replace_one(t, p, token, at[i], count_at(&t->text, at[i], &seg));
    }
    return ERR_OK;
}

/* --- new pairs */

/* Does the neighbour make a pair that is to be tracked? */
static inline bool tracked(const Trainer *t, const Neighbour *x, uint32_t id, uint32_t token)
{
    return x->n && x->gained >= t->least && !pair_barred(t, id, token);
}

/* How many do, and what their positions take. */
static void add_needs(const Trainer *t, const Neighbour *side, const uint32_t *ids, uint32_t n_ids, uint32_t token,
                      uint64_t *n, uint64_t *bytes)
{
    for (uint32_t i = 0; i < n_ids; i++)
        if (tracked(t, &side[ids[i]], ids[i], token)) ++*n, *bytes += pool_bytes(side[ids[i]].bytes);
}

/* Gives each of them room for its positions. */
static ErrCode make_room(Trainer *t, Neighbour *side, const uint32_t *ids, uint32_t n_ids, uint32_t token, Err *err)
{
    for (uint32_t i = 0; i < n_ids; i++) {
        Neighbour *x = &side[ids[i]];
        if (!tracked(t, x, ids[i], token)) continue;
        if (!(x->at = pool_take(t, (size_t)x->bytes))) return err_nomem(err, "positions of pairs");
    }
    return ERR_OK;
}

static ErrCode track_new(Trainer *t, Neighbour *x, uint64_t pair, Err *err)
{
    if (!x->at) return ERR_OK;
    x->last = 0;
    return pair_add(t, pair, x->gained, (Positions){x->at, x->n}, err);
}

static inline void write_position(Neighbour *x, size_t at)
{
    if (!x->at) return;
    x->at = leb128_put(x->at, at - x->last);
    x->last = at;
}

/* The second walk, now that all positions hold the new token. */
static ErrCode write_positions(Trainer *t, Positions list, uint32_t token, Err *err)
{
    const uint32_t *sym = t->text.sym;
    size_t n, slots = t->slots[token];
    const size_t *at;
    uint64_t done = 0;
    Walk w;

    walk_begin(&w, &t->text, list);
    for (; walk_next(&w, &at, &n); done += n) {
        ErrCode rc = bpe_listen((size_t)done, err);
        if (rc != ERR_OK) return rc;
        for (size_t i = 0; i < n; i++) {
            if (sym[at[i]] != token) continue;
            size_t before = token_before(sym, at[i]);
            uint32_t next = sym[at[i] + slots];
            if (before) write_position(&t->left[sym[before]], before);
            if (next != SEPARATOR && next != token) write_position(&t->right[next], at[i]);
        }
    }
    return ERR_OK;
}

static void lose(Trainer *t, uint32_t left, uint32_t right, uint64_t count)
{
    PairInfo *p = count ? pair_find(t, (uint64_t)left << 32 | right) : NULL;

    if (p) p->count -= count;
}

/* Where there is no memory for them the epoch ends with this merge, so they need not be tracked. */
static ErrCode track_new_pairs(Trainer *t, Positions list, uint32_t token, Err *err)
{
    uint64_t n = 0, bytes = 0;
    ErrCode rc;

    add_needs(t, t->left, t->left_ids, t->n_left, token, &n, &bytes);
    add_needs(t, t->right, t->right_ids, t->n_right, token, &n, &bytes);
    if (n == 0 || !pairs_fit(t, n, bytes)) return ERR_OK;
    if ((rc = make_room(t, t->left, t->left_ids, t->n_left, token, err)) != ERR_OK) return rc;
    if ((rc = make_room(t, t->right, t->right_ids, t->n_right, token, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < t->n_left && rc == ERR_OK; i++)
        rc = track_new(t, &t->left[t->left_ids[i]], (uint64_t)t->left_ids[i] << 32 | token, err);
    for (uint32_t i = 0; i < t->n_right && rc == ERR_OK; i++)
        rc = track_new(t, &t->right[t->right_ids[i]], (uint64_t)token << 32 | t->right_ids[i], err);
    return rc == ERR_OK ? write_positions(t, list, token, err) : rc;
}

ErrCode merge_pair(Trainer *t, PairInfo *p, uint32_t token, Err *err)
{
    PairInfo merged = *p;
    uint32_t a = (uint32_t)(p->pair >> 32), b = (uint32_t)p->pair;
    ErrCode rc;

    t->n_left = t->n_right = 0;
    if ((rc = replace_pair(t, &merged, token, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < t->n_left; i++) lose(t, t->left_ids[i], a, t->left[t->left_ids[i]].lost);
    for (uint32_t i = 0; i < t->n_right; i++) lose(t, b, t->right_ids[i], t->right[t->right_ids[i]].lost);
    p->count = 0;
    if ((rc = track_new_pairs(t, merged.list, token, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < t->n_left; i++) t->left[t->left_ids[i]] = (Neighbour){0};
    for (uint32_t i = 0; i < t->n_right; i++) t->right[t->right_ids[i]] = (Neighbour){0};
    return ERR_OK;
}
