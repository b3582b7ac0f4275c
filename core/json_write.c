#include "core/json.h"

#include "core/json_bytes.h"

#include <assert.h>
#include <math.h>

static void put_escape(Buf *b, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t out[6] = {'\\', c, '0', '0'};

    switch (c) {
    case '"':
    case '\\': break;
    case '\b': out[1] = 'b'; break;
    case '\t': out[1] = 't'; break;
    case '\n': out[1] = 'n'; break;
    case '\f': out[1] = 'f'; break;
    case '\r': out[1] = 'r'; break;
    default:
        out[1] = 'u';
        out[4] = (uint8_t)hex[c >> 4];
        out[5] = (uint8_t)hex[c & 15];
        buf_put(b, out, 6);
        return;
    }
    buf_put(b, out, 2);
}

void json_put_string(Buf *b, Span s)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n && !b->oom;) {
        size_t left = s.n - i;
        if (b->cap - b->n < left + 8 && !buf_reserve(b, left + 8)) return; /* 8: an escape and the closing quote */
        size_t run = json_copy_plain(b->p + b->n, s.p + i, left);
        b->n += run;
        i += run;
        if (i < s.n) put_escape(b, s.p[i++]);
    }
    buf_putc(b, '"');
}

void json_put_cstr(Buf *b, const char *s) { json_put_string(b, span_str(s)); }

void json_put_i64(Buf *b, int64_t v)
{
    if (v < 0) buf_putc(b, '-');
    buf_put_u64(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void json_put_number(Buf *b, double v)
{
    double size = fabs(v), whole = floor(size), fraction = size - whole; /* both exact */

    assert(size < 1e15); /* NaN fails too */
    /* The product may be rounded: its error, which fma gives exactly, decides a tie. */
    double product = fraction * 1e6, error = fma(fraction, 1e6, -product);
    double micro = floor(product), past_half = product - micro - 0.5;
    if (past_half > 0 || (past_half == 0 && error >= 0)) micro++;
    uint64_t w = (uint64_t)whole;
    uint32_t m = (uint32_t)micro;
    if (m == 1000000) m = 0, w++;
    if (v < 0 && (w || m)) buf_putc(b, '-');
    buf_put_u64(b, w);
    if (m == 0) return;
    uint8_t digits[7] = {'.'};
    size_t n = 7;
    for (int i = 6; i > 0; i--, m /= 10) digits[i] = (uint8_t)('0' + m % 10);
    while (digits[n - 1] == '0') n--;
    buf_put(b, digits, n);
}

void json_put_tree(Buf *b, const Json *j)
{
    switch (j->type) {
    case JSON_NULL: buf_puts(b, "null"); return;
    case JSON_BOOL: buf_puts(b, j->boolean ? "true" : "false"); return;
    case JSON_NUMBER: buf_put_span(b, j->string); return;
    case JSON_STRING: json_put_string(b, j->string); return;
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    bool object = j->type == JSON_OBJECT;
    buf_putc(b, object ? '{' : '[');
    for (const Json *c = j->child; c; c = c->next) { /* at most JSON_MAX_DEPTH calls deep */
        if (c != j->child) buf_putc(b, ',');
        if (object) {
            json_put_string(b, c->key);
            buf_putc(b, ':');
        }
        json_put_tree(b, c);
    }
    buf_putc(b, object ? '}' : ']');
}
