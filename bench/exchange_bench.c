/* bench/exchange_bench.c - records a second through core/exchange.h: made by counting, sent, delivered sorted and grouped.
 * Usage: exchange_bench RECORDS VALUE_BYTES KEYS MEMORY_MIB THREADS PARTITIONS [SCRATCH_DIR|- [TIMES [SENDERS]]]
 *        exchange_bench copy MIB THREADS
 *        exchange_bench hex RECORDS
 * KEYS 0: every key is another one. TIMES exchanges follow one another in the process, a line each: the first one touches its
 * memory for the first time. Making the records alone, into a sink that does nothing, is measured before and taken off for
 * "alone". SENDERS: only so many ranks, the first ones, have records. Checks what is delivered: the order of keys, the number of records, and sums.
 * copy: what the machine can do at best, memory to memory, in bytes copied (each is read and written once).
 * hex: the records that KEYS 0 and VALUE_BYTES 8 stand for, a line each, key and value in hexadecimal: for programs that sort lines. */
#include "core/exchange.h"
#include "core/hash.h"
#include "core/log.h"

#include <inttypes.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    ExchangeSpec spec;
    uint64_t n, n_keys, senders;
    Par par;
} Bench;

typedef struct {
    _Atomic uint64_t n, groups, sum, wrong, content;
} Seen;

static ErrCode count(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    Seen *seen = ctx;
    uint8_t key[EXCHANGE_KEY];
    uint64_t n = 0, groups = 0, sum = 0, wrong = 0, content = partition, last = 0;
    bool end;
    Span v;
    ErrCode rc;

    (void)thread;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        uint64_t k = be64_get(key); /* no two keys share it */
        wrong += groups && k <= last;
        last = k;
        groups++;
        while ((rc = exchange_next_value(g, &v, &end, err)) == ERR_OK && !end) {
            n++;
            sum += k + v.n;
            content = (content + k + (v.n >= 8 ? le64_get(v.p) : v.n)) * 0x9e3779b97f4a7c15u; /* of the order too */
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

/* What exchange_put() would be if it did nothing. */
__attribute__((noinline)) static ErrCode null_put(const uint8_t *key, const void *value)
{
    __asm__ volatile("" : : "r"(key), "r"(value) : "memory");
    return ERR_OK;
}

/* x NULL: into the sink. */
static ErrCode send(Exchange *x, const Bench *b, uint64_t *sum, Err *err)
{
    const uint32_t value_bytes = b->spec.value_bytes;
    const uint64_t rank = (uint64_t)b->par.rank, ranks = (uint64_t)b->par.n_ranks, n_keys = b->n_keys;
    const uint64_t step = b->senders < ranks ? b->senders : ranks;
    const uint64_t n_here = rank < step && rank < b->n ? (b->n - rank + step - 1) / step : 0;
    uint64_t all = 0;
    ErrCode first = ERR_OK;

#pragma omp parallel num_threads(b->par.threads) reduction(+ : all) firstprivate(x, step, rank, n_keys)
    {
        uint8_t key[EXCHANGE_KEY], small[64] = {0}, *large = calloc(1, value_bytes + 8u),
                                   *value = value_bytes <= sizeof small ? small : large;
        int lane = omp_get_thread_num();
        ErrCode rc = large ? ERR_OK : ERR_NOMEM;
        Err own;
#pragma omp for
        for (uint64_t at = 0; at < n_here; at++) {
            uint64_t i = at * step + rank, k = mix64(i + 1);
            if (rc) continue;
            if (n_keys) k = mix64((uint64_t)((__uint128_t)k * n_keys >> 64) + 1);
            exchange_key_u64(key, k, k * 0x9e3779b97f4a7c15u);
            le64_put(value, i);
            all += k + value_bytes;
            rc = x ? exchange_put(x, lane, key, value, value_bytes, &own) : null_put(key, value);
        }
#pragma omp critical
        if (rc && !first) {
            first = rc;
            *err = own;
        }
        free(large);
    }
    *sum = all;
    return first;
}

static ErrCode run(const Bench *b, Err *err)
{
    Exchange *x = NULL;
    Seen seen = {0};
    uint64_t sum = 0;
    double begin, made, sent = 0, flipped = 0, end, cpu;
    ErrCode rc;

    par_barrier(&b->par);
    begin = clock_seconds();
    if ((rc = send(NULL, b, &sum, err)) != ERR_OK) return rc;
    par_barrier(&b->par);
    made = clock_seconds();
    cpu = cpu_seconds();
    rc = exchange_open(&x, &b->spec, &b->par, err);
    if (rc == ERR_OK) rc = send(x, b, &sum, err);
    sent = clock_seconds();
    if (rc == ERR_OK) rc = exchange_flip(x, err);
    flipped = clock_seconds();
    if (rc == ERR_OK) rc = exchange_each(x, count, &seen, err);
    exchange_close(x);
    end = clock_seconds();
    cpu = cpu_seconds() - cpu;
    if (rc) return rc;

    uint64_t all[] = {seen.n, seen.groups, seen.sum, seen.wrong, seen.content, sum};
    double whole = end - made, alone = whole - (made - begin);
    par_sum_u64(&b->par, all, 6);
    if (all[0] != b->n || all[2] != all[5] || all[3])
        return err_set(err, ERR_DATA, "what was delivered is not what was sent");
    if (b->par.rank == 0)
        printf("%" PRIu64 " records of %u bytes, %" PRIu64
               " keys, %d x %d threads: making %.3f s, send %.3f s, flip %.3f s, deliver %.3f s, cpu %.2f s, "
               "%.1f M records/s, alone %.1f M records/s, peak %" PRIu64 " MB, content %016" PRIx64 "\n",
               b->n, EXCHANGE_KEY + b->spec.value_bytes, all[1], b->par.n_ranks, b->par.threads, made - begin,
               sent - made, flipped - sent, end - flipped, cpu, (double)b->n / whole / 1e6,
               (double)b->n / alone / 1e6, peak_memory_bytes() / 1000000, all[4]);
    return ERR_OK;
}

static int copy(size_t bytes, int threads)
{
    uint8_t *from = malloc(bytes), *to = malloc(bytes);
    double best = 0;

    if (!from || !to) return 5;
    for (int i = 0; i < 6; i++) { /* the first one touches the memory */
        double begin = clock_seconds();
#pragma omp parallel for num_threads(threads)
        for (int t = 0; t < threads; t++) {
            size_t a = bytes / (size_t)threads * (size_t)t, n = bytes / (size_t)threads;
            memset(from + a, i, i ? 0 : n);
            memcpy(to + a, from + a, n);
        }
        double rate = (double)bytes / (clock_seconds() - begin) / 1e9;
        if (i > 0 && rate > best) best = rate;
    }
    printf("copy %zu MiB, %d threads: %.2f GB/s\n", bytes >> 20, threads, best);
    free(from);
    free(to);
    return 0;
}

static int hex(uint64_t n)
{
    char line[52];

    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = mix64(i + 1), word[3] = {k, k * 0x9e3779b97f4a7c15u, i};
        char *p = line;
        for (int w = 0; w < 3; w++) {
            for (int shift = 60; shift >= 0; shift -= 4) *p++ = "0123456789abcdef"[word[w] >> shift & 15];
            *p++ = w == 1 ? ' ' : '\n';
            if (w == 0) p--; /* the key is one word of 32 digits */
        }
        if (fwrite(line, 1, (size_t)(p - line), stdout) == 0) return 3;
    }
    return fflush(stdout) ? 3 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "hex") == 0) return hex(strtoull(argv[2], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "copy") == 0) return copy(strtoull(argv[2], NULL, 10) << 20, atoi(argv[3]));
    if (argc < 7) {
        fputs("usage: exchange_bench RECORDS VALUE_BYTES KEYS MEMORY_MIB THREADS PARTITIONS "
              "[SCRATCH_DIR|- [TIMES [SENDERS]]]\n"
              "       exchange_bench copy MIB THREADS\n"
              "       exchange_bench hex RECORDS\n",
              stderr);
        return 2;
    }
    Bench b = {.n = strtoull(argv[1], NULL, 10),
               .n_keys = strtoull(argv[3], NULL, 10),
               .senders = argc > 9 ? strtoull(argv[9], NULL, 10) : UINT64_MAX,
               .spec = {.name = "bench",
                        .partitions = (uint32_t)strtoul(argv[6], NULL, 10),
                        .value_bytes = (uint32_t)strtoul(argv[2], NULL, 10),
                        .memory = strtoull(argv[4], NULL, 10) << 20,
                        .scratch = argc > 7 && strcmp(argv[7], "-") != 0 ? argv[7] : NULL}};
    Err err;
    ErrCode rc = par_start(&b.par, atoi(argv[5]), &err);

    for (int i = argc > 8 ? atoi(argv[8]) : 1; i > 0 && rc == ERR_OK; i--) rc = run(&b, &err);
    par_stop(&b.par);
    if (rc) fprintf(stderr, "exchange_bench: %s\n", err.msg);
    return err_status(rc);
}
