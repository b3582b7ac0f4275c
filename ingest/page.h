/* ingest/page.h - one record or line -> one document or a reason. What one thread needs for it is a PageWorker. */
#ifndef TAMIS_INGEST_PAGE_H
#define TAMIS_INGEST_PAGE_H

#include "ingest/charset.h"
#include "ingest/http.h"
#include "ingest/ingest.h"
#include "ingest/lang.h"
#include "ingest/maintext.h"
#include "ingest/metadata.h"
#include "ingest/mojibake.h"
#include "ingest/pagetype.h"
#include "ingest/siterules.h"
#include "ingest/warc.h"

enum {
    PAGE_MAX_URL = 8 << 10,   /* a longer one is a trap for crawlers; the document keeps its id */
    PAGE_MAX_BAD_PERCENT = 1, /* U+FFFD among the characters of the text */
    PAGE_MAX_ID = 4 << 10,
    PAGE_MAX_MIME = 99 /* a longer one is none */
};

typedef struct {
    const IngestParams *params; /* borrowed */
    Charset *charset;
    Mojibake *mojibake;
    HtmlParser *html;
    HtmlTree tree;
    MainText main;
    SiteMarks marks;
    Metadata about;
    LangDetector *lang;
    DocScratch doc;
    Buf body[2], utf8, text, url, date, meta, id, line, own_id, edits;
} PageWorker;
MUST_USE ErrCode pageworker_new(const IngestParams *params, PageWorker **w, Err *err);
void pageworker_free(PageWorker *w);

typedef struct {
    IngestReason reason; /* INGEST_N_REASONS: doc is filled but for id, dump and source */
    Doc doc;             /* valid until the next call with the worker */
    Lang lang;
    char lang_code[sizeof((LangAnswer *)0)->code]; /* of a language that is not ours, if it was detected */
    /* For the statistics; empty where it was not come to. They point into the record. */
    Span mime;
    Span url, date; /* as the record has them */
    Span truncated; /* how the page was cut, in the words of WARC-Truncated or "coding", "silent" */
    const char *charset;
    int status;
    unsigned coding;  /* bits of HttpNote */
    unsigned opt_out; /* bits of OptOut, of a page that is dropped for them */
    MojibakeResult mojibake;
    const char *type;      /* of the page (pagetype.h); NULL where it was not asked for */
    unsigned site_rules;   /* bits by SiteAction of what rules did; SITE_N_ACTIONS: no `main` found text */
    size_t n_lost;         /* characters of the text that stand for lost ones */
    BlocklistKind blocked; /* of INGEST_BLOCKED */
} PageResult;

/* Whether a URL is on a list of --block; then out->reason says so. */
bool page_is_blocked(PageWorker *w, Span url, PageResult *out);

/* A WARC record: its header bytes and block. Errors: memory. */
MUST_USE ErrCode page_from_record(PageWorker *w, Span head, Span block, PageResult *out, Err *err);

/* A page by itself, of which nothing is known but its bytes. */
MUST_USE ErrCode page_from_file(PageWorker *w, Span bytes, PageResult *out, Err *err);

/* What is known of a record that came to no text, for --rejected: url, date and meta {status, mime, charset, blocked, opt_out, truncated}.
 * All lines are JSON in UTF-8, which is left out. It lives in the worker. */
MUST_USE ErrCode page_known(PageWorker *w, const PageResult *p, bool is_line, Doc *doc, Err *err);

/* A line of JSON made elsewhere: needs a string "text"; members that are ours keep their meaning where they have the right
 * type and are left out where not, others are kept as they are. doc.id is the line's own id, empty when it has none; a
 * known language is believed, `lang` absent or unknown is detected. */
MUST_USE ErrCode page_from_line(PageWorker *w, Span line, PageResult *out, Err *err);
/* Puts "id": own into the meta object of a document (replacing one that is there); *meta points into the worker. */
MUST_USE ErrCode page_meta_with_id(PageWorker *w, Span own, Span *meta, Err *err);

#endif
