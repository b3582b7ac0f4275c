/* ingest/html_entity.h - character references of HTML: &name; &name &#123; &#x7b; (HTML standard, 13.2.5.72). */
#ifndef TAMIS_INGEST_HTML_ENTITY_H
#define TAMIS_INGEST_HTML_ENTITY_H

#include "core/bytes.h"

enum { HTML_ENTITY_BYTES = 6 }; /* of UTF-8 that a reference stands for, at most */

/* The reference that starts with the '&' at p: how many bytes it has, 0 when there is none and the '&' is text. Its UTF-8 goes to
 * `out`. The bytes from p on end with a NUL or whatever no reference holds. In an attribute an old name without its ';' is
 * no reference before '=', a letter or a digit: "?a=1&copy=2" is a link. */
size_t html_entity(const uint8_t *p, bool in_attribute, uint8_t out[HTML_ENTITY_BYTES], size_t *n_out);

#endif
