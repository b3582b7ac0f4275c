/* The trees of our models asked node by node, against each walked from its root: with AVX2 where there is such, and without. */
#include "ingest/blockmodel.h"

#include "core/hash.h"
#include "tests/check.h"

#include <math.h>

#define TREES_PLAIN
#define trees_sum     plain_sum
#define trees_sum_row plain_sum_row
#define trees_likely  plain_likely
void trees_sum(const TreeTable *t, TreeModelAt at, const int16_t (*of)[TREE_LANES], int32_t sum[TREE_LANES]);
int32_t trees_sum_row(const TreeTable *t, TreeModelAt at, const int16_t *of);
unsigned trees_likely(int32_t sum);
#include "ingest/trees.c"
#undef trees_sum
#undef trees_sum_row
#undef trees_likely

#include "ingest/blockmodel_table.inc"
#include "ingest/pagetype_table.inc"

#define N(a) (sizeof(a) / sizeof(a)[0])
enum { MOST_FEATURES = (int)FEATURE_N > (int)PAGE_FEATURE_N ? (int)FEATURE_N : (int)PAGE_FEATURE_N };
typedef int16_t Rows[MOST_FEATURES][TREE_LANES];

/* The leaf of a row in the subtree with leaves [from, end) whose root is node i: nodes stand in preorder, and the leaves left of one are
 * those it puts out. */
static unsigned leaf_of(const TreeNode *nodes, const int16_t (*of)[TREE_LANES], int lane, size_t i, unsigned from,
                        unsigned end)
{
    while (end - from > 1) {
        const unsigned left = 0xffffu & ~(unsigned)nodes[i].stay;
        unsigned middle = from;
        while (middle < TREE_LEAVES && (left >> middle & 1)) middle++;
        CHECK(middle > from && middle < end && left == (1u << middle) - (1u << from));
        if (middle <= from || middle >= end) return from;
        if (of[nodes[i].feature][lane] > nodes[i].most)
            i += middle - from, from = middle; /* a subtree with n leaves has n - 1 nodes */
        else
            i++, end = middle;
    }
    return from;
}

static int64_t slow_sum(const TreeTable *t, TreeModelAt at, const int16_t (*of)[TREE_LANES], int lane)
{
    const uint16_t *ends = t->ends + at.first_tree;
    int64_t sum = 0;

    for (size_t tree = 0, i = 0; tree < at.n_trees; i = ends[tree++])
        sum += t->leaves[(at.first_tree + tree) * TREE_LEAVES +
                         leaf_of(t->nodes + at.first_node, of, lane, i, 0, (unsigned)(ends[tree] - i) + 1)];
    return sum;
}

/* Values as they are at thresholds of theirs, beside them, and at the ends. */
static void make_rows(const TreeNode *nodes, size_t n_nodes, Rows of, uint64_t *seed)
{
    static const int16_t ends[] = {INT16_MIN, INT16_MAX, -1, 0, 1, 100};

    for (int f = 0; f < MOST_FEATURES; f++)
        for (int l = 0; l < TREE_LANES; l++) of[f][l] = ends[mix64(++*seed) % 6];
    for (size_t i = 0; i < n_nodes; i++) {
        const uint64_t r = mix64(++*seed);
        const int near = nodes[i].most + (int)(r % 3) - 1;
        of[nodes[i].feature][r / 3 % TREE_LANES] = (int16_t)(near < INT16_MIN   ? INT16_MIN
                                                             : near > INT16_MAX ? INT16_MAX
                                                                                : near);
    }
}

static void check_models(TreeTable table, size_t n_nodes, const TreeModelAt *models, size_t n_models)
{
    static Rows of;
    uint64_t seed = 1;
    int32_t sum[TREE_LANES], plain[TREE_LANES];

    for (size_t round = 0; round < 40; round++) {
        make_rows(table.nodes, n_nodes, of, &seed);
        for (size_t i = 0; i < n_models; i++) {
            trees_sum(&table, models[i], of, sum);
            plain_sum(&table, models[i], of, plain);
            for (int l = 0; l < TREE_LANES; l++) {
                int16_t row[MOST_FEATURES];
                for (int f = 0; f < MOST_FEATURES; f++) row[f] = of[f][l];
                CHECK_INT(slow_sum(&table, models[i], of, l), sum[l]);
                CHECK_INT(sum[l], plain[l]);
                CHECK_INT(sum[l], trees_sum_row(&table, models[i], row));
            }
            if (round == 0) CHECK(sum[0] != sum[1] || sum[1] != sum[2]); /* else nothing was asked */
        }
    }
}

static void check_table(TreeTable table, size_t n_trees, size_t n_nodes, const TreeModelAt *models, size_t n_models,
                        int n_features)
{
    size_t trees = 0, nodes = 0;

    for (size_t i = 0; i < n_nodes; i++) CHECK(table.nodes[i].feature < n_features);
    for (size_t m = 0; m < n_models; m++) {
        CHECK_INT(trees, models[m].first_tree);
        CHECK_INT(nodes, models[m].first_node);
        size_t i = 0;
        for (size_t k = 0; k < models[m].n_trees; i = table.ends[trees + k++])
            CHECK(table.ends[trees + k] > i && table.ends[trees + k] - i < TREE_LEAVES);
        trees += models[m].n_trees;
        nodes += i;
    }
    CHECK_INT(n_trees, trees);
    CHECK_INT(n_nodes, nodes);
}

TEST(models_are_their_trees)
{
    check_models((TreeTable){block_ends, block_nodes, block_leaves}, N(block_nodes), block_models, N(block_models));
    check_models((TreeTable){type_ends, type_nodes, type_leaves}, N(type_nodes), type_models, N(type_models));
}

TEST(tables_of_models_are_sound)
{
    CHECK_INT(N(block_ends) * TREE_LEAVES, N(block_leaves));
    CHECK_INT(N(type_ends) * TREE_LEAVES, N(type_leaves));
    check_table((TreeTable){block_ends, block_nodes, block_leaves}, N(block_ends), N(block_nodes), block_models,
                N(block_models), FEATURE_N);
    check_table((TreeTable){type_ends, type_nodes, type_leaves}, N(type_ends), N(type_nodes), type_models,
                N(type_models), PAGE_FEATURE_N);
}

TEST(odds_are_shares)
{
    for (int32_t sum = -6000; sum <= 6000; sum++) {
        const double share = TREE_BUCKETS / (1 + exp(-(double)sum / 1024));
        const unsigned likely = trees_likely(sum);
        CHECK(likely < TREE_BUCKETS && likely <= share + 0.02 && share <= likely + 1.02);
    }
    CHECK_INT(0, trees_likely(INT32_MIN));
    CHECK_INT(TREE_BUCKETS - 1, trees_likely(INT32_MAX));
}
