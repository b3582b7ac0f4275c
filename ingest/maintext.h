/* ingest/maintext.h - which blocks of a page are its main text.
 *
 * 1. Hard drops, top-down: hidden elements, navigation, asides, site headers and footers, and elements whose class or id
 *    says advertisement, share, related, comments, cookies … A drop that would take most of the page's text is not made.
 * 2. The rest is rendered into blocks (blocks.h). Lists and tables that are mostly links are put aside.
 * 3. Each block gets a value: prose is worth its weight, links and scraps cost (link density and text density after
 *    Kohlschuetter, Fankhauser & Nejdl 2010, weights that count Han characters as words do).
 * 4. The root is the element whose blocks' values sum to most; it grows to its parent when that adds prose. Where good
 *    blocks outside it outweigh it (forums, pages of several articles), all good blocks of the page are taken.
 * 5. Inside it, blocks of links, boilerplate phrases and by-lines go; the ends are trimmed to the first and last prose.
 * 6. A page with hardly any text gives the articleBody of its JSON-LD instead, when that says more. */
#ifndef TAMIS_INGEST_MAINTEXT_H
#define TAMIS_INGEST_MAINTEXT_H

#include "ingest/blocks.h"

/* Scratch of one thread; zero-initialise. */
typedef struct {
    BlockList blocks;
    Buf json;
    uint32_t *hints;         /* per node */
    uint8_t *drop;           /* per node */
    uint32_t *weight, *link; /* per node + 1: weight of text before it, of linked text before it */
    int64_t *value;          /* per block + 1: prefix sums */
    size_t cap_nodes, cap_blocks;
    bool forum; /* many elements call themselves thread, post, answer: comments are content */
} MainText;
void maintext_clear(MainText *m);

/* Appends the main text of the page, "" when it has none. Errors: memory. */
MUST_USE ErrCode maintext_extract(MainText *m, const HtmlTree *t, Buf *out, Err *err);

#endif
