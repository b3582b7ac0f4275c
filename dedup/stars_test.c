#include "dedup/stars.h"

#include "core/hash.h"
#include "dedup/components.h"
#include "dedup/forest.h"
#include "tests/check.h"

#include <omp.h>
#include <stdlib.h>

/* --- the forest keeps components whatever its size */

static ErrCode unite(void *ctx, uint64_t node, uint64_t root, Err *err)
{
    (void)err;
    CHECK(root < node);
    component_unite(ctx, (uint32_t)node, (uint32_t)root);
    return ERR_OK;
}

static void forest_keeps(uint32_t n, size_t n_edges, uint64_t memory)
{
    Parent *want = malloc(n * sizeof *want), *got = malloc(n * sizeof *got);
    Forest *f;
    Err err;

    components_init(want, n);
    components_init(got, n);
    CHECK_OK(forest_new(&f, memory, unite, got, &err), &err);
    for (size_t e = 0; e < n_edges; e++) {
        uint64_t a = mix64(2 * e) % n, b = mix64(2 * e + 1) % n;
        component_unite(want, (uint32_t)a, (uint32_t)b);
        CHECK_OK(forest_add(f, a, b, &err), &err);
    }
    CHECK_OK(forest_drain(f, &err), &err);
    for (uint32_t i = 0; i < n; i++) CHECK_INT(component_find(want, i), component_find(got, i));
    forest_free(f);
    free(want);
    free(got);
}

TEST(forest_keeps_components)
{
    forest_keeps(1000, 700, 0); /* 64 slots: drained again and again */
    forest_keeps(1000, 700, 1 << 20);
    forest_keeps(5000, 20000, 1 << 14);
    forest_keeps(10, 0, 0);
}

/* --- stars against union-find */

typedef enum { RANDOM, CHAIN, FAR_CHAIN, HUB, BINARY_TREE } Shape;

/* Edge e of n nodes. FAR_CHAIN visits the nodes in an order that jumps about. */
static void edge_of(Shape shape, uint32_t n, size_t e, uint64_t *a, uint64_t *b)
{
    switch (shape) {
    case RANDOM: *a = mix64(2 * e + 1) % n, *b = mix64(2 * e + 2) % n; break;
    case CHAIN: *a = e % n, *b = (e + 1) % n; break;
    case FAR_CHAIN: *a = e * 7919 % n, *b = (e + 1) * 7919 % n; break;
    case HUB: *a = n - 1, *b = e % n; break;
    case BINARY_TREE: *a = n - 1 - e % n, *b = n - 1 - e % n / 2; break;
    }
}

static void compare(Shape shape, uint32_t n, size_t n_edges, int threads, uint64_t memory, const char *scratch)
{
    Par par = par_alone(threads);
    StarsSpec spec = {.n_nodes = n, .partitions = 16, .memory = memory, .scratch = scratch};
    Parent *want = malloc(n * sizeof *want);
    const uint64_t *label = NULL;
    uint64_t first = 1, n_labels = 0, a = 0, b = 0;
    unsigned rounds = 0;
    Stars *s = NULL;
    Err err;

    components_init(want, n);
    CHECK_OK(stars_open(&s, &spec, &par, &err), &err);
    for (size_t e = 0; e < n_edges; e++) {
        edge_of(shape, n, e, &a, &b);
        component_unite(want, (uint32_t)a, (uint32_t)b);
        CHECK_OK(stars_edge(s, (int)(e % (size_t)threads), a, b, &err), &err);
    }
    CHECK_OK(stars_solve(s, &label, &first, &n_labels, &rounds, &err), &err);
    CHECK_INT(memory<n * 4, rounds> 0); /* which way it went */
    CHECK_INT(0, first);
    CHECK_INT(n, n_labels);
    for (uint32_t i = 0; i < n && i < n_labels; i++) CHECK_INT(component_find(want, i), label[i]);
    stars_close(s);
    free(want);
}

TEST(stars_find_the_components_of_union_find)
{
    const char *scratch = check_tmpdir();

    for (int threads = 1; threads <= 7; threads += 3) {
        for (int shape = RANDOM; shape <= BINARY_TREE; shape++) {
            compare((Shape)shape, 1, 0, threads, 1 << 20, scratch);
            compare((Shape)shape, 3000, 1600, threads, 1 << 13,
                    scratch); /* forests of few slots: the rounds have work */
            compare((Shape)shape, 3000, 2999, threads, 1 << 13, scratch);
            compare((Shape)shape, 3000, 9000, threads, 1 << 22, scratch);
        }
    }
}

TEST(stars_refuse_a_node_that_is_none)
{
    Par par = par_alone(1);
    StarsSpec spec = {.n_nodes = 10, .partitions = 2, .memory = 1 << 20};
    Stars *s = NULL;
    Err err;

    CHECK_OK(stars_open(&s, &spec, &par, &err), &err);
    CHECK_INT(ERR_LIMIT, stars_edge(s, 0, 3, 10, &err));
    CHECK_STR("components: an edge 3 - 10 of 10 nodes", err.msg);
    stars_close(s);
}
