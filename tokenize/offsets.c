/* Which bytes and characters of a text each token stands for. The text is cut at added tokens as the encoder does; what lies between
 * is encoded, and its tokens laid along its bytes: they are these bytes in order, but for bytes that have no token. Where the normalizer changes
 * the text these are bytes of what it made. */
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
    Buf *ids, *offsets, *normalized, piece;
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

/* --- where the normalizer changes the text */

/* What the first search leaves of a text, in order: a token as it stands there, or normalized what is between two. */
typedef struct {
    size_t end;  /* in the normalized text; it begins where the one before ends */
    uint32_t id; /* NO_ID: between tokens */
} Piece;

/* Appends to w->normalized and the list. */
static ErrCode put_piece(Walk *w, Span raw, uint32_t id, Buf *pieces, Err *err)
{
    Span text = raw;
    ErrCode rc = id == NO_ID ? nfc_text(raw, &w->piece, &text, err) : ERR_OK;

    buf_put_span(w->normalized, text);
    buf_put(pieces, &(Piece){w->normalized->n, id}, sizeof(Piece));
    return rc;
}

static ErrCode normalize_pieces(Walk *w, Span text, Buf *pieces, Err *err)
{
    AddedScan scan = added_scan(w->t, 0, w->mode == ENCODE_PLAIN ? (Span){NULL, 0} : text, w->mode);
    AddedHit hit;
    size_t done = 0;
    ErrCode rc = ERR_OK;

    buf_reset(w->normalized);
    for (; rc == ERR_OK && added_next(&scan, &hit); done = hit.end) {
        if (hit.begin > done) rc = put_piece(w, span(text.p + done, hit.begin - done), NO_ID, pieces, err);
        if (rc == ERR_OK) rc = put_piece(w, span(text.p + hit.begin, hit.end - hit.begin), hit.id, pieces, err);
    }
    added_end(&scan);
    if (rc == ERR_OK) rc = put_piece(w, span_from(text, done), NO_ID, pieces, err);
    if (rc == ERR_OK) rc = buf_ok(pieces, "offsets", err);
    return rc == ERR_OK ? buf_ok(w->normalized, "a normalized text", err) : rc;
}

static ErrCode walk_normalized(Walk *w, Span text, Err *err)
{
    Buf pieces = {0};
    size_t begin = 0;
    ErrCode rc = normalize_pieces(w, text, &pieces, err);
    const Piece *p = (const Piece *)(const void *)pieces.p;

    w->text = buf_span(w->normalized);
    for (size_t i = 0; rc == ERR_OK && i < pieces.n / sizeof *p; begin = p[i++].end)
        if (p[i].id != NO_ID)
            put_token(w, p[i].id, begin, p[i].end);
        else if (begin < p[i].end)
            rc = walk(w, begin, p[i].end, w->mode == ENCODE_PLAIN ? 2 : 1, err);
    buf_clear(&pieces);
    return rc;
}

ErrCode encode_normalized(Encoder *e, Span text, EncodeMode mode, Buf *ids, Buf *offsets, Buf *normalized, Span *seen,
                          Err *err)
{
    Walk w = {.e = e,
              .t = encoder_tokenizer(e),
              .text = text,
              .mode = mode,
              .ids = ids,
              .offsets = offsets,
              .normalized = normalized};
    ErrCode rc;

    buf_reset(ids);
    buf_reset(offsets);
    if (w.t->nfc && nfc_first(text) < text.n)
        rc = walk_normalized(&w, text, err);
    else
        rc = walk(&w, 0, text.n, mode == ENCODE_PLAIN ? 2 : 0, err);
    *seen = w.text;
    buf_clear(&w.piece);
    if (rc == ERR_OK) rc = buf_ok(ids, "token ids", err);
    return rc == ERR_OK ? buf_ok(offsets, "offsets", err) : rc;
}

ErrCode encode_offsets(Encoder *e, Span text, EncodeMode mode, Buf *ids, Buf *offsets, Err *err)
{
    const Tokenizer *t = encoder_tokenizer(e);
    Span seen;

    if (t->nfc && nfc_first(text) < text.n)
        return err_set(err, ERR_LIMIT, "no offsets: the normalizer NFC may change the text at byte %zu",
                       nfc_first(text));
    return encode_normalized(e, text, mode, ids, offsets, NULL, &seen, err);
}
