/* tokenize/token_set.h - the bytes of tokens, to ask whether a string is one. */
#ifndef TAMIS_TOKENIZE_TOKEN_SET_H
#define TAMIS_TOKENIZE_TOKEN_SET_H

#include "core/buf.h"

typedef struct {
    uint64_t *hash; /* XXH3-64, open addressing, at most half full; 0: empty */
    unsigned bits;
    size_t n;
} TokenSet;

MUST_USE ErrCode tokenset_init(TokenSet *s, Err *err);
void tokenset_clear(TokenSet *s);
/* Strings count as equal when their hashes are; empty ones are not kept. */
MUST_USE ErrCode tokenset_add(TokenSet *s, Span token, Err *err);
bool tokenset_has(const TokenSet *s, Span token);

#endif
