/* filter/signals.h - what is measured of one text: numbers the rules look at, exported as columns so that thresholds
 * can be moved without reading the text again. Private to the room.
 *
 * Definitions follow Gopher (Rae et al. 2021, appendix A1.1) and FineWeb (Penedo et al. 2024) in the form of the
 * datatrove library, on the words of filter/words.h; lengths are code points. Each value is rounded to 1e-6 (at a
 * half away from zero) before anything is compared with it. A measure that a text's kind does not have is NaN:
 * absent. */
#ifndef TAMIS_FILTER_SIGNALS_H
#define TAMIS_FILTER_SIGNALS_H

#include "filter/repeats.h"
#include "filter/words.h"

/* Every signal: its number and the name of its column, at most 16 bytes of [a-z0-9_]. */
#define SIGNALS(X)                                                                                                 \
    X(SIG_CHARS, "chars")             /* code points */                                                            \
    X(SIG_WORDS, "words")             /* plain words */                                                            \
    X(SIG_WORD_LEN, "word_len")       /* mean length of plain words */                                             \
    X(SIG_HASHES, "hash_ratio")       /* '#' per word */                                                           \
    X(SIG_HASH_RUNS, "hash_runs")     /* runs of '#' per word */                                                   \
    X(SIG_ELLIPSES, "ellipsis_ratio") /* "..." and U+2026 per word */                                              \
    X(SIG_BULLETS, "bullet_lines")    /* share of lines that begin with a bullet or '-' */                         \
    X(SIG_END_DOTS, "ellipsis_lines") /* share of lines that end in "..." or U+2026 */                             \
    X(SIG_ALPHA, "alpha_words")       /* share of words that hold a letter */                                      \
    X(SIG_ALPHA_PLAIN, "alpha_plain") /* share of plain words that hold a letter */                                \
    X(SIG_STOP_WORDS, "stop_words")   /* how many of: the be to of and that have with */                           \
    X(SIG_DUP_PARA, "dup_paras")      /* share of paragraphs that stood before; of their characters in the text */ \
    X(SIG_DUP_PARA_CH, "dup_para_chars")                                                                           \
    X(SIG_DUP_LINE, "dup_lines") /* the same of lines */                                                           \
    X(SIG_DUP_LINE_CH, "dup_line_chars")                                                                           \
    X(SIG_TOP_2, "top_2_gram") /* share of the text that is the most frequent n-gram */                            \
    X(SIG_TOP_3, "top_3_gram")                                                                                     \
    X(SIG_TOP_4, "top_4_gram")                                                                                     \
    X(SIG_DUP_5, "dup_5_grams") /* share of the text in n-grams that stood before */                               \
    X(SIG_DUP_6, "dup_6_grams")                                                                                    \
    X(SIG_DUP_7, "dup_7_grams")                                                                                    \
    X(SIG_DUP_8, "dup_8_grams")                                                                                    \
    X(SIG_DUP_9, "dup_9_grams")                                                                                    \
    X(SIG_DUP_10, "dup_10_grams")                                                                                  \
    X(SIG_LINE_END, "line_ends")         /* share of lines with text that end in a terminal mark */                \
    X(SIG_SHORT_LINE, "short_lines")     /* share of lines with text of at most 30 code points */                  \
    X(SIG_DUP_TEXT_CH, "dup_text_chars") /* characters of repeated lines, per one that is no LF */                 \
    X(SIG_NEWLINES, "newlines_a_word")   /* line feeds per word */                                                 \
    /* Chinese; "han" are Han, kana and Hangul characters, "text" what is no space, punctuation or symbol */       \
    X(SIG_HAN, "han_ratio")           /* han per character of text */                                              \
    X(SIG_DIGITS, "digit_ratio")      /* Nd per character of text */                                               \
    X(SIG_PUNCT, "punct_ratio")       /* punctuation and symbols per character that is no space */                 \
    X(SIG_BRACKETS, "bracket_ratio")  /* share inside 【】 of the characters that are no space */                \
    X(SIG_HAN_KINDS, "han_kinds")     /* distinct han per min(HAN_KINDS_OF, han) */                                \
    X(SIG_HAN_ENTROPY, "han_entropy") /* entropy of han, nats */                                                   \
    X(SIG_MORE_LINES, "teaser_lines") /* share of lines that end in 更多 展开 全文 …: lines.c */           \
    /* code */                                                                                                     \
    X(SIG_LINE_MAX, "line_max")   /* longest line */                                                               \
    X(SIG_LINE_MEAN, "line_mean") /* code points per line with text */                                             \
    X(SIG_ALNUM, "alnum_ratio")   /* letters, Han and digits per code point */

#define SIGNAL_ID(id, name) id,
typedef enum { SIGNALS(SIGNAL_ID) SIG_COUNT } SignalId;
#undef SIGNAL_ID

enum { HAN_KINDS_OF = 2000, SHORT_LINE_CHARS = 30 };

/* What kind of text it is decides which signals there are and which rules judge it. */
typedef enum { KIND_ENGLISH, KIND_CHINESE, KIND_CODE, KIND_OTHER, KIND_COUNT } TextKind;

typedef struct {
    Words words;
    Repeats repeats;
} SignalScratch;

/* Scratch for more words or lines than these is given back after the text: a thread keeps at most 40 MiB. */
enum { SIGNALS_KEEP = 1 << 20 };

/* Measures `text` (well-formed UTF-8) into v. Total: an empty text has zeros. ERR_LIMIT when it is longer than is measured
 * (filter/words.h). */
MUST_USE ErrCode signals_measure(SignalScratch *s, Span text, TextKind kind, double v[SIG_COUNT], Err *err);
void signals_clear(SignalScratch *s);

/* The kind for a document's `lang` (p == NULL: absent, then a text whose letters are Han by a fifth is Chinese, else
 * English). `zh` from outside counts as Chinese. */
TextKind text_kind(Span lang, Span text);

#endif
