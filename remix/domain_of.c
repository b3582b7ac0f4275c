/* remix/domain_of.c - which rule a document falls under, and the name that makes. */
#include "core/url.h"
#include "remix/mixrecipe.h"

static bool any_source(const DomainRule *r, Span source)
{
    for (uint32_t i = 0; i < r->n_sources; i++)
        if (span_is(source, r->source[i])) return true;
    return r->n_sources == 0;
}

/* "zh" covers "zh-Hans". */
static bool any_lang(const DomainRule *r, Span lang)
{
    for (uint32_t i = 0; i < r->n_langs; i++) {
        Span want = span_str(r->lang[i]);
        if (span_starts(lang, want) && (lang.n == want.n || lang.p[want.n] == '-')) return true;
    }
    return r->n_langs == 0;
}

static bool is_name_byte(uint8_t c) { return ascii_is_alnum(c) || c == '.' || c == '_' || c == '-'; }

static size_t put(char *out, size_t n, Span s)
{
    for (size_t i = 0; i < s.n && n < REMIX_MAX_NAME; i++) out[n++] = is_name_byte(s.p[i]) ? (char)s.p[i] : '_';
    return n;
}

/* The pattern with the document's source and language in it. A name is a directory's name too: it neither is empty
 * nor starts with a dot or dash. */
static Span render(const char *pattern, DomainScratch *s, const Doc *doc)
{
    size_t n = 0;

    for (Span p = span_str(pattern); p.n;) {
        size_t step = 1;
        if (span_starts(p, SPAN_LIT("{source}")))
            n = put(s->name, n, doc->source.n ? doc->source : SPAN_LIT("unknown")), step = 8;
        else if (span_starts(p, SPAN_LIT("{lang}")))
            n = put(s->name, n, doc->lang.n ? doc->lang : SPAN_LIT("unknown")), step = 6;
        else
            n = put(s->name, n, span(p.p, 1));
        p = span_from(p, step);
    }
    if (s->name[0] == '.' || s->name[0] == '-') s->name[0] = '_';
    return span(s->name, n);
}

Span domain_of(const RemixRecipe *r, DomainScratch *s, const Doc *doc)
{
    uint8_t bytes[URL_MAX_HOST];
    Span host = {NULL, 0};

    if (r->hosts.n_hosts) {
        memset(s->hit, 0, sizeof s->hit);
        host = url_host(doc->url, bytes);
        hostmap_find(&r->hosts, host, s->hit);
    }
    for (uint32_t i = 0; i < r->n_rules; i++) {
        const DomainRule *rule = &r->rule[i];
        if (rule->by_host && !(s->hit[i / 64] >> i % 64 & 1)) continue;
        if (any_source(rule, doc->source) && any_lang(rule, doc->lang)) return render(rule->name, s, doc);
    }
    return render(r->fallback, s, doc);
}
