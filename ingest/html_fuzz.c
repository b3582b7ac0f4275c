#include "core/utf8.h"
#include "ingest/maintext.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* Any page has a tree whose subtrees nest, and a main text in well-formed UTF-8. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static HtmlParser *parser;
    static HtmlTree t;
    static MainText m;
    static Buf page, text;
    HtmlStatus status;
    Err err;

    if (!parser) must(htmlparser_new(&parser, HTML_PARSER_FAST, &err) == ERR_OK);
    buf_reset(&page);
    buf_reset(&text);
    utf8_repair(&page, span(p, n)); /* the parser takes UTF-8 alone */
    must(htmlparser_parse(parser, buf_span(&page), &t, &status, &err) == ERR_OK);
    if (status != HTML_FINE) return 0;
    for (uint32_t i = 0; i < t.n_nodes; i++) {
        must(t.node[i].end > i && t.node[i].end <= t.node[t.node[i].parent].end);
        must((size_t)t.node[i].text + t.node[i].text_bytes <= t.text.n);
    }
    must(maintext_extract(&m, &t, &text, &err) == ERR_OK);
    must(maintext_title(&t, &text, &err) == ERR_OK);
    must(utf8_valid(buf_span(&text)));
    return 0;
}
