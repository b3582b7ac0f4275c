#include "shards/look.h"

#include "core/store.h"
#include "shards/tokens_format.h"

#include <inttypes.h>

/* vocab.bin of the tokens directory that a shard DIR/STREAM/shard-000000.tok stands in. */
static ErrCode open_vocab_beside(Look *l, Err *err)
{
    const char *base = path_base(l->path);
    Buf path = {0};
    bool exists = false;
    ErrCode rc;

    buf_put(&path, l->path, (size_t)(base - l->path));
    buf_puts(&path, "../vocab.bin");
    if (!buf_cstr(&path)) {
        rc = err_nomem(err, "a path");
    } else if ((rc = store_exists((const char *)path.p, &exists, err)) == ERR_OK && exists) {
        rc = vocab_open(&l->own_vocab, (const char *)path.p, err);
        if (rc == ERR_OK && !hash128_eq(vocab_tokenizer_id(l->own_vocab), shard_spec(l->file)->tokenizer_id))
            rc = err_set(err, ERR_DATA, "%s: made with another vocabulary than %s", l->path, (const char *)path.p);
        l->vocab = l->own_vocab;
    }
    buf_clear(&path);
    return rc;
}

ErrCode look_open(Look *l, const char *path, Err *err)
{
    bool is_dir;
    ErrCode rc;

    *l = (Look){.path = path};
    if ((rc = store_is_dir(path, &is_dir, err)) != ERR_OK) return rc;
    if (is_dir) {
        rc = tokensdir_manifest(&l->dir, path, err); /* a shard is opened when it is looked at */
        if (rc == ERR_OK) l->vocab = tokensdir_vocab(l->dir);
    } else if ((rc = shard_open(&l->file, path, err)) == ERR_OK) {
        rc = open_vocab_beside(l, err);
    }
    if (rc != ERR_OK) look_close(l);
    return rc;
}

void look_close(Look *l)
{
    tokensdir_close(l->dir);
    shard_close(l->file);
    vocab_close(l->own_vocab);
    *l = (Look){0};
}

uint32_t look_n_streams(const Look *l) { return l->dir ? tokensdir_n_streams(l->dir) : 1; }
const char *look_stream(const Look *l, uint32_t stream)
{
    return l->dir ? tokensdir_stream(l->dir, stream)->name : l->path;
}
uint32_t look_n_shards(const Look *l, uint32_t stream)
{
    return l->dir ? tokensdir_stream(l->dir, stream)->n_shards : 1;
}
uint64_t look_n_docs(const Look *l, uint32_t stream)
{
    return l->dir ? tokensdir_stream(l->dir, stream)->n_docs : shard_n_docs(l->file);
}
const char *look_shard_path(const Look *l, Arena *a, uint32_t stream, uint32_t shard)
{
    return l->dir ? tokens_path(a, l->path, look_stream(l, stream), shard) : l->path;
}
ErrCode look_shard(const Look *l, uint32_t stream, uint32_t shard, Shard **s, Err *err)
{
    return l->dir ? tokensdir_shard(l->dir, stream, shard, s, err) : shard_open(s, l->path, err);
}

ErrCode look_find(const Look *l, const char *name, uint32_t *begin, uint32_t *end, Err *err)
{
    *begin = 0;
    *end = look_n_streams(l);
    if (!name) return ERR_OK;
    for (uint32_t i = 0; i < *end; i++) {
        if (!l->dir || strcmp(look_stream(l, i), name) != 0) continue;
        *begin = i;
        *end = i + 1;
        return ERR_OK;
    }
    return err_set(err, ERR_USAGE, "%s has no stream %s", l->path, name);
}

ErrCode look_docs(const Look *l, uint32_t stream, uint64_t first, uint64_t limit, LookEach each, void *ctx, Err *err)
{
    uint64_t before = 0; /* documents of earlier shards */

    for (uint32_t k = 0; k < look_n_shards(l, stream) && (limit > 0 || before <= first); k++) {
        Shard *s;
        ErrCode rc = look_shard(l, stream, k, &s, err);
        if (rc != ERR_OK) return rc;
        const uint64_t n = shard_n_docs(s);
        for (uint64_t d = first > before ? first - before : 0; rc == ERR_OK && d < n && limit > 0; d++, limit--) {
            uint64_t begin, end;
            ShardDoc doc;
            rc = shard_doc(s, d, &doc, &begin, &end, err);
            if (rc == ERR_OK) rc = each(ctx, s, before + d, &doc, begin, end, err);
        }
        shard_close(s);
        if (rc != ERR_OK) return rc;
        before += n;
    }
    if (first > 0 && first >= before)
        return err_set(err, ERR_LIMIT, "%s: document %" PRIu64 " asked for; it has %" PRIu64, look_stream(l, stream),
                       first, before);
    return ERR_OK;
}
