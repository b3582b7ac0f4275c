#include "core/store_s3.h"

#ifdef TAMIS_CURL

#include "core/fetch.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/s3_xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    OutFile file;
    S3Path at;
    Buf first, part; /* part 1; the one that gathers behind it */
    Buf etags;       /* of the parts from 2 on, a NUL behind each */
    unsigned n_sent; /* parts sent, from 2 on */
    Buf upload_id;   /* empty: nothing has been sent yet */
    char writer[HASH128_HEX];
} S3Out;

/* A number that no other object's writer has: host, process, time, and where in memory the file is. */
static void make_writer(char out[HASH128_HEX], const void *file)
{
    struct {
        char host[65];
        long pid;
        const void *file;
        struct timespec now;
    } seed;

    memset(&seed, 0, sizeof seed);
    if (gethostname(seed.host, sizeof seed.host - 1) != 0) seed.host[0] = 0;
    seed.pid = (long)getpid();
    seed.file = file;
    clock_gettime(CLOCK_REALTIME, &seed.now);
    hash128_hex(out, hash128(span(&seed, sizeof seed)));
}

static void out_free(S3Out *f)
{
    buf_clear(&f->first);
    buf_clear(&f->part);
    buf_clear(&f->etags);
    buf_clear(&f->upload_id);
    free(f->file.path);
    free(f);
}

ErrCode s3_out_open(OutFile **out, const char *path, Err *err)
{
    S3Out *f = calloc(1, sizeof *f);
    ErrCode rc;

    if (!f || !(f->file.path = strdup(path))) {
        free(f);
        return err_nomem(err, path);
    }
    f->file.backend = &store_s3;
    make_writer(f->writer, f);
    if ((rc = s3_path(&f->at, f->file.path, err)) == ERR_OK && !f->at.key[0])
        rc = err_set(err, ERR_USAGE, "cannot write %s: it names a bucket, not an object", path);
    if (rc != ERR_OK) {
        out_free(f);
        return rc;
    }
    *out = &f->file;
    return ERR_OK;
}

/* --- single requests */

/* PUT of a whole object. *status is the answer's: 200, or 412 when `if_none` and the name is taken. */
static ErrCode put_whole(const S3Path *at, Span bytes, const char *writer, bool if_none, long *status, Err *err)
{
    const SigPair header[] = {{"x-amz-meta-tamis-writer", writer}, {"if-none-match", "*"}};
    S3Request q = {.at = at, .web = {.method = "PUT", .body = bytes}, .header = header, .n_headers = if_none ? 2 : 1};
    WebReply r = {0};
    WebTries t = {0};
    ErrCode rc = s3_call(&q, &r, &t, err);

    *status = r.status;
    if (rc == ERR_OK && (r.outcome != WEB_FINE || (r.status != 200 && !(if_none && r.status == 412))))
        rc = s3_error(&q, &r, &t, "write", err);
    webreply_clear(&r);
    return rc;
}

static ErrCode begin_upload(S3Out *f, Err *err)
{
    const SigPair query[] = {{"uploads", ""}}, header[] = {{"x-amz-meta-tamis-writer", f->writer}};
    S3Request q = {
        .at = &f->at, .web = {.method = "POST"}, .query = query, .n_query = 1, .header = header, .n_headers = 1};
    WebReply r = {0};
    WebTries t = {0};
    ErrCode rc = s3_call(&q, &r, &t, err);

    if (rc == ERR_OK && (r.outcome != WEB_FINE || r.status != 200)) rc = s3_error(&q, &r, &t, "write", err);
    if (rc == ERR_OK &&
        (!s3xml_text(buf_span(&r.body), "UploadId", &f->upload_id) || f->upload_id.n == 0 ||
         f->upload_id.n > S3_MAX_KEY || memchr(f->upload_id.p, 0, f->upload_id.n) || !buf_cstr(&f->upload_id))) {
        buf_reset(&f->upload_id);
        rc = err_set(err, ERR_SYS, "cannot write %s: the store gives no upload id", f->file.path);
    }
    webreply_clear(&r);
    return rc;
}

/* Sends one part; its ETag and a NUL go behind `etags`. */
static ErrCode send_part(S3Out *f, unsigned number, Span bytes, Buf *etags, Err *err)
{
    char digits[16];
    const SigPair query[] = {{"partNumber", digits}, {"uploadId", (const char *)f->upload_id.p}};
    S3Request q = {.at = &f->at, .web = {.method = "PUT", .body = bytes}, .query = query, .n_query = 2};
    WebReply r = {0};
    WebTries t = {0};

    snprintf(digits, sizeof digits, "%u", number);
    ErrCode rc = s3_call(&q, &r, &t, err);
    if (rc == ERR_OK && (r.outcome != WEB_FINE || r.status != 200)) rc = s3_error(&q, &r, &t, "write", err);
    if (rc == ERR_OK && !r.etag[0])
        rc = err_set(err, ERR_SYS, "cannot write %s: the store gives part %u no ETag", f->file.path, number);
    if (rc == ERR_OK) {
        buf_put(etags, r.etag, strlen(r.etag) + 1);
        rc = buf_ok(etags, "an upload", err);
    }
    webreply_clear(&r);
    return rc;
}

static void put_part_line(Buf *body, unsigned number, const char *etag)
{
    buf_printf(body, "<Part><PartNumber>%u</PartNumber><ETag>", number);
    s3xml_put(body, span_str(etag));
    buf_puts(body, "</ETag></Part>");
}

/* Whether what is under the name is what this file wrote: the answer to a request that was carried out was lost. */
static ErrCode is_ours(const S3Path *at, const char *writer, bool *yes, Err *err)
{
    FetchHead head;
    ErrCode rc = fetch_head(at->path, &head, err);

    *yes = rc == ERR_OK && head.exists && strcmp(head.writer, writer) == 0;
    return rc;
}

/* The answer comes late, may be an error under status 200, and may be lost. */
static ErrCode complete(S3Out *f, Span body, Err *err)
{
    const SigPair query[] = {{"uploadId", (const char *)f->upload_id.p}};
    S3Request q = {.at = &f->at, .web = {.method = "POST", .body = body, .slow = true}, .query = query, .n_query = 1};
    WebReply r = {0};
    WebTries t = {0};
    bool done = false, ours = false;
    Span inside;
    ErrCode rc;

    do {
        if ((rc = s3_exchange(&q, &r, err)) != ERR_OK) break;
        Span answer = buf_span(&r.body), rest = answer;
        done = r.outcome == WEB_FINE && r.status == 200 && s3xml_next(&rest, "ETag", &inside);
        if (r.outcome == WEB_FINE && r.status == 200 && !done)
            r.status = 500; /* "InternalError", begun with 200 to gain time */
    } while (!done && web_again(&t, &r, f->file.path));
    if (rc == ERR_OK && !done && r.outcome == WEB_FINE && r.status == 404)
        rc = is_ours(&f->at, f->writer, &ours, err);
    if (rc == ERR_OK && !done && !ours) rc = s3_error(&q, &r, &t, "publish", err);
    webreply_clear(&r);
    return rc;
}

ErrCode s3_abort(const S3Path *at, const char *key, const char *upload_id, Err *err)
{
    const SigPair query[] = {{"uploadId", upload_id}};
    S3Request q = {.at = at, .key = key, .web = {.method = "DELETE"}, .query = query, .n_query = 1};
    WebReply r = {0};
    WebTries t = {0};
    ErrCode rc = s3_call(&q, &r, &t, err);

    if (rc == ERR_OK && (r.outcome != WEB_FINE || (r.status / 100 != 2 && r.status != 404)))
        rc = s3_error(&q, &r, &t, "abort the upload of", err);
    webreply_clear(&r);
    return rc;
}

/* --- the file */

static ErrCode send_gathered(S3Out *f, Err *err)
{
    ErrCode rc = ERR_OK;

    if (f->n_sent + 2 > S3_MAX_PARTS)
        return err_set(err, ERR_LIMIT, "cannot write %s: larger than %d parts of %d bytes", f->file.path,
                       S3_MAX_PARTS, S3_PART_BYTES);
    if (f->upload_id.n == 0) rc = begin_upload(f, err);
    if (rc == ERR_OK) rc = send_part(f, f->n_sent + 2, buf_span(&f->part), &f->etags, err);
    if (rc != ERR_OK) return rc;
    f->n_sent++;
    buf_reset(&f->part);
    return ERR_OK;
}

ErrCode s3_out_put(OutFile *file, const void *p, size_t n, Err *err)
{
    S3Out *f = (S3Out *)file;
    Span rest = span(p, n);

    while (rest.n) {
        Buf *to = f->first.n < S3_PART_BYTES ? &f->first : &f->part;
        size_t room = S3_PART_BYTES - to->n, take = rest.n < room ? rest.n : room;
        buf_put(to, rest.p, take);
        ErrCode rc = buf_ok(to, f->file.path, err);
        if (rc == ERR_OK && to == &f->part && to->n == S3_PART_BYTES) rc = send_gathered(f, err);
        if (rc != ERR_OK) return rc;
        rest = span_from(rest, take);
    }
    return ERR_OK;
}

ErrCode s3_out_patch(OutFile *file, uint64_t offset, const void *p, size_t n, Err *err)
{
    S3Out *f = (S3Out *)file;

    if (offset > f->first.n || n > f->first.n - offset)
        return err_set(err, ERR_LIMIT, "cannot patch %s at %llu: behind the first %d bytes", f->file.path,
                       (unsigned long long)offset, S3_PART_BYTES);
    memcpy(f->first.p + offset, p, n);
    return ERR_OK;
}

static ErrCode finish_upload(S3Out *f, Err *err)
{
    Buf first_etag = {0}, body = {0};
    const char *etag;
    ErrCode rc = ERR_OK;

    if (f->part.n) rc = send_gathered(f, err);
    if (rc == ERR_OK) rc = send_part(f, 1, buf_span(&f->first), &first_etag, err);
    if (rc != ERR_OK) goto out;
    buf_puts(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    put_part_line(&body, 1, (const char *)first_etag.p);
    etag = (const char *)f->etags.p;
    for (unsigned i = 0; i < f->n_sent; i++, etag += strlen(etag) + 1) put_part_line(&body, i + 2, etag);
    buf_puts(&body, "</CompleteMultipartUpload>");
    if ((rc = buf_ok(&body, "an upload", err)) == ERR_OK) rc = complete(f, buf_span(&body), err);
out:
    buf_clear(&first_etag);
    buf_clear(&body);
    return rc;
}

void s3_out_abandon(OutFile *file)
{
    S3Out *f = (S3Out *)file;

    if (f->upload_id.n && s3_abort(&f->at, NULL, (const char *)f->upload_id.p, NULL) != ERR_OK)
        log_debug("the upload of %s stays until it is swept", file->path);
    out_free(f);
}

ErrCode s3_out_commit(OutFile *file, Err *err)
{
    S3Out *f = (S3Out *)file;
    long status;
    ErrCode rc;

    if (f->upload_id.n == 0 && f->part.n == 0)
        rc = put_whole(&f->at, buf_span(&f->first), f->writer, false, &status, err);
    else
        rc = finish_upload(f, err);
    if (rc != ERR_OK)
        s3_out_abandon(file);
    else
        out_free(f);
    return rc;
}

ErrCode s3_create(const char *path, Span bytes, bool *created, Err *err)
{
    char writer[HASH128_HEX];
    S3Path at;
    long status;
    ErrCode rc = s3_path(&at, path, err);

    if (rc == ERR_OK && !at.key[0])
        rc = err_set(err, ERR_USAGE, "cannot write %s: it names a bucket, not an object", path);
    if (rc != ERR_OK) return rc;
    make_writer(writer, &at);
    if ((rc = put_whole(&at, bytes, writer, true, &status, err)) != ERR_OK) return rc;
    *created = status == 200;
    return status == 412 ? is_ours(&at, writer, created, err)
                         : ERR_OK; /* libcurl repeats by itself what a kept connection lost */
}

#endif
