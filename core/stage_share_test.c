/* The map engine when processes die, dawdle or meet: always the content of one that was left alone. Each worker is a child process. */
#include "core/lease.h"
#include "core/log.h"
#include "core/stage.h"
#include "core/stage_share.h"
#include "tests/check.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARTS = 24, BLOCKS = 3 };

/* What a worker does with its blocks. */
typedef struct {
    uint32_t n_parts;
    int64_t abort_at, fail_at; /* a part; < 0: none */
    int64_t slow_at;           /* a part each block of which takes slow_ms; the others take block_ms */
    int slow_ms, block_ms;
} Work;
static const Work easy = {PARTS, -1, -1, -1, 0, 0};

static uint64_t some_bytes(void *ctx, uint32_t part)
{
    (void)ctx;
    return 1000 + part % 3;
}

static void some_name(void *ctx, uint32_t part, Buf *out)
{
    (void)ctx;
    buf_printf(out, "input-%" PRIu32, part);
}

typedef struct {
    uint32_t part, block;
} Cursor;

static ErrCode some_open(void *ctx, uint32_t part, void **cursor, Err *err)
{
    Cursor *c = calloc(1, sizeof *c);

    (void)ctx;
    *cursor = c;
    if (!c) return err_nomem(err, "a cursor");
    c->part = part;
    return ERR_OK;
}

static ErrCode some_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    Cursor *c = cursor;
    uint8_t number[8];

    *end = c->block == BLOCKS;
    le32_put(number, c->part);
    le32_put(number + 4, c->block++);
    buf_put(&block->bytes, number, sizeof number);
    return buf_ok(&block->bytes, "a block", err);
}

static void some_close(void *cursor) { free(cursor); }

/* The whole of it, whatever signals come. */
static void nap_ms(int ms)
{
    for (double left, until = clock_seconds() + ms / 1e3; (left = until - clock_seconds()) > 0;)
        nanosleep(&(struct timespec){(time_t)left, (long)((left - (double)(time_t)left) * 1e9)}, NULL);
}

static ErrCode some_map(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    const Work *w = ctx;
    uint32_t part = le32_get(block->bytes.p);

    (void)worker;
    if (part == w->abort_at) abort();
    if (part == w->fail_at) return err_set(err, ERR_DATA, "part %" PRIu32 " is not to my taste", part);
    nap_ms(part == w->slow_at ? w->slow_ms : w->block_ms);
    for (uint32_t i = 0; i < 5; i++) {
        char id[64], text[64];
        snprintf(id, sizeof id, "local/%" PRIu32 "#%" PRIu32 "+%" PRIu32, part, le32_get(block->bytes.p + 4), i);
        snprintf(text, sizeof text, "text %" PRIu64, mix64(part * 100 + i));
        Doc doc = {.id = span_str(id), .text = span_str(text)};
        sink_in(sink, doc.id, doc.text.n);
        ErrCode rc = sink_emit(sink, &doc, err);
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

static const StageDef some_def = {.name = "some", .version = 1, .kind = DATASET_WRITTEN};

static ErrCode do_work(const char *dir, const Work *w, CommonOptions common, StageTotals *t, Err *err)
{
    Work own = *w;
    StageSource source = {.ctx = &own,
                          .n_parts = w->n_parts,
                          .part_bytes = some_bytes,
                          .part_name = some_name,
                          .open = some_open,
                          .next = some_next,
                          .close = some_close,
                          .map = some_map};
    Par par = par_alone(1);
    StageJob job = {.def = &some_def,
                    .params = common.rejected ? SPAN_LIT("{\"other\":1}") : SPAN_LIT("{}"),
                    .inputs = SPAN_LIT("[]"),
                    .out_dir = dir,
                    .source = &source,
                    .common = &common};

    common.rejected = NULL; /* only says here: other parameters */
    return stage_run(&job, &par, t, err);
}

/* A worker in a process of its own; its exit status is that of a verb, or 100 + the parts it did where `tell`. */
static pid_t start(const char *dir, Work w, CommonOptions common, bool tell)
{
    pid_t pid = fork();

    if (pid == 0) {
        StageTotals t = {0};
        Err err = {.code = ERR_OK};
        log_setup(LOG_QUIET, 1);
        for (int sig = 1; sig < 16; sig++) (void)signal(sig, SIG_DFL);
        interrupt_install();
        ErrCode rc = do_work(dir, &w, common, &t, &err);
        _exit(rc == ERR_OK && tell ? 100 + (int)t.n_parts_done : err_status(rc));
    }
    return pid;
}

/* Exit status, or 1000 + signal. */
static int end_of(pid_t pid)
{
    int status = 0;

    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The same, but -1 and the process killed when it goes on for longer. */
static int end_within(pid_t pid, double seconds)
{
    int status = 0;

    for (double until = clock_seconds() + seconds; clock_seconds() < until; nap_ms(5))
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
    kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return -1;
}

static char *in_dir(char out[400], const char *dir, const char *name)
{
    snprintf(out, 400, "%s/%s", dir, name);
    return out;
}

static bool there(const char *dir, const char *name)
{
    char path[500];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static uint32_t parts_there(const char *dir)
{
    StoreList list;
    uint32_t n = 0;

    if (store_list(dir, &list, NULL) != ERR_OK) return 0;
    for (size_t i = 0; i < list.n; i++) n += strstr(list.name[i], ".jsonl.zst") && !strstr(list.name[i], ".tmp");
    storelist_clear(&list);
    return n;
}

static void wait_for_parts(const char *dir, uint32_t n)
{
    for (int i = 0; i < 2000 && parts_there(dir) < n; i++) nap_ms(2);
    CHECK(parts_there(dir) >= n);
}

static Hash128 content_of(const char *dir)
{
    Dataset *ds;
    Err err = {.code = ERR_OK};
    Hash128 h = {0, 0};

    CHECK_OK(dataset_open(&ds, dir, &err), &err);
    if (err.code == ERR_OK) h = dataset_content(ds), dataset_close(ds);
    return h;
}

/* One process, nothing in its way. */
static Hash128 undisturbed(const char *dir)
{
    char path[400];
    Err err = {.code = ERR_OK};

    log_setup(LOG_QUIET, 0);
    CHECK_OK(do_work(in_dir(path, dir, "want"), &easy, (CommonOptions){0}, NULL, &err), &err);
    return content_of(path);
}

static void check_finished(const char *dir, Hash128 want)
{
    CHECK(hash128_eq(want, content_of(dir)));
    CHECK(!there(dir, "leases"));
}

/* Against a look at every worker for every part. */
TEST(the_heaviest_part_goes_to_the_least_loaded)
{
    enum { MOST = 200 };
    uint64_t bytes[MOST], load[MOST];
    uint32_t owner[MOST], want[MOST];
    Err err = {.code = ERR_OK};

    for (uint64_t seed = 0; seed < 200; seed++) {
        uint32_t n_parts = (uint32_t)(mix64(seed) % MOST), n_workers = 1 + (uint32_t)(mix64(seed + 1000) % MOST);
        bool placed[MOST] = {false};
        for (uint32_t i = 0; i < n_parts; i++) bytes[i] = mix64(seed * MOST + i) % (seed % 3 ? 1000000 : 3);
        memset(load, 0, sizeof load);
        for (uint32_t round = 0; round < n_parts; round++) {
            uint32_t heaviest = MOST, least = 0;
            for (uint32_t i = 0; i < n_parts; i++)
                if (!placed[i] && (heaviest == MOST || bytes[i] > bytes[heaviest])) heaviest = i;
            for (uint32_t k = 1; k < n_workers; k++)
                if (load[k] < load[least]) least = k;
            placed[heaviest] = true;
            want[heaviest] = least;
            load[least] += bytes[heaviest] + 1;
        }
        CHECK_OK(share_split(owner, bytes, n_parts, n_workers, &err), &err);
        CHECK(n_parts == 0 || memcmp(want, owner, n_parts * sizeof *want) == 0);
    }
}

/* Takes the lease of one part, does nothing, and waits to be killed. */
static pid_t start_holder(const char *dir, uint32_t part)
{
    pid_t pid = fork();

    if (pid == 0) {
        Leases *l;
        bool got;
        if (leases_open(&l, dir, "some", "", NULL) != ERR_OK ||
            lease_claim(l, part, false, "x", &got, NULL) != ERR_OK)
            _exit(9);
        for (;;) pause();
    }
    return pid;
}

static double seconds_of_children(void)
{
    struct rusage u;

    CHECK_INT(0, getrusage(RUSAGE_CHILDREN, &u));
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* A worker has planned to do part 20 when another process takes that: the worker waits for it without being busy, and does it when the
 * other is killed. */
TEST(a_part_taken_from_the_own_share_is_waited_for_and_its_death_seen)
{
    const char *dir = check_tmpdir();
    char path[400];
    Work slow = easy;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    slow.block_ms = 8;
    pid_t worker = start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, true);
    wait_for_parts(path, 1);
    pid_t holder = start_holder(path, 20);
    wait_for_parts(path, PARTS - 1);
    double before = seconds_of_children(); /* of none but those waited for */
    nap_ms(1000);
    kill(holder, SIGKILL);
    CHECK_INT(1000 + SIGKILL, end_of(holder));
    CHECK_INT(100 + PARTS, end_within(worker, 20));
    CHECK(seconds_of_children() - before < 0.5); /* it used to go round all the time */
    check_finished(path, want);
}

/* A name that is listed but cannot be looked at, as a listing of NFS that is behind may show it. */
TEST(a_listing_that_is_behind_is_not_waited_for_in_a_hurry)
{
    const char *dir = check_tmpdir();
    char path[400], lease[400];
    Err err = {.code = ERR_OK};

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    in_dir(path, dir, "d");
    CHECK_OK(store_mkdirs(in_dir(lease, dir, "d/leases"), &err), &err);
    CHECK_INT(0, symlink("/nowhere/x", in_dir(lease, dir, "d/leases/part-000005")));
    CHECK_INT(100 + PARTS, end_within(start(path, easy, (CommonOptions){0}, true), 20));
    check_finished(path, want);
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

/* Between a job's claim of the directory and its first look another --force may have put its own plan there, of more parts. */
TEST(a_plan_that_was_replaced_is_noticed)
{
    const char *dir = check_tmpdir();
    Work own = easy, more = easy;
    StageSource source = {.ctx = &own, .n_parts = 3, .part_bytes = some_bytes};
    CommonOptions common = {0};
    StageJob job = {.def = &some_def, .out_dir = dir, .source = &source, .common = &common};
    Par par = par_alone(1);
    Share *s;
    Err err = {.code = ERR_OK};

    log_setup(LOG_QUIET, 0);
    CHECK_OK(do_work(dir, &more, (CommonOptions){0}, NULL, &err), &err);
    CHECK_INT(ERR_DATA, share_open(&s, &job, &par, (Hash128){1, 2}, &err));
    CHECK(strstr(err.msg, "another job has just started here") != NULL);
    share_close(s);
}

TEST(a_killed_workers_parts_are_taken_over)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    Work slow = easy;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    slow.block_ms = 15;
    pid_t victim = start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, false);
    wait_for_parts(path, 3);
    kill(victim, SIGKILL);
    CHECK_INT(1000 + SIGKILL, end_of(victim));
    CHECK(there(path, "leases"));
    CHECK_OK(do_work(path, &easy, (CommonOptions){0}, &t, &err), &err); /* at once: it was of this host */
    CHECK(t.n_parts_reused >= 3 && t.n_parts_done + t.n_parts_reused == PARTS);
    check_finished(path, want);
}

/* The victim is stopped, so it keeps its lock and looks alive but for its heartbeat; then it wakes and ends well too. */
TEST(a_stopped_workers_parts_are_taken_over_when_its_heartbeat_expires)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    Work slow = easy;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    slow.block_ms = 15;
    pid_t victim = start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, false);
    wait_for_parts(path, 2);
    nap_ms(10); /* by now it holds the next one */
    kill(victim, SIGSTOP);
    double begin = clock_seconds();
    CHECK_OK(do_work(path, &easy, (CommonOptions){0}, &t, &err), &err);
    CHECK(clock_seconds() - begin > 0.9);
    check_finished(path, want);
    kill(victim, SIGCONT);
    CHECK_INT(0, end_of(victim));
    CHECK(hash128_eq(want, content_of(path)));
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

TEST(two_jobs_on_one_directory_share_the_work)
{
    const char *dir = check_tmpdir();
    char path[400];
    Work slow = easy, fast = easy;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    slow.block_ms = 40;
    fast.block_ms = 1;
    in_dir(path, dir, "d");
    pid_t a = start(path, slow, (CommonOptions){0}, true), b = start(path, fast, (CommonOptions){0}, true);
    int n_a = end_of(a) - 100, n_b = end_of(b) - 100;
    CHECK(n_a > 0 && n_b > n_a); /* the fast one did more */
    CHECK_INT(PARTS, n_a + n_b); /* and nothing was done twice */
    check_finished(path, want);
}

/* One process is slow with one part, alive all the time; the other does it a second time and the slow one lets go of it. */
TEST(a_stragglers_part_is_done_a_second_time)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    Work straggler = easy, fast = easy;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    straggler.slow_at = 0;
    straggler.slow_ms = 3000;
    fast.block_ms = 1;
    pid_t a = start(in_dir(path, dir, "d"), straggler, (CommonOptions){0}, true);
    for (int i = 0; i < 1000 && !there(path, "leases/part-000000"); i++) nap_ms(2);
    double begin = clock_seconds();
    CHECK_OK(do_work(path, &fast, (CommonOptions){0}, &t, &err), &err);
    double took = clock_seconds() - begin;
    CHECK(took > 1 && took < 8); /* 9 s when nobody helps */
    CHECK_INT(PARTS, t.n_parts_done);
    check_finished(path, want);
    CHECK_INT(100, end_of(a)); /* it let go after one of three blocks and had nothing done */
    CHECK(clock_seconds() - begin < 8.5);
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

TEST(a_part_that_crashes_each_time_is_set_aside_and_named)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    Work poison = easy;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    poison.abort_at = 7;
    in_dir(path, dir, "d");
    for (int i = 0; i < LEASE_MAX_CRASHES; i++) {
        CHECK_INT(1000 + SIGABRT, end_of(start(path, poison, (CommonOptions){0}, false)));
        if (i) CHECK_INT(PARTS - 1, parts_there(path)); /* before it is tried again, all others are done */
    }
    CHECK_INT(4, end_of(start(path, poison, (CommonOptions){0}, false)));
    CHECK_INT(ERR_DATA, do_work(path, &poison, (CommonOptions){0}, &t, &err));
    CHECK(strstr(err.msg, "set aside") != NULL && strstr(err.msg, "7 (input-7)") != NULL);
    CHECK(!there(path, "manifest.json") && !there(path, "part-000007.jsonl.zst"));
    CHECK_INT(1000 + SIGABRT, end_of(start(path, poison, (CommonOptions){.retry = true}, false)));
    CHECK_INT(1000 + SIGABRT, end_of(start(path, poison, (CommonOptions){0}, false)));
    CHECK_OK(do_work(path, &easy, (CommonOptions){0}, &t, &err), &err); /* repaired */
    CHECK_INT(1, t.n_parts_done);
    check_finished(path, want);
}

/* With others on the way: the tasks of an array; only whose share it is fails. */
TEST(a_task_fails_for_parts_of_its_own_that_are_set_aside)
{
    const char *dir = check_tmpdir();
    char path[400];
    Work poison = easy;
    CommonOptions task[2] = {{.task = {0, 2}}, {.task = {1, 2}}};
    int failed = 0, fine = 0;

    if (CHECK_TSAN) return;
    poison.abort_at = 7;
    in_dir(path, dir, "d");
    for (int i = 0; i < LEASE_MAX_CRASHES; i++)
        for (int k = 0; k < 2; k++) (void)end_of(start(path, poison, task[k], false));
    for (int k = 0; k < 2; k++) {
        int status = end_of(start(path, poison, task[k], false));
        failed += status == 4;
        fine += status == 0;
    }
    CHECK_INT(PARTS - 1, parts_there(path));
    CHECK_INT(2, failed + fine);
    CHECK(failed >= 1);
}

TEST(an_ordinary_error_fails_the_run_and_is_not_counted)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    Work bad = easy;
    LeaseScan s;

    Hash128 want = undisturbed(dir);
    bad.fail_at = 9;
    in_dir(path, dir, "d");
    for (int i = 0; i < LEASE_MAX_POINTS + 1; i++) {
        CHECK_INT(ERR_DATA, do_work(path, &bad, (CommonOptions){0}, &t, &err));
        CHECK_STR("part 9 is not to my taste", err.msg);
    }
    CHECK_OK(leases_scan(path, &s, &err), &err);
    CHECK_INT(0, s.n_parts + s.n_processes);
    leasescan_clear(&s);
    CHECK_OK(do_work(path, &easy, (CommonOptions){0}, &t, &err), &err);
    check_finished(path, want);
}

TEST(a_stopped_run_gives_its_leases_back_and_a_second_signal_kills)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    Work slow = easy, stuck = easy;
    LeaseScan s;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    slow.block_ms = 10;
    pid_t pid = start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, false);
    wait_for_parts(path, 2);
    kill(pid, SIGTERM);
    nap_ms(1);
    kill(pid, SIGTERM); /* the launcher's: one wish, not two */
    CHECK_INT(6, end_of(pid));
    CHECK_OK(leases_scan(path, &s, &err), &err);
    CHECK_INT(0, s.n_parts + s.n_processes);
    leasescan_clear(&s);

    stuck.block_ms = 60000;
    pid = start(path, stuck, (CommonOptions){0}, false);
    for (int i = 0; i < 1000 && !there(path, "leases"); i++) nap_ms(2);
    nap_ms(50);
    kill(pid, SIGTERM);
    nap_ms(2100);
    kill(pid, SIGTERM);
    CHECK_INT(1000 + SIGTERM, end_of(pid));
    CHECK_OK(do_work(path, &easy, (CommonOptions){0}, &t, &err), &err);
    check_finished(path, want);
}

TEST(force_does_not_wipe_what_another_works_at)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    Work slow = easy;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    slow.block_ms = 20;
    pid_t pid = start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, false);
    wait_for_parts(path, 1);
    CHECK_INT(ERR_DATA, do_work(path, &easy, (CommonOptions){.force = true, .rejected = ""}, &t, &err));
    CHECK(strstr(err.msg, "at work") != NULL);
    CHECK_INT(0, end_of(pid));
    check_finished(path, want);
    /* killed ones do not count */
    pid = start(in_dir(path, dir, "e"), slow, (CommonOptions){0}, false);
    wait_for_parts(path, 1);
    kill(pid, SIGKILL);
    (void)end_of(pid);
    CHECK_OK(do_work(path, &easy, (CommonOptions){.force = true, .rejected = ""}, &t, &err), &err);
    CHECK(t.n_parts_reused == 0);
    check_finished(path, want);
}

/* Task 0 of 3 alone: its share first, the rest when it is started again. */
TEST(any_subset_of_tasks_completes_the_job)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions task = {.task = {0, 3}};

    Hash128 want = undisturbed(dir);
    CHECK_OK(do_work(in_dir(path, dir, "d"), &easy, task, &t, &err), &err);
    CHECK(!t.complete);
    CHECK_INT(PARTS / 3, t.n_parts_done);
    CHECK_OK(do_work(path, &easy, task, &t, &err), &err);
    CHECK(t.complete);
    check_finished(path, want);
}

/* Three workers at a time; a random one is killed after each part that is done, and replaced, until one of them comes through. */
TEST(random_kills_of_three_workers_change_nothing)
{
    enum { WORKERS = 3 };
    const char *dir = check_tmpdir();
    char path[400];
    pid_t pid[WORKERS] = {0};
    uint64_t seed = 20;
    int n_kills = 0, status = -1;
    Work slow = easy;

    if (CHECK_TSAN) return;
    Hash128 want = undisturbed(dir);
    slow.block_ms = 16; /* on a machine that is busy too, and in memory, some kills come before the end */
    in_dir(path, dir, "d");
    double until = clock_seconds() + 60;
    for (int round = 0; status != 0 && clock_seconds() < until; round++) {
        int k = (int)(mix64(seed + (uint64_t)round) % WORKERS);
        uint32_t before = parts_there(path);
        for (int i = 0; i < WORKERS; i++) /* innocents may die nine times here */
            if (!pid[i]) pid[i] = start(path, slow, (CommonOptions){.retry = true}, false);
        for (int i = 0; i < 1000 && before < PARTS && parts_there(path) == before; i++) nap_ms(2);
        nap_ms((int)(mix64(seed * 77 + (uint64_t)round) % 8));
        kill(pid[k], SIGKILL);
        status = end_of(pid[k]);
        pid[k] = 0;
        n_kills += status != 0;
    }
    for (int i = 0; i < WORKERS; i++)
        if (pid[i]) CHECK_INT(0, end_of(pid[i]));
    CHECK_INT(0, status);
    CHECK(n_kills >= 5);
    CHECK(hash128_eq(want, content_of(path)));
}
