/* Reading over HTTP, and the back end of web servers: objects by their URL, read only. */
#include "core/store_remote.h"

#ifdef TAMIS_CURL

#include "core/fetch.h"

#include <pthread.h>
#include <stdlib.h>

/* Small reads (headers, ends, receipts, columns) go through windows, so that a part costs a few requests and not fifty. */
enum { WINDOW_BYTES = 64 << 10, SMALL_READ = WINDOW_BYTES / 2, N_WINDOWS = 2 };

typedef struct {
    uint64_t at;
    size_t n;
    uint8_t *bytes;
} Window;

typedef struct {
    InFile file;
    char etag[128];
    pthread_mutex_t lock; /* of the windows */
    Window window[N_WINDOWS];
    unsigned oldest;
} RemoteIn;

ErrCode remote_in_open(const StoreBackend *backend, InFile **out, const char *path, Err *err)
{
    FetchHead head;
    ErrCode rc = fetch_head(path, &head, err);

    if (rc != ERR_OK) return rc;
    if (!head.exists)
        return err_set(err, ERR_SYS, "cannot open %.*s: HTTP 404 (no such object)", fetch_shown(path), path);
    RemoteIn *f = calloc(1, sizeof *f);
    if (!f || !(f->file.path = strdup(path))) {
        free(f);
        return err_nomem(err, path);
    }
    pthread_mutex_init(&f->lock, NULL);
    f->file.backend = backend;
    f->file.size = head.size;
    memcpy(f->etag, head.etag, sizeof f->etag);
    *out = &f->file;
    return ERR_OK;
}

void remote_in_close(InFile *file)
{
    RemoteIn *f = (RemoteIn *)file;

    for (int i = 0; i < N_WINDOWS; i++) free(f->window[i].bytes);
    pthread_mutex_destroy(&f->lock);
    free(file->path);
    free(f);
}

static ErrCode take_here(void *ctx, Span bytes, Err *err)
{
    uint8_t **at = ctx;

    (void)err;
    memcpy(*at, bytes.p, bytes.n); /* never more than was asked for */
    *at += bytes.n;
    return ERR_OK;
}

static ErrCode read_range(RemoteIn *f, uint64_t offset, void *out, size_t n, Err *err)
{
    uint8_t *at = out;

    return fetch_range(f->file.path, f->etag, offset, n, take_here, &at, NULL, err);
}

/* Fills the window used longest ago: with the end of the object if the read is there, else with what follows the read's begin. */
static ErrCode fill_window(RemoteIn *f, uint64_t offset, Window **out, Err *err)
{
    Window *w = &f->window[f->oldest];
    uint64_t size = f->file.size, end = size > WINDOW_BYTES ? size - WINDOW_BYTES : 0;
    ErrCode rc;

    if (!w->bytes && !(w->bytes = malloc(WINDOW_BYTES))) return err_nomem(err, f->file.path);
    w->at = offset < end ? offset : end;
    w->n = 0;
    size_t n = size - w->at < WINDOW_BYTES ? (size_t)(size - w->at) : WINDOW_BYTES;
    if ((rc = read_range(f, w->at, w->bytes, n, err)) != ERR_OK) return rc;
    w->n = n;
    *out = w;
    return ERR_OK;
}

static ErrCode read_small(RemoteIn *f, uint64_t offset, uint8_t *out, size_t n, Err *err)
{
    Window *in = NULL;

    for (unsigned i = 0; i < N_WINDOWS; i++) {
        Window *w = &f->window[i];
        if (offset < w->at || offset - w->at > w->n || n > w->n - (size_t)(offset - w->at)) continue;
        in = w;
        f->oldest = (i + 1) % N_WINDOWS;
    }
    if (!in) {
        ErrCode rc = fill_window(f, offset, &in, err);
        if (rc != ERR_OK) return rc;
        f->oldest = (f->oldest + 1) % N_WINDOWS;
    }
    memcpy(out, in->bytes + (offset - in->at), n);
    return ERR_OK;
}

ErrCode remote_in_read(InFile *file, uint64_t offset, void *out, size_t n, Err *err)
{
    RemoteIn *f = (RemoteIn *)file;

    if (n > SMALL_READ) return read_range(f, offset, out, n, err);
    pthread_mutex_lock(&f->lock);
    ErrCode rc = read_small(f, offset, out, n, err);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

typedef struct {
    Buf *out;
    size_t max;
    const char *path;
} WholeRead;

static ErrCode take_whole(void *ctx, Span bytes, Err *err)
{
    WholeRead *w = ctx;

    if (bytes.n > w->max)
        return err_set(err, ERR_LIMIT, "cannot read %.*s: larger than its limit", fetch_shown(w->path), w->path);
    w->max -= bytes.n;
    buf_put_span(w->out, bytes);
    return buf_ok(w->out, "an object", err);
}

ErrCode remote_read(const char *path, size_t max_bytes, Buf *out, Err *err)
{
    WholeRead w = {out, max_bytes, path};

    return fetch_range(path, "", 0, 0, take_whole, &w, NULL, err);
}

ErrCode remote_size(const char *path, uint64_t *bytes, Err *err)
{
    FetchHead head;
    ErrCode rc = fetch_head(path, &head, err);

    if (rc == ERR_OK && !head.exists)
        rc = err_set(err, ERR_SYS, "cannot look at %.*s: HTTP 404 (no such object)", fetch_shown(path), path);
    *bytes = head.size;
    return rc;
}

/* --- web servers */

static ErrCode http_exists(const char *path, bool *exists, Err *err)
{
    FetchHead head;
    ErrCode rc = fetch_head(path, &head, err);

    *exists = head.exists;
    return rc;
}

static ErrCode http_is_dir(const char *path, bool *is_dir, Err *err)
{
    *is_dir = false;
    return fetch_check(path, err);
}

static ErrCode http_list(const char *dir, StoreList *out, Err *err)
{
    (void)out;
    return err_set(err, ERR_SYS, "cannot list %.*s: a web server has no directories", fetch_shown(dir), dir);
}

static ErrCode http_resolve(Arena *a, const char *path, char **out, Err *err)
{
    *out = arena_str(a, span_str(path));
    return *out ? ERR_OK : err_nomem(err, "a path");
}

static ErrCode http_in_open(InFile **f, const char *path, Err *err)
{
    return remote_in_open(&store_http, f, path, err);
}

#define HTTP_BACKEND(name)                                                                                         \
    {                                                                                                              \
        .scheme = (name), .in_open = http_in_open, .in_read = remote_in_read, .in_close = remote_in_close,         \
        .read = remote_read, .is_dir = http_is_dir, .exists = http_exists, .size = remote_size, .list = http_list, \
        .resolve = http_resolve                                                                                    \
    }
const StoreBackend store_http = HTTP_BACKEND("http://");
const StoreBackend store_https = HTTP_BACKEND("https://");

#endif
