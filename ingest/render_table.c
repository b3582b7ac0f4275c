/* ingest/render_table.c - which tables hold data, and the rows of one: cells in their columns, whatever spans them. */
#include "ingest/render.h"

typedef struct {
    uint32_t rows, full_rows, cells, row_cells, blocks; /* full: of two cells or more */
    uint64_t bytes;
    bool marked; /* its author says that it holds data: header cells, a caption, a class that styles data */
} Look;

static bool class_marks(Span class)
{
    static const char *const marks[] = {"wikitable",      "docutils",      "confluenceTable", "tableblock",
                                        "dataTable",      "data-table",    "datatable",       "sortable",
                                        "table-bordered", "table-striped", "memberdecls",     "MsoTableGrid"};

    for (size_t i = 0; i < sizeof marks / sizeof *marks && class.n; i++)
        if (class_has(class, marks[i])) return true;
    return false;
}

/* False: what cannot be in a cell of data. */
static bool look_at(const HtmlTree *t, uint32_t i, Look *k)
{
    switch (t->node[i].tag) {
    case HTML_table:
    case HTML_pre:
    case HTML_form:
    case HTML_input: /* forms often open outside of their tables */
    case HTML_select:
    case HTML_textarea:
    case HTML_article:
    case HTML_section: return false;
    case HTML_tr:
        k->rows++;
        k->row_cells = 0;
        break;
    case HTML_th:
    case HTML_td:
        k->marked |= t->node[i].tag == HTML_th;
        k->cells++;
        if (++k->row_cells == 2) k->full_rows++;
        break;
    case HTML_caption:
    case HTML_thead: k->marked = true; break;
    case HTML_p:
    case HTML_div:
    case HTML_li:
    case HTML_h1:
    case HTML_h2:
    case HTML_h3:
    case HTML_br: k->blocks++; break;
    case HTML_TEXT: k->bytes += t->node[i].text_bytes; break;
    default: break;
    }
    return true;
}

/* Rows of several short cells, no layout inside. Tables of layout that hold others end the look at the first, so that nested
 * tables cost no square. */
bool render_is_data_table(const HtmlTree *t, uint32_t table)
{
    Look k = {.marked = class_marks(html_attr(t, table, HTML_CLASS))};
    Span role = html_attr(t, table, HTML_ROLE);

    if (span_is(role, "presentation") || span_is(role, "none")) return false;
    for (uint32_t i = table + 1; i < t->node[table].end; i++)
        if (!look_at(t, i, &k)) return false;
    if (k.rows < 2 || k.full_rows < 2 || k.cells < k.rows) return false;
    if (k.marked) return k.full_rows * 2 >= k.rows && k.blocks <= 6 * k.cells && k.bytes / k.cells < 600;
    return k.cells >= 2 * k.rows && k.blocks <= 2 * k.cells && k.bytes / k.cells < 300;
}

void render_open_table(Render *r, uint32_t table)
{
    if (table < r->table_end || !render_is_data_table(r->t, table)) return;
    r->table = table;
    r->table_end = r->t->node[table].end;
    r->group = table;
    r->separated = false;
    memset(r->rows_left, 0, sizeof r->rows_left);
}

void render_open_row(Render *r, uint32_t tr)
{
    if (tr >= r->table_end || r->empty_left == 0) return;
    render_flush(r);
    uint32_t group = r->t->node[tr].parent;
    if (group != r->group)
        memset(r->rows_left, 0, sizeof r->rows_left); /* no cell reaches out of its <thead> or <tbody> */
    r->group = group;
    r->row = tr;
    r->column = r->n_cells = r->n_separators = r->n_spanned = r->n_headers = r->n_data = 0;
}

static uint32_t columns_of(Render *r, uint32_t cell)
{
    Span s = html_attr(r->t, cell, HTML_COLSPAN);
    uint64_t n;

    if (!s.n || !span_to_u64(span_trim(s), &n) || n < 2) return 1;
    return n < RENDER_MAX_COLUMNS ? (uint32_t)n : RENDER_MAX_COLUMNS;
}

/* 0 is the rest of the rows in the group. */
static uint16_t rows_of(Render *r, uint32_t cell)
{
    Span s = html_attr(r->t, cell, HTML_ROWSPAN);
    uint64_t n;

    if (!s.n || !span_to_u64(span_trim(s), &n)) return 1;
    return n && n < RENDER_MAX_ROWSPAN ? (uint16_t)n : RENDER_MAX_ROWSPAN;
}

static void put_empty(Render *r)
{
    if (r->empty_left == 0) return;
    r->empty_left--;
    r->n_cells++;
}

/* Columns that the last cell, and then those that cells of rows above span. */
static void pass_spanned(Render *r)
{
    for (; r->n_spanned; r->n_spanned--) put_empty(r);
    for (; r->column < RENDER_MAX_COLUMNS && r->rows_left[r->column]; r->column++) {
        put_empty(r);
        r->rows_left[r->column]--;
    }
}

static bool is_empty(const HtmlTree *t, uint32_t cell)
{
    uint32_t n = t->node[cell].end - cell;

    return n == 1 || (n == 2 && t->node[cell + 1].tag == HTML_TEXT && span_trim(html_text(t, cell + 1)).n == 0);
}

/* The separators before a cell's text come with that text; a row without any is none. */
void render_open_cell(Render *r, uint32_t cell)
{
    if (!r->row) return;
    uint32_t columns = columns_of(r, cell);
    uint16_t rows = rows_of(r, cell);

    render_end_tick(r);
    pass_spanned(r);
    r->n_cells++;
    r->n_spanned = columns - 1;
    r->space = false;
    r->n_headers += r->t->node[cell].tag == HTML_th;
    r->n_data += r->t->node[cell].tag == HTML_td && !is_empty(r->t, cell);
    for (uint32_t i = 0; i < columns && r->column < RENDER_MAX_COLUMNS; i++, r->column++)
        r->rows_left[r->column] = (uint16_t)(rows - 1);
}

void render_put_separators(Render *r)
{
    for (; r->n_separators + 1 < r->n_cells; r->n_separators++) buf_puts(&r->out->text, " | ");
}

void render_close_row(Render *r)
{
    pass_spanned(r);
    for (; r->column < RENDER_MAX_COLUMNS; r->column++) r->rows_left[r->column] -= r->rows_left[r->column] > 0;
    render_end_tick(r);
    if (render_has_text(r)) {
        bool header = r->n_data == 0 ? r->n_headers > 0 : r->t->node[r->group].tag == HTML_thead;
        render_put_separators(r);
        r->now.group = r->table;
        r->now.number = (uint16_t)r->n_cells;
        r->now.header = header && !r->separated;
        r->separated |= !header;
    }
    r->row = 0;
    render_flush(r);
}
