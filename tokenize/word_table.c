#include "tokenize/word_table.h"

#include "core/buf.h"
#include "core/hash.h"
#include "tokenize/leb128.h"
#include "tokenize/word_key.h"

#include <stdlib.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    LINES = 1 << SEGMENT_BITS,
    SLOTS = LINES * LINE_SLOTS,
    FULL = SLOTS / 4 * 3,
    MAX_DEPTH = TAG_BITS - SEGMENT_BITS, /* the other bits of a tag are the line in a segment */
    BLOCK_BITS = 18,                     /* bytes of a block of words */
    BLOCK_LEAST = 16 << 10,              /* of the first one; each next one is twice as large */
    UNIT_BITS = 2,
    COUNT_BYTES = 8,
    OVERREAD = 16,
    SLAB_LEAST = 128 << 10,            /* the same of slabs */
    SLAB_MOST = (2 << 20) - SLAB_HEAD, /* a huge page */
    AHEAD = 16                         /* slots between asking for a word and its turn */
};

static ErrCode no_memory(Err *err) { return err_nomem(err, "word counts"); }

/* --- memory */

/* n bytes of a slab, from a line's start on. */
static void *room(WordTable *t, size_t n)
{
    size_t lines = (n + 63) / 64 * 64;

    if (!t->slab || t->slab->cap - t->slab->used < lines) {
        size_t bytes = t->slab ? 2 * t->slab->cap : SLAB_LEAST;
        if (bytes > SLAB_MOST) bytes = SLAB_MOST;
        Slab *s = slab_take(lines > bytes ? lines : bytes);
        if (!s) return NULL;
        s->older = t->slab;
        t->slab = s;
        t->slab_bytes += SLAB_HEAD + s->cap;
    }
    t->slab->used += lines;
    return slab_bytes(t->slab) + t->slab->used - lines;
}

/* Its number is the last one. */
static WordSegment *new_segment(WordTable *t, unsigned depth)
{
    WordSegment *list = array_grow(t->segment, t->n_segments, &t->cap_segments, sizeof *list), *s;
    const size_t bytes = LINES * sizeof(WordLine);

    if (!list) return NULL;
    t->segment = list;
    s = &list[t->n_segments];
    *s = (WordSegment){.line = room(t, bytes), .depth = depth};
    if (!s->line) return NULL;
    memset(s->line, 0, bytes);
    t->n_segments++;
    return s;
}

ErrCode wordtable_init(WordTable *t, Err *err)
{
    *t = (WordTable){.directory = calloc(1, sizeof *t->directory)};
    if (t->directory && new_segment(t, 0)) return ERR_OK;
    wordtable_clear(t);
    return no_memory(err);
}

void wordtable_clear(WordTable *t)
{
    for (Slab *older; t->slab; t->slab = older) {
        older = t->slab->older;
        slab_give(t->slab, 0);
    }
    free(t->directory);
    free(t->segment);
    free(t->text);
    *t = (WordTable){0};
}

uint64_t wordtable_memory(const WordTable *t)
{
    return t->slab_bytes + (sizeof *t->directory << t->depth) + t->cap_segments * sizeof *t->segment +
           t->cap_text * sizeof *t->text;
}

uint64_t wordtable_text(const WordTable *t) { return (uint64_t)t->n_text << BLOCK_BITS; }

/* --- words */

static inline uint8_t *kept_at(const WordTable *t, uint32_t place)
{
    const unsigned bits = BLOCK_BITS - UNIT_BITS;

    return t->text[place >> bits] + ((size_t)(place & ((1u << bits) - 1)) << UNIT_BITS);
}

static inline Span kept_word(const uint8_t *kept)
{
    uint64_t n;
    const uint8_t *p = leb128_get(kept + COUNT_BYTES, &n);

    return (Span){p, (size_t)n};
}

static ErrCode too_much(Err *err)
{
    return err_set(err, ERR_NOMEM, "more than %d GiB of distinct words in one table",
                   (int)(WORDTABLE_MAX_TEXT >> 30));
}

/* A block for n bytes; where it is longer than one, the next ones' places in the list belong to it too. */
static ErrCode new_block(WordTable *t, size_t n, Err *err)
{
    size_t bytes = (size_t)BLOCK_LEAST << (t->n_text < 4 ? t->n_text : 4);
    const size_t block = (size_t)1 << BLOCK_BITS;
    uint8_t *p;

    if (n > bytes) bytes = n;
    if ((uint64_t)(t->n_text + bytes / block + 1) << BLOCK_BITS > WORDTABLE_MAX_TEXT) return too_much(err);
    if (!(p = room(t, bytes + OVERREAD))) return no_memory(err);
    for (size_t at = 0; at < bytes; at += block) {
        uint8_t **list = array_grow(t->text, t->n_text, &t->cap_text, sizeof *list);
        if (!list) return no_memory(err);
        t->text = list;
        t->text[t->n_text++] = p + at;
    }
    t->block_left = bytes;
    t->block_at = p;
    return ERR_OK;
}

static ErrCode keep_word(WordTable *t, Span word, uint64_t count, uint32_t *place, Err *err)
{
    const size_t unit = (size_t)1 << UNIT_BITS, block = (size_t)1 << BLOCK_BITS;
    size_t n = (COUNT_BYTES + leb128_size(word.n) + word.n + unit - 1) / unit * unit;
    ErrCode rc = n <= t->block_left ? ERR_OK : new_block(t, n, err);

    if (rc != ERR_OK) return rc;
    const size_t first = t->n_text - 1 - (n > block ? (n - 1) / block : 0);
    *place = (uint32_t)((first << BLOCK_BITS | (size_t)(t->block_at - t->text[first])) >> UNIT_BITS);
    le64_put(t->block_at, count);
    memcpy(leb128_put(t->block_at + COUNT_BYTES, word.n), word.p, word.n);
    t->block_at += n;
    t->block_left = n > block ? 0 : t->block_left - n; /* behind a long word there would be no place in the list */
    t->bytes += word.n;
    return ERR_OK;
}

/* --- slots */

/* Bit i: slot i of the line has this tag. */
static inline unsigned slots_of(const WordLine *l, uint32_t tag)
{
#if defined(__SSE2__)
    const __m128i *p = (const __m128i *)(const void *)l->tag, want = _mm_set1_epi32((int)tag);
    __m128i lo = _mm_cmpeq_epi32(_mm_load_si128(p), want), hi = _mm_cmpeq_epi32(_mm_load_si128(p + 1), want);
    return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(lo)) | (unsigned)_mm_movemask_ps(_mm_castsi128_ps(hi)) << 4;
#else
    unsigned found = 0;
    for (unsigned i = 0; i < LINE_SLOTS; i++) found |= (unsigned)(l->tag[i] == tag) << i;
    return found;
#endif
}

static inline unsigned first_slot(unsigned found)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctz(found);
#else
    unsigned i = 0;
    for (; !(found & 1); found >>= 1) i++;
    return i;
#endif
}

static inline uint32_t segment_of(const WordTable *t, uint32_t tag)
{
    return t->directory[(uint64_t)tag >> (TAG_BITS - t->depth)];
}

/* Where a word was looked for and is not. */
typedef struct {
    uint32_t segment;
    WordLine *line;
    unsigned slot;
} Vacancy;

/* What is looked for: a key where there is one. */
typedef struct {
    Span word;
    uint64_t lo, hi;
    uint32_t tag;
} Wanted;

static inline bool is_wanted(const uint8_t *kept, const Wanted *w)
{
    const size_t n = (size_t)(w->hi >> 56);
    uint64_t lo, hi;

    if (n == 0) return span_eq(kept_word(kept), w->word);
    if (kept[COUNT_BYTES] != n) return false;
    word_key((Span){kept + COUNT_BYTES + 1, OVERREAD}, 0, n, &lo, &hi);
    return lo == w->lo && hi == w->hi;
}

/* Counts the word if it is there. */
static inline bool count_word(const WordTable *t, const Wanted *w, uint64_t count, Vacancy *v)
{
    for (uint32_t which = segment_of(t, w->tag);; which = t->segment[which].next) {
        const WordSegment *s = &t->segment[which];
        size_t at = w->tag % LINES;
        unsigned empty;
        for (;; at = (at + 1) % LINES) {
            for (unsigned found = slots_of(&s->line[at], w->tag); found; found &= found - 1) {
                uint8_t *kept = kept_at(t, s->line[at].place[first_slot(found)]);
                if (!is_wanted(kept, w)) continue;
                le64_put(kept, le64_get(kept) + count);
                return true;
            }
            if ((empty = slots_of(&s->line[at], 0)) != 0) break;
        }
        if (s->next) continue;
        *v = (Vacancy){which, &s->line[at], first_slot(empty)};
        return false;
    }
}

void wordtable_ask_word(const WordTable *t, uint32_t tag)
{
    const WordLine *l = &t->segment[segment_of(t, tag)].line[tag % LINES];
    unsigned found = slots_of(l, tag);

    if (found) WORD_PREFETCH(kept_at(t, l->place[first_slot(found)]));
}

static void put_slot(WordSegment *s, uint32_t tag, uint32_t place)
{
    size_t at = tag % LINES;
    unsigned empty;

    while ((empty = slots_of(&s->line[at], 0)) == 0) at = (at + 1) % LINES;
    s->line[at].tag[first_slot(empty)] = tag;
    s->line[at].place[first_slot(empty)] = place;
    s->n++;
}

static ErrCode double_directory(WordTable *t, Err *err)
{
    size_t n = (size_t)1 << t->depth;
    uint32_t *directory = malloc(2 * n * sizeof *directory);

    if (!directory) return no_memory(err);
    for (size_t i = 0; i < n; i++) directory[2 * i] = directory[2 * i + 1] = t->directory[i];
    free(t->directory);
    t->directory = directory;
    t->depth++;
    return ERR_OK;
}

/* Gives the words with the next bit of the tag set to a new segment, or makes room behind this one where there is no such bit. */
static ErrCode split(WordTable *t, uint32_t which, uint32_t tag, Err *err)
{
    const unsigned depth = t->segment[which].depth;
    WordLine old[LINES];
    ErrCode rc;

    if (depth < MAX_DEPTH && depth == t->depth && (rc = double_directory(t, err)) != ERR_OK) return rc;
    WordSegment *other = new_segment(t, depth < MAX_DEPTH ? depth + 1 : depth), *one = &t->segment[which];
    if (!other) return no_memory(err);
    const uint32_t number = (uint32_t)(t->n_segments - 1);
    if (depth == MAX_DEPTH) {
        one->next = number;
        return ERR_OK;
    }
    memcpy(old, one->line, sizeof old);
    memset(one->line, 0, sizeof old);
    one->n = 0;
    one->depth++;
    const unsigned bit = TAG_BITS - one->depth, wide = t->depth - one->depth;
    for (size_t i = 0; i < LINES; i++)
        for (unsigned k = 0; k < LINE_SLOTS && old[i].tag[k]; k++)
            put_slot(old[i].tag[k] >> bit & 1 ? other : one, old[i].tag[k], old[i].place[k]);
    size_t first = (((size_t)tag >> bit) | 1) << wide; /* directory entries of the new one */
    for (size_t i = 0; i < (size_t)1 << wide; i++) t->directory[first + i] = number;
    return ERR_OK;
}

static ErrCode fill(WordTable *t, Vacancy v, uint32_t tag, uint32_t place, Err *err)
{
    v.line->tag[v.slot] = tag;
    v.line->place[v.slot] = place;
    t->n++;
    return ++t->segment[v.segment].n < FULL ? ERR_OK : split(t, v.segment, tag, err);
}

static ErrCode add_wanted(WordTable *t, const Wanted *w, uint64_t count, Err *err)
{
    uint32_t place;
    Vacancy v;

    if (count_word(t, w, count, &v)) return ERR_OK;
    ErrCode rc = keep_word(t, w->word, count, &place, err);
    return rc == ERR_OK ? fill(t, v, w->tag, place, err) : rc;
}

ErrCode wordtable_add(WordTable *t, Span word, uint32_t tag, uint64_t count, Err *err)
{
    const Wanted w = {.word = word, .tag = tag};

    return add_wanted(t, &w, count, err);
}

ErrCode wordtable_add_short(WordTable *t, uint64_t lo, uint64_t hi, uint32_t tag, uint64_t count, Err *err)
{
    uint8_t bytes[16];
    const Wanted w = {.word = {bytes, (size_t)(hi >> 56)}, .lo = lo, .hi = hi, .tag = tag};

    le64_put(bytes, lo);
    le64_put(bytes + 8, hi);
    return add_wanted(t, &w, count, err);
}

/* --- walking */

bool wordcursor_next(WordCursor *w)
{
    const WordTable *t = w->table;

    for (; w->segment < t->n_segments; w->segment++, w->at = 0) {
        const WordLine *line = t->segment[w->segment].line;
        while (w->at < SLOTS) {
            size_t at = w->at++, ahead = (at + AHEAD) % SLOTS;
            const WordLine *l = &line[at / LINE_SLOTS], *next = &line[ahead / LINE_SLOTS];
            if (next->tag[ahead % LINE_SLOTS]) WORD_PREFETCH(kept_at(t, next->place[ahead % LINE_SLOTS]));
            w->tag = l->tag[at % LINE_SLOTS];
            if (!w->tag) continue;
            const uint8_t *kept = kept_at(t, l->place[at % LINE_SLOTS]);
            w->word = kept_word(kept);
            w->count = le64_get(kept);
            w->place = l->place[at % LINE_SLOTS];
            return true;
        }
    }
    return false;
}

/* --- shares */

static bool in_share(uint32_t tag, unsigned k, unsigned n) { return (mix64(tag) >> 32) * n >> 32 == k; }

ErrCode wordtable_take_share(WordTable *into, WordTable *const *from, unsigned k, unsigned n, Err *err)
{
    size_t n_text = 0;
    ErrCode rc = ERR_OK;
    Vacancy v;

    for (unsigned i = 0; i < n; i++) n_text += from[i]->n_text;
    if ((uint64_t)n_text << BLOCK_BITS > WORDTABLE_MAX_TEXT) return too_much(err);
    if (!(into->text = malloc((n_text + 1) * sizeof *into->text))) return no_memory(err);
    into->cap_text = n_text + 1;
    for (unsigned i = 0; i < n; i++) {
        uint32_t places = (uint32_t)(into->n_text << (BLOCK_BITS - UNIT_BITS)); /* before those of this one */
        if (from[i]->n_text) memcpy(into->text + into->n_text, from[i]->text, from[i]->n_text * sizeof *into->text);
        into->n_text += from[i]->n_text;
        WordCursor w = wordcursor(from[i]);
        while (rc == ERR_OK && wordcursor_next(&w)) {
            if (!in_share(w.tag, k, n)) continue;
            const Wanted wanted = {.word = w.word, .tag = w.tag};
            if (!count_word(into, &wanted, w.count, &v)) rc = fill(into, v, w.tag, w.place + places, err);
        }
    }
    return rc;
}
