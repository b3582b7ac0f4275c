/* Lists of words against a plain array of them. */
#include "tokenize/word_list.h"

#include "core/hash.h"
#include "core/store.h"
#include "tests/check.h"
#include "tokenize/bpe_keep.h"

#include <stdlib.h>

enum { N_WORDS = 5000 };

static uint64_t count_of(uint64_t i) { return i % 7 == 0 ? 5000 + i : 1 + mix64(i) % 20; }

static Span word_of(uint64_t i, Buf *b)
{
    buf_reset(b);
    buf_printf(b, "w%llu", (unsigned long long)i);
    for (uint64_t k = 0; k < i % 200; k++) buf_putc(b, (uint8_t)mix64(i + k));
    return buf_span(b);
}

/* The rule as word_list.h has it. */
static bool stays_before(Span a, uint64_t n_a, Span b, uint64_t n_b)
{
    uint64_t x = n_a < WORDS_LAST_LEVEL ? n_a : WORDS_LAST_LEVEL, y = n_b < WORDS_LAST_LEVEL ? n_b : WORDS_LAST_LEVEL;

    return x != y ? x > y : hash64(a) >> 56 < hash64(b) >> 56;
}

static void build(WordList *l, uint64_t max_symbols, uint64_t step)
{
    WordBuilder b;
    Buf word = {0};
    Err err = {0};

    CHECK_OK(wordbuilder_init(&b, max_symbols, &err), &err);
    for (uint64_t i = 0, at = 0; i < N_WORDS; i++, at = (at + step) % N_WORDS)
        CHECK_OK(wordbuilder_add(&b, word_of(at, &word), count_of(at), &err), &err);
    CHECK_OK(wordbuilder_finish(&b, l, &err), &err);
    buf_clear(&word);
}

TEST(all_words_by_falling_counts)
{
    uint64_t n = 0, last = UINT64_MAX, sum = 0, want = 0;
    WordList l;

    build(&l, UINT64_MAX, 1);
    for (WordWalk w = wordwalk(&l); wordwalk_next(&w); n++) {
        CHECK(w.count <= last && w.word.n >= 2 && w.word.p[0] == 'w');
        last = w.count;
        sum += w.count * (hash64(w.word) | 1);
    }
    Buf word = {0};
    for (uint64_t i = 0; i < N_WORDS; i++) want += count_of(i) * (hash64(word_of(i, &word)) | 1);
    CHECK_INT(N_WORDS, n);
    CHECK_INT(N_WORDS, l.n_words);
    CHECK_INT(0, l.left_out);
    CHECK_INT(want, sum);
    buf_clear(&word);
    wordlist_clear(&l);
}

/* What stays fits, and nothing that was left out comes before it; the order in which words come does not matter. */
TEST(the_rarest_are_left_out)
{
    const uint64_t step[] = {1, 3, 4999};

    for (uint64_t most = 1000; most < 600000; most = most * 3 + 1) {
        WordList l[3];
        uint64_t sum[3] = {0};
        for (int k = 0; k < 3; k++) {
            build(&l[k], most, step[k]);
            CHECK(l[k].n_symbols <= most);
            CHECK_INT(N_WORDS, l[k].n_words + l[k].left_out);
            for (WordWalk w = wordwalk(&l[k]); wordwalk_next(&w);) sum[k] += mix64(hash64(w.word) + w.count);
            CHECK_INT(sum[0], sum[k]);
        }
        Buf word = {0}, least = {0};
        uint64_t least_count = 0, n_sure = 0, symbols_up_to = 0;
        for (WordWalk w = wordwalk(&l[0]); wordwalk_next(&w);) {
            if (least_count && !stays_before(buf_span(&least), least_count, w.word, w.count)) continue;
            buf_reset(&least);
            buf_put_span(&least, w.word);
            least_count = w.count;
        }
        /* all words that the rule does not put behind the last one of the list, and with the next class they would be too many */
        uint64_t next_count = 0, next_class = 256;
        for (uint64_t i = 0; i < N_WORDS && least_count; i++) {
            Span this = word_of(i, &word);
            uint64_t c = count_of(i) < WORDS_LAST_LEVEL ? count_of(i) : WORDS_LAST_LEVEL, h = hash64(this) >> 56;
            if (!stays_before(buf_span(&least), least_count, this, count_of(i))) {
                n_sure++, symbols_up_to += this.n + 1;
            } else if (c > next_count || (c == next_count && h < next_class)) {
                next_count = c, next_class = h;
            }
        }
        CHECK_INT(n_sure, least_count ? l[0].n_words : 0);
        for (uint64_t i = 0; i < N_WORDS && least_count && l[0].left_out; i++) {
            Span this = word_of(i, &word);
            uint64_t c = count_of(i) < WORDS_LAST_LEVEL ? count_of(i) : WORDS_LAST_LEVEL;
            if (c == next_count && hash64(this) >> 56 == next_class) symbols_up_to += this.n + 1;
        }
        CHECK(!l[0].left_out || !least_count || symbols_up_to > most);
        buf_clear(&word);
        buf_clear(&least);
        for (int k = 0; k < 3; k++) wordlist_clear(&l[k]);
    }
}

TEST(kept_and_found_again)
{
    Arena a = {0};
    BpeKeep keep = {.words = path_join(&a, check_tmpdir(), "words"),
                    .merges = path_join(&a, check_tmpdir(), "merges"),
                    .key = hash128(SPAN_LIT("a run"))};
    WordList l, back = {0};
    Buf merges = {0}, found_merges = {0};
    BpeDocs docs = {0};
    bool found;
    Err err = {0};

    build(&l, 100000, 1);
    CHECK(l.left_out > 0);
    CHECK_OK(bpekeep_save_words(&keep, &l, (BpeDocs){17, {3, 4}}, 100000, &err), &err);
    CHECK_OK(bpekeep_load_words(&keep, &back, &docs, 100000, &found, &err), &err);
    CHECK(found && docs.n_taken == 17 && docs.n_dropped[0] == 3 && docs.n_dropped[1] == 4 &&
          back.n_words == l.n_words && back.left_out == l.left_out);
    CHECK_SPAN(span(l.text, l.text_bytes), span(back.text, back.text_bytes));
    CHECK(memcmp(l.group, back.group, l.n_groups * sizeof *l.group) == 0);
    wordlist_clear(&back);
    CHECK_OK(bpekeep_load_words(&keep, &back, &docs, 100001, &found, &err), &err);
    CHECK(!found); /* more memory: fewer would be left out */
    buf_put(&merges, (const uint32_t[]){1, 2, 3, 4}, 16);
    CHECK_OK(bpekeep_save_merges(&keep, wordlist_sum(&l), &merges, &err), &err);
    CHECK_OK(bpekeep_load_merges(&keep, wordlist_sum(&l), &found_merges, &err), &err);
    CHECK_SPAN(buf_span(&merges), buf_span(&found_merges));
    l.text[l.text_bytes - 1] ^= 1; /* other words, as many, as long */
    CHECK_OK(bpekeep_load_merges(&keep, wordlist_sum(&l), &found_merges, &err), &err);
    CHECK_INT(0, found_merges.n);
    keep.key.lo++;
    CHECK_OK(bpekeep_load_words(&keep, &back, &docs, 100000, &found, &err), &err);
    CHECK(!found);
    CHECK_OK(bpekeep_delete(&keep, &err), &err);
    buf_clear(&merges);
    buf_clear(&found_merges);
    wordlist_clear(&l);
    arena_clear(&a);
}
