#define _GNU_SOURCE /* O_TMPFILE */
#include "core/scratch.h"

#include "core/store.h"
#include "core/store_fault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct Scratch {
    int fd;
    unsigned holders;
    uint64_t size;
    char name[];
};

/* A file that never has a name, where the file system can make one; else one that loses its name at once, which only a kill in
 * between leaves behind. */
static int open_unnamed(const char *dir, char *name)
{
    int fd = -1;

#ifdef O_TMPFILE
    fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
#endif
    if (fd >= 0) {
        memcpy(name + strlen(name) - 6, "scratch", sizeof "scratch"); /* for messages */
        return fd;
    }
    (void)dir;
    if ((fd = mkstemp(name)) < 0) return -1;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    unlink(name); /* if that fails, the file stays: a nuisance, not an error */
    return fd;
}

ErrCode scratch_open(Scratch **out, const char *dir, const char *what, Err *err)
{
    dir = store_local_dir(dir);
    size_t n = strlen(dir) + strlen(what) + sizeof "/.scratch";
    Scratch *s = malloc(sizeof *s + n);

    *out = NULL;
    if (!s) return err_nomem(err, what);
    s->size = 0;
    s->holders = 1;
    snprintf(s->name, n, "%s/%s.XXXXXX", dir, what);
    s->fd = store_fault() ? -1 : open_unnamed(dir, s->name);
    if (s->fd < 0) {
        ErrCode rc = err_sys(err, "cannot create scratch file %s", s->name);
        free(s);
        return rc;
    }
    *out = s;
    return ERR_OK;
}

ErrCode scratch_room(const char *dir, const char *what, uint64_t bytes, Err *err)
{
    struct statvfs fs;
    uint64_t have;

    if (statvfs(dir, &fs) != 0) return ERR_OK; /* writing will tell */
    have = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (have < bytes)
        return err_set(err, ERR_SYS,
                       "scratch directory %s is full: %s needs %" PRIu64 " KiB more, %" PRIu64 " KiB are free", dir,
                       what, (bytes + 1023) >> 10, have >> 10);
    if (fs.f_files > 0 && fs.f_favail == 0)
        return err_set(err, ERR_SYS, "scratch directory %s is full: %s needs one more inode, none is free", dir,
                       what);
    return ERR_OK;
}

Scratch *scratch_share(Scratch *s)
{
    s->holders++;
    return s;
}

void scratch_close(Scratch *s)
{
    if (!s || --s->holders > 0) return;
    close(s->fd);
    free(s);
}

ErrCode scratch_put(Scratch *s, const void *p, size_t n, Err *err)
{
    const uint8_t *from = p;

    while (n) {
        ssize_t k = store_fault() ? -1 : write(s->fd, from, n < SSIZE_MAX ? n : SSIZE_MAX);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return err_sys(err, "cannot write %s at %" PRIu64, s->name, s->size);
        from += k;
        n -= (size_t)k;
        s->size += (uint64_t)k;
    }
    return ERR_OK;
}

ErrCode scratch_read(Scratch *s, uint64_t offset, void *out, size_t n, Err *err)
{
    uint8_t *to = out;

    while (n) {
        ssize_t k = pread(s->fd, to, n < SSIZE_MAX ? n : SSIZE_MAX, (off_t)offset);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return err_sys(err, "cannot read %s at %" PRIu64, s->name, offset);
        if (k == 0) return err_set(err, ERR_DATA, "cannot read %s at %" PRIu64 ": truncated", s->name, offset);
        to += k;
        n -= (size_t)k;
        offset += (uint64_t)k;
    }
    return ERR_OK;
}

uint64_t scratch_size(const Scratch *s) { return s->size; }
const char *scratch_name(const Scratch *s) { return s->name; }
