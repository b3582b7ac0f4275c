#include "core/json.h"

#include "core/json_bytes.h"

#include <assert.h>
#include <math.h>

/* How a special byte is written: up to six characters, padded so that eight are copied whatever their number. */
typedef struct {
    char text[7];
    uint8_t n;
} Escape;
#define ESCAPE_U(xx)  \
    {                 \
        "\\u00" xx, 6 \
    }
static const Escape escapes[256] = {
    ESCAPE_U("00"), ESCAPE_U("01"), ESCAPE_U("02"),      ESCAPE_U("03"),       ESCAPE_U("04"), ESCAPE_U("05"),
    ESCAPE_U("06"), ESCAPE_U("07"), {"\\b", 2},          {"\\t", 2},           {"\\n", 2},     ESCAPE_U("0b"),
    {"\\f", 2},     {"\\r", 2},     ESCAPE_U("0e"),      ESCAPE_U("0f"),       ESCAPE_U("10"), ESCAPE_U("11"),
    ESCAPE_U("12"), ESCAPE_U("13"), ESCAPE_U("14"),      ESCAPE_U("15"),       ESCAPE_U("16"), ESCAPE_U("17"),
    ESCAPE_U("18"), ESCAPE_U("19"), ESCAPE_U("1a"),      ESCAPE_U("1b"),       ESCAPE_U("1c"), ESCAPE_U("1d"),
    ESCAPE_U("1e"), ESCAPE_U("1f"), ['"'] = {"\\\"", 2}, ['\\'] = {"\\\\", 2},
};

void json_put_string(Buf *b, Span s)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < s.n;) {
        size_t left = s.n - i;
        if (b->cap - b->n < left + sizeof(Escape) && !buf_reserve(b, left + sizeof(Escape))) return;
        size_t run = json_copy_plain(b->p + b->n, s.p + i, left);
        b->n += run;
        i += run;
        if (i == s.n) break;
        const Escape *e = &escapes[s.p[i++]];
        memcpy(b->p + b->n, e->text, sizeof e->text);
        b->n += e->n;
    }
    buf_putc(b, '"');
}

void json_put_cstr(Buf *b, const char *s) { json_put_string(b, span_str(s)); }

void json_put_hash(Buf *b, Hash128 h)
{
    char hex[HASH128_HEX];

    hash128_hex(hex, h);
    buf_putc(b, '"');
    buf_puts(b, hex);
    buf_putc(b, '"');
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
