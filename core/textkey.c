/* core/textkey.c - text keys: one pass that folds, cuts into tokens and hashes them. What most text consists of, words of ASCII
 * letters between separators and plain Han, goes by runs; everything else character by character. */
#include "core/textkey.h"
#include "core/ascii_block.h"
#include "core/unicode.h"
#include "core/utf8.h"

#include <stdlib.h>

#define XXH_INLINE_ALL /* tokens are short: a call costs as much as the hash */
#include <xxhash.h>

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

/* Room for so many tokens, and so many folded bytes. */
static bool reserve(Splitter *s, size_t tokens, size_t bytes)
{
    TextKey *k = s->k;
    Buf *b = &k->folded;

    while (k->cap - k->n_tok < tokens && !s->oom) {
        KeyToken *room = array_grow(k->tok, k->cap, &k->cap, sizeof *room);
        if (room)
            k->tok = room;
        else
            s->oom = true;
    }
    if (b->cap - b->n < bytes && !buf_reserve(b, bytes)) s->oom = true;
    return !s->oom;
}

/* Ends the open token: its folded bytes are everything since s->from. */
static void finish(Splitter *s)
{
    TextKey *k = s->k;

    if (!reserve(s, 1, 1) || k->folded.oom) return;
    k->tok[k->n_tok++] = (KeyToken){
        .hash = XXH3_64bits(k->folded.p + s->from, k->folded.n - s->from), .begin = s->begin, .end = s->end};
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

/* --- runs: while no token is open */

/* A word of n <= ASCII_BLOCK letters; what lies up to 16 bytes behind it in text and folded is read, and written over. */
static inline void put_word(TextKey *k, const uint8_t *p, size_t at, unsigned n)
{
    Buf *b = &k->folded;
    uint8_t *to = b->p + b->n;

    for (unsigned i = 0; i < n; i += 16) {
        le64_put(to + i, le64_get(p + i) | 0x2020202020202020u);
        le64_put(to + i + 8, le64_get(p + i + 8) | 0x2020202020202020u);
    }
    to[n] = TOKEN_END;
    b->n += n + 1;
    k->tok[k->n_tok++] = (KeyToken){.hash = XXH3_64bits(to, n), .begin = (uint32_t)at, .end = (uint32_t)(at + n)};
}

/* Takes words of ASCII letters and what separates them from text[at] on. Returns where something else begins, or the run of
 * letters that touches it, or the last block. */
static size_t put_words(Splitter *s, Span text, size_t at)
{
    while (text.n - at >= ASCII_BLOCK + 16 && reserve(s, ASCII_BLOCK / 2, 2 * ASCII_BLOCK)) {
        AsciiBlock block = ascii_block(text.p + at);
        unsigned stop = block.other ? bit_lowest(block.other) : ASCII_BLOCK, done = stop;
        for (uint64_t letters = block.letters; letters;) {
            unsigned begin = bit_lowest(letters);
            if (begin >= stop) break;
            uint64_t behind = ~(letters >> begin);
            unsigned n = behind ? bit_lowest(behind) : ASCII_BLOCK;
            if (begin + n >= stop) {
                done = begin;
                break;
            }
            put_word(s->k, text.p + at + begin, at + begin, n);
            letters &= letters + (UINT64_C(1) << begin); /* the carry runs through the word */
        }
        at += done;
        if (stop < ASCII_BLOCK || done == 0) break;
    }
    return at;
}

/* U+4E00..U+9FFF, all of them Han, where nothing is to be folded: most of Chinese text. */
static inline bool is_plain_han(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 3 || p[0] < 0xE4 || p[0] > 0xE9 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) return false;
    uint32_t cp = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    return cp >= 0x4E00 && unicode_folds_to_itself(cp);
}

/* Takes plain Han from text[at] on; returns where it ends. */
static size_t put_han(Splitter *s, Span text, size_t at)
{
    enum { AT_ONCE = 32 };
    const uint8_t *p = text.p + at, *end = text.p + text.n;

    while (is_plain_han(p, end) && reserve(s, AT_ONCE, (size_t)AT_ONCE * 4)) {
        KeyToken *tok = s->k->tok + s->k->n_tok;
        uint8_t *to = s->k->folded.p + s->k->folded.n;
        size_t n = 0;
        do {
            uint8_t *token = to + 4 * n;
            memcpy(token, p, 3);
            token[3] = TOKEN_END;
            at = (size_t)(p - text.p);
            tok[n++] = (KeyToken){.hash = XXH3_64bits(p, 3), .begin = (uint32_t)at, .end = (uint32_t)at + 3};
            p += 3;
        } while (n < AT_ONCE && is_plain_han(p, end));
        s->k->n_tok += n;
        s->k->folded.n += 4 * n;
    }
    return (size_t)(p - text.p);
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
            if (!s.in_run) at = put_words(&s, text, at);
            if (text.p[at] >= 0x80) continue;
            if (ascii_is_alnum(text.p[at])) {
                at = put_ascii(&s, text, at);
            } else {
                separate(&s);
                at++;
            }
            continue;
        }
        if (is_plain_han(text.p + at, text.p + text.n)) {
            separate(&s);
            at = put_han(&s, text, at);
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
