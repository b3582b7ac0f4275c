/* What the encoder keeps near: ranks of merges, words, sets of bytes. */
#include "tokenize/encode_cases.h"
#include "tokenize/word_cache.h"

/* Every pair of ids of small vocabularies; far pairs too, whose products fill the table's slots. */
TEST(ranks_are_those_of_the_merges)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        Tokenizer *t = seed ? random_merges(seed) : trained("tamis", 700);
        size_t n_found = 0;
        for (uint32_t left = 0; left < t->n_ids + 300; left++)
            for (uint32_t right = 0; right < t->n_ids + 300; right++) {
                const MergeSlot *m = merge_find(t, left, right);
                uint32_t rank = merge_rank(&t->ranks, left, right);
                if (rank != (m ? m->merge_rank : NO_RANK)) CHECK_INT(m ? m->merge_rank : NO_RANK, rank);
                if (m && merge_id(&t->ranks, rank) != m->id) CHECK_INT(m->id, merge_id(&t->ranks, rank));
                n_found += m != NULL;
            }
        CHECK_INT(t->n_merges, (long long)n_found);
        for (uint64_t i = 0; i < 100000; i++) {
            uint64_t pair = mix64(i);
            CHECK_INT(NO_RANK, merge_rank(&t->ranks, 0x800000 | (pair & 0x7fffff), pair >> 40));
        }
        tokenizer_free(t);
    }
}

TEST(a_line_keeps_the_last_two_words)
{
    WordCache c;
    Err err;
    uint64_t lo, hi;

    CHECK_OK(wordcache_init(&c, &err), &err);
    word_key(SPAN_LIT("first"), 0, 5, &lo, &hi);
    CacheLine *line = &c.line[wordcache_line(lo, hi)];
    CHECK(line->key[0].hi == 0 && line->key[1].hi == 0);
    for (uint32_t i = 1; i <= 3; i++) wordcache_put(line, lo, hi + i, (uint32_t[]){i, 2, 3, 4}, i);
    CHECK(line->key[0].lo == lo && line->key[0].hi == hi + 3 && line->ids[0][0] == (3 | 3u << 24));
    CHECK(line->key[1].lo == lo && line->key[1].hi == hi + 2 && line->ids[1][0] == (2 | 2u << 24));
    wordcache_clear(&c);
}

TEST(long_words_share_places)
{
    WordCache c;
    Err err;
    uint8_t bytes[LONG_BYTES];
    size_t n_kept = 0;

    CHECK_OK(wordcache_init(&c, &err), &err);
    memset(bytes, 'x', sizeof bytes);
    for (uint32_t i = 0; i < 3u << LONG_BITS; i++) { /* more than there is room for */
        le32_put(bytes, i);
        Span word = span(bytes, 16 + i % (LONG_BYTES - 15));
        LongWord *place = wordcache_long(&c, word);
        CHECK_INT(0, place->n_ids);
        longword_put(place, word, &i, 1);
        CHECK(wordcache_long(&c, word) == place && place->n_ids == 1 && place->ids[0] == i);
    }
    for (uint32_t i = 3u << LONG_BITS; i-- > 0;) { /* the newest first: to look for a word is to want its place */
        le32_put(bytes, i);
        LongWord *place = wordcache_long(&c, span(bytes, 16 + i % (LONG_BYTES - 15)));
        n_kept += place->n_ids != 0;
        CHECK(place->n_ids == 0 || place->ids[0] == i);
    }
    CHECK(n_kept > 1u << (LONG_BITS - 2) && n_kept <= 1u << LONG_BITS);
    wordcache_clear(&c);
}

TEST(keys_hold_the_word_and_nothing_behind_it)
{
    const Span text = check_edge(SPAN_LIT("abcdefghijklmnopqrstuvwxyz012345"));

    for (size_t at = 0; at < text.n; at++)
        for (size_t n = 1; n <= WORD_KEY_MAX && n <= text.n - at; n++) {
            uint8_t want[16] = {0};
            uint64_t lo, hi;
            memcpy(want, text.p + at, n);
            want[15] = (uint8_t)n;
            word_key(text, at, n, &lo, &hi);
            CHECK(lo == le64_get(want) && hi == le64_get(want + 8));
        }
    check_edge_free(text);
}

static size_t find_slowly(const bool in[256], Span text, size_t at)
{
    while (at < text.n && !in[text.p[at]]) at++;
    return at;
}

TEST(bytes_of_a_set_are_found)
{
    uint8_t bytes[200];

    for (uint64_t seed = 0; seed < 400; seed++) {
        bool in[256] = {false};
        ByteSet set = {{0}, {0}};
        for (uint64_t i = 0; i < seed % 40; i++) {
            uint8_t byte = (uint8_t)mix64(seed << 8 | i);
            in[byte] = true;
            byteset_add(&set, byte);
        }
        for (int b = 0; b < 256; b++) CHECK(byteset_has(&set, (uint8_t)b) == in[b]);
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(mix64(seed * 1000 + i) >> 20);
        Span text = check_edge(span(bytes, seed % sizeof bytes));
        for (size_t at = 0; at <= text.n; at++) {
            size_t want = find_slowly(in, text, at), got = at;
            CHECK(byteset_find_portable(&set, text, at) == want);
            CHECK(!byteset_find_avx2(&set, text, &got) || got == want);
            CHECK(byteset_find(&set, text, at) == want);
        }
        check_edge_free(text);
    }
}
