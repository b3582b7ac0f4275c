/* A tiktoken file; what is accepted and can be written comes back as the same lines. */
#include "tokenize/formats.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char *const special[] = {"<|x|>=300"};
    static const FormatHints hints = {.pre_tokenizer = "deepseek-llm", .special = special, .n_special = 1};
    Buf json = {0}, again = {0};
    Tokenizer *t = NULL;

    if (tiktoken_read("input", span(p, n), &hints, &json, NULL) == ERR_OK &&
        tokenizer_parse(&t, buf_span(&json), "input", NULL) == ERR_OK) {
        Tokenizer *back = NULL;
        buf_reset(&json);
        if (tiktoken_write(t, &again, NULL) == ERR_OK &&
            (tiktoken_read("again", buf_span(&again), &hints, &json, NULL) != ERR_OK ||
             tokenizer_parse(&back, buf_span(&json), "again", NULL) != ERR_OK ||
             !hash128_eq(tokenizer_id(t), tokenizer_id(back))))
            abort();
        tokenizer_free(back);
    }
    tokenizer_free(t);
    buf_clear(&json);
    buf_clear(&again);
    return 0;
}
