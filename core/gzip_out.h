/* core/gzip_out.h - whole gzip members (RFC 1952) out of bytes in memory. libdeflate packs in gzip_out.c alone. */
#ifndef TAMIS_CORE_GZIP_OUT_H
#define TAMIS_CORE_GZIP_OUT_H

#include "core/buf.h"

typedef struct GzipOut GzipOut;
MUST_USE ErrCode gzipout_new(GzipOut **g, Err *err);
void gzipout_free(GzipOut *g);
/* Appends `s` as one member; equal bytes give equal members with one version of libdeflate. */
MUST_USE ErrCode gzipout_member(GzipOut *g, Span s, Buf *out, Err *err);

#endif
