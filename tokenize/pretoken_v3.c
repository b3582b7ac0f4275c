/* DeepSeek-V3: three splits, of which every one cuts what the earlier ones left:
 *   1 \p{N}{1,3}   2 [一-龥぀-ゟ゠-ヿ]+
 *   3 [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * Pieces of numbers stay whole, since 3 finds nothing there. In a piece of 2 and in what lies between them 3 goes on as if there were
 * nothing else, so white space before a number keeps its last character. Characters without a category (controls, format characters,
 * unassigned ones) are matched only as the one before letters; what lies between two matches is a pretoken. */
#include "tokenize/pretoken_unicode.h"

enum { V_NONE, V_LETTER, V_SYMBOL, V_SPACE, V_NUMBER, V_CJK = 8, V_END = 0xff };

/* V_ of a character, with V_CJK in pieces of split 2. */
static inline unsigned v3_class(Span s, size_t at, size_t *next)
{
    static const uint8_t of[] = {V_NONE, V_LETTER, V_LETTER, V_NUMBER, V_SYMBOL, V_SYMBOL, V_SPACE};
    unsigned c = uni_at(s, at, next);

    return c == UNI_END ? V_END : of[c & UNI_CATEGORY] | (c & UNI_CJK);
}

/* The same within the piece of a character of class `piece`: V_END at its end. */
static inline unsigned class_within(Span s, size_t at, unsigned piece, size_t *next)
{
    unsigned c = v3_class(s, at, next);

    return c == V_END || c == V_NUMBER || ((c ^ piece) & V_CJK) ? V_END : c & ~(unsigned)V_CJK;
}

static size_t run_end(Span s, size_t at, unsigned piece, unsigned class)
{
    for (size_t next; class_within(s, at, piece, &next) == class;) at = next;
    return at;
}

static size_t numbers_end(Span s, size_t at)
{
    size_t next;

    for (int i = 0; i < 3 && v3_class(s, at, &next) == V_NUMBER; i++) at = next;
    return at;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ and, for class V_NONE, what lies before the next match: without the last character when a letter follows. */
static size_t loose_end(Span s, size_t at, unsigned piece, unsigned class)
{
    size_t end = at, last = at, behind_newline = 0, next;
    unsigned c;

    for (; (c = class_within(s, end, piece, &next)) == class; end = next) {
        if (is_newline_at(s, end)) behind_newline = next;
        last = end;
    }
    if (behind_newline) return behind_newline;
    return last > at && (class == V_SPACE ? c != V_END : c == V_LETTER) ? last : end;
}

static size_t v3_end(Span s, size_t at)
{
    size_t next, after;
    unsigned piece = v3_class(s, at, &next), class = piece & ~(unsigned)V_CJK;

    if (class == V_NUMBER) return numbers_end(s, at);
    if (ascii_is_punct(s.p[at]) && next < s.n && ascii_is_alpha(s.p[next])) {
        while (next < s.n && ascii_is_alpha(s.p[next])) next++;
        return next;
    }
    unsigned behind = class_within(s, next, piece, &after);
    if (class == V_LETTER) return run_end(s, next, piece, V_LETTER);
    if (behind == V_LETTER && class != V_SYMBOL && !is_newline_at(s, at)) return run_end(s, after, piece, V_LETTER);
    if (class == V_SYMBOL || (s.p[at] == ' ' && behind == V_SYMBOL)) {
        size_t end = run_end(s, next, piece, V_SYMBOL);
        return piece & V_CJK ? end : newlines_end(s, end);
    }
    return loose_end(s, at, piece, class);
}

PRETOKEN_INLINE uint64_t v3_cuts(const ByteMasks *m, const uint8_t *p, uint64_t beyond)
{
    uint64_t symbol = m->punct | m->wide_punct | m->cjk_stop, white = m->blank | m->tab, cjk = m->han, open = beyond,
             tails = 0;
    uint64_t none = ~(m->letter | symbol | white | m->newline | m->digit | m->high), rest = m->high & ~(symbol | cjk),
             letter = 0;

    if (rest) {
        uint64_t of[N_UNI] = {0};
        open |= uni_add(rest, p, of, &tails);
        letter = of[UNI_LETTER] | of[UNI_MARK], symbol |= of[UNI_PUNCT] | of[UNI_SYMBOL];
        cjk |= of[UNI_LETTER | UNI_CJK] | of[UNI_MARK | UNI_CJK];
        open |= m->high & ~(letter | symbol | cjk);
    }
    uint64_t any_letter = m->letter | letter, first = m->punct & ~((symbol | m->blank) << 1),
             word = m->letter & first << 1;
    uint64_t joined = tails | (m->letter & (any_letter | white | none | first) << 1);
    /* ASCII letters behind a punctuation mark end at other letters: the sum has the bit behind such a run. */
    joined |= letter & (any_letter | white | none) << 1 & ~(m->letter + word);
    joined |= (symbol & (symbol | m->blank) << 1) | (cjk & cjk << 1) | digits_joined(m->digit);
    joined |=
        white_joined(white, m->newline, symbol, any_letter | symbol | none) | (none & none << 1 & ~(any_letter >> 1));
    return ~joined & settled(open, white | none);
}

PRETOKEN_SCANS(v3, v3_cuts, v3_end)

const PretokenScanners pretoken_v3 = PRETOKEN_SCANNERS(v3);
