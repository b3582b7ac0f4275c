/* core/web.h - one HTTP exchange, and the manners of all of them. The one room that knows libcurl.
 *
 * What a process promises the servers it talks to holds for all its threads together, so it is kept here, for the process:
 *   - at most web_set_connections() connections; a request waits for a free one
 *   - at most one retry a second; a request waits longer the oftener it has failed
 *   - after an answer with Retry-After (429, 503) no new request for so long
 *   - a user agent that says who asks; $TAMIS_CONTACT, an address or URL, is added
 *   - TLS certificates are verified ($AWS_CA_BUNDLE names other authorities); a redirect leads to http or https, never back
 *     from https to http, and at most WEB_MAX_REDIRECTS times
 * A transfer slower than WEB_SLOW_BYTES a second for $TAMIS_HTTP_STALL seconds (60) has failed. A request is tried again
 * $TAMIS_HTTP_RETRIES times (8: about three minutes) without a byte of progress. SIGTERM ends waits and downloads. */
#ifndef TAMIS_CORE_WEB_H
#define TAMIS_CORE_WEB_H

#include "core/buf.h"

#include <stdatomic.h>

enum {
    WEB_CONNECTIONS = 8, /* unless set: what a public archive does not mind from one user */
    WEB_MAX_CONNECTIONS = 256,
    WEB_MAX_REDIRECTS = 5,
    WEB_SLOW_BYTES = 1024,
    WEB_MAX_RETRY_AFTER = 3600, /* seconds; a server that asks for more is out of order */
    WEB_MAX_ERROR_BODY = 64 << 10
};

/* Connections of this process, 1 .. WEB_MAX_CONNECTIONS. */
void web_set_connections(unsigned n);
/* From here on, *flag ends waits and downloads of this thread as a signal does. */
void web_cancel_by(const atomic_bool *flag);

typedef enum {
    WEB_FINE,      /* there is an answer; look at the status */
    WEB_NO_ANSWER, /* could not connect, or the connection broke, or stalled: may pass */
    WEB_CHANGED,   /* the object is not the one that was asked for */
    WEB_REFUSED,   /* will not pass: certificate, redirects, a range that is not what was asked */
    WEB_STOPPED,   /* a signal */
    WEB_FAILED     /* our own taker failed; see `taken` */
} WebOutcome;

/* Takes the next piece of a body that has status 200 or 206. */
typedef ErrCode (*WebTake)(void *ctx, Span bytes, Err *err);

typedef struct {
    const char *method;        /* GET HEAD PUT POST DELETE */
    const char *url;           /* as it travels */
    const char *const *header; /* "Name: value", NULL behind the last; NULL: none */
    Span body;                 /* of PUT and POST */
    uint64_t from;             /* of GET: bytes from here on … */
    uint64_t n;                /* … so many, or 0: to the end */
    const char *etag;          /* that the answer must have, see WebReply; NULL or "": any */
    bool follow;               /* redirects */
    bool slow;                 /* the server may think for ten times as long */
    WebTake take;              /* else the body goes to the answer, at most max_body bytes */
    void *ctx;
    size_t max_body;
} WebRequest;

typedef struct {
    WebOutcome outcome;
    long status;
    bool has_length;
    uint64_t length;      /* of the whole object, be the answer a range or not */
    uint64_t taken_bytes; /* given to take() or put into body */
    double retry_after;   /* seconds; 0: not said */
    char etag[128]; /* with its quotes; of GET and HEAD without one, Last-Modified and length; "": none of these */
    char server[64], date[64], sse[32],
        writer[64]; /* Server, Date, x-amz-server-side-encryption, x-amz-meta-tamis-writer */
    Buf body;       /* without take, or of an answer that is an error */
    char why[256];  /* for WEB_NO_ANSWER and WEB_REFUSED */
    ErrCode taken;  /* what take() returned */
} WebReply;
void webreply_clear(WebReply *r);

/* One exchange. Whatever befalls it is in the reply; an error is ours: no memory. `err` is take()'s too. */
MUST_USE ErrCode web_exchange(const WebRequest *q, WebReply *r, Err *err);

/* How often one request has failed since its last progress. */
typedef struct {
    unsigned failures;
} WebTries;
/* Whether to try again, after the wait that takes: no answer or one that may pass (408, 409, 429, 500, 502, 503, 504), not too often. `what`
 * names the request when the wait is talked about. */
bool web_again(WebTries *t, WebReply *r, const char *what);

/* "WHAT: HTTP 503 (SlowDown), tried 9 times (see TAMIS_HTTP_RETRIES)" as ERR_SYS (ERR_DATA for WEB_CHANGED, ERR_INTR for WEB_STOPPED, take()'s own). `detail`
 * may be "". */
ErrCode web_error(const WebReply *r, const WebTries *t, const char *detail, Err *err, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* Seconds since 1970 of an HTTP date (RFC 9110 section 5.6.7); -1 when it is none. */
int64_t web_date(const char *date);

#endif
