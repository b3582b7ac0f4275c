#include "ingest/phrases.h"

/* In small letters. */
static const struct {
    const char *text;
    uint32_t kind;
} phrases[] = {{"\xc2\xa9", PHRASE_RIGHTS},
               {"all rights reserved", PHRASE_RIGHTS},
               {"copyright", PHRASE_RIGHTS},
               {"powered by", PHRASE_RIGHTS},
               {"terms of use", PHRASE_RIGHTS},
               {"terms of service", PHRASE_RIGHTS},
               {"terms & conditions", PHRASE_RIGHTS},
               {"contact us", PHRASE_RIGHTS},
               {"about us", PHRASE_RIGHTS},
               {"privacy policy", PHRASE_COOKIE},
               {"cookie", PHRASE_COOKIE},
               {"icp备", PHRASE_RIGHTS},
               {"icp证", PHRASE_RIGHTS},
               {"公网安备", PHRASE_RIGHTS},
               {"版权所有", PHRASE_RIGHTS},
               {"版权声明", PHRASE_RIGHTS},
               {"转载请", PHRASE_RIGHTS},
               {"未经授权", PHRASE_RIGHTS},
               {"免责声明", PHRASE_RIGHTS},
               {"友情链接", PHRASE_RIGHTS},
               {"网站地图", PHRASE_RIGHTS},
               {"关于我们", PHRASE_RIGHTS},
               {"联系我们", PHRASE_RIGHTS},
               {"举报", PHRASE_RIGHTS},
               {"违法和不良信息", PHRASE_RIGHTS},
               {"返回顶部", PHRASE_RELATED},
               {"返回首页", PHRASE_RELATED},
               {"skip to", PHRASE_RELATED},
               {"back to top", PHRASE_RELATED},
               {"responsible editor", PHRASE_BYLINE},
               {"written by", PHRASE_BYLINE},
               {"posted by", PHRASE_BYLINE},
               {"posted on", PHRASE_BYLINE},
               {"posted in", PHRASE_BYLINE},
               {"published", PHRASE_BYLINE},
               {"updated", PHRASE_BYLINE},
               {"last modified", PHRASE_BYLINE},
               {"min read", PHRASE_BYLINE},
               {"minutes ago", PHRASE_BYLINE},
               {"hours ago", PHRASE_BYLINE},
               {"days ago", PHRASE_BYLINE},
               {"years ago", PHRASE_BYLINE},
               {"joined", PHRASE_BYLINE},
               {"filed under", PHRASE_BYLINE},
               {"photo:", PHRASE_BYLINE},
               {"photograph", PHRASE_BYLINE},
               {"getty images", PHRASE_BYLINE},
               {"责任编辑", PHRASE_BYLINE},
               {"编辑：", PHRASE_BYLINE},
               {"来源：", PHRASE_BYLINE},
               {"来源:", PHRASE_BYLINE},
               {"作者：", PHRASE_BYLINE},
               {"作者:", PHRASE_BYLINE},
               {"记者", PHRASE_BYLINE},
               {"发布时间", PHRASE_BYLINE},
               {"发表于", PHRASE_BYLINE},
               {"更新时间", PHRASE_BYLINE},
               {"阅读数", PHRASE_BYLINE},
               {"浏览", PHRASE_BYLINE},
               {"点击数", PHRASE_BYLINE},
               {"点击：", PHRASE_BYLINE},
               {"字号", PHRASE_BYLINE},
               {"字体", PHRASE_BYLINE},
               {"积分", PHRASE_BYLINE},
               {"related", PHRASE_RELATED},
               {"recommended", PHRASE_RELATED},
               {"you may also", PHRASE_RELATED},
               {"you might also", PHRASE_RELATED},
               {"also like", PHRASE_RELATED},
               {"read more", PHRASE_RELATED},
               {"read next", PHRASE_RELATED},
               {"learn more", PHRASE_RELATED},
               {"see more", PHRASE_RELATED},
               {"view all", PHRASE_RELATED},
               {"see all", PHRASE_RELATED},
               {"more from", PHRASE_RELATED},
               {"more stories", PHRASE_RELATED},
               {"more in ", PHRASE_RELATED},
               {"more on ", PHRASE_RELATED},
               {"trending", PHRASE_RELATED},
               {"most read", PHRASE_RELATED},
               {"most popular", PHRASE_RELATED},
               {"popular posts", PHRASE_RELATED},
               {"recent posts", PHRASE_RELATED},
               {"latest news", PHRASE_RELATED},
               {"latest posts", PHRASE_RELATED},
               {"latest articles", PHRASE_RELATED},
               {"previous post", PHRASE_RELATED},
               {"next post", PHRASE_RELATED},
               {"previous article", PHRASE_RELATED},
               {"next article", PHRASE_RELATED},
               {"similar ", PHRASE_RELATED},
               {"sponsored", PHRASE_RELATED},
               {"advertisement", PHRASE_RELATED},
               {"from around the web", PHRASE_RELATED},
               {"上一篇", PHRASE_RELATED},
               {"下一篇", PHRASE_RELATED},
               {"相关阅读", PHRASE_RELATED},
               {"相关文章", PHRASE_RELATED},
               {"相关新闻", PHRASE_RELATED},
               {"相关推荐", PHRASE_RELATED},
               {"相关链接", PHRASE_RELATED},
               {"相关资讯", PHRASE_RELATED},
               {"推荐阅读", PHRASE_RELATED},
               {"延伸阅读", PHRASE_RELATED},
               {"热门", PHRASE_RELATED},
               {"猜你喜欢", PHRASE_RELATED},
               {"排行", PHRASE_RELATED},
               {"最新文章", PHRASE_RELATED},
               {"最新资讯", PHRASE_RELATED},
               {"为您推荐", PHRASE_RELATED},
               {"精彩推荐", PHRASE_RELATED},
               {"点击查看更多", PHRASE_RELATED},
               {"查看更多", PHRASE_RELATED},
               {"更多>>", PHRASE_RELATED},
               {"share this", PHRASE_SHARE},
               {"share on", PHRASE_SHARE},
               {"share with", PHRASE_SHARE},
               {"share:", PHRASE_SHARE},
               {"follow us", PHRASE_SHARE},
               {"follow me", PHRASE_SHARE},
               {"facebook", PHRASE_SHARE},
               {"twitter", PHRASE_SHARE},
               {"instagram", PHRASE_SHARE},
               {"click to share", PHRASE_SHARE},
               {"copy link", PHRASE_SHARE},
               {"print this", PHRASE_SHARE},
               {"download the app", PHRASE_SHARE},
               {"分享到", PHRASE_SHARE},
               {"扫一扫", PHRASE_SHARE},
               {"扫码", PHRASE_SHARE},
               {"二维码", PHRASE_SHARE},
               {"公众号", PHRASE_SHARE},
               {"点赞", PHRASE_SHARE},
               {"收藏", PHRASE_SHARE},
               {"微信", PHRASE_SHARE},
               {"微博", PHRASE_SHARE},
               {"客户端", PHRASE_SHARE},
               {"sign up", PHRASE_LOGIN},
               {"sign in", PHRASE_LOGIN},
               {"log in", PHRASE_LOGIN},
               {"login", PHRASE_LOGIN},
               {"register", PHRASE_LOGIN},
               {"subscribe", PHRASE_LOGIN},
               {"newsletter", PHRASE_LOGIN},
               {"your email", PHRASE_LOGIN},
               {"email address", PHRASE_LOGIN},
               {"password", PHRASE_LOGIN},
               {"create an account", PHRASE_LOGIN},
               {"登录", PHRASE_LOGIN},
               {"登陆", PHRASE_LOGIN},
               {"注册", PHRASE_LOGIN},
               {"订阅", PHRASE_LOGIN},
               {"密码", PHRASE_LOGIN},
               {"leave a reply", PHRASE_COMMENT},
               {"leave a comment", PHRASE_COMMENT},
               {"post a comment", PHRASE_COMMENT},
               {"add a comment", PHRASE_COMMENT},
               {"join the conversation", PHRASE_COMMENT},
               {"comments", PHRASE_COMMENT},
               {"no comment", PHRASE_COMMENT},
               {"reply", PHRASE_COMMENT},
               {"replies", PHRASE_COMMENT},
               {"评论", PHRASE_COMMENT},
               {"回复", PHRASE_COMMENT},
               {"留言", PHRASE_COMMENT},
               {"楼主", PHRASE_COMMENT},
               {"发帖", PHRASE_COMMENT},
               {"网友", PHRASE_COMMENT},
               {"add to cart", PHRASE_BUY},
               {"add to basket", PHRASE_BUY},
               {"add to bag", PHRASE_BUY},
               {"wishlist", PHRASE_BUY},
               {"out of stock", PHRASE_BUY},
               {"in stock", PHRASE_BUY},
               {"free shipping", PHRASE_BUY},
               {"shipping", PHRASE_BUY},
               {"delivery", PHRASE_BUY},
               {"checkout", PHRASE_BUY},
               {"reviews", PHRASE_BUY},
               {"购物车", PHRASE_BUY}};
enum { N_PHRASES = sizeof phrases / sizeof phrases[0] };
_Static_assert(sizeof phrases / sizeof phrases[0] < 256, "an index is a byte");

static bool starts_with(Span s, const char *phrase)
{
    size_t i = 0;

    for (; phrase[i]; i++)
        if (i >= s.n || ascii_lower(s.p[i]) != (uint8_t)phrase[i]) return false;
    return true;
}

static unsigned pair_of(uint8_t a, uint8_t b) { return (a * 67U + b) & 4095; }

static void make_index(PhraseIndex *x)
{
    for (unsigned i = 0; i < N_PHRASES; i++) {
        uint8_t *head = &x->head[pair_of((uint8_t)phrases[i].text[0], (uint8_t)phrases[i].text[1])];
        x->next[i] = *head;
        *head = (uint8_t)(i + 1);
    }
    x->made = true;
}

uint32_t phrases_in(PhraseIndex *x, Span text)
{
    uint32_t kinds = 0;
    bool inside = false; /* of a word */

    if (!x->made) make_index(x);
    for (size_t at = 0; at + 1 < text.n; at++) {
        bool middle = inside;
        inside = ascii_is_alpha(text.p[at]);
        if (middle && inside) continue;
        uint8_t i = x->head[pair_of(ascii_lower(text.p[at]), ascii_lower(text.p[at + 1]))];
        for (; i; i = x->next[i - 1])
            if (starts_with(span_from(text, at), phrases[i - 1].text)) kinds |= phrases[i - 1].kind;
    }
    return kinds;
}
