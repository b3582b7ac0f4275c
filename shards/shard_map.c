#define _POSIX_C_SOURCE 200809L
#include "shards/shard_map.h"

#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static ErrCode write_all(int fd, const uint8_t *p, size_t n, const char *name, Err *err)
{
    while (n) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return err_sys(err, "cannot write %s", name);
        p += put;
        n -= (size_t)put;
    }
    return ERR_OK;
}

static ErrCode copy_to(int fd, const char *path, const char *name, Err *err)
{
    enum { PIECE = 16 << 20 };
    uint8_t *piece = malloc(PIECE);
    InFile *f = NULL;
    ErrCode rc = piece ? infile_open(&f, path, err) : err_nomem(err, path);

    for (uint64_t at = 0; rc == ERR_OK && at < infile_size(f);) {
        size_t n = infile_size(f) - at < PIECE ? (size_t)(infile_size(f) - at) : PIECE;
        if ((rc = infile_read(f, at, piece, n, err)) == ERR_OK) rc = write_all(fd, piece, n, name, err);
        at += n;
    }
    infile_close(f);
    free(piece);
    return rc;
}

/* *fd: a copy that is gone when it is closed. */
static ErrCode open_copy(const char *path, int *fd, Err *err)
{
    char name[PATH_MAX];
    ErrCode rc;

    if (snprintf(name, sizeof name, "%s/shard.XXXXXX", store_local_dir(NULL)) >= (int)sizeof name)
        return err_set(err, ERR_LIMIT, "TMPDIR is too long a path");
    *fd = mkstemp(name);
    if (*fd < 0) return err_sys(err, "cannot create %s", name);
    unlink(name);
    rc = copy_to(*fd, path, name, err);
    if (rc != ERR_OK) close(*fd);
    return rc;
}

ErrCode shard_map(const char *path, Span *bytes, Err *err)
{
    ErrCode rc = ERR_OK;
    struct stat st;
    int fd = -1;

    *bytes = (Span){NULL, 0};
    if (store_is_remote(path))
        rc = open_copy(path, &fd, err);
    else if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        rc = err_sys(err, "cannot open %s", path);
    if (rc != ERR_OK) return rc;
    if (fstat(fd, &st) != 0) {
        rc = err_sys(err, "cannot look at %s", path);
    } else if (!S_ISREG(st.st_mode)) {
        rc = err_set(err, ERR_SYS, "%s is not a regular file", path);
    } else if (st.st_size > 0) { /* an empty file cannot be mapped; it has no bytes */
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            rc = err_sys(err, "cannot map %s", path);
        else
            *bytes = span(map, (size_t)st.st_size);
    }
    close(fd);
    return rc;
}

void shard_unmap(Span bytes)
{
    if (bytes.p) munmap((void *)(uintptr_t)bytes.p, bytes.n);
}
