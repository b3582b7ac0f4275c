/* Charts as inline SVG. */
#include "tools/svg.h"

#include "core/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void html_put(Buf *b, Span text)
{
    while (text.n) {
        size_t good = utf8_valid_prefix(text);
        for (size_t i = 0; i < good; i++) {
            uint8_t c = text.p[i];
            if (c == '&')
                buf_puts(b, "&amp;");
            else if (c == '<')
                buf_puts(b, "&lt;");
            else if (c == '>')
                buf_puts(b, "&gt;");
            else if (c == '"')
                buf_puts(b, "&quot;");
            else if (c == '\'')
                buf_puts(b, "&#39;");
            else if ((c < 32 && c != '\n' && c != '\t') || c == 127)
                buf_puts(b, "\xef\xbf\xbd");
            else
                buf_putc(b, c);
        }
        if (good < text.n) {
            buf_puts(b, "\xef\xbf\xbd");
            good++;
        }
        text = span_from(text, good);
    }
}

/* --- bars */

enum { BAR_WIDTH = 860, BAR_LABEL = 230, BAR_NOTE = 190, BAR_ROW = 24 };

void svg_bars(Buf *b, const char *title, const SvgBar *bars, size_t n)
{
    double top = 0;

    for (size_t i = 0; i < n; i++) top = bars[i].value > top ? bars[i].value : top;
    buf_printf(b, "<svg role=\"img\" viewBox=\"0 0 %d %zu\"><title>", BAR_WIDTH, n * BAR_ROW + 4);
    html_put(b, span_str(title));
    buf_puts(b, "</title>\n");
    for (size_t i = 0; i < n; i++) {
        const double y = (double)(i * BAR_ROW), room = BAR_WIDTH - BAR_LABEL - BAR_NOTE;
        const double w = top > 0 ? bars[i].value / top * room : 0;
        buf_printf(b, "<text class=\"l\" x=\"%d\" y=\"%.1f\">", BAR_LABEL - 8, y + 16);
        html_put(b, bars[i].label);
        buf_printf(b, "</text><rect class=\"t%d\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>",
                   bars[i].tone, BAR_LABEL, y + 4, w < 1 && bars[i].value > 0 ? 1.0 : w, BAR_ROW - 8);
        buf_printf(b, "<text x=\"%.1f\" y=\"%.1f\">", BAR_LABEL + w + 6, y + 16);
        html_put(b, bars[i].note);
        buf_puts(b, "</text>\n");
    }
    buf_puts(b, "</svg>\n");
}

/* --- lines */

enum { PLOT_WIDTH = 860, PLOT_HEIGHT = 340, PLOT_LEFT = 60, PLOT_RIGHT = 16, PLOT_TOP = 14, PLOT_BOTTOM = 44 };

typedef struct {
    double lo, hi, step;
} Axis;

double svg_step(double range, int most)
{
    double step = pow(10, floor(log10(range / most)));
    static const double grow[] = {2, 2.5, 2};

    for (int i = 0; range / step > most; i++) step *= grow[i % 3];
    return step;
}

static Axis axis_of(double lo, double hi, int most)
{
    if (!(hi > lo)) hi = lo + 1;
    const double step = svg_step(hi - lo, most);
    return (Axis){floor(lo / step) * step, ceil(hi / step - 1e-9) * step, step};
}

static double at_x(Axis a, double v)
{
    return PLOT_LEFT + (v - a.lo) / (a.hi - a.lo) * (PLOT_WIDTH - PLOT_LEFT - PLOT_RIGHT);
}
static double at_y(Axis a, double v)
{
    return PLOT_HEIGHT - PLOT_BOTTOM - (v - a.lo) / (a.hi - a.lo) * (PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM);
}

static void put_ticks(Buf *b, Axis x, Axis y)
{
    for (int i = 0; x.lo + i * x.step <= x.hi + x.step * 0.5; i++) {
        const double v = x.lo + i * x.step, px = at_x(x, v);
        buf_printf(b, "<path class=\"g\" d=\"M%.1f %dV%d\"/><text class=\"m\" x=\"%.1f\" y=\"%d\">%.10g</text>\n", px,
                   PLOT_TOP, PLOT_HEIGHT - PLOT_BOTTOM, px, PLOT_HEIGHT - PLOT_BOTTOM + 16, v);
    }
    for (int i = 0; y.lo + i * y.step <= y.hi + y.step * 0.5; i++) {
        const double v = y.lo + i * y.step, py = at_y(y, v);
        buf_printf(b, "<path class=\"g\" d=\"M%d %.1fH%d\"/><text class=\"l\" x=\"%d\" y=\"%.1f\">%.10g</text>\n",
                   PLOT_LEFT, py, PLOT_WIDTH - PLOT_RIGHT, PLOT_LEFT - 6, py + 4, fabs(v) < y.step * 1e-6 ? 0 : v);
    }
}

static void put_series(Buf *b, const SvgSeries *s, Axis x, Axis y)
{
    const size_t per = s->n / SVG_MAX_POINTS + 1;
    bool drawn = false;

    buf_printf(b, "<path class=\"s%d\" d=\"", s->tone);
    for (size_t i = 0; i < s->n; i += per) {
        double sx = 0, sy = 0;
        size_t n = 0;
        for (size_t k = i; k < s->n && k < i + per; k++) {
            if (!isfinite(s->x[k]) || !isfinite(s->y[k])) continue;
            sx += s->x[k];
            sy += s->y[k];
            n++;
        }
        if (!n) continue;
        buf_printf(b, "%c%.1f %.1f", drawn ? 'L' : 'M', at_x(x, sx / (double)n), at_y(y, sy / (double)n));
        drawn = true;
    }
    buf_puts(b, "\"/>\n");
    for (size_t i = 0; s->dots && i < s->n; i++)
        if (isfinite(s->x[i]) && isfinite(s->y[i]))
            buf_printf(b, "<circle class=\"t%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", s->tone, at_x(x, s->x[i]),
                       at_y(y, s->y[i]));
}

static void put_legend(Buf *b, const SvgPlot *p)
{
    for (size_t i = 0; i < p->n_series; i++) {
        const int y = PLOT_TOP + 14 + (int)i * 18;
        buf_printf(b, "<path class=\"s%d\" d=\"M%d %dh22\"/><text x=\"%d\" y=\"%d\">", p->series[i].tone,
                   PLOT_WIDTH - 200, y - 4, PLOT_WIDTH - 172, y);
        html_put(b, span_str(p->series[i].name));
        buf_puts(b, "</text>\n");
    }
}

void svg_plot(Buf *b, const SvgPlot *p)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;

    for (size_t i = 0; i < p->n_series; i++)
        for (size_t k = 0; k < p->series[i].n; k++) {
            const double x = p->series[i].x[k], y = p->series[i].y[k];
            if (!isfinite(x) || !isfinite(y)) continue;
            x0 = fmin(x0, x), x1 = fmax(x1, x), y0 = fmin(y0, y), y1 = fmax(y1, y);
        }
    if (!(x0 <= x1)) return;
    if (isfinite(p->level)) y0 = fmin(y0, p->level), y1 = fmax(y1, p->level);
    const Axis x = axis_of(x0 > 0 && x0 < 0.1 * x1 ? 0 : x0, x1, 8), y = axis_of(y0, y1, 6);
    buf_printf(b, "<svg role=\"img\" viewBox=\"0 0 %d %d\"><title>", PLOT_WIDTH, PLOT_HEIGHT);
    html_put(b, span_str(p->title));
    buf_puts(b, "</title>\n");
    put_ticks(b, x, y);
    if (isfinite(p->level)) {
        buf_printf(b, "<path class=\"d\" d=\"M%d %.1fH%d\"/><text class=\"l\" x=\"%d\" y=\"%.1f\">", PLOT_LEFT,
                   at_y(y, p->level), PLOT_WIDTH - PLOT_RIGHT, PLOT_WIDTH - PLOT_RIGHT - 4, at_y(y, p->level) - 5);
        html_put(b, span_str(p->level_label));
        buf_puts(b, "</text>\n");
    }
    for (size_t i = 0; i < p->n_series; i++) put_series(b, &p->series[i], x, y);
    put_legend(b, p);
    buf_printf(b, "<text class=\"m\" x=\"%d\" y=\"%d\">", (PLOT_WIDTH + PLOT_LEFT) / 2, PLOT_HEIGHT - 8);
    html_put(b, span_str(p->x_label));
    buf_printf(b, "</text><text class=\"m\" transform=\"rotate(-90 14 %d)\" x=\"14\" y=\"%d\">", PLOT_HEIGHT / 2,
               PLOT_HEIGHT / 2);
    html_put(b, span_str(p->y_label));
    buf_puts(b, "</text></svg>\n");
}
