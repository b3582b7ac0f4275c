#include "ingest/features.h"

#include "ingest/pagecontext.h"

#define FEATURE_NAME(name) #name,
const char *const feature_names[FEATURE_N] = {FEATURES(FEATURE_NAME)};
#undef FEATURE_NAME

enum {
    NEAR_BLOCKS = 4, /* blocks before and behind that make up the surroundings */
    WIDE_BLOCKS = 16,
    N_PAGE_SUMS = PAGE_FEATURE_page_ld_body + 1
};

/* Rows of features that are filled from bits, kinds and sums in their order. */
_Static_assert(FEATURE_p_buy - FEATURE_p_rights + 1 == PHRASE_N, "a feature a kind of phrase");
_Static_assert(FEATURE_n_author - FEATURE_n_content + 1 == HINT_WORDS, "one a hint, of it and near");
_Static_assert(FEATURE_a_author - FEATURE_a_content + 1 == HINT_WORDS, "one a hint, around it");
_Static_assert((int)FEATURE_t_a - (int)FEATURE_t_li + 1 == (int)N_TAG_BITS, "one a tag");
_Static_assert((int)FEATURE_is_service - (int)FEATURE_is_article + 1 == (int)PAGE_N_TYPES, "one a type");

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

static int at_most(uint32_t n, int most) { return n < (uint32_t)most ? (int)n : most; }

static void put_own(const MainText *m, const HtmlTree *t, uint32_t k, int16_t *f)
{
    const Block *b = &m->blocks.block[k];
    const BlockContext *c = &m->around[k];

    f[FEATURE_kind] = b->kind;
    f[FEATURE_weight] = (int16_t)lg(b->weight);
    f[FEATURE_bytes] = (int16_t)lg(b->bytes);
    f[FEATURE_link] = (int16_t)percent(b->link_weight, b->weight);
    f[FEATURE_commas] = (int16_t)at_most(b->commas, 100);
    f[FEATURE_sentences] = (int16_t)at_most(b->sentences, 100);
    f[FEATURE_words] = c->shape.words;
    f[FEATURE_stops] = c->shape.stops;
    f[FEATURE_digits] = c->shape.digits;
    f[FEATURE_uppers] = c->shape.uppers;
    f[FEATURE_han] = c->shape.han;
    f[FEATURE_ending] = c->shape.ending;
    f[FEATURE_opening] = c->shape.opening;
    f[FEATURE_phrases] = b->phrases != 0;
    for (int i = 0; i < PHRASE_N; i++) f[FEATURE_p_rights + i] = b->phrases >> i & 1;
    f[FEATURE_level] = (int16_t)pagecontext_heading(t, b->node);
    f[FEATURE_indent] = (int16_t)at_most(b->indent, 20);
    f[FEATURE_number] = b->number != 0;
    f[FEATURE_depth] = (int16_t)at_most(t->node[b->node].depth, 100);
    f[FEATURE_again] = (int16_t)at_most(c->again, 20);
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
        o[4] = (int16_t)lg(pagecontext_path(m, m->context[i].path)->n_nodes);
        o[5] = (int16_t)percent(r.weight, m->page->weight);
    }
}

static int distance(uint32_t a, uint32_t b) { return b == UINT32_MAX ? 99 : (int)lg(a > b ? a - b : b - a); }

/* Negative before it. */
static int signed_distance(uint32_t k, uint32_t from)
{
    return from == UINT32_MAX ? -99 : k >= from ? distance(k, from) : -distance(k, from);
}

static void put_place(const MainText *m, const HtmlTree *t, uint32_t k, int16_t *f)
{
    const BlockList *l = &m->blocks;
    const BlockContext *c = &m->around[k];
    const PageContext *page = m->page;
    uint32_t n = (uint32_t)l->n, root_from = l->first[m->root], root_end = l->first[t->node[m->root].end];

    f[FEATURE_at_block] = (int16_t)percent(k, n);
    f[FEATURE_at_weight] = (int16_t)percent(c->weight_before, page->weight);
    f[FEATURE_from_h1] = (int16_t)signed_distance(k, page->h1_block);
    f[FEATURE_to_good_before] = (int16_t)distance(k, c->good_before);
    f[FEATURE_to_good_behind] = (int16_t)distance(k, c->good_behind);
    f[FEATURE_to_heading] = (int16_t)(c->heading ? distance(k, c->heading - 1) : 99);
    const Block *h = c->heading ? &l->block[c->heading - 1] : NULL;
    f[FEATURE_heading_phrases] = h && h->phrases;
    f[FEATURE_heading_related] = h && (h->phrases & (PHRASE_RELATED | PHRASE_SHARE | PHRASE_LOGIN));
    f[FEATURE_heading_comment] = h && (h->phrases & PHRASE_COMMENT);
    f[FEATURE_heading_level] = (int16_t)(h ? pagecontext_heading(t, h->node) : 0);
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

/* The innermost of the elements around a block that block k is in, too. */
static int level_of(const MainText *m, const HtmlTree *t, const uint32_t in[TITLE_LEVELS], uint32_t k)
{
    int level = 0;

    while (level < TITLE_LEVELS - 1 &&
           (m->blocks.first[in[level]] > k || m->blocks.first[t->node[in[level]].end] <= k))
        level++;
    return level;
}

static void put_title(const MainText *m, const HtmlTree *t, uint32_t k, int16_t *f)
{
    const PageContext *page = m->page;
    uint32_t title = page->title_block;
    int level;

    f[FEATURE_from_title] = (int16_t)signed_distance(k, title);
    f[FEATURE_from_about] = (int16_t)signed_distance(k, page->about_block);
    f[FEATURE_about] = k == page->about_block;
    f[FEATURE_title_headings] = f[FEATURE_title_level] = f[FEATURE_title_blocks] = f[FEATURE_title_share] =
        f[FEATURE_title_twins] = -1;
    if (title == UINT32_MAX) return;
    if (k >= title) f[FEATURE_title_headings] = (int16_t)at_most(m->around[k].top_headings, 20);
    level = level_of(m, t, page->title_in, k);
    Range r = range_in(m, t, page->title_in[level]);
    f[FEATURE_title_level] = (int16_t)level;
    f[FEATURE_title_blocks] = (int16_t)lg(r.blocks);
    f[FEATURE_title_share] = (int16_t)percent(r.weight, page->weight);
    f[FEATURE_title_twins] = (int16_t)lg(pagecontext_path(m, m->context[page->title_in[level]].path)->n_nodes);
}

/* Whether it still belongs to the story that begins at the title. */
static void put_story(const MainText *m, const HtmlTree *t, uint32_t k, int16_t *f)
{
    const BlockContext *c = &m->around[k];
    const PageContext *page = m->page;
    const Block *b = &m->blocks.block[k], *h = c->heading ? &m->blocks.block[c->heading - 1] : NULL;
    const NodeContext *own = &m->context[b->inner];
    uint32_t lead = page->lead_block;

    f[FEATURE_ld_any] = (int16_t)c->ld.any;
    f[FEATURE_ld_body] = (int16_t)c->ld.body;
    f[FEATURE_ld_place] = (int16_t)(page->ld_from == UINT32_MAX ? -1
                                    : k < page->ld_from         ? 0
                                    : k < page->ld_end          ? 1
                                                                : 2);
    f[FEATURE_heading_link] = (int16_t)(h ? percent(h->link_weight, h->weight) : -1);
    f[FEATURE_heading_title] = (int16_t)(h ? m->around[c->heading - 1].title : -1);
    f[FEATURE_linked_headings] = (int16_t)at_most(c->linked_headings, 20);
    f[FEATURE_bylines] = (int16_t)at_most(c->bylines, 20);
    f[FEATURE_article_no] = (int16_t)at_most(own->article, 50);
    f[FEATURE_in_title_article] = page->title_block < m->blocks.n && own->article &&
                                  m->context[m->blocks.block[page->title_block].inner].article == own->article;
    f[FEATURE_from_lead] = (int16_t)signed_distance(k, lead);
    f[FEATURE_lead_path] = f[FEATURE_lead_level] = f[FEATURE_lead_blocks] = f[FEATURE_lead_share] =
        f[FEATURE_lead_twins] = f[FEATURE_lead_weight] = -1;
    if (lead >= m->blocks.n) return;
    int level = level_of(m, t, page->lead_in, k);
    Range r = range_in(m, t, page->lead_in[level]);
    f[FEATURE_lead_path] = own->path == m->context[m->blocks.block[lead].inner].path;
    f[FEATURE_lead_level] = (int16_t)level;
    f[FEATURE_lead_blocks] = (int16_t)lg(r.blocks);
    f[FEATURE_lead_share] = (int16_t)percent(r.weight, page->weight);
    f[FEATURE_lead_twins] = (int16_t)lg(pagecontext_path(m, m->context[page->lead_in[level]].path)->n_nodes);
    f[FEATURE_lead_weight] = (int16_t)lg(range_in(m, t, page->lead_in[level ? level - 1 : 0]).weight);
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
    f[4] = m->around[other].shape.stops;
}

static void put_page(const MainText *m, const Block *b, int16_t *f)
{
    const PageContext *p = m->page;
    const PathSum *s = pagecontext_path(m, m->context[b->inner].path);

    f[FEATURE_path_count] = (int16_t)lg(s->n_blocks);
    f[FEATURE_path_weight] = (int16_t)lg(s->n_blocks ? s->weight / s->n_blocks : 0);
    f[FEATURE_path_link] = (int16_t)percent(s->link, s->weight);
    f[FEATURE_path_share] = (int16_t)percent(s->weight, p->weight);
    f[FEATURE_path_good] = (int16_t)percent(s->n_good, s->n_blocks);
    memcpy(f + FEATURE_page_weight, p->features, N_PAGE_SUMS * sizeof *f);
    for (int i = 0; i < PAGE_N_TYPES; i++) f[FEATURE_is_article + i] = p->kind.likely[i];
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
    put_story(m, t, k, out);
}
