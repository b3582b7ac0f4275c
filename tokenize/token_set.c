#include "tokenize/token_set.h"

#include "core/hash.h"

#include <stdlib.h>

enum { SET_MIN_BITS = 12 };

static uint64_t hash_of(Span token)
{
    uint64_t h = hash64(token);

    return h ? h : 1;
}

static size_t set_slot(const TokenSet *s, uint64_t hash)
{
    size_t mask = ((size_t)1 << s->bits) - 1, at = (size_t)hash & mask;

    while (s->hash[at] && s->hash[at] != hash) at = (at + 1) & mask;
    return at;
}

ErrCode tokenset_init(TokenSet *s, Err *err)
{
    *s = (TokenSet){.hash = calloc((size_t)1 << SET_MIN_BITS, sizeof *s->hash), .bits = SET_MIN_BITS};
    return s->hash ? ERR_OK : err_nomem(err, "a set of tokens");
}

void tokenset_clear(TokenSet *s)
{
    free(s->hash);
    *s = (TokenSet){0};
}

static ErrCode set_grow(TokenSet *s, Err *err)
{
    TokenSet grown = {.hash = calloc((size_t)2 << s->bits, sizeof *s->hash), .bits = s->bits + 1, .n = s->n};

    if (!grown.hash) return err_nomem(err, "a set of tokens");
    for (size_t i = 0; i < (size_t)1 << s->bits; i++)
        if (s->hash[i]) grown.hash[set_slot(&grown, s->hash[i])] = s->hash[i];
    free(s->hash);
    *s = grown;
    return ERR_OK;
}

ErrCode tokenset_add(TokenSet *s, Span token, Err *err)
{
    uint64_t h = hash_of(token);
    size_t at = set_slot(s, h);

    if (!token.n || s->hash[at]) return ERR_OK;
    s->hash[at] = h;
    return ++s->n > (size_t)1 << (s->bits - 1) ? set_grow(s, err) : ERR_OK;
}

bool tokenset_has(const TokenSet *s, Span token) { return token.n && s->hash[set_slot(s, hash_of(token))]; }
