/* core/store_remote.h - private to core/store*.c: the reading half of the back ends that are met over HTTP. */
#ifndef TAMIS_CORE_STORE_REMOTE_H
#define TAMIS_CORE_STORE_REMOTE_H

#include "core/store_backend.h"

/* Opening asks for size and ETag; a read is one request for its range, of that ETag, and small ones are served together. */
MUST_USE ErrCode remote_in_open(const StoreBackend *backend, InFile **f, const char *path, Err *err);
MUST_USE ErrCode remote_in_read(InFile *f, uint64_t offset, void *out, size_t n, Err *err);
void remote_in_close(InFile *f);
MUST_USE ErrCode remote_read(const char *path, size_t max_bytes, Buf *out, Err *err);
MUST_USE ErrCode remote_size(const char *path, uint64_t *bytes, Err *err);

#endif
