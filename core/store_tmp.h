/* core/store_tmp.h - private to core/store*.c: how temporaries are called, NAME.HOST.PID.tmp, so that they can be told
 * from finished objects and, on the host that made them, from those of processes still alive.
 *
 * A process number alone does not say that its writer is dead: containers number their processes for themselves and may share a host
 * name. So a writer holds a lock (flock) on its temporary, which the kernel drops when the writer ends however it ends, and which
 * processes in other containers and, over NFS, on other machines see too. Only what can be locked is an orphan; where the file
 * system knows no locks, only what is old. Of other hosts, whose processes nobody here can see, only what is both: locks may be a
 * host's own, too. Who got the lock looks whether the name is still that of the locked file: a writer, so that
 * a sweep between its open and its lock costs nothing; a sweep, so that it never takes a later file of the same name. */
#ifndef TAMIS_CORE_STORE_TMP_H
#define TAMIS_CORE_STORE_TMP_H

#include "core/bytes.h"
#include "core/err.h"

#include <stdbool.h>

enum {
    STORE_TMP_SUFFIX = 104,     /* host name 64, pid 20, dots and "tmp" */
    STORE_STALE_SECONDS = 86400 /* nobody writes a part for a day without a write */
};

/* ".HOST.PID.tmp", or ".HOST." for pid 0. Characters of a host name that could upset a path become '_'. */
void store_tmp_suffix(char out[STORE_TMP_SUFFIX], long pid);

/* Whether a directory of ours can hold an object whose name, or the last part of it, is this. What others keep below is not ours to sweep. */
bool store_name_is_ours(Span name);

/* Makes the temporary, empty, and locks it. On failure *fd may be open and is the caller's to close. */
MUST_USE ErrCode store_tmp_open(const char *tmp, int *fd, Err *err);
/* The same where another name does as well: *taken, and no file, when something has that one. */
MUST_USE ErrCode store_tmp_new(const char *tmp, int *fd, bool *taken, Err *err);

/* Whether `path` is still the name of what `fd` has open: while a lock was waited for, a sweep may have deleted it or its writer
 * published it. */
bool store_tmp_is(const char *path, int fd);

#endif
