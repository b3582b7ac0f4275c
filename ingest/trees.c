#include "ingest/trees.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(TREES_PLAIN)
#define HAVE_AVX2_KERNEL 1
#include <immintrin.h>
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

/* Where a model's trees lie. */
typedef struct {
    const TreeNode *node;
    const uint16_t *ends;
    const int16_t *leaves;
    size_t n;
} Trees;

static Trees trees_at(const TreeTable *t, TreeModelAt at)
{
    return (Trees){t->nodes + at.first_node, t->ends + at.first_tree, t->leaves + (size_t)at.first_tree * TREE_LEAVES,
                   at.n_trees};
}

static void add_leaves(const int16_t leaves[TREE_LEAVES], const uint16_t in[TREE_LANES], int32_t sum[TREE_LANES])
{
    /* The last leaf is right of every node: one is always in. */
    for (int l = 0; l < TREE_LANES; l++) sum[l] += leaves[first_leaf(in[l])];
}

static void sum_portable(const Trees *t, const int16_t (*of)[TREE_LANES], int32_t sum[TREE_LANES])
{
    uint16_t in[TREE_LANES];

    for (size_t tree = 0, i = 0; tree < t->n; tree++) {
        for (int l = 0; l < TREE_LANES; l++) in[l] = 0xffff;
        for (; i < t->ends[tree]; i++)
            for (int l = 0; l < TREE_LANES; l++)
                in[l] &= (uint16_t)(of[t->node[i].feature][l] > t->node[i].most ? t->node[i].stay : 0xffff);
        add_leaves(t->leaves + tree * TREE_LEAVES, in, sum);
    }
}

#ifdef HAVE_AVX2_KERNEL
/* All lanes of a node at once; compilers keep the masks in memory between nodes. */
__attribute__((target("avx2"))) static void sum_avx2(const Trees *t, const int16_t (*of)[TREE_LANES],
                                                     int32_t sum[TREE_LANES])
{
    _Alignas(32) uint16_t in[TREE_LANES];

    for (size_t tree = 0, i = 0; tree < t->n; tree++) {
        __m256i all = _mm256_set1_epi16(-1);
        for (; i < t->ends[tree]; i++) {
            const TreeNode *n = &t->node[i];
            const __m256i f = _mm256_loadu_si256((const __m256i *)(const void *)of[n->feature]);
            const __m256i above = _mm256_cmpgt_epi16(f, _mm256_set1_epi16(n->most));
            all = _mm256_andnot_si256(_mm256_andnot_si256(_mm256_set1_epi16((int16_t)n->stay), above), all);
        }
        _mm256_store_si256((__m256i *)(void *)in, all);
        add_leaves(t->leaves + tree * TREE_LEAVES, in, sum);
    }
}
#endif

void trees_sum(const TreeTable *t, TreeModelAt at, const int16_t (*of)[TREE_LANES], int32_t sum[TREE_LANES])
{
    const Trees trees = trees_at(t, at);

    for (int l = 0; l < TREE_LANES; l++) sum[l] = 0;
#ifdef HAVE_AVX2_KERNEL
    if (__builtin_cpu_supports("avx2")) {
        sum_avx2(&trees, of, sum);
        return;
    }
#endif
    sum_portable(&trees, of, sum);
}

int32_t trees_sum_row(const TreeTable *t, TreeModelAt at, const int16_t *of)
{
    const Trees own = trees_at(t, at);
    int32_t sum = 0;

    for (size_t tree = 0, i = 0; tree < own.n; tree++) {
        unsigned in = 0xffff;
        for (; i < own.ends[tree]; i++) in &= of[own.node[i].feature] > own.node[i].most ? own.node[i].stay : 0xffffu;
        sum += own.leaves[tree * TREE_LEAVES + first_leaf((uint16_t)in)];
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
