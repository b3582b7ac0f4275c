/* core/store.h - files as whole objects: read a range, publish all or nothing, create if absent, list, delete.
 *
 * Callers never see a rename or an open file that others could read half-written. The scheme of a path says where it is:
 *   PATH              a mounted file system (POSIX): publishing writes NAME.HOST.PID.tmp beside the target, then fsync, rename,
 *                     fsync of the directory, so a final name means a finished object
 *   s3://BUCKET/KEY   an object store that speaks S3 (store_s3.h): one PUT, or parts that a last request makes one object;
 *                     directories are what keys have before a '/', and need no making
 *   http(s)://…       one object of a web server: read only, no directories
 * Paths are C strings. */
#ifndef TAMIS_CORE_STORE_H
#define TAMIS_CORE_STORE_H

#include "core/buf.h"

/* --- reading */
typedef struct InFile InFile;
MUST_USE ErrCode infile_open(InFile **f, const char *path, Err *err);
void infile_close(InFile *f);
uint64_t infile_size(const InFile *f);
const char *infile_path(const InFile *f);
/* Exactly n bytes at offset, else ERR_DATA "truncated" (past the end) or ERR_SYS. Any number of threads. */
MUST_USE ErrCode infile_read(InFile *f, uint64_t offset, void *out, size_t n, Err *err);
/* A whole object of at most max_bytes (ERR_LIMIT beyond). Appends to out. */
MUST_USE ErrCode store_read(const char *path, size_t max_bytes, Buf *out, Err *err);

/* --- publishing */
typedef struct OutFile OutFile;
MUST_USE ErrCode outfile_open(OutFile **f, const char *path, Err *err);
MUST_USE ErrCode outfile_put(OutFile *f, const void *p, size_t n, Err *err);
uint64_t outfile_size(const OutFile *f); /* bytes put so far */
/* Overwrites bytes already put, among the first STORE_PATCH_BYTES: for a header whose fields are known last. */
enum { STORE_PATCH_BYTES = 16 << 20 };
MUST_USE ErrCode outfile_patch(OutFile *f, uint64_t offset, const void *p, size_t n, Err *err);
/* Publishes for good and frees. On success and on failure *f becomes NULL. On failure what was put is gone, but for one case: when the last
 * step fails (the sync of the directory, the answer of an object store), the object may stand under its name, whole. So may
 * store_create()'s. */
MUST_USE ErrCode outfile_commit(OutFile **f, Err *err);
/* The same for one of many objects of a directory that count only together with a last one, published by outfile_commit(): its bytes
 * are on the disk, its name may wait for that one's. Saves a sync of the directory each. */
MUST_USE ErrCode outfile_commit_part(OutFile **f, Err *err);
void outfile_abandon(OutFile *f);                                     /* NULL is fine; drops what was put, frees */
MUST_USE ErrCode store_write(const char *path, Span bytes, Err *err); /* publish in one call */
/* Publishes only if nothing has that name (link(2), If-None-Match); *created says whether this call did. */
MUST_USE ErrCode store_create(const char *path, Span bytes, bool *created, Err *err);

/* --- names */
MUST_USE ErrCode store_mkdirs(const char *path, Err *err);
/* *exists false also when a parent is missing. */
MUST_USE ErrCode store_exists(const char *path, bool *exists, Err *err);
MUST_USE ErrCode store_is_dir(const char *path, bool *is_dir, Err *err);
MUST_USE ErrCode store_size(const char *path, uint64_t *bytes, Err *err);
/* A number that changes when a file is written to or replaced, the same on all hosts. 0: absent, or remote, where only reading tells. */
uint64_t store_stamp(const char *path);
MUST_USE ErrCode store_delete(const char *path, Err *err); /* absent is fine */
/* Removes a directory with what is in it, at most `depth` levels below it. Absent is fine. */
MUST_USE ErrCode store_delete_tree(const char *path, int depth, Err *err);

#define STORE_DIR UINT64_MAX
typedef struct {
    char **name;    /* base names sorted by bytes, without "." and ".." */
    uint64_t *size; /* of each object, STORE_DIR of a directory; NULL where listing does not tell */
    size_t n;
    Arena arena;
} StoreList;
MUST_USE ErrCode store_list(const char *dir, StoreList *out, Err *err);
void storelist_clear(StoreList *l);

/* Deletes what dead writers left in `dir` and in directories at most `depth` levels below it, never what a live one writes, be
 * it in another container: temporaries (*.HOST.PID.tmp) of this host; of other hosts those that nobody holds and nobody wrote to for a day; uploads
 * to which nothing came for a day. Of the last two kinds only what has a name of ours. Absent is fine. */
MUST_USE ErrCode store_sweep(const char *dir, int depth, Err *err);

/* The one name of what is there, however `path` leads to it: absolute, without links, "." and "..". */
MUST_USE ErrCode store_resolve(Arena *a, const char *path, char **out, Err *err);
bool store_is_remote(const char *path);  /* s3://, http://, https:// */
bool path_is_absolute(const char *path); /* or remote */
/* `dir` where a process can have files for itself there, else (NULL, remote) $TMPDIR, else /tmp. */
const char *store_local_dir(const char *dir);

/* "DIR/NAME" into an arena; NULL when there is no memory. */
char *path_join(Arena *a, const char *dir, const char *name);
/* This host's name as it stands in names of files: characters that could upset a path are '_'. */
void store_host_name(char out[65]);
/* The part behind the last '/'. */
const char *path_base(const char *path);

#endif
