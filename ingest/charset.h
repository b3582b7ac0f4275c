/* ingest/charset.h - bytes of a page -> UTF-8.
 *
 * Order of evidence: byte order mark > the bytes are UTF-8 > Content-Type of HTTP > <meta> or <?xml in the first 8 KiB >
 * the detector (charset_detect.h). "Are UTF-8" allows one ill-formed sequence in 200: pages with a little noise are UTF-8
 * still, while text in another charset fails on nearly every character; ISO-2022-JP alone looks like ASCII, and is believed
 * where it is declared and its escapes are there. A declared charset must decode with at most one error in 200 characters,
 * and no other may read much better, else the next evidence is asked. Labels are those of the WHATWG encoding standard, so
 * gb2312 means GB18030, iso-8859-1 windows-1252, big5 with its Hong Kong characters. */
#ifndef TAMIS_INGEST_CHARSET_H
#define TAMIS_INGEST_CHARSET_H

#include "core/buf.h"

typedef struct Charset Charset; /* converters of one thread */
MUST_USE ErrCode charset_new(Charset **c, Err *err);
void charset_free(Charset *c);

enum {
    CHARSET_PRESCAN = 8 << 10, /* where <meta> is looked for: the standard says 1 KiB, pages put scripts before it */
    CHARSET_ERRORS_PER = 200   /* one error in so many characters is noise */
};

typedef struct {
    const char *name;  /* "utf-8", "gb18030", …: static, lower case */
    size_t n_chars;    /* non-ASCII ones */
    size_t n_replaced; /* ill-formed sequences that became U+FFFD */
} CharsetResult;

/* Appends `body` in UTF-8 without byte order mark to `out`. `http_label` may be empty. Errors: memory, or a converter that the
 * C library does not have (glibc keeps them in modules that small systems leave out). */
MUST_USE ErrCode charset_to_utf8(Charset *c, Span body, Span http_label, Buf *out, CharsetResult *result, Err *err);

/* The label in <meta charset>, <meta http-equiv … content> or <?xml encoding; empty when there is none. */
Span charset_of_markup(Span body);
/* The name of what a WHATWG label means; NULL for an unknown label. */
const char *charset_of_label(Span label);

#endif
