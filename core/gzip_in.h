/* core/gzip_in.h - gzip members one after the other: the only file that knows libdeflate's and zlib's whole-member and
 * streaming interfaces for archives. */
#ifndef TAMIS_CORE_GZIP_IN_H
#define TAMIS_CORE_GZIP_IN_H

#include "core/buf.h"
#include "core/member.h"

typedef struct GzipIn GzipIn;
MUST_USE ErrCode gzipin_new(GzipIn **g, Err *err);
void gzipin_free(GzipIn *g);

/* A member that lies whole in `in` and fits into out[0..cap): true, with the bytes read and written. */
bool gzipin_whole(GzipIn *g, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out);

/* The same in pieces: begin, then step until it is not MEMBER_MORE. */
void gzipin_begin(GzipIn *g);
/* Takes from `in`, gives at most cap bytes. */
MemberStep gzipin_step(GzipIn *g, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out);

/* What a peek reads: a header with a file name of 255 bytes, the largest description of a dynamic block (290 bytes) and
 * some. Without a bound, headers whose names never end cost a scan of the window each. */
enum { GZIP_PEEK_BYTES = 1 << 10 };
/* The first bytes of what a member at `in` holds, at most cap: *n of them, 0 when no member starts here. Errors: memory. */
MUST_USE ErrCode gzipin_peek(GzipIn *g, Span in, uint8_t *out, size_t cap, size_t *n, Err *err);

/* What became of a body's coding. */
typedef enum { BODY_FINE, BODY_CUT, BODY_FAILED, BODY_TOO_LARGE, BODY_NO_MEMORY } BodyStatus;

/* A content coding as HTTP uses it (RFC 9110 section 8.4.1): gzip, zlib or raw deflate, one run. Appends to `out` and fails
 * when not one byte came out; of a cut or corrupt one what came is kept (BODY_CUT). More than `limit` bytes are too large. */
typedef enum { CODING_GZIP, CODING_ZLIB, CODING_RAW_DEFLATE } DeflateCoding;
BodyStatus inflate_body(Span in, DeflateCoding coding, size_t limit, Buf *out);

#endif
