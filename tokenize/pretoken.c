#include "tokenize/pretoken.h"

#include "tokenize/pretoken_block.h"
#include "tokenize/pretoken_scan.h"
#include "tokenize/pretoken_tables.inc"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

Span pretoken_spec(void) { return (Span){(const uint8_t *)pretoken_json, sizeof pretoken_json - 1}; }

unsigned pretoken_class_of(uint32_t cp)
{
    if (cp >= PRETOKEN_LIMIT) return 0;
    return pretoken_class[pretoken_page[cp / PRETOKEN_PAGE] * PRETOKEN_PAGE + cp % PRETOKEN_PAGE];
}

/* Class of the character at `at`, and where the next one begins; 0 at the end of the text. */
static inline unsigned class_at(Span s, size_t at, size_t *next)
{
    uint32_t cp;

    *next = at;
    if (at >= s.n) return 0;
    *next = at + utf8_next(s.p + at, s.n - at, &cp);
    return pretoken_class_of(cp);
}

/* Do stages 1 to 3 cut between a character of class a and the one of class b that follows it? `next` is where the
 * character behind b begins. White space is PT_SPACE, never a newline. */
static bool cut_before_words(Span s, unsigned a, unsigned b, size_t next)
{
    size_t after = next, end;

    if ((a | b) & PT_NEWLINE) return true;
    if (b & PT_LETTER) {
        if (!(a & (PT_LETTER | PT_SPACE))) return true;
    } else if (a & PT_LETTER) {
        return true;
    }
    unsigned c = b & PT_SPACE ? class_at(s, next, &after) : 0;
    if (c & PT_LETTER) return true; /* b goes with the letters */
    if (b & PT_PUNCT) return !(a & (PT_PUNCT | PT_SPACE));
    if (a & PT_PUNCT) return true;
    if (!(c & PT_PUNCT)) return false;
    /* b goes with the punctuation c, unless c is U+3000 and stage 2 has given it to a letter behind it. */
    return !((c & PT_SPACE) && (class_at(s, after, &end) & PT_LETTER));
}

/* Stage 4: does the run of white space that begins at `at` reach the end of its piece of stages 1 to 3? */
static bool run_ends_piece(Span s, size_t at)
{
    size_t next;
    unsigned a = class_at(s, at, &next);

    while (next < s.n) {
        at = next;
        unsigned b = class_at(s, at, &next);
        if (cut_before_words(s, a, b, next)) return true;
        if (!(b & PT_SPACE)) return false;
        a = b;
    }
    return true;
}

/* Does any stage cut between a character of class a and the one at `at`? */
static bool cut_at(Span s, unsigned a, size_t at, unsigned *class_of_b, size_t *next)
{
    unsigned b = class_at(s, at, next);

    *class_of_b = b;
    if ((a ^ b) & PT_CJK || (a | b) & PT_NUMERIC) return true;
    if (cut_before_words(s, a, b, *next)) return true;
    return (b & PT_SPACE) && !(a & PT_SPACE) && run_ends_piece(s, at);
}

/* Goes on from `at`, behind a character of class a that belongs to the pretoken. */
static size_t scan_on(Span s, unsigned a, size_t at)
{
    size_t next;
    unsigned b;

    while (at < s.n && !cut_at(s, a, at, &b, &next)) a = b, at = next;
    return at;
}

static size_t letters_end(Span s, size_t at)
{
#if defined(__SSE2__)
    while (s.n - at >= 16) {
        __m128i v = _mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)(s.p + at)), _mm_set1_epi8(0x20));
        /* v - 'a' < 26 without sign, as a signed comparison shifted by 128 */
        __m128i above = _mm_sub_epi8(v, _mm_set1_epi8((char)('a' + 128)));
        unsigned in = (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(above, _mm_set1_epi8(-128 + 26)));
        if (in != 0xffff) return at + (unsigned)__builtin_ctz(~in);
        at += 16;
    }
#endif
    while (at < s.n && ascii_is_alpha(s.p[at])) at++;
    return at;
}

/* Han of the blocks that are CJK and nothing else: lead bytes E4..E8, U+4000..U+8FFF. */
static size_t han_end(Span s, size_t at)
{
    while (s.n - at >= 3) {
        const uint8_t *p = s.p + at;
        if ((uint8_t)(p[0] - 0xE4) > 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) break;
        at += 3;
    }
    return at;
}

/* A run of spaces that begins a pretoken, when ASCII follows or nothing: the last one goes with the letters or the punctuation
 * behind it. SIZE_MAX: not so simple. */
static size_t spaces_end(Span s, size_t at)
{
    size_t end = at;

    while (end < s.n && s.p[end] == ' ') end++;
    if (end == s.n || s.p[end] == '\n' || s.p[end] == '\r' || ascii_is_digit(s.p[end])) return end;
    if (end - at > 1 && s.p[end] > ' ' && s.p[end] < 0x7f) return end - 1;
    return SIZE_MAX;
}

size_t pretoken_end(Span s, size_t at)
{
    size_t first = at, end, next;
    unsigned a;

    if (s.p[at] == ' ' && at + 1 < s.n) first++;
    uint8_t c = s.p[first];
    if (ascii_is_alpha(c)) {
        end = letters_end(s, first + 1);
        return end == s.n || s.p[end] < 0x80 ? end : scan_on(s, PT_LETTER | PT_PUNCT, end);
    }
    if (ascii_is_punct(c)) {
        for (end = first + 1; end < s.n && ascii_is_punct(s.p[end]);) end++;
        return end == s.n || s.p[end] < 0x80 ? end : scan_on(s, PT_PUNCT, end);
    }
    if (c == ' ') {
        if ((end = spaces_end(s, at)) != SIZE_MAX) return end;
    } else if (first > at) {
        if (ascii_is_digit(c)) return first;
    } else if (ascii_is_digit(c)) {
        return at + 1;
    } else if (c >= 0xE4 && (end = han_end(s, at)) > at) {
        return scan_on(s, PT_CJK, end);
    }
    a = class_at(s, at, &next);
    return scan_on(s, a, next);
}

/* --- a block. Each byte has the class of its character; the kinds are the combinations of class bits that there are. */

enum {
    KIND_NONE,
    KIND_LETTER,
    KIND_PLAIN_LETTER,
    KIND_CJK_LETTER,
    KIND_PUNCT,
    KIND_CJK_PUNCT,
    KIND_CJK,
    KIND_NUMERIC,
    KIND_SPACE,
    N_KINDS
};

/* Letters of ASCII and fullwidth ones are PUNCT too; the others are plain, or CJK too. */
static inline unsigned kind_of(unsigned class)
{
    if (class & PT_SPACE) return KIND_SPACE;
    if (class & PT_NUMERIC) return KIND_NUMERIC;
    if (class & PT_LETTER)
        return class & PT_PUNCT ? KIND_LETTER : class & PT_CJK ? KIND_CJK_LETTER : KIND_PLAIN_LETTER;
    if (class & PT_PUNCT) return class & PT_CJK ? KIND_CJK_PUNCT : KIND_PUNCT;
    return class & PT_CJK ? KIND_CJK : KIND_NONE;
}

/* Adds the characters of the bytes `rest`, above 127, to their kinds. Returns the bytes of characters that may reach into what is
 * beyond. `tails` are all bytes but the first of characters that are none of KIND_NONE. */
static inline uint64_t add_kinds(uint64_t rest, const uint8_t *p, uint64_t kind[N_KINDS], uint64_t *tails)
{
    while (rest) {
        unsigned i = lowest_bit(rest), left = 64 - i, len;
        uint32_t cp;
        len = utf8_next(p + i, left, &cp);
        if (cp == UTF8_BAD && left < 4) return rest;
        uint64_t bytes = byte_run(i, len);
        unsigned k = kind_of(pretoken_class_of(cp));
        kind[k] |= bytes;
        if (k != KIND_NONE) *tails |= bytes & (bytes - 1) & ~(UINT64_C(1) << i);
        rest &= ~bytes;
    }
    return 0;
}

/* Before which bytes of a block is a cut? */
PRETOKEN_INLINE uint64_t deepseek_llm_cuts(const ByteMasks *m, const uint8_t *p, uint64_t beyond)
{
    uint64_t letter = m->letter, punct = m->punct | m->wide_punct, cjk_punct = m->cjk_stop, cjk = m->han,
             blank = m->blank | m->tab;
    uint64_t none = ~(letter | punct | blank | m->digit | m->newline | m->high), plain = 0, cjk_letter = 0, tails = 0,
             open = beyond;
    uint64_t rest = m->high & ~(cjk | punct | cjk_punct);

    if (rest) {
        uint64_t kind[N_KINDS] = {0};
        open |= add_kinds(rest, p, kind, &tails) | kind[KIND_SPACE];
        letter |= kind[KIND_LETTER], punct |= kind[KIND_PUNCT], cjk_punct |= kind[KIND_CJK_PUNCT],
            cjk |= kind[KIND_CJK];
        none |= kind[KIND_NONE], plain = kind[KIND_PLAIN_LETTER], cjk_letter = kind[KIND_CJK_LETTER];
    }
    uint64_t before_word = (letter | punct | plain | cjk_letter | cjk_punct) >> 1;
    uint64_t joined =
        tails | (letter & (letter | blank) << 1) | (punct & (punct | blank) << 1) | (plain & (plain | blank) << 1);
    joined |= (cjk & cjk << 1) | (cjk_letter & cjk_letter << 1) | (cjk_punct & cjk_punct << 1);
    joined |= (none & (none | blank) << 1) | (blank & blank << 1 & ~before_word);
    /* What white space does depends on what follows; behind a character of no class, on the whole run of it. */
    open |= blank & (open >> 1 | UINT64_C(1) << 63 | (none << 1 & ~before_word));
    return ~joined & bits_below(open);
}

PRETOKEN_SCANS(deepseek_llm, deepseek_llm_cuts, pretoken_end)

const PretokenScanners pretoken_deepseek_llm = PRETOKEN_SCANNERS(deepseek_llm);
