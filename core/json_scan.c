#include "core/json.h"

#include "core/json_bytes.h"
#include "core/utf8.h"

#include <math.h>
#include <stdlib.h>

const char JSON_BAD_UTF8[] = "invalid UTF-8";

JsonScan json_scan(Span text) { return (JsonScan){.p = text.p, .end = text.p + text.n}; }

static bool fail(JsonScan *s, const uint8_t *at, const char *why)
{
    s->why = why;
    s->at = at;
    return false;
}

uint8_t json_peek(JsonScan *s)
{
    const uint8_t *p = s->p;

    while (p < s->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    s->space_bytes += (size_t)(p - s->p);
    s->p = p;
    return p < s->end ? *p : 0;
}

bool json_expect(JsonScan *s, uint8_t c)
{
    if (json_peek(s) == c && s->p < s->end) {
        s->p++;
        return true;
    }
    if (s->p == s->end) return fail(s, s->p, "unexpected end");
    switch (c) {
    case ':': return fail(s, s->p, "':' expected");
    case ',': return fail(s, s->p, "',' or the closing bracket expected");
    case '{': return fail(s, s->p, "'{' expected");
    case '}': return fail(s, s->p, "',' or '}' expected");
    case '[': return fail(s, s->p, "'[' expected");
    case ']': return fail(s, s->p, "',' or ']' expected");
    default: return fail(s, s->p, "unexpected character");
    }
}

bool json_at_end(JsonScan *s)
{
    json_peek(s);
    return s->p == s->end;
}

/* The bytes between the quotes, with valid UTF-8; escapes are only stepped over. */
static bool string_raw(JsonScan *s, Span *raw, bool *escaped)
{
    if (json_peek(s) != '"') return fail(s, s->p, "a string expected");
    const uint8_t *begin = s->p + 1, *p = begin;

    *escaped = false;
    for (;;) {
        p += json_find_special(p, (size_t)(s->end - p));
        if (p < s->end && *p == '"') break;
        if (p < s->end && *p < 0x20) return fail(s, p, "control character in a string");
        if (s->end - p < 2) return fail(s, begin - 1, "unterminated string");
        *escaped = true;
        p += 2;
    }
    *raw = (Span){begin, (size_t)(p - begin)};
    size_t valid = utf8_valid_prefix(*raw);
    if (valid != raw->n) return fail(s, begin + valid, JSON_BAD_UTF8);
    s->p = p + 1;
    return true;
}

/* The four digits of \uXXXX at p; -1 when they are not there. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
    int32_t v = 0;

    if (end - p < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int digit = ascii_hex(p[i]);
        if (digit < 0) return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* One escape at p (a backslash): its code point and length in bytes, 0 when it is malformed. */
static size_t escape_at(JsonScan *s, const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
    uint8_t c = end - p >= 2 ? p[1] : 0;
    int32_t hi, lo;

    switch (c) {
    case '"':
    case '\\':
    case '/': *cp = c; return 2;
    case 'b': *cp = '\b'; return 2;
    case 'f': *cp = '\f'; return 2;
    case 'n': *cp = '\n'; return 2;
    case 'r': *cp = '\r'; return 2;
    case 't': *cp = '\t'; return 2;
    case 'u': break;
    default: fail(s, p, "unknown escape"); return 0;
    }
    if ((hi = hex4(p + 2, end)) < 0) {
        fail(s, p, "\\u needs four hexadecimal digits");
        return 0;
    }
    *cp = (uint32_t)hi;
    if (hi < 0xd800 || hi > 0xdfff) return 6;
    lo = hi < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8, end) : -1;
    if (lo < 0xdc00 || lo > 0xdfff) {
        fail(s, p, "unpaired surrogate");
        return 0;
    }
    *cp = 0x10000 + ((uint32_t)(hi - 0xd800) << 10) + (uint32_t)(lo - 0xdc00);
    return 12;
}

bool json_string(JsonScan *s, Buf *scratch, Span *out)
{
    bool escaped;
    Span raw;

    if (!string_raw(s, &raw, &escaped)) return false;
    if (!escaped) {
        *out = raw;
        return true;
    }
    if (!buf_reserve(scratch, raw.n)) return fail(s, raw.p, "no memory"); /* never more bytes than the escaped form */
    const uint8_t *p = raw.p, *end = raw.p + raw.n;
    uint8_t *begin = scratch->p + scratch->n, *q = begin;
    for (;;) {
        size_t run = json_copy_plain(q, p, (size_t)(end - p)); /* the only special byte left is the backslash */
        p += run;
        q += run;
        if (p == end) break;
        uint32_t cp;
        size_t n = escape_at(s, p, end, &cp);
        if (n == 0) return false;
        p += n;
        if (cp < 0x80) *q++ = (uint8_t)cp;
        else q += utf8_put(q, cp); /* two to four bytes for at least six */
    }
    *out = (Span){begin, (size_t)(q - begin)};
    scratch->n += out->n;
    return true;
}

static bool string_skip(JsonScan *s)
{
    bool escaped;
    uint32_t cp;
    Span raw;

    if (!string_raw(s, &raw, &escaped)) return false;
    if (!escaped) return true;
    for (const uint8_t *p = raw.p, *end = raw.p + raw.n; (p = memchr(p, '\\', (size_t)(end - p))) != NULL;) {
        size_t n = escape_at(s, p, end, &cp);
        if (n == 0) return false;
        p += n;
        if (p == end) break;
    }
    return true;
}

/* What the digits of a number say: mantissa * 10^exp10, exact unless `inexact`. */
typedef struct {
    uint64_t mantissa;
    int32_t exp10;
    bool negative, inexact;
} Decimal;

enum { EXPONENT_CAP = 100000 }; /* beyond it a double is 0 or infinite whatever JSON_MAX_NUMBER digits say */

static void decimal_digit(Decimal *d, uint8_t c, bool fraction)
{
    if (d->mantissa < 1000000000000000000u) { /* one more digit fits */
        d->mantissa = d->mantissa * 10 + (uint64_t)(c - '0');
        d->exp10 -= fraction;
    } else {
        d->inexact |= c != '0';
        d->exp10 += !fraction;
    }
}

static bool number_lex(JsonScan *s, Span *raw, Decimal *d)
{
    json_peek(s);
    const uint8_t *p = s->p, *end = s->end, *begin = p;

    *d = (Decimal){0};
    if ((size_t)(end - p) > JSON_MAX_NUMBER) end = p + JSON_MAX_NUMBER;
    if (p < end && *p == '-') d->negative = true, p++;
    if (p == end || !ascii_is_digit(*p)) return fail(s, begin, "a value expected");
    if (*p == '0') p++; /* no digit may follow */
    else
        while (p < end && ascii_is_digit(*p)) decimal_digit(d, *p++, false);
    if (p < end && *p == '.') {
        if (++p == end || !ascii_is_digit(*p)) return fail(s, begin, "malformed number");
        while (p < end && ascii_is_digit(*p)) decimal_digit(d, *p++, true);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        int32_t e = 0;
        bool minus = false;
        if (++p < end && (*p == '+' || *p == '-')) minus = *p++ == '-';
        if (p == end || !ascii_is_digit(*p)) return fail(s, begin, "malformed number");
        for (; p < end && ascii_is_digit(*p); p++)
            if (e < EXPONENT_CAP) e = e * 10 + (*p - '0');
        d->exp10 += minus ? -e : e;
    }
    if (p < s->end && (ascii_is_alnum(*p) || *p == '.' || *p == '+' || *p == '-'))
        return fail(s, begin, p == end ? "number too long" : "malformed number");
    *raw = (Span){begin, (size_t)(p - begin)};
    s->p = p;
    return true;
}

bool json_number(JsonScan *s, double *out)
{
    static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    Decimal d;
    Span raw;

    if (!number_lex(s, &raw, &d)) return false;
    /* Both operands are exact doubles, so the one operation rounds correctly (Clinger 1990, the fast case). */
    if (d.mantissa <= UINT64_C(1) << 53 && d.exp10 >= -22 && d.exp10 <= 22 && !d.inexact) {
        double m = (double)d.mantissa;
        m = d.exp10 < 0 ? m / ten[-d.exp10] : m * ten[d.exp10];
        *out = d.negative ? -m : m;
        return true;
    }
    /* strtod rounds correctly; its decimal point is '.' because no program of ours leaves the "C" locale. */
    char copy[JSON_MAX_NUMBER + 1];
    memcpy(copy, raw.p, raw.n);
    copy[raw.n] = 0;
    *out = strtod(copy, NULL);
    return isfinite(*out) ? true : fail(s, raw.p, "number out of range");
}

static bool literal(JsonScan *s, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0) return fail(s, s->p, "a value expected");
    s->p += n;
    return true;
}

bool json_literal(JsonScan *s, JsonType *type, bool *value)
{
    uint8_t c = json_peek(s);

    *type = c == 'n' ? JSON_NULL : JSON_BOOL;
    *value = c == 't';
    return literal(s, c == 'n' ? "null" : c == 't' ? "true" : "false");
}

static bool value_skip(JsonScan *s, unsigned depth);

/* After the opening bracket. */
static bool members_skip(JsonScan *s, uint8_t closing, unsigned depth)
{
    if (depth > JSON_MAX_DEPTH) return fail(s, s->p - 1, "nested too deeply");
    if (json_peek(s) == closing) return json_expect(s, closing);
    for (;;) {
        if (closing == '}' && (!string_skip(s) || !json_expect(s, ':'))) return false;
        if (!value_skip(s, depth)) return false;
        if (json_peek(s) != ',') return json_expect(s, closing);
        s->p++;
    }
}

static bool value_skip(JsonScan *s, unsigned depth)
{
    JsonType type;
    double number;
    bool value;

    switch (json_peek(s)) {
    case '"': return string_skip(s);
    case '{': s->p++; return members_skip(s, '}', depth + 1);
    case '[': s->p++; return members_skip(s, ']', depth + 1);
    case 't':
    case 'f':
    case 'n': return json_literal(s, &type, &value);
    default: return json_number(s, &number);
    }
}

bool json_skip(JsonScan *s, Span *raw)
{
    json_peek(s);
    const uint8_t *begin = s->p;

    if (!value_skip(s, s->depth)) return false;
    *raw = (Span){begin, (size_t)(s->p - begin)};
    return true;
}
