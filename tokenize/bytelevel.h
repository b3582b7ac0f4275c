/* tokenize/bytelevel.h - the byte-level alphabet of GPT-2 (openai/gpt-2, encoder.py, bytes_to_unicode): every byte is written as
 * one printable character in tokenizer.json. Bytes 33-126, 161-172 and 174-255 are themselves, the others U+0100 … U+0143 in
 * order. */
#ifndef TAMIS_TOKENIZE_BYTELEVEL_H
#define TAMIS_TOKENIZE_BYTELEVEL_H

#include "core/buf.h"

enum { BYTELEVEL_MAX_CP = 0x143 };

uint32_t bytelevel_cp(uint8_t byte);
/* The byte that a character stands for, or -1. */
int bytelevel_byte(uint32_t cp);
/* Appends the characters of the bytes, in UTF-8. */
void bytelevel_put(Buf *out, Span bytes);
/* Appends the bytes of the characters; false, and nothing appended, when one of them stands for none. */
bool bytelevel_read(Buf *out, Span text);

#endif
