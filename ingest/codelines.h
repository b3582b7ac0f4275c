/* ingest/codelines.h - lines of programs, which models of n-grams take for English (or for Ukrainian). */
#ifndef TAMIS_INGEST_CODELINES_H
#define TAMIS_INGEST_CODELINES_H

#include "core/bytes.h"

typedef enum {
    LINE_OTHER,
    LINE_PROSE,
    LINE_COMMENT,
    LINE_FENCED,
    LINE_CODE,
    LINE_N_KINDS
} LineKind; /* FENCED: an example within prose */

/* What goes from line to line; zero before the first. */
typedef struct {
    uint32_t comment; /* lines that one may still have */
    bool is_pod;      /* it ends with =cut, else with a star and a slash */
    bool fenced;      /* within ```, as blocks.h writes code of pages */
} CodeState;

/* Of one line, not empty and without the blanks around it. `is_han`: a third of its letters or more are Chinese characters. */
LineKind codeline_kind(CodeState *state, Span line, bool is_han);

#endif
