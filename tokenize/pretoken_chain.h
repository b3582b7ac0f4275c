/* tokenize/pretoken_chain.h - the member "pre_tokenizer" of tokenizer.json as a list of splits; private to pretokenizer.c and
 * pretoken_regex.c. */
#ifndef TAMIS_TOKENIZE_PRETOKEN_CHAIN_H
#define TAMIS_TOKENIZE_PRETOKEN_CHAIN_H

#include "tokenize/pretoken.h"

/* Where a split cuts, of the matches of its pattern and what lies between them. */
typedef enum { SPLIT_ISOLATED, SPLIT_CONTIGUOUS, SPLIT_MERGED_WITH_PREVIOUS, SPLIT_MERGED_WITH_NEXT } SplitBehavior;

typedef struct {
    Span pattern; /* a regular expression as Oniguruma reads it, or a string; lives as long as the JSON */
    bool literal; /* it is a string */
    SplitBehavior behavior;
    bool invert; /* matches and what lies between them change places */
} PretokenStep;

enum { PRETOKEN_MAX_STEPS = 64 };

typedef struct {
    PretokenStep step[PRETOKEN_MAX_STEPS];
    size_t n;
} PretokenChain;

/* Nested sequences in one list; the ByteLevel that must end it is left out, its own regular expression is a step. ERR_DATA names what
 * cannot be followed. */
MUST_USE ErrCode pretokenchain_read(PretokenChain *c, const Json *pre_tokenizer, const char *name, Err *err);
bool pretokenchain_equal(const PretokenChain *a, const PretokenChain *b);

#endif
