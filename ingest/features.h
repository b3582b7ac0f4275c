/* ingest/features.h - what is known of a block, as small whole numbers: of itself, of the elements it stands in, of those before and behind
 * it, of all with its path of elements and classes, of the page. Each costs O(1) a block, from sums and tables over the page; a model
 * (blockmodel.h) judges by them. Sizes come as lg(n), about 8 log2(1 + n), shares in percent. */
#ifndef TAMIS_INGEST_FEATURES_H
#define TAMIS_INGEST_FEATURES_H

#include "ingest/pagetype.h"

/* clang-format off */
#define FEATURES_OWN(X) X(kind) X(weight) X(bytes) X(link) X(commas) X(sentences) X(words) X(stops) X(digits) X(uppers) X(han) \
    X(ending) X(opening) X(phrases) X(p_rights) X(p_byline) X(p_related) X(p_share) X(p_login) X(p_comment) X(p_cookie) X(p_buy) \
    X(level) X(indent) X(number) X(depth) X(again) X(title)
#define FEATURES_AROUND(X) \
    X(n_content) X(n_nav) X(n_side) X(n_foot) X(n_head) X(n_ad) X(n_share) X(n_related) X(n_comment) X(n_meta) X(n_crumb) X(n_pager) \
    X(n_cookie) X(n_modal) X(n_login) X(n_hidden) X(n_search) X(n_caption) X(n_forum) \
    X(n_title) X(n_list) X(n_card) X(n_product) X(n_author) \
    X(a_content) X(a_nav) X(a_side) X(a_foot) X(a_head) X(a_ad) X(a_share) X(a_related) X(a_comment) X(a_meta) X(a_crumb) X(a_pager) \
    X(a_cookie) X(a_modal) X(a_login) X(a_hidden) X(a_search) X(a_caption) X(a_forum) \
    X(a_title) X(a_list) X(a_card) X(a_product) X(a_author) \
    X(t_li) X(t_td) X(t_table) X(t_dl) X(t_form) X(t_nav) X(t_aside) X(t_header) X(t_footer) X(t_article) X(t_main) X(t_figure) \
    X(t_quote) X(t_p) X(t_section) X(t_label) X(t_span) X(t_small) X(t_strong) X(t_a) \
    X(dropped) X(bad_share) X(bad_link) X(bad_words) X(good_share) X(good_link) X(in_body)
#define FEATURES_LEVEL(X, n) X(l##n##_weight) X(l##n##_link) X(l##n##_blocks) X(l##n##_good) X(l##n##_twins) X(l##n##_share)
#define FEATURES_PATH(X) X(path_count) X(path_weight) X(path_link) X(path_share) X(path_good)
#define FEATURES_PLACE(X) X(at_block) X(at_weight) X(from_h1) X(to_good_before) X(to_good_behind) X(to_heading) X(heading_phrases) \
    X(heading_related) X(heading_comment) X(heading_level) X(heading_weight) X(near_good) X(near_link) X(wide_good) X(wide_link) \
    X(in_root) X(to_root) X(root_share) X(in_start) \
    X(from_title) X(title_level) X(title_blocks) X(title_share) X(title_headings) X(title_twins) X(from_about) X(about)
#define FEATURES_BESIDE(X, n) X(n##_weight) X(n##_link) X(n##_kind) X(n##_together) X(n##_stops)
#define FEATURES_PAGE(X) PAGE_FEATURES_SUMS(X)
#define FEATURES_TYPE(X) X(is_article) X(is_forum) X(is_product) X(is_collection) X(is_listing) X(is_documentation) X(is_service)
#define FEATURES_LD(X) X(ld_any) X(ld_body) X(ld_place)
#define FEATURES_STORY(X) X(heading_link) X(heading_title) X(linked_headings) X(bylines) X(article_no) X(in_title_article) \
    X(from_lead) X(lead_path) X(lead_level) X(lead_blocks) X(lead_share) X(lead_twins) X(lead_weight)
#define FEATURES(X) FEATURES_OWN(X) FEATURES_AROUND(X) FEATURES_LEVEL(X, 1) FEATURES_LEVEL(X, 2) FEATURES_LEVEL(X, 3) \
    FEATURES_LEVEL(X, 4) FEATURES_PATH(X) FEATURES_PLACE(X) FEATURES_BESIDE(X, b1) FEATURES_BESIDE(X, b2) FEATURES_BESIDE(X, f1) \
    FEATURES_BESIDE(X, f2) FEATURES_PAGE(X) FEATURES_LD(X) FEATURES_STORY(X) FEATURES_TYPE(X)
/* clang-format on */
#define FEATURE_ENUM(name) FEATURE_##name,
typedef enum { FEATURES(FEATURE_ENUM) FEATURE_N } Feature;
#undef FEATURE_ENUM
extern const char *const feature_names[FEATURE_N];

/* Of a page whose context is read (pagecontext.h). */
void features_block(const MainText *m, const HtmlTree *t, uint32_t block, int16_t out[FEATURE_N]);

#endif
