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

bool jsonld_next(Span all, size_t *i, Span *key, Span *value)
{
    while (*i < all.n) {
        const uint8_t *quote = memchr(all.p + *i, '"', all.n - *i);
        if (!quote) break;
        *i = jsonld_string(all, (size_t)(quote - all.p), value);
        if (!jsonld_is_key(all, *i)) return true;
        *key = *value;
    }
    return false;
}
