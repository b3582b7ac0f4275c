#include "ingest/selector.h"

#include "core/hash.h"
#include "tests/page_tree.h"

/* Elements that a list matches, as the values of their ids. */
static void match(const HtmlTree *t, const char *list, Buf *ids)
{
    Selectors s = {0};
    SelectorMatch m = {0};
    Err err = {0};

    buf_reset(ids);
    CHECK_OK(selectors_add(&s, span_str(list), &err), &err);
    m.n = (uint32_t)s.n_parts;
    for (uint32_t i = 0; i < m.n; i++) m.part[i] = i;
    CHECK_OK(selectormatch_begin(&m, &s, t, &err), &err);
    for (uint32_t i = 1; i < t->n_nodes; i++) {
        if (t->node[i].tag == HTML_TEXT) continue;
        const uint64_t *found = selectormatch_node(&m, &s, t, i);
        if (!found[0]) continue;
        buf_put_span(ids, html_attr(t, i, HTML_ID));
    }
    selectormatch_clear(&m);
    selectors_clear(&s);
}

TEST(selectors_match_what_they_say)
{
    static const struct {
        const char *list, *ids;
    } cases[] = {
        {"div", "adg"},
        {"DIV.post", "a"},
        {".post", "ab"},
        {".po", ""},
        {"#c", "c"},
        {"p#c", ""},
        {"*#c", "c"},
        {"[role]", "e"},
        {"[ROLE=note]", "e"},
        {"[class~=post]", "ab"},
        {"[class=post]", "b"},
        {"[class^=po]", "b"},
        {"[class$='st wide']", "a"},
        {"[class*=\"t w\"]", "a"},
        {"[lang|=zh]", "df"},
        {"[ lang |= 'zh' ]", "df"},
        {"div p", "bf"},
        {"div > p", "b"},
        {"div>p , span", "bce"},
        {"div div p", "f"},
        {"article p", "f"},
        {"article > div > p", ""},
        {"div > article > p", "f"},
        {".post span[role=note]", "e"},
        {"div.post.wide", "a"},
        {".wide.post > .post", "b"},
        {"p[id='g']", ""},
        {".md\\:flex", "g"},
        {".\\6d", ""},
        {"#a span, .post", "abce"},
        {"body .post", "ab"},
        {"[href^='https://a.example/']", "h"},
    };
    HtmlTree t = {0};
    Buf ids = {0};

    page_tree(
        "<body><div id=a class='wide post wide post st wide'><p id=b class=post><span id=c>x</span></p>"
        "<div id=d lang=zh-Hans><span id=e role=note>y</span><article><p id=f lang=zh>z</p></article></div></div>"
        "<div id=g class='md:flex x'><a id=h href=https://a.example/b>x</a></div>",
        &t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        match(&t, cases[i].list, &ids);
        if (!span_is(buf_span(&ids), cases[i].ids)) fprintf(stderr, "%s\n", cases[i].list);
        CHECK_SPAN(span_str(cases[i].ids), buf_span(&ids));
    }
    htmltree_clear(&t);
    buf_clear(&ids);
}

TEST(what_is_no_selector_is_refused_with_the_place)
{
    static const struct {
        const char *list, *why;
    } cases[] = {
        {"", "no element, at the end of the selector"},
        {" ", "no element, at the end of the selector"},
        {"div >", "no element, at the end of the selector"},
        {"div,", "no element, at the end of the selector"},
        {", div", "no element, at , div"},
        {"> div", "no element, at > div"},
        {"div > > p", "no element, at > p"},
        {"div + p", "no + or ~ between elements, at + p"},
        {"div~p", "no selector, at ~p"},
        {"div:first-child", "pseudo-classes are not for rules, at :first-child"},
        {"div :not(p)", "pseudo-classes are not for rules, at :not(p)"},
        {"my-element", "not an element of HTML, at my-element"},
        {"averyveryverylongname", "not an element of HTML, at averyveryverylongname"},
        {".", "no name behind a ., at the end of the selector"},
        {"div. p", "no name behind a ., at  p"},
        {"#", "no name behind a #, at the end of the selector"},
        {".a\\", "a backslash before nothing, at the end of the selector"},
        {"[data-x]", "not an attribute that is kept of pages, at data-x]"},
        {"[hidden]", "not an attribute that is kept of pages, at hidden]"},
        {"[]", "not an attribute that is kept of pages, at ]"},
        {"[id", "no = ~= ^= $= *= |= or ] behind an attribute, at the end of the selector"},
        {"[id=", "no value behind a =, at the end of the selector"},
        {"[id~x]", "no = ~= ^= $= *= |= or ] behind an attribute, at x]"},
        {"[id=x", "no ] behind an attribute, at the end of the selector"},
        {"[id='x]", "a string that does not end, at the end of the selector"},
        {"[id='x\\", "a string that does not end, at the end of the selector"},
        {"[id^='']", "an empty value, which is in nothing, at ]"},
        {"p{", "no selector, at {"},
        {".a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a", "too many tests of one element, at .a"},
        {".正文！", NULL},
        {"p (正文正文正文正文)", "no element, at (正文正文正文正"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Selectors s = {0};
        Err err = {0};
        const ErrCode rc = selectors_add(&s, span_str(cases[i].list), &err);
        CHECK_INT(cases[i].why ? ERR_DATA : ERR_OK, rc);
        if (cases[i].why) CHECK_SPAN(span_str(cases[i].why), span_str(err.msg));
        selectors_clear(&s);
    }
}

/* ---- against an obvious version */

typedef struct {
    HtmlTag tag; /* HTML_TEXT: any */
    int op;      /* of `attr`, -1: none */
    HtmlAttr attr;
    const char *value, *class;
    bool child;
} SlowPart;

typedef struct {
    SlowPart part[4];
    int n;
} SlowSelector;

static bool slow_has_word(Span value, Span word)
{
    for (size_t i = 0; i + word.n <= value.n; i++)
        if (span_eq(span(value.p + i, word.n), word) && (i == 0 || value.p[i - 1] == ' ') &&
            (i + word.n == value.n || value.p[i + word.n] == ' '))
            return true;
    return false;
}

static bool slow_value(Span v, int op, Span w)
{
    bool holds = false;

    if (!v.p) return false;
    for (size_t i = 0; i + w.n <= v.n; i++) holds |= memcmp(v.p + i, w.p, w.n) == 0;
    switch (op) {
    case SELECTOR_HAS: return true;
    case SELECTOR_IS: return v.n == w.n && holds;
    case SELECTOR_WORD: return slow_has_word(v, w);
    case SELECTOR_BEGINS: return holds && memcmp(v.p, w.p, w.n) == 0;
    case SELECTOR_ENDS: return holds && memcmp(v.p + v.n - w.n, w.p, w.n) == 0;
    case SELECTOR_HOLDS: return holds;
    default: return holds && memcmp(v.p, w.p, w.n) == 0 && (v.n == w.n || v.p[w.n] == '-');
    }
}

/* Whether the parts up to `k` match a path down to the node. */
static bool slow_match(const HtmlTree *t, uint32_t i, const SlowSelector *s, int k)
{
    const SlowPart *p = &s->part[k];

    if (i == 0 || (p->tag != HTML_TEXT && p->tag != t->node[i].tag)) return false;
    if (p->class && !slow_has_word(html_attr(t, i, HTML_CLASS), span_str(p->class))) return false;
    if (p->op >= 0 && !slow_value(html_attr(t, i, p->attr), p->op, span_str(p->value))) return false;
    if (k == 0) return true;
    if (p->child) return slow_match(t, t->node[i].parent, s, k - 1);
    for (uint32_t up = t->node[i].parent; up != 0; up = t->node[up].parent)
        if (slow_match(t, up, s, k - 1)) return true;
    return false;
}

typedef struct {
    uint64_t at;
} Dice;
static unsigned roll(Dice *d, unsigned sides) { return (unsigned)(mix64(++d->at) >> 33) % sides; }

static const char *const values[] = {"a", "b", "a b", "b-a", "ab", "b a-b"};
static const HtmlAttr asked[] = {HTML_CLASS, HTML_ID, HTML_ROLE, HTML_LANG};
static const char *const tags[] = {"div", "p", "span", "section"};

static void random_page(Dice *d, Buf *out)
{
    unsigned depth = 0;

    for (int i = 0; i < 40; i++) {
        if (depth && roll(d, 3) == 0) {
            buf_puts(out, "</div>");
            depth--;
            continue;
        }
        buf_printf(out, "<%s", i % 4 ? "div" : tags[roll(d, 4)]);
        for (int k = 0; k < 4; k++)
            if (roll(d, 2))
                buf_printf(out, " %s='%s'", (const char *[]){"class", "id", "role", "lang"}[k], values[roll(d, 6)]);
        buf_puts(out, ">x");
        depth += i % 4 != 0;
    }
}

static SlowPart random_part(Dice *d)
{
    SlowPart p = {.tag = roll(d, 3) ? html_tag_of(tags[roll(d, 4)]) : HTML_TEXT,
                  .op = (int)roll(d, 8) - 1,
                  .attr = asked[roll(d, 4)],
                  .value = values[roll(d, 6)],
                  .class = roll(d, 3) ? NULL : values[roll(d, 2)],
                  .child = roll(d, 2)};

    if (p.op == SELECTOR_WORD) p.value = values[roll(d, 2)]; /* one with a blank is no word */
    return p;
}

static void put_part(Dice *d, const SlowPart *p, Buf *out)
{
    static const char *const ops[] = {"", "=", "~=", "^=", "$=", "*=", "|="};
    const char *names[HTML_N_ATTRS] = {
        [HTML_CLASS] = "class", [HTML_ID] = "id", [HTML_ROLE] = "role", [HTML_LANG] = "lang"};
    const size_t n = out->n;

    if (p->tag != HTML_TEXT) buf_puts(out, html_tag_name(p->tag));
    if (p->class) buf_printf(out, ".%s", p->class);
    if (p->op == SELECTOR_HAS)
        buf_printf(out, "[%s]", names[p->attr]);
    else if (p->op >= 0)
        buf_printf(out, roll(d, 2) ? "[%s%s'%s']" : "[ %s %s \"%s\" ]", names[p->attr], ops[p->op], p->value);
    if (out->n == n) buf_puts(out, "*");
}

static void random_selector(Dice *d, SlowSelector *s, Buf *out)
{
    static const char *const blanks[] = {" ", "  ", "\t"}, *const children[] = {">", " > ", "> "};

    s->n = 1 + (int)roll(d, 4);
    buf_reset(out);
    for (int k = 0; k < s->n; k++) {
        s->part[k] = random_part(d);
        if (k) buf_puts(out, s->part[k].child ? children[roll(d, 3)] : blanks[roll(d, 3)]);
        put_part(d, &s->part[k], out);
    }
}

/* Three of four selectors that are matched together are there, as with rules of several hosts. */
TEST(selectors_match_as_an_obvious_version_does)
{
    enum { N = 150 };
    static SlowSelector slow[N];
    static SelectorMatch m;
    Dice d = {1};
    Buf page = {0}, text = {0};
    uint64_t n_found = 0;

    for (int round = 0; round < 60; round++) {
        Selectors s = {0};
        HtmlTree t = {0};
        Err err = {0};
        int of[SELECTOR_MAX_PARTS];
        m.n = 0;
        buf_reset(&page);
        random_page(&d, &page);
        page_tree(buf_cstr(&page), &t);
        for (int i = 0; i < N; i++) {
            const size_t from = s.n_parts;
            random_selector(&d, &slow[i], &text);
            CHECK_OK(selectors_add(&s, buf_span(&text), &err), &err);
            CHECK_INT(slow[i].n, s.n_parts - from);
            for (size_t k = from; i % 4 && k < s.n_parts; k++) of[m.n] = i, m.part[m.n++] = (uint32_t)k;
        }
        CHECK_OK(selectormatch_begin(&m, &s, &t, &err), &err);
        for (uint32_t i = 1; i < t.n_nodes; i++) {
            if (t.node[i].tag == HTML_TEXT) continue;
            const uint64_t *found = selectormatch_node(&m, &s, &t, i);
            for (uint32_t k = 0; k < m.n; k++) {
                if (k + 1 < m.n && of[k + 1] == of[k]) continue;
                const bool want = slow_match(&t, i, &slow[of[k]], slow[of[k]].n - 1);
                CHECK_INT(want, found[k / 64] >> (k & 63) & 1);
                n_found += want;
            }
        }
        selectors_clear(&s);
        htmltree_clear(&t);
    }
    CHECK(n_found > 1000);
    selectormatch_clear(&m);
    buf_clear(&page);
    buf_clear(&text);
}
