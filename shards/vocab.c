#include "core/store.h"
#include "shards/shards.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    VOCAB_VERSION = 1,
    VOCAB_HEADER = 40,
    VOCAB_MAX_BYTES = 1 << 30 /* 16 million tokens of 64 bytes; real ones have 10^5 of 6 */
};

static const char vocab_magic[8] = {'T', 'A', 'M', 'I', 'S', 'V', 'O', 'C'};

struct Vocab {
    Span bytes; /* the whole file */
    Buf own;    /* holds it, unless the bytes are borrowed */
    uint32_t n, eos_id;
    Hash128 tokenizer_id;
    const uint8_t *offsets; /* n + 1 of them, u64, from the start of `text` */
    Span text;
};

ErrCode vocab_write(const char *path, uint32_t n, uint32_t eos_id, Hash128 tokenizer_id, VocabBytes bytes_of,
                    const void *ctx, Err *err)
{
    uint8_t header[VOCAB_HEADER] = {0}, word[8];
    uint64_t end = 0;
    Buf b = {0};
    ErrCode rc;

    assert(n >= 1 && n <= VOCAB_MAX && eos_id < n);
    memcpy(header, vocab_magic, 8);
    le32_put(header + 8, VOCAB_VERSION);
    le32_put(header + 12, n);
    le32_put(header + 16, eos_id);
    hash128_put(header + 24, tokenizer_id);
    buf_put(&b, header, sizeof header);
    for (uint32_t id = 0; id <= n; id++) {
        le64_put(word, end);
        buf_put(&b, word, 8);
        if (id < n) end += bytes_of(ctx, id).n;
    }
    for (uint32_t id = 0; id < n; id++) buf_put_span(&b, bytes_of(ctx, id));
    if ((rc = buf_ok(&b, "a vocabulary", err)) != ERR_OK) goto out;
    le64_put(word, hash64(buf_span(&b)));
    buf_put(&b, word, 8);
    if ((rc = buf_ok(&b, "a vocabulary", err)) != ERR_OK) goto out;
    rc = b.n > VOCAB_MAX_BYTES ? err_set(err, ERR_LIMIT, "%s: a vocabulary of %zu bytes is too large", path, b.n)
                               : store_write(path, buf_span(&b), err);
out:
    buf_clear(&b);
    return rc;
}

static ErrCode check(Vocab *v, const char *name, Err *err)
{
    const uint8_t *p = v->bytes.p;
    uint64_t before = 0;

    if (v->bytes.n < VOCAB_HEADER + 24 || memcmp(p, vocab_magic, 8) != 0)
        return err_set(err, ERR_DATA, "%s: not a vocabulary", name);
    if (le32_get(p + 8) != VOCAB_VERSION)
        return err_set(err, ERR_DATA, "%s: vocabulary version %" PRIu32 "; this program knows %d", name,
                       le32_get(p + 8), VOCAB_VERSION);
    if (hash64((Span){p, v->bytes.n - 8}) != le64_get(p + v->bytes.n - 8))
        return err_set(err, ERR_DATA, "%s: damaged vocabulary: its sum differs", name);
    v->n = le32_get(p + 12);
    v->eos_id = le32_get(p + 16);
    v->tokenizer_id = hash128_get(p + 24);
    size_t left = v->bytes.n - VOCAB_HEADER - 8;
    if (v->n == 0 || v->n > VOCAB_MAX || v->eos_id >= v->n || le32_get(p + 20) != 0 || left / 8 < (size_t)v->n + 1)
        return err_set(err, ERR_DATA, "%s: damaged vocabulary: size or eos out of range", name);
    v->offsets = p + VOCAB_HEADER;
    v->text = (Span){v->offsets + 8 * ((size_t)v->n + 1), left - 8 * ((size_t)v->n + 1)};
    for (uint32_t id = 0; id <= v->n; id++) {
        uint64_t at = le64_get(v->offsets + 8 * (size_t)id);
        if (at < before || at > v->text.n || (id == 0 && at != 0))
            return err_set(err, ERR_DATA, "%s: damaged vocabulary: the bytes of token %" PRIu32 " are out of order",
                           name, id);
        before = at;
    }
    return before == v->text.n ? ERR_OK
                               : err_set(err, ERR_DATA, "%s: damaged vocabulary: bytes behind the last token", name);
}

ErrCode vocab_open_bytes(Vocab **out, Span bytes, const char *name, Err *err)
{
    Vocab *v = calloc(1, sizeof *v);
    ErrCode rc;

    *out = NULL;
    if (!v) return err_nomem(err, "a vocabulary");
    v->bytes = bytes;
    if ((rc = check(v, name, err)) == ERR_OK)
        *out = v;
    else
        free(v);
    return rc;
}

ErrCode vocab_open(Vocab **out, const char *path, Err *err)
{
    Buf file = {0};
    ErrCode rc;

    *out = NULL;
    if ((rc = store_read(path, VOCAB_MAX_BYTES, &file, err)) == ERR_OK)
        rc = vocab_open_bytes(out, buf_span(&file), path, err);
    if (rc == ERR_OK)
        (*out)->own = file;
    else
        buf_clear(&file);
    return rc;
}

void vocab_close(Vocab *v)
{
    if (!v) return;
    buf_clear(&v->own);
    free(v);
}

uint32_t vocab_size(const Vocab *v) { return v->n; }
uint32_t vocab_eos(const Vocab *v) { return v->eos_id; }
Hash128 vocab_tokenizer_id(const Vocab *v) { return v->tokenizer_id; }

Span vocab_bytes(const Vocab *v, uint32_t id)
{
    if (id >= v->n) return (Span){NULL, 0};
    uint64_t begin = le64_get(v->offsets + 8 * (size_t)id), end = le64_get(v->offsets + 8 * (size_t)id + 8);
    return (Span){v->text.p + begin, (size_t)(end - begin)};
}
