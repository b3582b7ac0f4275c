/* Words merged in step and words in batches, against each word alone by the obvious encoder. */
#include "tokenize/word_batch.h"

#include "tokenize/encode_cases.h"
#include "tokenize/word_group.h"

#include <stdlib.h>

static Tokenizer *some_tokenizer(uint64_t seed)
{
    return seed % 2 ? random_merges(seed)
                    : trained(seed % 4 ? "tamis" : "deepseek-llm", 300 + 100 * (uint32_t)(seed % 5));
}

static Span ids_of(const GroupWord *w) { return span(w->id, w->n * sizeof *w->id); }

/* Words of text[0, 15 n) at random, none to sixteen of them. */
static void check_group(const Tokenizer *t, Span text, uint64_t seed)
{
    WordMerger merger = {.t = t};
    GroupWord made[GROUP_WORDS], portable[GROUP_WORDS];
    Buf want[GROUP_WORDS] = {{0}};
    size_t n = mix64(seed) % (GROUP_WORDS + 1);

    for (size_t i = 0; i < n; i++) {
        size_t at = mix64(seed << 8 | i) % text.n, most = text.n - at < GROUP_TOKENS ? text.n - at : GROUP_TOKENS;
        Span word = {text.p + at, mix64(seed << 9 | i) % (most + 1)};
        slow_word(t, word, &want[i]);
        made[i].n = start_tokens(&merger, word, made[i].id);
        portable[i] = made[i];
    }
    merge_group(t, made, n);
    merge_group_portable(t, portable, n);
    for (size_t i = 0; i < n; i++) {
        CHECK_SPAN(buf_span(&want[i]), ids_of(&made[i]));
        CHECK_SPAN(buf_span(&want[i]), ids_of(&portable[i]));
        buf_clear(&want[i]);
    }
    wordmerger_clear(&merger);
}

TEST(words_merged_in_step_get_the_ids_of_each_alone)
{
    Buf text = {0};

    for (uint64_t seed = 0; seed < 12; seed++) {
        Tokenizer *t = some_tokenizer(seed);
        for (uint64_t k = 0; k < 150; k++) {
            random_text(&text, seed << 16 | k, 40);
            check_group(t, buf_span(&text), seed << 16 | k);
        }
        tokenizer_free(t);
    }
    buf_clear(&text);
}

/* Cuts the text anywhere, at most 40 bytes a word, and puts each piece by one of the two ways. */
static void check_batch(WordBatch *b, Span text, uint64_t seed)
{
    Buf ids = {0}, want = {0};
    Err err = {0};
    size_t end[7];

    for (size_t at = 0, step = 0; at < text.n; step++) {
        size_t n = 0, cut = at, done;
        while (n < 7 && cut < text.n) {
            size_t most = text.n - cut < 40 ? text.n - cut : 40, draw = mix64(seed << 20 | (step * 8 + n));
            cut += 1 + draw / 64 % (draw % 4 ? most < 6 ? most : 6 : most);
            end[n++] = cut;
        }
        if (!wordbatch_has_room(b, 1)) CHECK_OK(wordbatch_flush(b, text, &ids, &err), &err);
        if ((done = wordbatch_put_plain(b, text, at, end, n)) == 0) wordbatch_put(b, text, at, end[done++] - at);
        for (size_t i = 0; i < done; at = end[i++]) slow_word(b->merger.t, (Span){text.p + at, end[i] - at}, &want);
    }
    CHECK_OK(wordbatch_flush(b, text, &ids, &err), &err);
    CHECK_SPAN(buf_span(&want), buf_span(&ids));
    buf_clear(&ids);
    buf_clear(&want);
}

TEST(a_batch_gives_the_ids_of_its_words_in_order)
{
    Buf text = {0};
    Err err = {0};

    for (uint64_t seed = 0; seed < 8; seed++) {
        Tokenizer *t = some_tokenizer(seed);
        WordBatch *b = calloc(1, sizeof *b);
        CHECK_OK(wordbatch_init(b, t, &err), &err);
        bool has_avx2 = b->has_avx2;
        for (uint64_t k = 0; k < 60; k++) {
            random_text(&text, seed << 16 | (k % 40), k); /* the last ones once more: words are known */
            Span s = check_edge(buf_span(&text));
            b->has_avx2 = has_avx2 && k % 2;
            check_batch(b, s, seed << 16 | k);
            check_edge_free(s);
        }
        random_text(&text, seed, 3000); /* many batches */
        check_batch(b, buf_span(&text), seed);
        wordbatch_clear(b);
        free(b);
        tokenizer_free(t);
    }
    buf_clear(&text);
}
