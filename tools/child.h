/* tools/child.h - other programs of ours as child processes: the verbs of this very binary, and tamis-train.
 *
 * A child dies with its parent (Linux: PR_SET_PDEATHSIG), so that `kill -9` of a run leaves no stage behind that would
 * write beside the next run's. SIGTERM, SIGINT and SIGHUP that reach the parent are passed on as SIGTERM, and the
 * child is waited for: it ends with status 6 where it can resume. */
#ifndef TAMIS_TOOLS_CHILD_H
#define TAMIS_TOOLS_CHILD_H

#include "core/buf.h"

/* The path of this very binary, for exec. */
#define CHILD_SELF "/proc/self/exe"

/* Runs `path` (a path, or a name to be found in PATH) with argv (NULL behind the last) to its end. *status is its exit
 * status; a child killed by a signal counts as 3, or 6 when the signal was one we had passed on. `interrupted` (may be
 * NULL) says whether we were asked to stop meanwhile. ERR_SYS when it could not be started. One thread only. */
MUST_USE ErrCode child_run(const char *path, const char *const *argv, int *status, bool *interrupted, Err *err);

/* The same, with nothing to read and stdout (CHILD_BOTH: stderr too) into `out` (appended; ERR_LIMIT past max_bytes). For
 * children that only print: one that prints too much is killed, and so is one during which we are asked to stop (ERR_INTR). */
typedef enum { CHILD_STDOUT, CHILD_BOTH } ChildStreams;
MUST_USE ErrCode child_capture(const char *path, const char *const *argv, ChildStreams streams, size_t max_bytes,
                               Buf *out, int *status, Err *err);

/* Where tamis-train is: beside this binary, else in train/ beside it (a build tree), else its bare name for PATH. */
MUST_USE ErrCode child_find_trainer(Arena *a, const char **path, Err *err);

#endif
