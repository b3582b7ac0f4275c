/* ingest/selector.h - CSS selectors over our trees: the subset of Selectors Level 4 (w3.org/TR/selectors-4) that rules for sites need.
 *
 *   list       selectors with commas between; an element matches when one of them does
 *   selector   compounds; a blank between two: the right one is below the left; '>': right below
 *   compound   a tag's name or '*' or nothing, then tests: .class #id [attr] [attr=value] [attr~=word] [attr^=begin] [attr$=end]
 *              [attr*=part] [attr|=value, or value-]
 *   value      a name or a string in " or '; in names and strings a backslash takes the character behind it as it is
 *
 * Tags and names of attributes are compared apart from case, all else byte by byte. Names may begin with digits; no code points by number, no
 * pseudo-classes, no '+' and '~'. A tag has to be one that the tree tells from others, an attribute one that it keeps (html.h).
 *
 * All selectors of a page are matched together while the tree is walked once: a bit a compound says whether the beginning of the selector
 * up to it fits a path that ends at the element. So the time is linear in elements times compounds, whatever they are. */
#ifndef TAMIS_INGEST_SELECTOR_H
#define TAMIS_INGEST_SELECTOR_H

#include "ingest/html.h"

enum {
    SELECTOR_MAX_TESTS = 16,  /* of a compound; nobody writes more */
    SELECTOR_MAX_PARTS = 1024 /* compounds that are matched together: 256 bytes of bits a level of the tree */
};

typedef enum {
    SELECTOR_HAS,
    SELECTOR_IS,
    SELECTOR_WORD,
    SELECTOR_BEGINS,
    SELECTOR_ENDS,
    SELECTOR_HOLDS,
    SELECTOR_DASH
} SelectorOp;

typedef struct {
    uint8_t attr, op;      /* HtmlAttr, SelectorOp */
    uint32_t value, bytes; /* in Selectors.text */
} SelectorTest;

/* A compound. Those of a selector follow each other. */
typedef struct {
    uint64_t need; /* bits by hash of the classes and ids that it asks for */
    uint32_t test;
    uint8_t n_tests, tag;    /* tag: HTML_TEXT is any */
    bool first, child, last; /* child: of an element that the part before matches; else below one */
} SelectorPart;

/* Zero-initialise. */
typedef struct {
    SelectorPart *part;
    SelectorTest *test;
    size_t n_parts, cap_parts, n_tests, cap_tests;
    Buf text;
} Selectors;
void selectors_clear(Selectors *s);
/* Appends the selectors of a list. ERR_DATA with what is wrong, *s is then fit to be cleared only; ERR_NOMEM. */
MUST_USE ErrCode selectors_add(Selectors *s, Span list, Err *err);

/* Matching of one thread; zero-initialise. */
typedef struct {
    uint32_t part[SELECTOR_MAX_PARTS]; /* in Selectors: those that are matched, of whole selectors */
    uint32_t n;
    uint64_t *bits; /* per level: which match there, which match there or above */
    size_t cap_bits;
    uint64_t child[SELECTOR_MAX_PARTS / 64], last[SELECTOR_MAX_PARTS / 64], found[SELECTOR_MAX_PARTS / 64];
    uint64_t first[64 + 1][SELECTOR_MAX_PARTS /
                           64]; /* the first of selectors, by the lowest bit that they need; at last those without */
} SelectorMatch;
void selectormatch_clear(SelectorMatch *m);
/* Before the first element of a tree: m->part and m->n are set. Errors: memory. */
MUST_USE ErrCode selectormatch_begin(SelectorMatch *m, const Selectors *s, const HtmlTree *t, Err *err);
/* Elements in document order; of an element that is left out, all below it are. Returns SELECTOR_MAX_PARTS / 64 words or less, (n + 63) / 64,
 * with a bit for each of m->part that is the last of a selector that matches. Valid until the next call. */
const uint64_t *selectormatch_node(SelectorMatch *m, const Selectors *s, const HtmlTree *t, uint32_t node);

#endif
