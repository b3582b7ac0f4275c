/* train/train_tokens.c - samples out of a tokens directory (shards/shards.h). */
#include "train/train_data.h"

#include "core/dataset_mixture.h"
#include "core/store.h"
#include "shards/shards.h"

#include <stdlib.h>

typedef struct {
    TokensDir *dir;
    Vocab *vocab; /* own one when there is no dir */
    Blend *blend;
    Buf mixture;
} Tokens;

static void tokens_release(void *ctx)
{
    Tokens *t = ctx;

    blend_close(t->blend);
    tokensdir_close(t->dir);
    vocab_close(t->vocab);
    buf_clear(&t->mixture);
    free(t);
}

static const Vocab *vocab_of(const Tokens *t) { return t->dir ? tokensdir_vocab(t->dir) : t->vocab; }
static Span tokens_bytes(void *ctx, uint32_t token) { return vocab_bytes(vocab_of(ctx), token); }
static ErrCode tokens_sample(void *ctx, uint64_t s, uint32_t *out, Err *err)
{
    return blend_sample(((Tokens *)ctx)->blend, s, out, err);
}
static const char *tokens_stream_name(void *ctx, uint32_t stream)
{
    return tokensdir_stream(((Tokens *)ctx)->dir, stream)->name;
}

static ErrCode tokens_heldout(void *ctx, uint64_t i, uint32_t *stream, uint32_t *out, Err *err)
{
    return blend_heldout(((Tokens *)ctx)->blend, i, stream, out, err);
}

static void describe(DataSource *d, Tokens *t)
{
    *d = (DataSource){.ctx = t,
                      .vocab_size = vocab_size(vocab_of(t)),
                      .eos_id = vocab_eos(vocab_of(t)),
                      .tokenizer_id = vocab_tokenizer_id(vocab_of(t)),
                      .bytes = tokens_bytes,
                      .release = tokens_release};
}

ErrCode tokens_vocab(DataSource *d, const char *dir, Err *err)
{
    Tokens *t = calloc(1, sizeof *t);
    ErrCode rc = t ? tokensdir_open_vocab(&t->vocab, dir, err) : err_nomem(err, "a vocabulary");

    if (rc == ERR_OK)
        describe(d, t);
    else if (t)
        tokens_release(t);
    return rc;
}

static ErrCode read_mixture(const char *dir, Buf *out, Err *err)
{
    Arena arena = {0};
    char *path = path_join(&arena, dir, "mixture.json");
    bool there = false;
    ErrCode rc = path ? store_exists(path, &there, err) : err_nomem(err, "a path");

    if (rc == ERR_OK && there) rc = store_read(path, MIXTURE_MAX_BYTES, out, err);
    arena_clear(&arena);
    return rc;
}

/* XXH3-128 over the tokens' content and the mixture's bytes. */
static Hash128 content_of(const Tokens *t)
{
    uint8_t both[32];

    hash128_put(both, tokensdir_content(t->dir));
    hash128_put(both + 16, hash128(buf_span(&t->mixture)));
    return hash128(span(both, sizeof both));
}

ErrCode tokens_source(DataSource *d, const char *dir, const TrainConfig *c, Err *err)
{
    const BlendSpec spec = {.context = c->model.context,
                            .seed = c->seed,
                            .block_bytes = c->block_bytes,
                            .window = c->window,
                            .heldout = c->heldout};
    Tokens *t = calloc(1, sizeof *t);
    ErrCode rc;

    if (!t) return err_nomem(err, "the tokens");
    if ((rc = tokensdir_open(&t->dir, dir, err)) != ERR_OK) goto out;
    if (tokensdir_n_streams(t->dir) == 0) {
        rc = err_set(err, ERR_DATA, "%s holds no documents", dir);
        goto out;
    }
    if ((rc = read_mixture(dir, &t->mixture, err)) != ERR_OK) goto out;
    if ((rc = blend_open(&t->blend, t->dir, buf_span(&t->mixture), &spec, err)) != ERR_OK) goto out;
    describe(d, t);
    d->n_streams = tokensdir_n_streams(t->dir);
    d->n_heldout = blend_n_heldout(t->blend);
    d->content = content_of(t);
    d->stream_name = tokens_stream_name;
    d->sample = tokens_sample;
    d->heldout = tokens_heldout;
    return ERR_OK;
out:
    tokens_release(t);
    return rc;
}
