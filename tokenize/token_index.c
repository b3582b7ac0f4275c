/* What is computed once a tokenizer is read, so that encoding need not. */
#include "tokenize/tokenizer.h"

#include <stdlib.h>

ErrCode tokenizer_index(Tokenizer *t, Err *err)
{
    ErrCode rc = tokenizer_rank_merges(t, err);

    if (rc == ERR_OK) rc = tokenizer_find_chars(t, err);
    if (rc == ERR_OK) rc = wholewords_new(&t->whole, t, err);
    if (rc == ERR_OK && !t->whole) rc = seams_new(&t->seams, t, err); /* a piece might be among the whole ones */
    return rc;
}

void tokenizer_index_clear(Tokenizer *t)
{
    mergeranks_clear(&t->ranks);
    wholewords_free(t->whole);
    seams_free(t->seams);
    free(t->char_id);
}
