/* Encoding: added tokens, then pretokens, which are cut at their seams (tokenize/seams.h); what is left goes in batches
 * (tokenize/word_batch.h). */
#include "tokenize/nfc.h"
#include "tokenize/pretoken.h"
#include "tokenize/tokenizer.h"
#include "tokenize/word_batch.h"

#include <stdlib.h>

enum { BATCH_PIECES = 32 }; /* of one pretoken, at once */

struct Encoder {
    PretokenScan *scan;
    Buf normalized; /* what the normalizer made of the piece in work */
    WordBatch batch;
};

ErrCode encoder_new(Encoder **out, const Tokenizer *t, Err *err)
{
    Encoder *e = calloc(1, sizeof *e);

    *out = NULL;
    if (!e) return err_nomem(err, "an encoder");
    ErrCode rc = pretokenscan_new(&e->scan, t->pretokenizer, err);
    if (rc == ERR_OK) rc = wordbatch_init(&e->batch, t, err);
    if (rc == ERR_OK)
        *out = e;
    else
        encoder_free(e);
    return rc;
}

void encoder_free(Encoder *e)
{
    if (!e) return;
    pretokenscan_free(e->scan);
    wordbatch_clear(&e->batch);
    buf_clear(&e->normalized);
    free(e);
}

const Tokenizer *encoder_tokenizer(const Encoder *e) { return e->batch.merger.t; }
uint64_t encoder_n_lost(const Encoder *e) { return e->batch.merger.n_lost; }

/* --- words */

/* A pretoken text[at, end) that is long or may have seams. */
static ErrCode cut_pretoken(WordBatch *b, Span text, size_t at, size_t end, Buf *ids, Err *err)
{
    const Seams *seams = b->merger.t->seams;
    size_t piece[BATCH_PIECES] = {end}, n_pieces = 1;
    ErrCode rc;

    while (at < end) {
        if (seams) seams_cut(seams, text, at, end, piece, BATCH_PIECES, &n_pieces);
        if (!wordbatch_has_room(b, n_pieces) && (rc = wordbatch_flush(b, text, ids, err)) != ERR_OK) return rc;
        for (size_t i = 0; i < n_pieces; at = piece[i++]) wordbatch_put(b, text, at, piece[i] - at);
    }
    return ERR_OK;
}

/* Text without added tokens. */
static ErrCode encode_words(Encoder *e, Span text, Buf *ids, Err *err)
{
    WordBatch *b = &e->batch;
    size_t end[BATCH_WORDS], n_ends, n, at = 0;
    ErrCode rc;

    b->n = 0; /* an error may have left words of another text */
    pretokenscan_begin(e->scan, text);
    while ((rc = pretokenscan_next(e->scan, end, BATCH_WORDS, &n_ends, err)) == ERR_OK && n_ends)
        for (size_t i = 0; i < n_ends; at = end[i - 1]) {
            if (!wordbatch_has_room(b, 1) && (rc = wordbatch_flush(b, text, ids, err)) != ERR_OK) return rc;
            if ((n = wordbatch_put_plain(b, text, at, end + i, n_ends - i)) != 0)
                i += n;
            else if ((rc = cut_pretoken(b, text, at, end[i++], ids, err)) != ERR_OK)
                return rc;
        }
    return rc == ERR_OK ? wordbatch_flush(b, text, ids, err) : rc;
}

/* Cuts the text at the added tokens of pass 0, what is left, normalized, at those of pass 1; what is left then is words. */
static ErrCode encode_pass(Encoder *e, Span text, int pass, EncodeMode mode, Buf *ids, Err *err)
{
    if (pass == 1 && e->batch.merger.t->nfc) {
        ErrCode rc = nfc_text(text, &e->normalized, &text, err);
        if (rc != ERR_OK) return rc;
    }
    if (pass == 2 || mode == ENCODE_PLAIN) return encode_words(e, text, ids, err);
    AddedScan scan = added_scan(e->batch.merger.t, pass, text, mode);
    AddedHit hit;
    size_t done = 0;
    ErrCode rc;

    for (; added_next(&scan, &hit); done = hit.end) {
        Span before = {text.p + done, hit.begin > done ? hit.begin - done : 0};
        if ((rc = encode_pass(e, before, pass + 1, mode, ids, err)) != ERR_OK) {
            added_end(&scan);
            return rc;
        }
        put_id(ids, hit.id);
    }
    return encode_pass(e, span_from(text, done), pass + 1, mode, ids, err);
}

ErrCode encode_as(Encoder *e, Span text, EncodeMode mode, Buf *ids, Err *err)
{
    buf_reset(ids);
    ErrCode rc = encode_pass(e, text, mode == ENCODE_PLAIN ? 1 : 0, mode, ids, err);
    buf_recycle(&e->normalized);
    return rc == ERR_OK ? buf_ok(ids, "token ids", err) : rc;
}

ErrCode encode(Encoder *e, Span text, bool plain, Buf *ids, Err *err)
{
    return encode_as(e, text, plain ? ENCODE_PLAIN : ENCODE_ALL, ids, err);
}
