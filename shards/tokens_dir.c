#include "core/store.h"
#include "shards/stream_names.h"
#include "shards/tokens_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What the manifest says of one shard. */
typedef struct {
    uint64_t first; /* its first token in the stream */
    uint64_t n_docs;
    Hash128 content;
} ShardInfo;

typedef struct {
    StreamInfo info;
    uint64_t number;  /* of its shard 0 among all shards */
    ShardInfo *shard; /* n_shards, then one more whose `first` is n_tokens */
} Stream;

/* Shards stay mapped from one read to the next, in the slot number % MAPPED_SHARDS: a directory may have more shards
 * than the system lets a process map (Linux: 65530, vm.max_map_count). */
enum { MAPPED_SHARDS = 4096 };
typedef struct {
    uint64_t number;
    Shard *shard; /* NULL: free */
} Mapped;

struct TokensDir {
    Arena arena;
    Vocab *vocab;
    Stream *stream;
    uint32_t n_streams;
    uint64_t n_shards, n_tokens, n_docs;
    Hash128 content, key;
    const char *dir;
    Mapped *mapped;
};

void tokensdir_close(TokensDir *t)
{
    if (!t) return;
    for (size_t i = 0; t->mapped && i < MAPPED_SHARDS; i++) shard_close(t->mapped[i].shard);
    free(t->mapped);
    vocab_close(t->vocab);
    arena_clear(&t->arena);
    free(t);
}

/* --- shards */

/* Holds an open shard against the manifest's entry and the vocabulary. */
static ErrCode check_shard(const TokensDir *t, const ShardInfo *info, const Shard *s, const char *path, Err *err)
{
    const ShardSpec *spec = shard_spec(s);

    if (spec->vocab_size != vocab_size(t->vocab) || spec->eos_id != vocab_eos(t->vocab) ||
        !hash128_eq(spec->tokenizer_id, vocab_tokenizer_id(t->vocab)))
        return err_set(err, ERR_DATA, "%s: made with another vocabulary than vocab.bin beside it", path);
    if (!hash128_eq(spec->key, t->key))
        return err_set(err, ERR_DATA, "%s: belongs to another run than %s/manifest.json", path, t->dir);
    if (info[1].first - info->first != shard_n_tokens(s) || info->n_docs != shard_n_docs(s) ||
        !hash128_eq(info->content, shard_content(s)))
        return err_set(err, ERR_DATA, "%s: not the shard that %s/manifest.json names", path, t->dir);
    return ERR_OK;
}

ErrCode tokensdir_shard(const TokensDir *t, uint32_t stream, uint32_t shard, Shard **out, Err *err)
{
    const Stream *s = &t->stream[stream];
    Arena arena = {0};
    const char *path = tokens_path(&arena, t->dir, s->info.name, shard);
    ErrCode rc = path ? shard_open(out, path, err) : err_nomem(err, "a path");

    if (rc == ERR_OK && (rc = check_shard(t, &s->shard[shard], *out, path, err)) != ERR_OK) shard_close(*out);
    if (rc != ERR_OK) *out = NULL;
    arena_clear(&arena);
    return rc;
}

/* The same, but it stays open until its slot is wanted for another. */
static ErrCode mapped_shard(const TokensDir *t, uint32_t stream, uint32_t shard, const Shard **out, Err *err)
{
    const uint64_t number = t->stream[stream].number + shard;
    Mapped *m = &t->mapped[number % MAPPED_SHARDS];
    ErrCode rc = ERR_OK;

    if (!m->shard || m->number != number) {
        shard_close(m->shard);
        rc = tokensdir_shard(t, stream, shard, &m->shard, err);
        m->number = number;
    }
    *out = m->shard;
    return rc;
}

/* --- the manifest */

static ErrCode read_shard(ShardInfo *info, const Json *entry, const char *manifest, Err *err)
{
    const char *content;
    uint64_t n_tokens;
    ErrCode rc;

    if ((rc = json_get_u64(entry, "n_tokens", 0, manifest, &n_tokens, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(entry, "n_docs", 0, manifest, &info->n_docs, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(entry, "content", manifest, &content, err)) != ERR_OK) return rc;
    if (!content || !hash128_parse(span_str(content), &info->content))
        return err_set(err, ERR_DATA, "%s: a shard without content", manifest);
    if (n_tokens > UINT64_MAX - info->first || info->n_docs > n_tokens)
        return err_set(err, ERR_DATA, "%s: counts of a shard that cannot be", manifest);
    info[1].first = info->first + n_tokens;
    return ERR_OK;
}

static ErrCode read_stream(TokensDir *t, Stream *s, const Json *entry, const char *manifest, Err *err)
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
    s->shard = arena_array(&t->arena, (size_t)shards->n + 1, sizeof *s->shard);
    if (!s->shard) return err_nomem(err, "a stream");
    s->shard[0].first = 0;
    s->info = (StreamInfo){.name = name, .n_shards = shards->n};
    s->number = t->n_shards;
    uint32_t k = 0;
    for (const Json *e = shards->child; e; e = e->next, k++) {
        if ((rc = read_shard(&s->shard[k], e, manifest, err)) != ERR_OK) return rc;
        s->info.n_docs += s->shard[k].n_docs;
    }
    s->info.n_tokens = s->shard[shards->n].first;
    if (n_shards != shards->n || n_tokens != s->info.n_tokens || n_docs != s->info.n_docs)
        return err_set(err, ERR_DATA, "%s: the counts of stream %s are not those of its shards", manifest, name);
    if (s->info.n_tokens > UINT64_MAX - t->n_tokens)
        return err_set(err, ERR_DATA, "%s: more tokens than can be counted", manifest);
    t->n_shards += shards->n;
    t->n_tokens += s->info.n_tokens;
    t->n_docs += s->info.n_docs;
    return ERR_OK;
}

static const char *name_of(const void *ctx, uint32_t stream) { return ((const Stream *)ctx)[stream].info.name; }

static ErrCode check_names(TokensDir *t, const char *path, Err *err)
{
    StreamNames names;
    ErrCode rc = streamnames_sort(&names, &t->arena, name_of, t->stream, t->n_streams, err);
    const char *twice = rc == ERR_OK ? streamnames_twice(&names) : NULL;

    return twice ? err_set(err, ERR_DATA, "%s: stream %s stands twice", path, twice) : rc;
}

/* The hash of the directory, recomputed from those of its shards. */
static ErrCode check_content(const TokensDir *t, const char *path, Err *err)
{
    HashStream *h;
    ErrCode rc = hashstream_new(&h, err);

    if (rc != ERR_OK) return rc;
    tokens_hash_id(h, vocab_tokenizer_id(t->vocab));
    for (uint32_t i = 0; i < t->n_streams; i++) {
        tokens_hash_stream(h, t->stream[i].info.name, t->stream[i].info.n_shards);
        for (uint32_t k = 0; k < t->stream[i].info.n_shards; k++) tokens_hash_id(h, t->stream[i].shard[k].content);
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
    const char *key, *content;
    uint64_t version, n_tokens, n_docs;
    ErrCode rc;

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
        if ((rc = read_stream(t, &t->stream[t->n_streams++], e, path, err)) != ERR_OK) return rc;
    if (n_tokens != t->n_tokens || n_docs != t->n_docs)
        return err_set(err, ERR_DATA, "%s: its totals are not the sum of its shards", path);
    if ((rc = check_names(t, path, err)) != ERR_OK) return rc;
    return check_content(t, path, err);
}

/* --- opening */

/* DIR/NAME as a tree; *out is NULL when there is no such file. */
static ErrCode load_json(Arena *a, const char *dir, const char *name, const char **path, Json **out, Err *err)
{
    Buf text = {0};
    bool exists = false;
    ErrCode rc;

    *out = NULL;
    *path = path_join(a, dir, name);
    if (!*path) return err_nomem(err, "a path");
    if ((rc = store_exists(*path, &exists, err)) != ERR_OK || !exists) return rc;
    if ((rc = store_read(*path, TOKENS_MAX_MANIFEST, &text, err)) == ERR_OK)
        rc = json_parse(a, buf_span(&text), *path, out, err);
    buf_clear(&text);
    return rc;
}

/* What a directory is that lacks the manifest of a tokens directory, or vocab.bin. `other`: the manifest it has, or NULL. */
static ErrCode not_tokens(Arena *a, const char *dir, const Json *other, Err *err)
{
    const char *stage = NULL, *format, *path;
    bool exists, is_dir;
    Json *plan = NULL, *times = NULL;
    ErrCode rc;

    if ((rc = store_exists(dir, &exists, err)) != ERR_OK) return rc;
    if (!exists) return err_set(err, ERR_SYS, "%s does not exist", dir);
    if ((rc = store_is_dir(dir, &is_dir, err)) != ERR_OK) return rc;
    if (!is_dir) return err_set(err, ERR_DATA, "%s is a file, not a tokens directory", dir);
    if (!other && (rc = load_json(a, dir, "stage.json", &path, &plan, err)) != ERR_OK) return rc;
    if (!other && (rc = load_json(a, dir, "run.json", &path, &times, err)) != ERR_OK) return rc;
    if (times) return err_set(err, ERR_DATA, "%s is of tamis run: its tokens are in %s/tokens", dir, dir);
    if ((rc = json_get_str(other, "format", dir, &format, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(other ? other : plan, "stage", dir, &stage, err)) != ERR_OK) return rc;
    if (!stage)
        return err_set(err, ERR_DATA, "%s is not a tokens directory: %s", dir,
                       other ? "its manifest.json is of another kind" : "it has no manifest.json");
    if (strcmp(stage, "tokenize") == 0)
        return err_set(err, ERR_DATA, "%s is not a complete tokens directory: %s", dir,
                       other ? "it has no vocab.bin" : "tokenize has not finished there");
    return err_set(err, ERR_DATA, "%s is not a tokens directory but what %.40s made%s", dir, stage,
                   format && strcmp(format, "tamis-dataset") == 0 ? ": tamis docs reads it" : "");
}

ErrCode tokensdir_manifest(TokensDir **out, const char *dir, Err *err)
{
    TokensDir *t = calloc(1, sizeof *t);
    const char *path, *format = NULL;
    Json *manifest;
    ErrCode rc;

    *out = NULL;
    if (!t) return err_nomem(err, "a tokens directory");
    t->dir = arena_str(&t->arena, span_str(dir));
    t->mapped = calloc(MAPPED_SHARDS, sizeof *t->mapped);
    rc = t->dir && t->mapped ? load_json(&t->arena, dir, "manifest.json", &path, &manifest, err)
                             : err_nomem(err, "a tokens directory");
    if (rc == ERR_OK) rc = json_get_str(manifest, "format", path, &format, err);
    if (rc == ERR_OK && (!format || strcmp(format, TOKENS_FORMAT) != 0))
        rc = not_tokens(&t->arena, dir, manifest, err);
    if (rc == ERR_OK) rc = tokensdir_open_vocab(&t->vocab, dir, err);
    if (rc == ERR_OK) rc = read_manifest(t, manifest, path, err);
    if (rc == ERR_OK)
        *out = t;
    else
        tokensdir_close(t);
    return rc;
}

ErrCode tokensdir_open(TokensDir **out, const char *dir, Err *err)
{
    ErrCode rc = tokensdir_manifest(out, dir, err);
    const Shard *s;

    for (uint32_t i = 0; rc == ERR_OK && i < (*out)->n_streams; i++)
        for (uint32_t k = 0; rc == ERR_OK && k < (*out)->stream[i].info.n_shards; k++)
            rc = mapped_shard(*out, i, k, &s, err);
    if (rc != ERR_OK) {
        tokensdir_close(*out);
        *out = NULL;
    }
    return rc;
}

ErrCode tokensdir_check_files(const char *dir, Err *err)
{
    TokensDir *t;
    Arena arena = {0};
    ErrCode rc = tokensdir_manifest(&t, dir, err);
    bool whole = true;

    for (uint32_t i = 0; rc == ERR_OK && i < t->n_streams; i++)
        for (uint32_t k = 0; rc == ERR_OK && k < t->stream[i].info.n_shards; k++) {
            const char *path = tokens_path(&arena, dir, t->stream[i].info.name, k);
            rc = path ? shard_is_of(path, t->key, &whole, err) : err_nomem(err, "a path");
            if (rc == ERR_OK && !whole) rc = err_set(err, ERR_DATA, "%s is missing, cut off or of another run", path);
            arena_reset(&arena);
        }
    tokensdir_close(t);
    arena_clear(&arena);
    return rc;
}

ErrCode tokensdir_open_vocab(Vocab **v, const char *dir, Err *err)
{
    Arena arena = {0};
    const char *path = path_join(&arena, dir, "vocab.bin"), *manifest_path;
    Json *manifest;
    bool exists = false;
    ErrCode rc = path ? store_exists(path, &exists, err) : err_nomem(err, "a path");

    *v = NULL;
    if (rc == ERR_OK && exists) {
        rc = vocab_open(v, path, err);
    } else if (rc == ERR_OK) {
        rc = load_json(&arena, dir, "manifest.json", &manifest_path, &manifest, err);
        if (rc == ERR_OK) rc = not_tokens(&arena, dir, manifest, err);
    }
    arena_clear(&arena);
    return rc;
}

uint32_t tokensdir_n_streams(const TokensDir *t) { return t->n_streams; }
const StreamInfo *tokensdir_stream(const TokensDir *t, uint32_t stream) { return &t->stream[stream].info; }
const Vocab *tokensdir_vocab(const TokensDir *t) { return t->vocab; }
uint64_t tokensdir_n_tokens(const TokensDir *t) { return t->n_tokens; }
Hash128 tokensdir_content(const TokensDir *t) { return t->content; }

void tokensdir_locate(const TokensDir *t, uint32_t stream, uint64_t at, uint32_t *shard, uint64_t *local)
{
    const Stream *s = &t->stream[stream];
    uint32_t low = 0, high = s->info.n_shards; /* shard[low].first <= at < shard[high].first */

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (s->shard[middle].first <= at)
            low = middle;
        else
            high = middle;
    }
    *shard = low;
    *local = at - s->shard[low].first;
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
        uint64_t there = s->shard[k + 1].first - first;
        size_t take = n < there ? n : (size_t)there;
        const Shard *shard;
        ErrCode rc = mapped_shard(t, stream, k, &shard, err);
        if (rc == ERR_OK) rc = shard_read(shard, local, take, out, err);
        if (rc != ERR_OK) return rc;
        out += take;
        first += take;
        n -= take;
    }
    return ERR_OK;
}
