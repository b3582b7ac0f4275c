/* ingest/html_fast.h - what the files of the fast HTML parser share. Private to them. */
#ifndef TAMIS_INGEST_HTML_FAST_H
#define TAMIS_INGEST_HTML_FAST_H

#include "ingest/html_parser.h"
#include "ingest/html_stack.h"

/* Where in a page the parser is. */
typedef enum { BEFORE_HEAD, IN_HEAD, AFTER_HEAD, IN_BODY } Mode;

struct HtmlFast {
    HtmlNames names;
    HtmlStack stack;
    ScanTag tag;
    HtmlTree *t;
    const uint8_t *page;
    size_t page_bytes;
    uint64_t looked_over; /* bytes searched for the end of raw text, comments and drawings */
    Mode mode;
    const uint8_t *noscript_end; /* of one before the body */
    uint32_t html;               /* the page's <html>; 0: none yet */
    bool blank; /* nothing is drawn since the last tag of a block, outside <pre>: blanks are nothing */
    bool no_comment_end, no_svg_end, no_cdata_end, no_gt;
    /* The next end tag of this name, behind the last place that was asked for it; NULL: not asked yet, or none is ahead (no_end). */
    const uint8_t *next_end[HTML_N_ALL_TAGS];
    bool no_end[HTML_N_ALL_TAGS];
};

/* html_tree.c */
/* A text node with the bytes of the page from `from` to `end`. */
void htmlfast_text(HtmlFast *f, const uint8_t *from, const uint8_t *end, bool references);
/* The attributes of the tag read last become those of node i, the last one. */
void htmlfast_attrs(HtmlFast *f, uint32_t i);
/* A node for an element, open. Its attributes are the tag's when `own`. */
void htmlfast_open(HtmlFast *f, unsigned tag, bool own);
/* The body begins, unless it has; `tag` is HTML_body, or HTML_frameset in its place. */
void htmlfast_open_body(HtmlFast *f, unsigned tag, bool own);

/* html_raw.c. Each is at most once asked to search a byte of the page for the same thing. */
/* Whether the content of an element is no markup. */
bool html_tag_is_raw(unsigned tag);
/* The content of such an element, whose start tag was read last and ends at p, and its end tag. One that is never closed (but
 * plaintext) would swallow the page: its content is read as markup. Returns where to go on. */
const uint8_t *htmlfast_raw(HtmlFast *f, const uint8_t *p);
/* Behind the <svg> whose start tag ends at p; when it is never closed, at p. Elements that no drawing holds end it, as in the standard,
 * but below a foreignObject. */
const uint8_t *htmlfast_skip_svg(HtmlFast *f, const uint8_t *p);
/* Behind the comment, declaration or CDATA that starts at p. What is never closed is text from behind its opening on. */
const uint8_t *htmlfast_declaration(HtmlFast *f, const uint8_t *p);
/* The next end tag of an element from p on; NULL: none. */
const uint8_t *htmlfast_next_end(HtmlFast *f, const uint8_t *p, unsigned tag);

#endif
