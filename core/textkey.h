/* core/textkey.h - the text key: what two texts are compared by, never an output.
 *
 * Text becomes a sequence of key tokens over folded code points (unicode_fold): each Han, kana or Hangul
 * character is one token; each maximal run of letters, marks and digits of other scripts is one token, its
 * digits (Nd) written as 0 and runs of them as one 0; white space, punctuation, symbols and controls
 * separate and vanish. So "Don't 3.14 電腦！" gives don t 0 0 电 脑. Shingles (dedup) and n-grams (filter) share it. */
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
    Buf folded; /* private */
} TextKey;

/* Splits `text` (well-formed UTF-8, < 4 GiB). */
MUST_USE ErrCode textkey_split(TextKey *k, Span text, Err *err);
void textkey_clear(TextKey *k);

/* Hash of the whole token sequence: equal for texts that differ only in case, width, punctuation, white
 * space, digits or Han variant. For a text without tokens, of its raw bytes. */
Hash128 textkey_hash(const TextKey *k, Span text);

/* Hash of the n >= 1 tokens from t on: what a shingle or an n-gram is identified by. */
uint64_t textkey_ngram(const KeyToken *t, size_t n);

#endif
