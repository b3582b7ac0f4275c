#define _POSIX_C_SOURCE 200809L
#include "shards/shard_map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

ErrCode shard_map(const char *path, Span *bytes, Err *err)
{
    ErrCode rc = ERR_OK;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *bytes = (Span){NULL, 0};
    if (fd < 0) return err_sys(err, "cannot open %s", path);
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
