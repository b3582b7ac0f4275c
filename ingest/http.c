#include "ingest/http.h"
#include "ingest/optout.h"

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

/* Adds the names of a list at place `at` of the codings, each behind the one before. */
static void take_codings(HttpResponse *r, Span list, int at)
{
    while (list.n) {
        size_t n = span_find(list, ',');
        Span name = span_trim(span(list.p, n));
        list = span_from(list, n + 1);
        if (name.n == 0 || span_eq_nocase(name, SPAN_LIT("identity"))) continue;
        if (r->n_codings == HTTP_MAX_CODINGS) {
            r->too_many_codings = true;
            return;
        }
        memmove(r->coding + at + 1, r->coding + at, (size_t)(r->n_codings - at) * sizeof *r->coding);
        r->coding[at++] = name;
        r->n_codings++;
    }
}

/* Transfer codings were applied last: they stand behind the content codings and are undone like them, but for chunked. */
static void take_transfer(HttpResponse *r, Span list)
{
    while (list.n) {
        size_t n = span_find(list, ',');
        Span name = span_trim(span(list.p, n));
        list = span_from(list, n + 1);
        if (starts_nocase(name, "chunked")) {
            r->chunked = true;
        } else {
            int before = r->n_codings;
            take_codings(r, name, r->n_codings);
            r->n_transfer += r->n_codings - before;
        }
    }
}

/* "type/subtype" at least; else a second Content-Type may be better. */
static bool is_media_type(Span value)
{
    Span type = http_media_type(value);
    size_t slash = span_find(type, '/');

    return slash > 0 && slash + 1 < type.n;
}

/* Of a header given twice the first valid value counts. Returns where a folded line is to be added, or NULL. */
static Span *take_header(HttpResponse *r, Span line)
{
    size_t colon = span_find(line, ':');

    if (colon == line.n) return NULL; /* lines without a colon occur and mean nothing */
    Span name = span_trim(span(line.p, colon)), value = span_trim(span_from(line, colon + 1));
    if (span_eq_nocase(name, SPAN_LIT("Content-Type"))) {
        if (is_media_type(r->content_type) || (r->content_type.n && !is_media_type(value))) return NULL;
        r->content_type = value;
        return &r->content_type;
    }
    if (span_eq_nocase(name, SPAN_LIT("Content-Encoding"))) {
        take_codings(r, value, r->n_codings - r->n_transfer);
    } else if (span_eq_nocase(name, SPAN_LIT("Transfer-Encoding"))) {
        take_transfer(r, value);
    } else if (span_eq_nocase(name, SPAN_LIT("Content-Language"))) {
        if (r->language.n == 0) r->language = value;
    } else if (span_eq_nocase(name, SPAN_LIT("X-Robots-Tag"))) {
        r->opt_out |= optout_of_header(value);
    } else if (span_eq_nocase(name, SPAN_LIT("tdm-reservation"))) {
        r->opt_out |= optout_of_meta(name, value);
    } else if (span_eq_nocase(name, SPAN_LIT("Content-Length"))) {
        if (!r->has_length) r->has_length = span_to_u64(value, &r->length);
    }
    return NULL;
}

/* Lines of a server's log before the head (cdxj-indexer issue 21): the head's offset in the first KiB, if a status line
 * comes before any markup; else 0. */
static size_t log_lines_before(Span block)
{
    enum { LOOK = 1024 };
    Span s = span(block.p, block.n < LOOK ? block.n : LOOK);

    for (size_t at = 0; at < s.n;) {
        Span rest = span_from(s, at);
        size_t n = span_find(rest, '\n');
        if (status_of(span_trim(span(rest.p, n)))) return at;
        if (span_find(span(rest.p, n), '<') < n) break;
        at += n + 1;
    }
    return 0;
}

bool http_parse(Span block, HttpResponse *r)
{
    size_t at = 0, begin;
    Span *folds = NULL;

    *r = (HttpResponse){0};
    if (!starts_nocase(block, "HTTP/")) { /* crawls of files, and research sets that kept bodies alone */
        begin = log_lines_before(block);
        r->body = block;
        if (begin == 0) return true;
        block = span_from(block, begin);
        r->body = (Span){NULL, 0};
    }
    for (int line = 0; line < HTTP_MAX_LINES; line++) {
        Span rest = span_from(block, at);
        size_t n = span_find(rest, '\n');
        if (at + n > HTTP_MAX_HEAD) return false;
        Span text = span_trim(span(rest.p, n));
        if (line == 0 && (r->status = status_of(text)) == 0) return false;
        if (line > 0 && text.n && (rest.p[0] == ' ' || rest.p[0] == '\t')) {
            if (folds && folds->n) folds->n = (size_t)(text.p + text.n - folds->p); /* RFC 9112 section 5.2 */
        } else if (line > 0) {
            folds = take_header(r, text);
        }
        at += n + 1;
        if (line > 0 && (text.n == 0 || n == rest.n)) {
            r->body = span_from(block, at);
            return true;
        }
        if (n == rest.n) return true; /* a status line and nothing else: an empty body */
    }
    return false;
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
        } else { /* two values joined by a proxy: "utf-8, text/html" */
            v.n = span_find(v, ',');
            v = span_trim(v);
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
                 {"FWS", 3, "application/x-flash"},
                 {"{\\rtf", 5, "application/rtf"},
                 {"%!PS", 4, "application/postscript"},
                 {"BZh", 3, "application/x-bzip2"},
                 {"\xfd"
                  "7zXZ",
                  5, "application/x-xz"},
                 {"\x28\xb5\x2f\xfd", 4, "application/zstd"},
                 {"\x1a\x45\xdf\xa3", 4, "video/webm"},
                 {"FLV\1", 4, "video/x-flv"},
                 {"II*\0", 4, "image/tiff"},
                 {"MM\0*", 4, "image/tiff"},
                 {"\0\0\1\0", 4, "image/x-icon"},
                 {"SQLite f", 8, "application/x-sqlite"}};
    enum { LOOK = 512 };

    body = http_skip_blank(body); /* CC-MAIN-2018-34 put a line end before every body */
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
