/* ingest/http_body.c - transfer and content codings, undone where the bytes look like them. */
#include "ingest/bodycoding.h"
#include "ingest/http.h"

const char *const http_notes[HTTP_N_NOTES] = {"chunked", "gzip", "deflate", "br", "zstd", "not_coded", "cut"};

/* The size of a chunk: hexadecimal digits, blanks, an extension, a line end. *line_bytes takes them all in. */
static bool chunk_size(Span s, size_t *size, size_t *line_bytes)
{
    enum { MAX_LINE = 256, MAX_DIGITS = 16, MAX_SIZE = 0x7fffffff }; /* some servers pad with zeros */
    size_t n = span_find(span(s.p, s.n < MAX_LINE ? s.n : MAX_LINE), '\n'), digits = 0, v = 0;

    if (n == s.n || n == MAX_LINE) return false;
    while (digits < n && ascii_hex(s.p[digits]) >= 0) {
        if (digits == MAX_DIGITS) return false;
        v = v * 16 + (size_t)ascii_hex(s.p[digits++]);
        if (v > MAX_SIZE) return false;
    }
    size_t after = digits;
    while (after < n && (s.p[after] == ' ' || s.p[after] == '\t' || s.p[after] == '\r')) after++;
    if (digits == 0 || (after < n && s.p[after] != ';')) return false;
    *size = v;
    *line_bytes = n + 1;
    return true;
}

static bool at_line_end(Span s) { return s.n == 0 || s.p[0] == '\r' || s.p[0] == '\n'; }

/* Whether the first chunk is one: a line end behind it too, or the end. A page that starts with a number is none. */
static bool looks_chunked(Span in, size_t *size, size_t *line)
{
    if (!chunk_size(in, size, line)) return false;
    return *size > in.n - *line || at_line_end(span_from(in, *line + *size));
}

bool http_unchunk(Span in, Buf *out, bool *cut)
{
    size_t size, line;

    *cut = false;
    if (!looks_chunked(in, &size, &line)) return false;
    for (;;) {
        in = span_from(in, line);
        if (size == 0) return true;
        size_t n = size < in.n ? size : in.n;
        buf_put(out, in.p, n);
        in = span_from(in, n);
        while (in.n && (in.p[0] == '\r' || in.p[0] == '\n')) in = span_from(in, 1);
        if (!chunk_size(in, &size, &line)) { /* cut here, or wrong: the rest is lost */
            *cut = true;
            return true;
        }
    }
}

static bool looks_gzip(Span s) { return s.n >= 10 && s.p[0] == 0x1f && s.p[1] == 0x8b && s.p[2] == 8; }
/* CMF and FLG of RFC 1950: method 8, window at most 32 KiB, a multiple of 31, no preset dictionary. */
static bool looks_zlib(Span s)
{
    return s.n >= 6 && (s.p[0] & 15) == 8 && s.p[0] >> 4 <= 7 && (s.p[0] * 256 + s.p[1]) % 31 == 0 &&
           !(s.p[1] & 0x20);
}

/* Text as a crawler would store a decoded page: no NUL or other control bytes early on, or UTF-16 by its mark. */
static bool looks_text(Span s)
{
    size_t n = s.n < 256 ? s.n : 256;

    if (span_starts(s, SPAN_LIT("\xff\xfe")) || span_starts(s, SPAN_LIT("\xfe\xff"))) return true;
    for (size_t i = 0; i < n; i++)
        if (s.p[i] < 32 && !ascii_is_space(s.p[i]) && s.p[i] != 0x1b) return false;
    return true;
}

/* Most pages shrink to a tenth, deflate ends at 1:1032: what exceeds the ratio after the first MiB is a bomb. */
static size_t limit_of(Span in)
{
    enum { FREE = 1 << 20, RATIO = 200 };

    if (in.n <= FREE / RATIO) return FREE;
    return in.n < HTTP_MAX_BODY / RATIO ? in.n * RATIO : HTTP_MAX_BODY;
}

static bool named(Span name, const char *a, const char *b)
{
    return span_eq_nocase(name, span_str(a)) || (b && span_eq_nocase(name, span_str(b)));
}

/* Undoes one coding if the bytes look like it; says which. *out stays `in` when they do not. */
static BodyStatus undo(Span name, Span in, Buf *scratch, Span *out, HttpNote *which)
{
    BodyStatus got = BODY_FAILED;
    const size_t limit = limit_of(in);

    *out = in;
    buf_reset(scratch);
    if (looks_gzip(in)) { /* magic numbers beat the name */
        *which = HTTP_GZIP;
        got = inflate_body(in, CODING_GZIP, limit, scratch);
    } else if (zstd_body_looks(in)) {
        *which = HTTP_ZSTD;
        got = zstd_body(in, limit, scratch);
    } else if (looks_text(in)) {
        *which = HTTP_NOT_CODED;
        return BODY_FINE;
    } else if (named(name, "br", "x-br")) {
        *which = HTTP_BR;
        got = brotli_body(in, limit, scratch);
    } else if (looks_zlib(in)) {
        *which = HTTP_DEFLATE;
        got = inflate_body(in, CODING_ZLIB, limit, scratch);
    } else if (named(name, "deflate", "x-deflate")) {
        *which = HTTP_DEFLATE;
        got = inflate_body(in, CODING_RAW_DEFLATE, limit, scratch);
    }
    if (got == BODY_FINE || got == BODY_CUT) *out = buf_span(scratch);
    return got;
}

Span http_skip_blank(Span body)
{
    size_t n = 0;

    while (n < body.n && (body.p[n] == '\r' || body.p[n] == '\n' || body.p[n] == ' ' || body.p[n] == '\t')) n++;
    return n < body.n && body.p[n] == 0 ? body : span_from(body, n); /* UTF-16: half a blank stays */
}

BodyStatus http_body(const HttpResponse *r, Buf scratch[2], Span *out, unsigned *notes)
{
    int use = 0;
    bool cut;

    *out = r->body;
    *notes = 0;
    if (r->too_many_codings) return BODY_FAILED;
    if (r->chunked) {
        buf_reset(&scratch[use]);
        if (http_unchunk(http_skip_blank(*out), &scratch[use], &cut)) {
            *out = buf_span(&scratch[use]);
            *notes |= 1u << HTTP_CHUNKED | (unsigned)cut << HTTP_CUT;
            use = 1;
        } else {
            *notes |= 1u << HTTP_NOT_CODED;
        }
        if (scratch[0].oom) return BODY_NO_MEMORY;
    }
    for (int i = r->n_codings - 1; i >= 0; i--) {
        Span in = http_skip_blank(*out);
        HttpNote which = HTTP_N_NOTES;
        BodyStatus got = undo(r->coding[i], in, &scratch[use], out, &which);
        if (got != BODY_FINE && got != BODY_CUT) return got;
        *notes |= 1u << which | (unsigned)(got == BODY_CUT) << HTTP_CUT;
        if (out->p != in.p) use = 1 - use;
    }
    return out->n > HTTP_MAX_BODY ? BODY_TOO_LARGE : BODY_FINE;
}
