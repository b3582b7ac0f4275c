#include "dedup/components.h"

#include "core/hash.h"
#include "tests/check.h"

#include <stdlib.h>

/* Slow and obvious: labels spread along the edges until nothing changes. */
static void spread_labels(uint32_t *label, uint32_t n, const uint32_t (*edge)[2], size_t n_edges)
{
    bool changed = true;

    for (uint32_t i = 0; i < n; i++) label[i] = i;
    while (changed) {
        changed = false;
        for (size_t e = 0; e < n_edges; e++) {
            uint32_t a = edge[e][0], b = edge[e][1], least = label[a] < label[b] ? label[a] : label[b];
            changed |= label[a] != label[b];
            label[a] = label[b] = least;
        }
    }
}

/* Random graphs around the threshold where large components appear, and chains, which are deep. */
static void compare(uint32_t n, size_t n_edges, bool chain, int threads)
{
    uint32_t(*edge)[2] = malloc((n_edges + 1) * sizeof *edge), *label = malloc((n + 1) * sizeof *label);
    Parent *parent = malloc((n + 1) * sizeof *parent);

    for (size_t e = 0; e < n_edges; e++) {
        edge[e][0] = chain ? (uint32_t)(e % n) : (uint32_t)(mix64(2 * e + 1) % n);
        edge[e][1] = chain ? (uint32_t)((e + 1) % n) : (uint32_t)(mix64(2 * e + 2) % n);
    }
    components_init(parent, n);
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads)
    for (size_t e = n_edges; e > 0; e--) component_unite(parent, edge[e - 1][0], edge[e - 1][1]);
    spread_labels(label, n, (const uint32_t(*)[2])edge, n_edges);
    for (uint32_t i = 0; i < n; i++) CHECK_INT(label[i], component_find(parent, i));
    free(edge);
    free(label);
    free(parent);
}

TEST(components_are_those_of_brute_force)
{
    const int threads[] = {1, 2, 7};

    for (int t = 0; t < 3; t++) {
        compare(1, 0, false, threads[t]);
        compare(300, 60, false, threads[t]);
        compare(300, 170, false, threads[t]);
        compare(2000, 1100, false, threads[t]);
        compare(2000, 6000, false, threads[t]);
        compare(3000, 2999, true, threads[t]);
    }
}
