/* core/fetch.h - what s3:// and http(s):// have in common: one object, looked at or read from a byte on, whatever breaks on
 * the way. A body that breaks off is asked for again from where it broke, of the same object: its ETag, or without one Last-Modified and
 * length, must not change, and where a server tells none of these, nothing is pieced together. */
#ifndef TAMIS_CORE_FETCH_H
#define TAMIS_CORE_FETCH_H

#include "core/web.h"

/* What is known of an object before its bytes. */
typedef struct {
    bool exists;
    uint64_t size;
    char etag[128];  /* WebReply's; "" when the server gives none */
    char writer[64]; /* x-amz-meta-tamis-writer, see store_s3.c */
    char md5[33];    /* of the whole object where the ETag looks like it, else "" */
    bool md5_sure;   /* it is: Amazon's own store says so */
} FetchHead;

/* HEAD. An absent object is no error. ERR_SYS when the server does not tell the size. */
MUST_USE ErrCode fetch_head(const char *path, FetchHead *head, Err *err);

/* Gives take() the bytes [from, from + n) in order, each once; n 0: to the end. etag "" takes any, but one only (ERR_DATA when that cannot be told after it broke off). head may be NULL; else it
 * becomes what the answers said. */
MUST_USE ErrCode fetch_range(const char *path, const char *etag, uint64_t from, uint64_t n, WebTake take, void *ctx,
                             FetchHead *head, Err *err);

/* ERR_USAGE for a URL that holds a user's name or password, which would be seen in messages. */
MUST_USE ErrCode fetch_check(const char *path, Err *err);
/* Bytes of a path that may be shown: all before a query. */
int fetch_shown(const char *path);

#endif
