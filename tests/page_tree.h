/* tests/page_tree.h - for tests of ingest: a page's tree. */
#ifndef TAMIS_TESTS_PAGE_TREE_H
#define TAMIS_TESTS_PAGE_TREE_H

#include "ingest/html.h"
#include "tests/check.h"

/* Clear *t behind it. */
static inline void page_tree(const char *html, HtmlTree *t)
{
    HtmlParser *p;
    HtmlStatus status;
    Err err = {0};

    CHECK_OK(htmlparser_new(&p, HTML_PARSER_FAST, &err), &err);
    CHECK_OK(htmlparser_parse(p, span_str(html), t, &status, &err), &err);
    htmlparser_free(p);
}

#endif
