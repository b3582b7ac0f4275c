/* ingest/bodycoding.h - content codings whose library is met in one file each; gzip and deflate are core/gzip_in.h's.
 *
 * All append to `out`: BODY_CUT when the end is missing or wrong and what came before is there, BODY_FAILED when nothing
 * came, BODY_TOO_LARGE past `limit` bytes. */
#ifndef TAMIS_INGEST_BODYCODING_H
#define TAMIS_INGEST_BODYCODING_H

#include "core/gzip_in.h"

/* Brotli has no magic number: ask only for what is declared and is no text. */
BodyStatus brotli_body(Span in, size_t limit, Buf *out);

bool zstd_body_looks(Span in); /* by its magic number */
BodyStatus zstd_body(Span in, size_t limit, Buf *out);

#endif
