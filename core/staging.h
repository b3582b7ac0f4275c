/* core/staging.h - remote objects on a disk of this machine before they are needed: whole, each a file of its own, fetched
 * ahead by threads, in the order in which they will be read, and gone once read.
 *
 * Files are DIR/stage-N.HOST.PID.tmp, made and locked as the store's temporaries are (store_tmp.h), so that store_sweep() of
 * DIR takes what a killed process left. A body that breaks off is resumed where it broke (fetch.h). What has arrived is checked: its length
 * against the size it was announced with, its MD5 where Amazon's ETag is one (elsewhere an ETag that looks like one and differs is a warning); once wrong it is fetched again, twice
 * wrong it is an error.
 *
 * At most `depth` objects and max_bytes are fetched ahead of the one being read; that one itself is always fetched. A disk that is
 * full stops nothing: what was fetched ahead makes room, then what others read once they are done, and only an object that does not
 * fit alone is an error. So no thread may wait for an object while it reads another. */
#ifndef TAMIS_CORE_STAGING_H
#define TAMIS_CORE_STAGING_H

#include "core/store.h"

typedef struct {
    const char *dir;    /* made if absent; NULL: $TMPDIR, else /tmp */
    uint32_t depth;     /* 1 .. STAGING_MAX_DEPTH */
    uint64_t max_bytes; /* 0: no bound but depth */
} StagingParams;
enum { STAGING_MAX_DEPTH = 64 };

typedef struct {
    const char *path; /* of the object; borrowed during the call */
    uint64_t size;
} StagingObject;

typedef struct Staging Staging;
MUST_USE ErrCode staging_open(Staging **s, const StagingParams *params, Err *err);
/* Ends fetching, deletes the files. NULL is fine. */
void staging_close(Staging *s);

/* What will be read, in this order, from now on: at most depth + 1 objects, none twice. What is not among them and not being read goes. */
MUST_USE ErrCode staging_expect(Staging *s, const StagingObject *object, size_t n, Err *err);
/* Waits for an object of those expected. *local is its file until staging_done(). */
MUST_USE ErrCode staging_take(Staging *s, const char *path, const char **local, Err *err);
void staging_done(Staging *s, const char *path);

#endif
