#include "core/s3.h"

#ifdef TAMIS_CURL

#include "core/digest.h"
#include "core/s3_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* --- paths */

/* Appends the next part of a key, which "." and ".." are not. */
static bool add_part(char *key, size_t *n, Span part)
{
    if (part.n == 0 || span_is(part, ".")) return true;
    if (span_is(part, "..")) {
        while (*n && key[*n - 1] != '/') --*n;
        if (*n) --*n;
        return true;
    }
    if (part.n + (*n > 0) > S3_MAX_KEY - *n) return false;
    if (*n) key[(*n)++] = '/';
    memcpy(key + *n, part.p, part.n);
    *n += part.n;
    return true;
}

static bool is_bucket(Span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_') return false;
    return s.n > 0 && s.n < S3_BUCKET && s.p[0] != '.' && s.p[0] != '-';
}

ErrCode s3_path(S3Path *p, const char *path, Err *err)
{
    Span rest = span_from(span_str(path), strlen("s3://")), bucket = span(rest.p, span_find(rest, '/'));
    size_t n = 0;

    p->path = path;
    if (!is_bucket(bucket)) return err_set(err, ERR_USAGE, "%s: s3:// is followed by a bucket's name", path);
    memcpy(p->bucket, bucket.p, bucket.n);
    p->bucket[bucket.n] = 0;
    for (rest = span_from(rest, bucket.n + 1); rest.n;) {
        Span part = span(rest.p, span_find(rest, '/'));
        if (!add_part(p->key, &n, part))
            return err_set(err, ERR_LIMIT, "%s: a key has at most %d bytes", path, S3_MAX_KEY);
        rest = span_from(rest, part.n + 1);
    }
    p->key[n] = 0;
    return ERR_OK;
}

/* --- where to and who */

typedef struct {
    char host[300];
    const char *scheme; /* "https://" */
    bool bucket_in_path;
    SigCredentials who; /* key_id NULL: nobody */
    const char *token;
} S3Site;

static const char *env(const char *a, const char *b)
{
    const char *v = getenv(a);

    if (v && *v) return v;
    v = b ? getenv(b) : NULL;
    return v && *v ? v : NULL;
}

static ErrCode custom_endpoint(S3Site *s, const char *url, Err *err)
{
    static const char *const schemes[] = {"https://", "http://"};

    for (int i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (strncmp(url, schemes[i], n) != 0) continue;
        Span host = span_str(url + n);
        while (host.n && host.p[host.n - 1] == '/') host.n--;
        if (host.n == 0 || host.n >= sizeof s->host || span_find(host, '/') < host.n ||
            span_find(host, '@') < host.n || span_find(host, '?') < host.n)
            break;
        s->scheme = schemes[i];
        s->bucket_in_path = true;
        memcpy(s->host, host.p, host.n);
        s->host[host.n] = 0;
        return ERR_OK;
    }
    return err_set(err, ERR_USAGE, "AWS_ENDPOINT_URL must be http://HOST[:PORT] or https://HOST[:PORT]");
}

static ErrCode find_site(S3Site *s, const char *bucket, Err *err)
{
    static const char key_id[] = "AWS_ACCESS_KEY_ID", secret[] = "AWS_SECRET_ACCESS_KEY";
    const char *endpoint = env("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
               *region = env("AWS_REGION", "AWS_DEFAULT_REGION");

    *s = (S3Site){.scheme = "https://", .token = env("AWS_SESSION_TOKEN", NULL)};
    s->who = (SigCredentials){env(key_id, NULL), env(secret, NULL), region ? region : "us-east-1", "s3"};
    if (!s->who.key_id != !s->who.secret)
        return err_set(err, ERR_USAGE, "half a key: %s is set without %s", s->who.key_id ? key_id : secret,
                       s->who.key_id ? secret : key_id);
    if (endpoint) return custom_endpoint(s, endpoint, err);
    s->bucket_in_path = strchr(bucket, '.') != NULL; /* a certificate's wildcard stands for one label */
    if (snprintf(s->host, sizeof s->host, "%s%ss3.%s.amazonaws.com", s->bucket_in_path ? "" : bucket,
                 s->bucket_in_path ? "" : ".", s->who.region) >= (int)sizeof s->host)
        return err_set(err, ERR_USAGE, "AWS_REGION is no region's name");
    return ERR_OK;
}

/* --- one request */

/* What a request is made of until it has been sent. */
typedef struct {
    S3Site site;
    Buf path, query, url, lines; /* lines: "name: value" and NUL each */
    SigPair header[SIGV4_MAX_HEADERS];
    size_t n;
    const char *line[SIGV4_MAX_HEADERS + 2];
    char sha[SHA256_HEX], time[17];
} Draft;

static void draft_clear(Draft *d)
{
    buf_clear(&d->path);
    buf_clear(&d->query);
    buf_clear(&d->url);
    buf_clear(&d->lines);
}

static void put_path(Buf *out, const S3Site *site, const S3Path *at, const char *key)
{
    buf_putc(out, '/');
    if (site->bucket_in_path) {
        buf_puts(out, at->bucket);
        buf_putc(out, '/');
    }
    sigv4_encode(out, span_str(key ? key : at->key), true);
}

ErrCode s3_url(const S3Path *at, const char *key, Buf *out, Err *err)
{
    S3Site site;
    ErrCode rc = find_site(&site, at->bucket, err);

    if (rc != ERR_OK) return rc;
    buf_printf(out, "%s%s", site.scheme, site.host);
    put_path(out, &site, at, key);
    return buf_ok(out, "a URL", err);
}

static void put_query(Draft *d, const S3Request *q)
{
    SigPair query[S3_MAX_QUERY];
    if (q->n_query) memcpy(query, q->query, q->n_query * sizeof *query);
    sigv4_query(&d->query, query, q->n_query);
}

static ErrCode fill_headers(Draft *d, const S3Request *q, Err *err)
{
    uint8_t digest[SHA256_BYTES];
    time_t now = time(NULL);
    struct tm tm;
    ErrCode rc = sha256(q->web.body, digest, err);

    if (rc != ERR_OK) return rc;
    digest_hex(d->sha, digest, sizeof digest);
    if (!gmtime_r(&now, &tm) || strftime(d->time, sizeof d->time, "%Y%m%dT%H%M%SZ", &tm) != 16)
        return err_set(err, ERR_SYS, "the clock gives no date");
    for (size_t i = 0; i < q->n_headers; i++) d->header[d->n++] = q->header[i];
    if (!d->site.who.key_id) return ERR_OK;
    d->header[d->n++] = (SigPair){"host", d->site.host};
    d->header[d->n++] = (SigPair){"x-amz-content-sha256", d->sha};
    d->header[d->n++] = (SigPair){"x-amz-date", d->time};
    if (d->site.token) d->header[d->n++] = (SigPair){"x-amz-security-token", d->site.token};
    return ERR_OK;
}

/* Headers as lines, once d->lines no longer moves. */
static ErrCode put_lines(Draft *d, const char *authorization, Err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++) {
        buf_printf(&d->lines, "%s: %s", d->header[i].name, d->header[i].value);
        buf_putc(&d->lines, 0);
    }
    if (authorization) {
        buf_printf(&d->lines, "Authorization: %s", authorization);
        buf_putc(&d->lines, 0);
    }
    ErrCode rc = buf_ok(&d->lines, "an S3 request", err);
    if (rc != ERR_OK) return rc;
    for (size_t at = 0; at < d->lines.n; at += strlen((const char *)d->lines.p + at) + 1)
        d->line[n++] = (const char *)d->lines.p + at;
    d->line[n] = NULL;
    return ERR_OK;
}

static ErrCode draft(Draft *d, const S3Request *q, Err *err)
{
    Buf authorization = {0};
    ErrCode rc = find_site(&d->site, q->at->bucket, err);

    if (rc != ERR_OK) return rc;
    put_path(&d->path, &d->site, q->at, q->key);
    put_query(d, q);
    const char *path = buf_cstr(&d->path), *query = buf_cstr(&d->query);
    if (!path || !query) return err_nomem(err, "an S3 request");
    buf_printf(&d->url, "%s%s%s%s%s", d->site.scheme, d->site.host, path, *query ? "?" : "", query);
    if (!buf_cstr(&d->url)) return err_nomem(err, "an S3 request");
    if ((rc = fill_headers(d, q, err)) != ERR_OK) return rc;
    if (d->site.who.key_id) {
        SigRequest sig = {q->web.method, path, query, d->header, d->n, d->sha, d->time};
        rc = sigv4_authorize(&sig, &d->site.who, &authorization, err);
    }
    if (rc == ERR_OK) rc = put_lines(d, authorization.n ? buf_cstr(&authorization) : NULL, err);
    buf_clear(&authorization);
    return rc;
}

ErrCode s3_exchange(const S3Request *q, WebReply *r, Err *err)
{
    Draft d = {.n = 0};
    WebRequest web = q->web;
    ErrCode rc = draft(&d, q, err);

    if (rc == ERR_OK) {
        web.url = (const char *)d.url.p;
        web.header = d.line;
        web.follow = false; /* a signature is for one host */
        if (!web.take && !web.max_body) web.max_body = S3_MAX_ANSWER;
        rc = web_exchange(&web, r, err);
    }
    draft_clear(&d);
    return rc;
}

ErrCode s3_call(const S3Request *q, WebReply *r, WebTries *t, Err *err)
{
    ErrCode rc;

    do rc = s3_exchange(q, r, err);
    while (rc == ERR_OK && web_again(t, r, q->at->path));
    return rc;
}

ErrCode s3_error(const S3Request *q, const WebReply *r, const WebTries *t, const char *verb, Err *err)
{
    const char *detail = "";
    Buf code = {0};

    if (s3xml_text(buf_span(&r->body), "Code", &code) && code.n < 64) detail = buf_cstr(&code);
    if (detail) /* it is printed: letters only, whatever the store answers */
        for (size_t i = 0; i < code.n; i++)
            if (!ascii_is_alnum(code.p[i]) && code.p[i] != '.') detail = "";
    if ((!detail || !*detail) && r->status == 404) detail = "no such object";
    if (r->status == 301 || r->status == 307) detail = "the bucket is in another region: set AWS_REGION";
    ErrCode rc = web_error(r, t, detail ? detail : "", err, "cannot %s %.300s", verb, q->at->path);
    buf_clear(&code);
    return rc;
}

#endif
