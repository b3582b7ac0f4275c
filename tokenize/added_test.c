/* Added tokens in texts. Expectations are what HuggingFace `tokenizers` 0.23.2 gives; tests/formats_hf.py compares many more. */
#include "tests/check.h"
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"

typedef struct {
    const char *content, *flags; /* w: single_word, l, r: strips, n: normalized, s: special */
} Added;

static Tokenizer *with_normalizer(const char *normalizer, const Added *added, size_t n)
{
    Buf b = {0};
    Tokenizer *t;
    Err err = {0};

    buf_puts(&b, "{\"added_tokens\":[");
    for (size_t i = 0; i < n; i++) {
        const char *f = added[i].flags;
        buf_printf(&b, "%s{\"id\":%zu,\"content\":\"%s\",\"single_word\":%s,\"lstrip\":%s,", i ? "," : "", i + 4,
                   added[i].content, strchr(f, 'w') ? "true" : "false", strchr(f, 'l') ? "true" : "false");
        buf_printf(&b, "\"rstrip\":%s,\"normalized\":%s,\"special\":%s}", strchr(f, 'r') ? "true" : "false",
                   strchr(f, 'n') ? "true" : "false", strchr(f, 's') ? "true" : "false");
    }
    buf_printf(&b, "],\"normalizer\":%s,\"pre_tokenizer\":", normalizer);
    buf_put_span(&b, pretoken_spec());
    buf_puts(
        &b,
        ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3},\"merges\":[\"a b\"]}}");
    CHECK_OK(tokenizer_parse(&t, buf_span(&b), "added", &err), &err);
    buf_clear(&b);
    return t;
}

static Tokenizer *with_added(const Added *added, size_t n) { return with_normalizer("null", added, n); }

static void check_ids(const Tokenizer *t, EncodeMode mode, const char *text, const char *want)
{
    Buf ids = {0}, got = {0};
    Encoder *e;
    Err err = {0};

    CHECK_OK(encoder_new(&e, t, &err), &err);
    Span edge = check_edge(span_str(text));
    CHECK_OK(encode_as(e, edge, mode, &ids, &err), &err);
    const uint32_t *id = (const uint32_t *)(const void *)ids.p;
    for (size_t i = 0; i < ids.n / 4; i++) buf_printf(&got, "%s%u", i ? " " : "", id[i]);
    CHECK_STR(want, buf_cstr(&got));
    check_edge_free(edge);
    encoder_free(e);
    buf_clear(&ids);
    buf_clear(&got);
}

TEST(white_space_goes_with_tokens_that_strip)
{
    Tokenizer *t = with_added((const Added[]){{"A", "lr"}, {"B", "w"}}, 2);

    check_ids(t, ENCODE_ALL,
              "a A B bB B_ \xc3\xa9"
              "B B",
              "0 4 5 3 1 3 3 3 5");
    check_ids(t, ENCODE_ALL,
              "a \t\xe3\x80\x80"
              "A\xe2\x80\x83\nA",
              "0 4 4");
    check_ids(t, ENCODE_ALL,
              "B\xcc\x81 B\xe2\x80\x8d"
              "a B-B",
              "3 0 3 5 5");
    tokenizer_free(t);
}

/* White space that one token took is a token too: it is found all the same, and what lies behind it is read again. */
TEST(white_space_may_be_taken_twice)
{
    Tokenizer *t = with_added((const Added[]){{"A", "r"}, {"  ", ""}}, 2);

    check_ids(t, ENCODE_ALL, "A  b", "4 5 1");
    check_ids(t, ENCODE_ALL, "A   b", "4 5 3 1");
    check_ids(t, ENCODE_ALL, "A    b", "4 5 5 1");
    tokenizer_free(t);
}

/* A token that strips to the left does not reach back into what was taken; when nothing is left of it, it is not there. */
TEST(tokens_of_taken_white_space_are_dropped)
{
    Tokenizer *t = with_added((const Added[]){{"A", "r"}, {" ", "l"}}, 2);

    check_ids(t, ENCODE_ALL, "A b", "4 1");
    check_ids(t, ENCODE_ALL, "A  b", "4 1"); /* the reference panics */
    check_ids(t, ENCODE_ALL, "a b A b", "0 5 1 5 4 1");
    tokenizer_free(t);
}

TEST(two_searches_and_the_longest)
{
    Tokenizer *t = with_added((const Added[]){{"<a>", "n"}, {"<a><b", "ns"}}, 2);

    check_ids(t, ENCODE_ALL, "<a><b<a>a", "5 4 0");
    check_ids(t, ENCODE_DOCUMENT, "<a><b<a>a", "0 1 4 0"); /* what the special token hides is text */
    tokenizer_free(t);
    t = with_added((const Added[]){{"<a>", "n"}, {"a>b", ""}}, 2);
    check_ids(t, ENCODE_ALL, "<a>b<a>", "5 4"); /* the second one is looked for first */
    tokenizer_free(t);
}

/* A run of tokens that strip the same white space: no look at it for each of them. */
TEST(strips_are_linear)
{
    Tokenizer *t = with_added((const Added[]){{" ", "r"}}, 1);
    enum { N = 1 << 20 };
    Buf text = {0}, ids = {0};
    Encoder *e;
    Err err = {0};

    for (int i = 0; i < N; i++) buf_putc(&text, ' ');
    CHECK_OK(encoder_new(&e, t, &err), &err);
    CHECK_OK(encode_as(e, buf_span(&text), ENCODE_ALL, &ids, &err), &err);
    CHECK_INT(N, ids.n / 4);
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&text);
    buf_clear(&ids);
}

/* --- the search */

static uint32_t longest_at(const AddedTrie *trie, const char *text, size_t at, size_t *n)
{
    AddedReader r = {.trie = trie, .text = span_str(text)};
    uint32_t id = added_at(&r, at, n);

    addedreader_clear(&r);
    return id;
}

TEST(longest_added_token_wins)
{
    AddedTrie trie = {.longest = 0};
    size_t n = 0;

    CHECK(addedtrie_put(&trie, SPAN_LIT("<a"), 1) && addedtrie_put(&trie, SPAN_LIT("<abc>"), 2) &&
          addedtrie_put(&trie, SPAN_LIT("b"), 3) && addedtrie_finish(&trie));
    CHECK(longest_at(&trie, "<abc>", 0, &n) == 2 && n == 5);
    CHECK(longest_at(&trie, "x<abc", 1, &n) == 1 && n == 2);
    CHECK(longest_at(&trie, "x<abc", 3, &n) == 3 && n == 1);
    CHECK_INT(NO_ID, longest_at(&trie, "<", 0, &n));
    CHECK_INT(NO_ID, longest_at(&trie, "xyz", 0, &n));
    addedtrie_clear(&trie);
}

/* Contents of two letters, short and long, against all of them at every place. The texts are longer than a window. */
TEST(search_finds_what_comparing_finds)
{
    enum { N_CONTENTS = 40, N_TEXT = 3 * ADDED_WINDOW / 2 };

    for (uint64_t round = 0; round < 4; round++) {
        Buf content[N_CONTENTS] = {{0}}, text = {0};
        AddedTrie trie = {.longest = 0};
        for (uint64_t k = 0; k < N_CONTENTS; k++) {
            uint64_t n = k % 2 ? 1 + mix64(round * 100 + k) % 6 : 50 + mix64(round * 100 + k) % 300;
            for (uint64_t i = 0; i < n; i++)
                buf_putc(&content[k], "aaab"[mix64(round << 40 | k << 20 | i) % (3 + round % 2)]);
            CHECK(addedtrie_put(&trie, buf_span(&content[k]), (uint32_t)k));
        }
        CHECK(addedtrie_finish(&trie));
        for (uint64_t i = 0; text.n < N_TEXT; i++)
            if (mix64(round << 32 | i) % 3)
                buf_put_span(&text, buf_span(&content[mix64(round << 33 | i) % N_CONTENTS]));
            else
                buf_putc(&text, "ab"[i % 2]);
        Span edge = check_edge(buf_span(&text));
        AddedReader r = {.trie = &trie, .text = edge};
        for (size_t at = 0; at < edge.n; at += 1 + mix64(at) % 3) {
            uint32_t want = NO_ID, got;
            size_t n = 0;
            for (uint32_t k = 0; k < N_CONTENTS; k++)
                if (span_starts(span_from(edge, at), buf_span(&content[k])) &&
                    (want == NO_ID || content[k].n >= content[want].n))
                    want = k; /* of equal ones the last */
            got = added_at(&r, at, &n);
            if (got != want || (want != NO_ID && n != content[want].n)) {
                CHECK_INT(want, got);
                break;
            }
        }
        addedreader_clear(&r);
        check_edge_free(edge);
        addedtrie_clear(&trie);
        buf_clear(&text);
        for (size_t k = 0; k < N_CONTENTS; k++) buf_clear(&content[k]);
    }
}

/* Texts of the beginning of a long token, which every place might be that of: few steps a byte. */
TEST(search_takes_few_steps_a_byte)
{
    enum { N = 1 << 20 };

    for (int kind = 0; kind < 4; kind++) {
        Buf content = {0}, text = {0};
        AddedTrie trie = {.longest = 0};
        uint64_t n_found = 0;
        size_t n;
        for (int i = 0; i < 4000; i++) buf_putc(&content, kind < 2 ? 'a' : "ab"[i % 97 == 0]);
        if (kind % 2)
            for (uint32_t k = 1; k < 200; k++) CHECK(addedtrie_put(&trie, span(content.p, k), k)); /* many ends */
        buf_putc(&content, 'c');
        CHECK(addedtrie_put(&trie, buf_span(&content), 200) && addedtrie_finish(&trie));
        while (text.n < N) buf_put(&text, content.p, content.n - 1);
        AddedReader r = {.trie = &trie, .text = buf_span(&text)};
        for (size_t at = 0; at < text.n; at++) n_found += added_at(&r, at, &n) != NO_ID;
        CHECK((n_found > 0) == (kind % 2));
        CHECK(r.n_steps < 70 * (uint64_t)text.n);
        addedreader_clear(&r);
        addedtrie_clear(&trie);
        buf_clear(&content);
        buf_clear(&text);
    }
}

/* Tokens inside white space that another one took, which ends far behind them: no way there and back for each. */
TEST(offsets_are_one_pass)
{
    Tokenizer *t = with_added((const Added[]){{" ", "r"}, {"\\t", ""}}, 2);
    enum { N = 1 << 18 };
    Buf text = {0}, ids = {0}, offsets = {0};
    Encoder *e;
    Err err = {0};

    buf_puts(&text, "\xe4\xb8\xad\xff");
    for (int i = 0; i < N; i++) buf_puts(&text, " \t\xc2\xa0");
    CHECK_OK(encoder_new(&e, t, &err), &err);
    CHECK_OK(encode_offsets(e, buf_span(&text), ENCODE_ALL, &ids, &offsets, &err), &err);
    const TokenOffset *o = (const TokenOffset *)(const void *)offsets.p;
    const uint32_t *id = (const uint32_t *)(const void *)ids.p;
    size_t n = ids.n / sizeof *id, n_wrong = 0;
    CHECK(n >= 2 * N && n == offsets.n / sizeof *o);
    for (size_t i = 0; i < n; i++) {
        /* Characters before byte b >= 4: two, then three in four bytes. */
        size_t b = o[i].begin - 4, c = 2 + b / 4 * 3 + (b % 4 < 2 ? b % 4 : 2);
        size_t end = id[i] == 4 ? 2 + 3 * (size_t)N : o[i].char_begin + 1;
        n_wrong += o[i].char_begin != c || o[i].char_end != end;
    }
    CHECK_INT(0, n_wrong);
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&text);
    buf_clear(&ids);
    buf_clear(&offsets);
}

/* Tokens with normalized false are looked for in the text as it stands, the others where the normalizer has been: "<s>" and U+0338
 * would be "<s" and U+226F, and e with an acute accent is one letter behind it. Ids as of the reference. */
TEST(tokens_are_found_before_the_text_is_normalized)
{
    Tokenizer *t = with_normalizer(
        "{\"type\":\"NFC\"}",
        (const Added[]){{"<s>", ""}, {"e\xcc\x81", ""}, {"\xc3\xa9", "n"}, {"u\xcc\x88", "n"}, {"n\xcc\x83", "rl"}},
        5);
    static const struct {
        const char *text, *ids, *seen, *begins;
    } cases[] = {
        {"a<s>\xcc\xb8 b", "0 4 3 1", "a<s>\xcc\xb8 b", "0 1 6 7"},
        {"ae\xcc\x81\xc3\xa9"
         "b",
         "0 5 6 1",
         "ae\xcc\x81\xc3\xa9"
         "b",
         "0 1 4 6"},
        {"bu\xcc\x88"
         "e\xcc\x81"
         "a\xcc\x81",
         "1 7 5",
         "b\xc3\xbc"
         "e\xcc\x81\xc3\xa1",
         "0 1 3"},
        {"a n\xcc\x83 n\xcc\x83 b", "0 8 8 1", "a n\xcc\x83 n\xcc\x83 b", "0 1 6 10"},
        {"plain <s> a", "0 3 4 3 0", "plain <s> a", "2 5 6 9 10"},
    };
    Buf ids = {0}, offsets = {0}, normalized = {0};
    Encoder *e;
    Err err = {0};
    Span seen;

    CHECK_OK(encoder_new(&e, t, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buf begins = {0};
        CHECK_OK(encode_normalized(e, span_str(cases[i].text), ENCODE_ALL, &ids, &offsets, &normalized, &seen, &err),
                 &err);
        const TokenOffset *o = (const TokenOffset *)(const void *)offsets.p;
        for (size_t k = 0; k < offsets.n / sizeof *o; k++) buf_printf(&begins, "%s%zu", k ? " " : "", o[k].begin);
        CHECK_STR(cases[i].begins, buf_cstr(&begins));
        CHECK_SPAN(span_str(cases[i].seen), seen);
        check_ids(t, ENCODE_ALL, cases[i].text, cases[i].ids);
        buf_reset(&begins);
        for (size_t k = 0; k < ids.n / 4; k++)
            buf_printf(&begins, "%s%u", k ? " " : "", ((const uint32_t *)(const void *)ids.p)[k]);
        CHECK_STR(cases[i].ids, buf_cstr(&begins));
        buf_clear(&begins);
    }
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&ids);
    buf_clear(&offsets);
    buf_clear(&normalized);
}
