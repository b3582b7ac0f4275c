/* tokenize/whole_words.h - `ignore_merges` of tokenizer.json: a pretoken that is in the vocabulary is that token, whatever merging would
 * make of it (huggingface/tokenizers, models/bpe/model.rs). Of most tokens merging makes just them; only those of which it does not
 * are kept, and where there are none the flag changes nothing. */
#ifndef TAMIS_TOKENIZE_WHOLE_WORDS_H
#define TAMIS_TOKENIZE_WHOLE_WORDS_H

#include "tokenize/tokenize.h"

typedef struct {
    uint32_t *slot; /* ids by the hash of their bytes, open addressing; NO_ID: empty */
    size_t mask;
} WholeWords;

/* Of a tokenizer whose merges and characters are there; NULL in *w when it has none. */
MUST_USE ErrCode wholewords_new(WholeWords **w, const Tokenizer *t, Err *err);
void wholewords_free(WholeWords *w);
/* The token that a pretoken is without merging, or NO_ID. */
uint32_t wholewords_find(const WholeWords *w, const Tokenizer *t, Span pretoken);

#endif
