/* filter/words.h - text becomes words, as the quality rules count them. Private to the room.
 *
 * White space (Unicode White_Space) ends a word. Each Han, kana or Hangul character is a word of its own. Of what
 * lies between, the core is everything from the first letter, mark, digit or number to the last; before and after it
 * stand punctuation, symbols and controls, of which each maximal run of one character is a word. So
 *     "Don't," (he said) -- 3.14…中文    gives    " Don't , " ( he said ) -- 3.14 … 中 文
 * with inner punctuation left in place. This is our own documented splitter: coarser than a linguistic one, the same
 * everywhere, and exactly reproducible. Words are compared with case, unfolded.
 *
 * "Plain" words have a core (they are not punctuation alone); "alpha" words hold a letter. Lengths are code points.
 */
#ifndef TAMIS_FILTER_WORDS_H
#define TAMIS_FILTER_WORDS_H

#include "core/buf.h"

typedef struct {
    uint64_t *hash;  /* of n words */
    uint32_t *chars; /* n + 1 running sums: words [i, j) have chars[j] - chars[i] code points */
    size_t n, cap;
    /* Han characters: how often each; `seen` lists those with a count, in order of first appearance */
    uint32_t *han_count;
    uint32_t *seen;
    size_t n_seen;

    /* sums over the text */
    uint64_t n_chars;              /* code points, white space too */
    uint64_t n_space;              /* of them: white space */
    uint64_t n_punct;              /* punctuation, symbols, controls */
    uint64_t n_letters;            /* letters of alphabets */
    uint64_t n_han;                /* Han, kana and Hangul characters */
    uint64_t n_digits;             /* Nd */
    uint64_t n_plain, plain_chars; /* plain words, their code points */
    uint64_t n_alpha;              /* alpha words */
    uint64_t n_hash, n_hash_runs;  /* '#', runs of it */
    uint64_t n_ellipsis;           /* "..." not overlapping, and U+2026 */
    uint64_t bracket_chars;        /* inside 【】 of one line, brackets and white space not counted */
    uint32_t stop_words;           /* one bit for each of the eight English stop words that occur as a word */
    bool odd_breaks;               /* a line break other than '\n' occurs (words_is_break) */
    bool full;                     /* there were more than WORDS_MAX */
} Words;

enum {
    WORDS_MAX_BYTES = 32 << 20, /* longest text measured */
    WORDS_MAX = 8 << 20,        /* most words, lines or paragraphs of one, 40 bytes of scratch each: 320 MiB */
    HAN_FIRST = 0x3400,         /* characters counted one by one; rarer ones share the last count */
    HAN_LAST = 0x9FFF,
    HAN_COUNTS = HAN_LAST - HAN_FIRST + 2
};

/* Splits `text` (well-formed UTF-8). Zero-initialise once, reuse for any number of texts. ERR_LIMIT beyond WORDS_MAX_BYTES or
 * WORDS_MAX. */
MUST_USE ErrCode words_split(Words *w, Span text, Err *err);
void words_clear(Words *w);

/* The line breaks of Python's str.splitlines: LF VT FF CR FS GS RS NEL LS PS. */
static inline bool words_is_break(uint32_t cp)
{
    return (cp >= 10 && cp <= 13) || (cp >= 0x1C && cp <= 0x1E) || cp == 0x85 || cp == 0x2028 || cp == 0x2029;
}

#endif
