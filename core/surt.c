#include "core/surt.h"

#include "core/idn.h"

#include <stdlib.h>

/* ---- escapes */

static int escaped_byte(Span s, size_t i)
{
    if (s.p[i] != '%' || s.n - i < 3 || ascii_hex(s.p[i + 1]) < 0 || ascii_hex(s.p[i + 2]) < 0) return -1;
    return ascii_hex(s.p[i + 1]) << 4 | ascii_hex(s.p[i + 2]);
}

/* Decodes in place until nothing is escaped, and lowers. Each byte that is decoded takes two off the length, so that going back to where a new
 * escape may begin costs no more than the text's length in all. */
static size_t unescape(uint8_t *p, size_t n)
{
    size_t to = 0;

    for (size_t i = 0; i < n; i++) {
        p[to++] = ascii_lower(p[i]);
        for (int c; to >= 3 && (c = escaped_byte(span(p, to), to - 3)) >= 0;) {
            to -= 2;
            p[to - 1] = ascii_lower((uint8_t)c);
        }
    }
    return to;
}

static void put_escaped(Buf *out, Span s)
{
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i];
        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '%')
            buf_printf(out, "%%%02x", c);
        else
            buf_putc(out, c);
    }
}

/* ---- the parts */

/* "www.", "www2." and the like, which name the same site. */
static Span without_www(Span host)
{
    size_t n = 3;

    if (!span_starts(host, SPAN_LIT("www"))) return host;
    while (n < host.n && ascii_is_digit(host.p[n])) n++;
    return n + 1 < host.n && host.p[n] == '.' ? span_from(host, n + 1) : host;
}

static void put_host(Buf *out, Span host)
{
    if (host.p[0] == '[') { /* an address has no labels */
        buf_put_span(out, span(host.p + 1, host.n - 2));
        return;
    }
    for (size_t end = host.n; end > 0;) {
        size_t from = end;
        while (from > 0 && host.p[from - 1] != '.') from--;
        put_escaped(out, span(host.p + from, end - from)); /* bytes that are no name */
        if (from) buf_putc(out, ',');
        end = from ? from - 1 : 0;
    }
}

/* Segments of p[0, n), which begins with '/', without dots; a slash ahead of each, none behind. */
static size_t resolve(uint8_t *p, size_t n)
{
    size_t to = 0;

    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && p[end] != '/';) end++;
        const Span piece = span(p + i + 1, end - i - 1);
        if (piece.n == 0 || span_is(piece, ".")) continue;
        if (span_is(piece, "..")) {
            while (to > 0 && p[--to] != '/') continue;
            continue;
        }
        memmove(p + to, p + i, end - i);
        to += end - i;
    }
    return to;
}

static bool all_alnum(Span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i])) return false;
    return true;
}

/* A parameter, or the end of a path, that is NAME= and the id of a session. */
static bool is_session(Span s)
{
    static const struct {
        const char *name;
        size_t letters, digits; /* letters behind the name, which differ; of the id */
    } ids[] = {{"jsessionid", 0, 32}, {"phpsessid", 0, 32}, {"sid", 0, 32}, {"aspsessionid", 8, 24}};
    const size_t equals = span_find(s, '=');

    for (size_t i = 0; i < sizeof ids / sizeof *ids && equals < s.n; i++) {
        const size_t n = strlen(ids[i].name);
        if (equals == n + ids[i].letters && span_starts(s, span_str(ids[i].name)) &&
            s.n - equals - 1 == ids[i].digits && all_alnum(span(s.p + n, ids[i].letters)) &&
            all_alnum(span_from(s, equals + 1)))
            return true;
    }
    return false;
}

static size_t without_path_session(Span path)
{
    size_t at = path.n;

    while (at > 0 && path.p[at - 1] != ';' && path.p[at - 1] != '/') at--;
    return at > 0 && path.p[at - 1] == ';' && is_session(span_from(path, at)) ? at - 1 : path.n;
}

static int by_name(const void *pa, const void *pb)
{
    const Span a = *(const Span *)pa, b = *(const Span *)pb;
    const size_t name_a = span_find(a, '='), name_b = span_find(b, '=');
    const int c = span_cmp(span(a.p, name_a), span(b.p, name_b));

    return c ? c : span_cmp(a, b);
}

static void put_query(Buf *out, Span query)
{
    enum { MAX_PARAMETERS = 512 }; /* of more the order stays */
    Span piece[MAX_PARAMETERS];
    size_t n = 0;
    bool first = true;

    for (Span rest = query; rest.p && n < MAX_PARAMETERS; n++) {
        const size_t end = span_find(rest, '&');
        piece[n] = span(rest.p, end);
        rest = end < rest.n ? span_from(rest, end + 1) : (Span){NULL, 0};
        if (rest.p && n + 1 == MAX_PARAMETERS) {
            buf_putc(out, '?');
            put_escaped(out, query);
            return;
        }
    }
    qsort(piece, n, sizeof *piece, by_name);
    for (size_t i = 0; i < n; i++) {
        if (is_session(piece[i]) || (n == 1 && piece[i].n == 0)) continue;
        buf_putc(out, first ? '?' : '&');
        put_escaped(out, piece[i]);
        first = false;
    }
}

/* The port as written, empty where it is the scheme's own. */
static Span port_of(Span url, Span authority)
{
    size_t from = authority.n;

    while (from > 0 && ascii_is_digit(authority.p[from - 1])) from--;
    if (from == 0 || authority.p[from - 1] != ':') return (Span){NULL, 0};
    const Span port = span_from(authority, from);
    return url_is_own_port(url, port) ? (Span){NULL, 0} : port;
}

static void put_surt(Buf *out, Span url, Span host)
{
    Span rest = span_from(url, span_find(url, ':') + 3);
    size_t n = 0;

    while (n < rest.n && !memchr("/?#\\", rest.p[n], 4)) n++;
    const Span port = port_of(url, span(rest.p, n));
    rest = span_from(rest, n);
    rest.n = span_find(rest, '#');
    put_host(out, without_www(host));
    if (port.n) buf_putc(out, ':');
    buf_put_span(out, port);
    buf_putc(out, ')');
    const size_t path_n = span_find(rest, '?');
    uint8_t *path = (uint8_t *)(uintptr_t)rest.p; /* the caller's own copy */
    size_t to = resolve(path, unescape(path, path_n));
    to = without_path_session(span(path, to));
    if (to == 0) buf_putc(out, '/');
    put_escaped(out, span(path, to));
    if (path_n < rest.n) put_query(out, span(path + path_n + 1, unescape(path + path_n + 1, rest.n - path_n - 1)));
}

bool url_surt(Buf *out, Span url)
{
    uint8_t bytes[2][URL_MAX_HOST];
    Buf copy = {0};
    const Span raw = url_host(url = span_trim(url), bytes[0]);

    if (!raw.p || !buf_reserve(&copy, url.n)) {
        out->oom |= copy.oom;
        return false;
    }
    const Span host = idn_ascii(raw, bytes[1]);
    for (size_t i = 0; i < url.n; i++) /* as browsers do with line ends inside */
        if (!memchr("\t\r\n", url.p[i], 3)) copy.p[copy.n++] = url.p[i];
    for (size_t i = 0; copy.p[i] != ':'; i++) copy.p[i] = ascii_lower(copy.p[i]);
    put_surt(out, buf_span(&copy), host);
    buf_clear(&copy);
    return true;
}
