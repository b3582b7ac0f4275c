#include "ingest/blocks.h"

#include "ingest/html_stack.h"
#include "ingest/render.h"

#include <stdlib.h>

/* What the parser knows, but: the root begins a line, items of a menu are apart from each other, and a head is not read. */
bool blocks_is_block(HtmlTag tag)
{
    if (tag == HTML_html || tag == HTML_option) return true;
    return (html_tag_traits[tag] & TAG_BLOCK) && tag != HTML_head;
}

bool blocks_is_silent(HtmlTag tag) { return html_tag_traits[tag] & TAG_SILENT; }

/* ---- blocks */

void render_flush(Render *r)
{
    BlockList *o = r->out;
    Block *b = &r->now;

    render_end_tick(r);
    while (o->text.n > b->text && ascii_is_space(o->text.p[o->text.n - 1])) o->text.n--;
    if (b->kind == BLOCK_PRE && o->text.n > b->text && !o->text.oom) render_finish_code(r);
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
    r->space = r->owed_newline = false;
    r->tick_owed = r->inline_code != 0;
    r->last_cp = 0;
}

void render_start_block(Render *r)
{
    Block *b = &r->now;

    b->node = r->depth ? r->out->stack[r->depth - 1].block : 0;
    b->inner = r->depth ? r->out->stack[r->depth - 1].node : 0;
    b->kind = r->row ? BLOCK_ROW : r->code ? BLOCK_PRE : r->headings ? BLOCK_HEADING : BLOCK_TEXT;
    b->indent = r->lists;
    b->quoted = r->quotes > 0;
    b->group = r->list;
    if (b->kind == BLOCK_HEADING) b->number = r->level;
    if (r->item && (b->kind == BLOCK_TEXT || b->kind == BLOCK_HEADING)) {
        b->kind = BLOCK_ITEM;
        b->number = r->item_number;
    }
    b->definition = r->define && b->kind == BLOCK_TEXT;
    if (!r->row) r->item = r->define = 0;
}

/* ---- lists */

static uint16_t *list_number(Render *r)
{
    return &r->number[r->lists < RENDER_MAX_LISTS ? r->lists : RENDER_MAX_LISTS - 1];
}

/* Of the number of an item, since 0 is none. */
static uint16_t one_more(uint64_t n) { return (uint16_t)(n < UINT16_MAX - 1 ? n + 1 : UINT16_MAX); }

static void open_list(Render *r, uint32_t list)
{
    uint64_t start = 1;

    r->lists = (uint16_t)(r->lists + 1);
    if (!span_to_u64(html_attr(r->t, list, HTML_START), &start)) start = 1;
    *list_number(r) = r->t->node[list].tag == HTML_ol ? one_more(start) : 0;
}

static void open_item(Render *r, uint32_t li)
{
    uint16_t *next = list_number(r);
    uint64_t value;

    if (*next && span_to_u64(html_attr(r->t, li, HTML_START), &value)) *next = one_more(value);
    r->item = li;
    r->item_number = *next;
    if (*next) *next = (uint16_t)(*next + (*next < UINT16_MAX));
}

/* ---- elements */

/* <br>: a line end; two of them, or one before an indented line, end the paragraph. */
static void line_break(Render *r)
{
    Buf *text = &r->out->text;

    if (r->row || r->headings) {
        r->space = true;
        return;
    }
    if (!render_has_text(r)) return;
    render_end_tick(r);
    r->tick_owed = r->inline_code != 0;
    if (text->p[text->n - 1] == '\n')
        render_flush(r);
    else
        buf_putc(text, '\n');
    r->space = r->owed_newline = false;
}

static void open_heading(Render *r, HtmlTag tag)
{
    r->headings++;
    r->level = (uint8_t)(1 + tag - HTML_h1);
}

static void open_code(Render *r, uint32_t i)
{
    render_flush(r);
    buf_reset(&r->out->indent);
    r->code = i;
    r->after_line = false;
}

/* Digits with a sign, and nothing else. */
static bool is_small_number(Span s)
{
    enum { MAX_BYTES = 8 };
    size_t n = 0, digits = 0;

    if (s.n > MAX_BYTES) return false;
    if (span_starts(s, SPAN_LIT("\xe2\x88\x92"))) n = 3; /* U+2212 */
    for (; n < s.n; n++) {
        if (!ascii_is_digit(s.p[n]) && s.p[n] != '+' && s.p[n] != '-') return false;
        digits += ascii_is_digit(s.p[n]);
    }
    return digits > 0;
}

/* The mark of a power or an index, without which its digits read as more of the number before: behind a digit, a bracket or a name or
 * unit of two letters a power (behind words they are notes), behind one small letter an index (CO2 is written without). */
static const char *raised_mark(const Render *r, uint32_t i)
{
    const HtmlTree *t = r->t;
    const Buf *text = &r->out->text;
    bool sup = t->node[i].tag == HTML_sup;
    size_t letters = 0, own = text->n - r->now.text;

    if (r->links || r->space || r->inline_code || own == 0 || t->node[i].end != i + 2 ||
        t->node[i + 1].tag != HTML_TEXT)
        return NULL;
    if (!is_small_number(html_text(t, i + 1))) return NULL;
    const uint8_t *end = text->p + text->n;
    if (sup && (ascii_is_digit(end[-1]) || end[-1] == ')')) return "^";
    while (letters < 3 && letters < own && ascii_is_alpha(end[-1 - (ptrdiff_t)letters])) letters++;
    if (letters < own && end[-1 - (ptrdiff_t)letters] >= 0x80) return NULL; /* a word with accents */
    if (sup) return letters == 1 || letters == 2 ? "^" : NULL;
    return letters == 1 && !ascii_is_upper(end[-1]) ? "_" : NULL;
}

static void open_raised(Render *r, uint32_t i)
{
    const char *mark = raised_mark(r, i);

    if (mark) render_put_text(r, span_str(mark));
}

static void open_element(Render *r, uint32_t i)
{
    HtmlTag tag = (HtmlTag)r->t->node[i].tag;

    if (tag == HTML_a) r->links++;
    if (r->code) {
        render_open_in_code(r, i);
        return;
    }
    if (blocks_is_block(tag)) {
        if (r->row)
            r->space = true;
        else
            render_flush(r);
    }
    if (!r->row && render_is_code(r, i)) {
        open_code(r, i);
        return;
    }
    switch (tag) {
    case HTML_br: line_break(r); break;
    case HTML_h1:
    case HTML_h2:
    case HTML_h3:
    case HTML_h4:
    case HTML_h5:
    case HTML_h6: open_heading(r, tag); break;
    case HTML_ul:
    case HTML_ol: open_list(r, i); break;
    case HTML_li: open_item(r, i); break;
    case HTML_dl: r->list = i; break;
    case HTML_dd: r->define = i; break;
    case HTML_blockquote: r->quotes++; break;
    case HTML_table: render_open_table(r, i); break;
    case HTML_tr: render_open_row(r, i); break;
    case HTML_td:
    case HTML_th: render_open_cell(r, i); break;
    case HTML_sup:
    case HTML_sub: open_raised(r, i); break;
    case HTML_code:
    case HTML_samp:
        if (render_is_inline_code(r, i)) {
            r->inline_code = i;
            r->tick_owed = true;
        }
        break;
    default: break;
    }
}

static void close_element(Render *r, const OpenElement *e)
{
    HtmlTag tag = (HtmlTag)r->t->node[e->node].tag;

    if (tag == HTML_a) r->links--;
    if (r->code == e->node && r->code) {
        render_flush(r);
        r->code = 0;
        return;
    }
    if (r->code) {
        render_close_in_code(r, e);
        return;
    }
    if (tag == HTML_tr && r->row == e->node) {
        render_close_row(r);
    } else if (blocks_is_block(tag)) {
        if (r->row)
            r->space = true;
        else
            render_flush(r);
    }
    switch (tag) {
    case HTML_h1:
    case HTML_h2:
    case HTML_h3:
    case HTML_h4:
    case HTML_h5:
    case HTML_h6: r->headings--; break;
    case HTML_ul:
    case HTML_ol: r->lists = (uint16_t)(r->lists - 1); break;
    case HTML_li:
        if (r->item == e->node) r->item = 0;
        break;
    case HTML_dl: r->list = 0; break;
    case HTML_dd:
        if (r->define == e->node) r->define = 0;
        break;
    case HTML_blockquote: r->quotes--; break;
    default: break;
    }
    if (r->inline_code == e->node && r->inline_code) {
        render_end_tick(r);
        r->inline_code = 0;
        r->tick_owed = false;
    }
}

/* ---- the walk */

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

    while (r->depth && r->t->node[stack[r->depth - 1].node].end <= i) close_element(r, &stack[--r->depth]);
}

static void push(Render *r, uint32_t i)
{
    OpenElement *top = &r->out->stack[r->depth];

    top->node = i;
    top->block = blocks_is_block((HtmlTag)r->t->node[i].tag) ? i : r->depth ? top[-1].block : 0;
    top->text = (uint32_t)r->out->text.n;
    r->depth++;
}

/* Whether an element that is not rendered takes no room in its line. */
static bool takes_no_room(HtmlTag tag)
{
    return tag == HTML_script || tag == HTML_style || tag == HTML_template || tag == HTML_link || tag == HTML_meta ||
           tag == HTML_rt || tag == HTML_rp;
}

/* Passes over a node whose text is not wanted: between words it leaves a blank, between Han characters none. (What is hidden draws
 * nothing, but sites hide the bullets and commas between their links and set them apart by style.) */
static void skip_node(Render *r, uint32_t i, bool dropped)
{
    HtmlTag tag = (HtmlTag)r->t->node[i].tag;

    if (r->code || takes_no_room(tag)) return;
    if (dropped && blocks_is_block(tag) && !r->row) {
        render_flush(r);
    } else {
        r->owed_newline |= !r->space;
        r->space = true;
    }
}

/* The sign that manuals put behind a heading as a link to itself. */
static bool is_anchor_sign(const Render *r, uint32_t i)
{
    const HtmlTree *t = r->t;

    if (t->node[i].tag != HTML_a || t->node[i].end != i + 2 || t->node[i + 1].tag != HTML_TEXT) return false;
    Span s = html_text(t, i + 1);
    return span_is(s, "\xc2\xb6") || span_is(s, "\xc2\xa7") || (r->headings && span_is(s, "#"));
}

/* Whether a node's subtree is left out. In code the page's parts do not count. */
static bool is_left_out(Render *r, uint32_t i)
{
    const HtmlNode *n = &r->t->node[i];
    const bool dropped = r->code ? r->drop[i] == BLOCKS_DROP_IN_CODE : r->drop[i] != 0;

    if (n->tag == HTML_TEXT) return dropped;
    return dropped || (r->code && n->hidden) || blocks_is_silent((HtmlTag)n->tag) || is_anchor_sign(r, i) ||
           render_is_gutter(r, i);
}

static void render_text(Render *r, Span s)
{
    if (s.n == 0) return;
    if (r->code)
        render_put_code(r, s);
    else
        render_put_text(r, s);
}

typedef enum { NODE_DONE, NODE_LEFT_OUT, NODE_TEXT, NODE_OPEN } Visit;

static Visit begin_node(Render *r, uint32_t i)
{
    const HtmlNode *n = &r->t->node[i];

    if (n->tag != HTML_TEXT && !r->code && (!r->drop[i] || (n->hidden && r->drop[i] == BLOCKS_DROP)) &&
        render_math(r, i))
        return NODE_DONE;
    if (is_left_out(r, i)) return NODE_LEFT_OUT;
    if (n->tag == HTML_TEXT) return NODE_TEXT;
    open_element(r, i);
    return NODE_OPEN;
}

ErrCode blocks_render(const HtmlTree *t, const uint8_t *drop, BlockList *out, Err *err)
{
    uint32_t n = (uint32_t)t->n_nodes;
    Render r = {.t = t,
                .drop = drop,
                .out = out,
                .empty_left = RENDER_MAX_EMPTY,
                .scan_left = 4 * (uint64_t)n + t->text.n / 16};
    ErrCode rc = reserve(out, n, err);

    if (rc != ERR_OK) return rc;
    render_code_init(&r);
    out->n = 0;
    buf_reset(&out->text);
    buf_reset(&out->code);
    for (uint32_t i = 0, end; i < n; i = end) {
        close_until(&r, i);
        uint32_t before = (uint32_t)out->n + render_has_text(&r);
        Visit v = begin_node(&r, i);
        end = v == NODE_DONE || v == NODE_LEFT_OUT ? t->node[i].end : i + 1;
        /* Whatever starts at i or later comes behind the blocks so far, and the one under way if it has text. */
        uint32_t at = v == NODE_DONE ? before : (uint32_t)out->n + render_has_text(&r);
        for (uint32_t k = i; k < end; k++) out->first[k] = at;
        if (v == NODE_LEFT_OUT)
            skip_node(&r, i, drop[i]);
        else if (v == NODE_TEXT)
            render_text(&r, html_text(t, i));
        else if (v == NODE_OPEN)
            push(&r, i);
    }
    close_until(&r, n);
    render_flush(&r);
    out->first[n] = (uint32_t)out->n;
    return r.oom || out->text.oom || out->code.oom || out->indent.oom ? err_nomem(err, "a page's blocks") : ERR_OK;
}

void blocklist_clear(BlockList *b)
{
    free(b->block);
    free(b->first);
    free(b->stack);
    buf_clear(&b->text);
    buf_clear(&b->code);
    buf_clear(&b->indent);
    *b = (BlockList){0};
}
