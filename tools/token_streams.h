/* tools/token_streams.h - the streams of a tokens directory: which domains the documents have, and what their streams are called. */
#ifndef TAMIS_TOOLS_TOKEN_STREAMS_H
#define TAMIS_TOOLS_TOKEN_STREAMS_H

#include "core/json.h"
#include "core/par.h"
#include "shards/shards.h"

typedef struct {
    Span domain;
    uint64_t n_docs, text_bytes;
    uint64_t n_tokens;              /* with the end of each document */
    uint64_t n_dropped;             /* documents beside n_docs that the pre-tokenizer gave up */
    char name[STREAM_NAME_MAX + 1]; /* after domainset_name() */
} DomainCount;

/* Whether a stream can be named after it: it has 1 to STREAM_NAME_MAX bytes, and no file of the directory is called so. */
bool domain_fits_stream(Span domain);

/* Domains met so far, sorted by their bytes. Zero-initialise. */
typedef struct {
    DomainCount *v;
    size_t n, cap, last; /* last: found last */
    Arena arena;
} DomainSet;
void domainset_clear(DomainSet *s);
/* The entry of a domain, added when it is new; valid until the next call. */
MUST_USE ErrCode domainset_at(DomainSet *s, Span domain, DomainCount **out, Err *err);
/* The index of a domain that is there, or SIZE_MAX. */
size_t domainset_find(const DomainSet *s, Span domain);
MUST_USE ErrCode domainset_merge(DomainSet *into, const DomainSet *from, Err *err);
/* As bytes, for files and other ranks: of each u32 bytes of the domain, the domain, u64 n_docs, text_bytes, n_tokens,
 * n_dropped. */
void domainset_put(const DomainSet *s, Buf *out);
/* Adds what such bytes say; they come out of `path`. */
MUST_USE ErrCode domainset_add(DomainSet *s, Span bytes, const char *path, Err *err);
/* Gives every domain the name of its stream. ERR_DATA when a domain cannot have one, when two would share one, or when it is
 * the name of a file of the directory. */
MUST_USE ErrCode domainset_name(DomainSet *s, Err *err);

/* The number of the shard whose file in a stream is called so: shard-NNNNNN.tok. */
enum { SHARD_FILE_NAME = 16 };
bool shard_number(Span name, uint64_t *n);

/* mixture.json again, canonical, its domains called as their streams are. `text` may be empty: then nothing is appended. */
MUST_USE ErrCode mixture_rename(Span text, const char *path, Buf *out, Err *err);

#endif
