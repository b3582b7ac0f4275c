/* llama.cpp's 46 cases for the DeepSeek-LLM vocabulary (ggml-org/llama.cpp, models/ggml-vocab-deepseek-llm.gguf.inp and .out), read from
 * the directory $TAMIS_VOCABULARIES with deepseek-llm.tokenizer.json; they are not part of this tree, so without it nothing is tested. */
#include "core/store.h"
#include "tests/check.h"
#include "tokenize/formats.h"

#include <stdlib.h>

static ErrCode read_named(const char *dir, const char *name, Buf *out, Err *err)
{
    char path[1000];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return store_read(path, TOKENIZER_MAX_BYTES, out, err);
}

/* The part of `text` before the next `mark`, and text moved behind it; false when nothing is left. */
static bool next_part(Span *text, Span mark, Span *part)
{
    size_t n = 0;

    if (!text->p) return false;
    while (n < text->n && !span_starts(span_from(*text, n), mark)) n++;
    *part = (Span){text->p, n};
    *text = n == text->n ? (Span){NULL, 0} : (Span){text->p + n + mark.n, text->n - n - mark.n};
    return true;
}

static int check_cases(Encoder *e, Span in, Span out)
{
    Buf ids = {0}, got = {0};
    Span text, want;
    Err err = {0};
    int n = 0;

    while (next_part(&in, SPAN_LIT("\n__ggml_vocab_test__\n"), &text) && next_part(&out, SPAN_LIT("\n"), &want)) {
        CHECK_OK(encode(e, text, false, &ids, &err), &err);
        buf_reset(&got);
        for (size_t i = 0; i < ids.n / 4; i++) buf_printf(&got, " %u", le32_get(ids.p + 4 * i)); /* on this machine */
        CHECK_SPAN(want, buf_span(&got));
        n += text.n > 0;
    }
    buf_clear(&ids);
    buf_clear(&got);
    return n;
}

TEST(llama_cpp_cases)
{
    const char *dir = getenv("TAMIS_VOCABULARIES");
    static const FormatHints none = {.special = NULL};
    Buf file = {0}, gguf = {0}, json = {0}, in = {0}, out = {0};
    Tokenizer *t[2];
    Encoder *e;
    Err err = {0};

    if (!dir) return;
    CHECK_OK(read_named(dir, "deepseek-llm.tokenizer.json", &file, &err), &err);
    CHECK_OK(read_named(dir, "llama.cpp-deepseek-llm.inp", &in, &err), &err);
    CHECK_OK(read_named(dir, "llama.cpp-deepseek-llm.out", &out, &err), &err);
    CHECK_OK(tokenizer_parse(&t[0], buf_span(&file), "deepseek-llm", &err), &err);
    CHECK_OK(gguf_write(t[0], &gguf, &err), &err);
    CHECK_OK(gguf_read("deepseek-llm", buf_span(&gguf), &none, &json, &err), &err);
    CHECK_OK(tokenizer_parse(&t[1], buf_span(&json), "deepseek-llm", &err), &err);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(encoder_new(&e, t[i], &err), &err);
        CHECK_INT(45, check_cases(e, buf_span(&in), buf_span(&out)));
        encoder_free(e);
        tokenizer_free(t[i]);
    }
    buf_clear(&file);
    buf_clear(&gguf);
    buf_clear(&json);
    buf_clear(&in);
    buf_clear(&out);
}
