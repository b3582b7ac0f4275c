/* Encoding: added tokens, then pretokens; a pretoken of at most 15 bytes is looked up in a cache of fixed size, keyed as in the
 * counter, the others and the misses are merged (tokenize/word_merge.h). Words are taken in batches: their places in the cache are
 * asked for when they are cut and looked at when the batch is full, so that the memory answers meanwhile. */
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"
#include "tokenize/word_key.h"
#include "tokenize/word_merge.h"

#include <stdlib.h>

enum {
    CACHE_BITS = 16, /* lines of 64 bytes: 4 MiB a thread */
    CACHE_IDS = 4,   /* ids of a cached word, at most */
    BATCH_WORDS = 32
};

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif

/* Two words that share a line; the one in front was used last. ids[0] has the number of ids in its top byte. */
typedef struct {
    uint64_t lo, hi;
    uint32_t ids[CACHE_IDS];
} CachedWord;
typedef struct {
    CachedWord word[2];
} CacheLine;

/* A pretoken on its way: short ones have a key and a line, long ones (hi == 0) their place. */
typedef struct {
    Span word;
    uint64_t lo, hi;
    CacheLine *line;
} BatchWord;

struct Encoder {
    WordMerger merger;
    PretokenScan *scan;
    CacheLine *cache;
};

ErrCode encoder_new(Encoder **out, const Tokenizer *t, Err *err)
{
    Encoder *e = calloc(1, sizeof *e);

    *out = NULL;
    if (!e) return err_nomem(err, "an encoder");
    e->merger.t = t;
    ErrCode rc = pretokenscan_new(&e->scan, t->pretokenizer, err);
    if (rc == ERR_OK) { /* a line of the cache is one of the machine */
        e->cache = aligned_alloc(sizeof(CacheLine), sizeof(CacheLine) << CACHE_BITS);
        if (!e->cache) rc = err_nomem(err, "an encoder");
    }
    if (rc != ERR_OK) {
        encoder_free(e);
        return rc;
    }
    memset(e->cache, 0, sizeof(CacheLine) << CACHE_BITS);
    *out = e;
    return ERR_OK;
}

void encoder_free(Encoder *e)
{
    if (!e) return;
    pretokenscan_free(e->scan);
    free(e->cache);
    wordmerger_clear(&e->merger);
    free(e);
}

uint64_t encoder_n_lost(const Encoder *e) { return e->merger.n_lost; }

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

/* A word that is not in its line: merges it and puts it there. */
static ErrCode encode_missed(Encoder *e, const BatchWord *b, Buf *ids, Err *err)
{
    size_t before = ids->n;
    uint64_t lost = e->merger.n_lost;
    ErrCode rc = word_encode(&e->merger, b->word, ids, err);
    size_t n_ids = (ids->n - before) / sizeof(uint32_t);

    if (rc != ERR_OK || n_ids == 0 || n_ids > CACHE_IDS || ids->oom || e->merger.n_lost != lost) return rc;
    CachedWord made = {.lo = b->lo, .hi = b->hi};
    memcpy(made.ids, ids->p + before, n_ids * sizeof(uint32_t));
    made.ids[0] |= (uint32_t)n_ids << 24;
    b->line->word[1] = b->line->word[0];
    b->line->word[0] = made;
    return rc;
}

static inline ErrCode encode_one(Encoder *e, const BatchWord *b, Buf *ids, Err *err)
{
    if (b->hi == 0) return word_encode(&e->merger, b->word, ids, err);
    CachedWord *front = &b->line->word[0], back = b->line->word[1];
    if (front->lo == b->lo && front->hi == b->hi) {
        put_cached(front, ids);
        return ERR_OK;
    }
    if (back.lo != b->lo || back.hi != b->hi) return encode_missed(e, b, ids, err);
    b->line->word[1] = *front;
    *front = back;
    put_cached(&back, ids);
    return ERR_OK;
}

/* Text without added tokens. */
static ErrCode encode_words(Encoder *e, Span text, Buf *ids, Err *err)
{
    BatchWord batch[BATCH_WORDS];
    size_t end[BATCH_WORDS], n, at = 0;
    ErrCode rc;

    pretokenscan_begin(e->scan, text);
    while ((rc = pretokenscan_next(e->scan, end, BATCH_WORDS, &n, err)) == ERR_OK && n) {
        for (size_t i = 0; i < n; at = end[i++]) {
            BatchWord *b = &batch[i];
            b->word = (Span){text.p + at, end[i] - at};
            b->hi = 0;
            if (b->word.n > WORD_KEY_MAX) continue;
            word_key(text, at, b->word.n, &b->lo, &b->hi);
            b->line = &e->cache[word_key_hash(b->lo, b->hi) >> (64 - CACHE_BITS)];
            PREFETCH(b->line);
        }
        for (size_t i = 0; i < n; i++)
            if ((rc = encode_one(e, &batch[i], ids, err)) != ERR_OK) return rc;
    }
    return rc;
}

/* Cuts the text at the added tokens of pass 0, what is left at those of pass 1; what is left then is words. */
static ErrCode encode_pass(Encoder *e, Span text, int pass, EncodeMode mode, Buf *ids, Err *err)
{
    if (pass == 2) return encode_words(e, text, ids, err);
    AddedScan scan = added_scan(e->merger.t, pass, text, mode);
    AddedHit hit;
    size_t done = 0;
    ErrCode rc;

    for (; added_next(&scan, &hit); done = hit.end) {
        Span before = {text.p + done, hit.begin > done ? hit.begin - done : 0};
        if ((rc = encode_pass(e, before, pass + 1, mode, ids, err)) != ERR_OK) return rc;
        put_id(ids, hit.id);
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
