#include "ingest/html.h"

#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <pthread.h>
#include <stdlib.h>

static const char *const tag_names[HTML_N_TAGS] = {"", "",
#define HTML_TAG_NAME(name) #name,
                                                   HTML_TAGS(HTML_TAG_NAME)
#undef HTML_TAG_NAME
};

HtmlTag html_tag_of(const char *name)
{
    int lo = HTML_OTHER + 1, hi = HTML_N_TAGS; /* the names are sorted */

    while (lo < hi) {
        int mid = (lo + hi) / 2, c = strcmp(name, tag_names[mid]);
        if (c == 0) return (HtmlTag)mid;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return HTML_OTHER;
}

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

/* The attributes that are looked at; the others do not reach the parser. The first are HtmlAttr's, in its order. */
enum {
    ATTR_HIDDEN = HTML_N_ATTRS,
    ATTR_ARIA_HIDDEN,
    ATTR_STYLE,
    ATTR_PROPERTY,
    ATTR_HTTP_EQUIV,
    ATTR_DATA_LANGUAGE,
    N_KEPT
};
static const char *const kept_attrs[N_KEPT] = {
    "class",   "id",        "role",     "name",        "content", "itemprop", "lang",       "start",
    "href",    "rel",       "datetime", "type",        "alt",     "alttext",  "display",    "colspan",
    "rowspan", "data-lang", "hidden",   "aria-hidden", "style",   "property", "http-equiv", "data-language"};

/* The index of an attribute's name, or N_KEPT. */
static int attr_of(Span name)
{
    int a = 0;

    while (a < N_KEPT && !(ascii_lower(name.n ? name.p[0] : 0) == (uint8_t)kept_attrs[a][0] &&
                           span_eq_nocase(name, span_str(kept_attrs[a]))))
        a++;
    return a;
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
        if (attr_of(key) < N_KEPT && n_attrs++ < HTML_MAX_ATTRIBUTES) put_attr(out, key, value);
    }
    buf_putc(out, '>');
    return i < s.n ? i + 1 : i;
}

static void keep_json_ld(HtmlTree *t, Span tag, Span content)
{
    Span kind = SPAN_LIT("ld+json");

    if (find_bytes(tag, 0, kind) == tag.n || content.n >= HTML_MAX_JSON_LD - t->json_ld.n) return;
    buf_put_span(&t->json_ld, content);
    buf_putc(&t->json_ld, 0);
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
        keep_json_ld(t, tag, content);
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

struct HtmlParser {
    htmlParserCtxtPtr ctxt;
    htmlSAXHandler sax;
    HtmlTree *t;
    uint32_t open; /* the innermost open element */
    HtmlStatus status;
    bool oom, ended;   /* no memory; the parser came to the end of the page */
    uint64_t searched; /* against HTML_MAX_SEARCH */
};

static void stop(HtmlParser *b, HtmlStatus status)
{
    b->status = status;
    xmlStopParser(b->ctxt);
}

/* Appends a node under the open element; UINT32_MAX when parsing has been stopped. */
static uint32_t add_node(HtmlParser *b, HtmlTag tag)
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

/* Whether a style hides: the property names without blanks. */
static bool style_hides(const char *style)
{
    char squeezed[256];
    size_t n = 0;

    for (; *style && n + 1 < sizeof squeezed; style++)
        if (!ascii_is_space((uint8_t)*style)) squeezed[n++] = (char)ascii_lower((uint8_t)*style);
    squeezed[n] = 0;
    return strstr(squeezed, "display:none") || strstr(squeezed, "visibility:hidden");
}

static void add_attr(HtmlParser *b, HtmlNode *node, const char *name, const char *value)
{
    HtmlTree *t = b->t;
    int a = attr_of(span_str(name));
    size_t n = value ? strlen(value) : 0;

    switch (a) {
    case ATTR_HIDDEN: node->hidden = true; return;
    case ATTR_ARIA_HIDDEN: node->hidden |= value && !strcmp(value, "true"); return;
    case ATTR_STYLE: node->hidden |= value && style_hides(value); return;
    case ATTR_PROPERTY: /* <meta property="og:…"> */
    case ATTR_HTTP_EQUIV: a = HTML_NAME; break;
    case ATTR_DATA_LANGUAGE: a = HTML_DATA_LANG; break;
    case N_KEPT: return;
    default: break;
    }
    HtmlAttrValue *room = array_grow(t->attr, t->n_attrs, &t->cap_attrs, sizeof *room);
    if (!room) {
        b->oom = true;
        return;
    }
    t->attr = room;
    t->attr[t->n_attrs++] = (HtmlAttrValue){.attr = (uint8_t)a, .text = (uint32_t)t->text.n, .bytes = (uint32_t)n};
    buf_put(&t->text, value, n);
}

static void on_start(void *user, const xmlChar *name, const xmlChar **atts)
{
    HtmlParser *b = user;
    uint32_t i = add_node(b, html_tag_of((const char *)name));

    if (i == UINT32_MAX) return;
    for (; atts && atts[0]; atts += 2) add_attr(b, &b->t->node[i], (const char *)atts[0], (const char *)atts[1]);
    b->open = i;
}

static void on_end(void *user, const xmlChar *name)
{
    HtmlParser *b = user;
    HtmlTree *t = b->t;

    (void)name; /* the parser closes in the order of opening */
    if (b->status != HTML_FINE || t->n_nodes == 0) return;
    t->node[b->open].end = (uint32_t)t->n_nodes;
    b->open = t->node[b->open].parent;
}

static void on_text(void *user, const xmlChar *text, int len)
{
    HtmlParser *b = user;
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
    HtmlParser *b = user;

    if (error->code == XML_ERR_NO_MEMORY) b->oom = true;
    if (error->code != XML_ERR_TAG_NAME_MISMATCH || b->status != HTML_FINE) return;
    b->searched += b->t->node[b->open].depth;
    if (b->searched > HTML_MAX_SEARCH) stop(b, HTML_TOO_DEEP);
}

static void on_end_of_page(void *user) { ((HtmlParser *)user)->ended = true; }

static pthread_once_t init_once = PTHREAD_ONCE_INIT;

ErrCode htmlparser_new(HtmlParser **out, Err *err)
{
    HtmlParser *p = calloc(1, sizeof *p);

    *out = NULL;
    if (!p) return err_nomem(err, "an HTML parser");
    pthread_once(&init_once, xmlInitParser);
    p->ctxt = htmlNewParserCtxt();
    if (!p->ctxt) {
        free(p);
        return err_nomem(err, "an HTML parser");
    }
    p->sax.startElement = on_start;
    p->sax.endElement = on_end;
    p->sax.characters = on_text;
    p->sax.ignorableWhitespace = on_text;
    p->sax.cdataBlock = on_text;
    p->sax.endDocument = on_end_of_page;
    p->sax.serror = on_error;
    p->sax.initialized = XML_SAX2_MAGIC;
    *out = p;
    return ERR_OK;
}

void htmlparser_free(HtmlParser *p)
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

ErrCode htmlparser_parse(HtmlParser *p, Span utf8, HtmlTree *t, HtmlStatus *status, Err *err)
{
    t->n_nodes = t->n_attrs = 0;
    buf_reset(&t->text);
    buf_reset(&t->json_ld);
    *status = utf8.n > HTML_MAX_BYTES ? HTML_TOO_LARGE : HTML_FINE;
    if (*status != HTML_FINE) return ERR_OK;
    clean(t, utf8);
    if (t->clean.oom || !buf_reserve(&t->text, 1))
        return err_nomem(err, "a page"); /* spans of no bytes point into it too */
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
    if (p->oom || !p->ended || t->text.oom || t->json_ld.oom) return err_nomem(err, "a page");
    return ERR_OK;
}

void htmltree_clear(HtmlTree *t)
{
    free(t->node);
    free(t->attr);
    buf_clear(&t->text);
    buf_clear(&t->json_ld);
    buf_clear(&t->clean);
    *t = (HtmlTree){0};
}

Span html_attr(const HtmlTree *t, uint32_t node, HtmlAttr attr)
{
    size_t end = node + 1 < t->n_nodes ? t->node[node + 1].attrs : t->n_attrs;

    for (size_t i = t->node[node].attrs; i < end; i++)
        if (t->attr[i].attr == attr) return span(t->text.p + t->attr[i].text, t->attr[i].bytes);
    return (Span){NULL, 0};
}
