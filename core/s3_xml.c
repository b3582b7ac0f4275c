#include "core/s3_xml.h"

#include <stdio.h>

/* Offset of `what` in s, or s.n. */
static size_t find(Span s, Span what)
{
    for (size_t at = 0; at + what.n <= s.n; at++) {
        size_t step = span_find(span_from(s, at), what.p[0]);
        at += step;
        if (at + what.n > s.n) break;
        if (memcmp(s.p + at, what.p, what.n) == 0) return at;
    }
    return s.n;
}

bool s3xml_next(Span *rest, const char *name, Span *inside)
{
    enum { MAX_NAME = 60 };
    char open[MAX_NAME + 3], close[MAX_NAME + 4];

    if (strlen(name) > MAX_NAME) return false;
    snprintf(open, sizeof open, "<%s>", name);
    snprintf(close, sizeof close, "</%s>", name);
    size_t begin = find(*rest, span_str(open));
    if (begin == rest->n) return false;
    Span body = span_from(*rest, begin + strlen(open));
    size_t end = find(body, span_str(close));
    if (end == body.n) return false;
    *inside = span(body.p, end);
    *rest = span_from(body, end + strlen(close));
    return true;
}

/* One entity at s.p[0] == '&': appends what it stands for; its length, 0 when it is none of XML's five or a character number. */
static size_t put_entity(Span s, Buf *out)
{
    static const struct {
        const char *name, *text;
    } known[] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}};
    size_t n = span_find(s, ';');
    uint64_t code = 0;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_starts(s, span_str(known[i].name))) {
            buf_puts(out, known[i].text);
            return strlen(known[i].name);
        }
    if (n == s.n || n < 3 || n > 8 || s.p[1] != '#') return 0;
    if (s.p[2] == 'x')
        for (size_t i = 3; i < n; i++) {
            int digit = ascii_hex(s.p[i]);
            if (digit < 0) return 0;
            code = code * 16 + (uint64_t)digit;
        }
    else if (!span_to_u64(span(s.p + 2, n - 2), &code))
        return 0;
    if (code == 0 || code > 127) return 0; /* others come as they are */
    buf_putc(out, (uint8_t)code);
    return n + 1;
}

bool s3xml_text(Span in, const char *name, Buf *out)
{
    Span text;

    if (!s3xml_next(&in, name, &text)) return false;
    for (size_t i = 0; i < text.n;) {
        if (text.p[i] == '<') return false;
        if (text.p[i] != '&') {
            buf_putc(out, text.p[i++]);
            continue;
        }
        size_t n = put_entity(span_from(text, i), out);
        if (n == 0) return false;
        i += n;
    }
    return !out->oom;
}

bool s3xml_u64(Span in, const char *name, uint64_t *out)
{
    Span text;

    return s3xml_next(&in, name, &text) && span_to_u64(span_trim(text), out);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

bool s3xml_time(Span in, const char *name, int64_t *out)
{
    static const uint8_t at[] = {0, 5, 8, 11, 14, 17};
    uint64_t v[6];
    Span s;

    if (!s3xml_next(&in, name, &s) || s.n < 19) return false;
    for (int i = 0; i < 6; i++)
        if (!span_to_u64(span(s.p + at[i], i ? 2 : 4), &v[i])) return false;
    if (v[0] < 1970 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31) return false;
    *out = days_from_civil((int64_t)v[0], (int64_t)v[1], (int64_t)v[2]) * 86400 +
           (int64_t)(v[3] * 3600 + v[4] * 60 + v[5]);
    return true;
}

void s3xml_put(Buf *out, Span text)
{
    for (size_t i = 0; i < text.n; i++) {
        switch (text.p[i]) {
        case '&': buf_puts(out, "&amp;"); break;
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        default: buf_putc(out, text.p[i]);
        }
    }
}

bool s3xml_unquote(Buf *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++) {
        uint8_t c = b->p[i];
        if (c == '+') c = ' ';
        if (c == '%') {
            if (b->n - i < 3) return false;
            int hi = ascii_hex(b->p[i + 1]), lo = ascii_hex(b->p[i + 2]);
            if (hi < 0 || lo < 0) return false;
            c = (uint8_t)(hi << 4 | lo);
            i += 2;
        }
        if (c == 0) return false;
        b->p[n++] = c;
    }
    b->n = n;
    return true;
}
