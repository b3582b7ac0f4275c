/* ingest/html_parser.h - the two parsers behind html.h. Private to them. Both get an empty tree. */
#ifndef TAMIS_INGEST_HTML_PARSER_H
#define TAMIS_INGEST_HTML_PARSER_H

#include "ingest/html.h"

typedef struct HtmlFast HtmlFast; /* html_tree.c */
HtmlFast *htmlfast_new(void);     /* NULL: no memory */
void htmlfast_free(HtmlFast *f);
bool htmlfast_parse(HtmlFast *f, Span utf8, HtmlTree *t); /* false: no memory */

uint64_t htmlfast_work(const HtmlFast *f);

typedef struct HtmlSax HtmlSax; /* html_libxml2.c */
HtmlSax *htmlsax_new(void);
void htmlsax_free(HtmlSax *p);
bool htmlsax_parse(HtmlSax *p, Span utf8, HtmlTree *t, HtmlStatus *status);

/* Keeps JSON-LD aside. */
void htmltree_keep_json_ld(HtmlTree *t, Span content);

#endif
