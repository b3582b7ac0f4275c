#include "ingest/maintext.h"

#include "core/json.h"
#include "core/utf8.h"
#include "ingest/blockmodel.h"
#include "ingest/classhints.h"
#include "ingest/jsonld.h"
#include "ingest/pagecontext.h"

#include <stdlib.h>

/* The F1 that pages turned out to have, by that which was expected of them. */
#include "ingest/confidence_table.inc"
_Static_assert(sizeof confidence == 101, "one of every percent");

/* All thresholds are in tenths of a Latin letter (blocks.h). */
enum {
    GOOD_WEIGHT = 1600,   /* a block of prose: two lines */
    SHORT_WEIGHT = 600,   /* less says little about what it is */
    MIN_TEXT = 2500,      /* a page's main text; below it the drops were wrong */
    PHRASE_WEIGHT = 2000, /* boilerplate phrases are looked for in blocks below this */
    MIN_LEFT = 30,        /* percent of the text outside links; drops that leave less were wrong */
    HIDDEN_SHARE = 30,    /* percent of the page's text: with more of it in hidden elements, scripts will show them */
    PHRASE_BYTES = 300,   /* longer blocks are text of their own, whatever phrases they hold */
    ROOT_PERCENT = 50,    /* of the page's prose that the root must hold */
    FORUM_MARKS = 8,      /* elements of a page whose class speaks of threads and posts */
    CARD_WEIGHT = 1000    /* a link with so much text is a teaser, not a menu entry */
};

const char *const maintext_modes[MAINTEXT_ALL + 2] = {"precision", "balanced", "recall", "all", NULL};

void maintext_clear(MainText *m)
{
    blocklist_clear(&m->blocks);
    buf_clear(&m->json);
    free(m->hints);
    free(m->drop);
    free(m->shed);
    free(m->context);
    free(m->path);
    free(m->around);
    free(m->page);
    ldtext_clear(&m->ld);
    free(m->weight);
    free(m->link);
    free(m->value);
    *m = (MainText){0};
}

static bool resize(void **p, size_t n, size_t size)
{
    void *q = realloc(*p, n * size);

    if (q) *p = q;
    return q != NULL;
}

static bool reserve_nodes(MainText *m, size_t n)
{
    if (n <= m->cap_nodes) return true;
    n += n / 2;
    if (!resize((void **)&m->hints, n, sizeof *m->hints) || !resize((void **)&m->drop, n, sizeof *m->drop) ||
        !resize((void **)&m->shed, n, sizeof *m->shed) || !resize((void **)&m->weight, n + 1, sizeof *m->weight) ||
        !resize((void **)&m->link, n + 1, sizeof *m->link))
        return false;
    m->cap_nodes = n;
    return true;
}

/* ---- 1. hard drops */

static uint32_t hints_of_node(HintIndex *words, const HtmlTree *t, uint32_t i)
{
    uint32_t h = 0;
    Span role = html_attr(t, i, HTML_ROLE), item = html_attr(t, i, HTML_ITEMPROP);

    h |= class_hints(words, html_attr(t, i, HTML_CLASS)) | class_hints(words, html_attr(t, i, HTML_ID));
    if (role.n) h |= class_hints(words, role);
    if (span_is(item, "articleBody")) h |= HINT_CONTENT | HINT_BODY;
    if (span_is(role, "contentinfo")) h |= HINT_FOOT;
    return h;
}

/* Marks an element and those above it as holding the page's heading or its article: class names do not drop them. */
static void protect(MainText *m, const HtmlTree *t, uint32_t i)
{
    while (!(m->hints[i] & HINT_PROTECTED)) {
        m->hints[i] |= HINT_PROTECTED;
        i = t->node[i].parent;
    }
}

/* What site rules say of a node. */
static unsigned mark_of(const MainText *m, uint32_t i) { return m->mark ? m->mark[i] : 0; }

/* Prefix sums of text weight and linked text weight, and the hints. With without_noscript, what is in <noscript> counts as
 * no text and is marked to go. Returns the weight in <noscript>. */
static uint64_t measure(MainText *m, const HtmlTree *t, bool without_noscript)
{
    uint32_t weight = 0, link = 0, link_end = 0, silent_end = 0, noscript_end = 0, n_forum = 0;
    uint64_t noscript = 0;

    for (uint32_t i = 0; i < t->n_nodes; i++) {
        const HtmlNode *n = &t->node[i];
        m->weight[i] = weight;
        m->link[i] = link;
        m->drop[i] = mark_of(m, i) & MARK_DROP                     ? BLOCKS_DROP_IN_CODE
                     : without_noscript && n->tag == HTML_noscript ? BLOCKS_DROP
                                                                   : 0;
        m->shed[i] = 0;
        m->hints[i] = 0;
        if (n->tag == HTML_noscript) noscript_end = n->end;
        if (n->tag == HTML_TEXT && i < noscript_end) noscript += weight_of_text(html_text(t, i));
        if (i < silent_end) continue;
        if (blocks_is_silent((HtmlTag)n->tag) || m->drop[i]) {
            silent_end = n->end;
        } else if (n->tag == HTML_TEXT) {
            uint32_t w = weight_of_text(html_text(t, i));
            weight += w;
            if (i < link_end) link += w;
        } else {
            if (n->tag == HTML_a && i >= link_end) link_end = n->end;
            m->hints[i] = hints_of_node(&m->words, t, i);
            n_forum += (m->hints[i] & HINT_FORUM) != 0;
            if (n->tag == HTML_h1 || n->tag == HTML_main || (m->hints[i] & HINT_BODY)) protect(m, t, i);
        }
    }
    m->n_forum = n_forum;
    m->forum = n_forum >= FORUM_MARKS;
    m->weight[t->n_nodes] = weight;
    m->link[t->n_nodes] = link;
    return noscript;
}

static uint32_t weight_in(const MainText *m, const HtmlTree *t, uint32_t i)
{
    return m->weight[t->node[i].end] - m->weight[i];
}
static uint32_t link_in(const MainText *m, const HtmlTree *t, uint32_t i)
{
    return m->link[t->node[i].end] - m->link[i];
}

enum {
    ALWAYS_BAD = HINT_COOKIE | HINT_MODAL | HINT_LOGIN | HINT_BREADCRUMB | HINT_PAGER | HINT_HIDDEN | HINT_SHARE |
                 HINT_AD | HINT_SEARCH,
    MOSTLY_BAD = HINT_NAV | HINT_SIDE | HINT_FOOT | HINT_RELATED | HINT_COMMENT
};

static bool may_be_hinted(HtmlTag tag)
{
    switch (tag) {
    case HTML_div:
    case HTML_section:
    case HTML_ul:
    case HTML_ol:
    case HTML_dl:
    case HTML_table:
    case HTML_td:
    case HTML_tr:
    case HTML_p:
    case HTML_span:
    case HTML_header:
    case HTML_footer:
    case HTML_li:
    case HTML_aside:
    case HTML_nav:
    case HTML_a:
    case HTML_form:
    case HTML_h2:
    case HTML_h3:
    case HTML_h4:
    case HTML_OTHER:
    case HTML_figure: return true;
    default: return false;
    }
}

/* Whether an element goes, whatever its text is. `share` is its part of the page's text outside links, in
 * percent. */
static bool is_hard_drop(const MainText *m, const HtmlTree *t, uint32_t i, unsigned share, bool gentle)
{
    const HtmlNode *n = &t->node[i];
    uint32_t h = m->hints[i], w = weight_in(m, t, i), l = link_in(m, t, i);
    HtmlTag tag = (HtmlTag)n->tag;

    if (m->forum) h &= ~(uint32_t)HINT_COMMENT;
    if (gentle) h &= ~(uint32_t)MOSTLY_BAD;
    if ((h & HINT_PROTECTED) && l * 2 < w) return false;
    switch (tag) {
    case HTML_nav:
    case HTML_dialog:
    case HTML_menu: return share < 50;
    case HTML_aside: return share < 30;
    case HTML_footer: return share < 30;
    case HTML_header:
        /* A site's header is links and slogans; an article's own holds its title. */
        return share < 20 && (l * 2 > w || (n->depth < 5 && (h & (HINT_NAV | HINT_HEAD))));
    default: break;
    }
    if (!may_be_hinted(tag)) return false;
    if ((h & ALWAYS_BAD) && share < 20 && !((h & HINT_CONTENT) && w > GOOD_WEIGHT && l * 4 < w)) return true;
    if ((h & MOSTLY_BAD) && share < 40) {
        if (!(h & HINT_CONTENT)) return true;
        return l * 3 > w;
    }
    return (h & HINT_HEAD) && !(h & HINT_CONTENT) && tag == HTML_div && n->depth < 6 && share < 20 && l * 2 > w;
}

/* Returns how much of the text outside links is left, in percent. Gentle: class names of middling evidence count for
 * nothing. */
static unsigned drop_hard(MainText *m, const HtmlTree *t, bool gentle)
{
    uint64_t total = m->weight[t->n_nodes] - m->link[t->n_nodes], gone = 0;

    for (uint32_t i = 1; i < t->n_nodes;) {
        const HtmlNode *n = &t->node[i];
        bool structural = n->tag == HTML_html || n->tag == HTML_body || n->tag == HTML_main ||
                          n->tag == HTML_article || n->tag == HTML_TEXT;
        uint64_t text = weight_in(m, t, i) - link_in(m, t, i);
        unsigned share = total ? (unsigned)(text * 100 / total) : 0;
        if (n->tag != HTML_noscript && m->drop[i] != BLOCKS_DROP_IN_CODE)
            m->drop[i] = !structural && n->hidden && share < HIDDEN_SHARE && !mark_of(m, i);
        m->shed[i] = m->drop[i] || (!structural && is_hard_drop(m, t, i, share, gentle));
        if (m->shed[i]) gone += text;
        i = m->shed[i] ? n->end : i + 1;
    }
    return total ? (unsigned)((total - gone) * 100 / total) : 100;
}

/* ---- 2. link clusters */

static uint64_t blocks_weight(const BlockList *b, uint32_t from, uint32_t end, uint64_t *link)
{
    uint64_t w = 0;

    *link = 0;
    for (uint32_t k = from; k < end; k++) w += b->block[k].weight, *link += b->block[k].link_weight;
    return w;
}

/* Lists and tables of links: each block in one is marked by kind of its weight, all link. */
static void mark_link_clusters(MainText *m, const HtmlTree *t)
{
    BlockList *b = &m->blocks;

    for (uint32_t i = 0; i < t->n_nodes;) {
        HtmlTag tag = (HtmlTag)t->node[i].tag;
        uint32_t from = b->first[i], end = b->first[t->node[i].end];
        uint64_t link, w;
        if (m->shed[i]) {
            i = t->node[i].end;
            continue;
        }
        if ((tag != HTML_ul && tag != HTML_ol && tag != HTML_dl && tag != HTML_table) || end <= from) {
            i++;
            continue;
        }
        w = blocks_weight(b, from, end, &link);
        if (link * 5 > w * 3 && w < (uint64_t)(end - from) * CARD_WEIGHT) {
            for (uint32_t k = from; k < end; k++) b->block[k].link_weight = b->block[k].weight;
        }
        i = t->node[i].end;
    }
}

/* ---- 3. values */

static Span block_text(const BlockList *b, const Block *k) { return span(b->text.p + k->text, k->bytes); }

static bool is_link_block(const Block *k) { return k->link_weight * 2 > k->weight && k->kind != BLOCK_PRE; }

/* Prose: long enough, few links. */
bool maintext_is_prose(const Block *k)
{
    if (k->kind == BLOCK_HEADING || is_link_block(k) || k->shed) return false;
    return k->weight >= GOOD_WEIGHT || (k->weight >= SHORT_WEIGHT && k->commas + k->sentences >= 2) ||
           (k->kind == BLOCK_PRE && k->weight >= SHORT_WEIGHT);
}

static int64_t value_of(const MainText *m, const Block *k)
{
    int64_t text = (int64_t)k->weight - k->link_weight;

    if (k->shed) return 0;
    if (is_link_block(k)) return -(int64_t)k->link_weight / 2 - 300;
    if (k->phrases && k->weight < PHRASE_WEIGHT) return -SHORT_WEIGHT;
    if (maintext_is_prose(k)) return text + 200;
    if (k->kind == BLOCK_HEADING || m->forum) return 0;
    return k->weight >= SHORT_WEIGHT                       ? text / 2
           : k->kind == BLOCK_ROW || k->kind == BLOCK_ITEM ? (int64_t)text / 4 - 50
                                                           : (int64_t)text / 4 - 150;
}

static bool sum_values(MainText *m)
{
    BlockList *b = &m->blocks;

    if (b->n >= m->cap_blocks) {
        size_t cap = (b->n + 1) * 2;
        if (!resize((void **)&m->value, cap, sizeof *m->value)) return false;
        m->cap_blocks = cap;
    }
    m->value[0] = 0;
    for (size_t k = 0; k < b->n; k++) m->value[k + 1] = m->value[k] + value_of(m, &b->block[k]);
    return true;
}

/* ---- 3. the root */

static int64_t node_value(const MainText *m, const HtmlTree *t, uint32_t i)
{
    const uint32_t *first = m->blocks.first;
    uint32_t from = first[i], end = first[t->node[i].end];
    int64_t v = end > from ? m->value[end] - m->value[from] : 0;
    HtmlTag tag = (HtmlTag)t->node[i].tag;

    if (v <= 0) return v;
    if (tag == HTML_article || tag == HTML_main)
        v += v / 5;
    else if (m->hints[i] & HINT_CONTENT)
        v += v / 10;
    return v;
}

static uint32_t find_root(const MainText *m, const HtmlTree *t)
{
    uint32_t best = 0;
    int64_t best_value = INT64_MIN;

    for (uint32_t i = 0; i < t->n_nodes; i++) {
        HtmlTag tag = (HtmlTag)t->node[i].tag;
        if (m->shed[i]) {
            i = t->node[i].end - 1;
            continue;
        }
        if (tag == HTML_TEXT || !blocks_is_block(tag) || tag == HTML_p || tag == HTML_pre || tag == HTML_li ||
            tag == HTML_tr)
            continue;
        int64_t v = node_value(m, t, i);
        if (v >= best_value && v > 0) { /* of equals the innermost */
            best = i;
            best_value = v;
        }
    }
    return best;
}

/* What good blocks among [from, end) are worth. */
static int64_t good_value(const MainText *m, uint32_t from, uint32_t end)
{
    int64_t sum = 0;

    for (uint32_t k = from; k < end; k++)
        if (maintext_is_prose(&m->blocks.block[k])) sum += m->value[k + 1] - m->value[k];
    return sum;
}

/* Grows the root while it holds too little of the page's prose: posts of a thread, sections of a landing page. Each step adds
 * what the parent has more, so that all of them together look at a block once. */
static uint32_t widen_root(const MainText *m, const HtmlTree *t, uint32_t root)
{
    const BlockList *b = &m->blocks;
    uint32_t from = b->first[root], end = b->first[t->node[root].end];
    int64_t all = good_value(m, 0, (uint32_t)b->n), held = good_value(m, from, end);

    while (root != 0 && held * 100 < all * ROOT_PERCENT) {
        root = t->node[root].parent;
        uint32_t new_from = b->first[root], new_end = b->first[t->node[root].end];
        held += good_value(m, new_from, from) + good_value(m, end, new_end);
        from = new_from;
        end = new_end;
    }
    return root;
}

/* ---- 4., 5. what is kept */

/* How much of a page is expected to be kept and to be right at each threshold, in weights >> 4 and 128ths of them: the products
 * below stay within 64 bits for pages of HTML_MAX_BYTES. */
typedef struct {
    uint64_t kept[MODEL_BUCKETS], right[MODEL_BUCKETS];
} Expected;

static uint64_t size_of(const Block *b) { return (b->weight >> 4) + 1; }

/* The rows of a table are one: each gets what all of them are on average. */
static void even_rows(BlockList *l)
{
    for (size_t k = 0, end; k < l->n; k = end) {
        uint64_t sum = 0, size = 0;
        for (end = k; end < l->n && l->block[end].kind == BLOCK_ROW && l->block[end].group == l->block[k].group;
             end++) {
            sum += size_of(&l->block[end]) * l->block[end].likely;
            size += size_of(&l->block[end]);
        }
        for (size_t i = k; i < end; i++) l->block[i].likely = (uint8_t)((sum + size / 2) / size);
        end += end == k;
    }
}

/* A block's neighbours say a little of it, too. */
static void smooth(BlockList *l)
{
    unsigned before = l->n ? l->block[0].likely : 0;

    for (size_t k = 0; k < l->n; k++) {
        unsigned own = l->block[k].likely, behind = k + 1 < l->n ? l->block[k + 1].likely : own;
        l->block[k].likely = (uint8_t)((6 * own + before + behind + 4) / 8);
        before = own;
    }
}

static void judge(MainText *m, const HtmlTree *t, Expected *e)
{
    BlockList *l = &m->blocks;
    ModelBatch batch;
    int16_t f[FEATURE_N];
    uint8_t likely[MODEL_LANES];

    memset(&batch, 0, sizeof batch); /* of the last lanes, which may stay empty */
    for (uint32_t k = 0, n; k < l->n; k += n) {
        n = l->n - k < MODEL_LANES ? (uint32_t)l->n - k : MODEL_LANES;
        for (uint32_t i = 0; i < n; i++) {
            features_block(m, t, k + i, f);
            for (int of = 0; of < FEATURE_N; of++) batch.of[of][i] = f[of];
        }
        blockmodel_judge(&batch, likely);
        for (uint32_t i = 0; i < n; i++) l->block[k + i].likely = likely[i];
    }
    smooth(&m->blocks);
    even_rows(&m->blocks);
    *e = (Expected){{0}, {0}};
    for (size_t k = 0; k < m->blocks.n; k++) {
        const Block *b = &m->blocks.block[k];
        e->kept[b->likely] += size_of(b) * 128;
        e->right[b->likely] += size_of(b) * (2 * (unsigned)b->likely + 1);
    }
    for (int i = MODEL_BUCKETS - 1; i-- > 0;) e->kept[i] += e->kept[i + 1], e->right[i] += e->right[i + 1];
}

/* The threshold with the greatest expected F, in which recall counts `num`/`den` times what precision does: (num + den) right /
 * (den kept + num all there is). Among equals the highest. */
static unsigned best_threshold(const Expected *e, uint64_t num, uint64_t den)
{
    unsigned best = MODEL_BUCKETS - 1;

    for (unsigned i = MODEL_BUCKETS - 1; i-- > 0;)
        if (e->right[i] * ((den * e->kept[best] + num * e->right[0]) >> 4) >
            e->right[best] * ((den * e->kept[i] + num * e->right[0]) >> 4))
            best = i;
    return best;
}

/* The strictest mode that keeps each block; true when the page has any text. */
static void choose(MainText *m, const HtmlTree *t, MainMode mode)
{
    static const struct {
        uint64_t num, den;
    } weighing[] = {[MAINTEXT_PRECISION] = {1, 2}, [MAINTEXT_BALANCED] = {1, 1}, [MAINTEXT_RECALL] = {16, 1}};
    unsigned from[MAINTEXT_ALL + 1] = {0};
    Expected e;

    judge(m, t, &e);
    for (int i = 0; i < MAINTEXT_ALL; i++) from[i] = best_threshold(&e, weighing[i].num, weighing[i].den);
    for (size_t k = 0; k < m->blocks.n; k++) {
        Block *b = &m->blocks.block[k];
        b->mode = MAINTEXT_PRECISION;
        while (b->likely < from[b->mode]) b->mode++;
        b->keep = b->mode <= mode;
    }
    uint64_t both = e.kept[from[MAINTEXT_BALANCED]] + e.right[0];
    m->confidence = confidence[both ? 200 * e.right[from[MAINTEXT_BALANCED]] / both : 0];
}

/* Keeps what site rules name: the blocks of an element, or, of one within a line, the block that it stands in. */
static void keep_marked(MainText *m, const HtmlTree *t)
{
    for (uint32_t i = 0, next; m->mark && i < t->n_nodes; i = next) {
        const bool keep = (m->mark[i] & MARK_KEEP) && weight_in(m, t, i) > 0;
        next = keep ? t->node[i].end : i + 1;
        if (!keep) continue;
        uint32_t from = m->blocks.first[i], end = m->blocks.first[next];
        for (uint32_t k = from < end || end == 0 ? from : end - 1; k < end; k++) {
            m->blocks.block[k].mode = MAINTEXT_PRECISION;
            m->blocks.block[k].keep = true;
        }
    }
}

static uint64_t kept_weight(const BlockList *b)
{
    uint64_t w = 0;

    for (size_t k = 0; k < b->n; k++) w += b->block[k].keep ? b->block[k].weight : 0;
    return w;
}

static ErrCode blocks_of_page(MainText *m, const HtmlTree *t, Err *err)
{
    ErrCode rc = blocks_render(t, m->drop, &m->blocks, err);

    if (rc != ERR_OK) return rc;
    for (size_t k = 0; k < m->blocks.n; k++) {
        Block *b = &m->blocks.block[k];
        b->phrases = b->bytes <= PHRASE_BYTES ? (uint8_t)phrases_in(&m->phrases, block_text(&m->blocks, b)) : 0;
        b->keep = b->shed = false;
    }
    for (uint32_t i = 0; i < t->n_nodes; i = m->shed[i] ? t->node[i].end : i + 1)
        for (uint32_t k = m->blocks.first[i]; m->shed[i] && k < m->blocks.first[t->node[i].end]; k++)
            m->blocks.block[k].shed = true;
    mark_link_clusters(m, t);
    return sum_values(m) ? ERR_OK : err_nomem(err, "a page's blocks");
}

/* The longest plain "articleBody" of the page's JSON-LD: where scripts put the text into the page, it is only there. */
static Span article_body(MainText *m, const HtmlTree *t)
{
    Span all = buf_span(&t->json_ld), key = {NULL, 0}, best = {NULL, 0}, value, body;

    buf_reset(&m->json);
    if (!buf_reserve(&m->json, all.n)) return best;
    for (size_t i = 0; jsonld_next(all, &i, &key, &value);) {
        if (!span_is(key, "articleBody")) continue;
        JsonScan s = json_scan(span_from(all, (size_t)(value.p - all.p) - 1));
        if (json_string(&s, &m->json, &body) && body.n > best.n && span_find(body, '<') == body.n) best = body;
    }
    return best;
}

static void put_plain(Buf *out, Span s)
{
    s = span_trim(s);
    for (size_t i = 0; i < s.n; i++) buf_putc(out, s.p[i] < ' ' && s.p[i] != '\n' ? ' ' : s.p[i]);
}

/* Drops all but what site rules name as the main text or to be kept; false, and drops nothing, when there is no main text in it. */
static bool drop_around_marked(MainText *m, const HtmlTree *t)
{
    uint64_t all = m->weight[t->n_nodes], left = 0;
    uint32_t main_end = 0, keep_end = 0;
    uint8_t *drop = m->shed;

    for (uint32_t i = 0; i < t->n_nodes; i = drop[i] ? t->node[i].end : i + 1) {
        const HtmlNode *n = &t->node[i];
        unsigned mark = mark_of(m, i);
        bool few = (uint64_t)weight_in(m, t, i) * 100 < all * HIDDEN_SHARE;
        if ((mark & MARK_MAIN) && main_end < n->end) main_end = n->end;
        if ((mark & MARK_KEEP) && keep_end < n->end) keep_end = n->end;
        drop[i] = m->drop[i];
        if (!drop[i] && n->hidden && few && !mark) drop[i] = BLOCKS_DROP;
        if (i >= main_end && i >= keep_end && !mark) drop[i] = BLOCKS_DROP_IN_CODE;
        if (!drop[i] && n->tag == HTML_TEXT && i < main_end) left += weight_in(m, t, i);
    }
    if (left) {
        m->shed = m->drop;
        m->drop = drop;
    }
    memset(m->shed, 0, t->n_nodes);
    return left != 0;
}

/* The text that site rules name. Errors: memory. */
static ErrCode write_marked(MainText *m, const HtmlTree *t, Buf *out, Err *err)
{
    ErrCode rc = blocks_render(t, m->drop, &m->blocks, err);

    if (rc != ERR_OK) return rc;
    for (size_t k = 0; k < m->blocks.n; k++) {
        m->blocks.block[k].mode = MAINTEXT_PRECISION;
        m->blocks.block[k].keep = true;
    }
    blocks_write(&m->blocks, out);
    return buf_ok(out, "a page's text", err);
}

ErrCode maintext_extract(MainText *m, const HtmlTree *t, MainMode mode, Buf *out, Err *err)
{
    ErrCode rc;

    if (!reserve_nodes(m, t->n_nodes)) return err_nomem(err, "a page");
    uint64_t noscript = measure(m, t, true);
    if (noscript >= MIN_TEXT && noscript > m->weight[t->n_nodes])
        measure(m, t, false); /* forums show crawlers their threads there */
    m->foreign = false;
    m->by_rules = m->mark && drop_around_marked(m, t);
    if (m->by_rules) return write_marked(m, t, out, err);
    if (drop_hard(m, t, false) < MIN_LEFT) drop_hard(m, t, true);
    if ((rc = blocks_of_page(m, t, err)) != ERR_OK) return rc;
    m->root = widen_root(m, t, find_root(m, t));
    if ((rc = pagecontext_read(m, t, err)) != ERR_OK) return rc;
    m->type = (int)m->page->kind.best;
    choose(m, t, mode);
    keep_marked(m, t);
    uint64_t kept = kept_weight(&m->blocks);
    Span body = kept < MIN_TEXT && t->json_ld.n ? article_body(m, t) : (Span){NULL, 0};
    m->foreign = body.n && weight_of_text(body) > 2 * kept;
    if (m->foreign)
        put_plain(out, body);
    else
        blocks_write(&m->blocks, out);
    if (m->json.oom) return err_nomem(err, "a page's text");
    return buf_ok(out, "a page's text", err);
}

void maintext_put_modes(const MainText *m, size_t begin, Buf *out)
{
    const BlockList *l = &m->blocks;
    size_t n_runs = 0, end = 0;
    unsigned mode = 0;

    buf_putc(out, '[');
    for (size_t k = 0; k <= l->n; k++) {
        const Block *b = k < l->n ? &l->block[k] : NULL;
        if (b && !b->end) continue;
        unsigned own = b ? (b->keep ? b : b + 1)->mode : 0; /* what is not kept is written for the block behind it */
        if (end > begin && (!b || own != mode)) {
            buf_printf(out, "%s[\"%s\",", n_runs++ ? "," : "", maintext_modes[mode]);
            buf_put_u64(out, end - begin);
            buf_putc(out, ']');
        }
        if (b) end = b->end, mode = own;
    }
    buf_putc(out, ']');
}
