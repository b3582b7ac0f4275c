#include "ingest/html_names.h"

static const char *const tag_names[HTML_N_ALL_TAGS] = {"", "",
#define HTML_TAG_NAME(name) #name,
                                                       HTML_TAGS(HTML_TAG_NAME) HTML_PARSER_TAGS(HTML_TAG_NAME)
#undef HTML_TAG_NAME
                                                           ""};

static const char *const attr_names[ATTR_NONE] = {
    "class",  "id",          "role",  "name",     "content",    "itemprop",      "lang",     "start",   "href",
    "rel",    "datetime",    "type",  "alt",      "alttext",    "display",       "colspan",  "rowspan", "data-lang",
    "hidden", "aria-hidden", "style", "property", "http-equiv", "data-language", "encoding", "value"};

const char *html_tag_name(HtmlTag tag) { return tag_names[tag]; }

HtmlTag html_tag_of(const char *name)
{
    int lo = HTML_OTHER + 1, hi = HTML_N_TAGS; /* the names are sorted */

    while (lo < hi) {
        int mid = (lo + hi) / 2, c = strcmp(name, tag_names[mid]);
        if (c == 0) return (HtmlTag)mid;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return HTML_OTHER;
}

HtmlAttr html_attr_of(const char *name)
{
    const unsigned a = html_attr_named(span_str(name));

    return (HtmlAttr)(a < HTML_N_ATTRS ? a : HTML_N_ATTRS);
}

HtmlTag html_tag_shown(unsigned tag)
{
    if (tag < HTML_N_TAGS) return (HtmlTag)tag;
    switch (tag) {
    case HTML_image: return HTML_img;
    case HTML_listing:
    case HTML_plaintext:
    case HTML_xmp: return HTML_pre;
    case HTML_DEAD: return HTML_span;
    default: return HTML_OTHER;
    }
}

static void add(HtmlName *slots, unsigned bits, const char *name, unsigned value)
{
    uint8_t bytes[8] = {0};
    size_t n = strlen(name);

    memcpy(bytes, name, n < 8 ? n : 8);
    uint64_t key = htmlname_key(bytes, n);
    uint32_t at = htmlname_slot(key, n, bits);
    while (slots[at].key) at = (at + 1) & ((1u << bits) - 1);
    slots[at] = (HtmlName){.key = key, .name = name, .n = (uint8_t)n, .value = (uint8_t)value};
}

void htmlnames_init(HtmlNames *t)
{
    memset(t, 0, sizeof *t);
    for (unsigned i = HTML_OTHER + 1; i < HTML_DEAD; i++) add(t->tag, HTML_TAG_SLOT_BITS, tag_names[i], i);
    for (unsigned i = 0; i < ATTR_NONE; i++) add(t->attr, HTML_ATTR_SLOT_BITS, attr_names[i], i);
}

unsigned html_attr_named(Span name)
{
    unsigned a = 0;

    while (a < ATTR_NONE && !(ascii_lower(name.n ? name.p[0] : 0) == (uint8_t)attr_names[a][0] &&
                              span_eq_nocase(name, span_str(attr_names[a]))))
        a++;
    return a;
}

/* Whether `word` stands at s.p + at behind blanks. */
static bool follows(Span s, size_t at, Span word)
{
    while (at < s.n && ascii_is_space(s.p[at])) at++;
    return s.n - at >= word.n && span_eq_nocase(span(s.p + at, word.n), word);
}

/* Whether `word` ends at s.p + at but for blanks. */
static bool precedes(Span s, size_t at, Span word)
{
    while (at > 0 && ascii_is_space(s.p[at - 1])) at--;
    return at >= word.n && span_eq_nocase(span(s.p + at - word.n, word.n), word);
}

static bool style_hides(Span style)
{
    for (size_t at = 0; at < style.n; at++) {
        at += span_find(span_from(style, at), ':');
        if (at >= style.n) break;
        if (follows(style, at + 1, SPAN_LIT("none")) && precedes(style, at, SPAN_LIT("display"))) return true;
        if (follows(style, at + 1, SPAN_LIT("hidden")) && precedes(style, at, SPAN_LIT("visibility"))) return true;
    }
    return false;
}

unsigned html_attr_kept(unsigned attr, Span value, bool *hidden)
{
    switch (attr) {
    case ATTR_HIDDEN: *hidden = true; return HTML_N_ATTRS;
    case ATTR_ARIA_HIDDEN: *hidden |= span_is(value, "true"); return HTML_N_ATTRS;
    case ATTR_STYLE: *hidden |= style_hides(value); return HTML_N_ATTRS;
    case ATTR_PROPERTY: /* <meta property="og:…"> */
    case ATTR_HTTP_EQUIV: return HTML_NAME;
    case ATTR_DATA_LANGUAGE: return HTML_DATA_LANG;
    case ATTR_VALUE: return HTML_START; /* of <li>; those of inputs are numbers at most by chance, and nobody looks */
    case ATTR_ENCODING: return HTML_TYPE; /* of annotations; forms have enctype */
    default: return attr < HTML_N_ATTRS ? attr : HTML_N_ATTRS;
    }
}

size_t html_attr_bytes(unsigned kept, Span value)
{
    size_t n = HTML_MAX_NAMES;

    if ((kept != HTML_CLASS && kept != HTML_ID && kept != HTML_ROLE && kept != HTML_TYPE) || value.n <= n)
        return value.n;
    while (n && (value.p[n] & 0xc0) == 0x80) n--; /* not within a character */
    return n;
}

void html_attr_first(HtmlTree *t, uint32_t i)
{
    HtmlAttrValue last = t->attr[t->n_attrs - 1];
    uint32_t k = t->node[i].attrs;

    while (t->attr[k].attr != last.attr) k++;
    t->attr[t->n_attrs - 1] = t->attr[k];
    t->attr[k] = last;
}
