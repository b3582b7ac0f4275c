/* shards/stream_names.h - streams by name, for the up to SHARD_MAX_STREAMS of a directory. Private to shards. */
#ifndef TAMIS_SHARDS_STREAM_NAMES_H
#define TAMIS_SHARDS_STREAM_NAMES_H

#include "core/buf.h"

typedef const char *(*StreamNameOf)(const void *ctx, uint32_t stream);

typedef struct {
    struct StreamByName {
        Span name; /* borrowed from name_of() */
        uint32_t stream;
    } * v; /* sorted by name, then stream */
    uint32_t n;
} StreamNames;

/* The names of streams 0 .. n - 1, sorted, in the arena. */
MUST_USE ErrCode streamnames_sort(StreamNames *names, Arena *a, StreamNameOf name_of, const void *ctx, uint32_t n,
                                  Err *err);
/* The stream of this name; with several, the first. */
bool streamnames_find(const StreamNames *names, Span name, uint32_t *stream);
/* A name that two streams have; NULL: none. */
const char *streamnames_twice(const StreamNames *names);

#endif
