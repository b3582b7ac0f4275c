/* core/url.c - hosts out of URLs. */
#include "core/url.h"

/* Bytes of `scheme://` at the front, 0 when it is not there. */
static size_t scheme_end(Span url)
{
    size_t n = 0;

    while (n < url.n && (ascii_is_alnum(url.p[n]) || url.p[n] == '+' || url.p[n] == '-' || url.p[n] == '.')) n++;
    if (n == 0 || !ascii_is_alpha(url.p[0]) || !span_starts(span_from(url, n), SPAN_LIT("://"))) return 0;
    return n + 3;
}

/* Up to the first delimiter of RFC 3986, or a backslash, which browsers read as a slash. */
static Span authority_of(Span rest)
{
    size_t n = 0;

    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#' && rest.p[n] != '\\') n++;
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

static bool is_host_byte(uint8_t c, bool bracketed)
{
    if (c <= 32 || c == 127) return false;
    if (bracketed) return ascii_hex(c) >= 0 || c == ':' || c == '.' || c == '[' || c == ']';
    return !memchr("\"%<>[]^`{|}@:", c, 13);
}

Span url_host(Span url, uint8_t out[URL_MAX_HOST])
{
    const Span none = {NULL, 0};
    size_t from = scheme_end(url), user;

    if (from == 0) return none;
    Span host = authority_of(span_from(url, from));
    for (user = host.n; user > 0 && host.p[user - 1] != '@';) user--; /* behind the last '@' */
    host = span_from(host, user);
    if (!cut_port(&host)) return none;
    if (host.n && host.p[host.n - 1] == '.') host.n--;
    if (host.n == 0 || host.n > URL_MAX_HOST || host.p[0] == '.') return none;
    for (size_t i = 0; i < host.n; i++) {
        if (!is_host_byte(host.p[i], host.p[0] == '[')) return none;
        out[i] = ascii_lower(host.p[i]);
    }
    return span(out, host.n);
}
