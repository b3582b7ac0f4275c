/* shards/shard_map.h - a file as memory; one of an object store is copied to store_local_dir() first, without a name there. A file cut short while it is mapped kills the reader (SIGBUS); ours are
 * published whole and never changed. */
#ifndef TAMIS_SHARDS_SHARD_MAP_H
#define TAMIS_SHARDS_SHARD_MAP_H

#include "core/bytes.h"
#include "core/err.h"

/* The bytes of a regular file; an empty one has p NULL. */
MUST_USE ErrCode shard_map(const char *path, Span *bytes, Err *err);
void shard_unmap(Span bytes);

#endif
