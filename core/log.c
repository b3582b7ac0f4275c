#include "core/log.h"

#include "core/events.h"
#include "core/utf8.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static LogLevel level = LOG_NORMAL;
static int log_rank;

void log_setup(LogLevel l, int rank)
{
    level = l;
    log_rank = rank;
}

LogLevel log_level(void) { return level; }

/* One write(2) a line, so that lines of several ranks do not mix. */
static void say(const char *prefix, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void say(const char *prefix, const char *fmt, va_list ap)
{
    char line[1024];
    int n = log_rank > 0 ? snprintf(line, sizeof line, "tamis[%d]: %s", log_rank, prefix)
                         : snprintf(line, sizeof line, "tamis: %s", prefix);

    n += vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
    if (n > (int)sizeof line - 2) n = (int)sizeof line - 2;
    utf8_disarm((uint8_t *)line, (size_t)n); /* names and texts of others may be in it */
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)n) < 0) return; /* nowhere left to complain to */
}

void log_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;

    if (log_rank != 0) return;
    va_start(ap, fmt);
    say("warning: ", fmt, ap);
    va_end(ap);
}

void log_info(const char *fmt, ...)
{
    va_list ap;

    if (level == LOG_QUIET || log_rank != 0) return;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

void log_debug(const char *fmt, ...)
{
    va_list ap;

    if (level != LOG_VERBOSE || log_rank != 0) return;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

double clock_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

uint64_t peak_memory_bytes(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_maxrss << 10;
}

double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

double thread_cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* --- progress */

struct Progress {
    char what[64];
    uint64_t total_bytes;
    atomic_uint_least64_t docs, bytes;
    double start, last;
    bool live; /* a terminal: one line rewritten */
    pthread_mutex_t lock;
};

enum { LIVE_EVERY_MS = 200, LINE_EVERY_MS = 10000 };

ErrCode progress_start(Progress **out, const char *what, uint64_t total_bytes, Err *err)
{
    Progress *p = calloc(1, sizeof *p);

    *out = NULL;
    if (!p) return err_nomem(err, "progress");
    snprintf(p->what, sizeof p->what, "%s", what);
    p->total_bytes = total_bytes;
    p->start = p->last = clock_seconds();
    p->live = isatty(STDERR_FILENO) && log_rank == 0;
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return ERR_OK;
}

void progress_add(Progress *p, uint64_t docs, uint64_t bytes)
{
    if (!p) return;
    atomic_fetch_add_explicit(&p->docs, docs, memory_order_relaxed);
    atomic_fetch_add_explicit(&p->bytes, bytes, memory_order_relaxed);
}

static void print_progress(Progress *p, double now, bool closing)
{
    double s = now - p->start;
    uint64_t docs = atomic_load(&p->docs), bytes = atomic_load(&p->bytes);
    double rate = s > 0 ? (double)bytes / s : 0;
    char eta[48] = "";

    if (!closing && p->total_bytes && rate > 0 && bytes <= p->total_bytes) {
        double left = (double)(p->total_bytes - bytes) / rate;
        snprintf(eta, sizeof eta, ", %.0f %%, %.0f s left", 100.0 * (double)bytes / (double)p->total_bytes, left);
    }
    if (p->live) fprintf(stderr, "\r\033[K");
    fprintf(stderr, "tamis: %s: %" PRIu64 " documents, %.1f MB in %.1f s, %.1f MB/s%s", p->what, docs,
            (double)bytes / 1e6, s, rate / 1e6, eta);
    if (closing) fprintf(stderr, ", peak %.0f MB", (double)peak_memory_bytes() / 1e6);
    if (!p->live || closing) fputc('\n', stderr);
    fflush(stderr);
}

void progress_tick(Progress *p)
{
    if (p) event_sample(p->what, atomic_load(&p->docs), atomic_load(&p->bytes));
    if (!p || level == LOG_QUIET || log_rank != 0 || pthread_mutex_trylock(&p->lock) != 0) return;
    double now = clock_seconds();
    if ((now - p->last) * 1000 >= (p->live ? LIVE_EVERY_MS : LINE_EVERY_MS)) {
        p->last = now;
        print_progress(p, now, false);
    }
    pthread_mutex_unlock(&p->lock);
}

void progress_sum(Progress *p, const Par *par)
{
    uint64_t sum[2] = {p ? atomic_load(&p->docs) : 0, p ? atomic_load(&p->bytes) : 0};

    par_sum_u64(par, sum, 2);
    if (!p) return;
    atomic_store(&p->docs, sum[0]);
    atomic_store(&p->bytes, sum[1]);
}

void progress_stop(Progress *p)
{
    if (!p) return;
    if (level != LOG_QUIET && log_rank == 0) print_progress(p, clock_seconds(), true);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- signals */

enum { AGAIN_SECONDS = 2 }; /* a terminal, a launcher and a parent may all pass on one wish */

static volatile sig_atomic_t interrupted, interrupted_at; /* seconds of the monotonic clock */

static void on_signal(int sig)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (interrupted && (sig_atomic_t)now.tv_sec - interrupted_at >= AGAIN_SECONDS) {
        (void)signal(sig, SIG_DFL);
        (void)raise(sig);
    } else if (!interrupted) {
        interrupted_at = (sig_atomic_t)now.tv_sec;
        interrupted = 1;
    }
}

void interrupt_install(void)
{
    struct sigaction sa = {.sa_handler = on_signal};

    sigemptyset(&sa.sa_mask);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL); /* mpirun and srun hand it on to the ranks; at SIGTERM they kill them */
    signal(SIGPIPE, SIG_IGN);      /* a closed stdout shows as a failed write */
}

bool interrupt_seen(void) { return interrupted != 0; }
