/* ingest/render.h - what the parts of the renderer share while they walk a tree: blocks.c walks, render_text.c puts text,
 * render_code.c knows how sites write code, render_table.c which tables hold data, render_math.c where formulas are. Private to
 * them. */
#ifndef TAMIS_INGEST_RENDER_H
#define TAMIS_INGEST_RENDER_H

#include "ingest/blocks.h"

enum {
    RENDER_MAX_LISTS = 32, /* deeper lists share the numbers of the last level */
    RENDER_MAX_COLUMNS =
        64, /* of one cell; colspan=9007199254740991 occurs. Further columns are no cells' of rows above */
    RENDER_MAX_ROWSPAN = 65534, /* the HTML standard's, section 4.9.11 */
    RENDER_MAX_EMPTY = 1 << 16  /* cells of a page that spans leave empty; past them rows are written cell by cell */
};

/* An element that the walk is inside of, and the innermost block element there: itself or one above it. */
typedef struct OpenElement {
    uint32_t node, block;
    uint32_t text; /* where out->text ended when it was opened */
} OpenElement;

/* Words of a list by their first and last character: tells most words that are not in it. */
typedef struct {
    uint64_t bits[4];
} WordFilter;

/* What the renderer knows while it walks. */
typedef struct {
    const HtmlTree *t;
    const uint8_t *drop;
    BlockList *out;
    size_t depth;      /* of out->stack */
    Block now;         /* the block under way; its text is the end of out->text */
    bool space;        /* a blank is owed before the next text */
    bool owed_newline; /* … and a line break in the source is in it, which vanishes between Han characters */
    uint32_t last_cp;  /* of the block */
    uint32_t links, headings, quotes; /* how many of them are open */
    uint8_t level;                    /* of the innermost heading */

    /* Code: the outermost element of a code block that is open; 0: none. */
    uint32_t code;
    bool soft;                 /* line ends in its source are none: its lines are elements or end with <br> */
    bool after_line;           /* the last element in it ended a line */
    uint32_t inline_code;      /* an open <code> in a line of text; 0: none */
    bool tick_owed, tick_open; /* its first ` has yet to come; has come and not the second */
    uint64_t scan_left;        /* nodes that may still be looked at twice */
    uint32_t counted;          /* the table whose rows were counted last; 0: none */
    bool few_rows;             /* it has one or two */

    WordFilter gutters, controls, containers; /* of the lists in render_code.c */

    /* Data tables. */
    uint32_t table, table_end;              /* the open one, if the node is below its end */
    uint32_t row;                           /* its open <tr>; 0: none */
    uint32_t column;                        /* of the next cell in the row */
    uint32_t n_cells, n_separators;         /* of the row: empty ones among them; put so far */
    uint32_t n_spanned;                     /* columns that its last cell takes besides its own */
    uint32_t n_headers, n_data;             /* header cells; others that are not empty */
    uint32_t empty_left;                    /* of RENDER_MAX_EMPTY */
    uint32_t group;                         /* what the last row was in: <tbody> and so on, or the table */
    bool separated;                         /* rows of data began: further rows of header cells are among them */
    uint16_t rows_left[RENDER_MAX_COLUMNS]; /* per column: rows below that a cell above still spans */

    uint32_t item;                     /* the open <li> whose marker is owed; 0: none */
    uint32_t define;                   /* the open <dd> whose marker is owed; 0: none */
    uint32_t list;                     /* the open <dl>; 0: none */
    uint16_t lists;                    /* open lists */
    uint16_t number[RENDER_MAX_LISTS]; /* per open list: one more than its next item's number; 0: not numbered */
    uint16_t item_number;
    uint32_t math_end; /* of the outermost <math> seen */
    bool oom;
} Render;

static inline bool render_has_text(const Render *r) { return r->out->text.n > r->now.text; }

/* The next word of a class attribute; empty at its end. */
static inline Span class_word(Span *rest)
{
    size_t n = 0, from = 0;

    while (from < rest->n && ascii_is_space(rest->p[from])) from++;
    *rest = span_from(*rest, from);
    while (n < rest->n && !ascii_is_space(rest->p[n])) n++;
    Span word = span(rest->p, n);
    *rest = span_from(*rest, n);
    return word;
}
static inline bool class_has(Span class, const char *name)
{
    Span word;

    while ((word = class_word(&class)).n)
        if (span_is(word, name)) return true;
    return false;
}

/* --- blocks.c */
/* The block under way gets its first text: what it is follows from what is open. */
void render_start_block(Render *r);
/* Ends the block under way; one without visible text leaves nothing. */
void render_flush(Render *r);

/* --- render_text.c */
void render_put_text(Render *r, Span s); /* white space is collapsed */
void render_put_code(Render *r, Span s); /* and here it is not */
void render_end_tick(Render *r);         /* the second ` of inline code */

/* --- render_code.c */
void render_code_init(Render *r);
/* Whether a code block begins with element i; sets r->soft then. */
bool render_is_code(Render *r, uint32_t i);
/* Line numbers, copy buttons: what of a code block nobody wrote. Looks at table cells outside of code too. */
bool render_is_gutter(Render *r, uint32_t i);
void render_open_in_code(Render *r, uint32_t i);
void render_close_in_code(Render *r, const OpenElement *e);
/* The class of an element that many may be below: what is read of it comes off the page's budget; empty once that is spent. */
Span render_class_above(Render *r, uint32_t i);
/* What flush knows of a finished code block: language, fence. */
void render_finish_code(Render *r);
/* Whether <code> with text in it stands in a line. */
bool render_is_inline_code(const Render *r, uint32_t i);

/* --- render_table.c */
bool render_is_data_table(const HtmlTree *t, uint32_t table);
void render_open_table(Render *r, uint32_t table);
void render_open_row(Render *r, uint32_t tr);
void render_open_cell(Render *r, uint32_t cell);
static inline bool render_owes_separators(const Render *r) { return r->n_separators + 1 < r->n_cells && r->row; }
void render_put_separators(Render *r);
void render_close_row(Render *r);

/* --- render_math.c */
/* Renders the formula that element i is, or says that it is drawn somewhere else too. True: its subtree is done. */
bool render_math(Render *r, uint32_t i);

#endif
