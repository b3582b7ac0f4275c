#include "shards/takedown.h"

#include "core/store.h"
#include "shards/shard_format.h"
#include "shards/tokens_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the list */

typedef struct {
    const char *path;
    const HashSet *list; /* which was read before: only what it misses is looked for */
    ListMissing missing;
    Buf hashes, scratch;
} ListReader;

static ErrCode take_line(void *ctx, Span line, uint64_t number, Err *err)
{
    ListReader *r = ctx;
    Span id;
    bool bad;

    (void)id_is_quoted(line, &r->scratch, &id, &bad); /* else it is the line */
    if (r->scratch.oom) return err_nomem(err, "a list");
    if (bad) return err_set(err, ERR_DATA, "%s: line %" PRIu64 " is no id: its quotes are wrong", r->path, number);
    const uint64_t hash = hash64(id);
    if (!r->list)
        buf_put(&r->hashes, &hash, sizeof hash);
    else if (hashset_is_missing(r->list, hash))
        listmissing_add(&r->missing, line);
    return buf_ok(&r->hashes, "a list", err);
}

ErrCode takedown_read(HashSet *list, const char *path, Err *err)
{
    ListReader r = {.path = path};
    ErrCode rc = list_each(path, take_line, &r, err);

    hashset_take(list, &r.hashes);
    if (rc == ERR_OK) rc = hashset_watch(list, err);
    if (rc) hashset_clear(list);
    buf_clear(&r.scratch);
    return rc;
}

ErrCode takedown_warn(const HashSet *list, const char *path, const char *where, Err *err)
{
    ListReader r = {.path = path, .list = list};
    Buf what = {0};
    ErrCode rc = list_each(path, take_line, &r, err);

    buf_printf(&what, "not in %s", where);
    if (rc == ERR_OK) rc = buf_ok(&what, "a warning", err);
    if (rc == ERR_OK) rc = listmissing_warn(&r.missing, "shards", path, buf_cstr(&what), err);
    buf_clear(&what);
    buf_clear(&r.missing.first);
    buf_clear(&r.scratch);
    return rc;
}

static bool is_listed(const HashSet *list, Span id) { return id.n && hashset_mark(list, hash64(id)); }

/* --- finding */

typedef struct {
    const HashSet *list;
    uint64_t n;
    Buf line;
} Finding;

static ErrCode show_place(void *ctx, const Shard *s, uint64_t number, const ShardDoc *doc, uint64_t begin,
                          uint64_t end, Err *err)
{
    Finding *f = ctx;

    if (!is_listed(f->list, doc->id)) return ERR_OK;
    f->n++;
    buf_reset(&f->line);
    buf_puts(&f->line, "{\"shard\":");
    json_put_cstr(&f->line, s->name);
    buf_printf(&f->line, ",\"doc\":%" PRIu64 ",\"begin\":%" PRIu64 ",\"end\":%" PRIu64 ",\"id\":", number, begin,
               end);
    json_put_string(&f->line, doc->id);
    buf_puts(&f->line, "}\n");
    ErrCode rc = buf_ok(&f->line, "a line", err);
    if (rc == ERR_OK && fwrite(f->line.p, 1, f->line.n, stdout) != f->line.n)
        rc = err_sys(err, "cannot write to standard output");
    return rc;
}

ErrCode takedown_find(const Look *l, const char *stream, const HashSet *list, uint64_t *n_docs, Err *err)
{
    Finding f = {.list = list};
    uint32_t begin, end;
    ErrCode rc = look_find(l, stream, &begin, &end, err);

    for (uint32_t i = begin; rc == ERR_OK && i < end; i++) rc = look_docs(l, i, 0, UINT64_MAX, show_place, &f, err);
    *n_docs += f.n;
    buf_clear(&f.line);
    return rc;
}

/* --- removing */

static ErrCode count_listed(const Shard *s, const HashSet *list, uint64_t *n, Err *err)
{
    ErrCode rc = ERR_OK;

    *n = 0;
    for (uint64_t d = 0; d < shard_n_docs(s) && rc == ERR_OK; d++) {
        uint64_t begin, end;
        ShardDoc doc;
        rc = shard_doc(s, d, &doc, &begin, &end, err);
        *n += rc == ERR_OK && is_listed(list, doc.id);
    }
    return rc;
}

static ErrCode copy_doc(ShardWriter *w, const Shard *s, uint64_t d, const HashSet *list, Buf *tokens, Err *err)
{
    uint64_t begin, end;
    ShardDoc doc;
    ErrCode rc = shard_doc(s, d, &doc, &begin, &end, err);

    if (rc) return rc;
    const size_t n = (size_t)(end - begin - 1); /* the writer adds eos */
    buf_reset(tokens);
    if (!buf_reserve(tokens, n * sizeof(uint32_t) + 1)) return err_nomem(err, "a document's tokens");
    uint32_t *token = (uint32_t *)(void *)tokens->p;
    if (is_listed(list, doc.id)) {
        doc.id = SPAN_LIT("");
        doc.doc = 0;
        for (size_t i = 0; i < n; i++) token[i] = shard_spec(s)->eos_id;
    } else {
        rc = shard_read(s, begin, n, token, err);
    }
    return rc ? rc : shardwriter_add(w, &doc, token, n, err);
}

static ErrCode rewrite_shard(const Shard *s, const char *path, const HashSet *list, Err *err)
{
    ShardWriter *w = NULL;
    Buf tokens = {0};
    ErrCode rc = shard_verify(s, err); /* damage must not get a sum of its own */

    if (rc == ERR_NO) rc = ERR_DATA;
    if (rc == ERR_OK) rc = shardwriter_open(&w, path, shard_spec(s), err);
    for (uint64_t d = 0; d < shard_n_docs(s) && rc == ERR_OK; d++) rc = copy_doc(w, s, d, list, &tokens, err);
    if (rc == ERR_OK)
        rc = shardwriter_commit(&w, NULL, err);
    else
        shardwriter_abandon(w);
    buf_clear(&tokens);
    return rc;
}

/* What the manifest says that shards do not, as tokensdir_commit() takes it. */
typedef struct {
    Hash128 key;
    Buf params, inputs;
    TokensDrop *drop;
    size_t n_drops;
} Rest;

static ErrCode read_rest(const char *dir, Arena *a, Rest *r, Err *err)
{
    const char *path = path_join(a, dir, "manifest.json"), *key = NULL;
    Json *j = NULL;
    Buf text = {0};
    ErrCode rc = path ? store_read(path, TOKENS_MAX_MANIFEST, &text, err) : err_nomem(err, "a path");

    if (rc == ERR_OK) rc = json_parse(a, buf_span(&text), path, &j, err);
    if (rc == ERR_OK) rc = json_get_str(j, "key", path, &key, err);
    if (rc == ERR_OK && (!key || !hash128_parse(span_str(key), &r->key)))
        rc = err_set(err, ERR_DATA, "%s has no key", path);
    const Json *params = json_get(j, "params"), *inputs = json_get(j, "inputs"), *dropped = json_get(j, "dropped");
    if (rc == ERR_OK && params) json_put_tree(&r->params, params);
    if (rc == ERR_OK && inputs) json_put_tree(&r->inputs, inputs);
    if (rc == ERR_OK && !(r->drop = arena_array(a, dropped ? dropped->n : 0, sizeof *r->drop)))
        rc = err_nomem(err, "a manifest");
    for (const Json *d = rc == ERR_OK && dropped ? dropped->child : NULL; d && rc == ERR_OK; d = d->next) {
        TokensDrop *to = &r->drop[r->n_drops++];
        to->reason = (const char *)d->key.p;
        rc = json_get_u64(dropped, to->reason, 0, path, &to->n, err);
    }
    if (rc == ERR_OK) rc = buf_ok(&r->params, "a manifest", err);
    if (rc == ERR_OK) rc = buf_ok(&r->inputs, "a manifest", err);
    buf_clear(&text);
    return rc;
}

static ErrCode commit_again(const TokensDir *t, const char *dir, Err *err)
{
    Arena arena = {0};
    Rest r = {0};
    const uint32_t n = tokensdir_n_streams(t);
    StreamPlan *plan = arena_array(&arena, n, sizeof *plan);
    ErrCode rc = plan ? read_rest(dir, &arena, &r, err) : err_nomem(err, "a manifest");

    for (uint32_t i = 0; i < n && rc == ERR_OK; i++) {
        const StreamInfo *s = tokensdir_stream(t, i);
        plan[i] = (StreamPlan){s->name, s->n_shards, s->n_docs, s->n_tokens};
    }
    if (rc == ERR_OK)
        rc = tokensdir_commit(dir, r.key, buf_span(&r.params), buf_span(&r.inputs), (Span){0}, plan, n, r.drop,
                              r.n_drops, err);
    buf_clear(&r.params);
    buf_clear(&r.inputs);
    arena_clear(&arena);
    return rc;
}

/* Shards are taken as they are, whether the manifest knows them already or an earlier call was cut short before it did. */
static ErrCode remove_from_shard(const char *path, const HashSet *list, uint64_t *n_docs, uint64_t *n_shards,
                                 Err *err)
{
    uint64_t n;
    Shard *s = NULL;
    ErrCode rc = shard_open(&s, path, err);

    if (rc) return rc;
    if ((rc = count_listed(s, list, &n, err)) == ERR_OK && n) {
        rc = rewrite_shard(s, path, list, err);
        *n_docs += n;
        *n_shards += 1;
    }
    shard_close(s);
    return rc;
}

ErrCode takedown_remove(const char *dir, const HashSet *list, uint64_t *n_docs, uint64_t *n_shards, Err *err)
{
    TokensDir *t = NULL;
    Arena arena = {0};
    ErrCode rc = tokensdir_manifest(&t, dir, err);

    for (uint32_t i = 0; rc == ERR_OK && i < tokensdir_n_streams(t); i++)
        for (uint32_t k = 0; rc == ERR_OK && k < tokensdir_stream(t, i)->n_shards; k++) {
            const char *path = tokens_path(&arena, dir, tokensdir_stream(t, i)->name, k);
            rc = path ? remove_from_shard(path, list, n_docs, n_shards, err) : err_nomem(err, "a path");
            arena_reset(&arena);
        }
    if (rc == ERR_OK) rc = commit_again(t, dir, err);
    tokensdir_close(t);
    arena_clear(&arena);
    return rc;
}
