/* What is computed once a tokenizer is read, so that encoding need not. */
#include "tokenize/tokenizer.h"

#include <stdlib.h>

ErrCode tokenizer_index(Tokenizer *t, Err *err) { return tokenizer_find_chars(t, err); }

void tokenizer_index_clear(Tokenizer *t) { free(t->char_id); }
