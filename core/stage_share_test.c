/* The map engine when processes die, dawdle or meet: always the content of one that was left alone. Each worker is a child process. */
#include "core/lease.h"
#include "core/log.h"
#include "core/stage_fake_test.h"
#include "core/stage_share.h"
#include "tests/check.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
    FakeWork slow = fake_easy;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    slow.block_ms = 8;
    pid_t worker = fake_start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, true);
    fake_wait_for_parts(path, 1);
    pid_t holder = start_holder(path, 20);
    fake_wait_for_parts(path, PARTS - 1);
    double before = seconds_of_children(); /* of none but those waited for */
    nap_ms(1000);
    kill(holder, SIGKILL);
    CHECK_INT(1000 + SIGKILL, fake_end(holder));
    CHECK_INT(100 + PARTS, fake_end_within(worker, 20));
    CHECK(seconds_of_children() - before < 0.5); /* it used to go round all the time */
    fake_check_finished(path, want);
}

/* A name that is listed but cannot be looked at, as a listing of NFS that is behind may show it. */
TEST(a_listing_that_is_behind_is_not_waited_for_in_a_hurry)
{
    const char *dir = check_tmpdir();
    char path[400], lease[400];
    Err err = {.code = ERR_OK};

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    in_dir(path, dir, "d");
    CHECK_OK(store_mkdirs(in_dir(lease, dir, "d/leases"), &err), &err);
    CHECK_INT(0, symlink("/nowhere/x", in_dir(lease, dir, "d/leases/part-000005")));
    CHECK_INT(100 + PARTS, fake_end_within(fake_start(path, fake_easy, (CommonOptions){0}, true), 20));
    fake_check_finished(path, want);
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

static uint64_t one_byte(void *ctx, uint32_t part)
{
    (void)ctx, (void)part;
    return 1;
}

/* Between a job's claim of the directory and its first look another --force may have put its own plan there, of more parts. */
TEST(a_plan_that_was_replaced_is_noticed)
{
    const char *dir = check_tmpdir();
    static const StageDef def = {.name = "some", .version = 1, .kind = DATASET_WRITTEN};
    StageSource source = {.n_parts = 3, .part_bytes = one_byte};
    CommonOptions common = {0};
    StageJob job = {.def = &def, .out_dir = dir, .source = &source, .common = &common};
    Par par = par_alone(1);
    Share *s;
    Err err = {.code = ERR_OK};

    log_setup(LOG_QUIET, 0);
    CHECK_OK(fake_run(dir, &fake_easy, (CommonOptions){0}, 1, NULL, &err), &err);
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
    FakeWork slow = fake_easy;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    slow.block_ms = 15;
    pid_t victim = fake_start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, false);
    fake_wait_for_parts(path, 3);
    kill(victim, SIGKILL);
    CHECK_INT(1000 + SIGKILL, fake_end(victim));
    CHECK(there(path, "leases"));
    CHECK_OK(fake_run(path, &fake_easy, (CommonOptions){0}, 1, &t, &err), &err); /* at once: it was of this host */
    CHECK(t.n_parts_reused >= 3 && t.n_parts_done + t.n_parts_reused == PARTS);
    fake_check_finished(path, want);
}

/* The victim is stopped, so it keeps its lock and looks alive but for its heartbeat; then it wakes and ends well too. */
TEST(a_stopped_workers_parts_are_taken_over_when_its_heartbeat_expires)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    FakeWork slow = fake_easy;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    slow.block_ms = 15;
    pid_t victim = fake_start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, false);
    fake_wait_for_parts(path, 2);
    nap_ms(10); /* by now it holds the next one */
    kill(victim, SIGSTOP);
    double begin = clock_seconds();
    CHECK_OK(fake_run(path, &fake_easy, (CommonOptions){0}, 1, &t, &err), &err);
    CHECK(clock_seconds() - begin > 0.9);
    fake_check_finished(path, want);
    kill(victim, SIGCONT);
    CHECK_INT(0, fake_end(victim));
    CHECK(hash128_eq(want, content_of(path)));
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

TEST(two_jobs_on_one_directory_share_the_work)
{
    const char *dir = check_tmpdir();
    char path[400];
    FakeWork slow = fake_easy, fast = fake_easy;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    slow.block_ms = 40;
    fast.block_ms = 1;
    in_dir(path, dir, "d");
    pid_t a = fake_start(path, slow, (CommonOptions){0}, true), b = fake_start(path, fast, (CommonOptions){0}, true);
    int n_a = fake_end(a) - 100, n_b = fake_end(b) - 100;
    CHECK(n_a > 0 && n_b > n_a); /* the fast one did more */
    CHECK_INT(PARTS, n_a + n_b); /* and nothing was done twice */
    fake_check_finished(path, want);
}

/* One process is slow with one part, alive all the time; the other does it a second time and the slow one lets go of it. */
TEST(a_stragglers_part_is_done_a_second_time)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    FakeWork straggler = fake_easy, fast = fake_easy;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    straggler.slow_at = 0;
    straggler.slow_ms = 3000;
    fast.block_ms = 1;
    pid_t a = fake_start(in_dir(path, dir, "d"), straggler, (CommonOptions){0}, true);
    for (int i = 0; i < 1000 && !there(path, "leases/part-000000"); i++) nap_ms(2);
    double begin = clock_seconds();
    CHECK_OK(fake_run(path, &fast, (CommonOptions){0}, 1, &t, &err), &err);
    double took = clock_seconds() - begin;
    CHECK(took > 1 && took < 8); /* 9 s when nobody helps */
    CHECK_INT(PARTS, t.n_parts_done);
    fake_check_finished(path, want);
    CHECK_INT(100, fake_end(a)); /* it let go after one of three blocks and had nothing done */
    CHECK(clock_seconds() - begin < 8.5);
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

TEST(a_part_that_crashes_each_time_is_set_aside_and_named)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    FakeWork poison = fake_easy;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    poison.abort_at = 7;
    in_dir(path, dir, "d");
    for (int i = 0; i < LEASE_MAX_CRASHES; i++) {
        CHECK_INT(1000 + SIGABRT, fake_end(fake_start(path, poison, (CommonOptions){0}, false)));
        if (i) CHECK_INT(PARTS - 1, fake_parts_there(path)); /* before it is tried again, all others are done */
    }
    CHECK_INT(4, fake_end(fake_start(path, poison, (CommonOptions){0}, false)));
    CHECK_INT(ERR_DATA, fake_run(path, &poison, (CommonOptions){0}, 1, &t, &err));
    CHECK(strstr(err.msg, "set aside") != NULL && strstr(err.msg, "7 (input-7)") != NULL);
    CHECK(!there(path, "manifest.json") && !there(path, "part-000007.jsonl.zst"));
    CHECK_INT(1000 + SIGABRT, fake_end(fake_start(path, poison, (CommonOptions){.retry = true}, false)));
    CHECK_INT(1000 + SIGABRT, fake_end(fake_start(path, poison, (CommonOptions){0}, false)));
    CHECK_OK(fake_run(path, &fake_easy, (CommonOptions){0}, 1, &t, &err), &err); /* repaired */
    CHECK_INT(1, t.n_parts_done);
    fake_check_finished(path, want);
}

/* With others on the way: the tasks of an array; only whose share it is fails. */
TEST(a_task_fails_for_parts_of_its_own_that_are_set_aside)
{
    const char *dir = check_tmpdir();
    char path[400];
    FakeWork poison = fake_easy;
    CommonOptions task[2] = {{.task = {0, 2}}, {.task = {1, 2}}};
    int failed = 0, fine = 0;

    if (CHECK_TSAN) return;
    poison.abort_at = 7;
    in_dir(path, dir, "d");
    for (int i = 0; i < LEASE_MAX_CRASHES; i++)
        for (int k = 0; k < 2; k++) (void)fake_end(fake_start(path, poison, task[k], false));
    for (int k = 0; k < 2; k++) {
        int status = fake_end(fake_start(path, poison, task[k], false));
        failed += status == 4;
        fine += status == 0;
    }
    CHECK_INT(PARTS - 1, fake_parts_there(path));
    CHECK_INT(2, failed + fine);
    CHECK(failed >= 1);
}

TEST(a_stopped_run_gives_its_leases_back_and_a_second_signal_kills)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    FakeWork slow = fake_easy, stuck = fake_easy;
    LeaseScan s;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    slow.block_ms = 10;
    pid_t pid = fake_start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, false);
    fake_wait_for_parts(path, 2);
    kill(pid, SIGTERM);
    nap_ms(1);
    kill(pid, SIGTERM); /* the launcher's: one wish, not two */
    CHECK_INT(6, fake_end(pid));
    CHECK_OK(leases_scan(path, &s, &err), &err);
    CHECK_INT(0, s.n_parts + s.n_processes);
    leasescan_clear(&s);

    stuck.block_ms = 60000;
    pid = fake_start(path, stuck, (CommonOptions){0}, false);
    for (int i = 0; i < 1000 && !there(path, "leases"); i++) nap_ms(2);
    nap_ms(50);
    kill(pid, SIGTERM);
    nap_ms(2100);
    kill(pid, SIGTERM);
    CHECK_INT(1000 + SIGTERM, fake_end(pid));
    CHECK_OK(fake_run(path, &fake_easy, (CommonOptions){0}, 1, &t, &err), &err);
    fake_check_finished(path, want);
}

TEST(force_does_not_wipe_what_another_works_at)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    FakeWork slow = fake_easy;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    slow.block_ms = 20;
    pid_t pid = fake_start(in_dir(path, dir, "d"), slow, (CommonOptions){0}, false);
    fake_wait_for_parts(path, 1);
    CHECK_INT(ERR_DATA, fake_run(path, &fake_easy, (CommonOptions){.force = true, .rejected = ""}, 1, &t, &err));
    CHECK(strstr(err.msg, "at work") != NULL);
    CHECK_INT(0, fake_end(pid));
    fake_check_finished(path, want);
    /* killed ones do not count */
    pid = fake_start(in_dir(path, dir, "e"), slow, (CommonOptions){0}, false);
    fake_wait_for_parts(path, 1);
    kill(pid, SIGKILL);
    (void)fake_end(pid);
    CHECK_OK(fake_run(path, &fake_easy, (CommonOptions){.force = true, .rejected = ""}, 1, &t, &err), &err);
    CHECK(t.n_parts_reused == 0);
    fake_check_finished(path, want);
}

/* Task 0 of 3 alone: its share first, the rest when it is started again. */
TEST(any_subset_of_tasks_completes_the_job)
{
    const char *dir = check_tmpdir();
    char path[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    CommonOptions task = {.task = {0, 3}};

    Hash128 want = fake_undisturbed(dir);
    CHECK_OK(fake_run(in_dir(path, dir, "d"), &fake_easy, task, 1, &t, &err), &err);
    CHECK(!t.complete);
    CHECK_INT(PARTS / 3, t.n_parts_done);
    CHECK_OK(fake_run(path, &fake_easy, task, 1, &t, &err), &err);
    CHECK(t.complete);
    fake_check_finished(path, want);
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
    FakeWork slow = fake_easy;

    if (CHECK_TSAN) return;
    Hash128 want = fake_undisturbed(dir);
    slow.block_ms = 16; /* on a machine that is busy too, and in memory, some kills come before the end */
    in_dir(path, dir, "d");
    double until = clock_seconds() + 60;
    for (int round = 0; status != 0 && clock_seconds() < until; round++) {
        int k = (int)(mix64(seed + (uint64_t)round) % WORKERS);
        uint32_t before = fake_parts_there(path);
        for (int i = 0; i < WORKERS; i++) /* innocents may die nine times here */
            if (!pid[i]) pid[i] = fake_start(path, slow, (CommonOptions){.retry = true}, false);
        for (int i = 0; i < 1000 && before < PARTS && fake_parts_there(path) == before; i++) nap_ms(2);
        nap_ms((int)(mix64(seed * 77 + (uint64_t)round) % 8));
        kill(pid[k], SIGKILL);
        status = fake_end(pid[k]);
        pid[k] = 0;
        n_kills += status != 0;
    }
    for (int i = 0; i < WORKERS; i++)
        if (pid[i]) CHECK_INT(0, fake_end(pid[i]));
    CHECK_INT(0, status);
    CHECK(n_kills >= 5);
    CHECK(hash128_eq(want, content_of(path)));
}
