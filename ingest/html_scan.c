#include "ingest/html_scan.h"

static bool is_control(uint8_t c) { return c < ' ' && c != '\t' && c != '\n' && c != '\r'; }

void scan_copy(uint8_t *to, Span page)
{
    size_t i = 0;

#ifdef SCAN_SSE2
    const __m128i blank = _mm_set1_epi8(' ');
    for (; page.n - i >= 16; i += 16) {
        __m128i v = scan_load(page.p + i);
        __m128i white = scan_or(scan_or(scan_is(v, '\t'), scan_is(v, '\n')), scan_is(v, '\r'));
        __m128i control = _mm_andnot_si128(white, scan_upto(v, 0x1F));
        v = _mm_or_si128(_mm_andnot_si128(control, v), _mm_and_si128(control, blank));
        _mm_storeu_si128((__m128i *)(void *)(to + i), v);
    }
#endif
    for (; i < page.n; i++) to[i] = is_control(page.p[i]) ? ' ' : page.p[i];
    memset(to + page.n, 0, SCAN_PAD);
}

/* A value at p, behind its '=' and blanks. A quote that is never closed ends at the next '>', which it leaves: otherwise it would
 * swallow the page. (Each kind of quote is missed once a page, since no later one opens then.) */
static const uint8_t *read_value(const uint8_t *p, const uint8_t **value, size_t *n)
{
    const uint8_t *end;

    if (*p == '"' || *p == '\'') {
        end = scan_byte(p + 1, *p);
        *value = p + 1;
        if (*end) {
            *n = (size_t)(end - p) - 1;
            return end + 1;
        }
        end = scan_byte(p + 1, '>');
        *n = (size_t)(end - p) - 1;
        return end;
    }
    end = scan_unquoted(p);
    *value = p;
    *n = (size_t)(end - p);
    return end;
}

uint32_t scan_hash_name(const uint8_t *p, size_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a; of a name beyond 64 bytes only they count */

    for (size_t i = 0; i < n && i < 64; i++) h = (h ^ ascii_lower(p[i])) * 16777619u;
    return h;
}

/* Reads attributes from p on to behind the '>'; `tag` may be NULL. */
static inline const uint8_t *read_attrs(const HtmlNames *names, const uint8_t *p, ScanTag *tag)
{
    for (;;) {
        while (*p && *p <= ' ') p++;
        if (*p == '>') return p + 1;
        if (*p == 0) return p;
        if (*p == '/') {
            if (p[1] == '>' && tag) tag->empty = true;
            p++;
            continue;
        }
        const uint8_t *name = p, *value = NULL, *at;
        size_t n = 0;
        p = scan_name(p + 1); /* an '=' first of all is part of the name */
        size_t name_n = (size_t)(p - name);
        at = *p == '=' ? p : scan_blank(p);
        if (*at == '=') p = read_value(scan_blank(at + 1), &value, &n);
        if (!tag || tag->n_attrs == HTML_MAX_TAG_ATTRIBUTES) continue;
        unsigned a = htmlname_find(names->attr, HTML_ATTR_SLOT_BITS, name, name_n, ATTR_NONE);
        if (a != ATTR_NONE)
            tag->attr[tag->n_attrs++] = (ScanAttr){.value = value, .n = (uint32_t)n, .attr = (uint8_t)a};
    }
}

const uint8_t *scan_tag(const HtmlNames *names, const uint8_t *p, ScanTag *tag)
{
    const uint8_t *end = scan_name(p);
    size_t n = (size_t)(end - p);

    tag->tag = htmlname_find(names->tag, HTML_TAG_SLOT_BITS, p, n, HTML_OTHER);
    tag->name = tag->tag == HTML_OTHER ? scan_hash_name(p, n) : 0;
    tag->empty = false;
    tag->n_attrs = 0;
    return *end == '>' ? end + 1 : read_attrs(names, end, tag);
}

const uint8_t *scan_tag_end(const uint8_t *p)
{
    p = scan_name(p);
    return *p == '>' ? p + 1 : read_attrs(NULL, p, NULL);
}

const uint8_t *scan_close(const uint8_t *p, Span name)
{
    for (;; p += 2) {
        p = scan_pair(p, '<', '/');
        if (*p == 0) return NULL;
        /* A name of ours holds no NUL: the comparison ends at the page's end, and SCAN_PAD is behind it. */
        if (span_eq_nocase(span(p + 2, name.n), name) && !ascii_is_alnum(p[2 + name.n])) return p;
    }
}

const uint8_t *scan_comment(const uint8_t *p)
{
    if (p[0] == '>') return p + 1;
    if (p[0] == '-' && p[1] == '>') return p + 2;
    for (;; p++) {
        p = scan_pair(p, '-', '-');
        if (*p == 0) return NULL;
        if (p[2] == '>') return p + 3;
        if (p[2] == '!' && p[3] == '>') return p + 4;
    }
}
