/* GPT-2 (openai/gpt-2, encoder.py): 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * One of the alternatives matches everywhere, so pretokens are runs of letters, of numbers, of other characters, each with the blank
 * before it, and runs of white space, which give their last character up to what follows. */
#include "tokenize/pretoken_unicode.h"

enum { G_LETTER, G_NUMBER, G_OTHER, G_SPACE, G_END };

static inline unsigned gpt2_class(Span s, size_t at, size_t *next)
{
    unsigned c = uni_at(s, at, next);

    if (c == UNI_END) return G_END;
    c &= UNI_CATEGORY;
    return c == UNI_LETTER ? G_LETTER : c == UNI_NUMBER ? G_NUMBER : c == UNI_SPACE ? G_SPACE : G_OTHER;
}

static size_t gpt2_end(Span s, size_t at)
{
    size_t next, last = at, n = s.p[at] == '\'' ? contraction_at(s.p + at, s.n - at, false) : 0;
    unsigned class = gpt2_class(s, at, &next);

    if (n) return at + n;
    if (s.p[at] == ' ') {
        size_t after;
        unsigned c = gpt2_class(s, next, &after);
        if (c != G_SPACE && c != G_END) class = c, next = after;
    }
    for (size_t after;; last = next, next = after) {
        unsigned c = gpt2_class(s, next, &after);
        if (c == class) continue;
        return class == G_SPACE && c != G_END && last > at ? last : next;
    }
}

PRETOKEN_INLINE uint64_t gpt2_cuts(const ByteMasks *m, const uint8_t *p, uint64_t beyond)
{
    uint64_t letter = m->letter | m->han, number = m->digit, space = m->blank | m->tab | m->newline, open = beyond,
             tails = 0;
    uint64_t other = ~(letter | number | space | m->high) | m->wide_punct | m->cjk_stop,
             rest = m->high & ~(letter | other);

    if (rest) {
        uint64_t of[N_UNI] = {0};
        open |= uni_add(rest, p, of, &tails) | of[UNI_SPACE];
        letter |= of[UNI_LETTER] | of[UNI_LETTER | UNI_CJK], number |= of[UNI_NUMBER];
        other |= of[UNI_NONE] | of[UNI_MARK] | of[UNI_PUNCT] | of[UNI_SYMBOL];
        other |= of[UNI_CJK] | of[UNI_MARK | UNI_CJK] | of[UNI_PUNCT | UNI_CJK] | of[UNI_SYMBOL | UNI_CJK];
    }
    uint64_t solid = letter | number | other;
    uint64_t joined =
        (letter & (letter | m->blank) << 1) | (number & (number | m->blank) << 1) | (other & (other | m->blank) << 1);
    joined |= tails | (space & space << 1 & ~(solid >> 1));
    join_contractions(m->quote & ~((other | m->blank) << 1), p, false, &joined, &open);
    open |= space & (open >> 1 | UINT64_C(1) << 63);
    return ~joined & bits_below(open);
}

PRETOKEN_SCANS(gpt2, gpt2_cuts, gpt2_end)

const PretokenScanners pretoken_gpt2 = PRETOKEN_SCANNERS(gpt2);
