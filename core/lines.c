#include "core/lines.h"

#include "core/bytestream.h"

#include <inttypes.h>
#include <stdlib.h>

struct LineFile {
    const char *path;
    ByteStream *stream;
    uint64_t line, at; /* of the next block */
    bool soon;
};

ErrCode lines_are_packed(InFile *f, bool *packed, Err *err)
{
    uint8_t head[4];
    const size_t n = infile_size(f) < sizeof head ? (size_t)infile_size(f) : sizeof head;
    ErrCode rc = infile_read(f, 0, head, n, err);

    *packed = rc == ERR_OK && stream_coding_of((Span){head, n}) != STREAM_PLAIN;
    return rc;
}

ErrCode linefile_open(LineFile **out, const char *path, bool soon, Err *err)
{
    LineFile *f = calloc(1, sizeof *f);
    ErrCode rc;

    *out = NULL;
    if (!f) return err_nomem(err, "an input");
    const bool is_stdin = strcmp(path, "-") == 0;
    f->path = is_stdin ? "standard input" : path;
    f->soon = is_stdin && soon;
    rc = is_stdin ? stream_open_stdin(&f->stream, soon, false, err) : stream_open(&f->stream, path, 0, false, err);
    if (rc == ERR_OK)
        *out = f;
    else
        free(f);
    return rc;
}

void linefile_close(LineFile *f)
{
    if (!f) return;
    stream_close(f->stream);
    free(f);
}

/* ERR_DATA when the window ends where the file breaks off. */
static ErrCode check_break(const LineFile *f, Err *err)
{
    uint64_t stored;
    const StreamBreak brk = stream_break(f->stream, &stored);

    if (brk == STREAM_FINE) return ERR_OK;
    return err_set(err, ERR_DATA, "%s at %" PRIu64 ": %s", f->path, stored,
                   brk == STREAM_CUT ? "cut off in the middle of what is compressed" : "does not decompress");
}

/* Bytes of `v` up to its last line end, which counts. */
static size_t whole_lines(Span v)
{
    while (v.n && v.p[v.n - 1] != '\n') v.n--;
    return v.n;
}

/* Passes the rest of a line; its number is that of b. */
static ErrCode skip_line(LineFile *f, LineBlock *b, Err *err)
{
    ErrCode rc = ERR_OK;
    Span v = stream_view(f->stream);
    size_t n = span_find(v, '\n');

    while (rc == ERR_OK && n == v.n && v.n) {
        f->at += v.n;
        stream_skip(f->stream, v.n);
        rc = stream_need(f->stream, LINES_BLOCK_BYTES, err);
        v = stream_view(f->stream);
        n = span_find(v, '\n');
    }
    if (rc != ERR_OK || (v.n == 0 && (rc = check_break(f, err)) != ERR_OK)) return rc;
    n += n < v.n;
    f->at += n;
    stream_skip(f->stream, n);
    f->line++;
    b->too_long = true;
    return ERR_OK;
}

static uint64_t count_line_ends(Span s)
{
    const uint8_t *p = s.p, *end = p + s.n;
    uint64_t n = 0;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) n++, p++;
    return n;
}

ErrCode linefile_next(LineFile *f, LineBlock *b, bool *end, Err *err)
{
    size_t want = f->soon ? 1 : LINES_BLOCK_BYTES, n = 0, seen = 0;
    Span v;
    ErrCode rc;

    buf_recycle(&b->bytes);
    *b = (LineBlock){.bytes = b->bytes, .first_line = f->line, .begin = f->at};
    for (;;) { /* the window grows while it holds no line end */
        if ((rc = stream_need(f->stream, want, err)) != ERR_OK) return rc;
        v = stream_view(f->stream);
        if (v.n < want && (rc = check_break(f, err)) != ERR_OK) return rc;
        if ((n = whole_lines(span_from(v, seen))) > 0) n += seen;
        if (n > 0 || v.n < want || v.n > LINES_MAX_BYTES) break;
        seen = v.n;
        want = f->soon ? v.n + 1 : v.n < LINES_MAX_BYTES / 2 ? v.n * 2 : (size_t)LINES_MAX_BYTES + 1;
    }
    *end = v.n == 0;
    if (*end) return ERR_OK;
    if (v.n < want) n = v.n; /* to the end of the file */
    if (v.n > LINES_MAX_BYTES && span_find(v, '\n') > LINES_MAX_BYTES) return skip_line(f, b, err);
    buf_put(&b->bytes, v.p, n);
    f->at += n;
    f->line += count_line_ends(span(v.p, n)) + (v.p[n - 1] != '\n');
    stream_skip(f->stream, n);
    return buf_ok(&b->bytes, "a block of lines", err);
}

ErrCode linefiles_next(LineFiles *l, LineBlock *b, uint32_t *file, bool *end, Err *err)
{
    for (; l->at < l->end; l->at++) {
        ErrCode rc = l->file ? ERR_OK : linefile_open(&l->file, l->path[l->at], l->soon, err);
        bool file_end = false;
        if (rc == ERR_OK) rc = linefile_next(l->file, b, &file_end, err);
        *file = l->at;
        if (rc != ERR_OK || !file_end) return rc;
        linefiles_close(l);
    }
    *end = true;
    return ERR_OK;
}

void linefiles_close(LineFiles *l)
{
    linefile_close(l->file);
    l->file = NULL;
}

Span line_take(Span *rest)
{
    const size_t end = span_find(*rest, '\n');
    const Span line = {rest->p, end < rest->n ? end + 1 : rest->n};

    *rest = span_from(*rest, line.n);
    return line;
}
