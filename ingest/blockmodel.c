#include "ingest/blockmodel.h"

#if defined(__SSE2__) && !defined(BLOCKMODEL_PLAIN) /* as other machines do it: for a test */
#define BLOCKMODEL_SSE2 1
#include <emmintrin.h>
#endif

/* A node of a tree with up to 16 leaves, which are numbered from left to right: where a block's feature is greater than `most`, the leaves
 * left of the node are out. When all nodes of a tree have been asked, in any order, the block is in the first leaf that is not out
 * (QuickScorer, Lucchese et al. 2015): no step depends on the one before, and 16 blocks take it together. */
typedef struct {
    int16_t most;
    uint16_t feature, stay;
} ModelNode;
enum { MAX_LEAVES = 16 };

/* tree_ends: behind the last node of each tree; leaves: MAX_LEAVES of each, in 1024ths; bounds: of the buckets. */
#include "ingest/blockmodel_table.inc"

enum { N_TREES = sizeof tree_ends / sizeof tree_ends[0] };
_Static_assert(sizeof leaves / sizeof leaves[0] == (size_t)N_TREES * MAX_LEAVES, "every tree has its leaves");
_Static_assert(sizeof bounds / sizeof bounds[0] == MODEL_BUCKETS - 1, "buckets lie between bounds");

static unsigned bucket_of(int32_t sum)
{
    unsigned lo = 0, hi = MODEL_BUCKETS - 1;

    while (lo < hi) { /* the first bound above the sum */
        unsigned mid = (lo + hi) / 2;
        if (sum >= bounds[mid])
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static unsigned first_leaf(uint16_t in)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctz(in);
#else
    unsigned i = 0;

    while (!(in >> i & 1)) i++;
    return i;
#endif
}

/* Which leaves of the tree with nodes [i, end) each block may be in. */
static void ask_tree(const ModelBatch *batch, size_t i, size_t end, uint16_t in[MODEL_LANES])
{
#if defined(BLOCKMODEL_SSE2) /* compilers keep the masks in memory between nodes */
    __m128i low = _mm_set1_epi16(-1), high = low;

    for (; i < end; i++) {
        const __m128i *f = (const __m128i *)batch->of[nodes[i].feature];
        __m128i most = _mm_set1_epi16(nodes[i].most), stay = _mm_set1_epi16((int16_t)nodes[i].stay);
        low = _mm_andnot_si128(_mm_andnot_si128(stay, _mm_cmpgt_epi16(_mm_loadu_si128(f), most)), low);
        high = _mm_andnot_si128(_mm_andnot_si128(stay, _mm_cmpgt_epi16(_mm_loadu_si128(f + 1), most)), high);
    }
    _mm_storeu_si128((__m128i *)in, low);
    _mm_storeu_si128((__m128i *)in + 1, high);
#else
    for (int l = 0; l < MODEL_LANES; l++) in[l] = 0xffff;
    for (; i < end; i++)
        for (int l = 0; l < MODEL_LANES; l++)
            in[l] &= (uint16_t)(batch->of[nodes[i].feature][l] > nodes[i].most ? nodes[i].stay : 0xffff);
#endif
}

void blockmodel_judge(const ModelBatch *batch, uint8_t likely[MODEL_LANES])
{
    int32_t sum[MODEL_LANES] = {0};
    uint16_t in[MODEL_LANES];

    for (size_t tree = 0, i = 0; tree < N_TREES; i = tree_ends[tree++]) {
        ask_tree(batch, i, tree_ends[tree], in);
        /* The last leaf is right of every node: one is always in. */
        for (int l = 0; l < MODEL_LANES; l++) sum[l] += leaves[tree * MAX_LEAVES + first_leaf(in[l])];
    }
    for (int l = 0; l < MODEL_LANES; l++) likely[l] = (uint8_t)bucket_of(sum[l]);
}
