#define _GNU_SOURCE /* memfd_create, madvise */
#include "core/sharedmem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { UNIT = 2 << 20 }; /* a huge page */

static SharedMem kept; /* given back; only speed depends on it */

static uint8_t *map(int fd, size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
    (void)madvise(p, n, MADV_HUGEPAGE); /* only speed depends on it */
#endif
    return p;
}

static void end(SharedMem *m)
{
    if (m->p) {
        munmap(m->p, m->bytes);
        close(m->fd);
    }
    *m = (SharedMem){0};
}

static bool make(SharedMem *m, size_t n)
{
#ifdef MFD_CLOEXEC
    if ((m->fd = memfd_create("tamis", MFD_CLOEXEC)) < 0) return false;
    if (ftruncate(m->fd, (off_t)n) == 0 && (m->p = map(m->fd, n)) != NULL) {
        m->bytes = n;
        return true;
    }
    close(m->fd);
#endif
    *m = (SharedMem){0};
    (void)n;
    return false;
}

bool sharedmem_take(SharedMem *m, size_t n, SharedName *name)
{
    struct stat at;

    *m = (SharedMem){0};
    if (n > SIZE_MAX / 2) return false;
    n = (n + UNIT - 1) / UNIT * UNIT;
    if (kept.bytes >= n && kept.bytes / 2 <= n) {
        *m = kept;
        kept = (SharedMem){0};
    } else {
        end(&kept);
        if (!make(m, n)) return false;
    }
    if (fstat(m->fd, &at) != 0) {
        end(m);
        return false;
    }
    *name = (SharedName){.place = (uint64_t)getpid() << 32 | (uint32_t)m->fd, .inode = at.st_ino};
    return true;
}

void sharedmem_give(SharedMem *m)
{
    end(&kept);
    kept = *m;
    *m = (SharedMem){0};
}

/* Another name space of processes may have another file there. */
uint8_t *sharedmem_see(const SharedName *name, size_t n)
{
    char path[64];
    struct stat at;
    uint8_t *p = NULL;
    int fd;

    snprintf(path, sizeof path, "/proc/%" PRIu64 "/fd/%" PRIu32, name->place >> 32, (uint32_t)name->place);
    if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0) return NULL;
    if (fstat(fd, &at) == 0 && S_ISREG(at.st_mode) && at.st_nlink == 0 && at.st_ino == name->inode &&
        (uint64_t)at.st_size >= n)
        p = map(fd, n);
    close(fd);
    return p;
}

void sharedmem_leave(uint8_t *p, size_t n)
{
    if (p) munmap(p, n);
}
