/* bench/components_bench.c - connected components through dedup/stars.h.
 * Usage: components_bench random|chain|far NODES EDGES MEMORY_MIB THREADS [SCRATCH_DIR]
 * far: a chain that visits the nodes in an order that jumps about. Prints how many components there are and a sum of labels. */
#include "core/hash.h"
#include "core/log.h"
#include "dedup/stars.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

static void edge_of(char shape, uint64_t n, uint64_t e, uint64_t *a, uint64_t *b)
{
    switch (shape) {
    case 'r': *a = mix64(2 * e + 1) % n, *b = mix64(2 * e + 2) % n; break;
    case 'c': *a = e % n, *b = (e + 1) % n; break;
    default: *a = e * 2654435761u % n, *b = (e + 1) * 2654435761u % n;
    }
}

static ErrCode send(Stars *s, char shape, uint64_t n, uint64_t n_edges, const Par *par, Err *err)
{
    ErrCode first = ERR_OK;

#pragma omp parallel num_threads(par->threads)
    {
        ErrCode rc = ERR_OK;
        Err own;
#pragma omp for
        for (uint64_t e = (uint64_t)par->rank; e < n_edges; e += (uint64_t)par->n_ranks) {
            uint64_t a, b;
            edge_of(shape, n, e, &a, &b);
            if (rc == ERR_OK) rc = stars_edge(s, omp_get_thread_num(), a, b, &own);
        }
#pragma omp critical
        if (rc && !first) {
            first = rc;
            *err = own;
        }
    }
    return first;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fputs("usage: components_bench random|chain|far NODES EDGES MEMORY_MIB THREADS [SCRATCH_DIR]\n", stderr);
        return 2;
    }
    uint64_t n = strtoull(argv[2], NULL, 10), n_edges = strtoull(argv[3], NULL, 10), first = 0, n_labels = 0;
    StarsSpec spec = {.n_nodes = n,
                      .partitions = 4096,
                      .memory = strtoull(argv[4], NULL, 10) << 20,
                      .scratch = argc > 6 ? argv[6] : NULL};
    const uint64_t *label = NULL;
    unsigned rounds = 0;
    Stars *s = NULL;
    Par par;
    Err err;
    ErrCode rc = par_start(&par, atoi(argv[5]), &err);
    double begin = clock_seconds();

    if (rc == ERR_OK) rc = stars_open(&s, &spec, &par, &err);
    if (rc == ERR_OK) rc = send(s, *argv[1], n, n_edges, &par, &err);
    double sent = clock_seconds();
    if (rc == ERR_OK) rc = stars_solve(s, &label, &first, &n_labels, &rounds, &err);
    double end = clock_seconds();
    uint64_t sums[2] = {0};
    for (uint64_t i = 0; rc == ERR_OK && i < n_labels; i++) {
        sums[0] += label[i] == first + i;
        sums[1] += mix64(mix64(first + i) + label[i]);
    }
    int rank = par.rank, n_ranks = par.n_ranks, threads = par.threads;
    if (rc == ERR_OK) par_sum_u64(&par, sums, 2);
    stars_close(s);
    par_stop(&par);
    if (rc) {
        fprintf(stderr, "components_bench: %s\n", err.msg);
        return err_status(rc);
    }
    if (rank == 0)
        printf("%s, %" PRIu64 " nodes, %" PRIu64
               " edges, %d x %d threads: send %.2f s, solve %.2f s, %u rounds, peak %" PRIu64 " MB, %" PRIu64
               " components, content %016" PRIx64 "\n",
               argv[1], n, n_edges, n_ranks, threads, sent - begin, end - sent, rounds, peak_memory_bytes() / 1000000,
               sums[0], sums[1]);
    return 0;
}
