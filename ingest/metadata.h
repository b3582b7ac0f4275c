/* ingest/metadata.h - what a page says of itself, for the document's `meta`. One pass over the tree.
 *
 * title      og:title, else <title>, both without the site's name behind a separator when og:site_name, a whole label of the
 *            host or the page's only <h1> says that it is one; else the first <h1>
 * published  the day: datePublished of an article in JSON-LD (else of its WebPage), <meta> of a dozen names, <time> behind the
 *            <h1> and not in an <aside>, <nav> or <footer>, the URL, a date in a short line behind the <h1> that begins with it or
 *            says what it is. Not one behind the day after the capture; where that is not known, not one behind METADATA_LAST_DAY
 * canonical  <link rel="canonical">, else og:url; only absolute ones
 * html_lang  <html lang>, else content-language of a <meta> or of the response: a hint, often wrong
 * opt_out    optout.h */
#ifndef TAMIS_INGEST_METADATA_H
#define TAMIS_INGEST_METADATA_H

#include "ingest/html.h"
#include "ingest/http.h"
#include "ingest/optout.h"
#include "ingest/pagedate.h"

enum {
    METADATA_MAX_TITLE = 1000,
    METADATA_MAX_LANG = 35,     /* RFC 5646, section 4.4.1 */
    METADATA_MAX_URL = 2 << 10, /* longer ones are no address to compare pages by */
    METADATA_MAX_LINE = 200,    /* bytes of a line that may tell a page's date … */
    METADATA_LINES = 40         /* … among so many behind its heading */
};

typedef struct {
    Buf title; /* one line */
    PageDate published;
    Span canonical, html_lang; /* in the tree or the response; valid as long as they are. UTF-8 without controls */
    unsigned opt_out;          /* bits of OptOut */
    Buf scratch;
} Metadata; /* of one thread; zero-initialise, reused */
void metadata_clear(Metadata *m);

/* Pages without a day of capture (WET made by others, files) cannot be younger than what was read; a constant, since no clock decides
 * an output. Move it as years pass. */
#define METADATA_LAST_DAY "2027-12-31"

/* `http` may be NULL: a page without a response. `capture`: its day or time in RFC 3339, or empty. */
MUST_USE ErrCode metadata_read(Metadata *m, const HtmlTree *t, const HttpResponse *http, Span url, Span capture,
                               Err *err);

/* What site rules name instead (siterules.h): the title, or the day of publication, is what an element says in its `content` or
 * `datetime`, else in its text. False when it says none, and nothing is changed. Lack of memory shows in m->scratch. */
bool metadata_take_title(Metadata *m, const HtmlTree *t, uint32_t node);
bool metadata_take_date(Metadata *m, const HtmlTree *t, uint32_t node, Span capture);

#endif
