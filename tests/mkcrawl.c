/* mkcrawl - a page-like crawl from a seed: gzipped WARC files with English and Chinese pages, mirrors, near-duplicates,
 * boilerplate and, with -b, broken records, for tests of the whole pipe.
 *
 *   mkcrawl [-s SEED] [-n PAGES] [-f FILES] [-b] DIR      writes DIR/made-00000.warc.gz ...
 *
 * The words are common ones, so that a language identifier and quality rules have something to judge; which word follows
 * which is a function of the seed, so that a language model has something to learn. Same arguments, same bytes.
 * Prints one line a kind, "responses 120", counted as they were made. */
#include <errno.h>
#include <iconv.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static const char english[] =
    "the of and to in that have with for is on as be this by are or from it not which at all can will more when one "
    "about use into than other only some these may its system time user file value data page water light people year "
    "house hand part place case week company number group problem fact window printer table music garden river "
    "mountain teacher letter morning evening engine market winter summer kitchen bridge forest animal picture story "
    "language science history machine network server message account report method example question answer reason "
    "result change order level model field point state family country school student paper office color option "
    "command setting function document section style column format object border image find make give take show move "
    "open close read write build start stop turn hold bring follow learn leave keep begin help play run believe "
    "provide include continue set contain select insert remove create display print copy enter apply small large "
    "early young important different long little public bad able good new first last great own old right high clear "
    "simple common recent strong possible quick slow heavy warm cold always often never quickly slowly together "
    "however because although before after while under between through against during without within along";
static const char chinese[] =
    "的 了 在 是 我们 和 有 这个 可以 不 也 就 一个 要 使用 如果 您 将 对 中 与 或 时 后 会 为 从 到 以及 所有 其他 "
    "因为 所以 但是 "
    "系统 时间 用户 文件 数据 页面 水 光 人们 今年 房子 地方 情况 公司 数字 问题 事实 窗口 打印机 表格 音乐 花园 "
    "河流 山 老师 信 早上 晚上 "
    "市场 冬天 夏天 厨房 桥 森林 动物 图片 故事 语言 科学 历史 机器 网络 服务器 消息 帐户 报告 方法 例子 答案 原因 "
    "结果 变化 顺序 "
    "级别 模型 字段 状态 家庭 国家 学校 学生 纸 办公室 颜色 选项 命令 设置 函数 文档 章节 样式 列 格式 对象 边框 "
    "图像 查找 给 拿 显示 移动 "
    "打开 关闭 阅读 写 建造 开始 停止 转 带来 跟随 学习 离开 保持 帮助 运行 相信 提供 包括 继续 包含 选择 插入 删除 "
    "创建 打印 复制 输入 "
    "应用 小 大 早 年轻 重要 不同 长 公共 好 新 第一 最后 老 高 清楚 简单 常见 最近 强 可能 快 慢 重 温暖 冷 总是 "
    "经常 从不 一起 然后 之前 "
    "之后 下面 之间 通过 没有 需要 已经 还是 例如 根据 进行 表示 内容 完成 部分 工作 生活 世界 城市 研究 发展 技术";
static const char french[] =
    "le la les de des et un une dans pour que qui sur avec est sont pas plus par au aux ce cette il elle nous vous "
    "ils "
    "leur notre votre mais comme tout tous faire peut être avoir fichier page maison jour année temps eau ville "
    "monde "
    "homme femme enfant école livre lettre matin soir hiver été cuisine pont forêt histoire langue science réseau";

enum { MAX_WORDS = 512, PAGE_CAP = 1 << 18, N_HOSTS = 12 };

typedef struct {
    const char *word[MAX_WORDS];
    size_t n;
    char store[8192];
} Words;
typedef enum { LANG_EN, LANG_ZH, LANG_FR } Lang;
static Words words[3];

static uint64_t seed = 1;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mkcrawl: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(3);
}

/* --- randomness: a stream for each page, from (seed, page), so that a mirror can be told again word for word. */
typedef struct {
    uint64_t state;
} Rng;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30, x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27, x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
static Rng rng_of(uint64_t what) { return (Rng){mix(seed * 0x9e3779b97f4a7c15u + mix(what + 1))}; }
static uint64_t rng_next(Rng *r) { return mix(r->state += 0x9e3779b97f4a7c15u); }
static uint64_t rng_below(Rng *r, uint64_t n) { return rng_next(r) % n; }

/* --- text */

typedef struct {
    char *p;
    size_t n;
} Page;

static void put_bytes(Page *g, const void *p, size_t n)
{
    if (n > PAGE_CAP - g->n) die("a page is too large");
    memcpy(g->p + g->n, p, n);
    g->n += n;
}
static void put(Page *g, const char *s) { put_bytes(g, s, strlen(s)); }
static void putfmt(Page *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void putfmt(Page *g, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof text) die("a line is too long");
    put_bytes(g, text, (size_t)n);
}

static void split_words(Words *w, const char *list)
{
    if (strlen(list) >= sizeof w->store) die("a word list is too long");
    strcpy(w->store, list);
    for (char *s = strtok(w->store, " "); s; s = strtok(NULL, " ")) {
        if (w->n == MAX_WORDS) die("too many words");
        w->word[w->n++] = s;
    }
}

/* Two words in three are one of four that the seed lets follow the last one, the rest are drawn with the front of the
 * list (the function words) preferred. */
static size_t next_word(Rng *r, Lang lang, size_t last)
{
    const size_t n = words[lang].n;
    if (rng_below(r, 3))
        return mix(seed ^ (uint64_t)lang << 60 ^ (last * 4 + rng_below(r, 4)) * 0x9e3779b97f4a7c15u) % n;
    const uint64_t a = rng_below(r, n), b = rng_below(r, n);
    return a < b ? a : b;
}

/* `vary`: chance in 1000 that a word is replaced by another (a near-duplicate); drawn from a stream of its own. */
static void put_sentence(Page *g, Rng *r, Lang lang, Rng *other, unsigned vary)
{
    const size_t len = 6 + rng_below(r, 14);
    size_t w = rng_below(r, words[lang].n);

    for (size_t i = 0; i < len; i++) {
        const char *s = words[lang].word[w];
        if (vary && rng_below(other, 1000) < vary) s = words[lang].word[rng_below(other, words[lang].n)];
        if (lang != LANG_ZH && i) put(g, " ");
        const char first[2] = {(char)(s[0] >= 'a' && s[0] <= 'z' && i == 0 ? s[0] - 32 : s[0]), 0};
        put(g, first);
        put(g, s + 1);
        if (i + 2 < len && rng_below(r, 9) == 0) put(g, lang == LANG_ZH ? "，" : ",");
        w = next_word(r, lang, w);
    }
    put(g, lang == LANG_ZH ? "。" : ". ");
}

typedef struct {
    uint64_t text; /* which text it tells */
    unsigned vary; /* 0: word for word */
    Lang lang;
    unsigned host;
    bool gbk;
} PageSpec;

/* Menu and foot of a host: the same on all its pages. */
static void put_boilerplate(Page *g, const PageSpec *s, const char *tag)
{
    Rng r = rng_of(0xb0000000u + s->host);
    putfmt(g, "<%s><ul>", tag);
    for (int i = 0; i < 6; i++)
        putfmt(g, "<li><a href=\"/%d.html\">%s %s</a></li>", i, words[s->lang].word[rng_below(&r, words[s->lang].n)],
               words[s->lang].word[rng_below(&r, words[s->lang].n)]);
    putfmt(g, "</ul></%s>\n", tag);
}

static void make_html(Page *g, const PageSpec *s)
{
    Rng r = rng_of(s->text), other = rng_of(s->text + ((uint64_t)s->host << 40) + 0x77);
    const size_t n_paragraphs = 3 + rng_below(&r, 6);

    g->n = 0;
    putfmt(g, "<!doctype html>\n<html><head><meta charset=\"%s\"><title>", s->gbk ? "gbk" : "utf-8");
    Rng title = rng_of(s->text + 0x5000000000u);
    put_sentence(g, &title, s->lang, NULL, 0);
    put(g, "</title><style>p{margin:0}</style></head><body>\n");
    put_boilerplate(g, s, "nav");
    put(g, "<main><h1>");
    title = rng_of(s->text + 0x5000000000u);
    put_sentence(g, &title, s->lang, NULL, 0);
    put(g, "</h1>\n");
    for (size_t i = 0; i < n_paragraphs; i++) {
        put(g, "<p>");
        for (uint64_t k = 4 + rng_below(&r, 5); k; k--) put_sentence(g, &r, s->lang, &other, s->vary);
        put(g, "</p>\n");
    }
    put(g, "</main>\n");
    put_boilerplate(g, s, "footer");
    put(g, "<script>var x = '</p>';</script></body></html>\n");
}

static void to_gbk(Page *g, Page *spare)
{
    iconv_t cd = iconv_open("GBK", "UTF-8");
    char *in = g->p, *out = spare->p;
    size_t n_in = g->n, n_out = PAGE_CAP;

    if (cd == (iconv_t)-1 || iconv(cd, &in, &n_in, &out, &n_out) == (size_t)-1) die("cannot write GBK");
    iconv_close(cd);
    spare->n = PAGE_CAP - n_out;
    const Page t = *g;
    *g = *spare;
    *spare = t;
}

/* --- WARC */

typedef struct {
    FILE *f;
    char path[4096];
    uint64_t n_records;
} Archive;

/* `member`: gzip it as a member of its own. `cut`: bytes to leave out at its end; `spoil`: one byte inside changed. */
static void put_member(Archive *a, const Page *record, size_t cut, bool spoil)
{
    static unsigned char packed[2 * PAGE_CAP];
    z_stream z = {0};

    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) die("zlib");
    z.next_in = (unsigned char *)record->p;
    z.avail_in = (unsigned)record->n;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) die("zlib");
    size_t n = sizeof packed - z.avail_out;
    deflateEnd(&z);
    if (spoil) packed[n / 2] ^= 0x55;
    if (cut < n) n -= cut;
    if (fwrite(packed, 1, n, a->f) != n) die(a->path);
    a->n_records++;
}

typedef struct {
    const char *type; /* response, request, warcinfo */
    const char *url;
    uint64_t number;
    long wrong_length; /* added to Content-Length */
    size_t cut;
    bool spoil;
} RecordSpec;

static void put_record(Archive *a, const RecordSpec *s, const Page *block, Page *spare)
{
    const uint64_t id = mix(seed ^ s->number * 0x9e3779b97f4a7c15u);

    spare->n = 0;
    putfmt(spare, "WARC/1.0\r\nWARC-Type: %s\r\nWARC-Record-ID: <urn:uuid:%08x-%04x-4%03x-8%03x-%012llx>\r\n",
           s->type, (unsigned)id, (unsigned)(id >> 32 & 0xffff), (unsigned)(id >> 48 & 0xfff),
           (unsigned)(id >> 52 & 0xfff), (unsigned long long)(mix(id) & 0xffffffffffffu));
    putfmt(spare, "WARC-Date: 2024-%02u-%02uT%02u:00:00Z\r\n", (unsigned)(s->number / 700 % 12 + 1),
           (unsigned)(s->number / 24 % 28 + 1), (unsigned)(s->number % 24));
    if (s->url) putfmt(spare, "WARC-Target-URI: %s\r\n", s->url);
    putfmt(spare, "Content-Type: %s\r\nContent-Length: %ld\r\n\r\n",
           strcmp(s->type, "warcinfo") == 0 ? "application/warc-fields" : "application/http",
           (long)block->n + s->wrong_length);
    put_bytes(spare, block->p, block->n);
    put(spare, "\r\n\r\n");
    put_member(a, spare, s->cut, s->spoil);
}

/* --- one page as it came over the wire */

static void put_chunked(Page *out, const char *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        const size_t some = n - at < 1500 ? n - at : 1500;
        putfmt(out, "%zx\r\n", some);
        put_bytes(out, p + at, some);
        put(out, "\r\n");
        at += some;
    }
    put(out, "0\r\n\r\n");
}

static void put_gzip(Page *out, const Page *body)
{
    static unsigned char packed[PAGE_CAP];
    z_stream z = {0};

    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) die("zlib");
    z.next_in = (unsigned char *)body->p;
    z.avail_in = (unsigned)body->n;
    z.next_out = packed;
    z.avail_out = sizeof packed;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) die("zlib");
    deflateEnd(&z);
    put_bytes(out, packed, sizeof packed - z.avail_out);
}

static void make_response(Page *http, const Page *body, const char *status, const char *type, unsigned form)
{
    http->n = 0;
    putfmt(http, "HTTP/1.1 %s\r\nServer: made\r\nContent-Type: %s\r\n", status, type);
    if (form == 0) {
        putfmt(http, "Content-Length: %zu\r\n\r\n", body->n);
        put_bytes(http, body->p, body->n);
    } else if (form == 1) {
        put(http, "Transfer-Encoding: chunked\r\n\r\n");
        put_chunked(http, body->p, body->n);
    } else {
        put(http, "Content-Encoding: gzip\r\n\r\n");
        put_gzip(http, body);
    }
}

/* --- the crawl */

typedef struct {
    uint64_t responses, pages, texts, exact, near, french, other, broken;
} Tally;

/* What page i tells: mostly a text of its own, else an earlier one again, on another host. */
static PageSpec page_spec(uint64_t i, Tally *t)
{
    Rng r = rng_of(0xc0ffee00u + i);
    PageSpec s = {.text = i};
    const uint64_t kind = rng_below(&r, 100), earlier = i ? rng_below(&r, i) : 0;

    if (i && kind < 12) {
        s = page_spec(earlier, &(Tally){0});
        s.vary = kind < 7 ? 0 : 15; /* mirrors; copies with some words changed */
        *(kind < 7 ? &t->exact : &t->near) += s.lang != LANG_FR;
        s.host = (unsigned)(s.host + 1 + rng_below(&r, N_HOSTS - 1)) % N_HOSTS;
    } else {
        s.lang = kind < 56 ? LANG_EN : kind < 96 ? LANG_ZH : LANG_FR;
        s.host = (unsigned)rng_below(&r, N_HOSTS);
        t->texts += s.lang != LANG_FR;
    }
    s.gbk = s.lang == LANG_ZH && rng_below(&r, 4) == 0;
    t->french += s.lang == LANG_FR;
    return s;
}

static void put_page(Archive *a, uint64_t i, Page g[3], Tally *t)
{
    Rng r = rng_of(0xfeed00u + i);
    const PageSpec s = page_spec(i, t);
    char url[128];

    make_html(&g[0], &s);
    if (s.gbk) to_gbk(&g[0], &g[1]);
    snprintf(url, sizeof url, "http://%s%u.test/%s/%llu.html", s.lang == LANG_ZH ? "zh" : "www", s.host,
             i % 3 ? "news" : "docs", (unsigned long long)i);
    g[1].n = 0;
    putfmt(&g[1], "GET %s HTTP/1.1\r\nUser-Agent: mkcrawl\r\n\r\n", url);
    put_record(a, &(RecordSpec){.type = "request", .url = url, .number = i * 2}, &g[1], &g[2]);
    make_response(&g[1], &g[0], "200 OK", s.gbk ? "text/html" : "text/html; charset=utf-8",
                  (unsigned)rng_below(&r, 3));
    put_record(a, &(RecordSpec){.type = "response", .url = url, .number = i * 2 + 1}, &g[1], &g[2]);
    t->responses++;
    t->pages++;
}

/* Answers that are no page: an error, a redirection, a picture. */
static void put_other(Archive *a, uint64_t i, Page g[3], Tally *t)
{
    static const char *const status[] = {"404 Not Found", "301 Moved Permanently", "200 OK"};
    static const char *const type[] = {"text/html", "text/html", "image/png"};
    char url[128];

    snprintf(url, sizeof url, "http://www%u.test/other/%llu", (unsigned)(i % N_HOSTS), (unsigned long long)i);
    g[0].n = 0;
    put(&g[0], i % 3 == 2 ? "\x89PNG\r\n\x1a\n" : "<html><body>Not here.</body></html>");
    make_response(&g[1], &g[0], status[i % 3], type[i % 3], 0);
    put_record(a, &(RecordSpec){.type = "response", .url = url, .number = 0x40000000u + i}, &g[1], &g[2]);
    t->responses++;
    t->other++;
}

/* Broken records, one kind after the other. The pages around them must come through. */
static void put_broken(Archive *a, uint64_t i, Page g[3], Tally *t)
{
    const PageSpec s = {.text = 0x900000u + i, .lang = i % 2 ? LANG_ZH : LANG_EN, .host = (unsigned)(i % N_HOSTS)};
    RecordSpec rec = {.type = "response", .url = "http://broken.test/", .number = 0x80000000u + i};

    make_html(&g[0], &s);
    switch (i % 8) {
    case 0: rec.spoil = true; break;                       /* gzip member with a wrong byte */
    case 1: rec.wrong_length = 4096; break;                /* Content-Length past the record */
    case 2: rec.wrong_length = -(long)(g[0].n / 2); break; /* and short of it */
    case 3: memset(g[0].p + g[0].n / 3, 0, 64); break;     /* NULs */
    case 4: memset(g[0].p + g[0].n / 3, 0xfe, 64); break;  /* bytes that no UTF-8 has */
    case 5: g[0].n = 0; break;                             /* no payload */
    case 6: rec.url = "::not a url::"; break;
    default: break;
    }
    make_response(&g[1], &g[0], "200 OK", "text/html", 0);
    if (i % 8 == 7) g[1].n = 0, put(&g[1], "this is no HTTP\r\n");
    put_record(a, &rec, &g[1], &g[2]);
    t->broken++;
    t->responses++;
}

static void archive_open(Archive *a, const char *dir, unsigned number, Page g[3])
{
    snprintf(a->path, sizeof a->path, "%s/made-%05u.warc.gz", dir, number);
    a->f = fopen(a->path, "wb");
    if (!a->f) die(a->path);
    g[0].n = 0;
    put(&g[0], "software: mkcrawl\r\nformat: WARC File Format 1.0\r\n");
    put_record(a, &(RecordSpec){.type = "warcinfo", .number = 0xf0000000u + number}, &g[0], &g[1]);
}

int main(int argc, char **argv)
{
    uint64_t n_pages = 300, n_files = 2;
    bool broken = false;
    Page g[3];
    Tally t = {0};
    Archive a = {0};
    int c;

    while ((c = getopt(argc, argv, "s:n:f:b")) != -1) {
        if (c == 's')
            seed = strtoull(optarg, NULL, 10);
        else if (c == 'n')
            n_pages = strtoull(optarg, NULL, 10);
        else if (c == 'f')
            n_files = strtoull(optarg, NULL, 10);
        else if (c == 'b')
            broken = true;
        else
            return 2;
    }
    if (optind + 1 != argc || n_files == 0 || n_files > 10000 || n_pages > 10000000) {
        fprintf(stderr, "usage: mkcrawl [-s SEED] [-n PAGES] [-f FILES] [-b] DIR\n");
        return 2;
    }
    split_words(&words[LANG_EN], english);
    split_words(&words[LANG_ZH], chinese);
    split_words(&words[LANG_FR], french);
    for (int i = 0; i < 3; i++)
        if (!(g[i].p = malloc(PAGE_CAP))) die("no memory");
    for (uint64_t file = 0, i = 0; file < n_files; file++) {
        archive_open(&a, argv[optind], (unsigned)file, g);
        for (; i < n_pages * (file + 1) / n_files; i++) {
            put_page(&a, i, g, &t);
            if (i % 10 == 3) put_other(&a, i / 10, g, &t);
            if (broken && i % 16 == 5) put_broken(&a, i / 16, g, &t);
        }
        if (broken && file + 1 == n_files) { /* the last file ends inside a member */
            g[0].n = 0;
            put(&g[0], "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><body>cut off here</body></html>");
            put_record(&a,
                       &(RecordSpec){.type = "response", .url = "http://cut.test/", .number = 1u << 28, .cut = 40},
                       &g[0], &g[1]);
            t.broken++;
            t.responses++;
        }
        if (fclose(a.f) != 0) die(a.path);
    }
    for (int i = 0; i < 3; i++) free(g[i].p);
    printf("records %llu\nresponses %llu\npages %llu\ntexts %llu\nexact %llu\nnear %llu\nfrench %llu\nother "
           "%llu\nbroken %llu\n",
           (unsigned long long)a.n_records, (unsigned long long)t.responses, (unsigned long long)t.pages,
           (unsigned long long)t.texts, (unsigned long long)t.exact, (unsigned long long)t.near,
           (unsigned long long)t.french, (unsigned long long)t.other, (unsigned long long)t.broken);
    return fflush(stdout) == 0 ? 0 : 3;
}
