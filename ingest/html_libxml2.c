#include "ingest/html_names.h"
#include "ingest/html_parser.h"

#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <pthread.h>
#include <stdlib.h>

/* ---- cleaning */

/* The end of raw text that starts at `from`: the offset of "</name" (any case), or s.n. */
static size_t find_close(Span s, size_t from, Span name)
{
    for (size_t i = from; i + name.n + 2 <= s.n; i++) {
        const uint8_t *p = memchr(s.p + i, '<', s.n - i);
        if (!p) break;
        i = (size_t)(p - s.p);
        if (i + name.n + 2 <= s.n && s.p[i + 1] == '/' && span_eq_nocase(span(s.p + i + 2, name.n), name)) return i;
    }
    return s.n;
}

static size_t find_bytes(Span s, size_t from, Span what)
{
    while (from + what.n <= s.n) {
        const uint8_t *p = memchr(s.p + from, what.p[0], s.n - from - what.n + 1);
        if (!p) break;
        from = (size_t)(p - s.p);
        if (!memcmp(p, what.p, what.n)) return from;
        from++;
    }
    return s.n;
}

/* What comes at a '<'. */
typedef enum { AT_TEXT, AT_COMMENT, AT_RAW, AT_TAG } At;
enum { RAW_SVG = 2, N_RAW };
static const char *const raw_names[N_RAW] = {"script", "style", "svg"};

static At at_of(Span s, size_t i, int *raw)
{
    Span rest = span_from(s, i + 1);

    if (span_starts(rest, SPAN_LIT("!--"))) return AT_COMMENT;
    if (rest.n == 0 || (!ascii_is_alpha(rest.p[0]) && rest.p[0] != '/')) return AT_TEXT;
    for (int k = 0; k < N_RAW; k++) {
        size_t n = strlen(raw_names[k]);
        if (rest.n > n && span_eq_nocase(span(rest.p, n), span_str(raw_names[k])) && !ascii_is_alnum(rest.p[n])) {
            *raw = k;
            return AT_RAW;
        }
    }
    return AT_TAG;
}

/* Appends name="value", whose quotes may have been others or none. */
static void put_attr(Buf *out, Span name, Span value)
{
    buf_putc(out, ' ');
    buf_put_span(out, name);
    buf_puts(out, "=\"");
    for (size_t i = 0; i < value.n; i++) {
        uint8_t c = value.p[i];
        if (c == '"')
            buf_puts(out, "&quot;");
        else
            buf_putc(out, c < ' ' ? ' ' : c);
    }
    buf_putc(out, '"');
}

static bool ends_name(uint8_t c) { return ascii_is_space(c) || c == '>' || c == '/' || c == 0; }

static size_t skip_blank(Span s, size_t i)
{
    while (i < s.n && (ascii_is_space(s.p[i]) || s.p[i] == 0)) i++;
    return i;
}

/* An attribute's value at i, behind its '='; false: its quote is never closed. *end is behind it. */
static bool read_value(Span s, size_t i, Span *value, size_t *end)
{
    size_t from = i = skip_blank(s, i);

    if (i < s.n && (s.p[i] == '"' || s.p[i] == '\'')) {
        const uint8_t *close = memchr(s.p + i + 1, s.p[i], s.n - i - 1);
        if (!close) return false;
        *value = span(s.p + i + 1, (size_t)(close - s.p) - i - 1);
        *end = (size_t)(close - s.p) + 1;
        return true;
    }
    while (i < s.n && !ascii_is_space(s.p[i]) && s.p[i] != '>') i++;
    *value = span(s.p + from, i - from);
    *end = i;
    return true;
}

/* Copies the tag at s.p[i] with the attributes that are kept and returns the offset behind it. A quote that is never closed
 * ends with the tag, at the next '>': it would swallow the page. */
static size_t copy_tag(Buf *out, Span s, size_t i)
{
    size_t n_attrs = 0, name = i + (s.p[i + 1] == '/' ? 2 : 1); /* at_of() saw the byte behind '<' */

    buf_put(out, s.p + i, name - i);
    for (i = name; i < s.n && !ends_name(s.p[i]); i++) buf_putc(out, s.p[i]);
    while ((i = skip_blank(s, i)) < s.n && s.p[i] != '>') {
        Span value = {NULL, 0};
        if (s.p[i] == '/') {
            if (i + 1 < s.n && s.p[i + 1] == '>') buf_putc(out, '/');
            i++;
            continue;
        }
        for (name = i++; i < s.n && !ends_name(s.p[i]) && s.p[i] != '=';) i++;
        Span key = span(s.p + name, i - name);
        size_t eq = skip_blank(s, i);
        if (eq < s.n && s.p[eq] == '=' && !read_value(s, eq + 1, &value, &i)) {
            i += span_find(span_from(s, i), '>');
            break;
        }
        if (html_attr_named(key) != ATTR_NONE && n_attrs++ < HTML_MAX_ATTRIBUTES) put_attr(out, key, value);
    }
    buf_putc(out, '>');
    return i < s.n ? i + 1 : i;
}

/* Whether a copied tag closes itself: what copy_tag() wrote, since in the page the slash may end an unquoted value. */
static bool ends_empty(Span copied) { return copied.n >= 2 && copied.p[copied.n - 2] == '/'; }

/* TeX is text of the page: it stays in its script. Like everywhere, controls are blanks. */
static void copy_tex(Buf *out, Span tag, Span content)
{
    if (find_bytes(tag, 0, SPAN_LIT("math/tex")) == tag.n) return;
    for (size_t i = 0; i < content.n; i++) {
        uint8_t c = content.p[i];
        buf_putc(out, c < ' ' && c != '\n' ? ' ' : c);
    }
}

/* Copies an element whose content is raw text without that content; the offset behind it. An element that is never closed
 * loses its tag alone; an <svg/> has no content (HTML standard, 13.2.6.5). *closed remembers that no further one closes, so that a page of them takes linear time. */
static size_t copy_raw(HtmlTree *t, Span s, size_t i, int raw, bool *closed)
{
    size_t from = t->clean.n, behind = copy_tag(&t->clean, s, i);
    bool empty = raw == RAW_SVG && ends_empty(buf_span(&t->clean));
    size_t close = *closed && !empty ? find_close(s, behind, span_str(raw_names[raw])) : s.n;

    if (empty) return behind;
    if (close < s.n) {
        Span tag = span(s.p + i, behind - i), content = span(s.p + behind, close - behind);
        if (find_bytes(tag, 0, SPAN_LIT("ld+json")) < tag.n) htmltree_keep_json_ld(t, content);
        copy_tex(&t->clean, tag, content);
        return close;
    }
    *closed = false;
    t->clean.n = from;
    return behind;
}

static void clean(HtmlTree *t, Span s)
{
    bool closed[N_RAW] = {true, true, true}, comment_ends = true;
    Buf *out = &t->clean;
    size_t i = 0;
    int raw = 0;

    buf_reset(out);
    buf_reserve(out, s.n + 16);
    while (i < s.n) {
        uint8_t c = s.p[i];
        switch (c == '<' ? at_of(s, i, &raw) : AT_TEXT) {
        case AT_TEXT:
            buf_putc(out, c < ' ' && c != '\t' && c != '\n' && c != '\r' ? ' ' : c);
            i++;
            break;
        case AT_COMMENT: {
            size_t end = comment_ends ? find_bytes(s, i + 2, SPAN_LIT("-->")) : s.n;
            comment_ends = end < s.n;
            i = comment_ends ? end + 3 : i + 4;
            break;
        }
        case AT_RAW: i = copy_raw(t, s, i, raw, &closed[raw]); break;
        case AT_TAG: i = copy_tag(out, s, i); break;
        }
    }
}

/* ---- building */

struct HtmlSax {
    htmlParserCtxtPtr ctxt;
    htmlSAXHandler sax;
    HtmlTree *t;
    uint32_t open; /* the innermost open element */
    HtmlStatus status;
    bool oom, ended;   /* no memory; the parser came to the end of the page */
    uint64_t searched; /* against HTML_MAX_SEARCH */
};

static void stop(HtmlSax *b, HtmlStatus status)
{
    b->status = status;
    xmlStopParser(b->ctxt);
}

/* Appends a node under the open element; UINT32_MAX when parsing has been stopped. */
static uint32_t add_node(HtmlSax *b, HtmlTag tag)
{
    HtmlTree *t = b->t;
    uint32_t parent = t->n_nodes ? b->open : 0;
    unsigned depth = t->n_nodes ? t->node[parent].depth + 1u : 0;

    if (b->status != HTML_FINE || b->oom) return UINT32_MAX;
    if (t->n_nodes == HTML_MAX_NODES) {
        stop(b, HTML_TOO_LARGE);
        return UINT32_MAX;
    }
    if (depth > HTML_MAX_DEPTH) {
        stop(b, HTML_TOO_DEEP);
        return UINT32_MAX;
    }
    HtmlNode *room = array_grow(t->node, t->n_nodes, &t->cap_nodes, sizeof *room);
    if (!room) {
        b->oom = true;
        return UINT32_MAX;
    }
    t->node = room;
    uint32_t i = (uint32_t)t->n_nodes++;
    t->node[i] = (HtmlNode){
        .parent = parent, .end = i + 1, .depth = (uint16_t)depth, .tag = (uint8_t)tag, .attrs = (uint32_t)t->n_attrs};
    return i;
}

static void add_attr(HtmlSax *b, HtmlNode *node, const char *name, const char *value)
{
    HtmlTree *t = b->t;
    Span v = span_str(value);
    unsigned named = html_attr_named(span_str(name)), a = html_attr_kept(named, v, &node->hidden);

    if (a == HTML_N_ATTRS) return;
    v.n = html_attr_bytes(a, v);
    HtmlAttrValue *room = array_grow(t->attr, t->n_attrs, &t->cap_attrs, sizeof *room);
    if (!room) {
        b->oom = true;
        return;
    }
    t->attr = room;
    t->attr[t->n_attrs++] = (HtmlAttrValue){.attr = (uint8_t)a, .text = (uint32_t)t->text.n, .bytes = (uint32_t)v.n};
    buf_put_span(&t->text, v);
    if (named == ATTR_PROPERTY) html_attr_first(t, (uint32_t)(node - t->node));
}

static void on_start(void *user, const xmlChar *name, const xmlChar **atts)
{
    HtmlSax *b = user;
    uint32_t i = add_node(b, html_tag_of((const char *)name));

    if (i == UINT32_MAX) return;
    for (; atts && atts[0]; atts += 2) add_attr(b, &b->t->node[i], (const char *)atts[0], (const char *)atts[1]);
    b->open = i;
}

static void on_end(void *user, const xmlChar *name)
{
    HtmlSax *b = user;
    HtmlTree *t = b->t;

    (void)name; /* the parser closes in the order of opening */
    if (b->status != HTML_FINE || t->n_nodes == 0) return;
    t->node[b->open].end = (uint32_t)t->n_nodes;
    b->open = t->node[b->open].parent;
}

static void on_text(void *user, const xmlChar *text, int len)
{
    HtmlSax *b = user;
    HtmlTree *t = b->t;
    HtmlNode *last = t->n_nodes ? &t->node[t->n_nodes - 1] : NULL;

    if (len <= 0 || !last || b->status != HTML_FINE) return;
    /* Text comes in pieces; pieces of one run lie behind each other. */
    if (last->tag != HTML_TEXT || last->parent != b->open || last->text + last->text_bytes != t->text.n) {
        uint32_t i = add_node(b, HTML_TEXT);
        if (i == UINT32_MAX) return;
        last = &t->node[i];
        last->text = (uint32_t)t->text.n;
    }
    buf_put(&t->text, text, (size_t)len);
    last->text_bytes += (uint32_t)len;
}

/* libxml2 prints what it thinks of a page unless somebody listens. */
static void on_error(void *user, xmlErrorPtr error)
{
    HtmlSax *b = user;

    if (error->code == XML_ERR_NO_MEMORY) b->oom = true;
    if (error->code != XML_ERR_TAG_NAME_MISMATCH || b->status != HTML_FINE) return;
    b->searched += b->t->node[b->open].depth;
    if (b->searched > HTML_MAX_SEARCH) stop(b, HTML_TOO_DEEP);
}

static void on_end_of_page(void *user) { ((HtmlSax *)user)->ended = true; }

static pthread_once_t init_once = PTHREAD_ONCE_INIT;

HtmlSax *htmlsax_new(void)
{
    HtmlSax *p = calloc(1, sizeof *p);

    if (!p) return NULL;
    pthread_once(&init_once, xmlInitParser);
    p->ctxt = htmlNewParserCtxt();
    if (!p->ctxt) {
        free(p);
        return NULL;
    }
    p->sax.startElement = on_start;
    p->sax.endElement = on_end;
    p->sax.characters = on_text;
    p->sax.ignorableWhitespace = on_text;
    p->sax.cdataBlock = on_text;
    p->sax.endDocument = on_end_of_page;
    p->sax.serror = on_error;
    p->sax.initialized = XML_SAX2_MAGIC;
    return p;
}

void htmlsax_free(HtmlSax *p)
{
    if (!p) return;
    htmlFreeParserCtxt(p->ctxt);
    free(p);
}

/* Elements that the end of the page left open end there. */
static void close_all(HtmlTree *t, uint32_t open)
{
    while (open != 0) {
        t->node[open].end = (uint32_t)t->n_nodes;
        open = t->node[open].parent;
    }
    if (t->n_nodes) t->node[0].end = (uint32_t)t->n_nodes;
}

bool htmlsax_parse(HtmlSax *p, Span utf8, HtmlTree *t, HtmlStatus *status)
{
    clean(t, utf8);
    if (t->clean.oom || !buf_reserve(&t->text, 1)) return false; /* spans of no bytes point into it too */
    p->t = t;
    p->open = 0;
    p->status = HTML_FINE;
    p->oom = p->ended = false;
    p->searched = 0;
    /* The page's root: the parser reports <html> itself only when the page has one or implies it, and a second one is
     * merged into the first; ours is above whatever comes. */
    add_node(p, HTML_html);
    htmlCtxtReset(p->ctxt);
    *p->ctxt->sax = p->sax;
    p->ctxt->userData = p;
    p->ctxt->options |= XML_PARSE_HUGE; /* its own limits are lower than ours and lose the page */
    xmlDocPtr doc = htmlCtxtReadMemory(p->ctxt, (const char *)t->clean.p, (int)t->clean.n, NULL, "UTF-8",
                                       HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                           HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC | HTML_PARSE_COMPACT);
    xmlFreeDoc(doc); /* there is none: nothing of ours builds it */
    close_all(t, p->open);
    *status = p->status;
    return !p->oom && p->ended && !t->text.oom;
}
