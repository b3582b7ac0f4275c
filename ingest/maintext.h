/* ingest/maintext.h - which blocks of a page are its main text.
 *
 * 1. Hidden elements go, unless they hold much of the page or are in what is shed. Navigation, asides, site headers and footers, and elements
 *    whose class or id says advertisement, share, related, comments, cookies … are shed: they count for nothing in 3.
 * 2. The page is rendered into blocks (blocks.h). Lists and tables that are mostly links count as links.
 * 3. Each block gets a value: prose is worth its weight, links and scraps cost (link density and text density after
 *    Kohlschuetter, Fankhauser & Nejdl 2010, weights that count Han characters as words do). The root is the element whose
 *    blocks' values sum to most; it grows to its parent while it holds too little of the page's prose.
 * 4. What is known of the page tells its type (pagetype.h). That, and what is known of each block (features.h: itself, its elements, its
 *    neighbours, the root, the title, the story that begins there, what the page's JSON-LD quotes) goes to a model (blockmodel.h),
 *    trained on pages whose main text people have marked; it says how likely the block is main text. Its neighbours say a little, too,
 *    and the rows of a table are judged together.
 * 5. Kept is what is likelier than a threshold: the one at which the F1 of this page is expected to be greatest. On a page whose
 *    blocks are sure that is about a half; where nothing is sure, less. Other modes weigh recall twice less or sixteen times
 *    more. The page's confidence is the F1 that pages had, when they were held back from the training, of whose balanced mode as much was
 *    expected.
 * 6. A page with hardly any text gives the articleBody of its JSON-LD instead, when that says more.
 *
 * Rules of the user's for the page's site come as marks of nodes (siterules.h) and go before all this: elements marked to be dropped are not
 * there, those to be kept are kept in all modes, and where some are marked as the main text, with text in them, nothing is judged: all of
 * theirs that is not hidden is the text. */
#ifndef TAMIS_INGEST_MAINTEXT_H
#define TAMIS_INGEST_MAINTEXT_H

#include "ingest/blocks.h"
#include "ingest/classhints.h"
#include "ingest/ldtext.h"
#include "ingest/phrases.h"

/* How much evidence a block needs. Each keeps what the one before keeps, and more. */
typedef enum { MAINTEXT_PRECISION, MAINTEXT_BALANCED, MAINTEXT_RECALL, MAINTEXT_ALL } MainMode;
extern const char *const maintext_modes[MAINTEXT_ALL + 2]; /* their names, then NULL */

/* What site rules say of an element. */
enum {
    MARK_DROP = 1,
    MARK_MAIN = 2,
    MARK_KEEP = 4,
    MARK_AROUND = 8 /* something in it has one of the two before */
};

/* Scratch of one thread; zero-initialise. */
typedef struct {
    /* Of the next page, set by the caller, borrowed: */
    const uint8_t *mark; /* per node, MARK_*; NULL: there are no rules for it */
    Span url;            /* its address, which says something of its type; empty: not known */
    BlockList blocks;
    Buf json;
    uint32_t *hints;             /* per node */
    uint8_t *drop;               /* per node: not rendered */
    uint8_t *shed;               /* per node: outermost elements that step 1 takes for no main text */
    struct NodeContext *context; /* per node (pagecontext.h, as the next three) */
    struct PathSum *path;        /* a table of path_mask + 1 */
    struct BlockContext *around; /* per block */
    struct PageContext *page;
    LdText ld; /* what the page's JSON-LD says */
    size_t cap_context, cap_path, cap_around;
    uint32_t path_mask;
    uint32_t root, n_forum;
    bool foreign;        /* the last page's text came from its JSON-LD */
    bool by_rules;       /* … from elements of MARK_MAIN; then there is no confidence */
    int type;            /* of the last page (PageType); not set where by_rules */
    unsigned confidence; /* … percent: the F1 that its balanced text is expected to have; not set where by_rules */
    PhraseIndex phrases;
    HintIndex words;
    uint32_t *weight, *link; /* per node + 1: weight of text before it, of linked text before it */
    int64_t *value;          /* per block + 1: prefix sums */
    size_t cap_nodes, cap_blocks;
    bool forum; /* many elements call themselves thread, post, answer: comments are content */
} MainText;
void maintext_clear(MainText *m);

/* Whether a block is prose: long enough, few links. */
bool maintext_is_prose(const Block *b);

/* The text of the last page by the strictest mode that keeps it, as JSON: [[mode, end],…], each the mode of the bytes from the end before
 * to its own, counted from `begin` bytes behind where the text began in `out` when that was empty. */
void maintext_put_modes(const MainText *m, size_t begin, Buf *out);

/* Appends the main text of the page, "" when it has none. Errors: memory. */
MUST_USE ErrCode maintext_extract(MainText *m, const HtmlTree *t, MainMode mode, Buf *out, Err *err);

#endif
