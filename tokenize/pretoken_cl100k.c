/* cl100k (openai/tiktoken), which Llama 3 has too, and Qwen 2, with single numbers for \p{N}{1,3}:
 *   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * One of the alternatives matches everywhere. A character that is neither letter, number nor newline goes with the letters behind it if
 * a pretoken begins there: white space always, since a run of it gives up its last character; others if they stand alone and behind
 * no blank. */
#include "tokenize/pretoken_unicode.h"

enum { C_LETTER, C_NUMBER, C_OTHER, C_SPACE, C_END };

static inline unsigned cl100k_class(Span s, size_t at, size_t *next)
{
    unsigned c = uni_at(s, at, next);

    if (c == UNI_END) return C_END;
    c &= UNI_CATEGORY;
    return c == UNI_LETTER ? C_LETTER : c == UNI_NUMBER ? C_NUMBER : c == UNI_SPACE ? C_SPACE : C_OTHER;
}

/* Behind the characters of a class from `at` on, at most `limit` of them. */
static size_t run_end(Span s, size_t at, unsigned class, size_t limit)
{
    for (size_t next; limit && cl100k_class(s, at, &next) == class; limit--) at = next;
    return at;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t space_end(Span s, size_t at)
{
    size_t end = at, last = at, behind_newline = 0, next;

    for (; cl100k_class(s, end, &next) == C_SPACE; end = next) {
        if (is_newline_at(s, end)) behind_newline = next;
        last = end;
    }
    if (behind_newline) return behind_newline;
    return end < s.n && last > at ? last : end;
}

PRETOKEN_INLINE size_t end_with_numbers(Span s, size_t at, size_t limit)
{
    size_t next, after, n = s.p[at] == '\'' ? contraction_at(s.p + at, s.n - at, true) : 0;
    unsigned class = cl100k_class(s, at, &next), behind = cl100k_class(s, next, &after);

    if (n) return at + n;
    if (class == C_LETTER) return run_end(s, next, C_LETTER, SIZE_MAX);
    if (class == C_NUMBER) return run_end(s, next, C_NUMBER, limit - 1);
    if (behind == C_LETTER && !is_newline_at(s, at)) return run_end(s, after, C_LETTER, SIZE_MAX);
    if (class == C_OTHER || (s.p[at] == ' ' && behind == C_OTHER))
        return newlines_end(s, run_end(s, next, C_OTHER, SIZE_MAX));
    return space_end(s, at);
}

static size_t cl100k_end(Span s, size_t at) { return end_with_numbers(s, at, 3); }
static size_t qwen2_end(Span s, size_t at) { return end_with_numbers(s, at, 1); }

/* From the first bytes of characters to their last. */
static inline uint64_t last_bytes(uint64_t first, uint64_t tails)
{
    for (int i = 0; i < 3; i++) first = (first & ~(tails >> 1)) | (first << 1 & tails);
    return first;
}

PRETOKEN_INLINE uint64_t cuts_with_numbers(const ByteMasks *m, const uint8_t *p, uint64_t beyond, bool threes)
{
    uint64_t letter = m->letter | m->han, white = m->blank | m->tab, open = beyond,
             tails = (m->wide_punct | m->cjk_stop) & m->tail;
    uint64_t other = ~(letter | m->digit | white | m->newline | m->high) | m->wide_punct | m->cjk_stop,
             rest = m->high & ~(letter | other);

    if (rest) {
        uint64_t of[N_UNI] = {0};
        open |= uni_add(rest, p, of, &tails) | of[UNI_SPACE] | of[UNI_NUMBER];
        letter |= of[UNI_LETTER] | of[UNI_LETTER | UNI_CJK];
        other |= of[UNI_NONE] | of[UNI_MARK] | of[UNI_PUNCT] | of[UNI_SYMBOL];
        other |= of[UNI_CJK] | of[UNI_MARK | UNI_CJK] | of[UNI_PUNCT | UNI_CJK] | of[UNI_SYMBOL | UNI_CJK];
    }
    uint64_t first = other & ~tails & ~((other | m->blank) << 1); /* where a pretoken begins with another character */
    uint64_t joined = letter & (letter | white | (tails ? last_bytes(first, tails) : first)) << 1;
    joined |= tails | (other & (other | m->blank) << 1);
    joined |= white_joined(white, m->newline, other, letter | other | m->digit);
    if (threes) joined |= digits_joined(m->digit);
    join_contractions(m->quote & first, p, true, &joined, &open);
    return ~joined & settled(open, white);
}

PRETOKEN_INLINE uint64_t cl100k_cuts(const ByteMasks *m, const uint8_t *p, uint64_t beyond)
{
    return cuts_with_numbers(m, p, beyond, true);
}
PRETOKEN_INLINE uint64_t qwen2_cuts(const ByteMasks *m, const uint8_t *p, uint64_t beyond)
{
    return cuts_with_numbers(m, p, beyond, false);
}

PRETOKEN_SCANS(cl100k, cl100k_cuts, cl100k_end)
PRETOKEN_SCANS(qwen2, qwen2_cuts, qwen2_end)

const PretokenScanners pretoken_cl100k = PRETOKEN_SCANNERS(cl100k);
const PretokenScanners pretoken_qwen2 = PRETOKEN_SCANNERS(qwen2);
