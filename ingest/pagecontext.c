#include "ingest/pagecontext.h"

#include "core/hash.h"
#include "ingest/metadata.h"

#include <stdlib.h>

enum {
    MAX_PROBES = 32,  /* in the table of paths; then another's place is shared */
    CLASS_BYTES = 48, /* of a class count for the path */
    QUOTED = 50,      /* percent of a block that stand in the JSON-LD when it is quoted there */
    ABOUT_BYTES = 24  /* a description that begins as a block does with so many bytes quotes it */
};

#define ONE(tag) [HTML_##tag] = BIT_##tag,
static const uint8_t tag_bit[HTML_N_TAGS] = {TAG_BITS(ONE)};
#undef ONE

/* ---- of the tree */

static uint64_t bits_of(const MainText *m, const HtmlTree *t, uint32_t i)
{
    const HtmlNode *n = &t->node[i];
    uint64_t bits = m->hints[i] & ~(uint64_t)HINT_PROTECTED;

    if (n->hidden) bits |= HINT_HIDDEN;
    return tag_bit[n->tag] ? bits | (uint64_t)1 << (TAG_SHIFT + tag_bit[n->tag]) : bits;
}

/* Digits number what is otherwise alike. */
static uint32_t path_of(const HtmlTree *t, uint32_t i, uint32_t above)
{
    Span class = html_attr(t, i, HTML_CLASS);
    uint32_t h = mix32(above, t->node[i].tag);

    for (size_t k = 0; k < class.n && k < CLASS_BYTES; k++)
        if (!ascii_is_digit(class.p[k])) h = mix32(h, class.p[k]);
    return h;
}

PathSum *pagecontext_path(const MainText *m, uint32_t path)
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
        c->article = n->tag == HTML_article ? page->n_articles + 1 : above->article;
        PathSum *s = pagecontext_path(m, c->path);
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

/* What software calls itself so. */
static uint32_t made_by(Span generator)
{
    static const struct {
        const char *name;
        uint32_t made;
    } known[] = {{"sphinx", MADE_MANUAL},      {"mkdocs", MADE_MANUAL},    {"docusaurus", MADE_MANUAL},
                 {"gitbook", MADE_MANUAL},     {"doxygen", MADE_MANUAL},   {"javadoc", MADE_MANUAL},
                 {"vuepress", MADE_MANUAL},    {"vitepress", MADE_MANUAL}, {"antora", MADE_MANUAL},
                 {"docfx", MADE_MANUAL},       {"docbook", MADE_MANUAL},   {"mediawiki", MADE_MANUAL},
                 {"asciidoctor", MADE_MANUAL}, {"starlight", MADE_MANUAL}, {"discuz", MADE_FORUM},
                 {"phpwind", MADE_FORUM},      {"vbulletin", MADE_FORUM},  {"xenforo", MADE_FORUM},
                 {"discourse", MADE_FORUM},    {"mybb", MADE_FORUM},       {"phpbb", MADE_FORUM},
                 {"flarum", MADE_FORUM},       {"nodebb", MADE_FORUM},     {"vanilla", MADE_FORUM},
                 {"invision", MADE_FORUM},     {"bbpress", MADE_FORUM},    {"woocommerce", MADE_SHOP},
                 {"shopify", MADE_SHOP},       {"magento", MADE_SHOP},     {"prestashop", MADE_SHOP},
                 {"opencart", MADE_SHOP},      {"wordpress", MADE_BLOG},   {"blogger", MADE_BLOG},
                 {"ghost", MADE_BLOG},         {"hexo", MADE_BLOG},        {"hugo", MADE_BLOG},
                 {"jekyll", MADE_BLOG},        {"typecho", MADE_BLOG},     {"z-blog", MADE_BLOG},
                 {"movable type", MADE_BLOG},  {"typepad", MADE_BLOG}};
    uint32_t made = 0;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        Span name = span_str(known[i].name);
        if (generator.n >= name.n && span_eq_nocase(span(generator.p, name.n), name)) made |= known[i].made;
    }
    return made;
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
        else if (span_eq_nocase(name, SPAN_LIT("generator")))
            page->made |= made_by(v);
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

static Span text_of(const MainText *m, uint32_t k)
{
    return span(m->blocks.text.p + m->blocks.block[k].text, m->blocks.block[k].bytes);
}

/* ---- of the blocks */

unsigned pagecontext_heading(const HtmlTree *t, uint32_t node)
{
    HtmlTag tag = (HtmlTag)t->node[node].tag;

    return tag >= HTML_h1 && tag <= HTML_h6 ? (unsigned)(tag - HTML_h1) + 1 : 0;
}

static void sum_up(PageContext *page, const Block *b, const TextShape *s, uint64_t around)
{
    for (unsigned i = 0; around; i++, around >>= 1)
        if (around & 1) page->in[i] += b->weight;
    for (int i = 0; i < PHRASE_N; i++) page->phrases[i] += b->phrases >> i & 1;
    page->of_kind[b->kind] += b->weight;
    page->ending += s->ending == 1 ? b->weight : 0;
    page->stops += (uint64_t)s->stops * b->weight;
    page->digits += (uint64_t)s->digits * b->weight;
    page->uppers += (uint64_t)s->uppers * b->weight;
    page->words += s->words;
}

static void sum_path(const MainText *m, const Block *b)
{
    PathSum *s = pagecontext_path(m, m->context[b->inner].path);

    s->n_blocks++;
    s->n_good += maintext_is_prose(b);
    s->weight += b->weight;
    s->link += b->link_weight;
}

/* What a block says of itself; its end is not looked at when it is long. */
static void read_block(const MainText *m, const PageContext *page, uint32_t k, BlockContext *c)
{
    const Span text = text_of(m, k), begin = span(text.p, text.n < TEXTSHAPE_BYTES ? text.n : TEXTSHAPE_BYTES);

    c->shape = textshape_of(text);
    c->title = says_title(page->title[0], text) || says_title(page->title[1], text);
    c->ld = ldtext_share(&m->ld, begin);
}

static bool says_about(const PageContext *page, Span block)
{
    return page->about.n >= ABOUT_BYTES && block.n >= ABOUT_BYTES && !memcmp(block.p, page->about.p, ABOUT_BYTES);
}

/* The nearest prose behind each block. */
static void look_back(MainText *m)
{
    uint32_t good = UINT32_MAX;

    for (uint32_t k = (uint32_t)m->blocks.n; k-- > 0;) {
        m->around[k].good_behind = good;
        if (maintext_is_prose(&m->blocks.block[k])) good = k;
    }
}

static void walk_blocks(MainText *m, const HtmlTree *t, PageContext *page)
{
    const BlockList *list = &m->blocks;
    uint32_t heading = 0, good = UINT32_MAX, top = 0, linked = 0, bylines = 0;
    unsigned title_level = 2; /* until a title is met h1 and h2 count */
    uint64_t weight = 0, link = 0, good_weight = 0, han = 0;

    for (uint32_t k = 0; k < list->n; k++) {
        const Block *b = &list->block[k];
        BlockContext *c = &m->around[k];
        *c = (BlockContext){.heading = heading,
                            .good_before = good,
                            .weight_before = weight,
                            .link_before = link,
                            .good_weight_before = good_weight,
                            .top_headings = top,
                            .linked_headings = linked,
                            .bylines = bylines};
        read_block(m, page, k, c);
        if ((m->ld.body_bytes ? c->ld.body : c->ld.any) >= QUOTED) {
            if (page->ld_from == UINT32_MAX) page->ld_from = k;
            page->ld_end = k + 1;
        }
        bylines += (b->phrases & PHRASE_BYLINE) != 0;
        if (b->kind == BLOCK_HEADING) {
            unsigned level = pagecontext_heading(t, b->node);
            heading = k + 1, page->n_headings++;
            linked += b->link_weight * 2 > b->weight;
            if (c->title && (page->title_block == UINT32_MAX || level < title_level))
                page->title_block = k, title_level = level, top = linked = bylines = 0;
            else if (level && level <= title_level)
                top++;
        }
        if (page->about_block == UINT32_MAX && says_about(page, text_of(m, k))) page->about_block = k;
        if (maintext_is_prose(b)) good = k, good_weight += b->weight;
        weight += b->weight;
        link += b->link_weight;
        han += (uint64_t)c->shape.han * b->weight;
        sum_up(page, b, &c->shape, m->context[b->inner].around);
        sum_path(m, b);
    }
    m->around[list->n] =
        (BlockContext){.weight_before = weight, .link_before = link, .good_weight_before = good_weight};
    look_back(m);
    page->weight = weight;
    page->link = link;
    page->good = good_weight;
    page->han = weight ? (uint32_t)(han / weight) : 0;
}

/* How often the same text stands on the page; in the table of paths. */
static void count_repeats(MainText *m)
{
    for (uint32_t k = 0; k < m->blocks.n; k++) {
        PathSum *s = pagecontext_path(m, m->around[k].shape.hash | 1);
        s->path = m->around[k].shape.hash | 1;
        s->n_texts++;
    }
    for (uint32_t k = 0; k < m->blocks.n; k++) {
        uint32_t n = pagecontext_path(m, m->around[k].shape.hash | 1)->n_texts;
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

/* The elements around a block; UINT32_MAX: the root. */
static void elements_around(const MainText *m, uint32_t block, uint32_t in[TITLE_LEVELS])
{
    uint32_t i = block < m->blocks.n ? m->blocks.block[block].inner : 0;

    for (int level = 0; level < TITLE_LEVELS; level++) {
        in[level] = i;
        i = m->context[i].up;
    }
}

/* The title; without one the first <h1>. And the first prose behind it; without one the root's. */
static void find_title(const MainText *m, PageContext *page)
{
    if (page->title_block == UINT32_MAX) page->title_block = page->h1_block;
    elements_around(m, page->title_block, page->title_in);
    uint32_t k = page->title_block < m->blocks.n ? page->title_block : m->blocks.first[m->root];
    if (k < m->blocks.n && !maintext_is_prose(&m->blocks.block[k])) k = m->around[k].good_behind;
    page->lead_block = k;
    elements_around(m, k, page->lead_in);
}

ErrCode pagecontext_read(MainText *m, const HtmlTree *t, Err *err)
{
    ErrCode rc = reserve(m, t->n_nodes, err);

    if (rc != ERR_OK) return rc;
    PageContext *page = m->page;
    *page = (PageContext){.h1_block = UINT32_MAX,
                          .title_block = UINT32_MAX,
                          .about_block = UINT32_MAX,
                          .ld_from = UINT32_MAX,
                          .forum = m->n_forum,
                          .ld = json_ld_types(t)};
    if ((rc = ldtext_read(&m->ld, buf_span(&t->json_ld), err)) != ERR_OK) return rc;
    read_head(t, page);
    walk_tree(m, t, page);
    walk_blocks(m, t, page);
    find_title(m, page);
    find_twins(m, page);
    count_repeats(m);
    const uint32_t *first = m->blocks.first;
    uint64_t w = m->around[first[t->node[m->root].end]].weight_before - m->around[first[m->root]].weight_before;
    page->root_share = (uint32_t)percent(w, page->weight);
    pagetype_features(m, page->features);
    page->kind = pagetype_judge(page->features);
    return ERR_OK;
}
