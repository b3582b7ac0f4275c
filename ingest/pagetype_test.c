#include "ingest/pagetype.h"
#include "tests/page_tree.h"

#define PROSE                                                                                                     \
    "<p>The harbour was quiet that morning, and the boats lay still beneath a sky without a single cloud in it. " \
    "Nobody had come down to the quay before nine, and those who came did not stay for long.</p>\n"
#define PROSE_4 PROSE PROSE PROSE PROSE
#define POST(name)                                                                               \
    "<div class=post><div class=author><a href=/u/" name ">" name "</a> Member, 204 posts</div>" \
    "<div class=postbody><p>I had the same trouble with it, has anyone found out why? " name     \
    "</p></div><a href=#>Reply</a></div>\n"
#define POSTS   \
    POST("ann") \
    POST("bob") POST("cid") POST("dan") POST("eve") POST("fay") POST("gus") POST("hal") POST("ivy") POST("jan")

/* A page as it would be judged. */
static PageKind judge(const char *html, const char *url, int16_t features[PAGE_FEATURE_N])
{
    HtmlTree t = {0};
    MainText m = {.url = span_str(url)};
    Buf out = {0};
    Err err = {0};

    page_tree(html, &t);
    CHECK_OK(maintext_extract(&m, &t, MAINTEXT_BALANCED, &out, &err), &err);
    pagetype_features(&m, features);
    PageKind kind = pagetype_judge(features);
    CHECK_INT(kind.best, m.type);
    buf_clear(&out);
    maintext_clear(&m);
    htmltree_clear(&t);
    return kind;
}

TEST(an_article_and_a_thread_are_told_apart)
{
    int16_t f[PAGE_FEATURE_N];

    PageKind kind =
        judge("<html><head><title>A quiet morning</title><meta property=og:type content=article></head><body>"
              "<article><h1>A quiet morning</h1>" PROSE_4 "</article></body></html>",
              "https://news.example.org/2024/05/a-quiet-morning.html", f);
    CHECK_STR("article", page_type_names[kind.best]);
    kind =
        judge("<html><head><title>It does not start</title><meta name=generator content='Discuz! X3.4'></head><body>"
              "<div id=thread class='thread forum'><h1>It does not start</h1>" POSTS POSTS "</div></body></html>",
              "https://bbs.example.org/forum/viewthread.php?tid=12", f);
    CHECK_STR("forum", page_type_names[kind.best]);
}

static void check_url(const char *url, PageFeature of, int want)
{
    int16_t f[PAGE_FEATURE_N];

    judge("<p>x", url, f);
    CHECK_INT(want, f[of]);
}

TEST(what_an_address_says)
{
    check_url("https://example.org/forum/viewtopic.php?t=3", PAGE_FEATURE_url_forum, 1);
    check_url("https://example.org/forum/viewtopic.php?t=3", PAGE_FEATURE_url_parts, 3);  /* the host is the first */
    check_url("https://example.org/forum/viewtopic.php?t=3", PAGE_FEATURE_url_query, 18); /* lg(4) */
    check_url("https://docs.example.org/", PAGE_FEATURE_url_manual, 1);
    check_url("https://example.org/Products/blue-chair", PAGE_FEATURE_url_product, 1);
    check_url("https://example.org/Products/blue-chair", PAGE_FEATURE_url_hyphens, 8); /* lg(1) */
    check_url("https://example.org/productsheet", PAGE_FEATURE_url_product, 0);
    check_url("https://example.org/?forum", PAGE_FEATURE_url_forum, 0);
    check_url("https://example.org/#docs", PAGE_FEATURE_url_manual, 0);
    check_url("", PAGE_FEATURE_url_forum, -1);
    check_url("", PAGE_FEATURE_url_parts, -1);
    check_url("x", PAGE_FEATURE_url_parts, 0);
    check_url("mailto:", PAGE_FEATURE_url_parts, 0);
}

TEST(what_made_a_page_and_how_its_text_lies)
{
    int16_t f[PAGE_FEATURE_N];

    judge("<head><meta name=generator content='Sphinx "
          "7.2'></head><body><p>abcdefghij.</p><ul><li>abcdefghijabcdefghijabcdefghij</ul>",
          "", f);
    CHECK_INT(1, f[PAGE_FEATURE_made_manual]);
    CHECK_INT(0, f[PAGE_FEATURE_made_forum] + f[PAGE_FEATURE_made_shop] + f[PAGE_FEATURE_made_blog]);
    CHECK_INT(25, f[PAGE_FEATURE_i_p]); /* 10 letters of 40 */
    CHECK_INT(75, f[PAGE_FEATURE_i_li]);
    CHECK_INT(75, f[PAGE_FEATURE_s_item]);
    CHECK_INT(25, f[PAGE_FEATURE_s_ending]);
    CHECK_INT(1, f[PAGE_FEATURE_s_words]);
    judge("<head><meta name=GENERATOR content=wordpress></head><p>x", "", f);
    CHECK_INT(1, f[PAGE_FEATURE_made_blog]);
}
