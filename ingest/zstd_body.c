/* ingest/zstd_body.c - zstd as a content coding (RFC 8878; RFC 9659 bounds its window to 8 MiB, servers exceed that). */
#include "ingest/bodycoding.h"

#include <zstd.h>
#include <zstd_errors.h>

bool zstd_body_looks(Span s) { return s.n >= 8 && le32_get(s.p) == ZSTD_MAGICNUMBER; }

BodyStatus zstd_body(Span in, size_t limit, Buf *out)
{
    enum { STEP = 128 << 10, MAX_WINDOW_LOG = 27 }; /* 128 MiB, what the library's tools allow unasked */
    ZSTD_DStream *d = ZSTD_createDStream();
    ZSTD_inBuffer from = {in.p, in.n, 0};
    size_t before = out->n, left = 1;

    if (!d) return BODY_NO_MEMORY;
    ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, MAX_WINDOW_LOG);
    while (!ZSTD_isError(left) && out->n - before <= limit && buf_reserve(out, STEP)) {
        ZSTD_outBuffer to = {out->p + out->n, STEP, 0};
        left = ZSTD_decompressStream(d, &to, &from);
        out->n += to.pos;
        if (from.pos == from.size && (left == 0 || to.pos < STEP)) break; /* another call would begin a frame */
    }
    ZSTD_freeDStream(d);
    if (out->oom || ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) return BODY_NO_MEMORY;
    if (out->n - before > limit) return BODY_TOO_LARGE;
    if (left == 0) return BODY_FINE;
    return out->n > before ? BODY_CUT : BODY_FAILED;
}
