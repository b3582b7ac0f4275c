/* ingest/html_names.h - names of elements and attributes to numbers, in any case, one probe of a small table each. Private to
 * the HTML parsers. */
#ifndef TAMIS_INGEST_HTML_NAMES_H
#define TAMIS_INGEST_HTML_NAMES_H

#include "ingest/html.h"

/* Elements that the parser treats differently and the tree calls HTML_OTHER, or what they are drawn like (html_tag_shown). */
/* clang-format off */
#define HTML_PARSER_TAGS(X) \
    X(basefont) X(bgsound) X(foreignobject) X(image) X(keygen) X(listing) X(marquee) X(noembed) X(noframes) \
    X(plaintext) X(rb) X(rtc) X(search) X(track) X(xmp)
/* clang-format on */
#define HTML_TAG_ENUM(name) HTML_##name,
enum { HTML_BEFORE_PARSER_TAGS = HTML_N_TAGS - 1, HTML_PARSER_TAGS(HTML_TAG_ENUM) HTML_DEAD, HTML_N_ALL_TAGS };
#undef HTML_TAG_ENUM

/* What is looked at beside HtmlAttr. */
enum {
    ATTR_HIDDEN = HTML_N_ATTRS,
    ATTR_ARIA_HIDDEN,
    ATTR_STYLE,
    ATTR_PROPERTY,
    ATTR_HTTP_EQUIV,
    ATTR_DATA_LANGUAGE,
    ATTR_ENCODING,
    ATTR_VALUE,
    ATTR_NONE
};

typedef struct {
    uint64_t key; /* the first eight bytes in lower case; 0: an empty slot */
    const char *name;
    uint8_t n, value;
} HtmlName;

enum { HTML_TAG_SLOT_BITS = 9, HTML_ATTR_SLOT_BITS = 6 };
typedef struct {
    HtmlName tag[1 << HTML_TAG_SLOT_BITS], attr[1 << HTML_ATTR_SLOT_BITS];
} HtmlNames;
void htmlnames_init(HtmlNames *t);

/* Eight bytes can be read at `name`, however long it is; it holds no control characters. */
static inline uint64_t htmlname_key(const uint8_t *name, size_t n)
{
    const uint64_t lower = 0x2020202020202020u;
    uint64_t all = n >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * n)) - 1;

    return (le64_get(name) | lower) & all;
}

static inline uint32_t htmlname_slot(uint64_t key, size_t n, unsigned bits)
{
    return (uint32_t)((key ^ n) * 0x9E3779B97F4A7C15u >> (64 - bits));
}

/* The value of a name; `none` when the table lacks it. */
static inline uint8_t htmlname_find(const HtmlName *slots, unsigned bits, const uint8_t *name, size_t n, uint8_t none)
{
    uint64_t key = htmlname_key(name, n);

    for (uint32_t at = htmlname_slot(key, n, bits);; at = (at + 1) & ((1u << bits) - 1)) {
        const HtmlName *s = &slots[at];
        if (s->key == 0) return none;
        if (s->key == key && s->n == n && (n <= 8 || span_eq_nocase(span(name + 8, n - 8), span(s->name + 8, n - 8))))
            return s->value;
    }
}

/* The tag that a node gets. */
HtmlTag html_tag_shown(unsigned tag);
/* The attribute of a name in any case, ATTR_NONE for all that nobody looks at. */
unsigned html_attr_named(Span name);
/* The value that node `i`, the last one, got last comes before another of the same attribute: `property` before `name`. */
void html_attr_first(HtmlTree *t, uint32_t i);
/* How many bytes of a value are kept. */
size_t html_attr_bytes(unsigned kept, Span value);
/* The attribute that a value is kept as, HTML_N_ATTRS when none; sets *hidden when it hides its element. */
unsigned html_attr_kept(unsigned attr, Span value, bool *hidden);

#endif
