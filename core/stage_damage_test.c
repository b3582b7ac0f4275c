/* Parts whose input is damaged: found once, left alone by all, named at the end, tried again when the input has changed. */
#include "core/dataset_status.h"
#include "core/log.h"
#include "core/stage_fake_test.h"
#include "core/store.h"
#include "tests/check.h"

#include <stdlib.h>

enum { BAD = 9 };

/* Part BAD is damaged in its second block and its third; how often that was found is the size of DIR/tries. */
static FakeWork damaged_work(const char *dir, char tries[400])
{
    FakeWork w = fake_easy;

    w.fail_at = BAD;
    w.fail_with = ERR_DATA;
    w.tries = in_dir(tries, dir, "tries");
    return w;
}

static uint64_t n_tries(const char *tries)
{
    uint64_t n = 0;
    bool any = false;
    Err err = {.code = ERR_OK};

    CHECK_OK(store_exists(tries, &any, &err), &err);
    if (any) CHECK_OK(store_size(tries, &n, &err), &err);
    return n;
}

static void check_names_it(const Err *err)
{
    CHECK(strstr(err->msg, "1 part is damaged: 9 (input-9)") != NULL);
    CHECK(strstr(err->msg, "part 9: block 1 of part 9 is not to my taste") != NULL);
}

/* Everything but the damaged part is done, by any number of threads, with the message of the lowest block. */
TEST(a_damaged_part_is_left_and_the_others_are_done)
{
    static const int threads[] = {1, 2, 7};
    const char *dir = check_tmpdir();
    char path[400], tries[400], name[16];
    StageTotals t;

    Hash128 want = fake_undisturbed(dir);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        FakeWork bad = damaged_work(dir, tries);
        Err err = {.code = ERR_OK};
        snprintf(name, sizeof name, "t%d", threads[i]);
        in_dir(path, dir, name);
        CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){0}, threads[i], &t, &err));
        check_names_it(&err);
        CHECK_INT(PARTS - 1, fake_parts_there(path));
        CHECK(!there(path, "manifest.json") && there(path, "leases/part-000009.damaged"));
        const uint64_t before = n_tries(tries);
        CHECK(before > 0);
        CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){0}, threads[i], &t, &err));
        check_names_it(&err);
        CHECK_INT(before, n_tries(tries)); /* a rerun does not try it */
        CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){.retry = true}, threads[i], &t, &err));
        CHECK(n_tries(tries) > before);
        CHECK_INT(ERR_DATA, fake_run(path, &fake_easy, (CommonOptions){0}, threads[i], &t, &err));
        err.code = ERR_OK;
        CHECK_OK(fake_run(path, &fake_easy, (CommonOptions){.retry = true}, threads[i], &t, &err), &err);
        CHECK_INT(PARTS - 1, t.n_parts_reused);
        fake_check_finished(path, want);
    }
}

TEST(a_part_beyond_a_limit_or_that_cannot_be_opened_is_damaged_too)
{
    const char *dir = check_tmpdir();
    char path[400], tries[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    FakeWork bad = damaged_work(dir, tries);

    Hash128 want = fake_undisturbed(dir);
    in_dir(path, dir, "d");
    bad.fail_with = ERR_LIMIT;
    bad.fail_open = true;
    CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){0}, 2, &t, &err));
    CHECK(strstr(err.msg, "9 (input-9)") != NULL && strstr(err.msg, "the head of part 9") != NULL);
    CHECK_INT(PARTS - 1, fake_parts_there(path));
    err.code = ERR_OK;
    CHECK_OK(fake_run(path, &fake_easy, (CommonOptions){.retry = true}, 2, &t, &err), &err);
    fake_check_finished(path, want);
}

/* What is no fault of the part ends the run at once and leaves no record. */
TEST(an_error_of_no_part_ends_the_run)
{
    static const ErrCode codes[] = {ERR_SYS, ERR_NOMEM, ERR_USAGE, ERR_INTR};
    const char *dir = check_tmpdir();
    char path[400], tries[400], name[16];
    StageTotals t;
    LeaseScan s;

    Hash128 want = fake_undisturbed(dir);
    for (int i = 0; i < 8; i++) {
        FakeWork bad = damaged_work(dir, tries);
        Err err = {.code = ERR_OK};
        bad.fail_with = codes[i / 2];
        bad.fail_open = i % 2;
        snprintf(name, sizeof name, "e%d", i);
        in_dir(path, dir, name);
        CHECK_INT(bad.fail_with, fake_run(path, &bad, (CommonOptions){0}, 1, &t, &err));
        CHECK(strstr(err.msg, "is not to my taste") != NULL);
        CHECK_INT(BAD, fake_parts_there(path)); /* those before it, by one thread */
        err.code = ERR_OK;
        CHECK_OK(leases_scan(path, &s, &err), &err);
        CHECK_INT(0, s.n_parts + s.n_processes);
        leasescan_clear(&s);
        CHECK_OK(fake_run(path, &fake_easy, (CommonOptions){0}, 1, &t, &err), &err);
        fake_check_finished(path, want);
    }
}

/* The file that the part is read from, or one beside it; another's does not matter, and a record that cannot be read is none. */
TEST(a_part_whose_input_has_changed_is_tried_again)
{
    const char *dir = check_tmpdir();
    char path[400], tries[400], file[400], record[400];
    StageTotals t;
    Err err = {.code = ERR_OK};
    FakeWork bad = damaged_work(dir, tries), mended = fake_easy;

    Hash128 want = fake_undisturbed(dir);
    in_dir(path, dir, "d");
    in_dir(record, path, "leases/part-000009.damaged");
    bad.input = mended.input = dir;
    CHECK_OK(store_write(in_dir(file, dir, "input-8"), SPAN_LIT("8"), &err), &err);
    CHECK_OK(store_write(in_dir(file, dir, "input-9"), SPAN_LIT("bad"), &err), &err);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){0}, 1, &t, &err));
        CHECK_INT(i + 1, n_tries(tries));
        nap_ms(20); /* the kernel's clock of files is coarse */
        CHECK_OK(store_write(in_dir(file, dir, "input-8"), SPAN_LIT("9"), &err), &err);
        CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){0}, 1, &t, &err));
        CHECK_INT(i + 1, n_tries(tries));
        if (i == 0) CHECK_OK(store_write(record, SPAN_LIT("0123456789abcde x\ny\n"), &err), &err);
    }
    CHECK_OK(store_write(in_dir(file, dir, "own-9"), SPAN_LIT("1"), &err), &err);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){0}, 1, &t, &err));
        CHECK_INT(3, n_tries(tries));
    }
    CHECK_OK(store_delete(file, &err), &err);
    CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){0}, 1, &t, &err));
    CHECK_INT(4, n_tries(tries));
    nap_ms(20);
    CHECK_OK(store_write(in_dir(file, dir, "input-9"), SPAN_LIT("new"), &err), &err); /* of the same size */
    err.code = ERR_OK;
    CHECK_OK(fake_run(path, &mended, (CommonOptions){0}, 1, &t, &err), &err);
    CHECK_INT(1, t.n_parts_done);
    fake_check_finished(path, want);
}

/* Who meets it first tells all others; both name it. */
TEST(two_processes_try_a_damaged_part_once)
{
    const char *dir = check_tmpdir();
    char path[400], tries[400];
    FakeWork bad = damaged_work(dir, tries);

    if (CHECK_TSAN) return;
    log_setup(LOG_QUIET, 0);
    in_dir(path, dir, "d");
    bad.block_ms = 3;
    pid_t a = fake_start(path, bad, (CommonOptions){0}, false), b = fake_start(path, bad, (CommonOptions){0}, false);
    CHECK_INT(4, fake_end(a));
    CHECK_INT(4, fake_end(b));
    CHECK_INT(PARTS - 1, fake_parts_there(path));
    CHECK(n_tries(tries) >= 1 && n_tries(tries) <= 2); /* one thread: blocks 1 and 2 of one attempt at most */
}

/* Of an array the task fails whose share the part is in; the others end well. */
TEST(a_task_fails_for_damaged_parts_of_its_own)
{
    const char *dir = check_tmpdir();
    char path[400], tries[400];
    CommonOptions task[2] = {{.task = {0, 2}}, {.task = {1, 2}}};
    FakeWork bad = damaged_work(dir, tries);
    DatasetStatus s;
    StageTotals t;
    bool found;
    Err err = {.code = ERR_OK};

    Hash128 want = fake_undisturbed(dir);
    in_dir(path, dir, "d");
    int own = 0;
    for (int round = 0; round < 2; round++) {
        int n_failed = 0;
        for (int k = 0; k < 2; k++) {
            err = (Err){.code = ERR_OK};
            if (fake_run(path, &bad, task[k], 1, &t, &err) == ERR_OK) continue;
            CHECK_INT(ERR_DATA, err.code);
            check_names_it(&err);
            if (!round) own = k;
            n_failed++;
        }
        CHECK_INT(1 + round, n_failed); /* a second time the other finds its share done, and looks after all */
        CHECK_INT(PARTS - 1, fake_parts_there(path));
        CHECK_INT(1, n_tries(tries));
    }
    CHECK_OK(dataset_status(path, &s, &found, &err), &err);
    CHECK(found && !s.complete);
    CHECK_INT(1, s.n_damaged);
    CHECK_INT(PARTS - 1, s.n_done);
    CHECK_INT(0, s.n_aside + s.n_missing + s.n_running);
    CHECK_INT(BAD, s.damaged[0].part);
    CHECK_STR("input-9", s.damaged[0].what.input);
    CHECK_STR("block 1 of part 9 is not to my taste", s.damaged[0].what.message);
    dataset_status_clear(&s);
    task[own].retry = true;
    err = (Err){.code = ERR_OK};
    CHECK_OK(fake_run(path, &fake_easy, task[own], 1, &t, &err), &err);
    CHECK(t.complete);
    fake_check_finished(path, want);
}

/* One part of each kind: both are named, the dataset counts them apart. */
TEST(crashed_and_damaged_parts_are_told_apart)
{
    const char *dir = check_tmpdir();
    char path[400], tries[400];
    FakeWork bad = damaged_work(dir, tries);
    DatasetStatus s;
    StageTotals t;
    bool found;
    Err err = {.code = ERR_OK};

    if (CHECK_TSAN) return;
    log_setup(LOG_QUIET, 0);
    in_dir(path, dir, "d");
    bad.abort_at = 7;
    for (int i = 0; i < LEASE_MAX_CRASHES; i++)
        CHECK_INT(1000 + 6, fake_end(fake_start(path, bad, (CommonOptions){0}, false)));
    CHECK_INT(ERR_DATA, fake_run(path, &bad, (CommonOptions){0}, 1, &t, &err));
    check_names_it(&err);
    CHECK(strstr(err.msg, "1 part is set aside") != NULL && strstr(err.msg, "7 (input-7)") != NULL);
    CHECK_OK(dataset_status(path, &s, &found, &err), &err);
    CHECK(s.n_aside == 1 && s.n_damaged == 1 && s.n_failed == 1 && s.failed[0].part == 7);
    CHECK_INT(PARTS - 2, s.n_done);
    dataset_status_clear(&s);
}
