#include "tokenize/token_text.h"

#include "core/unicode.h"
#include "core/utf8.h"

#include <string.h>

/* Letters behind a backslash and what they stand for. */
static const char letters[] = "nrt\\\"", stand_for[] = "\n\r\t\\\"";

/* Controls, unassigned and private characters, and white space other than the blank. */
static bool is_hidden(uint32_t cp)
{
    return cp > UNICODE_MAX || unicode_class(cp) == UC_OTHER || (unicode_class(cp) == UC_SPACE && cp != ' ');
}

/* A character of n bytes; `quoted`: inside quotes. */
static void put_char(Buf *out, const uint8_t *p, unsigned n, uint32_t cp, bool quoted)
{
    const char *letter = cp && cp < 0x80 && (cp != '"' || quoted) ? strchr(stand_for, (int)cp) : NULL;

    if (letter)
        buf_printf(out, "\\%c", letters[letter - stand_for]);
    else if (!is_hidden(cp))
        buf_put(out, p, n);
    else
        for (unsigned i = 0; i < n; i++) buf_printf(out, "\\x%02x", p[i]);
}

void token_escape(Buf *out, Span bytes)
{
    uint32_t cp;

    for (size_t at = 0, n; at < bytes.n; at += n) {
        n = utf8_next(bytes.p + at, bytes.n - at, &cp);
        put_char(out, bytes.p + at, (unsigned)n, cp, false);
    }
}

void token_quote(Buf *out, Span bytes, size_t max_chars)
{
    uint32_t cp;

    buf_putc(out, '"');
    for (size_t at = 0, n, k = 0; at < bytes.n; at += n, k++) {
        n = utf8_next(bytes.p + at, bytes.n - at, &cp);
        if (k + 1 == max_chars && at + n < bytes.n) {
            buf_puts(out, "\u2026");
            break;
        }
        put_char(out, bytes.p + at, (unsigned)n, cp, true);
    }
    buf_putc(out, '"');
}

bool token_unescape(Buf *out, Span text)
{
    for (size_t at = 0; at < text.n; at++) {
        if (text.p[at] != '\\') {
            buf_putc(out, text.p[at]);
            continue;
        }
        if (++at == text.n) return false;
        const char *letter = text.p[at] ? strchr(letters, text.p[at]) : NULL;
        if (letter) {
            buf_putc(out, (uint8_t)stand_for[letter - letters]);
            continue;
        }
        if (text.p[at] != 'x' || text.n - at < 3) return false;
        int high = ascii_hex(text.p[at + 1]), low = ascii_hex(text.p[at + 2]);
        if (high < 0 || low < 0) return false;
        buf_putc(out, (uint8_t)(high << 4 | low));
        at += 2;
    }
    return true;
}

static size_t char_columns(uint32_t cp)
{
    if (cp > UNICODE_MAX) return 1;
    switch (unicode_class(cp)) {
    case UC_MARK: return 0;
    case UC_HAN:
    case UC_HANGUL: return 2;
    case UC_KANA: return cp >= 0xFF61 && cp <= 0xFF9F ? 1 : 2;
    default: /* CJK punctuation and full-width forms, emoji (Unicode Standard Annex #11) */
        return (cp >= 0x3000 && cp <= 0x303E) || (cp >= 0xFF01 && cp <= 0xFF60) || (cp >= 0x1F300 && cp <= 0x1FAFF)
                   ? 2
                   : 1;
    }
}

size_t text_columns(Span text)
{
    size_t columns = 0;
    uint32_t cp;

    for (size_t at = 0; at < text.n;) {
        at += utf8_next(text.p + at, text.n - at, &cp);
        columns += char_columns(cp);
    }
    return columns;
}
