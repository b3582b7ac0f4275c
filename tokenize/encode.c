/* Encoding: added tokens, then pretokens, which are cut at their seams (tokenize/seams.h). A word, be it a pretoken or a piece of one, of
 * at most 15 bytes is looked up in a cache of fixed size, keyed as in the counter; the others and the misses are merged
 * (tokenize/word_merge.h). Words are taken in batches: their places in the cache are asked for when they are cut and looked at
 * when the batch is full, so that the memory answers meanwhile. What is written for a word that is found does not depend on how many ids it
 * has, nor on where in its line it is: both are as good as random, and a branch on them costs more than the rest. */
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"
#include "tokenize/word_cache.h"
#include "tokenize/word_merge.h"

#include <stdlib.h>

enum { BATCH_WORDS = 64 };

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif

/* A word on its way. Long ones have the key of no word. */
typedef struct {
    uint64_t lo, hi;
    CacheLine *line;
} KeyedWord;
#define LONG_WORD UINT64_MAX /* as lo and hi */

struct Encoder {
    WordMerger merger;
    PretokenScan *scan;
    WordCache cache;
};

ErrCode encoder_new(Encoder **out, const Tokenizer *t, Err *err)
{
    Encoder *e = calloc(1, sizeof *e);

    *out = NULL;
    if (!e) return err_nomem(err, "an encoder");
    e->merger.t = t;
    ErrCode rc = pretokenscan_new(&e->scan, t->pretokenizer, err);
    if (rc == ERR_OK) rc = wordcache_init(&e->cache, err);
    if (rc == ERR_OK)
        *out = e;
    else
        encoder_free(e);
    return rc;
}

void encoder_free(Encoder *e)
{
    if (!e) return;
    pretokenscan_free(e->scan);
    wordcache_clear(&e->cache);
    wordmerger_clear(&e->merger);
    free(e);
}

uint64_t encoder_n_lost(const Encoder *e) { return e->merger.n_lost; }

/* --- words */

static const uint32_t *ids_from(const Buf *ids, size_t before)
{
    return (const uint32_t *)(const void *)(ids->p + before);
}

/* Merges a word; *n_ids is how many ids it may be remembered by, 0 when it may not. */
static ErrCode merge_word(Encoder *e, Span word, Buf *ids, size_t *n_ids, Err *err)
{
    size_t before = ids->n;
    uint64_t lost = e->merger.n_lost;
    ErrCode rc = word_encode(&e->merger, word, ids, err);

    *n_ids = rc != ERR_OK || ids->oom || e->merger.n_lost != lost ? 0 : (ids->n - before) / sizeof(uint32_t);
    return rc;
}

static ErrCode encode_long(Encoder *e, Span word, Buf *ids, Err *err)
{
    size_t before = ids->n, n_ids;
    ErrCode rc;

    if (word.n > LONG_BYTES) return word_encode(&e->merger, word, ids, err);
    LongWord *place = wordcache_long(&e->cache, word);
    if (place->n_ids) {
        buf_put(ids, place->ids, place->n_ids * sizeof *place->ids);
        return ERR_OK;
    }
    rc = merge_word(e, word, ids, &n_ids, err);
    if (n_ids && n_ids <= LONG_IDS) longword_put(place, word, ids_from(ids, before), n_ids);
    return rc;
}

/* A word that is not in its line. */
static ErrCode encode_missed(Encoder *e, Span word, const KeyedWord *key, Buf *ids, Err *err)
{
    size_t before = ids->n, n_ids;

    if (key->hi == LONG_WORD) return encode_long(e, word, ids, err);
    ErrCode rc = merge_word(e, word, ids, &n_ids, err);
    if (n_ids && n_ids <= CACHE_IDS) wordcache_put(key->line, key->lo, key->hi, ids_from(ids, before), n_ids);
    return rc;
}

static void find_lines(const Encoder *e, Span text, size_t at, const size_t *end, size_t n, KeyedWord *key)
{
    for (size_t i = 0; i < n; at = end[i++]) {
        KeyedWord k = {LONG_WORD, LONG_WORD, e->cache.line};
        if (end[i] - at <= WORD_KEY_MAX) {
            word_key(text, at, end[i] - at, &k.lo, &k.hi);
            k.line = wordcache_line(&e->cache, k.lo, k.hi);
            PREFETCH(k.line);
        }
        key[i] = k;
    }
}

/* Encodes the words that end at end[0, n); the first begins at `at`. */
static ErrCode encode_batch(Encoder *e, Span text, size_t at, const size_t *end, size_t n, Buf *ids, Err *err)
{
    KeyedWord key[BATCH_WORDS];
    ErrCode rc;

    find_lines(e, text, at, end, n, key);
    if (!buf_reserve(ids, n * sizeof(uint32_t[CACHE_IDS]))) return ERR_OK;
    uint8_t *to = ids->p + ids->n;
    for (size_t i = 0; i < n; at = end[i++]) {
        const CachedWord *word = key[i].line->word;
        bool in_front = word[0].lo == key[i].lo && word[0].hi == key[i].hi;
        bool behind = word[1].lo == key[i].lo && word[1].hi == key[i].hi;
        if (in_front | behind) {
            uint32_t made[CACHE_IDS];
            word += behind;
            for (int k = 0; k < CACHE_IDS; k++) made[k] = word->ids[k] & CACHE_ID_MASK;
            memcpy(to, made, sizeof made); /* all four; those past n are overwritten by what comes next */
            to += (word->ids[0] >> 24) * sizeof *made;
            continue;
        }
        ids->n = (size_t)(to - ids->p);
        if ((rc = encode_missed(e, (Span){text.p + at, end[i] - at}, &key[i], ids, err)) != ERR_OK) return rc;
        if (!buf_reserve(ids, (n - i) * sizeof(uint32_t[CACHE_IDS]))) return ERR_OK;
        to = ids->p + ids->n;
    }
    ids->n = (size_t)(to - ids->p);
    return ERR_OK;
}

/* Is it worth looking for seams? Short words of alphabets recur, and have few. */
static inline bool may_have_seams(Span text, size_t at, size_t end)
{
    return end - at > WORD_KEY_MAX || (end - at > 3 && (text.p[at] >= 0xE0 || text.p[at + 1] >= 0xE0));
}

/* Text without added tokens. */
static ErrCode encode_words(Encoder *e, Span text, Buf *ids, Err *err)
{
    const Seams *seams = e->merger.t->seams;
    size_t end[BATCH_WORDS], cut[BATCH_WORDS], n, n_cut = 0, n_more, first = 0,
                                                  at = 0; /* words: from `first` on, cut */
    ErrCode rc;

    pretokenscan_begin(e->scan, text);
    while ((rc = pretokenscan_next(e->scan, end, BATCH_WORDS, &n, err)) == ERR_OK && n) {
        for (size_t i = 0; i < n; i += at == end[i]) {
            if (seams && may_have_seams(text, at, end[i])) {
                seams_cut(seams, text, at, end[i], cut + n_cut, BATCH_WORDS - n_cut, &n_more);
                n_cut += n_more;
            } else {
                cut[n_cut++] = end[i];
            }
            at = cut[n_cut - 1];
            if (n_cut < BATCH_WORDS - 1) continue;
            if ((rc = encode_batch(e, text, first, cut, n_cut, ids, err)) != ERR_OK) return rc;
            first = at;
            n_cut = 0;
        }
    }
    return rc == ERR_OK && n_cut ? encode_batch(e, text, first, cut, n_cut, ids, err) : rc;
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
