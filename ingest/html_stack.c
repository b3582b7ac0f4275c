#include "ingest/html_stack.h"

#include <stdlib.h>

enum {
    V = TAG_VOID | TAG_SPECIAL,
    S = TAG_SPECIAL | TAG_STOP,
    B = TAG_BLOCK | TAG_CLOSES_P | S,
    CELL = TAG_BLOCK | S,
    HEAD = TAG_HEAD | TAG_NEUTRAL
};

const uint16_t html_tag_traits[HTML_N_ALL_TAGS] = {
    [HTML_address] = TAG_BLOCK | TAG_CLOSES_P | TAG_SPECIAL,
    [HTML_applet] = S | TAG_SCOPE | TAG_SILENT,
    [HTML_area] = V,
    [HTML_article] = B,
    [HTML_aside] = B,
    [HTML_audio] = TAG_SILENT,
    [HTML_base] = V | HEAD,
    [HTML_basefont] = V | HEAD,
    [HTML_bgsound] = V | HEAD,
    [HTML_blockquote] = B,
    [HTML_body] = TAG_BLOCK | S,
    [HTML_br] = V,
    [HTML_button] = S | TAG_SILENT,
    [HTML_canvas] = TAG_SILENT,
    [HTML_caption] = CELL | TAG_SCOPE,
    [HTML_center] = B,
    [HTML_col] = V | TAG_NEUTRAL,
    [HTML_colgroup] = S | TAG_NEUTRAL,
    [HTML_dd] = B | TAG_IMPLIED,
    [HTML_details] = B,
    [HTML_dialog] = TAG_BLOCK | TAG_CLOSES_P,
    [HTML_dir] = B,
    [HTML_div] = TAG_BLOCK | TAG_CLOSES_P | TAG_SPECIAL,
    [HTML_dl] = B,
    [HTML_dt] = B | TAG_IMPLIED,
    [HTML_embed] = V | TAG_SILENT,
    [HTML_fieldset] = B,
    [HTML_figcaption] = B,
    [HTML_figure] = B,
    [HTML_footer] = B,
    [HTML_form] = B,
    [HTML_frame] = V,
    [HTML_frameset] = S,
    [HTML_h1] = B | TAG_HEADING,
    [HTML_h2] = B | TAG_HEADING,
    [HTML_h3] = B | TAG_HEADING,
    [HTML_h4] = B | TAG_HEADING,
    [HTML_h5] = B | TAG_HEADING,
    [HTML_h6] = B | TAG_HEADING,
    [HTML_head] = S | TAG_BLOCK | TAG_SILENT,
    [HTML_header] = B,
    [HTML_hgroup] = B,
    [HTML_hr] = V | TAG_BLOCK | TAG_CLOSES_P,
    [HTML_html] = S | TAG_SCOPE,
    [HTML_iframe] = S | TAG_SILENT,
    [HTML_image] = V,
    [HTML_img] = V,
    [HTML_input] = V | TAG_SILENT,
    [HTML_keygen] = V,
    [HTML_legend] = TAG_BLOCK,
    [HTML_li] = B | TAG_IMPLIED,
    [HTML_link] = V | HEAD | TAG_SILENT,
    [HTML_listing] = B,
    [HTML_main] = B,
    [HTML_map] = TAG_SILENT,
    [HTML_marquee] = S | TAG_SCOPE,
    [HTML_menu] = B,
    [HTML_meta] = V | HEAD | TAG_SILENT,
    [HTML_nav] = B,
    [HTML_noembed] = S,
    [HTML_noframes] = S | TAG_HEAD,
    [HTML_noscript] = S | TAG_HEAD,
    [HTML_object] = S | TAG_SCOPE | TAG_SILENT,
    [HTML_ol] = B,
    [HTML_optgroup] = TAG_IMPLIED | TAG_SILENT,
    [HTML_option] = TAG_IMPLIED | TAG_SILENT,
    [HTML_p] = TAG_BLOCK | TAG_CLOSES_P | TAG_SPECIAL | TAG_IMPLIED,
    [HTML_param] = V,
    [HTML_plaintext] = B,
    [HTML_pre] = B,
    [HTML_rb] = TAG_IMPLIED,
    [HTML_rp] = TAG_IMPLIED | TAG_SILENT,
    [HTML_rt] = TAG_IMPLIED | TAG_SILENT,
    [HTML_rtc] = TAG_IMPLIED,
    [HTML_script] = S | HEAD | TAG_SILENT,
    [HTML_search] = TAG_CLOSES_P | S,
    [HTML_section] = B,
    [HTML_select] = S | TAG_SILENT,
    [HTML_source] = V,
    [HTML_style] = S | HEAD | TAG_SILENT,
    [HTML_summary] = B,
    [HTML_svg] = TAG_SILENT,
    [HTML_table] = B | TAG_SCOPE,
    [HTML_tbody] = CELL,
    [HTML_td] = CELL | TAG_SCOPE,
    [HTML_template] = S | TAG_SCOPE | HEAD | TAG_SILENT,
    [HTML_textarea] = S | TAG_SILENT,
    [HTML_tfoot] = CELL,
    [HTML_th] = CELL | TAG_SCOPE,
    [HTML_thead] = CELL,
    [HTML_title] = S | HEAD | TAG_SILENT,
    [HTML_tr] = CELL,
    [HTML_track] = V,
    [HTML_ul] = B,
    [HTML_video] = TAG_SILENT,
    [HTML_wbr] = V,
    [HTML_xmp] = B,
};

void htmlstack_start(HtmlStack *s, HtmlTree *t)
{
    s->t = t;
    s->depth = 0;
    memset(s->last, 0, sizeof s->last);
    s->special = s->stop = s->scope = 0;
    s->full = s->oom = false;
    s->work = 0;
    uint32_t root = htmlstack_node(s, HTML_html);
    if (root != NO_NODE) htmlstack_push(s, root, HTML_DEAD, 0);
}

void htmlstack_clear(HtmlStack *s)
{
    free(s->open);
    *s = (HtmlStack){0};
}

uint32_t htmlstack_node(HtmlStack *s, unsigned tag)
{
    HtmlTree *t = s->t;
    uint32_t i = (uint32_t)t->n_nodes, parent = 0;

    if (t->n_nodes == t->cap_nodes || i == HTML_MAX_NODES) {
        HtmlNode *room = i < HTML_MAX_NODES ? array_grow(t->node, t->n_nodes, &t->cap_nodes, sizeof *room) : NULL;
        if (!room) {
            s->full = true;
            s->oom |= i < HTML_MAX_NODES;
            return NO_NODE;
        }
        t->node = room;
    }
    if (s->depth) parent = s->open[s->depth <= HTML_FLAT_DEPTH ? s->depth - 1 : HTML_FLAT_DEPTH - 1].node;
    unsigned depth = i ? t->node[parent].depth + 1u : 0;
    t->n_nodes++;
    s->work++;
    t->node[i] = (HtmlNode){.parent = parent,
                            .end = i + 1,
                            .depth = (uint16_t)depth,
                            .tag = (uint8_t)html_tag_shown(tag),
                            .attrs = (uint32_t)t->n_attrs};
    return i;
}

void htmlstack_attr(HtmlStack *s, unsigned attr, uint32_t text, uint32_t bytes)
{
    HtmlTree *t = s->t;

    if (t->n_attrs == t->cap_attrs) {
        HtmlAttrValue *room = array_grow(t->attr, t->n_attrs, &t->cap_attrs, sizeof *room);
        if (!room) {
            s->oom = true;
            return;
        }
        t->attr = room;
    }
    t->attr[t->n_attrs++] = (HtmlAttrValue){.attr = (uint8_t)attr, .text = text, .bytes = bytes};
}

void htmlstack_push(HtmlStack *s, uint32_t i, unsigned tag, uint32_t name)
{
    uint32_t at = (uint32_t)s->depth;
    unsigned traits = html_tag_traits[tag];

    if (s->depth == s->cap) {
        OpenTag *room = array_grow(s->open, s->depth, &s->cap, sizeof *room);
        if (!room) {
            s->full = s->oom = true;
            return;
        }
        s->open = room;
    }
    s->open[s->depth++] = (OpenTag){.node = i,
                                    .name = name,
                                    .same = s->last[tag],
                                    .special = s->special,
                                    .stop = s->stop,
                                    .scope = s->scope,
                                    .tag = (uint8_t)tag};
    s->last[tag] = at;
    s->work++;
    if (traits & TAG_SPECIAL) s->special = at;
    if (traits & TAG_STOP) s->stop = at;
    if (traits & TAG_SCOPE) s->scope = at;
}

static void pop(HtmlStack *s)
{
    const OpenTag *e = &s->open[--s->depth];

    s->work++;
    s->last[e->tag] = e->same;
    s->special = e->special;
    s->stop = e->stop;
    s->scope = e->scope;
    if (s->depth < HTML_FLAT_DEPTH) s->t->node[e->node].end = (uint32_t)s->t->n_nodes;
}

void htmlstack_pop_to(HtmlStack *s, uint32_t at)
{
    while (s->depth > at) pop(s);
}

/* A node like `like`, with its attributes, open. */
static void reopen(HtmlStack *s, const OpenTag *like)
{
    HtmlTree *t = s->t;
    uint32_t i = htmlstack_node(s, like->tag);

    if (i == NO_NODE) return;
    t->node[i].hidden = t->node[like->node].hidden;
    for (uint32_t k = t->node[like->node].attrs; k < t->node[like->node + 1].attrs; k++) {
        HtmlAttrValue a = t->attr[k];
        htmlstack_attr(s, a.attr, a.text, a.bytes);
    }
    htmlstack_push(s, i, like->tag, like->name);
}

void htmlstack_end_around(HtmlStack *s, uint32_t at)
{
    enum { WINDOW = 8 }; /* elements between; links around more are broken pages' */
    OpenTag blocks[WINDOW];
    size_t n = s->depth - at - 1;

    if (n > WINDOW) { /* it is not known where the link should have ended: it is none */
        OpenTag *e = &s->open[at];
        s->last[e->tag] = e->same;
        e->tag = HTML_DEAD;
        s->t->node[e->node].tag = HTML_span;
        return;
    }
    memcpy(blocks, s->open + at + 1, n * sizeof blocks[0]);
    htmlstack_pop_to(s, at);
    for (size_t i = 0; i < n; i++)
        if (html_tag_traits[blocks[i].tag] & TAG_SPECIAL) reopen(s, &blocks[i]);
}

uint32_t htmlstack_find(HtmlStack *s, unsigned tag, uint32_t name)
{
    enum { WINDOW = 16 }; /* of elements without a tag of ours: they are looked at one by one */
    uint32_t at = s->last[tag];

    if (tag != HTML_OTHER) return at;
    for (int i = 0; i < WINDOW && at; i++, at = s->open[at].same, s->work++)
        if (s->open[at].name == name) return at;
    return 0;
}

void htmlstack_finish(HtmlStack *s)
{
    bool in_silent = false;

    for (size_t at = s->depth; at-- > 1;) {
        const OpenTag *e = &s->open[at];
        if (e->tag == HTML_a) s->t->node[e->node].tag = HTML_span;
        if (!(html_tag_traits[e->tag] & TAG_SILENT)) continue;
        if (e->tag == HTML_head && !in_silent)
            continue; /* the page ends in its head; else all of the page is in a template there */
        s->t->node[e->node].tag = HTML_OTHER;
        in_silent = true;
    }
    htmlstack_pop_to(s, 0);
}
