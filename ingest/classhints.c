#include "ingest/classhints.h"

#include <stdlib.h>

/* Sorted by bytes. */
static const struct {
    const char *word;
    uint32_t hints;
} words[] = {{"actions", HINT_SHARE},
             {"ad", HINT_AD},
             {"adbox", HINT_AD},
             {"addthis", HINT_SHARE},
             {"ads", HINT_AD},
             {"adsbygoogle", HINT_AD},
             {"adsense", HINT_AD},
             {"advert", HINT_AD},
             {"advertisement", HINT_AD},
             {"alsolike", HINT_RELATED},
             {"answer", HINT_FORUM},
             {"answers", HINT_FORUM},
             {"article", HINT_CONTENT},
             {"articlebody", HINT_CONTENT},
             {"articlecontent", HINT_CONTENT},
             {"articletext", HINT_CONTENT},
             {"aside", HINT_SIDE},
             {"author", HINT_META},
             {"backtop", HINT_NAV},
             {"banner", HINT_AD},
             {"banquan", HINT_FOOT},
             {"bbs", HINT_FORUM},
             {"bdshare", HINT_SHARE},
             {"bdsharebuttonbox", HINT_SHARE},
             {"blogroll", HINT_SIDE},
             {"body", HINT_CONTENT},
             {"bottom", HINT_FOOT},
             {"breadcrumb", HINT_BREADCRUMB},
             {"breadcrumbs", HINT_BREADCRUMB},
             {"byline", HINT_META},
             {"caidan", HINT_NAV},
             {"caption", HINT_CAPTION},
             {"categories", HINT_META},
             {"category", HINT_META},
             {"colophon", HINT_FOOT},
             {"comment", HINT_COMMENT},
             {"commentlist", HINT_COMMENT},
             {"comments", HINT_COMMENT},
             {"complementary", HINT_SIDE},
             {"con", HINT_CONTENT},
             {"consent", HINT_COOKIE},
             {"content", HINT_CONTENT},
             {"contentinfo", HINT_FOOT},
             {"contents", HINT_CONTENT},
             {"cookie", HINT_COOKIE},
             {"cookies", HINT_COOKIE},
             {"copyright", HINT_FOOT},
             {"crumb", HINT_BREADCRUMB},
             {"crumbs", HINT_BREADCRUMB},
             {"daohang", HINT_NAV},
             {"date", HINT_META},
             {"dateline", HINT_META},
             {"datetime", HINT_META},
             {"detail", HINT_CONTENT},
             {"details", HINT_CONTENT},
             {"dialog", HINT_MODAL},
             {"dibu", HINT_FOOT},
             {"disclaimer", HINT_FOOT},
             {"discussion", HINT_FORUM},
             {"disqus", HINT_COMMENT},
             {"dropdown", HINT_NAV},
             {"editor", HINT_CONTENT},
             {"entry", HINT_CONTENT},
             {"fenxiang", HINT_SHARE},
             {"fenye", HINT_PAGER},
             {"flyout", HINT_NAV},
             {"follow", HINT_SHARE},
             {"foot", HINT_FOOT},
             {"footer", HINT_FOOT},
             {"footerwrap", HINT_FOOT},
             {"forum", HINT_FORUM},
             {"forums", HINT_FORUM},
             {"gdpr", HINT_COOKIE},
             {"gg", HINT_AD},
             {"guanggao", HINT_AD},
             {"header", HINT_HEAD},
             {"headerlink", HINT_NAV},
             {"hentry", HINT_CONTENT},
             {"hidden", HINT_HIDDEN},
             {"hide", HINT_HIDDEN},
             {"jammer", HINT_HIDDEN},
             {"lightbox", HINT_MODAL},
             {"links", HINT_NAV},
             {"login", HINT_LOGIN},
             {"main", HINT_CONTENT},
             {"mainbody", HINT_CONTENT},
             {"maincontent", HINT_CONTENT},
             {"masthead", HINT_HEAD | HINT_NAV},
             {"menu", HINT_NAV},
             {"menus", HINT_NAV},
             {"message", HINT_FORUM},
             {"meta", HINT_META},
             {"metadata", HINT_META},
             {"modal", HINT_MODAL},
             {"nav", HINT_NAV},
             {"navbar", HINT_NAV},
             {"navi", HINT_NAV},
             {"navigation", HINT_NAV},
             {"neirong", HINT_CONTENT},
             {"newscontent", HINT_CONTENT},
             {"newsletter", HINT_LOGIN},
             {"outbrain", HINT_RELATED},
             {"overlay", HINT_MODAL},
             {"pager", HINT_PAGER},
             {"pagination", HINT_PAGER},
             {"paging", HINT_PAGER},
             {"pinglun", HINT_COMMENT},
             {"popular", HINT_RELATED},
             {"popup", HINT_MODAL},
             {"post", HINT_CONTENT},
             {"postbody", HINT_CONTENT},
             {"postcontent", HINT_CONTENT},
             {"postmeta", HINT_META},
             {"promo", HINT_AD},
             {"promoted", HINT_AD},
             {"promotion", HINT_AD},
             {"pubdate", HINT_META},
             {"published", HINT_META},
             {"question", HINT_FORUM},
             {"questions", HINT_FORUM},
             {"recommend", HINT_RELATED},
             {"recommendation", HINT_RELATED},
             {"recommendations", HINT_RELATED},
             {"recommended", HINT_RELATED},
             {"register", HINT_LOGIN},
             {"related", HINT_RELATED},
             {"relatedlinks", HINT_RELATED},
             {"replies", HINT_COMMENT},
             {"reply", HINT_COMMENT},
             {"respond", HINT_COMMENT},
             {"richtext", HINT_CONTENT},
             {"search", HINT_SEARCH},
             {"searchbox", HINT_SEARCH},
             {"share", HINT_SHARE},
             {"sharebar", HINT_SHARE},
             {"sharing", HINT_SHARE},
             {"side", HINT_SIDE},
             {"sidebar", HINT_SIDE},
             {"sidebox", HINT_SIDE},
             {"signin", HINT_LOGIN},
             {"signup", HINT_LOGIN},
             {"sitemap", HINT_NAV},
             {"skip", HINT_NAV},
             {"sns", HINT_SHARE},
             {"social", HINT_SHARE},
             {"sponsor", HINT_AD},
             {"sponsored", HINT_AD},
             {"sponsors", HINT_AD},
             {"story", HINT_CONTENT},
             {"storybody", HINT_CONTENT},
             {"submenu", HINT_NAV},
             {"subscribe", HINT_LOGIN},
             {"subscription", HINT_LOGIN},
             {"taboola", HINT_RELATED},
             {"tag", HINT_META},
             {"tags", HINT_META},
             {"text", HINT_CONTENT},
             {"thread", HINT_FORUM},
             {"threads", HINT_FORUM},
             {"time", HINT_META},
             {"timestamp", HINT_META},
             {"toolbar", HINT_NAV},
             {"tooltip", HINT_MODAL},
             {"topbar", HINT_NAV},
             {"topic", HINT_FORUM},
             {"topics", HINT_FORUM},
             {"topnav", HINT_NAV},
             {"trending", HINT_RELATED},
             {"trs", HINT_CONTENT},
             {"tuijian", HINT_RELATED},
             {"txt", HINT_CONTENT},
             {"user", HINT_META},
             {"userinfo", HINT_META},
             {"wenzhang", HINT_CONTENT},
             {"widgets", HINT_SIDE},
             {"xgxw", HINT_RELATED},
             {"xiangguan", HINT_RELATED},
             {"yejiao", HINT_FOOT},
             {"zhengwen", HINT_CONTENT},
             {"zuozhe", HINT_META}};

enum { MAX_WORD = 24 };

static uint32_t hints_of(const char *word)
{
    size_t lo = 0, hi = sizeof words / sizeof words[0];

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(word, words[mid].word);
        if (c == 0) return words[mid].hints;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return 0;
}

uint32_t class_hints(Span v)
{
    char word[MAX_WORD + 1];
    size_t n = 0;
    uint32_t hints = 0;

    for (size_t i = 0; i <= v.n; i++) {
        uint8_t c = i < v.n ? v.p[i] : 0;
        bool letter = ascii_is_alpha(c), camel = ascii_is_upper(c) && i > 0 && ascii_is_lower(v.p[i - 1]);
        if (n && (!letter || camel)) {
            word[n <= MAX_WORD ? n : 0] = 0; /* a longer run is no word of the table */
            hints |= hints_of(word);
            n = 0;
        }
        if (letter) {
            if (n < MAX_WORD) word[n] = (char)ascii_lower(c);
            n++;
        }
    }
    return hints;
}
