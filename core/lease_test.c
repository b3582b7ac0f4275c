/* Leases against what they promise: one holder, death seen at once here and by a heartbeat that stands still elsewhere, crashes blamed on
 * the part that crashed. */
#include "core/hash.h"
#include "core/lease.h"
#include "core/log.h"
#include "tests/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(double s) { nanosleep(&(struct timespec){(time_t)s, (long)((s - (double)(time_t)s) * 1e9)}, NULL); }

static char *path_in(char out[500], const char *dir, const char *name)
{
    snprintf(out, 500, "%s/leases/%s", dir, name);
    return out;
}

/* What a process of another host would have written there, an hour from now or ago by its clock. */
static void put_file(const char *dir, const char *name, const char *text, long clock_off)
{
    char path[500];
    struct timespec t[2];
    Err err = {.code = ERR_OK};

    CHECK_OK(store_write(path_in(path, dir, name), span_str(text), &err), &err);
    clock_gettime(CLOCK_REALTIME, &t[0]);
    t[0].tv_sec += clock_off;
    t[1] = t[0];
    CHECK_INT(0, utimensat(AT_FDCWD, path, t, 0));
}

static const LeasePart *part_of(const LeaseScan *s, uint32_t part)
{
    static const LeasePart none;

    for (size_t i = 0; i < s->n_parts; i++)
        if (s->part[i].part == part) return &s->part[i];
    return &none;
}

TEST(a_part_has_one_holder)
{
    const char *dir = check_tmpdir();
    Leases *a, *b;
    bool got;
    char path[500];
    Err err = {.code = ERR_OK};

    CHECK_OK(leases_open(&a, dir, "fake", "", &err), &err);
    CHECK_OK(leases_open(&b, dir, "fake", "task 1/2", &err), &err);
    CHECK_OK(lease_claim(a, 3, false, "in.warc", &got, &err), &err);
    CHECK(got);
    CHECK_OK(lease_claim(b, 3, false, "in.warc", &got, &err), &err);
    CHECK(!got);
    CHECK_OK(lease_claim(b, 3, true, "in.warc", &got, &err), &err); /* the second lease is another */
    CHECK(got);
    CHECK_OK(lease_claim(b, 1234567, false, "", &got, &err), &err);
    CHECK(got);

    LeaseScan s;
    LeaseHolder h;
    LeaseProcess p;
    CHECK_OK(leases_scan(dir, &s, &err), &err);
    CHECK_INT(2, s.n_parts);
    CHECK(part_of(&s, 3)->held && part_of(&s, 3)->again && part_of(&s, 1234567)->held);
    CHECK_INT(2, s.n_processes);
    CHECK_OK(lease_holder_read(dir, "part-000003", &h, &got, &err), &err);
    CHECK(got);
    CHECK_STR("in.warc", h.input);
    CHECK_OK(lease_process_read(dir, h.process, &p, &got, &err), &err);
    CHECK(got && p.pid == (uint64_t)getpid());
    CHECK_STR("fake", p.stage);
    CHECK_INT(HOLDER_ALIVE, lease_process_state(dir, h.process));
    leasescan_clear(&s);

    lease_release(a, 3, false);
    CHECK_OK(lease_claim(b, 3, false, "in.warc", &got, &err), &err);
    CHECK(got);
    leases_close(b); /* with three leases */
    CHECK_OK(lease_claim(a, 3, false, "in.warc", &got, &err), &err);
    CHECK(got);
    leases_close(a);
    CHECK_OK(store_exists(path_in(path, dir, ""), &got, &err), &err);
    CHECK(!got); /* the last one leaves nothing behind */
}

/* Who finishes a straggler's part takes its lease away, and it learns of that. */
TEST(a_straggler_learns_that_its_part_is_finished)
{
    const char *dir = check_tmpdir();
    Leases *slow, *fast;
    bool got;
    Err err = {.code = ERR_OK};

    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    CHECK_OK(leases_open(&slow, dir, "fake", "", &err), &err);
    CHECK_OK(leases_open(&fast, dir, "fake", "", &err), &err);
    CHECK_OK(lease_claim(slow, 0, false, "", &got, &err), &err);
    CHECK_OK(lease_claim(slow, 1, false, "", &got, &err), &err);
    CHECK_OK(lease_claim(fast, 0, true, "", &got, &err), &err);
    nap(0.4);
    CHECK(!lease_lost(slow, 0) && !lease_lost(fast, 0));
    lease_release(fast, 0, true);
    for (int i = 0; i < 100 && !lease_lost(slow, 0); i++) nap(0.02);
    CHECK(lease_lost(slow, 0) && !lease_lost(slow, 1));
    lease_release(slow, 0, false);

    /* and the other way round: the straggler was first */
    CHECK_OK(lease_claim(fast, 1, true, "", &got, &err), &err);
    lease_release(slow, 1, true);
    for (int i = 0; i < 100 && !lease_lost(fast, 1); i++) nap(0.02);
    CHECK(lease_lost(fast, 1));
    leases_close(slow);
    leases_close(fast);
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

/* Processes of other hosts, their clocks an hour behind, right, and an hour ahead: alive while the counter rises, dead when it stands
 * still for the expiry, whatever the times of their files say. */
TEST(clocks_of_other_hosts_do_not_matter)
{
    enum { HOSTS = 3 };
    const char *dir = check_tmpdir();
    char name[64], text[200], path[500];
    Leases *l;
    LeaseLook look;
    LeaseScan s;
    bool there;
    Err err = {.code = ERR_OK};

    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    CHECK_OK(leases_open(&l, dir, "fake", "", &err), &err);
    put_file(dir, "part-000009", "", 0); /* its maker was killed before it wrote */
    CHECK_OK(lease_look(l, 9, false, &look, &err), &err);
    CHECK_INT(HOLDER_UNKNOWN, look.state);
    /* 1.5 s of heartbeats, longer than the expiry; then one that stands still */
    for (int beat = 0; beat < 7; beat++) {
        for (uint32_t k = 0; k < HOSTS; k++) {
            long off = 3600 * ((long)k - 1);
            snprintf(name, sizeof name, "part-%06u", (unsigned)k);
            snprintf(text, sizeof text, "host%u.7.0badcafe 1.5 x", (unsigned)k);
            if (!beat) put_file(dir, name, text, off);
            snprintf(name, sizeof name, "host%u.7.0badcafe", (unsigned)k);
            snprintf(text, sizeof text, "{\"host\":\"host%u\",\"pid\":7,\"beat\":%d}", (unsigned)k,
                     beat < 6 ? beat : 5);
            put_file(dir, name, text, off);
            CHECK_OK(lease_look(l, k, false, &look, &err), &err);
            CHECK_INT(beat == 0 ? HOLDER_UNKNOWN : beat < 6 ? HOLDER_ALIVE : HOLDER_DEAD, look.state);
        }
        if (beat < 6) nap(beat < 5 ? 0.25 : 1.05);
    }
    CHECK(look.held_s > 1.5);
    CHECK_OK(lease_look(l, 9, false, &look, &err), &err);
    CHECK_INT(HOLDER_DEAD, look.state);
    CHECK_OK(leases_scan(dir, &s, &err), &err);
    for (uint32_t k = 0; k < HOSTS; k++) {
        CHECK_OK(lease_bury(l, k, false, &s, &err), &err);
        snprintf(name, sizeof name, "part-%06u.host%u.7.0badcafe.lost", (unsigned)k, (unsigned)k);
        CHECK_OK(store_exists(path_in(path, dir, name), &there, &err), &err);
        CHECK(there);
        CHECK_OK(lease_claim(l, k, false, "x", &there, &err), &err);
        CHECK(there);
    }
    CHECK_OK(lease_bury(l, 9, false, &s, &err), &err);
    CHECK_OK(lease_claim(l, 9, false, "x", &there, &err), &err);
    CHECK(there);
    leasescan_clear(&s);
    leases_close(l);
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

/* The name of the one process there. */
static void only_process(const char *dir, char name[128])
{
    LeaseScan s;
    Err err = {.code = ERR_OK};

    CHECK_OK(leases_scan(dir, &s, &err), &err);
    CHECK_INT(1, s.n_processes);
    snprintf(name, 128, "%s", s.n_processes ? s.process[0] : "");
    leasescan_clear(&s);
}

/* Containers share host names: whether a lock is held is believed only under the same kernel. */
TEST(a_host_of_our_name_is_not_our_host)
{
    const char *dir = check_tmpdir();
    char name[128], path[500];
    Leases *l;
    bool there;
    Err err = {.code = ERR_OK};

    CHECK_OK(leases_open(&l, dir, "fake", "", &err), &err);
    only_process(dir, name);
    leases_close(l);
    CHECK_INT(HOLDER_DEAD, lease_process_state(dir, name));
    char *boot = strrchr(name, '.') + 1;
    CHECK_INT(16, strlen(boot));
    boot[7] = boot[7] == '0' ? '1' : '0';
    CHECK_INT(HOLDER_UNKNOWN, lease_process_state(dir, name)); /* gone, unlocked: what does it mean there? */
    CHECK_OK(store_mkdirs(path_in(path, dir, ""), &err), &err);
    put_file(dir, name, "{\"beat\":1}", 0);
    CHECK_INT(HOLDER_UNKNOWN, lease_process_state(dir, name));
    CHECK_OK(leases_open(&l, dir, "fake", "", &err), &err); /* which sweeps */
    leases_close(l);
    CHECK_OK(store_exists(path_in(path, dir, name), &there, &err), &err);
    CHECK(there);
}

/* A holder that beats every ten seconds is not dead after one, whatever its watchers are told; what is dead is buried with its line, and
 * that the line is gone is no sign of life. */
TEST(a_holder_is_given_its_own_expiry_and_buried_with_its_line)
{
    const char *dir = check_tmpdir();
    char path[500];
    Leases *l;
    LeaseLook look;
    LeaseScan s;
    bool there;
    Err err = {.code = ERR_OK};

    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    CHECK_OK(leases_open(&l, dir, "fake", "", &err), &err);
    put_file(dir, "slow.7.0badcafe", "{\"beat\":1,\"expiry_s\":60}", 0);
    put_file(dir, "part-000001", "slow.7.0badcafe 1 x", 0);
    put_file(dir, "quick.7.0badcafe", "{\"beat\":1,\"expiry_s\":1e300}", 0);
    put_file(dir, "part-000002", "quick.7.0badcafe 1 x", 0);
    put_file(dir, "part-000003", "quick.7.0badcafe 1 x", 0);
    for (uint32_t part = 1; part <= 3; part++) CHECK_OK(lease_look(l, part, false, &look, &err), &err);
    nap(1.05);
    CHECK_OK(lease_look(l, 1, false, &look, &err), &err);
    CHECK_INT(HOLDER_UNKNOWN, look.state);
    CHECK_OK(lease_look(l, 2, false, &look, &err), &err);
    CHECK_INT(HOLDER_DEAD, look.state);
    CHECK_OK(leases_scan(dir, &s, &err), &err);
    CHECK_OK(lease_bury(l, 2, false, &s, &err), &err);
    leasescan_clear(&s);
    CHECK_OK(store_exists(path_in(path, dir, "quick.7.0badcafe"), &there, &err), &err);
    CHECK(!there);
    CHECK_OK(lease_look(l, 3, false, &look, &err), &err);
    CHECK_INT(HOLDER_DEAD, look.state);
    leases_close(l);
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

/* Long before a sixth of the expiry (10 s) the line says what has been done so far. */
TEST(a_young_process_says_soon_what_it_does)
{
    const char *dir = check_tmpdir();
    char name[128];
    Leases *l;
    LeaseProcess p = {.beat = 0};
    bool found = true;
    Err err = {.code = ERR_OK};

    CHECK_OK(leases_open(&l, dir, "fake", "", &err), &err);
    leases_count(l, 7, 1000);
    only_process(dir, name);
    for (int i = 0; i < 200 && p.beat == 0; i++, nap(0.02))
        CHECK_OK(lease_process_read(dir, name, &p, &found, &err), &err);
    CHECK(found && p.beat >= 1 && p.n_docs == 7 && p.elapsed_s > 0.9);
    leases_close(l);
}

/* The last to leave removes the directory while another comes. */
TEST(who_comes_while_the_last_one_leaves_finds_a_directory)
{
    enum { TIMES = 1500 };
    const char *dir = check_tmpdir();
    Leases *l;
    int status = 0, failed = 0;
    Err err = {.code = ERR_OK};

    if (CHECK_TSAN) return;
    pid_t pid = fork();
    for (int i = 0; i < TIMES; i++) {
        failed += leases_open(&l, dir, "fake", "", &err) != ERR_OK;
        leases_close(l);
    }
    if (pid == 0) _exit(failed ? 1 : 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(0, failed);
    CHECK_INT(0, status);
}

/* --- children that end badly */

static void recurse(volatile char *p)
{
    volatile char frame[4096];

    frame[0] = p ? *p : 1;
    if (frame[0]) recurse(frame);
    frame[1] = frame[0];
}

/* Claims parts 7 and 8, is at part 8, and ends as told. */
static void end_badly(const char *dir, char how)
{
    Leases *l;
    bool got;

    for (int sig = 1; sig < 16; sig++) (void)signal(sig, SIG_DFL);
    if (leases_open(&l, dir, "fake", "", NULL) != ERR_OK || lease_claim(l, 7, false, "in7", &got, NULL) != ERR_OK ||
        lease_claim(l, 8, false, "in8", &got, NULL) != ERR_OK)
        _exit(9);
    lease_blame(l, 8);
    switch (how) {
    case 'k': kill(getpid(), SIGKILL); break;
    case 'a': abort();
    case 's': raise(SIGSEGV); break;
    case 'o': recurse(NULL); break;
    default: _exit(0);
    }
    _exit(8);
}

static int end_of(const char *dir, char how)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) end_badly(dir, how);
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

TEST(a_crash_is_blamed_on_its_part_and_a_vanished_process_on_all_it_held)
{
    static const struct {
        char how;
        int sig;
        uint32_t crashed8, lost8, lost7;
    } cases[] = {{'k', SIGKILL, 0, 1, 1},
                 {'e', 0, 0, 1, 1},
                 {'a', SIGABRT, 1, 0, 0},
                 {'s', SIGSEGV, 1, 0, 0},
                 {'o', SIGSEGV, 1, 0, 0}};

    for (size_t i = 0; !CHECK_TSAN && i < sizeof cases / sizeof *cases; i++) {
        const char *dir = check_tmpdir();
        Leases *l;
        LeaseScan s;
        LeaseLook look;
        LeaseHolder h;
        bool got;
        Err err = {.code = ERR_OK};
        if (CHECK_ASAN && cases[i].how == 'o') continue;
        CHECK_INT(cases[i].sig, end_of(dir, cases[i].how));
        CHECK_OK(leases_open(&l, dir, "fake", "", &err), &err);
        CHECK_OK(leases_scan(dir, &s, &err), &err);
        CHECK_INT(cases[i].crashed8, part_of(&s, 8)->n_crashed);
        CHECK(part_of(&s, 7)->held);
        for (uint32_t part = 7; part <= 8; part++) {
            if (!part_of(&s, part)->held) continue;
            CHECK_OK(lease_look(l, part, false, &look, &err), &err);
            CHECK_INT(HOLDER_DEAD, look.state); /* at once: it was of this host */
            CHECK_OK(lease_bury(l, part, false, &s, &err), &err);
        }
        leasescan_clear(&s);
        CHECK_OK(leases_scan(dir, &s, &err), &err);
        CHECK_INT(cases[i].crashed8, part_of(&s, 8)->n_crashed);
        CHECK_INT(cases[i].lost8, part_of(&s, 8)->n_lost);
        CHECK_INT(cases[i].lost7, part_of(&s, 7)->n_lost);
        CHECK_INT(0, part_of(&s, 7)->n_crashed);
        CHECK(!part_of(&s, 7)->held && !part_of(&s, 8)->held);
        CHECK_OK(lease_holder_read(dir, part_of(&s, 8)->record, &h, &got, &err), &err);
        CHECK_STR("in8", h.input);
        leasescan_clear(&s);
        CHECK_OK(leases_forget(dir, &err), &err);
        CHECK_OK(leases_scan(dir, &s, &err), &err);
        CHECK_INT(0, s.n_parts);
        leasescan_clear(&s);
        leases_close(l);
    }
}

/* A crash outside of any part, or after the leases were given back, records nothing and is still a crash. */
TEST(a_crash_between_parts_is_nobodys)
{
    const char *dir = check_tmpdir();
    int status = 0;
    LeaseScan s;
    Err err = {.code = ERR_OK};

    if (CHECK_TSAN) return;
    pid_t pid = fork();
    if (pid == 0) {
        Leases *l;
        bool got;
        (void)signal(SIGABRT, SIG_DFL);
        if (leases_open(&l, dir, "fake", "", NULL) != ERR_OK || lease_claim(l, 1, false, "", &got, NULL) != ERR_OK)
            _exit(9);
        lease_blame(l, 1);
        lease_blame(l, LEASE_NO_PART);
        abort();
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK_OK(leases_scan(dir, &s, &err), &err);
    CHECK_INT(1, s.n_parts);
    CHECK(part_of(&s, 1)->held && part_of(&s, 1)->n_crashed == 0);
    leasescan_clear(&s);
}

/* A process of another host: after the expiry nobody is there, unless its heartbeat goes on. */
TEST(whether_anybody_works_there_is_seen_by_the_heartbeat)
{
    static const char name[] = "otherhost.7.0badcafe";
    const char *dir = check_tmpdir();
    char who[128], text[64], path[500];
    bool yes;
    int status;
    Leases *l;
    Err err = {.code = ERR_OK};

    log_setup(LOG_QUIET, 0);
    CHECK_OK(leases_anybody(dir, who, &yes, &err), &err);
    CHECK(!yes);
    CHECK_OK(leases_open(&l, dir, "fake", "", &err), &err); /* ourselves: at once */
    CHECK_OK(leases_anybody(dir, who, &yes, &err), &err);
    CHECK(yes);
    CHECK_INT(0, setenv("TAMIS_LEASE_SECONDS", "1", 1));
    put_file(dir, name, "{\"beat\":1}", 3600);
    leases_close(l);
    CHECK_OK(leases_anybody(dir, who, &yes, &err), &err);
    CHECK(!yes);
    pid_t pid = fork();
    if (pid == 0) {
        for (int beat = 2; beat < 8; beat++, nap(0.15)) {
            snprintf(text, sizeof text, "{\"beat\":%d}", beat);
            if (store_write(path_in(path, dir, name), span_str(text), NULL) != ERR_OK) _exit(1);
        }
        _exit(0);
    }
    CHECK_OK(leases_anybody(dir, who, &yes, &err), &err);
    CHECK(yes);
    CHECK_STR(name, who);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK_INT(0, unsetenv("TAMIS_LEASE_SECONDS"));
}

/* --- what others may have put there */

TEST(a_directory_of_strange_files_is_read)
{
    static const char *const names[] = {"part-",
                                        "part-1",
                                        "part-00000x",
                                        "part-000001x",
                                        "part-000002.",
                                        "part-000002.crash",
                                        "part-000002.h.1.a.crashx",
                                        "part-000002.lost.tmp",
                                        "part-99999999999999999999.again",
                                        "part-4294967295",
                                        "x",
                                        "..."};
    const char *dir = check_tmpdir();
    char path[500];
    LeaseScan s;
    LeaseProcess p;
    LeaseHolder h;
    bool found;
    Err err = {.code = ERR_OK};

    CHECK_OK(leases_scan(dir, &s, &err), &err);
    CHECK_INT(0, s.n_parts + s.n_processes);
    leasescan_clear(&s);
    CHECK_OK(store_mkdirs(path_in(path, dir, ""), &err), &err);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) put_file(dir, names[i], "", 0);
    put_file(dir, "part-000005", "../../etc 1 x", 0);
    put_file(dir, "part-000006", "nan.1.a nan \x1b[31m\nred\xff", 0);
    put_file(dir, "part-000007.h.1.a.crash11", "h.1.a 1e999 x", 0);
    CHECK_OK(leases_scan(dir, &s, &err), &err);
    CHECK_INT(3, s.n_parts);
    CHECK_INT(2, s.n_processes);
    CHECK_INT(1, part_of(&s, 7)->n_crashed);
    for (size_t i = 0; i < s.n_processes; i++) {
        CHECK_OK(lease_process_read(dir, s.process[i], &p, &found, &err), &err);
        CHECK(!found);
    }
    leasescan_clear(&s);
    CHECK_OK(lease_holder_read(dir, "part-000005", &h, &found, &err), &err);
    CHECK(!found); /* no name of a process, and no path */
    CHECK_OK(lease_holder_read(dir, "part-000006", &h, &found, &err), &err);
    CHECK(found && h.claimed_s == 0);
    CHECK_STR("?[31m?red\xff", h.input);
    CHECK_OK(lease_holder_read(dir, "part-000007.h.1.a.crash11", &h, &found, &err), &err);
    CHECK(found && h.claimed_s == 0);
    put_file(dir, "h.1.a", "{\"beat\":\"x\"}", 0);
    CHECK_OK(lease_process_read(dir, "h.1.a", &p, &found, &err), &err);
    CHECK(!found);
    put_file(dir, "h.1.a", "{\"host\":\"a\\u0007b\",\"pid\":3,\"beat\":9,\"elapsed_s\":1.5}", 0);
    CHECK_OK(lease_process_read(dir, "h.1.a", &p, &found, &err), &err);
    CHECK(found && p.beat == 9 && p.pid == 3);
    CHECK_STR("a?b", p.host);
    CHECK_OK(leases_delete(dir, &err), &err);
    CHECK_OK(store_exists(path_in(path, dir, ""), &found, &err), &err);
    CHECK(!found);
}

TEST(an_object_store_has_no_leases)
{
    Leases *l;
    bool got;
    LeaseScan s;
    Err err = {.code = ERR_OK};

    CHECK_OK(leases_open(&l, "s3://bucket/docs", "fake", "", &err), &err);
    CHECK(leases_off(l));
    CHECK_OK(lease_claim(l, 1, false, "", &got, &err), &err);
    CHECK(got && !lease_lost(l, 1));
    lease_release(l, 1, true);
    leases_close(l);
    CHECK_OK(leases_scan("s3://bucket/docs", &s, &err), &err);
    CHECK_INT(0, s.n_parts);
    leasescan_clear(&s);
}
