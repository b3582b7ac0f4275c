/* Encoding: the lowest merge rank first, the leftmost of equal ones (huggingface/tokenizers, models/bpe/word.rs).
 *
 * A word of at most 15 bytes is looked up in a cache of fixed size, keyed as in the counter. Of the others and of misses, words of up to
 * SHORT_WORD bytes are merged by scanning for the lowest rank; longer ones with a heap, in O(n log n). */
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"
#include "tokenize/word_key.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    SHORT_WORD = 48,
    CACHE_BITS = 15, /* lines of 64 bytes: 2 MiB a thread */
    CACHE_IDS = 4    /* ids of a cached word, at most */
};
#define NO_MERGE        UINT64_MAX
#define ENCODE_MAX_WORD ((size_t)1 << 31) /* positions in a word are u32 */

/* Two words that share a line; the one in front was used last. ids[0] has the number of ids in its top byte. */
typedef struct {
    uint64_t lo, hi;
    uint32_t ids[CACHE_IDS];
} CachedWord;
typedef struct {
    CachedWord word[2];
} CacheLine;

/* A token of a word that is being merged with the heap. */
typedef struct {
    uint32_t id, prev, next; /* positions; NONE at the ends */
} Piece;
#define NONE UINT32_MAX

struct Encoder {
    const Tokenizer *t;
    CacheLine *cache;
    Piece *piece;    /* of the word in hand */
    uint64_t *heap;  /* merge_rank << 32 | position */
    size_t cap_word; /* of both, in bytes of the word */
    size_t n_heap;
    uint64_t n_lost;
};

ErrCode encoder_new(Encoder **out, const Tokenizer *t, Err *err)
{
    Encoder *e = calloc(1, sizeof *e);

    *out = NULL;
    if (!e) return err_nomem(err, "an encoder");
    e->t = t;
    e->cache = calloc((size_t)1 << CACHE_BITS, sizeof *e->cache);
    if (!e->cache) {
        free(e);
        return err_nomem(err, "an encoder");
    }
    *out = e;
    return ERR_OK;
}

void encoder_free(Encoder *e)
{
    if (!e) return;
    free(e->cache);
    free(e->piece);
    free(e->heap);
    free(e);
}

uint64_t encoder_n_lost(const Encoder *e) { return e->n_lost; }

static inline void put_id(Buf *ids, uint32_t id)
{
    if (ids->cap - ids->n < sizeof id && !buf_reserve(ids, sizeof id)) return;
    memcpy(ids->p + ids->n, &id, sizeof id);
    ids->n += sizeof id;
}

/* Merge of two tokens as merge_rank << 32 | id: the lowest value is the merge to do. */
static inline uint64_t merge_of(const Tokenizer *t, uint32_t left, uint32_t right)
{
    const MergeSlot *m = merge_find(t, left, right);

    return m ? (uint64_t)m->merge_rank << 32 | m->id : NO_MERGE;
}

/* Tokens of the single bytes; bytes that the vocabulary lacks are left out, as the reference leaves them out. */
static uint32_t byte_tokens(Encoder *e, Span word, uint32_t *id)
{
    uint32_t n = 0;

    for (size_t i = 0; i < word.n; i++) {
        id[n] = e->t->byte_id[word.p[i]];
        n += id[n] != NO_ID;
    }
    e->n_lost += word.n - n;
    return n;
}

/* Merges id[0, n) in place, n <= SHORT_WORD, and returns how many are left. */
static uint32_t merge_short(const Tokenizer *t, uint32_t *id, uint32_t n)
{
    uint64_t merge[SHORT_WORD]; /* of id[i] and id[i + 1] */

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

static void heap_sink(uint64_t *heap, size_t n, size_t i, uint64_t v)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (v <= heap[child]) break;
        heap[i] = heap[child];
    }
    heap[i] = v;
}

static void heap_push(Encoder *e, uint64_t v)
{
    size_t i = e->n_heap++;

    for (; i && v < e->heap[(i - 1) / 2]; i = (i - 1) / 2) e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = v;
}

/* Queues the merge of the piece at `at` with the one behind it. A word of n bytes queues fewer than 3n: n - 1 at first, then at most two
 * for each of at most n - 1 merges. */
static void queue_merge(Encoder *e, uint32_t at)
{
    if (at == NONE || e->piece[at].next == NONE) return;
    uint64_t m = merge_of(e->t, e->piece[at].id, e->piece[e->piece[at].next].id);
    if (m != NO_MERGE) heap_push(e, (m & ~(uint64_t)UINT32_MAX) | at);
}

static ErrCode long_room(Encoder *e, size_t n, Err *err)
{
    size_t cap = e->cap_word ? e->cap_word : 4096;

    if (n <= e->cap_word) return ERR_OK;
    while (cap < n) cap *= 2;
    free(e->piece);
    free(e->heap);
    e->cap_word = 0;
    e->piece = malloc(cap * sizeof *e->piece);
    e->heap = malloc(3 * cap * sizeof *e->heap);
    if (!e->piece || !e->heap) return err_nomem(err, "a long word");
    e->cap_word = cap;
    return ERR_OK;
}

/* Merges the pieces [0, n), which are linked, and puts the ids that are left. */
static void merge_long(Encoder *e, uint32_t n, Buf *ids)
{
    Piece *p = e->piece;

    e->n_heap = 0;
    for (uint32_t i = 0; i + 1 < n; i++) queue_merge(e, i);
    while (e->n_heap) {
        uint64_t top = e->heap[0];
        uint32_t at = (uint32_t)top;
        if (--e->n_heap) heap_sink(e->heap, e->n_heap, 0, e->heap[e->n_heap]);
        uint32_t right = p[at].id == NO_ID ? NONE : p[at].next;
        if (right == NONE) continue;
        uint64_t m = merge_of(e->t, p[at].id, p[right].id);
        if (m == NO_MERGE || m >> 32 != top >> 32) continue; /* the pair has changed since */
        p[at].id = (uint32_t)m;
        p[at].next = p[right].next;
        p[right].id = NO_ID;
        if (p[at].next != NONE) p[p[at].next].prev = at;
        queue_merge(e, p[at].prev);
        queue_merge(e, at);
    }
    for (uint32_t i = n ? 0 : NONE; i != NONE; i = p[i].next) put_id(ids, p[i].id);
}

static ErrCode encode_long(Encoder *e, Span word, Buf *ids, Err *err)
{
    uint32_t n = 0;

    if (word.n > ENCODE_MAX_WORD) return err_set(err, ERR_LIMIT, "a word of %zu bytes is too long to encode", word.n);
    ErrCode rc = long_room(e, word.n, err);
    if (rc != ERR_OK) return rc;
    for (size_t i = 0; i < word.n; i++) {
        uint32_t id = e->t->byte_id[word.p[i]];
        if (id == NO_ID) {
            e->n_lost++;
            continue;
        }
        e->piece[n] = (Piece){id, n ? n - 1 : NONE, n + 1};
        n++;
    }
    if (n) e->piece[n - 1].next = NONE;
    merge_long(e, n, ids);
    return ERR_OK;
}

static void encode_short(Encoder *e, Span word, Buf *ids)
{
    uint32_t id[SHORT_WORD], n = merge_short(e->t, id, byte_tokens(e, word, id));

    for (uint32_t i = 0; i < n; i++) put_id(ids, id[i]);
}

static inline CacheLine *cache_line(const Encoder *e, uint64_t lo, uint64_t hi)
{
    return &e->cache[word_key_hash(lo, hi) >> (64 - CACHE_BITS)];
}

static inline void put_cached(const CachedWord *w, Buf *ids)
{
    unsigned n = w->ids[0] >> 24;

    if (ids->cap - ids->n < sizeof w->ids && !buf_reserve(ids, sizeof w->ids)) return;
    uint8_t *to = ids->p + ids->n;
    memcpy(to, w->ids, sizeof w->ids); /* all four; those past n are overwritten by what comes next */
    uint32_t first = w->ids[0] & 0xffffff;
    memcpy(to, &first, sizeof first);
    ids->n += n * sizeof first;
}

/* A word of at most WORD_KEY_MAX bytes. */
static inline void encode_cached(Encoder *e, Span text, size_t at, size_t n, Buf *ids)
{
    uint64_t lo, hi;

    word_key(text, at, n, &lo, &hi);
    CacheLine *line = cache_line(e, lo, hi);
    if (line->word[0].lo == lo && line->word[0].hi == hi) {
        put_cached(&line->word[0], ids);
        return;
    }
    CachedWord back = line->word[1];
    if (back.lo == lo && back.hi == hi) {
        line->word[1] = line->word[0];
        line->word[0] = back;
        put_cached(&back, ids);
        return;
    }
    size_t before = ids->n;
    uint64_t lost = e->n_lost;
    encode_short(e, (Span){text.p + at, n}, ids);
    size_t n_ids = (ids->n - before) / sizeof(uint32_t);
    if (n_ids == 0 || n_ids > CACHE_IDS || ids->oom || e->n_lost != lost) return;
    CachedWord made = {.lo = lo, .hi = hi};
    memcpy(made.ids, ids->p + before, n_ids * sizeof(uint32_t));
    made.ids[0] |= (uint32_t)n_ids << 24;
    line->word[1] = line->word[0];
    line->word[0] = made;
}

/* Text without added tokens. */
static ErrCode encode_words(Encoder *e, Span text, Buf *ids, Err *err)
{
    ErrCode rc = ERR_OK;

    for (size_t at = 0, end; at < text.n && rc == ERR_OK; at = end) {
        end = pretoken_end(text, at);
        Span word = {text.p + at, end - at};
        if (word.n <= WORD_KEY_MAX)
            encode_cached(e, text, at, word.n, ids);
        else if (word.n <= SHORT_WORD)
            encode_short(e, word, ids);
        else
            rc = encode_long(e, word, ids, err);
    }
    return rc;
}

/* Cuts the text at the added tokens of pass 0, what is left at those of pass 1; what is left then is words. */
static ErrCode encode_pass(Encoder *e, Span text, int pass, EncodeMode mode, Buf *ids, Err *err)
{
    if (pass == 2) return encode_words(e, text, ids, err);
    const AddedTrie *trie = &e->t->added[pass];
    size_t done = 0, n;
    ErrCode rc;

    if (!trie->n_nodes) return encode_pass(e, text, pass + 1, mode, ids, err);
    for (size_t at = 0; at < text.n; at += n) {
        n = 1;
        uint32_t id = trie->first[text.p[at]] ? added_match(trie, text, at, &n) : NO_ID;
        if (id == NO_ID || (mode == ENCODE_DOCUMENT && (e->t->flags[id] & TOKEN_SPECIAL))) continue;
        if ((rc = encode_pass(e, (Span){text.p + done, at - done}, pass + 1, mode, ids, err)) != ERR_OK) return rc;
        put_id(ids, id);
        done = at + n;
    }
    return encode_pass(e, span_from(text, done), pass + 1, mode, ids, err);
}

ErrCode encode_as(Encoder *e, Span text, EncodeMode mode, Buf *ids, Err *err)
{
    buf_reset(ids);
    ErrCode rc = encode_pass(e, text, mode == ENCODE_PLAIN ? 2 : 0, mode, ids, err);
    return rc == ERR_OK ? buf_ok(ids, "token ids", err) : rc;
}

ErrCode encode(Encoder *e, Span text, bool plain, Buf *ids, Err *err)
{
    return encode_as(e, text, plain ? ENCODE_PLAIN : ENCODE_ALL, ids, err);
}
