/* tokenize/nfc.h - Normalization Form C (Unicode Standard Annex 15), as the normalizer NFC of tokenizer.json: characters are decomposed,
 * marks put in order, composed again. The Unicode version is that of the reference (tokenize/nfc_tables.inc). Bytes that are no UTF-8
 * stay as they are and combine with nothing. */
#ifndef TAMIS_TOKENIZE_NFC_H
#define TAMIS_TOKENIZE_NFC_H

#include "core/buf.h"

/* Where the first place begins that has to be looked at; text.n when the text is in this form for certain, as nearly all is. */
size_t nfc_first(Span text);
/* The text in this form: itself, or in *buf, which is replaced. */
MUST_USE ErrCode nfc_text(Span text, Buf *buf, Span *out, Err *err);

#endif
