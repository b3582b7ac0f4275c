#include "ingest/metadata.h"
#include "ingest/jsonld.h"

#include "core/json.h"
#include "core/url.h"
#include "core/utf8.h"

/* What the walk has found; spans into the tree. */
typedef struct {
    const HtmlTree *t;
    Metadata *m;
    Span og_title, title, site, og_url, canonical, lang_meta;
    uint32_t h1; /* the first; 0: none */
    unsigned n_h1;
    PageDate meta, time, time_before, line; /* time_before: before the h1, which may never come */
    uint32_t beside_end;                    /* of the last <aside>, <nav>, <footer> so far */
    unsigned meta_rank;                     /* of the <meta> that gave the date: the lower the better; 0: none */
} Walk;

void metadata_clear(Metadata *m)
{
    buf_clear(&m->title);
    buf_clear(&m->scratch);
    *m = (Metadata){0};
}

/* Appends s with runs of white space as one blank, at most METADATA_MAX_TITLE bytes. *owed: white space ends it. */
static void put_line(Buf *out, Span s, bool *owed)
{
    bool blank = *owed;

    for (size_t i = 0, n; i < s.n; i += n) {
        uint32_t cp;
        n = utf8_next(s.p + i, s.n - i, &cp);
        if (ascii_is_space(s.p[i]) || cp == 0xa0 || cp == 0x3000) {
            blank = true;
            continue;
        }
        if (cp == 0xad || cp == 0x200b || cp == 0xfeff) continue;
        if (out->n + n + 1 > METADATA_MAX_TITLE) break;
        if (blank && out->n) buf_putc(out, ' ');
        blank = false;
        buf_put(out, s.p + i, n);
    }
    *owed = blank;
}

/* ---- the walk */

static void set_once(Span *to, Span value)
{
    if (to->n == 0) *to = span_trim(value);
}

static bool is_absolute(Span url)
{
    if (url.n > METADATA_MAX_URL || !utf8_valid(url)) return false;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] == 0x7f) return false;
    return (url.n > 8 && span_eq_nocase(span(url.p, 8), SPAN_LIT("https://"))) ||
           (url.n > 7 && span_eq_nocase(span(url.p, 7), SPAN_LIT("http://")));
}

/* Names of <meta> that give the day of publication; the first are the surest. */
static void take_date(Walk *w, Span name, Span content)
{
    static const char *const names[] = {"article:published_time",
                                        "og:article:published_time",
                                        "og:published_time",
                                        "datepublished",
                                        "parsely-pub-date",
                                        "sailthru.date",
                                        "citation_publication_date",
                                        "pubdate",
                                        "publishdate",
                                        "publish_date",
                                        "publish-date",
                                        "publication_date",
                                        "publishtime",
                                        "_pubtime",
                                        "apub:time",
                                        "bt:pubdate",
                                        "weibo:article:create_at",
                                        "article_date_original",
                                        "dcterms.issued",
                                        "dc.date.issued",
                                        "dcterms.created",
                                        "dc.date.created",
                                        "cxenseparse:recs:publishtime",
                                        "date",
                                        "dc.date",
                                        "dcterms.date"};

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (w->meta_rank && i + 1 >= w->meta_rank) return;
        if (span_eq_nocase(name, span_str(names[i])) && pagedate_read(content, &w->meta)) w->meta_rank = i + 1;
    }
}

static void take_meta(Walk *w, uint32_t i)
{
    Span name = html_attr(w->t, i, HTML_NAME), content = html_attr(w->t, i, HTML_CONTENT);

    if (name.n == 0) name = html_attr(w->t, i, HTML_ITEMPROP);
    if (name.n < 4 || content.n == 0) return;
    w->m->opt_out |= optout_of_meta(name, content);
    if (span_eq_nocase(name, SPAN_LIT("og:title")))
        set_once(&w->og_title, content);
    else if (span_eq_nocase(name, SPAN_LIT("og:site_name")) || span_eq_nocase(name, SPAN_LIT("application-name")))
        set_once(&w->site, content);
    else if (span_eq_nocase(name, SPAN_LIT("og:url")))
        set_once(&w->og_url, content);
    else if (span_eq_nocase(name, SPAN_LIT("content-language")))
        set_once(&w->lang_meta, content);
    else
        take_date(w, name, content);
}

/* The text of an element as one line in `out`. */
static void text_of(const HtmlTree *t, uint32_t i, Buf *out)
{
    bool owed = false;

    for (uint32_t k = i + 1; k < t->node[i].end && out->n < METADATA_MAX_TITLE; k++) {
        owed |= t->node[k].tag == HTML_br;
        if (t->node[k].tag == HTML_TEXT) put_line(out, html_text(t, k), &owed);
    }
}

/* Whether a line with a date says when the page was made: it begins with it or has a word for it, and few others. Dates in prose are
 * of what it tells. */
static bool dates_page(Span s)
{
    static const char *const words[] = {"发布", "发表", "时间", "日期", "更新", "posted", "published", "date"};
    enum { MAX_LETTERS = 60 }; /* a Han character is two */
    size_t letters = 0;
    bool said = s.n > 3 && span_eq_nocase(span(s.p, 3), SPAN_LIT("on "));

    for (size_t i = 0; i < s.n; i++) {
        said |= letters == 0 && ascii_is_digit(s.p[i]);
        letters += (ascii_is_alpha(s.p[i]) || s.p[i] >= 0xc0) + (s.p[i] >= 0xe0);
        for (size_t k = 0; k < sizeof words / sizeof *words && !said; k++) {
            size_t n = strlen(words[k]);
            said = s.n - i >= n && span_eq_nocase(span(s.p + i, n), span_str(words[k]));
        }
    }
    return said && letters <= MAX_LETTERS;
}

/* Lines that follow the heading: "Posted on 2024-05-01", "发布时间：2024年5月1日 来源：…". The words may be in the node before. */
static void take_line(Walk *w, uint32_t i, unsigned *lines)
{
    Span s = span_trim(html_text(w->t, i));

    if (s.n == 0) return;
    ++*lines;
    if (s.n <= METADATA_MAX_LINE && dates_page(s)) (void)pagedate_find(s, &w->line);
}

/* The first <time> behind the heading; one before it only when there is none. What stands beside the text has its own times. */
static void take_time(Walk *w, uint32_t i)
{
    PageDate *to = w->h1 ? &w->time : &w->time_before;

    if (i >= w->beside_end && !to->day[0]) (void)pagedate_read(html_attr(w->t, i, HTML_DATETIME), to);
}

static void walk(Walk *w)
{
    const HtmlTree *t = w->t;
    unsigned lines = 0;

    for (uint32_t i = 0; i < t->n_nodes; i++) {
        switch (t->node[i].tag) {
        case HTML_TEXT:
            if (w->h1 && lines < METADATA_LINES && !w->line.day[0] && i >= t->node[w->h1].end)
                take_line(w, i, &lines);
            break;
        case HTML_meta: take_meta(w, i); break;
        case HTML_html: set_once(&w->m->html_lang, html_attr(t, i, HTML_LANG)); break;
        case HTML_title:
            if (i + 1 < t->node[i].end && t->node[i + 1].tag == HTML_TEXT) set_once(&w->title, html_text(t, i + 1));
            break;
        case HTML_link:
            if (span_eq_nocase(span_trim(html_attr(t, i, HTML_REL)), SPAN_LIT("canonical")))
                set_once(&w->canonical, html_attr(t, i, HTML_HREF));
            break;
        case HTML_h1:
            w->n_h1++;
            if (!w->h1 && t->node[i].end > i + 1) w->h1 = i;
            break;
        case HTML_aside:
        case HTML_nav:
        case HTML_footer:
            if (t->node[i].end > w->beside_end) w->beside_end = t->node[i].end;
            break;
        case HTML_time: take_time(w, i); break;
        default: break;
        }
    }
}

/* ---- title */

/* Where the last part of a title begins, with its separator before it: " - ", " | ", "_" and so on; title.n: none. */
static size_t last_part(Span title, size_t *separator)
{
    static const char *const separators[] = {" - ",
                                             " | ",
                                             " \xe2\x80\x93 ",
                                             " \xe2\x80\x94 ",
                                             " \xc2\xb7 ",
                                             " :: ",
                                             " \xc2\xbb ",
                                             " \xe2\x80\xa2 ",
                                             " / ",
                                             "_",
                                             "|",
                                             "\xef\xbd\x9c" /* ｜ */,
                                             "\xef\xbc\x8d" /* － */,
                                             "-"};

    for (size_t i = title.n; i-- > 1;) {
        for (size_t k = 0; k < sizeof separators / sizeof *separators; k++) {
            Span s = span_str(separators[k]);
            if (!span_starts(span_from(title, i), s) || i + s.n >= title.n) continue;
            *separator = i;
            return i + s.n;
        }
    }
    return title.n;
}

/* Letters and digits of a name in lower case; false when there are others, or none, or too many for a label. */
static bool squeeze(Span name, char out[64])
{
    size_t n = 0;

    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] >= 0x80 || n + 1 >= 64) return false;
        if (ascii_is_alnum(name.p[i])) out[n++] = (char)ascii_lower(name.p[i]);
    }
    out[n] = 0;
    return n > 0;
}

/* Whether a name is that of the host: one of its labels from the second on, or the whole host, up to blanks, signs and case. "Example
 * News" of www.example-news.com, "Amazon.com" of www.amazon.com. The first label of several names a machine or a part ("mail."), unless
 * the host has only two. */
static bool is_host(Span name, Span url)
{
    enum { MIN_LETTERS = 4 };
    uint8_t buf[URL_MAX_HOST];
    Span host = url_host(url, buf);
    char squeezed[64], label[64];

    if (!squeeze(name, squeezed) || strlen(squeezed) < MIN_LETTERS) return false;
    if (span_starts(host, SPAN_LIT("www."))) host = span_from(host, 4);
    if (squeeze(host, label) && !strcmp(squeezed, label)) return true; /* with its suffix */
    Span parent = host_parent(host);
    size_t second = span_find(parent, '.');
    bool several = second < parent.n && !(second <= 3 && parent.n - second == 3); /* "co.uk", "com.cn" */
    for (Span rest = several ? parent : host; host_parent(rest).n; rest = host_parent(rest)) {
        if (squeeze(rest, label) && !strcmp(squeezed, label)) return true;
        if (squeeze(span(rest.p, span_find(rest, '.')), label) && !strcmp(squeezed, label)) return true;
    }
    return false;
}

/* A title without the site's name. The page's only heading says where a title ends, whatever follows. */
static Span without_site(const Walk *w, Span title, Span h1, Span url)
{
    Span whole = title;

    for (unsigned k = 0; k < 3; k++) {
        size_t separator, part = last_part(title, &separator);
        if (part == title.n) break;
        Span name = span_trim(span_from(title, part)), rest = span_trim(span(title.p, separator));
        if (rest.n == 0) break;
        if (span_eq_nocase(rest, h1)) return rest;
        bool bare = title.p[separator] == '-' && rest.n == separator; /* within a word: "E-mail" */
        if (!(w->site.n && span_eq_nocase(name, w->site)) && (bare || !is_host(name, url))) {
            title = rest; /* "title_channel_site": only the heading can say */
            continue;
        }
        return rest;
    }
    return whole;
}

static void put_title(const Walk *w, Span url)
{
    Metadata *m = w->m;
    bool owed = false;
    Span given = w->og_title.n ? w->og_title : w->title, h1 = {NULL, 0};

    if (w->h1) text_of(w->t, w->h1, &m->scratch);
    if (w->n_h1 == 1) h1 = buf_span(&m->scratch);
    if (given.n == 0) {
        put_line(&m->title, buf_span(&m->scratch), &owed);
        return;
    }
    put_line(&m->title, given, &owed);
    m->title.n = without_site(w, buf_span(&m->title), h1, url).n;
}

/* ---- the rest */

/* What an object's @type says of its date: 2 of an article, 1 of a page, 0 of something else ("Review", "Person"). */
static unsigned rank_of_type(Span type)
{
    static const char *const ends[] = {"Article", "Posting", "Report"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t n = strlen(ends[i]);
        if (type.n >= n && span_is(span_from(type, type.n - n), ends[i])) return 2;
    }
    return span_is(type, "WebPage") ? 1 : 0;
}

/* An object of JSON-LD that is open; an array is one without members. */
typedef struct {
    unsigned rank;
    PageDate date;
} JsonLevel;

/* The value of a member that is a string, or an array of them. */
static void take_member(JsonLevel *level, Span key, Span value)
{
    if (span_is(key, "@type")) {
        unsigned rank = rank_of_type(value);
        if (rank > level->rank) level->rank = rank;
    } else if (span_is(key, "datePublished") && !level->date.day[0]) {
        (void)pagedate_read(value, &level->date);
    }
}

/* Strings and braces are looked at and nothing else: much of what pages have is not quite JSON. What is deeper than JSON_MAX_DEPTH
 * is none of an article's. */
static PageDate json_date(const HtmlTree *t)
{
    Span all = buf_span(&t->json_ld), key = {NULL, 0}, value;
    JsonLevel open[JSON_MAX_DEPTH];
    PageDate best = {""};
    unsigned best_rank = 0;

    for (size_t i = 0, depth = 0; i < all.n;) {
        JsonLevel *level = depth && depth <= JSON_MAX_DEPTH ? &open[depth - 1] : NULL;
        uint8_t c = all.p[i];
        if (c == '"') {
            i = jsonld_string(all, i, &value); /* neither types nor days have escapes */
            if (jsonld_is_key(all, i))
                key = value;
            else if (level)
                take_member(level, key, value);
            continue;
        }
        if (c == '{') {
            if (depth < JSON_MAX_DEPTH) open[depth] = (JsonLevel){0};
            depth++;
            key.n = 0;
        } else if (c == '}' && depth) {
            depth--;
            key.n = 0;
            if (level && level->date.day[0] && level->rank > best_rank) best = level->date, best_rank = level->rank;
        } else if (c == 0) {
            depth = 0; /* the next script */
        }
        i++;
    }
    return best;
}

/* A day that the page was there already: the text compares as the days do. One of slack, since pages write local time. */
static bool is_before(const PageDate *d, Span capture)
{
    PageDate day;

    if (!d->day[0]) return false;
    if (!pagedate_read(capture, &day)) return memcmp(d->day, METADATA_LAST_DAY, PAGEDATE_BYTES) <= 0;
    pagedate_next(&day);
    return memcmp(d->day, day.day, PAGEDATE_BYTES) <= 0;
}

static void choose_date(const Walk *w, Span url, Span capture)
{
    PageDate of_url = {""}, json = json_date(w->t);

    (void)pagedate_of_url(url, &of_url);
    const PageDate *all[] = {&json, &w->meta, w->h1 ? &w->time : &w->time_before, &of_url, &w->line};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!is_before(all[i], capture)) continue;
        w->m->published = *all[i];
        return;
    }
}

/* A language tag as far as it is one: "zh-CN" of "zh-CN, en". */
static Span language_tag(Span s)
{
    size_t n = 0;

    s = span_trim(s);
    while (n < s.n && n < METADATA_MAX_LANG && (ascii_is_alnum(s.p[n]) || s.p[n] == '-' || s.p[n] == '_')) n++;
    return n >= 2 ? span(s.p, n) : (Span){NULL, 0};
}

ErrCode metadata_read(Metadata *m, const HtmlTree *t, const HttpResponse *http, Span url, Span capture, Err *err)
{
    Walk w = {.t = t, .m = m};

    buf_reset(&m->title);
    buf_reset(&m->scratch);
    m->published = (PageDate){""};
    m->canonical = m->html_lang = (Span){NULL, 0};
    m->opt_out = http ? http->opt_out : 0;
    walk(&w);
    put_title(&w, url);
    choose_date(&w, url, capture);
    m->canonical = is_absolute(w.canonical) ? w.canonical : is_absolute(w.og_url) ? w.og_url : (Span){NULL, 0};
    m->html_lang = language_tag(m->html_lang);
    if (m->html_lang.n == 0) m->html_lang = language_tag(w.lang_meta);
    if (m->html_lang.n == 0 && http) m->html_lang = language_tag(http->language);
    ErrCode rc = buf_ok(&m->title, "a page's title", err);
    return rc == ERR_OK ? buf_ok(&m->scratch, "a page's metadata", err) : rc;
}

/* What an element says, as one line in m->scratch. */
static Span said_by(Metadata *m, const HtmlTree *t, uint32_t node)
{
    const Span content = html_attr(t, node, HTML_CONTENT), day = html_attr(t, node, HTML_DATETIME);
    bool owed = false;

    buf_reset(&m->scratch);
    if (content.n || day.n)
        put_line(&m->scratch, content.n ? content : day, &owed);
    else
        text_of(t, node, &m->scratch);
    return buf_span(&m->scratch);
}

bool metadata_take_title(Metadata *m, const HtmlTree *t, uint32_t node)
{
    const Span line = said_by(m, t, node);

    if (line.n == 0) return false;
    buf_reset(&m->title);
    buf_put_span(&m->title, line);
    m->scratch.oom |= m->title.oom;
    return true;
}

bool metadata_take_date(Metadata *m, const HtmlTree *t, uint32_t node, Span capture)
{
    const Span line = said_by(m, t, node);
    PageDate day;

    if (!(pagedate_read(line, &day) || pagedate_find(line, &day)) || !is_before(&day, capture)) return false;
    m->published = day;
    return true;
}
