/* Steps against sorting in memory; results cut short, doubled, damaged, of another key. */
#include "core/log.h"
#include "core/pass.h"
#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

enum { N = 40000, KEYS = 6000, PARTITIONS = 16, WIDTH = 12 };

/* Record i: key mix64(i % KEYS), value i. A result: the key's number (i % KEYS, found again by search), sum of values. */
typedef struct {
    uint32_t sent, received; /* records put, partitions received */
    uint32_t fail_at;        /* partition whose receiving fails; UINT32_MAX: none */
    uint32_t task;           /* of three */
} Job;

static ErrCode send_every(Job *job, Pass *p, uint32_t first, uint32_t step, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t i = first; i < N && rc == ERR_OK; i += step) {
        uint8_t key[EXCHANGE_KEY], value[4];
        exchange_key_u64(key, mix64(i % KEYS + 1), i % KEYS);
        le32_put(value, i);
        rc = pass_put(p, (int)(i % 2), key, value, 4, err);
        job->sent++;
    }
    return rc;
}

static ErrCode send_all(void *ctx, Pass *p, Err *err) { return send_every(ctx, p, 0, 1, err); }
static ErrCode send_third(void *ctx, Pass *p, Err *err) { return send_every(ctx, p, ((Job *)ctx)->task, 3, err); }

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
    uint64_t edge[3] = {0, be64_get(want + (size_t)WIDTH * 1234), UINT64_MAX};
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

/* What somebody who looks on sees of the step, for the job of `key`. */
static void check_progress(const char *dir, uint64_t key, uint32_t want_done, uint32_t want_partitions)
{
    char step[PATH_MAX];
    uint32_t n_done, partitions;
    Err err;

    snprintf(step, sizeof step, "%s/sums", dir);
    CHECK_OK(results_progress(step, (Hash128){key, 7}, &n_done, &partitions, &err), &err);
    CHECK_INT(want_done, n_done);
    CHECK_INT(want_partitions, partitions);
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
    check_progress(dir, 1, PARTITIONS - 1, PARTITIONS);
    check_progress(dir, 2, 0, 0);
    job = (Job){.fail_at = UINT32_MAX};
    CHECK_OK(run(dir, 1, &job, &p, &err), &err);
    CHECK_INT(1, job.received);
    check_results(p);
    pass_close(p);
    check_progress(dir, 1, PARTITIONS, PARTITIONS);
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

TEST(pass_of_another_job_is_passed_over)
{
    const char *dir = check_tmpdir();
    Job job = {.fail_at = UINT32_MAX};
    Pass *p;
    Err err;

    for (uint64_t key = 1; key <= 2; key++) {
        CHECK_OK(run(dir, key, &job, &p, &err), &err);
        check_results(p);
        pass_close(p);
        CHECK_INT(key * N, job.sent);
    }
    CHECK_INT(2, count_objects(dir, NULL));
}

/* Flips a byte so far from the end (or the beginning) of the one object. */
static void damage(const char *dir, size_t from_end, bool begin)
{
    char path[1024];
    Buf bytes = {0};
    Err err;

    CHECK_INT(1, count_objects(dir, path));
    CHECK_OK(store_read(path, 64 << 20, &bytes, &err), &err);
    if (bytes.n > from_end) bytes.p[begin ? 0 : bytes.n - from_end] ^= 1;
    CHECK_OK(store_write(path, buf_span(&bytes), &err), &err);
    buf_clear(&bytes);
}

TEST(pass_makes_a_damaged_object_again)
{
    static const size_t from_end[] = {1, 20, 50, 60, 100}; /* the sum, the tail, the list */

    for (size_t i = 0; i < sizeof from_end / sizeof *from_end; i++) {
        const char *dir = check_tmpdir();
        Job job = {.fail_at = UINT32_MAX};
        Pass *p;
        Err err;
        CHECK_OK(run(dir, 1, &job, &p, &err), &err);
        pass_close(p);
        damage(dir, from_end[i], false);
        CHECK_OK(run(dir, 1, &job, &p, &err), &err);
        check_results(p);
        pass_close(p);
        CHECK_INT(2 * N, job.sent);
    }
}

TEST(pass_says_which_object_has_damaged_records)
{
    const char *dir = check_tmpdir();
    Job job = {.fail_at = UINT32_MAX};
    Buf all = {0};
    Pass *p;
    Err err;

    CHECK_OK(run(dir, 1, &job, &p, &err), &err);
    pass_close(p);
    damage(dir, 1, true);
    CHECK_OK(run(dir, 1, &job, &p, &err), &err);
    CHECK_INT(ERR_DATA, results_each(pass_results(p), gather_results, &all, &err));
    CHECK(strstr(err.msg, ".res at 0: damaged") != NULL);
    buf_clear(&all);
    pass_close(p);
}

/* Tasks of an array, each as far as it can, over and over; one of them twice at a time. */
TEST(pass_by_tasks_yields_the_same)
{
    enum { TASKS = 3 };
    const char *dir = check_tmpdir();
    const Par par = par_alone(2);
    Err err = {0};

    for (uint32_t sweep = 0, done = 0; done < TASKS; sweep++) {
        done = 0;
        CHECK(sweep < 5);
        for (uint32_t i = 0; sweep < 5 && i < TASKS; i++) {
            PassSpec spec = spec_of(dir, 1);
            Job job = {.fail_at = UINT32_MAX, .task = i};
            Pass *p;
            spec.task = (OptTask){i, TASKS};
            CHECK_OK(pass_open(&p, &spec, &par, &err), &err);
            ErrCode rc = pass_run(p, send_third, sum_groups, &job, &err);
            CHECK(rc == ERR_OK || rc == ERR_NO);
            if (rc == ERR_OK) done++;
            pass_close(p);
        }
        if (sweep >= 5) break;
    }
    Job job = {.fail_at = UINT32_MAX};
    Pass *p;
    CHECK_OK(run(dir, 1, &job, &p, &err), &err); /* to a run without tasks it is all there */
    CHECK_INT(0, job.sent);
    check_results(p);
    pass_close(p);
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
