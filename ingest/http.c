#include "ingest/http.h"

#include <zstd.h>
#include <zstd_errors.h>

static bool starts_nocase(Span s, const char *prefix)
{
    Span p = span_str(prefix);

    return s.n >= p.n && span_eq_nocase(span(s.p, p.n), p);
}

/* "HTTP/1.1 200 OK"; the reason and even the version's minor may be missing. Returns 0 for a line that is none. */
static int status_of(Span line)
{
    size_t at = span_find(line, ' ');
    uint64_t status;

    if (!starts_nocase(line, "HTTP/")) return 0;
    Span rest = span_trim(span_from(line, at));
    if (rest.n < 3 || (rest.n > 3 && rest.p[3] != ' ') || !span_to_u64(span(rest.p, 3), &status)) return 0;
    return (int)status;
}

static void take_codings(HttpResponse *r, Span list)
{
    while (list.n) {
        size_t n = span_find(list, ',');
        Span name = span_trim(span(list.p, n));
        list = span_from(list, n + 1);
        if (name.n == 0 || span_eq_nocase(name, SPAN_LIT("identity"))) continue;
        if (r->n_codings == HTTP_MAX_CODINGS)
            r->too_many_codings = true;
        else
            r->content_coding[r->n_codings++] = name;
    }
}

static void take_header(HttpResponse *r, Span line)
{
    size_t colon = span_find(line, ':');

    if (colon == line.n) return; /* lines without a colon occur and mean nothing */
    Span name = span_trim(span(line.p, colon)), value = span_trim(span_from(line, colon + 1));
    if (span_eq_nocase(name, SPAN_LIT("Content-Type"))) {
        if (r->content_type.n == 0) r->content_type = value;
    } else if (span_eq_nocase(name, SPAN_LIT("Content-Encoding"))) {
        take_codings(r, value);
    } else if (span_eq_nocase(name, SPAN_LIT("Transfer-Encoding"))) {
        if (starts_nocase(value, "chunked")) r->chunked = true;
    } else if (span_eq_nocase(name, SPAN_LIT("Content-Language"))) {
        if (r->language.n == 0) r->language = value;
    }
}

bool http_parse(Span block, HttpResponse *r)
{
    size_t at = 0;

    *r = (HttpResponse){0};
    if (!starts_nocase(block, "HTTP/")) { /* crawls of files, and research sets that kept bodies alone */
        r->body = block;
        return true;
    }
    for (int line = 0; line < HTTP_MAX_LINES; line++) {
        Span rest = span_from(block, at);
        size_t n = span_find(rest, '\n');
        if (at + n > HTTP_MAX_HEAD) return false;
        Span text = span_trim(span(rest.p, n));
        if (line == 0 && (r->status = status_of(text)) == 0) return false;
        if (line > 0) take_header(r, text);
        at += n + 1;
        if (line > 0 && (text.n == 0 || n == rest.n)) {
            r->body = span_from(block, at);
            return true;
        }
        if (n == rest.n) return true; /* a status line and nothing else: an empty body */
    }
    return false;
}

/* The size of a chunk: hexadecimal digits, blanks, an extension, a line end. *line_bytes takes them all in. */
static bool chunk_size(Span s, size_t *size, size_t *line_bytes)
{
    enum { MAX_LINE = 256, MAX_DIGITS = 8 };
    size_t n = span_find(span(s.p, s.n < MAX_LINE ? s.n : MAX_LINE), '\n'), digits = 0, v = 0;

    if (n == s.n || n == MAX_LINE) return false;
    while (digits < n && ascii_hex(s.p[digits]) >= 0) {
        if (digits == MAX_DIGITS) return false;
        v = v * 16 + (size_t)ascii_hex(s.p[digits++]);
    }
    size_t after = digits;
    while (after < n && (s.p[after] == ' ' || s.p[after] == '\t' || s.p[after] == '\r')) after++;
    if (digits == 0 || (after < n && s.p[after] != ';')) return false;
    *size = v;
    *line_bytes = n + 1;
    return true;
}

bool http_unchunk(Span in, Buf *out)
{
    size_t size, line;

    if (!chunk_size(in, &size, &line)) return false;
    for (;;) {
        in = span_from(in, line);
        if (size == 0) return true;
        size_t n = size < in.n ? size : in.n;
        buf_put(out, in.p, n);
        in = span_from(in, n);
        while (in.n && (in.p[0] == '\r' || in.p[0] == '\n')) in = span_from(in, 1);
        if (!chunk_size(in, &size, &line)) return true; /* cut here, or wrong: the rest is lost */
    }
}

static bool looks_gzip(Span s) { return s.n >= 18 && s.p[0] == 0x1f && s.p[1] == 0x8b && s.p[2] == 8; }
/* CMF and FLG of RFC 1950: method 8, window at most 32 KiB, a multiple of 31, no preset dictionary. */
static bool looks_zlib(Span s)
{
    return s.n >= 6 && (s.p[0] & 15) == 8 && s.p[0] >> 4 <= 7 && (s.p[0] * 256 + s.p[1]) % 31 == 0 &&
           !(s.p[1] & 0x20);
}
static bool looks_zstd(Span s) { return s.n >= 8 && le32_get(s.p) == ZSTD_MAGICNUMBER; }

static BodyStatus unzstd(Span in, Buf *out)
{
    enum { STEP = 128 << 10 };
    ZSTD_DStream *d = ZSTD_createDStream();
    ZSTD_inBuffer from = {in.p, in.n, 0};
    size_t before = out->n, left = 1;

    if (!d) return BODY_NO_MEMORY;
    while (!ZSTD_isError(left) && out->n - before <= HTTP_MAX_BODY && buf_reserve(out, STEP)) {
        ZSTD_outBuffer to = {out->p + out->n, STEP, 0};
        left = ZSTD_decompressStream(d, &to, &from);
        out->n += to.pos;
        if (to.pos == 0 && from.pos == from.size) break;
    }
    ZSTD_freeDStream(d);
    if (out->oom || ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation) return BODY_NO_MEMORY;
    if (out->n - before > HTTP_MAX_BODY) return BODY_TOO_LARGE;
    return out->n > before ? BODY_FINE : BODY_FAILED;
}

/* Text as a crawler would store a decoded page: no NUL or other control bytes early on. */
static bool looks_text(Span s)
{
    size_t n = s.n < 256 ? s.n : 256;

    for (size_t i = 0; i < n; i++)
        if (s.p[i] < 32 && !ascii_is_space(s.p[i]) && s.p[i] != 0x1b) return false;
    return true;
}

/* Undoes one coding if the bytes look like it. *out stays `in` when they do not. */
static BodyStatus undo(Span name, Span in, Buf *scratch, Span *out)
{
    BodyStatus got = BODY_FAILED;

    *out = in;
    buf_reset(scratch);
    if (looks_gzip(in))
        got = inflate_body(in, CODING_GZIP, HTTP_MAX_BODY, scratch);
    else if (looks_zstd(in))
        got = unzstd(in, scratch);
    else if (looks_text(in))
        return BODY_FINE;
    else if (looks_zlib(in))
        got = inflate_body(in, CODING_ZLIB, HTTP_MAX_BODY, scratch);
    else if (span_eq_nocase(name, SPAN_LIT("deflate")))
        got = inflate_body(in, CODING_RAW_DEFLATE, HTTP_MAX_BODY, scratch);
    if (got == BODY_FINE) *out = buf_span(scratch);
    return got;
}

BodyStatus http_body(const HttpResponse *r, Buf scratch[2], Span *out)
{
    int use = 0;

    *out = r->body;
    if (r->too_many_codings) return BODY_FAILED;
    if (r->chunked) {
        buf_reset(&scratch[use]);
        if (http_unchunk(*out, &scratch[use])) {
            *out = buf_span(&scratch[use]);
            use = 1;
        }
        if (scratch[0].oom) return BODY_NO_MEMORY;
    }
    for (int i = r->n_codings - 1; i >= 0; i--) {
        Span in = *out;
        BodyStatus got = undo(r->content_coding[i], in, &scratch[use], out);
        if (got != BODY_FINE) return got;
        if (out->p != in.p) use = 1 - use;
    }
    return out->n > HTTP_MAX_BODY ? BODY_TOO_LARGE : BODY_FINE;
}

Span http_media_type(Span content_type)
{
    size_t n = 0;

    while (n < content_type.n && content_type.p[n] != ';' && content_type.p[n] != ',') n++;
    return span_trim(span(content_type.p, n));
}

Span http_parameter(Span content_type, const char *name)
{
    Span rest = span_from(content_type, span_find(content_type, ';') + 1);

    while (rest.n) {
        size_t n = span_find(rest, ';');
        Span item = span_trim(span(rest.p, n));
        size_t eq = span_find(item, '=');
        rest = span_from(rest, n + 1);
        if (eq == item.n || !span_eq_nocase(span_trim(span(item.p, eq)), span_str(name))) continue;
        Span v = span_trim(span_from(item, eq + 1));
        if (v.n && (v.p[0] == '"' || v.p[0] == '\'')) {
            uint8_t quote = v.p[0];
            v = span_from(v, 1);
            v.n = span_find(v, quote);
        }
        if (v.n) return v;
    }
    return (Span){NULL, 0};
}

const char *http_sniff_binary(Span body)
{
    static const struct {
        const char *magic;
        size_t n;
        const char *type;
    } kinds[] = {{"%PDF-", 5, "application/pdf"},
                 {"\x89PNG", 4, "image/png"},
                 {"GIF8", 4, "image/gif"},
                 {"\xff\xd8\xff", 3, "image/jpeg"},
                 {"PK\3\4", 4, "application/zip"},
                 {"\x1f\x8b\x08", 3, "application/gzip"},
                 {"Rar!", 4, "application/x-rar"},
                 {"7z\xbc\xaf", 4, "application/x-7z"},
                 {"ID3", 3, "audio/mpeg"},
                 {"\xd0\xcf\x11\xe0", 4, "application/x-ole"},
                 {"\x7f"
                  "ELF",
                  4, "application/x-elf"},
                 {"wOFF", 4, "font/woff"},
                 {"wOF2", 4, "font/woff2"},
                 {"OggS", 4, "audio/ogg"},
                 {"RIFF", 4, "audio/riff"},
                 {"CWS", 3, "application/x-flash"},
                 {"FWS", 3, "application/x-flash"}};
    enum { LOOK = 512 };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (span_starts(body, span(kinds[i].magic, kinds[i].n))) return kinds[i].type;
    if (body.n >= 2 && ((body.p[0] == 0xff && body.p[1] == 0xfe) || (body.p[0] == 0xfe && body.p[1] == 0xff)))
        return NULL; /* UTF-16 with its mark: full of NULs, and text */
    size_t n = body.n < LOOK ? body.n : LOOK, n_control = 0, n_pairs = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = body.p[i];
        n_control += c < 32 && !ascii_is_space(c) && c != 0x1b;
        n_pairs += c == 0 && i > 0 && body.p[i - 1] != 0;
    }
    if (n_pairs * 5 > n * 2) return NULL; /* every other byte a NUL: UTF-16 without a mark */
    return n >= 64 && n_control * 10 > n ? "application/octet-stream" : NULL;
}

bool http_sniff_html(Span body)
{
    enum { LOOK = 1024 };
    Span s = span_trim(span(body.p, body.n < LOOK ? body.n : LOOK));

    if (span_starts(s, SPAN_LIT("\xef\xbb\xbf"))) s = span_trim(span_from(s, 3));
    for (size_t i = 0; i < s.n; i++) {
        size_t skip = span_find(span_from(s, i), '<');
        i += skip;
        Span at = span_from(s, i);
        if (starts_nocase(at, "<html") || starts_nocase(at, "<!doctype html") || starts_nocase(at, "<head") ||
            starts_nocase(at, "<body") || starts_nocase(at, "<title"))
            return true;
    }
    return false;
}
