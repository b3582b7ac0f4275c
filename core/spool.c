#include "core/spool.h"

#include "core/buf.h"
#include "core/scratch.h"

#include <stdlib.h>

enum { SPOOL_READ = 256 << 10 }; /* bytes read back at a time */

/* Chunks of `room` bytes each lie in the scratch file, the rest in `tail`, which is never full. */
typedef struct {
    Buf tail;
    uint64_t *chunk; /* where in the scratch file */
    size_t n_chunks, cap_chunks;
} Stream;

struct Spool {
    const char *dir, *what;
    Scratch *scratch; /* NULL until needed */
    size_t room;
    uint32_t n;
    Stream stream[];
};

ErrCode spool_new(Spool **out, uint32_t n_streams, size_t room, const char *dir, const char *what, Err *err)
{
    Spool *s = calloc(1, sizeof *s + n_streams * sizeof *s->stream);

    *out = s;
    if (!s) return err_nomem(err, what);
    s->dir = dir;
    s->what = what;
    s->n = n_streams;
    for (s->room = 1; s->room <= room / 2;) s->room *= 2; /* a Buf of so many bytes has no more memory than them */
    return ERR_OK;
}

void spool_free(Spool *s)
{
    if (!s) return;
    for (uint32_t i = 0; i < s->n; i++) {
        buf_clear(&s->stream[i].tail);
        free(s->stream[i].chunk);
    }
    scratch_close(s->scratch);
    free(s);
}

static ErrCode spill(Spool *s, Stream *t, Err *err)
{
    if (t->n_chunks == t->cap_chunks) {
        uint64_t *more = array_grow(t->chunk, t->n_chunks, &t->cap_chunks, sizeof *more);
        if (!more) return err_nomem(err, s->what);
        t->chunk = more;
    }
    ErrCode rc = s->scratch ? ERR_OK : scratch_open(&s->scratch, s->dir, s->what, err);
    if (rc != ERR_OK) return rc;
    t->chunk[t->n_chunks] = scratch_size(s->scratch);
    if ((rc = scratch_put(s->scratch, t->tail.p, t->tail.n, err)) != ERR_OK) return rc;
    t->n_chunks++;
    buf_reset(&t->tail);
    return ERR_OK;
}

ErrCode spool_put(Spool *s, uint32_t stream, Span bytes, Err *err)
{
    Stream *t = &s->stream[stream];
    ErrCode rc = ERR_OK;

    while (bytes.n && rc == ERR_OK) {
        size_t free_bytes = s->room - t->tail.n, take = bytes.n < free_bytes ? bytes.n : free_bytes;
        buf_put(&t->tail, bytes.p, take);
        bytes = span_from(bytes, take);
        rc = buf_ok(&t->tail, s->what, err);
        if (rc == ERR_OK && t->tail.n == s->room) rc = spill(s, t, err);
    }
    return rc;
}

uint64_t spool_bytes(const Spool *s, uint32_t stream)
{
    return (uint64_t)s->stream[stream].n_chunks * s->room + s->stream[stream].tail.n;
}

uint64_t spool_held_bytes(const Spool *s)
{
    uint64_t n = sizeof *s + s->n * sizeof *s->stream;

    for (uint32_t i = 0; i < s->n; i++)
        n += s->stream[i].tail.cap + s->stream[i].cap_chunks * sizeof *s->stream[i].chunk;
    return n;
}

static ErrCode each_chunk(const Spool *s, const Stream *t, SpoolFn fn, void *ctx, Err *err)
{
    const size_t step = s->room < SPOOL_READ ? s->room : SPOOL_READ;
    uint8_t *piece = malloc(step);
    ErrCode rc = piece ? ERR_OK : err_nomem(err, s->what);

    for (size_t c = 0; c < t->n_chunks; c++)
        for (size_t at = 0; at < s->room && rc == ERR_OK; at += step) { /* both powers of two */
            rc = scratch_read(s->scratch, t->chunk[c] + at, piece, step, err);
            if (rc == ERR_OK) rc = fn(ctx, span(piece, step), err);
        }
    free(piece);
    return rc;
}

ErrCode spool_each(const Spool *s, uint32_t stream, SpoolFn fn, void *ctx, Err *err)
{
    const Stream *t = &s->stream[stream];
    ErrCode rc = t->n_chunks ? each_chunk(s, t, fn, ctx, err) : ERR_OK;

    return rc == ERR_OK && t->tail.n ? fn(ctx, buf_span(&t->tail), err) : rc;
}
