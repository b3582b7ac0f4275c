#include "ingest/blockmodel.h"

typedef struct {
    uint16_t node, leaf;
} ModelTree;

/* A block goes left where its feature is at most `most`. Below 0: ~index of a leaf of the tree. */
typedef struct {
    int16_t most;
    uint8_t feature;
    int8_t left, right;
} ModelNode;

#include "ingest/blockmodel_table.inc"

_Static_assert(FEATURE_N <= 256, "a node's feature is a byte");

unsigned blockmodel_judge(const int16_t f[FEATURE_N])
{
    int32_t sum = 0;
    unsigned lo = 0, hi = MODEL_BUCKETS - 1;

    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        const ModelNode *node = nodes + trees[i].node;
        int at = 0;
        while (at >= 0) at = f[node[at].feature] <= node[at].most ? node[at].left : node[at].right;
        sum += leaves[trees[i].leaf + ~at];
    }
    while (lo < hi) { /* the first bound above the sum */
        unsigned mid = (lo + hi) / 2;
        if (sum >= bounds[mid])
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
