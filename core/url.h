/* core/url.h - the parts of a URL that several rooms look at. URLs come from a crawl: any bytes. */
#ifndef TAMIS_CORE_URL_H
#define TAMIS_CORE_URL_H

#include "core/bytes.h"

enum { URL_MAX_HOST = 253 }; /* RFC 1035: 255 bytes on the wire */

/* The host of an absolute URL with an authority (`scheme://[user@]host[:port]…`, RFC 3986), without user and port,
 * ASCII letters lower-cased, one trailing dot dropped; an IPv6 address keeps its brackets. Other bytes stand as they
 * are: nothing is decoded, no international name converted. Written to `out`, into which the result points. p == NULL
 * when there is none: no scheme, an empty or too long host, white space, controls or delimiters inside it, a port
 * that is no number. */
Span url_host(Span url, uint8_t out[URL_MAX_HOST]);

/* The labels of `host` from the first '.' on, without it; empty when there is none: "a.b.c" -> "b.c" -> "c" -> "". */
static inline Span host_parent(Span host)
{
    size_t dot = span_find(host, '.');
    return span_from(host, dot + (dot < host.n));
}

#endif
