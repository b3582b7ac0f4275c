/* core/spool.h - streams of bytes that grow side by side and are read one after another in the end. Memory holds the last bytes of
 * each, at most `room`; what came before lies in one scratch file that they share. */
#ifndef TAMIS_CORE_SPOOL_H
#define TAMIS_CORE_SPOOL_H

#include "core/bytes.h"
#include "core/err.h"

typedef struct Spool Spool;
/* room: bytes of a stream held in memory, at least 1; rounded down to a power of two. The scratch file is made in `dir` (borrowed, as
 * is `what`, which is for messages) when the first stream outgrows its room. */
MUST_USE ErrCode spool_new(Spool **s, uint32_t n_streams, size_t room, const char *dir, const char *what, Err *err);
void spool_free(Spool *s);
MUST_USE ErrCode spool_put(Spool *s, uint32_t stream, Span bytes, Err *err); /* appends */
uint64_t spool_bytes(const Spool *s, uint32_t stream);                       /* put so far */
uint64_t spool_held_bytes(const Spool *s);                                   /* of memory, by all streams */
/* Hands a stream over to fn in order, in pieces. The first failure of fn ends it. */
typedef ErrCode (*SpoolFn)(void *ctx, Span piece, Err *err);
MUST_USE ErrCode spool_each(const Spool *s, uint32_t stream, SpoolFn fn, void *ctx, Err *err);

#endif
