#include "ingest/blocks.h"

#include "core/utf8.h"

#include <stdlib.h>

bool blocks_is_block(HtmlTag tag)
{
    switch (tag) {
    case HTML_address:
    case HTML_article:
    case HTML_aside:
    case HTML_blockquote:
    case HTML_body:
    case HTML_caption:
    case HTML_center:
    case HTML_dd:
    case HTML_details:
    case HTML_dialog:
    case HTML_dir:
    case HTML_div:
    case HTML_dl:
    case HTML_dt:
    case HTML_fieldset:
    case HTML_figcaption:
    case HTML_figure:
    case HTML_footer:
    case HTML_form:
    case HTML_h1:
    case HTML_h2:
    case HTML_h3:
    case HTML_h4:
    case HTML_h5:
    case HTML_h6:
    case HTML_header:
    case HTML_hgroup:
    case HTML_hr:
    case HTML_html:
    case HTML_legend:
    case HTML_li:
    case HTML_main:
    case HTML_menu:
    case HTML_nav:
    case HTML_ol:
    case HTML_option:
    case HTML_p:
    case HTML_pre:
    case HTML_section:
    case HTML_summary:
    case HTML_table:
    case HTML_tbody:
    case HTML_td:
    case HTML_tfoot:
    case HTML_th:
    case HTML_thead:
    case HTML_tr:
    case HTML_ul: return true;
    default: return false;
    }
}

bool blocks_is_silent(HtmlTag tag)
{
    switch (tag) {
    case HTML_script:
    case HTML_style:
    case HTML_head:
    case HTML_template:
    case HTML_iframe:
    case HTML_object:
    case HTML_embed:
    case HTML_applet:
    case HTML_svg:
    case HTML_canvas:
    case HTML_audio:
    case HTML_video:
    case HTML_select:
    case HTML_option:
    case HTML_optgroup:
    case HTML_button:
    case HTML_input:
    case HTML_textarea:
    case HTML_map:
    case HTML_rt:
    case HTML_rp:
    case HTML_title:
    case HTML_meta:
    case HTML_link: return true;
    default: return false;
    }
}

enum { MAX_LISTS = 32 }; /* deeper lists share the numbers of the last level */

/* An element that the walk is inside of, and the innermost block element there: itself or one above it. */
typedef struct OpenElement {
    uint32_t node, block;
} OpenElement;

/* What the renderer knows while it walks. */
typedef struct {
    const HtmlTree *t;
    BlockList *out;
    size_t depth;      /* of out->stack */
    Block now;         /* the block under way; its text is the end of out->text */
    bool space;        /* a blank is owed before the next text */
    bool owed_newline; /* … and it came from a line break in the source, which vanishes between Han characters */
    bool cell;         /* a cell separator is owed */
    uint32_t last_cp;  /* of the block */
    uint32_t links, pres, headings; /* how many of them are open */
    uint32_t row;                   /* the open <tr> of a data table; 0: none */
    uint32_t table_end;             /* data tables: where the innermost ends */
    uint32_t item;                  /* the open <li> whose marker is owed; 0: none */
    uint16_t lists;                 /* open lists */
    uint16_t number[MAX_LISTS];     /* per open list: its next item's number; 0: not numbered */
    uint16_t item_number;
    uint32_t math_end; /* of the outermost <math> seen */
    bool oom;
} Render;

static void saturate(uint16_t *n) { *n = (uint16_t)(*n + (*n < UINT16_MAX)); }

static void count_char(Render *r, uint32_t cp)
{
    uint32_t w = weight_of(cp);

    r->now.weight += w;
    if (r->links) r->now.link_weight += w;
    if (cp == ',' || cp == 0xff0c || cp == 0x3001 || cp == 0xff1b) saturate(&r->now.commas);
    if (cp == '.' || cp == '?' || cp == '!' || cp == 0x3002 || cp == 0xff01 || cp == 0xff1f)
        saturate(&r->now.sentences);
    r->last_cp = cp;
}

static bool is_wide(uint32_t cp)
{
    return weight_of(cp) == 25 || (cp >= 0x3000 && cp <= 0x303f) || (cp >= 0xff00 && cp <= 0xff65);
}

/* Ends the block under way; one without visible text leaves nothing. */
static void flush(Render *r)
{
    BlockList *o = r->out;
    Block *b = &r->now;

    while (o->text.n > b->text && ascii_is_space(o->text.p[o->text.n - 1])) o->text.n--;
    b->bytes = (uint32_t)(o->text.n - b->text);
    if (b->bytes && !o->text.oom) {
        Block *room = array_grow(o->block, o->n, &o->cap, sizeof *room);
        if (room) {
            o->block = room;
            room[o->n++] = *b;
        }
        r->oom |= !room;
    }
    *b = (Block){.text = (uint32_t)o->text.n};
    r->space = r->owed_newline = r->cell = false;
    r->last_cp = 0;
}

static uint16_t *list_number(Render *r) { return &r->number[r->lists < MAX_LISTS ? r->lists : MAX_LISTS - 1]; }

static void open_list(Render *r, uint32_t list)
{
    uint64_t start = 1;

    r->lists = (uint16_t)(r->lists + 1);
    if (r->t->node[list].tag != HTML_ol)
        start = 0;
    else if (!span_to_u64(html_attr(r->t, list, HTML_START), &start) || start == 0)
        start = 1;
    *list_number(r) = (uint16_t)(start < UINT16_MAX ? start : UINT16_MAX);
}

static void open_item(Render *r, uint32_t li)
{
    uint16_t *next = list_number(r);

    r->item = li;
    r->item_number = *next;
    if (*next) saturate(next);
}

/* The block under way gets its first text: what it is follows from what is open. */
static void start_block(Render *r)
{
    Block *b = &r->now;

    b->node = r->depth ? r->out->stack[r->depth - 1].block : 0;
    b->kind = r->row ? BLOCK_ROW : r->headings ? BLOCK_HEADING : r->pres ? BLOCK_PRE : BLOCK_TEXT;
    b->indent = r->lists;
    if (r->item && !r->row) {
        if (b->kind == BLOCK_TEXT || b->kind == BLOCK_HEADING) b->kind = BLOCK_ITEM;
        b->number = r->item_number;
        r->item = 0;
    }
}

static void owed_blank(Render *r, uint32_t cp)
{
    if (r->cell)
        buf_puts(&r->out->text, " | ");
    else if (r->space && !(r->owed_newline && is_wide(r->last_cp) && is_wide(cp)))
        buf_putc(&r->out->text, ' ');
    r->space = r->owed_newline = r->cell = false;
}

static void put_verbatim(Render *r, Span s)
{
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t cp;
        n = utf8_next(s.p + i, s.n - i, &cp);
        if (cp == '\r') continue;
        buf_put(&r->out->text, s.p + i, n);
        count_char(r, cp);
    }
}

static void put_text(Render *r, Span s)
{
    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t cp;
        n = utf8_next(s.p + i, s.n - i, &cp);
        if (cp == ' ' || (cp >= 9 && cp <= 13) || cp == 0xa0) {
            r->owed_newline =
                (r->space ? r->owed_newline : true) && (cp == '\n' || cp == '\r' || cp == ' ' || cp == '\t');
            r->space = true;
            continue;
        }
        if (cp == 0xad || cp == 0x200b || cp == 0xfeff || (cp == 0x3000 && r->out->text.n == r->now.text)) continue;
        if (r->out->text.n == r->now.text) {
            start_block(r);
            r->space = r->cell = false;
            if (r->pres && !r->row) {
                put_verbatim(r, span_from(s, i));
                return;
            }
        }
        if (r->space || r->cell) owed_blank(r, cp);
        buf_put(&r->out->text, s.p + i, n);
        count_char(r, cp);
    }
}

/* <br>: a line end; two of them, or one before an indented line, end the paragraph. */
static void line_break(Render *r)
{
    Buf *text = &r->out->text;

    if (r->row)
        r->space = true;
    else if (text->n == r->now.text)
        return;
    else if (r->pres)
        buf_putc(text, '\n');
    else if (text->p[text->n - 1] == '\n')
        flush(r);
    else
        buf_putc(text, '\n');
    r->space = r->owed_newline = false;
}

/* Whether a table holds data: rows of several short cells, no layout inside. */
static bool is_data_table(const HtmlTree *t, uint32_t table)
{
    uint32_t rows = 0, cells = 0, blocks = 0;
    uint64_t bytes = 0;

    for (uint32_t i = table + 1; i < t->node[table].end; i++) {
        switch (t->node[i].tag) {
        case HTML_table:
        case HTML_pre:
        case HTML_form:
        case HTML_article:
        case HTML_section: return false;
        case HTML_tr: rows++; break;
        case HTML_td:
        case HTML_th: cells++; break;
        case HTML_p:
        case HTML_div:
        case HTML_li:
        case HTML_h1:
        case HTML_h2:
        case HTML_h3:
        case HTML_br: blocks++; break;
        case HTML_TEXT: bytes += t->node[i].text_bytes; break;
        default: break;
        }
    }
    return rows >= 2 && cells >= 2 * rows && blocks <= 2 * cells && bytes / cells < 300;
}

/* In <math> the TeX annotation says it best; without one the text does. True: math's own text is left out. */
static bool render_math(Render *r, uint32_t math)
{
    const HtmlTree *t = r->t;

    if (math < r->math_end) return false; /* the outer one was searched */
    r->math_end = t->node[math].end;
    for (uint32_t i = math + 1; i < t->node[math].end; i++) {
        if (t->node[i].tag != HTML_annotation || i + 1 >= t->node[i].end || t->node[i + 1].tag != HTML_TEXT) continue;
        put_text(r, SPAN_LIT("$"));
        put_text(r, span_trim(html_text(t, i + 1)));
        put_text(r, SPAN_LIT("$"));
        return true;
    }
    return false;
}

static void open_element(Render *r, uint32_t i)
{
    HtmlTag tag = (HtmlTag)r->t->node[i].tag;

    if (blocks_is_block(tag) && !r->row)
        flush(r);
    else if (blocks_is_block(tag))
        r->space = true;
    switch (tag) {
    case HTML_a: r->links++; break;
    case HTML_br: line_break(r); break;
    case HTML_pre: r->pres++; break;
    case HTML_h1:
    case HTML_h2:
    case HTML_h3:
    case HTML_h4:
    case HTML_h5:
    case HTML_h6: r->headings++; break;
    case HTML_ul:
    case HTML_ol: open_list(r, i); break;
    case HTML_li: open_item(r, i); break;
    case HTML_table:
        if (i >= r->table_end && is_data_table(r->t, i)) r->table_end = r->t->node[i].end;
        break;
    case HTML_tr:
        if (i < r->table_end) {
            flush(r);
            r->row = i;
        }
        break;
    case HTML_td:
    case HTML_th:
        if (r->row && r->out->text.n > r->now.text) r->cell = true;
        break;
    default: break;
    }
}

static void close_element(Render *r, uint32_t i)
{
    HtmlTag tag = (HtmlTag)r->t->node[i].tag;

    if (tag == HTML_tr && r->row == i) {
        r->row = 0;
        flush(r);
    } else if (blocks_is_block(tag)) {
        if (r->row)
            r->space = true;
        else
            flush(r);
    }
    switch (tag) {
    case HTML_a: r->links--; break;
    case HTML_pre: r->pres--; break;
    case HTML_h1:
    case HTML_h2:
    case HTML_h3:
    case HTML_h4:
    case HTML_h5:
    case HTML_h6: r->headings--; break;
    case HTML_ul:
    case HTML_ol: r->lists = (uint16_t)(r->lists - 1); break;
    case HTML_li:
        if (r->item == i) r->item = 0;
        break;
    default: break;
    }
}

static ErrCode reserve(BlockList *out, size_t n_nodes, Err *err)
{
    if (!out->stack) out->stack = malloc((HTML_MAX_DEPTH + 2) * sizeof *out->stack);
    if (n_nodes >= out->cap_first) {
        uint32_t *first = realloc(out->first, (n_nodes + 1) * 2 * sizeof *first);
        if (!first) return err_nomem(err, "a page's blocks");
        out->first = first;
        out->cap_first = (n_nodes + 1) * 2;
    }
    return out->stack ? ERR_OK : err_nomem(err, "a page's blocks");
}

/* Closes what ends at or before node i. */
static void close_until(Render *r, uint32_t i)
{
    const OpenElement *stack = r->out->stack;

    while (r->depth && r->t->node[stack[r->depth - 1].node].end <= i) close_element(r, stack[--r->depth].node);
}

static void push(Render *r, uint32_t i)
{
    OpenElement *top = &r->out->stack[r->depth];

    top->node = i;
    top->block = blocks_is_block((HtmlTag)r->t->node[i].tag) ? i : r->depth ? top[-1].block : 0;
    r->depth++;
}

/* Passes over a node whose text is not wanted. */
static void skip_node(Render *r, uint32_t i, bool dropped)
{
    if (dropped && blocks_is_block((HtmlTag)r->t->node[i].tag) && !r->row)
        flush(r);
    else
        r->space = true;
}

static void render_text(Render *r, Span s)
{
    if (r->pres && !r->row && r->out->text.n > r->now.text)
        put_verbatim(r, s);
    else
        put_text(r, s);
}

ErrCode blocks_render(const HtmlTree *t, const uint8_t *drop, BlockList *out, Err *err)
{
    Render r = {.t = t, .out = out};
    uint32_t n = (uint32_t)t->n_nodes;
    ErrCode rc = reserve(out, n, err);

    if (rc != ERR_OK) return rc;
    out->n = 0;
    buf_reset(&out->text);
    for (uint32_t i = 0, end; i < n; i = end) {
        close_until(&r, i);
        HtmlTag tag = (HtmlTag)t->node[i].tag;
        bool skip = drop[i] || blocks_is_silent(tag);
        if (!skip && tag != HTML_TEXT) open_element(&r, i);
        if (!skip && tag == HTML_math) skip = render_math(&r, i);
        end = skip ? t->node[i].end : i + 1;
        /* Whatever starts at i or later comes behind the blocks so far, and the one under way if it has text. */
        uint32_t at = (uint32_t)out->n + (out->text.n > r.now.text);
        for (uint32_t k = i; k < end; k++) out->first[k] = at;
        if (skip)
            skip_node(&r, i, drop[i]);
        else if (tag == HTML_TEXT)
            render_text(&r, html_text(t, i));
        else
            push(&r, i);
    }
    close_until(&r, n);
    flush(&r);
    out->first[n] = (uint32_t)out->n;
    return r.oom || out->text.oom ? err_nomem(err, "a page's blocks") : ERR_OK;
}

static void put_marker(Buf *out, const Block *b)
{
    unsigned indent = b->indent > 8 ? 8 : b->indent;

    for (unsigned i = 1; i < indent; i++) buf_puts(out, "  ");
    if (b->number) {
        buf_put_u64(out, b->number);
        buf_puts(out, ". ");
    } else {
        buf_puts(out, "- ");
    }
}

void blocks_write(const BlockList *list, Buf *out)
{
    const Block *before = NULL;

    for (size_t i = 0; i < list->n; i++) {
        const Block *b = &list->block[i];
        if (!b->keep) continue;
        bool same = before && before->kind == b->kind && (b->kind == BLOCK_ITEM || b->kind == BLOCK_ROW);
        if (before) buf_puts(out, same ? "\n" : "\n\n");
        if (b->kind == BLOCK_ITEM) put_marker(out, b);
        buf_put(out, list->text.p + b->text, b->bytes);
        before = b;
    }
}

void blocklist_clear(BlockList *b)
{
    free(b->block);
    free(b->first);
    free(b->stack);
    buf_clear(&b->text);
    *b = (BlockList){0};
}
