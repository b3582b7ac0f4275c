#include "ingest/jsonld.h"

size_t jsonld_string(Span all, size_t i, Span *value)
{
    size_t from = ++i;

    while (i < all.n && all.p[i] && all.p[i] != '"') i += 1 + (all.p[i] == '\\' && i + 1 < all.n && all.p[i + 1]);
    *value = span(all.p + from, i - from);
    return i + (i < all.n && all.p[i]);
}

bool jsonld_is_key(Span all, size_t i)
{
    while (i < all.n && ascii_is_space(all.p[i])) i++;
    return i < all.n && all.p[i] == ':';
}
