#include "core/zstd_in.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { RAW_DICTIONARY = 0xEC30A437 };

struct ZstdIn {
    ZSTD_DCtx *frame, *peek;
    ZSTD_DDict *dictionary; /* NULL: none */
};

bool zstdin_is_magic(Span in)
{
    return in.n >= 4 && (le32_get(in.p) == ZSTD_MAGICNUMBER ||
                         (le32_get(in.p) & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START);
}

static ZSTD_DCtx *new_context(void)
{
    ZSTD_DCtx *c = ZSTD_createDCtx();

    /* A constant of the library's that is within its bounds cannot be refused. */
    if (c) (void)ZSTD_DCtx_setParameter(c, ZSTD_d_windowLogMax, ZSTDIN_MAX_WINDOW_LOG);
    return c;
}

ErrCode zstdin_new(ZstdIn **z, Err *err)
{
    *z = calloc(1, sizeof **z);
    if (!*z) return err_nomem(err, "a zstd reader");
    (*z)->frame = new_context();
    (*z)->peek = new_context();
    if ((*z)->frame && (*z)->peek) return ERR_OK;
    zstdin_free(*z);
    *z = NULL;
    return err_nomem(err, "a zstd reader");
}

void zstdin_free(ZstdIn *z)
{
    if (!z) return;
    ZSTD_freeDCtx(z->frame);
    ZSTD_freeDCtx(z->peek);
    ZSTD_freeDDict(z->dictionary);
    free(z);
}

/* Takes the dictionary's bytes as they are. */
static ErrCode load(ZstdIn *z, Span dictionary, bool *taken, Err *err)
{
    errno = 0; /* tables that are corrupt give NULL too, and only malloc() says which it was */
    z->dictionary = ZSTD_createDDict(dictionary.p, dictionary.n);
    if (!z->dictionary) return errno == ENOMEM ? err_nomem(err, "a zstd dictionary") : ERR_OK;
    (void)ZSTD_DCtx_refDDict(z->frame, z->dictionary); /* fails only in the middle of a frame */
    (void)ZSTD_DCtx_refDDict(z->peek, z->dictionary);
    *taken = true;
    return ERR_OK;
}

ErrCode zstdin_dictionary(ZstdIn *z, Span content, bool *taken, Err *err)
{
    *taken = false;
    if (content.n < 8 || content.n > ZSTDIN_MAX_DICTIONARY) return ERR_OK;
    if (le32_get(content.p) == (uint32_t)RAW_DICTIONARY) return load(z, content, taken, err);
    if (le32_get(content.p) != ZSTD_MAGICNUMBER) return ERR_OK;

    Buf raw = {0};
    ErrCode rc = ERR_OK;
    MemberStep step = MEMBER_MORE;
    zstdin_begin(z);
    while (step == MEMBER_MORE && raw.n <= ZSTDIN_MAX_DICTIONARY && rc == ERR_OK) {
        enum { STEP = 64 << 10 };
        size_t n_in = 0, n_out = 0;
        if (!buf_reserve(&raw, STEP)) {
            rc = err_nomem(err, "a zstd dictionary");
            break;
        }
        step = zstdin_step(z, content, raw.p + raw.n, STEP, &n_in, &n_out);
        content = span_from(content, n_in);
        raw.n += n_out;
        if (step == MEMBER_NO_MEMORY) rc = err_nomem(err, "a zstd dictionary");
        if (n_in == 0 && n_out == 0) break;
    }
    if (rc == ERR_OK && step == MEMBER_END && raw.n >= 8 && raw.n <= ZSTDIN_MAX_DICTIONARY &&
        le32_get(raw.p) == (uint32_t)RAW_DICTIONARY)
        rc = load(z, buf_span(&raw), taken, err);
    buf_clear(&raw);
    return rc;
}

void zstdin_begin(ZstdIn *z) { (void)ZSTD_DCtx_reset(z->frame, ZSTD_reset_session_only); }

static MemberStep step_with(ZSTD_DCtx *c, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out)
{
    ZSTD_inBuffer from = {in.p, in.n, 0};
    ZSTD_outBuffer to = {out, cap, 0};
    size_t rc = ZSTD_decompressStream(c, &to, &from);

    *n_in = from.pos;
    *n_out = to.pos;
    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation) return MEMBER_NO_MEMORY;
    return ZSTD_isError(rc) ? MEMBER_BAD : rc == 0 ? MEMBER_END : MEMBER_MORE;
}

MemberStep zstdin_step(ZstdIn *z, Span in, uint8_t *out, size_t cap, size_t *n_in, size_t *n_out)
{
    return step_with(z->frame, in, out, cap, n_in, n_out);
}

ErrCode zstdin_peek(ZstdIn *z, Span in, uint8_t *out, size_t cap, size_t *n, size_t *cost, Err *err)
{
    *n = *cost = 0;
    if (in.n < 4 || le32_get(in.p) != ZSTD_MAGICNUMBER) return ERR_OK;
    if (in.n > ZSTDIN_PEEK_BYTES) in.n = ZSTDIN_PEEK_BYTES;
    (void)ZSTD_DCtx_reset(z->peek, ZSTD_reset_session_only);
    return step_with(z->peek, in, out, cap, cost, n) == MEMBER_NO_MEMORY ? err_nomem(err, "a zstd reader") : ERR_OK;
}
