/* ingest/render_math.c - formulas: their TeX, once, wherever the tool that set them has left it. */
#include "ingest/render.h"

/* What stands around TeX and says how it is set, not what it says. */
static Span bare_tex(Span s)
{
    static const char *const wraps[][2] = {{"{\\displaystyle ", "}"},
                                           {"{\\textstyle ", "}"},
                                           {"\\displaystyle ", ""},
                                           {"$$", "$$"},
                                           {"$", "$"},
                                           {"\\(", "\\)"},
                                           {"\\[", "\\]"}};

    s = span_trim(s);
    for (size_t i = 0; i < sizeof wraps / sizeof *wraps; i++) {
        Span a = span_str(wraps[i][0]), b = span_str(wraps[i][1]);
        if (s.n <= a.n + b.n || !span_starts(s, a) || (b.n && memcmp(s.p + s.n - b.n, b.p, b.n) != 0)) continue;
        s = span_trim(span(s.p + a.n, s.n - a.n - b.n));
    }
    return s;
}

static void put_formula(Render *r, Span tex, bool display)
{
    Span mark = display ? SPAN_LIT("$$") : SPAN_LIT("$");

    tex = bare_tex(tex);
    if (tex.n == 0) return;
    render_put_text(r, mark);
    render_put_text(r, tex);
    r->space = false; /* none before the end */
    render_put_text(r, mark);
}

static bool class_contains(Span class, const char *what)
{
    size_t n = strlen(what);

    for (size_t i = 0; i + n <= class.n; i++)
        if (class.p[i] == (uint8_t)what[0] && !memcmp(class.p + i, what, n)) return true;
    return false;
}

/* Whether a formula stands by itself: it says so, or what its tool put around it does. */
static bool is_display(Render *r, uint32_t i)
{
    if (span_is(html_attr(r->t, i, HTML_DISPLAY), "block")) return true;
    for (unsigned up = 0; up < 4 && i; up++, i = r->t->node[i].parent) {
        Span class = render_class_above(r, i);
        if (class_contains(class, "katex-display") || class_contains(class, "math-display") ||
            class_contains(class, "mathml-display") || class_contains(class, "MathJax_Display"))
            return true;
    }
    return false;
}

/* <math>: the annotation says it best, then its alternative text; without either the text of its elements does. */
static bool put_math(Render *r, uint32_t math)
{
    const HtmlTree *t = r->t;
    Span alt = html_attr(t, math, HTML_ALTTEXT);

    if (math < r->math_end) return false; /* the outer one was searched */
    r->math_end = t->node[math].end;
    for (uint32_t i = math + 1; i + 1 < t->node[math].end; i++) {
        if (t->node[i].tag != HTML_annotation || t->node[i + 1].tag != HTML_TEXT || t->node[i].end == i + 1) continue;
        put_formula(r, html_text(t, i + 1), is_display(r, math));
        return true;
    }
    if (span_trim(alt).n == 0) return false;
    put_formula(r, alt, is_display(r, math));
    return true;
}

static bool is_script_of_tex(const HtmlTree *t, uint32_t i)
{
    return t->node[i].tag == HTML_script && t->node[i].end > i + 1 && t->node[i + 1].tag == HTML_TEXT &&
           span_starts(html_attr(t, i, HTML_TYPE), SPAN_LIT("math/tex"));
}

/* Pictures of formulas (MediaWiki's where it gives no <math>, blogs', Zhihu's): the alternative text is the TeX. */
static bool put_picture(Render *r, uint32_t i)
{
    const HtmlTree *t = r->t;
    Span class = html_attr(t, i, HTML_CLASS), alt = html_attr(t, i, HTML_ALT);

    if (!class.n || !alt.n || i < r->math_end) return false;
    if (!class_has(class, "latex") && !class_has(class, "tex") && !class_contains(class, "mwe-math-fallback-image"))
        return false;
    put_formula(r, alt, class_contains(class, "display"));
    return true;
}

/* What a script drew of a formula: the formula itself stands beside it or below. (The word comes first in these classes.) */
static bool is_drawn(const HtmlTree *t, uint32_t i, Span class)
{
    if (span_starts(class, SPAN_LIT("katex-html")) || span_starts(class, SPAN_LIT("MathJax_Preview"))) return true;
    if (!span_starts(class, SPAN_LIT("MathJax"))) return false;
    uint32_t next = t->node[i].end;
    for (unsigned n = 0; n < 3 && next < t->n_nodes; n++, next = t->node[next].end)
        if (is_script_of_tex(t, next)) return true;
    return false;
}

/* MediaWiki hides its <math>: what holds it and the picture of the same formula is one. */
static uint32_t math_in(const HtmlTree *t, uint32_t i)
{
    for (uint32_t k = i + 1; k < t->node[i].end && k < i + 4; k++)
        if (t->node[k].tag == HTML_math) return k;
    return 0;
}

bool render_math(Render *r, uint32_t i)
{
    const HtmlTree *t = r->t;
    uint32_t math;
    Span class;

    switch (t->node[i].tag) {
    case HTML_math: return put_math(r, i);
    case HTML_img: return put_picture(r, i);
    case HTML_script:
        if (!is_script_of_tex(t, i)) return false;
        put_formula(r, html_text(t, i + 1), class_contains(html_attr(t, i, HTML_TYPE), "mode=display"));
        return true;
    case HTML_span:
    case HTML_div:
        class = html_attr(t, i, HTML_CLASS);
        if (span_starts(class, SPAN_LIT("mwe-math-element")) && (math = math_in(t, i)) != 0) return put_math(r, math);
        return is_drawn(t, i, class);
    default: return false;
    }
}
