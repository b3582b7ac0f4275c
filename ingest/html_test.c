#include "ingest/html.h"

#include "tests/check.h"

static HtmlStatus parse_by(HtmlParserKind kind, Span page, HtmlTree *t)
{
    HtmlParser *p;
    HtmlStatus status = HTML_FINE;
    Err err = {0};

    CHECK_OK(htmlparser_new(&p, kind, &err), &err);
    CHECK_OK(htmlparser_parse(p, page, t, &status, &err), &err);
    htmlparser_free(p);
    return status;
}

static HtmlStatus parse(Span page, HtmlTree *t) { return parse_by(HTML_PARSER_FAST, page, t); }

/* All text of the tree but blanks alone, a bar between nodes; checks on the way that subtrees nest. */
static void all_text(const HtmlTree *t, Buf *out)
{
    buf_reset(out);
    for (uint32_t i = 0; i < t->n_nodes; i++) {
        const HtmlNode *n = &t->node[i], *up = &t->node[n->parent];
        CHECK(n->end > i && n->end <= t->n_nodes);
        if (i) CHECK(n->parent < i && n->end <= up->end && n->depth == up->depth + 1);
        if (n->tag != HTML_TEXT) continue;
        CHECK_INT(i + 1, n->end);
        if (span_trim(html_text(t, i)).n == 0) continue;
        if (out->n) buf_putc(out, '|');
        buf_put_span(out, html_text(t, i));
    }
}

static uint32_t find_tag(const HtmlTree *t, HtmlTag tag)
{
    for (uint32_t i = 0; i < t->n_nodes; i++)
        if (t->node[i].tag == tag) return i;
    return UINT32_MAX;
}

TEST(every_tag_is_found_by_its_name)
{
    static const char *const names[] = {
#define NAME(x) #x,
        HTML_TAGS(NAME)
#undef NAME
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) CHECK_INT(HTML_OTHER + 1 + i, html_tag_of(names[i]));
    CHECK_INT(HTML_OTHER, html_tag_of("blink"));
    CHECK_INT(HTML_OTHER, html_tag_of(""));
}

TEST(a_page_becomes_a_tree)
{
    HtmlTree t = {0};
    Buf text = {0};

    CHECK_INT(HTML_FINE,
              parse(SPAN_LIT("<html><head><title>T &amp; t</title></head><body class='a b' id=main>"
                             "<p hidden>one<p style='display : none'>two<a href=x>three</a> fo&uuml;r &#20013;"
                             "<div aria-hidden=true>five</div></body></html>"),
                    &t));
    all_text(&t, &text);
    CHECK_SPAN(SPAN_LIT("T & t|one|two|three| fo\xc3\xbcr \xe4\xb8\xad|five"), buf_span(&text));
    uint32_t body = find_tag(&t, HTML_body), p = find_tag(&t, HTML_p);
    CHECK_SPAN(SPAN_LIT("a b"), html_attr(&t, body, HTML_CLASS));
    CHECK_SPAN(SPAN_LIT("main"), html_attr(&t, body, HTML_ID));
    CHECK(!html_attr(&t, body, HTML_ROLE).p);
    CHECK(t.node[p].hidden && t.node[t.node[p].end].hidden && !t.node[body].hidden);
    CHECK(t.node[find_tag(&t, HTML_div)].hidden);
    CHECK_INT(body, t.node[p].parent);
    htmltree_clear(&t), buf_clear(&text);
}

TEST(nul_and_controls_do_not_end_a_page)
{
    HtmlTree t = {0};
    Buf text = {0};

    CHECK_INT(HTML_FINE, parse(SPAN_LIT("<body>\0<p>one\0two</p>\1<p\0class=x>three</p>\x0b four"), &t));
    all_text(&t, &text);
    CHECK_SPAN(SPAN_LIT("one two|three|  four"), buf_span(&text));
    CHECK_SPAN(SPAN_LIT("x"), html_attr(&t, t.node[find_tag(&t, HTML_p)].end, HTML_CLASS));
    htmltree_clear(&t), buf_clear(&text);
}

TEST(scripts_comments_and_json_ld)
{
    HtmlTree t = {0};
    Buf text = {0};

    parse(SPAN_LIT("<body>a<!-- <p>no</p> --><script>if (a<b) x='</p>'</script>b<style>p {}</style><script "
                   "type='application/ld+json'>{\"x\":1}</script>c"),
          &t);
    all_text(&t, &text);
    CHECK_SPAN(SPAN_LIT("a|b|c"), buf_span(&text));
    CHECK_SPAN(SPAN_LIT("{\"x\":1}\0"), buf_span(&t.json_ld));
    /* Never closed: the tag is lost, not the page. */
    parse(SPAN_LIT("<body><p>a</p><!-- open <p>b</p><script>c<p>d</p>"), &t);
    all_text(&t, &text);
    CHECK(text.n && memchr(text.p, 'b', text.n) && memchr(text.p, 'd', text.n));
    parse(
        SPAN_LIT("<body><p class=\"a' id='b\" title=x\"y id=c\"d lang = 'e'>f<a href='g>h</a>i<b data-x=\"j>k</b>l"),
        &t);
    all_text(&t, &text);
    CHECK_SPAN(SPAN_LIT("f|h|i|k|l"), buf_span(&text));
    uint32_t p = find_tag(&t, HTML_p);
    CHECK_SPAN(SPAN_LIT("a' id='b"), html_attr(&t, p, HTML_CLASS));
    CHECK_SPAN(SPAN_LIT("c\"d"), html_attr(&t, p, HTML_ID));
    CHECK_SPAN(SPAN_LIT("e"), html_attr(&t, p, HTML_LANG));
    htmltree_clear(&t), buf_clear(&text);
}

static void repeat(Buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) buf_puts(b, s);
}

/* Each of these took a parser minutes or its stack when it was first met. */
TEST(hostile_pages_end_soon)
{
    HtmlTree t = {0};
    Buf b = {0};

    for (HtmlParserKind kind = 0; kind < HTML_N_PARSERS; kind++) {
        bool fast = kind == HTML_PARSER_FAST;
        buf_reset(&b);
        repeat(&b, "<div>", 100000);
        CHECK_INT(fast ? HTML_FINE : HTML_TOO_DEEP, parse_by(kind, buf_span(&b), &t));
        buf_reset(&b);
        buf_puts(&b, "<body><p ");
        for (int i = 0; i < 100000; i++) buf_printf(&b, "a%d=1 class=%d ", i, i);
        buf_puts(&b, ">text</p>");
        CHECK_INT(HTML_FINE, parse_by(kind, buf_span(&b), &t));
        CHECK(find_tag(&t, HTML_TEXT) != UINT32_MAX);
        buf_reset(&b);
        repeat(&b, "<!--", 500000);
        CHECK_INT(HTML_FINE, parse_by(kind, buf_span(&b), &t));
        buf_reset(&b);
        repeat(&b, "<script>", 250000);
        CHECK_INT(HTML_FINE, parse_by(kind, buf_span(&b), &t));
        buf_reset(&b);
        repeat(&b, "<a b='<a b=\"", 300000);
        CHECK_INT(HTML_FINE, parse_by(kind, buf_span(&b), &t));
        buf_reset(&b);
        repeat(&b, "<b><i>", 1500);
        repeat(&b, "x</p>", 1500);
        CHECK_INT(HTML_FINE, parse_by(kind, buf_span(&b), &t));
        buf_reset(&b);
        repeat(&b, "<div>", 4000);
        repeat(&b, "</b>", 1900000);
        CHECK_INT(fast ? HTML_FINE : HTML_TOO_DEEP, parse_by(kind, buf_span(&b), &t));
        buf_reset(&b);
        repeat(&b, "<div>", 40);
        repeat(&b, "text</b>", 10000);
        CHECK_INT(HTML_FINE, parse_by(kind, buf_span(&b), &t));
        buf_reset(&b);
        repeat(&b, "<p>", HTML_MAX_NODES + 100);
        CHECK_INT(fast ? HTML_FINE : HTML_TOO_LARGE, parse_by(kind, buf_span(&b), &t));
        CHECK_INT(fast, t.truncated);
        buf_reset(&b);
        repeat(&b, "12345678", HTML_MAX_BYTES / 8);
        buf_putc(&b, 'x');
        CHECK_INT(HTML_TOO_LARGE, parse_by(kind, buf_span(&b), &t));
        b.n -= 100;
        CHECK_INT(HTML_FINE, parse_by(kind, buf_span(&b), &t));
        CHECK_INT(b.n, t.node[t.n_nodes - 1].text_bytes);
    }
    htmltree_clear(&t), buf_clear(&b);
}

/* Cut anywhere, right before an unmapped page. */
TEST(cut_pages_are_read_to_their_end)
{
    Span page = SPAN_LIT("<html><head><title>x</title><script>y</script></head><body><!-- c --><p "
                         "class=\"z\">&amp;&#x4e2d;<br/></p></body>");
    HtmlTree t = {0};
    Buf text = {0};

    for (size_t n = 0; n <= page.n; n++) {
        Span edge = check_edge(span(page.p, n));
        CHECK_INT(HTML_FINE, parse(edge, &t));
        all_text(&t, &text);
        check_edge_free(edge);
    }
    CHECK_SPAN(SPAN_LIT("x|&\xe4\xb8\xad"), buf_span(&text));
    htmltree_clear(&t), buf_clear(&text);
}

TEST(an_svg_that_closes_itself_hides_nothing)
{
    HtmlTree t = {0};
    Buf text = {0};

    CHECK_INT(HTML_FINE, parse(SPAN_LIT("<body><svg class=x /><p>read me</p><svg id=\"a\"><title>icon</title></svg>"
                                        "<p>me too</p><svg id=b/>icon</svg><p>end</p></body>"),
                               &t));
    all_text(&t, &text);
    CHECK_SPAN(SPAN_LIT("read me|me too|end"), buf_span(&text));
    htmltree_clear(&t), buf_clear(&text);
}

TEST(links_times_and_tex_are_kept)
{
    HtmlTree t = {0};
    Buf text = {0};

    CHECK_INT(
        HTML_FINE,
        parse(
            SPAN_LIT("<head><link rel=canonical href='/a?b=1&amp;c'></head><body><time datetime=2024-05-01>May</time>"
                     "<a>x</a><script type='math/tex; mode=display'>a<b</script><img alt=\"A &lt; B\">"
                     "<math alttext='x^2'></math></body>"),
            &t));
    all_text(&t, &text);
    CHECK_SPAN(SPAN_LIT("May|x|a<b"), buf_span(&text));
    uint32_t link = find_tag(&t, HTML_link), script = find_tag(&t, HTML_script);
    CHECK_SPAN(SPAN_LIT("canonical"), html_attr(&t, link, HTML_REL));
    CHECK_SPAN(SPAN_LIT("/a?b=1&c"), html_attr(&t, link, HTML_HREF));
    CHECK_SPAN(SPAN_LIT("2024-05-01"), html_attr(&t, find_tag(&t, HTML_time), HTML_DATETIME));
    CHECK(!html_attr(&t, find_tag(&t, HTML_a), HTML_HREF).p);
    CHECK_SPAN(SPAN_LIT("math/tex; mode=display"), html_attr(&t, script, HTML_TYPE));
    CHECK_INT(script, t.node[script + 1].parent);
    CHECK_SPAN(SPAN_LIT("A < B"), html_attr(&t, find_tag(&t, HTML_img), HTML_ALT));
    CHECK_SPAN(SPAN_LIT("x^2"), html_attr(&t, find_tag(&t, HTML_math), HTML_ALTTEXT));
    htmltree_clear(&t), buf_clear(&text);
}

TEST(attributes_of_cells_code_and_formulas_are_kept)
{
    HtmlTree t = {0};

    parse(SPAN_LIT("<body><table><tr><td colspan=2 rowspan='3'>x</table><pre data-lang=c>y</pre><code "
                   "data-language=py>z</code><math display=block>w</math>"),
          &t);
    CHECK_SPAN(SPAN_LIT("2"), html_attr(&t, find_tag(&t, HTML_td), HTML_COLSPAN));
    CHECK_SPAN(SPAN_LIT("3"), html_attr(&t, find_tag(&t, HTML_td), HTML_ROWSPAN));
    CHECK_SPAN(SPAN_LIT("c"), html_attr(&t, find_tag(&t, HTML_pre), HTML_DATA_LANG));
    CHECK_SPAN(SPAN_LIT("py"), html_attr(&t, find_tag(&t, HTML_code), HTML_DATA_LANG));
    CHECK_SPAN(SPAN_LIT("block"), html_attr(&t, find_tag(&t, HTML_math), HTML_DISPLAY));
    htmltree_clear(&t);
}
