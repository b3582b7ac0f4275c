/* tokenize/word_table.h - distinct words with their counts.
 *
 * The words lie one behind the other in memory, their counts before them; slots of eight bytes hold the top of a word's hash and
 * where it lies, eight slots a line of the processor's cache, which is looked at as a whole. Lines lie in segments of 32 KiB, which a
 * directory finds by the top bits of the hash; a full segment gives half of its words to a new one and the directory doubles when it
 * must (extendible hashing: Fagin et al. 1979). So the table grows a segment at a time: nothing is copied as a whole, no memory is
 * let go of, and its size follows its words closely. Inside a segment probing is linear. */
#ifndef TAMIS_TOKENIZE_WORD_TABLE_H
#define TAMIS_TOKENIZE_WORD_TABLE_H

#include "core/err.h"
#include "core/slab.h"

#if defined(__GNUC__)
#define WORD_PREFETCH(p) __builtin_prefetch(p)
#else
#define WORD_PREFETCH(p) ((void)(p))
#endif

enum { LINE_SLOTS = 8, SEGMENT_BITS = 9 /* log2 of its lines */, TAG_BITS = 32 };
#define WORDTABLE_MAX_TEXT (UINT64_C(12) << 30) /* a place is 32 bits, in units of four bytes */

typedef struct {
    uint32_t tag[LINE_SLOTS]; /* 0: empty, as all behind it */
    uint32_t place[LINE_SLOTS];
} WordLine;

typedef struct {
    WordLine *line;
    uint32_t n, depth; /* words; top bits of the tag that all of them share */
    uint32_t next;     /* segment of the same directory entry, where no further bits tell words apart; else 0 */
} WordSegment;

typedef struct {
    uint32_t *directory; /* segments by the top `depth` bits of the tag */
    unsigned depth;
    WordSegment *segment;
    size_t n_segments, cap_segments;
    uint8_t **text; /* blocks of words: u64 count, LEB128 length, bytes, from a multiple of four on; sixteen
                       bytes can be read from any of them on */
    size_t n_text, cap_text;
    uint8_t *block_at; /* what is left of the last block */
    size_t block_left;
    Slab *slab; /* all memory but the lists */
    uint64_t slab_bytes;
    uint64_t n, bytes; /* words; of all of them */
} WordTable;

MUST_USE ErrCode wordtable_init(WordTable *t, Err *err);
void wordtable_clear(WordTable *t);
uint64_t wordtable_memory(const WordTable *t);
/* What the words, with what is before each of them, take of WORDTABLE_MAX_TEXT. */
uint64_t wordtable_text(const WordTable *t);

/* The tag of a word: any hash of it, as long as it is always the same. */
static inline uint32_t word_tag(uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);

    return tag ? tag : 1;
}
/* Asks for the line of a word. */
static inline void wordtable_ask(const WordTable *t, uint32_t tag)
{
    const WordSegment *s = &t->segment[t->directory[(uint64_t)tag >> (TAG_BITS - t->depth)]];

    WORD_PREFETCH(&s->line[tag & ((1 << SEGMENT_BITS) - 1)]);
}
/* Asks for the word that this tag probably is. */
void wordtable_ask_word(const WordTable *t, uint32_t tag);

/* A word, `count` times more. ERR_NOMEM also when all words are more than WORDTABLE_MAX_TEXT. */
MUST_USE ErrCode wordtable_add(WordTable *t, Span word, uint32_t tag, uint64_t count, Err *err);
/* The same of a word of up to 15 bytes as a key (tokenize/word_key.h). */
MUST_USE ErrCode wordtable_add_short(WordTable *t, uint64_t lo, uint64_t hi, uint32_t tag, uint64_t count, Err *err);
/* Makes `into`, which is empty, a table of the words of from[0, n) that are in share k of n, told by their tags. The words stay where
 * they are, so the tables they come from must outlive it; their counts are not theirs any more. Threads may take other shares
 * meanwhile. */
MUST_USE ErrCode wordtable_take_share(WordTable *into, WordTable *const *from, unsigned k, unsigned n, Err *err);

/* --- walking, in no particular order */
typedef struct {
    const WordTable *table;
    size_t segment, at;
    Span word; /* valid as long as the table */
    uint64_t count;
    uint32_t tag, place;
} WordCursor;
static inline WordCursor wordcursor(const WordTable *t) { return (WordCursor){.table = t}; }
/* False when there are no more. */
bool wordcursor_next(WordCursor *w);

#endif
