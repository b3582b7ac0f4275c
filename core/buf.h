/* core/buf.h - a growing run of bytes, and an arena for many small allocations that die together.
 *
 * A Buf remembers a failed allocation (`oom`) and ignores what is put into it afterwards, so that a
 * writer of many small pieces checks once, with buf_ok(). */
#ifndef TAMIS_CORE_BUF_H
#define TAMIS_CORE_BUF_H

#include "core/bytes.h"
#include "core/err.h"

typedef struct {
    uint8_t *p;
    size_t n, cap;
    bool oom;
} Buf;

void buf_clear(Buf *b);                                            /* frees; *b is then an empty Buf */
static inline void buf_reset(Buf *b) { b->n = 0, b->oom = false; } /* keeps the memory */
/* The same, but gives back the memory of a buffer that one large document has grown past BUF_KEEP_BYTES. */
enum { BUF_KEEP_BYTES = 16 << 20 };
static inline void buf_recycle(Buf *b)
{
    if (b->cap > BUF_KEEP_BYTES) buf_clear(b);
    buf_reset(b);
}
bool buf_reserve(Buf *b, size_t more); /* room for `more` bytes past n; false: oom is set */
void buf_put(Buf *b, const void *p, size_t n);
void buf_puts(Buf *b, const char *s);
void buf_printf(Buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_put_u64(Buf *b, uint64_t v); /* decimal */
static inline void buf_putc(Buf *b, uint8_t c)
{
    if (b->n < b->cap || buf_reserve(b, 1)) b->p[b->n++] = c;
}
static inline void buf_put_span(Buf *b, Span s) { buf_put(b, s.p, s.n); }
static inline Span buf_span(const Buf *b) { return (Span){b->p, b->n}; }
/* ERR_NOMEM naming `what` when something was lost. */
MUST_USE ErrCode buf_ok(const Buf *b, const char *what, Err *err);
/* NUL-terminates (the NUL is not counted) and returns the bytes as a C string; NULL after oom. */
const char *buf_cstr(Buf *b);

/* An array of *cap elements, n of them in use: where it is once it has room for one more, *cap raised; NULL when there is no memory,
 * and the array is as it was. */
void *array_grow(void *array, size_t n, size_t *cap, size_t size);

/* Arena: allocations are freed together; memory is aligned to 16 bytes and not zeroed. */
typedef struct ArenaChunk ArenaChunk;
typedef struct {
    ArenaChunk *chunk; /* the newest, from which is allocated */
    size_t used_bytes; /* handed out since the last reset */
} Arena;

void *arena_alloc(Arena *a, size_t n);              /* NULL when there is no memory; n may be 0 */
void *arena_array(Arena *a, size_t n, size_t size); /* NULL on overflow too */
/* A copy with a NUL behind it; .p is NULL when there is no memory. */
Span arena_copy(Arena *a, Span s);
char *arena_str(Arena *a, Span s);
void arena_reset(Arena *a); /* forgets the allocations, keeps the largest chunk */
void arena_clear(Arena *a); /* frees everything */

#endif
