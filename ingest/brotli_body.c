/* ingest/brotli_body.c - the only file that knows brotli (RFC 7932). */
#include "ingest/bodycoding.h"

#include <brotli/decode.h>

BodyStatus brotli_body(Span in, size_t limit, Buf *out)
{
    enum { STEP = 128 << 10 };
    BrotliDecoderState *d = BrotliDecoderCreateInstance(NULL, NULL, NULL); /* windows to 16 MiB, no "large window" */
    BrotliDecoderResult got = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    const uint8_t *from = in.p;
    size_t left = in.n, before = out->n;

    if (!d) return BODY_NO_MEMORY;
    while (got == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && out->n - before <= limit && buf_reserve(out, STEP)) {
        uint8_t *to = out->p + out->n;
        size_t room = STEP;
        got = BrotliDecoderDecompressStream(d, &left, &from, &room, &to, NULL);
        out->n += STEP - room;
    }
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(d);
    BrotliDecoderDestroyInstance(d);
    if (out->oom ||
        (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES && code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES))
        return BODY_NO_MEMORY;
    if (out->n - before > limit) return BODY_TOO_LARGE;
    if (got == BROTLI_DECODER_RESULT_SUCCESS) return BODY_FINE;
    return out->n > before ? BODY_CUT : BODY_FAILED;
}
