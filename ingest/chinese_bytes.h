/* ingest/chinese_bytes.h - GB18030 and Big5 (with Hong Kong's characters) to UTF-8 by tables of our own, several times as
 * fast as the C library's converters.
 *
 * What bytes mean is as in the WHATWG Encoding Standard, with the characters that GB 18030-2022 gives to pairs formerly
 * private; tools/gen_charset.py states where that differs from other tables. What is no character becomes one U+FFFD; a lead
 * byte before ASCII goes alone, so that no tag is eaten. */
#ifndef TAMIS_INGEST_CHINESE_BYTES_H
#define TAMIS_INGEST_CHINESE_BYTES_H

#include "core/buf.h"

/* Appends `in` in UTF-8 and adds to *n_replaced. Stops early once that exceeds max_replaced. Returns the bytes read. */
size_t gb18030_to_utf8(Span in, size_t max_replaced, Buf *out, size_t *n_replaced);
size_t big5_to_utf8(Span in, size_t max_replaced, Buf *out, size_t *n_replaced);

/* One character at p[0..n), n >= 1: its code point (the first of two, for four pairs of Big5), and its length; UTF8_BAD
 * for what is none. For those who look at a few. */
uint32_t gb18030_next(const uint8_t *p, size_t n, unsigned *length);
uint32_t big5_next(const uint8_t *p, size_t n, unsigned *length);

#endif
