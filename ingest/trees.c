#include "ingest/trees.h"

#if defined(__SSE2__) && !defined(TREES_PLAIN)
#include <emmintrin.h>
#endif

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

/* Which leaves of the tree with nodes [i, end) each row may be in. */
static void ask_tree(const TreeNode *node, const int16_t (*of)[TREE_LANES], size_t i, size_t end,
                     uint16_t in[TREE_LANES])
{
#if defined(__SSE2__) && !defined(TREES_PLAIN) /* compilers keep the masks in memory between nodes */
    __m128i low = _mm_set1_epi16(-1), high = low;

    for (; i < end; i++) {
        const TreeNode *n = &node[i];
        const __m128i *f = (const __m128i *)of[n->feature];
        __m128i most = _mm_set1_epi16(n->most), stay = _mm_set1_epi16((int16_t)n->stay);
        low = _mm_andnot_si128(_mm_andnot_si128(stay, _mm_cmpgt_epi16(_mm_loadu_si128(f), most)), low);
        high = _mm_andnot_si128(_mm_andnot_si128(stay, _mm_cmpgt_epi16(_mm_loadu_si128(f + 1), most)), high);
    }
    _mm_storeu_si128((__m128i *)in, low);
    _mm_storeu_si128((__m128i *)in + 1, high);
#else
    for (int l = 0; l < TREE_LANES; l++) in[l] = 0xffff;
    for (; i < end; i++)
        for (int l = 0; l < TREE_LANES; l++)
            in[l] &= (uint16_t)(of[node[i].feature][l] > node[i].most ? node[i].stay : 0xffff);
#endif
}

void trees_sum(const TreeTable *t, TreeModelAt at, const int16_t (*of)[TREE_LANES], int32_t sum[TREE_LANES])
{
    const uint16_t *ends = t->ends + at.first_tree;
    const int16_t *leaves = t->leaves + (size_t)at.first_tree * TREE_LEAVES;
    uint16_t in[TREE_LANES];

    for (int l = 0; l < TREE_LANES; l++) sum[l] = 0;
    for (size_t tree = 0, i = 0; tree < at.n_trees; i = ends[tree++]) {
        ask_tree(t->nodes + at.first_node, of, i, ends[tree], in);
        /* The last leaf is right of every node: one is always in. */
        for (int l = 0; l < TREE_LANES; l++) sum[l] += leaves[tree * TREE_LEAVES + first_leaf(in[l])];
    }
}

int32_t trees_sum_row(const TreeTable *t, TreeModelAt at, const int16_t *of)
{
    const uint16_t *ends = t->ends + at.first_tree;
    const int16_t *leaves = t->leaves + (size_t)at.first_tree * TREE_LEAVES;
    const TreeNode *node = t->nodes + at.first_node;
    int32_t sum = 0;

    for (size_t tree = 0, i = 0; tree < at.n_trees; tree++) {
        unsigned in = 0xffff;
        for (; i < ends[tree]; i++) in &= of[node[i].feature] > node[i].most ? node[i].stay : 0xffffu;
        sum += leaves[tree * TREE_LEAVES + first_leaf((uint16_t)in)];
    }
    return sum;
}

unsigned trees_likely(int32_t sum)
{
    /* round(1024 ln(i / (64 - i))) for i from 1 */
    /* clang-format off */
    static const int32_t bounds[TREE_BUCKETS - 1] = {
        -4243, -3516, -3085, -2773, -2527, -2323, -2147, -1993, -1854, -1727, -1610, -1502, -1400, -1304, -1212,
        -1125, -1041, -961, -883, -807, -734, -662, -592, -523, -455, -389, -323, -257, -193, -128, -64, 0, 64, 128,
        193, 257, 323, 389, 455, 523, 592, 662, 734, 807, 883, 961, 1041, 1125, 1212, 1304, 1400, 1502, 1610, 1727,
        1854, 1993, 2147, 2323, 2527, 2773, 3085, 3516, 4243,
    };
    /* clang-format on */
    unsigned lo = 0, hi = TREE_BUCKETS - 1;

    while (lo < hi) { /* the first bound above the sum */
        unsigned mid = (lo + hi) / 2;
        if (sum >= bounds[mid])
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
