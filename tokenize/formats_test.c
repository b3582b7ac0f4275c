/* Vocabularies in other formats. tests/formats_hf.py compares with the packages tiktoken, gguf and tokenizers. */
#include "core/json.h"
#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"
#include "tokenize/formats.h"

#include <stdlib.h>

static const FormatHints deepseek = {.pre_tokenizer = "deepseek-llm"};

/* RFC 4648, section 10. */
TEST(base64_vectors)
{
    static const char *const pair[][2] = {{"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {
        "", "Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "Zm=v", "Zm9\n", "====", "Zm9v=", "Zm 9"};
    Buf b = {0};

    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        buf_reset(&b);
        base64_put(&b, span_str(pair[i][0]));
        CHECK_STR(pair[i][1], buf_cstr(&b));
        buf_reset(&b);
        CHECK(base64_read(&b, span_str(pair[i][1])));
        CHECK_STR(pair[i][0], buf_cstr(&b));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(!base64_read(&b, span_str(bad[i])));
    buf_clear(&b);
}

/* --- tiktoken */

/* A vocabulary of random words, the bytes a, b, c at random places among them. */
typedef struct {
    char word[64][16];
    uint32_t n;
} Ranked;

static uint32_t rank_of(const Ranked *v, const char *p, size_t n)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (strlen(v->word[i]) == n && memcmp(v->word[i], p, n) == 0) return i;
    return NO_ID;
}

static void random_ranked(Ranked *v, uint64_t seed)
{
    uint64_t r = seed;

    for (v->n = 0; v->n < 24;) {
        char word[16] = {0};
        size_t n = v->n % 8 == 3 ? 1 : 2 + (r = mix64(r + 1)) % 5;
        for (size_t i = 0; i < n; i++) word[i] = (char)('a' + (r = mix64(r + 1)) % 3);
        if (n == 1) word[0] = (char)('a' + v->n / 8);
        if (rank_of(v, word, n) == NO_ID) memcpy(v->word[v->n++], word, sizeof word);
    }
}

/* What tiktoken does, to the letter: take the whole word; else join the neighbours of lowest rank, the leftmost of equal ones, again. */
static void slow_tiktoken(const Ranked *v, const char *word, Buf *ids)
{
    size_t at[40], n = strlen(word), best;
    uint32_t id = rank_of(v, word, n), lowest;

    buf_reset(ids);
    if (id != NO_ID) {
        buf_put(ids, &id, sizeof id);
        return;
    }
    for (size_t i = 0; i <= n; i++) at[i] = i;
    for (;;) {
        lowest = NO_ID, best = 0;
        for (size_t i = 0; i + 1 < n; i++)
            if ((id = rank_of(v, word + at[i], at[i + 2] - at[i])) < lowest) lowest = id, best = i;
        if (lowest == NO_ID) break;
        memmove(at + best + 1, at + best + 2, (n - best - 1) * sizeof *at);
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        id = rank_of(v, word + at[i], at[i + 1] - at[i]);
        buf_put(ids, &id, sizeof id);
    }
}

static void put_line(Buf *b, Span token, uint32_t rank)
{
    base64_put(b, token);
    buf_printf(b, " %u\n", rank);
}

static Tokenizer *load_tiktoken(Span text, const FormatHints *hints)
{
    Buf json = {0};
    Tokenizer *t = NULL;
    Err err = {0};

    CHECK_OK(tiktoken_read("t", text, hints, &json, &err), &err);
    CHECK_OK(tokenizer_parse(&t, buf_span(&json), "t", &err), &err);
    buf_clear(&json);
    return t;
}

/* Any ranks, be they of no training: words that no merge makes, parts that come later than the whole. */
TEST(ranks_and_merges_give_the_same_ids)
{
    Buf text = {0}, want = {0}, got = {0};
    Ranked v;
    int n_wrong = 0;
    Err err = {0};

    for (uint64_t seed = 0; seed < 300; seed++) {
        random_ranked(&v, seed << 32);
        buf_reset(&text);
        for (uint32_t i = 0; i < v.n; i++) put_line(&text, span_str(v.word[i]), i);
        Tokenizer *t = load_tiktoken(buf_span(&text), &deepseek);
        Encoder *e;
        CHECK_OK(encoder_new(&e, t, &err), &err);
        for (uint64_t k = 0; k < 60; k++) {
            char word[40] = {0};
            for (size_t i = 0; i < 2 + k / 2; i++) word[i] = (char)('a' + mix64(seed * 99991 + k * 101 + i) % 3);
            slow_tiktoken(&v, word, &want);
            CHECK_OK(encode(e, span_str(word), true, &got, &err), &err);
            n_wrong += !span_eq(buf_span(&want), buf_span(&got));
        }
        encoder_free(e);
        tokenizer_free(t);
    }
    CHECK_INT(0, n_wrong);
    buf_clear(&text);
    buf_clear(&want);
    buf_clear(&got);
}

static void check_tiktoken(const char *text, FormatHints hints, ErrCode code, const char *why)
{
    Buf json = {0};
    Err err = {0};

    CHECK_INT(code, tiktoken_read("t", span_str(text), &hints, &json, &err));
    if (!strstr(err.msg, why)) CHECK_STR(why, err.msg);
    buf_clear(&json);
}

TEST(tiktoken_files_that_are_wrong)
{
    static const char good[] = "YQ== 0\nYg== 1\n";
    const FormatHints d = deepseek;
    const char *const taken[] = {"<s>=1"}, *const none[] = {"<s>"};

    check_tiktoken(good, (FormatHints){.special = NULL}, ERR_DATA, "does not name its pre-tokenizer");
    check_tiktoken(good, (FormatHints){.encoding = "x"}, ERR_USAGE, "no encoding is called x");
    check_tiktoken(good, (FormatHints){.pre_tokenizer = "x"}, ERR_USAGE, "there are: deepseek-llm");
    check_tiktoken("YQ== 0\nYg==\n", d, ERR_DATA, "line 2");
    check_tiktoken("YQ== 0\nYg== x\n", d, ERR_DATA, "line 2");
    check_tiktoken("YQ== 0\n\nYg=1 1\n", d, ERR_DATA, "line 3");
    check_tiktoken("YQ== 0\nYg== 0\n", d, ERR_DATA, "second token of rank 0");
    check_tiktoken("YQ== 9999999\n", d, ERR_LIMIT, "highest rank");
    check_tiktoken("YQ== 99999999\n", d, ERR_DATA, "line 1");
    check_tiktoken(good, (FormatHints){.pre_tokenizer = "deepseek-llm", .special = taken, .n_special = 1}, ERR_USAGE,
                   "<s> cannot have the id 1");
    check_tiktoken(good, (FormatHints){.pre_tokenizer = "deepseek-llm", .special = none, .n_special = 1}, ERR_USAGE,
                   "TOKEN=ID");
}

/* All 256 bytes and some words; a gap before the special token, which the reference would not leave. */
static void put_small(Buf *text)
{
    static const char *const word[] = {"th", "the", " the", "\xe4\xb8", "\xe4\xb8\xad", "\xf0\x9f", "\x98\x80"};

    buf_reset(text);
    for (uint32_t c = 0; c < 256; c++) put_line(text, span(&(uint8_t){(uint8_t)c}, 1), c);
    for (uint32_t i = 0; i < sizeof word / sizeof *word; i++) put_line(text, span_str(word[i]), 256 + i);
}

static const char *const small_special[] = {"<|endoftext|>=265"};
static const FormatHints small_hints = {.pre_tokenizer = "deepseek-llm", .special = small_special, .n_special = 1};

TEST(tiktoken_there_and_back)
{
    Buf text = {0}, back = {0};
    Err err = {0};

    put_small(&text);
    Tokenizer *t = load_tiktoken(buf_span(&text), &small_hints);
    CHECK_INT(266, tokenizer_vocab_size(t));
    CHECK_INT(265, tokenizer_eos(t));
    CHECK_INT(0, tokenizer_bytes(t, 263).n);
    CHECK(!t->ignore_merges);
    CHECK_OK(tiktoken_write(t, &back, &err), &err);
    CHECK_SPAN(buf_span(&text), buf_span(&back));
    tokenizer_free(t);
    buf_clear(&text);
    buf_clear(&back);
}

/* --- GGUF */

static void put_gguf(Buf *gguf)
{
    Buf text = {0};
    Err err = {0};

    put_small(&text);
    Tokenizer *t = load_tiktoken(buf_span(&text), &small_hints);
    CHECK_OK(gguf_write(t, gguf, &err), &err);
    tokenizer_free(t);
    buf_clear(&text);
}

TEST(gguf_there_and_back)
{
    Buf gguf = {0}, again = {0}, json = {0};
    Tokenizer *t;
    Err err = {0};

    put_gguf(&gguf);
    CHECK_INT(FORMAT_GGUF, format_of(buf_span(&gguf)));
    CHECK_OK(gguf_read("g", buf_span(&gguf), &(FormatHints){.special = NULL}, &json, &err), &err);
    CHECK_OK(tokenizer_parse(&t, buf_span(&json), "g", &err), &err);
    CHECK_INT(266, tokenizer_vocab_size(t));
    CHECK_INT(265, tokenizer_eos(t));
    CHECK(tokenizer_is_special(t, 265));
    CHECK_SPAN(SPAN_LIT(" the"), tokenizer_bytes(t, 258));
    CHECK_INT(0, tokenizer_bytes(t, 264).n);
    CHECK_OK(gguf_write(t, &again, &err), &err);
    CHECK_SPAN(buf_span(&gguf), buf_span(&again));
    tokenizer_free(t);
    buf_clear(&gguf);
    buf_clear(&again);
    buf_clear(&json);
}

/* Cut anywhere: an error, and no byte behind the end is looked at. A byte changed anywhere: an error or a tokenizer, nothing else. */
TEST(gguf_that_is_damaged)
{
    static const FormatHints none = {.special = NULL};
    Buf gguf = {0}, json = {0};
    Tokenizer *t;
    Err err = {0};

    put_gguf(&gguf);
    for (size_t n = 4; n < gguf.n; n += 1 + n / 64) {
        Span cut = check_edge(span(gguf.p, n));
        CHECK_INT(ERR_DATA, gguf_read("cut", cut, &none, &json, &err));
        check_edge_free(cut);
    }
    for (size_t n = 4; n < gguf.n; n += 1 + n / 128) {
        uint8_t was = gguf.p[n];
        gguf.p[n] ^= (uint8_t)(1 + mix64(n) % 255);
        buf_reset(&json);
        if (gguf_read("changed", buf_span(&gguf), &none, &json, &err) == ERR_OK &&
            tokenizer_parse(&t, buf_span(&json), "changed", &err) == ERR_OK)
            tokenizer_free(t);
        gguf.p[n] = was;
    }
    buf_clear(&gguf);
    buf_clear(&json);
}

static void check_gguf(Span gguf, const char *find, const char *replace, const char *why)
{
    static const FormatHints none = {.special = NULL};
    Buf changed = {0}, json = {0};
    Err err = {0};

    buf_put_span(&changed, gguf);
    for (size_t i = 0; i + strlen(find) <= changed.n; i++)
        if (memcmp(changed.p + i, find, strlen(find)) == 0) memcpy(changed.p + i, replace, strlen(replace));
    CHECK_INT(ERR_DATA, gguf_read("g", buf_span(&changed), &none, &json, &err));
    if (!strstr(err.msg, why)) CHECK_STR(why, err.msg);
    buf_clear(&changed);
    buf_clear(&json);
}

TEST(gguf_that_cannot_be_followed)
{
    Buf gguf = {0};

    put_gguf(&gguf);
    check_gguf(buf_span(&gguf), "GGUF\3", "GGUF\4", "GGUF version 4");
    check_gguf(buf_span(&gguf), "ggml.model", "ggml.modem", "ggml.model is not gpt2");
    check_gguf(buf_span(&gguf), "gpt2", "bert", "ggml.model is not gpt2");
    check_gguf(buf_span(&gguf), "deepseek-llm", "deepseek-xyz", "ggml.pre is deepseek-xyz");
    check_gguf(buf_span(&gguf), "ggml.pre", "ggml.prx", "ggml.pre is missing");
    check_gguf(buf_span(&gguf), "ggml.tokens", "ggml.tokenz", "ggml.tokens is no array");
    check_gguf(buf_span(&gguf), "ggml.merges", "ggml.mergez", "ggml.merges is no array");
    check_gguf(buf_span(&gguf), "ggml.add_bos_token", "ggml.add_eos_token", "ggml.add_eos_token stands twice");
    buf_clear(&gguf);
}

/* --- all formats */

TEST(a_file_is_known_by_its_content)
{
    CHECK_INT(FORMAT_JSON, format_of(SPAN_LIT("{\"version\": \"1.0\"")));
    CHECK_INT(FORMAT_PAIR, format_of(SPAN_LIT("{\"a\": 0, ")));
    CHECK_INT(FORMAT_TIKTOKEN, format_of(SPAN_LIT("IQ== 0\nIg== 1")));
    CHECK_INT(FORMAT_JSON, format_of(SPAN_LIT("")));
    CHECK_INT(FORMAT_JSON, format_of(SPAN_LIT("hello 1")));
    CHECK_INT(FORMAT_JSON, format_of(SPAN_LIT("{")));
}

TEST(a_pair_of_files)
{
    static const FormatHints hints = {.pre_tokenizer = "deepseek-llm"};
    char vocab[600], merges[600], other[600];
    Buf json = {0};
    Tokenizer *t;
    Err err = {0};

    const char *dir = check_tmpdir();
    snprintf(vocab, sizeof vocab, "%s/gpt2.vocab.json", dir);
    snprintf(merges, sizeof merges, "%s/gpt2.merges.txt", dir);
    snprintf(other, sizeof other, "%s/words.json", dir);
    CHECK_OK(store_write(vocab, SPAN_LIT("{\"b\": 0, \"a\": 1, \"ab\": 2, \"<|endoftext|>\": 3}"), &err), &err);
    CHECK_OK(store_write(other, SPAN_LIT("{\"b\": 0}"), &err), &err);
    CHECK_OK(store_write(merges, SPAN_LIT("#version: 0.2\na b\n"), &err), &err);
    CHECK_OK(format_load_json(vocab, &hints, &json, &err), &err);
    CHECK_OK(tokenizer_parse(&t, buf_span(&json), vocab, &err), &err);
    CHECK_INT(4, tokenizer_vocab_size(t));
    CHECK_INT(3, tokenizer_eos(t));
    CHECK(merge_find(t, 1, 0) && merge_find(t, 1, 0)->id == 2);
    tokenizer_free(t);
    buf_clear(&json);
    CHECK_INT(ERR_DATA, format_load_json(other, &hints, &json, &err));
    CHECK(strstr(err.msg, "vocab.json"));
    CHECK_OK(store_delete(merges, &err), &err);
    CHECK_INT(ERR_SYS, format_load_json(vocab, &hints, &json, &err));
    CHECK(strstr(err.msg, merges));
    buf_clear(&json);
}

static ErrCode read_both(void *ctx, Err *err)
{
    Buf json = {0}, out = {0};
    Tokenizer *t = NULL;
    ErrCode rc = tiktoken_read("t", *(Span *)ctx, &small_hints, &json, err);

    if (rc == ERR_OK) rc = tokenizer_parse(&t, buf_span(&json), "t", err);
    if (rc == ERR_OK) rc = tiktoken_write(t, &out, err);
    buf_reset(&out);
    if (rc == ERR_OK) rc = gguf_write(t, &out, err);
    buf_reset(&json);
    if (rc == ERR_OK) rc = gguf_read("g", buf_span(&out), &(FormatHints){.special = NULL}, &json, err);
    tokenizer_free(t);
    buf_clear(&json);
    buf_clear(&out);
    return rc;
}

TEST(formats_without_memory)
{
    Buf text = {0};

    put_small(&text);
    Span s = buf_span(&text);
    alloc_fault_each(read_both, NULL, &s);
    buf_clear(&text);
}
