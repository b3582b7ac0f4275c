/* What is read and what is refused. */
#include "core/json.h"
#include "core/store.h"
#include "tests/check.h"
#include "tokenize/bytelevel.h"
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"

#include <stdio.h>

/* A tokenizer.json with some members replaced. */
typedef struct {
    const char *normalizer, *pre, *post, *decoder, *added, *model_more, *vocab, *merges;
} Parts;

static void put_or(Buf *b, const char *text, const char *otherwise) { buf_puts(b, text ? text : otherwise); }

static void compose(Buf *b, const Parts *p)
{
    buf_reset(b);
    buf_puts(b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":");
    put_or(b, p->added, "[{\"id\":4,\"content\":\"<|endoftext|>\",\"special\":true}]");
    buf_puts(b, ",\"normalizer\":");
    put_or(b, p->normalizer, "null");
    buf_puts(b, ",\"pre_tokenizer\":");
    if (p->pre)
        buf_puts(b, p->pre);
    else
        buf_put_span(b, pretoken_spec());
    buf_puts(b, ",\"post_processor\":");
    put_or(b, p->post, "null");
    buf_puts(b, ",\"decoder\":");
    put_or(b, p->decoder, "null");
    buf_puts(b, ",\"model\":{\"type\":\"BPE\"");
    put_or(b, p->model_more, "");
    buf_puts(b, ",\"vocab\":");
    put_or(b, p->vocab, "{\"a\":0,\"b\":1,\"ab\":2,\"\xc4\xa0\":3}");
    buf_puts(b, ",\"merges\":");
    put_or(b, p->merges, "[[\"a\",\"b\"]]");
    buf_puts(b, "}}");
}

static ErrCode parse(const Parts *p, Tokenizer **t, Err *err)
{
    Buf b = {0};

    compose(&b, p);
    ErrCode rc = tokenizer_parse(t, buf_span(&b), "test.json", err);
    buf_clear(&b);
    return rc;
}

TEST(reads_both_forms_of_merges)
{
    Hash128 id[2];
    Err err = {0};

    for (int old = 0; old < 2; old++) {
        Tokenizer *t;
        CHECK_OK(parse(&(Parts){.merges = old ? "[\"a b\"]" : NULL}, &t, &err), &err);
        CHECK_INT(5, tokenizer_vocab_size(t));
        CHECK_INT(4, tokenizer_eos(t));
        CHECK_SPAN(SPAN_LIT(" "), tokenizer_bytes(t, 3));
        CHECK_SPAN(SPAN_LIT("ab"), tokenizer_bytes(t, 2));
        CHECK_INT(0, tokenizer_bytes(t, 5).n);
        CHECK(tokenizer_is_special(t, 4) && !tokenizer_is_special(t, 0) && !tokenizer_is_special(t, 99));
        const MergeSlot *m = merge_find(t, 0, 1);
        CHECK(m && m->id == 2 && m->merge_rank == 0);
        CHECK(!merge_find(t, 1, 0));
        id[old] = tokenizer_id(t);
        tokenizer_free(t);
    }
    CHECK(!hash128_eq(id[0], id[1]));
}

/* White space is not part of a tokenizer's identity. */
TEST(id_is_of_the_canonical_form)
{
    Buf tight = {0}, loose = {0};
    Tokenizer *a, *b;
    Err err = {0};

    compose(&tight, &(Parts){.pre = NULL});
    for (size_t i = 0; i < tight.n; i++) {
        buf_putc(&loose, tight.p[i]);
        if (tight.p[i] == '{' || (tight.p[i] == ',' && tight.p[i + 1] == '"' && tight.p[i - 1] == '}'))
            buf_puts(&loose, "\n  ");
    }
    CHECK_OK(tokenizer_parse(&a, buf_span(&tight), "tight", &err), &err);
    CHECK_OK(tokenizer_parse(&b, buf_span(&loose), "loose", &err), &err);
    CHECK(loose.n > tight.n && hash128_eq(tokenizer_id(a), tokenizer_id(b)));
    tokenizer_free(a);
    tokenizer_free(b);
    buf_clear(&tight);
    buf_clear(&loose);
}

static void check_refused(Parts p, const char *why)
{
    Tokenizer *t;
    Err err = {0};
    ErrCode rc = parse(&p, &t, &err);

    CHECK(rc == ERR_DATA || rc == ERR_LIMIT);
    CHECK(t == NULL);
    CHECK(strncmp(err.msg, "test.json", 9) == 0);
    if (!strstr(err.msg, why)) CHECK_STR(why, err.msg);
}

TEST(refuses_what_it_would_not_honour)
{
    check_refused((Parts){.normalizer = "{\"type\":\"NFKC\"}"}, "normalizer");
    check_refused((Parts){.pre = "null"}, "pre_tokenizer");
    check_refused(
        (Parts){.pre = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}"},
        "pre_tokenizer");
    check_refused((Parts){.normalizer = "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"}]}"},
                  "normalizer Lowercase");
    check_refused((Parts){.post = "{\"type\":\"TemplateProcessing\"}"}, "post_processor.single");
    check_refused((Parts){.post = "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}}],"
                                  "\"special_tokens\":{\"<s>\":{\"ids\":[5]}}}"},
                  "post_processor puts");
    check_refused((Parts){.decoder = "{\"type\":\"WordPiece\"}"}, "decoder");
    check_refused((Parts){.model_more = ",\"dropout\":0.1"}, "dropout");
    check_refused((Parts){.model_more = ",\"unk_token\":\"a\""}, "unk_token");
    check_refused((Parts){.model_more = ",\"byte_fallback\":true"}, "byte_fallback");
    check_refused((Parts){.model_more = ",\"ignore_merges\":1"}, "ignore_merges");
    check_refused((Parts){.model_more = ",\"end_of_word_suffix\":\"</w>\""}, "end_of_word_suffix");
    check_refused((Parts){.added = "[{\"id\":4,\"content\":\"x\",\"lstrip\":1}]"}, "lstrip");
    check_refused((Parts){.added = "[{\"id\":5,\"content\":\"x\"}]"}, "would be 4");
    check_refused((Parts){.added = "[{\"id\":4,\"content\":\"x\"},{\"id\":4,\"content\":\"y\"}]"}, "two tokens");
    check_refused((Parts){.added = "[{\"id\":4,\"content\":\"x\"},{\"id\":5,\"content\":\"x\"}]"}, "disagree");
}

TEST(refuses_a_broken_vocabulary)
{
    check_refused((Parts){.vocab = "{}"}, "vocab");
    check_refused((Parts){.vocab = "[]"}, "vocab");
    check_refused((Parts){.vocab = "{\"a\":0,\"b\":0,\"ab\":2}"}, "two tokens");
    check_refused((Parts){.vocab = "{\"a\":0,\"b\":-1,\"ab\":2}"}, "whole number");
    check_refused((Parts){.vocab = "{\"a\":0,\"b\":1.5,\"ab\":2}"}, "whole number");
    check_refused((Parts){.vocab = "{\"a\":0,\"b\":16777216,\"ab\":2}"}, "whole number");
    check_refused((Parts){.vocab = "{\"a\":0,\"b\":9000000,\"ab\":2}"}, "highest id");
    check_refused((Parts){.vocab = "{\"\":0,\"b\":1,\"ab\":2}"}, "empty");
    check_refused((Parts){.vocab = "{\"a\":0,\"b\":1}"}, "not in the vocabulary");
    check_refused((Parts){.merges = "[[\"a\",\"b\"],[\"a\",\"b\"]]"}, "repeats merge 0");
    check_refused((Parts){.merges = "[[\"a\"]]"}, "not a pair");
    check_refused((Parts){.merges = "[[\"\",\"a\"]]"}, "model.merges: merge 0"); /* a token of itself: a cycle */
    check_refused((Parts){.merges = "[\"ab\"]"}, "not a pair");
    check_refused((Parts){.merges = "[[\"a\",1]]"}, "not a pair");
    check_refused((Parts){.added = "[{\"id\":2,\"content\":\"x\"}]"}, "disagree");
    check_refused((Parts){.added = "[{\"id\":3,\"content\":\"ab\"}]"}, "disagree");
    check_refused((Parts){.added = "[{\"id\":4,\"content\":\"\"}]"}, "no content");
    check_refused((Parts){.added = "[{\"content\":\"x\"}]"}, "whole number");
    check_refused((Parts){.added = "{}"}, "added_tokens");
}

TEST(refuses_a_million_added_tokens)
{
    Buf added = {0};

    buf_putc(&added, '[');
    for (unsigned i = 0; i < 1000000; i++) buf_printf(&added, "%s{\"id\":%u}", i ? "," : "", i + 4);
    buf_puts(&added, "]");
    check_refused((Parts){.added = buf_cstr(&added)}, "added_tokens has 1000000 tokens");
    buf_clear(&added);
}

/* What post_processor puts around a text is known and not put there. */
TEST(template_says_what_begins_a_text)
{
    static const char *const post[] = {
        "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},{\"type\":\"TemplateProcessing\",\"single\":"
        "["
        "{\"SpecialToken\":{\"id\":\"s\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"
        "\"special_tokens\":{\"s\":{\"id\":\"s\",\"ids\":[4],\"tokens\":[\"<|endoftext|>\"]}}}]}",
        "{\"type\":\"RobertaProcessing\",\"sep\":[\"b\",1],\"cls\":[\"<|endoftext|>\",4]}"};
    Tokenizer *t;
    Err err = {0};

    for (int i = 0; i < 2; i++) {
        CHECK_OK(parse(&(Parts){.post = post[i]}, &t, &err), &err);
        CHECK_INT(4, tokenizer_bos(t));
        CHECK(t->adds_bos && t->adds_eos == (i == 1));
        tokenizer_free(t);
    }
}

/* Members that change nothing where every byte has a token. */
TEST(unknown_token_matters_when_bytes_are_missing)
{
    Buf vocab = {0}, spelling = {0};
    Tokenizer *t;
    Err err = {0};

    buf_puts(&vocab, "{\"ab\":256");
    for (int c = 0; c < 256; c++) {
        buf_reset(&spelling);
        bytelevel_put(&spelling, span(&(uint8_t){(uint8_t)c}, 1));
        buf_putc(&vocab, ',');
        json_put_string(&vocab, buf_span(&spelling));
        buf_printf(&vocab, ":%d", c);
    }
    buf_puts(&vocab, "}");
    Parts p = {.model_more = ",\"unk_token\":\"a\",\"byte_fallback\":true,\"fuse_unk\":true,\"dropout\":0.0",
               .vocab = buf_cstr(&vocab),
               .added = "[]"};
    CHECK_OK(parse(&p, &t, &err), &err);
    tokenizer_free(t);
    buf_clear(&vocab);
    buf_clear(&spelling);
}

TEST(added_token_may_be_a_token_of_the_vocabulary)
{
    Tokenizer *t;
    Err err = {0};

    CHECK_OK(parse(&(Parts){.added = "[{\"id\":2,\"content\":\"ab\",\"special\":true}]"}, &t, &err), &err);
    CHECK_INT(4, tokenizer_vocab_size(t));
    CHECK(tokenizer_is_special(t, 2));
    CHECK_INT(UINT32_MAX, tokenizer_eos(t));
    tokenizer_free(t);
}

/* Added tokens of the vocabulary whose content also reads as bytes: FC is in no text, so ü is ü; C3 is, and so are merged bytes. */
TEST(added_token_stands_for_its_content)
{
    static const char vocab[] =
        "{\"a\":0,\"b\":1,\"ab\":2,\"\u00fc\":3,\"\u00c3\":4,\"\u00a4\u00a4\":5,\"\u00c3a\":6}";
    static const char added[] = "[{\"id\":3,\"content\":\"\u00fc\"},{\"id\":5,\"content\":\"\u00a4\u00a4\"}]";
    uint32_t ids[] = {3, 5, 4};
    Buf out = {0};
    Tokenizer *t;
    Err err = {0};

    CHECK_OK(parse(&(Parts){.vocab = vocab, .added = added}, &t, &err), &err);
    CHECK_OK(decode(t, ids, 3, false, &out, &err), &err);
    CHECK_STR("\xc3\xbc\xc2\xa4\xc2\xa4\xc3", buf_cstr(&out));
    CHECK_INT(NO_ID, t->byte_id[0xfc]);
    CHECK_INT(4, t->byte_id[0xc3]);
    tokenizer_free(t);
    buf_clear(&out);
    check_refused((Parts){.vocab = vocab, .added = "[{\"id\":4,\"content\":\"\u00c3\"}]"}, "token 4 is");
    check_refused(
        (Parts){.vocab = vocab, .merges = "[[\"\u00c3\",\"a\"]]", .added = "[{\"id\":6,\"content\":\"\u00c3a\"}]"},
        "token 6 is");
}

TEST(cut_files_are_refused)
{
    Buf b = {0};
    char path[600];
    Tokenizer *t;
    Err err = {0};

    compose(&b, &(Parts){.pre = NULL});
    for (size_t n = 0; n < b.n; n += 1 + n / 40) {
        Span cut = check_edge(span(b.p, n));
        CHECK_INT(ERR_DATA, tokenizer_parse(&t, cut, "cut", &err));
        check_edge_free(cut);
    }
    snprintf(path, sizeof path, "%s/tokenizer.json", check_tmpdir());
    CHECK_INT(ERR_SYS, tokenizer_load(&t, path, &err));
    CHECK_OK(store_write(path, buf_span(&b), &err), &err);
    CHECK_OK(tokenizer_load(&t, path, &err), &err);
    tokenizer_free(t);
    buf_clear(&b);
}
