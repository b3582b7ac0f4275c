/* tests/packing.h - for tests: gzip members, zstd and LZ4 frames, WARC and ARC records made by hand. */
#ifndef TAMIS_TESTS_PACKING_H
#define TAMIS_TESTS_PACKING_H

#include "core/buf.h"

#include <lz4frame.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

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

/* Appends `raw` as one zstd frame, with a dictionary unless that is empty. */
static inline void pack_zstd(Buf *out, Span raw, Span dictionary)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();

    if (!c || !buf_reserve(out, ZSTD_compressBound(raw.n))) abort();
    size_t n = ZSTD_compress_usingDict(c, out->p + out->n, ZSTD_compressBound(raw.n), raw.p, raw.n, dictionary.p,
                                       dictionary.n, 3);
    if (ZSTD_isError(n)) abort();
    out->n += n;
    ZSTD_freeCCtx(c);
}

/* Appends the first frame of a zstd WARC: `content` is its dictionary. */
static inline void pack_zstd_dictionary(Buf *out, Span content)
{
    uint8_t head[8];

    le32_put(head, 0x184D2A5D);
    le32_put(head + 4, (uint32_t)content.n);
    buf_put(out, head, sizeof head);
    buf_put_span(out, content);
}

/* Appends `raw` as one LZ4 frame, with all the checksums there are. */
static inline void pack_lz4(Buf *out, Span raw)
{
    LZ4F_preferences_t p = {.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
                                          .blockChecksumFlag = LZ4F_blockChecksumEnabled,
                                          .contentSize = raw.n}};

    if (!buf_reserve(out, LZ4F_compressFrameBound(raw.n, &p))) abort();
    size_t n = LZ4F_compressFrame(out->p + out->n, LZ4F_compressFrameBound(raw.n, &p), raw.p, raw.n, &p);
    if (LZ4F_isError(n)) abort();
    out->n += n;
}

/* Appends an ARC record, and the head of an ARC. */
static inline void pack_arc(Buf *out, const char *url, const char *type, Span block)
{
    buf_printf(out, "%s 192.0.2.7 20080430204825 %s %zu\n", url, type, block.n);
    buf_put_span(out, block);
    buf_putc(out, '\n');
}
static inline void pack_arc_version(Buf *out)
{
    pack_arc(out, "filedesc://made.arc", "text/plain",
             SPAN_LIT("1 0 Made Here\nURL IP-address Archive-date Content-type Archive-length\n"));
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
