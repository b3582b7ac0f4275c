#include "ingest/html_parser.h"

#include <stdlib.h>

const char *const html_parser_names[HTML_N_PARSERS + 1] = {"fast", "libxml2", NULL};

struct HtmlParser {
    HtmlFast *fast; /* one of them is there */
    HtmlSax *sax;
};

ErrCode htmlparser_new(HtmlParser **out, HtmlParserKind kind, Err *err)
{
    HtmlParser *p = calloc(1, sizeof *p);

    *out = NULL;
    if (p && kind == HTML_PARSER_FAST) p->fast = htmlfast_new();
    if (p && kind == HTML_PARSER_LIBXML2) p->sax = htmlsax_new();
    if (!p || !(p->fast || p->sax)) {
        free(p);
        return err_nomem(err, "an HTML parser");
    }
    *out = p;
    return ERR_OK;
}

void htmlparser_free(HtmlParser *p)
{
    if (!p) return;
    htmlfast_free(p->fast);
    htmlsax_free(p->sax);
    free(p);
}

ErrCode htmlparser_parse(HtmlParser *p, Span utf8, HtmlTree *t, HtmlStatus *status, Err *err)
{
    t->n_nodes = t->n_attrs = 0;
    t->truncated = false;
    buf_reset(&t->text);
    buf_reset(&t->json_ld);
    *status = utf8.n > HTML_MAX_BYTES ? HTML_TOO_LARGE : HTML_FINE;
    if (*status != HTML_FINE) return ERR_OK;
    bool fine = p->fast ? htmlfast_parse(p->fast, utf8, t) : htmlsax_parse(p->sax, utf8, t, status);
    return fine && !t->json_ld.oom ? ERR_OK : err_nomem(err, "a page");
}

uint64_t htmlparser_work(const HtmlParser *p) { return p->fast ? htmlfast_work(p->fast) : 0; }

void htmltree_keep_json_ld(HtmlTree *t, Span content)
{
    if (content.n >= HTML_MAX_JSON_LD - t->json_ld.n) return;
    buf_put_span(&t->json_ld, content);
    buf_putc(&t->json_ld, 0);
}

void htmltree_clear(HtmlTree *t)
{
    free(t->node);
    free(t->attr);
    buf_clear(&t->text);
    buf_clear(&t->json_ld);
    buf_clear(&t->clean);
    *t = (HtmlTree){0};
}

Span html_attr(const HtmlTree *t, uint32_t node, HtmlAttr attr)
{
    size_t end = node + 1 < t->n_nodes ? t->node[node + 1].attrs : t->n_attrs;

    for (size_t i = t->node[node].attrs; i < end; i++)
        if (t->attr[i].attr == attr) return span(t->text.p + t->attr[i].text, t->attr[i].bytes);
    return (Span){NULL, 0};
}
