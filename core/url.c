/* core/url.c - hosts out of URLs, and the form in which URLs are compared. */
#include "core/url.h"

/* What a byte may be. UNRESERVED: of RFC 3986, 2.3. PLAIN: stands in a path or query as it is, and says nothing there that this file asks for. HOST:
 * of a host. ENDS: behind the authority; a backslash is read as a slash by browsers. */
enum { UNRESERVED = 1, PLAIN = 2, HOST = 4, ENDS = 8 };
/* clang-format off */
static const uint8_t class_of[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 6, 2, 12, 6, 0, 6, 6, 6, 6, 6, 6, 6, 7, 7, 14, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 6, 2, 6, 2, 14,
    2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 12, 2, 2, 7,
    2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 2, 2, 7, 0,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4};
/* clang-format on */

/* Bytes of `scheme://` at the front, 0 when it is not there. */
static size_t scheme_end(Span url)
{
    size_t n = 0;

    while (n < url.n && (ascii_is_alnum(url.p[n]) || url.p[n] == '+' || url.p[n] == '-' || url.p[n] == '.')) n++;
    if (n == 0 || !ascii_is_alpha(url.p[0]) || !span_starts(span_from(url, n), SPAN_LIT("://"))) return 0;
    return n + 3;
}

static Span authority_of(Span rest)
{
    size_t n = 0;

    while (n < rest.n && !(class_of[rest.p[n]] & ENDS)) n++;
    return span(rest.p, n);
}

static bool is_port(Span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_digit(s.p[i])) return false;
    return true; /* an empty one is allowed */
}

/* Cuts the port off; false when what follows the host is none. */
static bool cut_port(Span *host)
{
    size_t colon = span_find(*host, ':');

    if (host->n && host->p[0] == '[') {
        size_t end = span_find(*host, ']');
        if (end == host->n || end == 1) return false;
        colon = end + 1;
        if (colon < host->n && host->p[colon] != ':') return false;
    }
    if (colon < host->n && !is_port(span_from(*host, colon + 1))) return false;
    host->n = colon;
    return true;
}

static bool is_address_byte(uint8_t c) { return ascii_hex(c) >= 0 || c == ':' || c == '.' || c == '[' || c == ']'; }

static Span without_user(Span authority)
{
    size_t user = authority.n;

    while (user > 0 && authority.p[user - 1] != '@') user--; /* behind the last '@' */
    return span_from(authority, user);
}

Span url_host(Span url, uint8_t out[URL_MAX_HOST])
{
    const Span none = {NULL, 0};
    size_t from = scheme_end(url);

    if (from == 0) return none;
    Span host = without_user(authority_of(span_from(url, from)));
    if (!cut_port(&host)) return none;
    if (host.n && host.p[host.n - 1] == '.') host.n--;
    if (host.n == 0 || host.n > URL_MAX_HOST || host.p[0] == '.') return none;
    const bool bracketed = host.p[0] == '[';
    for (size_t i = 0; i < host.n; i++) {
        if (!(bracketed ? is_address_byte(host.p[i]) : class_of[host.p[i]] & HOST)) return none;
        out[i] = ascii_lower(host.p[i]);
    }
    return span(out, host.n);
}

/* --- comparing */

/* Parameters that say whence a visitor came or who he is, never which page; from the documentation of those who append them: Google
 * Analytics and Ads, Meta, Microsoft, X, TikTok, Yandex, Mailchimp, HubSpot, Marketo, Matomo, Alibaba; session ids of PHP and Java. */
static bool is_tracking(Span name)
{
    static const struct {
        uint8_t n;
        char s[12];
    } names[] = {{6, "fbclid"}, {5, "gclid"},  {6, "gclsrc"}, {5, "dclid"},     {6, "gbraid"},
                 {6, "wbraid"}, {3, "_ga"},    {3, "_gl"},    {7, "msclkid"},   {6, "twclid"},
                 {6, "ttclid"}, {5, "yclid"},  {6, "ysclid"}, {6, "igshid"},    {6, "mc_cid"},
                 {6, "mc_eid"}, {6, "_hsenc"}, {5, "_hsmi"},  {7, "mkt_tok"},   {11, "pk_campaign"},
                 {6, "pk_kwd"}, {3, "spm"},    {3, "scm"},    {9, "phpsessid"}, {10, "jsessionid"}};

    if (name.n > 4 && name.p[3] == '_' && span_eq_nocase(span(name.p, 4), SPAN_LIT("utm_"))) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (name.n == names[i].n && ascii_lower(name.p[0]) == (uint8_t)names[i].s[0] &&
            span_eq_nocase(name, span((const uint8_t *)names[i].s, names[i].n)))
            return true;
    return false;
}

static uint8_t *put_encoded(uint8_t *to, uint8_t c)
{
    static const char hex[] = "0123456789ABCDEF";

    *to++ = '%';
    *to++ = (uint8_t)hex[c >> 4];
    *to++ = (uint8_t)hex[c & 15];
    return to;
}

/* Path and query up to the fragment, each byte in the one way it is written. */
static void put_rest(Buf *out, Span rest)
{
    rest.n = span_find(rest, '#');
    const size_t path_n = span_find(rest, '?');
    if (!buf_reserve(out, 3 * rest.n + 1)) return;
    uint8_t *to = out->p + out->n;
    if (rest.n == 0 || (rest.p[0] != '/' && rest.p[0] != '\\')) *to++ = '/';
    for (size_t i = 0; i < rest.n; i++) {
        uint8_t c = rest.p[i];
        if (class_of[c] & PLAIN) {
            *to++ = c;
            continue;
        }
        int hi = c == '%' && rest.n - i > 2 ? ascii_hex(rest.p[i + 1]) : -1,
            lo = hi >= 0 ? ascii_hex(rest.p[i + 2]) : -1;
        if (lo >= 0) {
            c = (uint8_t)(hi << 4 | lo);
            i += 2;
        }
        if (lo >= 0 ? (class_of[c] & UNRESERVED) != 0 : c == '\\')
            *to++ = lo < 0 && i < path_n ? '/' : c;
        else
            to = put_encoded(to, c);
    }
    out->n = (size_t)(to - out->p);
}

/* Pieces of s, each with its separator ahead; of those that are said to be dropped nothing stays. Returns the bytes left. */
static size_t drop_pieces(uint8_t *s, size_t n, uint8_t separator, uint8_t other, bool (*dropped)(Span piece))
{
    size_t to = 0;

    for (size_t from = 0, end; from < n; from = end) {
        for (end = from + 1; end < n && s[end] != separator && s[end] != other;) end++;
        if (dropped(span(s + from, end - from))) continue;
        if (to < from) memmove(s + to, s + from, end - from);
        to += end - from;
    }
    return to;
}

static bool is_session(Span piece)
{
    const Span name = SPAN_LIT(";jsessionid=");

    return piece.n >= name.n && span_eq_nocase(span(piece.p, name.n), name);
}

/* Of a query: an empty parameter, or one that tracks; the separator ahead is '?' or '&'. */
static bool is_idle(Span piece)
{
    Span name = span_from(piece, 1);

    return name.n == 0 || is_tracking(span(name.p, span_find(name, '=')));
}

/* Path and query from `at` on, without what does not tell pages apart. */
static void clean_rest(Buf *out, size_t at)
{
    Span rest = span(out->p + at, out->n - at);
    size_t path = span_find(rest, '?'), query = rest.n - path;
    uint8_t *s = out->p + at;

    size_t to = memchr(s, ';', path) ? drop_pieces(s, path, '/', ';', is_session) : path;
    query = drop_pieces(s + path, query, '&', '&', is_idle);
    memmove(s + to, s + path, query);
    if (query) s[to] = '?'; /* the first parameter may be gone, and its separator with it */
    out->n = at + to + query;
}

bool url_is_own_port(Span url, Span port)
{
    const Span scheme = span(url.p, span_find(url, ':'));

    return (span_is(port, "80") && span_eq_nocase(scheme, SPAN_LIT("http"))) ||
           (span_is(port, "443") && span_eq_nocase(scheme, SPAN_LIT("https")));
}

static void put_port(Buf *out, Span url, Span authority, Span host)
{
    Span port = span_from(authority, host.n + 1);

    while (port.n && port.p[0] == '0') port = span_from(port, 1);
    if (port.n == 0 || url_is_own_port(url, port)) return;
    buf_putc(out, ':');
    buf_put_span(out, port);
}

bool url_key(Buf *out, Span url)
{
    uint8_t bytes[URL_MAX_HOST];
    size_t from = scheme_end(url);
    Span scheme = span(url.p, from ? from - 3 : 0), host = url_host(url, bytes);

    if (!host.p || (!span_eq_nocase(scheme, SPAN_LIT("http")) && !span_eq_nocase(scheme, SPAN_LIT("https"))))
        return false;
    Span authority = authority_of(span_from(url, from)), rest = span_from(url, from + authority.n);
    Span written = authority = without_user(authority);
    if (!cut_port(&written)) return false;
    buf_puts(out, "//");
    buf_put_span(out, host);
    put_port(out, url, authority, written);
    size_t at = out->n;
    put_rest(out, rest);
    if (!out->oom) clean_rest(out, at);
    return true;
}
