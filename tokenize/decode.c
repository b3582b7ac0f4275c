#include "core/utf8.h"
#include "tokenize/bytelevel.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>

static ErrCode check_id(const Tokenizer *t, uint32_t id, size_t i, Err *err)
{
    if (id < t->n_ids && (t->flags[id] & TOKEN_USED)) return ERR_OK;
    return err_set(err, ERR_DATA, "cannot decode token %zu: the vocabulary has no id %" PRIu32, i, id);
}

ErrCode decode(const Tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, Buf *out, Err *err)
{
    for (size_t i = 0; i < n; i++) {
        ErrCode rc = check_id(t, ids[i], i, err);
        if (rc != ERR_OK) return rc;
        if (!(skip_special && (t->flags[ids[i]] & TOKEN_SPECIAL))) buf_put_span(out, t->bytes[ids[i]]);
    }
    return buf_ok(out, "decoded text", err);
}

/* The reference takes added tokens for byte-level text too, so that ü becomes the byte FC, and repairs the whole afterwards. */
ErrCode decode_as_reference(const Tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, Buf *out, Err *err)
{
    Buf raw = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < n; i++) {
        if ((rc = check_id(t, ids[i], i, err)) != ERR_OK) goto out;
        if (skip_special && (t->flags[ids[i]] & TOKEN_SPECIAL)) continue;
        if (!bytelevel_read(&raw, t->spelling[ids[i]])) buf_put_span(&raw, t->spelling[ids[i]]);
    }
    if ((rc = buf_ok(&raw, "decoded text", err)) != ERR_OK) goto out;
    utf8_repair(out, buf_span(&raw));
    rc = buf_ok(out, "decoded text", err);
out:
    buf_clear(&raw);
    return rc;
}
