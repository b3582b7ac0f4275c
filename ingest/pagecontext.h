/* ingest/pagecontext.h - what is known of a page, its elements and its blocks before any of them is judged; made in two walks, over the tree
 * and over the blocks, with sums from which features (features.h) come in O(1). */
#ifndef TAMIS_INGEST_PAGECONTEXT_H
#define TAMIS_INGEST_PAGECONTEXT_H

#include "ingest/maintext.h"
#include "ingest/pagetype.h"
#include "ingest/textshape.h"

enum { TITLE_LEVELS = 8 };

/* Tags that matter for what is in them: bits behind the hints, in the order of the features t_li and so on. */
/* clang-format off */
#define TAG_BITS(X) \
    X(li) X(td) X(table) X(dl) X(form) X(nav) X(aside) X(header) X(footer) X(article) X(main) X(figure) \
    X(blockquote) X(p) X(section) X(label) X(span) X(small) X(strong) X(a)
/* clang-format on */
#define ONE(tag) BIT_##tag,
enum { BIT_NONE, TAG_BITS(ONE) BIT_END, N_TAG_BITS = BIT_END - 1, TAG_SHIFT = 31 };
#undef ONE

/* Of a node; filled top-down. */
typedef struct NodeContext {
    uint64_t around;  /* hints and tags of it and of those above, without <body> and <html> */
    uint64_t own;     /* of it alone; where no block begins in it, of the one above */
    uint32_t up;      /* the nearest element above with more blocks; 0 for the root */
    uint32_t bad;     /* the outermost element above, or it, whose hints speak against it; 0: none */
    uint32_t good;    /* the innermost that speaks for it */
    uint32_t path;    /* hash of the tags and classes from the root to it */
    uint32_t article; /* the innermost <article> above, or it; 0: none */
} NodeContext;

/* Of all elements with one path, and of the blocks whose innermost element has it. */
typedef struct PathSum {
    uint32_t path, n_nodes, n_blocks, n_good, n_texts;
    uint64_t weight, link;
} PathSum;

/* Of a block; with prefix sums over all blocks before it. */
typedef struct BlockContext {
    uint32_t heading; /* index of the nearest heading before it + 1; 0: none */
    uint32_t good_before, good_behind;
    uint64_t weight_before, link_before, good_weight_before;
    uint32_t top_headings;             /* headings so far as high as the title's */
    uint32_t linked_headings, bylines; /* so far, since the title */
    LdShare ld;
    TextShape shape;
    uint8_t again; /* how often the same text stands on the page; saturating */
    bool title;
} BlockContext;

typedef struct PageContext {
    uint64_t weight, link, good;
    uint32_t n_articles, n_h1, n_headings, n_items, h1_block, forum;
    uint32_t han;         /* percent of the characters, by the weight of their blocks */
    uint32_t type;        /* og:type: 1 article, 2 product, 3 another; 0: none */
    uint32_t ld;          /* types of its JSON-LD, as bits */
    uint32_t twins;       /* blocks of prose with the path that has most of them, by weight; 0: none has two */
    uint32_t title_block; /* the first block that says the page's title; UINT32_MAX: none */
    uint32_t title_in[TITLE_LEVELS]; /* elements around it, each with more blocks than the one before */
    uint32_t lead_block; /* the first prose at or behind the title, where it is likely the main text begins */
    uint32_t lead_in[TITLE_LEVELS];
    uint32_t ld_from, ld_end; /* the blocks that the page's JSON-LD quotes lie between */
    uint32_t about_block;     /* the block that the page's description quotes */
    Span title[2], about;
    uint64_t twins_weight;
    uint32_t root_share;
    uint32_t made; /* by what: bits of MADE_MANUAL and so on */
    /* Sums over the blocks: of their weight in elements with each bit of NodeContext.around, by their kind, of those that end a sentence; of
     * their shapes, times their weight; of their words; how many have each kind of phrase. */
    uint64_t in[64], of_kind[BLOCK_ROW + 1], ending, stops, digits, uppers, words;
    uint32_t phrases[PHRASE_N];
    int16_t features[PAGE_FEATURE_N];
    PageKind kind;
} PageContext;

/* What software made the page. */
enum { MADE_MANUAL = 1, MADE_FORUM = 2, MADE_SHOP = 4, MADE_BLOG = 8 };

/* Gathers it; m's blocks, sums and rules are done. Errors: memory. */
MUST_USE ErrCode pagecontext_read(MainText *m, const HtmlTree *t, Err *err);

/* Of the elements with a path. */
PathSum *pagecontext_path(const MainText *m, uint32_t path);
/* 1 to 6, 0 for what is no heading. */
unsigned pagecontext_heading(const HtmlTree *t, uint32_t node);

/* 8 log2(1 + n), straight between powers of two, rounded down; n < UINT64_MAX. */
static inline unsigned lg(uint64_t n)
{
    const unsigned e = bit_highest(++n);

    /* Eighths: the three bits behind the leading one. */
    return 8 * e + (unsigned)((e >= 3 ? n >> (e - 3) : n << (3 - e)) & 7);
}

static inline int percent(uint64_t part, uint64_t whole) { return whole ? (int)(part * 100 / whole) : 0; }

#endif
