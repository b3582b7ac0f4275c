/* Added tokens in texts. Expectations are what HuggingFace `tokenizers` 0.23.2 gives; tests/formats_hf.py compares many more. */
#include "tests/check.h"
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"

typedef struct {
    const char *content, *flags; /* w: single_word, l, r: strips, n: normalized, s: special */
} Added;

static Tokenizer *with_added(const Added *added, size_t n)
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
    buf_puts(&b, "],\"pre_tokenizer\":");
    buf_put_span(&b, pretoken_spec());
    buf_puts(
        &b,
        ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3},\"merges\":[\"a b\"]}}");
    CHECK_OK(tokenizer_parse(&t, buf_span(&b), "added", &err), &err);
    buf_clear(&b);
    return t;
}

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
