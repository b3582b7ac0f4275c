/* ingest/http.h - the HTTP response inside a WARC record (RFC 9112, read leniently) and its body's codings.
 *
 * What crawls store differs from what their headers say: Common Crawl stores decoded bodies and masks the headers, news
 * crawls kept the literal headers over decoded bodies, browsers' proxies store chunked bodies. So a declared coding is
 * undone only where the bytes look like it. */
#ifndef TAMIS_INGEST_HTTP_H
#define TAMIS_INGEST_HTTP_H

#include "core/gzip_in.h"

enum {
    HTTP_MAX_HEAD = 64 << 10,
    HTTP_MAX_LINES = 1024,
    HTTP_MAX_CODINGS = 3,    /* stacked; more is an attack */
    HTTP_MAX_BODY = 32 << 20 /* decoded bytes */
};

typedef struct {
    int status;                    /* 0: there is no status line, the block is a bare body */
    Span content_type;             /* "text/html; charset=gbk"; spans point into the block */
    Span coding[HTTP_MAX_CODINGS]; /* in the order they were applied, transfer codings last */
    int n_codings, n_transfer;
    bool too_many_codings;
    bool chunked;
    Span language;    /* Content-Language */
    unsigned opt_out; /* bits of OptOut (optout.h): X-Robots-Tag and tdm-reservation */
    bool has_length;
    uint64_t length; /* Content-Length */
    Span body;       /* as stored */
} HttpResponse;

/* A block without a status line is a bare body, but for lines of a log before one. False: starts like a status line but is
 * none, or the head does not end within HTTP_MAX_HEAD. */
bool http_parse(Span block, HttpResponse *out);

/* What was met on the way to a body, as bits; http_notes[] has their names for the statistics. */
typedef enum {
    HTTP_CHUNKED,
    HTTP_GZIP,
    HTTP_DEFLATE,
    HTTP_BR,
    HTTP_ZSTD,
    HTTP_NOT_CODED, /* a coding is declared, and the body is stored without it */
    HTTP_CUT,       /* a coded body ends early or breaks: what came before is there */
    HTTP_N_NOTES
} HttpNote;
extern const char *const http_notes[HTTP_N_NOTES];

/* The body without transfer and content codings. *out points into the block or into one of the two scratch buffers. More
 * than HTTP_MAX_BODY, or than 200 times the stored bytes, is too large. */
BodyStatus http_body(const HttpResponse *r, Buf scratch[2], Span *out, unsigned *notes);

/* Undoes the chunked coding (RFC 9112 section 7.1); a cut or wrong chunk ends it, keeping what came. False: the bytes do
 * not start with a chunk. Appends to out. */
bool http_unchunk(Span in, Buf *out, bool *cut);

/* Without leading blanks and line ends, which CC-MAIN-2018-34 has before every body. */
Span http_skip_blank(Span body);

/* "text/html; charset=x" -> media type without parameters and white space; the value of a parameter, unquoted. */
Span http_media_type(Span content_type);
Span http_parameter(Span content_type, const char *name);

/* What the first bytes say a body is: something other than text, for example "application/pdf"; NULL when it may be text. */
const char *http_sniff_binary(Span body);
/* Whether a body that nobody labelled looks like HTML. */
bool http_sniff_html(Span body);

#endif
