#include "tokenize/bytelevel.h"

#include "core/utf8.h"

/* Bytes that are written as another character: 0-32 -> U+0100.., 127-160 -> U+0121.., 173 -> U+0143. */
uint32_t bytelevel_cp(uint8_t byte)
{
    if (byte <= 32) return 0x100u + byte;
    if (byte >= 127 && byte <= 160) return 0x121u + (byte - 127u);
    return byte == 173 ? 0x143u : byte;
}

int bytelevel_byte(uint32_t cp)
{
    if (cp > BYTELEVEL_MAX_CP) return -1;
    if (cp == 0x143) return 173;
    if (cp >= 0x121) return (int)(cp - 0x121 + 127);
    if (cp >= 0x100) return (int)(cp - 0x100);
    return bytelevel_cp((uint8_t)cp) == cp ? (int)cp : -1;
}

void bytelevel_put(Buf *out, Span bytes)
{
    for (size_t i = 0; i < bytes.n; i++) utf8_append(out, bytelevel_cp(bytes.p[i]));
}

bool bytelevel_read(Buf *out, Span text)
{
    size_t before = out->n;

    for (size_t at = 0; at < text.n;) {
        uint32_t cp;
        at += utf8_next(text.p + at, text.n - at, &cp);
        int byte = bytelevel_byte(cp);
        if (byte < 0) {
            out->n = before;
            return false;
        }
        buf_putc(out, (uint8_t)byte);
    }
    return true;
}
