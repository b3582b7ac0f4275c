/* ingest/siterules.h - rules of the user's for the main text of sites, from a file of text.
 *
 * A rule a line, three fields with blanks between; lines that are empty or begin with '#' are nothing:
 *
 *   HOST[/PATH] ACTION SELECTOR
 *
 *   HOST       a host, which stands for all hosts below it too (example.org for www.example.org, not for anexample.org), or * for all pages
 *   PATH       how the page's path and query begin, byte by byte, as url_key() writes both: /a is the beginning of /a/b and of /about
 *   ACTION     main: the text is what is in these elements and in those of `keep`, nothing else
 *              drop: these elements are not there
 *              keep: these are kept, whatever the model says of them
 *              title: the first of these is the title, by its `content` or else its text
 *              date: the first of these says the day of publication, by its `content`, `datetime` or text
 *   SELECTOR   selector.h
 *
 * All rules whose HOST and PATH fit a page's URL count, together. `drop` goes before all others. Of `main` those of the longest HOST count, of
 * one HOST those of the longest PATH, as long as something that they match has text; else the next longer, so that rules of * are what is
 * left. Where nothing that a `main` matches has text, the text is chosen as on any page. `title` and `date` are likewise of the longest
 * HOST and PATH that match something.
 *
 * Pages of hosts without rules cost a look at a table for each label of their host. */
#ifndef TAMIS_INGEST_SITERULES_H
#define TAMIS_INGEST_SITERULES_H

#include "core/hash.h"
#include "ingest/selector.h"

typedef enum { SITE_MAIN, SITE_DROP, SITE_KEEP, SITE_TITLE, SITE_DATE, SITE_N_ACTIONS } SiteAction;
extern const char *const site_actions[SITE_N_ACTIONS];

enum {
    SITERULES_MAX_BYTES = 64 << 20, /* of a file without its packing: half a million rules */
    SITERULES_MAX_LINE = 4 << 10
};

typedef struct SiteRules SiteRules; /* only read, by any number of threads, once it is there */
/* Reads a file (store.h; may be packed). ERR_DATA, with its line, for what is no rule, a file of none, and more compounds than SELECTOR_MAX_PARTS
 * that count for one page. */
MUST_USE ErrCode siterules_read(SiteRules **s, const char *path, Err *err);
/* The same of text; `name` is for messages. */
MUST_USE ErrCode siterules_parse(SiteRules **s, const char *name, Span text, Err *err);
void siterules_free(SiteRules *s);
Hash128 siterules_content(const SiteRules *s); /* of the rules in their order, without comments */

enum { SITERULES_NO_NODE = 0 }; /* the root is nobody's */

/* What rules say of a page. Of one thread; zero-initialise, reused. */
typedef struct {
    unsigned asked;   /* bits by SiteAction: rules count for the page's URL; 0: none does, and the rest is not set */
    unsigned matched; /* … and some matched elements; main: elements with text */
    uint8_t *mark;    /* per node: MARK_* (maintext.h) */
    uint32_t first[SITE_N_ACTIONS]; /* of title and date: an element, or SITERULES_NO_NODE */

    /* Private. */
    uint16_t first_rank[SITE_N_ACTIONS]; /* places are numbered from the longest on */
    uint16_t *rank;                      /* per node, of the place whose `main` matches it */
    struct SiteAsked *rule;              /* what each part of `match` is of */
    uint64_t drops[SELECTOR_MAX_PARTS / 64];
    size_t cap;
    SelectorMatch match;
    Buf key;
} SiteMarks;
void sitemarks_clear(SiteMarks *m);
/* Matches a page of the URL with the rules that count for it; a URL without a host has those of '*' alone. Errors: memory. */
MUST_USE ErrCode siterules_mark(const SiteRules *s, SiteMarks *m, Span url, const HtmlTree *t, Err *err);

#endif
