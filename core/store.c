#include "core/store.h"

#include "core/store_backend.h"
#include "core/store_tmp.h"

#include <inttypes.h>
#include <stdlib.h>

static const StoreBackend *const backends[] = {
#ifdef TAMIS_CURL
    &store_s3, &store_http, &store_https,
#endif
    &store_posix, /* whatever has no scheme */
};

bool store_is_remote(const char *path)
{
    static const char *const schemes[] = {"s3://", "http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(path, schemes[i], strlen(schemes[i])) == 0) return true;
    return false;
}

static ErrCode backend_of(const char *path, const StoreBackend **out, Err *err)
{
    size_t i = 0;

    while (strncmp(path, backends[i]->scheme, strlen(backends[i]->scheme)) != 0) i++;
    *out = backends[i];
    if (*out == &store_posix && store_is_remote(path))
        return err_set(err, ERR_SYS, "cannot open %s: built without libcurl, which object stores need", path);
    return ERR_OK;
}

static ErrCode writable_backend_of(const char *path, const StoreBackend **out, Err *err)
{
    ErrCode rc = backend_of(path, out, err);

    if (rc == ERR_OK && !(*out)->out_open)
        return err_set(err, ERR_SYS, "cannot write %s: nothing is written over %.*s", path,
                       (int)strlen((*out)->scheme) - 3, (*out)->scheme);
    return rc;
}

/* --- reading */

ErrCode infile_open(InFile **f, const char *path, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = backend_of(path, &b, err);

    *f = NULL;
    return rc ? rc : b->in_open(f, path, err);
}

void infile_close(InFile *f)
{
    if (f) f->backend->in_close(f);
}

uint64_t infile_size(const InFile *f) { return f->size; }
const char *infile_path(const InFile *f) { return f->path; }

ErrCode infile_read(InFile *f, uint64_t offset, void *out, size_t n, Err *err)
{
    if (offset > f->size || n > f->size - offset)
        return err_set(err, ERR_DATA, "cannot read %s at %" PRIu64 ": truncated, %zu bytes wanted of %" PRIu64,
                       f->path, offset, n, offset > f->size ? 0 : f->size - offset);
    return n ? f->backend->in_read(f, offset, out, n, err) : ERR_OK;
}

ErrCode store_read(const char *path, size_t max_bytes, Buf *out, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = backend_of(path, &b, err);

    return rc ? rc : b->read(path, max_bytes, out, err);
}

/* --- publishing */

ErrCode outfile_open(OutFile **f, const char *path, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = writable_backend_of(path, &b, err);

    *f = NULL;
    return rc ? rc : b->out_open(f, path, err);
}

/* Says again why a write failed: of several threads the first to fail need not be the one whose error is shown. */
static ErrCode check_failed(const OutFile *f, Err *err)
{
    if (f->failed.code && err) *err = f->failed;
    return f->failed.code;
}

static ErrCode note_failed(OutFile *f, ErrCode rc, const Err *why, Err *err)
{
    if (rc == ERR_OK) return ERR_OK;
    f->failed = *why;
    f->failed.code = rc;
    return check_failed(f, err);
}

ErrCode outfile_put(OutFile *f, const void *p, size_t n, Err *err)
{
    Err why;
    ErrCode rc = check_failed(f, err);

    if (rc == ERR_OK && n) rc = note_failed(f, f->backend->out_put(f, p, n, &why), &why, err);
    if (rc == ERR_OK) f->size += n;
    return rc;
}

uint64_t outfile_size(const OutFile *f) { return f->size; }

ErrCode outfile_patch(OutFile *f, uint64_t offset, const void *p, size_t n, Err *err)
{
    Err why;
    ErrCode rc = check_failed(f, err);

    if (rc) return rc;
    if (offset > f->size || n > f->size - offset)
        return err_set(err, ERR_LIMIT, "cannot write %s at %" PRIu64 ": only bytes already written can be patched",
                       f->path, offset);
    return n ? note_failed(f, f->backend->out_patch(f, offset, p, n, &why), &why, err) : ERR_OK;
}

ErrCode outfile_commit(OutFile **out, Err *err)
{
    OutFile *f = *out;
    ErrCode rc = check_failed(f, err);

    *out = NULL;
    if (rc) {
        f->backend->out_abandon(f);
        return rc;
    }
    return f->backend->out_commit(f, err);
}

ErrCode outfile_commit_part(OutFile **out, Err *err)
{
    (*out)->is_part = true;
    return outfile_commit(out, err);
}

void outfile_abandon(OutFile *f)
{
    if (f) f->backend->out_abandon(f);
}

ErrCode store_write(const char *path, Span bytes, Err *err)
{
    OutFile *f;
    ErrCode rc = outfile_open(&f, path, err);

    if (rc) return rc;
    if ((rc = outfile_put(f, bytes.p, bytes.n, err)) == ERR_OK) rc = outfile_commit(&f, err);
    outfile_abandon(f);
    return rc;
}

ErrCode store_create(const char *path, Span bytes, bool *created, Err *err)
{
    const StoreBackend *b;
    bool exists = false;
    ErrCode rc = writable_backend_of(path, &b, err);

    *created = false;
    if (rc == ERR_OK) rc = b->exists(path, &exists, err);
    if (rc || exists) return rc; /* there: the common case of a rerun, nothing to write */
    return b->create(path, bytes, created, err);
}

/* --- names */

ErrCode store_mkdirs(const char *path, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = writable_backend_of(path, &b, err);

    return rc ? rc : b->mkdirs(path, err);
}

ErrCode store_exists(const char *path, bool *exists, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = backend_of(path, &b, err);

    *exists = false;
    return rc ? rc : b->exists(path, exists, err);
}

ErrCode store_is_dir(const char *path, bool *is_dir, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = backend_of(path, &b, err);

    *is_dir = false;
    return rc ? rc : b->is_dir(path, is_dir, err);
}

ErrCode store_size(const char *path, uint64_t *bytes, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = backend_of(path, &b, err);

    return rc ? rc : b->size(path, bytes, err);
}

ErrCode store_delete(const char *path, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = writable_backend_of(path, &b, err);

    return rc ? rc : b->delete (path, err);
}

ErrCode store_delete_tree(const char *path, int depth, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = writable_backend_of(path, &b, err);

    return rc ? rc : b->delete_tree(path, depth, err);
}

ErrCode store_list(const char *dir, StoreList *out, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = backend_of(dir, &b, err);

    *out = (StoreList){0};
    return rc ? rc : b->list(dir, out, err);
}

void storelist_clear(StoreList *l)
{
    arena_clear(&l->arena);
    *l = (StoreList){0};
}

bool store_name_is_ours(Span name)
{
    static const char *const heads[] = {"part-", "shard-", NULL};
    static const char *const tails[] = {".cols", ".tok", ".res", ".safetensors", NULL};
    static const char *const names[] = {
        "manifest.json", "stage.json",   "stats.json",     "parts.jsonl", "report.html",
        "clusters.json", "mixture.json", "tokenizer.json", "vocab.bin",   NULL};

    for (size_t slash; (slash = span_find(name, '/')) < name.n;) name = span_from(name, slash + 1);
    if (name.n > 5 && ascii_is_digit(name.p[0]) && memcmp(name.p + name.n - 4, ".run", 4) == 0)
        return true; /* encoded documents, 000000-000017.run */
    for (int i = 0; heads[i]; i++)
        if (span_starts(name, span_str(heads[i]))) return true;
    for (int i = 0; tails[i]; i++)
        if (name.n > strlen(tails[i]) && span_is(span_from(name, name.n - strlen(tails[i])), tails[i])) return true;
    for (int i = 0; names[i]; i++)
        if (span_is(name, names[i])) return true;
    return false;
}

ErrCode store_sweep(const char *dir, int depth, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = writable_backend_of(dir, &b, err);

    return rc ? rc : b->sweep(dir, depth, err);
}

ErrCode store_resolve(Arena *a, const char *path, char **out, Err *err)
{
    const StoreBackend *b;
    ErrCode rc = backend_of(path, &b, err);

    return rc ? rc : b->resolve(a, path, out, err);
}

char *path_join(Arena *a, const char *dir, const char *name)
{
    size_t d = strlen(dir), n = strlen(name), total;

    if (!size_add(d, n, &total) || !size_add(total, 2, &total)) return NULL;
    char *p = arena_alloc(a, total);
    if (!p) return NULL;
    memcpy(p, dir, d);
    if (d && p[d - 1] != '/') p[d++] = '/';
    memcpy(p + d, name, n + 1);
    return p;
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

const char *store_local_dir(const char *dir)
{
    const char *tmp = getenv("TMPDIR");

    return dir && !store_is_remote(dir) ? dir : tmp && *tmp ? tmp : "/tmp";
}

bool path_is_absolute(const char *path) { return path[0] == '/' || store_is_remote(path); }
