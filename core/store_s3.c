/* The names half of the S3 back end: objects there or not, listing, deleting, sweeping. Directories are what keys have before a '/'. */
#include "core/store_s3.h"

#ifdef TAMIS_CURL

#include "core/fetch.h"
#include "core/log.h"
#include "core/s3_xml.h"
#include "core/store_remote.h"
#include "core/store_tmp.h"

#include <stdio.h>
#include <stdlib.h>

/* --- listings */

/* One page of keys that begin with a prefix. */
typedef struct {
    Buf text;   /* the answer; spans below are inside */
    Buf marker; /* of the next page; empty behind the last */
} Page;

static void page_clear(Page *p)
{
    buf_clear(&p->text);
    buf_clear(&p->marker);
}

static void swap_bufs(Buf *a, Buf *b)
{
    Buf was = *a;

    *a = *b;
    *b = was;
}

/* What keys below a directory begin with: "docs/"; "" for the bucket. */
static void dir_prefix(char out[S3_MAX_KEY + 2], const S3Path *at)
{
    snprintf(out, S3_MAX_KEY + 2, "%s%s", at->key, at->key[0] ? "/" : "");
}

/* The first page (empty marker) or the one behind it. */
static ErrCode next_page(const S3Path *at, const char *prefix, bool flat, const char *max_keys, Page *p, Err *err)
{
    SigPair query[S3_MAX_QUERY] = {
        {"list-type", "2"}, {"prefix", prefix}, {"max-keys", max_keys}, {"encoding-type", "url"}};
    size_t n = 4;
    WebReply r = {0};
    WebTries t = {0};
    Buf before = {0};
    Span in;

    if (!flat) query[n++] = (SigPair){"delimiter", "/"};
    if (p->marker.n) query[n++] = (SigPair){"continuation-token", (const char *)p->marker.p};
    S3Request q = {.at = at, .key = "", .web = {.method = "GET"}, .query = query, .n_query = n};
    ErrCode rc = s3_call(&q, &r, &t, err);
    if (rc == ERR_OK && (r.outcome != WEB_FINE || r.status != 200)) rc = s3_error(&q, &r, &t, "list", err);
    if (rc == ERR_OK) {
        Span rest = buf_span(&r.body);
        swap_bufs(&p->marker, &before);
        bool truncated = s3xml_next(&rest, "IsTruncated", &in) && span_is(span_trim(in), "true");
        if (truncated && (!s3xml_text(buf_span(&r.body), "NextContinuationToken", &p->marker) || !p->marker.n ||
                          !buf_cstr(&p->marker) || span_eq(buf_span(&p->marker), buf_span(&before))))
            rc = err_set(err, ERR_SYS, "cannot list %s: a page without a new token for the next", at->path);
        swap_bufs(&p->text, &r.body);
    }
    buf_clear(&before);
    webreply_clear(&r);
    return rc;
}

/* The key of an element of a page, without the prefix; empty for the prefix itself. */
static ErrCode key_of(Span element, const char *tag, const char *prefix, const S3Path *at, Buf *out, Err *err)
{
    buf_reset(out);
    if (!s3xml_text(element, tag, out) || !s3xml_unquote(out) || !buf_cstr(out) ||
        !span_starts(buf_span(out), span_str(prefix)))
        return out->oom
                   ? err_nomem(err, at->path)
                   : err_set(err, ERR_SYS, "cannot list %s: the store names a key that was not asked for", at->path);
    size_t n = strlen(prefix);
    memmove(out->p, out->p + n, out->n - n + 1);
    out->n -= n;
    return ERR_OK;
}

/* A name and its size, while they gather. */
typedef struct {
    char *name;
    uint64_t size;
} Entry;

/* One name more. A key is any text, "docs/../b" or "docs//b" too: what would lead elsewhere as a path is no name here. */
static ErrCode add_entry(StoreList *out, Buf *entries, Span name, uint64_t size, const S3Path *at, Err *err)
{
    if (name.n == 0 || span_is(name, ".") || span_is(name, "..") || span_find(name, '/') < name.n) {
        log_debug("%s: a key that is no path is left out", at->path);
        return ERR_OK;
    }
    Entry e = {arena_str(&out->arena, name), size};
    if (!e.name) return err_nomem(err, at->path);
    buf_put(entries, &e, sizeof e);
    return buf_ok(entries, at->path, err);
}

static ErrCode add_page(const S3Path *at, const char *prefix, const Page *p, StoreList *out, Buf *entries, Err *err)
{
    Span rest = buf_span(&p->text), element;
    Buf name = {0};
    uint64_t size;
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && s3xml_next(&rest, "Contents", &element)) {
        if ((rc = key_of(element, "Key", prefix, at, &name, err)) != ERR_OK || name.n == 0) continue;
        if (!s3xml_u64(element, "Size", &size)) size = 0;
        rc = add_entry(out, entries, buf_span(&name), size, at, err);
    }
    rest = buf_span(&p->text);
    while (rc == ERR_OK && s3xml_next(&rest, "CommonPrefixes", &element)) {
        if ((rc = key_of(element, "Prefix", prefix, at, &name, err)) != ERR_OK || name.n == 0) continue;
        rc = add_entry(out, entries, span(name.p, name.n - 1), STORE_DIR, at, err); /* without its '/' */
    }
    buf_clear(&name);
    return rc;
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const Entry *)a)->name, ((const Entry *)b)->name);
}

static ErrCode settle_list(StoreList *out, Buf *entries, const char *dir, Err *err)
{
    Entry *e = (Entry *)(void *)entries->p; /* from malloc, and nothing but Entries */

    out->n = entries->n / sizeof *e;
    out->name = arena_array(&out->arena, out->n + 1, sizeof *out->name);
    out->size = arena_array(&out->arena, out->n + 1, sizeof *out->size);
    if (!out->name || !out->size) return err_nomem(err, dir);
    if (out->n) qsort(e, out->n, sizeof *e, compare_entries);
    for (size_t i = 0; i < out->n; i++) {
        out->name[i] = e[i].name;
        out->size[i] = e[i].size;
    }
    return ERR_OK;
}

/* What is not there is an empty directory. */
static ErrCode s3_list(const char *dir, StoreList *out, Err *err)
{
    char prefix[S3_MAX_KEY + 2];
    Page p = {{0}, {0}};
    Buf entries = {0};
    S3Path at;
    ErrCode rc = s3_path(&at, dir, err);

    if (rc != ERR_OK) return rc;
    dir_prefix(prefix, &at);
    do rc = next_page(&at, prefix, false, "1000", &p, err);
    while (rc == ERR_OK && (rc = add_page(&at, prefix, &p, out, &entries, err)) == ERR_OK && p.marker.n);
    if (rc == ERR_OK) rc = settle_list(out, &entries, dir, err);
    page_clear(&p);
    buf_clear(&entries);
    if (rc != ERR_OK) storelist_clear(out);
    return rc;
}

/* --- names */

static ErrCode s3_is_dir(const char *path, bool *is_dir, Err *err)
{
    char prefix[S3_MAX_KEY + 2];
    Page p = {{0}, {0}};
    Span rest, element;
    S3Path at;
    ErrCode rc = s3_path(&at, path, err);

    if (rc != ERR_OK) return rc;
    dir_prefix(prefix, &at);
    rc = next_page(&at, prefix, true, "1", &p, err);
    rest = buf_span(&p.text);
    *is_dir = rc == ERR_OK && (!at.key[0] || s3xml_next(&rest, "Contents", &element));
    page_clear(&p);
    return rc;
}

static ErrCode s3_exists(const char *path, bool *exists, Err *err)
{
    FetchHead head = {0};
    S3Path at;
    ErrCode rc = s3_path(&at, path, err);

    if (rc == ERR_OK && at.key[0]) rc = fetch_head(path, &head, err);
    *exists = head.exists;
    return rc != ERR_OK || head.exists ? rc : s3_is_dir(path, exists, err);
}

static ErrCode s3_resolve(Arena *a, const char *path, char **out, Err *err)
{
    S3Path at;
    Buf b = {0};
    ErrCode rc = s3_path(&at, path, err);

    if (rc != ERR_OK) return rc;
    buf_printf(&b, "s3://%s%s%s", at.bucket, at.key[0] ? "/" : "", at.key);
    *out = b.oom ? NULL : arena_str(a, buf_span(&b));
    buf_clear(&b);
    return *out ? ERR_OK : err_nomem(err, path);
}

/* There is nothing to make. */
static ErrCode s3_mkdirs(const char *path, Err *err)
{
    S3Path at;

    return s3_path(&at, path, err);
}

static ErrCode s3_delete(const char *path, Err *err)
{
    S3Path at;
    ErrCode rc = s3_path(&at, path, err);

    if (rc == ERR_OK && !at.key[0]) rc = err_set(err, ERR_USAGE, "cannot delete %s: it names a bucket", path);
    return rc == ERR_OK ? s3_delete_key(&at, NULL, err) : rc;
}

static int n_slashes(const char *s)
{
    int n = 0;

    for (; *s; s++) n += *s == '/';
    return n;
}

/* The keys of a page, whole, into an arena: pointers to them gather in `keys`. Fails where one is deeper than a tree of ours. */
static ErrCode page_keys(const S3Path *at, const char *prefix, const Page *p, int depth, Arena *a, Buf *keys,
                         Err *err)
{
    char key[S3_MAX_KEY + 2];
    Span rest = buf_span(&p->text), element;
    Buf name = {0};
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && s3xml_next(&rest, "Contents", &element)) {
        if ((rc = key_of(element, "Key", prefix, at, &name, err)) != ERR_OK) break;
        if (n_slashes((const char *)name.p) > depth) {
            rc = err_set(err, ERR_LIMIT, "cannot delete %s: deeper than a tree of ours", at->path);
        } else if (snprintf(key, sizeof key, "%s%s", prefix, (const char *)name.p) > S3_MAX_KEY) {
            rc = err_set(err, ERR_LIMIT, "%s: a key has at most %d bytes", at->path, S3_MAX_KEY);
        } else {
            const char *kept = arena_str(a, span_str(key));
            buf_put(keys, &kept, sizeof kept);
            rc = kept ? buf_ok(keys, at->path, err) : err_nomem(err, at->path);
        }
    }
    buf_clear(&name);
    return rc;
}

/* Deletes what is below a prefix, page by page; or only looks whether all of it may go. */
static ErrCode delete_pages(const S3Path *at, int depth, bool only_look, Err *err)
{
    char prefix[S3_MAX_KEY + 2];
    Page p = {{0}, {0}};
    Arena arena = {0};
    Buf keys = {0};
    bool singly = false;
    ErrCode rc;

    dir_prefix(prefix, at);
    do {
        arena_reset(&arena);
        buf_reset(&keys);
        if ((rc = next_page(at, prefix, true, "1000", &p, err)) != ERR_OK) break;
        if ((rc = page_keys(at, prefix, &p, depth, &arena, &keys, err)) != ERR_OK || only_look) continue;
        const char *const *key =
            (const char *const *)(const void *)keys.p; /* from malloc, and nothing but pointers */
        rc = s3_delete_keys(at, key, keys.n / sizeof *key, &singly, err);
    } while (rc == ERR_OK && p.marker.n);
    page_clear(&p);
    buf_clear(&keys);
    arena_clear(&arena);
    return rc;
}

static ErrCode s3_delete_tree(const char *path, int depth, Err *err)
{
    S3Path at;
    ErrCode rc = s3_path(&at, path, err);

    if (rc == ERR_OK && !at.key[0]) rc = err_set(err, ERR_USAGE, "cannot delete %s: it names a bucket", path);
    if (rc == ERR_OK) rc = delete_pages(&at, depth, true, err); /* nothing goes unless all may go */
    if (rc == ERR_OK) rc = delete_pages(&at, depth, false, err);
    return rc == ERR_OK ? s3_delete_key(&at, NULL, err) : rc;
}

/* --- sweeping */

/* When the newest part of an upload came: none is as old as the upload. */
static ErrCode newest_part(const S3Path *at, const char *key, const char *upload_id, int64_t *newest, Err *err)
{
    char marker[24] = "0";
    uint64_t last = 0, next = 0;
    bool more = true;
    WebReply r = {0};
    WebTries t = {0};
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && more) {
        const SigPair query[] = {{"uploadId", upload_id}, {"part-number-marker", marker}};
        S3Request q = {.at = at, .key = key, .web = {.method = "GET"}, .query = query, .n_query = 2};
        Span rest, element, in;
        int64_t when;
        if ((rc = s3_call(&q, &r, &t, err)) != ERR_OK) break;
        if (r.outcome != WEB_FINE || r.status != 200) {
            rc = s3_error(&q, &r, &t, "look at an upload of", err);
            break;
        }
        rest = buf_span(&r.body);
        while (s3xml_next(&rest, "Part", &element))
            if (s3xml_time(element, "LastModified", &when) && when > *newest) *newest = when;
        rest = buf_span(&r.body);
        more = s3xml_next(&rest, "IsTruncated", &in) && span_is(span_trim(in), "true") &&
               s3xml_u64(buf_span(&r.body), "NextPartNumberMarker", &next);
        if (more && (next <= last || next > S3_MAX_PARTS))
            rc = err_set(err, ERR_SYS, "cannot look at an upload of %s: a page without a new marker for the next",
                         at->path);
        last = next;
        if (more) snprintf(marker, sizeof marker, "%llu", (unsigned long long)next);
    }
    webreply_clear(&r);
    return rc;
}

/* Aborts one upload of ours if nothing has come for it for STORE_STALE_SECONDS before `now`, by the store's clock. */
static ErrCode sweep_upload(const S3Path *at, Span upload, int depth, const char *prefix, int64_t now, Err *err)
{
    char key[S3_MAX_KEY + 2];
    Buf name = {0}, id = {0};
    int64_t newest;
    ErrCode rc = key_of(upload, "Key", prefix, at, &name, err);

    if (rc == ERR_OK && store_name_is_ours(buf_span(&name)) && s3xml_text(upload, "UploadId", &id) && buf_cstr(&id) &&
        s3xml_time(upload, "Initiated", &newest) && n_slashes((const char *)name.p) <= depth &&
        now - newest > STORE_STALE_SECONDS &&
        snprintf(key, sizeof key, "%s%s", prefix, (const char *)name.p) <= S3_MAX_KEY) {
        rc = newest_part(at, key, (const char *)id.p, &newest, err);
        if (rc == ERR_OK && now - newest > STORE_STALE_SECONDS) rc = s3_abort(at, key, (const char *)id.p, err);
    }
    buf_clear(&name);
    buf_clear(&id);
    return rc;
}

/* Where the next page of uploads begins. */
typedef struct {
    Buf key, id;
} UploadMarker;

/* Reads it from a page. False: that was the last one. */
static bool next_marker(Span page, UploadMarker *m)
{
    Span rest = page, in;

    buf_reset(&m->key);
    buf_reset(&m->id);
    return s3xml_next(&rest, "IsTruncated", &in) && span_is(span_trim(in), "true") &&
           s3xml_text(page, "NextKeyMarker", &m->key) && s3xml_unquote(&m->key) && buf_cstr(&m->key) && m->key.n &&
           s3xml_text(page, "NextUploadIdMarker", &m->id) && buf_cstr(&m->id);
}

/* One page of uploads below `at`. *more says whether there is another. */
static ErrCode sweep_page(const S3Path *at, int depth, UploadMarker *m, bool *more, Err *err)
{
    char prefix[S3_MAX_KEY + 2];
    WebReply r = {0};
    WebTries t = {0};
    Span rest, element;

    dir_prefix(prefix, at);
    SigPair query[5] = {{"uploads", ""}, {"prefix", prefix}, {"encoding-type", "url"}};
    size_t n = 3;
    if (*more) {
        query[n++] = (SigPair){"key-marker", (const char *)m->key.p};
        query[n++] = (SigPair){"upload-id-marker", (const char *)m->id.p};
    }
    S3Request q = {.at = at, .key = "", .web = {.method = "GET"}, .query = query, .n_query = n};
    ErrCode rc = s3_call(&q, &r, &t, err);
    if (rc == ERR_OK && (r.outcome != WEB_FINE || r.status != 200))
        rc = s3_error(&q, &r, &t, "list the uploads of", err);
    int64_t now = web_date(r.date);
    rest = buf_span(&r.body);
    while (rc == ERR_OK && now > 0 && s3xml_next(&rest, "Upload", &element))
        rc = sweep_upload(at, element, depth, prefix, now, err);
    *more = rc == ERR_OK && next_marker(buf_span(&r.body), m);
    webreply_clear(&r);
    return rc;
}

/* Uploads below `dir`, some pages at most: a sweep is a favour, and the next one goes on. */
static ErrCode sweep_uploads(const S3Path *at, int depth, Err *err)
{
    UploadMarker m = {{0}, {0}};
    bool more = false;
    ErrCode rc = sweep_page(at, depth, &m, &more, err);

    for (int page = 1; page < 50 && more && rc == ERR_OK; page++) rc = sweep_page(at, depth, &m, &more, err);
    buf_clear(&m.key);
    buf_clear(&m.id);
    return rc;
}

static ErrCode s3_sweep(const char *dir, int depth, Err *err)
{
    Err why = {0};
    S3Path at;
    ErrCode rc = s3_path(&at, dir, err);

    if (rc != ERR_OK) return rc;
    /* Who may not list uploads, and stores that cannot, are not stopped by it. */
    rc = sweep_uploads(&at, depth, &why);
    if (rc == ERR_OK || rc == ERR_SYS) {
        if (rc != ERR_OK) log_debug("%s", why.msg);
        return ERR_OK;
    }
    if (err) *err = why;
    return rc;
}

static ErrCode s3_in_open(InFile **f, const char *path, Err *err) { return remote_in_open(&store_s3, f, path, err); }

const StoreBackend store_s3 = {.scheme = "s3://",
                               .in_open = s3_in_open,
                               .in_read = remote_in_read,
                               .in_close = remote_in_close,
                               .read = remote_read,
                               .is_dir = s3_is_dir,
                               .exists = s3_exists,
                               .size = remote_size,
                               .list = s3_list,
                               .resolve = s3_resolve,
                               .out_open = s3_out_open,
                               .out_put = s3_out_put,
                               .out_patch = s3_out_patch,
                               .out_commit = s3_out_commit,
                               .out_abandon = s3_out_abandon,
                               .create = s3_create,
                               .mkdirs = s3_mkdirs,
                               .delete = s3_delete,
                               .delete_tree = s3_delete_tree,
                               .sweep = s3_sweep};

#endif
