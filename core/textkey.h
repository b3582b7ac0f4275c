/* core/textkey.h - the text key: what two texts are compared by, never an output.
 *
 * Text becomes a sequence of key tokens over folded code points (unicode_fold): each Han, kana or Hangul
 * character is one token; each maximal run of letters, marks and digits of other scripts is one token, its
 * digits (Nd) written as 0 and runs of them as one 0. Numbers that are no digits and do not fold to some (Nl, No)
 * count as letters. White space, punctuation, symbols, controls and ill-formed bytes separate and vanish; what
 * folds to nothing (accents, soft hyphens) vanishes without separating. So "Don't 3.14 電腦！" gives
 * don t 0 0 电 脑. Shingles (dedup) and n-grams (filter) share it. */
#ifndef TAMIS_CORE_TEXTKEY_H
#define TAMIS_CORE_TEXTKEY_H

#include "core/buf.h"
#include "core/hash.h"

typedef struct {
    uint64_t hash;       /* XXH3-64 of the folded token in UTF-8 */
    uint32_t begin, end; /* the bytes of the original text it came from */
} KeyToken;

/* Scratch of one thread; zero-initialise, reuse for any number of texts, textkey_clear() at the end. */
typedef struct {
    KeyToken *tok; /* n_tok tokens of the last text, valid until the next call */
    size_t n_tok, cap;
    Buf folded; /* private: the folded tokens, each followed by one '\n' */
} TextKey;

/* Splits `text` (UTF-8, at most UINT32_MAX bytes, else ERR_LIMIT). */
MUST_USE ErrCode textkey_split(TextKey *k, Span text, Err *err);
void textkey_clear(TextKey *k);

/* Hash of the whole token sequence (XXH3-128 of the folded tokens, each followed by '\n'): equal for texts that
 * differ only in case, width, punctuation, white space, digits or Han variant. For a text without tokens, of its
 * raw bytes. */
Hash128 textkey_hash(const TextKey *k, Span text);

/* Hash of the n >= 1 tokens from t on: what a shingle or an n-gram is identified by. It is mix64(S + n) with
 * S = sum of t[i].hash * TEXTKEY_NGRAM_BASE^(n-1-i) mod 2^64, so a loop may also roll S along. */
#define TEXTKEY_NGRAM_BASE 0x9E3779B97F4A7C15u
uint64_t textkey_ngram(const KeyToken *t, size_t n);

#endif
