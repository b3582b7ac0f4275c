/* Which bytes and characters of a text each token stands for. The text is cut at added tokens as the encoder does; what lies between
 * is encoded, and its tokens laid along its bytes: they are these bytes in order, but for bytes that have no token. */
#include "core/utf8.h"
#include "tokenize/nfc.h"
#include "tokenize/tokenizer.h"

#include <assert.h>

/* A character: its bytes are [at, next). */
typedef struct {
    size_t at, next, index;
} CharCursor;

typedef struct {
    Encoder *e;
    const Tokenizer *t;
    Span text;
    EncodeMode mode;
    Buf *ids, *offsets, piece;
    CharCursor begin; /* where the last token began: these do not fall */
    CharCursor far; /* the farthest place that one ended at, with the white space it took, which others may lie in */
} Walk;

/* Number of the character that byte `at` >= c->at belongs to. Bytes that are no UTF-8 count as utf8_repair() replaces them. */
static size_t char_of(CharCursor *c, Span text, size_t at)
{
    uint32_t cp;

    assert(at >= c->at);
    while (at >= c->next && c->next < text.n) {
        c->index += c->next > 0;
        c->at = c->next;
        c->next += utf8_next(text.p + c->at, text.n - c->at, &cp);
    }
    return c->index;
}

static void put_token(Walk *w, uint32_t id, size_t begin, size_t end)
{
    TokenOffset o = {.begin = begin, .end = end};

    if (begin < end) {
        o.char_begin = char_of(&w->begin, w->text, begin);
        CharCursor near = w->begin;
        if (w->far.at < near.at) w->far = near;
        o.char_end = char_of(end - 1 < w->far.at ? &near : &w->far, w->text, end - 1) + 1;
    }
    buf_put(w->ids, &id, sizeof id);
    buf_put(w->offsets, &o, sizeof o);
}

static ErrCode walk_words(Walk *w, size_t begin, size_t end, Err *err)
{
    ErrCode rc = encode_as(w->e, (Span){w->text.p + begin, end - begin}, ENCODE_PLAIN, &w->piece, err);
    const uint32_t *id = (const uint32_t *)(const void *)w->piece.p;
    size_t at = begin;

    for (size_t i = 0; rc == ERR_OK && i < w->piece.n / sizeof *id; i++) {
        Span bytes = w->t->bytes[id[i]];
        size_t first = at;
        for (size_t k = 0; k < bytes.n; k++, at++) {
            while (at < end && w->t->byte_id[w->text.p[at]] == NO_ID) at++;
            assert(at < end && w->text.p[at] == bytes.p[k]);
            if (k == 0) first = at;
        }
        put_token(w, id[i], first, at);
    }
    return rc;
}

static ErrCode walk(Walk *w, size_t begin, size_t end, int pass, Err *err)
{
    if (pass == 2) return walk_words(w, begin, end, err);
    AddedScan scan = added_scan(w->t, pass, (Span){w->text.p + begin, end - begin}, w->mode);
    AddedHit hit;
    size_t done = begin;
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && added_next(&scan, &hit)) {
        if (begin + hit.begin > done) rc = walk(w, done, begin + hit.begin, pass + 1, err);
        put_token(w, hit.id, begin + hit.begin, begin + hit.end);
        done = begin + hit.end;
    }
    added_end(&scan);
    return rc == ERR_OK && done < end ? walk(w, done, end, pass + 1, err) : rc;
}

ErrCode encode_offsets(Encoder *e, Span text, EncodeMode mode, Buf *ids, Buf *offsets, Err *err)
{
    Walk w = {.e = e, .t = encoder_tokenizer(e), .text = text, .mode = mode, .ids = ids, .offsets = offsets};

    buf_reset(ids);
    buf_reset(offsets);
    if (w.t->nfc && nfc_first(text) < text.n)
        return err_set(err, ERR_LIMIT, "no offsets: the normalizer NFC may change the text at byte %zu",
                       nfc_first(text));
    ErrCode rc = walk(&w, 0, text.n, mode == ENCODE_PLAIN ? 2 : 0, err);
    buf_clear(&w.piece);
    if (rc == ERR_OK) rc = buf_ok(ids, "token ids", err);
    return rc == ERR_OK ? buf_ok(offsets, "offsets", err) : rc;
}
