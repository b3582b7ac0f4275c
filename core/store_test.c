#include "core/store.h"
#include "core/store_fault.h"
#include "core/store_tmp.h"
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *in_dir(char buf[512], const char *dir, const char *name)
{
    snprintf(buf, 512, "%s/%s", dir, name);
    return buf;
}

static size_t count_names(const char *dir)
{
    StoreList l;
    Err err;
    size_t n;

    CHECK_OK(store_list(dir, &l, &err), &err);
    n = l.n;
    storelist_clear(&l);
    return n;
}

static void check_content(const char *path, Span want)
{
    Buf got = {0};
    Err err;

    CHECK_OK(store_read(path, SIZE_MAX / 2, &got, &err), &err);
    CHECK_SPAN(want, buf_span(&got));
    buf_clear(&got);
}

/* A few MiB that differ at every offset, so that a misplaced write shows. */
static Buf pattern(size_t n)
{
    Buf b = {0};

    if (!buf_reserve(&b, n)) return b;
    for (size_t i = 0; i < n; i++) b.p[i] = (uint8_t)(i * 2654435761u >> 13);
    b.n = n;
    return b;
}

TEST(store_write_and_read)
{
    const char *dir = check_tmpdir();
    char path[512];
    Buf got = {0};
    Err err;

    in_dir(path, dir, "a");
    CHECK_OK(store_write(path, SPAN_LIT("hello"), &err), &err);
    check_content(path, SPAN_LIT("hello"));
    CHECK_OK(store_write(path, SPAN_LIT(""), &err), &err); /* replaces */
    check_content(path, SPAN_LIT(""));
    CHECK_OK(store_write(path, SPAN_LIT("0123456789"), &err), &err);
    CHECK_INT(ERR_LIMIT, store_read(path, 9, &got, &err));
    buf_puts(&got, "x");
    CHECK_OK(store_read(path, 10, &got, &err), &err); /* appends */
    CHECK_SPAN(SPAN_LIT("x0123456789"), buf_span(&got));
    CHECK_INT(1, count_names(dir)); /* no temporary stays */
    CHECK_INT(ERR_SYS, store_read(in_dir(path, dir, "absent"), 9, &got, &err));
    CHECK_INT(ERR_SYS, store_read(dir, 9, &got, &err));
    buf_clear(&got);
}

TEST(store_puts_of_all_sizes_arrive_in_order)
{
    const size_t sizes[] = {0, 1, 3, (1 << 20) - 5, 1, 1, 1 << 20, 7, (1 << 20) + 1, 100000};
    Buf all = pattern(4 << 20);
    char path[512];
    OutFile *f;
    Err err;
    size_t at = 0;

    in_dir(path, check_tmpdir(), "f");
    CHECK_OK(outfile_open(&f, path, &err), &err);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_OK(outfile_put(f, all.p + at, sizes[i], &err), &err);
        at += sizes[i];
        CHECK_INT(at, outfile_size(f));
    }
    CHECK_OK(outfile_commit(&f, &err), &err);
    CHECK(f == NULL);
    check_content(path, span(all.p, at));
    buf_clear(&all);
}

TEST(store_patch_overwrites_flushed_and_buffered_bytes)
{
    const size_t places[] = {0, 1000, (1 << 20) - 3, (1 << 20) + 1, (1 << 20) + 500 - 8};
    Buf all = pattern((1 << 20) + 500);
    char path[512];
    OutFile *f;
    Err err;

    in_dir(path, check_tmpdir(), "f");
    CHECK_OK(outfile_open(&f, path, &err), &err);
    CHECK_OK(outfile_put(f, all.p, 1 << 20, &err), &err);
    CHECK_OK(outfile_put(f, all.p + (1 << 20), 500, &err), &err);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        memcpy(all.p + places[i], "PATCHED!", 8);
        CHECK_OK(outfile_patch(f, places[i], "PATCHED!", 8, &err), &err);
    }
    CHECK_INT(ERR_LIMIT, outfile_patch(f, all.n - 7, "PATCHED!", 8, &err));
    CHECK_INT(ERR_LIMIT, outfile_patch(f, UINT64_MAX, "P", 1, &err));
    CHECK_OK(outfile_commit(&f, &err), &err);
    check_content(path, buf_span(&all));
    buf_clear(&all);
}

TEST(store_abandon_leaves_nothing)
{
    const char *dir = check_tmpdir();
    char path[512];
    OutFile *f;
    Err err;

    CHECK_OK(outfile_open(&f, in_dir(path, dir, "f"), &err), &err);
    CHECK_OK(outfile_put(f, "abc", 3, &err), &err);
    outfile_abandon(f);
    outfile_abandon(NULL);
    CHECK_INT(0, count_names(dir));
}

TEST(store_infile_reads_ranges)
{
    char path[512], got[8];
    InFile *f;
    Err err;

    in_dir(path, check_tmpdir(), "f");
    CHECK_OK(store_write(path, SPAN_LIT("0123456789"), &err), &err);
    CHECK_OK(infile_open(&f, path, &err), &err);
    CHECK_INT(10, infile_size(f));
    CHECK_OK(infile_read(f, 3, got, 4, &err), &err);
    CHECK_SPAN(SPAN_LIT("3456"), span(got, 4));
    CHECK_OK(infile_read(f, 10, got, 0, &err), &err);
    CHECK_INT(ERR_DATA, infile_read(f, 7, got, 4, &err));
    CHECK_INT(ERR_DATA, infile_read(f, UINT64_MAX, got, 2, &err));
    CHECK(strstr(err.msg, "truncated") != NULL);
    CHECK_INT(0, truncate(path, 5)); /* shrinks while open */
    CHECK_INT(ERR_DATA, infile_read(f, 3, got, 4, &err));
    infile_close(f);
    CHECK_INT(ERR_SYS, infile_open(&f, "/", &err));
    CHECK(f == NULL);
}

TEST(store_create_only_once)
{
    const char *dir = check_tmpdir();
    char path[512];
    bool created;
    Err err;

    in_dir(path, dir, "f");
    CHECK_OK(store_create(path, SPAN_LIT("first"), &created, &err), &err);
    CHECK(created);
    CHECK_OK(store_create(path, SPAN_LIT("second"), &created, &err), &err);
    CHECK(!created);
    check_content(path, SPAN_LIT("first"));
    CHECK_INT(1, count_names(dir));
}

/* Twelve processes at once: one creates, all see one whole content. */
TEST(store_create_race_has_one_winner)
{
    const char *dir = check_tmpdir();
    char path[512], text[32];
    int winners = 0, status;
    Buf got = {0};
    Err err;

    in_dir(path, dir, "f");
    for (int i = 0; i < 12; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            bool created = false;
            snprintf(text, sizeof text, "writer %02d", i);
            ErrCode rc = store_create(path, span_str(text), &created, &err);
            _exit(rc ? 2 : created);
        }
        CHECK(pid > 0);
    }
    while (wait(&status) > 0) {
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        winners += WEXITSTATUS(status) == 1;
    }
    CHECK_INT(1, winners);
    CHECK_INT(1, count_names(dir));
    CHECK_OK(store_read(path, 100, &got, &err), &err);
    CHECK_INT(9, got.n);
    buf_clear(&got);
}

TEST(store_list_is_sorted_by_bytes)
{
    const char *dir = check_tmpdir(), *want[] = {"B", "a", "part-10", "part-9", "\xc3\xa9"};
    char path[512];
    StoreList l;
    Err err;

    for (int i = 4; i >= 0; i--) CHECK_OK(store_write(in_dir(path, dir, want[i]), SPAN_LIT(""), &err), &err);
    CHECK_OK(store_list(dir, &l, &err), &err);
    CHECK_INT(5, l.n);
    for (size_t i = 0; i < l.n && i < 5; i++) CHECK_STR(want[i], l.name[i]);
    storelist_clear(&l);
    CHECK_INT(ERR_SYS, store_list(in_dir(path, dir, "absent"), &l, &err));
}

TEST(store_directories)
{
    const char *dir = check_tmpdir();
    char path[512];
    uint64_t bytes;
    bool yes;
    Err err;

    CHECK_OK(store_mkdirs(in_dir(path, dir, "a//b/c/"), &err), &err);
    CHECK_OK(store_mkdirs(path, &err), &err);
    CHECK_OK(store_is_dir(in_dir(path, dir, "a/b/c"), &yes, &err), &err);
    CHECK(yes);
    CHECK_OK(store_write(in_dir(path, dir, "a/b/f"), SPAN_LIT("xyz"), &err), &err);
    CHECK_OK(store_size(path, &bytes, &err), &err);
    CHECK_INT(3, bytes);
    CHECK_OK(store_is_dir(path, &yes, &err), &err);
    CHECK(!yes);
    CHECK_OK(store_exists(in_dir(path, dir, "a/b/f/below"), &yes, &err), &err);
    CHECK(!yes);
    CHECK_OK(store_exists(in_dir(path, dir, "no/such"), &yes, &err), &err);
    CHECK(!yes);
    CHECK_INT(ERR_SYS, store_mkdirs(in_dir(path, dir, "a/b/f"), &err));
    CHECK_INT(ERR_SYS, store_mkdirs(in_dir(path, dir, "a/b/f/g"), &err));
    CHECK_INT(ERR_SYS, store_size(in_dir(path, dir, "absent"), &bytes, &err));
}

TEST(store_delete_tree_keeps_to_its_depth_and_does_not_follow_links)
{
    const char *dir = check_tmpdir(), *other = check_tmpdir();
    char path[512], precious[512];
    Err err;
    bool yes;

    CHECK_OK(store_mkdirs(in_dir(path, dir, "a/b"), &err), &err);
    CHECK_OK(store_write(in_dir(path, dir, "a/b/f"), SPAN_LIT("1"), &err), &err);
    CHECK_OK(store_write(in_dir(precious, other, "precious"), SPAN_LIT("1"), &err), &err);
    CHECK_INT(0, symlink(other, in_dir(path, dir, "a/link")));
    CHECK_INT(ERR_LIMIT, store_delete_tree(in_dir(path, dir, "a"), 0, &err));
    CHECK_OK(store_delete_tree(path, 1, &err), &err);
    CHECK_OK(store_exists(path, &yes, &err), &err);
    CHECK(!yes);
    CHECK_OK(store_exists(precious, &yes, &err), &err);
    CHECK(yes);
    CHECK_OK(store_delete_tree(path, 1, &err), &err); /* absent is fine */
    CHECK_OK(store_delete(path, &err), &err);
}

TEST(store_sweep_removes_what_the_dead_left)
{
    const char *dir = check_tmpdir();
    char path[512], suffix[STORE_TMP_SUFFIX];
    pid_t dead = fork();
    Err err;

    if (dead == 0) _exit(0);
    CHECK(waitpid(dead, NULL, 0) == dead);
    store_tmp_suffix(suffix, (long)dead);
    snprintf(path, sizeof path, "%s/part-000001%s", dir, suffix); /* goes */
    CHECK_OK(store_write(path, SPAN_LIT("1"), &err), &err);
    store_tmp_suffix(suffix, (long)getpid());
    snprintf(path, sizeof path, "%s/part-000002%s", dir, suffix); /* its process lives */
    CHECK_OK(store_write(path, SPAN_LIT("1"), &err), &err);
    const char *stay[] = {"part-000003.elsewhere.1.tmp", "x.tmp", ".tmp", "a.b.0x1.tmp"};
    for (int i = 0; i < 4; i++) CHECK_OK(store_write(in_dir(path, dir, stay[i]), SPAN_LIT("1"), &err), &err);
    CHECK_INT(6, count_names(dir));
    CHECK_OK(store_sweep(dir, 0, &err), &err);
    CHECK_INT(5, count_names(dir));
    CHECK_OK(store_sweep(in_dir(path, dir, "absent"), 0, &err), &err);
}

/* Of other hosts: what is old, has a name of ours and is held by nobody. */
TEST(store_sweep_takes_old_ones_of_other_hosts)
{
    static const char *const name[] = {"part-000001.jsonl.zst.node7.1.tmp",
                                       "part-000001.dedup.cols.node7.cluster.example.77.tmp",
                                       "manifest.json.n.1.tmp",
                                       "stage-3.pod-77.12.tmp",
                                       "000000-000017.run.node7.1.tmp",
                                       "film.run.node7.1.tmp", /* from here on they stay */
                                       "manifest.json.1.tmp",
                                       "part-000001.tmp",
                                       "part-000001.node7.x1.tmp",
                                       "part-000001..1.tmp",
                                       "part-000002.node7.1.tmp"}; /* and its writer lives */
    enum { N = sizeof name / sizeof *name, GO = 5 };
    const char *dir = check_tmpdir();
    struct timespec old[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - STORE_STALE_SECONDS - 60}};
    char path[512];
    int fd = -1;
    bool there;
    Err err;

    for (int i = 0; i < N; i++) CHECK_OK(store_write(in_dir(path, dir, name[i]), SPAN_LIT("1"), &err), &err);
    CHECK_OK(store_sweep(dir, 0, &err), &err);
    CHECK_INT(N, count_names(dir)); /* they are young */
    for (int i = 0; i < N; i++) CHECK_INT(0, utimensat(AT_FDCWD, in_dir(path, dir, name[i]), old, 0));
    fd = open(path, O_RDWR);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    CHECK_OK(store_sweep(dir, 0, &err), &err);
    for (int i = 0; i < N; i++) {
        CHECK_OK(store_exists(in_dir(path, dir, name[i]), &there, &err), &err);
        CHECK_INT(i >= GO, there);
    }
    close(fd);
    CHECK_OK(store_sweep(dir, 0, &err), &err);
    CHECK_INT(N - GO - 1, count_names(dir));
}

static pid_t a_dead_process(void)
{
    pid_t dead = fork();

    if (dead == 0) _exit(0);
    CHECK(waitpid(dead, NULL, 0) == dead);
    return dead;
}

/* A writer whose number means nothing here, as in another container: its lock tells. */
TEST(store_sweep_spares_what_is_locked)
{
    const char *dir = check_tmpdir();
    char path[512], suffix[STORE_TMP_SUFFIX];
    Err err;

    store_tmp_suffix(suffix, (long)a_dead_process());
    snprintf(path, sizeof path, "%s/part-000001%s", dir, suffix);
    int fd = open(path, O_RDWR | O_CREAT, 0666);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    CHECK_OK(store_sweep(dir, 0, &err), &err);
    CHECK_INT(1, count_names(dir));
    close(fd);
    CHECK_OK(store_sweep(dir, 0, &err), &err);
    CHECK_INT(0, count_names(dir));
}

TEST(store_writer_locks_until_it_has_published)
{
    const char *dir = check_tmpdir();
    char path[512], tmp[700], suffix[STORE_TMP_SUFFIX];
    OutFile *f;
    Err err;

    store_tmp_suffix(suffix, (long)getpid());
    snprintf(tmp, sizeof tmp, "%s%s", in_dir(path, dir, "f"), suffix);
    CHECK_OK(outfile_open(&f, path, &err), &err);
    int fd = open(tmp, O_RDWR);
    CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0);
    CHECK_OK(outfile_commit(&f, &err), &err);
    CHECK_INT(0, flock(fd, LOCK_EX | LOCK_NB)); /* the file that has its final name now */
    close(fd);
}

/* Another container's sweep takes the temporary between the writer's open and its lock. */
TEST(store_writer_notices_a_sweep_before_its_lock)
{
    const char *dir = check_tmpdir();
    char path[512], tmp[700], suffix[STORE_TMP_SUFFIX];
    int ready[2];
    OutFile *f;
    Buf got = {0};
    pid_t sweeper;
    Err err;

    store_tmp_suffix(suffix, (long)getpid());
    snprintf(tmp, sizeof tmp, "%s%s", in_dir(path, dir, "f"), suffix);
    CHECK_INT(0, pipe(ready));
    if ((sweeper = fork()) == 0) {
        int fd = open(tmp, O_RDWR | O_CREAT, 0666);
        bool ok = fd >= 0 && flock(fd, LOCK_EX) == 0 && write(ready[1], "x", 1) == 1;
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        _exit(ok && unlink(tmp) == 0 ? 0 : 1);
    }
    char c;
    int status = -1;
    CHECK(read(ready[0], &c, 1) == 1);
    CHECK_OK(outfile_open(&f, path, &err), &err);
    CHECK_OK(outfile_put(f, "text", 4, &err), &err);
    CHECK_OK(outfile_commit(&f, &err), &err);
    CHECK(waitpid(sweeper, &status, 0) == sweeper && status == 0);
    CHECK_OK(store_read(path, 100, &got, &err), &err);
    CHECK_SPAN(SPAN_LIT("text"), buf_span(&got));
    close(ready[0]);
    close(ready[1]);
    buf_clear(&got);
}

/* Containers that number their processes alike want the same name; one that is locked is not waited for. */
TEST(store_tmp_new_leaves_what_has_the_name)
{
    char path[512];
    int fd, other = -1;
    bool taken;
    Err err;

    in_dir(path, check_tmpdir(), "stage");
    CHECK_OK(store_tmp_new(path, &fd, &taken, &err), &err);
    CHECK(!taken && write(fd, "mine", 4) == 4);
    CHECK_OK(store_tmp_new(path, &other, &taken, &err), &err);
    CHECK(taken && other < 0 && lseek(fd, 0, SEEK_END) == 4);
    CHECK_INT(0, unlink(path));
    CHECK_OK(store_tmp_new(path, &other, &taken, &err), &err);
    CHECK(!taken && other >= 0);
    close(fd);
    close(other);
}

TEST(store_sweep_goes_down_and_knows_the_unburied)
{
    const char *dir = check_tmpdir();
    char path[512], suffix[STORE_TMP_SUFFIX];
    pid_t ended = fork();
    siginfo_t info;
    Err err;

    if (ended == 0) _exit(0);
    CHECK(waitid(P_PID, (id_t)ended, &info, WEXITED | WNOWAIT) == 0); /* ended, not buried */
    CHECK_OK(store_mkdirs(in_dir(path, dir, "a/b"), &err), &err);
    store_tmp_suffix(suffix, (long)ended);
    snprintf(path, sizeof path, "%s/a/b/x%s", dir, suffix);
    CHECK_OK(store_write(path, SPAN_LIT("1"), &err), &err);
    in_dir(path, dir, "a/b");
    CHECK_OK(store_sweep(dir, 1, &err), &err);
    CHECK_INT(1, count_names(path));
    CHECK_OK(store_sweep(dir, 2, &err), &err);
    CHECK_INT(0, count_names(path));
    CHECK(waitpid(ended, NULL, 0) == ended);
}

/* Every call that changes the disk fails once, then the disk stays full from the n-th call on: the old content or the
 * new is under the name, never a mixture, and no temporary stays. */
static void publish_under_faults(int error, bool lasting)
{
    Buf big = pattern((2 << 20) + 77);
    const char *dir = check_tmpdir();
    char path[512];
    bool through = false;
    Err err;

    in_dir(path, dir, "f");
    for (uint64_t n = 1; n < 100 && !through; n++) {
        Buf got = {0};
        CHECK_OK(store_write(path, SPAN_LIT("old"), &err), &err);
        store_fault_arm(n, error, lasting);
        OutFile *f;
        ErrCode rc = outfile_open(&f, path, &err);
        if (rc == ERR_OK) rc = outfile_put(f, big.p, 1000, &err);
        if (rc == ERR_OK) rc = outfile_put(f, big.p + 1000, big.n - 1000, &err);
        if (rc == ERR_OK) rc = outfile_patch(f, 0, big.p, 10, &err);
        if (rc == ERR_OK)
            rc = outfile_commit(&f, &err);
        else
            outfile_abandon(f);
        through = !store_fault_hit();
        store_fault_arm(0, 0, false);
        CHECK_INT(through ? ERR_OK : ERR_SYS, rc);
        if (!through) CHECK(strstr(err.msg, strerror(error)) != NULL);
        CHECK_INT(1, count_names(dir));
        CHECK_OK(store_read(path, SIZE_MAX / 2, &got, &err), &err);
        CHECK(span_eq(buf_span(&got), buf_span(&big)) || (rc && span_eq(buf_span(&got), SPAN_LIT("old"))));
        buf_clear(&got);
    }
    CHECK(through);
    buf_clear(&big);
}

TEST(store_publish_survives_one_failure_anywhere) { publish_under_faults(EIO, false); }
TEST(store_publish_survives_a_full_disk) { publish_under_faults(ENOSPC, true); }

TEST(store_create_survives_one_failure_anywhere)
{
    const char *dir = check_tmpdir();
    bool through = false, created, exists;
    char path[512];
    Err err;

    in_dir(path, dir, "f");
    for (uint64_t n = 1; n < 100 && !through; n++) {
        CHECK_OK(store_delete(path, &err), &err);
        store_fault_arm(n, EIO, false);
        ErrCode rc = store_create(path, SPAN_LIT("whole"), &created, &err);
        through = !store_fault_hit();
        store_fault_arm(0, 0, false);
        CHECK_INT(through ? ERR_OK : ERR_SYS, rc);
        CHECK_OK(store_exists(path, &exists, &err), &err);
        CHECK_INT(exists, count_names(dir));
        if (exists) check_content(path, SPAN_LIT("whole"));
        if (through) CHECK(created && exists);
    }
    CHECK(through);
}

TEST(store_a_failed_write_cannot_be_committed)
{
    const char *dir = check_tmpdir();
    char path[512];
    OutFile *f;
    Err err;

    CHECK_OK(outfile_open(&f, in_dir(path, dir, "f"), &err), &err);
    store_fault_arm(1, EIO, false);
    Buf big = pattern(2 << 20);
    CHECK_INT(ERR_SYS, outfile_put(f, big.p, big.n, &err));
    store_fault_arm(0, 0, false);
    Err first = err;
    CHECK(strstr(first.msg, strerror(EIO)) != NULL);
    err = (Err){0};
    CHECK_INT(ERR_SYS, outfile_put(f, "x", 1, &err)); /* each time with the reason there was */
    CHECK_STR(first.msg, err.msg);
    err = (Err){0};
    CHECK_INT(ERR_SYS, outfile_commit(&f, &err));
    CHECK_STR(first.msg, err.msg);
    CHECK_INT(0, count_names(dir));
    buf_clear(&big);
}

/* The kernel's own refusal: no file beyond 1 MiB. */
TEST(store_file_size_limit_is_reported)
{
    const char *dir = check_tmpdir();
    struct rlimit old, small;
    Buf big = pattern(3 << 20);
    char path[512];
    Err err;

    CHECK_INT(0, getrlimit(RLIMIT_FSIZE, &old));
    small = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(0, setrlimit(RLIMIT_FSIZE, &small));
    CHECK_INT(ERR_SYS, store_write(in_dir(path, dir, "f"), buf_span(&big), &err));
    CHECK_INT(0, setrlimit(RLIMIT_FSIZE, &old));
    signal(SIGXFSZ, handler);
    CHECK(strstr(err.msg, path) != NULL);
    CHECK_INT(0, count_names(dir));
    buf_clear(&big);
}

/* In a child that is not root, since root may do anything. */
TEST(store_no_permission_is_reported)
{
    const char *dir = check_tmpdir();
    char path[512];
    int status = 0;
    pid_t pid;
    Err err;

    CHECK_INT(0, chmod(dir, 0500));
    in_dir(path, dir, "f");
    if ((pid = fork()) == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(9);
        ErrCode write = store_write(path, SPAN_LIT("x"), &err);
        bool told = strstr(err.msg, strerror(EACCES)) != NULL;
        ErrCode make = store_mkdirs(path, &err);
        _exit(write == ERR_SYS && told && make == ERR_SYS && strstr(err.msg, strerror(EACCES)) ? 0 : 1);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    CHECK_INT(0, WEXITSTATUS(status));
    CHECK_INT(0, chmod(dir, 0700));
}

TEST(store_path_join_and_base)
{
    Arena a = {0};

    CHECK_STR("a/b", path_join(&a, "a", "b"));
    CHECK_STR("a/b", path_join(&a, "a/", "b"));
    CHECK_STR("b", path_join(&a, "", "b"));
    CHECK_STR("/b", path_join(&a, "/", "b"));
    CHECK_STR("c", path_base("a/b/c"));
    CHECK_STR("c", path_base("c"));
    CHECK_STR("", path_base("c/"));
    arena_clear(&a);
}
