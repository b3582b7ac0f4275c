/* ingest/cdxj.h - CDXJ indexes: which bytes of which archive hold a record.
 *
 * A line is a sort key and a timestamp, both without blanks, then a JSON object with "filename", "offset" and "length", numbers or strings of
 * digits; lines of Common Crawl's index server are the object alone. Lines that begin with '!' or ' ' or name no file are no entries. */
#ifndef TAMIS_INGEST_CDXJ_H
#define TAMIS_INGEST_CDXJ_H

#include "core/buf.h"

enum { CDXJ_MAX_NAME = 4 << 10 };

typedef struct {
    Span filename;
    uint64_t offset, length; /* length >= 1, and their sum is below 2^63 */
} CdxjEntry;

/* False: the line is no entry. The name points into the line or `scratch`. */
bool cdxj_line(Span line, Buf *scratch, CdxjEntry *out);

typedef struct {
    const char *file; /* in the arena it was made with */
    uint64_t offset, length;
} CdxjRange;
typedef struct {
    CdxjRange *range; /* by name and offset; no two overlap */
    size_t n, cap;
    uint64_t n_other;  /* lines that are neither entries nor empty */
    uint64_t n_inside; /* ranges that start inside of another */
} CdxjRanges;
/* Adds the entries of an index. */
MUST_USE ErrCode cdxj_add(CdxjRanges *r, Arena *names, Span text, Err *err);
/* Sorts them, and leaves of those that start at one place the longest and of those that overlap the first: a record read twice would be two
 * documents of one id. */
void cdxj_seal(CdxjRanges *r);
void cdxj_clear(CdxjRanges *r);

#endif
