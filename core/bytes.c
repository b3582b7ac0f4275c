#include "core/bytes.h"

int span_cmp(Span a, Span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    if (c) return c;
    return (a.n > b.n) - (a.n < b.n);
}

bool span_eq_nocase(Span a, Span b)
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i])) return false;
    return true;
}

Span span_trim(Span a)
{
    while (a.n && ascii_is_space(a.p[0])) a.p++, a.n--;
    while (a.n && ascii_is_space(a.p[a.n - 1])) a.n--;
    return a;
}

size_t span_find(Span a, uint8_t byte)
{
    const uint8_t *hit = a.n ? memchr(a.p, byte, a.n) : NULL;

    return hit ? (size_t)(hit - a.p) : a.n;
}

int ascii_hex(uint8_t c)
{
    if (ascii_is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool span_to_u64(Span s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!ascii_is_digit(s.p[i])) return false;
        unsigned d = s.p[i] - '0';
        if (v > (UINT64_MAX - d) / 10) return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}
