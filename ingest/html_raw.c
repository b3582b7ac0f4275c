#include "ingest/html_fast.h"

/* Elements whose content is no markup. */
typedef enum { RAW_NONE, RAW_SCRIPT, RAW_STYLE, RAW_DROPPED, RAW_TEXT, RAW_VERBATIM, RAW_REST } Raw;

static void look_over(HtmlFast *f, const uint8_t *from, const uint8_t *end)
{
    f->looked_over += end ? (size_t)(end - from) : f->page_bytes - (size_t)(from - f->page);
}

static const char *raw_name(unsigned tag)
{
    switch (tag) {
    case HTML_script: return "script";
    case HTML_style: return "style";
    case HTML_iframe: return "iframe";
    case HTML_noembed: return "noembed";
    case HTML_noframes: return "noframes";
    case HTML_title: return "title";
    case HTML_textarea: return "textarea";
    case HTML_noscript: return "noscript";
    case HTML_head: return "head";
    default: return "xmp";
    }
}

const uint8_t *htmlfast_next_end(HtmlFast *f, const uint8_t *p, unsigned tag)
{
    if (f->no_end[tag]) return NULL;
    if (f->next_end[tag] && f->next_end[tag] >= p) return f->next_end[tag];
    const uint8_t *end = scan_close(p, span_str(raw_name(tag)));
    look_over(f, p, end);
    f->next_end[tag] = end;
    f->no_end[tag] = !end;
    return end;
}

static Raw raw_of(unsigned tag)
{
    switch (tag) {
    case HTML_script: return RAW_SCRIPT;
    case HTML_style: return RAW_STYLE;
    case HTML_iframe:
    case HTML_noembed:
    case HTML_noframes: return RAW_DROPPED;
    case HTML_title:
    case HTML_textarea: return RAW_TEXT;
    case HTML_xmp: return RAW_VERBATIM;
    case HTML_plaintext: return RAW_REST;
    default: return RAW_NONE;
    }
}

static bool type_holds(const ScanTag *tag, Span what)
{
    for (unsigned k = 0; k < tag->n_attrs; k++) {
        const ScanAttr *a = &tag->attr[k];
        if (a->attr != HTML_TYPE) continue;
        for (size_t i = 0; i + what.n <= a->n; i++)
            if (span_eq_nocase(span(a->value + i, what.n), what)) return true;
        return false;
    }
    return false;
}

/* What is kept of a script: TeX stays as text, JSON-LD goes aside. */
static void keep_script(HtmlFast *f, const uint8_t *from, const uint8_t *end)
{
    if (f->tag.n_attrs == 0) return;
    if (type_holds(&f->tag, SPAN_LIT("ld+json"))) {
        htmltree_keep_json_ld(f->t, span(from, (size_t)(end - from)));
    } else if (type_holds(&f->tag, SPAN_LIT("math/tex"))) {
        if (f->mode == AFTER_HEAD) htmlfast_open_body(f, HTML_body, false);
        htmlfast_open(f, HTML_script, true);
        htmlfast_text(f, from, end, false);
        htmlstack_pop_to(&f->stack, (uint32_t)f->stack.depth - 1);
        f->blank = false;
    }
}

bool html_tag_is_raw(unsigned tag) { return raw_of(tag) != RAW_NONE; }

/* Where raw content that starts at p ends; NULL: nowhere. A title or style whose end tag comes behind the head's was never
 * closed: a title ends at its first tag, a style with the head. */
static const uint8_t *raw_end(HtmlFast *f, const uint8_t *p, unsigned tag)
{
    const uint8_t *end, *head;

    if (tag == HTML_plaintext) return f->page + f->page_bytes;
    end = htmlfast_next_end(f, p, tag);
    if (tag != HTML_title && tag != HTML_style) return end;
    head = f->mode == IN_HEAD ? htmlfast_next_end(f, p, HTML_head) : NULL;
    if (end && (!head || end < head)) return end;
    return tag == HTML_title ? scan_byte(p, '<') : head;
}

const uint8_t *htmlfast_raw(HtmlFast *f, const uint8_t *p)
{
    unsigned tag = f->tag.tag;
    Raw raw = raw_of(tag);
    const uint8_t *end = raw_end(f, p, tag);

    if (!end) return p;
    if (raw == RAW_SCRIPT) keep_script(f, p, end);
    if (raw != RAW_SCRIPT && raw != RAW_STYLE) {
        bool blank = f->blank;
        uint32_t i = htmlstack_node(&f->stack, tag);
        if (i == NO_NODE) return end;
        htmlfast_attrs(f, i);
        htmlstack_push(&f->stack, i, tag, 0);
        if (end > p && raw != RAW_DROPPED) htmlfast_text(f, p, end, raw == RAW_TEXT);
        htmlstack_pop_to(&f->stack, (uint32_t)f->stack.depth - 1);
        f->blank = html_tag_traits[tag] & TAG_NEUTRAL ? blank : raw == RAW_VERBATIM;
    }
    return end == f->next_end[tag] ? scan_tag_end(end + 2) : end;
}

/* Behind the drawing whose start tag ends at p; NULL when it is never closed. */
static const uint8_t *skip_svg(HtmlFast *f, const uint8_t *p)
{
    ScanTag *tag = &f->tag;
    unsigned svgs = 1, foreign = 0;

    while (*(p = scan_byte(p, '<'))) {
        const uint8_t *at = p;
        if (p[1] == '!' && p[2] == '-' && p[3] == '-') {
            if (!(p = scan_comment(p + 4))) return NULL;
            continue;
        }
        bool closing = p[1] == '/';
        p += closing ? 2 : 1;
        if (!ascii_is_alpha(*p)) continue;
        p = scan_tag(&f->names, p, tag);
        if (tag->tag == HTML_svg) {
            if (!tag->empty) svgs += closing ? -1u : 1;
            if (svgs == 0) return p;
        } else if (tag->tag == HTML_foreignobject) {
            if (!tag->empty) foreign = closing ? 0 : 1;
        } else if (!foreign && (html_tag_traits[tag->tag] & TAG_BLOCK)) {
            return at;
        }
    }
    return NULL;
}

const uint8_t *htmlfast_skip_svg(HtmlFast *f, const uint8_t *p)
{
    const uint8_t *end;

    if (f->no_svg_end) return p;
    end = skip_svg(f, p);
    look_over(f, p, end);
    f->no_svg_end = !end;
    return end ? end : p;
}

const uint8_t *htmlfast_declaration(HtmlFast *f, const uint8_t *p)
{
    const uint8_t *end = NULL;

    if (p[1] == '!' && p[2] == '-' && p[3] == '-') {
        if (f->no_comment_end) return p + 4;
        end = scan_comment(p + 4);
        look_over(f, p, end);
        f->no_comment_end = !end;
        return end ? end : p + 4;
    }
    if (!memcmp(p, "<![CDATA[", 9) && f->stack.last[HTML_math] && !f->no_cdata_end) {
        for (end = p + 9; *(end = scan_pair(end, ']', ']')) && end[2] != '>';) end++;
        f->no_cdata_end = !*end;
        look_over(f, p, end);
        if (*end) {
            if (end > p + 9) htmlfast_text(f, p + 9, end, false);
            return end + 3;
        }
        return p + 9;
    }
    if (!f->no_gt) {
        end = scan_byte(p + 2, '>');
        look_over(f, p, end);
        if (*end) return end + 1;
        f->no_gt = true;
    }
    return p + 2;
}
