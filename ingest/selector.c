#define _GNU_SOURCE /* memmem */
#include "ingest/selector.h"

#include "core/hash.h"
#include "core/utf8.h"

#include <stdlib.h>

void selectors_clear(Selectors *s)
{
    free(s->part);
    free(s->test);
    buf_clear(&s->text);
    *s = (Selectors){0};
}

void selectormatch_clear(SelectorMatch *m)
{
    free(m->bits);
    m->bits = NULL;
    m->cap_bits = 0;
}

/* ---- reading */

typedef struct {
    Selectors *s;
    Span rest;
    Err *err;
} Reader;

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t'; }

/* The byte that comes next; 0 at the end, and a NUL is nothing that a selector may hold. */
static uint8_t peek(const Reader *r) { return r->rest.n ? r->rest.p[0] : 0; }
static void skip(Reader *r) { r->rest = span_from(r->rest, 1); }
static bool skip_blanks(Reader *r)
{
    const size_t n = r->rest.n;

    while (is_blank(peek(r))) skip(r);
    return r->rest.n < n;
}

/* The beginning of what is left, for a message. */
static ErrCode fail(Reader *r, const char *what)
{
    enum { SHOWN = 24 };
    const size_t n = utf8_floor(r->rest, SHOWN);

    if (n == 0) return err_set(r->err, ERR_DATA, "%s, at the end of the selector", what);
    return err_set(r->err, ERR_DATA, "%s, at %.*s", what, (int)n, (const char *)r->rest.p);
}

static bool is_name_byte(uint8_t c) { return c >= 0x80 || ascii_is_alnum(c) || c == '-' || c == '_'; }

/* Appends a name to the text. */
static ErrCode read_name(Reader *r, SelectorTest *to, const char *what)
{
    Buf *text = &r->s->text;

    to->value = (uint32_t)text->n;
    for (; is_name_byte(peek(r)) || peek(r) == '\\'; skip(r)) {
        if (peek(r) == '\\') {
            skip(r);
            if (r->rest.n == 0) return fail(r, "a backslash before nothing");
        }
        buf_putc(text, peek(r));
    }
    to->bytes = (uint32_t)text->n - to->value;
    return to->bytes ? ERR_OK : fail(r, what);
}

static ErrCode read_string(Reader *r, SelectorTest *to)
{
    Buf *text = &r->s->text;
    const uint8_t quote = peek(r);

    to->value = (uint32_t)text->n;
    for (skip(r); peek(r) != quote; skip(r)) {
        if (peek(r) == '\\') skip(r);
        if (r->rest.n == 0) return fail(r, "a string that does not end");
        buf_putc(text, peek(r));
    }
    skip(r);
    to->bytes = (uint32_t)text->n - to->value;
    return ERR_OK;
}

/* Takes the name of an element or attribute off, in lower case. */
static bool take_keyword(Reader *r, char *out, size_t size)
{
    size_t n = 0;

    while (n + 1 < size && is_name_byte(peek(r))) out[n++] = (char)ascii_lower(peek(r)), skip(r);
    out[n] = 0;
    return n > 0 && !is_name_byte(peek(r));
}

static ErrCode read_op(Reader *r, SelectorTest *to)
{
    static const char marks[] = "~^$*|";
    static const uint8_t ops[] = {SELECTOR_WORD, SELECTOR_BEGINS, SELECTOR_ENDS, SELECTOR_HOLDS, SELECTOR_DASH};
    const char *mark = peek(r) ? strchr(marks, peek(r)) : NULL;

    to->op = mark ? ops[mark - marks] : SELECTOR_IS;
    if (mark) skip(r);
    if (peek(r) != '=') return fail(r, "no = ~= ^= $= *= |= or ] behind an attribute");
    skip(r);
    return ERR_OK;
}

/* Behind the '['. */
static ErrCode read_attribute(Reader *r, SelectorTest *to)
{
    const Reader start = *r;
    char name[16];
    ErrCode rc;

    skip_blanks(r);
    const bool is_name = take_keyword(r, name, sizeof name);
    to->attr = (uint8_t)(is_name ? html_attr_of(name) : HTML_N_ATTRS);
    if (to->attr == HTML_N_ATTRS) {
        r->rest = start.rest;
        return fail(r, "not an attribute that is kept of pages");
    }
    skip_blanks(r);
    to->op = SELECTOR_HAS;
    if (peek(r) != ']') {
        if ((rc = read_op(r, to)) != ERR_OK) return rc;
        skip_blanks(r);
        const bool quoted = peek(r) == '"' || peek(r) == '\'';
        rc = quoted ? read_string(r, to) : read_name(r, to, "no value behind a =");
        if (rc != ERR_OK) return rc;
        if (to->bytes == 0 && to->op != SELECTOR_IS) return fail(r, "an empty value, which is in nothing");
        skip_blanks(r);
    }
    if (peek(r) != ']') return fail(r, "no ] behind an attribute");
    skip(r);
    return ERR_OK;
}

/* A bit of 64 for a class or an id. */
static uint64_t bit_of(unsigned attr, Span name) { return (uint64_t)1 << (hash64_seed(name, attr) & 63); }

/* Reads the tests of a compound. */
static ErrCode read_tests(Reader *r, SelectorPart *part)
{
    Selectors *s = r->s;
    ErrCode rc = ERR_OK;

    for (uint8_t c; (c = peek(r)) == '.' || c == '#' || c == '[';) {
        SelectorTest *tests = array_grow(s->test, s->n_tests, &s->cap_tests, sizeof *s->test);
        if (!tests) return err_nomem(r->err, "a selector");
        s->test = tests;
        SelectorTest *to = &s->test[s->n_tests++];
        *to = (SelectorTest){.attr = c == '.' ? HTML_CLASS : HTML_ID, .op = c == '.' ? SELECTOR_WORD : SELECTOR_IS};
        if (++part->n_tests > SELECTOR_MAX_TESTS) return fail(r, "too many tests of one element");
        skip(r);
        rc = c == '['   ? read_attribute(r, to)
             : c == '.' ? read_name(r, to, "no name behind a .")
                        : read_name(r, to, "no name behind a #");
        if (rc == ERR_OK) rc = buf_ok(&s->text, "a selector", r->err);
        if (rc != ERR_OK) return rc;
        if ((to->attr == HTML_CLASS && to->op == SELECTOR_WORD) || (to->attr == HTML_ID && to->op == SELECTOR_IS))
            part->need |= bit_of(to->attr, span(s->text.p + to->value, to->bytes));
    }
    return rc;
}

static ErrCode read_tag(Reader *r, SelectorPart *part)
{
    const Reader start = *r;
    char name[16];

    if (!is_name_byte(peek(r))) return ERR_OK;
    const bool is_name = take_keyword(r, name, sizeof name);
    part->tag = (uint8_t)(is_name ? html_tag_of(name) : HTML_OTHER);
    if (part->tag != HTML_OTHER) return ERR_OK;
    r->rest = start.rest;
    return fail(r, "not an element of HTML");
}

/* Appends a compound. */
static ErrCode read_part(Reader *r, bool first, bool child)
{
    Selectors *s = r->s;
    const uint8_t c = peek(r);
    ErrCode rc;

    if (c == ':') return fail(r, "pseudo-classes are not for rules");
    if (c == '+' || c == '~') return fail(r, "no + or ~ between elements");
    if (!is_name_byte(c) && c != '*' && c != '.' && c != '#' && c != '[') return fail(r, "no element");
    SelectorPart *parts = array_grow(s->part, s->n_parts, &s->cap_parts, sizeof *s->part);
    if (!parts) return err_nomem(r->err, "a selector");
    s->part = parts;
    SelectorPart *part = &s->part[s->n_parts++];
    *part = (SelectorPart){.tag = HTML_TEXT, .first = first, .child = child, .test = (uint32_t)s->n_tests};
    if (c == '*')
        skip(r);
    else if ((rc = read_tag(r, part)) != ERR_OK)
        return rc;
    if ((rc = read_tests(r, part)) != ERR_OK) return rc;
    return peek(r) == ':' ? fail(r, "pseudo-classes are not for rules") : ERR_OK;
}

ErrCode selectors_add(Selectors *s, Span list, Err *err)
{
    Reader r = {.s = s, .rest = list, .err = err};
    bool first = true, child = false;

    skip_blanks(&r);
    for (;;) {
        ErrCode rc = read_part(&r, first, child);
        if (rc != ERR_OK) return rc;
        const bool blank = skip_blanks(&r);
        const uint8_t c = peek(&r);
        first = r.rest.n == 0 || c == ',';
        child = c == '>';
        s->part[s->n_parts - 1].last = first;
        if (r.rest.n == 0) return ERR_OK;
        if (first || child) {
            skip(&r);
            skip_blanks(&r);
        } else if (!blank) {
            return fail(&r, "no selector");
        }
    }
}

/* ---- matching */

ErrCode selectormatch_begin(SelectorMatch *m, const Selectors *s, const HtmlTree *t, Err *err)
{
    const size_t words = (m->n + 63) / 64;
    size_t depth = 0;

    for (size_t i = 0; i < t->n_nodes; i++) depth = t->node[i].depth > depth ? t->node[i].depth : depth;
    if (!m->bits || (depth + 1) * 2 * words > m->cap_bits) {
        free(m->bits);
        m->cap_bits = 0;
        m->bits = malloc((depth + 1) * 2 * words * 2 * sizeof *m->bits);
        if (!m->bits) return err_nomem(err, "a page's site rules");
        m->cap_bits = (depth + 1) * 2 * words * 2;
    }
    memset(m->bits, 0, 2 * words * sizeof *m->bits); /* the root is none of the page's */
    memset(m->first, 0, sizeof m->first);
    memset(m->child, 0, words * sizeof *m->child);
    memset(m->last, 0, words * sizeof *m->last);
    for (uint32_t k = 0; k < m->n; k++) {
        const SelectorPart *part = &s->part[m->part[k]];
        const uint64_t bit = (uint64_t)1 << (k & 63);
        if (part->first) m->first[part->need ? bit_lowest(part->need) : 64][k / 64] |= bit;
        if (part->child) m->child[k / 64] |= bit;
        if (part->last) m->last[k / 64] |= bit;
    }
    return ERR_OK;
}

/* Takes the next word off. */
static Span take_word(Span *rest)
{
    size_t from = 0, end;

    while (from < rest->n && ascii_is_space(rest->p[from])) from++;
    for (end = from; end < rest->n && !ascii_is_space(rest->p[end]);) end++;
    const Span word = span(span_from(*rest, from).p, end - from);
    *rest = span_from(*rest, end);
    return word;
}

static bool has_word(Span value, Span word)
{
    for (Span w; (w = take_word(&value)).n;)
        if (span_eq(w, word)) return true;
    return false;
}

static Span value_of(const Selectors *s, const SelectorTest *test)
{
    return span(span_from(buf_span(&s->text), test->value).p, test->bytes);
}

static bool passes(const Selectors *s, const SelectorTest *test, const HtmlTree *t, uint32_t node)
{
    const Span value = html_attr(t, node, (HtmlAttr)test->attr), want = value_of(s, test);

    if (!value.p) return false;
    switch (test->op) {
    case SELECTOR_HAS: return true;
    case SELECTOR_IS: return span_eq(value, want);
    case SELECTOR_WORD: return has_word(value, want);
    case SELECTOR_BEGINS: return span_starts(value, want);
    case SELECTOR_ENDS: return value.n >= want.n && span_eq(span_from(value, value.n - want.n), want);
    case SELECTOR_HOLDS: return memmem(value.p, value.n, want.p, want.n) != NULL;
    default: return span_starts(value, want) && (value.n == want.n || value.p[want.n] == '-');
    }
}

static uint64_t bits_of_node(const HtmlTree *t, uint32_t node)
{
    const Span id = html_attr(t, node, HTML_ID);
    Span names = html_attr(t, node, HTML_CLASS);
    uint64_t bits = id.p ? bit_of(HTML_ID, id) : 0;

    for (Span word; (word = take_word(&names)).n;) bits |= bit_of(HTML_CLASS, word);
    return bits;
}

static bool part_matches(const Selectors *s, const SelectorPart *part, const HtmlTree *t, uint32_t node,
                         uint64_t bits)
{
    if ((part->tag != HTML_TEXT && part->tag != t->node[node].tag) || (part->need & ~bits)) return false;
    for (unsigned i = 0; i < part->n_tests; i++)
        if (!passes(s, &s->test[part->test + i], t, node)) return false;
    return true;
}

/* The first parts of selectors that the classes and ids of an element may be meant by, of 64. */
static uint64_t first_parts(const SelectorMatch *m, size_t word, uint64_t bits)
{
    uint64_t first = m->first[64][word];

    for (; bits; bits &= bits - 1) first |= m->first[bit_lowest(bits)][word];
    return first;
}

const uint64_t *selectormatch_node(SelectorMatch *m, const Selectors *s, const HtmlTree *t, uint32_t node)
{
    const size_t words = (m->n + 63) / 64;
    const HtmlNode *n = &t->node[node];
    const uint64_t *above = m->bits + 2 * words * t->node[n->parent].depth, bits = bits_of_node(t, node);
    uint64_t *here = m->bits + 2 * words * n->depth, carry_child = 0, carry_below = 0;

    for (size_t w = 0; w < words; w++) {
        /* What may match here: the first parts, and those of which the part before matches above. */
        const uint64_t child = above[w] << 1 | carry_child, below = above[words + w] << 1 | carry_below;
        uint64_t open = first_parts(m, w, bits) | (child & m->child[w]) | (below & ~m->child[w]), match = 0;
        carry_child = above[w] >> 63;
        carry_below = above[words + w] >> 63;
        for (; open; open &= open - 1) {
            const unsigned k = bit_lowest(open);
            if (w * 64 + k < m->n && part_matches(s, &s->part[m->part[w * 64 + k]], t, node, bits))
                match |= (uint64_t)1 << k;
        }
        here[w] = match & ~m->last[w];
        here[words + w] = above[words + w] | here[w];
        m->found[w] = match & m->last[w];
    }
    return m->found;
}
