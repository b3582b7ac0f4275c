/* tokenize/pretoken_unicode.h - what the chains share whose patterns speak of \p{L}, \p{N}, \s and the like: categories of characters,
 * and what white space and digits do in a block. Private to pretoken_*.c.
 *
 * Categories are those of the regular expressions of huggingface/tokenizers 0.23.2 (Oniguruma, Unicode 16.0). Bytes that are no UTF-8
 * are characters of no category, as unassigned ones are. */
#ifndef TAMIS_TOKENIZE_PRETOKEN_UNICODE_H
#define TAMIS_TOKENIZE_PRETOKEN_UNICODE_H

#include "tokenize/pretoken_block.h"
#include "tokenize/pretoken_scan.h"

enum {
    UNI_NONE,
    UNI_LETTER,
    UNI_MARK,
    UNI_NUMBER,
    UNI_PUNCT,
    UNI_SYMBOL,
    UNI_SPACE,
    UNI_CATEGORY = 7,
    UNI_CJK = 8,
    N_UNI = 16
};
enum { UNI_END = 0xff }; /* where no character is */

/* A category; UNI_CJK is added in 3040..30FF and 4E00..9FA5. UNI_NONE for UTF8_BAD. */
unsigned uni_class_of(uint32_t cp);

/* The character at `at`, and where the next one begins. */
static inline unsigned uni_at(Span s, size_t at, size_t *next)
{
    uint32_t cp;

    *next = at;
    if (at >= s.n) return UNI_END;
    *next = at + utf8_next(s.p + at, s.n - at, &cp);
    return uni_class_of(cp);
}

static inline bool is_newline_at(Span s, size_t at) { return at < s.n && (s.p[at] == '\n' || s.p[at] == '\r'); }

static inline size_t newlines_end(Span s, size_t at)
{
    while (is_newline_at(s, at)) at++;
    return at;
}

/* Length of 's 't 're 've 'm 'll 'd at an apostrophe, or 0. Regardless of case also U+017F, which folds to s. */
static inline unsigned contraction_at(const uint8_t *p, size_t n, bool any_case)
{
    uint8_t fold = any_case ? 0x20 : 0, a = n > 1 ? p[1] | fold : 0, b = n > 2 ? p[2] | fold : 0;

    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return any_case && n > 2 && p[1] == 0xC5 && p[2] == 0xBF ? 3 : 0;
}

/* --- blocks */

/* Adds the characters of the bytes `rest`, above 127, to the masks of their classes, every byte; the bytes but the first to `tails`.
 * Returns the bytes of characters that may reach into what is beyond. */
uint64_t uni_add(uint64_t rest, const uint8_t *p, uint64_t of[N_UNI], uint64_t *tails);

/* Joins the bytes of the contractions that begin at the apostrophes `quotes`, each the first byte of a pretoken, and cuts behind them. */
void join_contractions(uint64_t quotes, const uint8_t *p, bool any_case, uint64_t *joined, uint64_t *open);

/* The bytes before `open` but for the run of `hanging` ones just before it, about which what follows decides. */
static inline uint64_t settled(uint64_t open, uint64_t hanging)
{
    uint64_t last = bits_below(open) & ~hanging;

    for (unsigned i = 1; i < 64; i *= 2) last |= last >> i;
    return last;
}

/* Digits that stay with the one before them, in runs cut into threes from their begin. */
static inline uint64_t digits_joined(uint64_t digit)
{
    uint64_t joined = 0;

    for (uint64_t first = digit & ~(digit << 1); first;) {
        uint64_t second = first << 1 & digit, third = second << 1 & digit;
        joined |= second | third;
        first = third << 1 & digit;
    }
    return joined;
}

/* White space that stays with what is before it, by "[O]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": `white` is all but newlines, `symbol` the O,
 * `solid` the characters before which \s+(?!\S) gives up its last one. */
static inline uint64_t white_joined(uint64_t white, uint64_t newline, uint64_t symbol, uint64_t solid)
{
    uint64_t joined = (newline & (newline | white | symbol) << 1), to_newline = newline >> 1 & white;

    if (to_newline) { /* runs of white space that end in a newline: all of their bytes */
        uint64_t through = white;
        for (unsigned i = 1; i < 64; i *= 2) {
            to_newline |= through & to_newline >> i;
            through &= through >> i;
        }
        /* Newlines behind a symbol are its own: a run starting behind those is another one. The sum has the bit behind such a run. */
        joined |= newline << 1 & to_newline & ~(newline + (newline & symbol << 1));
    }
    return joined | (white & white << 1 & (to_newline | ~(solid >> 1)));
}

#endif
