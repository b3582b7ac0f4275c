#include "core/utf8.h"
#include "ingest/maintext.h"
#include "ingest/metadata.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* Subtrees nest, no deeper than `depth`; texts and attributes lie in the tree's bytes and are well-formed UTF-8. */
static void check_tree(const HtmlTree *t, unsigned depth)
{
    for (uint32_t i = 0; i < t->n_nodes; i++) {
        const HtmlNode *n = &t->node[i], *up = &t->node[n->parent];
        must(n->end > i && n->end <= up->end && n->depth <= depth);
        must(i == 0 || (n->parent < i && n->depth == up->depth + 1));
        must((size_t)n->text + n->text_bytes <= t->text.n);
        must(n->tag != HTML_TEXT || (n->end == i + 1 && utf8_valid(html_text(t, i))));
        must(n->attrs <= t->n_attrs);
    }
    for (size_t i = 0; i < t->n_attrs; i++) {
        must((size_t)t->attr[i].text + t->attr[i].bytes <= t->text.n);
        must(utf8_valid(span(t->text.p + t->attr[i].text, t->attr[i].bytes)));
    }
}

/* Any page has a tree, by either parser, a main text and metadata in well-formed UTF-8. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static HtmlParser *parser[HTML_N_PARSERS];
    static HtmlTree t;
    static MainText m;
    static Metadata about;
    static Buf page, text;
    HtmlStatus status;
    Err err;

    buf_reset(&page);
    utf8_repair(&page, span(p, n)); /* the parsers take UTF-8 alone */
    for (HtmlParserKind kind = 0; kind < HTML_N_PARSERS; kind++) {
        bool fast = kind == HTML_PARSER_FAST;
        if (!parser[kind]) must(htmlparser_new(&parser[kind], kind, &err) == ERR_OK);
        must(htmlparser_parse(parser[kind], buf_span(&page), &t, &status, &err) == ERR_OK);
        must(!fast || status == HTML_FINE || page.n > HTML_MAX_BYTES);
        if (status != HTML_FINE) continue;
        must(htmlparser_work(parser[kind]) <= 16 * (page.n + 16));
        check_tree(&t, fast ? HTML_FLAT_DEPTH : HTML_MAX_DEPTH);
        buf_reset(&text);
        must(maintext_extract(&m, &t, fast ? MAINTEXT_ALL : MAINTEXT_BALANCED, &text, &err) == ERR_OK);
        must(utf8_valid(buf_span(&text)));
        must(metadata_read(&about, &t, NULL, span(p, n < 100 ? n : 100), (Span){NULL, 0}, &err) == ERR_OK);
        must(utf8_valid(buf_span(&about.title)) && about.title.n <= METADATA_MAX_TITLE);
        must(utf8_valid(about.canonical) && utf8_valid(about.html_lang));
        (void)optout_of_header(span(p, n));
    }
    return 0;
}
