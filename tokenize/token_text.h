/* tokenize/token_text.h - bytes of a token as a line of text that a person reads and a terminal survives. */
#ifndef TAMIS_TOKENIZE_TOKEN_TEXT_H
#define TAMIS_TOKENIZE_TOKEN_TEXT_H

#include "core/buf.h"

/* Appends the bytes: characters as they are; \n \r \t \\ and, of controls, characters that are not to be seen and what is no UTF-8,
 * every byte as \xHH. */
void token_escape(Buf *out, Span bytes);
/* The same between double quotes, the quote inside as \"; at most max_chars characters, the last one then being … */
void token_quote(Buf *out, Span bytes, size_t max_chars);
/* Appends what token_escape() or a shell gives: \n \r \t \\ \" \xHH are read, all else is itself. False: a lone \ or another letter. */
bool token_unescape(Buf *out, Span text);
/* Columns that the text takes on a terminal: 2 for Han, kana, Hangul and full-width forms, 0 for marks, else 1. */
size_t text_columns(Span text);

#endif
