#include "ingest/maintext.h"

#include "core/log.h"
#include "ingest/classhints.h"
#include "tests/check.h"

#include "ingest/confidence_table.inc"

/* The main text of a page given as its body. */
static void extract(const char *body, Buf *out)
{
    HtmlParser *p;
    HtmlTree t = {0};
    MainText m = {0};
    HtmlStatus status;
    Err err = {0};

    buf_reset(out);
    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    CHECK_OK(htmlparser_parse(p, span_str(body), &t, &status, &err), &err);
    CHECK_OK(maintext_extract(&m, &t, MAINTEXT_BALANCED, out, &err), &err);
    htmlparser_free(p);
    htmltree_clear(&t);
    maintext_clear(&m);
}

static bool has(const Buf *b, const char *what)
{
    size_t n = strlen(what);

    for (size_t i = 0; i + n <= b->n; i++)
        if (!memcmp(b->p + i, what, n)) return true;
    return false;
}

#define PROSE_1                                                                                                      \
    "The river rises in the hills to the north, and for most of its way it runs through open meadows, where cattle " \
    "graze in summer and geese rest in winter."
#define PROSE_2                                                                                                   \
    "In spring the water comes up over the banks, sometimes as far as the road, and the farmers have learned to " \
    "build their barns a little higher than they think they must."
#define PROSE_3                                                                                                   \
    "Nobody can say when the first bridge was built; the present one is of stone, with three arches, and it has " \
    "been mended so often that little of it is old."
#define ZH_1                                                                                                                                                                \
    "这条河发源于北面的山里，大部分河道穿过开阔的草地，夏天有牛羊在那里吃草，冬天有大雁在那里歇脚，附近的村民世世代" \
    "代都靠这条河生活。"
#define ZH_2                                                                                                                                                                \
    "春天的时候河水会漫过两岸，有时一直漫到大路边上，农民们早就学会了把谷仓建得比自己想象的还要高一些，免得粮食被水" \
    "泡坏。"

TEST(prose_stays_and_what_surrounds_it_goes)
{
    Buf out = {0};

    extract(
        "<body><div id=nav><ul><li><a href=1>Home</a><li><a href=2>Products</a><li><a href=3>Contact</a></ul></div>"
        "<div class=main><h1>The river</h1><p>" PROSE_1 "</p><h2>Floods</h2><p>" PROSE_2 "</p><p>" PROSE_3
        "</p></div>"
        "<div class=sidebar><h3>Popular</h3><a href=4>Ten bridges you must see before you are old</a></div>"
        "<div class=comments><p>I like this very much, and I have told all my friends about it, thank you so much "
        "for it.</p></div>"
        "<div id=footer>Copyright 2020 A Company, all rights reserved, no part of it may be used "
        "anywhere.</div></body>",
        &out);
    CHECK_SPAN(SPAN_LIT("# The river\n\n" PROSE_1 "\n\n## Floods\n\n" PROSE_2 "\n\n" PROSE_3), buf_span(&out));
    buf_clear(&out);
}

/* Marks an element by its class: d to be dropped, m main, k kept. */
static void mark_by_class(const HtmlTree *t, uint8_t *mark)
{
    memset(mark, 0, t->n_nodes);
    for (uint32_t i = 1; i < t->n_nodes; i++) {
        Span name = html_attr(t, i, HTML_CLASS);
        unsigned own = span_is(name, "d")   ? MARK_DROP
                       : span_is(name, "m") ? MARK_MAIN
                       : span_is(name, "k") ? MARK_KEEP
                                            : 0;
        mark[i] |= (uint8_t)own;
        for (uint32_t k = i; own > MARK_DROP && k != 0;) mark[k = t->node[k].parent] |= MARK_AROUND;
    }
}

static void check_marked(const char *body, const char *want, bool by_rules)
{
    HtmlParser *p;
    HtmlTree t = {0};
    MainText m = {0};
    HtmlStatus status;
    uint8_t mark[100];
    Buf out = {0};
    Err err = {0};

    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    CHECK_OK(htmlparser_parse(p, span_str(body), &t, &status, &err), &err);
    CHECK(t.n_nodes <= sizeof mark);
    mark_by_class(&t, mark);
    m.mark = mark;
    for (int mode = by_rules ? MAINTEXT_PRECISION : MAINTEXT_BALANCED;
         mode <= (by_rules ? MAINTEXT_ALL : MAINTEXT_BALANCED); mode++) {
        buf_reset(&out);
        CHECK_OK(maintext_extract(&m, &t, (MainMode)mode, &out, &err), &err);
        CHECK_SPAN(span_str(want), buf_span(&out));
        CHECK_INT(by_rules, m.by_rules);
    }
    htmlparser_free(p);
    htmltree_clear(&t);
    maintext_clear(&m);
    buf_clear(&out);
}

#define PAGE_2 "<h1>The river</h1><p>" PROSE_1 "</p><p>" PROSE_2 "</p>"

TEST(what_is_marked_as_the_main_text_is_all_of_it)
{
    check_marked("<body><article>" PAGE_2 "</article><ul class=m><li>one<li class=d>two<li>three</ul>",
                 "- one\n- three", true);
    /* Within a line, in a table of data, in code. */
    check_marked("<body><article>" PAGE_2 "</article><p>Of it <b class=m>all</b> of <i>it</i> <i class=m>is</i>.",
                 "all is", true);
    check_marked("<body><article>" PAGE_2
                 "</article><pre>int <b class=m>a <i class=d>= 1</i></b>; <b class=k>b</b></pre>",
                 "```\na b\n```", true);
    /* What is hidden in it stays so, unless it is much of the page, or what was asked for. */
    check_marked("<body><article>" PAGE_2
                 "</article><div class=m><p>one<p hidden>two</div><div hidden class=k>three</div>",
                 "one\n\nthree", true);
    check_marked("<body><div hidden><div class=m><p>one<p>two<p class=d>" PROSE_3 "</div>three</div>", "one\n\ntwo",
                 true);
    /* Nothing to read in it: the ordinary way. */
    check_marked("<body><article>" PAGE_2 "</article><div class=m> <p>...<p hidden>two</div>",
                 "# The river\n\n" PROSE_1 "\n\n" PROSE_2, false);
    check_marked("<body><article>" PAGE_2 "</article><div class=d><p class=m>one</div>",
                 "# The river\n\n" PROSE_1 "\n\n" PROSE_2, false);
}

TEST(what_is_marked_goes_or_stays_whatever_it_is)
{
    check_marked("<body><article>" PAGE_2 "<p class=d>" PROSE_3
                 "</article><div id=footer><a class=k>Imprint</a></div>",
                 "# The river\n\n" PROSE_1 "\n\n" PROSE_2 "\n\nImprint", false);
    check_marked("<body><article>" PAGE_2
                 "</article><div id=footer>All <i class=k>rights</i> reserved <i class=k></i>"
                 "<p>No rights</p></div>",
                 "# The river\n\n" PROSE_1 "\n\n" PROSE_2 "\n\nAll rights reserved", false);
}

TEST(chinese_pages_of_breaks_and_indents)
{
    Buf out = {0};

    extract("<body><table><tr><td><a href=1>首页</a> <a href=2>新闻</a> <a href=3>论坛</a></td></tr><tr><td>"
            "<div class=TRS_Editor>\xe3\x80\x80\xe3\x80\x80" ZH_1 "<br>\n<br>\xe3\x80\x80\xe3\x80\x80" ZH_2
            "</div></td></tr></table>"
            "<div>友情链接：<a href=4>网站一</a> <a href=5>网站二</a></div><div>版权所有 某某公司 "
            "京ICP备00000000号</div></body>",
            &out);
    CHECK_SPAN(SPAN_LIT(ZH_1 "\n\n" ZH_2), buf_span(&out));
    buf_clear(&out);
}

TEST(lists_code_and_tables_keep_their_form)
{
    Buf out = {0};

    extract(
        "<body><article><p>" PROSE_1 "</p><ol start=3><li>" PROSE_2 "<li><p>" PROSE_3 "</p></ol>"
        "<ul><li>Take one of them and put it on the table<ul><li>then turn it around, slowly, twice</ul><li>Now take "
        "the other one as well</ul>"
        "<pre>int main(void)\n{\n    return  0;\n}\n</pre><p>" PROSE_2 "</p>"
        "<table><tr><th>Year<th>Height</tr><tr><td>1990<td>4.5\n m</tr><tr><td>1991<td>3.9 m</tr></table><p>" PROSE_1
        "</p></article></body>",
        &out);
    CHECK_SPAN(SPAN_LIT(PROSE_1
                        "\n\n3. " PROSE_2 "\n4. " PROSE_3 "\n"
                        "- Take one of them and put it on the table\n  - then turn it around, slowly, "
                        "twice\n- Now take the other one as well\n\n"
                        "```\nint main(void)\n{\n    return  0;\n}\n```\n\n" PROSE_2
                        "\n\n| Year | Height |\n| --- | --- |\n| 1990 | 4.5 m |\n| 1991 | 3.9 m |\n\n" PROSE_1),
               buf_span(&out));
    buf_clear(&out);
}

TEST(blanks_are_put_where_words_need_them)
{
    Buf out = {0};

    extract(
        "<body><p>One\n  <b>two</b> three,<i> four</i>&nbsp;five so that this is a long paragraph, " PROSE_1 "</p>"
        "<p>这条河发源于北面的\n山里，<b>大部分</b>\n河道穿过 open\nmeadows 草地，soft&shy;en。" ZH_1 "</p></body>",
        &out);
    CHECK(has(&out, "One two three, four five so"));
    CHECK(has(&out, "北面的山里，大部分河道穿过 open meadows 草地，soften。"));
    buf_clear(&out);
}

TEST(a_drop_never_takes_the_page)
{
    Buf out = {0};

    /* Everything sits in an element whose class says menu, and in a form. */
    extract("<body><form><div class=menu><p>" PROSE_1 "</p><p>" PROSE_2 "</p></div></form></body>", &out);
    CHECK_SPAN(SPAN_LIT(PROSE_1 "\n\n" PROSE_2), buf_span(&out));
    extract("<body><p hidden>" PROSE_1 "</p><p>" PROSE_2 "</p><p>" PROSE_3 "</p><p>" PROSE_2 "</p><p>" PROSE_3
            "</p></body>",
            &out);
    CHECK(!has(&out, PROSE_1) && has(&out, PROSE_2));
    extract("<body></body>", &out);
    CHECK_INT(0, out.n);
    extract("", &out);
    CHECK_INT(0, out.n);
    buf_clear(&out);
}

TEST(text_that_only_scripts_would_show)
{
    Buf out = {0};

    extract("<script type='application/ld+json'>{\"@type\":\"NewsArticle\",\"x\":\"\\\"articleBody\\\":\", "
            "\"articleBody\" : "
            "\"One\\u0000two.\\n" PROSE_1 "\"}</script><body><div id=app></div><p>Loading</p></body>",
            &out);
    CHECK_SPAN(SPAN_LIT("One two.\n" PROSE_1), buf_span(&out));
    extract("<script type='application/ld+json'>{\"articleBody\":\"" PROSE_1 "\"}</script><body><p>" PROSE_2
            "<p>" PROSE_3,
            &out);
    CHECK_SPAN(SPAN_LIT(PROSE_2 "\n\n" PROSE_3), buf_span(&out));
    extract("<script type='application/ld+json'>{\"articleBody\":[\"One\", \"" PROSE_1
            "\"]}</script><body><p>Loading",
            &out);
    CHECK_SPAN(SPAN_LIT(PROSE_1), buf_span(&out));
    extract("<script type='application/ld+json'>{\"articleBody\":\"cut</script><body><p>Loading", &out);
    CHECK_SPAN(SPAN_LIT("Loading"), buf_span(&out));
    buf_clear(&out);
}

/* Prose at every one of 3,000 levels beside links that cost more than it gains: the innermost is worth most, and the root has to
 * grow over half of the levels, to where it holds half of the prose. No step may look at all blocks again. */
TEST(the_root_grows_over_many_levels)
{
    enum { LEVELS = 500 };
    Buf page = {0}, out = {0};

    buf_puts(&page, "<body>");
    for (int i = 0; i < LEVELS; i++) {
        buf_printf(&page, "<div><p>Level %d. " PROSE_1 "</p>", i);
        for (int k = 0; k < 12 && i + 1 < LEVELS; k++) buf_puts(&page, "<p><a href=1>link</a></p>");
    }
    extract(buf_cstr(&page), &out);
    CHECK(has(&out, "Level 499.") && has(&out, "Level 255."));
    buf_clear(&page), buf_clear(&out);
}

/* 300,000 blocks inside of 4,000 inline elements belong to the <div> above all of them. */
TEST(blocks_know_their_element_however_deep)
{
    Buf page = {0}, out = {0};

    buf_puts(&page, "<body><div>");
    for (int i = 0; i < 4000; i++) buf_puts(&page, "<font>");
    for (int i = 0; i < 300000; i++) buf_puts(&page, "ab<br><br>");
    buf_puts(&page, "<p>" PROSE_1);
    extract(buf_cstr(&page), &out);
    CHECK(has(&out, PROSE_1));
    buf_clear(&page), buf_clear(&out);
}

TEST(class_words_are_split)
{
    HintIndex x = {.made = false};

    CHECK_INT(HINT_SIDE, class_hints(&x, SPAN_LIT("left-sidebar")));
    CHECK_INT(HINT_SIDE | HINT_CONTENT, class_hints(&x, SPAN_LIT("sidebarContent")));
    CHECK_INT(HINT_CONTENT, class_hints(&x, SPAN_LIT("x zhengwen_2")));
    CHECK_INT(0, class_hints(&x, SPAN_LIT("download shadow navigator")));
    CHECK_INT(0, class_hints(&x, (Span){NULL, 0}));
    for (const char *w = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"; *w; w++)
        CHECK_INT(0, class_hints(&x, span_str(w)) & HINT_AD);
}

/* What one mode keeps the next keeps too; the runs of the most generous say what the stricter ones would have kept. */
TEST(modes_keep_more_and_more)
{
    static const char page[] = "<title>The river</title><body><div id=nav><ul><li><a href=1>Home</a><li><a "
                               "href=2>Products</a></ul></div><div class=main>"
                               "<h1>The river</h1><p>" PROSE_1 "</p><p>" PROSE_2 "</p><p>" PROSE_3
                               "</p></div><div class=comments><p>I like it, thanks!</p>"
                               "</div><div class=related><h3>Related</h3><p><a href=3>Ten bridges</a></p></div><div "
                               "id=footer>Contact us</div></body>";
    HtmlParser *p;
    HtmlTree t = {0};
    MainText m = {0};
    HtmlStatus status;
    Buf text[MAINTEXT_ALL + 1] = {{0}}, runs = {0}, whole = {0};
    Err err = {0};

    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    CHECK_OK(htmlparser_parse(p, span_str(page), &t, &status, &err), &err);
    for (MainMode mode = MAINTEXT_PRECISION; mode <= MAINTEXT_ALL; mode++) {
        CHECK_OK(maintext_extract(&m, &t, mode, &text[mode], &err), &err);
        CHECK(mode == 0 || text[mode].n >= text[mode - 1].n);
        CHECK(m.confidence <= 100 && !m.foreign);
    }
    CHECK(has(&text[MAINTEXT_BALANCED], PROSE_2) && !has(&text[MAINTEXT_BALANCED], "Products"));
    CHECK(has(&text[MAINTEXT_ALL], "Products") && has(&text[MAINTEXT_ALL], "Contact us"));
    CHECK(m.confidence > 50);
    maintext_put_modes(&m, 0, &runs);
    buf_printf(&whole, ",%zu]]", text[MAINTEXT_ALL].n);
    CHECK(has(&runs, "[\"precision\",") && has(&runs, "[\"all\",") && has(&runs, buf_cstr(&whole)));
    for (int i = 0; i <= MAINTEXT_ALL; i++) buf_clear(&text[i]);
    buf_clear(&runs), buf_clear(&whole);
    htmlparser_free(p), htmltree_clear(&t), maintext_clear(&m);
}

/* The least time of three for the main text of `before`, units up to a size, `after`. */
static double seconds_of(const char *before, const char *unit, const char *after, size_t size)
{
    HtmlParser *p;
    HtmlTree t = {0};
    MainText m = {0};
    HtmlStatus status;
    Err err = {0};
    Buf page = {0}, out = {0};
    double least = 1e9;

    buf_puts(&page, before);
    while (page.n < size) buf_puts(&page, unit);
    buf_puts(&page, after);
    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    for (int i = 0; i < 3; i++) {
        double from = thread_cpu_seconds();
        buf_reset(&out);
        CHECK_OK(htmlparser_parse(p, buf_span(&page), &t, &status, &err), &err);
        CHECK_OK(maintext_extract(&m, &t, MAINTEXT_BALANCED, &out, &err), &err);
        double now = thread_cpu_seconds() - from;
        least = now < least ? now : least;
    }
    htmlparser_free(p);
    htmltree_clear(&t);
    maintext_clear(&m);
    buf_clear(&page), buf_clear(&out);
    return least;
}

/* Pages of which some part was once quadratic: eight times the bytes take less than 32 times the time. What takes no time at all
 * is not told from noise. */
TEST(no_page_takes_more_than_linear_time)
{
    static const struct {
        const char *before, *unit, *after;
    } pages[] = {
        {"<p><code>x", "\n", "</code> text"},
        {"<table><tr>", "<td class=code>x", "</table>"},
        {"<table><tr>", "<td class=code>x<br>y", "</table>"},
        {"<div class='", "abc ", "'>"},
        {"<title>", "aaaa", "</title>"},
        {"<p>", "<code>", ""},
        {"<ul>", "<li><a href=x>a</a>", ""},
        {"<table>", "<tr><td rowspan=99 colspan=99>a<td>b", ""},
        {"<p>", "<math><mi>x", ""},
        {"<p>", "<span class=MathJax>x</span>", ""},
        {"<div>", "<blockquote><p>abc</blockquote><p>b", ""},
        {"<script type=ld+json>", "\"datePublished\":\"\\'", "</script>x"},
    };
    static const char *const below[] = {"<pre>x</pre>", "<math alttext=x></math> ", "<ol><li>x</ol>", "<div>x</div>",
                                        "<table><tr><td class=code>x</table>"};

    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        double small = seconds_of(pages[i].before, pages[i].unit, pages[i].after, 64 << 10);
        double large = seconds_of(pages[i].before, pages[i].unit, pages[i].after, 512 << 10);
        if (large > 32 * small + 0.05) fprintf(stderr, "%s: %.3f s, %.3f s\n", pages[i].unit, small, large);
        CHECK(large <= 32 * small + 0.05);
    }
    /* Half of the page is a class or a title, the other what asks for it. */
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        double seconds[2];
        for (int k = 0; k < 2; k++) {
            size_t size = (size_t)(k ? 512 : 64) << 10;
            Buf before = {0};
            buf_puts(&before, "<div class='");
            while (before.n < size / 2) buf_puts(&before, "abc ");
            buf_puts(&before, "'>");
            seconds[k] = seconds_of(buf_cstr(&before), below[i], "", size);
            buf_clear(&before);
        }
        if (seconds[1] > 32 * seconds[0] + 0.05)
            fprintf(stderr, "%s: %.3f s, %.3f s\n", below[i], seconds[0], seconds[1]);
        CHECK(seconds[1] <= 32 * seconds[0] + 0.05);
    }
    double seconds[2];
    for (int k = 0; k < 2; k++) {
        size_t size = (size_t)(k ? 512 : 64) << 10;
        Buf before = {0};
        buf_puts(&before, "<title>");
        while (before.n < size * 2 / 3) buf_putc(&before, 'a');
        buf_puts(&before, "</title><p>");
        seconds[k] = seconds_of(buf_cstr(&before), "a", "b", size);
        buf_clear(&before);
    }
    CHECK(seconds[1] <= 32 * seconds[0] + 0.05);
}

TEST(more_that_is_expected_is_never_less_confidence)
{
    for (size_t i = 1; i < sizeof confidence; i++) CHECK(confidence[i] >= confidence[i - 1]);
    CHECK(confidence[0] < confidence[50] && confidence[50] < confidence[100] && confidence[100] <= 100);
}
