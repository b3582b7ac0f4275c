#include "shards/tokens_format.h"

#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>

bool stream_name(Span domain, char out[STREAM_NAME_MAX + 1])
{
    if (domain.n == 0 || domain.n > STREAM_NAME_MAX) return false;
    for (size_t i = 0; i < domain.n; i++) {
        uint8_t c = domain.p[i];
        bool safe = ascii_is_alnum(c) || c == '-' || c == '_' || (c == '.' && i > 0);
        out[i] = safe ? (char)c : '_';
    }
    out[domain.n] = 0;
    return true;
}

bool stream_name_ok(const char *name)
{
    char safe[STREAM_NAME_MAX + 1];

    return stream_name(span_str(name), safe) && strcmp(name, safe) == 0;
}

void tokens_hash_stream(HashStream *h, const char *name, uint32_t n_shards)
{
    uint8_t count[4];

    le32_put(count, n_shards);
    hashstream_add(h, (Span){(const uint8_t *)name, strlen(name) + 1});
    hashstream_add(h, (Span){count, sizeof count});
}

void tokens_hash_id(HashStream *h, Hash128 id)
{
    uint8_t bytes[16];

    hash128_put(bytes, id);
    hashstream_add(h, (Span){bytes, sizeof bytes});
}

const char *tokens_path(Arena *a, const char *dir, const char *stream, uint32_t shard)
{
    char name[STREAM_NAME_MAX + 32];

    snprintf(name, sizeof name, "%s/shard-%06" PRIu32 ".tok", stream, shard);
    return path_join(a, dir, name);
}
