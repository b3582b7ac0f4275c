/* shards/look.h - what `tamis shards` looks at: a tokens directory, or one shard with the vocabulary two levels above it, if
 * there is one. Private to the verb. */
#ifndef TAMIS_SHARDS_LOOK_H
#define TAMIS_SHARDS_LOOK_H

#include "shards/shards.h"

typedef struct {
    const char *path;
    TokensDir *dir; /* or */
    Shard *file;
    const Vocab *vocab; /* NULL: none beside the file */
    Vocab *own_vocab;
} Look;

MUST_USE ErrCode look_open(Look *l, const char *path, Err *err);
void look_close(Look *l);

/* Streams of a directory; a file is one stream. */
uint32_t look_n_streams(const Look *l);
const char *look_stream(const Look *l, uint32_t stream); /* its name; the path of a file */
uint32_t look_n_shards(const Look *l, uint32_t stream);
uint64_t look_n_docs(const Look *l, uint32_t stream);
/* NULL when there is no memory. */
const char *look_shard_path(const Look *l, Arena *a, uint32_t stream, uint32_t shard);
/* Opens one of them, a file's anew; shard_close() ends it. */
MUST_USE ErrCode look_shard(const Look *l, uint32_t stream, uint32_t shard, Shard **s, Err *err);
/* The number of the stream of this name, which may be NULL for: any. */
MUST_USE ErrCode look_find(const Look *l, const char *name, uint32_t *begin, uint32_t *end, Err *err);

/* Documents [first, first + limit) of a stream, numbered through its shards. `each` stops the walk by an error. ERR_LIMIT
 * when `first` is behind the last one. */
typedef ErrCode (*LookEach)(void *ctx, const Shard *s, uint64_t number, const ShardDoc *doc, uint64_t begin,
                            uint64_t end, Err *err);
MUST_USE ErrCode look_docs(const Look *l, uint32_t stream, uint64_t first, uint64_t limit, LookEach each, void *ctx,
                           Err *err);

/* --- showing bytes of unknown origin: what moves the cursor or is not UTF-8 becomes \xNN; '\n' and '\t' stay when `lines`. */
void look_put_text(Buf *out, Span text, bool lines);

typedef struct {
    bool color, tokens;
    uint32_t max_tokens; /* of one document; 0: all */
} ShowStyle;
/* One document on stdout: a head line, then its tokens. */
MUST_USE ErrCode look_show(const Shard *s, const Vocab *v, uint64_t number, const ShardDoc *doc, uint64_t begin,
                           uint64_t end, const ShowStyle *style, Err *err);

/* --- the subcommands */
typedef struct {
    const char *stream;
    bool has_doc;
    uint64_t doc;
    uint32_t limit;
    ShowStyle style;
    bool ids, json;
    const char *list; /* of ids; find, remove */
} LookOptions;
MUST_USE ErrCode look_inspect(const Look *l, const LookOptions *o, Err *err);
MUST_USE ErrCode look_cat(const Look *l, const LookOptions *o, Err *err);

#endif
