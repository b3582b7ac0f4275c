/* Words cut at their seams, against the words whole: every piece and every word by the obvious encoder. */
#include "core/store.h"
#include "core/utf8.h"
#include "tokenize/encode_cases.h"
#include "tokenize/seams.h"

/* Encodes the pieces of a word each alone, the ends found `cap` at a time; adds to *n_cuts. */
static void encode_pieces_alone(const Tokenizer *t, Span word, size_t cap, Buf *ids, size_t *n_cuts)
{
    size_t end_of[16], n = 0;

    buf_reset(ids);
    for (size_t at = 0; at < word.n;) {
        seams_cut(t->seams, word, at, word.n, end_of, cap, &n);
        CHECK(n > 0 && n <= cap);
        if (!n || n > cap) return;
        for (size_t i = 0; i < n; at = end_of[i++]) slow_word(t, (Span){word.p + at, end_of[i] - at}, ids);
        *n_cuts += n;
    }
    *n_cuts -= word.n > 0;
}

static void check_cuts(const Tokenizer *t, Span word, size_t *n_cuts)
{
    Buf want = {0}, ids = {0};
    size_t n_first = 0, n = 0;

    slow_word(t, word, &want);
    encode_pieces_alone(t, word, 16, &ids, &n_first);
    CHECK_SPAN(buf_span(&want), buf_span(&ids));
    for (size_t cap = 2; cap <= 5; cap++, n = 0) {
        encode_pieces_alone(t, word, cap, &ids, &n);
        CHECK_SPAN(buf_span(&want), buf_span(&ids));
        CHECK_INT((long long)n_first, (long long)n); /* the same cuts, however many at a time */
    }
    *n_cuts += n_first;
    buf_clear(&want);
    buf_clear(&ids);
}

/* Vocabularies of few merges have many seams; bytes without a token, overlong forms and halves of characters are among the units. */
TEST(pieces_of_words_are_encoded_as_the_words)
{
    static const uint32_t sizes[] = {256, 300, 700};
    Buf text = {0};

    for (size_t k = 0; k < 2 * sizeof sizes / sizeof *sizes; k++) {
        Tokenizer *t = trained(k % 2 ? "tamis" : "deepseek-llm", sizes[k / 2]);
        size_t n_cuts = 0;
        for (uint64_t seed = 0; seed < 400; seed++) {
            random_text(&text, seed + 70000, 1 + seed % 30);
            if (seed % 3 == 0) buf_putc(&text, (uint8_t)mix64(seed));
            Span s = check_edge(buf_span(&text));
            check_cuts(t, s, &n_cuts);
            check_edge_free(s);
        }
        CHECK(n_cuts > 400);
        tokenizer_free(t);
    }
    buf_clear(&text);
}

/* Characters of which some are whole, and pairs of them that merge, in every mixture of merges. */
TEST(pieces_under_random_merges)
{
    static const char *const part[] = {"\xe4\xb8\xad", "\xe4\xb8\x96", "\xc3\xa9", "\xc3\xad",    "a",
                                       "\xe4\xb8",     "\xad",         "\xff",     "\xe0\x83\xa9"};
    size_t n_cuts = 0, n_pairs = 0;
    Buf text = {0};

    for (uint64_t seed = 1000; seed < 1300; seed++) {
        Tokenizer *t = random_merges(seed);
        for (size_t i = 0; i >> t->seams->pair_bits == 0; i += 64) n_pairs += t->seams->joined_chars[i / 64] != 0;
        for (uint64_t round = 0; round < 20; round++) {
            buf_reset(&text);
            for (uint64_t i = 0; i < 3 + round; i++)
                buf_puts(&text, part[mix64(seed << 20 | round << 10 | i) % (round < 10 ? 4 : 9)]);
            check_cuts(t, buf_span(&text), &n_cuts);
        }
        tokenizer_free(t);
    }
    CHECK(n_cuts > 10000 && n_pairs > 100); /* else nothing was tried */
    buf_clear(&text);
}

/* A real vocabulary, where there is one: characters next to each other in its tokens, and characters from anywhere. */
TEST(pieces_under_a_real_vocabulary)
{
    const char *path = getenv("TAMIS_TOKENIZER");
    Buf text = {0};
    size_t n_cuts = 0;
    Tokenizer *t;
    Err err;

    if (!path) return;
    CHECK_OK(tokenizer_load(&t, path, &err), &err);
    for (uint64_t seed = 0; t->seams && seed < 20000; seed++) {
        buf_reset(&text);
        for (uint64_t i = 0; i < 1 + seed % 12; i++) {
            uint64_t draw = mix64(seed << 8 | i);
            if (draw % 4 == 0)
                utf8_append(&text, 0x4E00 + (uint32_t)(draw >> 8) % 0x5200);
            else
                buf_put_span(&text, t->bytes[(draw >> 8) % t->n_ids]);
        }
        check_cuts(t, buf_span(&text), &n_cuts);
    }
    tokenizer_free(t);
    buf_clear(&text);
}
