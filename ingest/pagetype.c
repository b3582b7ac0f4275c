#include "ingest/pagetype.h"

#include "ingest/pagecontext.h"
#include "ingest/trees.h"

#define PAGE_TYPE_NAME(name) #name,
const char *const page_type_names[PAGE_N_TYPES + 1] = {PAGE_TYPES(PAGE_TYPE_NAME) "unsure"};
#undef PAGE_TYPE_NAME
#define PAGE_FEATURE_NAME(name) #name,
const char *const page_feature_names[PAGE_FEATURE_N] = {PAGE_FEATURES(PAGE_FEATURE_NAME)};
#undef PAGE_FEATURE_NAME

#include "ingest/pagetype_table.inc"
_Static_assert(sizeof type_models / sizeof type_models[0] == PAGE_N_TYPES, "every type has its trees");

/* Rows of features that are filled from kinds and bits in their order. */
_Static_assert((int)PAGE_FEATURE_s_row - (int)PAGE_FEATURE_s_heading == (int)BLOCK_ROW - (int)BLOCK_HEADING,
               "a feature a kind of block");
_Static_assert(PAGE_FEATURE_s_buy - PAGE_FEATURE_s_rights + 1 == PHRASE_N, "one a kind of phrase");
_Static_assert(PAGE_FEATURE_i_author - PAGE_FEATURE_i_content + 1 == HINT_WORDS, "one a hint");
_Static_assert((int)PAGE_FEATURE_i_a - (int)PAGE_FEATURE_i_li + 1 == (int)N_TAG_BITS, "one a tag");

/* ---- the address */

enum { PAGE_URL_BYTES = 1024 }; /* are looked at */

/* The feature that a word in an address speaks for; PAGE_FEATURE_N: none. */
static PageFeature word_of_url(Span word)
{
    static const struct {
        const char *word;
        PageFeature of;
    } words[] = {{"answers", PAGE_FEATURE_url_forum},
                 {"bbs", PAGE_FEATURE_url_forum},
                 {"board", PAGE_FEATURE_url_forum},
                 {"boards", PAGE_FEATURE_url_forum},
                 {"community", PAGE_FEATURE_url_forum},
                 {"discuss", PAGE_FEATURE_url_forum},
                 {"discussion", PAGE_FEATURE_url_forum},
                 {"discussions", PAGE_FEATURE_url_forum},
                 {"forum", PAGE_FEATURE_url_forum},
                 {"forums", PAGE_FEATURE_url_forum},
                 {"question", PAGE_FEATURE_url_forum},
                 {"questions", PAGE_FEATURE_url_forum},
                 {"showthread", PAGE_FEATURE_url_forum},
                 {"thread", PAGE_FEATURE_url_forum},
                 {"threads", PAGE_FEATURE_url_forum},
                 {"tieba", PAGE_FEATURE_url_forum},
                 {"topic", PAGE_FEATURE_url_forum},
                 {"topics", PAGE_FEATURE_url_forum},
                 {"viewthread", PAGE_FEATURE_url_forum},
                 {"viewtopic", PAGE_FEATURE_url_forum},
                 {"buy", PAGE_FEATURE_url_product},
                 {"dp", PAGE_FEATURE_url_product},
                 {"goods", PAGE_FEATURE_url_product},
                 {"item", PAGE_FEATURE_url_product},
                 {"product", PAGE_FEATURE_url_product},
                 {"products", PAGE_FEATURE_url_product},
                 {"shop", PAGE_FEATURE_url_product},
                 {"sku", PAGE_FEATURE_url_product},
                 {"store", PAGE_FEATURE_url_product},
                 {"archive", PAGE_FEATURE_url_list},
                 {"archives", PAGE_FEATURE_url_list},
                 {"browse", PAGE_FEATURE_url_list},
                 {"catalog", PAGE_FEATURE_url_list},
                 {"categories", PAGE_FEATURE_url_list},
                 {"category", PAGE_FEATURE_url_list},
                 {"collection", PAGE_FEATURE_url_list},
                 {"collections", PAGE_FEATURE_url_list},
                 {"items", PAGE_FEATURE_url_list},
                 {"list", PAGE_FEATURE_url_list},
                 {"results", PAGE_FEATURE_url_list},
                 {"search", PAGE_FEATURE_url_list},
                 {"tag", PAGE_FEATURE_url_list},
                 {"tags", PAGE_FEATURE_url_list},
                 {"api", PAGE_FEATURE_url_manual},
                 {"doc", PAGE_FEATURE_url_manual},
                 {"docs", PAGE_FEATURE_url_manual},
                 {"documentation", PAGE_FEATURE_url_manual},
                 {"guide", PAGE_FEATURE_url_manual},
                 {"guides", PAGE_FEATURE_url_manual},
                 {"handbook", PAGE_FEATURE_url_manual},
                 {"help", PAGE_FEATURE_url_manual},
                 {"kb", PAGE_FEATURE_url_manual},
                 {"learn", PAGE_FEATURE_url_manual},
                 {"man", PAGE_FEATURE_url_manual},
                 {"manual", PAGE_FEATURE_url_manual},
                 {"readthedocs", PAGE_FEATURE_url_manual},
                 {"reference", PAGE_FEATURE_url_manual},
                 {"support", PAGE_FEATURE_url_manual},
                 {"tutorial", PAGE_FEATURE_url_manual},
                 {"tutorials", PAGE_FEATURE_url_manual},
                 {"wiki", PAGE_FEATURE_url_manual},
                 {"article", PAGE_FEATURE_url_news},
                 {"articles", PAGE_FEATURE_url_news},
                 {"blog", PAGE_FEATURE_url_news},
                 {"blogs", PAGE_FEATURE_url_news},
                 {"news", PAGE_FEATURE_url_news},
                 {"opinion", PAGE_FEATURE_url_news},
                 {"post", PAGE_FEATURE_url_news},
                 {"posts", PAGE_FEATURE_url_news},
                 {"story", PAGE_FEATURE_url_news},
                 {"stories", PAGE_FEATURE_url_news},
                 {"about", PAGE_FEATURE_url_service},
                 {"company", PAGE_FEATURE_url_service},
                 {"features", PAGE_FEATURE_url_service},
                 {"industries", PAGE_FEATURE_url_service},
                 {"platform", PAGE_FEATURE_url_service},
                 {"pricing", PAGE_FEATURE_url_service},
                 {"service", PAGE_FEATURE_url_service},
                 {"services", PAGE_FEATURE_url_service},
                 {"solutions", PAGE_FEATURE_url_service}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (span_eq_nocase(word, span_str(words[i].word))) return words[i].of;
    return PAGE_FEATURE_N;
}

static void put_url(Span url, int16_t *f)
{
    size_t from = span_find(url, ':'), query, word = 0, last = 0;
    int parts = 0, hyphens = 0, digits = 0;

    for (int i = PAGE_FEATURE_url_parts; i <= PAGE_FEATURE_url_service; i++) f[i] = url.n ? 0 : -1;
    url.n = url.n < PAGE_URL_BYTES ? url.n : PAGE_URL_BYTES;
    if (from + 3 > url.n) return;
    url = span_from(url, from + 3); /* "://" */
    url.n = span_find(url, '#');
    query = span_find(url, '?');
    for (size_t i = 0; i <= query; i++) {
        const uint8_t c = i < query ? url.p[i] : '/';
        if (ascii_is_alpha(c)) continue;
        PageFeature of = i > word ? word_of_url(span(url.p + word, i - word)) : PAGE_FEATURE_N;
        if (of != PAGE_FEATURE_N) f[of] = 1;
        word = i + 1;
        digits += ascii_is_digit(c);
        hyphens += c == '-' || c == '_';
        if (c != '/') continue;
        if (i > last) {
            parts++;
            f[PAGE_FEATURE_url_last] = (int16_t)lg(i - last);
            f[PAGE_FEATURE_url_hyphens] = (int16_t)lg((uint64_t)hyphens);
        }
        last = i + 1;
        hyphens = 0;
    }
    f[PAGE_FEATURE_url_parts] = (int16_t)(parts < 20 ? parts : 20);
    f[PAGE_FEATURE_url_digits] = (int16_t)lg((uint64_t)digits);
    f[PAGE_FEATURE_url_query] = (int16_t)lg(url.n - query);
}

/* ---- the text */

static void put_sums(const MainText *m, const PageContext *p, int16_t *f)
{
    f[PAGE_FEATURE_page_weight] = (int16_t)lg(p->weight);
    f[PAGE_FEATURE_page_link] = (int16_t)percent(p->link, p->weight);
    f[PAGE_FEATURE_page_blocks] = (int16_t)lg(m->blocks.n);
    f[PAGE_FEATURE_page_good] = (int16_t)percent(p->good, p->weight);
    f[PAGE_FEATURE_page_forum] = (int16_t)lg(p->forum);
    f[PAGE_FEATURE_page_articles] = (int16_t)lg(p->n_articles);
    f[PAGE_FEATURE_page_h1] = (int16_t)lg(p->n_h1);
    f[PAGE_FEATURE_page_han] = (int16_t)p->han;
    f[PAGE_FEATURE_page_type] = (int16_t)p->type;
    f[PAGE_FEATURE_page_ld] = (int16_t)p->ld;
    f[PAGE_FEATURE_page_p] = (int16_t)percent(p->in[TAG_SHIFT + BIT_p], p->weight);
    f[PAGE_FEATURE_page_headings] = (int16_t)lg(p->n_headings);
    f[PAGE_FEATURE_page_items] = (int16_t)lg(p->n_items);
    f[PAGE_FEATURE_page_twins] = (int16_t)lg(p->twins);
    f[PAGE_FEATURE_page_twins_share] = (int16_t)percent(p->twins_weight, p->weight);
    f[PAGE_FEATURE_page_root] = (int16_t)p->root_share;
    f[PAGE_FEATURE_page_ld_any] = (int16_t)lg(m->ld.bytes);
    f[PAGE_FEATURE_page_ld_body] = (int16_t)lg(m->ld.body_bytes);
}

static int16_t mean(uint64_t sum, uint64_t n) { return (int16_t)(n ? sum / n : 0); }

static void put_text(const MainText *m, const PageContext *p, int16_t *f)
{
    f[PAGE_FEATURE_s_words] = mean(p->words, m->blocks.n);
    f[PAGE_FEATURE_s_stops] = mean(p->stops, p->weight);
    f[PAGE_FEATURE_s_digits] = mean(p->digits, p->weight);
    f[PAGE_FEATURE_s_uppers] = mean(p->uppers, p->weight);
    f[PAGE_FEATURE_s_block] = (int16_t)lg(m->blocks.n ? p->weight / m->blocks.n : 0);
    f[PAGE_FEATURE_s_ending] = (int16_t)percent(p->ending, p->weight);
    for (int i = BLOCK_HEADING; i <= BLOCK_ROW; i++)
        f[PAGE_FEATURE_s_heading + i - BLOCK_HEADING] = (int16_t)percent(p->of_kind[i], p->weight);
    for (int i = 0; i < PHRASE_N; i++) f[PAGE_FEATURE_s_rights + i] = (int16_t)lg(p->phrases[i]);
    for (int i = 0; i < HINT_WORDS; i++) f[PAGE_FEATURE_i_content + i] = (int16_t)percent(p->in[i], p->weight);
    for (unsigned i = 0; i < N_TAG_BITS; i++)
        f[PAGE_FEATURE_i_li + i] = (int16_t)percent(p->in[TAG_SHIFT + 1 + i], p->weight);
}

void pagetype_features(const MainText *m, int16_t out[PAGE_FEATURE_N])
{
    const PageContext *p = m->page;

    put_sums(m, p, out);
    put_url(m->url, out);
    out[PAGE_FEATURE_made_manual] = (p->made & MADE_MANUAL) != 0;
    out[PAGE_FEATURE_made_forum] = (p->made & MADE_FORUM) != 0;
    out[PAGE_FEATURE_made_shop] = (p->made & MADE_SHOP) != 0;
    out[PAGE_FEATURE_made_blog] = (p->made & MADE_BLOG) != 0;
    put_text(m, p, out);
}

PageKind pagetype_judge(const int16_t features[PAGE_FEATURE_N])
{
    static const TreeTable table = {type_ends, type_nodes, type_leaves};
    int32_t best = -1; /* of even odds the sum is 0 */
    PageKind kind = {PAGE_N_TYPES, {0}};

    for (int i = 0; i < PAGE_N_TYPES; i++) {
        const int32_t sum = trees_sum_row(&table, type_models[i], features);
        kind.likely[i] = (uint8_t)trees_likely(sum);
        if (sum > best) best = sum, kind.best = (PageType)i;
    }
    return kind;
}
