/* core/url.h - the parts of a URL that several rooms look at. URLs come from a crawl: any bytes. */
#ifndef TAMIS_CORE_URL_H
#define TAMIS_CORE_URL_H

#include "core/buf.h"

enum { URL_MAX_HOST = 253 }; /* RFC 1035: 255 bytes on the wire */

/* The host of an absolute URL with an authority (`scheme://[user@]host[:port]…`, RFC 3986), without user and port,
 * ASCII letters lower-cased, one trailing dot dropped; an IPv6 address keeps its brackets. Other bytes stand as they
 * are: nothing is decoded, no international name converted. Written to `out`, into which the result points. p == NULL
 * when there is none: no scheme, an empty or too long host, white space, controls or delimiters inside it, a port
 * that is no number. */
Span url_host(Span url, uint8_t out[URL_MAX_HOST]);

/* Whether a port, without zeros ahead, is the one that the http or https URL has by its scheme. */
bool url_is_own_port(Span url, Span port);

/* Appends to `out` what URLs of one page have in common, for comparing them, not for fetching; false, and nothing, when it is no http
 * or https URL with a host: "//HOST[:PORT]PATH[?QUERY]". The scheme is left out, so that http and https are one; the host is
 * that of url_host(); the scheme's default port, the fragment, a session id in the path (";jsessionid=…") and tracking
 * parameters (the table in url.c) are dropped, an empty path is "/". Percent-encoding is that of RFC 3986, 6.2.2: unreserved
 * characters stand as they are, hexadecimal digits are upper-case, bytes that no URL may hold are encoded. What a server could
 * tell apart stays apart: case, dots and slashes of the path, order of parameters. */
bool url_key(Buf *out, Span url);

/* The labels of `host` from the first '.' on, without it; empty when there is none: "a.b.c" -> "b.c" -> "c" -> "". */
static inline Span host_parent(Span host)
{
    size_t dot = span_find(host, '.');
    return span_from(host, dot + (dot < host.n));
}

#endif
