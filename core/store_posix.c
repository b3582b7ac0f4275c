/* Files of a mounted file system: reading and publishing. Names are in store_posix_dir.c. */
#include "core/store_posix.h"

#include "core/store_fault.h"
#include "core/store_tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- fault injection. A process-wide switch, as the disk is: see store_fault.h. */
static _Atomic bool fault_armed;
static _Atomic uint64_t fault_nth, fault_seen;
static _Atomic bool fault_lasting, fault_fired;
static _Atomic int fault_errno;

void store_fault_arm(uint64_t nth, int error, bool lasting)
{
    atomic_store(&fault_nth, nth);
    atomic_store(&fault_errno, error);
    atomic_store(&fault_lasting, lasting);
    atomic_store(&fault_seen, 0);
    atomic_store(&fault_fired, false);
    atomic_store(&fault_armed, nth != 0);
}

uint64_t store_fault_calls(void) { return atomic_load(&fault_seen); }
bool store_fault_hit(void) { return atomic_load(&fault_fired); }

bool store_fault(void)
{
    if (!atomic_load_explicit(&fault_armed, memory_order_relaxed)) return false;
    uint64_t call = atomic_fetch_add(&fault_seen, 1) + 1, nth = atomic_load(&fault_nth);
    if (call < nth || (call > nth && !atomic_load(&fault_lasting))) return false;
    atomic_store(&fault_fired, true);
    errno = atomic_load(&fault_errno);
    return true;
}

/* --- reading */

typedef struct {
    InFile file;
    int fd;
} PosixIn;

static int open_read(const char *path)
{
    int fd;

    do fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static void posix_in_close(InFile *file)
{
    PosixIn *f = (PosixIn *)file;

    if (f->fd >= 0) close(f->fd);
    free(f->file.path);
    free(f);
}

static ErrCode posix_in_open(InFile **out, const char *path, Err *err)
{
    PosixIn *f = calloc(1, sizeof *f);
    struct stat st;
    ErrCode rc;

    if (!f || !(f->file.path = strdup(path))) {
        free(f);
        return err_nomem(err, path);
    }
    f->file.backend = &store_posix;
    f->fd = open_read(path);
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        rc = err_sys(err, "cannot open %s", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = err_set(err, ERR_SYS, "cannot read %s: not a regular file", path);
    } else {
        f->file.size = (uint64_t)st.st_size;
        *out = &f->file;
        return ERR_OK;
    }
    posix_in_close(&f->file);
    return rc;
}

static ErrCode posix_in_read(InFile *f, uint64_t offset, void *out, size_t n, Err *err)
{
    uint8_t *p = out;

    while (n > 0) {
        ssize_t got = pread(((PosixIn *)f)->fd, p, n < SSIZE_MAX ? n : SSIZE_MAX, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_sys(err, "cannot read %s at %" PRIu64, f->path, offset);
        if (got == 0) return err_set(err, ERR_DATA, "cannot read %s at %" PRIu64 ": truncated", f->path, offset);
        p += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return ERR_OK;
}

/* Reads to the end rather than by the size stat(2) gives: that is 0 for files of the kernel. */
static ErrCode read_to_end(int fd, const char *path, size_t max_bytes, Buf *out, Err *err)
{
    size_t start = out->n;

    for (;;) {
        if (out->n == out->cap && !buf_reserve(out, 64 << 10)) return err_nomem(err, path);
        ssize_t got = read(fd, out->p + out->n, out->cap - out->n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return err_sys(err, "cannot read %s", path);
        if (got == 0) return ERR_OK;
        out->n += (size_t)got;
        if (out->n - start > max_bytes)
            return err_set(err, ERR_LIMIT, "cannot read %s: larger than %zu bytes", path, max_bytes);
    }
}

static ErrCode posix_read(const char *path, size_t max_bytes, Buf *out, Err *err)
{
    struct stat st;
    ErrCode rc;
    int fd = open_read(path);

    if (fd < 0) return err_sys(err, "cannot open %s", path);
    if (fstat(fd, &st) != 0) {
        rc = err_sys(err, "cannot open %s", path);
    } else if (S_ISDIR(st.st_mode)) {
        rc = err_set(err, ERR_SYS, "cannot read %s: is a directory", path);
    } else if (st.st_size > 0 && (uint64_t)st.st_size > max_bytes) {
        rc = err_set(err, ERR_LIMIT, "cannot read %s: larger than %zu bytes", path, max_bytes);
    } else if (!buf_reserve(out, (size_t)st.st_size + 1)) { /* + 1: the end shows without growing */
        rc = err_nomem(err, path);
    } else {
        rc = read_to_end(fd, path, max_bytes, out, err);
    }
    close(fd);
    return rc;
}

/* --- publishing. Small puts gather in a buffer, so that the disk sees only large sequential writes. */

enum { OUTFILE_BUFFER = 1 << 20 };

typedef struct {
    OutFile file;
    int fd;
    uint64_t flushed; /* bytes handed to the kernel; then come buf.n more */
    Buf buf;
    char *tmp;
} PosixOut;

void store_host_name(char out[65])
{
    if (gethostname(out, 64) != 0 || !out[0]) strcpy(out, "localhost");
    out[64] = 0;
    for (char *c = out; *c; c++)
        if (!ascii_is_alnum((uint8_t)*c) && *c != '-' && *c != '.') *c = '_';
}

void store_tmp_suffix(char out[STORE_TMP_SUFFIX], long pid)
{
    char host[65];

    store_host_name(host);
    if (pid > 0)
        snprintf(out, STORE_TMP_SUFFIX, ".%s.%ld.tmp", host, pid);
    else
        snprintf(out, STORE_TMP_SUFFIX, ".%s.", host);
}

bool store_tmp_is(const char *path, int fd)
{
    struct stat opened, named;

    return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

static ErrCode open_tmp(const char *tmp, int flags, int *fd, bool *taken, Err *err)
{
    *taken = false;
    for (;;) {
        do *fd = store_fault() ? -1 : open(tmp, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0666);
        while (*fd < 0 && errno == EINTR);
        *taken = *fd < 0 && (flags & O_EXCL) && errno == EEXIST;
        if (*taken) return ERR_OK;
        if (*fd < 0) return err_sys(err, "cannot create %s", tmp);
        bool locked = flock(*fd, LOCK_EX) == 0, stopped = !locked && errno == EINTR;
        if (!stopped && (!locked || store_tmp_is(tmp, *fd))) break; /* not locked: this file system knows no locks */
        close(*fd);                                                 /* not ours to unlink */
        *fd = -1;
        if (stopped) return err_set(err, ERR_INTR, "interrupted while another process writes %s", tmp);
    }
    return ftruncate(*fd, 0) == 0 ? ERR_OK : err_sys(err, "cannot create %s", tmp);
}

/* What a dead process whose number came round again has left under the name is overwritten. */
ErrCode store_tmp_open(const char *tmp, int *fd, Err *err)
{
    bool taken;

    return open_tmp(tmp, 0, fd, &taken, err);
}

ErrCode store_tmp_new(const char *tmp, int *fd, bool *taken, Err *err)
{
    return open_tmp(tmp, O_EXCL, fd, taken, err);
}

static void out_free(PosixOut *f)
{
    if (f->fd >= 0) close(f->fd);
    free(f->file.path);
    free(f->tmp);
    buf_clear(&f->buf);
    free(f);
}

static void posix_out_abandon(OutFile *file)
{
    PosixOut *f = (PosixOut *)file;

    if (f->fd >= 0) unlink(f->tmp);
    out_free(f);
}

static ErrCode out_new(PosixOut **out, const char *path, Err *err)
{
    PosixOut *f = calloc(1, sizeof *f);
    char suffix[STORE_TMP_SUFFIX];
    size_t n = strlen(path);
    ErrCode rc;

    if (!f) return err_nomem(err, path);
    store_tmp_suffix(suffix, (long)getpid());
    f->file.backend = &store_posix;
    f->fd = -1;
    f->file.path = strdup(path);
    f->tmp = malloc(n + strlen(suffix) + 1);
    if (!f->file.path || !f->tmp || !buf_reserve(&f->buf, OUTFILE_BUFFER)) {
        rc = err_nomem(err, path);
        goto fail;
    }
    memcpy(f->tmp, path, n);
    strcpy(f->tmp + n, suffix);
    if ((rc = store_tmp_open(f->tmp, &f->fd, err)) != ERR_OK) goto fail;
    *out = f;
    return ERR_OK;
fail:
    posix_out_abandon(&f->file);
    return rc;
}

static ErrCode posix_out_open(OutFile **out, const char *path, Err *err)
{
    PosixOut *f;
    ErrCode rc = out_new(&f, path, err);

    if (rc == ERR_OK) *out = &f->file;
    return rc;
}

static ErrCode write_at(PosixOut *f, uint64_t offset, const uint8_t *p, size_t n, Err *err)
{
    while (n > 0) {
        ssize_t put = store_fault() ? -1 : pwrite(f->fd, p, n < SSIZE_MAX ? n : SSIZE_MAX, (off_t)offset);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            if (put == 0) errno = EIO;
            return err_sys(err, "cannot write %s", f->file.path);
        }
        p += put;
        n -= (size_t)put;
        offset += (uint64_t)put;
    }
    return ERR_OK;
}

static ErrCode write_on(PosixOut *f, const uint8_t *p, size_t n, Err *err)
{
    ErrCode rc = write_at(f, f->flushed, p, n, err);

    if (rc == ERR_OK) f->flushed += n;
    return rc;
}

static ErrCode flush(PosixOut *f, Err *err)
{
    ErrCode rc = write_on(f, f->buf.p, f->buf.n, err);

    f->buf.n = 0;
    return rc;
}

static ErrCode posix_out_put(OutFile *file, const void *p, size_t n, Err *err)
{
    PosixOut *f = (PosixOut *)file;
    ErrCode rc;

    if (n > OUTFILE_BUFFER - f->buf.n) {
        if ((rc = flush(f, err)) != ERR_OK) return rc;
        if (n >= OUTFILE_BUFFER) return write_on(f, p, n, err);
    }
    memcpy(f->buf.p + f->buf.n, p, n);
    f->buf.n += n;
    return ERR_OK;
}

static ErrCode posix_out_patch(OutFile *file, uint64_t offset, const void *p, size_t n, Err *err)
{
    PosixOut *f = (PosixOut *)file;
    const uint8_t *bytes = p;
    ErrCode rc;

    if (offset < f->flushed) {
        size_t head = n < f->flushed - offset ? n : (size_t)(f->flushed - offset);
        if ((rc = write_at(f, offset, bytes, head, err)) != ERR_OK) return rc;
        offset += head, bytes += head, n -= head;
    }
    if (n) memcpy(f->buf.p + (offset - f->flushed), bytes, n);
    return ERR_OK;
}

/* Makes the new name survive a power cut. Some file systems do not know fsync of a directory and say EINVAL. */
static ErrCode sync_dir_of(const char *path, Err *err)
{
    size_t n = (size_t)(path_base(path) - path);
    char *dir = malloc(n + 2);
    ErrCode rc = ERR_OK;
    int fd;

    if (!dir) return err_nomem(err, path);
    memcpy(dir, path, n);
    strcpy(dir + n, n ? "" : ".");
    fd = open_read(dir);
    if (fd < 0 || ((store_fault() || fsync(fd) != 0) && errno != EINVAL)) rc = err_sys(err, "cannot sync %s", dir);
    if (fd >= 0) close(fd);
    free(dir);
    return rc;
}

/* Everything on the disk under the temporary name. It stays open, and so locked, until it has its final name; fsync has said all
 * that close could. */
static ErrCode finish_tmp(PosixOut *f, Err *err)
{
    ErrCode rc = flush(f, err);

    if (rc == ERR_OK && (store_fault() || fsync(f->fd) != 0)) rc = err_sys(err, "cannot sync %s", f->file.path);
    return rc;
}

static ErrCode posix_out_commit(OutFile *file, Err *err)
{
    PosixOut *f = (PosixOut *)file;
    ErrCode rc = finish_tmp(f, err);

    if (rc == ERR_OK && (store_fault() || rename(f->tmp, f->file.path) != 0))
        rc = err_sys(err, "cannot publish %s", f->file.path);
    if (rc)
        unlink(f->tmp);
    else if (!f->file.is_part)
        rc = sync_dir_of(f->file.path, err);
    out_free(f);
    return rc;
}

/* link(2) over NFS may succeed and lose its answer; the link count tells (open(2), O_EXCL). */
static bool link_new(const char *tmp, const char *path)
{
    struct stat st;
    int saved;

    if (store_fault()) return false;
    if (link(tmp, path) == 0) return true;
    saved = errno;
    if (stat(tmp, &st) == 0 && st.st_nlink == 2) return true;
    errno = saved;
    return false;
}

static ErrCode posix_create(const char *path, Span bytes, bool *created, Err *err)
{
    PosixOut *f;
    ErrCode rc = out_new(&f, path, err);

    if (rc) return rc;
    if (bytes.n) rc = posix_out_put(&f->file, bytes.p, bytes.n, err);
    if (rc == ERR_OK) rc = finish_tmp(f, err);
    if (rc == ERR_OK) {
        *created = link_new(f->tmp, path);
        if (!*created && errno != EEXIST)
            rc = err_sys(err, "cannot publish %s", path);
        else
            rc = sync_dir_of(path, err);
    }
    unlink(f->tmp);
    out_free(f);
    return rc;
}

const StoreBackend store_posix = {.scheme = "",
                                  .in_open = posix_in_open,
                                  .in_read = posix_in_read,
                                  .in_close = posix_in_close,
                                  .read = posix_read,
                                  .is_dir = posix_is_dir,
                                  .exists = posix_exists,
                                  .size = posix_size,
                                  .list = posix_list,
                                  .resolve = posix_resolve,
                                  .out_open = posix_out_open,
                                  .out_put = posix_out_put,
                                  .out_patch = posix_out_patch,
                                  .out_commit = posix_out_commit,
                                  .out_abandon = posix_out_abandon,
                                  .create = posix_create,
                                  .mkdirs = posix_mkdirs,
                                  .delete = posix_delete,
                                  .delete_tree = posix_delete_tree,
                                  .sweep = posix_sweep};
