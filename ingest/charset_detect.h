/* ingest/charset_detect.h - the charset of bytes by what they say when read in it. */
#ifndef TAMIS_INGEST_CHARSET_DETECT_H
#define TAMIS_INGEST_CHARSET_DETECT_H

#include "core/bytes.h"

enum { CHARSET_SAMPLE = 16 << 10 }; /* bytes of non-ASCII runs that are read at most */

/* The likeliest of GB18030, Big5, UTF-8, Shift_JIS, EUC-JP, EUC-KR and seven charsets of one byte a character; windows-1252
 * when all is ASCII. Names as of charset.h, static. */
const char *charset_detect(Span body);

/* Whether the bytes may be in the charset that is declared: no other of several bytes a character reads much better. True of
 * those that the detector does not know. */
bool charset_believable(Span body, const char *declared);

/* How unlikely a pair of GBK is in Chinese text: -log2 of its share. The pair is one. */
unsigned charset_gb_bits(uint8_t lead, uint8_t trail);

#endif
