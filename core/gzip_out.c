#include "core/gzip_out.h"

#include <libdeflate.h>

enum { LEVEL = 6 };

ErrCode gzipout_new(GzipOut **g, Err *err)
{
    *g = (GzipOut *)libdeflate_alloc_compressor(LEVEL);
    return *g ? ERR_OK : err_nomem(err, "a gzip writer");
}

void gzipout_free(GzipOut *g)
{
    if (g) libdeflate_free_compressor((struct libdeflate_compressor *)g);
}

ErrCode gzipout_member(GzipOut *g, Span s, Buf *out, Err *err)
{
    struct libdeflate_compressor *c = (struct libdeflate_compressor *)g;
    const size_t room = libdeflate_gzip_compress_bound(c, s.n);

    if (!buf_reserve(out, room)) return err_nomem(err, "a gzip member");
    out->n += libdeflate_gzip_compress(c, s.n ? s.p : (const uint8_t *)"", s.n, out->p + out->n, room);
    return ERR_OK;
}
