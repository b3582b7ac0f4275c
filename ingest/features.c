#include "ingest/features.h"

#include "core/utf8.h"
#include "ingest/classhints.h"
#include "ingest/metadata.h"
#include "ingest/phrases.h"

#include <stdlib.h>

#define FEATURE_NAME(name) #name,
const char *const feature_names[FEATURE_N] = {FEATURES(FEATURE_NAME)};
#undef FEATURE_NAME

enum {
    LOOK_BYTES = 400, /* of a block's text are looked at: what follows says no more */
    MAX_PROBES = 32,  /* in the table of paths; then another's place is shared */
    CLASS_BYTES = 48, /* of a class count for the path */
    TITLE_LEVELS = 8,
    ABOUT_BYTES = 24, /* a description that begins as a block does with so many bytes quotes it */
    NEAR_BLOCKS = 4,  /* blocks before and behind that make up the surroundings */
    WIDE_BLOCKS = 16
};

/* Tags that matter for what is in them: bits behind the hints, in the order of the features t_li and so on. */
/* clang-format off */
#define TAG_BITS(X) \
    X(li) X(td) X(table) X(dl) X(form) X(nav) X(aside) X(header) X(footer) X(article) X(main) X(figure) \
    X(blockquote) X(p) X(section) X(label) X(span) X(small) X(strong) X(a)
/* clang-format on */
#define ONE(tag) BIT_##tag,
enum { BIT_NONE, TAG_BITS(ONE) BIT_END, N_TAG_BITS = BIT_END - 1, TAG_SHIFT = 31 };
#undef ONE
#define ONE(tag) [HTML_##tag] = BIT_##tag,
static const uint8_t tag_bit[HTML_N_TAGS] = {TAG_BITS(ONE)};
#undef ONE

/* Of a node; filled top-down. */
typedef struct NodeContext {
    uint64_t around; /* hints and tags of it and of those above, without <body> and <html> */
    uint64_t own;    /* of it alone */
    uint32_t up;     /* the nearest element above with more blocks; 0 for the root */
    uint32_t bad;    /* the outermost element above, or it, whose hints speak against it; 0: none */
    uint32_t good;   /* the innermost that speaks for it */
    uint32_t path;   /* hash of the tags and classes from the root to it */
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
    uint32_t hash;
    uint64_t weight_before, link_before, good_weight_before;
    uint32_t top_headings; /* headings so far as high as the title's */
    uint8_t words, stops, digits, uppers, han, ending, opening, again;
    bool title;
} BlockContext;

typedef struct PageContext {
    uint64_t weight, link, good, in_p;
    uint32_t n_articles, n_h1, n_headings, n_items, h1_block, forum, han, type, ld, twins;
    uint32_t title_block;            /* the first block that says the page's title; UINT32_MAX: none */
    uint32_t title_in[TITLE_LEVELS]; /* elements around it, each with more blocks than the one before */
    uint32_t about_block;            /* the block that the page's description quotes */
    Span title[2], about;
    uint64_t twins_weight;
    uint32_t root_share;
} PageContext;

static unsigned lg(uint64_t n)
{
    unsigned e = 0;

    n++;
    for (uint64_t v = n; v > 1; v >>= 1) e++;
    /* Eighths: the three bits behind the leading one. */
    return 8 * e + (unsigned)(((e >= 3 ? n >> (e - 3) : n << (3 - e))) & 7);
}

static int percent(uint64_t part, uint64_t whole) { return whole ? (int)(part * 100 / whole) : 0; }

/* ---- of the tree */

static uint64_t bits_of(const MainText *m, const HtmlTree *t, uint32_t i)
{
    const HtmlNode *n = &t->node[i];
    uint64_t bits = m->hints[i] & ~(uint64_t)HINT_PROTECTED;

    if (n->hidden) bits |= HINT_HIDDEN;
    return tag_bit[n->tag] ? bits | (uint64_t)1 << (TAG_SHIFT + tag_bit[n->tag]) : bits;
}

static uint32_t mix(uint32_t h, uint32_t v)
{
    h = (h ^ v) * 0x9e3779b1U;
    return h ^ h >> 15;
}

/* Digits number what is otherwise alike. */
static uint32_t path_of(const HtmlTree *t, uint32_t i, uint32_t above)
{
    Span class = html_attr(t, i, HTML_CLASS);
    uint32_t h = mix(above, t->node[i].tag);

    for (size_t k = 0; k < class.n && k < CLASS_BYTES; k++)
        if (!ascii_is_digit(class.p[k])) h = mix(h, class.p[k]);
    return h;
}

static PathSum *path_sum(const MainText *m, uint32_t path)
{
    uint32_t at = path & m->path_mask;

    for (int probe = 0; probe < MAX_PROBES && m->path[at].path && m->path[at].path != path; probe++)
        at = (at + 1) & m->path_mask;
    return &m->path[at];
}

enum {
    SPEAKS_AGAINST = HINT_NAV | HINT_SIDE | HINT_FOOT | HINT_HEAD | HINT_AD | HINT_SHARE | HINT_RELATED |
                     HINT_COMMENT | HINT_BREADCRUMB | HINT_PAGER | HINT_COOKIE | HINT_MODAL | HINT_LOGIN |
                     HINT_HIDDEN | HINT_SEARCH
};

static bool is_above_all(HtmlTag tag) { return tag == HTML_html || tag == HTML_body; }

static void walk_tree(MainText *m, const HtmlTree *t, PageContext *page)
{
    const uint32_t *first = m->blocks.first;

    m->context[0] = (NodeContext){.path = 1};
    for (uint32_t i = 1; i < t->n_nodes; i++) {
        const HtmlNode *n = &t->node[i];
        if (n->tag == HTML_TEXT) continue;
        const NodeContext *above = &m->context[n->parent];
        NodeContext *c = &m->context[i];
        if (first[i] == first[n->end]) { /* no block begins in it */
            *c = *above;
            continue;
        }
        bool same = first[i] == first[n->parent] && first[n->end] == first[t->node[n->parent].end];
        c->own = is_above_all((HtmlTag)n->tag) ? 0 : bits_of(m, t, i);
        c->around = above->around | c->own;
        c->up = same ? above->up : n->parent;
        c->bad = above->bad || !(c->own & SPEAKS_AGAINST) ? above->bad : i;
        c->good = (c->own & (HINT_CONTENT | HINT_BODY)) ? i : above->good;
        c->path = path_of(t, i, above->path);
        PathSum *s = path_sum(m, c->path);
        s->path = c->path;
        s->n_nodes++;
        page->n_articles += n->tag == HTML_article;
        page->n_h1 += n->tag == HTML_h1;
        page->n_items += n->tag == HTML_li;
        if (n->tag == HTML_h1 && page->h1_block == UINT32_MAX) page->h1_block = first[i];
    }
}

/* What the page says it is, as bits: 1 article, 2 product, 4 thread, 8 list, 16 questions with their answers. */
static uint32_t json_ld_types(const HtmlTree *t)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } types[] = {{"Article\"", 1}, {"BlogPosting\"", 1}, {"Product\"", 2},        {"DiscussionForumPosting\"", 4},
                 {"QAPage\"", 4},  {"ItemList\"", 8},    {"CollectionPage\"", 8}, {"FAQPage\"", 16},
                 {"Recipe\"", 1}};
    Span s = buf_span(&t->json_ld);
    uint32_t bits = 0;

    for (size_t at = 0; at < s.n; at++) {
        const uint8_t *p = memchr(s.p + at, '"', s.n - at);
        if (!p) break;
        at = (size_t)(p - s.p);
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
            size_t n = strlen(types[i].name);
            if (at + 1 >= n && !memcmp(p + 1 - n, types[i].name, n)) bits |= types[i].bit;
        }
    }
    return bits;
}

/* A title as far as it is compared with blocks: each of them is looked for in it. */
static Span title_of(Span s)
{
    s = span_trim(s);
    return span(s.p, s.n < METADATA_MAX_TITLE ? s.n : METADATA_MAX_TITLE);
}

/* What the head says: type, titles, description. */
static void read_head(const HtmlTree *t, PageContext *page)
{
    for (uint32_t i = 0; i < t->n_nodes && t->node[i].tag != HTML_body; i++) {
        const HtmlNode *n = &t->node[i];
        if (n->tag == HTML_title && i + 1 < n->end && !page->title[0].n)
            page->title[0] = title_of(html_text(t, i + 1));
        if (n->tag != HTML_meta) continue;
        Span name = html_attr(t, i, HTML_NAME), v = span_trim(html_attr(t, i, HTML_CONTENT));
        if (span_is(name, "og:type"))
            page->type = span_starts(v, SPAN_LIT("article")) ? 1 : span_starts(v, SPAN_LIT("product")) ? 2 : 3;
        else if (span_is(name, "og:title"))
            page->title[1] = title_of(v);
        else if (span_is(name, "og:description") || (span_is(name, "description") && !page->about.n))
            page->about = v;
    }
}

/* Whether a block says the title or much of it: titles have the site's name behind or before them. */
static bool says_title(Span title, Span block)
{
    if (block.n < 4 || block.n > title.n || block.n * 3 < title.n) return false;
    for (size_t at = 0; at + block.n <= title.n; at++)
        if (title.p[at] == block.p[0] && !memcmp(title.p + at, block.p, block.n)) return true;
    return false;
}

/* ---- of the text */

/* The commonest function words of English and some neighbours, at most four letters long: prose has them, menus do not. */
static bool is_stop_word(uint32_t w)
{
#define W4(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
    switch (w) {
    case W4('t', 'h', 'e', 0):
    case W4('o', 'f', 0, 0):
    case W4('a', 'n', 'd', 0):
    case W4('t', 'o', 0, 0):
    case W4('a', 0, 0, 0):
    case W4('i', 'n', 0, 0):
    case W4('i', 's', 0, 0):
    case W4('i', 't', 0, 0):
    case W4('t', 'h', 'a', 't'):
    case W4('f', 'o', 'r', 0):
    case W4('w', 'a', 's', 0):
    case W4('w', 'i', 't', 'h'):
    case W4('a', 's', 0, 0):
    case W4('b', 'e', 0, 0):
    case W4('a', 'r', 'e', 0):
    case W4('t', 'h', 'i', 's'):
    case W4('y', 'o', 'u', 0):
    case W4('i', 0, 0, 0):
    case W4('h', 'a', 'v', 'e'):
    case W4('n', 'o', 't', 0):
    case W4('o', 'r', 0, 0):
    case W4('b', 'y', 0, 0):
    case W4('f', 'r', 'o', 'm'):
    case W4('a', 't', 0, 0):
    case W4('b', 'u', 't', 0):
    case W4('w', 'e', 0, 0):
    case W4('t', 'h', 'e', 'y'):
    case W4('h', 'e', 0, 0):
    case W4('h', 'i', 's', 0):
    case W4('h', 'a', 's', 0):
    case W4('h', 'a', 'd', 0):
    case W4('o', 'n', 0, 0):
    case W4('i', 'f', 0, 0):
    case W4('s', 'o', 0, 0):
    case W4('c', 'a', 'n', 0):
    case W4('d', 'e', 'r', 0):
    case W4('d', 'i', 'e', 0):
    case W4('u', 'n', 'd', 0):
    case W4('d', 'e', 0, 0):
    case W4('l', 'a', 0, 0):
    case W4('l', 'e', 0, 0):
    case W4('q', 'u', 'e', 0):
    case W4('e', 't', 0, 0):
    case W4('l', 'e', 's', 0):
    case W4('e', 'l', 0, 0):
    case W4('y', 0, 0, 0):
    case W4('e', 's', 't', 0):
    case W4('d', 'i', 0, 0):
    case W4('c', 'h', 'e', 0): return true;
    default: return false;
    }
#undef W4
}

/* 的 了 是 在 和 有 不 这 我 他 也 就 */
static bool is_function_char(uint32_t cp)
{
    switch (cp) {
    case 0x7684:
    case 0x4e86:
    case 0x662f:
    case 0x5728:
    case 0x548c:
    case 0x6709:
    case 0x4e0d:
    case 0x8fd9:
    case 0x6211:
    case 0x4ed6:
    case 0x4e5f:
    case 0x5c31: return true;
    default: return false;
    }
}

/* 1 the end of a sentence, 2 a colon, 3 an ellipsis or arrow, 0 other. */
static uint8_t ending_of(Span s)
{
    if (s.n >= 3) {
        const uint8_t *e = s.p + s.n - 3;
        if (!memcmp(e, "。", 3) || !memcmp(e, "！", 3) || !memcmp(e, "？", 3) || !memcmp(e, "”", 3)) return 1;
        if (!memcmp(e, "：", 3)) return 2;
        if (!memcmp(e, "…", 3) || !memcmp(e, "»", 2) || !memcmp(e, "...", 3) || !memcmp(e, "→", 3)) return 3;
    }
    switch (s.n ? s.p[s.n - 1] : 0) {
    case '.':
    case '!':
    case '?':
    case '"':
    case ')': return 1;
    case ':': return 2;
    case '>': return 3;
    default: return 0;
    }
}

static uint8_t share_of(uint32_t part, uint32_t whole) { return whole ? (uint8_t)(part * 100 / whole) : 0; }

static void look_at_text(Span s, BlockContext *b)
{
    Span look = span(s.p, s.n < LOOK_BYTES ? s.n : LOOK_BYTES);
    uint32_t words = 0, stops = 0, digits = 0, uppers = 0, wide = 0, chars = 0, word = 0, letters = 0, hash = 1;

    for (size_t i = 0, n; i <= look.n; i += n) {
        uint32_t cp = 0;
        n = 1;
        if (i < look.n) n = utf8_next(look.p + i, look.n - i, &cp);
        hash = mix(hash, cp);
        if (cp < 0x80 && ascii_is_alpha((uint8_t)cp)) {
            if (letters == 0) uppers += ascii_is_upper((uint8_t)cp);
            if (letters < 4) word |= (uint32_t)ascii_lower((uint8_t)cp) << (8 * letters);
            letters++;
            chars++;
            continue;
        }
        if (letters) {
            words++;
            stops += letters <= 4 && is_stop_word(word);
        }
        letters = word = 0;
        if (cp < 0x80) {
            digits += ascii_is_digit((uint8_t)cp);
            chars += ascii_is_digit((uint8_t)cp);
        } else if (weight_of(cp) == 25) {
            words++;
            wide++;
            chars++;
            stops += is_function_char(cp);
        } else if (weight_of(cp)) {
            letters = 5; /* a letter with an accent: a word, but none of the table */
            chars++;
        }
    }
    b->hash = hash;
    b->words = (uint8_t)(words < 255 ? words : 255);
    b->stops = share_of(stops, words);
    b->digits = share_of(digits, chars);
    b->uppers = share_of(uppers, words);
    b->han = share_of(wide, chars);
    b->ending = ending_of(s);
    b->opening = s.n == 0                 ? 0
                 : ascii_is_upper(s.p[0]) ? 1
                 : ascii_is_alpha(s.p[0]) ? 2
                 : ascii_is_digit(s.p[0]) ? 3
                 : s.p[0] < 0x80          ? 4
                                          : 5;
}

static Span text_of(const MainText *m, uint32_t k)
{
    return span(m->blocks.text.p + m->blocks.block[k].text, m->blocks.block[k].bytes);
}

/* ---- of the blocks */

static unsigned heading_level(const HtmlTree *t, uint32_t node)
{
    HtmlTag tag = (HtmlTag)t->node[node].tag;

    return tag >= HTML_h1 && tag <= HTML_h6 ? (unsigned)(tag - HTML_h1) + 1 : 0;
}

static void walk_blocks(MainText *m, const HtmlTree *t, PageContext *page)
{
    const BlockList *list = &m->blocks;
    uint32_t heading = 0, good = UINT32_MAX, top = 0;
    unsigned title_level = 2; /* until a title is met h1 and h2 count */
    uint64_t weight = 0, link = 0, good_weight = 0, han = 0;

    for (uint32_t k = 0; k < list->n; k++) {
        const Block *b = &list->block[k];
        BlockContext *c = &m->around[k];
        bool prose = maintext_is_prose(b);
        *c = (BlockContext){.heading = heading,
                            .good_before = good,
                            .weight_before = weight,
                            .link_before = link,
                            .good_weight_before = good_weight};
        look_at_text(text_of(m, k), c);
        c->title = says_title(page->title[0], text_of(m, k)) || says_title(page->title[1], text_of(m, k));
        c->top_headings = top;
        if (b->kind == BLOCK_HEADING) {
            unsigned level = heading_level(t, b->node);
            heading = k + 1, page->n_headings++;
            if (c->title && (page->title_block == UINT32_MAX || level < title_level))
                page->title_block = k, title_level = level, top = 0;
            else if (level && level <= title_level)
                top++;
        }
        if (page->about_block == UINT32_MAX && page->about.n >= ABOUT_BYTES && b->bytes >= ABOUT_BYTES &&
            !memcmp(text_of(m, k).p, page->about.p, ABOUT_BYTES))
            page->about_block = k;
        if (prose) good = k, good_weight += b->weight;
        weight += b->weight;
        link += b->link_weight;
        han += (uint64_t)c->han * b->weight;
        if (m->context[b->inner].around & ((uint64_t)1 << (TAG_SHIFT + BIT_p))) page->in_p += b->weight;
        PathSum *s = path_sum(m, m->context[b->inner].path);
        s->n_blocks++;
        s->n_good += prose;
        s->weight += b->weight;
        s->link += b->link_weight;
    }
    m->around[list->n] =
        (BlockContext){.weight_before = weight, .link_before = link, .good_weight_before = good_weight};
    good = UINT32_MAX;
    for (uint32_t k = (uint32_t)list->n; k-- > 0;) {
        m->around[k].good_behind = good;
        if (maintext_is_prose(&list->block[k])) good = k;
    }
    page->weight = weight;
    page->link = link;
    page->good = good_weight;
    page->han = weight ? (uint32_t)(han / weight) : 0;
}

/* How often the same text stands on the page; in the table of paths. */
static void count_repeats(MainText *m)
{
    for (uint32_t k = 0; k < m->blocks.n; k++) {
        PathSum *s = path_sum(m, m->around[k].hash | 1);
        s->path = m->around[k].hash | 1;
        s->n_texts++;
    }
    for (uint32_t k = 0; k < m->blocks.n; k++) {
        uint32_t n = path_sum(m, m->around[k].hash | 1)->n_texts;
        m->around[k].again = (uint8_t)(n < 255 ? n : 255);
    }
}

static void find_twins(const MainText *m, PageContext *page)
{
    for (uint32_t i = 0; i <= m->path_mask; i++) {
        const PathSum *s = &m->path[i];
        if (s->n_good < 2 || s->weight <= page->twins_weight) continue;
        page->twins = s->n_good;
        page->twins_weight = s->weight;
    }
}

static ErrCode reserve(MainText *m, size_t n_nodes, Err *err)
{
    size_t need = 64;

    while (need < 3 * (m->blocks.n + 1) || need < n_nodes / 2) need *= 2;
    if (need > m->cap_path) {
        free(m->path);
        m->path = malloc(need * sizeof *m->path);
        m->cap_path = m->path ? need : 0;
    }
    if (m->blocks.n >= m->cap_around) {
        free(m->around);
        m->cap_around = 2 * (m->blocks.n + 1);
        m->around = malloc(m->cap_around * sizeof *m->around);
        if (!m->around) m->cap_around = 0;
    }
    if (n_nodes > m->cap_context) {
        free(m->context);
        m->cap_context = n_nodes + n_nodes / 2;
        m->context = malloc(m->cap_context * sizeof *m->context);
        if (!m->context) m->cap_context = 0;
    }
    if (!m->page) m->page = malloc(sizeof *m->page);
    if (!m->path || !m->around || !m->context || !m->page) return err_nomem(err, "a page's features");
    m->path_mask = (uint32_t)need - 1;
    memset(m->path, 0, need * sizeof *m->path);
    return ERR_OK;
}

/* Elements around the title's block; without one the first <h1>'s. */
static void find_title(const MainText *m, PageContext *page)
{
    if (page->title_block == UINT32_MAX) page->title_block = page->h1_block;
    uint32_t i = page->title_block < m->blocks.n ? m->blocks.block[page->title_block].inner : 0;
    for (int level = 0; level < TITLE_LEVELS; level++) {
        page->title_in[level] = i;
        i = m->context[i].up;
    }
}

ErrCode features_page(MainText *m, const HtmlTree *t, Err *err)
{
    ErrCode rc = reserve(m, t->n_nodes, err);

    if (rc != ERR_OK) return rc;
    PageContext *page = m->page;
    *page = (PageContext){.h1_block = UINT32_MAX,
                          .title_block = UINT32_MAX,
                          .about_block = UINT32_MAX,
                          .forum = m->n_forum,
                          .ld = json_ld_types(t)};
    read_head(t, page);
    walk_tree(m, t, page);
    walk_blocks(m, t, page);
    find_title(m, page);
    find_twins(m, page);
    count_repeats(m);
    const uint32_t *first = m->blocks.first;
    uint64_t w = m->around[first[t->node[m->root].end]].weight_before - m->around[first[m->root]].weight_before;
    page->root_share = (uint32_t)percent(w, page->weight);
    return ERR_OK;
}

/* ---- writing them down */

typedef struct {
    uint64_t weight, link, good, blocks;
} Range;

static Range range_of(const MainText *m, uint32_t from, uint32_t end)
{
    const BlockContext *a = &m->around[from], *b = &m->around[end];

    return (Range){b->weight_before - a->weight_before, b->link_before - a->link_before,
                   b->good_weight_before - a->good_weight_before, end - from};
}

static Range range_in(const MainText *m, const HtmlTree *t, uint32_t node)
{
    return range_of(m, m->blocks.first[node], m->blocks.first[t->node[node].end]);
}

static void put_own(const MainText *m, const HtmlTree *t, uint32_t k, int16_t *f)
{
    const Block *b = &m->blocks.block[k];
    const BlockContext *c = &m->around[k];

    f[FEATURE_kind] = b->kind;
    f[FEATURE_weight] = (int16_t)lg(b->weight);
    f[FEATURE_bytes] = (int16_t)lg(b->bytes);
    f[FEATURE_link] = (int16_t)percent(b->link_weight, b->weight);
    f[FEATURE_commas] = (int16_t)(b->commas < 100 ? b->commas : 100);
    f[FEATURE_sentences] = (int16_t)(b->sentences < 100 ? b->sentences : 100);
    f[FEATURE_words] = c->words;
    f[FEATURE_stops] = c->stops;
    f[FEATURE_digits] = c->digits;
    f[FEATURE_uppers] = c->uppers;
    f[FEATURE_han] = c->han;
    f[FEATURE_ending] = c->ending;
    f[FEATURE_opening] = c->opening;
    f[FEATURE_phrases] = b->phrases != 0;
    for (int i = 0; i < PHRASE_N; i++) f[FEATURE_p_rights + i] = b->phrases >> i & 1;
    f[FEATURE_level] = (int16_t)heading_level(t, b->node);
    f[FEATURE_indent] = (int16_t)(b->indent < 20 ? b->indent : 20);
    f[FEATURE_number] = b->number != 0;
    f[FEATURE_depth] = (int16_t)(t->node[b->node].depth < 100 ? t->node[b->node].depth : 100);
    f[FEATURE_again] = c->again < 20 ? c->again : 20;
    f[FEATURE_title] = c->title;
}

static void put_around(const MainText *m, const HtmlTree *t, const Block *b, int16_t *f)
{
    const NodeContext *c = &m->context[b->inner];
    uint64_t near = c->own | m->context[b->node].own;

    for (uint32_t i = b->node, up = 0; up < 2; up++) {
        i = t->node[i].parent;
        near |= m->context[i].own;
    }
    for (int i = 0; i < HINT_WORDS; i++) f[FEATURE_n_content + i] = near >> i & 1;
    for (int i = 0; i < HINT_WORDS; i++) f[FEATURE_a_content + i] = c->around >> i & 1;
    for (unsigned i = 0; i < N_TAG_BITS; i++) f[FEATURE_t_li + i] = c->around >> (TAG_SHIFT + 1 + i) & 1;
    f[FEATURE_dropped] = b->shed;
    Range bad = range_in(m, t, c->bad), good = range_in(m, t, c->good);
    f[FEATURE_bad_share] = (int16_t)(c->bad ? percent(bad.weight, m->page->weight) : -1);
    f[FEATURE_bad_link] = (int16_t)(c->bad ? percent(bad.link, bad.weight) : -1);
    f[FEATURE_bad_words] = (int16_t)(c->bad ? lg(bad.good) : 0);
    f[FEATURE_good_share] = (int16_t)(c->good ? percent(good.weight, m->page->weight) : -1);
    f[FEATURE_good_link] = (int16_t)(c->good ? percent(good.link, good.weight) : -1);
    f[FEATURE_in_body] = (c->around & HINT_BODY) != 0;
}

static void put_levels(const MainText *m, const HtmlTree *t, const Block *b, int16_t *f)
{
    enum { EACH = FEATURE_l2_weight - FEATURE_l1_weight };
    uint32_t i = b->inner;

    for (int level = 0; level < 4; level++) {
        int16_t *o = f + FEATURE_l1_weight + level * EACH;
        if (level) i = m->context[i].up;
        Range r = range_in(m, t, i);
        o[0] = (int16_t)lg(r.weight);
        o[1] = (int16_t)percent(r.link, r.weight);
        o[2] = (int16_t)lg(r.blocks);
        o[3] = (int16_t)percent(r.good, r.weight);
        o[4] = (int16_t)lg(path_sum(m, m->context[i].path)->n_nodes);
        o[5] = (int16_t)percent(r.weight, m->page->weight);
    }
}

static int distance(uint32_t a, uint32_t b) { return b == UINT32_MAX ? 99 : (int)lg(a > b ? a - b : b - a); }

static void put_place(const MainText *m, const HtmlTree *t, uint32_t k, int16_t *f)
{
    const BlockList *l = &m->blocks;
    const BlockContext *c = &m->around[k];
    const PageContext *page = m->page;
    uint32_t n = (uint32_t)l->n, root_from = l->first[m->root], root_end = l->first[t->node[m->root].end];
    uint32_t h1 = page->h1_block;

    f[FEATURE_at_block] = (int16_t)percent(k, n);
    f[FEATURE_at_weight] = (int16_t)percent(c->weight_before, page->weight);
    f[FEATURE_from_h1] = (int16_t)(h1 == UINT32_MAX ? -99 : k >= h1 ? distance(k, h1) : -distance(k, h1));
    f[FEATURE_to_good_before] = (int16_t)distance(k, c->good_before);
    f[FEATURE_to_good_behind] = (int16_t)distance(k, c->good_behind);
    f[FEATURE_to_heading] = (int16_t)(c->heading ? distance(k, c->heading - 1) : 99);
    const Block *h = c->heading ? &l->block[c->heading - 1] : NULL;
    f[FEATURE_heading_phrases] = h && h->phrases;
    f[FEATURE_heading_related] = h && (h->phrases & (PHRASE_RELATED | PHRASE_SHARE | PHRASE_LOGIN));
    f[FEATURE_heading_comment] = h && (h->phrases & PHRASE_COMMENT);
    f[FEATURE_heading_level] = (int16_t)(h ? heading_level(t, h->node) : 0);
    f[FEATURE_heading_weight] = (int16_t)(h ? lg(h->weight) : 0);
    Range near =
        range_of(m, k > NEAR_BLOCKS ? k - NEAR_BLOCKS : 0, k + NEAR_BLOCKS + 1 < n ? k + NEAR_BLOCKS + 1 : n);
    Range wide =
        range_of(m, k > WIDE_BLOCKS ? k - WIDE_BLOCKS : 0, k + WIDE_BLOCKS + 1 < n ? k + WIDE_BLOCKS + 1 : n);
    f[FEATURE_near_good] = (int16_t)percent(near.good, near.weight);
    f[FEATURE_near_link] = (int16_t)percent(near.link, near.weight);
    f[FEATURE_wide_good] = (int16_t)percent(wide.good, wide.weight);
    f[FEATURE_wide_link] = (int16_t)percent(wide.link, wide.weight);
    f[FEATURE_in_root] = k >= root_from && k < root_end;
    f[FEATURE_to_root] = (int16_t)(k < root_from   ? -distance(root_from, k)
                                   : k >= root_end ? distance(k, root_end - 1)
                                                   : 0);
    f[FEATURE_root_share] = (int16_t)page->root_share;
    f[FEATURE_in_start] = (int16_t)(k >= root_from && k < root_end ? lg(k - root_from) : 99);
}

static int signed_distance(uint32_t k, uint32_t from)
{
    return from == UINT32_MAX ? -99 : k >= from ? distance(k, from) : -distance(k, from);
}

static void put_title(const MainText *m, const HtmlTree *t, uint32_t k, int16_t *f)
{
    const PageContext *page = m->page;
    uint32_t title = page->title_block;
    int level = 0;

    f[FEATURE_from_title] = (int16_t)signed_distance(k, title);
    f[FEATURE_from_about] = (int16_t)signed_distance(k, page->about_block);
    f[FEATURE_about] = k == page->about_block;
    f[FEATURE_title_headings] = f[FEATURE_title_level] = f[FEATURE_title_blocks] = f[FEATURE_title_share] =
        f[FEATURE_title_twins] = -1;
    if (title == UINT32_MAX) return;
    if (k >= title)
        f[FEATURE_title_headings] = (int16_t)(m->around[k].top_headings < 20 ? m->around[k].top_headings : 20);
    while (level < TITLE_LEVELS - 1 &&
           (m->blocks.first[page->title_in[level]] > k || m->blocks.first[t->node[page->title_in[level]].end] <= k))
        level++;
    Range r = range_in(m, t, page->title_in[level]);
    f[FEATURE_title_level] = (int16_t)level;
    f[FEATURE_title_blocks] = (int16_t)lg(r.blocks);
    f[FEATURE_title_share] = (int16_t)percent(r.weight, page->weight);
    f[FEATURE_title_twins] = (int16_t)lg(path_sum(m, m->context[page->title_in[level]].path)->n_nodes);
}

static void put_beside(const MainText *m, uint32_t k, int64_t other, int16_t *f)
{
    const BlockList *l = &m->blocks;

    if (other < 0 || other >= (int64_t)l->n) {
        f[0] = f[1] = f[2] = f[3] = f[4] = -1;
        return;
    }
    const Block *b = &l->block[other];
    f[0] = (int16_t)lg(b->weight);
    f[1] = (int16_t)percent(b->link_weight, b->weight);
    f[2] = b->kind;
    f[3] = (int16_t)(m->context[b->inner].path == m->context[l->block[k].inner].path) +
           2 * (m->context[b->inner].up == m->context[l->block[k].inner].up);
    f[4] = m->around[other].stops;
}

static void put_page(const MainText *m, const Block *b, int16_t *f)
{
    const PageContext *p = m->page;
    const PathSum *s = path_sum(m, m->context[b->inner].path);

    f[FEATURE_path_count] = (int16_t)lg(s->n_blocks);
    f[FEATURE_path_weight] = (int16_t)lg(s->n_blocks ? s->weight / s->n_blocks : 0);
    f[FEATURE_path_link] = (int16_t)percent(s->link, s->weight);
    f[FEATURE_path_share] = (int16_t)percent(s->weight, p->weight);
    f[FEATURE_path_good] = (int16_t)percent(s->n_good, s->n_blocks);
    f[FEATURE_page_weight] = (int16_t)lg(p->weight);
    f[FEATURE_page_link] = (int16_t)percent(p->link, p->weight);
    f[FEATURE_page_blocks] = (int16_t)lg(m->blocks.n);
    f[FEATURE_page_good] = (int16_t)percent(p->good, p->weight);
    f[FEATURE_page_forum] = (int16_t)lg(p->forum);
    f[FEATURE_page_articles] = (int16_t)lg(p->n_articles);
    f[FEATURE_page_h1] = (int16_t)lg(p->n_h1);
    f[FEATURE_page_han] = (int16_t)p->han;
    f[FEATURE_page_type] = (int16_t)p->type;
    f[FEATURE_page_ld] = (int16_t)p->ld;
    f[FEATURE_page_p] = (int16_t)percent(p->in_p, p->weight);
    f[FEATURE_page_headings] = (int16_t)lg(p->n_headings);
    f[FEATURE_page_items] = (int16_t)lg(p->n_items);
    f[FEATURE_page_twins] = (int16_t)lg(p->twins);
    f[FEATURE_page_twins_share] = (int16_t)percent(p->twins_weight, p->weight);
    f[FEATURE_page_root] = (int16_t)p->root_share;
}

void features_block(const MainText *m, const HtmlTree *t, uint32_t k, int16_t out[FEATURE_N])
{
    const Block *b = &m->blocks.block[k];

    put_own(m, t, k, out);
    put_around(m, t, b, out);
    put_levels(m, t, b, out);
    put_place(m, t, k, out);
    put_title(m, t, k, out);
    put_beside(m, k, (int64_t)k - 1, out + FEATURE_b1_weight);
    put_beside(m, k, (int64_t)k - 2, out + FEATURE_b2_weight);
    put_beside(m, k, (int64_t)k + 1, out + FEATURE_f1_weight);
    put_beside(m, k, (int64_t)k + 2, out + FEATURE_f2_weight);
    put_page(m, b, out);
}
