/* ingest/blocks.h - a tree -> the page's blocks of text in order: paragraphs, headings, list items, code with its line
 * breaks, rows of data tables. All text is rendered once; choosing the main text is then a choice of blocks (maintext.h), and
 * writing it puts Markdown's marks around the chosen ones:
 *
 *   heading      "# " to "###### ", by its level
 *   list item    "- " or its number and ". ", two blanks a level; what follows inside an item stands behind a blank line
 *   definition   ": " below its term
 *   quotation    "> " before each line, unless all of the text is one
 *   code         between lines of ``` (more where it has as many), behind the first the language its classes name; verbatim but
 *                for line ends (LF), no-break spaces (blanks) and zero-width spaces (nothing). Without its line numbers and
 *                buttons. Inline code between `. Preformatted prose, such as mail, has no fence.
 *   table        rows of data tables as "| a | b |", behind rows of header cells "| --- | --- |". A bar in a cell is \|, a line
 *                end a blank; a cell that spans others has its text in the first and leaves the others empty, up to 64
 *                columns and 65,534 rows, and 65,536 empty ones in a page, past which rows are written cell by cell. Header rows among the data are rows. Tables of
 *                layout, and those with code or tables in a cell, are written cell by cell.
 *   power, index 10<sup>6</sup> is 10^6, x<sub>1</sub> is x_1, when they are digits and no notes; other small letters stay as they are
 *   formula      $TeX$, set off $$TeX$$, from annotations, MathJax's scripts, alternative texts of pictures. TeX that stands
 *                in the text as such stays as it is.
 *
 * Elsewhere white space is one blank, none where a line end stands between Han, kana or Hangul characters; soft hyphens and
 * zero-width spaces go, joiners (U+200C, U+200D), which spelling needs, stay; so does full-width ASCII. <br><br>, or a line
 * that begins with two ideographic spaces, begins a paragraph.
 *
 * Weight is the measure of text that all thresholds use, in tenths of a Latin letter: a letter 10, a digit 7, a Han, kana or
 * Hangul character 25 (it says what two to three letters say), blanks and punctuation 0. Marks have none. */
#ifndef TAMIS_INGEST_BLOCKS_H
#define TAMIS_INGEST_BLOCKS_H

#include "ingest/html.h"

typedef enum { BLOCK_TEXT, BLOCK_HEADING, BLOCK_ITEM, BLOCK_PRE, BLOCK_ROW } BlockKind;

typedef struct {
    uint32_t node;        /* the innermost block element that holds it */
    uint32_t inner;       /* the innermost element of any kind that its first text is in */
    uint32_t text, bytes; /* in BlockList.text; without the marker */
    uint32_t weight, link_weight;
    uint32_t group;             /* the data table of a row, the <dl> of a term or definition; else 0 */
    uint32_t code;              /* its language in BlockList.code, code_bytes of it */
    uint16_t commas, sentences; /* saturating */
    uint16_t indent;            /* open lists around it, its own among them */
    uint16_t
        number; /* ordered items: one more than their number; headings: their level; rows: their columns; else 0 */
    uint8_t kind, code_bytes;
    bool fenced, header, definition, quoted; /* how it is written: code; a row of header cells … */
    uint8_t phrases, likely, mode; /* maintext.c: kinds of phrases, 64ths, the strictest mode that keeps it */
    bool shed, keep;
    uint32_t end; /* behind it in what blocks_write() wrote; 0: it did not write it */
} Block;

typedef struct {
    Block *block;
    size_t n, cap;
    Buf text;
    Buf code;        /* names of languages */
    Buf indent;      /* private: blanks before the first text of a code block */
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
/* Of well-formed text, and fast. */
uint32_t weight_of_text(Span s);

enum { BLOCKS_DROP = 1, BLOCKS_DROP_IN_CODE = 2 };
/* drop[i] leaves out the subtree of node i; inside of code only what is hidden goes, since the names of token classes look
 * like those of page parts, and what is BLOCKS_DROP_IN_CODE. Errors: memory. */
MUST_USE ErrCode blocks_render(const HtmlTree *t, const uint8_t *drop, BlockList *out, Err *err);
/* Appends the kept blocks: a blank line between blocks, one line end between items of a list and rows of a table. */
void blocks_write(BlockList *list, Buf *out);
void blocklist_clear(BlockList *b);

/* Whether an element starts and ends a line. */
bool blocks_is_block(HtmlTag tag);
/* Whether nobody reads an element's text as part of the page: it is not rendered and has no weight. */
bool blocks_is_silent(HtmlTag tag);

#endif
