/* core/fasttext_impl.h - a fastText model in memory, as fasttext_read.c makes it and fasttext.c asks it. */
#ifndef TAMIS_CORE_FASTTEXT_IMPL_H
#define TAMIS_CORE_FASTTEXT_IMPL_H

#include "core/fasttext.h"

enum {
    FT_LOSS_HS = 1,
    FT_LOSS_NS,
    FT_LOSS_SOFTMAX,
    FT_LOSS_OVA,
    FT_BLOCK =
        16, /* floats of a row that are summed together; rows are padded to whole blocks, which are a cache line */
    FT_CENTROIDS = 256
};

/* `values`, or where that is NULL the codes they come from. */
typedef struct {
    uint64_t rows;
    uint32_t dim, stride; /* stride: dim in whole blocks; the padding is zero */
    float *values;
    uint8_t *codes, *norm_codes; /* norm_codes may be NULL: all norms are one */
    float *centroids;            /* of each run of `sub` columns 256 times `sub` values */
    float norms[FT_CENTROIDS];
    uint32_t sub, n_sub;
} FtMatrix;
/* A packed row, unpacked: out[0..dim). */
void ftmatrix_unpack(const FtMatrix *m, uint64_t row, float *out);

typedef struct {
    uint32_t hash, entry; /* FNV-1a of the word; entry + 1, 0 where nothing is */
} FtWordSlot;
typedef struct {
    uint32_t bucket, row; /* row + 1 */
} FtNgramSlot;
typedef struct {
    int64_t count;
    int32_t left, right; /* below n_labels a label, else n_labels + an inner node */
} FtNode;

struct FastText {
    Hash128 content;
    uint32_t n_entries, n_words, n_labels;
    uint32_t bucket, minn, maxn, word_ngrams;
    uint64_t bucket_magic; /* 2^64 / bucket, rounded up: see ft_mod() */
    int loss;
    /* Entries: pool[entry_at[i]..entry_at[i + 1]) with a NUL at the end of each. */
    uint8_t *pool;
    uint64_t *entry_at;
    FtWordSlot *words; /* open addressing by the hash */
    uint32_t word_mask;
    /* Of a pruned model the buckets that have a row; `seen` tells most of the others apart in one bit each. */
    bool pruned;
    uint32_t n_pruned, ngram_mask;
    FtNgramSlot *ngrams;
    uint64_t *seen;
    uint32_t seen_mask;
    FtMatrix in, out;
    FtNode *tree; /* hierarchical softmax: nodes as FtNode numbers them, the root last */
    uint32_t tree_depth;
    float *sigmoid; /* fastText's table of 512 steps from -8 to 8, for one-against-all and negative sampling */
};

enum { FT_SIGMOID_STEPS = 512, FT_SIGMOID_MAX = 8 };

/* FNV-1a as fastText has it: bytes above 127 are negative and change all bits. */
#define FT_HASH_START 2166136261u
static inline uint32_t ft_hash_step(uint32_t h, uint8_t byte) { return (h ^ (uint32_t)(int8_t)byte) * 16777619u; }

/* Spreads the low bits of hashes that have a factor in common. */
static inline uint32_t ft_spread(uint32_t h) { return (uint32_t)(h * 0x9e3779b97f4a7c15u >> 32); }

#endif
