/* The zstd half of core/part.h: lines to frames and back. The only file of core that meets libzstd. */
#include "core/part.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <zstd.h>

#include "core/part_file.h"

struct PartCoder {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
    Buf stored; /* a frame as it lies in the file */
};

enum { PART_MIN_LEVEL = -7, PART_MAX_LEVEL = 19 }; /* above 19 a reader needs more than the default window */

ErrCode partcoder_new(PartCoder **out, int level, Err *err)
{
    PartCoder *c = calloc(1, sizeof *c);

    *out = NULL;
    if (!c) return err_nomem(err, "a zstd coder");
    if (level < PART_MIN_LEVEL) level = PART_MIN_LEVEL;
    if (level > PART_MAX_LEVEL) level = PART_MAX_LEVEL;
    c->compress = ZSTD_createCCtx();
    c->decompress = ZSTD_createDCtx();
    if (!c->compress || !c->decompress ||
        ZSTD_isError(ZSTD_CCtx_setParameter(c->compress, ZSTD_c_compressionLevel, level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(c->compress, ZSTD_c_checksumFlag, 1))) {
        partcoder_free(c);
        return err_nomem(err, "a zstd coder");
    }
    *out = c;
    return ERR_OK;
}

void partcoder_free(PartCoder *c)
{
    if (!c) return;
    ZSTD_freeCCtx(c->compress);
    ZSTD_freeDCtx(c->decompress);
    buf_clear(&c->stored);
    free(c);
}

/* Bytes of the next frame: up to the last line end within PART_FRAME_BYTES, else one whole longer line. 0: the line
 * has no end. */
static size_t cut_frame(Span lines)
{
    size_t n = lines.n < PART_FRAME_BYTES ? lines.n : PART_FRAME_BYTES;

    while (n > 0 && lines.p[n - 1] != '\n') n--;
    if (n == 0 && lines.n > PART_FRAME_BYTES) {
        n = span_find(lines, '\n') + 1;
        if (n > lines.n) n = 0;
    }
    return n;
}

static size_t count_lines(Span text)
{
    size_t n = 0;

    for (const uint8_t *p = text.p, *end = text.p + text.n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n++;
    return n;
}

ErrCode partcoder_frames(PartCoder *c, Span lines, Buf *out, Buf *frames, Err *err)
{
    while (lines.n > 0) {
        size_t n = cut_frame(lines), bound;
        assert(n > 0 && "the caller gives whole lines");
        if (n > DOC_MAX_LINE)
            return err_set(err, ERR_LIMIT, "a document line of %zu bytes is beyond %d", n, DOC_MAX_LINE);
        bound = ZSTD_compressBound(n);
        if (!buf_reserve(out, bound)) return err_nomem(err, "a compressed frame");
        size_t stored = ZSTD_compress2(c->compress, out->p + out->n, bound, lines.p, n);
        if (ZSTD_isError(stored)) return err_set(err, ERR_NOMEM, "cannot compress: %s", ZSTD_getErrorName(stored));
        PartFrame f = {(uint32_t)stored, (uint32_t)n, (uint32_t)count_lines(span(lines.p, n))};
        out->n += stored;
        buf_put(frames, &f, sizeof f);
        lines = span_from(lines, n);
    }
    return buf_ok(frames, "the list of frames", err);
}

static ErrCode bad_frame(const PartFile *f, uint64_t offset, Err *err, const char *why)
{
    return err_set(err, ERR_DATA, "cannot read %s at %" PRIu64 ": %s", partfile_path(f), offset, why);
}

ErrCode partcoder_read(PartCoder *c, PartFile *f, uint32_t frame, Buf *text, Err *err)
{
    PartFrame want = partfile_frame(f, frame);
    uint64_t offset = partfile_offset(f, frame);
    ErrCode rc;

    buf_recycle(text);
    buf_recycle(&c->stored);
    if (!buf_reserve(&c->stored, want.stored_bytes)) return err_nomem(err, "a compressed frame");
    rc = infile_read(partfile_infile(f), offset, c->stored.p, want.stored_bytes, err);
    if (rc) return rc;
    /* The frame's own header must agree before it sizes anything: a damaged table shall not cost 256 MiB. */
    if (ZSTD_getFrameContentSize(c->stored.p, want.stored_bytes) != want.text_bytes)
        return bad_frame(f, offset, err, "the frame's size differs from the seek table");
    if (!buf_reserve(text, want.text_bytes)) return err_nomem(err, "a decompressed frame");
    size_t got = ZSTD_decompressDCtx(c->decompress, text->p, want.text_bytes, c->stored.p, want.stored_bytes);
    if (ZSTD_isError(got)) return bad_frame(f, offset, err, ZSTD_getErrorName(got));
    text->n = got;
    if (got != want.text_bytes || text->p[got - 1] != '\n' || count_lines(buf_span(text)) != want.n_lines)
        return bad_frame(f, offset, err, "the frame's lines differ from the table of records");
    return ERR_OK;
}
