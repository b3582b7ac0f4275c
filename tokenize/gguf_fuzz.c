/* A GGUF file; what is accepted goes there and back and decodes. */
#include "tokenize/formats.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const FormatHints hints = {.pre_tokenizer = "deepseek-llm"};
    Buf json = {0}, again = {0};
    Tokenizer *t = NULL;

    if (n < 4 || memcmp(p, "GGUF", 4) != 0) return 0;
    if (gguf_read("input", span(p, n), &hints, &json, NULL) == ERR_OK &&
        tokenizer_parse(&t, buf_span(&json), "input", NULL) == ERR_OK) {
        buf_reset(&json);
        if (gguf_write(t, &again, NULL) == ERR_OK &&
            gguf_read("again", buf_span(&again), &hints, &json, NULL) != ERR_OK)
            abort();
        for (uint32_t id = 0; id < tokenizer_vocab_size(t); id++) (void)tokenizer_bytes(t, id);
    }
    tokenizer_free(t);
    buf_clear(&json);
    buf_clear(&again);
    return 0;
}
