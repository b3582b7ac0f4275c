/* shards/tokens_format.h - what the writer and the reader of a tokens directory's manifest share. */
#ifndef TAMIS_SHARDS_TOKENS_FORMAT_H
#define TAMIS_SHARDS_TOKENS_FORMAT_H

#include "shards/shards.h"

#define TOKENS_FORMAT "tamis-tokens"
enum { TOKENS_VERSION = 1, TOKENS_MAX_MANIFEST = 256 << 20 /* 10^6 shards */ };

bool stream_name_ok(const char *name);
/* DIR/STREAM/shard-%06u.tok; NULL when there is no memory. */
const char *tokens_path(Arena *a, const char *dir, const char *stream, uint32_t shard);
/* The content of a directory: XXH3-128 of tokenizer_id, then of each stream its name and number of shards and of each
 * shard its content. */
void tokens_hash_stream(HashStream *h, const char *name, uint32_t n_shards);
void tokens_hash_id(HashStream *h, Hash128 id);

#endif
