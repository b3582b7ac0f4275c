#include "tokenize/word_batch.h"

#include "tokenize/word_group.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2_KERNEL 1
#include <immintrin.h>
#endif

ErrCode wordbatch_init(WordBatch *b, const Tokenizer *t, Err *err)
{
    b->merger = (WordMerger){.t = t};
    b->n = 0;
#ifdef HAVE_AVX2_KERNEL
    b->has_avx2 = __builtin_cpu_supports("avx2");
#endif
    return wordcache_init(&b->cache, err);
}

void wordbatch_clear(WordBatch *b)
{
    wordcache_clear(&b->cache);
    wordmerger_clear(&b->merger);
}

/* --- words that come in */

size_t wordbatch_put_plain(WordBatch *b, Span text, size_t at, const size_t *end, size_t n)
{
    size_t i = 0, safe = text.n < 16 ? 0 : text.n - 15; /* 16 bytes can be read before it */
    BatchWord *w = b->word + b->n;

    if (n > BATCH_WORDS - b->n) n = BATCH_WORDS - b->n;
    for (; i < n; at = end[i++], w++) {
        size_t length = end[i] - at;
        if (length > WORD_KEY_MAX || at >= safe) break;
        word_key_inside(text.p + at, length, &w->lo, &w->hi);
        if (((w->lo | w->hi) & 0x8080808080808080u) && length > 3) break;
        w->at = at;
        w->line = wordcache_line(w->lo, w->hi);
        wordcache_ask(&b->cache, w->line);
    }
    b->n += i;
    return i;
}

/* --- words that are not found */

/* Of a word held back: which it is, and how many ids were found before it. */
typedef struct {
    uint32_t word, before;
} Held;

/* The token that a pretoken is whatever its merges say, or NO_ID. */
static uint32_t whole_word(const WordBatch *b, Span word)
{
    const Tokenizer *t = b->merger.t;

    return t->whole ? wholewords_find(t->whole, t, word) : NO_ID;
}

static ErrCode encode_long(WordBatch *b, Span word, Buf *ids, Err *err)
{
    LongWord *place = word.n <= LONG_BYTES ? wordcache_long(&b->cache, word) : NULL;
    uint32_t whole = whole_word(b, word);
    uint64_t lost = b->merger.n_lost;
    size_t before = ids->n;

    if (whole != NO_ID) {
        put_id(ids, whole);
        return ERR_OK;
    }
    if (place && place->n_ids) {
        buf_put(ids, place->ids, place->n_ids * sizeof *place->ids);
        return ERR_OK;
    }
    ErrCode rc = word_encode(&b->merger, word, ids, err);
    size_t n = (ids->n - before) / sizeof(uint32_t);
    if (place && rc == ERR_OK && !ids->oom && b->merger.n_lost == lost && n && n <= LONG_IDS)
        longword_put(place, word, (const uint32_t *)(const void *)(ids->p + before), n);
    return rc;
}

/* A short word that could be remembered by its ids is, unless it came twice in a batch and already is. */
static void remember(WordBatch *b, const BatchWord *w, const GroupWord *made, bool is_lossy)
{
    CacheLine *line = &b->cache.line[w->line];

    if (!made->n || made->n > CACHE_IDS || is_lossy || (line->key[0].lo == w->lo && line->key[0].hi == w->hi)) return;
    wordcache_put(line, w->lo, w->hi, made->id, made->n);
}

/* What the short words among held[0, n) are, n <= GROUP_WORDS. */
static void merge_held(WordBatch *b, Span text, const Held *held, size_t n, GroupWord made[GROUP_WORDS])
{
    uint64_t lost[GROUP_WORDS + 1];

    for (size_t i = 0; i < n; i++) {
        const BatchWord *w = &b->word[held[i].word];
        Span word = {text.p + w->at, w->hi == BATCH_LONG ? 0 : (size_t)(w->hi >> 56)};
        uint32_t whole = word.n ? whole_word(b, word) : NO_ID;
        lost[i] = b->merger.n_lost;
        made[i].n = whole == NO_ID ? start_tokens(&b->merger, word, made[i].id) : 1;
        if (whole != NO_ID) made[i].id[0] = whole;
    }
    lost[n] = b->merger.n_lost;
    merge_group(b->merger.t, made, n);
    for (size_t i = 0; i < n; i++) remember(b, &b->word[held[i].word], &made[i], lost[i] != lost[i + 1]);
}

/* --- words that are */

/* Is w's key in the line? Then its four ids are written to `to`, of which those past *n do not count. */
static inline bool find_word(const CacheLine *line, const BatchWord *w, uint32_t *to, size_t *n)
{
    bool front = line->key[0].lo == w->lo && line->key[0].hi == w->hi,
         back = line->key[1].lo == w->lo && line->key[1].hi == w->hi;

    if (!front && !back) return false;
    const uint32_t *ids = line->ids[!front];
    for (int k = 0; k < CACHE_IDS; k++) to[k] = ids[k] & CACHE_ID_MASK;
    *n = ids[0] >> 24;
    return true;
}

/* Fills b->found from word i on, up to one that is not found, whose number it returns, or b->n. */
static size_t find_words_portable(WordBatch *b, size_t i, uint32_t **to)
{
    size_t n;

    for (; i < b->n && find_word(&b->cache.line[b->word[i].line], &b->word[i], *to, &n); i++) *to += n;
    return i;
}

#ifdef HAVE_AVX2_KERNEL
__attribute__((target("avx2"))) static size_t find_words_avx2(WordBatch *b, size_t i, uint32_t **to)
{
    const CacheLine *lines = b->cache.line;
    const BatchWord *w = b->word + i, *end = b->word + b->n;
    const __m128i mask = _mm_set1_epi32(CACHE_ID_MASK);
    uint32_t *out = *to;

    for (; w < end; w++) {
        const CacheLine *line = &lines[w->line];
        __m256i key = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)w));
        __m256i equal = _mm256_cmpeq_epi64(key, _mm256_load_si256((const __m256i *)(const void *)line));
        unsigned halves = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(equal)), both = halves & halves >> 1 & 5;
        if (!both) break;
        __m128i ids = _mm_load_si128((const __m128i *)(const void *)line->ids[both >> 2]);
        _mm_storeu_si128((__m128i *)(void *)out, _mm_and_si128(ids, mask));
        out += (unsigned)_mm_cvtsi128_si32(ids) >> 24;
    }
    *to = out;
    return (size_t)(w - b->word);
}
#else
#define find_words_avx2 find_words_portable
#endif

/* Fills b->found; returns how many words are held back. */
static size_t find_words(WordBatch *b, Held held[BATCH_WORDS], size_t *n_found)
{
    size_t n_held = 0;
    uint32_t *to = b->found;

    for (size_t i = 0; i < b->n; i++) {
        i = b->has_avx2 ? find_words_avx2(b, i, &to) : find_words_portable(b, i, &to);
        if (i == b->n) break;
        held[n_held++] = (Held){(uint32_t)i, (uint32_t)(to - b->found)};
    }
    *n_found = (size_t)(to - b->found);
    return n_held;
}

/* Appends n ids. Eight at a time, BATCH_SLACK more than count: how many it are is as good as random. */
static inline void put_ids(Buf *ids, const uint32_t *id, size_t n)
{
    if (!buf_reserve(ids, (n + BATCH_SLACK) * sizeof *id)) return;
    uint8_t *to = ids->p + ids->n;
    for (size_t i = 0; i <= n; i += 8) memcpy(to + i * sizeof *id, id + i, 8 * sizeof *id);
    ids->n += n * sizeof *id;
}

/* Appends what was found and, between, what was held back. */
static ErrCode put_all(WordBatch *b, Span text, const Held *held, size_t n_held, size_t n_found, Buf *ids, Err *err)
{
    GroupWord made[GROUP_WORDS];
    size_t done = 0;
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < n_held && rc == ERR_OK; i++) {
        const BatchWord *w = &b->word[held[i].word];
        const GroupWord *own = &made[i % GROUP_WORDS];
        if (i % GROUP_WORDS == 0)
            merge_held(b, text, held + i, n_held - i < GROUP_WORDS ? n_held - i : GROUP_WORDS, made);
        put_ids(ids, b->found + done, held[i].before - done);
        done = held[i].before;
        if (w->hi == BATCH_LONG)
            rc = encode_long(b, span(text.p + w->at, (size_t)w->lo), ids, err);
        else
            put_ids(ids, own->id, own->n);
    }
    put_ids(ids, b->found + done, n_found - done);
    return rc;
}

ErrCode wordbatch_flush(WordBatch *b, Span text, Buf *ids, Err *err)
{
    Held held[BATCH_WORDS];
    size_t n_found, n_held = find_words(b, held, &n_found);
    ErrCode rc = put_all(b, text, held, n_held, n_found, ids, err);

    b->n = 0;
    return rc;
}
