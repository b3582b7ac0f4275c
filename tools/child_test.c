#include "tools/child.h"

#include "tests/check.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static Err err;

static ErrCode shell(const char *script, int *status)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    err = (Err){0};
    return child_run("/bin/sh", argv, status, NULL, &err);
}

TEST(the_status_comes_back)
{
    int status = -1;
    CHECK_OK(shell("exit 0", &status), &err);
    CHECK_INT(0, status);
    CHECK_OK(shell("exit 4", &status), &err);
    CHECK_INT(4, status);
}

TEST(what_cannot_run_is_named)
{
    const char *const argv[] = {"nothing-like-it", NULL};
    int status;
    CHECK_INT(ERR_SYS, child_run("/nowhere/nothing-like-it", argv, &status, NULL, &err));
    CHECK(strstr(err.msg, "nothing-like-it") != NULL);
}

TEST(a_killed_child_is_a_failure)
{
    int status = -1;
    CHECK_INT(ERR_SYS, shell("kill -9 $$", &status));
    CHECK_INT(3, status);
    CHECK(strstr(err.msg, "signal 9") != NULL);
}

TEST(output_is_captured)
{
    const char *const argv[] = {"sh", "-c", "printf 'a\\0b'; cat; exit 1", NULL};
    Buf out = {0};
    int status = -1;
    CHECK_OK(child_capture("/bin/sh", argv, CHILD_STDOUT, 100, &out, &status, &err), &err);
    CHECK_INT(1, status);
    CHECK_SPAN(((Span){(const uint8_t *)"a\0b", 3}), buf_span(&out));
    buf_clear(&out);
}

TEST(stderr_is_captured_where_wanted)
{
    const char *const argv[] = {"sh", "-c", "echo a; echo b >&2", NULL};
    Buf out = {0};
    int status = -1;
    CHECK_OK(child_capture("/bin/sh", argv, CHILD_BOTH, 100, &out, &status, &err), &err);
    CHECK_SPAN(SPAN_LIT("a\nb\n"), buf_span(&out));
    buf_clear(&out);
}

TEST(too_much_output_ends_the_child)
{
    const char *const argv[] = {"sh", "-c", "while :; do echo 0123456789; done", NULL};
    Buf out = {0};
    int status = -1;
    CHECK_INT(ERR_LIMIT, child_capture("/bin/sh", argv, CHILD_STDOUT, 1000, &out, &status, &err));
    CHECK(out.n <= 1000);
    buf_clear(&out);
}

/* What a child that is asked to stop while it is read from makes of a deaf, silent script: the end, at once. */
static int captured_status(const char *const *argv)
{
    Buf out = {0};
    int status;
    ErrCode rc = child_capture("/bin/sh", argv, CHILD_STDOUT, 100, &out, &status, &err);

    buf_clear(&out);
    return rc == ERR_INTR ? 6 : 98;
}

static int run_status(const char *const *argv)
{
    int status = 99;
    bool interrupted = false;
    ErrCode rc = child_run("/bin/sh", argv, &status, &interrupted, &err);

    return rc == ERR_OK && interrupted ? status : 98;
}

/* A parent in a process of its own gets SIGTERM once the script has written a byte to descriptor 9; how that ends. */
static int terminated_status(int (*parent)(const char *const *argv), const char *script)
{
    int how = 0, ready[2];
    char byte;

    if (pipe(ready) != 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        if (dup2(ready[1], 9) < 0) _exit(97);
        const char *const argv[] = {"sh", "-c", script, NULL};
        _exit(parent(argv));
    }
    close(ready[1]);
    CHECK_INT(1, read(ready[0], &byte, 1)); /* the script is past its trap */
    close(ready[0]);
    kill(pid, SIGTERM);
    CHECK_INT(pid, waitpid(pid, &how, 0));
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

TEST(sigterm_is_passed_on)
{
    CHECK_INT(42, terminated_status(run_status, "trap 'exit 42' TERM; echo x >&9; while :; do sleep 0.01; done"));
    CHECK_INT(6, terminated_status(run_status, "echo x >&9; while :; do sleep 0.01; done"));
    CHECK_INT(6, terminated_status(captured_status, "trap '' TERM; echo x >&9; exec sleep 1000"));
}

/* kill -9 of the parent takes the child along: the pipe that both hold closes. */
TEST(the_child_dies_with_its_parent)
{
    int fd[2];
    char byte;

    if (pipe(fd) != 0) return;
    pid_t pid = fork();
    if (pid == 0) {
        int status;
        const char *const argv[] = {"sh", "-c", "echo x; exec sleep 1000", NULL};
        if (dup2(fd[1], STDOUT_FILENO) < 0) _exit(97);
        close(fd[0]);
        close(fd[1]);
        _exit(child_run("/bin/sh", argv, &status, NULL, &err) == ERR_OK ? 0 : 1);
    }
    close(fd[1]);
    CHECK_INT(1, read(fd[0], &byte, 1));
    kill(pid, SIGKILL);
    CHECK_INT(pid, waitpid(pid, NULL, 0));
    while (read(fd[0], &byte, 1) > 0) continue; /* ends only when nobody holds the other end */
    close(fd[0]);
}
