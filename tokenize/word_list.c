#include "tokenize/word_list.h"

#include "core/hash.h"
#include "tokenize/leb128.h"

#include <stdlib.h>

enum { CHUNK_BYTES = 4 << 20, LEVELS = (WORDS_LAST_LEVEL + 1) * 256 };

/* Words as they came: count and length as LEB128, then the bytes. */
struct WordChunk {
    WordChunk *older;
    size_t used, cap;
    uint8_t bytes[];
};

void wordlist_clear(WordList *l)
{
    free(l->group);
    free(l->text);
    *l = (WordList){0};
}

bool wordwalk_next(WordWalk *w)
{
    const WordList *l = w->list;
    uint64_t n;

    while (w->group < l->n_groups && w->in_group == l->group[w->group].n_words) w->group++, w->in_group = 0;
    if (w->group == l->n_groups) return false;
    const uint8_t *p = leb128_get(l->text + w->at, &n);
    w->word = (Span){p, (size_t)n};
    w->at = (size_t)(p - l->text) + w->word.n;
    w->count = l->group[w->group].count;
    w->in_group++;
    return true;
}

uint64_t wordlist_sum(const WordList *l)
{
    uint64_t sum = 0;

    for (WordWalk w = wordwalk(l); wordwalk_next(&w);) sum += mix64(hash64(w.word) + mix64(w.count));
    return sum;
}

/* --- which words */

static uint32_t level_of(Span word, uint64_t count)
{
    uint32_t least = count < WORDS_LAST_LEVEL ? (uint32_t)count : WORDS_LAST_LEVEL;

    return least * 256 + (255 - (uint32_t)(hash64(word) >> 56));
}

static uint64_t symbols_of(Span word) { return word.n + 1; }

ErrCode wordbuilder_init(WordBuilder *b, uint64_t max_symbols, Err *err)
{
    *b = (WordBuilder){.max_symbols = max_symbols, .symbols = calloc(LEVELS, sizeof(uint64_t))};
    return b->symbols ? ERR_OK : err_nomem(err, "the words to train on");
}

static void free_chunks(WordChunk *c)
{
    for (WordChunk *older; c; c = older) {
        older = c->older;
        free(c);
    }
}

void wordbuilder_clear(WordBuilder *b)
{
    free(b->symbols);
    free_chunks(b->chunk);
    wordlist_clear(&b->list);
    *b = (WordBuilder){0};
}

static ErrCode keep_word(WordBuilder *b, Span word, uint64_t count, Err *err)
{
    size_t most = word.n + 2 * LEB128_MAX;

    if (!b->chunk || b->chunk->cap - b->chunk->used < most) {
        size_t cap = most > CHUNK_BYTES ? most : CHUNK_BYTES;
        WordChunk *c = malloc(sizeof *c + cap);
        if (!c) return err_nomem(err, "the words to train on");
        *c = (WordChunk){.older = b->chunk, .cap = cap};
        b->chunk = c;
    }
    uint8_t *p = b->chunk->bytes + b->chunk->used;
    p = leb128_put(leb128_put(p, count), word.n);
    if (word.n) memcpy(p, word.p, word.n);
    b->chunk->used = (size_t)(p - b->chunk->bytes) + word.n;
    b->list.n_words++;
    b->list.n_symbols += symbols_of(word);
    return ERR_OK;
}

/* The next word of a chunk. */
static bool chunk_next(const WordChunk *c, size_t *at, Span *word, uint64_t *count)
{
    uint64_t n;

    if (*at == c->used) return false;
    const uint8_t *p = leb128_get(leb128_get(c->bytes + *at, count), &n);
    *word = (Span){p, (size_t)n};
    *at = (size_t)(p - c->bytes) + word->n;
    return true;
}

/* The cut that the words so far ask for, which more words can only raise; lets go of the words below it. */
static ErrCode apply_cut(WordBuilder *b, Err *err)
{
    WordChunk *all = b->chunk;
    uint64_t sum = 0, count;
    uint32_t cut = LEVELS;
    ErrCode rc = ERR_OK;
    Span word;

    while (cut && b->symbols[cut - 1] <= b->max_symbols - sum) sum += b->symbols[--cut];
    if (cut == b->cut) return ERR_OK;
    b->cut = cut;
    b->chunk = NULL;
    b->list.left_out += b->list.n_words, b->list.left_out_symbols += b->list.n_symbols;
    b->list.n_words = b->list.n_symbols = 0;
    while (all && rc == ERR_OK) {
        WordChunk *older = all->older;
        for (size_t at = 0; rc == ERR_OK && chunk_next(all, &at, &word, &count);)
            if (level_of(word, count) >= cut) rc = keep_word(b, word, count, err);
        free(all);
        all = older;
    }
    free_chunks(all);
    b->list.left_out -= b->list.n_words, b->list.left_out_symbols -= b->list.n_symbols;
    return rc;
}

ErrCode wordbuilder_add(WordBuilder *b, Span word, uint64_t count, Err *err)
{
    uint32_t level = level_of(word, count);

    b->symbols[level] += symbols_of(word);
    if (level < b->cut) {
        b->list.left_out++;
        b->list.left_out_symbols += symbols_of(word);
        return ERR_OK;
    }
    ErrCode rc = keep_word(b, word, count, err);
    if (rc == ERR_OK && b->list.n_symbols / 9 > b->max_symbols / 8) rc = apply_cut(b, err);
    return rc;
}

/* --- the list of them */

typedef struct {
    WordGroup *slot; /* by count, open addressing; n_words 0: empty */
    size_t n, mask;
} GroupTable;

static WordGroup *group_find(const GroupTable *t, uint64_t count)
{
    size_t at = (size_t)mix64(count) & t->mask;

    while (t->slot[at].n_words && t->slot[at].count != count) at = (at + 1) & t->mask;
    return &t->slot[at];
}

static bool groups_grow(GroupTable *t)
{
    GroupTable grown = {.n = t->n, .mask = 2 * t->mask + 1};

    if (!(grown.slot = calloc(grown.mask + 1, sizeof *grown.slot))) return false;
    for (size_t i = 0; i <= t->mask; i++)
        if (t->slot[i].n_words) *group_find(&grown, t->slot[i].count) = t->slot[i];
    free(t->slot);
    *t = grown;
    return true;
}

static bool count_groups(const WordBuilder *b, GroupTable *t)
{
    uint64_t count;
    Span word;

    t->mask = 4095;
    if (!(t->slot = calloc(t->mask + 1, sizeof *t->slot))) return false;
    for (const WordChunk *c = b->chunk; c; c = c->older)
        for (size_t at = 0; chunk_next(c, &at, &word, &count);) {
            WordGroup *g = group_find(t, count);
            t->n += g->n_words == 0;
            g->count = count;
            g->n_words++;
            g->bytes += leb128_size(word.n) + word.n;
            if (t->n > t->mask / 2 && !groups_grow(t)) return false;
        }
    return true;
}

static int by_falling_count(const void *a, const void *b)
{
    const WordGroup *x = a, *y = b;

    return (x->count < y->count) - (x->count > y->count);
}

/* The groups in order; in the table, `bytes` becomes where the group's next word goes. */
static bool sort_groups(GroupTable *t, WordList *l)
{
    size_t at = 0;

    if (!(l->group = malloc((t->n + 1) * sizeof *l->group))) return false;
    for (size_t i = 0; i <= t->mask; i++)
        if (t->slot[i].n_words) l->group[l->n_groups++] = t->slot[i];
    qsort(l->group, l->n_groups, sizeof *l->group, by_falling_count);
    for (size_t i = 0; i < l->n_groups; i++) {
        group_find(t, l->group[i].count)->bytes = at;
        at += l->group[i].bytes;
    }
    l->text_bytes = at;
    return (l->text = malloc(at + 1)) != NULL;
}

/* Puts the words where they belong and frees them here. */
static void place_words(WordBuilder *b, const GroupTable *t, WordList *l)
{
    uint64_t count;
    Span word;

    while (b->chunk) {
        WordChunk *c = b->chunk;
        for (size_t at = 0; chunk_next(c, &at, &word, &count);) {
            WordGroup *g = group_find(t, count);
            uint8_t *p = leb128_put(l->text + g->bytes, word.n);
            if (word.n) memcpy(p, word.p, word.n);
            g->bytes = (uint64_t)(p - l->text) + word.n;
        }
        b->chunk = c->older;
        free(c);
    }
}

ErrCode wordbuilder_finish(WordBuilder *b, WordList *list, Err *err)
{
    GroupTable groups = {0};
    ErrCode rc = apply_cut(b, err);

    if (rc == ERR_OK && !(count_groups(b, &groups) && sort_groups(&groups, &b->list)))
        rc = err_nomem(err, "the words to train on");
    if (rc == ERR_OK) {
        place_words(b, &groups, &b->list);
        *list = b->list;
        b->list = (WordList){0};
    }
    free(groups.slot);
    wordbuilder_clear(b);
    return rc;
}
