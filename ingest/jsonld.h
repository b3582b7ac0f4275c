/* ingest/jsonld.h - the strings of a page's JSON-LD (schema.org). Much of what pages have is not quite JSON: line ends stand in strings,
 * commas are missing; so strings are looked for and nothing else. HtmlTree.json_ld holds the scripts, each with a NUL behind it. */
#ifndef TAMIS_INGEST_JSONLD_H
#define TAMIS_INGEST_JSONLD_H

#include "core/bytes.h"

/* What is behind the string whose quote is at all.p[i]; *value is its bytes as they stand, escapes and all. One that is never closed ends
 * with its script. */
size_t jsonld_string(Span all, size_t i, Span *value);
/* Whether a string that ends at `i` is a key. */
bool jsonld_is_key(Span all, size_t i);
/* Goes on from *i to behind the next string that is no key; *key is the last key before it and stands from call to call. False: there is none. */
bool jsonld_next(Span all, size_t *i, Span *key, Span *value);

#endif
