/* ingest/html.h - HTML in UTF-8 -> a flat tree of our own.
 *
 * The tree is an array in document order: a node's subtree is [i, node[i].end), its children follow each other from i + 1
 * by their `end`s. Walking it needs no recursion, so depth is a number and not a stack. Node 0 is the root, above the page's
 * <html>. A run of text may be several nodes that follow each other.
 *
 * Two parsers make it. `fast` (html_tree.c) is a tokenizer and tree builder of our own, one pass, time linear in the bytes; it
 * follows the HTML standard (whatwg.org, section 13.2, scripts off) but for what is named here:
 * - Formatting elements that a block ends are not opened anew in the next one, nor is what crosses them moved (no "adoption agency");
 *   only links end where their end tag or the next link says so. Text between the rows of a table stays where it stands.
 * - What is never closed does not swallow the page: a comment, script, style, textarea or drawing loses its tag, a title ends at the next
 *   tag, a style with the head, a select before the next block, a quote at the next '>'. Elements that are open at the end of the
 *   page and hide what is in them (a template, a button, a video) are HTML_OTHER, and links are spans.
 * - Elements deeper than HTML_FLAT_DEPTH become leaves, and their content follows them.
 * - Blanks beside tags of blocks are left out, outside <pre>, but for those in a line with text: nothing draws them. No implied <tbody> is made, nor an empty head.
 * - A short <noscript> before the body holds what is in it.
 * - Drawings (svg) are left out; in math, only blocks end it.
 * - Controls, in the bytes or as references, are blanks.
 * `libxml2` (html_libxml2.c) is libxml2's HTML 4 parser by SAX over cleaned bytes: the other opinion, for comparisons.
 *
 * In both, contents of script, style, svg and comments are no text. Of scripts two kinds are kept: JSON-LD goes aside, and TeX
 * (type math/tex) is a text node below its HTML_script. */
#ifndef TAMIS_INGEST_HTML_H
#define TAMIS_INGEST_HTML_H

#include "core/buf.h"

enum {
    HTML_MAX_BYTES = 8 << 20,     /* of a page in UTF-8; 99.99 % of pages have less */
    HTML_MAX_NODES = 1 << 20,     /* 8 bytes of markup a node at that size */
    HTML_FLAT_DEPTH = 512,        /* what browsers flatten at */
    HTML_MAX_TAG_ATTRIBUTES = 64, /* of those that are looked at; more are ignored */
    /* Bytes kept of class, id, role and type each: those of all elements above are asked by what is below them. Classes that are
     * longer, of tools that write every style as one, come to some 3,000. */
    HTML_MAX_NAMES = 4 << 10,
    HTML_MAX_JSON_LD = 1 << 20, /* bytes kept of <script type="application/ld+json"> */

    /* Of libxml2. */
    HTML_MAX_DEPTH = 4096, /* of any tree; beyond it a page is hostile */
    /* Open elements that end tags of none of them were compared with: libxml2 looks at all for each, and 2 million such tags
     * below 4,000 elements take half a minute. Broken pages come to some 10^5. */
    HTML_MAX_SEARCH = 1 << 28,
    HTML_MAX_ATTRIBUTES = 256 /* a tag; repeated ones are looked for in quadratic time */
};

/* Elements that the main text looks at; all others are HTML_OTHER. (clang-format 14 never settles on this list.) */
/* clang-format off */
#define HTML_TAGS(X) \
    X(a) X(abbr) X(address) X(annotation) X(applet) X(area) X(article) X(aside) X(audio) X(b) X(base) \
    X(blockquote) X(body) X(br) X(button) X(canvas) X(caption) X(center) X(cite) X(code) X(col) X(colgroup) \
    X(dd) X(del) X(details) X(dialog) X(dir) X(div) X(dl) X(dt) X(em) X(embed) X(fieldset) X(figcaption) \
    X(figure) X(font) X(footer) X(form) X(frame) X(frameset) X(h1) X(h2) X(h3) X(h4) X(h5) X(h6) X(head) \
    X(header) X(hgroup) X(hr) X(html) X(i) X(iframe) X(img) X(input) X(ins) X(kbd) X(label) X(legend) X(li) \
    X(link) X(main) X(map) X(mark) X(math) X(menu) X(meta) X(nav) X(noscript) X(object) X(ol) X(optgroup) \
    X(option) X(p) X(param) X(picture) X(pre) X(q) X(rp) X(rt) X(ruby) X(s) X(samp) X(script) X(section) \
    X(select) X(small) X(source) X(span) X(strong) X(style) X(sub) X(summary) X(sup) X(svg) X(table) X(tbody) \
    X(td) X(template) X(textarea) X(tfoot) X(th) X(thead) X(time) X(title) X(tr) X(tt) X(u) X(ul) X(var) \
    X(video) X(wbr)
/* clang-format on */

#define HTML_TAG_ENUM(name) HTML_##name,
typedef enum { HTML_TEXT, HTML_OTHER, HTML_TAGS(HTML_TAG_ENUM) HTML_N_TAGS } HtmlTag;
#undef HTML_TAG_ENUM

/* Attributes that are kept. Class and id come as one string each; `property` and `http-equiv` come as HTML_NAME,
 * data-language as HTML_DATA_LANG, `encoding` (of annotations in math) as HTML_TYPE, `value` (of items) as HTML_START. */
typedef enum {
    HTML_CLASS,
    HTML_ID,
    HTML_ROLE,
    HTML_NAME,
    HTML_CONTENT,
    HTML_ITEMPROP,
    HTML_LANG,
    HTML_START,
    HTML_HREF,
    HTML_REL,
    HTML_DATETIME,
    HTML_TYPE,
    HTML_ALT,
    HTML_ALTTEXT, /* of <math>: its TeX */
    HTML_DISPLAY, /* of <math>: "block" or "inline" */
    HTML_COLSPAN,
    HTML_ROWSPAN,
    HTML_DATA_LANG, /* data-lang, data-language: of code */
    HTML_N_ATTRS
} HtmlAttr;

typedef struct {
    uint32_t parent, end;      /* the root (node 0, tag HTML_html) is its own parent */
    uint32_t text, text_bytes; /* HTML_TEXT: in HtmlTree.text; with entities decoded */
    uint32_t attrs; /* index of its first HtmlAttrValue; those of a node follow each other, the next node's begin */
    uint16_t depth;
    uint8_t tag;
    bool hidden; /* hidden, aria-hidden="true", style with display:none or visibility:hidden */
} HtmlNode;

typedef struct {
    uint8_t attr;
    uint32_t text, bytes;
} HtmlAttrValue;

typedef struct {
    HtmlNode *node;
    size_t n_nodes, cap_nodes;
    HtmlAttrValue *attr;
    size_t n_attrs, cap_attrs;
    Buf text;       /* texts and attribute values, among other bytes of the page */
    Buf json_ld;    /* contents of JSON-LD scripts, each with a NUL behind it */
    bool truncated; /* HTML_MAX_NODES was reached: the tree is the beginning of the page */
    Buf clean;      /* private: the cleaned bytes */
} HtmlTree;

/* The fast parser refuses only pages beyond HTML_MAX_BYTES. */
typedef enum { HTML_FINE, HTML_TOO_LARGE, HTML_TOO_DEEP } HtmlStatus;

typedef enum { HTML_PARSER_FAST, HTML_PARSER_LIBXML2, HTML_N_PARSERS } HtmlParserKind;
extern const char *const html_parser_names[HTML_N_PARSERS + 1]; /* ends with NULL */

typedef struct HtmlParser HtmlParser; /* of one thread */
MUST_USE ErrCode htmlparser_new(HtmlParser **p, HtmlParserKind kind, Err *err);
void htmlparser_free(HtmlParser *p);
/* Parses well-formed UTF-8 into the tree (replaced; its memory is reused). Errors are lack of memory alone. */
MUST_USE ErrCode htmlparser_parse(HtmlParser *p, Span utf8, HtmlTree *t, HtmlStatus *status, Err *err);
/* What the fast parser did for the last page beside reading each byte once: nodes made, elements opened, closed and looked at, and bytes
 * searched for the end of something. Tests hold it linear. */
uint64_t htmlparser_work(const HtmlParser *p);
void htmltree_clear(HtmlTree *t);

/* An attribute's value; empty with p == NULL when absent. */
Span html_attr(const HtmlTree *t, uint32_t node, HtmlAttr attr);
static inline Span html_text(const HtmlTree *t, uint32_t node)
{
    return (Span){t->text.p + t->node[node].text, t->node[node].text_bytes};
}
const char *html_tag_name(HtmlTag tag); /* "" for HTML_TEXT and HTML_OTHER */
/* The tag of an element name in lower case. */
HtmlTag html_tag_of(const char *name);
/* The attribute of a name in lower case, HTML_N_ATTRS when it is not kept. */
HtmlAttr html_attr_of(const char *name);

#endif
