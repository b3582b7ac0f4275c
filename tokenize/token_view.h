/* tokenize/token_view.h - a text drawn token by token. */
#ifndef TAMIS_TOKENIZE_TOKEN_VIEW_H
#define TAMIS_TOKENIZE_TOKEN_VIEW_H

#include "tokenize/tokenize.h"

typedef struct {
    bool color;     /* a background for each token, for terminals; else a bar between two */
    bool ids;       /* a line of ids below each line of tokens */
    size_t columns; /* with ids a line is that wide, or one token wider */
} TokenView;
#define TOKEN_VIEW_BAR "\u2502"

/* Writes the text to stdout, encoded as a whole, added tokens recognised. Bytes are escaped as token_escape() does, and a bar in the text
 * too; a new line begins behind a token that ends one. Bytes that have no token show as one whose id is
 * "-". Where the tokenizer normalizes, the normalized text is shown. */
MUST_USE ErrCode token_view(const TokenView *v, const Tokenizer *t, Span text, Err *err);

#endif
