/* core/surt.h - the sort key of web archives' indexes (Sort-friendly URI Reordering Transform), as CDXJ files and Common Crawl's URL index have it:
 * http://www.Example.com:80/B/?y=2&x=1#f -> com,example)/b?x=1&y=2. */
#ifndef TAMIS_CORE_SURT_H
#define TAMIS_CORE_SURT_H

#include "core/buf.h"

/* Appends the key; false, and nothing, when the URL has no host. The rules are those of the Internet Archive's tools, which keep no more of a URL
 * than tells pages apart: no scheme, user, default port, fragment, "www." and its like; escapes decoded as often as they are found and written
 * anew; dot segments and empty ones resolved, no slash at the end; lower case; session ids of PHP, Java and ASP gone; parameters sorted by name.
 * Keys of two pages may be the same: url_key() (core/url.h) is the one to tell duplicates by. */
bool url_surt(Buf *out, Span url);

#endif
