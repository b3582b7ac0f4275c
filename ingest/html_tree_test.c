#include "ingest/html_parser.h"

#include "tests/check.h"

static HtmlTree tree;

static HtmlParser *parse(Span page)
{
    HtmlParser *p;
    HtmlStatus status = HTML_FINE;
    Err err = {0};

    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    CHECK_OK(htmlparser_parse(p, page, &tree, &status, &err), &err);
    CHECK_INT(HTML_FINE, status);
    return p;
}

/* The children of a node: p(text) for an element with one, texts as they are, a blank between siblings. */
static void put_children(Buf *out, uint32_t up)
{
    for (uint32_t i = up + 1; i < tree.node[up].end; i = tree.node[i].end) {
        CHECK_INT(up, tree.node[i].parent);
        if (i > up + 1) buf_putc(out, ' ');
        if (tree.node[i].tag == HTML_TEXT) {
            buf_put_span(out, html_text(&tree, i));
            continue;
        }
        const char *name = html_tag_name((HtmlTag)tree.node[i].tag);
        buf_puts(out, *name ? name : "?");
        if (tree.node[i].end == i + 1) continue;
        buf_putc(out, '(');
        put_children(out, i);
        buf_putc(out, ')');
    }
}

/* Whether a page has this tree: of its body when it has one and nothing else, below the root otherwise. */
static void check_tree(int line, const char *page, const char *want)
{
    Buf got = {0};
    uint32_t from = 0;

    htmlparser_free(parse(span_str(page)));
    if (tree.n_nodes > 2 && tree.node[1].tag == HTML_html && tree.node[2].tag == HTML_body) from = 2;
    put_children(&got, from);
    if (!span_is(buf_span(&got), want)) check_fail_span(__FILE__, line, page, span_str(want), buf_span(&got));
    htmltree_clear(&tree), buf_clear(&got);
}
#define IS_TREE(page, want) check_tree(__LINE__, page, want)

TEST(html_head_and_body_are_implied)
{
    IS_TREE("", "");
    IS_TREE(" \n ", "");
    IS_TREE("a", "a");
    IS_TREE("<p>a", "p(a)");
    IS_TREE("<!doctype html>\n<html>\n<head>\n<title>t</title>\n</head>\n<body>\n<p>a</p>\n</body>\n</html>\n",
            "html(head(title(t)) body(p(a)))");
    IS_TREE("<title>t</title><p>a", "html(head(title(t)) body(p(a)))");
    IS_TREE("<head><p>a</head>b", "html(head body(p(a b)))");
    IS_TREE("<head></head><meta name=x><p>a", "html(head meta body(p(a)))");
    IS_TREE("<body>a</body>b</html>c<body>d<html>e<head>f", "a b c d e f");
    IS_TREE("\xef\xbb\xbf<html lang=en>a", "a");
    IS_TREE("<noscript><img><link></noscript><p>a", "html(head(noscript(img link)) body(p(a)))");
    IS_TREE("<head><noscript><div>a</div>b<p></noscript><meta>c", "html(head(noscript(div(a) b p) meta) body(c))");
    IS_TREE("<head><noscript><p>a<body>b", "html(head(noscript) body(p(a b)))");
    IS_TREE("<frameset><frame><noframes>a</noframes></frameset>", "html(frameset(frame ?))");
    IS_TREE("<head><template><p>a</template></head><p>b", "html(head(template(p(a))) body(p(b)))");
}

TEST(the_first_html_tag_gives_its_attributes)
{
    htmlparser_free(parse(SPAN_LIT("<!-- x --><html lang=zh id=a><body class=b><html class=c><body class=d>x")));
    CHECK_SPAN(SPAN_LIT("zh"), html_attr(&tree, 1, HTML_LANG));
    CHECK(!html_attr(&tree, 1, HTML_CLASS).p);
    CHECK_SPAN(SPAN_LIT("b"), html_attr(&tree, 2, HTML_CLASS));
    htmltree_clear(&tree);
}

TEST(end_tags_that_may_be_left_out_are_implied)
{
    IS_TREE("<p>a<p>b<div>c</div>d", "p(a) p(b) div(c) d");
    IS_TREE("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>e", "ul(li(a) li(b ul(li(c))) li(d)) e");
    IS_TREE("<ul><li><div>a<li>b</ul>", "ul(li(div(a)) li(b))");
    IS_TREE("<li><section>a<li>b", "li(section(a li(b)))");
    IS_TREE("<dl><dt>a<dd>b<dt>c<dd><p>d</dl>", "dl(dt(a) dd(b) dt(c) dd(p(d)))");
    IS_TREE("<select><option>a<option>b<optgroup><option>c<optgroup>d</select>e",
            "select(option(a) option(b) optgroup(option(c)) optgroup(d)) e");
    IS_TREE("<table><tr><td>a<td>b<tr><th>c</table>", "table(tr(td(a) td(b)) tr(th(c)))");
    IS_TREE("<table><caption>a<thead><tr><td>b<tbody><tr><td>c<tfoot><tr><td>d</table>",
            "table(caption(a) thead(tr(td(b))) tbody(tr(td(c))) tfoot(tr(td(d))))");
    IS_TREE("<table><tr><td><table><tr><td>a</table>b<td>c</table>", "table(tr(td(table(tr(td(a))) b) td(c)))");
    IS_TREE("<table><td>a<tr><td>b</table>", "table(td(a) tr(td(b)))");
    IS_TREE("<h1>a<h2>b</h3>c", "h1(a) h2(b) c");
    IS_TREE("<ruby>a<rt>b<rp>c<rt>d</ruby>e", "ruby(a rt(b) rp(c) rt(d)) e");
    IS_TREE("<button>a<button>b</button>c", "button(a) button(b) c");
    IS_TREE("<p><table><tr><td><p>a</table>b", "p table(tr(td(p(a)))) b");
    IS_TREE("<p><button><p>a</button>b", "p(button(p(a)) b)");
}

TEST(stray_and_crossed_end_tags)
{
    IS_TREE("a</p>b", "a p b");
    IS_TREE("a</br>b", "a br b");
    IS_TREE("<p>a</div>b</span>c</li>d", "p(a b c d)");
    IS_TREE("<b><i>a</b>b</i>c", "b(i(a)) b c");
    IS_TREE("<b><div>a</b>b</div>c", "b(div(a b) c)");
    IS_TREE("<span><p>a</span>b</p>c", "span(p(a b) c)");
    IS_TREE("<div><table><tr><td>a</div>b</table></div>c", "div(table(tr(td(a b)))) c");
    IS_TREE("<div><ul><li>a</div>b", "div(ul(li(a))) b");
    IS_TREE("<ul><li><ol>a</li>b</ol></ul>", "ul(li(ol(a b)))");
    IS_TREE("<table><tr><td>a</th>b</tr></td></table>", "table(tr(td(a b)))");
    IS_TREE("<form><table><tr><td>a</form>b</table>c</form>d", "form(table(tr(td(a b))) c) d");
    IS_TREE("<table><form><tr><td>a</form>b</table>", "table(form tr(td(a b)))");
    IS_TREE("<my-box>a<other-box>b</my-box>c</other-box>d", "?(a ?(b)) c d");
    IS_TREE("a</>b</ x>c", "a b c");
    IS_TREE("<div/>a<br/>b<img/>c", "div(a br b img c)");
}

TEST(text_in_tables_stays_in_its_place)
{
    IS_TREE("<table>a<tr>b<td>c</td>d</tr>e</table>", "table(a tr(b td(c) d) e)");
    IS_TREE("<table><div>a</div><tr><td>b</table>", "table(div(a) tr(td(b)))");
    IS_TREE("<table><tr><table><tr><td>a</table>", "table(tr) table(tr(td(a)))");
    IS_TREE("<tr><td>a<td>b<tr><td>c", "tr(td(a) td(b)) tr(td(c))");
}

/* Text after a link is none of it, whatever crosses. */
TEST(links_end_where_they_say)
{
    IS_TREE("<a>a<a>b</a>c", "a(a) a(b) c");
    IS_TREE("<a><div>a</div>b</a>c", "a(div(a) b) c");
    IS_TREE("<a><p>a</a>b</p>c", "a(p(a)) p(b) c");
    IS_TREE("<a><div><p>a</a>b</div>c", "a(div(p(a))) div(p(b)) c");
    IS_TREE("<p><a>a<p>b", "p(a(a)) p(b)");
    IS_TREE("<a name=top><div>a<p>b", "span(div(a p(b)))"); /* never closed: no link */
    htmlparser_free(parse(SPAN_LIT("<a><div class=x hidden id=y>a</a>b")));
    CHECK_INT(8, tree.n_nodes); /* root html body a div text div text: the second div is the first one again */
    for (uint32_t i = 0; i < tree.n_nodes; i++) {
        if (tree.node[i].tag != HTML_div) continue;
        CHECK_SPAN(SPAN_LIT("y"), html_attr(&tree, i, HTML_ID));
        CHECK(tree.node[i].hidden);
    }
    htmltree_clear(&tree);
}

TEST(nothing_swallows_the_page)
{
    IS_TREE("<p>a<!-- b<p>c", "p(a  b) p(c)");
    IS_TREE("<p>a<script>b<p>c", "p(a b) p(c)");
    IS_TREE("<p>a<style>b<p>c", "p(a b) p(c)");
    IS_TREE("<title>a<p>b", "html(head(title(a)) body(p(b)))");
    IS_TREE("<head><title>a<meta></head><p>b<svg><title>c</title></svg>", "html(head(title(a) meta) body(p(b)))");
    IS_TREE("<head><style>a</head><p>b<style>c</style>", "html(head body(p(b)))");
    IS_TREE("<textarea>a<p>b", "a p(b)");
    IS_TREE("<iframe>a<p>b", "a p(b)");
    IS_TREE("a<svg><path><g>b", "a ?(?(b))");
    IS_TREE("a<svg><path><p>b</p>c", "a p(b) c");
    IS_TREE("<select><option>a<p>b", "select(option(a)) p(b)");
    IS_TREE("<select><option>a<input>b", "select(option(a)) input b");
    IS_TREE("<option>a<div>b", "option(a) div(b)");
    IS_TREE("<template><p>a", "html(?(?(p(a))))");
    IS_TREE("<body><video>a<p>b", "?(a p(b))");
    IS_TREE("<math><mi>a<p>b", "math(?(a)) p(b)");
    IS_TREE("a<!b", "a b");
    IS_TREE("a<?b", "a b");
    IS_TREE("<p><a href='x>a</a>b", "p(a(a) b)");
    IS_TREE("<p>a<b class=\"c", "p(a)");
}

TEST(raw_text)
{
    IS_TREE("a<script>if (a<b) '</p>'</script>b", "a b");
    IS_TREE("a<SCRIPT></scripty></ScRiPt >b", "a b");
    IS_TREE("<textarea><p>&amp;</textarea>b", "textarea(<p>&) b");
    IS_TREE("<xmp><p>&amp;</xmp>b", "pre(<p>&amp;) b");
    IS_TREE("<plaintext>a</plaintext><p>&amp;", "pre(a</plaintext><p>&amp;)");
    IS_TREE("<iframe><p>a</iframe>b<noembed>c</noembed>d", "iframe b ? d");
    IS_TREE("<body><noscript><p>a</p></noscript>b", "noscript(p(a)) b");
    IS_TREE("<title>a<b>&lt;</title>", "html(head(title(a<b><)))");
    IS_TREE("<pre>\n a\n  b\n</pre>\n<p>c", "pre( a\n  b\n) p(c)");
    IS_TREE("<listing>\r\na</listing>", "pre(a)");
    IS_TREE("<p>a</p><script type='math/tex; mode=display'>x<y &amp; z</script>", "p(a) script(x<y &amp; z)");
}

TEST(comments_and_declarations)
{
    IS_TREE("a<!-->b<!--->c<!-- -- -->d<!--e--!>f<!---->g<!--x>y-->h", "a b c d f g h");
    IS_TREE("<!doctype html \">\">a", "\">a");
    IS_TREE("a<!x>b<?php y ?>c<![if IE]>d<![endif]>e", "a b c d e");
    IS_TREE("a<![CDATA[b]]>c", "a c");
    IS_TREE("<math><mi><![CDATA[b<c]]></mi></math>", "math(?(b<c))");
    IS_TREE("a < b <3 <-> <", "a < b <3 <-> <");
}

TEST(drawings_are_left_out_and_formulas_kept)
{
    IS_TREE("a<svg><style>p</style><title>t</title><svg><g/></svg><!-- </svg> --><text>b</text></svg>c", "a c");
    IS_TREE("a<svg/>b", "a b");
    IS_TREE("a<svg><foreignObject><div>b</div></foreignObject></svg>c", "a c");
    IS_TREE("<math alttext=x><semantics><mrow><mi>x</mi><mspace/>y</mrow><annotation encoding='application/x-tex'>x"
            "</annotation></semantics></math>b",
            "math(?(?(?(x) ? y) annotation(x))) b");
}

TEST(blanks_beside_blocks_are_nothing)
{
    IS_TREE("<div>\n <p> a </p>\n <p>\n<b> b </b> <i>c</i> </p> </div>", "div(p(a ) p(b( b )   i(c)  ))");
    IS_TREE("<ul>\n<li>a\n<li> b <a>c</a> </ul> ", "ul(li(a\n) li(b  a(c)  ))");
    IS_TREE("<p>a <!-- x --> b", "p(a   b)");
    IS_TREE("<td>  a<td>\n b<td> c<td><b> </b>d", "td(  a) td(b) td(c) td(b( ) d)"); /* lines of code */
    IS_TREE("<pre> <p> a</p> </pre> ", "pre(  p( a)  )");
}

TEST(references)
{
    static const struct {
        const char *page, *want;
    } cases[] = {
        {"&amp;&lt;&gt;&quot;&apos;&nbsp;", "&<>\"'\xc2\xa0"},
        {"&ampx &notit; &notin; &not; &AMP", "&x \xc2\xacit; \xe2\x88\x89 \xc2\xac &"},
        {"&CounterClockwiseContourIntegral; &nGt; &bogus; &; & &#; &#x;",
         "\xe2\x88\xb3 \xe2\x89\xab\xe2\x83\x92 &bogus; &; & &#; &#x;"},
        {"&#65;&#66 &#x43;&#X44 &#x1F600;", "AB CD \xf0\x9f\x98\x80"},
        {"&#128;&#146;&#153;", "\xe2\x82\xac\xe2\x80\x99\xe2\x84\xa2"}, /* windows-1252 */
        {"&#0;&#xD800;&#x110000;&#99999999999999999999;", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"a&#1;b&#31;c&#129;d", "a b c d"},
        {"a&#9;b&#10;c", "a\tb\nc"},
    };
    Buf page = {0};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) IS_TREE(cases[i].page, cases[i].want);
    htmlparser_free(
        parse(SPAN_LIT("<a href='?a=1&copy=2&copy;&copyx&amp;&eacute' alt=&lt;b class=\"c&#65;\" id='&'>")));
    CHECK_SPAN(SPAN_LIT("?a=1&copy=2\xc2\xa9&copyx&\xc3\xa9"), html_attr(&tree, 3, HTML_HREF));
    CHECK_SPAN(SPAN_LIT("<b"), html_attr(&tree, 3, HTML_ALT));
    CHECK_SPAN(SPAN_LIT("cA"), html_attr(&tree, 3, HTML_CLASS));
    CHECK_SPAN(SPAN_LIT("&"), html_attr(&tree, 3, HTML_ID));
    htmltree_clear(&tree), buf_clear(&page);
}

TEST(attributes)
{
    htmlparser_free(parse(SPAN_LIT("<P CLASS=a class=b/ ID = 'c' name>x<p =x rel=\"d\ne\"type=f lang=/g/ itemprop=>y"
                                   "<p style='color:red; DISPLAY : None'>z<p style='display:block'>")));
    CHECK_SPAN(SPAN_LIT("a"), html_attr(&tree, 3, HTML_CLASS)); /* the first one counts */
    CHECK_SPAN(SPAN_LIT("c"), html_attr(&tree, 3, HTML_ID));
    CHECK(html_attr(&tree, 3, HTML_NAME).p && html_attr(&tree, 3, HTML_NAME).n == 0);
    CHECK_SPAN(SPAN_LIT("d\ne"), html_attr(&tree, 5, HTML_REL));
    CHECK_SPAN(SPAN_LIT("f"), html_attr(&tree, 5, HTML_TYPE));
    CHECK_SPAN(SPAN_LIT("/g/"), html_attr(&tree, 5, HTML_LANG));
    CHECK(html_attr(&tree, 5, HTML_ITEMPROP).p && html_attr(&tree, 5, HTML_ITEMPROP).n == 0);
    CHECK(!tree.node[5].hidden && tree.node[7].hidden && !tree.node[9].hidden);
    htmltree_clear(&tree);
}

/* What is deeper than HTML_FLAT_DEPTH is there, as leaves and texts of the last level; what follows is at its own level again. */
TEST(deep_pages_are_flattened)
{
    Buf page = {0};
    size_t n_text = 0;

    buf_puts(&page, "<body>");
    for (int i = 0; i < 2000; i++) buf_puts(&page, "<div>a");
    for (int i = 0; i < 2000; i++) buf_puts(&page, "</div>b");
    buf_puts(&page, "<p>c");
    htmlparser_free(parse(buf_span(&page)));
    for (uint32_t i = 0; i < tree.n_nodes; i++) {
        CHECK(tree.node[i].depth <= HTML_FLAT_DEPTH && tree.node[i].end <= tree.node[tree.node[i].parent].end);
        n_text += tree.node[i].tag == HTML_TEXT;
    }
    CHECK_INT(4001, n_text);
    CHECK_INT(4, tree.node[tree.n_nodes - 1].depth); /* root, html, body, p */
    htmltree_clear(&tree), buf_clear(&page);
}

/* Work, not time: each of these is quadratic in some parser. Sixteen: the ends of as many things may be searched for, each once. */
TEST(no_page_takes_more_than_linear_work)
{
    static const struct {
        const char *before, *unit, *after;
    } pages[] = {
        {"", "<b>", ""},
        {"", "</p>", ""},
        {"", "<!--", ""},
        {"", "<a a a a", ""},
        {"", "<a href='<a href=\"", ""},
        {"<select>", "<option>", ""},
        {"", "<select><option>", ""},
        {"", "<script>", ""},
        {"", "<script></scrip", ""},
        {"", "<title><textarea><style><iframe><xmp><noembed><noframes>", ""},
        {"", "<svg>", ""},
        {"", "<svg><p>", ""},
        {"", "<svg><foreignObject><p>", ""},
        {"", "<svg><!--", ""},
        {"", "<math><![CDATA[", ""},
        {"", "<!x", ""},
        {"", "<?x", ""},
        {"", "<table><tr><td>", ""},
        {"<table>", "<td></tr></tbody>", ""},
        {"<table><tr><td>", "<b></table></b><p></td>", ""},
        {"", "<p><b><i></p></i></b>", ""},
        {"", "<a><div>", ""},
        {"", "<a><div></a>", ""},
        {"", "<a><div class=x id=y rel=z><p><ul></a>", ""},
        {"", "<ul><li><div></li>", ""},
        {"<ul>", "<div><li></div></li></b>", ""},
        {"", "<dl><dt><dd></form></h1>", ""},
        {"", "<form><table></form>", ""},
        {"", "<x-a>", ""},
        {"<x-a>", "<x-b></x-a></x-c>", ""},
        {"", "<button><p></button></p>", ""},
        {"", "<ruby><rt><rp>", ""},
        {"", "<template></head></body><body>", ""},
        {"", "&notanentityatall;&#99999999;&", ""},
        {"", "<h1></h2><h3>", ""},
        {"", "-->--><!-", ""},
        {"", "<noscript>", "</noscript>"},
        {"", "<noscript><p>", "</noscript>"},
        {"<head>", "<noscript><link>", "</noscript>"},
        {"", "<svg>", "<p>"},
        {"", "<div><a>", "</a>"},
        {"", "<title>x", "</title>"},
        {"<head>", "<title>x</title", "</head></title>"},
        {"<head>", "<title>x</title></heads", "</head></title>"},
        {"<head>", "<style>x</styles", "</head></style>"},
    };
    Buf page = {0};

    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        buf_reset(&page);
        buf_puts(&page, pages[i].before);
        for (size_t n = strlen(pages[i].unit); page.n + n <= HTML_MAX_BYTES - 16;) buf_puts(&page, pages[i].unit);
        buf_puts(&page, pages[i].after);
        HtmlParser *p = parse(buf_span(&page));
        if (htmlparser_work(p) > 16 * (uint64_t)page.n)
            fprintf(stderr, "%s...: %llu\n", pages[i].unit, (unsigned long long)htmlparser_work(p));
        CHECK(htmlparser_work(p) <= 16 * (uint64_t)page.n);
        htmlparser_free(p);
        htmltree_clear(&tree);
    }
    buf_clear(&page);
}
