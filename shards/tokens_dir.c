#include "core/store.h"
#include "shards/tokens_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    StreamInfo info;
    Shard **shard;
    uint64_t *first; /* n_shards + 1: the first token of each shard in the stream, then n_tokens */
} Stream;

struct TokensDir {
    Arena arena;
    Vocab *vocab;
    Stream *stream;
    uint32_t n_streams;
    uint64_t n_tokens, n_docs;
    Hash128 content, key;
    const char *dir;
};

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

void tokensdir_close(TokensDir *t)
{
    if (!t) return;
    for (uint32_t i = 0; i < t->n_streams; i++)
        for (uint32_t k = 0; t->stream[i].shard && k < t->stream[i].info.n_shards; k++)
            shard_close(t->stream[i].shard[k]);
    vocab_close(t->vocab);
    arena_clear(&t->arena);
    free(t);
}

/* Opens shard k of a stream and holds it against the manifest's entry and the vocabulary. */
static ErrCode open_shard(TokensDir *t, Stream *s, uint32_t k, const Json *entry, const char *manifest, Err *err)
{
    const char *path = tokens_path(&t->arena, t->dir, s->info.name, k), *content;
    uint64_t n_tokens, n_docs;
    Hash128 h;
    ErrCode rc;

    if (!path) return err_nomem(err, "a path");
    if ((rc = json_get_u64(entry, "n_tokens", 0, manifest, &n_tokens, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(entry, "n_docs", 0, manifest, &n_docs, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(entry, "content", manifest, &content, err)) != ERR_OK) return rc;
    if (!content || !hash128_parse(span_str(content), &h))
        return err_set(err, ERR_DATA, "%s: a shard without content", manifest);
    if ((rc = shard_open(&s->shard[k], path, err)) != ERR_OK) return rc;
    const ShardSpec *spec = shard_spec(s->shard[k]);
    if (spec->vocab_size != vocab_size(t->vocab) || spec->eos_id != vocab_eos(t->vocab) ||
        !hash128_eq(spec->tokenizer_id, vocab_tokenizer_id(t->vocab)))
        return err_set(err, ERR_DATA, "%s: made with another vocabulary than vocab.bin beside it", path);
    if (!hash128_eq(spec->key, t->key))
        return err_set(err, ERR_DATA, "%s: belongs to another run than %s", path, manifest);
    if (n_tokens != shard_n_tokens(s->shard[k]) || n_docs != shard_n_docs(s->shard[k]) ||
        !hash128_eq(h, shard_content(s->shard[k])))
        return err_set(err, ERR_DATA, "%s: not the shard that %s names", path, manifest);
    s->first[k + 1] =
        s->first[k] + n_tokens; /* 2^32 shards of 2^48 tokens could overflow; files that large cannot be */
    s->info.n_docs += n_docs;
    return ERR_OK;
}

static ErrCode open_stream(TokensDir *t, Stream *s, const Json *entry, const char *manifest, Err *err)
{
    const Json *shards = json_get(entry, "shards");
    uint64_t n_shards, n_tokens, n_docs;
    const char *name;
    ErrCode rc;

    if ((rc = json_get_str(entry, "name", manifest, &name, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(entry, "n_shards", 0, manifest, &n_shards, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(entry, "n_tokens", 0, manifest, &n_tokens, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(entry, "n_docs", 0, manifest, &n_docs, err)) != ERR_OK) return rc;
    if (!name || !stream_name_ok(name) || !shards || shards->type != JSON_ARRAY)
        return err_set(err, ERR_DATA, "%s: a stream without a safe name or without shards", manifest);
    for (const Stream *other = t->stream; other != s; other++)
        if (strcmp(other->info.name, name) == 0)
            return err_set(err, ERR_DATA, "%s: stream %s stands twice", manifest, name);
    s->shard = arena_array(&t->arena, shards->n, sizeof *s->shard);
    s->first = arena_array(&t->arena, (size_t)shards->n + 1, sizeof *s->first);
    if (!s->shard || !s->first) return err_nomem(err, "a stream");
    if (shards->n) memset(s->shard, 0, shards->n * sizeof *s->shard);
    s->first[0] = 0;
    s->info = (StreamInfo){.name = name, .n_shards = shards->n};
    uint32_t k = 0;
    for (const Json *e = shards->child; e; e = e->next, k++)
        if ((rc = open_shard(t, s, k, e, manifest, err)) != ERR_OK) return rc;
    s->info.n_tokens = s->first[shards->n];
    if (n_shards != shards->n || n_tokens != s->info.n_tokens || n_docs != s->info.n_docs)
        return err_set(err, ERR_DATA, "%s: the counts of stream %s are not those of its shards", manifest, name);
    t->n_tokens += s->info.n_tokens;
    t->n_docs += s->info.n_docs;
    return ERR_OK;
}

/* The hash of the directory, recomputed from what its shards say of themselves. */
static ErrCode check_content(const TokensDir *t, const char *path, Err *err)
{
    HashStream *h;
    ErrCode rc = hashstream_new(&h, err);

    if (rc != ERR_OK) return rc;
    tokens_hash_id(h, vocab_tokenizer_id(t->vocab));
    for (uint32_t i = 0; i < t->n_streams; i++) {
        tokens_hash_stream(h, t->stream[i].info.name, t->stream[i].info.n_shards);
        for (uint32_t k = 0; k < t->stream[i].info.n_shards; k++)
            tokens_hash_id(h, shard_content(t->stream[i].shard[k]));
    }
    bool same = hash128_eq(hashstream_digest(h), t->content);
    hashstream_free(h);
    return same ? ERR_OK : err_set(err, ERR_DATA, "%s: its content is not the hash of its shards", path);
}

/* Manifest and vocab.bin must mean the same vocabulary. */
static ErrCode check_vocab(const TokensDir *t, const Json *m, const char *path, Err *err)
{
    uint64_t size, eos;
    const char *id;
    Hash128 h;
    ErrCode rc;

    if ((rc = json_get_u64(m, "vocab_size", 0, path, &size, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(m, "eos_id", UINT64_MAX, path, &eos, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(m, "tokenizer_id", path, &id, err)) != ERR_OK) return rc;
    if (size == vocab_size(t->vocab) && eos == vocab_eos(t->vocab) && id && hash128_parse(span_str(id), &h) &&
        hash128_eq(h, vocab_tokenizer_id(t->vocab)))
        return ERR_OK;
    return err_set(err, ERR_DATA, "%s: names another vocabulary than vocab.bin beside it", path);
}

static ErrCode read_manifest(TokensDir *t, const Json *m, const char *path, Err *err)
{
    const Json *streams = json_get(m, "streams");
    const char *format, *key, *content;
    uint64_t version, n_tokens, n_docs;
    ErrCode rc;

    if ((rc = json_get_str(m, "format", path, &format, err)) != ERR_OK) return rc;
    if (!format || strcmp(format, TOKENS_FORMAT) != 0)
        return err_set(err, ERR_DATA, "%s: not the manifest of a tokens directory", path);
    if ((rc = json_get_u64(m, "version", 0, path, &version, err)) != ERR_OK) return rc;
    if (version != TOKENS_VERSION)
        return err_set(err, ERR_DATA, "%s: tokens directory version %" PRIu64 "; this program knows %d", path,
                       version, TOKENS_VERSION);
    if ((rc = check_vocab(t, m, path, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(m, "key", path, &key, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(m, "content", path, &content, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(m, "n_tokens", 0, path, &n_tokens, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(m, "n_docs", 0, path, &n_docs, err)) != ERR_OK) return rc;
    if (!key || !hash128_parse(span_str(key), &t->key) || !content ||
        !hash128_parse(span_str(content), &t->content) || !streams || streams->type != JSON_ARRAY ||
        streams->n > SHARD_MAX_STREAMS)
        return err_set(err, ERR_DATA, "%s: key, content or streams are missing or wrong", path);
    t->stream = arena_array(&t->arena, streams->n, sizeof *t->stream);
    if (!t->stream) return err_nomem(err, "streams");
    if (streams->n) memset(t->stream, 0, streams->n * sizeof *t->stream);
    for (const Json *e = streams->child; e; e = e->next)
        if ((rc = open_stream(t, &t->stream[t->n_streams++], e, path, err)) != ERR_OK) return rc;
    if (n_tokens != t->n_tokens || n_docs != t->n_docs)
        return err_set(err, ERR_DATA, "%s: its totals are not the sum of its shards", path);
    return check_content(t, path, err);
}

ErrCode tokensdir_open(TokensDir **out, const char *dir, Err *err)
{
    TokensDir *t = calloc(1, sizeof *t);
    const char *path, *vocab;
    Buf text = {0};
    Json *manifest;
    bool exists;
    ErrCode rc;

    *out = NULL;
    if (!t) return err_nomem(err, "a tokens directory");
    t->dir = arena_str(&t->arena, span_str(dir));
    path = path_join(&t->arena, dir, "manifest.json");
    vocab = path_join(&t->arena, dir, "vocab.bin");
    if (!t->dir || !path || !vocab) {
        rc = err_nomem(err, "a tokens directory");
        goto out;
    }
    if ((rc = store_exists(dir, &exists, err)) != ERR_OK) goto out;
    if (!exists) {
        rc = err_set(err, ERR_SYS, "%s does not exist", dir);
        goto out;
    }
    if ((rc = store_exists(path, &exists, err)) != ERR_OK) goto out;
    if (!exists) {
        rc = err_set(err, ERR_DATA, "%s is not a complete tokens directory: it has no manifest.json", dir);
        goto out;
    }
    if ((rc = store_read(path, TOKENS_MAX_MANIFEST, &text, err)) != ERR_OK) goto out;
    if ((rc = json_parse(&t->arena, buf_span(&text), path, &manifest, err)) != ERR_OK) goto out;
    if ((rc = vocab_open(&t->vocab, vocab, err)) != ERR_OK) goto out;
    rc = read_manifest(t, manifest, path, err);
out:
    buf_clear(&text);
    if (rc == ERR_OK)
        *out = t;
    else
        tokensdir_close(t);
    return rc;
}

uint32_t tokensdir_n_streams(const TokensDir *t) { return t->n_streams; }
const StreamInfo *tokensdir_stream(const TokensDir *t, uint32_t stream) { return &t->stream[stream].info; }
const Shard *tokensdir_shard(const TokensDir *t, uint32_t stream, uint32_t shard)
{
    return t->stream[stream].shard[shard];
}
const Vocab *tokensdir_vocab(const TokensDir *t) { return t->vocab; }
uint64_t tokensdir_n_tokens(const TokensDir *t) { return t->n_tokens; }
Hash128 tokensdir_content(const TokensDir *t) { return t->content; }

void tokensdir_locate(const TokensDir *t, uint32_t stream, uint64_t at, uint32_t *shard, uint64_t *local)
{
    const Stream *s = &t->stream[stream];
    uint32_t low = 0, high = s->info.n_shards; /* first[low] <= at < first[high] */

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (s->first[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    *shard = low;
    *local = at - s->first[low];
}

ErrCode tokensdir_read(const TokensDir *t, uint32_t stream, uint64_t first, size_t n, uint32_t *out, Err *err)
{
    const Stream *s = &t->stream[stream];
    uint64_t local;
    uint32_t k;

    if (first > s->info.n_tokens || n > s->info.n_tokens - first)
        return err_set(err, ERR_LIMIT, "%s: stream %s has %" PRIu64 " tokens; %zu from %" PRIu64 " asked for", t->dir,
                       s->info.name, s->info.n_tokens, n, first);
    while (n) {
        tokensdir_locate(t, stream, first, &k, &local);
        uint64_t there = s->first[k + 1] - first;
        size_t take = n < there ? n : (size_t)there;
        ErrCode rc = shard_read(s->shard[k], local, take, out, err);
        if (rc != ERR_OK) return rc;
        out += take;
        first += take;
        n -= take;
    }
    return ERR_OK;
}
