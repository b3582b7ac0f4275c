/* ingest/ldtext.h - how much of a text also stands in the page's JSON-LD: publishers write whole articles, posts and descriptions there
 * (schema.org articleBody, text, description), and what is the same on the page is what they mean by it. */
#ifndef TAMIS_INGEST_LDTEXT_H
#define TAMIS_INGEST_LDTEXT_H

#include "core/bytes.h"
#include "core/err.h"

/* The windows of all long strings of one page; zero-initialise. */
typedef struct {
    uint8_t *seen; /* per hash of a window: bit 0 in any string, bit 1 in an articleBody */
    size_t cap;
    uint32_t mask;
    size_t bytes, body_bytes; /* of the long strings, of those that are an articleBody */
} LdText;
void ldtext_clear(LdText *x);

/* Takes the place of the last page's. `json_ld`: HtmlTree.json_ld. What is no JSON is passed over. Errors: memory. */
MUST_USE ErrCode ldtext_read(LdText *x, Span json_ld, Err *err);

/* Percent of the windows of `text` that stand in a long string, in an articleBody; both -1 where the page has no such string or the text no
 * whole window. */
typedef struct {
    int any, body;
} LdShare;
LdShare ldtext_share(const LdText *x, Span text);

#endif
