#include "core/exchange_impl.h"
#include "core/hash.h"
#include "core/scratch.h"
#include "core/store_fault.h"
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the exchange against one sorted array of all records */

typedef struct {
    uint8_t key[EXCHANGE_KEY];
    Span value;
} Record;

typedef struct {
    Record *r;
    size_t n;
    Arena arena;
} Records;

static int by_key_and_value(const void *a, const void *b)
{
    const Record *x = a, *y = b;
    int c = memcmp(x->key, y->key, EXCHANGE_KEY);

    return c ? c : span_cmp(x->value, y->value);
}

/* n records over n_keys keys; value sizes: fixed, or hashed up to max_value when fixed is UINT32_MAX. */
static Records make_records(size_t n, uint64_t n_keys, uint32_t fixed, uint32_t max_value)
{
    Records all = {.r = calloc(n + 1, sizeof(Record)), .n = n};

    for (size_t i = 0; i < n; i++) {
        uint64_t key = mix64(i) % n_keys;
        size_t bytes = fixed == UINT32_MAX ? mix64(i + 77) % (max_value + 1u) : fixed;
        uint8_t *v = arena_alloc(&all.arena, bytes);
        for (size_t k = 0; k < bytes; k++)
            v[k] = (uint8_t)(mix64(i * 31 + k) % 5); /* few byte values: ties deep inside */
        exchange_key_u64(all.r[i].key, mix64(key), key);
        all.r[i].value = span(v, bytes);
    }
    return all;
}

static void records_free(Records *all)
{
    free(all->r);
    arena_clear(&all->arena);
}

/* What was delivered, a Buf a partition: key, u32 size, value. */
typedef struct {
    Buf part[1 << 12];
    uint32_t n_groups[1 << 12];
} Delivered;

static ErrCode collect(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    Delivered *d = ctx;
    uint8_t key[EXCHANGE_KEY], size[4];
    Span v;
    bool end;
    ErrCode rc;

    (void)thread;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        d->n_groups[partition]++;
        while ((rc = exchange_next_value(g, &v, &end, err)) == ERR_OK && !end) {
            le32_put(size, (uint32_t)v.n);
            buf_put(&d->part[partition], key, sizeof key);
            buf_put(&d->part[partition], size, sizeof size);
            buf_put_span(&d->part[partition], v);
        }
    }
    return rc;
}

static void send_all(Exchange *x, const Records *all, int threads)
{
    Err err[8];
    ErrCode rc[8] = {ERR_OK};

#pragma omp parallel for num_threads(threads)
    for (size_t i = 0; i < all->n; i++) {
        int lane = omp_get_thread_num();
        if (rc[lane] == ERR_OK)
            rc[lane] =
                exchange_put(x, lane, all->r[i].key, all->r[i].value.p, (uint32_t)all->r[i].value.n, &err[lane]);
    }
    for (int i = 0; i < threads; i++)
        if (rc[i]) check_fail_err(__FILE__, __LINE__, "exchange_put", &err[i]);
}

static uint64_t count_runs(const Exchange *x)
{
    uint64_t n = 0;

    for (int i = 0; i < x->threads; i++)
        for (ExchangeRun *r = x->lane[i].run; r; r = *run_older(r)) n++;
    return n;
}

/* *runs (may be NULL): how many went to scratch. */
static Delivered *deliver(const Records *all, const ExchangeSpec *spec, int threads, uint64_t *runs)
{
    Delivered *d = calloc(1, sizeof *d);
    Par par = {.rank = 0, .n_ranks = 1, .threads = threads};
    Exchange *x = NULL;
    Err err;

    CHECK_OK(exchange_open(&x, spec, &par, &err), &err);
    send_all(x, all, threads);
    CHECK_OK(exchange_flip(x, &err), &err);
    if (runs) *runs = count_runs(x);
    CHECK_OK(exchange_each(x, collect, d, &err), &err);
    exchange_close(x);
    return d;
}

/* All partitions behind one another: the key's top bits order them, so this is the whole sorted stream. */
static Buf whole(Delivered *d, uint32_t partitions, uint32_t *n_groups)
{
    Buf b = {0};

    *n_groups = 0;
    for (uint32_t p = 0; p < partitions; p++) {
        buf_put_span(&b, buf_span(&d->part[p]));
        buf_clear(&d->part[p]);
        *n_groups += d->n_groups[p];
    }
    free(d);
    return b;
}

static Buf sorted_stream(Records *all, uint32_t *n_groups)
{
    Buf b = {0};
    uint8_t size[4];

    qsort(all->r, all->n, sizeof *all->r, by_key_and_value);
    *n_groups = 0;
    for (size_t i = 0; i < all->n; i++) {
        *n_groups += i == 0 || memcmp(all->r[i].key, all->r[i - 1].key, EXCHANGE_KEY) != 0;
        le32_put(size, (uint32_t)all->r[i].value.n);
        buf_put(&b, all->r[i].key, EXCHANGE_KEY);
        buf_put(&b, size, sizeof size);
        buf_put_span(&b, all->r[i].value);
    }
    return b;
}

static void compare_with_qsort(size_t n, uint64_t n_keys, uint32_t value_bytes, uint32_t max_value)
{
    const int threads[] = {1, 2, 7};
    const uint32_t partitions[] = {1, 2, 8, 64, 4096};
    Records all = make_records(n, n_keys, value_bytes, max_value);
    uint32_t want_groups, got_groups;

    for (size_t t = 0; t < 3; t++)
        for (size_t p = 0; p < 5; p++) {
            ExchangeSpec spec = {
                .name = "test", .partitions = partitions[p], .value_bytes = value_bytes, .memory = 1 << 30};
            Buf got = whole(deliver(&all, &spec, threads[t], NULL), partitions[p], &got_groups);
            Buf want = sorted_stream(&all, &want_groups);
            CHECK_INT(want_groups, got_groups);
            CHECK_INT(want.n, got.n);
            CHECK(span_eq(buf_span(&want), buf_span(&got)));
            buf_clear(&got);
            buf_clear(&want);
        }
    records_free(&all);
}

TEST(exchange_narrow_values) { compare_with_qsort(6000, 1000, 8, 0); }
TEST(exchange_no_values) { compare_with_qsort(2000, 1000, 0, 0); }
TEST(exchange_odd_width) { compare_with_qsort(2000, 300, 7, 0); }
TEST(exchange_widest_direct_and_narrowest_far)
{
    compare_with_qsort(1000, 200, 48, 0);
    compare_with_qsort(1000, 200, 49, 0);
}
TEST(exchange_varying_values) { compare_with_qsort(2000, 200, UINT32_MAX, 40); }
TEST(exchange_one_hot_key)
{
    compare_with_qsort(5000, 1, 8, 0);
    compare_with_qsort(3000, 1, UINT32_MAX, 9);
}
TEST(exchange_empty)
{
    compare_with_qsort(0, 1, 8, 0);
    compare_with_qsort(0, 1, UINT32_MAX, 8);
}

/* --- less memory than records */

/* Some 2.4 MB of records and a budget of 1 MiB: most of them go by way of the scratch. */
static void compare_spilled(size_t n, uint64_t n_keys, uint32_t value_bytes, uint32_t max_value)
{
    const char *scratch = check_tmpdir();
    const int threads[] = {1, 2, 7};
    const uint32_t partitions[] = {1, 64, 4096};
    Records all = make_records(n, n_keys, value_bytes, max_value);
    uint32_t want_groups, groups;
    Buf want = sorted_stream(&all, &want_groups);
    uint64_t runs;

    for (size_t t = 0; t < 3; t++)
        for (size_t p = 0; p < 3; p++) {
            ExchangeSpec spec = {.name = "test",
                                 .partitions = partitions[p],
                                 .value_bytes = value_bytes,
                                 .memory = 1 << 20,
                                 .scratch = scratch};
            Buf got = whole(deliver(&all, &spec, threads[t], &runs), partitions[p], &groups);
            CHECK(runs > 0);
            CHECK_INT(want_groups, groups);
            CHECK(span_eq(buf_span(&want), buf_span(&got)));
            buf_clear(&got);
        }
    buf_clear(&want);
    records_free(&all);
}

TEST(exchange_spills_narrow_records) { compare_spilled(100000, 90000, 8, 0); }
TEST(exchange_spills_far_records) { compare_spilled(40000, 300, UINT32_MAX, 80); }
/* More runs than the process may have files, of lanes and of a bin that is merged in several steps. */
static void spill_with_few_files(uint64_t n_keys)
{
    Records all = make_records(200000, n_keys, 8, 0);
    ExchangeSpec spec = {
        .name = "few", .partitions = 16, .value_bytes = 8, .memory = 256 << 10, .scratch = check_tmpdir()};
    uint32_t want_groups, groups;
    struct rlimit old, few;
    uint64_t runs;
    int fd = dup(0);

    CHECK(fd >= 0 && close(fd) == 0 && getrlimit(RLIMIT_NOFILE, &old) == 0);
    few = (struct rlimit){.rlim_cur = (rlim_t)fd + 4, .rlim_max = old.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    Delivered *d = deliver(&all, &spec, 1, &runs);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(runs > 20);
    Buf got = whole(d, 16, &groups), want = sorted_stream(&all, &want_groups);
    CHECK_INT(want_groups, groups);
    CHECK(span_eq(buf_span(&want), buf_span(&got)));
    buf_clear(&got);
    buf_clear(&want);
    records_free(&all);
}

TEST(exchange_needs_few_files)
{
    spill_with_few_files(190000);
    spill_with_few_files(2);
}

TEST(exchange_merges_a_hot_key) /* one bin is larger than the budget */
{
    compare_spilled(100000, 2, 8, 0);
    compare_spilled(40000, 1, UINT32_MAX, 80);
}

/* A lane that failed says the same again, whatever it is given: no record is taken. */
static void refuses_more(Exchange *x, const Records *all, const Err *first)
{
    Err err;

    for (size_t i = 0; i < all->n; i++) {
        ErrCode rc = exchange_put(x, 0, all->r[i].key, all->r[i].value.p, (uint32_t)all->r[i].value.n, &err);
        if (rc == first->code && strcmp(err.msg, first->msg) == 0) continue;
        CHECK_INT(first->code, rc);
        CHECK_STR(first->msg, err.msg);
        return;
    }
}

TEST(exchange_scratch_that_fails_is_an_error)
{
    Records all = make_records(60000, 50000, 8, 0);
    Par par = {.n_ranks = 1, .threads = 1};
    ExchangeSpec spec = {
        .name = "full", .partitions = 64, .value_bytes = 8, .memory = 1 << 20, .scratch = check_tmpdir()};
    uint64_t calls = 1;
    Exchange *x;
    Err err;

    for (uint64_t nth = 1; nth <= calls; nth++) { /* every call that touches the disk */
        ErrCode rc = ERR_OK;
        CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
        store_fault_arm(nth, ENOSPC, true);
        for (size_t i = 0; i < all.n && rc == ERR_OK; i++)
            rc = exchange_put(x, 0, all.r[i].key, all.r[i].value.p, 8, &err);
        CHECK_INT(ERR_SYS, rc);
        CHECK(store_fault_hit() && strstr(err.msg, "full.") != NULL);
        refuses_more(x, &all, &err);
        store_fault_arm(0, 0, false);
        refuses_more(x, &all, &err); /* what was lost stays lost */
        CHECK_INT(ERR_SYS, exchange_flip(x, &err));
        exchange_close(x);
        if (nth > 1) continue;
        CHECK_OK(exchange_open(&x, &spec, &par, &err), &err); /* how many there are */
        store_fault_arm(UINT64_MAX, 0, false);
        send_all(x, &all, 1);
        calls = store_fault_calls();
        store_fault_arm(0, 0, false);
        CHECK(calls >= 4);
        exchange_close(x);
    }
    records_free(&all);
}

/* A scratch that really is full: files may have a mebibyte. The error names the file and nothing stays behind. */
TEST(exchange_full_scratch)
{
    const char *dir = check_tmpdir();
    Records all = make_records(200000, 190000, 8, 0);
    Par par = {.n_ranks = 1, .threads = 1};
    ExchangeSpec spec = {.name = "full", .partitions = 64, .value_bytes = 8, .memory = 4 << 20, .scratch = dir};
    struct rlimit old, small = {.rlim_cur = 1 << 20};
    ErrCode rc = ERR_OK;
    Exchange *x;
    Err err;

    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small.rlim_max = old.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
    for (size_t i = 0; i < all.n && rc == ERR_OK; i++)
        rc = exchange_put(x, 0, all.r[i].key, all.r[i].value.p, 8, &err);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    signal(SIGXFSZ, handler);
    CHECK_INT(ERR_SYS, rc);
    CHECK(strstr(err.msg, "cannot write") != NULL && strstr(err.msg, dir) != NULL);
    refuses_more(x, &all, &err);
    exchange_close(x);
    CHECK(rmdir(dir) == 0 && mkdir(dir, 0700) == 0); /* it was empty */
    records_free(&all);
}

TEST(exchange_scratch_says_what_is_missing)
{
    const char *dir = check_tmpdir();
    Err err;

    CHECK_OK(scratch_room(dir, "test", 1, &err), &err);
    CHECK_INT(ERR_SYS, scratch_room(dir, "test", UINT64_MAX / 2, &err));
    CHECK(strstr(err.msg, dir) != NULL && strstr(err.msg, "KiB are free") != NULL);
}

/* The file of the process's descriptors that scratch_open() made in dir, for damage: it has no name. */
static int scratch_descriptor(const char *dir)
{
    char link[64], path[4096];

    for (int fd = 3; fd < 256; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        path[n > 0 ? n : 0] = 0;
        if (strstr(path, dir) && strstr(path, "(deleted)")) return fd;
    }
    return -1;
}

TEST(exchange_damaged_run_is_named)
{
    const off_t at[] = {0, 8, 40, 5000}; /* a length, a sum, a record, a record further on */
    Records all = make_records(60000, 50000, 8, 0);
    Par par = {.n_ranks = 1, .threads = 1};
    ExchangeSpec spec = {
        .name = "damaged", .partitions = 8, .value_bytes = 8, .memory = 1 << 20, .scratch = check_tmpdir()};

    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        Delivered *d = calloc(1, sizeof *d);
        uint8_t byte = 0;
        Exchange *x;
        Err err;
        CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
        send_all(x, &all, 1);
        CHECK_OK(exchange_flip(x, &err), &err);
        int fd = scratch_descriptor(spec.scratch);
        CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0); /* programs that are started do not get it */
        CHECK(fd >= 0 && pread(fd, &byte, 1, at[i]) == 1);
        byte ^= 0x81;
        CHECK(pwrite(fd, &byte, 1, at[i]) == 1);
        CHECK_INT(ERR_DATA, exchange_each(x, collect, d, &err));
        CHECK(strstr(err.msg, "damaged") != NULL);
        for (uint32_t p = 0; p < 8; p++) buf_clear(&d->part[p]);
        free(d);
        exchange_close(x);
    }
    records_free(&all);
}

TEST(exchange_values_of_one_mebibyte)
{
    enum { BIG = EXCHANGE_MAX_VALUE };
    uint8_t *big = calloc(1, BIG + 1);
    Par par = {.n_ranks = 1, .threads = 2};
    ExchangeSpec spec = {.name = "big", .partitions = 4, .value_bytes = UINT32_MAX, .memory = 64 << 20};
    Delivered *d = calloc(1, sizeof *d);
    uint8_t key[EXCHANGE_KEY] = {0x40};
    Exchange *x;
    Err err;

    CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
    for (int i = 0; i < 6; i++) {
        big[BIG - 1] = (uint8_t)(5 - i); /* differ in the last byte; sent in falling order */
        CHECK_OK(exchange_put(x, i % 2, key, big, BIG, &err), &err);
    }
    CHECK_INT(ERR_LIMIT, exchange_put(x, 0, key, big, BIG + 1, &err));
    CHECK_OK(exchange_flip(x, &err), &err);
    CHECK_OK(exchange_each(x, collect, d, &err), &err);
    CHECK_INT(1, d->n_groups[1]);
    CHECK_INT(6 * (BIG + 20), d->part[1].n);
    for (size_t i = 0; i < 6 && d->part[1].n == 6 * (BIG + 20); i++)
        CHECK_INT(i, d->part[1].p[(i + 1) * (BIG + 20) - 1]);
    buf_clear(&d->part[1]);
    free(d);
    exchange_close(x);
    free(big);
}

static void add_u64(uint8_t *acc, const uint8_t *value) { le64_put(acc, le64_get(acc) + le64_get(value)); }

/* Values of `bytes` bytes whose first eight count; the rest is the largest seen, byte by byte: commutative too. */
static size_t wide_bytes;
static void add_and_max(uint8_t *acc, const uint8_t *value)
{
    add_u64(acc, value);
    for (size_t i = 8; i < wide_bytes; i++)
        if (value[i] > acc[i]) acc[i] = value[i];
}

/* n records over n_keys keys, each counting 1: every key's count must be what a plain array says. */
static void count_keys(size_t n, uint64_t n_keys, size_t bytes, int threads, uint64_t memory)
{
    ExchangeSpec spec = {
        .name = "count", .partitions = 16, .value_bytes = (uint32_t)bytes, .combine = add_and_max, .memory = memory};
    Par par = {.n_ranks = 1, .threads = threads};
    uint64_t *want = calloc(n_keys, sizeof *want), seen = 0;
    uint8_t *value = calloc(1, bytes);
    Delivered *d = calloc(1, sizeof *d);
    Exchange *x;
    Err err;

    wide_bytes = bytes;
    CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
    for (size_t i = 0; i < n; i++) {
        uint8_t key[EXCHANGE_KEY];
        uint64_t k = mix64(i) % n_keys;
        exchange_key_u64(key, mix64(k), k);
        le64_put(value, 1);
        if (bytes > 8) value[bytes - 1] = (uint8_t)(k % 200);
        want[k]++;
        CHECK_OK(exchange_put(x, (int)(i % (size_t)threads), key, value, (uint32_t)bytes, &err), &err);
    }
    CHECK_OK(exchange_flip(x, &err), &err);
    CHECK_OK(exchange_each(x, collect, d, &err), &err);
    exchange_close(x);
    for (uint32_t p = 0; p < 16; p++) {
        for (size_t at = 0; at < d->part[p].n; at += 20 + bytes, seen++) {
            const uint8_t *r = d->part[p].p + at;
            uint64_t k = be64_get(r + 8);
            CHECK(k < n_keys && be64_get(r) == mix64(k));
            CHECK_INT(want[k], le64_get(r + 20));
            if (bytes > 8) CHECK_INT(k % 200, r[20 + bytes - 1]);
        }
        CHECK_INT(d->n_groups[p] * (20 + bytes), d->part[p].n); /* one folded value a group */
        buf_clear(&d->part[p]);
    }
    size_t keys_used = 0;
    for (uint64_t k = 0; k < n_keys; k++) keys_used += want[k] > 0;
    CHECK_INT(keys_used, seen);
    free(d);
    free(value);
    free(want);
}

TEST(exchange_combiner)
{
    for (int threads = 1; threads <= 7; threads += 3) {
        count_keys(30000, 1, 8, threads, 1 << 30);
        count_keys(30000, 700, 8, threads, 1 << 30);
        count_keys(30000, 60000, 8, threads, 1 << 30);
        count_keys(6000, 50, 100, threads, 1 << 30);
    }
}

/* 400,000 records would take 9.6 MB; folded where they are sent they fit 1 MiB. */
TEST(exchange_combiner_keeps_a_hot_key_small) { count_keys(400000, 3, 8, 2, 1 << 20); }

TEST(exchange_says_when_memory_does_not_suffice)
{
    ExchangeSpec spec = {.name = "tight", .partitions = 4, .value_bytes = 8, .memory = 1 << 20};
    Par par = {.n_ranks = 1, .threads = 1};
    uint8_t key[EXCHANGE_KEY] = {0}, value[8] = {0};
    ErrCode rc = ERR_OK;
    Exchange *x;
    Err err;
    size_t n = 0;

    CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
    while (rc == ERR_OK && n < 1 << 20) rc = exchange_put(x, 0, key, value, 8, &err), n++;
    CHECK_INT(ERR_NOMEM, rc);
    CHECK(strstr(err.msg, "--memory") != NULL && strstr(err.msg, "tight") != NULL);
    exchange_close(x);
}

TEST(exchange_refuses_wrong_specs)
{
    const ExchangeSpec bad[] = {
        {.name = "p", .partitions = 0, .value_bytes = 8, .memory = 1 << 20},
        {.name = "p", .partitions = 3, .value_bytes = 8, .memory = 1 << 20},
        {.name = "p", .partitions = 1 << 17, .value_bytes = 8, .memory = 1 << 20},
        {.name = "v", .partitions = 1, .value_bytes = EXCHANGE_MAX_VALUE + 1, .memory = 1 << 20},
        {.name = "c", .partitions = 1, .value_bytes = UINT32_MAX, .combine = add_u64, .memory = 1 << 20},
    };
    Par par = {.n_ranks = 1, .threads = 1};
    Exchange *x;
    Err err;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(exchange_open(&x, &bad[i], &par, &err) != ERR_OK);
        CHECK(x == NULL);
    }
    exchange_close(NULL);
}

static ErrCode fail_odd(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    (void)ctx, (void)thread, (void)g;
    return partition % 2 ? err_set(err, ERR_LIMIT, "partition %u", (unsigned)partition) : ERR_OK;
}

TEST(exchange_lowest_failure_wins)
{
    ExchangeSpec spec = {.name = "f", .partitions = 64, .value_bytes = 8, .memory = 1 << 20};
    Par par = {.n_ranks = 1, .threads = 7};
    Exchange *x;
    Err err;

    for (int i = 0; i < 20; i++) {
        CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
        CHECK_OK(exchange_flip(x, &err), &err);
        CHECK_INT(ERR_LIMIT, exchange_each(x, fail_odd, NULL, &err));
        CHECK_STR("partition 1", err.msg);
        exchange_close(x);
    }
}

/* Without scratch what is sent takes half of the budget, so that delivery has room beside it. */
TEST(exchange_in_memory_leaves_room_for_delivery)
{
    ExchangeSpec spec = {.name = "half", .partitions = 16, .value_bytes = 8, .memory = 16 << 20};
    Par par = {.n_ranks = 1, .threads = 4};
    Records all = make_records(700000, 690000, 8, 0); /* 16.8 MB */
    ErrCode rc = ERR_OK;
    Exchange *x;
    Err err;

    CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
    for (size_t i = 0; i < all.n && rc == ERR_OK; i++)
        rc = exchange_put(x, (int)(i % 4), all.r[i].key, all.r[i].value.p, 8, &err);
    CHECK_INT(ERR_NOMEM, rc);
    CHECK(x->slab_bytes > 5 << 20 && x->slab_bytes + 4 * x->share <= (16 << 20) * 7 / 8);
    exchange_close(x);
    records_free(&all);
}

/* Where bins begin in 150 runs and more takes memory too: it comes out of the lane's share. */
TEST(exchange_share_has_room_for_indexes)
{
    ExchangeSpec spec = {
        .name = "index", .partitions = 64, .value_bytes = 8, .memory = 256 << 10, .scratch = check_tmpdir()};
    Par par = {.n_ranks = 1, .threads = 1};
    uint8_t key[EXCHANGE_KEY], value[8] = {0};
    uint64_t most = 0;
    Exchange *x;
    Err err;

    CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
    for (uint64_t i = 0; i < 600000; i++) {
        exchange_key_u64(key, mix64(i), i);
        CHECK_OK(exchange_put(x, 0, key, value, sizeof value, &err), &err);
        if (x->lane->slab_bytes + x->lane->run_index > most) most = x->lane->slab_bytes + x->lane->run_index;
    }
    CHECK(count_runs(x) > 150 && x->lane->run_index > x->share / 4);
    CHECK(most <= x->share);
    exchange_close(x);
}

/* Groups that are not read to their end are skipped over. */
static ErrCode first_values(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, Err *err)
{
    size_t *n = ctx;
    uint8_t key[EXCHANGE_KEY];
    bool end;
    Span v;
    ErrCode rc;

    (void)thread, (void)partition;
    for (size_t i = 0; (rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end; i++) {
        if (i % 2 && (rc = exchange_next_value(g, &v, &end, err)) != ERR_OK) return rc;
        ++*n;
    }
    return rc;
}

TEST(exchange_unread_values_are_skipped)
{
    ExchangeSpec spec = {.name = "s", .partitions = 1, .value_bytes = 8, .memory = 1 << 24};
    Par par = {.n_ranks = 1, .threads = 1};
    Records all = make_records(3000, 100, 8, 0);
    Exchange *x;
    Err err;
    size_t n = 0;

    CHECK_OK(exchange_open(&x, &spec, &par, &err), &err);
    send_all(x, &all, 1);
    CHECK_OK(exchange_flip(x, &err), &err);
    CHECK_OK(exchange_each(x, first_values, &n, &err), &err);
    CHECK_INT(100, n);
    exchange_close(x);
    records_free(&all);
}
