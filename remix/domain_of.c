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

/* How often the document's signal asks for it. */
static uint32_t repeat_of(const RemixRecipe *r, const Doc *doc)
{
    for (uint32_t i = 0; r->repeat && i < doc->n_signals; i++) {
        double value = doc->signals[i].value;
        if (!span_is(doc->signals[i].name, r->repeat) || value < 2) continue;
        return value < REMIX_MAX_REPEAT ? (uint32_t)value : REMIX_MAX_REPEAT;
    }
    return 1;
}

/* The name with "-xR" behind it, cut where both have no room. */
static Span put_repeat(DomainScratch *s, Span name, uint32_t repeat)
{
    char end[] = {'-', 'x', (char)('0' + repeat / 10), (char)('0' + repeat % 10)};

    if (repeat < 2) return name;
    if (repeat < 10) end[2] = end[3];
    size_t n = repeat < 10 ? 3 : 4, at = name.n < REMIX_MAX_NAME - n ? name.n : REMIX_MAX_NAME - n;
    memcpy(s->name + at, end, n);
    return span(s->name, at + n);
}

uint32_t domain_repeat(const RemixRecipe *r, Span name)
{
    size_t digits = 0;
    uint64_t repeat;

    while (digits < 2 && digits < name.n && ascii_is_digit(name.p[name.n - 1 - digits])) digits++;
    if (!r->repeat || digits == 0 || name.n < digits + 3) return 1;
    size_t at = name.n - digits;
    if (name.p[at - 1] != 'x' || name.p[at - 2] != '-' || !span_to_u64(span_from(name, at), &repeat)) return 1;
    return repeat < 2 ? 1 : (uint32_t)repeat;
}

static Span plain_domain(const RemixRecipe *r, DomainScratch *s, const Doc *doc)
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

Span domain_of(const RemixRecipe *r, DomainScratch *s, const Doc *doc)
{
    return put_repeat(s, plain_domain(r, s, doc), repeat_of(r, doc));
}
