/* core/counters.h - named statistics of a part: (group, name) -> documents and bytes. Private to core.
 * Addition is associative and the output sorted, so totals do not depend on who counted what. */
#ifndef TAMIS_CORE_COUNTERS_H
#define TAMIS_CORE_COUNTERS_H

#include "core/buf.h"
#include "core/json.h"

enum { COUNTERS_MAX_NAMES = 4096, COUNTERS_MAX_NAME_BYTES = 128 };

typedef struct {
    Span group, name; /* in the arena */
    uint64_t docs, bytes;
} Counter;
typedef struct {
    Counter *v; /* sorted by group, then name */
    size_t n, cap;
    Arena arena;
    bool oom;
} Counters;

/* A group holds COUNTERS_MAX_NAMES names, the rest is counted as "…"; names are cut at COUNTERS_MAX_NAME_BYTES, at a
 * character's edge. */
void counters_add(Counters *c, Span group, Span name, uint64_t docs, uint64_t bytes);
void counters_merge(Counters *into, const Counters *from);
void counters_reset(Counters *c);
void counters_clear(Counters *c);
/* {"GROUP":{"NAME":[docs,bytes]…}…} */
void counters_put_json(Buf *b, const Counters *c);
MUST_USE ErrCode counters_read_json(Counters *into, const Json *j, const char *name, Err *err);

#endif
