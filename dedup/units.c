#include "dedup/units.h"

#include "core/unicode.h"
#include "core/utf8.h"

#include <stdlib.h>

enum { UNITS_KEEP = 1 << 20 }; /* tokens: what a text of more has taken is given back with the next one */

void units_clear(UnitText *u)
{
    textkey_clear(&u->key);
    buf_clear(&u->hashes);
    free(u->unit);
    *u = (UnitText){0};
}

/* --- splitting */

static bool add_unit(UnitText *u, size_t begin, size_t end)
{
    Unit *room = u->n < u->cap ? u->unit : array_grow(u->unit, u->n, &u->cap, sizeof *room);

    if (!room) return false;
    u->unit = room;
    u->unit[u->n++] = (Unit){.begin = (uint32_t)begin, .end = (uint32_t)end};
    return true;
}

/* Without white space (Unicode White_Space) at the ends. */
static Span trim(Span s)
{
    uint32_t cp;

    while (s.n) {
        unsigned n = utf8_next(s.p, s.n, &cp);
        if (cp == UTF8_BAD || unicode_class(cp) != UC_SPACE) break;
        s = span_from(s, n);
    }
    while (s.n) {
        size_t at = s.n - 1;
        while (at > 0 && (s.p[at] & 0xC0) == 0x80) at--;
        utf8_next(s.p + at, s.n - at, &cp);
        if (cp == UTF8_BAD || unicode_class(cp) != UC_SPACE) break;
        s.n = at;
    }
    return s;
}

/* The line at text[at ..] without the white space around it; false: it is blank. *next is where the one behind it begins. */
static bool next_line(Span text, size_t at, size_t *begin, size_t *end, size_t *next)
{
    Span line = span(text.p + at, span_find(span_from(text, at), '\n')), inner = trim(line);

    *next = at + line.n + (at + line.n < text.n);
    *begin = (size_t)(inner.p - text.p);
    *end = *begin + inner.n;
    return inner.n != 0;
}

static bool split_lines(UnitText *u, Span text, bool paragraphs)
{
    bool open = false; /* a paragraph that has begun may go on */
    bool ok = true;

    for (size_t at = 0, begin, end, next; at < text.n && ok; at = next) {
        const bool blank = !next_line(text, at, &begin, &end, &next);
        if (!blank && open)
            u->unit[u->n - 1].end = (uint32_t)end;
        else if (!blank)
            ok = add_unit(u, begin, end);
        open = paragraphs && !blank;
    }
    return ok;
}

/* Asked of every character, so the table is for the few that can be. */
static bool is_terminal(uint32_t cp)
{
    if (cp < 0x80) return cp == '.' || cp == '!' || cp == '?';
    UnicodeClass class = unicode_class(cp);
    return (class == UC_PUNCT || class == UC_SYMBOL) && unicode_is_terminal(cp);
}

/* Marks that close what a sentence is in: they belong to it. */
static bool is_closer(uint32_t cp)
{
    switch (cp) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case 0x2019: /* quotes */
    case 0x201D:
    case 0x00BB:
    case 0x300D: /* corner brackets */
    case 0x300F:
    case 0x300B: /* angle brackets */
    case 0x3011: /* lenticular bracket */
    case 0xFF09: /* full-width parenthesis */ return true;
    default: return false;
    }
}

/* Where the sentence ends whose terminal mark `cp` ends at `at`; 0: it does not end there. */
static size_t sentence_end(Span line, uint32_t cp, size_t at)
{
    bool certain = cp >= 0x80;

    while (at < line.n) {
        uint32_t next;
        unsigned n = utf8_next(line.p + at, line.n - at, &next);
        if (next == UTF8_BAD || (!is_closer(next) && !is_terminal(next))) {
            certain |= next != UTF8_BAD && unicode_class(next) == UC_SPACE;
            break;
        }
        certain |= next >= 0x80 && is_terminal(next);
        at += n;
    }
    return certain || at == line.n ? at : 0;
}

/* The sentences of text[begin, end), a line without white space around it. */
static bool split_sentences(UnitText *u, Span text, size_t begin, size_t end)
{
    const Span line = span(text.p, end);
    size_t at = begin;

    while (at < end) {
        uint32_t cp;
        at += utf8_next(line.p + at, end - at, &cp);
        if (cp == UTF8_BAD || !is_terminal(cp)) continue;
        size_t stop = sentence_end(line, cp, at);
        if (stop == 0) continue;
        if (!add_unit(u, begin, stop)) return false;
        const Span rest = trim(span_from(line, stop));
        begin = at = rest.n ? (size_t)(rest.p - text.p) : end;
    }
    return begin == end || add_unit(u, begin, end);
}

static bool split_line_sentences(UnitText *u, Span text)
{
    bool ok = true;

    for (size_t at = 0, begin, end, next; at < text.n && ok; at = next)
        if (next_line(text, at, &begin, &end, &next)) ok = split_sentences(u, text, begin, end);
    return ok;
}

static bool split_tokens(UnitText *u)
{
    for (size_t i = 0; i < u->key.n_tok; i++)
        if (!add_unit(u, u->key.tok[i].begin, u->key.tok[i].end)) return false;
    return true;
}

/* No token reaches over white space, so each lies in one unit. (Several come from one character where it folds to several.) */
static void share_out_tokens(UnitText *u, UnitKind kind)
{
    size_t t = 0;

    for (size_t i = 0; i < u->n; i++) {
        u->unit[i].tok = (uint32_t)t;
        if (kind == UNIT_TOKEN)
            t++;
        else
            while (t < u->key.n_tok && u->key.tok[t].begin < u->unit[i].end) t++;
        u->unit[i].n_tok = (uint32_t)t - u->unit[i].tok;
    }
}

ErrCode units_split(UnitText *u, UnitKind kind, Span text, Err *err)
{
    bool ok = true;
    ErrCode rc;

    if (u->key.cap > UNITS_KEEP || u->cap > UNITS_KEEP) units_clear(u);
    if ((rc = textkey_split(&u->key, text, err)) != ERR_OK) return rc;
    u->n = 0;
    switch (kind) {
    case UNIT_LINE: ok = split_lines(u, text, false); break;
    case UNIT_PARAGRAPH: ok = split_lines(u, text, true); break;
    case UNIT_SENTENCE: ok = split_line_sentences(u, text); break;
    case UNIT_TOKEN: ok = split_tokens(u); break;
    }
    buf_reset(&u->hashes);
    if (!ok || !buf_reserve(&u->hashes, 8 * u->key.n_tok)) return err_nomem(err, "a text's units");
    for (size_t i = 0; i < u->key.n_tok; i++) le64_put(u->hashes.p + 8 * i, u->key.tok[i].hash);
    share_out_tokens(u, kind);
    return ERR_OK;
}

Hash128 units_hash(const UnitText *u, size_t tok, size_t n) { return hash128(span(u->hashes.p + 8 * tok, 8 * n)); }

size_t units_words(const UnitText *u, size_t tok, size_t n)
{
    const uint64_t number = hash64(SPAN_LIT("0"));
    size_t words = 0;

    for (size_t i = tok; i < tok + n; i++) words += u->key.tok[i].hash != number;
    return words;
}

/* --- cutting */

/* Line ends of text[from, to); *behind the last of them, unless there is none. */
static size_t line_ends(Span text, size_t from, size_t to, size_t *behind)
{
    size_t n = 0;

    for (size_t i = from; i < to; i++)
        if (text.p[i] == '\n') n++, *behind = i + 1;
    return n;
}

/* Whether a letter here would go on the token of a letter before it. */
static bool is_letter(Span text, size_t at)
{
    uint32_t cp, to[UNICODE_FOLD_MAX];

    utf8_next(text.p + at, text.n - at, &cp);
    const unsigned n = cp == UTF8_BAD ? 0 : unicode_fold(cp, to);
    const UnicodeClass class = n ? unicode_class(to[0]) : UC_OTHER;
    return class == UC_LETTER || class == UC_MARK || class == UC_DIGIT || class == UC_NUMBER;
}

/* Whether tokens on both sides of text[from, to), which holds none, would be two: an accent or a soft hyphen between them vanishes. */
static bool parts_tokens(Span text, size_t from, size_t to)
{
    uint32_t cp, folded[UNICODE_FOLD_MAX];

    while (from < to) {
        from += utf8_next(text.p + from, to - from, &cp);
        if (cp == UTF8_BAD || unicode_fold(cp, folded) != 0) return true;
    }
    return false;
}

/* Whether the units before and behind `at` are tokens that one character folds to, or that share one. */
static bool shares_character(const UnitText *u, uint32_t at)
{
    return at > 0 && at < u->n && u->unit[at].begin < u->unit[at - 1].end;
}

UnitRange units_cut(const UnitText *u, Span text, UnitRange *range)
{
    while (range->begin < range->end && shares_character(u, range->begin))
        range->begin++; /* what stays in part stays */
    while (range->begin < range->end && shares_character(u, range->end)) range->end--;
    const UnitRange r = *range;
    if (r.begin == r.end) return (UnitRange){0, 0};
    const bool first = r.begin == 0, last = r.end == u->n;
    const size_t left = first ? 0 : u->unit[r.begin - 1].end, right = last ? text.n : u->unit[r.end].begin;
    const size_t from = u->unit[r.begin].begin;
    size_t to = u->unit[r.end - 1].end, left_line = first ? 0 : from, right_line = right;
    const size_t n_left = line_ends(text, left, from, &left_line), n_right = line_ends(text, to, right, &right_line);

    if (last) return (UnitRange){(uint32_t)left, (uint32_t)to};
    const bool left_parts = parts_tokens(text, left, from), right_parts = parts_tokens(text, to, right);
    const bool left_stays = n_left > n_right || (left_parts && !right_parts);
    if (first || left_stays)
        return n_right || first ? (UnitRange){(uint32_t)left_line, (uint32_t)right_line}
                                : (UnitRange){(uint32_t)from, (uint32_t)right};
    if (!left_parts && !right_parts && is_letter(text, u->unit[r.begin - 1].begin) && is_letter(text, right)) {
        if (shares_character(u, r.end - 1)) { /* it would join with what is before it: the cut is given up */
            range->end = range->begin;
            return (UnitRange){0, 0};
        }
        to = u->unit[r.end - 1].begin; /* a character that stood between two words */
    }
    return (UnitRange){(uint32_t)left, (uint32_t)to};
}
