/* tokenize/word_list.h - the distinct words of a text with their counts, the most frequent first: what training starts from.
 *
 * The order of words of one count is nobody's content: nothing that is trained depends on it. Where the words are too many for
 * the memory that training may take, the rarest are left out: by count, those of one count by the top byte of their XXH3-64, highest
 * first; counts of WORDS_LAST_LEVEL and more are not told apart. That is a function of the words and the limit alone. */
#ifndef TAMIS_TOKENIZE_WORD_LIST_H
#define TAMIS_TOKENIZE_WORD_LIST_H

#include "core/buf.h"

enum { WORDS_LAST_LEVEL = 4095 };

/* The words of one count. */
typedef struct {
    uint64_t count, n_words;
    uint64_t bytes; /* of the list's text that they take */
} WordGroup;

typedef struct {
    WordGroup *group; /* falling counts */
    size_t n_groups;
    uint8_t *text; /* of each word its length as LEB128, then its bytes; group after group */
    size_t text_bytes;
    uint64_t n_words, n_symbols;         /* a symbol for each byte and one for each word's end */
    uint64_t left_out, left_out_symbols; /* distinct words, and what they would have been; 0: all are here */
    uint64_t corpus_bytes;               /* of text that was counted */
    uint64_t part_bytes, part_words, part_symbols; /* of a part of it, at most half; 0: not known */
} WordList;
void wordlist_clear(WordList *l);
/* Of the words and their counts, in whatever order. */
uint64_t wordlist_sum(const WordList *l);

/* Walks through a list: words in order. */
typedef struct {
    const WordList *list;
    size_t at, group;
    uint64_t in_group; /* words of the group given out */
    Span word;         /* valid as long as the list */
    uint64_t count;
} WordWalk;
static inline WordWalk wordwalk(const WordList *l) { return (WordWalk){.list = l}; }
bool wordwalk_next(WordWalk *w); /* false when there are no more */

/* --- making one */
typedef struct WordChunk WordChunk;
typedef struct {
    uint64_t max_symbols; /* of the list */
    uint64_t *symbols;    /* by level: of all words there were */
    uint32_t cut;         /* words of a lower level are left out */
    WordChunk *chunk;     /* the newest */
    WordList list;        /* its totals; kept words of a level below `cut` are still counted */
} WordBuilder;
MUST_USE ErrCode wordbuilder_init(WordBuilder *b, uint64_t max_symbols, Err *err);
void wordbuilder_clear(WordBuilder *b);
/* A distinct word. */
MUST_USE ErrCode wordbuilder_add(WordBuilder *b, Span word, uint64_t count, Err *err);
/* The list, which is the caller's then; the builder is empty. */
MUST_USE ErrCode wordbuilder_finish(WordBuilder *b, WordList *list, Err *err);

#endif
