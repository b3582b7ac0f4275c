#include "ingest/html_entity.h"
#include "ingest/html_fast.h"

#include <stdlib.h>

HtmlFast *htmlfast_new(void)
{
    HtmlFast *f = calloc(1, sizeof *f);

    if (f) htmlnames_init(&f->names);
    return f;
}

void htmlfast_free(HtmlFast *f)
{
    if (!f) return;
    htmlstack_clear(&f->stack);
    free(f);
}

/* ---- text */

/* Appends bytes with references resolved behind the page. Room is there: a reference is at most a fifth longer than its name. */
static uint32_t decode(HtmlFast *f, const uint8_t *p, const uint8_t *end, bool in_attribute)
{
    Buf *out = &f->t->text;
    uint32_t at = (uint32_t)out->n;
    uint8_t *to = out->p + out->n;

    while (p < end) {
        const uint8_t *amp = memchr(p, '&', (size_t)(end - p));
        size_t n = (size_t)((amp ? amp : end) - p), n_out;
        memcpy(to, p, n);
        to += n;
        if (!amp) break;
        p = amp;
        n = html_entity(p, in_attribute, to, &n_out);
        if (n == 0) {
            *to++ = '&';
            p++;
        } else {
            to += n_out;
            p += n;
        }
    }
    out->n = (size_t)(to - out->p);
    return at;
}

/* A text node with the bytes of the page from `from` to `end`. */
void htmlfast_text(HtmlFast *f, const uint8_t *from, const uint8_t *end, bool references)
{
    uint32_t i = htmlstack_node(&f->stack, HTML_TEXT);

    if (i == NO_NODE) return;
    uint32_t at = references ? decode(f, from, end, false) : (uint32_t)(from - f->page);
    HtmlNode *n = &f->t->node[i];
    n->text = at;
    n->text_bytes = references ? (uint32_t)f->t->text.n - at : (uint32_t)(end - from);
    f->blank = false;
}

void htmlfast_attrs(HtmlFast *f, uint32_t i)
{
    const ScanTag *tag = &f->tag;
    HtmlTree *t = f->t;

    for (unsigned k = 0; k < tag->n_attrs; k++) {
        const ScanAttr *a = &tag->attr[k];
        Span value = span(a->value, a->n);
        uint32_t at = a->value ? (uint32_t)(a->value - f->page) : 0;
        unsigned kept = html_attr_kept(a->attr, value, &t->node[i].hidden);
        if (kept == HTML_N_ATTRS) continue;
        if (a->n && memchr(a->value, '&', a->n)) {
            at = decode(f, a->value, a->value + a->n, true);
            value = span(t->text.p + at, t->text.n - at);
        }
        htmlstack_attr(&f->stack, kept, at, (uint32_t)html_attr_bytes(kept, value));
        if (a->attr == ATTR_PROPERTY && !f->stack.oom) html_attr_first(t, i);
    }
}

/* ---- html, head, body */

/* A node for an element, open. Its attributes are the tag's when `own`. (Blanks in an inline element that begins a line are kept: in a
 * line of code they indent.) */
void htmlfast_open(HtmlFast *f, unsigned tag, bool own)
{
    uint32_t i = htmlstack_node(&f->stack, tag);

    if (i == NO_NODE) return;
    if (own) htmlfast_attrs(f, i);
    htmlstack_push(&f->stack, i, tag, own ? f->tag.name : 0);
    f->blank = (html_tag_traits[tag] & TAG_BLOCK) && f->stack.last[HTML_pre] == 0 && f->stack.last[HTML_listing] == 0;
}

/* The page's <html> tag comes behind what has opened the element: its attributes (lang) are the element's when that has none. They go
 * where those of node f->html begin; once a page, since it then has some. */
static void late_html(HtmlFast *f)
{
    HtmlTree *t = f->t;
    HtmlAttrValue late[HTML_MAX_TAG_ATTRIBUTES];
    size_t from = t->n_attrs, at = t->node[f->html].attrs;
    bool hidden = t->node[f->html].hidden;

    if (f->html + 1 == t->n_nodes || t->node[f->html + 1].attrs != at) return;
    htmlfast_attrs(f, f->html);
    t->node[f->html].hidden = hidden;
    size_t n = t->n_attrs - from;
    if (n == 0 || n > HTML_MAX_TAG_ATTRIBUTES) return;
    memcpy(late, t->attr + from, n * sizeof *late);
    memmove(t->attr + at + n, t->attr + at, (from - at) * sizeof *late);
    memcpy(t->attr + at, late, n * sizeof *late);
    for (size_t i = f->html + 1; i < t->n_nodes; i++) t->node[i].attrs += (uint32_t)n;
}

static void open_html(HtmlFast *f, bool own)
{
    if (f->html) {
        if (own) late_html(f);
        return;
    }
    f->html = (uint32_t)f->t->n_nodes;
    htmlfast_open(f, HTML_html, own);
    f->blank = true;
}

static void open_head(HtmlFast *f, bool own)
{
    open_html(f, false);
    htmlfast_open(f, HTML_head, own);
    f->mode = IN_HEAD;
}

static void close_head(HtmlFast *f)
{
    if (f->mode == IN_HEAD) {
        htmlstack_pop_to(&f->stack, f->stack.last[HTML_head]);
        f->mode = AFTER_HEAD;
        f->blank = true;
    }
}

/* `tag`: HTML_body, or HTML_frameset in its place. */
void htmlfast_open_body(HtmlFast *f, unsigned tag, bool own)
{
    if (f->mode == IN_BODY) return;
    open_html(f, false);
    close_head(f);
    htmlfast_open(f, tag, own);
    f->mode = IN_BODY;
    f->blank = true;
}

/* Whether a page that has no body yet does not get one by what stands at p: in a template, or in a <noscript> of the head. */
static bool stays_out(const HtmlFast *f, const uint8_t *p)
{
    return f->stack.last[HTML_template] != 0 || p < f->noscript_end;
}

/* A <noscript> before the body that ends soon stays there, whatever is in it: it asks for scripts, or counts visits. */
static void note_noscript(HtmlFast *f, const uint8_t *p)
{
    enum { SOON = 4096 };
    const uint8_t *end = htmlfast_next_end(f, p, HTML_noscript);

    if (end && end - p <= SOON) f->noscript_end = end;
}

/* Where text begins beside a block's tag. Several blanks in the line of the tag are kept before text and <span>: cells and
 * <div>s that are lines of code begin so. */
static const uint8_t *skip_blanks(const uint8_t *p)
{
    const uint8_t *end = scan_blank(p);

    if (end - p < 2 || *end == 0 || memchr(p, '\n', (size_t)(end - p))) return end;
    return *end == '<' && !((end[1] | 0x20) == 's' && (end[2] | 0x20) == 'p') ? end : p;
}

/* Text, up to the next markup. */
static const uint8_t *read_text(HtmlFast *f, const uint8_t *p)
{
    const uint8_t *from = p;
    bool references = false;

    if (f->blank) from = p = skip_blanks(p);
    for (;;) {
        p = scan_text(p);
        if (*p == 0) break;
        if (*p == '&') {
            references = true;
        } else {
            uint8_t c = p[1];
            if (ascii_is_alpha(c) || c == '!' || c == '?' || (c == '/' && p[2])) break;
        }
        p++;
    }
    if (p == from) return p;
    if (f->mode != IN_BODY && !stays_out(f, from)) {
        if (scan_blank(from) >= p) return p;
        htmlfast_open_body(f, HTML_body, false);
    }
    htmlfast_text(f, from, p, references);
    return p;
}

/* ---- start tags */

static void close_p(HtmlStack *s)
{
    uint32_t p = s->last[HTML_p];

    if (p > s->scope && p > s->last[HTML_button]) htmlstack_pop_to(s, p);
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* The innermost open row group, row or cell, by position. */
static uint32_t last_section(const HtmlStack *s)
{
    return larger(s->last[HTML_tbody], larger(s->last[HTML_thead], s->last[HTML_tfoot]));
}
static uint32_t last_cell(const HtmlStack *s) { return larger(s->last[HTML_td], s->last[HTML_th]); }

/* Ends what the start of a part of a table ends: up to the row for a cell, the row group for a row, the table for others. Without
 * an open table, a part ends its like. */
static void close_for_part(HtmlStack *s, unsigned tag)
{
    uint32_t table = larger(s->last[HTML_table], s->last[HTML_template]), section = last_section(s),
             row = s->last[HTML_tr], cell = last_cell(s);

    if ((tag == HTML_td || tag == HTML_th) && row > table)
        htmlstack_pop_to(s, row + 1);
    else if ((tag == HTML_td || tag == HTML_th || tag == HTML_tr) && section > table)
        htmlstack_pop_to(s, section + 1);
    else if (table)
        htmlstack_pop_to(s, table + 1);
    else if ((tag == HTML_td || tag == HTML_th) && cell)
        htmlstack_pop_to(s, cell);
    else if (tag == HTML_tr && row)
        htmlstack_pop_to(s, row);
}

/* Ends an open link before another one, or at its end tag. */
static void end_link(HtmlStack *s)
{
    uint32_t a = s->last[HTML_a];

    if (a <= s->scope) return;
    if (a > s->special)
        htmlstack_pop_to(s, a);
    else
        htmlstack_end_around(s, a);
}

/* A list of choices, or math, holds no blocks: one that is not closed ends before the first. */
static void leave_small(HtmlStack *s, unsigned tag)
{
    uint32_t select = s->last[HTML_select], math = s->last[HTML_math], option = s->last[HTML_option];

    if (select > s->scope && tag != HTML_hr) htmlstack_pop_to(s, select);
    if (math > s->scope) htmlstack_pop_to(s, math);
    if (option > s->special) htmlstack_pop_to(s, option);
}

static void close_ruby_part(HtmlStack *s)
{
    uint32_t part = larger(larger(s->last[HTML_rb], s->last[HTML_rt]), larger(s->last[HTML_rp], s->last[HTML_rtc]));

    if (part > s->last[HTML_ruby] && part > s->special) htmlstack_pop_to(s, part);
}

/* Ends the elements that the start of one ends without their end tags. */
static void close_for(HtmlStack *s, unsigned tag, unsigned traits)
{
    if ((traits & TAG_BLOCK) && (s->last[HTML_select] | s->last[HTML_math] | s->last[HTML_option]))
        leave_small(s, tag);
    switch (tag) {
    case HTML_li:
        if (s->open[s->stop].tag == HTML_li) htmlstack_pop_to(s, s->stop);
        break;
    case HTML_dd:
    case HTML_dt:
        if (s->open[s->stop].tag == HTML_dd || s->open[s->stop].tag == HTML_dt) htmlstack_pop_to(s, s->stop);
        break;
    case HTML_a: end_link(s); return;
    case HTML_table:
        if (s->last[HTML_table] > larger(larger(last_cell(s), s->last[HTML_caption]), s->last[HTML_template]))
            htmlstack_pop_to(s, s->last[HTML_table]);
        break;
    case HTML_td:
    case HTML_th:
    case HTML_tr:
    case HTML_tbody:
    case HTML_thead:
    case HTML_tfoot:
    case HTML_caption:
    case HTML_colgroup: close_for_part(s, tag); return;
    case HTML_button:
        if (s->last[HTML_button] > s->scope) htmlstack_pop_to(s, s->last[HTML_button]);
        return;
    case HTML_input:
    case HTML_textarea:
    case HTML_select:
        if (s->last[HTML_select] > s->scope) htmlstack_pop_to(s, s->last[HTML_select]);
        return;
    case HTML_option:
    case HTML_optgroup:
        if (s->last[HTML_option] > s->special) htmlstack_pop_to(s, s->last[HTML_option]);
        if (tag == HTML_optgroup && s->last[HTML_optgroup] > s->special) htmlstack_pop_to(s, s->last[HTML_optgroup]);
        return;
    case HTML_rb:
    case HTML_rt:
    case HTML_rp:
    case HTML_rtc: close_ruby_part(s); return;
    default: break;
    }
    if (traits & TAG_CLOSES_P) {
        close_p(s);
        if ((traits & TAG_HEADING) && (html_tag_traits[htmlstack_top(s)] & TAG_HEADING))
            htmlstack_pop_to(s, (uint32_t)s->depth - 1);
    }
}

/* Tags that are about the page's frame. True: the tag is dealt with. */
static bool frame_tag(HtmlFast *f, const uint8_t *p, unsigned tag, unsigned traits)
{
    if (stays_out(f, p)) return tag == HTML_html || tag == HTML_head || tag == HTML_body;
    switch (tag) {
    case HTML_html: open_html(f, true); return true;
    case HTML_head:
        if (f->mode == BEFORE_HEAD) open_head(f, true);
        return true;
    case HTML_body:
    case HTML_frameset: htmlfast_open_body(f, tag, true); return true;
    default: break;
    }
    if (!(traits & TAG_HEAD)) {
        htmlfast_open_body(f, HTML_body, false);
    } else if (f->mode == BEFORE_HEAD) {
        open_head(f, false);
    }
    return false;
}

static void skip_newline(const uint8_t **p)
{
    if (**p == '\r') (*p)++;
    if (**p == '\n') (*p)++;
}

static const uint8_t *start_tag(HtmlFast *f, const uint8_t *p)
{
    HtmlStack *s = &f->stack;
    const uint8_t *name = p;

    p = scan_tag(&f->names, p, &f->tag);
    if (p[-1] != '>' && *p == 0) return p; /* the page ends inside the tag */
    unsigned tag = f->tag.tag, traits = html_tag_traits[tag];
    if (f->mode != IN_BODY) {
        if (frame_tag(f, name, tag, traits)) return p;
    } else if (tag == HTML_html || tag == HTML_head || tag == HTML_body || tag == HTML_frameset) {
        if (tag == HTML_html) open_html(f, true);
        return p;
    }
    close_for(s, tag, traits);
    if (html_tag_is_raw(tag)) return htmlfast_raw(f, p);
    if (tag == HTML_svg) {
        f->blank = false;
        return f->tag.empty ? p : htmlfast_skip_svg(f, p);
    }
    if ((traits & TAG_VOID) || (f->tag.empty && (tag == HTML_math || s->last[HTML_math] > s->scope))) {
        uint32_t i = htmlstack_node(s, tag);
        if (i != NO_NODE) htmlfast_attrs(f, i);
        if (traits & TAG_BLOCK)
            f->blank = true;
        else if (!(traits & TAG_NEUTRAL))
            f->blank = false;
        return p;
    }
    htmlfast_open(f, tag, true);
    if (tag == HTML_noscript && f->mode != IN_BODY) note_noscript(f, p);
    if (tag == HTML_pre || tag == HTML_listing) skip_newline(&p);
    return p;
}

/* ---- end tags */

/* </form> ends the form only where that takes nothing else along: forms and tables are often crossed. */
static void end_form(HtmlStack *s)
{
    uint32_t form = s->last[HTML_form];

    if (form <= s->scope) return;
    while (s->depth - 1 > form && (html_tag_traits[htmlstack_top(s)] & TAG_IMPLIED))
        htmlstack_pop_to(s, (uint32_t)s->depth - 1);
    if (s->special <= form) htmlstack_pop_to(s, form);
}

static void end_heading(HtmlStack *s)
{
    uint32_t at = 0;

    for (unsigned h = HTML_h1; h <= HTML_h6; h++) at = larger(at, s->last[h]);
    if (at > s->scope) htmlstack_pop_to(s, at);
}

/* An end tag without its paragraph is an empty one. */
static void end_p(HtmlFast *f)
{
    HtmlStack *s = &f->stack;
    uint32_t p = s->last[HTML_p];

    if (p > s->scope && p > s->last[HTML_button])
        htmlstack_pop_to(s, p);
    else
        (void)htmlstack_node(s, HTML_p);
}

static void end_element(HtmlFast *f, unsigned tag, uint32_t name)
{
    HtmlStack *s = &f->stack;
    uint32_t at = htmlstack_find(s, tag, name);

    switch (tag) {
    case HTML_p: end_p(f); return;
    case HTML_br: (void)htmlstack_node(s, HTML_br); return;
    case HTML_a: end_link(s); return;
    case HTML_form: end_form(s); return;
    case HTML_h1:
    case HTML_h2:
    case HTML_h3:
    case HTML_h4:
    case HTML_h5:
    case HTML_h6: end_heading(s); return;
    case HTML_li:
        if (at > larger(s->scope, larger(s->last[HTML_ul], s->last[HTML_ol]))) htmlstack_pop_to(s, at);
        return;
    case HTML_table:
        if (at > s->last[HTML_template]) htmlstack_pop_to(s, at);
        return;
    case HTML_td:
    case HTML_th:
    case HTML_tr:
    case HTML_tbody:
    case HTML_thead:
    case HTML_tfoot:
    case HTML_caption:
        if (at > larger(s->last[HTML_table], s->last[HTML_template])) htmlstack_pop_to(s, at);
        return;
    default: break;
    }
    if (at == 0) return;
    if (html_tag_traits[tag] & TAG_SPECIAL ? at >= s->scope : at > s->special) htmlstack_pop_to(s, at);
}

static const uint8_t *end_tag(HtmlFast *f, const uint8_t *p)
{
    const uint8_t *name = p;

    p = scan_tag_end(p);
    if (p[-1] != '>' && *p == 0) return p;
    size_t n = (size_t)(scan_name(name) - name);
    unsigned tag = htmlname_find(f->names.tag, HTML_TAG_SLOT_BITS, name, n, HTML_OTHER);
    if (tag == HTML_body || tag == HTML_html || tag == HTML_frameset) return p;
    if (tag == HTML_head) {
        if (!stays_out(f, name)) close_head(f);
        return p;
    }
    if (f->mode != IN_BODY && !stays_out(f, name) && !(html_tag_traits[tag] & TAG_HEAD)) {
        if (tag != HTML_p && tag != HTML_br) return p;
        htmlfast_open_body(f, HTML_body, false);
    }
    end_element(f, tag, tag == HTML_OTHER ? scan_hash_name(name, n) : 0);
    if (html_tag_traits[tag] & TAG_BLOCK)
        f->blank = f->stack.last[HTML_pre] == 0 && f->stack.last[HTML_listing] == 0;
    else if (tag == HTML_br)
        f->blank = false;
    return p;
}

/* ---- the page */

static void read_page(HtmlFast *f, const uint8_t *p)
{
    while (!f->stack.full) {
        p = read_text(f, p);
        if (*p == 0) return;
        if (ascii_is_alpha(p[1]))
            p = start_tag(f, p + 1);
        else if (p[1] == '/' && ascii_is_alpha(p[2]))
            p = end_tag(f, p + 2);
        else if (p[1] == '/' && p[2] == '>')
            p += 3;
        else
            p = htmlfast_declaration(f, p);
    }
}

bool htmlfast_parse(HtmlFast *f, Span utf8, HtmlTree *t)
{
    /* The page itself, and behind it what references stand for. */
    if (!buf_reserve(&t->text, utf8.n + SCAN_PAD + utf8.n + utf8.n / 4 + HTML_ENTITY_BYTES + 1)) return false;
    scan_copy(t->text.p, utf8);
    t->text.n = utf8.n + SCAN_PAD;
    f->t = t;
    f->page = t->text.p;
    f->page_bytes = utf8.n;
    f->looked_over = 0;
    f->mode = BEFORE_HEAD;
    f->html = 0;
    f->noscript_end = f->page;
    f->blank = true;
    f->no_comment_end = f->no_svg_end = f->no_cdata_end = f->no_gt = false;
    memset(f->next_end, 0, sizeof f->next_end);
    memset(f->no_end, 0, sizeof f->no_end);
    htmlstack_start(&f->stack, t);
    if (!f->stack.full) {
        read_page(f, f->page + (span_starts(utf8, SPAN_LIT("\xEF\xBB\xBF")) ? 3 : 0));
        htmlstack_finish(&f->stack);
    }
    t->truncated = f->stack.full;
    return !f->stack.oom;
}

uint64_t htmlfast_work(const HtmlFast *f) { return f->stack.work + f->looked_over; }
