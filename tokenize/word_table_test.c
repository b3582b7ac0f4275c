/* The table and the counter against sorting all words. */
#include "tokenize/word_table.h"

#include "core/hash.h"
#include "tests/check.h"
#include "tokenize/bpe_count.h"
#include "tokenize/pretoken.h"
#include "tokenize/word_key.h"

#include <stdlib.h>

typedef struct {
    Span word;
    uint64_t count;
} Counted;

typedef struct {
    Counted *at;
    size_t n, cap;
} CountedList;

static void put_word(CountedList *l, Span word, uint64_t count)
{
    Counted *grown = array_grow(l->at, l->n, &l->cap, sizeof *grown);

    CHECK(grown != NULL);
    l->at = grown;
    l->at[l->n++] = (Counted){word, count};
}

static int by_word(const void *a, const void *b)
{
    const Counted *x = a, *y = b;
    size_t n = x->word.n < y->word.n ? x->word.n : y->word.n;
    int order = n ? memcmp(x->word.p, y->word.p, n) : 0;

    return order ? order : (x->word.n > y->word.n) - (x->word.n < y->word.n);
}

/* Equal words together. */
static void sort_and_add_up(CountedList *l)
{
    size_t n = 0;

    if (l->n) qsort(l->at, l->n, sizeof *l->at, by_word);
    for (size_t i = 0; i < l->n; i++)
        if (n && span_eq(l->at[n - 1].word, l->at[i].word))
            l->at[n - 1].count += l->at[i].count;
        else
            l->at[n++] = l->at[i];
    l->n = n;
}

/* Appends the words of a table; each must come once. */
static void put_table(CountedList *l, const WordTable *t)
{
    const size_t before = l->n;

    for (WordCursor w = wordcursor(t); wordcursor_next(&w);) put_word(l, w.word, w.count);
    CHECK_INT(t->n, l->n - before);
}

static void check_equal(CountedList *want, CountedList *have)
{
    sort_and_add_up(want);
    if (have->n) qsort(have->at, have->n, sizeof *have->at, by_word);
    CHECK_INT(want->n, have->n);
    for (size_t i = 0; i < want->n && i < have->n; i++) {
        CHECK_SPAN(want->at[i].word, have->at[i].word);
        CHECK_INT(want->at[i].count, have->at[i].count);
    }
    free(want->at);
    free(have->at);
    *want = *have = (CountedList){0};
}

/* A tag of few values is one of many words: lines overflow, and segments that nothing tells apart. */
static uint32_t tag_of(Span word, uint64_t hash_mask) { return word_tag(hash64(word) & hash_mask); }

static void fill_table(WordTable *t, CountedList *want, Buf *text, uint64_t seed, size_t n, uint64_t hash_mask)
{
    Err err = {0};

    for (size_t i = 0; i < n; i++) {
        uint64_t r = mix64(seed << 32 | i), pick = r % (n / 3 + 1);
        size_t bytes = 1 + mix64(pick) % 40, at = (size_t)(mix64(pick + 77) % (text->n - 40));
        if (pick == 5) bytes = 300000, at = 0; /* longer than a block */
        Span word = {text->p + at, bytes};
        uint32_t tag = tag_of(word, hash_mask);
        if (bytes <= WORD_KEY_MAX && r >> 63) {
            uint64_t lo, hi;
            word_key(word, 0, bytes, &lo, &hi);
            CHECK_OK(wordtable_add_short(t, lo, hi, tag, 1 + r % 3, &err), &err);
        } else {
            CHECK_OK(wordtable_add(t, word, tag, 1 + r % 3, &err), &err);
        }
        put_word(want, word, 1 + r % 3);
    }
}

static void random_bytes(Buf *text, size_t n)
{
    for (uint64_t i = 0; text->n < n; i++) {
        uint8_t b[8];
        le64_put(b, mix64(i));
        buf_put(text, b, sizeof b);
    }
}

TEST(words_and_their_counts)
{
    static const uint64_t mask[] = {UINT64_MAX, UINT64_C(0xffff8000) << 32 | 0xffffffff, UINT64_C(3) << 32};
    static const size_t n[] = {100000, 60000, 9000};
    CountedList want = {0}, have = {0};
    Buf text = {0};
    Err err = {0};
    WordTable t;

    random_bytes(&text, 400000);
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(wordtable_init(&t, &err), &err);
        fill_table(&t, &want, &text, i, n[i], mask[i]);
        put_table(&have, &t);
        check_equal(&want, &have);
        CHECK(wordtable_memory(&t) >= t.bytes);
        wordtable_clear(&t);
    }
    buf_clear(&text);
}

/* A table that is full is no fault of the text at hand: never ERR_LIMIT, which would leave that out. */
TEST(a_full_table_ends_the_run)
{
    BpeCounter *c;
    WordTable *words;
    Err err = {0};

    CHECK_OK(bpecounter_new(&c, &pretokenizer_deepseek_llm, &err), &err);
    CHECK_OK(bpecounter_table(c, &words, &err), &err);
    CHECK_OK(wordtable_add(words, SPAN_LIT("a word of words"), 1, 1, &err), &err);
    const size_t n_text = words->n_text, left = words->block_left;
    words->n_text = (size_t)(WORDTABLE_MAX_TEXT >> 18), words->block_left = 0;
    CHECK_INT(WORDTABLE_MAX_TEXT, bpecounter_text(c));
    CHECK_INT(ERR_NOMEM, bpecounter_feed(c, SPAN_LIT("supercalifragilistic"), &err));
    CHECK_INT(0, bpecounter_bytes(c));
    words->n_text = n_text, words->block_left = left;
    bpecounter_free(c);
}

TEST(shares_add_up)
{
    CountedList want = {0}, have = {0};
    WordTable t[3], *from[3] = {&t[0], &t[1], &t[2]}, share[3];
    Buf text = {0};
    Err err = {0};

    random_bytes(&text, 400000);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(wordtable_init(&t[i], &err), &err);
        fill_table(&t[i], &want, &text, i, 20000, UINT64_MAX);
    }
    for (unsigned k = 0; k < 3; k++) {
        CHECK_OK(wordtable_init(&share[k], &err), &err);
        CHECK_OK(wordtable_take_share(&share[k], from, k, 3, &err), &err);
        CHECK(share[k].n > 1000);
        put_table(&have, &share[k]);
    }
    check_equal(&want, &have);
    for (unsigned k = 0; k < 3; k++) wordtable_clear(&share[k]), wordtable_clear(&t[k]);
    buf_clear(&text);
}

/* More words than the counter's cache holds, documents that end anywhere. */
TEST(counting_equals_sorting)
{
    CountedList want = {0}, have = {0};
    Buf text = {0};
    BpeCounter *c;
    WordTable *words;
    Err err = {0};

    for (uint64_t i = 0; i < 120000; i++) {
        uint64_t r = mix64(i) % 100, w = mix64(i ^ 99) % (r < 60 ? 50 : 60000);
        buf_printf(&text, r % 7 ? " w%u" : "%u,", (unsigned)w);
        if (r % 11 == 0)
            buf_puts(&text,
                     "supercalifragilistic\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87");
        if (r % 50 == 0) buf_putc(&text, '\n');
    }
    CHECK_OK(bpecounter_new(&c, &pretokenizer_deepseek_llm, &err), &err);
    for (size_t begin = 0, end; begin < text.n; begin = end) {
        end = begin + mix64(begin) % 9000;
        end = end < text.n ? end + span_find(span_from(buf_span(&text), end), '\n') + 1 : text.n;
        if (end > text.n) end = text.n;
        Span doc = {text.p + begin, end - begin};
        CHECK_OK(bpecounter_feed(c, doc, &err), &err);
        for (size_t at = 0, next; at < doc.n; at = next) {
            next = pretoken_end(doc, at);
            put_word(&want, (Span){doc.p + at, next - at}, 1);
        }
    }
    CHECK_OK(bpecounter_table(c, &words, &err), &err);
    put_table(&have, words);
    check_equal(&want, &have);
    bpecounter_free(c);
    buf_clear(&text);
}
