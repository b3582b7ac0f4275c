/* tokenize/token_counts.h - how many tokens texts become, by language and domain.
 *
 * A word is a run of letters, marks and digits of scripts that put blanks between words: not Han or kana. Fertility (Rust et al.,
 * "How Good is Your Tokenizer?", ACL 2021) is tokens per word: here the tokens that hold a byte of a word, over the words, so that it
 * means the same in a text of two languages; and likewise the tokens that hold a byte of a Han character, over these. */
#ifndef TAMIS_TOKENIZE_TOKEN_COUNTS_H
#define TAMIS_TOKENIZE_TOKEN_COUNTS_H

#include "tokenize/text_source.h"
#include "tokenize/tokenize.h"

typedef struct {
    uint64_t n_docs, text_bytes, n_tokens;
    uint64_t n_words, word_tokens;
    uint64_t n_han, han_tokens;
    uint64_t n_single; /* tokens of one byte */
} TokenCount;

enum { TOKENCOUNTS_MAX_NAMES = 1 << 16 }; /* languages, domains: beyond, they are no such thing */
typedef struct {
    Span name;
    TokenCount count;
} NamedCount;
typedef struct {
    NamedCount *v; /* by name, in order of bytes */
    size_t n, cap;
    Arena names;
} CountTable;

typedef struct {
    CountTable by_lang, by_domain;
    TokenCount all;
    uint64_t n_lost;    /* bytes that the vocabulary has no token for */
    uint64_t n_dropped; /* texts that a pre-tokenizer gave up, of any of the tokenizers */
    uint64_t *seen;     /* by id: how often */
    uint32_t n_ids;
} TokenCounts;

/* What each of the tokenizers t[0, n) makes of the texts: replaces out[0, n), to be cleared also after a failure. Special tokens in a
 * text are text, as in `tamis tokenize`. Sums: the same for any number of threads. */
MUST_USE ErrCode tokencounts_make(TokenCounts *out, Tokenizer *const *t, size_t n, const TextSource *source,
                                  Err *err);
void tokencounts_clear(TokenCounts *c);

/* a / b, 0 where b is. */
static inline double count_ratio(uint64_t a, uint64_t b) { return b ? (double)a / (double)b : 0; }

#endif
