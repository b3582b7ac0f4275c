#include "core/gzip_in.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <zlib.h>

struct GzipIn {
    struct libdeflate_decompressor *whole;
    z_stream z, peek;
};

enum { GZIP_WINDOW_BITS = 15 + 16 }; /* zlib's way to say: gzip header and trailer */

ErrCode gzipin_new(GzipIn **g, Err *err)
{
    *g = calloc(1, sizeof **g);
    if (!*g) return err_nomem(err, "a gzip reader");
    (*g)->whole = libdeflate_alloc_decompressor();
    if (!(*g)->whole || inflateInit2(&(*g)->z, GZIP_WINDOW_BITS) != Z_OK ||
        inflateInit2(&(*g)->peek, GZIP_WINDOW_BITS) != Z_OK) {
        gzipin_free(*g);
        *g = NULL;
        return err_nomem(err, "a gzip reader");
    }
    return ERR_OK;
}

void gzipin_free(GzipIn *g)
{
    if (!g) return;
    if (g->whole) libdeflate_free_decompressor(g->whole);
    inflateEnd(&g->z); /* which leaves one that was not begun alone */
    inflateEnd(&g->peek);
    free(g);
}

bool gzipin_whole(GzipIn *g, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out)
{
    return libdeflate_gzip_decompress_ex(g->whole, in.p, in.n, out, cap, n_in, n_out) == LIBDEFLATE_SUCCESS;
}

void gzipin_begin(GzipIn *g) { inflateReset(&g->z); }

/* zlib counts in unsigned int. */
static unsigned as_uint(size_t n) { return n > 1u << 30 ? 1u << 30 : (unsigned)n; }

MemberStep gzipin_step(GzipIn *g, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out)
{
    unsigned had_in = as_uint(in.n), had_out = as_uint(cap);

    g->z.next_in = (Bytef *)(uintptr_t)in.p;
    g->z.avail_in = had_in;
    g->z.next_out = out;
    g->z.avail_out = had_out;
    int rc = inflate(&g->z, Z_NO_FLUSH);
    *n_in = had_in - g->z.avail_in;
    *n_out = had_out - g->z.avail_out;
    switch (rc) {
    case Z_OK:
    case Z_BUF_ERROR: return MEMBER_MORE;
    case Z_STREAM_END: return MEMBER_END;
    case Z_MEM_ERROR: return MEMBER_NO_MEMORY;
    default: return MEMBER_BAD;
    }
}

ErrCode gzipin_peek(GzipIn *g, Span in, uint8_t *out, size_t cap, size_t *n, Err *err)
{
    static const uint8_t magic[3] = {0x1f, 0x8b, 8};
    z_stream *z = &g->peek;

    *n = 0;
    if (in.n < 18 || memcmp(in.p, magic, sizeof magic) != 0) return ERR_OK;
    inflateReset(z);
    z->next_in = (Bytef *)(uintptr_t)in.p;
    z->avail_in = in.n < GZIP_PEEK_BYTES ? (unsigned)in.n : GZIP_PEEK_BYTES;
    z->next_out = out;
    z->avail_out = as_uint(cap);
    if (inflate(z, Z_SYNC_FLUSH) == Z_MEM_ERROR) return err_nomem(err, "a gzip reader");
    *n = as_uint(cap) - z->avail_out;
    return ERR_OK;
}

BodyStatus inflate_body(Span in, DeflateCoding coding, size_t limit, Buf *out)
{
    enum { STEP = 64 << 10 };
    int bits = coding == CODING_GZIP ? GZIP_WINDOW_BITS : coding == CODING_ZLIB ? 15 : -15;
    size_t before = out->n, at = 0;
    z_stream z = {0};
    int rc = inflateInit2(&z, bits) == Z_OK ? Z_OK : Z_MEM_ERROR; /* nothing else fails with these arguments */

    while (rc == Z_OK && out->n - before <= limit && buf_reserve(out, STEP)) {
        unsigned had = as_uint(in.n - at);
        z.next_in = (Bytef *)(uintptr_t)(in.p + at);
        z.avail_in = had;
        z.next_out = out->p + out->n;
        z.avail_out = STEP;
        rc = inflate(&z, Z_NO_FLUSH);
        at += had - z.avail_in;
        out->n += STEP - z.avail_out;
        if (z.avail_out == STEP && z.avail_in == had) break; /* nothing moved: the input is cut */
        /* Several gzip members make one body (RFC 1952 section 2.2). */
        if (rc == Z_STREAM_END && coding == CODING_GZIP && in.n - at >= 18 && in.p[at] == 0x1f &&
            in.p[at + 1] == 0x8b)
            rc = inflateReset(&z);
    }
    inflateEnd(&z);
    if (rc == Z_MEM_ERROR || out->oom) return BODY_NO_MEMORY;
    if (out->n - before > limit) return BODY_TOO_LARGE;
    if (rc == Z_STREAM_END) return BODY_FINE;
    return out->n > before ? BODY_CUT : BODY_FAILED;
}
