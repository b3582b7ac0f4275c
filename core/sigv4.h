/* core/sigv4.h - AWS Signature Version 4 of one request ("Signature Version 4 signing process", AWS General Reference):
 * HMAC-SHA-256 under a key derived from the secret, the day, the region and the service, over the canonical request.
 *
 * libcurl has a signer of its own; in 7.88, which Debian 12 has, it neither sorts the query nor encodes its parts, leaves out
 * x-amz-content-sha256 of other services' requests and signs no headers of ours. So path and query are made canonical here, once, and
 * travel as they are signed. */
#ifndef TAMIS_CORE_SIGV4_H
#define TAMIS_CORE_SIGV4_H

#include "core/buf.h"

typedef struct {
    const char *name, *value;
} SigPair;

typedef struct {
    const char *key_id, *secret; /* the secret is in no message and no output */
    const char *region, *service;
} SigCredentials;

typedef struct {
    const char *method;
    const char *path;      /* as it travels: sigv4_encode() */
    const char *query;     /* as it travels: sigv4_query(); "" for none */
    const SigPair *header; /* all signed, "host" and "x-amz-date" among them; names in lower case, none twice */
    size_t n_headers;
    const char *payload_sha256; /* 64 digits */
    const char *time;           /* 20150830T123600Z */
} SigRequest;

enum { SIGV4_MAX_HEADERS = 12 };

/* Appends what the Authorization header says. */
MUST_USE ErrCode sigv4_authorize(const SigRequest *q, const SigCredentials *c, Buf *out, Err *err);

/* Percent-encodes all but the unreserved characters of RFC 3986, and '/' on demand. */
void sigv4_encode(Buf *out, Span s, bool keep_slash);
/* Appends "a=1&b=": names and values encoded, sorted by the bytes of the encoded names, then values. Sorts `pair` too. */
void sigv4_query(Buf *out, SigPair *pair, size_t n);

#endif
