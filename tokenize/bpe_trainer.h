/* tokenize/bpe_trainer.h - what the parts of the trainer share (huggingface/tokenizers, trainer.rs: the pair of highest count is
 * merged, of equal counts the smaller pair of ids; that is the whole rule, so any exact maximum does).
 *
 * Words lie one behind the other in one array of symbols, a separator between them, the most frequent words first: so the count
 * of the word at a place follows from the place by a short list of segments, and a position is all that is kept of an occurrence. A token
 * keeps its id in its first slot and, when it has several, their number in the last; so neighbours are found without links and a
 * merge writes three slots.
 *
 * Training goes in epochs. An epoch begins with every token in one slot and a least count: pairs that occur at least so often are
 * tracked, with their counts and positions, the others are not known at all. When the best tracked pair falls below the least
 * count, or the positions would take too much memory, the next epoch begins: tokens are moved together, pairs counted anew. This
 * is exact, because nothing makes new instances of old tokens: a pair occurs first in the step that makes its younger member, all its
 * positions are known when that step ends, and its count only falls afterwards. So a pair that is not tracked stays below the least
 * count, and an entry of the heap that is out of date is too high and is put back when it comes up. For the same reason
 * no two merges make the same string: until a merge crosses the ends of a string, its bytes are merged alike wherever it stands.
 *
 * The state is a function of the words and the merges so far: an epoch can begin with words merged in whatever way, and
 * that is how training is continued. */
#ifndef TAMIS_TOKENIZE_BPE_TRAINER_H
#define TAMIS_TOKENIZE_BPE_TRAINER_H

#include "core/slab.h"
#include "tokenize/bpe_count.h"
#include "tokenize/bpe_model.h"
#include "tokenize/leb128.h"
#include "tokenize/token_set.h"
#include "tokenize/word_list.h"

#include <stdlib.h>

#define SEPARATOR 0xFFFFFFFFu /* before the first word, after every word */
#define INNER     0xFFFFFFFEu /* a slot inside a token */
#define BACK      0x80000000u /* last slot of a token: BACK | slots of the token */

#if defined(__GNUC__)
#define BPE_PREFETCH(p) __builtin_prefetch(p)
#else
#define BPE_PREFETCH(p) ((void)(p))
#endif

enum {
    BLOCK_BITS = 8,     /* symbols of a block, for which its first segment is known */
    WALK_POSITIONS = 32 /* positions that are asked for ahead */
};

/* Words of one count: symbols from `begin` on. */
typedef struct {
    size_t begin;
    uint64_t count;
} Segment;

typedef struct {
    uint32_t *sym;
    size_t n;
    Slab *slab;
    Segment *segment; /* n_segments and one more that begins past the end */
    size_t n_segments;
    uint32_t *block; /* segment of the first symbol of each block */
    size_t n_blocks;
} Symbols;

/* Ascending positions: the differences as LEB128, the first from 0. */
typedef struct {
    uint8_t *at;
    uint64_t n;
} Positions;

typedef struct {
    uint64_t pair; /* left << 32 | right */
    uint64_t count;
    Positions list; /* .at NULL: empty slot */
} PairInfo;

typedef struct {
    uint64_t count, pair;
} HeapEntry;

/* What a merge step gathers about the neighbours with one id, on one side. */
typedef struct {
    uint64_t lost;   /* count that the pair with the old token loses */
    uint64_t gained; /* count of the pair with the new token */
    uint64_t n, last, bytes;
    uint8_t *at;
} Neighbour;

typedef struct PoolChunk PoolChunk;
typedef struct {
    Symbols text;
    uint32_t *token_bytes; /* by id */
    uint32_t *slots;       /* by id: of a token in this epoch */
    uint64_t least;        /* count of a tracked pair; 0: to be found */
    uint64_t floor;        /* below this nothing is merged; 1 at the least */
    PairInfo *pairs;       /* open addressing, at most half full */
    unsigned pair_bits;
    size_t n_pairs;
    HeapEntry *heap;
    size_t n_heap, cap_heap;
    PoolChunk *pool; /* of positions */
    uint8_t *pool_at;
    size_t pool_left;
    uint64_t pool_bytes;  /* taken */
    uint64_t memory;      /* for positions, pairs and counting them: what the text leaves */
    bool full;            /* they would take more: the epoch ends */
    uint32_t merges_left; /* wanted */
    uint64_t least_most;  /* the memory for counting may not raise `least` beyond it, so that it falls in the end */
    Neighbour *left, *right;        /* by id */
    uint32_t *left_ids, *right_ids; /* ids met in this step */
    uint32_t n_left, n_right;
    uint32_t n_ids;
    uint64_t max_bytes; /* a merged token has fewer bytes */
    Span *bytes; /* by id, where training goes on from a base: no new token is spelled like another; else NULL */
    TokenSet taken;
    Arena arena;
    int threads;
} Trainer;

/* --- bpe_symbols.c */
typedef struct {
    const uint8_t *id_of_byte; /* words of single bytes, or else */
    const Tokenizer *base;     /* words as this one merges them; NULL: none */
    const Tokenizer *extended; /* words that are tokens of it by ignore_merges have no pairs; NULL: none */
} BpeStart;
/* Takes the text of the list, word by word; words of one symbol have no pairs and are left out. */
MUST_USE ErrCode symbols_lay_out(Symbols *s, const WordList *words, const BpeStart *start, Err *err);
/* Moves the tokens together: one slot each. */
MUST_USE ErrCode symbols_compact(Symbols *s, const uint32_t *slots, Err *err);
void symbols_clear(Symbols *s);
uint64_t symbols_memory(const Symbols *s);

/* The count of the word at `at`; `seg` is kept from one place to the next, which must not be before it. */
static inline uint64_t count_at(const Symbols *s, size_t at, size_t *seg)
{
    if (at >= s->segment[*seg + 1].begin) {
        size_t block = s->block[at >> BLOCK_BITS];
        if (block > *seg) *seg = block;
        while (at >= s->segment[*seg + 1].begin) ++*seg;
    }
    return s->segment[*seg].count;
}

/* --- bpe_pairs.c */
void pairs_clear(Trainer *t); /* pairs, heap and positions */
/* With room for n pairs. */
MUST_USE ErrCode pairs_start(Trainer *t, size_t n, Err *err);
/* What n pairs take without their positions, and what so many bytes of positions take. */
uint64_t pairs_bytes(uint64_t n);
uint64_t pool_bytes(uint64_t bytes);
/* Is there memory for n pairs more and so many bytes of positions? If not, t->full is set. */
bool pairs_fit(Trainer *t, uint64_t n, uint64_t bytes);
/* NULL when it is not tracked. */
PairInfo *pair_find(const Trainer *t, uint64_t pair);
/* A pair that is not there yet. */
MUST_USE ErrCode pair_add(Trainer *t, uint64_t pair, uint64_t count, Positions list, Err *err);
/* Room for the positions of a pair, kept until the epoch ends. */
uint8_t *pool_take(Trainer *t, size_t bytes);
/* The most frequent pair as it is now; false when none of `least` is left. */
bool heap_pop(Trainer *t, HeapEntry *best);

/* --- bpe_epoch.c */
/* Counts pairs anew and tracks those of t->least; *most is the highest count, tracked or not. */
MUST_USE ErrCode epoch_begin(Trainer *t, uint64_t *most, Err *err);

/* --- bpe_merge.c */
/* Makes `token` of a tracked pair wherever it occurs, which is then tracked no more. */
MUST_USE ErrCode merge_pair(Trainer *t, PairInfo *p, uint32_t token, Err *err);

/* A merge of these would make too long a token. Pairs of single bytes are not asked, as in the reference. */
static inline bool pair_barred(const Trainer *t, uint32_t left, uint32_t right)
{
    uint64_t bytes = (uint64_t)t->token_bytes[left] + t->token_bytes[right];

    return bytes >= t->max_bytes && bytes > 2;
}

#endif
