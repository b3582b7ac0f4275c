/* The model's trees asked node by node, against each walked from its root: with SSE2 where there is such, and without. */
#include "ingest/blockmodel.h"

#include "core/hash.h"
#include "tests/check.h"

#define BLOCKMODEL_PLAIN
#define blockmodel_judge judge_plain
void blockmodel_judge(const ModelBatch *batch, uint8_t likely[MODEL_LANES]);
#include "ingest/blockmodel.c"
#undef blockmodel_judge

/* The leaf of a block in the subtree with leaves [from, end) whose root is node i: nodes stand in preorder, and the leaves left of one are
 * those it puts out. */
static unsigned leaf_of(const ModelBatch *b, int lane, size_t i, unsigned from, unsigned end)
{
    while (end - from > 1) {
        const unsigned left = 0xffffu & ~(unsigned)nodes[i].stay;
        unsigned middle = from;
        while (middle < MAX_LEAVES && (left >> middle & 1)) middle++;
        CHECK(middle > from && middle < end && left == (1u << middle) - (1u << from));
        if (middle <= from || middle >= end) return from;
        if (b->of[nodes[i].feature][lane] > nodes[i].most)
            i += middle - from, from = middle; /* a subtree with n leaves has n - 1 nodes */
        else
            i++, end = middle;
    }
    return from;
}

static unsigned slow_likely(const ModelBatch *b, int lane)
{
    int64_t sum = 0;
    unsigned bucket = 0;

    for (size_t tree = 0, i = 0; tree < N_TREES; i = tree_ends[tree++])
        sum += leaves[tree * MAX_LEAVES + leaf_of(b, lane, i, 0, (unsigned)(tree_ends[tree] - i) + 1)];
    while (bucket < MODEL_BUCKETS - 1 && sum >= bounds[bucket]) bucket++;
    return bucket;
}

/* Features as they are at thresholds of theirs, beside them, and at the ends. */
static void make_batch(ModelBatch *b, uint64_t *seed)
{
    enum { N_NODES = sizeof nodes / sizeof nodes[0] };
    static const int16_t ends[] = {INT16_MIN, INT16_MAX, -1, 0, 1, 100};

    for (int f = 0; f < FEATURE_N; f++)
        for (int l = 0; l < MODEL_LANES; l++) b->of[f][l] = ends[mix64(++*seed) % 6];
    for (size_t i = 0; i < N_NODES; i++) {
        const uint64_t r = mix64(++*seed);
        const int near = nodes[i].most + (int)(r % 3) - 1;
        b->of[nodes[i].feature][r / 3 % MODEL_LANES] = (int16_t)(near < INT16_MIN   ? INT16_MIN
                                                                 : near > INT16_MAX ? INT16_MAX
                                                                                    : near);
    }
}

TEST(model_is_its_trees)
{
    ModelBatch batch;
    uint8_t likely[MODEL_LANES], plain[MODEL_LANES];
    uint64_t seed = 1;
    bool seen[MODEL_BUCKETS] = {false};
    int n_seen = 0;

    for (int round = 0; round < 40; round++) {
        make_batch(&batch, &seed);
        blockmodel_judge(&batch, likely);
        judge_plain(&batch, plain);
        for (int l = 0; l < MODEL_LANES; l++) {
            CHECK_INT(slow_likely(&batch, l), likely[l]);
            CHECK_INT(likely[l], plain[l]);
            n_seen += !seen[likely[l] % MODEL_BUCKETS];
            seen[likely[l] % MODEL_BUCKETS] = true;
        }
    }
    CHECK(n_seen > 10); /* else nothing was asked */
}

TEST(model_table_is_sound)
{
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) CHECK(nodes[i].feature < FEATURE_N);
    for (size_t tree = 0, i = 0; tree < N_TREES; i = tree_ends[tree++])
        CHECK(tree_ends[tree] > i && tree_ends[tree] - i < MAX_LEAVES);
    CHECK_INT(sizeof nodes / sizeof nodes[0], tree_ends[N_TREES - 1]);
    for (int i = 1; i < MODEL_BUCKETS - 1; i++) CHECK(bounds[i - 1] < bounds[i]);
    for (int i = 0; i < MODEL_BUCKETS - 1; i++) {
        CHECK_INT(i + 1, bucket_of(bounds[i]));
        CHECK_INT(i, bucket_of(bounds[i] - 1));
    }
}
