#include "core/lz4_in.h"

#include <lz4frame.h>
#include <stdlib.h>

struct Lz4In {
    LZ4F_dctx *ctx;
};

ErrCode lz4in_new(Lz4In **l, Err *err)
{
    *l = calloc(1, sizeof **l);
    if (*l && !LZ4F_isError(LZ4F_createDecompressionContext(&(*l)->ctx, LZ4F_VERSION))) return ERR_OK;
    free(*l);
    *l = NULL;
    return err_nomem(err, "an LZ4 reader");
}

void lz4in_free(Lz4In *l)
{
    if (!l) return;
    LZ4F_freeDecompressionContext(l->ctx);
    free(l);
}

void lz4in_begin(Lz4In *l) { LZ4F_resetDecompressionContext(l->ctx); }

MemberStep lz4in_step(Lz4In *l, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out)
{
    *n_in = in.n;
    *n_out = cap;
    size_t rc = LZ4F_decompress(l->ctx, out, n_out, in.p, n_in, NULL);
    if (!LZ4F_isError(rc)) return rc == 0 ? MEMBER_END : MEMBER_MORE;
    *n_in = *n_out = 0; /* the library does not say how far it came */
    return strcmp(LZ4F_getErrorName(rc), "ERROR_allocation_failed") == 0 ? MEMBER_NO_MEMORY : MEMBER_BAD;
}

/* Bytes of a frame's header; 0 when none starts here, or one that is refused. The header's checksum is not looked at: what follows it
 * tells more. */
static size_t header_bytes(Span in)
{
    enum { VERSION = 0xc0, VERSION_1 = 0x40, HAS_SIZE = 8, RESERVED = 2, HAS_DICTIONARY = 1, SMALLEST = 7 };

    if (in.n < SMALLEST || le32_get(in.p) != LZ4_MAGIC) return 0;
    uint8_t flags = in.p[4];
    if ((flags & VERSION) != VERSION_1 || (flags & (RESERVED | HAS_DICTIONARY))) return 0;
    return flags & HAS_SIZE ? SMALLEST + 8 : SMALLEST;
}

size_t lz4in_peek(Span in, uint8_t *out, size_t cap)
{
    enum { BLOCK_SIZE = 4, LONG_RUN = 15, ADDS_MORE = 255, MAX_ADDED = 4 };
    size_t at = header_bytes(in), run;

    if (at == 0 || in.n < at + BLOCK_SIZE + 1) return 0;
    uint32_t block = le32_get(in.p + at);
    at += BLOCK_SIZE;
    if (block >> 31) { /* stored as it is */
        run = block & 0x7fffffffu;
    } else {
        run = in.p[at++] >> 4;
        for (int i = 0; run >= LONG_RUN && i < MAX_ADDED && at < in.n; i++) {
            run += in.p[at];
            if (in.p[at++] != ADDS_MORE) break;
        }
    }
    if (run > cap) run = cap;
    if (run > in.n - at) run = in.n - at;
    if (run) memcpy(out, in.p + at, run);
    return run;
}
