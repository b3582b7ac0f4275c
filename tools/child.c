/* Child processes: started with fork and exec, because what must happen between the two (death with the parent) is
 * beyond posix_spawn. The parent has one thread here. */
#include "tools/child.h"

#include "core/store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { EXEC_FAILED = 127 };

/* --- signals: blocked in the parent while a child runs and taken by sigwait(), so that none is lost between looking
 * and sleeping. */
typedef struct {
    sigset_t waited, before;
    struct sigaction child_before;
} SignalWatch;

/* SIGCHLD needs a handler: ignored, the system would reap the child and its status be lost. */
static void on_child(int sig) { (void)sig; }

static ErrCode watch_begin(SignalWatch *w, Err *err)
{
    struct sigaction sa = {.sa_handler = on_child};

    sigemptyset(&sa.sa_mask);
    sigemptyset(&w->waited);
    sigaddset(&w->waited, SIGCHLD);
    sigaddset(&w->waited, SIGTERM);
    sigaddset(&w->waited, SIGINT);
    sigaddset(&w->waited, SIGHUP);
    if (sigaction(SIGCHLD, &sa, &w->child_before) != 0 || sigprocmask(SIG_BLOCK, &w->waited, &w->before) != 0)
        return err_sys(err, "cannot set up signals");
    return ERR_OK;
}

static void watch_end(const SignalWatch *w)
{
    sigprocmask(SIG_SETMASK, &w->before, NULL);
    sigaction(SIGCHLD, &w->child_before, NULL);
}

/* --- starting */

/* Our handlers only raise a flag that exec forgets: a signal between fork and exec would be lost. What is ignored stays
 * so. */
static void default_actions(void)
{
    static const int sigs[] = {SIGTERM, SIGINT, SIGHUP};

    for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
        struct sigaction sa;
        if (sigaction(sigs[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN) (void)signal(sigs[i], SIG_DFL);
    }
}

/* Where a child's streams go; -1: where ours go. */
typedef struct {
    int in, out, err;
} ChildFds;

static void child_exec(const char *path, const char *const *argv, ChildFds fds, pid_t parent, const SignalWatch *w)
{
#ifdef __linux__
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(EXEC_FAILED);
#else
    (void)parent;
#endif
    if (fds.in >= 0 && dup2(fds.in, STDIN_FILENO) < 0) _exit(EXEC_FAILED);
    if (fds.out >= 0 && dup2(fds.out, STDOUT_FILENO) < 0) _exit(EXEC_FAILED);
    if (fds.err >= 0 && dup2(fds.err, STDERR_FILENO) < 0) _exit(EXEC_FAILED);
    default_actions();
    sigprocmask(SIG_SETMASK, &w->before, NULL);
    /* execvp takes char *const *, but does not write through it. */
    execvp(path, (char *const *)(uintptr_t)argv);
    _exit(EXEC_FAILED);
}

static ErrCode child_start(const char *path, const char *const *argv, ChildFds fds, const SignalWatch *w, pid_t *pid,
                           Err *err)
{
    pid_t parent = getpid();

    *pid = fork();
    if (*pid < 0) return err_sys(err, "cannot start %s", argv[0]);
    if (*pid == 0) child_exec(path, argv, fds, parent, w);
    return ERR_OK;
}

/* The child's end. When `out` is a descriptor it has been read to its end already. */
static ErrCode child_wait(pid_t pid, const SignalWatch *w, const char *name, int *status, bool *interrupted, Err *err)
{
    bool asked = false;
    int how = 0;

    for (;;) {
        pid_t got = waitpid(pid, &how, WNOHANG);
        if (got == pid) break;
        if (got < 0) return err_sys(err, "cannot wait for %s", name);
        int sig = 0;
        if (sigwait(&w->waited, &sig) != 0 || sig == SIGCHLD) continue;
        asked = true;
        kill(pid, SIGTERM);
    }
    if (interrupted) *interrupted = asked;
    if (WIFEXITED(how)) {
        *status = WEXITSTATUS(how);
        if (*status == EXEC_FAILED) return err_set(err, ERR_SYS, "cannot run %s", name);
        return ERR_OK;
    }
    *status = asked ? err_status(ERR_INTR) : err_status(ERR_SYS);
    if (asked) return ERR_OK;
    return err_set(err, ERR_SYS, "%s was killed by signal %d", name, WTERMSIG(how));
}

ErrCode child_run(const char *path, const char *const *argv, int *status, bool *interrupted, Err *err)
{
    SignalWatch w;
    pid_t pid;

    ErrCode rc = watch_begin(&w, err);
    if (rc != ERR_OK) return rc;
    rc = child_start(path, argv, (ChildFds){-1, -1, -1}, &w, &pid, err);
    if (rc == ERR_OK) rc = child_wait(pid, &w, argv[0], status, interrupted, err);
    watch_end(&w);
    return rc;
}

/* --- with its output */

/* Waits for something to read, or the end. We are asked to stop by a signal that is blocked: it is looked for between two
 * waits. */
static ErrCode wait_readable(int fd, const SignalWatch *w, const char *name, Err *err)
{
    enum { LOOK_MS = 100 };
    const struct timespec at_once = {0};

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const int n = poll(&p, 1, LOOK_MS);
        if (n < 0 && errno != EINTR) return err_sys(err, "cannot wait for what %s prints", name);
        for (int sig; (sig = sigtimedwait(&w->waited, NULL, &at_once)) > 0;)
            if (sig != SIGCHLD) return err_set(err, ERR_INTR, "interrupted during %s", name);
        if (n > 0) return ERR_OK;
    }
}

static ErrCode read_all(int fd, const SignalWatch *w, size_t max_bytes, Buf *out, const char *name, Err *err)
{
    for (size_t room = max_bytes;;) {
        ErrCode rc = wait_readable(fd, w, name, err);
        if (rc != ERR_OK) return rc;
        if (!buf_reserve(out, 65536)) return err_nomem(err, "the output of a child");
        ssize_t n = read(fd, out->p + out->n, 65536);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(err, "cannot read what %s prints", name);
        if (n == 0) return ERR_OK;
        if ((size_t)n > room) return err_set(err, ERR_LIMIT, "%s prints more than %zu bytes", name, max_bytes);
        out->n += (size_t)n;
        room -= (size_t)n;
    }
}

ErrCode child_capture(const char *path, const char *const *argv, ChildStreams streams, size_t max_bytes, Buf *out,
                      int *status, Err *err)
{
    int fd[2] = {-1, -1}, nothing = -1;
    bool interrupted = false;
    SignalWatch w;
    pid_t pid;

    ErrCode rc = watch_begin(&w, err);
    if (rc != ERR_OK) return rc;
    if (pipe(fd) != 0 || fcntl(fd[0], F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd[1], F_SETFD, FD_CLOEXEC) != 0 ||
        (nothing = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
        rc = err_sys(err, "cannot make a pipe");
        goto out;
    }
    const ChildFds fds = {nothing, fd[1], streams == CHILD_BOTH ? fd[1] : -1};
    if ((rc = child_start(path, argv, fds, &w, &pid, err)) != ERR_OK) goto out;
    close(fd[1]);
    fd[1] = -1;
    rc = read_all(fd[0], &w, max_bytes, out, argv[0], err);
    if (rc != ERR_OK) {
        kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    } else
        rc = child_wait(pid, &w, argv[0], status, &interrupted, err);
    if (rc == ERR_OK && interrupted) rc = err_set(err, ERR_INTR, "interrupted during %s", argv[0]);
out:
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0) close(fd[i]);
    if (nothing >= 0) close(nothing);
    watch_end(&w);
    return rc;
}

/* --- the trainer */

ErrCode child_find_trainer(Arena *a, const char **path, Err *err)
{
    static const char *const places[] = {"tamis-train", "train/tamis-train"};
    char self[4096];

    ssize_t n = readlink(CHILD_SELF, self, sizeof self);
    const uint8_t *slash = NULL;
    for (ssize_t i = 0; i < n; i++)
        if (self[i] == '/') slash = (const uint8_t *)self + i;
    *path = "tamis-train";
    if (n <= 0 || (size_t)n == sizeof self || !slash) return ERR_OK;
    char *dir = arena_str(a, span(self, (size_t)(slash - (const uint8_t *)self)));
    if (!dir) return err_nomem(err, "a path");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *p = path_join(a, dir, places[i]);
        if (!p) return err_nomem(err, "a path");
        if (access(p, X_OK) != 0) continue;
        *path = p;
        break;
    }
    return ERR_OK;
}
