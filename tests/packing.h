/* tests/packing.h - for tests: gzip members, zstd frames and WARC records made by hand. */
#ifndef TAMIS_TESTS_PACKING_H
#define TAMIS_TESTS_PACKING_H

#include "core/buf.h"

#include <stdlib.h>
#include <zlib.h>

/* Appends `raw` as one gzip member. */
static inline void pack_gzip(Buf *out, Span raw)
{
    z_stream z = {0};

    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) abort();
    size_t bound = deflateBound(&z, raw.n) + 32;
    if (!buf_reserve(out, bound)) abort();
    z.next_in = (Bytef *)(uintptr_t)raw.p;
    z.avail_in = (uInt)raw.n;
    z.next_out = out->p + out->n;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
    out->n += bound - z.avail_out;
    deflateEnd(&z);
}

/* Appends a record of a type; `declared` is its Content-Length, whatever the block has. */
static inline void pack_record(Buf *out, const char *type, const char *url, Span block, size_t declared)
{
    buf_printf(out, "WARC/1.0\r\nWARC-Type: %s\r\n", type);
    if (url) buf_printf(out, "WARC-Target-URI: %s\r\n", url);
    buf_printf(out, "WARC-Date: 2023-02-01T10:20:30Z\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
               !strcmp(type, "response") ? "application/http; msgtype=response" : "text/plain", declared);
    buf_put_span(out, block);
    buf_puts(out, "\r\n\r\n");
}

/* A page as a server sends it. */
static inline void pack_http(Buf *out, const char *content_type, Span body)
{
    buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", content_type, body.n);
    buf_put_span(out, body);
}

#endif
