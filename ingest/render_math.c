/* ingest/render_math.c - formulas: their TeX, once, wherever the tool that set them has left it. */
#include "ingest/render.h"

enum {
    WITHIN_WIKI = 3,  /* nodes of MediaWiki's element before its <math> */
    WITHIN_DRAWN = 64 /* … and of what MathJax 3 has drawn before the one for screen readers */
};

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

/* In a row of a table a bar would end the cell, and \| is another sign in TeX. */
static void put_tex(Render *r, Span tex)
{
    while (r->row && tex.n) {
        size_t n = span_find(tex, '|');
        bool norm = n && n < tex.n && tex.p[n - 1] == '\\';
        render_put_text(r, span(tex.p, n - norm));
        if (n == tex.n) return;
        render_put_text(r, norm ? SPAN_LIT("\\Vert ") : SPAN_LIT("\\vert "));
        tex = span_from(tex, n + 1);
    }
    render_put_text(r, tex);
}

static void put_formula(Render *r, Span tex, bool display)
{
    Span mark = display ? SPAN_LIT("$$") : SPAN_LIT("$");

    tex = bare_tex(tex);
    if (tex.n == 0) return;
    render_put_text(r, mark);
    put_tex(r, tex);
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

/* An annotation that is TeX: its encoding says so, or there is none. Others are MathML again, StarMath, Maple. */
static bool is_tex(const HtmlTree *t, uint32_t i)
{
    Span encoding = html_attr(t, i, HTML_TYPE);

    return !encoding.n || span_eq_nocase(encoding, SPAN_LIT("application/x-tex")) ||
           span_eq_nocase(encoding, SPAN_LIT("TeX")) || span_eq_nocase(encoding, SPAN_LIT("LaTeX")) ||
           span_eq_nocase(encoding, SPAN_LIT("application/x-latex")) ||
           span_eq_nocase(encoding, SPAN_LIT("text/x-tex"));
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
        if (!is_tex(t, i) || span_trim(html_text(t, i + 1)).n == 0) continue;
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

/* The <math> among the first nodes of an element; 0: none. */
static uint32_t math_in(const HtmlTree *t, uint32_t i, uint32_t n)
{
    for (uint32_t k = i + 1; k < t->node[i].end && k <= i + n; k++)
        if (t->node[k].tag == HTML_math) return k;
    return 0;
}

/* What a script drew of a formula: dropped where the formula itself stands before it or behind. (The word comes first in these
 * classes.) */
static bool is_drawn(Render *r, uint32_t i, Span class)
{
    const HtmlTree *t = r->t;

    /* KaTeX writes its <math> right before, as the last thing in a <span>. */
    if (span_starts(class, SPAN_LIT("katex-html"))) return r->math_end && r->math_end + 2 >= i && r->math_end <= i;
    if (!span_starts(class, SPAN_LIT("MathJax"))) return false;
    uint32_t next = t->node[i].end;
    for (unsigned n = 0; n < 6 && next < t->n_nodes; n++) { /* the preview, what is drawn, the formula */
        const HtmlNode *k = &t->node[next];
        if (is_script_of_tex(t, next) || k->tag == HTML_math) return true;
        if (k->tag == HTML_TEXT && span_trim(html_text(t, next)).n) return false;
        if (span_starts(html_attr(t, next, HTML_CLASS), SPAN_LIT("MathJax")) && math_in(t, next, WITHIN_DRAWN))
            return true;
        next = k->end;
    }
    return false;
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
        if (span_starts(class, SPAN_LIT("mwe-math-element")) &&
            (math = math_in(t, i, WITHIN_WIKI)) != 0) /* it is hidden: it and the picture are one */
            return put_math(r, math);
        return is_drawn(r, i, class);
    default: return false;
    }
}
