#include "tokenize/word_merge.h"

#include <stdlib.h>

#define MAX_WORD ((size_t)1 << 31) /* positions in a word are u32 */

void wordmerger_clear(WordMerger *w)
{
    free(w->id);
    free(w->piece);
    free(w->heap);
    w->id = NULL, w->piece = NULL, w->heap = NULL;
    w->cap = 0;
}

static inline void put_id(Buf *ids, uint32_t id)
{
    if (ids->cap - ids->n < sizeof id && !buf_reserve(ids, sizeof id)) return;
    memcpy(ids->p + ids->n, &id, sizeof id);
    ids->n += sizeof id;
}

/* --- what merging starts from */

/* The code point of a sequence of two or three bytes at p, 0 when there is none. Overlong forms are none; a surrogate may come
 * out, for which no token is kept. */
static inline uint32_t short_sequence(const uint8_t *p, size_t n)
{
    if (n >= 3 && p[0] >= 0xE0 && p[0] <= 0xEF && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        uint32_t cp = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
        return cp >= 0x800 ? cp : 0;
    }
    if (n >= 2 && p[0] >= 0xC2 && p[0] <= 0xDF && (p[1] & 0xC0) == 0x80)
        return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
    return 0;
}

/* Tokens of the characters that may start whole (tokenizer.h), of the single bytes of the others. Bytes that the vocabulary lacks are
 * left out, as the reference leaves them out. */
static uint32_t start_tokens(WordMerger *w, Span word, uint32_t *id)
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

uint32_t merge_few(const Tokenizer *t, uint32_t *id, uint32_t n)
{
    uint64_t merge[MERGE_FEW]; /* of id[i] and id[i + 1] */

    for (uint32_t i = 0; i + 1 < n; i++) merge[i] = merge_of(t, id[i], id[i + 1]);
    while (n > 1) {
        uint32_t at = 0;
        for (uint32_t i = 1; i + 1 < n; i++)
            if (merge[i] < merge[at]) at = i;
        if (merge[at] == NO_MERGE) break;
        id[at] = (uint32_t)merge[at];
        n--;
        for (uint32_t i = at + 1; i < n; i++) id[i] = id[i + 1];
        for (uint32_t i = at + 1; i + 1 < n; i++) merge[i] = merge[i + 1];
        if (at) merge[at - 1] = merge_of(t, id[at - 1], id[at]);
        if (at + 1 < n) merge[at] = merge_of(t, id[at], id[at + 1]);
    }
    return n;
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

    for (; i && v < w->heap[(i - 1) / 2]; i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = v;
}

/* Queues the merge of the piece at `at` with the one behind it. A word of n tokens queues fewer than 3n: n - 1 at first, then at
 * most two for each of at most n - 1 merges. */
static void queue_merge(WordMerger *w, uint32_t at)
{
    if (at == NO_ID || w->piece[at].next == NO_ID) return;
    uint64_t m = merge_of(w->t, w->piece[at].id, w->piece[w->piece[at].next].id);
    if (m != NO_MERGE) heap_push(w, (m & ~(uint64_t)UINT32_MAX) | at);
}

static void merge_many(WordMerger *w, uint32_t n, Buf *ids)
{
    Piece *p = w->piece;

    for (uint32_t i = 0; i < n; i++) p[i] = (Piece){w->id[i], i ? i - 1 : NO_ID, i + 1 < n ? i + 1 : NO_ID};
    w->n_heap = 0;
    for (uint32_t i = 0; i + 1 < n; i++) queue_merge(w, i);
    while (w->n_heap) {
        uint64_t top = w->heap[0];
        uint32_t at = (uint32_t)top;
        if (--w->n_heap) heap_sink(w->heap, w->n_heap, 0, w->heap[w->n_heap]);
        uint32_t right = p[at].id == NO_ID ? NO_ID : p[at].next;
        if (right == NO_ID) continue;
        uint64_t m = merge_of(w->t, p[at].id, p[right].id);
        if (m == NO_MERGE || m >> 32 != top >> 32) continue; /* the pair has changed since */
        p[at].id = (uint32_t)m;
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
    if (n > MAX_WORD) return err_set(err, ERR_LIMIT, "a word of %zu bytes is too long to encode", n);
    while (cap < n) cap *= 2;
    wordmerger_clear(w);
    w->id = malloc(cap * sizeof *w->id);
    w->piece = malloc(cap * sizeof *w->piece);
    w->heap = malloc(3 * cap * sizeof *w->heap);
    if (!w->id || !w->piece || !w->heap) return err_nomem(err, "a long word");
    w->cap = cap;
    return ERR_OK;
}

ErrCode word_encode(WordMerger *w, Span word, Buf *ids, Err *err)
{
    ErrCode rc = make_room(w, word.n, err);

    if (rc != ERR_OK) return rc;
    uint32_t n = start_tokens(w, word, w->id);
    if (n > MERGE_FEW) {
        merge_many(w, n, ids);
    } else {
        n = merge_few(w->t, w->id, n);
        buf_put(ids, w->id, n * sizeof *w->id);
    }
    if (w->cap > MERGE_KEEP) wordmerger_clear(w);
    return ERR_OK;
}
