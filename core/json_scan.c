#include "core/json.h"

#include "core/json_bytes.h"
#include "core/utf8.h"

#include <math.h>
#include <stdlib.h>

const char JSON_BAD_UTF8[] = "invalid UTF-8";

JsonScan json_scan(Span text)
{
    if (!text.p) text = SPAN_LIT(""); /* arithmetic on NULL is undefined, even by 0 */
    return (JsonScan){.p = text.p, .end = text.p + text.n};
}

JsonScan json_scan_text(Span text)
{
    return json_scan(span_starts(text, SPAN_LIT("\xef\xbb\xbf")) ? span_from(text, 3) : text);
}

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

/* \uXXXX at p, or two of them that are a surrogate pair: the code point, and the length in bytes or 0. */
static size_t unicode_escape(JsonScan *s, const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
    int32_t hi = hex4(p + 2, end), lo;

    if (hi < 0) {
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

/* One escape at p (a backslash): its code point, and the length in bytes or 0. */
static size_t escape_at(JsonScan *s, const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
    /* No escape means NUL by one letter, so that 0 is: none. */
    static const uint8_t meaning[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                         ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

    if (end - p < 2) {
        fail(s, p, "unterminated string");
        return 0;
    }
    *cp = meaning[p[1]];
    if (*cp) return 2;
    if (p[1] == 'u') return unicode_escape(s, p, end, cp);
    fail(s, p, "unknown escape");
    return 0;
}

/* Decodes from p, where a string that began at `begin` has its first backslash, to the closing quote. One pass: copying
 * looks for the next special byte. The output is checked instead of the input, which is as good, since an escape never
 * yields part of a code point. */
static bool string_decode(JsonScan *s, const uint8_t *begin, const uint8_t *p, Buf *scratch, Span *out)
{
    const uint8_t *end = s->end;
    uint32_t cp;
    size_t n;

    /* No more bytes come out than go in. */
    if (!buf_reserve(scratch, (size_t)(end - begin))) return fail(s, begin, "no memory");
    uint8_t *first = scratch->p + scratch->n, *q = first + (p - begin);
    memcpy(first, begin, (size_t)(p - begin));
    while (*p == '\\') {
        if ((n = escape_at(s, p, end, &cp)) == 0) return false;
        p += n;
        if (cp < 0x80)
            *q++ = (uint8_t)cp;
        else
            q += utf8_put(q, cp); /* two to four bytes for at least six */
        n = json_copy_plain(q, p, (size_t)(end - p));
        p += n;
        q += n;
        if (p == end) return fail(s, begin - 1, "unterminated string");
    }
    if (*p != '"') return fail(s, p, "control character in a string");
    *out = (Span){first, (size_t)(q - first)};
    if (!utf8_valid(*out))
        return fail(s, begin + utf8_valid_prefix((Span){begin, (size_t)(p - begin)}), JSON_BAD_UTF8);
    scratch->n += out->n;
    s->p = p + 1;
    return true;
}

bool json_string(JsonScan *s, Buf *scratch, Span *out)
{
    if (json_peek(s) != '"') return fail(s, s->p, "a string expected");
    const uint8_t *begin = s->p + 1, *p = begin + json_find_special(begin, (size_t)(s->end - begin));

    if (p == s->end) return fail(s, begin - 1, "unterminated string");
    if (*p == '\\') return string_decode(s, begin, p, scratch, out);
    if (*p != '"') return fail(s, p, "control character in a string");
    *out = (Span){begin, (size_t)(p - begin)};
    size_t valid = utf8_valid_prefix(*out);
    if (valid != out->n) return fail(s, begin + valid, JSON_BAD_UTF8);
    s->p = p + 1;
    return true;
}

static bool string_skip(JsonScan *s)
{
    if (json_peek(s) != '"') return fail(s, s->p, "a string expected");
    const uint8_t *begin = s->p + 1, *p = begin;
    uint32_t cp;
    size_t n;

    for (;;) {
        p += json_find_special(p, (size_t)(s->end - p));
        if (p == s->end) return fail(s, begin - 1, "unterminated string");
        if (*p == '"') break;
        if (*p != '\\') return fail(s, p, "control character in a string");
        if ((n = escape_at(s, p, s->end, &cp)) == 0) return false;
        p += n;
    }
    Span raw = {begin, (size_t)(p - begin)};
    size_t valid = utf8_valid_prefix(raw);
    if (valid != raw.n) return fail(s, begin + valid, JSON_BAD_UTF8);
    s->p = p + 1;
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
    if (*p == '0')
        p++; /* no digit may follow */
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
