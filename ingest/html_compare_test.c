/* Two parsers that share nothing see the same words on pages full of mistakes, made from a seed. (bench/html_parsers.c asks real
 * pages, bench/html_oracle.py a third parser.) */
#include "core/hash.h"
#include "ingest/blocks.h"

#include "tests/check.h"

#include <stdlib.h>

typedef struct {
    uint64_t seed, n;
    uint32_t n_words;
    Buf page;
} Maker;

static uint32_t pick(Maker *m, uint32_t n) { return (uint32_t)(mix64(m->seed * 1000003 + m->n++) % n); }

static void put_words(Maker *m)
{
    static const char *const ends[] = {"",        "",       "",    "&amp;",  "&eacute;",
                                       "&#8212;", " &lt; ", " < ", "&nbsp;", "&#150;"};

    for (uint32_t k = pick(m, 4) + 1; k; k--)
        buf_printf(&m->page, " w%u%s ", m->n_words++, ends[pick(m, sizeof ends / sizeof ends[0])]);
}

/* Things that hold no word of the page. */
static void put_noise(Maker *m)
{
    static const char *const noise[] = {"<br>",
                                        "<img alt=x src='a>b'>",
                                        "<!-- <p>x -->",
                                        "<script>if (a<b) '</p>'</script>",
                                        "<style>p > a {}</style>",
                                        "<svg><path/><text>x</text></svg>",
                                        "<hr/>",
                                        "<input value=\"</div>\">",
                                        "<wbr>",
                                        "<iframe src=x></iframe>"};

    buf_puts(&m->page, noise[pick(m, sizeof noise / sizeof noise[0])]);
}

static void put_flow(Maker *m, int depth);

/* An element whose end tag is missing once in `missing` times; 0: never. */
static void put_element(Maker *m, const char *tag, int depth, uint32_t missing)
{
    static const char *const attrs[] = {"", "", " class=a", " id='x y'", " hidden=no a b", " title=\"a > b\"", " /"};

    buf_printf(&m->page, "<%s%s>", tag, attrs[pick(m, depth ? 6 : 7)]);
    put_flow(m, depth - 1);
    if (!missing || pick(m, missing)) buf_printf(&m->page, "</%s>", tag);
}

static void put_table(Maker *m, int depth)
{
    buf_puts(&m->page, "<table>");
    for (uint32_t row = pick(m, 3) + 1; row; row--) {
        buf_puts(&m->page, "<tr>");
        for (uint32_t cell = pick(m, 3) + 1; cell; cell--) put_element(m, pick(m, 4) ? "td" : "th", depth - 1, 3);
        if (pick(m, 3)) buf_puts(&m->page, "</tr>");
    }
    buf_puts(&m->page, "</table>");
}

static void put_list(Maker *m, int depth)
{
    const char *tag = pick(m, 2) ? "ul" : "ol";

    buf_printf(&m->page, "<%s>", tag);
    for (uint32_t item = pick(m, 3) + 1; item; item--) put_element(m, "li", depth - 1, 3);
    buf_printf(&m->page, "</%s>", tag);
}

static void put_flow(Maker *m, int depth)
{
    static const char *const tags[] = {"p",       "p", "div", "div",    "h2",      "blockquote",
                                       "section", "a", "b",   "span",   "font",    "article",
                                       "em",      "i", "dl",  "center", "custom-x"};
    enum { N = sizeof tags / sizeof tags[0] };

    put_words(m);
    for (uint32_t k = depth > 0 ? pick(m, 5) : 0; k; k--) {
        uint32_t what = pick(m, 20);
        if (what < 2)
            put_table(m, depth - 1);
        else if (what < 4)
            put_list(m, depth - 1);
        else if (what < 6)
            put_noise(m);
        else if (what < 7)
            buf_printf(&m->page, "</%s>", tags[pick(m, N)]); /* of what, nobody knows */
        else
            put_element(m, tags[pick(m, N)], depth, 12);
        if (pick(m, 2)) put_words(m);
    }
}

/* Marks the words that a parser sees. */
static void see(HtmlParser *p, Span page, uint8_t *seen, uint32_t n_words)
{
    static HtmlTree t;
    HtmlStatus status = HTML_FINE;
    Err err = {0};

    CHECK_OK(htmlparser_parse(p, page, &t, &status, &err), &err);
    CHECK_INT(HTML_FINE, status);
    for (uint32_t i = 0; i < t.n_nodes;) {
        Span s = t.node[i].tag == HTML_TEXT ? html_text(&t, i) : (Span){NULL, 0};
        for (size_t k = 0; k + 1 < s.n; k++) {
            uint32_t w = 0;
            if (s.p[k] != 'w' || !ascii_is_digit(s.p[k + 1])) continue;
            while (k + 1 < s.n && ascii_is_digit(s.p[k + 1])) w = w * 10 + (uint32_t)(s.p[++k] - '0');
            CHECK(w < n_words);
            if (w < n_words) seen[w]++;
        }
        i = blocks_is_silent((HtmlTag)t.node[i].tag) ? t.node[i].end : i + 1;
    }
    htmltree_clear(&t);
}

TEST(both_parsers_see_the_same_words)
{
    enum { PAGES = 400 };
    HtmlParser *p[HTML_N_PARSERS];
    Maker m = {.seed = 1};
    uint64_t n[HTML_N_PARSERS] = {0}, both = 0, n_words = 0;
    Err err = {0};

    for (HtmlParserKind kind = 0; kind < HTML_N_PARSERS; kind++) CHECK_OK(htmlparser_new(&p[kind], kind, &err), &err);
    for (int page = 0; page < PAGES; page++) {
        m.n_words = 0;
        buf_reset(&m.page);
        buf_puts(&m.page, pick(&m, 2) ? "<!doctype html><html><head><title>x</title></head><body>" : "");
        for (int k = 0; k < 4; k++) put_flow(&m, 4);
        uint8_t *seen[HTML_N_PARSERS];
        for (HtmlParserKind kind = 0; kind < HTML_N_PARSERS; kind++) {
            seen[kind] = calloc(m.n_words, 1);
            CHECK(seen[kind] != NULL);
            see(p[kind], buf_span(&m.page), seen[kind], m.n_words);
        }
        for (uint32_t w = 0; w < m.n_words; w++) {
            for (int kind = 0; kind < HTML_N_PARSERS; kind++) n[kind] += seen[kind][w];
            both += seen[0][w] && seen[1][w];
            CHECK_INT(1, seen[HTML_PARSER_FAST][w]); /* every word, once */
        }
        n_words += m.n_words;
        for (int kind = 0; kind < HTML_N_PARSERS; kind++) free(seen[kind]);
    }
    CHECK(n_words > 10000);
    CHECK(2 * both * 1000 >= (n[0] + n[1]) * 980); /* F1 */
    for (int kind = 0; kind < HTML_N_PARSERS; kind++) htmlparser_free(p[kind]);
    buf_clear(&m.page);
}
