/* ingest/trees.h - sums of boosted decision trees over small whole numbers, for 16 rows at a time, or one. Whole numbers only, so that it is the same
 * everywhere. Tables are written by tools/train_blocks.py.
 *
 * A tree has up to 16 leaves, numbered from left to right: where a row's value is greater than `most`, the leaves left of the node are out.
 * When all nodes of a tree have been asked, in any order, the row is in the first leaf that is not out (QuickScorer, Lucchese et al. 2015):
 * no step depends on the one before, and all rows take it together. */
#ifndef TAMIS_INGEST_TREES_H
#define TAMIS_INGEST_TREES_H

#include <stddef.h>
#include <stdint.h>

enum { TREE_LANES = 16, TREE_LEAVES = 16, TREE_BUCKETS = 64 };

typedef struct {
    int16_t most;
    uint16_t feature, stay;
} TreeNode;

/* Where a model stands in its table. */
typedef struct {
    uint16_t first_tree, n_trees, first_node;
} TreeModelAt;

/* A table of models, one after the other. */
typedef struct {
    const uint16_t *ends; /* behind the last node of each tree, from the model's first node */
    const TreeNode *nodes;
    const int16_t *leaves; /* TREE_LEAVES of each tree, in 1024ths of a logarithm of odds */
} TreeTable;

/* of[feature][lane] -> the sum of the leaves that each lane is in. */
void trees_sum(const TreeTable *t, TreeModelAt at, const int16_t (*of)[TREE_LANES], int32_t sum[TREE_LANES]);
/* The same of one row: of[feature]. */
int32_t trees_sum_row(const TreeTable *t, TreeModelAt at, const int16_t *of);

/* The odds of a sum as a share: b from 0 to 63 means from b/64 to (b+1)/64. */
unsigned trees_likely(int32_t sum);

#endif
