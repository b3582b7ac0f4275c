/* bench/exchange_bench.c - records a second through core/exchange.h: made from a seed, sent, delivered sorted and grouped.
 * Usage: exchange_bench RECORDS VALUE_BYTES KEYS MEMORY_MIB THREADS PARTITIONS [SCRATCH_DIR]
 * Checks what is delivered: the order of keys, the number of records, and their sum. */
#include "core/exchange.h"
#include "core/hash.h"
#include "core/log.h"

#include <inttypes.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    _Atomic uint64_t n, groups, sum, wrong, content;
} Seen;

static ErrCode count(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    Seen *seen = ctx;
    uint8_t key[EXCHANGE_KEY], last[EXCHANGE_KEY] = {0};
    uint64_t n = 0, groups = 0, sum = 0, wrong = 0, content = partition;
    bool end;
    Span v;
    ErrCode rc;

    (void)thread;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        wrong += groups && memcmp(last, key, EXCHANGE_KEY) >= 0;
        memcpy(last, key, EXCHANGE_KEY);
        groups++;
        while ((rc = exchange_next_value(g, &v, &end, err)) == ERR_OK && !end) {
            n++;
            sum += exchange_be64(key) + v.n;
            content = mix64(content + exchange_be64(key) + (v.n >= 8 ? le64_get(v.p) : v.n)); /* of the order too */
        }
        if (rc) break;
    }
    seen->n += n;
    seen->groups += groups;
    seen->sum += sum;
    seen->wrong += wrong;
    seen->content += content;
    return rc;
}

static ErrCode send(Exchange *x, uint64_t n, uint64_t n_keys, uint32_t value_bytes, const Par *par, uint64_t *sum,
                    Err *err)
{
    uint64_t all = 0;
    ErrCode first = ERR_OK;

#pragma omp parallel num_threads(par->threads) reduction(+ : all)
    {
        uint8_t key[EXCHANGE_KEY], *value = calloc(1, value_bytes + 8u);
        int lane = omp_get_thread_num();
        ErrCode rc = value ? ERR_OK : ERR_NOMEM;
        Err own;
#pragma omp for
        for (uint64_t i = (uint64_t)par->rank; i < n; i += (uint64_t)par->n_ranks) {
            uint64_t k = mix64(mix64(i) % n_keys + 1);
            if (rc) continue;
            exchange_key_u64(key, k, k * 0x9e3779b97f4a7c15u);
            le64_put(value, i);
            all += k + value_bytes;
            rc = exchange_put(x, lane, key, value, value_bytes, &own);
        }
#pragma omp critical
        if (rc && !first) {
            first = rc;
            *err = own;
        }
        free(value);
    }
    *sum = all;
    return first;
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fputs("usage: exchange_bench RECORDS VALUE_BYTES KEYS MEMORY_MIB THREADS PARTITIONS [SCRATCH_DIR]\n", stderr);
        return 2;
    }
    uint64_t n = strtoull(argv[1], NULL, 10), n_keys = strtoull(argv[3], NULL, 10), sum = 0;
    ExchangeSpec spec = {.name = "bench",
                         .partitions = (uint32_t)strtoul(argv[6], NULL, 10),
                         .value_bytes = (uint32_t)strtoul(argv[2], NULL, 10),
                         .memory = strtoull(argv[4], NULL, 10) << 20,
                         .scratch = argc > 7 ? argv[7] : NULL};
    Exchange *x = NULL;
    Seen seen = {0};
    Par par;
    Err err;
    double begin, sent, flipped, end;
    ErrCode rc = par_start(&par, atoi(argv[5]), &err);

    begin = clock_seconds();
    if (rc == ERR_OK) rc = exchange_open(&x, &spec, &par, &err);
    if (rc == ERR_OK) rc = send(x, n, n_keys, spec.value_bytes, &par, &sum, &err);
    sent = clock_seconds();
    if (rc == ERR_OK) rc = exchange_flip(x, &err);
    flipped = clock_seconds();
    if (rc == ERR_OK) rc = exchange_each(x, count, &seen, &err);
    end = clock_seconds();
    exchange_close(x);
    if (rc) {
        fprintf(stderr, "exchange_bench: %s\n", err.msg);
        par_stop(&par);
        return err_status(rc);
    }
    uint64_t all[] = {seen.n, seen.groups, seen.sum, seen.wrong, seen.content, sum};
    int rank = par.rank, n_ranks = par.n_ranks, threads = par.threads;
    par_sum_u64(&par, all, 6);
    par_stop(&par);
    if (all[0] != n || all[2] != all[5] || all[3]) {
        fputs("exchange_bench: what was delivered is not what was sent\n", stderr);
        return 1;
    }
    if (rank == 0)
        printf("%" PRIu64 " records of %u bytes, %" PRIu64
               " keys, %d x %d threads: send %.3f s, flip %.3f s, deliver %.3f s, "
               "%.1f M records/s, content %016" PRIx64 "\n",
               n, EXCHANGE_KEY + spec.value_bytes, all[1], n_ranks, threads, sent - begin, flipped - sent,
               end - flipped, (double)n / (end - begin) / 1e6, all[4]);
    return 0;
}
