#include "tokenize/encode_slow.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Encodes a text with whatever vocabulary was accepted: as the obvious encoder does, and what comes back is the text unless bytes
 * were lost. */
static void use(const Tokenizer *t, Span text)
{
    Buf ids = {0}, back = {0}, want = {0};
    Encoder *e;

    if (encoder_new(&e, t, NULL) != ERR_OK) return;
    for (EncodeMode mode = ENCODE_ALL; mode <= ENCODE_PLAIN; mode++) {
        if (encode_as(e, text, mode, &ids, NULL) != ERR_OK) continue;
        buf_reset(&back);
        if (decode(t, (const uint32_t *)(const void *)ids.p, ids.n / 4, false, &back, NULL) != ERR_OK) abort();
        if (back.n > text.n) abort();
        /* An added token may spell a token of the vocabulary, and then stands for other bytes than its own. */
        if (mode == ENCODE_PLAIN && encoder_n_lost(e) == 0 && !span_eq(buf_span(&back), text)) abort();
    }
    slow_encode(t, text, &want); /* ids are those of the last mode, ENCODE_PLAIN */
    if (!span_eq(buf_span(&want), buf_span(&ids))) abort();
    encoder_free(e);
    buf_clear(&want);
    buf_clear(&ids);
    buf_clear(&back);
}

/* In the input, PRE stands for the pre-tokenizer that is accepted: mutations would never keep it whole. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    Buf json = {0};
    Tokenizer *t;

    for (size_t i = 0; i < n; i++) {
        if (n - i >= 3 && memcmp(p + i, "PRE", 3) == 0)
            buf_put_span(&json, pretoken_spec()), i += 2;
        else
            buf_putc(&json, p[i]);
    }
    if (!json.oom && tokenizer_parse(&t, buf_span(&json), "input", NULL) == ERR_OK) {
        use(t, span(p, n < 300 ? n : 300));
        use(t, SPAN_LIT("abc ab\xe4\xb8\xad\xe4\xb8\x96\xe4\xb8 a\xc3\xa9 ab<|x|>abab \xff"));
        for (uint32_t id = 0; id < tokenizer_vocab_size(t); id++) (void)tokenizer_bytes(t, id);
        tokenizer_free(t);
    }
    buf_clear(&json);
    return 0;
}
