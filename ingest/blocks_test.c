#include "ingest/blocks.h"

#include "core/utf8.h"
#include "tests/check.h"

#include <stdlib.h>

/* All blocks of a page written, whatever the main text is. Nothing is dropped but what is hidden. */
static void render(Span page, Buf *out)
{
    HtmlParser *p;
    HtmlTree t = {0};
    BlockList b = {0};
    HtmlStatus status;
    Err err = {0};

    buf_reset(out);
    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    CHECK_OK(htmlparser_parse(p, page, &t, &status, &err), &err);
    uint8_t *drop = calloc(t.n_nodes + 1, 1);
    for (size_t i = 0; i < t.n_nodes; i++) drop[i] = t.node[i].hidden;
    CHECK_OK(blocks_render(&t, drop, &b, &err), &err);
    for (size_t i = 0; i < b.n; i++) b.block[i].keep = true;
    blocks_write(&b, out);
    free(drop);
    htmlparser_free(p);
    htmltree_clear(&t);
    blocklist_clear(&b);
}

typedef struct {
    const char *page, *text;
} Case;

static void check_cases(const Case *c, size_t n)
{
    Buf out = {0};

    for (size_t i = 0; i < n; i++) {
        render(span_str(c[i].page), &out);
        CHECK_SPAN(span_str(c[i].text), buf_span(&out));
    }
    buf_clear(&out);
}
#define CHECK_CASES(c) check_cases(c, sizeof c / sizeof *c)

TEST(code_is_verbatim)
{
    static const Case cases[] = {
        {"<pre>\n    four\n\n\teight  \r\nnone\n\n</pre>", "```\n    four\n\n\teight  \nnone\n```"},
        {"<pre>  <b>two</b>\n<i> </i>x</pre>", "```\n  two\n x\n```"},
        {"<pre>a&nbsp;&nbsp;b\xe2\x80\x8b</pre>", "```\na  b\n```"},
        {"<pre>``` in it</pre>", "````\n``` in it\n````"},
        {"<pre><div>a = 1</div><div></div><div>  b = 2</div></pre>", "```\na = 1\n\n  b = 2\n```"},
        {"<pre>a<br>  b<br/>c</pre>", "```\na\n  b\nc\n```"},
        {"<div class='highlight-python notranslate'><div class=highlight><pre><span></span><span "
         "class=kn>import</span> "
         "<span class='c1 comment'># why</span>\n</pre></div></div>",
         "```python\nimport # why\n```"},
        {"<pre class='brush: js; toolbar: true'>f()</pre>", "```js\nf()\n```"},
        {"<pre><code class='hljs language-c++'>f();</code><button>Copy</button></pre>", "```c++\nf();\n```"},
        {"<p>Use <code>a = 1</code>, or <code> b</code>.<code></code> <code>x`y</code></p>",
         "Use `a = 1`, or `b`. x`y"},
        {"<code>one<br>&nbsp; two<br></code>", "```\none\n  two\n```"},
        {"<p>js<pre class=language-js>f()</pre>", "```js\nf()\n```"},
        {"<h2>js</h2><pre class=language-js>f()</pre>", "## js\n\n```js\nf()\n```"},
        {"<pre>Dear all, we meet at noon. Bring food, and a chair.\nYours</pre>",
         "Dear all, we meet at noon. Bring food, and a chair.\nYours"},
        {"<pre></pre><pre> \n </pre><p>x", "x"},
    };

    CHECK_CASES(cases);
}

TEST(line_numbers_are_not_code)
{
    static const Case cases[] = {
        {"<table class=rouge-table><tr><td class='rouge-gutter gl'><pre class=lineno>1\n2\n</pre></td><td "
         "class=rouge-code><pre>a\nb\n</pre></td></tr></table>",
         "```\na\nb\n```"},
        {"<table class='highlight js-file-line-container'><tr><td id=L1 class='blob-num'></td><td "
         "class='blob-code'>if "
         "x:</td></tr>\n<tr><td class=blob-num></td><td class=blob-code>    y</td></tr></table>",
         "```\nif x:\n    y\n```"},
        {"<div class='syntaxhighlighter  python'><table><tr><td class=gutter><div class='line number1'>1</div><div "
         "class='line number2'>2</div></td><td class=code><div class=container><div class='line number1'><code "
         "class='py keyword'>if</code> <code class=plain>x:</code></div><div class='line number2'><code class='py "
         "spaces'>&nbsp;&nbsp;</code><code>y</code></div></div></td></tr></table></div>",
         "```python\nif x:\n  y\n```"},
        {"<div class=blockcode><div id=code_x><ol><li>a<br />\n<li>&nbsp;&nbsp;b<br />\n</ol></div></div>",
         "```\na\n  b\n```"},
        {"<div class=cnblogs_code><pre><span>1</span> a\n<span>2</span> \n<span>3</span>   b</pre></div>",
         "```\na\n\n  b\n```"},
        {"<pre><span class=lineno>   10 </span>x<span class=ln>11</span></pre>", "```\nx\n```"},
        {"<pre><span class=ln>total</span> 7</pre>", "```\ntotal 7\n```"},
    };

    CHECK_CASES(cases);
}

TEST(tables_keep_their_cells)
{
    static const Case cases[] = {
        {"<table><tr><th>a<th>b<tr><td>1<td>2<tr><td>3<td>4 | 5</table>",
         "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 \\| 5 |"},
        {"<table><tr><td>a<td>b<tr><td>1<td>2</table><table><tr><td>c<td>d<tr><td>3<td>4</table>",
         "| a | b |\n| 1 | 2 |\n\n| c | d |\n| 3 | 4 |"},
        {"<table><tr><th>a<th>b<th>c<tr><td rowspan=2>1<td colspan=2>2<tr><td>3<td><p>4</p><p>5</p></table>",
         "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 |  |\n|  | 3 | 4 5 |"},
        {"<table><tr><th>A<th>B<th>C<tr><td>a1<td>b1<td rowspan=2>c1<tr><td>a2<tr><td>a3<td>b3<td>c3</table>",
         "| A | B | C |\n| --- | --- | --- |\n| a1 | b1 | c1 |\n| a2 |\n| a3 | b3 | c3 |"},
        {"<table><thead><tr><th rowspan=9>A<th>B</thead><tbody><tr><td>a1<td>b1<tr><td>a2<td>b2</tbody></table>",
         "| A | B |\n| --- | --- |\n| a1 | b1 |\n| a2 | b2 |"},
        {"<table><tr><th>A<th>B<tr><td rowspan=0>g<td>1<tr><td>2<tr><td>3<tbody><tr><td>x<td>y</table>",
         "| A | B |\n| --- | --- |\n| g | 1 |\n|  | 2 |\n|  | 3 |\n| x | y |"},
        {"<table><tr><th>A<th>B<tr><td>1<td>2<tr><th>C<th>D<tr><td>3<td>4</table>",
         "| A | B |\n| --- | --- |\n| 1 | 2 |\n| C | D |\n| 3 | 4 |"},
        {"<table><thead><tr><td>a<td>b</thead><tr><td><td>2<tr><td>3<td></table>",
         "| a | b |\n| --- | --- |\n|  | 2 |\n| 3 |  |"},
        {"<table><tr><th><th>x<tr><th>r<td><code>a|b</code> c<br>d<tr><td> <td> </table>",
         "|  | x |\n| --- | --- |\n| r | `a\\|b` c d |"},
        {"<table><tr><td>1<td><pre>x</pre><tr><td>2<td>y</table>", "1\n\n```\nx\n```\n\n2\n\ny"},
        {"<table><tr><td><table><tr><td>a<td>b<tr><td>1<td>2</table><td>x<tr><td>y<td>z</table>",
         "| a | b |\n| 1 | 2 |\n\nx\n\ny\n\nz"},
    };

    CHECK_CASES(cases);
}

/* A page of cells that span all they can comes to no more than its budget of empty ones. */
TEST(spans_are_bounded)
{
    Buf page = {0}, out = {0};

    buf_puts(&page, "<table>");
    for (int i = 0; i < 5000; i++)
        buf_puts(&page, "<tr><td colspan=9007199254740991 rowspan=4294967297>a<td rowspan=-1 colspan=0>b");
    render(buf_span(&page), &out);
    CHECK(out.n > 5000 * 5 && out.n < page.n + 4 * 65536);
    buf_reset(&page);
    buf_puts(&page, "<table class=wikitable><tr><th>A<th>B<th>C<tr><td rowspan=200>all<td>0<td>1");
    for (int i = 1; i < 200; i++) buf_puts(&page, "<tr><td>v<td>x");
    buf_puts(&page, "<tr><td>y<td>z<td>w</table>");
    render(buf_span(&page), &out);
    CHECK(span_starts(buf_span(&out),
                      SPAN_LIT("| A | B | C |\n| --- | --- | --- |\n| all | 0 | 1 |\n|  | v | x |\n|  | v | x |")));
    CHECK_SPAN(SPAN_LIT("|  | v | x |\n| y | z | w |"), span_from(buf_span(&out), out.n - 26));
    buf_clear(&page), buf_clear(&out);
}

TEST(lists_and_quotations)
{
    static const Case cases[] = {
        {"<ul><li>a<ul><li>b<ol start=7><li>c<li>d</ol></ul><li>e</ul>", "- a\n  - b\n    7. c\n    8. d\n- e"},
        {"<ol><li><p>a</p><p>more</p><li>b</ol>", "1. a\n\nmore\n\n2. b"},
        {"<dl><dd>one</dl><p>x", "one\n\nx"},
        {"<ol start=0><li>a<li>b<li value=9>c<li>d</ol><ul><li value=3>e</ul>", "0. a\n1. b\n9. c\n10. d\n- e"},
        {"<dl><dt>t<dd>one<dd><p>two</p><p>three</p><dt>u<dd>four</dl>", "t\n: one\n: two\n\nthree\n\nu\n: four"},
        {"<p>He said:<blockquote><p>One.<br>Two.</p><p>Three.</p></blockquote><p>End",
         "He said:\n\n> One.\n> Two.\n\n> Three.\n\nEnd"},
        {"<blockquote><p>All of it.</p><p>All.</p></blockquote>", "All of it.\n\nAll."},
        {"<h2>A <a href=x>title</a><a href=#y>\xc2\xb6</a></h2><p>x</p><h6>B<br>C</h6>",
         "## A title\n\nx\n\n###### B C"},
    };

    CHECK_CASES(cases);
}

TEST(formulas_stand_once)
{
    static const Case cases[] = {
        {"<p>If <span class=katex><span class=katex-mathml><math><semantics><mrow><mi>x</mi></mrow><annotation "
         "encoding='application/x-tex'>x^2</annotation></semantics></math></span><span class=katex-html "
         "aria-hidden=true><span>x2</span></span></span> is",
         "If $x^2$ is"},
        {"<p>If <span class=mwe-math-element><span style='display: none;'><math "
         "alttext='{\\displaystyle y_1}'><mi>y</mi></math></span><img class=mwe-math-fallback-image-inline "
         "alt='{\\displaystyle y_1}'></span>, then",
         "If $y_1$, then"},
        {"<p>So <script type='math/tex'>a < b</script> and <span class=MathJax_Preview>p</span><script "
         "type='math/tex; "
         "mode=display'>c</script>",
         "So $a < b$ and $$c$$"},
        {"<p>As <img class=latex alt='$e$'>: <math display=block><mi>z</mi></math>; \\(q\\) stays",
         "As $e$: z; \\(q\\) stays"},
        {"<p>Or <math display=block alttext=w><mi>z</mi></math>.", "Or $$w$$."},
        {"<p>If <span class=katex-html><span>x2</span></span> is", "If x2 is"},
        {"<p>If <span class=MathJax_Preview>y</span> is", "If y is"},
        {"<p>If <math alttext='x+y'><semantics><mi>x</mi><annotation encoding='application/x-tex'> "
         "</annotation></semantics></math> is",
         "If $x+y$ is"},
        {"<p>If <math><semantics><mi>x</mi><annotation encoding='StarMath 5.0'>x over y</annotation><annotation "
         "encoding=TeX>x/y</annotation></semantics></math> is",
         "If $x/y$ is"},
        {"<table><tr><td><math alttext='a|b \\|c\\|'></math><td>1<tr><td>2<td>3</table>",
         "| $a\\vert b \\Vert c\\Vert$ | 1 |\n| 2 | 3 |"},
    };

    CHECK_CASES(cases);
}

TEST(text_is_joined_as_it_is_read)
{
    static const Case cases[] = {
        {"<p>soft\xc2\xadhyphen zero\xe2\x80\x8bwidth \xd9\x86\xd9\x85\xe2\x80\x8c\xdb\x8c nb\xc2\xa0sp</p>",
         "softhyphen zerowidth \xd9\x86\xd9\x85\xe2\x80\x8c\xdb\x8c nb sp"},
        {"<p>汉字\n  汉字 and\n汉字 <b>汉</b> 字</p>", "汉字汉字 and 汉字 汉 字"},
        {"<p>\n张三 李四 \n 王五（记者 丁一）<i>甲</i> <i>乙</i>\n<i>丙</i>\t丁</p>",
         "张三 李四王五（记者 丁一）甲 乙丙 丁"},
        {"<div>\xe3\x80\x80\xe3\x80\x80一段。<br>\n\xe3\x80\x80\xe3\x80\x80二段。<br>&nbsp;&nbsp;&nbsp; "
         "&nbsp;三段</div>",
         "一段。\n\n二段。\n三段"},
        {"<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>字", "漢字"},
        {"<p>one<br><br>two<br> three", "one\n\ntwo\nthree"},
        {"<p>1d ago<span hidden>,</span><span>3 min", "1d ago 3 min"},
        {"<p>10<sup>6</sup> m<sup>2</sup>, 10<sup>-9</sup>, x<sub>1</sub>, H<sub>2</sub>O, word<sup>2</sup>, "
         "9<sup><a href=x>2</a></sup>, 4<sup>th</sup>",
         "10^6 m^2, 10^-9, x_1, H2O, word2, 92, 4th"},
    };

    CHECK_CASES(cases);
}

/* What is never closed hides nothing of what follows. */
TEST(an_unclosed_template_hides_nothing)
{
    static const Case cases[] = {
        {"<html><head><title>t</title><template></head><body><p>a<p>b</body></html>", "a\n\nb"},
        {"<html><head><title>t</title></head><body><template><p>a<p>b</body></html>", "a\n\nb"},
        {"<head><title>t</title><template><p>a</template></head><p>b", "b"},
        {"<head><title>t</title>", ""},
    };

    CHECK_CASES(cases);
}

/* One line as long as a page may be is one block, and every byte of it is there. */
TEST(a_page_of_one_line)
{
    Buf page = {0}, out = {0};

    buf_puts(&page, "<pre>");
    while (page.n < HTML_MAX_BYTES - 64) buf_puts(&page, "0123456789 abcdef,汉字");
    render(buf_span(&page), &out);
    CHECK_INT(page.n - 5, out.n); /* as prose it has no fence */
    page.p[1] = 'p', page.p[2] = '>';
    memset(page.p + 3, ' ', 2);
    render(buf_span(&page), &out);
    CHECK_INT(page.n - 5, out.n);
    buf_clear(&page), buf_clear(&out);
}

/* Looking ahead is bounded: cells of code in one row, code in code, columns of digits in each other. */
TEST(looking_ahead_costs_no_square)
{
    static const char *const pages[][2] = {{"<table><tr>", "<td class=code>a<br>b"},
                                           {"<p>", "<code>"},
                                           {"<pre>", "<i class=gutter>1"},
                                           {"<div>", "<div class=fragment>x<br>"},
                                           {"<p>", "<table><tr><td>x"}};
    Buf page = {0}, out = {0};

    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        buf_reset(&page);
        buf_puts(&page, pages[i][0]);
        for (int k = 0; k < 100000; k++) buf_puts(&page, pages[i][1]);
        for (int k = 0; k < 1 << 20; k++) buf_putc(&page, '7');
        render(buf_span(&page), &out);
        CHECK(out.n >= 1 << 20 || i == 2); /* all of that is numbers */
    }
    buf_clear(&page), buf_clear(&out);
}

/* The weight by runs is the weight by characters. */
TEST(weights_are_counted_by_runs)
{
    static const char *const pieces[] = {"word", " ", ", ",       "12", "汉", "，", "é",
                                         "😀",    "|", "\xc2\xa0", "𠀀", "\n", "한", "\xe3\x82\xa2"};
    enum { N = sizeof pieces / sizeof *pieces };
    uint32_t seed = 1;
    Buf text = {0};

    for (int round = 0; round < 200; round++) {
        uint64_t slow = 0;
        buf_reset(&text);
        for (int i = 0; i < 40; i++, seed = seed * 1664525 + 1013904223) buf_puts(&text, pieces[(seed >> 16) % N]);
        for (size_t i = 0, n; i < text.n; i += n) {
            uint32_t cp;
            n = utf8_next(text.p + i, text.n - i, &cp);
            slow += weight_of(cp);
        }
        CHECK_INT(slow, weight_of_text(buf_span(&text)));
    }
    buf_clear(&text);
}
