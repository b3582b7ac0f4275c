#include "tokenize/word_merge.h"

#include <stdlib.h>

#define MAX_PIECE ((size_t)1 << 31) /* positions in a piece are u32 */

void wordmerger_clear(WordMerger *w)
{
    free(w->id);
    free(w->node);
    free(w->heap);
    w->id = NULL, w->node = NULL, w->heap = NULL;
    w->cap = 0;
    buf_clear(&w->bytes);
    buf_clear(&w->next);
    buf_clear(&w->seam);
}

/* --- what merging starts from */

uint32_t start_tokens(WordMerger *w, Span word, uint32_t *id)
{
    const Tokenizer *t = w->t;
    uint32_t n = 0, cp;

    for (size_t i = 0; i < word.n;) {
        if (word.p[i] >= 0x80 && t->char_id && (cp = short_sequence(word.p + i, word.n - i)) != 0 &&
            t->char_id[cp] != NO_ID) {
            id[n++] = t->char_id[cp];
            i += cp < 0x800 ? 2 : 3;
            continue;
        }
        id[n] = t->byte_id[word.p[i++]];
        if (id[n] == NO_ID)
            w->n_lost++;
        else
            n++;
    }
    return n;
}

/* --- few tokens */

/* The merge of the tokens at two places as rank << 6 | the left place, so that the least of them is the one to do. */
static inline int32_t merge_key(const Tokenizer *t, const uint32_t *id, unsigned left, unsigned right)
{
    uint32_t merge = merge_rank(&t->ranks, id[left], id[right]);

    return merge == NO_RANK ? INT32_MAX : (int32_t)(merge << 6 | left);
}

uint32_t merge_few(const Tokenizer *t, uint32_t *id, uint32_t n)
{
    int32_t key[MERGE_FEW];
    uint64_t alive = ((uint64_t)1 << n) - 1; /* places that still have a token */
    uint32_t n_keys = (n + 7) / 8 * 8, n_left = 0;

    for (uint32_t i = 0; i < n_keys; i++) key[i] = i + 1 < n ? merge_key(t, id, i, i + 1) : INT32_MAX;
    for (;;) {
        int32_t least = INT32_MAX;
        for (uint32_t i = 0; i < n_keys; i++) least = key[i] < least ? key[i] : least;
        if (least == INT32_MAX) break;
        unsigned at = (unsigned)least & 63;
        uint64_t before = alive & (((uint64_t)1 << at) - 1), after = alive & (~(uint64_t)1 << at);
        unsigned right = (unsigned)__builtin_ctzll(after);
        id[at] = merge_id(&t->ranks, (uint32_t)least >> 6);
        alive ^= (uint64_t)1 << right;
        after &= after - 1;
        key[right] = INT32_MAX;
        key[at] = after ? merge_key(t, id, at, (unsigned)__builtin_ctzll(after)) : INT32_MAX;
        if (before) {
            unsigned left = 63 - (unsigned)__builtin_clzll(before);
            key[left] = merge_key(t, id, left, at);
        }
    }
    for (; alive; alive &= alive - 1) id[n_left++] = id[__builtin_ctzll(alive)];
    return n_left;
}

/* --- many tokens */

static void heap_sink(uint64_t *heap, size_t n, size_t i, uint64_t v)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (v <= heap[child]) break;
        heap[i] = heap[child];
    }
    heap[i] = v;
}

static void heap_push(WordMerger *w, uint64_t v)
{
    size_t i = w->n_heap++;

    w->n_steps++;
    for (; i && v < w->heap[(i - 1) / 2]; i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = v;
}

/* Queues the merge of the token at `at` with the one behind it. A word of n tokens queues fewer than 3n: n - 1 at first, then at
 * most two for each of at most n - 1 merges. */
static void queue_merge(WordMerger *w, uint32_t at)
{
    if (at == NO_ID || w->node[at].next == NO_ID) return;
    uint32_t merge = merge_rank(&w->t->ranks, w->node[at].id, w->node[w->node[at].next].id);
    if (merge != NO_RANK) heap_push(w, (uint64_t)merge << 32 | at);
}

static void merge_many(WordMerger *w, uint32_t n, Buf *ids)
{
    MergeNode *p = w->node;

    for (uint32_t i = 0; i < n; i++) p[i] = (MergeNode){w->id[i], i ? i - 1 : NO_ID, i + 1 < n ? i + 1 : NO_ID};
    w->n_heap = 0;
    for (uint32_t i = 0; i + 1 < n; i++) queue_merge(w, i);
    while (w->n_heap) {
        uint64_t top = w->heap[0];
        uint32_t at = (uint32_t)top;
        if (--w->n_heap) heap_sink(w->heap, w->n_heap, 0, w->heap[w->n_heap]);
        uint32_t right = p[at].id == NO_ID ? NO_ID : p[at].next;
        if (right == NO_ID) continue;
        uint32_t merge = merge_rank(&w->t->ranks, p[at].id, p[right].id);
        if (merge != top >> 32) continue; /* the pair has changed since */
        p[at].id = merge_id(&w->t->ranks, merge);
        p[at].next = p[right].next;
        p[right].id = NO_ID;
        if (p[at].next != NO_ID) p[p[at].next].prev = at;
        queue_merge(w, p[at].prev);
        queue_merge(w, at);
    }
    for (uint32_t i = 0; i != NO_ID; i = p[i].next) put_id(ids, p[i].id);
}

static ErrCode make_room(WordMerger *w, size_t n, Err *err)
{
    size_t cap = w->cap ? w->cap : 4096;

    if (n <= w->cap) return ERR_OK;
    if (n > MAX_PIECE) return err_set(err, ERR_LIMIT, "a word cannot be encoded: %zu bytes of it hang together", n);
    while (cap < n) cap *= 2;
    free(w->id);
    free(w->node);
    free(w->heap);
    w->cap = 0;
    w->id = malloc(cap * sizeof *w->id);
    w->node = malloc(cap * sizeof *w->node);
    w->heap = malloc(3 * cap * sizeof *w->heap);
    if (!w->id || !w->node || !w->heap) return err_nomem(err, "a long word");
    w->cap = cap;
    return ERR_OK;
}

/* Appends the ids of a piece that is merged at once. */
static ErrCode encode_piece(WordMerger *w, Span piece, Buf *ids, Err *err)
{
    ErrCode rc = make_room(w, piece.n, err);

    if (rc != ERR_OK) return rc;
    uint32_t n = start_tokens(w, piece, w->id);
    w->n_steps += n;
    if (n > MERGE_FEW) {
        merge_many(w, n, ids);
    } else {
        n = merge_few(w->t, w->id, n);
        buf_put(ids, w->id, n * sizeof *w->id);
    }
    return ERR_OK;
}

/* --- a word in pieces */

static const uint32_t *id_array(const Buf *ids) { return (const uint32_t *)(const void *)ids->p; }

/* What the tokens were merged from. */
static void put_bytes(WordMerger *w, const uint32_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++) buf_put_span(&w->bytes, w->t->bytes[id[i]]);
}

/* Joins the ids of what came before, ids[first, …), and those of the next piece, w->next: the tokens about the seam are encoded
 * together, more and more of them until the outermost ones come out as they were. */
static ErrCode join(WordMerger *w, Buf *ids, size_t first, Err *err)
{
    const uint32_t *left = id_array(ids) + first, *right = id_array(&w->next);
    size_t n_left = ids->n / sizeof *left - first, n_right = w->next.n / sizeof *right;
    size_t take_left = n_left && n_right ? 1 : 0, take_right = take_left;

    while (take_left) {
        buf_reset(&w->bytes);
        buf_reset(&w->seam);
        put_bytes(w, left + n_left - take_left, take_left);
        put_bytes(w, right, take_right);
        ErrCode rc = buf_ok(&w->bytes, "a long word", err);
        if (rc == ERR_OK) rc = encode_piece(w, buf_span(&w->bytes), &w->seam, err);
        if (rc == ERR_OK) rc = buf_ok(&w->seam, "a long word", err);
        if (rc != ERR_OK) return rc;
        const uint32_t *made = id_array(&w->seam), *last = made + w->seam.n / sizeof *made - 1;
        bool left_stands = take_left == n_left || *made == left[n_left - take_left];
        bool right_stands = take_right == n_right || *last == right[take_right - 1];
        if (left_stands && right_stands) break;
        if (!left_stands) take_left = take_left < n_left / 4 ? 4 * take_left : n_left;
        if (!right_stands) take_right = take_right < n_right / 4 ? 4 * take_right : n_right;
    }
    ids->n -= take_left * sizeof *left;
    buf_put_span(ids, buf_span(&w->seam));
    buf_put(ids, right + take_right, (n_right - take_right) * sizeof *right);
    return ERR_OK;
}

static ErrCode encode_pieces(WordMerger *w, Span word, Buf *ids, Err *err)
{
    size_t piece = w->piece_bytes ? w->piece_bytes : MERGE_PIECE, first = ids->n / sizeof(uint32_t);
    ErrCode rc = ERR_OK;

    for (Span rest = word; rest.n && rc == ERR_OK && !ids->oom; rest = span_from(rest, piece)) {
        buf_reset(&w->next);
        buf_reset(&w->seam);
        rc = encode_piece(w, span(rest.p, rest.n < piece ? rest.n : piece), &w->next, err);
        if (rc == ERR_OK) rc = buf_ok(&w->next, "a long word", err);
        if (rc == ERR_OK) rc = join(w, ids, first, err);
    }
    return rc;
}

ErrCode word_encode(WordMerger *w, Span word, Buf *ids, Err *err)
{
    size_t piece = w->piece_bytes ? w->piece_bytes : MERGE_PIECE;

    if (word.n <= piece) return encode_piece(w, word, ids, err);
    ErrCode rc = encode_pieces(w, word, ids, err);
    wordmerger_clear(w);
    return rc;
}
