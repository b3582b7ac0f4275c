/* Encoding against the obvious way: look at all neighbours, merge the pair of lowest rank, again. */
#include "core/utf8.h"
#include "tests/alloc_fault.h"
#include "tokenize/encode_cases.h"
#include "tokenize/pretoken.h"
#include "tokenize/word_merge.h"

#include <stdlib.h>

TEST(encoder_equals_lowest_rank_first)
{
    static const uint32_t sizes[] = {256, 270, 330, 700};
    Buf text = {0}, ids = {0}, want = {0};
    Err err = {0};

    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        Tokenizer *t = trained("tamis", sizes[k]);
        Encoder *e;
        CHECK_OK(encoder_new(&e, t, &err), &err);
        for (uint64_t seed = 0; seed < 400; seed++) {
            random_text(&text, seed + 5000, seed % 90);
            if (seed % 7 == 0) /* one long word: no class, so nothing cuts it */
                for (uint64_t i = 0; i < seed; i++)
                    buf_puts(&text, mix64(i + seed) % 3 ? "\xd7\xa9" : "\xf0\x9f\x98\x80");
            Span s = check_edge(buf_span(&text));
            CHECK_OK(encode(e, s, true, &ids, &err), &err);
            slow_encode(t, s, &want);
            CHECK_SPAN(buf_span(&want), buf_span(&ids));
            check_edge_free(s);
        }
        CHECK_INT(0, encoder_n_lost(e));
        encoder_free(e);
        tokenizer_free(t);
    }
    buf_clear(&text);
    buf_clear(&ids);
    buf_clear(&want);
}

/* The text as one word, in pieces of every small size, whatever was there before. */
static void check_pieces(const Tokenizer *t, Span text)
{
    Buf want = {0}, ids = {0};
    Err err = {0};

    slow_word(t, text, &want);
    for (size_t piece = 1; piece <= 9; piece++) {
        WordMerger w = {.t = t, .piece_bytes = piece};
        uint32_t before = 7;
        buf_reset(&ids);
        buf_put(&ids, &before, sizeof before);
        CHECK_OK(word_encode(&w, text, &ids, &err), &err);
        CHECK_SPAN(buf_span(&want), span_from(buf_span(&ids), sizeof before));
        wordmerger_clear(&w);
    }
    buf_clear(&want);
    buf_clear(&ids);
}

/* Runs whose encoding hangs together from end to end, and texts with bytes that have no token. */
TEST(words_in_pieces_get_the_same_ids)
{
    static const char *const runs[] = {"a", "ab", "aba", "\xe4\xb8\xad", "a\xff", "the"};
    Tokenizer *t = trained("deepseek-llm", 400);
    Buf text = {0};

    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++)
        for (size_t n = 0; n < 40; n++) {
            buf_reset(&text);
            for (size_t i = 0; i < n; i++) buf_puts(&text, runs[r]);
            check_pieces(t, buf_span(&text));
        }
    for (uint64_t seed = 0; seed < 200; seed++) {
        random_text(&text, seed + 9000, 30);
        check_pieces(t, buf_span(&text));
    }
    buf_clear(&text);
    tokenizer_free(t);
}

TEST(random_merges_across_characters)
{
    static const char *const part[] = {"\xe4\xb8\xad", "\xe4\xb8\x96", "a",       "\xc3\xa9",
                                       "\xe4\xb8",     "\xad",         "\xc3\xad"};
    Buf text = {0}, ids = {0}, want = {0};
    size_t n_whole = 0;
    Err err = {0};

    for (uint64_t seed = 0; seed < 300; seed++) {
        Tokenizer *t = random_merges(seed);
        Encoder *e;
        CHECK_OK(encoder_new(&e, t, &err), &err);
        for (uint32_t cp = 0; cp < CHAR_IDS; cp++) n_whole += t->char_id[cp] != NO_ID;
        for (uint64_t round = 0; round < 30; round++) {
            buf_reset(&text);
            for (uint64_t i = 0; i < 3 + round; i++)
                buf_puts(&text, part[mix64(seed << 20 | round << 10 | i) % (round < 15 ? 4 : 7)]);
            CHECK_OK(encode(e, buf_span(&text), true, &ids, &err), &err);
            slow_encode(t, buf_span(&text), &want);
            CHECK_SPAN(buf_span(&want), buf_span(&ids));
            check_pieces(t, buf_span(&text));
        }
        encoder_free(e);
        tokenizer_free(t);
    }
    CHECK(n_whole > 20); /* else nothing was tried */
    buf_clear(&text);
    buf_clear(&ids);
    buf_clear(&want);
}

/* Characters that start whole: some do, each is the token its bytes merge into, and an overlong form is none of them. */
TEST(whole_characters_are_their_own_encoding)
{
    Tokenizer *t = trained("tamis", 700);
    Buf ids = {0}, want = {0};
    size_t n_whole = 0;
    uint8_t bytes[4];
    Encoder *e;
    Err err = {0};

    CHECK_OK(encoder_new(&e, t, &err), &err);
    for (uint32_t cp = 0; cp < CHAR_IDS; cp++) {
        if (t->char_id[cp] == NO_ID) continue;
        Span c = span(bytes, utf8_put(bytes, cp));
        n_whole++;
        buf_reset(&want);
        slow_word(t, c, &want);
        CHECK_SPAN(span(&t->char_id[cp], 4), buf_span(&want));
        CHECK_SPAN(c, tokenizer_bytes(t, t->char_id[cp]));
    }
    CHECK(n_whole >= 4);
    CHECK(t->char_id[0xE9] != NO_ID); /* é; the bytes below say the same in a form that is not allowed */
    CHECK_OK(encode(e, SPAN_LIT("\xe0\x83\xa9"), true, &ids, &err), &err);
    buf_reset(&want);
    slow_word(t, SPAN_LIT("\xe0\x83\xa9"), &want);
    CHECK_SPAN(buf_span(&want), buf_span(&ids));
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&ids);
    buf_clear(&want);
}

TEST(decoding_gives_the_bytes_back)
{
    Tokenizer *t = trained("tamis", 500);
    Buf text = {0}, ids = {0}, back = {0};
    Encoder *e;
    Err err = {0};

    CHECK_OK(encoder_new(&e, t, &err), &err);
    for (uint64_t seed = 0; seed < 500; seed++) {
        random_text(&text, seed, 10);
        for (uint64_t i = 0; i < seed % 60; i++) buf_putc(&text, (uint8_t)mix64(seed * 100 + i)); /* any bytes */
        for (EncodeMode mode = ENCODE_ALL; mode <= ENCODE_PLAIN; mode++) {
            CHECK_OK(encode_as(e, buf_span(&text), mode, &ids, &err), &err);
            buf_reset(&back);
            CHECK_OK(decode(t, (const uint32_t *)(const void *)ids.p, ids.n / 4, false, &back, &err), &err);
            CHECK_SPAN(buf_span(&text), buf_span(&back));
        }
    }
    uint32_t unknown = tokenizer_vocab_size(t);
    CHECK_INT(ERR_DATA, decode(t, &unknown, 1, false, &back, &err));
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&text);
    buf_clear(&ids);
    buf_clear(&back);
}

/* Ids of `text`, compared with a list that NO_ID ends. */
static void check_ids(Encoder *e, const char *text, EncodeMode mode, const uint32_t *want)
{
    Buf ids = {0};
    Err err = {0};
    size_t n = 0;

    while (want[n] != NO_ID) n++;
    CHECK_OK(encode_as(e, span_str(text), mode, &ids, &err), &err);
    CHECK_SPAN(span(want, n * 4), buf_span(&ids));
    buf_clear(&ids);
}

TEST(added_tokens)
{
    Tokenizer *t = trained("deepseek-llm", 400);
    Buf back = {0};
    Encoder *e;
    Err err = {0};

    CHECK_OK(encoder_new(&e, t, &err), &err);
    uint32_t a = t->byte_id['a'], eos = tokenizer_eos(t), u = eos + 13;
    CHECK_STR("<\xef\xbd\x9c"
              "end\xe2\x96\x81"
              "of\xe2\x96\x81"
              "sentence\xef\xbd\x9c>",
              (const char *)tokenizer_bytes(t, eos).p);
    CHECK_SPAN(SPAN_LIT("\xc3\xbc"), tokenizer_bytes(t, u));
    CHECK(tokenizer_is_special(t, eos) && !tokenizer_is_special(t, u));
    CHECK_INT(u + 1, tokenizer_vocab_size(t));
    check_ids(e,
              "a\xc3\xbc"
              "a",
              ENCODE_ALL, (uint32_t[]){a, u, a, NO_ID});
    check_ids(e,
              "a\xc3\xbc"
              "a",
              ENCODE_DOCUMENT, (uint32_t[]){a, u, a, NO_ID});
    check_ids(e,
              "a<\xef\xbd\x9c"
              "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>",
              ENCODE_ALL, (uint32_t[]){a, eos, NO_ID});
    /* The reference reads ü as the byte FC; we keep it. */
    CHECK_OK(decode(t, (uint32_t[]){a, eos, u}, 3, true, &back, &err), &err);
    CHECK_SPAN(SPAN_LIT("a\xc3\xbc"), buf_span(&back));
    buf_reset(&back);
    CHECK_OK(decode_as_reference(t, (uint32_t[]){a, eos, u}, 3, true, &back, &err), &err);
    CHECK_SPAN(SPAN_LIT("a\xef\xbf\xbd"), buf_span(&back));
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&back);
}

TEST(bytes_without_a_token_are_counted)
{
    Tokenizer *t = trained("deepseek-llm", 300);
    Encoder *e;
    Err err = {0};

    CHECK_OK(encoder_new(&e, t, &err), &err);
    uint32_t a = t->byte_id['a'];
    for (int again = 1; again <= 3; again++) { /* what was left out is not cached */
        check_ids(e,
                  "a\xff"
                  "a",
                  ENCODE_PLAIN, (uint32_t[]){a, a, NO_ID});
        CHECK_INT(again, encoder_n_lost(e));
    }
    encoder_free(e);
    tokenizer_free(t);
}

TEST(scratch_of_a_giant_word_is_given_back)
{
    Tokenizer *t = trained("tamis", 300);
    WordMerger w = {.t = t};
    Buf text = {0}, ids = {0};
    Err err = {0};

    CHECK(buf_reserve(&text, MERGE_PIECE + 1));
    memset(text.p, 'a', MERGE_PIECE + 1);
    text.n = MERGE_PIECE + 1;
    for (int round = 0; round < 2; round++) {
        size_t n = ids.n;
        CHECK_OK(word_encode(&w, SPAN_LIT("aaaa"), &ids, &err), &err);
        CHECK(w.cap > 0 && ids.n > n);
        n = ids.n;
        CHECK_OK(word_encode(&w, buf_span(&text), &ids, &err), &err);
        CHECK(w.cap == 0 && ids.n > n);
    }
    wordmerger_clear(&w);
    tokenizer_free(t);
    buf_clear(&text), buf_clear(&ids);
}

/* Inputs that are quadratic in other encoders; a megabyte of each has to pass at once. */
TEST(long_words_are_not_quadratic)
{
    static const char *const runs[] = {"a", " ", "^", "\xe4\xb8\xad", "\xd7\xa9 ", "0", "\xf0\x9f\x98\x80"};
    Tokenizer *t = trained("tamis", 500);
    Buf text = {0}, ids = {0}, back = {0};
    Encoder *e;
    Err err = {0};

    CHECK_OK(encoder_new(&e, t, &err), &err);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        buf_reset(&text);
        while (text.n < 3 * MERGE_PIECE) buf_puts(&text, runs[i]);
        buf_putc(&text, '1');
        CHECK_OK(encode(e, buf_span(&text), false, &ids, &err), &err);
        buf_reset(&back);
        CHECK_OK(decode(t, (const uint32_t *)(const void *)ids.p, ids.n / 4, false, &back, &err), &err);
        CHECK_SPAN(buf_span(&text), buf_span(&back));
    }
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&text);
    buf_clear(&ids);
    buf_clear(&back);
}

/* What it costs is counted, not timed: twice the word, twice the steps. */
TEST(long_words_cost_what_they_are_long)
{
    static const char *const runs[] = {"a", " ", "abcdefghij", "\xd7\xa9 ", "\xe4\xb8\xad", "\xf0\x9f\x98\x80"};
    Tokenizer *t = trained("tamis", 500);
    Buf text = {0}, ids = {0};
    Err err = {0};

    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        uint64_t steps[2];
        for (int twice = 0; twice < 2; twice++) {
            WordMerger w = {.t = t, .piece_bytes = 4096};
            buf_reset(&text), buf_reset(&ids);
            while (text.n < (size_t)40000 << twice) buf_puts(&text, runs[i]);
            CHECK_OK(word_encode(&w, buf_span(&text), &ids, &err), &err);
            steps[twice] = w.n_steps;
            CHECK(w.n_steps < 5 * text.n);
            wordmerger_clear(&w);
        }
        CHECK(steps[0] > 5000 && 10 * steps[1] < 22 * steps[0]);
    }
    tokenizer_free(t);
    buf_clear(&text), buf_clear(&ids);
}

/* "abc" is a token that merging does not make, since "bc" comes first; "ab" is one that it makes. */
static Tokenizer *with_stubborn_token(bool ignore_merges)
{
    Tokenizer *t = NULL;
    Buf json = {0};
    Err err = {0};

    buf_puts(
        &json,
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[{\"id\":6,\"content\":\"cab\","
        "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}],"
        "\"normalizer\":null,\"pre_tokenizer\":");
    buf_put_span(&json, pretoken_spec());
    buf_printf(
        &json,
        ",\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
        "\"trim_offsets\":true,\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
        "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,"
        "\"ignore_merges\":%s,\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"bc\":3,\"ab\":4,\"abc\":5},"
        "\"merges\":[[\"b\",\"c\"],[\"a\",\"b\"],[\"ab\",\"c\"]]}}",
        ignore_merges ? "true" : "false");
    CHECK_OK(tokenizer_parse(&t, buf_span(&json), "stubborn", &err), &err);
    buf_clear(&json);
    return t;
}

TEST(ignore_merges_takes_whole_pretokens_only)
{
    for (int ignore = 0; ignore < 2; ignore++) {
        Tokenizer *t = with_stubborn_token(ignore);
        Encoder *e = NULL;
        Err err = {0};

        CHECK_OK(encoder_new(&e, t, &err), &err);
        CHECK((t->whole != NULL) == ignore);
        for (int again = 0; again < 2; again++) { /* from the cache as well */
            check_ids(e, "abc", ENCODE_PLAIN, ignore ? (uint32_t[]){5, NO_ID} : (uint32_t[]){0, 3, NO_ID});
            check_ids(e, "abcabc", ENCODE_PLAIN, (uint32_t[]){0, 3, 0, 3, NO_ID}); /* not a token: merged */
            check_ids(e, "cab", ENCODE_PLAIN,
                      (uint32_t[]){2, 4, NO_ID}); /* an added token is not of the vocabulary */
            check_ids(e, "cab", ENCODE_ALL, (uint32_t[]){6, NO_ID});
        }
        encoder_free(e);
        tokenizer_free(t);
    }
}

static ErrCode train_and_read(void *ctx, Err *err)
{
    BpeParams p = *bpe_preset("tamis");
    const Buf *text = ctx;
    BpeCounter *a = NULL, *b = NULL;
    Tokenizer *t = NULL;
    Buf json = {0};
    ErrCode rc;

    p.vocab_size = 400;
    if ((rc = bpecounter_new(&a, &pretokenizer_deepseek_llm, err)) != ERR_OK) goto out;
    if ((rc = bpecounter_new(&b, &pretokenizer_deepseek_llm, err)) != ERR_OK) goto out;
    if ((rc = bpecounter_feed(a, buf_span(text), err)) != ERR_OK) goto out;
    if ((rc = bpecounter_merge(b, a, err)) != ERR_OK) goto out;
    if ((rc = bpe_train(&p, b, &json, err)) != ERR_OK) goto out;
    rc = tokenizer_parse(&t, buf_span(&json), "t.json", err);
out:
    bpecounter_free(a);
    bpecounter_free(b);
    buf_clear(&json);
    tokenizer_free(t);
    return rc;
}

/* Short and long words enough for the tables to grow. */
TEST(training_without_memory)
{
    Buf text = {0};

    for (int i = 0; i < 2500; i++)
        buf_printf(&text, "%c%c%c a-long-word-of-letters-%c%c%c\n", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676,
                   'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
    alloc_fault_each(train_and_read, NULL, &text);
    buf_clear(&text);
}

typedef struct {
    const Tokenizer *t;
    Span text;
} Encoding;

static ErrCode encode_and_decode(void *ctx, Err *err)
{
    const Encoding *in = ctx;
    WordMerger w = {.t = in->t, .piece_bytes = 64};
    Encoder *e = NULL;
    Buf ids = {0}, back = {0};
    ErrCode rc = encoder_new(&e, in->t, err);

    if (rc == ERR_OK) rc = encode(e, in->text, false, &ids, err);
    if (rc == ERR_OK) rc = decode(in->t, (const uint32_t *)(const void *)ids.p, ids.n / 4, false, &back, err);
    buf_reset(&ids);
    if (rc == ERR_OK) rc = word_encode(&w, in->text, &ids, err);
    if (rc == ERR_OK) rc = buf_ok(&ids, "ids", err);
    encoder_free(e);
    wordmerger_clear(&w);
    buf_clear(&ids);
    buf_clear(&back);
    return rc;
}

TEST(encoding_without_memory)
{
    Tokenizer *t = trained("tamis", 400);
    Buf text = {0};

    random_text(&text, 1, 2000);
    Encoding in = {t, buf_span(&text)};
    alloc_fault_each(encode_and_decode, NULL, &in);
    tokenizer_free(t);
    buf_clear(&text);
}
