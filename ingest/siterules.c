#define _GNU_SOURCE /* qsort_r */
#include "ingest/siterules.h"

#include "core/idn.h"
#include "core/lines.h"
#include "core/utf8.h"
#include "ingest/maintext.h"

#include <inttypes.h>
#include <stdlib.h>

const char *const site_actions[SITE_N_ACTIONS] = {"main", "drop", "keep", "title", "date"};

enum { NO_RANK = UINT16_MAX };

/* A line of the file; `part` to `part_end` are its selectors' compounds. */
typedef struct {
    uint32_t host, path; /* in names */
    uint16_t host_n, path_n;
    uint32_t part, part_end, line;
    SiteAction action;
} Rule;

/* Rules of one HOST and PATH: [rule, next place's rule). Those of a host follow each other, the longest path first. */
typedef struct {
    uint32_t rule;
    bool last; /* of its host */
} Place;

struct SiteRules {
    Rule *rule;
    Place *place;   /* one more than there are */
    uint32_t *slot; /* table of slot_mask + 1: a host's first place plus one; 0: free */
    size_t n_rules, cap_rules, n_places;
    uint32_t slot_mask;
    Buf names;
    Selectors selectors;
    Hash128 content;
};

/* What a compound is the last of. */
typedef struct SiteAsked {
    uint16_t rank;
    SiteAction action;
} SiteAsked;

void siterules_free(SiteRules *s)
{
    if (!s) return;
    free(s->rule);
    free(s->place);
    free(s->slot);
    buf_clear(&s->names);
    selectors_clear(&s->selectors);
    free(s);
}

Hash128 siterules_content(const SiteRules *s) { return s->content; }

void sitemarks_clear(SiteMarks *m)
{
    free(m->mark);
    free(m->rank);
    free(m->rule);
    selectormatch_clear(&m->match);
    buf_clear(&m->key);
    *m = (SiteMarks){0};
}

static Span name_at(Span names, uint32_t at, size_t n) { return span(span_from(names, at).p, n); }
static Span host_of(const SiteRules *s, const Rule *r) { return name_at(buf_span(&s->names), r->host, r->host_n); }
static Span path_of(const SiteRules *s, const Rule *r) { return name_at(buf_span(&s->names), r->path, r->path_n); }

/* ---- reading */

/* Takes what is ahead of the next blank off, and the blanks. */
static Span take_field(Span *rest)
{
    size_t n = 0, next;

    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t') n++;
    for (next = n; next < rest->n && (rest->p[next] == ' ' || rest->p[next] == '\t');) next++;
    const Span field = span(rest->p, n);
    *rest = span_from(*rest, next);
    return field;
}

/* A host in its A-label form; empty for '*'. */
static ErrCode read_host(SiteRules *s, Rule *r, Span host, Err *err)
{
    uint8_t bytes[2][URL_MAX_HOST];
    Buf url = {0};
    ErrCode rc;

    r->host = (uint32_t)s->names.n;
    if (span_is(host, "*")) return ERR_OK;
    buf_puts(&url, "http://");
    buf_put_span(&url, host);
    if ((rc = buf_ok(&url, "a site rule", err)) == ERR_OK) {
        const Span name = url_host(buf_span(&url), bytes[0]);
        const bool fine = name.p && name.n == host.n && span_find(name, '*') == name.n;
        const Span ascii = fine ? idn_ascii(name, bytes[1]) : name;
        buf_put_span(&s->names, ascii);
        r->host_n = (uint16_t)ascii.n;
        if (!fine) rc = err_set(err, ERR_DATA, "a rule begins with a host, without scheme and port, or with *");
    }
    buf_clear(&url);
    return rc;
}

/* The path that a URL's key has behind its host and port. */
static Span path_of_key(Span key)
{
    key = span_from(key, 2);
    return span_from(key, span_find(key, '/'));
}

/* A path as url_key() writes it; that of all pages is empty. */
static ErrCode read_path(SiteRules *s, Rule *r, Span path, Err *err)
{
    Buf url = {0}, key = {0};
    ErrCode rc = ERR_OK;

    r->path = (uint32_t)s->names.n;
    if (path.n <= 1) return ERR_OK;
    buf_puts(&url, "http://a.example");
    buf_put_span(&url, path);
    if (span_find(path, '#') < path.n) {
        rc = err_set(err, ERR_DATA, "no fragment (#) can be in a path");
    } else if (url_key(&key, buf_span(&url))) {
        const Span as_key = path_of_key(buf_span(&key));
        buf_put_span(&s->names, as_key);
        r->path_n = (uint16_t)as_key.n;
    }
    if (rc == ERR_OK) rc = buf_ok(&url, "a site rule", err);
    if (rc == ERR_OK) rc = buf_ok(&key, "a site rule", err);
    buf_clear(&url);
    buf_clear(&key);
    return rc;
}

static ErrCode read_action(Rule *r, Span action, Err *err)
{
    enum { SHOWN = 20 };
    const size_t n = utf8_floor(action, SHOWN);

    for (int i = 0; i < SITE_N_ACTIONS; i++) {
        r->action = (SiteAction)i;
        if (span_is(action, site_actions[i])) return ERR_OK;
    }
    if (n == 0) return err_set(err, ERR_DATA, "no action behind the host");
    return err_set(err, ERR_DATA, "no such action: %.*s; there are main, drop, keep, title, date", (int)n,
                   (const char *)action.p);
}

static ErrCode read_rule(SiteRules *s, Span line, uint32_t number, HashStream *content, Err *err)
{
    Rule *rules = array_grow(s->rule, s->n_rules, &s->cap_rules, sizeof *s->rule);
    const Span where = take_field(&line), host = span(where.p, span_find(where, '/')), action = take_field(&line);
    ErrCode rc;

    if (!rules) return err_nomem(err, "site rules");
    const Span said[] = {where, SPAN_LIT(" "), action, SPAN_LIT(" "), line, SPAN_LIT("\n")};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) hashstream_add(content, said[i]);
    s->rule = rules;
    Rule *r = &s->rule[s->n_rules++];
    *r = (Rule){.line = number, .part = (uint32_t)s->selectors.n_parts};
    if ((rc = read_host(s, r, host, err)) != ERR_OK) return rc;
    if ((rc = read_path(s, r, span_from(where, host.n), err)) != ERR_OK) return rc;
    if ((rc = read_action(r, action, err)) != ERR_OK) return rc;
    if ((rc = selectors_add(&s->selectors, line, err)) != ERR_OK) return rc;
    r->part_end = (uint32_t)s->selectors.n_parts;
    return buf_ok(&s->names, "site rules", err);
}

static bool is_clean(Span line)
{
    for (size_t i = 0; i < line.n; i++)
        if ((line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f) return false;
    return utf8_valid(line);
}

/* Puts the place in the file before what is wrong there. */
static ErrCode fail_at(const char *name, uint32_t line, ErrCode rc, Err *err)
{
    const Err why = *err;

    return rc == ERR_NOMEM ? rc : err_set(err, rc, "%s:%" PRIu32 ": %s", name, line, why.msg);
}

static ErrCode read_line(SiteRules *s, Span line, uint32_t number, HashStream *content, Err *err)
{
    if (line.n > SITERULES_MAX_LINE)
        return err_set(err, ERR_DATA, "a line of more than %d bytes", (int)SITERULES_MAX_LINE);
    if (number == 1 && span_starts(line, SPAN_LIT("\xef\xbb\xbf"))) line = span_from(line, 3);
    line = span_trim(line);
    if (line.n == 0 || line.p[0] == '#') return ERR_OK;
    if (!is_clean(line)) return err_set(err, ERR_DATA, "a control character, or no UTF-8");
    return read_rule(s, line, number, content, err);
}

/* ---- the table of hosts */

static int compare_names(Span a, Span b) /* the longer first */
{
    return a.n != b.n ? (a.n < b.n) - (a.n > b.n) : span_cmp(a, b);
}

/* Hosts are sorted by their bytes, all the rest of the order is told. */
static int compare_rules(const void *a, const void *b, void *names)
{
    const Rule *x = a, *y = b;
    const Span all = *(const Span *)names;
    int c = span_cmp(name_at(all, x->host, x->host_n), name_at(all, y->host, y->host_n));

    if (c == 0) c = compare_names(name_at(all, x->path, x->path_n), name_at(all, y->path, y->path_n));
    return c ? c : (x->line > y->line) - (x->line < y->line);
}

/* The slot of a host, or the free one where it belongs. */
static uint32_t *slot_of(const SiteRules *s, Span host)
{
    for (uint32_t at = (uint32_t)hash64(host) & s->slot_mask;; at = (at + 1) & s->slot_mask) {
        const uint32_t place = s->slot[at];
        if (place == 0 || span_eq(host_of(s, &s->rule[s->place[place - 1].rule]), host)) return &s->slot[at];
    }
}

static ErrCode make_places(SiteRules *s, Err *err)
{
    Span names = buf_span(&s->names);

    qsort_r(s->rule, s->n_rules, sizeof *s->rule, compare_rules, &names);
    s->place = calloc(s->n_rules + 1, sizeof *s->place);
    for (s->slot_mask = 1; s->slot_mask < 2 * s->n_rules;) s->slot_mask = 2 * s->slot_mask + 1;
    s->slot = calloc((size_t)s->slot_mask + 1, sizeof *s->slot);
    if (!s->place || !s->slot) return err_nomem(err, "site rules");
    for (uint32_t i = 0; i < s->n_rules; i++) {
        const Rule *r = &s->rule[i], *before = i ? r - 1 : NULL;
        const bool same_host = before && span_eq(host_of(s, before), host_of(s, r));
        if (same_host && span_eq(path_of(s, before), path_of(s, r))) continue;
        if (before) s->place[s->n_places - 1].last = !same_host;
        s->place[s->n_places].rule = i;
        s->place[s->n_places++].last = true;
        if (!same_host) *slot_of(s, host_of(s, r)) = (uint32_t)s->n_places;
    }
    s->place[s->n_places].rule = (uint32_t)s->n_rules;
    return ERR_OK;
}

/* The host and those it lies below that have rules, the longest first, at last that of '*'. */
typedef struct {
    const SiteRules *s;
    Span host;
    bool end;
} Hosts;

/* The first place of the next one; false: there are no more. */
static bool next_host(Hosts *h, uint32_t *place)
{
    while (!h->end) {
        const Span host = h->host;
        const uint32_t found = *slot_of(h->s, host);
        /* Addresses are below nothing but '*'. */
        const bool address = host.n && (host.p[host.n - 1] == ']' || ascii_is_digit(host.p[host.n - 1])) &&
                             span_find(host, '.') < host.n && ascii_is_digit(host.p[0]);
        h->end = host.n == 0;
        h->host = address ? (Span){host.p, 0} : host_parent(host);
        if (found) {
            *place = found - 1;
            return true;
        }
    }
    return false;
}

/* That no page can come below more rules than are matched together: all of a host and of those above it. */
static ErrCode check_hosts(const SiteRules *s, const char *name, Err *err)
{
    for (uint32_t i = 0, at; i < s->n_places; i++) {
        const Rule *r = &s->rule[s->place[i].rule];
        Hosts h = {.s = s, .host = host_of(s, r)};
        size_t n = 0;
        if (i && !s->place[i - 1].last) continue;
        while (next_host(&h, &at)) {
            do {
                for (uint32_t k = s->place[at].rule; k < s->place[at + 1].rule; k++)
                    n += s->rule[k].part_end - s->rule[k].part;
            } while (!s->place[at++].last);
        }
        if (n > SELECTOR_MAX_PARTS)
            return err_set(err, ERR_DATA,
                           "%s:%" PRIu32 ": rules with %zu elements count for pages of %.*s; there can be %d", name,
                           r->line, n, r->host_n ? (int)r->host_n : 1,
                           r->host_n ? (const char *)host_of(s, r).p : "*", (int)SELECTOR_MAX_PARTS);
    }
    return ERR_OK;
}

static ErrCode read_lines(SiteRules *s, const char *name, Span text, Err *err)
{
    HashStream *content;
    ErrCode rc = hashstream_new(&content, err);
    uint32_t number = 0;

    while (rc == ERR_OK && text.n) {
        const Span line = line_take(&text);
        if ((rc = read_line(s, line, ++number, content, err)) != ERR_OK) rc = fail_at(name, number, rc, err);
    }
    if (rc == ERR_OK) s->content = hashstream_digest(content);
    hashstream_free(content);
    return rc;
}

ErrCode siterules_parse(SiteRules **out, const char *name, Span text, Err *err)
{
    SiteRules *s = calloc(1, sizeof *s);
    ErrCode rc;

    *out = NULL;
    if (!s) return err_nomem(err, "site rules");
    rc = read_lines(s, name, text, err);
    if (rc == ERR_OK && s->n_rules == 0) rc = err_set(err, ERR_DATA, "%s: no site rule in it", name);
    if (rc == ERR_OK) rc = make_places(s, err);
    if (rc == ERR_OK) rc = check_hosts(s, name, err);
    if (rc == ERR_OK)
        *out = s;
    else
        siterules_free(s);
    return rc;
}

ErrCode siterules_read(SiteRules **out, const char *path, Err *err)
{
    LineBlock lines = {0};
    LineFile *f = NULL;
    Buf text = {0};
    bool end = false;
    ErrCode rc = linefile_open(&f, path, false, err);

    *out = NULL;
    while (rc == ERR_OK && (rc = linefile_next(f, &lines, &end, err)) == ERR_OK && !end) {
        buf_put_span(&text, buf_span(&lines.bytes));
        if (lines.too_long || text.n > SITERULES_MAX_BYTES)
            rc = err_set(err, ERR_DATA, "%s: site rules of more than %d bytes", path, (int)SITERULES_MAX_BYTES);
    }
    if (rc == ERR_OK) rc = buf_ok(&text, path, err);
    if (rc == ERR_OK) rc = siterules_parse(out, path, buf_span(&text), err);
    buf_clear(&text);
    buf_clear(&lines.bytes);
    linefile_close(f);
    return rc;
}

/* ---- pages */

/* Adds the rules of a place to those that count. */
static bool add_place(const SiteRules *s, SiteMarks *m, uint32_t place, uint16_t rank)
{
    if (!m->rule) m->rule = malloc(SELECTOR_MAX_PARTS * sizeof *m->rule);
    if (!m->rule) return false;
    for (uint32_t i = s->place[place].rule; i < s->place[place + 1].rule; i++) {
        const Rule *r = &s->rule[i];
        m->asked |= 1u << r->action;
        for (uint32_t part = r->part; part < r->part_end; part++) {
            if (r->action == SITE_DROP) m->drops[m->match.n / 64] |= (uint64_t)1 << (m->match.n & 63);
            m->rule[m->match.n] = (SiteAsked){.rank = rank, .action = r->action};
            m->match.part[m->match.n++] = part;
        }
    }
    return true;
}

/* Which rules count for a URL; one without a host has those of '*' alone. */
static ErrCode ask(const SiteRules *s, SiteMarks *m, Span url, Err *err)
{
    uint8_t bytes[2][URL_MAX_HOST];
    const Span host = url_host(url, bytes[0]);
    Hosts h = {.s = s, .host = host.p ? idn_ascii(host, bytes[1]) : (Span){NULL, 0}};
    Span path = {NULL, 0};
    uint16_t rank = 0;

    for (uint32_t at; next_host(&h, &at);) {
        do {
            const Span begin = path_of(s, &s->rule[s->place[at].rule]);
            if (begin.n && !path.p) { /* the key is for few pages */
                buf_reset(&m->key);
                path = url_key(&m->key, url) ? path_of_key(buf_span(&m->key)) : SPAN_LIT("");
            }
            if (span_starts(path, begin) && !add_place(s, m, at, rank++)) return err_nomem(err, "site rules");
        } while (!s->place[at++].last);
    }
    return buf_ok(&m->key, "a page's URL", err);
}

static void mark_around(SiteMarks *m, const HtmlTree *t, uint32_t node)
{
    for (uint32_t i = t->node[node].parent; !(m->mark[i] & MARK_AROUND); i = t->node[i].parent)
        m->mark[i] |= MARK_AROUND;
}

static void mark_element(SiteMarks *m, const HtmlTree *t, uint32_t node, const SiteAsked *by)
{
    switch (by->action) {
    case SITE_MAIN:
        if (by->rank < m->rank[node]) m->rank[node] = by->rank;
        return; /* which of them count is not known yet */
    case SITE_KEEP:
        m->mark[node] |= MARK_KEEP;
        mark_around(m, t, node);
        break;
    default:
        if (m->first[by->action] != SITERULES_NO_NODE && by->rank >= m->first_rank[by->action]) return;
        m->first[by->action] = node;
        m->first_rank[by->action] = by->rank;
    }
    m->matched |= 1u << by->action;
}

static bool is_dropped(const SiteMarks *m, const uint64_t *found, size_t words)
{
    uint64_t any = 0;

    for (size_t w = 0; w < words; w++) any |= found[w] & m->drops[w];
    return any != 0;
}

/* The elements that rules match. Of a dropped one, all nodes below it are marked so, and no other rule sees them. */
static void match_elements(const SiteRules *s, SiteMarks *m, const HtmlTree *t)
{
    const size_t words = (m->match.n + 63) / 64;

    for (uint32_t i = 1, next; i < t->n_nodes; i = next) {
        next = i + 1;
        if (t->node[i].tag == HTML_TEXT) continue;
        const uint64_t *found = selectormatch_node(&m->match, &s->selectors, t, i);
        if (is_dropped(m, found, words)) {
            for (next = i; next < t->node[i].end;) m->mark[next++] = MARK_DROP;
            m->matched |= 1u << SITE_DROP;
            continue;
        }
        for (size_t w = 0; w < words; w++)
            for (uint64_t bits = found[w]; bits; bits &= bits - 1)
                mark_element(m, t, i, &m->rule[w * 64 + bit_lowest(bits)]);
    }
}

/* The first node of text from i on that readers see; not one on a button. */
static uint32_t next_text(const SiteMarks *m, const HtmlTree *t, uint32_t i)
{
    while (i < t->n_nodes) {
        const HtmlNode *n = &t->node[i];
        if (n->tag == HTML_TEXT && !(m->mark[i] & MARK_DROP) && weight_of_text(html_text(t, i)) > 0) break;
        i = blocks_is_silent((HtmlTag)n->tag) ? n->end : i + 1;
    }
    return i;
}

/* The best rank of an element that has text. */
static uint16_t rank_of_main(const SiteMarks *m, const HtmlTree *t)
{
    uint32_t text = 0;
    uint16_t best = NO_RANK;

    for (uint32_t i = 1; i < t->n_nodes; i++) {
        if (text < i) text = next_text(m, t, i);
        if (m->rank[i] < best && text < t->node[i].end) best = m->rank[i];
    }
    return best;
}

static void mark_main(SiteMarks *m, const HtmlTree *t)
{
    const uint16_t rank = rank_of_main(m, t);

    for (uint32_t i = 1; rank != NO_RANK && i < t->n_nodes; i++) {
        if (m->rank[i] != rank) continue;
        m->mark[i] |= MARK_MAIN;
        mark_around(m, t, i);
        m->matched |= 1u << SITE_MAIN;
    }
}

static ErrCode reserve(SiteMarks *m, size_t n, Err *err)
{
    if (n > m->cap) {
        free(m->mark);
        free(m->rank);
        m->cap = n + n / 2;
        m->mark = malloc(m->cap * sizeof *m->mark);
        m->rank = malloc(m->cap * sizeof *m->rank);
        if (!m->mark || !m->rank) return m->cap = 0, err_nomem(err, "a page's site rules");
    }
    memset(m->mark, 0, n * sizeof *m->mark);
    memset(m->rank, 0xff, n * sizeof *m->rank); /* NO_RANK */
    return ERR_OK;
}

ErrCode siterules_mark(const SiteRules *s, SiteMarks *m, Span url, const HtmlTree *t, Err *err)
{
    ErrCode rc;

    m->asked = m->matched = 0;
    m->match.n = 0;
    memset(m->first, 0, sizeof m->first);
    memset(m->drops, 0, sizeof m->drops);
    if ((rc = ask(s, m, url, err)) != ERR_OK || m->asked == 0) return rc;
    if ((rc = reserve(m, t->n_nodes, err)) != ERR_OK) return rc;
    if ((rc = selectormatch_begin(&m->match, &s->selectors, t, err)) != ERR_OK) return rc;
    match_elements(s, m, t);
    mark_main(m, t);
    return ERR_OK;
}
