/* ingest/blocks.h - a tree -> the page's blocks of text in order: paragraphs, headings, list items with their markers,
 * preformatted text with its line breaks, rows of data tables. All text is rendered once; choosing the main text is then a
 * choice of blocks (maintext.h).
 *
 * Weight is the measure of text that all thresholds use, in tenths of a Latin letter: a letter 10, a digit 7, a Han, kana or
 * Hangul character 25 (it says what two to three letters say), blanks and punctuation 0. */
#ifndef TAMIS_INGEST_BLOCKS_H
#define TAMIS_INGEST_BLOCKS_H

#include "ingest/html.h"

typedef enum { BLOCK_TEXT, BLOCK_HEADING, BLOCK_ITEM, BLOCK_PRE, BLOCK_ROW } BlockKind;

typedef struct {
    uint32_t node;        /* the innermost block element that holds it */
    uint32_t text, bytes; /* in BlockList.text; without the marker */
    uint32_t weight, link_weight;
    uint16_t commas, sentences; /* saturating */
    uint16_t indent;            /* list items: levels above; other blocks inside an item: as deep as its text */
    uint16_t number;            /* ordered items: their number; else 0 */
    uint8_t kind;
    bool boilerplate, keep; /* maintext.c decides */
} Block;

typedef struct {
    Block *block;
    size_t n, cap;
    Buf text;
    uint32_t *first; /* per node: index of the first block at or behind it; n_nodes + 1 entries. Node i has the blocks
                           [first[i], first[node[i].end]) */
    size_t cap_first;
    struct OpenElement *stack; /* while rendering; HTML_MAX_DEPTH + 2 of them */
} BlockList;

/* Weight of one code point. */
static inline uint32_t weight_of(uint32_t cp)
{
    if (cp < 0x80) return ascii_is_alpha((uint8_t)cp) ? 10 : ascii_is_digit((uint8_t)cp) ? 7 : 0;
    if ((cp >= 0x3400 && cp <= 0x9fff) || (cp >= 0x3041 && cp <= 0x30ff) || (cp >= 0xac00 && cp <= 0xd7a3) ||
        (cp >= 0x20000 && cp <= 0x3ffff))
        return 25;
    if (cp < 0xc0 || (cp >= 0x2000 && cp <= 0x2bff) || (cp >= 0x3000 && cp <= 0x303f) ||
        (cp >= 0xfe30 && cp <= 0xfe4f) || (cp >= 0xff00 && cp <= 0xff0f) || cp == 0xfffd)
        return 0;
    return 10;
}

/* drop[i] leaves out the subtree of node i. Errors: memory. */
MUST_USE ErrCode blocks_render(const HtmlTree *t, const uint8_t *drop, BlockList *out, Err *err);
/* Appends the kept blocks: a blank line between blocks, one line end between items of a list and rows of a table. */
void blocks_write(const BlockList *list, Buf *out);
void blocklist_clear(BlockList *b);

/* Whether an element starts and ends a line. */
bool blocks_is_block(HtmlTag tag);
/* Whether nobody reads an element's text as part of the page: it is not rendered and has no weight. */
bool blocks_is_silent(HtmlTag tag);

#endif
