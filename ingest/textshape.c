#include "ingest/textshape.h"

#include "core/hash.h"
#include "core/utf8.h"
#include "ingest/blocks.h"

/* The commonest function words of English and some neighbours, at most four letters long: prose has them, menus do not. */
static bool is_stop_word(uint32_t w)
{
#define W4(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
    switch (w) {
    case W4('t', 'h', 'e', 0):
    case W4('o', 'f', 0, 0):
    case W4('a', 'n', 'd', 0):
    case W4('t', 'o', 0, 0):
    case W4('a', 0, 0, 0):
    case W4('i', 'n', 0, 0):
    case W4('i', 's', 0, 0):
    case W4('i', 't', 0, 0):
    case W4('t', 'h', 'a', 't'):
    case W4('f', 'o', 'r', 0):
    case W4('w', 'a', 's', 0):
    case W4('w', 'i', 't', 'h'):
    case W4('a', 's', 0, 0):
    case W4('b', 'e', 0, 0):
    case W4('a', 'r', 'e', 0):
    case W4('t', 'h', 'i', 's'):
    case W4('y', 'o', 'u', 0):
    case W4('i', 0, 0, 0):
    case W4('h', 'a', 'v', 'e'):
    case W4('n', 'o', 't', 0):
    case W4('o', 'r', 0, 0):
    case W4('b', 'y', 0, 0):
    case W4('f', 'r', 'o', 'm'):
    case W4('a', 't', 0, 0):
    case W4('b', 'u', 't', 0):
    case W4('w', 'e', 0, 0):
    case W4('t', 'h', 'e', 'y'):
    case W4('h', 'e', 0, 0):
    case W4('h', 'i', 's', 0):
    case W4('h', 'a', 's', 0):
    case W4('h', 'a', 'd', 0):
    case W4('o', 'n', 0, 0):
    case W4('i', 'f', 0, 0):
    case W4('s', 'o', 0, 0):
    case W4('c', 'a', 'n', 0):
    case W4('d', 'e', 'r', 0):
    case W4('d', 'i', 'e', 0):
    case W4('u', 'n', 'd', 0):
    case W4('d', 'e', 0, 0):
    case W4('l', 'a', 0, 0):
    case W4('l', 'e', 0, 0):
    case W4('q', 'u', 'e', 0):
    case W4('e', 't', 0, 0):
    case W4('l', 'e', 's', 0):
    case W4('e', 'l', 0, 0):
    case W4('y', 0, 0, 0):
    case W4('e', 's', 't', 0):
    case W4('d', 'i', 0, 0):
    case W4('c', 'h', 'e', 0): return true;
    default: return false;
    }
#undef W4
}

/* 的 了 是 在 和 有 不 这 我 他 也 就 */
static bool is_function_char(uint32_t cp)
{
    switch (cp) {
    case 0x7684:
    case 0x4e86:
    case 0x662f:
    case 0x5728:
    case 0x548c:
    case 0x6709:
    case 0x4e0d:
    case 0x8fd9:
    case 0x6211:
    case 0x4ed6:
    case 0x4e5f:
    case 0x5c31: return true;
    default: return false;
    }
}

static uint8_t ending_of(Span s)
{
    if (s.n >= 3) {
        const uint8_t *e = s.p + s.n - 3;
        if (!memcmp(e, "。", 3) || !memcmp(e, "！", 3) || !memcmp(e, "？", 3) || !memcmp(e, "”", 3)) return 1;
        if (!memcmp(e, "：", 3)) return 2;
        if (!memcmp(e, "…", 3) || !memcmp(e + 1, "»", 2) || !memcmp(e, "...", 3) || !memcmp(e, "→", 3)) return 3;
    }
    switch (s.n ? s.p[s.n - 1] : 0) {
    case '.':
    case '!':
    case '?':
    case '"':
    case ')': return 1;
    case ':': return 2;
    case '>': return 3;
    default: return 0;
    }
}

_Static_assert(TEXTSHAPE_BYTES / 2 + 1 <= UINT8_MAX, "a word and what ends it have two bytes at least");
static uint8_t share_of(uint32_t part, uint32_t whole) { return whole ? (uint8_t)(part * 100 / whole) : 0; }

TextShape textshape_of(Span s)
{
    TextShape b;
    Span look = span(s.p, s.n < TEXTSHAPE_BYTES ? s.n : TEXTSHAPE_BYTES);
    uint32_t words = 0, stops = 0, digits = 0, uppers = 0, wide = 0, chars = 0, word = 0, letters = 0, hash = 1;

    for (size_t i = 0, n; i <= look.n; i += n) {
        uint32_t cp = 0;
        n = 1;
        if (i < look.n) n = utf8_next(look.p + i, look.n - i, &cp);
        hash = mix32(hash, cp);
        if (cp < 0x80 && ascii_is_alpha((uint8_t)cp)) {
            if (letters == 0) uppers += ascii_is_upper((uint8_t)cp);
            if (letters < 4) word |= (uint32_t)ascii_lower((uint8_t)cp) << (8 * letters);
            letters++;
            chars++;
            continue;
        }
        if (cp >= 0x80 &&
            weight_of(cp) == 10) { /* a letter of other alphabets, or with an accent: its word is none of the table */
            letters += 5;
            chars++;
            continue;
        }
        if (letters) {
            words++;
            stops += letters <= 4 && is_stop_word(word);
        }
        letters = word = 0;
        if (cp < 0x80) {
            digits += ascii_is_digit((uint8_t)cp);
            chars += ascii_is_digit((uint8_t)cp);
        } else if (weight_of(cp) == 25) {
            words++;
            wide++;
            chars++;
            stops += is_function_char(cp);
        }
    }
    b.hash = hash;
    b.words = (uint8_t)words;
    b.stops = share_of(stops, words);
    b.digits = share_of(digits, chars);
    b.uppers = share_of(uppers, words);
    b.han = share_of(wide, chars);
    b.ending = ending_of(s);
    b.opening = s.n == 0                 ? 0
                : ascii_is_upper(s.p[0]) ? 1
                : ascii_is_alpha(s.p[0]) ? 2
                : ascii_is_digit(s.p[0]) ? 3
                : s.p[0] < 0x80          ? 4
                                         : 5;
    return b;
}
