/* Decoding: all at once, and token by token. */
#include "core/utf8.h"
#include "tokenize/bytelevel.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>

static ErrCode check_id(const Tokenizer *t, uint32_t id, size_t i, Err *err)
{
    if (id < t->n_ids && (t->flags[id] & TOKEN_USED)) return ERR_OK;
    return err_set(err, ERR_DATA, "cannot decode token %zu: the vocabulary has no id %" PRIu32, i, id);
}

/* The reference takes added tokens for byte-level text too, so that ü becomes the byte FC. */
static void put_as_reference(const Tokenizer *t, uint32_t id, Buf *raw)
{
    if (!bytelevel_read(raw, t->spelling[id])) buf_put_span(raw, t->spelling[id]);
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

ErrCode decode_as_reference(const Tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, Buf *out, Err *err)
{
    Buf raw = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < n && rc == ERR_OK; i++) {
        rc = check_id(t, ids[i], i, err);
        if (rc == ERR_OK && !(skip_special && (t->flags[ids[i]] & TOKEN_SPECIAL))) put_as_reference(t, ids[i], &raw);
    }
    if (rc == ERR_OK && (rc = buf_ok(&raw, "decoded text", err)) == ERR_OK) {
        utf8_repair(out, buf_span(&raw)); /* the whole: a character may lie in several tokens */
        rc = buf_ok(out, "decoded text", err);
    }
    buf_clear(&raw);
    return rc;
}

/* --- token by token */

DecodeStream decodestream(const Tokenizer *t, bool lossless, bool skip_special)
{
    return (DecodeStream){.t = t, .lossless = lossless, .skip_special = skip_special};
}

/* Length of what ends s and may be the beginning of a character, 0 to 3. */
static size_t begun_at_end(Span s)
{
    for (size_t n = 1; n <= 3 && n <= s.n; n++) {
        const uint8_t *p = s.p + s.n - n;
        if ((*p & 0xC0) == 0x80) continue;
        uint32_t cp;
        size_t whole = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
        bool leads = *p >= 0xC2 && *p <= 0xF4 && n < whole;
        return leads && utf8_next(p, n, &cp) == n ? n : 0; /* n bytes that one well-formed sequence begins with */
    }
    return 0;
}

static void put_text(const DecodeStream *s, Span text, Buf *out)
{
    if (s->lossless)
        buf_put_span(out, text);
    else
        utf8_repair(out, text);
}

ErrCode decodestream_put(DecodeStream *s, uint32_t id, Buf *out, Err *err)
{
    Buf raw = {0};
    ErrCode rc = check_id(s->t, id, s->n_tokens, err);

    if (rc != ERR_OK) return rc;
    s->n_tokens++;
    if (s->skip_special && (s->t->flags[id] & TOKEN_SPECIAL)) return ERR_OK;
    buf_put(&raw, s->held, s->n_held);
    if (s->lossless)
        buf_put_span(&raw, s->t->bytes[id]);
    else
        put_as_reference(s->t, id, &raw);
    if ((rc = buf_ok(&raw, "decoded text", err)) == ERR_OK) {
        s->n_held = begun_at_end(buf_span(&raw));
        raw.n -= s->n_held;
        memcpy(s->held, raw.p + raw.n, s->n_held);
        put_text(s, buf_span(&raw), out);
        rc = buf_ok(out, "decoded text", err);
    }
    buf_clear(&raw);
    return rc;
}

void decodestream_end(DecodeStream *s, Buf *out)
{
    put_text(s, (Span){s->held, s->n_held}, out);
    s->n_held = 0;
}
