/* tokenize/bpe_model.h - training from a list of words: what it starts from, and what it found before that becomes tokenizer.json. */
#ifndef TAMIS_TOKENIZE_BPE_MODEL_H
#define TAMIS_TOKENIZE_BPE_MODEL_H

#include "tokenize/tokenize.h"
#include "tokenize/word_list.h"

typedef struct {
    uint32_t left, right;
} Merge;

/* Ids: 0 .. n_alphabet - 1 are the bytes of `alphabet`, n_alphabet + r is the token of merge r. */
typedef struct {
    uint8_t alphabet[256]; /* sorted by the characters that stand for them */
    uint32_t n_alphabet;
    const Merge *merges;
    uint32_t n_merges;
} BpeModel;

typedef struct {
    const BpeParams *params;
    const Tokenizer *base;     /* goes on from its merges: the first new id is its vocab size; NULL: from bytes */
    const Tokenizer *extended; /* whose ignore_merges holds, also where training goes on; NULL: none */
    uint64_t memory;           /* for all that training takes; 0: what there is */
    int threads;
    ErrCode (*save)(void *ctx, const Buf *merges,
                    Err *err); /* called now and then, and after a signal; NULL: never */
    void *ctx;
    double save_seconds;
} BpeTask;

/* The bytes that are tokens from the beginning. */
void bpe_alphabet(const BpeParams *params, const WordList *words, BpeModel *model);
/* Appends the merges found (Merge) to *merges until there are params->vocab_size ids. Takes the words: they are gone afterwards. Without a
 * base the ids are those of bpe_alphabet(). */
MUST_USE ErrCode bpe_learn(const BpeTask *task, WordList *words, Buf *merges, Err *err);
/* Symbols of a word list that can be trained on with so much memory. */
uint64_t bpe_max_symbols(uint64_t memory);
unsigned bpe_symbol_bytes(void); /* what it takes for each */

/* Appends tokenizer.json as HuggingFace `tokenizers` saves it with pretty=True. */
MUST_USE ErrCode bpe_model_json(const BpeModel *model, const BpeParams *params, Buf *out, Err *err);

/* Appends the tokenizer.json `base`, parsed as `t`, with more merges, whose ids follow those of t; all else stays. */
MUST_USE ErrCode bpe_extended_json(Span base, const Tokenizer *t, const char *name, const Buf *merges, Buf *out,
                                   Err *err);

#endif
