/* tools/svg.h - the two charts of the report as inline SVG, and HTML escaping. Colours are classes (t0 t1 t2) that the
 * page's style sheet sets, so that one chart serves light and dark. Numbers are written with one decimal: the same
 * input gives the same bytes. */
#ifndef TAMIS_TOOLS_SVG_H
#define TAMIS_TOOLS_SVG_H

#include "core/buf.h"

enum { SVG_MAX_POINTS = 800 };

/* Escapes & < > " ' ; ill-formed UTF-8 and controls other than tab and newline become U+FFFD. */
void html_put(Buf *b, Span text);

/* A row a bar: label, bar, note. */
typedef struct {
    Span label, note;
    double value; /* >= 0 */
    int tone;     /* 0..2 */
} SvgBar;
/* Bars over a common scale that ends at the largest value. `title` is what a screen reader says. */
void svg_bars(Buf *b, const char *title, const SvgBar *bars, size_t n);

/* The smallest of 1, 2, 5 x 10^k that cuts a range > 0 into at most `most` pieces: between the lines of an axis. */
double svg_step(double range, int most);

typedef struct {
    const char *name;
    const double *x, *y; /* n values, x ascending */
    size_t n;
    int tone;
    bool dots; /* marks the points; a long series is averaged down to SVG_MAX_POINTS */
} SvgSeries;
typedef struct {
    const char *title, *x_label, *y_label;
    const SvgSeries *series;
    size_t n_series;
    double level; /* a dashed horizontal line; NaN: none */
    const char *level_label;
} SvgPlot;
/* Lines over linear axes. Values that are not finite are left out. */
void svg_plot(Buf *b, const SvgPlot *p);

#endif
