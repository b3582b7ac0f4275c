/* Deleting from an S3 store: one key with DELETE, many with DeleteObjects. */
#include "core/store_s3.h"

#ifdef TAMIS_CURL

#include "core/digest.h"
#include "core/log.h"
#include "core/s3_xml.h"
#include "core/utf8.h"

ErrCode s3_delete_key(const S3Path *at, const char *key, Err *err)
{
    S3Request q = {.at = at, .key = key, .web = {.method = "DELETE"}};
    WebReply r = {0};
    WebTries t = {0};
    ErrCode rc = s3_call(&q, &r, &t, err);

    if (rc == ERR_OK && (r.outcome != WEB_FINE || (r.status / 100 != 2 && r.status != 404)))
        rc = s3_error(&q, &r, &t, "delete", err);
    webreply_clear(&r);
    return rc;
}

/* Keys may be any bytes; XML 1.0 knows no control characters, and a line end comes out of it as another. */
static bool fits_xml(Span key)
{
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] < 32 || key.p[i] == 127) return false;
    return utf8_valid(key);
}

/* "<Delete>" with those of n keys that fit; how many. */
static size_t put_request(Buf *out, const char *const *key, size_t n)
{
    size_t asked = 0;

    buf_puts(out, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < n; i++) {
        if (!fits_xml(span_str(key[i]))) continue;
        buf_puts(out, "<Object><Key>");
        s3xml_put(out, span_str(key[i]));
        buf_puts(out, "</Key></Object>");
        asked++;
    }
    buf_puts(out, "</Delete>");
    return asked;
}

/* Which keys an answer says are gone. It mostly keeps the order of the question, so each is looked for behind the last one found. */
static void take_deleted(Span answer, const char *const *key, bool *gone, size_t n)
{
    size_t next = 0;
    Span element;
    Buf name = {0};

    while (s3xml_next(&answer, "Deleted", &element)) {
        buf_reset(&name);
        if (!s3xml_text(element, "Key", &name)) continue;
        for (size_t tries = 0; tries < n; tries++) { /* none: a key that nobody asked for */
            size_t i = (next + tries) % n;
            if (!span_is(buf_span(&name), key[i])) continue;
            gone[i] = true;
            next = i + 1;
            break;
        }
    }
    buf_clear(&name);
}

/* One DeleteObjects. *known: the store has answered it. */
static ErrCode delete_at_once(const S3Path *at, const char *const *key, bool *gone, size_t n, bool *known, Err *err)
{
    char md5[MD5_BASE64];
    const SigPair query[] = {{"delete", ""}}, header[] = {{"content-md5", md5}};
    Buf body = {0};
    WebReply r = {0};
    WebTries t = {0};
    ErrCode rc = ERR_OK;

    *known = true;
    if (put_request(&body, key, n) == 0) goto out;
    if ((rc = buf_ok(&body, at->path, err)) != ERR_OK) goto out;
    *known = md5_base64(buf_span(&body), md5, NULL) == ERR_OK; /* libcrypto may be forbidden MD5 */
    if (!*known) goto out;
    S3Request q = {.at = at,
                   .key = "",
                   .web = {.method = "POST", .body = buf_span(&body), .slow = true},
                   .query = query,
                   .n_query = 1,
                   .header = header,
                   .n_headers = 1};
    if ((rc = s3_call(&q, &r, &t, err)) != ERR_OK) goto out;
    *known = r.outcome == WEB_FINE && r.status == 200;
    if (*known)
        take_deleted(buf_span(&r.body), key, gone, n);
    else if (r.outcome != WEB_FINE || (r.status / 100 != 4 && r.status != 501) || r.status == 408 || r.status == 429)
        rc = s3_error(&q, &r, &t, "delete below", err);
    else
        log_debug("%s: the store does not delete many keys at once (HTTP %ld)", at->path, r.status);
out:
    buf_clear(&body);
    webreply_clear(&r);
    return rc;
}

ErrCode s3_delete_keys(const S3Path *at, const char *const *key, size_t n, bool *singly, Err *err)
{
    bool gone[S3_DELETE_MAX];
    ErrCode rc = ERR_OK;

    for (size_t begin = 0; begin < n && rc == ERR_OK; begin += S3_DELETE_MAX) {
        size_t m = n - begin < S3_DELETE_MAX ? n - begin : S3_DELETE_MAX;
        bool known = true;
        memset(gone, 0, sizeof gone);
        if (!*singly && m > 1) rc = delete_at_once(at, key + begin, gone, m, &known, err);
        *singly |= !known;
        for (size_t i = 0; i < m && rc == ERR_OK; i++)
            if (!gone[i]) rc = s3_delete_key(at, key[begin + i], err);
    }
    return rc;
}

#endif
