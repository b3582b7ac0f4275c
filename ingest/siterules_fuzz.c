/* A file of rules up to a NUL, a URL up to the next, and a page: the rules are read or refused, and the marks that they give are sound. */
#include "core/utf8.h"
#include "ingest/maintext.h"
#include "ingest/metadata.h"
#include "ingest/siterules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

static Span take_until_nul(Span *rest)
{
    const Span s = span(rest->p, span_find(*rest, 0));

    *rest = span_from(*rest, s.n + (s.n < rest->n));
    return s;
}

/* What is dropped is so with all below it and is nothing else; what is named has all around it marked. */
static void check_marks(const SiteMarks *m, const HtmlTree *t)
{
    unsigned all = 0;

    for (uint32_t i = 1; i < t->n_nodes; i++) {
        const unsigned mark = m->mark[i], up = m->mark[t->node[i].parent];
        must(!(mark & MARK_DROP) || mark == MARK_DROP);
        must(!(up & MARK_DROP) || mark == MARK_DROP);
        must(!mark || mark == MARK_DROP || (up & MARK_AROUND));
        must(t->node[i].tag != HTML_TEXT || mark == 0 || mark == MARK_DROP);
        all |= mark;
    }
    must(((all & MARK_DROP) != 0) == (m->matched >> SITE_DROP & 1));
    must(((all & MARK_KEEP) != 0) == (m->matched >> SITE_KEEP & 1));
    must(((all & MARK_MAIN) != 0) == (m->matched >> SITE_MAIN & 1));
    must(m->first[SITE_TITLE] < t->n_nodes && m->first[SITE_DATE] < t->n_nodes);
    must((m->matched & ~m->asked) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static HtmlParser *parser;
    static HtmlTree t;
    static SiteMarks marks;
    static MainText m;
    static Metadata about;
    static Buf page, text;
    Span rest = span(p, n);
    const Span rules = take_until_nul(&rest), url = take_until_nul(&rest);
    SiteRules *s;
    HtmlStatus status;
    Err err = {0};

    const ErrCode rc = siterules_parse(&s, "rules", rules, &err);
    must(rc == ERR_OK || (rc == ERR_DATA && utf8_valid(span_str(err.msg))));
    if (rc != ERR_OK) return 0;
    buf_reset(&page);
    utf8_repair(&page, rest);
    if (!parser) must(htmlparser_new(&parser, HTML_PARSER_FAST, &err) == ERR_OK);
    must(htmlparser_parse(parser, buf_span(&page), &t, &status, &err) == ERR_OK);
    must(siterules_mark(s, &marks, url, &t, &err) == ERR_OK);
    if (marks.asked) check_marks(&marks, &t);
    m.mark = marks.asked ? marks.mark : NULL;
    m.url = url;
    buf_reset(&text);
    must(maintext_extract(&m, &t, MAINTEXT_BALANCED, &text, &err) == ERR_OK);
    must(utf8_valid(buf_span(&text)) && (!m.by_rules || (marks.matched >> SITE_MAIN & 1)));
    must(metadata_read(&about, &t, NULL, url, (Span){NULL, 0}, &err) == ERR_OK);
    if (marks.asked && marks.first[SITE_TITLE]) (void)metadata_take_title(&about, &t, marks.first[SITE_TITLE]);
    if (marks.asked && marks.first[SITE_DATE])
        (void)metadata_take_date(&about, &t, marks.first[SITE_DATE], (Span){NULL, 0});
    must(utf8_valid(buf_span(&about.title)) && about.title.n <= METADATA_MAX_TITLE);
    siterules_free(s);
    return 0;
}
