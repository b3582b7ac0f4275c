/* Steps against sorting in memory; results cut short, doubled, damaged, of another key. */
#include "core/log.h"
#include "core/pass.h"
#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"

#include <inttypes.h>
#include <stdlib.h>

enum { N = 40000, KEYS = 6000, PARTITIONS = 16, WIDTH = 12 };

/* Record i: key mix64(i % KEYS), value i. A result: the key's number (i % KEYS, found again by search), sum of values. */
typedef struct {
    uint32_t sent, received; /* records put, partitions received */
    uint32_t fail_at;        /* partition whose receiving fails; UINT32_MAX: none */
} Job;

static ErrCode send_all(void *ctx, Pass *p, Err *err)
{
    Job *job = ctx;
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < N && rc == ERR_OK; i++) {
        uint8_t key[EXCHANGE_KEY], value[4];
        exchange_key_u64(key, mix64(i % KEYS + 1), i % KEYS);
        le32_put(value, i);
        rc = pass_put(p, (int)(i % 2), key, value, 4, err);
        job->sent++;
    }
    return rc;
}

static ErrCode sum_groups(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    Job *job = ctx;
    uint8_t key[EXCHANGE_KEY], result[WIDTH];
    Span value;
    bool end;
    ErrCode rc;

    (void)thread;
#pragma omp atomic update
    job->received++;
    if (partition == job->fail_at) return err_set(err, ERR_LIMIT, "partition %" PRIu32, partition);
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        uint32_t sum = 0;
        while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end) sum += le32_get(value.p);
        memcpy(result, key, 8);
        le32_put(result + 8, sum);
        if (rc == ERR_OK) rc = resultsout_put(out, result, err);
        if (rc) return rc;
    }
    return rc;
}

static PassSpec spec_of(const char *dir, uint64_t key)
{
    return (PassSpec){.dir = dir,
                      .name = "sums",
                      .key = {key, 7},
                      .result_bytes = WIDTH,
                      .exchange = {.partitions = PARTITIONS, .value_bytes = 4, .memory = 64 << 20}};
}

static ErrCode run(const char *dir, uint64_t key, Job *job, Pass **p, Err *err)
{
    const PassSpec spec = spec_of(dir, key);
    const Par par = par_alone(2);
    ErrCode rc = pass_open(p, &spec, &par, err);

    return rc ? rc : pass_run(*p, send_all, sum_groups, job, err);
}

static int by_bytes(const void *a, const void *b) { return memcmp(a, b, WIDTH); }

/* What all results together must be. */
static uint8_t *expected(void)
{
    uint8_t *all = malloc((size_t)KEYS * WIDTH);
    uint32_t *sum = calloc(KEYS, sizeof *sum);

    for (uint32_t i = 0; i < N; i++) sum[i % KEYS] += i;
    for (uint32_t k = 0; k < KEYS; k++) {
        for (int b = 0; b < 8; b++) all[(size_t)k * WIDTH + (size_t)b] = (uint8_t)(mix64(k + 1) >> (56 - 8 * b));
        le32_put(all + (size_t)k * WIDTH + 8, sum[k]);
    }
    qsort(all, KEYS, WIDTH, by_bytes);
    free(sum);
    return all;
}

static ErrCode gather_results(void *ctx, int thread, uint32_t partition, Span records, Err *err)
{
    (void)thread, (void)partition;
#pragma omp critical(pass_test)
    buf_put_span(ctx, records);
    return buf_ok(ctx, "results", err);
}

static void check_results(const Pass *p)
{
    const Results *r = pass_results(p);
    uint8_t *want = expected();
    uint64_t edge[3] = {0, exchange_be64(want + (size_t)WIDTH * 1234), UINT64_MAX};
    Buf all = {0};
    Err err;

    CHECK(pass_is_done(p));
    CHECK_OK(results_each(r, gather_results, &all, &err), &err);
    CHECK_INT(KEYS * WIDTH, all.n);
    if (all.n) qsort(all.p, all.n / WIDTH, WIDTH, by_bytes);
    CHECK_SPAN(span(want, (size_t)KEYS * WIDTH), buf_span(&all));
    buf_reset(&all);
    for (int i = 0; i < 2; i++) CHECK_OK(results_range(r, edge[i], edge[i + 1], &all, &err), &err);
    CHECK_SPAN(span(want, (size_t)KEYS * WIDTH), buf_span(&all)); /* in order, by ranges that meet at a record */
    buf_clear(&all);
    free(want);
}

static size_t count_objects(const char *dir, char name[1024])
{
    char path[512];
    StoreList list = {0};
    size_t n;
    Err err;

    snprintf(path, sizeof path, "%s/sums", dir);
    CHECK_OK(store_list(path, &list, &err), &err);
    n = list.n;
    if (name && n) snprintf(name, 1024, "%s/%s", path, list.name[0]);
    storelist_clear(&list);
    return n;
}

TEST(pass_yields_what_sorting_yields_and_is_not_done_twice)
{
    const char *dir = check_tmpdir();
    Job job = {.fail_at = UINT32_MAX};
    Pass *p;
    Err err;

    log_setup(LOG_QUIET, 0);
    CHECK_OK(run(dir, 1, &job, &p, &err), &err);
    check_results(p);
    pass_close(p);
    CHECK_INT(N, job.sent);
    CHECK_INT(PARTITIONS, job.received);
    CHECK_INT(1, count_objects(dir, NULL));
    CHECK_OK(run(dir, 1, &job, &p, &err), &err);
    check_results(p);
    pass_close(p);
    CHECK_INT(N, job.sent);
}

TEST(pass_goes_on_where_it_was_cut_short)
{
    const char *dir = check_tmpdir();
    Job job = {.fail_at = 5};
    Pass *p;
    Err err;

    CHECK_INT(ERR_LIMIT, run(dir, 1, &job, &p, &err));
    CHECK_STR("partition 5", err.msg);
    pass_close(p);
    job = (Job){.fail_at = UINT32_MAX};
    CHECK_OK(run(dir, 1, &job, &p, &err), &err);
    CHECK_INT(1, job.received);
    check_results(p);
    pass_close(p);
    CHECK_INT(2, count_objects(dir, NULL));
}

/* Two processes that know nothing of each other have made the same. */
TEST(pass_reads_doubled_results_once)
{
    const char *dir = check_tmpdir();
    const PassSpec spec = spec_of(dir, 1);
    const Par par = par_alone(2);
    Job job = {.fail_at = UINT32_MAX};
    Pass *p[2];
    Err err;

    for (int i = 0; i < 2; i++) CHECK_OK(pass_open(&p[i], &spec, &par, &err), &err);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(pass_run(p[i], send_all, sum_groups, &job, &err), &err);
        pass_close(p[i]);
    }
    CHECK_INT(2, count_objects(dir, NULL));
    CHECK_OK(run(dir, 1, &job, &p[0], &err), &err);
    check_results(p[0]);
    pass_close(p[0]);
}

TEST(pass_passes_over_what_is_damaged_or_of_another_job)
{
    const char *dir = check_tmpdir();
    Job job = {.fail_at = UINT32_MAX};
    char path[1024];
    Buf bytes = {0};
    Pass *p;
    Err err;

    CHECK_OK(run(dir, 1, &job, &p, &err), &err);
    pass_close(p);
    CHECK_OK(run(dir, 2, &job, &p, &err), &err); /* another key beside it */
    check_results(p);
    pass_close(p);
    CHECK_INT(2 * N, job.sent);
    CHECK_INT(2, count_objects(dir, path));
    CHECK_OK(store_delete(path, &err), &err);
    CHECK_INT(1, count_objects(dir, path));
    CHECK_OK(store_read(path, 64 << 20, &bytes, &err), &err);
    for (size_t i = 0; i < 3; i++) { /* the tail, the list, the first byte */
        const size_t at[3] = {bytes.n - 50, bytes.n - 100, 0};
        bytes.p[at[i]] ^= 1;
        CHECK_OK(store_write(path, buf_span(&bytes), &err), &err);
        bytes.p[at[i]] ^= 1;
        for (uint64_t key = 1; key <= 2; key++) { /* it was the one's or the other's */
            ErrCode rc = run(dir, key, &job, &p, &err);
            if (rc == ERR_OK && i < 2) check_results(p);
            if (i == 2 && rc == ERR_OK) {
                Buf all = {0};
                rc = results_each(pass_results(p), gather_results, &all, &err);
                buf_clear(&all);
                CHECK(rc == ERR_OK || (rc == ERR_DATA && strstr(err.msg, ".res at 0: damaged")));
            }
            pass_close(p);
        }
    }
    buf_clear(&bytes);
}

static ErrCode run_once(void *ctx, Err *err)
{
    Job job = {.fail_at = UINT32_MAX};
    Pass *p = NULL;
    ErrCode rc = store_delete_tree(ctx, 1, err);

    if (rc == ERR_OK) rc = run(ctx, 1, &job, &p, err);
    pass_close(p);
    return rc;
}

TEST(pass_without_memory)
{
    char dir[512];

    snprintf(dir, sizeof dir, "%s/passes", check_tmpdir());
    alloc_fault_each(run_once, NULL, dir);
}
