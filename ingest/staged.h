/* ingest/staged.h - remote inputs as local files: which ones are fetched ahead, from the parts that this process reads next. */
#ifndef TAMIS_INGEST_STAGED_H
#define TAMIS_INGEST_STAGED_H

#include "core/staging.h"
#include "ingest/inputs.h"

typedef struct Staged Staged;
/* *s NULL when no input is remote. `in` is borrowed. */
MUST_USE ErrCode staged_open(Staged **s, const Inputs *in, const StagingParams *params, Err *err);
void staged_close(Staged *s); /* NULL is fine */

/* The parts that will be read after this one. */
void staged_ahead(Staged *s, const uint32_t *parts, size_t n);
/* Where the input of a slice can be read: itself when it is local. Waits until it has come. `end` is the end of its part's slices, so that
 * those behind it are fetched ahead. */
MUST_USE ErrCode staged_take(Staged *s, const Inputs *in, uint32_t slice, uint32_t end, const char **local, Err *err);
void staged_done(Staged *s, const Inputs *in, uint32_t slice);

#endif
