/* Word counts. A word of up to 15 bytes, which most of text is, is a key of 16 bytes inside its table
 * (tokenize/word_key.h); a longer one is found by its XXH3 and kept elsewhere, its count before it. Both tables probe linearly and stay at
 * most 5/8 full. Words are taken in batches, short and long ones apart: their places are asked for when they are cut and looked
 * at when the batch is full, so that the memory answers meanwhile. */
#include "tokenize/bpe_count.h"

#include "core/slab.h"
#include "tokenize/leb128.h"
#include "tokenize/pretoken.h"
#include "tokenize/word_key.h"

#include <stdlib.h>

enum { TABLE_MIN_BITS = 12, BATCH_WORDS = 64, CHUNK_BYTES = 1 << 20, COUNT_BYTES = 8 };

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif

typedef struct {
    uint64_t lo, hi, count; /* empty: hi is 0, since a key's length is not */
} ShortWord;

typedef struct {
    uint64_t hash;
    uint8_t *kept; /* u64 count, LEB128 length, the word; empty: NULL */
} LongWord;

typedef struct {
    Slab *slab;
    void *slot;
    unsigned bits; /* log2 of the slots */
    uint64_t n;
} Table;

struct CountChunk {
    CountChunk *older;
    size_t used, cap;
    uint8_t bytes[];
};

struct BpeCounter {
    PretokenScan *scan;
    Table few, many; /* of ShortWord, of LongWord */
    CountChunk *chunk;
    uint64_t chunk_bytes, text_bytes;
};

/* --- tables */

static size_t table_slots(const Table *t) { return (size_t)1 << t->bits; }
static bool table_full(const Table *t) { return t->n > table_slots(t) / 8 * 5; }

static ErrCode table_take(Table *t, unsigned bits, size_t slot_bytes, Err *err)
{
    size_t bytes = slot_bytes << bits;

    *t = (Table){.slab = slab_take(bytes), .bits = bits};
    if (!t->slab) return err_nomem(err, "word counts");
    t->slot = slab_bytes(t->slab);
    memset(t->slot, 0, bytes);
    return ERR_OK;
}

static void table_drop(Table *t)
{
    slab_give(t->slab, 0);
    *t = (Table){0};
}

static ErrCode counter_start(BpeCounter *c, Err *err)
{
    ErrCode rc = table_take(&c->few, TABLE_MIN_BITS, sizeof(ShortWord), err);

    return rc == ERR_OK ? table_take(&c->many, TABLE_MIN_BITS, sizeof(LongWord), err) : rc;
}

ErrCode bpecounter_new(BpeCounter **out, const Pretokenizer *p, Err *err)
{
    BpeCounter *c = calloc(1, sizeof *c);

    *out = NULL;
    if (!c) return err_nomem(err, "word counts");
    ErrCode rc = counter_start(c, err);
    if (rc == ERR_OK) rc = pretokenscan_new(&c->scan, p, err);
    if (rc != ERR_OK) {
        bpecounter_free(c);
        return rc;
    }
    *out = c;
    return ERR_OK;
}

static void drop_words(BpeCounter *c)
{
    table_drop(&c->few);
    table_drop(&c->many);
    for (CountChunk *older; c->chunk; c->chunk = older) {
        older = c->chunk->older;
        free(c->chunk);
    }
    c->chunk_bytes = 0;
}

ErrCode bpecounter_empty(BpeCounter *c, Err *err)
{
    drop_words(c);
    return counter_start(c, err);
}

void bpecounter_free(BpeCounter *c)
{
    if (!c) return;
    pretokenscan_free(c->scan);
    drop_words(c);
    free(c);
}

uint64_t bpecounter_words(const BpeCounter *c) { return c->few.n + c->many.n; }

uint64_t bpecounter_bytes(const BpeCounter *c) { return c->text_bytes; }

uint64_t bpecounter_memory(const BpeCounter *c)
{
    return c->chunk_bytes + table_slots(&c->few) * sizeof(ShortWord) + table_slots(&c->many) * sizeof(LongWord);
}

/* --- short words */

static inline size_t short_home(const Table *t, uint64_t hash) { return (size_t)(hash >> (64 - t->bits)); }

static ErrCode short_grow(Table *t, Err *err)
{
    const ShortWord *old = t->slot;
    Table grown;
    ErrCode rc = table_take(&grown, t->bits + 1, sizeof(ShortWord), err);
    size_t mask = table_slots(&grown) - 1;

    if (rc != ERR_OK) return rc;
    ShortWord *slot = grown.slot;
    for (size_t i = 0; i < table_slots(t); i++) {
        if (!old[i].hi) continue;
        size_t at = short_home(&grown, word_key_hash(old[i].lo, old[i].hi));
        while (slot[at].hi) at = (at + 1) & mask;
        slot[at] = old[i];
    }
    grown.n = t->n;
    table_drop(t);
    *t = grown;
    return ERR_OK;
}

static inline ErrCode short_add(Table *t, uint64_t hash, uint64_t lo, uint64_t hi, uint64_t count, Err *err)
{
    size_t mask = table_slots(t) - 1, at = short_home(t, hash);
    ShortWord *slot = t->slot;

    for (; slot[at].hi; at = (at + 1) & mask)
        if (slot[at].lo == lo && slot[at].hi == hi) {
            slot[at].count += count;
            return ERR_OK;
        }
    slot[at] = (ShortWord){lo, hi, count};
    t->n++;
    return table_full(t) ? short_grow(t, err) : ERR_OK;
}

/* --- long words */

static inline size_t long_home(const Table *t, uint64_t hash) { return (size_t)(hash >> (64 - t->bits)); }

static ErrCode long_grow(Table *t, Err *err)
{
    const LongWord *old = t->slot;
    Table grown;
    ErrCode rc = table_take(&grown, t->bits + 1, sizeof(LongWord), err);
    size_t mask = table_slots(&grown) - 1;

    if (rc != ERR_OK) return rc;
    LongWord *slot = grown.slot;
    for (size_t i = 0; i < table_slots(t); i++) {
        if (!old[i].kept) continue;
        size_t at = long_home(&grown, old[i].hash);
        while (slot[at].kept) at = (at + 1) & mask;
        slot[at] = old[i];
    }
    grown.n = t->n;
    table_drop(t);
    *t = grown;
    return ERR_OK;
}

static Span kept_word(const uint8_t *kept)
{
    uint64_t n;
    const uint8_t *p = leb128_get(kept + COUNT_BYTES, &n);

    return (Span){p, (size_t)n};
}

static uint8_t *keep_word(BpeCounter *c, Span word, uint64_t count)
{
    size_t most = COUNT_BYTES + LEB128_MAX + word.n;

    if (!c->chunk || c->chunk->cap - c->chunk->used < most) {
        size_t cap = most > CHUNK_BYTES / 4 ? most : CHUNK_BYTES;
        CountChunk *chunk = malloc(sizeof *chunk + cap);
        if (!chunk) return NULL;
        *chunk = (CountChunk){.older = c->chunk, .cap = cap};
        c->chunk = chunk;
        c->chunk_bytes += cap;
    }
    uint8_t *kept = c->chunk->bytes + c->chunk->used, *p = leb128_put(kept + COUNT_BYTES, word.n);
    le64_put(kept, count);
    memcpy(p, word.p, word.n);
    c->chunk->used += (size_t)(p - kept) + word.n;
    return kept;
}

static ErrCode long_add(BpeCounter *c, Span word, uint64_t hash, uint64_t count, Err *err)
{
    Table *t = &c->many;
    size_t mask = table_slots(t) - 1, at = long_home(t, hash);
    LongWord *slot = t->slot;

    for (; slot[at].kept; at = (at + 1) & mask)
        if (slot[at].hash == hash && span_eq(kept_word(slot[at].kept), word)) {
            le64_put(slot[at].kept, le64_get(slot[at].kept) + count);
            return ERR_OK;
        }
    uint8_t *kept = keep_word(c, word, count);
    if (!kept) return err_nomem(err, "word counts");
    slot[at] = (LongWord){hash, kept};
    t->n++;
    return table_full(t) ? long_grow(t, err) : ERR_OK;
}

/* --- feeding */

ErrCode bpecounter_add(BpeCounter *c, Span word, uint64_t count, Err *err)
{
    uint64_t lo, hi;

    if (word.n > WORD_KEY_MAX) return long_add(c, word, hash64(word), count, err);
    word_key(word, 0, word.n, &lo, &hi);
    return short_add(&c->few, word_key_hash(lo, hi), lo, hi, count, err);
}

typedef struct {
    uint64_t hash[BATCH_WORDS], lo[BATCH_WORDS], hi[BATCH_WORDS]; /* short words */
    Span word[BATCH_WORDS];                                       /* long ones */
    uint64_t long_hash[BATCH_WORDS];
    size_t n, n_long;
} Batch;

/* Sorts the words that end at end[0, n) by their kind, without branches. */
static inline void fill_batch(Batch *b, Span text, size_t at, const size_t *end, size_t n)
{
    b->n = b->n_long = 0;
    for (size_t i = 0; i < n; at = end[i++]) {
        size_t bytes = end[i] - at, is_short = bytes <= WORD_KEY_MAX;
        word_key(text, at, is_short ? bytes : WORD_KEY_MAX, &b->lo[b->n], &b->hi[b->n]);
        b->n += is_short;
        b->word[b->n_long] = (Span){text.p + at, bytes};
        b->n_long += !is_short;
    }
}

static ErrCode count_batch(BpeCounter *c, Batch *b, Err *err)
{
    const ShortWord *few = c->few.slot;
    const LongWord *many = c->many.slot;
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < b->n; i++) {
        b->hash[i] = word_key_hash(b->lo[i], b->hi[i]);
        PREFETCH(&few[short_home(&c->few, b->hash[i])]);
    }
    for (size_t i = 0; i < b->n_long; i++) {
        b->long_hash[i] = hash64(b->word[i]);
        PREFETCH(&many[long_home(&c->many, b->long_hash[i])]);
    }
    for (size_t i = 0; i < b->n && rc == ERR_OK; i++) rc = short_add(&c->few, b->hash[i], b->lo[i], b->hi[i], 1, err);
    for (size_t i = 0; i < b->n_long && rc == ERR_OK; i++) {
        const LongWord *w = &many[long_home(&c->many, b->long_hash[i])];
        if (w->hash == b->long_hash[i]) PREFETCH(w->kept);
    }
    for (size_t i = 0; i < b->n_long && rc == ERR_OK; i++) rc = long_add(c, b->word[i], b->long_hash[i], 1, err);
    return rc;
}

ErrCode bpecounter_feed(BpeCounter *c, Span text, Err *err)
{
    size_t end[BATCH_WORDS], n, at = 0;
    Batch b;
    ErrCode rc;

    pretokenscan_begin(c->scan, text);
    while ((rc = pretokenscan_next(c->scan, end, BATCH_WORDS, &n, err)) == ERR_OK && n) {
        fill_batch(&b, text, at, end, n);
        if ((rc = count_batch(c, &b, err)) != ERR_OK) return rc;
        at = end[n - 1];
    }
    c->text_bytes += text.n;
    return rc;
}

/* --- whole counters */

ErrCode bpecounter_merge(BpeCounter *into, const BpeCounter *from, Err *err)
{
    ErrCode rc = ERR_OK;

    /* The words come in the order of their hashes; into a smaller table of the same hash they would pile up at its front. */
    while (into->few.bits < from->few.bits && rc == ERR_OK) rc = short_grow(&into->few, err);
    while (into->many.bits < from->many.bits && rc == ERR_OK) rc = long_grow(&into->many, err);
    WordCursor w = wordcursor(from);
    for (size_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        rc = bpe_listen(i, err);
        if (rc == ERR_OK) rc = bpecounter_add(into, w.word, w.count, err);
    }
    into->text_bytes += from->text_bytes;
    return rc;
}

/* Long words come as they lie in memory. */
static bool next_long(WordCursor *w)
{
    for (; w->chunk; w->chunk = w->chunk->older, w->at = 0) {
        if (w->at == w->chunk->used) continue;
        const uint8_t *kept = w->chunk->bytes + w->at;
        w->word = kept_word(kept);
        w->count = le64_get(kept);
        w->at = (size_t)(w->word.p - w->chunk->bytes) + w->word.n;
        return true;
    }
    return false;
}

bool wordcursor_next(WordCursor *w)
{
    const Table *few = &w->counter->few;

    for (; !w->in_long && w->at < table_slots(few); w->at++) {
        const ShortWord *s = (const ShortWord *)few->slot + w->at;
        if (!s->hi) continue;
        le64_put(w->bytes, s->lo);
        le64_put(w->bytes + 8, s->hi);
        w->word = (Span){w->bytes, w->bytes[15]};
        w->count = s->count;
        w->at++;
        return true;
    }
    if (!w->in_long) w->in_long = true, w->at = 0, w->chunk = w->counter->chunk;
    return next_long(w);
}

ErrCode bpecounter_list(const BpeCounter *c, uint64_t max_symbols, WordList *list, Err *err)
{
    WordCursor w = wordcursor(c);
    WordBuilder b;
    ErrCode rc = wordbuilder_init(&b, max_symbols, err);

    for (size_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        rc = bpe_listen(i, err);
        if (rc == ERR_OK) rc = wordbuilder_add(&b, w.word, w.count, err);
    }
    if (rc == ERR_OK) rc = wordbuilder_finish(&b, list, err);
    if (rc == ERR_OK) list->corpus_bytes = c->text_bytes;
    wordbuilder_clear(&b);
    return rc;
}
