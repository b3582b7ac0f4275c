#include "tools/svg.h"

#include "tests/check.h"

#include <math.h>

static const char *escaped(Span s)
{
    static char out[256];
    Buf b = {0};
    html_put(&b, s);
    snprintf(out, sizeof out, "%s", buf_cstr(&b) ? (const char *)b.p : "");
    buf_clear(&b);
    return out;
}

TEST(text_is_escaped)
{
    CHECK_STR("&lt;script&gt;alert(&quot;x&quot;)&#39;&amp;", escaped(SPAN_LIT("<script>alert(\"x\")'&")));
    CHECK_STR("中文\n\t", escaped(SPAN_LIT("中文\n\t")));
    CHECK_STR("a\xef\xbf\xbd"
              "b\xef\xbf\xbd",
              escaped(SPAN_LIT("a\xff"
                               "b\0")));
    CHECK_STR("\xef\xbf\xbd\xef\xbf\xbd", escaped(SPAN_LIT("\xe4\xb8")));
    CHECK_STR("", escaped((Span){NULL, 0}));
}

/* Whatever goes in, a chart has balanced tags and no number that is not one. */
static void check_chart(const Buf *b)
{
    int depth = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->p[i] != '<') continue;
        size_t end = i;
        while (end < b->n && b->p[end] != '>') end++;
        CHECK(end < b->n);
        if (b->p[i + 1] == '/')
            depth--;
        else if (b->p[end - 1] != '/')
            depth++;
        CHECK(depth >= 0);
    }
    CHECK_INT(0, depth);
    for (size_t i = 0; i + 3 <= b->n; i++) CHECK(memcmp(b->p + i, "nan", 3) != 0 && memcmp(b->p + i, "inf", 3) != 0);
}

TEST(bars_are_to_scale)
{
    const SvgBar bars[] = {{SPAN_LIT("a<b"), SPAN_LIT("half"), 50, 0},
                           {SPAN_LIT("all"), SPAN_LIT("x"), 100, 1},
                           {SPAN_LIT("none"), {NULL, 0}, 0, 2}};
    Buf b = {0};
    svg_bars(&b, "t", bars, 3);
    check_chart(&b);
    const char *s = buf_cstr(&b);
    CHECK(s && strstr(s, "a&lt;b") && strstr(s, "width=\"220.0\"") && strstr(s, "width=\"440.0\"") &&
          strstr(s, "width=\"0.0\""));
    buf_reset(&b);
    svg_bars(&b, "t", bars + 2, 1);
    check_chart(&b);
    buf_clear(&b);
}

TEST(a_plot_takes_anything)
{
    static double x[5000], y[5000];
    const double odd_x[] = {1, 2, 3, 4}, odd_y[] = {NAN, 5, INFINITY, 5};
    for (int i = 0; i < 5000; i++) x[i] = i, y[i] = 9 - i / 1000.0;
    const SvgSeries series[] = {{"long <&>", x, y, 5000, 0, false}, {"odd", odd_x, odd_y, 4, 1, true}};
    const SvgPlot p = {"title", "x", "y", series, 2, 6.5, "level"};
    Buf b = {0};
    svg_plot(&b, &p);
    check_chart(&b);
    size_t n_lines = 0;
    for (size_t i = 0; i < b.n; i++) n_lines += b.p[i] == 'L';
    CHECK(n_lines > 300 && n_lines < SVG_MAX_POINTS + 10);
    buf_reset(&b);
    svg_plot(&b, &(SvgPlot){"one point", "x", "y", &(SvgSeries){"p", odd_x + 1, odd_y + 1, 1, 0, true}, 1, NAN, ""});
    check_chart(&b);
    CHECK(b.n > 0);
    buf_reset(&b);
    svg_plot(&b, &(SvgPlot){"nothing", "x", "y", &(SvgSeries){"p", odd_x, odd_y, 1, 0, true}, 1, NAN, ""});
    CHECK_INT(0, b.n);
    buf_clear(&b);
}
