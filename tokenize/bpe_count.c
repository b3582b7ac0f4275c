/* Feeding a counter. Most of text are some thousand words, which a cache that the processor holds counts: two places for each hash, for
 * words of up to 15 bytes. A word that finds others there drives the second one out into the table; found again, it is the first. What goes to the table goes in batches, in three
 * steps: its line is asked for, then the word that is probably meant, then it is counted; so memory answers many questions at a time. */
#include "tokenize/bpe_count.h"

#include "core/hash.h"
#include "tokenize/pretoken.h"
#include "tokenize/word_key.h"

#include <stdlib.h>

enum { BATCH_WORDS = 256, BATCHES = 3, CACHE_BITS = 14 };

typedef struct {
    uint64_t lo, hi, count; /* tokenize/word_key.h; hi 0: empty */
    uint64_t unused;        /* two of them are a line */
} CachedWord;

enum { CACHE_BYTES = sizeof(CachedWord) << CACHE_BITS };

typedef struct {
    CachedWord out[BATCH_WORDS]; /* driven out of the cache */
    Span word[BATCH_WORDS];      /* longer ones */
    uint32_t tag[BATCH_WORDS];   /* those of out, then those of word */
    size_t n_out, n_words;
} Batch;

struct BpeCounter {
    PretokenScan *scan;
    WordTable table;
    Slab *slab;
    CachedWord *cache; /* in it */
    Batch *batch;      /* BATCHES */
    uint64_t text_bytes;
    WordGrowth mark[64]; /* by the number of bits of text_bytes */
    bool emptied;
};

/* --- counters */

ErrCode bpecounter_new(BpeCounter **out, const Pretokenizer *p, Err *err)
{
    BpeCounter *c = calloc(1, sizeof *c);
    ErrCode rc = c ? wordtable_init(&c->table, err) : err_nomem(err, "word counts");

    *out = NULL;
    if (rc == ERR_OK) {
        c->slab = slab_take(CACHE_BYTES);
        c->batch = malloc(BATCHES * sizeof *c->batch);
        rc = c->slab && c->batch ? pretokenscan_new(&c->scan, p, err) : err_nomem(err, "word counts");
    }
    if (rc == ERR_OK) {
        c->cache = (CachedWord *)(void *)slab_bytes(c->slab);
        memset(c->cache, 0, CACHE_BYTES);
        *out = c;
    } else {
        bpecounter_free(c);
    }
    return rc;
}

void bpecounter_free(BpeCounter *c)
{
    if (!c) return;
    pretokenscan_free(c->scan);
    wordtable_clear(&c->table);
    slab_give(c->slab, 0);
    free(c->batch);
    free(c);
}

ErrCode bpecounter_empty(BpeCounter *c, Err *err)
{
    c->emptied = true;
    wordtable_clear(&c->table);
    memset(c->cache, 0, CACHE_BYTES);
    return wordtable_init(&c->table, err);
}

uint64_t bpecounter_bytes(const BpeCounter *c) { return c->text_bytes; }

uint64_t bpecounter_memory(const BpeCounter *c)
{
    return wordtable_memory(&c->table) + CACHE_BYTES + BATCHES * sizeof *c->batch;
}

uint64_t bpecounter_text(const BpeCounter *c) { return wordtable_text(&c->table); }

/* --- feeding */

static inline bool is_word(const CachedWord *w, uint64_t lo, uint64_t hi) { return w->lo == lo && w->hi == hi; }

static void count_cached(CachedWord *cache, Batch *b, Span text, size_t at, const size_t *end, size_t n)
{
    size_t n_out = 0, n_words = 0;

    for (size_t i = 0; i < n; at = end[i++]) {
        size_t bytes = end[i] - at;
        if (bytes > WORD_KEY_MAX) {
            b->word[n_words++] = (Span){text.p + at, bytes};
            continue;
        }
        uint64_t lo, hi;
        word_key(text, at, bytes, &lo, &hi);
        CachedWord *w = &cache[word_key_hash(lo, hi) >> (64 - CACHE_BITS) & ~UINT64_C(1)];
        if (is_word(&w[0], lo, hi)) {
            w[0].count++;
        } else if (is_word(&w[1], lo, hi)) {
            CachedWord first = w[0];
            w[0] = (CachedWord){.lo = lo, .hi = hi, .count = w[1].count + 1};
            w[1] = first;
        } else {
            b->out[n_out++] = w[1];
            w[1] = (CachedWord){.lo = lo, .hi = hi, .count = 1};
        }
    }
    b->n_out = n_out, b->n_words = n_words;
}

/* The top of a product is what hashes well. */
static uint32_t short_tag(const CachedWord *w)
{
    uint64_t hash = word_key_hash(w->lo, w->hi);

    return word_tag((hash ^ hash >> 32) * 0xbf58476d1ce4e5b9u);
}

static void ask_lines(const BpeCounter *c, Batch *b)
{
    for (size_t i = 0; i < b->n_out; i++) {
        b->tag[i] = short_tag(&b->out[i]);
        wordtable_ask(&c->table, b->tag[i]);
    }
    for (size_t i = 0; i < b->n_words; i++) {
        b->tag[b->n_out + i] = word_tag(hash64(b->word[i]));
        wordtable_ask(&c->table, b->tag[b->n_out + i]);
    }
}

static void ask_words(const BpeCounter *c, const Batch *b)
{
    for (size_t i = 0; i < b->n_out + b->n_words; i++) wordtable_ask_word(&c->table, b->tag[i]);
}

static ErrCode add_short(WordTable *t, const CachedWord *w, uint32_t tag, Err *err)
{
    return w->hi ? wordtable_add_short(t, w->lo, w->hi, tag, w->count, err) : ERR_OK;
}

static ErrCode add_words(BpeCounter *c, const Batch *b, Err *err)
{
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < b->n_out && rc == ERR_OK; i++) rc = add_short(&c->table, &b->out[i], b->tag[i], err);
    for (size_t i = 0; i < b->n_words && rc == ERR_OK; i++)
        rc = wordtable_add(&c->table, b->word[i], b->tag[b->n_out + i], 1, err);
    return rc;
}

static void mark_growth(BpeCounter *c)
{
    unsigned bits = 0;

    while (c->text_bytes >> bits) bits++;
    WordGrowth *m = &c->mark[bits & 63];
    if (m->text_bytes || c->emptied) return;
    *m = (WordGrowth){c->text_bytes, c->table.n, c->table.n + c->table.bytes};
}

WordGrowth bpecounter_growth(const BpeCounter *c, uint64_t most)
{
    WordGrowth latest = {0};

    for (size_t i = 0; i < 64; i++)
        if (c->mark[i].text_bytes && c->mark[i].text_bytes <= most) latest = c->mark[i];
    return latest;
}

/* Between the three steps of a batch there is always work on others, while the memory answers. */
ErrCode bpecounter_feed(BpeCounter *c, Span text, Err *err)
{
    size_t end[BATCH_WORDS], n, at = 0, k = 0;
    ErrCode rc;

    pretokenscan_begin(c->scan, text);
    for (; (rc = pretokenscan_next(c->scan, end, BATCH_WORDS, &n, err)) == ERR_OK && n; k++) {
        Batch *b = &c->batch[k % BATCHES];
        count_cached(c->cache, b, text, at, end, n);
        at = end[n - 1];
        if (k >= 2 && (rc = add_words(c, &c->batch[(k - 2) % BATCHES], err)) != ERR_OK) return rc;
        if (k >= 1) ask_words(c, &c->batch[(k - 1) % BATCHES]);
        ask_lines(c, b);
    }
    if (k >= 1) ask_words(c, &c->batch[(k - 1) % BATCHES]);
    if (rc == ERR_OK && k >= 2) rc = add_words(c, &c->batch[(k - 2) % BATCHES], err);
    if (rc == ERR_OK && k >= 1) rc = add_words(c, &c->batch[(k - 1) % BATCHES], err);
    if (rc != ERR_OK) return rc;
    c->text_bytes += text.n;
    mark_growth(c);
    return ERR_OK;
}

/* --- whole counters */

ErrCode bpecounter_table(BpeCounter *c, WordTable **words, Err *err)
{
    const size_t n = (size_t)1 << CACHE_BITS;
    ErrCode rc = ERR_OK;

    *words = &c->table;
    for (size_t i = 0; i < n && rc == ERR_OK; i++)
        rc = add_short(&c->table, &c->cache[i], short_tag(&c->cache[i]), err);
    memset(c->cache, 0, CACHE_BYTES);
    return rc;
}

ErrCode bpecounter_merge(BpeCounter *into, BpeCounter *from, Err *err)
{
    WordTable *words;
    ErrCode rc = bpecounter_table(from, &words, err);

    WordCursor w = wordcursor(words);
    for (size_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        rc = bpe_listen(i, err);
        if (rc == ERR_OK) rc = wordtable_add(&into->table, w.word, w.tag, w.count, err);
    }
    into->text_bytes += from->text_bytes;
    return rc;
}

ErrCode bpecounter_list(BpeCounter *c, uint64_t max_symbols, WordList *list, Err *err)
{
    WordTable *words;
    WordBuilder b = {0};
    ErrCode rc = bpecounter_table(c, &words, err);

    if (rc == ERR_OK) rc = wordbuilder_init(&b, max_symbols, err);
    WordCursor w = wordcursor(words);
    for (size_t i = 0; rc == ERR_OK && wordcursor_next(&w); i++) {
        rc = bpe_listen(i, err);
        if (rc == ERR_OK) rc = wordbuilder_add(&b, w.word, w.count, err);
    }
    if (rc == ERR_OK) rc = wordbuilder_finish(&b, list, err);
    if (rc == ERR_OK) list->corpus_bytes = c->text_bytes;
    wordbuilder_clear(&b);
    return rc;
}
