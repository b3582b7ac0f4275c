#include "core/store.h"
#include "shards/stream_names.h"
#include "shards/tokens_format.h"

#include <inttypes.h>

typedef struct {
    Arena arena;
    const char *dir;
    const Vocab *vocab;
    Hash128 key;
    HashStream *content;
    uint64_t n_tokens, n_docs;
    Buf streams; /* the manifest's array, as it grows */
} Commit;

/* One shard's line of the manifest, from the file itself. */
static ErrCode add_shard(Commit *c, const char *path, bool first, uint64_t *n_tokens, uint64_t *n_docs, Buf *line,
                         Err *err)
{
    ErrCode rc;
    Shard *s;

    if ((rc = shard_open(&s, path, err)) != ERR_OK) return rc;
    const ShardSpec *spec = shard_spec(s);
    if (spec->vocab_size != vocab_size(c->vocab) || spec->eos_id != vocab_eos(c->vocab) ||
        !hash128_eq(spec->tokenizer_id, vocab_tokenizer_id(c->vocab))) {
        rc = err_set(err, ERR_DATA, "%s: made with another vocabulary than vocab.bin beside it", path);
    } else if (!hash128_eq(spec->key, c->key)) {
        rc = err_set(err, ERR_DATA, "%s: belongs to another run", path);
    } else {
        buf_printf(line, "%s{\"n_tokens\":%" PRIu64 ",\"n_docs\":%" PRIu64 ",\"content\":", first ? "" : ",",
                   shard_n_tokens(s), shard_n_docs(s));
        json_put_hash(line, shard_content(s));
        buf_putc(line, '}');
        tokens_hash_id(c->content, shard_content(s));
        *n_tokens += shard_n_tokens(s);
        *n_docs += shard_n_docs(s);
    }
    shard_close(s);
    return rc;
}

static ErrCode add_stream(Commit *c, const StreamPlan *plan, bool first, Err *err)
{
    uint64_t n_tokens = 0, n_docs = 0;
    Arena arena = {0};
    Buf line = {0};
    ErrCode rc = ERR_OK;

    tokens_hash_stream(c->content, plan->name, plan->n_shards);
    for (uint32_t k = 0; k < plan->n_shards && rc == ERR_OK; k++) {
        const char *path = tokens_path(&arena, c->dir, plan->name, k);
        rc = path ? add_shard(c, path, k == 0, &n_tokens, &n_docs, &line, err) : err_nomem(err, "a path");
        arena_reset(&arena);
    }
    if (rc == ERR_OK && plan->n_docs && (n_docs != plan->n_docs || n_tokens != plan->n_tokens))
        rc = err_set(err, ERR_DATA,
                     "%s: stream %s has %" PRIu64 " documents and %" PRIu64 " tokens; %" PRIu64 " and %" PRIu64
                     " went into it",
                     c->dir, plan->name, n_docs, n_tokens, plan->n_docs, plan->n_tokens);
    if (!first) buf_putc(&c->streams, ',');
    buf_puts(&c->streams, "{\"name\":");
    json_put_cstr(&c->streams, plan->name);
    buf_printf(&c->streams, ",\"n_shards\":%" PRIu32 ",\"n_tokens\":%" PRIu64 ",\"n_docs\":%" PRIu64 ",\"shards\":[",
               plan->n_shards, n_tokens, n_docs);
    buf_put_span(&c->streams, buf_span(&line));
    buf_puts(&c->streams, "]}");
    if (rc == ERR_OK) rc = buf_ok(&line, "a manifest", err);
    buf_clear(&line);
    arena_clear(&arena);
    c->n_tokens += n_tokens;
    c->n_docs += n_docs;
    return rc;
}

/* Reasons without a document are not named. */
static void put_drops(const Commit *c, Buf *b, const TokensDrop *drops, size_t n)
{
    uint64_t n_in = c->n_docs;
    const char *before = "";

    for (size_t i = 0; i < n; i++) n_in += drops[i].n;
    if (n_in == c->n_docs) return;
    buf_printf(b, ",\"n_in\":%" PRIu64 ",\"dropped\":{", n_in);
    for (size_t i = 0; i < n; i++) {
        if (drops[i].n == 0) continue;
        buf_puts(b, before);
        json_put_cstr(b, drops[i].reason);
        buf_printf(b, ":%" PRIu64, drops[i].n);
        before = ",";
    }
    buf_putc(b, '}');
}

static void put_manifest(const Commit *c, Buf *b, Span params, Span inputs, const TokensDrop *drops, size_t n_drops)
{
    buf_puts(b, "{\"format\":\"" TOKENS_FORMAT "\"");
    buf_printf(b, ",\"version\":%d,\"stage\":\"tokenize\",\"stage_version\":%d,\"key\":", TOKENS_VERSION,
               TOKENS_STAGE_VERSION);
    json_put_hash(b, c->key);
    buf_puts(b, ",\"params\":");
    buf_put_span(b, params.n ? params : SPAN_LIT("{}"));
    buf_puts(b, ",\"inputs\":");
    buf_put_span(b, inputs.n ? inputs : SPAN_LIT("[]"));
    buf_printf(b, ",\"vocab_size\":%" PRIu32 ",\"eos_id\":%" PRIu32 ",\"tokenizer_id\":", vocab_size(c->vocab),
               vocab_eos(c->vocab));
    json_put_hash(b, vocab_tokenizer_id(c->vocab));
    buf_printf(b, ",\"n_tokens\":%" PRIu64 ",\"n_docs\":%" PRIu64, c->n_tokens, c->n_docs);
    put_drops(c, b, drops, n_drops);
    buf_puts(b, ",\"streams\":[");
    buf_put_span(b, buf_span(&c->streams));
    buf_puts(b, "],\"content\":");
    json_put_hash(b, hashstream_digest(c->content));
    buf_puts(b, "}\n");
}

static const char *name_of(const void *ctx, uint32_t stream) { return ((const StreamPlan *)ctx)[stream].name; }

static ErrCode check_plan(Arena *a, const char *dir, const StreamPlan *streams, uint32_t n_streams, Err *err)
{
    StreamNames names;
    ErrCode rc;

    if (n_streams > SHARD_MAX_STREAMS)
        return err_set(err, ERR_LIMIT, "%s: %" PRIu32 " streams, at most %d", dir, n_streams, SHARD_MAX_STREAMS);
    for (uint32_t i = 0; i < n_streams; i++)
        if (!stream_name_ok(streams[i].name))
            return err_set(err, ERR_DATA, "%s: %.100s cannot be the name of a stream", dir, streams[i].name);
    if ((rc = streamnames_sort(&names, a, name_of, streams, n_streams, err)) != ERR_OK) return rc;
    const char *twice = streamnames_twice(&names);
    return twice ? err_set(err, ERR_DATA, "%s: stream %s stands twice", dir, twice) : ERR_OK;
}

ErrCode tokensdir_commit(const char *dir, Hash128 key, Span params, Span inputs, Span mixture,
                         const StreamPlan *streams, uint32_t n_streams, const TokensDrop *drops, size_t n_drops,
                         Err *err)
{
    Commit c = {.dir = dir, .key = key};
    Vocab *vocab = NULL;
    Buf manifest = {0};
    ErrCode rc;

    const char *vocab_path = path_join(&c.arena, dir, "vocab.bin"),
               *mixture_path = path_join(&c.arena, dir, "mixture.json"),
               *manifest_path = path_join(&c.arena, dir, "manifest.json");
    if (!vocab_path || !mixture_path || !manifest_path) {
        rc = err_nomem(err, "a path");
        goto out;
    }
    if ((rc = check_plan(&c.arena, dir, streams, n_streams, err)) != ERR_OK) goto out;
    if ((rc = hashstream_new(&c.content, err)) != ERR_OK) goto out;
    if ((rc = vocab_open(&vocab, vocab_path, err)) != ERR_OK) goto out;
    c.vocab = vocab;
    tokens_hash_id(c.content, vocab_tokenizer_id(vocab));
    for (uint32_t i = 0; i < n_streams; i++)
        if ((rc = add_stream(&c, &streams[i], i == 0, err)) != ERR_OK) goto out;
    if (mixture.n && (rc = store_write(mixture_path, mixture, err)) != ERR_OK) goto out;
    put_manifest(&c, &manifest, params, inputs, drops, n_drops);
    if ((rc = buf_ok(&c.streams, "a manifest", err)) != ERR_OK ||
        (rc = buf_ok(&manifest, "a manifest", err)) != ERR_OK)
        goto out;
    rc = store_write(manifest_path, buf_span(&manifest), err);
out:
    buf_clear(&manifest);
    buf_clear(&c.streams);
    vocab_close(vocab);
    hashstream_free(c.content);
    arena_clear(&c.arena);
    return rc;
}
