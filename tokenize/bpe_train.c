/* BPE training: the pair of highest count is merged, of equal counts the smaller pair of ids (huggingface/tokenizers, trainer.rs); that
 * is the whole rule, so any exact maximum does.
 *
 * Words lie one behind the other in one array of symbols, a separator between them. A token keeps its id in the slot of its first
 * byte and, when it is longer than one byte, its length in the slot of its last; so neighbours are found without links and a merge
 * writes three slots. A pair knows the positions where it occurred; positions whose pair has gone are skipped when they are met.
 * Nothing makes new instances of old tokens, hence a pair occurs first in the step that makes its younger member, all its
 * positions are known when that step ends, and its count only falls afterwards: a heap entry that is out of date is too high, and is
 * put back with the right count when it comes up. For the same reason no two merges make the same string: until a merge crosses the
 * ends of a string, its bytes are merged alike wherever it stands. */
#include "tokenize/bpe_count.h"
#include "tokenize/bpe_model.h"
#include "tokenize/bytelevel.h"

#include <stdlib.h>

#define SEPARATOR 0xFFFFFFFFu /* before the first word, after every word */
#define INNER     0xFFFFFFFEu /* a slot where a token used to begin */
#define BACK      0x80000000u /* last slot of a token: BACK | bytes of the token */

enum { POOL_CHUNK = 1 << 20, MAX_VOCAB = 1 << 24 };
#define MAX_SYMBOLS 0xFFFFFF00u /* positions are u32 */

typedef struct {
    uint64_t pair; /* left << 32 | right */
    uint64_t count;
    uint32_t *at; /* positions of the left token, ascending; NULL: empty slot */
    uint32_t n;
} PairInfo;

typedef struct {
    uint64_t count, pair;
} HeapEntry;

/* What a merge step gathers about the neighbours with one id, on one side. */
typedef struct {
    uint64_t lost;   /* count that the pair with the old token loses */
    uint64_t gained; /* count of the pair with the new token */
    uint32_t *at;
    uint32_t n, room; /* positions written; found, an upper bound */
} Neighbour;

typedef struct {
    uint32_t *sym, *word_of; /* n_sym slots; word_of has the word at the slots of its bytes */
    size_t n_sym;
    uint64_t *word_count;
    uint32_t *token_bytes; /* by id */
    PairInfo *pairs;       /* open addressing, at most half full */
    unsigned pair_bits;
    size_t n_pairs;
    HeapEntry *heap;
    size_t n_heap, cap_heap;
    Arena pool; /* positions */
    uint32_t *pool_at;
    size_t pool_left;
    Neighbour *left, *right;        /* by id */
    uint32_t *left_ids, *right_ids; /* ids met in this step */
    uint32_t n_left, n_right;
    uint64_t max_bytes; /* a token has fewer bytes */
} Trainer;

/* --- pairs */

static size_t pair_slot(const Trainer *t, uint64_t pair)
{
    size_t mask = ((size_t)1 << t->pair_bits) - 1, at = (size_t)mix64(pair) & mask;

    while (t->pairs[at].at && t->pairs[at].pair != pair) at = (at + 1) & mask;
    return at;
}

static PairInfo *pair_find(const Trainer *t, uint32_t left, uint32_t right)
{
    PairInfo *p = &t->pairs[pair_slot(t, (uint64_t)left << 32 | right)];

    return p->at ? p : NULL;
}

static ErrCode pairs_grow(Trainer *t, Err *err)
{
    PairInfo *old = t->pairs;
    size_t n_old = (size_t)1 << t->pair_bits;

    if (!(t->pairs = calloc(2 * n_old, sizeof *old))) {
        t->pairs = old;
        return err_nomem(err, "pairs of tokens");
    }
    t->pair_bits++;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].at) t->pairs[pair_slot(t, old[i].pair)] = old[i];
    free(old);
    return ERR_OK;
}

/* --- the heap: highest count first, then the smaller pair */

static inline bool goes_first(HeapEntry a, HeapEntry b)
{
    return a.count != b.count ? a.count > b.count : a.pair < b.pair;
}

static void heap_sink(Trainer *t, size_t i, HeapEntry e)
{
    for (size_t child; (child = 2 * i + 1) < t->n_heap; i = child) {
        if (child + 1 < t->n_heap && goes_first(t->heap[child + 1], t->heap[child])) child++;
        if (!goes_first(t->heap[child], e)) break;
        t->heap[i] = t->heap[child];
    }
    t->heap[i] = e;
}

static ErrCode heap_push(Trainer *t, HeapEntry e, Err *err)
{
    HeapEntry *heap = array_grow(t->heap, t->n_heap, &t->cap_heap, sizeof *heap);
    size_t i = t->n_heap;

    if (!heap) return err_nomem(err, "pairs of tokens");
    t->heap = heap;
    t->n_heap++;
    for (; i && goes_first(e, heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = e;
    return ERR_OK;
}

/* The most frequent pair as it is now; false when there is none left. */
static bool heap_pop(Trainer *t, HeapEntry *best)
{
    while (t->n_heap) {
        HeapEntry top = t->heap[0];
        uint64_t now = t->pairs[pair_slot(t, top.pair)].count;
        if (now == top.count) {
            if (--t->n_heap) heap_sink(t, 0, t->heap[t->n_heap]);
            *best = top;
            return true;
        }
        if (now)
            heap_sink(t, 0, (HeapEntry){now, top.pair});
        else if (--t->n_heap)
            heap_sink(t, 0, t->heap[t->n_heap]);
    }
    return false;
}

/* Room for n positions, never freed before the end. */
static uint32_t *positions(Trainer *t, uint32_t n)
{
    if (n > POOL_CHUNK / 4) return arena_array(&t->pool, n, sizeof(uint32_t));
    if (n > t->pool_left) {
        if (!(t->pool_at = arena_array(&t->pool, POOL_CHUNK, sizeof(uint32_t)))) return NULL;
        t->pool_left = POOL_CHUNK;
    }
    uint32_t *p = t->pool_at;
    t->pool_at += n, t->pool_left -= n;
    return p;
}

static ErrCode pair_add(Trainer *t, uint32_t left, uint32_t right, uint64_t count, uint32_t *at, uint32_t n, Err *err)
{
    uint64_t pair = (uint64_t)left << 32 | right;

    t->pairs[pair_slot(t, pair)] = (PairInfo){pair, count, at, n};
    if (++t->n_pairs > (size_t)1 << (t->pair_bits - 1)) {
        ErrCode rc = pairs_grow(t, err);
        if (rc != ERR_OK) return rc;
    }
    return heap_push(t, (HeapEntry){count, pair}, err);
}

/* --- before the first merge */

static ErrCode find_alphabet(const BpeParams *params, const BpeCounter *words, BpeModel *model, uint8_t id_of[256],
                             Err *err)
{
    bool seen[256];
    size_t n_words = 0;
    ErrCode rc;

    memset(seen, params->all_bytes, sizeof seen);
    for (WordCursor w = wordcursor(words); wordcursor_next(&w);) {
        if ((rc = bpe_listen(++n_words, err)) != ERR_OK) return rc;
        for (size_t i = 0; i < w.word.n; i++) seen[w.word.p[i]] = true;
    }
    model->n_alphabet = 0;
    for (uint32_t cp = 0; cp <= BYTELEVEL_MAX_CP; cp++) {
        int byte = bytelevel_byte(cp);
        if (byte < 0 || !seen[byte]) continue;
        id_of[byte] = (uint8_t)model->n_alphabet;
        model->alphabet[model->n_alphabet++] = (uint8_t)byte;
    }
    return ERR_OK;
}

/* Lays the words out; those of one byte have no pairs. */
static ErrCode lay_out(Trainer *t, const BpeCounter *words, const uint8_t id_of[256], Err *err)
{
    uint64_t n_sym = 1, n_words = 0, w_at = 0;
    ErrCode rc;

    for (WordCursor w = wordcursor(words); wordcursor_next(&w);) {
        if (w.word.n <= 1) continue;
        n_sym += w.word.n + 1, n_words++;
        if ((rc = bpe_listen(n_words, err)) != ERR_OK) return rc;
    }
    if (n_sym > MAX_SYMBOLS)
        return err_set(err, ERR_LIMIT, "cannot train on %llu bytes of distinct words, at most %u: sample less text",
                       (unsigned long long)n_sym, MAX_SYMBOLS);
    t->n_sym = (size_t)n_sym;
    t->sym = malloc(t->n_sym * sizeof *t->sym);
    t->word_of = malloc(t->n_sym * sizeof *t->word_of);
    t->word_count = malloc((size_t)(n_words ? n_words : 1) * sizeof *t->word_count);
    if (!t->sym || !t->word_of || !t->word_count) return err_nomem(err, "the words to train on");
    size_t at = 0;
    t->sym[at++] = SEPARATOR;
    for (WordCursor w = wordcursor(words); wordcursor_next(&w);) {
        if (w.word.n <= 1) continue;
        for (size_t i = 0; i < w.word.n; i++) {
            t->word_of[at] = (uint32_t)w_at;
            t->sym[at++] = id_of[w.word.p[i]];
        }
        t->sym[at++] = SEPARATOR;
        t->word_count[w_at++] = w.count;
        if ((rc = bpe_listen(w_at, err)) != ERR_OK) return rc;
    }
    return ERR_OK;
}

static bool first_pair(const Trainer *t, size_t i) { return t->sym[i] != SEPARATOR && t->sym[i + 1] != SEPARATOR; }

/* The pairs of bytes, counted with overlaps, as the reference counts. */
static ErrCode count_first_pairs(Trainer *t, uint32_t n_alphabet, Err *err)
{
    Neighbour *dense = calloc(256 * 256, sizeof *dense);
    ErrCode rc = ERR_OK;

    if (!dense) return err_nomem(err, "pairs of bytes");
    for (size_t i = 1; i + 1 < t->n_sym; i++) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) goto out;
        if (first_pair(t, i)) dense[t->sym[i] << 8 | t->sym[i + 1]].room++;
    }
    for (uint32_t pair = 0; pair < 256 * 256; pair++)
        if (dense[pair].room && !(dense[pair].at = positions(t, dense[pair].room))) {
            rc = err_nomem(err, "positions of pairs");
            goto out;
        }
    for (size_t i = 1; i + 1 < t->n_sym; i++) {
        if ((rc = bpe_listen(i, err)) != ERR_OK) goto out;
        if (!first_pair(t, i)) continue;
        Neighbour *d = &dense[t->sym[i] << 8 | t->sym[i + 1]];
        d->at[d->n++] = (uint32_t)i;
        d->gained += t->word_count[t->word_of[i]];
    }
    for (uint32_t left = 0; left < n_alphabet && rc == ERR_OK; left++)
        for (uint32_t right = 0; right < n_alphabet && rc == ERR_OK; right++) {
            Neighbour *d = &dense[left << 8 | right];
            if (d->n) rc = pair_add(t, left, right, d->gained, d->at, d->n, err);
        }
out:
    free(dense);
    return rc;
}

/* --- one merge */

/* Where the token begins that ends before position `at`; 0 when `at` begins a word (slot 0 is a separator). */
static inline size_t token_before(const Trainer *t, size_t at)
{
    uint32_t last = t->sym[at - 1];

    if (last == SEPARATOR) return 0;
    return last & BACK ? at - (last & ~BACK) : at - 1;
}

static inline Neighbour *met(Neighbour *side, uint32_t *ids, uint32_t *n_ids, uint32_t id)
{
    Neighbour *b = &side[id];

    if (!b->lost && !b->room) ids[(*n_ids)++] = id;
    return b;
}

/* Replaces the pair at its positions and gathers what its neighbours lose and how many positions they may gain. */
static ErrCode replace_pair(Trainer *t, const PairInfo *p, uint32_t token, Err *err)
{
    uint32_t a = (uint32_t)(p->pair >> 32), b = (uint32_t)p->pair;
    uint32_t a_bytes = t->token_bytes[a], bytes = t->token_bytes[token];

    for (uint32_t i = 0; i < p->n; i++) {
        ErrCode rc = bpe_listen(i, err);
        if (rc != ERR_OK) return rc;
        size_t at = p->at[i], mid = at + a_bytes, end = at + bytes;
        if (t->sym[at] != a || t->sym[mid] != b) continue;
        uint64_t count = t->word_count[t->word_of[at]];
        size_t before = token_before(t, at);
        if (before) {
            Neighbour *x = met(t->left, t->left_ids, &t->n_left, t->sym[before]);
            if (t->sym[before] != token) x->lost += count;
            x->room++;
        }
        if (t->sym[end] != SEPARATOR) {
            Neighbour *y = met(t->right, t->right_ids, &t->n_right, t->sym[end]);
            y->lost += count;
            y->room++;
        }
        t->sym[at] = token;
        t->sym[mid] = INNER;
        t->sym[end - 1] = BACK | bytes;
    }
    return ERR_OK;
}

/* Gives every neighbour that may pair with the new token room for its positions. */
static ErrCode make_room(Trainer *t, Neighbour *side, const uint32_t *ids, uint32_t n_ids, uint32_t token, Err *err)
{
    for (uint32_t i = 0; i < n_ids; i++) {
        Neighbour *x = &side[ids[i]];
        if ((uint64_t)t->token_bytes[ids[i]] + t->token_bytes[token] >= t->max_bytes) x->room = 0;
        if (x->room && !(x->at = positions(t, x->room))) return err_nomem(err, "positions of pairs");
    }
    return ERR_OK;
}

static inline void gain(Neighbour *x, size_t at, uint64_t count)
{
    if (!x->room) return;
    x->at[x->n++] = (uint32_t)at;
    x->gained += count;
}

/* Second walk over the same positions, now that all of them hold the new token: its pairs. A pair of two new tokens belongs to the
 * right one. */
static ErrCode gather_new_pairs(Trainer *t, const PairInfo *p, uint32_t token, Err *err)
{
    uint32_t bytes = t->token_bytes[token];

    for (uint32_t i = 0; i < p->n; i++) {
        ErrCode rc = bpe_listen(i, err);
        if (rc != ERR_OK) return rc;
        size_t at = p->at[i], end = at + bytes;
        if (t->sym[at] != token) continue;
        uint64_t count = t->word_count[t->word_of[at]];
        size_t before = token_before(t, at);
        if (before) gain(&t->left[t->sym[before]], before, count);
        if (t->sym[end] != SEPARATOR && t->sym[end] != token) gain(&t->right[t->sym[end]], at, count);
    }
    return ERR_OK;
}

static void lose(Trainer *t, uint32_t left, uint32_t right, uint64_t count)
{
    PairInfo *p = count ? pair_find(t, left, right) : NULL; /* absent: its token would be too long */

    if (p) p->count -= count;
}

static ErrCode merge_pair(Trainer *t, uint64_t pair, uint32_t token, Err *err)
{
    PairInfo *p = &t->pairs[pair_slot(t, pair)], merged = *p;
    uint32_t a = (uint32_t)(pair >> 32), b = (uint32_t)pair;
    ErrCode rc;

    t->n_left = t->n_right = 0;
    if ((rc = replace_pair(t, &merged, token, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < t->n_left; i++) lose(t, t->left_ids[i], a, t->left[t->left_ids[i]].lost);
    for (uint32_t i = 0; i < t->n_right; i++) lose(t, b, t->right_ids[i], t->right[t->right_ids[i]].lost);
    p->count = 0;
    if ((rc = make_room(t, t->left, t->left_ids, t->n_left, token, err)) != ERR_OK) return rc;
    if ((rc = make_room(t, t->right, t->right_ids, t->n_right, token, err)) != ERR_OK) return rc;
    if ((rc = gather_new_pairs(t, &merged, token, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < t->n_left && rc == ERR_OK; i++) {
        Neighbour *x = &t->left[t->left_ids[i]];
        if (x->n) rc = pair_add(t, t->left_ids[i], token, x->gained, x->at, x->n, err);
        *x = (Neighbour){0};
    }
    for (uint32_t i = 0; i < t->n_right && rc == ERR_OK; i++) {
        Neighbour *y = &t->right[t->right_ids[i]];
        if (y->n) rc = pair_add(t, token, t->right_ids[i], y->gained, y->at, y->n, err);
        *y = (Neighbour){0};
    }
    return rc;
}

/* --- all of it */

static ErrCode trainer_start(Trainer *t, const BpeParams *params, Err *err)
{
    size_t n = (size_t)params->vocab_size + 256;

    *t = (Trainer){.pair_bits = 17, .max_bytes = params->max_token_length ? params->max_token_length : UINT64_MAX};
    t->pairs = calloc((size_t)1 << t->pair_bits, sizeof *t->pairs);
    t->token_bytes = calloc(n, sizeof *t->token_bytes);
    t->left = calloc(n, sizeof *t->left);
    t->right = calloc(n, sizeof *t->right);
    t->left_ids = malloc(n * sizeof *t->left_ids);
    t->right_ids = malloc(n * sizeof *t->right_ids);
    if (!t->pairs || !t->token_bytes || !t->left || !t->right || !t->left_ids || !t->right_ids)
        return err_nomem(err, "the trainer");
    return ERR_OK;
}

static void trainer_clear(Trainer *t)
{
    free(t->sym);
    free(t->word_of);
    free(t->word_count);
    free(t->token_bytes);
    free(t->pairs);
    free(t->heap);
    arena_clear(&t->pool);
    free(t->left);
    free(t->right);
    free(t->left_ids);
    free(t->right_ids);
}

ErrCode bpe_learn(const BpeParams *params, const BpeCounter *words, BpeModel *model, Buf *store, Err *err)
{
    uint8_t id_of[256] = {0};
    Trainer t = {0};
    HeapEntry best;
    ErrCode rc;

    if (params->vocab_size > MAX_VOCAB)
        return err_set(err, ERR_LIMIT, "a vocabulary of %u tokens is too large, at most %d", params->vocab_size,
                       MAX_VOCAB);
    buf_reset(store);
    if ((rc = find_alphabet(params, words, model, id_of, err)) != ERR_OK) goto out;
    if ((rc = trainer_start(&t, params, err)) != ERR_OK) goto out;
    if ((rc = lay_out(&t, words, id_of, err)) != ERR_OK) goto out;
    uint32_t n = model->n_alphabet;
    for (uint32_t id = 0; id < n; id++) t.token_bytes[id] = 1;
    if ((rc = count_first_pairs(&t, n, err)) != ERR_OK) goto out;
    for (; n < params->vocab_size && heap_pop(&t, &best) && best.count >= params->min_frequency; n++) {
        Merge m = {(uint32_t)(best.pair >> 32), (uint32_t)best.pair};
        buf_put(store, &m, sizeof m);
        t.token_bytes[n] = t.token_bytes[m.left] + t.token_bytes[m.right];
        if ((rc = merge_pair(&t, best.pair, n, err)) != ERR_OK) goto out;
    }
    model->merges = (const Merge *)(const void *)store->p;
    model->n_merges = n > model->n_alphabet ? n - model->n_alphabet : 0;
    rc = buf_ok(store, "merges", err);
out:
    trainer_clear(&t);
    return rc;
}

ErrCode bpe_train(const BpeParams *params, const BpeCounter *words, Buf *tokenizer_json, Err *err)
{
    BpeModel model;
    Buf store = {0};
    ErrCode rc = bpe_learn(params, words, &model, &store, err);

    if (rc == ERR_OK) rc = bpe_model_json(&model, params, tokenizer_json, err);
    buf_clear(&store);
    return rc;
}
