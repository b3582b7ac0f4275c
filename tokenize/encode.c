/* Encoding: added tokens, then pretokens, which are cut at their seams (tokenize/seams.h). A word, be it a pretoken or a piece of one, of
 * at most 15 bytes is looked up in a cache of fixed size, keyed as in the counter; the others and the misses are merged
 * (tokenize/word_merge.h). Words are taken in batches: their places in the cache are asked for when they are cut and looked at
 * when the batch is full, so that the memory answers meanwhile. What is written for a word that is found does not depend on how many ids it
 * has, nor on where in its line it is: both are as good as random, and a branch on them costs more than the rest. */
#include "tokenize/nfc.h"
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"
#include "tokenize/word_cache.h"
#include "tokenize/word_merge.h"

#include <stdlib.h>

enum {
    BATCH_WORDS = 64,                 /* pretokens that are asked for at once */
    BATCH_PIECES = 32,                /* of one pretoken, at once */
    MAX_KEYED = 2 * BATCH_WORDS + 64, /* words on their way */
};

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) ((void)(p))
#endif

/* A word on its way, and its line of the cache. A long one has the length as lo and a hi that no word has. */
typedef struct {
    uint64_t lo, hi;
    CacheLine *line;
    size_t at; /* where it begins */
} KeyedWord;
#define LONG_WORD UINT64_MAX

struct Encoder {
    WordMerger merger;
    PretokenScan *scan;
    WordCache cache;
    Buf normalized; /* what the normalizer made of the piece in work */
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
    buf_clear(&e->normalized);
    free(e);
}

const Tokenizer *encoder_tokenizer(const Encoder *e) { return e->merger.t; }
uint64_t encoder_n_lost(const Encoder *e) { return e->merger.n_lost; }

/* --- words */

static const uint32_t *ids_from(const Buf *ids, size_t before)
{
    return (const uint32_t *)(const void *)(ids->p + before);
}

/* Encodes a word that is not known; *n_ids is how many ids it may be remembered by, 0 when it may not. */
static ErrCode merge_word(Encoder *e, Span word, Buf *ids, size_t *n_ids, Err *err)
{
    const Tokenizer *t = e->merger.t;
    size_t before = ids->n;
    uint64_t lost = e->merger.n_lost;
    uint32_t whole = t->whole ? wholewords_find(t->whole, t, word) : NO_ID;
    ErrCode rc = ERR_OK;

    if (whole == NO_ID)
        rc = word_encode(&e->merger, word, ids, err);
    else
        put_id(ids, whole);
    *n_ids = rc != ERR_OK || ids->oom || e->merger.n_lost != lost ? 0 : (ids->n - before) / sizeof(uint32_t);
    return rc;
}

static ErrCode encode_long(Encoder *e, Span word, Buf *ids, Err *err)
{
    size_t before = ids->n, n_ids;
    ErrCode rc;

    if (word.n > LONG_BYTES) return merge_word(e, word, ids, &n_ids, err);
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
static ErrCode encode_missed(Encoder *e, Span text, const KeyedWord *w, Buf *ids, Err *err)
{
    size_t before = ids->n, n_ids, n = (size_t)(w->hi == LONG_WORD ? w->lo : w->hi >> 56);
    Span word = {text.p + w->at, n};

    if (w->hi == LONG_WORD) return encode_long(e, word, ids, err);
    ErrCode rc = merge_word(e, word, ids, &n_ids, err);
    if (n_ids && n_ids <= CACHE_IDS) wordcache_put(w->line, w->lo, w->hi, ids_from(ids, before), n_ids);
    return rc;
}

/* Encodes w[0, n) and makes *n 0. */
static ErrCode encode_keyed(Encoder *e, Span text, const KeyedWord *w, size_t *n, Buf *ids, Err *err)
{
    const KeyedWord *end = w + *n;
    ErrCode rc;

    *n = 0;
    if (!buf_reserve(ids, (size_t)(end - w) * sizeof(uint32_t[CACHE_IDS]))) return ERR_OK;
    uint8_t *to = ids->p + ids->n;
    for (; w < end; w++) {
        const CachedWord *word = w->line->word;
        uint64_t front = (word[0].lo ^ w->lo) | (word[0].hi ^ w->hi),
                 back = (word[1].lo ^ w->lo) | (word[1].hi ^ w->hi);
        if (front && back) {
            ids->n = (size_t)(to - ids->p);
            if ((rc = encode_missed(e, text, w, ids, err)) != ERR_OK) return rc;
            if (!buf_reserve(ids, (size_t)(end - w) * sizeof(uint32_t[CACHE_IDS]))) return ERR_OK;
            to = ids->p + ids->n;
            continue;
        }
        uint32_t made[CACHE_IDS];
        word += !back;
        for (int k = 0; k < CACHE_IDS; k++) made[k] = word->ids[k] & CACHE_ID_MASK;
        memcpy(to, made, sizeof made); /* all four; those past n are overwritten by what comes next */
        to += (word->ids[0] >> 24) * sizeof *made;
    }
    ids->n = (size_t)(to - ids->p);
    return ERR_OK;
}

/* A word of text[at, at + n), n <= WORD_KEY_MAX. */
static inline KeyedWord key_short(const Encoder *e, Span text, size_t at, size_t n)
{
    KeyedWord w = {.at = at};

    word_key(text, at, n, &w.lo, &w.hi);
    w.line = wordcache_line(&e->cache, w.lo, w.hi);
    PREFETCH(w.line);
    return w;
}

/* Short words of alphabets recur and have few seams. */
static inline bool may_have_seams(const KeyedWord *w)
{
    return ((w->lo | w->hi) & 0x8080808080808080u) && w->hi >> 56 > 3;
}

/* A pretoken text[at, end) that is long or may have seams, into w[*n, …), where there is room for BATCH_PIECES more than what
 * may still come of short ones. */
static ErrCode cut_pretoken(Encoder *e, Span text, size_t at, size_t end, KeyedWord *w, size_t *n, Buf *ids, Err *err)
{
    const Seams *seams = e->merger.t->seams;
    size_t piece[BATCH_PIECES] = {end}, n_pieces = 1;
    ErrCode rc;

    while (at < end) {
        if (*n > MAX_KEYED - BATCH_WORDS - BATCH_PIECES && (rc = encode_keyed(e, text, w, n, ids, err)) != ERR_OK)
            return rc;
        if (seams) seams_cut(seams, text, at, end, piece, BATCH_PIECES, &n_pieces);
        for (size_t i = 0; i < n_pieces; at = piece[i++])
            w[(*n)++] = piece[i] - at <= WORD_KEY_MAX ? key_short(e, text, at, piece[i] - at)
                                                      : (KeyedWord){piece[i] - at, LONG_WORD, e->cache.line, at};
    }
    return ERR_OK;
}

/* Text without added tokens. */
static ErrCode encode_words(Encoder *e, Span text, Buf *ids, Err *err)
{
    KeyedWord w[MAX_KEYED];
    size_t end[BATCH_WORDS], n_ends, n = 0, at = 0;
    ErrCode rc;

    pretokenscan_begin(e->scan, text);
    while ((rc = pretokenscan_next(e->scan, end, BATCH_WORDS, &n_ends, err)) == ERR_OK && n_ends) {
        for (size_t i = 0; i < n_ends; at = end[i++]) {
            bool is_short = end[i] - at <= WORD_KEY_MAX;
            if (is_short) w[n] = key_short(e, text, at, end[i] - at);
            if (is_short && !may_have_seams(&w[n]))
                n++;
            else if ((rc = cut_pretoken(e, text, at, end[i], w, &n, ids, err)) != ERR_OK)
                return rc;
        }
        if (n > BATCH_WORDS && (rc = encode_keyed(e, text, w, &n, ids, err)) != ERR_OK) return rc;
    }
    return rc == ERR_OK ? encode_keyed(e, text, w, &n, ids, err) : rc;
}

/* Cuts the text at the added tokens of pass 0, what is left, normalized, at those of pass 1; what is left then is words. */
static ErrCode encode_pass(Encoder *e, Span text, int pass, EncodeMode mode, Buf *ids, Err *err)
{
    if (pass == 1 && e->merger.t->nfc) {
        ErrCode rc = nfc_text(text, &e->normalized, &text, err);
        if (rc != ERR_OK) return rc;
    }
    if (pass == 2 || mode == ENCODE_PLAIN) return encode_words(e, text, ids, err);
    AddedScan scan = added_scan(e->merger.t, pass, text, mode);
    AddedHit hit;
    size_t done = 0;
    ErrCode rc;

    for (; added_next(&scan, &hit); done = hit.end) {
        Span before = {text.p + done, hit.begin > done ? hit.begin - done : 0};
        if ((rc = encode_pass(e, before, pass + 1, mode, ids, err)) != ERR_OK) {
            added_end(&scan);
            return rc;
        }
        put_id(ids, hit.id);
    }
    return encode_pass(e, span_from(text, done), pass + 1, mode, ids, err);
}

ErrCode encode_as(Encoder *e, Span text, EncodeMode mode, Buf *ids, Err *err)
{
    buf_reset(ids);
    ErrCode rc = encode_pass(e, text, mode == ENCODE_PLAIN ? 1 : 0, mode, ids, err);
    buf_recycle(&e->normalized);
    return rc == ERR_OK ? buf_ok(ids, "token ids", err) : rc;
}

ErrCode encode(Encoder *e, Span text, bool plain, Buf *ids, Err *err)
{
    return encode_as(e, text, plain ? ENCODE_PLAIN : ENCODE_ALL, ids, err);
}
