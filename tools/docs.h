/* tools/docs.h - what the subcommands of `tamis docs` share. Private to tools. */
#ifndef TAMIS_TOOLS_DOCS_H
#define TAMIS_TOOLS_DOCS_H

#include "core/dataset.h"

typedef enum { DOCS_AUTO, DOCS_JSON, DOCS_TEXT, DOCS_PRETTY } DocsFormat;

typedef struct {
    DocsFormat format;   /* DOCS_AUTO: pretty on a terminal, else a JSON line */
    uint64_t text_bytes; /* pretty shows no more of the text than this; 0: all */
    bool signals;        /* pretty shows them one by one, behind the text; else only how many there are */
} DocsStyle;
/* One document to stdout. Text from the crawl is shown with control characters replaced, so that it cannot drive a terminal. */
MUST_USE ErrCode docs_print(const Doc *doc, const DocsStyle *style, Err *err);

/* Bytes of others to stdout, safe for a terminal: controls but newline and tab (C0, DEL, C1), and what is no UTF-8,
 * become a middle dot. `one_line`: newlines and tabs become spaces. */
void docs_put_shown(Span s, bool one_line);

/* Documents as records of a WET archive to stdout, a gzip member each, a warcinfo record ahead of the first. */
typedef struct DocsWet DocsWet;
MUST_USE ErrCode docswet_new(DocsWet **w, Err *err); /* to be freed also after a failure */
void docswet_free(DocsWet *w);
MUST_USE ErrCode docswet_write(DocsWet *w, const Doc *d, Err *err);

/* A compiled pattern (PCRE2, UTF, JIT where there is one), with match and heap limits. */
typedef struct DocsPattern DocsPattern;
MUST_USE ErrCode docspattern_new(DocsPattern **p, const char *pattern, bool ignore_case, Err *err);
void docspattern_free(DocsPattern *p);
/* The next match at or after *from: [*begin, *end). *hit false: none. ERR_LIMIT when the pattern needs more than the limits. */
MUST_USE ErrCode docspattern_find(DocsPattern *p, Span text, size_t from, size_t *begin, size_t *end, bool *hit,
                                  Err *err);

#endif
