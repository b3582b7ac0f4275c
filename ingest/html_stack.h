/* ingest/html_stack.h - the tree under construction: its nodes and the elements that are open. Private to the HTML parser,
 * but for what is known of elements, which the renderer asks too.
 *
 * The standard asks "is there an open p, with no table cell above it" by walking the open elements. Here every open element
 * remembers the one of its tag below it, and the innermost of each kind of barrier: each question is two comparisons of positions,
 * however deep a page is nested. The stack itself has no limit but the number of nodes; elements deeper than HTML_FLAT_DEPTH
 * become leaves whose content follows them. */
#ifndef TAMIS_INGEST_HTML_STACK_H
#define TAMIS_INGEST_HTML_STACK_H

#include "ingest/html_scan.h"

/* What the parser knows of an element. */
enum {
    TAG_VOID = 1 << 0,     /* has no end tag */
    TAG_BLOCK = 1 << 1,    /* starts and ends a line: blanks beside its tags are nothing */
    TAG_CLOSES_P = 1 << 2, /* its start tag ends an open paragraph */
    TAG_SPECIAL = 1 << 3,  /* end tags of inline elements do not reach through it */
    TAG_STOP = 1 << 4,  /* … and the start of an item does not end one outside of it: special but div, p, address */
    TAG_SCOPE = 1 << 5, /* no end tag reaches through it but of what tables are made of */
    TAG_HEADING = 1 << 6,
    TAG_IMPLIED = 1 << 7, /* its end tag may be left out */
    TAG_HEAD = 1 << 8,    /* may stand in the head */
    TAG_NEUTRAL = 1 << 9, /* nothing is drawn where it stands */
    TAG_SILENT = 1 << 10  /* its content is not read as part of the page; never closed, it would swallow the rest */
};
extern const uint16_t html_tag_traits[HTML_N_ALL_TAGS];

typedef struct {
    uint32_t node, name;                 /* `name` tells elements apart whose tag is HTML_OTHER */
    uint32_t same, special, stop, scope; /* what the stack's members of these names were before */
    uint8_t tag;
} OpenTag;

typedef struct {
    HtmlTree *t;
    OpenTag *open;
    size_t depth, cap; /* open[0] is the root */
    /* Positions in `open` of the innermost of a tag, and of a trait; 0 is none (or the root). */
    uint32_t last[HTML_N_ALL_TAGS];
    uint32_t special, stop, scope;
    uint64_t work;  /* nodes made, elements opened, closed and looked at */
    bool full, oom; /* there is no room for another node: HTML_MAX_NODES, or memory */
} HtmlStack;

enum { NO_NODE = UINT32_MAX };

/* Starts a tree at its root; the stack's memory is kept. */
void htmlstack_start(HtmlStack *s, HtmlTree *t);
void htmlstack_clear(HtmlStack *s);
/* A node below the innermost open element; NO_NODE when there is no room. Its attributes follow by htmlstack_attr(). */
uint32_t htmlstack_node(HtmlStack *s, unsigned tag);
void htmlstack_attr(HtmlStack *s, unsigned attr, uint32_t text, uint32_t bytes);
/* Opens node `i`. */
void htmlstack_push(HtmlStack *s, uint32_t i, unsigned tag, uint32_t name);
/* Closes the elements from position `at` on. */
void htmlstack_pop_to(HtmlStack *s, uint32_t at);
/* The open element at `at` ends although blocks in it do not: they are closed with it and opened anew behind it. */
void htmlstack_end_around(HtmlStack *s, uint32_t at);
/* The position of the innermost open element of a tag and name; 0: none. */
uint32_t htmlstack_find(HtmlStack *s, unsigned tag, uint32_t name);
/* The page ends. */
void htmlstack_finish(HtmlStack *s);

static inline unsigned htmlstack_top(const HtmlStack *s) { return s->open[s->depth - 1].tag; }

#endif
