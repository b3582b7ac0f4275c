#include "ingest/hopeless.h"

#include "core/unicode.h"
#include "core/utf8.h"

/* Looks at so many bytes: what is junk there is junk behind it too. */
enum { SAMPLE = 64 << 10 };

Hopeless hopeless_why(Span text, Lang lang)
{
    const bool whole = text.n <= SAMPLE;
    uint64_t tenths = 0, n_letters = 0, n_seen = 0, n_chars = 0;

    if (lang == LANG_CODE) return HOPELESS_NOT;
    if (!whole) text.n = utf8_floor(text, SAMPLE);
    for (size_t i = 0, n; i < text.n; i += n) {
        uint32_t cp = text.p[i];
        n = 1;
        n_chars++;
        if (cp < 0x80) {
            const bool letter = ascii_is_alpha((uint8_t)cp);
            n_seen += cp > ' ';
            n_letters += letter;
            tenths += letter ? 10 : 0;
            continue;
        }
        n = utf8_next(text.p + i, text.n - i, &cp);
        n_seen++;
        switch (unicode_class(cp)) {
        case UC_HAN:
        case UC_KANA:
        case UC_HANGUL:
            n_letters++;
            tenths += 25;
            break;
        case UC_LETTER:
            n_letters++;
            tenths += 10;
            break;
        default: break;
        }
    }
    const bool zh = lang == LANG_ZH_HANS || lang == LANG_ZH_HANT;
    if (whole && (zh ? n_chars < HOPELESS_CHARS_ZH : tenths < HOPELESS_TENTHS)) return HOPELESS_SHORT;
    return n_letters * 100 < n_seen * HOPELESS_LETTERS ? HOPELESS_FEW_LETTERS : HOPELESS_NOT;
}
