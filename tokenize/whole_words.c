#include "tokenize/whole_words.h"

#include "tokenize/tokenizer.h"
#include "tokenize/word_merge.h"

#include <stdlib.h>

/* Sets *is_made: does merging make the token of its own bytes? */
static ErrCode check_token(WordMerger *merger, uint32_t id, Buf *ids, bool *is_made, Err *err)
{
    buf_reset(ids);
    ErrCode rc = word_encode(merger, merger->t->bytes[id], ids, err);
    if (rc == ERR_OK) rc = buf_ok(ids, "the tokenizer", err);
    *is_made = rc == ERR_OK && span_eq(buf_span(ids), span(&id, sizeof id));
    return rc;
}

/* Appends the ids of the tokens that merging does not make. */
static ErrCode gather(const Tokenizer *t, Buf *found, Err *err)
{
    WordMerger merger = {.t = t};
    Buf ids = {0};
    ErrCode rc = ERR_OK;

    for (uint32_t id = 0; id < t->n_ids && rc == ERR_OK; id++) {
        bool is_made = true;
        if (t->flags[id] & TOKEN_BYTELEVEL) rc = check_token(&merger, id, &ids, &is_made, err);
        if (!is_made && rc == ERR_OK) put_id(found, id);
    }
    buf_clear(&ids);
    wordmerger_clear(&merger);
    return rc == ERR_OK ? buf_ok(found, "the tokenizer", err) : rc;
}

/* Where a word is, or would be. */
static uint32_t *slot_of(const WholeWords *w, const Tokenizer *t, Span word)
{
    size_t at = (size_t)hash64(word) & w->mask;

    while (w->slot[at] != NO_ID && !span_eq(t->bytes[w->slot[at]], word)) at = (at + 1) & w->mask;
    return &w->slot[at];
}

static ErrCode build(WholeWords **out, const Tokenizer *t, const Buf *found, Err *err)
{
    const uint32_t *id = (const uint32_t *)(const void *)found->p;
    size_t n = found->n / sizeof *id, n_slots = 16;
    WholeWords *w = calloc(1, sizeof *w);

    while (n_slots < 2 * n) n_slots *= 2;
    if (w) w->slot = malloc(n_slots * sizeof *w->slot);
    if (!w || !w->slot) {
        wholewords_free(w);
        return err_nomem(err, "the tokenizer");
    }
    memset(w->slot, 0xff, n_slots * sizeof *w->slot); /* NO_ID */
    w->mask = n_slots - 1;
    for (size_t i = 0; i < n; i++) *slot_of(w, t, t->bytes[id[i]]) = id[i];
    *out = w;
    return ERR_OK;
}

ErrCode wholewords_new(WholeWords **out, const Tokenizer *t, Err *err)
{
    Buf found = {0};

    *out = NULL;
    if (!t->ignore_merges) return ERR_OK;
    ErrCode rc = gather(t, &found, err);
    if (rc == ERR_OK && found.n) rc = build(out, t, &found, err);
    buf_clear(&found);
    return rc;
}

void wholewords_free(WholeWords *w)
{
    if (w) free(w->slot);
    free(w);
}

uint32_t wholewords_find(const WholeWords *w, const Tokenizer *t, Span pretoken) { return *slot_of(w, t, pretoken); }
