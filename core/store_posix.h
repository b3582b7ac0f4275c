/* core/store_posix.h - private to core/store_posix*.c: what the two halves of the POSIX back end share. */
#ifndef TAMIS_CORE_STORE_POSIX_H
#define TAMIS_CORE_STORE_POSIX_H

#include "core/store_backend.h"

MUST_USE ErrCode posix_mkdirs(const char *path, Err *err);
MUST_USE ErrCode posix_exists(const char *path, bool *exists, Err *err);
MUST_USE ErrCode posix_is_dir(const char *path, bool *is_dir, Err *err);
MUST_USE ErrCode posix_size(const char *path, uint64_t *bytes, Err *err);
MUST_USE ErrCode posix_delete(const char *path, Err *err);
MUST_USE ErrCode posix_delete_tree(const char *path, int depth, Err *err);
MUST_USE ErrCode posix_list(const char *dir, StoreList *out, Err *err);
MUST_USE ErrCode posix_sweep(const char *dir, int depth, Err *err);
MUST_USE ErrCode posix_resolve(Arena *a, const char *path, char **out, Err *err);

#endif
