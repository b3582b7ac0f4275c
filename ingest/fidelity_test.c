/* How much of code and tables reaches the documents as it was written: lines of code with their indentation, cells with their
 * text, in order. The set is written here, none of it taken from anywhere: CODE_STYLES ways in which site generators, wikis, blogs,
 * forums and highlighters write a listing, each with N_LISTINGS listings (Python, C, shell, Chinese remarks in JavaScript), and TABLE_STYLES
 * ways of writing a table, each with N_TABLES tables (numbers and bars, code in cells, Chinese, empty cells), every one inside a page of
 * one of N_FRAMES kinds (manual with a menu beside, blog with comments and teasers, Chinese portal laid out by a table). A page goes
 * the whole way, page_from_record(), so that what the choice of the main text loses counts as lost.
 *
 * A line counts when it is a whole line of the text, a cell when it is a whole cell of a row "| … |" with \| read as |, each behind
 * the one before. Blank lines do not count. Both shares must be at least 95 %; -DFIDELITY_SHOW prints what is lost. */
#include "ingest/page.h"
#include "tests/check.h"

#include <stdio.h>

enum { MAX_LINES = 40, MAX_ROWS = 8, MAX_COLUMNS = 5, LEAST_PERCENT = 95 };

typedef struct {
    const char *lang, *line[MAX_LINES];
} Listing;

static const Listing listings[] = {
    {"python",
     {"import sys", "", "def widths(rows, limit=80):", "    \"\"\"Of each column, at most limit.\"\"\"",
      "    for row in rows:", "        if len(row) > 3 and row[0] < row[1]:",
      "            yield [min(len(c), limit) for c in row]", "", "# the end", "print(widths([[1, 2]]))"}},
    {"c",
     {"#include <stdio.h>", "", "int main(int argc, char **argv)", "{",
      "\tfor (int i = 0; i < argc && argv[i]; i++) {", "\t\tprintf(\"%d: %s\\n\", i, argv[i]);  /* twice  spaced */",
      "\t}", "\treturn argc | 1;", "}"}},
    {"bash",
     {"$ cd build && cmake -DX=1 ..", "$ make | tee log", "[ 50%] Building C object a.o", "    1 warning",
      "$ echo `date` > \"$HOME/now\""}},
    {"javascript",
     {"// 计算总数，返回数字", "const sum = (list) => {", "  let n = 0;", "  list.forEach((x) => { n += x; });", "",
      "  return n; // 没有就是零", "};"}},
};
enum { N_LISTINGS = sizeof listings / sizeof *listings };

/* How a listing is written: %L its language, %n the number of a line, %c a line. Numbers before the lines: gutter_*; between: in
 * the line itself. */
typedef struct {
    const char *name, *open, *gutter, *middle, *line, *end, *close;
    bool nbsp, spans; /* blanks as &nbsp; words in <span>s */
} CodeStyle;

static const CodeStyle code_styles[] = {
    {"plain", "<pre>", "", "", "%c", "\n", "</pre>", 0, 0},
    {"markdown", "<pre><code class=\"language-%L\">", "", "", "%c", "\n", "</code></pre>", 0, 0},
    {"commonmark long",
     "<div class=\"sourceCode\" id=\"cb1\"><pre class=\"sourceCode %L\"><code class=\"sourceCode %L\">", "", "",
     "<span id=\"cb1-%n\"><a href=\"#cb1-%n\" aria-hidden=\"true\" tabindex=\"-1\"></a>%c</span>", "\n",
     "</code></pre></div>", 0, 1},
    {"sphinx", "<div class=\"highlight-%L notranslate\"><div class=\"highlight\"><pre><span></span>", "", "", "%c",
     "\n", "</pre></div></div>", 0, 1},
    {"sphinx numbers",
     "<div class=\"highlight-%L\"><table class=\"highlighttable\"><tr><td class=\"linenos\"><div "
     "class=\"linenodiv\"><pre>",
     "%n\n", "</pre></div></td><td class=\"code\"><div class=\"highlight\"><pre><span></span>", "%c", "\n",
     "</pre></div></td></tr></table></div>", 0, 1},
    {"sphinx inline numbers", "<div class=\"highlight-%L\"><div class=\"highlight\"><pre>", "", "",
     "<span class=\"linenos\"> %n</span>%c", "\n", "</pre></div></div>", 0, 1},
    {"jekyll",
     "<div class=\"language-%L highlighter-rouge\"><div class=\"highlight\"><pre class=\"highlight\"><code>", "", "",
     "%c", "\n", "</code></pre></div></div>", 0, 1},
    {"jekyll numbers",
     "<figure class=\"highlight\"><pre><code class=\"language-%L\" data-lang=\"%L\"><table "
     "class=\"rouge-table\"><tbody><tr><td class=\"gutter gl\"><pre "
     "class=\"lineno\">",
     "%n\n", "</pre></td><td class=\"code\"><pre>", "%c", "\n",
     "</pre></td></tr></tbody></table></code></pre></figure>", 0, 1},
    {"hugo",
     "<div class=\"highlight\"><pre tabindex=\"0\" class=\"chroma\"><code class=\"language-%L\" data-lang=\"%L\">",
     "", "", "<span class=\"line\"><span class=\"cl\">%c\n</span></span>", "", "</code></pre></div>", 0, 1},
    {"hugo numbers",
     "<div class=\"highlight\"><div class=\"chroma\"><table class=\"lntable\"><tr><td class=\"lntd\"><pre "
     "class=\"chroma\"><code>",
     "<span class=\"lnt\">%n\n</span>",
     "</code></pre></td><td class=\"lntd\"><pre class=\"chroma\"><code class=\"language-%L\" data-lang=\"%L\">", "%c",
     "\n", "</code></pre></td></tr></table></div></div>", 0, 1},
    {"hugo inline numbers", "<div class=\"highlight\"><pre class=\"chroma\"><code class=\"language-%L\">", "", "",
     "<span class=\"line\"><span class=\"ln\">%n</span><span class=\"cl\">%c\n</span></span>", "",
     "</code></pre></div>", 0, 1},
    {"hexo", "<figure class=\"highlight %L\"><table><tr><td class=\"gutter\"><pre>",
     "<span class=\"line\">%n</span><br>", "</pre></td><td class=\"code\"><pre>", "<span class=\"line\">%c</span>",
     "<br>", "</pre></td></tr></table></figure>", 0, 1},
    {"docusaurus",
     "<div class=\"language-%L codeBlockContainer_x theme-code-block\"><div class=\"codeBlockContent_y\"><pre "
     "class=\"prism-code language-%L\"><code "
     "class=\"codeBlockLines_z\">",
     "", "", "<span class=\"token-line\" style=\"color:#393A34\"><span class=\"token plain\">%c</span><br></span>",
     "",
     "</code></pre><div class=\"buttonGroup\"><button type=\"button\" "
     "class=\"clean-btn\">Copy</button></div></div></div>",
     0, 1},
    {"docusaurus old", "<pre class=\"prism-code language-%L\">", "", "", "<div class=\"token-line\">%c</div>", "",
     "</pre>", 0, 1},
    {"vuepress", "<div class=\"language-%L line-numbers-mode\"><pre class=\"language-%L\"><code>", "", "", "%c", "\n",
     "</code></pre><div class=\"line-numbers-wrapper\"><span class=\"line-number\">1</span><br></div></div>", 0, 1},
    {"shiki", "<pre class=\"shiki\" tabindex=\"0\"><code>", "", "", "<span class=\"line\">%c</span>", "\n",
     "</code></pre>", 0, 1},
    {"prism numbers", "<pre class=\"line-numbers language-%L\"><code class=\"language-%L\">", "", "", "%c", "\n",
     "<span aria-hidden=\"true\" class=\"line-numbers-rows\"><span></span><span></span></span></code></pre>", 0, 1},
    {"highlight.js", "<pre><code class=\"hljs %L\">", "", "", "%c", "\n", "</code></pre>", 0, 1},
    {"highlight.js numbers", "<pre><code class=\"hljs %L\"><table class=\"hljs-ln\"><tbody>", "", "",
     "<tr><td class=\"hljs-ln-line hljs-ln-numbers\"><div class=\"hljs-ln-n\" data-line-number=\"%n\"></div></td><td "
     "class=\"hljs-ln-line "
     "hljs-ln-code\">%c</td></tr>",
     "", "</tbody></table></code></pre>", 0, 1},
    {"repository markdown", "<div class=\"highlight highlight-source-%L notranslate\"><pre>", "", "", "%c", "\n",
     "</pre><div class=\"zeroclipboard-container\"><clipboard-copy><svg></svg></clipboard-copy></div></div>", 0, 1},
    {"repository file",
     "<div class=\"Box-body blob-wrapper\"><table class=\"highlight tab-size js-file-line-container\"><tbody>", "",
     "",
     "<tr><td id=\"L%n\" class=\"blob-num js-line-number\" data-line-number=\"%n\"></td>\n<td id=\"LC%n\" "
     "class=\"blob-code blob-code-inner "
     "js-file-line\">%c</td></tr>",
     "\n", "</tbody></table></div>", 0, 1},
    {"doxygen", "<div class=\"fragment\">", "", "",
     "<div class=\"line\"><a id=\"l%n\" name=\"l%n\"></a><span class=\"lineno\">    %n</span>%c</div>", "\n",
     "</div>", 1, 1},
    {"doxygen fragment", "<div class=\"fragment\">", "", "", "<div class=\"line\">%c</div>", "\n",
     "</div><!-- fragment -->", 1, 0},
    {"javadoc source", "<main><div class=\"source-container\"><pre>", "", "",
     "<span class=\"source-line-no\">00%n</span><span id=\"line-%n\">%c</span>", "\n", "</pre></div></main>", 0, 0},
    {"texinfo", "<div class=\"example\"><pre class=\"example-preformatted\">", "", "", "%c", "\n", "</pre></div>", 0,
     0},
    {"docbook", "<div class=\"informalexample\"><pre class=\"programlisting\">", "", "", "%c", "\n", "</pre></div>",
     0, 0},
    {"rustdoc", "<div class=\"example-wrap\"><pre class=\"rust rust-example-rendered\"><code>", "", "", "%c", "\n",
     "</code></pre></div>", 0, 1},
    {"org", "<div class=\"org-src-container\"><pre class=\"src src-%L\">", "", "", "%c", "\n", "</pre></div>", 0, 1},
    {"asciidoctor",
     "<div class=\"listingblock\"><div class=\"content\"><pre class=\"highlight\"><code class=\"language-%L\" "
     "data-lang=\"%L\">",
     "", "", "%c", "\n", "</code></pre></div></div>", 0, 0},
    {"latexml", "<div class=\"ltx_listing ltx_lstlisting\">", "", "",
     "<div class=\"ltx_listingline\"><span class=\"ltx_tag ltx_tag_listingline\">%n</span>%c</div>", "\n", "</div>",
     1, 1},
    {"mediawiki", "<div class=\"mw-highlight mw-highlight-lang-%L mw-content-ltr\" dir=\"ltr\"><pre><span></span>",
     "", "", "%c", "\n", "</pre></div>", 0, 1},
    {"confluence",
     "<div class=\"code panel pdl\"><div class=\"codeContent panelContent pdl\"><pre class=\"syntaxhighlighter-pre\" "
     "data-syntaxhighlighter-params=\"brush: %L\">",
     "", "", "%c", "\n", "</pre></div></div>", 0, 0},
    {"brush", "<pre class=\"brush:%L;toolbar:false\">", "", "", "%c", "\n", "</pre>", 0, 0},
    {"brush drawn",
     "<div><div id=\"highlighter_1\" class=\"syntaxhighlighter  %L\"><table border=\"0\"><tbody><tr><td "
     "class=\"gutter\">",
     "<div class=\"line number%n index0 alt2\">%n</div>", "</td><td class=\"code\"><div class=\"container\">",
     "<div class=\"line number%n alt1\"><code class=\"%L plain\">%c</code></div>", "",
     "</div></td></tr></tbody></table></div></div>", 1, 0},
    {"dp list", "<div class=\"dp-highlighter\"><ol start=\"1\" class=\"dp-%L\">", "", "",
     "<li class=\"alt\"><span><span>%c</span></span></li>", "", "</ol></div>", 1, 0},
    {"crayon",
     "<div class=\"crayon-syntax\"><div class=\"crayon-main\"><table class=\"crayon-table\"><tr "
     "class=\"crayon-row\"><td class=\"crayon-nums\"><div "
     "class=\"crayon-nums-content\">",
     "<div class=\"crayon-num\">%n</div>", "</div></td><td class=\"crayon-code\"><div class=\"crayon-pre\">",
     "<div class=\"crayon-line\" id=\"crayon-%n\">%c</div>", "", "</div></td></tr></table></div></div>", 1, 1},
    {"wordpress block", "<pre class=\"wp-block-code\"><code lang=\"%L\" class=\"language-%L\">", "", "", "%c", "\n",
     "</code></pre>", 0, 0},
    {"wordpress geshi", "<div class=\"wp_syntax\"><table><tr><td class=\"line_numbers\"><pre>", "%n\n",
     "</pre></td><td class=\"code\"><pre class=\"%L\" style=\"font-family:monospace;\">", "%c", "\n",
     "</pre></td></tr></table></div>", 0, 1},
    {"enlighter", "<pre class=\"EnlighterJSRAW\" data-enlighter-language=\"%L\">", "", "", "%c", "\n", "</pre>", 0,
     0},
    {"question and answer", "<div class=\"s-prose js-post-body\"><pre class=\"lang-%L s-code-block\"><code>", "", "",
     "%c", "\n", "</code></pre></div>", 0, 0},
    {"prettyprint", "<pre class=\"prettyprint linenums prettyprinted\"><ol class=\"linenums\">", "", "",
     "<li class=\"L%n\">%c</li>", "", "</ol></pre>", 0, 1},
    {"csdn", "<pre><code class=\"prism language-%L has-numbering\">", "", "", "%c", "\n",
     "<div class=\"hljs-button signin\" data-title=\"登录后复制\"></div></code><ul "
     "class=\"pre-numbering\"><li>1</li><li>2</li></ul></pre>",
     0, 1},
    {"csdn lines", "<pre><code class=\"hljs language-%L\"><ol class=\"hljs-ln\">", "", "",
     "<li><div class=\"hljs-ln-numbers\"><div class=\"hljs-ln-line hljs-ln-n\" "
     "data-line-number=\"%n\"></div></div><div class=\"hljs-ln-code\"><div "
     "class=\"hljs-ln-line\">%c</div></div></li>",
     "", "</ol></code></pre>", 0, 1},
    {"cnblogs",
     "<div class=\"cnblogs_code\"><div class=\"cnblogs_code_toolbar\"><span class=\"cnblogs_code_copy\"><a "
     "title=\"复制代码\"><img "
     "alt=\"复制代码\"></a></span></div><pre>",
     "", "", "<span style=\"color: #008080;\"> %n</span> %c", "\n", "</pre></div>", 0, 1},
    {"juejin", "<pre><code class=\"hljs language-%L copyable\" lang=\"%L\">", "", "", "%c", "\n",
     "<span class=\"copy-code-btn\">复制代码</span></code></pre>", 0, 1},
    {"zhihu", "<div class=\"highlight\"><pre><code class=\"language-%L\">", "", "", "%c", "\n", "</code></pre></div>",
     0, 1},
    {"wechat",
     "<section class=\"code-snippet__fix code-snippet__%L\"><ul "
     "class=\"code-snippet__line-index\"><li></li></ul><pre "
     "class=\"code-snippet__%L\" data-lang=\"%L\">",
     "", "", "<code><span class=\"code-snippet_outer\">%c</span></code>", "", "</pre></section>", 0, 0},
    {"discuz", "<div class=\"blockcode\"><div id=\"code_x\"><ol>", "", "", "<li>%c<br />", "\n",
     "</ol></div><em>复制代码</em></div>", 1, 0},
    {"phpbb", "<dl class=\"codebox\"><dt>Code: <a href=\"#\">Select all</a></dt><dd><code>", "", "", "%c", "<br />",
     "</code></dd></dl>", 1, 0},
    {"phpbb new", "<div class=\"codebox\"><p>Code: <a href=\"#\">Select all</a></p><pre><code>", "", "", "%c", "\n",
     "</code></pre></div>", 0, 0},
    {"phpbb old",
     "<table width=\"90%\" cellspacing=\"1\"><tr><td><span class=\"genmed\"><b>Code:</b></span></td></tr><tr><td "
     "class=\"code\">",
     "", "", "%c", "<br />\n", "</td></tr></table>", 1, 0},
    {"smf", "<div class=\"codeheader\">Code: <a href=\"#\">[Select]</a></div><code class=\"bbc_code\">", "", "", "%c",
     "<br />", "</code>", 1, 0},
    {"xenforo",
     "<div class=\"bbCodeBlock bbCodeBlock--code\"><div class=\"bbCodeBlock-title\">Code:</div><div "
     "class=\"bbCodeBlock-content\"><pre "
     "class=\"bbCodeCode\"><code>",
     "", "", "%c", "\n", "</code></pre></div></div>", 0, 0},
    {"codemirror 5", "<div class=\"CodeMirror\"><div class=\"CodeMirror-code\">", "", "",
     "<div style=\"position: relative;\"><div class=\"CodeMirror-gutter-wrapper\"><div "
     "class=\"CodeMirror-linenumber\">%n</div></div><span "
     "class=\"CodeMirror-line\">%c</span></div>",
     "", "</div></div>", 1, 1},
    {"codemirror 6",
     "<div class=\"cm-scroller\"><div class=\"cm-gutters\"><div class=\"cm-gutterElement\">1</div></div><div "
     "class=\"cm-content\">",
     "", "", "<div class=\"cm-line\">%c</div>", "", "</div></div>", 0, 1},
};
enum { CODE_STYLES = sizeof code_styles / sizeof *code_styles };

typedef struct {
    unsigned rows, columns;
    const char *cell[MAX_ROWS][MAX_COLUMNS]; /* the first row: headers */
} Table;

static const Table tables[] = {
    {4,
     3,
     {{"Year", "Height", "Mark"},
      {"1990", "4.5 m", "a|b"},
      {"1991", "3.9 m", "A & B"},
      {"1992", "-12.75", "<none>"}}},
    {5,
     4,
     {{"Option", "Type", "Default", "What it does"},
      {"--limit N", "number", "80", "stops behind so many lines"},
      {"--out DIR", "path", "", "where the files go; made when it is not there"},
      {"--quiet", "flag", "off", "says nothing"},
      {"x || y", "any", "", "or"}}},
    {4,
     5,
     {{"名称", "数量", "单价", "金额", "备注"},
      {"苹果", "3", "2.50", "7.50", "本地"},
      {"西红柿", "10", "1.20", "12.00", ""},
      {"合计", "13", "", "19.50", "不含税"}}},
    {3,
     2,
     {{"Key", "Meaning"}, {"Ctrl-C", "ends the program that is running"}, {"Ctrl-Z", "stops it, until fg is said"}}},
};
enum { N_TABLES = sizeof tables / sizeof *tables };

/* %c the text of a cell. */
typedef struct {
    const char *name, *open, *head_row, *head, *head_end, *row, *cell, *row_end, *close;
} TableStyle;

static const TableStyle table_styles[] = {
    {"bare", "<table>", "<tr>", "<th>%c", "", "<tr>", "<td>%c", "", "</table>"},
    {"markdown", "<table><thead>", "<tr>\n", "<th align=\"left\">%c</th>\n", "</tr>\n</thead><tbody>", "<tr>\n",
     "<td align=\"left\">%c</td>\n", "</tr>\n", "</tbody></table>"},
    {"wikitable", "<table class=\"wikitable sortable\"><tbody>", "<tr>\n", "<th>%c\n</th>\n", "</tr>\n", "<tr>\n",
     "<td>%c\n</td>\n", "</tr>\n", "</tbody></table>"},
    {"docutils", "<table class=\"docutils align-default\"><colgroup><col style=\"width: 20%\"></colgroup><thead>",
     "<tr class=\"row-odd\">", "<th class=\"head\"><p>%c</p></th>\n", "</tr></thead><tbody>",
     "<tr class=\"row-even\">", "<td><p>%c</p></td>\n", "</tr>\n", "</tbody></table>"},
    {"confluence", "<div class=\"table-wrap\"><table class=\"confluenceTable\"><tbody>", "<tr>",
     "<th class=\"confluenceTh\"><p>%c</p></th>", "</tr>", "<tr>", "<td class=\"confluenceTd\"><p>%c</p></td>",
     "</tr>", "</tbody></table></div>"},
    {"asciidoctor",
     "<table class=\"tableblock frame-all grid-all\"><caption class=\"title\">Table 1. Some</caption><thead>", "<tr>",
     "<th class=\"tableblock halign-left\">%c</th>", "</tr></thead><tbody>", "<tr>",
     "<td class=\"tableblock halign-left\"><p class=\"tableblock\">%c</p></td>", "</tr>", "</tbody></table>"},
    {"docbook",
     "<div class=\"table\"><p class=\"title\"><b>Table 1. Some</b></p><div class=\"table-contents\"><table "
     "border=\"1\"><thead>",
     "<tr>", "<th>%c</th>", "</tr></thead><tbody>", "<tr>", "<td>%c</td>", "</tr>", "</tbody></table></div></div>"},
    {"javadoc",
     "<table class=\"memberSummary\" border=\"0\" cellpadding=\"3\"><caption><span>Methods</span></caption><tbody>",
     "<tr>", "<th class=\"colFirst\" scope=\"col\">%c</th>", "</tr>", "<tr class=\"altColor\">",
     "<td class=\"colFirst\"><code>%c</code></td>", "</tr>", "</tbody></table>"},
    {"doxygen", "<table class=\"markdownTable\">", "<tr class=\"markdownTableHead\">",
     "<th class=\"markdownTableHeadNone\">%c</th>", "</tr>", "<tr class=\"markdownTableRowOdd\">",
     "<td class=\"markdownTableBodyNone\">%c</td>", "</tr>", "</table>"},
    {"wordpress", "<figure class=\"wp-block-table\"><table><tbody>", "<tr>", "<td><strong>%c</strong></td>", "</tr>",
     "<tr>", "<td>%c</td>", "</tr>", "</tbody></table><figcaption>Prices</figcaption></figure>"},
    {"bootstrap", "<div class=\"table-responsive\"><table class=\"table table-striped\"><thead>", "<tr>",
     "<th scope=\"col\">%c</th>", "</tr></thead><tbody>", "<tr>", "<td>%c</td>", "</tr>", "</tbody></table></div>"},
    {"word", "<div align=\"center\"><table class=\"MsoTableGrid\" border=\"1\" cellspacing=\"0\">", "<tr>",
     "<td width=\"100\" valign=\"top\"><p class=\"MsoNormal\"><b><span lang=\"EN-US\">%c</span></b></p></td>",
     "</tr>", "<tr>",
     "<td width=\"100\" valign=\"top\"><p class=\"MsoNormal\"><span lang=\"EN-US\">%c</span></p></td>", "</tr>",
     "</table></div>"},
    {"old", "<CENTER><TABLE BORDER=1 CELLPADDING=2>", "<TR>", "<TD><FONT SIZE=2><B>%c</B></FONT></TD>", "</TR>",
     "<TR>", "<TD><FONT SIZE=2>%c</FONT></TD>", "</TR>", "</TABLE></CENTER>"},
    {"header column", "<table>", "<tr>", "<th>%c</th>", "</tr>", "<tr>", "<td><div>%c</div></td>", "</tr>",
     "</table>"},
    {"discuz", "<table cellspacing=\"0\" class=\"t_table\" style=\"width:98%\"><tbody>", "<tr>", "<td>%c</td>",
     "</tr>", "<tr>", "<td>%c</td>", "</tr>", "</tbody></table>"},
    {"gov cn", "<div class=\"Custom_UnionStyle\"><table border=\"1\" style=\"border-collapse:collapse\"><tbody>",
     "<tr>", "<td style=\"text-align:center\"><p style=\"text-align:center\"><span>%c</span></p></td>", "</tr>",
     "<tr>", "<td><p style=\"text-align:center\"><span>%c</span></p></td>", "</tr>", "</tbody></table></div>"},
    {"in code", "<table>", "<tr>", "<th><code>%c</code></th>", "</tr>", "<tr>", "<td><code>%c</code></td>", "</tr>",
     "</table>"},
    {"tfoot", "<table><thead>", "<tr>", "<th>%c</th>", "</tr></thead><tfoot></tfoot><tbody>", "<tr>",
     "<td>%c<br></td>", "</tr>", "</tbody></table>"},
};
enum { TABLE_STYLES = sizeof table_styles / sizeof *table_styles };

#define EN_1                                                                                                        \
    "<p>Before the second part is read, the first one should be clear to whoever sets out, since nothing in it is " \
    "said "                                                                                                         \
    "twice, and the names that it gives are used from here on.</p>"
#define EN_2                                                                                                         \
    "<p>What follows from this is simple enough, and it has been tried many times: where the numbers do not agree, " \
    "look "                                                                                                          \
    "at the first of them, and then at the place that it came from.</p>"
#define ZH_1                                                                                                                                                            \
    "<p>在阅读第二部分之前，应当先弄清楚第一部分，因为其中的内容不会再重复，后面将一直使用那里给出的名称和约定。</" \
    "p>"
#define ZH_2 \
    "<p>由此得出的结论很简单，而且已经被验证过很多次：如果数字对不上，就先看第一个数字，再看它是从哪里来的。</p>"

static const char *const frames[][2] = {
    {"<html><head><title>Manual</title></head><body><div class=\"document\"><div class=\"sphinxsidebar\"><ul><li><a "
     "href=1>Start</a></li><li><a "
     "href=2>Reference</a></li><li><a href=3>Index</a></li></ul></div><div class=\"body\" role=\"main\"><h1>How it "
     "is done</h1>" EN_1 EN_2 "<h2>An example</h2>" EN_1,
     EN_2 "<h2>More</h2>" EN_1
          "</div></div><div class=\"footer\"><a href=4>Show source</a> Copyright 2020.</div></body></html>"},
    {"<html><head><title>Blog</title></head><body><header id=masthead><nav><a href=1>Home</a> <a "
     "href=2>About</a></nav></header><main><article><h1 "
     "class=entry-title>On a small thing</h1><div class=entry-meta>Posted on <time datetime=2020-01-02>January "
     "2</time></div><div "
     "class=entry-content>" EN_1 EN_2,
     EN_1 "</div></article><div id=comments class=comments-area><h2>2 comments</h2><p>Thank you, this has helped me "
          "a lot, and my friend too.</p></div></main>"
          "<aside class=sidebar><h3>Recent posts</h3><ul><li><a href=3>On a large thing</a></li><li><a href=4>On "
          "nothing</a></li></ul></aside><footer>"
          "Powered by something</footer></body></html>"},
    {"<html><head><title>网页</title></head><body><table width=960><tr><td><a href=1>首页</a> <a href=2>新闻</a> <a "
     "href=3>论坛</a></td></tr></table><div "
     "class=wrap><h1>一个小问题的解决办法</h1><div class=info>发布时间：2020年1月2日 来源：本站</div><div "
     "class=content>" ZH_1 ZH_2,
     ZH_2 ZH_1 "</div><div class=next>上一篇：<a href=4>另一个问题</a></div></div><div class=foot>版权所有 某某公司 "
               "京ICP备00000000号</div></body></html>"},
    {"<html><head><title>Questions</title></head><body><header class=top-bar><a href=1>Questions</a> <a "
     "href=2>Tags</a></header><div class=question><h1>"
     "Why does it stop?</h1><div class=post-text><p>It stops here, and I do not know why.</p></div></div><div "
     "class=answer><div class=post-text><p>Try "
     "this:</p>",
     "<p>Hope that helps.</p></div></div><div class=related><a href=3>Why does it not stop?</a></div></body></html>"},
    {"<html><head><title>Notes</title></head><body><div class=nav><a href=1>All notes</a></div><article><h1>Note "
     "7</h1>" EN_1 EN_2 "<h2>The whole of "
     "it</h2>",
     "</article><footer><a href=2>Imprint</a></footer></body></html>"},
    {"<html><head><title>Reference</title></head><body><nav><ul><li><a href=1>A</a></li><li><a "
     "href=2>B</a></li></ul></nav><main><h1>Function b</h1>",
     "</main><footer>Made from sources.</footer></body></html>"},
};
enum { N_FRAMES = sizeof frames / sizeof *frames };

/* ---- writing pages */

static void put_escaped(Buf *out, const char *s, bool nbsp)
{
    bool at_start = true;

    for (; *s; s++) {
        at_start &= *s == ' ';
        if (*s == '<')
            buf_puts(out, "&lt;");
        else if (*s == '>')
            buf_puts(out, "&gt;");
        else if (*s == '&')
            buf_puts(out, "&amp;");
        else if (*s == ' ' && nbsp && at_start)
            buf_puts(out, "&nbsp;");
        else if (*s == '\t' && nbsp)
            buf_puts(out, "&nbsp;&nbsp;&nbsp;&nbsp;");
        else
            buf_putc(out, (uint8_t)*s);
    }
}

/* A line as highlighters write it: words in elements whose classes are those of page parts, too. */
static void put_spans(Buf *out, const char *s, bool nbsp)
{
    static const char *const classes[] = {"kn", "hljs-comment", "token function", "nav", "s1"};
    char word[256];
    unsigned k = 0;

    while (*s) {
        size_t n = strcspn(s, " (");
        if (n && n < sizeof word) {
            memcpy(word, s, n);
            word[n] = 0;
            buf_printf(out, "<span class=\"%s\">", classes[k++ % 5]);
            put_escaped(out, word, nbsp);
            buf_puts(out, "</span>");
            s += n;
            continue;
        }
        word[0] = *s++;
        word[1] = 0;
        put_escaped(out, word, nbsp);
    }
}

static void put_style(Buf *out, const char *format, const char *lang, unsigned n, const char *content,
                      const CodeStyle *style)
{
    for (; *format; format++) {
        if (format[0] != '%' || !format[1] || !strchr("Lnc", format[1]))
            buf_putc(out, (uint8_t)*format);
        else if (*++format == 'L')
            buf_puts(out, lang);
        else if (*format == 'n')
            buf_put_u64(out, n);
        else if (style && style->spans)
            put_spans(out, content, style->nbsp);
        else
            put_escaped(out, content, style && style->nbsp);
    }
}

static unsigned n_lines(const Listing *l)
{
    unsigned n = 0;

    while (n < MAX_LINES && l->line[n]) n++;
    return n;
}

static void put_listing(Buf *out, const CodeStyle *s, const Listing *l)
{
    unsigned n = n_lines(l);

    put_style(out, s->open, l->lang, 0, "", NULL);
    for (unsigned i = 0; i < n && *s->gutter; i++) put_style(out, s->gutter, l->lang, i + 1, "", NULL);
    put_style(out, s->middle, l->lang, 0, "", NULL);
    for (unsigned i = 0; i < n; i++) {
        put_style(out, s->line, l->lang, i + 1, l->line[i], s);
        if (i + 1 < n || *s->end != '\n') buf_puts(out, s->end);
    }
    put_style(out, s->close, l->lang, 0, "", NULL);
}

static void put_table(Buf *out, const TableStyle *s, const Table *t)
{
    buf_puts(out, s->open);
    for (unsigned r = 0; r < t->rows; r++) {
        buf_puts(out, r ? s->row : s->head_row);
        for (unsigned c = 0; c < t->columns; c++) put_style(out, r ? s->cell : s->head, "", 0, t->cell[r][c], NULL);
        buf_puts(out, r ? s->row_end : s->head_end);
    }
    buf_puts(out, s->close);
}

/* ---- reading documents */

typedef struct {
    unsigned all, kept;
} Share;

static void lost(const char *style, const char *what)
{
#ifdef FIDELITY_SHOW
    printf("# %s: %s\n", style, what);
#else
    (void)style, (void)what;
#endif
}

/* A tab of a style that has no tabs is four blanks. */
static void expected_line(const char *line, bool nbsp, Buf *out)
{
    buf_reset(out);
    for (; *line; line++) {
        if (*line == '\t' && nbsp)
            buf_puts(out, "    ");
        else
            buf_putc(out, (uint8_t)*line);
    }
    while (out->n && out->p[out->n - 1] == ' ') out->n--;
}

static void count_lines(const CodeStyle *s, const Listing *l, Span text, Share *share)
{
    Buf want = {0};

    for (unsigned i = 0; i < n_lines(l); i++) {
        if (!*l->line[i]) continue;
        expected_line(l->line[i], s->nbsp, &want);
        share->all++;
        Span rest = text, line = {NULL, 0};
        bool found = false;
        while (rest.n && !found) {
            line = span(rest.p, span_find(rest, '\n'));
            rest = span_from(rest, line.n + 1);
            while (line.n && line.p[line.n - 1] == ' ') line.n--;
            found = span_eq(line, buf_span(&want));
        }
        share->kept += found;
        if (found)
            text = rest;
        else
            lost(s->name, l->line[i]);
    }
    buf_clear(&want);
}

/* The next cell of the text's rows; false: there is none. */
static bool next_cell(Span *rest, Buf *cell)
{
    while (rest->n) {
        if (span_starts(*rest, SPAN_LIT("| ")) && rest->n > 2 && rest->p[2] != '\n') {
            size_t i = 2;
            buf_reset(cell);
            for (; i < rest->n && rest->p[i] != '\n' && !(rest->p[i] == '|' && rest->p[i - 1] != '\\'); i++)
                if (rest->p[i] != '\\' || i + 1 >= rest->n || rest->p[i + 1] != '|') buf_putc(cell, rest->p[i]);
            *rest = span_from(*rest, i);
            while (cell->n && (cell->p[cell->n - 1] == ' ' || cell->p[cell->n - 1] == '`')) cell->n--;
            return true;
        }
        *rest = span_from(*rest, 1);
    }
    return false;
}

static Span bare(const Buf *cell)
{
    Span s = span_trim(buf_span(cell));

    return s.n && s.p[0] == '`' ? span_from(s, 1) : s;
}

static void count_cells(const TableStyle *s, const Table *t, Span text, Share *share)
{
    Buf cell = {0};

    for (unsigned i = 0; i < t->rows * t->columns; i++) {
        const char *want = t->cell[i / t->columns][i % t->columns];
        Span rest = text;
        bool found = false;
        share->all++;
        while (!found && next_cell(&rest, &cell)) found = span_is(bare(&cell), want);
        share->kept += found;
        if (found)
            text = rest;
        else
            lost(s->name, want);
    }
    buf_clear(&cell);
}

static Span text_of_page(PageWorker *w, const Buf *page)
{
    static const char head[] =
        "WARC/1.0\r\nWARC-Type: resource\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 1\r\n\r\n";
    PageResult r;
    Err err = {0};

    CHECK_OK(page_from_record(w, span_str(head), buf_span(page), &r, &err), &err);
    return r.reason == INGEST_N_REASONS ? r.doc.text : (Span){NULL, 0};
}

static PageWorker *new_worker(void)
{
    static const IngestParams params = INGEST_PARAMS_DEFAULT;
    PageWorker *w = NULL;
    Err err = {0};

    CHECK_OK(pageworker_new(&params, &w, &err), &err);
    return w;
}

TEST(lines_of_code_are_kept)
{
    PageWorker *w = new_worker();
    Share share = {0, 0};
    Buf page = {0};

    for (unsigned i = 0; i < CODE_STYLES * N_LISTINGS * N_FRAMES; i++) {
        const CodeStyle *s = &code_styles[i / (N_LISTINGS * N_FRAMES)];
        const Listing *l = &listings[i / N_FRAMES % N_LISTINGS];
        const char *const *frame = frames[i % N_FRAMES];
        buf_reset(&page);
        buf_puts(&page, frame[0]);
        put_listing(&page, s, l);
        buf_puts(&page, frame[1]);
        count_lines(s, l, text_of_page(w, &page), &share);
    }
    printf("# %u pages, %u of %u lines of code are kept, %.2f %%\n", CODE_STYLES * N_LISTINGS * N_FRAMES, share.kept,
           share.all, 100.0 * share.kept / share.all);
    CHECK(share.kept * 100 >= share.all * LEAST_PERCENT);
    buf_clear(&page);
    pageworker_free(w);
}

TEST(cells_of_tables_are_kept)
{
    PageWorker *w = new_worker();
    Share share = {0, 0};
    Buf page = {0};

    for (unsigned i = 0; i < TABLE_STYLES * N_TABLES * N_FRAMES; i++) {
        const TableStyle *s = &table_styles[i / (N_TABLES * N_FRAMES)];
        const Table *t = &tables[i / N_FRAMES % N_TABLES];
        const char *const *frame = frames[i % N_FRAMES];
        buf_reset(&page);
        buf_puts(&page, frame[0]);
        put_table(&page, s, t);
        buf_puts(&page, frame[1]);
        count_cells(s, t, text_of_page(w, &page), &share);
    }
    printf("# %u pages, %u of %u cells of tables are kept, %.2f %%\n", TABLE_STYLES * N_TABLES * N_FRAMES, share.kept,
           share.all, 100.0 * share.kept / share.all);
    CHECK(share.kept * 100 >= share.all * LEAST_PERCENT);
    buf_clear(&page);
    pageworker_free(w);
}
