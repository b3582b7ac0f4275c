/* core/textkey.c - text keys: one pass that folds, cuts into tokens and hashes them. */
#include "core/textkey.h"
#include "core/unicode.h"
#include "core/utf8.h"

#include <stdlib.h>

static const uint8_t TOKEN_END = '\n'; /* no token contains it: it separates */

/* The token being collected: its folded bytes are folded[from ..]. */
typedef struct {
    TextKey *k;
    size_t from;
    uint32_t begin, end;
    bool in_run;     /* a run of letters is open */
    bool after_zero; /* its last character came from a digit */
    bool oom;
} Splitter;

static bool grow(TextKey *k)
{
    KeyToken *room = array_grow(k->tok, k->n_tok, &k->cap, sizeof *room);

    if (room) k->tok = room;
    return room != NULL;
}

/* Ends the open token: its folded bytes are everything since s->from. */
static void finish(Splitter *s)
{
    TextKey *k = s->k;

    if (k->n_tok == k->cap && !grow(k)) s->oom = true;
    if (s->oom || k->folded.oom) return;
    k->tok[k->n_tok++] = (KeyToken){
        .hash = hash64(span(k->folded.p + s->from, k->folded.n - s->from)), .begin = s->begin, .end = s->end};
    buf_putc(&k->folded, TOKEN_END);
    s->in_run = false;
}

static inline void separate(Splitter *s)
{
    if (s->in_run) finish(s);
}

static inline void open_token(Splitter *s, uint32_t begin)
{
    s->from = s->k->folded.n;
    s->begin = begin;
    s->in_run = true;
    s->after_zero = false;
}

/* One folded code point that came from text[begin, end). */
static void put_folded(Splitter *s, uint32_t cp, uint32_t begin, uint32_t end)
{
    UnicodeClass class = unicode_class(cp);

    switch (class) {
    case UC_HAN:
    case UC_KANA:
    case UC_HANGUL:
        separate(s);
        open_token(s, begin);
        utf8_append(&s->k->folded, cp);
        s->end = end;
        finish(s);
        return;
    case UC_LETTER:
    case UC_MARK:
    case UC_NUMBER:
    case UC_DIGIT:
        if (!s->in_run) open_token(s, begin);
        s->end = end;
        if (class != UC_DIGIT)
            utf8_append(&s->k->folded, cp);
        else if (!s->after_zero)
            buf_putc(&s->k->folded, '0');
        s->after_zero = class == UC_DIGIT;
        return;
    case UC_OTHER:
    case UC_SPACE:
    case UC_PUNCT:
    case UC_SYMBOL: separate(s); return;
    }
}

/* text[at] is an ASCII letter or digit: takes the run of them. Returns where it ends. */
static size_t put_ascii(Splitter *s, Span text, size_t at)
{
    Buf *b = &s->k->folded;

    if (!s->in_run) open_token(s, (uint32_t)at);
    while (at < text.n) {
        if (b->cap - b->n < 8 && !buf_reserve(b, 8)) {
            s->oom = true;
            break;
        }
        if (text.n - at >= 8) {
            uint64_t eight = le64_get(text.p + at);
            unsigned n = ascii_leading_letters(eight);
            le64_put(b->p + b->n,
                     eight | 0x2020202020202020u); /* all eight: those behind the letters are written over */
            b->n += n;
            at += n;
            if (n) s->after_zero = false;
            if (n == 8) continue;
        }
        if (!ascii_is_alnum(text.p[at])) break;
        bool digit = ascii_is_digit(text.p[at]);
        if (!digit || !s->after_zero) b->p[b->n++] = digit ? '0' : text.p[at] | 0x20;
        s->after_zero = digit;
        at++;
    }
    s->end = (uint32_t)at;
    return at;
}

/* U+4E00..U+9FFF, all of them Han, where nothing is to be folded: most of Chinese text. */
static inline bool is_plain_han(Span text, size_t at)
{
    const uint8_t *p = text.p + at;

    if (p[0] < 0xE4 || p[0] > 0xE9 || text.n - at < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) return false;
    uint32_t cp = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    return cp >= 0x4E00 && unicode_folds_to_itself(cp);
}

static inline void put_plain_han(Splitter *s, const uint8_t p[3], uint32_t at)
{
    TextKey *k = s->k;
    Buf *b = &k->folded;

    separate(s);
    if ((b->cap - b->n < 4 && !buf_reserve(b, 4)) || (k->n_tok == k->cap && !grow(k))) {
        s->oom = true;
        return;
    }
    memcpy(b->p + b->n, p, 3);
    b->p[b->n + 3] = TOKEN_END;
    b->n += 4;
    k->tok[k->n_tok++] = (KeyToken){.hash = hash64(span(p, 3)), .begin = at, .end = at + 3};
}

ErrCode textkey_split(TextKey *k, Span text, Err *err)
{
    Splitter s = {.k = k};

    k->n_tok = 0;
    buf_reset(&k->folded);
    if (text.n > UINT32_MAX)
        return err_set(err, ERR_LIMIT, "a text of %zu bytes is too large for a text key", text.n);
    for (size_t at = 0; at < text.n && !s.oom;) {
        uint32_t cp, to[UNICODE_FOLD_MAX];
        if (text.p[at] < 0x80) {
            if (ascii_is_alnum(text.p[at])) {
                at = put_ascii(&s, text, at);
            } else {
                separate(&s);
                at++;
            }
            continue;
        }
        if (is_plain_han(text, at)) {
            put_plain_han(&s, text.p + at, (uint32_t)at);
            at += 3;
            continue;
        }
        size_t end = at + utf8_next(text.p + at, text.n - at, &cp);
        unsigned n = cp == UTF8_BAD ? 0 : unicode_fold(cp, to);
        if (cp == UTF8_BAD) separate(&s);
        for (unsigned i = 0; i < n; i++) put_folded(&s, to[i], (uint32_t)at, (uint32_t)end);
        at = end;
    }
    separate(&s);
    if (s.oom) return err_nomem(err, "a text key");
    return buf_ok(&k->folded, "a text key", err);
}

void textkey_clear(TextKey *k)
{
    free(k->tok);
    buf_clear(&k->folded);
    *k = (TextKey){0};
}

Hash128 textkey_hash(const TextKey *k, Span text) { return hash128(k->n_tok ? buf_span(&k->folded) : text); }

uint64_t textkey_ngram(const KeyToken *t, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) sum = sum * TEXTKEY_NGRAM_BASE + t[i].hash;
    return mix64(sum + n);
}
