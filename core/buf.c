#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_clear(Buf *b)
{
    free(b->p);
    *b = (Buf){0};
}

bool buf_reserve(Buf *b, size_t more)
{
    size_t need, cap;

    if (b->oom) return false;
    if (more <= b->cap - b->n) return true;
    if (!size_add(b->n, more, &need)) goto oom;
    cap = b->cap < 256 ? 256 : b->cap;
    while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    uint8_t *p = realloc(b->p, cap);
    if (!p) goto oom;
    b->p = p;
    b->cap = cap;
    return true;
oom:
    b->oom = true;
    return false;
}

void buf_put(Buf *b, const void *p, size_t n)
{
    if (n == 0 || (n > b->cap - b->n && !buf_reserve(b, n)) || b->oom) return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void buf_puts(Buf *b, const char *s) { buf_put(b, s, strlen(s)); }

void buf_printf(Buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0 && buf_reserve(b, (size_t)n + 1)) {
        vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_put_u64(Buf *b, uint64_t v)
{
    uint8_t digits[20];
    size_t at = sizeof digits;

    do digits[--at] = (uint8_t)('0' + v % 10);
    while (v /= 10);
    buf_put(b, digits + at, sizeof digits - at);
}

ErrCode buf_ok(const Buf *b, const char *what, Err *err) { return b->oom ? err_nomem(err, what) : ERR_OK; }

const char *buf_cstr(Buf *b)
{
    if (!buf_reserve(b, 1)) return NULL;
    b->p[b->n] = 0;
    return (const char *)b->p;
}

void *array_grow(void *array, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 16, bytes;

    if (n < *cap) return array;
    void *grown = *cap <= SIZE_MAX / 2 && size_mul(more, size, &bytes) ? realloc(array, bytes) : NULL;
    if (grown) *cap = more;
    return grown;
}

/* A chunk header is padded to 16 bytes so that what follows it is aligned. */
struct ArenaChunk {
    ArenaChunk *older;
    size_t cap, used;
    size_t pad;
};

enum { ARENA_FIRST = 16 << 10 };

void *arena_alloc(Arena *a, size_t n)
{
    size_t need, total;

    if (!size_add(n, 15, &need)) return NULL;
    need &= ~(size_t)15;
    if (need == 0) need = 16;
    if (!a->chunk || need > a->chunk->cap - a->chunk->used) {
        size_t cap = a->chunk ? a->chunk->cap * 2 : ARENA_FIRST;
        if (cap < need) cap = need;
        if (!size_add(cap, sizeof(ArenaChunk), &total)) return NULL;
        ArenaChunk *c = malloc(total);
        if (!c) return NULL;
        *c = (ArenaChunk){.older = a->chunk, .cap = cap};
        a->chunk = c;
    }
    void *p = (uint8_t *)(a->chunk + 1) + a->chunk->used;
    a->chunk->used += need;
    a->used_bytes += need;
    return p;
}

void *arena_array(Arena *a, size_t n, size_t size)
{
    size_t bytes;

    return size_mul(n, size, &bytes) ? arena_alloc(a, bytes) : NULL;
}

Span arena_copy(Arena *a, Span s)
{
    size_t n;
    uint8_t *p = size_add(s.n, 1, &n) ? arena_alloc(a, n) : NULL;

    if (!p) return (Span){NULL, 0};
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (Span){p, s.n};
}

char *arena_str(Arena *a, Span s)
{
    Span c = arena_copy(a, s);

    return (char *)(uintptr_t)c.p;
}

static void free_chain(ArenaChunk *c)
{
    while (c) {
        ArenaChunk *older = c->older;
        free(c);
        c = older;
    }
}

void arena_reset(Arena *a)
{
    if (!a->chunk) return;
    free_chain(a->chunk->older);
    a->chunk->older = NULL;
    a->chunk->used = 0;
    a->used_bytes = 0;
}

void arena_clear(Arena *a)
{
    free_chain(a->chunk);
    *a = (Arena){0};
}
