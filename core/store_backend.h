/* core/store_backend.h - private to core/store*.c: what a kind of storage must be able to do. store.c picks one by the
 * scheme of a path; each function does what the one of nearly its name in store.h says. */
#ifndef TAMIS_CORE_STORE_BACKEND_H
#define TAMIS_CORE_STORE_BACKEND_H

#include "core/store.h"

typedef struct StoreBackend {
    const char *scheme; /* "s3://"; "" for paths without one */
    ErrCode (*in_open)(InFile **f, const char *path, Err *err);
    ErrCode (*in_read)(InFile *f, uint64_t offset, void *out, size_t n,
                       Err *err); /* the range is inside the object */
    void (*in_close)(InFile *f);
    ErrCode (*read)(const char *path, size_t max_bytes, Buf *out, Err *err);
    ErrCode (*is_dir)(const char *path, bool *is_dir, Err *err);
    ErrCode (*exists)(const char *path, bool *exists, Err *err);
    ErrCode (*size)(const char *path, uint64_t *bytes, Err *err);
    ErrCode (*list)(const char *dir, StoreList *out, Err *err);
    ErrCode (*resolve)(Arena *a, const char *path, char **out, Err *err);

    /* NULL from here on where nothing can be written. */
    ErrCode (*out_open)(OutFile **f, const char *path, Err *err);
    ErrCode (*out_put)(OutFile *f, const void *p, size_t n, Err *err);
    ErrCode (*out_patch)(OutFile *f, uint64_t offset, const void *p, size_t n, Err *err); /* the range was put */
    ErrCode (*out_commit)(OutFile *f, Err *err);                                          /* frees in any case */
    void (*out_abandon)(OutFile *f);
    ErrCode (*create)(const char *path, Span bytes, bool *created, Err *err); /* after exists() said no */
    ErrCode (*mkdirs)(const char *path, Err *err);
    ErrCode (*delete)(const char *path, Err *err);
    ErrCode (*delete_tree)(const char *path, int depth, Err *err);
    ErrCode (*sweep)(const char *dir, int depth, Err *err);
} StoreBackend;

/* What every back end's own InFile and OutFile begin with. */
struct InFile {
    const StoreBackend *backend;
    uint64_t size;
    char *path;
};
struct OutFile {
    const StoreBackend *backend;
    uint64_t size; /* bytes put so far */
    Err failed;    /* of the first write that failed: the file can only be abandoned */
    bool is_part;  /* its name need not last before a later one's in the directory */
    char *path;
};

extern const StoreBackend store_posix;
#ifdef TAMIS_CURL
extern const StoreBackend store_s3, store_http, store_https;
#endif

#endif
