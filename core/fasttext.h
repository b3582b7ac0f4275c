/* core/fasttext.h - fastText's supervised models (Joulin et al. 2016, "Bag of tricks for efficient text classification";
 * "FastText.zip"): read, and labels of a text predicted. Training is fastText's own.
 *
 * A model file (.bin, or .ftz where product quantisation packs it) of version 11 or 12, little-endian:
 *   i32 magic 793712314, i32 version
 *   i32 dim, ws, epoch, min_count, neg, word_ngrams, loss (1 hierarchical softmax, 2 negative sampling, 3 softmax,
 *       4 one against all), model (3 supervised), bucket, minn, maxn, lr_update; f64 t
 *   i32 n_entries, n_words, n_labels; i64 n_tokens, n_pruned (-1: not pruned)
 *   an entry: bytes to a NUL, i64 count, u8 type (0 word, 1 label); words first
 *   n_pruned pairs i32: n-gram's bucket, its row behind the words'
 *   u8 packed; the input matrix; u8 packed; the output matrix (packed only where the input is too)
 * A matrix: i64 rows, i64 dim, f32 values. A packed one: u8 has_norms, i64 rows, i64 dim, i32 n_codes, the codes (a byte
 * for each `sub` columns of a row), a quantiser; with norms a byte a row and a quantiser of one column. A quantiser: i32 dim,
 * n_sub, sub, last_sub, then 256 * dim f32 centroids.
 *
 * A text is its words between blanks and the end mark "</s>"; a word gives its own row if it is known, and the rows of
 * its n-grams of minn to maxn characters with < and > around it, by FNV-1a over signed bytes modulo bucket; word_ngrams
 * consecutive words give one too. The mean of the rows times the output matrix is what a label scores. (A word "</s>" within the text ends it
 * for fastText; for us it is a word like others.)
 *
 * The result is the same on every machine: sums of floats have the order of the text, and exp and log are our own (stablemath.h).
 * Probabilities are fastText's to about 1e-6; like its own they can be 1e-5 above one. Ties go to the label that stands first. */
#ifndef TAMIS_CORE_FASTTEXT_H
#define TAMIS_CORE_FASTTEXT_H

#include "core/hash.h"

enum { FASTTEXT_MAX_DIM = 4096, FASTTEXT_MAX_LABELS = 1 << 20, FASTTEXT_MAX_WORD_NGRAMS = 16, FASTTEXT_MAX_K = 16 };

/* Any number of threads read one model, each with a scratch of its own. */
typedef struct FastText FastText;
typedef struct FastTextScratch FastTextScratch;

/* Reads a model whole; it needs no file afterwards. ERR_DATA with the offset for what is no model or a damaged one, ERR_LIMIT for
 * one beyond what is above. */
MUST_USE ErrCode fasttext_open(FastText **m, const char *path, Err *err);
/* The same of bytes; `name` is for messages. */
MUST_USE ErrCode fasttext_parse(FastText **m, Span bytes, const char *name, Err *err);
void fasttext_free(FastText *m);
Hash128 fasttext_content(const FastText *m); /* of the file's bytes: what params name a model by */
uint32_t fasttext_n_labels(const FastText *m);
Span fasttext_label(const FastText *m, uint32_t label); /* without "__label__"; lives as long as the model */

MUST_USE ErrCode fasttext_scratch_new(FastTextScratch **s, const FastText *m, Err *err);
void fasttext_scratch_free(FastTextScratch *s);

typedef struct {
    uint32_t label;
    float p;
} FastTextAnswer;
/* The k <= FASTTEXT_MAX_K likeliest labels of a text as one line (line ends are blanks), likeliest first; returns how many, 0
 * where nothing of it is known. `s` was made for `m`. Any bytes; allocates nothing. */
size_t fasttext_predict(const FastText *m, FastTextScratch *s, Span text, size_t k, FastTextAnswer *out);

#endif
