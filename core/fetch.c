#include "core/fetch.h"

#ifdef TAMIS_CURL

#include "core/s3.h"

#include <inttypes.h>
#include <stdio.h>

int fetch_shown(const char *path)
{
    size_t n = strncmp(path, "s3:", 3) == 0 ? strlen(path) : strcspn(path, "?#");

    return n < 300 ? (int)n : 300;
}

ErrCode fetch_check(const char *path, Err *err)
{
    const char *host = strstr(path, "://");

    host = host ? host + 3 : path;
    size_t n = strcspn(host, "/?#");
    if (strncmp(path, "s3:", 3) == 0) return ERR_OK;
    if (memchr(host, '@', n)) return err_set(err, ERR_USAGE, "a URL with a user's name or password in it is refused");
    if (n == 0) return err_set(err, ERR_USAGE, "%.*s: no host", fetch_shown(path), path);
    return ERR_OK;
}

/* One exchange with whatever answers for the path. */
static ErrCode send(const char *path, const WebRequest *web, WebReply *r, Err *err)
{
    S3Path at;
    ErrCode rc;

    if (strncmp(path, "s3:", 3) == 0) {
        if ((rc = s3_path(&at, path, err)) != ERR_OK) return rc;
        return s3_exchange(&(S3Request){.at = &at, .web = *web}, r, err);
    }
    WebRequest plain = *web;
    plain.url = path;
    plain.follow = true;
    return web_exchange(&plain, r, err);
}

static ErrCode fetch_error(const char *path, const WebReply *r, const WebTries *t, const char *verb, uint64_t from,
                           Err *err)
{
    char what[400], at[32] = "";
    S3Path s3;

    if (from) snprintf(at, sizeof at, " at %" PRIu64, from);
    if (strncmp(path, "s3:", 3) == 0 && s3_path(&s3, path, err) == ERR_OK && r->outcome == WEB_FINE)
        return s3_error(&(S3Request){.at = &s3}, r, t, verb, err);
    snprintf(what, sizeof what, "cannot %s %.*s%s", verb, fetch_shown(path), path, at);
    return web_error(r, t, r->status == 404 ? "no such object" : "", err, "%s", what);
}

/* Amazon's ETag of an object that came in one piece is its MD5, unless they keep it encrypted under another's key. Stores that speak the
 * same language mostly do the same; some give 32 digits that are something else. */
static void note_md5(const char *path, const WebReply *r, FetchHead *head)
{
    size_t n = strlen(r->etag);

    if (strncmp(path, "s3:", 3) != 0 && strcmp(r->server, "AmazonS3") != 0) return;
    if (strncmp(r->sse, "aws:", 4) == 0 || n != 34 || r->etag[0] != '"' || r->etag[33] != '"') return;
    for (size_t i = 1; i < 33; i++)
        if (ascii_hex((uint8_t)r->etag[i]) < 0) return;
    head->md5_sure = strcmp(r->server, "AmazonS3") == 0;
    for (size_t i = 0; i < 32; i++) head->md5[i] = (char)ascii_lower((uint8_t)r->etag[i + 1]);
}

static void note_head(const char *path, const WebReply *r, FetchHead *head)
{
    *head = (FetchHead){.exists = true, .size = r->length};
    snprintf(head->etag, sizeof head->etag, "%s", r->etag);
    snprintf(head->writer, sizeof head->writer, "%s", r->writer);
    note_md5(path, r, head);
}

ErrCode fetch_head(const char *path, FetchHead *head, Err *err)
{
    WebRequest q = {.method = "HEAD"};
    char what[320];
    WebReply r = {0};
    WebTries t = {0};
    ErrCode rc = fetch_check(path, err);

    *head = (FetchHead){0};
    if (rc != ERR_OK) return rc;
    snprintf(what, sizeof what, "%.*s", fetch_shown(path), path);
    do rc = send(path, &q, &r, err);
    while (rc == ERR_OK && web_again(&t, &r, what));
    if (rc != ERR_OK) goto out;
    if (r.outcome == WEB_FINE && r.status == 404) goto out;
    if (r.outcome != WEB_FINE || r.status != 200) {
        rc = fetch_error(path, &r, &t, "look at", 0, err);
    } else if (!r.has_length) {
        rc = err_set(err, ERR_SYS, "cannot look at %.*s: the server does not tell its size", fetch_shown(path), path);
    } else {
        note_head(path, &r, head);
    }
out:
    webreply_clear(&r);
    return rc;
}

ErrCode fetch_range(const char *path, const char *etag, uint64_t from, uint64_t n, WebTake take, void *ctx,
                    FetchHead *head, Err *err)
{
    WebRequest q = {.method = "GET", .from = from, .n = n, .take = take, .ctx = ctx};
    char what[320], known[128];
    WebReply r = {0};
    WebTries t = {0};
    bool again = true;
    ErrCode rc = fetch_check(path, err);

    snprintf(what, sizeof what, "%.*s", fetch_shown(path), path);
    snprintf(known, sizeof known, "%s", etag);
    q.etag = known;
    while (rc == ERR_OK && again) {
        if ((rc = send(path, &q, &r, err)) != ERR_OK) break;
        bool fine = r.status == 200 || r.status == 206;
        if (fine && !known[0]) snprintf(known, sizeof known, "%s", r.etag);
        if (fine && head) note_head(path, &r, head);
        q.from += r.taken_bytes * fine;
        if (n) q.n = n - (q.from - from);
        again = r.outcome != WEB_FINE || !fine;
        if (fine && (n ? q.n == 0 : r.length && q.from == r.length))
            again = false; /* it broke behind the last byte */
        if (again && q.from > from && !known[0] && r.outcome == WEB_NO_ANSWER)
            rc = err_set(err, ERR_DATA,
                         "%s broke off at %" PRIu64 ", and the server tells no version by which to go on", what,
                         q.from);
        else if (again && !web_again(&t, &r, what))
            rc = fetch_error(path, &r, &t, "read", q.from, err);
    }
    webreply_clear(&r);
    return rc;
}

#endif
