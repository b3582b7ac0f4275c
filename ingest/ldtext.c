#include "ingest/ldtext.h"

#include "core/utf8.h"
#include "ingest/jsonld.h"

#include <stdlib.h>

enum {
    WINDOW = 24,      /* bytes of letters and digits: eight Han characters, about five words */
    LONG = 80,        /* bytes of a string that may be a text: names and addresses are shorter */
    MIN_SLOTS = 1024, /* of a table that has eight slots a byte, so that few windows meet by chance */
    MAX_SLOTS = 1 << 19,
    ANY = 1,
    BODY = 2
};
static const uint32_t FACTOR = 0x01000193;

void ldtext_clear(LdText *x)
{
    free(x->seen);
    *x = (LdText){0};
}

/* A window that slides over the letters and digits of a text, blind to white space, punctuation and case. */
typedef struct {
    uint8_t ring[WINDOW];
    uint32_t hash, out; /* out: FACTOR to the power of WINDOW + 1 */
    size_t n;
} Window;

static Window window_start(void)
{
    Window w = {.out = 1};

    for (int i = 0; i <= WINDOW; i++) w.out *= FACTOR;
    return w;
}

/* True when the window is whole and has moved on. */
static bool window_take(Window *w, uint8_t byte)
{
    if (byte < 0x80 && !ascii_is_alnum(byte)) return false;
    uint8_t *slot = &w->ring[w->n++ % WINDOW];
    byte = ascii_lower(byte);
    w->hash = (w->hash + byte + 1) * FACTOR - (w->n > WINDOW ? (*slot + 1U) * w->out : 0);
    *slot = byte;
    return w->n >= WINDOW;
}

static uint32_t slot_of(const LdText *x, const Window *w) { return (w->hash ^ w->hash >> 15) & x->mask; }

/* The bytes of an escape; 0 in the middle of a text. *cp: what it stands for. */
static size_t escape_of(Span s, size_t i, uint32_t *cp)
{
    if (s.p[i] != '\\') return 0;
    *cp = ' ';
    if (i + 6 > s.n || s.p[i + 1] != 'u') return 2;
    *cp = 0;
    for (size_t k = i + 2; k < i + 6; k++) {
        int digit = ascii_hex(s.p[k]);
        if (digit < 0) return 2;
        *cp = *cp << 4 | (uint32_t)digit;
    }
    return 6;
}

/* Without tags. (Halves of surrogate pairs become what no page has: such a window is not found.) */
static void add(LdText *x, Span text, uint8_t bits)
{
    Window w = window_start();
    bool tag = false;

    for (size_t i = 0, n; i < text.n; i += n) {
        uint32_t cp;
        uint8_t c[4] = {text.p[i]};
        unsigned bytes = 1;
        if ((n = escape_of(text, i, &cp)) != 0)
            bytes = utf8_put(c, cp);
        else
            n = 1;
        if (c[0] == '<' && i + n < text.n && !ascii_is_space(text.p[i + n]) && !ascii_is_digit(text.p[i + n]))
            tag = true;
        for (unsigned k = 0; k < bytes && !tag; k++)
            if (window_take(&w, c[k])) x->seen[slot_of(x, &w)] |= bits;
        if (c[0] == '>') tag = false;
    }
}

static bool reserve(LdText *x, size_t n)
{
    size_t slots = MIN_SLOTS;

    while (slots < MAX_SLOTS && slots < 8 * n) slots *= 2;
    if (slots > x->cap) {
        free(x->seen);
        x->seen = malloc(slots);
        x->cap = x->seen ? slots : 0;
    }
    x->mask = (uint32_t)slots - 1;
    if (x->seen) memset(x->seen, 0, slots);
    return x->seen != NULL;
}

ErrCode ldtext_read(LdText *x, Span json_ld, Err *err)
{
    Span key = {NULL, 0}, value;

    x->bytes = x->body_bytes = 0;
    if (json_ld.n < LONG) return ERR_OK;
    if (!reserve(x, json_ld.n)) return err_nomem(err, "a page's JSON-LD");
    for (size_t i = 0; jsonld_next(json_ld, &i, &key, &value);) {
        if (value.n < LONG) continue;
        bool body = span_is(key, "articleBody");
        add(x, value, body ? ANY | BODY : ANY);
        x->bytes += value.n;
        x->body_bytes += body ? value.n : 0;
    }
    return ERR_OK;
}

LdShare ldtext_share(const LdText *x, Span text)
{
    Window w = window_start();
    size_t n = 0, any = 0, body = 0;

    if (!x->bytes) return (LdShare){-1, -1};
    for (size_t i = 0; i < text.n; i++) {
        if (!window_take(&w, text.p[i])) continue;
        uint8_t seen = x->seen[slot_of(x, &w)];
        n++;
        any += seen & ANY;
        body += seen / BODY;
    }
    return n ? (LdShare){(int)(any * 100 / n), x->body_bytes ? (int)(body * 100 / n) : -1} : (LdShare){-1, -1};
}
