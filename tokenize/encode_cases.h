/* tokenize/encode_cases.h - texts and tokenizers for the tests of the encoder. */
#ifndef TAMIS_TOKENIZE_ENCODE_CASES_H
#define TAMIS_TOKENIZE_ENCODE_CASES_H

#include "tests/check.h"
#include "tokenize/bpe_model.h"
#include "tokenize/encode_slow.h"

static const char *const unit[] = {"a",
                                   "b",
                                   "ab",
                                   " ",
                                   "  ",
                                   "\n",
                                   "the",
                                   " the",
                                   "ing",
                                   "\xc3\xa9",
                                   "\xe4\xb8\xad",
                                   "\xe6\x96\x87",
                                   "\xe5\xad\x97",
                                   "\xe3\x80\x82",
                                   "\xd7\xa9\xd7\x9c",
                                   "\xf0\x9f\x98\x80",
                                   "1",
                                   "!!",
                                   "\xc3\xbc",
                                   "<|end_of_text|>",
                                   "<|pad|>",
                                   "\xe0\x83\xa9", /* an overlong é */
                                   "\xa9\xe4",
                                   "\xed\xa0\x80"};
enum { N_UNITS = sizeof unit / sizeof *unit };

static inline void random_text(Buf *text, uint64_t seed, size_t n)
{
    buf_reset(text);
    for (size_t i = 0; i < n; i++) buf_puts(text, unit[mix64(seed << 20 | i) % N_UNITS]);
}

static inline Tokenizer *trained(const char *preset, uint32_t vocab_size)
{
    BpeParams p = *bpe_preset(preset);
    BpeCounter *words;
    Tokenizer *t;
    Buf text = {0}, json = {0};
    Err err = {0};

    p.vocab_size = vocab_size;
    CHECK_OK(bpecounter_new(&words, &pretokenizer_deepseek_llm, &err), &err);
    for (uint64_t seed = 0; seed < 200; seed++) {
        random_text(&text, seed, 80);
        CHECK_OK(bpecounter_feed(words, buf_span(&text), &err), &err);
    }
    CHECK_OK(bpe_train(&p, words, &json, &err), &err);
    CHECK_OK(tokenizer_parse(&t, buf_span(&json), "trained", &err), &err);
    bpecounter_free(words);
    buf_clear(&text);
    buf_clear(&json);
    return t;
}

/* Merges at random instead of trained ones, over the bytes of a few characters: most cross characters. */
static inline Tokenizer *random_merges(uint64_t seed)
{
    static const uint8_t alphabet[] = {'a',  0xA9, 0xAD, 0xC3,
                                       0xE4, 0x96, 0xB8}; /* by their characters, U+0096 being U+0118 */
    enum { N_ALPHABET = sizeof alphabet, N_MERGES = 40 };
    Merge merge[N_MERGES];
    uint8_t spelt[N_ALPHABET + N_MERGES][12];
    size_t n_bytes[N_ALPHABET + N_MERGES];
    BpeModel model = {.n_alphabet = N_ALPHABET, .merges = merge};
    Tokenizer *t = NULL;
    Buf json = {0};
    Err err = {0};
    uint32_t n = N_ALPHABET;

    memcpy(model.alphabet, alphabet, N_ALPHABET);
    for (uint32_t i = 0; i < n; i++) spelt[i][0] = alphabet[i], n_bytes[i] = 1;
    for (uint64_t draw = 0; draw < 400 && model.n_merges < N_MERGES; draw++) {
        uint32_t a = (uint32_t)(mix64(seed * 1000 + 2 * draw) % n),
                 b = (uint32_t)(mix64(seed * 1000 + 2 * draw + 1) % n);
        bool fresh = n_bytes[a] + n_bytes[b] <= 12;
        if (!fresh) continue;
        memcpy(spelt[n], spelt[a], n_bytes[a]);
        memcpy(spelt[n] + n_bytes[a], spelt[b], n_bytes[b]);
        n_bytes[n] = n_bytes[a] + n_bytes[b];
        for (uint32_t i = 0; i < n; i++) fresh &= !span_eq(span(spelt[i], n_bytes[i]), span(spelt[n], n_bytes[n]));
        if (fresh) merge[model.n_merges++] = (Merge){a, b}, n++;
    }
    CHECK_OK(bpe_model_json(&model, &(BpeParams){.pretokenizer = &pretokenizer_deepseek_llm}, &json, &err), &err);
    CHECK_OK(tokenizer_parse(&t, buf_span(&json), "random", &err), &err);
    buf_clear(&json);
    return t;
}

#endif
