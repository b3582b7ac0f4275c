/* core/s3.h - one request to an object store that speaks Amazon's S3 (API version 2006-03-01), signed and, where that may
 * help, repeated.
 *
 * Where the store is and who asks comes from the environment that Amazon's own tools read:
 *   AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL    http(s)://HOST[:PORT] of another store; buckets are then the first part of the path.
 *                                            Else BUCKET.s3.REGION.amazonaws.com
 *   AWS_REGION, AWS_DEFAULT_REGION           [us-east-1]
 *   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; without the first two, requests are anonymous;
 *                                            with one of them, refused
 * Keys, tokens and signatures are in no message. */
#ifndef TAMIS_CORE_S3_H
#define TAMIS_CORE_S3_H

#include "core/sigv4.h"
#include "core/web.h"

enum { S3_BUCKET = 64, S3_MAX_KEY = 1024, S3_MAX_QUERY = 8, S3_MAX_HEADERS = 4, S3_MAX_ANSWER = 16 << 20 };

/* A path taken apart: "s3://crawl/a/../b/" is bucket "crawl", key "b". */
typedef struct {
    const char *path; /* as given, for messages; borrowed */
    char bucket[S3_BUCKET];
    char key[S3_MAX_KEY + 1]; /* without '/' at either end; "" is the bucket */
} S3Path;
MUST_USE ErrCode s3_path(S3Path *p, const char *path, Err *err);

typedef struct {
    const S3Path *at;
    const char *key;      /* NULL: at->key; "" asks the bucket */
    WebRequest web;       /* method, body, range …; url and header are filled in here */
    const SigPair *query; /* at most S3_MAX_QUERY, any order */
    size_t n_query;
    const SigPair *header; /* besides those of every request, at most S3_MAX_HEADERS, in lower case */
    size_t n_headers;
} S3Request;

/* Appends the URL of key `key` (NULL: that of the path) of its bucket, by the environment, without a query. */
MUST_USE ErrCode s3_url(const S3Path *at, const char *key, Buf *out, Err *err);
/* One exchange. */
MUST_USE ErrCode s3_exchange(const S3Request *q, WebReply *r, Err *err);
/* As often as web_again() says; the reply is the last one. */
MUST_USE ErrCode s3_call(const S3Request *q, WebReply *r, WebTries *t, Err *err);
/* web_error() with the store's own error code. */
ErrCode s3_error(const S3Request *q, const WebReply *r, const WebTries *t, const char *verb, Err *err);

#endif
