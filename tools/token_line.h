/* tools/token_line.h - a line of JSON Lines made elsewhere, as far as `tamis tokenize` wants it: the text, and what says whose it is. */
#ifndef TAMIS_TOOLS_TOKEN_LINE_H
#define TAMIS_TOOLS_TOKEN_LINE_H

#include "core/buf.h"

/* Why a line gives no document. */
typedef enum {
    LINE_TOO_LONG, /* beyond LINES_MAX_BYTES */
    LINE_BAD_JSON, /* not one JSON object in UTF-8 (a lone surrogate in an escape is not), or names one of our keys twice */
    LINE_NO_TEXT,    /* its "text" is absent or no string */
    LINE_EMPTY_TEXT, /* nothing but white space, where documents are wanted */
    LINE_N_REASONS
} LineReason;
extern const char *const line_reasons[LINE_N_REASONS];

typedef struct {
    Span text;
    Span domain, lang; /* absent (p NULL) where the line has none, or none that a stream or document can have */
    Span id;           /* raw JSON of its string or number; absent without */
} LineDoc;

/* LINE_N_REASONS: *out is valid until the next call with this scratch, or until `line` dies; scratch->oom is to be looked at. */
LineReason line_read(Buf *scratch, Span line, LineDoc *out);

#endif
