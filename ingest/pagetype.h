/* ingest/pagetype.h - what kind of page it is, by which its blocks are judged: comments are what a thread is made of and no part of an
 * article. Boosted trees, one sum a type, over what the page says of itself (JSON-LD, Open Graph, generator, address) and over the shares of
 * its text in elements of each kind; tools/train_blocks.py wrote their table. The types are those of WCXB (murrough-foley/web-content-
 * extraction-benchmark). */
#ifndef TAMIS_INGEST_PAGETYPE_H
#define TAMIS_INGEST_PAGETYPE_H

#include "ingest/maintext.h"

/* clang-format off */
#define PAGE_TYPES(X) \
    X(article)       /* news, essay, blog post: one text under one title */ \
    X(forum)         /* a thread, questions with answers */ \
    X(product)       /* one thing that is sold */ \
    X(collection)    /* many such things */ \
    X(listing)       /* headlines or teasers of other pages */ \
    X(documentation) /* manual, reference, encyclopedia */ \
    X(service)       /* what a company or office does; landing pages */

/* Of the page: sizes as lg(n) = floor(8 log2(1 + n)), shares in percent of the text's weight, -1 for what is not known. */
#define PAGE_FEATURES_SUMS(X) X(page_weight) X(page_link) X(page_blocks) X(page_good) X(page_forum) X(page_articles) X(page_h1) X(page_han) \
    X(page_type) X(page_ld) X(page_p) X(page_headings) X(page_items) X(page_twins) X(page_twins_share) X(page_root) \
    X(page_ld_any) X(page_ld_body)
#define PAGE_FEATURES_HEAD(X) X(url_parts) X(url_last) X(url_hyphens) X(url_digits) X(url_query) X(url_forum) X(url_product) X(url_list) \
    X(url_manual) X(url_news) X(url_service) X(made_manual) X(made_forum) X(made_shop) X(made_blog)
#define PAGE_FEATURES_TEXT(X) X(s_words) X(s_stops) X(s_digits) X(s_uppers) X(s_block) X(s_ending) X(s_heading) X(s_item) X(s_pre) X(s_row) \
    X(s_rights) X(s_byline) X(s_related) X(s_share) X(s_login) X(s_comment) X(s_cookie) X(s_buy)
#define PAGE_FEATURES_IN(X) \
    X(i_content) X(i_nav) X(i_side) X(i_foot) X(i_head) X(i_ad) X(i_share) X(i_related) X(i_comment) X(i_meta) X(i_crumb) X(i_pager) \
    X(i_cookie) X(i_modal) X(i_login) X(i_hidden) X(i_search) X(i_caption) X(i_forum) \
    X(i_title) X(i_list) X(i_card) X(i_product) X(i_author) \
    X(i_li) X(i_td) X(i_table) X(i_dl) X(i_form) X(i_navs) X(i_aside) X(i_header) X(i_footer) X(i_article) X(i_main) X(i_figure) \
    X(i_quote) X(i_p) X(i_section) X(i_label) X(i_span) X(i_small) X(i_strong) X(i_a)
#define PAGE_FEATURES(X) PAGE_FEATURES_SUMS(X) PAGE_FEATURES_HEAD(X) PAGE_FEATURES_TEXT(X) PAGE_FEATURES_IN(X)
/* clang-format on */
#define PAGE_TYPE_ENUM(name) PAGE_TYPE_##name,
typedef enum { PAGE_TYPES(PAGE_TYPE_ENUM) PAGE_N_TYPES } PageType;
#undef PAGE_TYPE_ENUM
extern const char *const page_type_names[PAGE_N_TYPES + 1]; /* the last one "unsure" */
#define PAGE_FEATURE_ENUM(name) PAGE_FEATURE_##name,
typedef enum { PAGE_FEATURES(PAGE_FEATURE_ENUM) PAGE_FEATURE_N } PageFeature;
#undef PAGE_FEATURE_ENUM
extern const char *const page_feature_names[PAGE_FEATURE_N];

/* Of a page whose context is read but for this (pagecontext.h). */
void pagetype_features(const MainText *m, int16_t out[PAGE_FEATURE_N]);

typedef struct {
    PageType best;                /* the likeliest; PAGE_N_TYPES where none is likelier than not */
    uint8_t likely[PAGE_N_TYPES]; /* 64ths (trees.h); each by itself, so that they need not sum to all */
} PageKind;
PageKind pagetype_judge(const int16_t features[PAGE_FEATURE_N]);

#endif
