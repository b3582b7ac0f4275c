/* Holding leases: the process file with its heartbeat, claims, and what a crash leaves behind. */
#include "core/hash.h"
#include "core/lease_files.h"
#include "core/log.h"
#include "core/store_tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

double lease_seconds(void)
{
    const char *v = getenv("TAMIS_LEASE_SECONDS");
    uint64_t s;

    return v && span_to_u64(span_str(v), &s) && s >= 1 && s <= LEASE_MOST_SECONDS ? (double)s : LEASE_SECONDS;
}

/* --- names */

static char *put_str(char *at, const char *end, const char *s)
{
    while (*s && at < end) *at++ = *s++;
    return at;
}

bool lease_part_path(char out[LEASE_PATH], const char *dir, uint32_t part, const char *suffix)
{
    char digits[12], *d = digits + sizeof digits - 1, *end = out + LEASE_PATH - 1;
    int n = 0;

    *d = 0;
    for (; part || n < 6; part /= 10, n++) *--d = (char)('0' + part % 10);
    char *at = put_str(out, end, dir);
    at = put_str(at, end, "/" LEASE_DIR "/part-");
    at = put_str(put_str(at, end, d), end, suffix);
    *at = 0;
    return at < end;
}

bool lease_path(char out[LEASE_PATH], const char *dir, const char *name)
{
    return snprintf(out, LEASE_PATH, "%s/" LEASE_DIR "/%s", dir, name) < LEASE_PATH;
}

static void boot_mark(char out[LEASE_BOOT + 1])
{
    char id[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, id, sizeof id); /* none: the host's name alone has to do */

    if (fd >= 0) close(fd);
    snprintf(out, LEASE_BOOT + 1, "%08" PRIx32, (uint32_t)hash64(span(id, n > 0 ? (size_t)n : 0)));
}

/* HOST.PID.NONCE; containers may share host names and process numbers, and a number comes round again. */
static void make_name(Leases *l)
{
    char mark[STORE_TMP_SUFFIX], boot[LEASE_BOOT + 1];
    struct timespec now;

    store_tmp_suffix(mark, 0);
    boot_mark(boot);
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(l->pid_mark, sizeof l->pid_mark, ".%ld.", (long)getpid());
    uint64_t nonce =
        mix64((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec) ^ mix64((uint64_t)(uintptr_t)l);
    snprintf(l->name, sizeof l->name, "%.*s%s%s%08" PRIx32, (int)(strlen(mark) - 2), mark + 1, l->pid_mark, boot,
             (uint32_t)mix64(nonce));
}

bool lease_is_here(const char *process)
{
    char mark[STORE_TMP_SUFFIX], boot[LEASE_BOOT + 1];

    store_tmp_suffix(mark, 0); /* ".HOST." */
    size_t n = strlen(mark) - 1;
    if (strncmp(process, mark + 1, n) != 0) return false;
    process += n + strspn(process + n, "0123456789");
    boot_mark(boot);
    return *process == '.' && strncmp(process + 1, boot, LEASE_BOOT) == 0;
}

/* --- crashes. Process-wide as signals are: one Leases, the first opened, and what each thread is at. */

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { N_CRASH_SIGNALS = sizeof crash_signals / sizeof *crash_signals, CRASH_STACK = 32 << 10 };
static struct sigaction crash_before[N_CRASH_SIGNALS];
static Leases *_Atomic crash_leases;
static _Thread_local uint32_t blamed = LEASE_NO_PART;
static _Thread_local bool blamed_again;
static _Thread_local uint8_t crash_stack[CRASH_STACK];

/* Only what a signal handler may call: the lease becomes the record of this attempt. */
static void record_crash(const Leases *l, int sig)
{
    char lease[LEASE_PATH], record[LEASE_PATH], suffix[LEASE_NAME + 16], *end = suffix + sizeof suffix - 1, *at;
    const char number[] = {(char)('0' + sig / 10 % 10), (char)('0' + sig % 10), 0};

    at = put_str(put_str(suffix, end, "."), end, l->name);
    at = put_str(put_str(at, end, ".crash"), end, sig > 9 ? number : number + 1);
    *at = 0;
    if (lease_part_path(lease, l->dir, blamed, blamed_again ? ".again" : "") &&
        lease_part_path(record, l->dir, blamed, suffix))
        (void)rename(lease, record);
}

/* Then the signal goes the way it would have gone: a fault happens again, a signal that was sent is sent once more. */
static void on_crash(int sig, siginfo_t *info, void *context)
{
    const Leases *l = atomic_load(&crash_leases);

    (void)context;
    if (l && blamed != LEASE_NO_PART) record_crash(l, sig);
    for (int i = 0; i < N_CRASH_SIGNALS; i++)
        if (crash_signals[i] == sig) sigaction(sig, &crash_before[i], NULL);
    if (info->si_code <= 0) (void)raise(sig);
}

static void crash_watch(Leases *l)
{
    struct sigaction sa = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    Leases *none = NULL;

    if (!atomic_compare_exchange_strong(&crash_leases, &none, l)) return;
    sigemptyset(&sa.sa_mask);
    for (int i = 0; i < N_CRASH_SIGNALS; i++) sigaction(crash_signals[i], &sa, &crash_before[i]);
}

static void crash_unwatch(Leases *l)
{
    Leases *mine = l;

    if (!atomic_compare_exchange_strong(&crash_leases, &mine, NULL)) return;
    for (int i = 0; i < N_CRASH_SIGNALS; i++) sigaction(crash_signals[i], &crash_before[i], NULL);
}

/* A stack that has run over leaves no room for a handler: it gets one of its own, unless a sanitizer gave the thread one. */
static void need_crash_stack(void)
{
    stack_t now, own = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};

    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE)) (void)sigaltstack(&own, NULL);
}

void lease_blame(Leases *l, uint32_t part)
{
    if (l->off) return;
    if (part != LEASE_NO_PART) {
        need_crash_stack();
        blamed_again = atomic_load_explicit(&l->again, memory_order_relaxed);
    }
    blamed = part;
}

/* --- the process file */

/* Under the lock, or before anybody else knows of `l`. */
static void format_line(const Leases *l, char line[LEASE_LINE])
{
    const char *pid = strstr(l->name, l->pid_mark);
    int n = snprintf(line, LEASE_LINE,
                     "{\"host\":\"%.*s\",\"pid\":%ld,\"stage\":\"%s\",\"role\":\"%s\",\"beat\":%" PRIu64
                     ",\"elapsed_s\":%.3f,\"parts\":%" PRIu64 ",\"docs\":%" PRIu64 ",\"bytes\":%" PRIu64
                     ",\"weight\":%" PRIu64 ",\"part_s\":%.3f,\"expiry_s\":%.0f}",
                     (int)(pid ? pid - l->name : 0), l->name, (long)getpid(), l->stage, l->role, l->beat,
                     clock_seconds() - l->began, l->n_parts, (uint64_t)atomic_load(&l->docs),
                     (uint64_t)atomic_load(&l->bytes), l->weight, l->part_s, l->expiry);

    if (n < 0 || n > LEASE_LINE - 1) n = LEASE_LINE - 1;
    memset(line + n, ' ', (size_t)(LEASE_LINE - 1 - n));
    line[LEASE_LINE - 1] = '\n';
}

/* Creates a file in DIR/leases. `dir_too`: that goes with the last process that leaves, perhaps just now, and is made anew. */
static int create_in(const Leases *l, const char *path, int flags, bool dir_too)
{
    char dir[LEASE_PATH];

    for (int tries = 0;; tries++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
        if (fd >= 0 || errno != ENOENT || !dir_too || tries == 8) return fd;
        if (!lease_path(dir, l->dir, "") || store_mkdirs(dir, NULL) != ERR_OK) return -1;
    }
}

/* Makes the file and locks it; who sweeps between the two makes us begin again. Where there are no locks, watchers wait for the
 * expiry. */
static ErrCode make_process_file(Leases *l, const char line[LEASE_LINE], bool dir_too, Err *err)
{
    char path[LEASE_PATH];
    int fd;

    if (!lease_path(path, l->dir, l->name)) return err_set(err, ERR_LIMIT, "path too long: %.300s", l->dir);
    for (;;) {
        fd = create_in(l, path, 0, dir_too);
        if (fd < 0) return err_sys(err, "cannot create %s", path);
        if (flock(fd, LOCK_EX) != 0 || store_tmp_is(path, fd)) break;
        close(fd);
    }
    if (pwrite(fd, line, LEASE_LINE, 0) != LEASE_LINE) {
        ErrCode rc = err_sys(err, "cannot write %s", path);
        unlink(path);
        close(fd);
        return rc;
    }
    if (l->fd >= 0) close(l->fd);
    l->fd = fd;
    return ERR_OK;
}

/* Over NFS a line is seen by others when its file is closed and opened anew. Whoever took us for dead may have deleted the file;
 * where the whole directory is gone, the job is done. */
static void write_line(Leases *l, const char line[LEASE_LINE])
{
    char path[LEASE_PATH];

    if (!lease_path(path, l->dir, l->name)) return;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (make_process_file(l, line, false, NULL) != ERR_OK) return;
    } else if (fd >= 0) {
        if (pwrite(fd, line, LEASE_LINE, 0) < 0) log_debug("cannot write %s: %s", path, strerror(errno));
        close(fd);
    }
}

/* Whether these leases of ours are still there. The second lease of a straggler's part is in vain once the first is gone: its part
 * is finished, or anybody's again. */
static void check_held(const Leases *l, LeaseHeld *held, size_t n)
{
    char path[LEASE_PATH];
    LeaseHolder holder;
    bool found;

    for (size_t i = 0; i < n; i++) {
        LeaseHeld *h = &held[i];
        if (!lease_part_path(path, l->dir, h->part, "")) continue;
        if (lease_holder_read(l->dir, path_base(path), &holder, &found, NULL) != ERR_OK) continue;
        if (found)
            h->lost |= !h->again && strcmp(holder.process, l->name) != 0;
        else
            h->lost |= access(path, F_OK) != 0 && errno == ENOENT;
    }
}

/* A copy of what is held, in place of the one before; *n 0 where there is no memory for it. */
static LeaseHeld *copy_held(const Leases *l, LeaseHeld *copy, size_t *n)
{
    LeaseHeld *held = realloc(copy, (l->n_held + 1) * sizeof *held);

    *n = held ? l->n_held : 0;
    if (*n) memcpy(held, l->held, *n * sizeof *held);
    return held ? held : copy;
}

static void mark_lost(Leases *l, const LeaseHeld *copy, size_t n)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < l->n_held && copy[k].lost; i++) l->held[i].lost |= l->held[i].serial == copy[k].serial;
}

/* A file system that hangs must not hold up those who work: no file is touched under the lock. */
static void *heartbeat(void *arg)
{
    Leases *l = arg;
    LeaseHeld *held = NULL;
    char line[LEASE_LINE];
    struct timespec at;
    size_t n;

    pthread_mutex_lock(&l->lock);
    clock_gettime(CLOCK_MONOTONIC, &at);
    while (!l->stop) {
        /* Sooner while we are young, so that what is shown of us is never older than half our age. */
        double age = clock_seconds() - l->began, wait = age < 1 ? 1 : age;
        double next = (double)at.tv_sec + (double)at.tv_nsec * 1e-9 + (wait < l->expiry / 6 ? wait : l->expiry / 6);
        at.tv_sec = (time_t)next;
        at.tv_nsec = (long)((next - floor(next)) * 1e9);
        while (!l->stop && pthread_cond_timedwait(&l->wake, &l->lock, &at) != ETIMEDOUT) continue;
        if (l->stop) break;
        l->beat++;
        format_line(l, line);
        held = copy_held(l, held, &n);
        pthread_mutex_unlock(&l->lock);
        write_line(l, line);
        check_held(l, held, n);
        pthread_mutex_lock(&l->lock);
        mark_lost(l, held, n);
        clock_gettime(CLOCK_MONOTONIC, &at);
    }
    pthread_mutex_unlock(&l->lock);
    free(held);
    return NULL;
}

static void init_lock(Leases *l)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
}

/* Signals are the other threads': this one blocks all. */
static ErrCode start_heartbeat(Leases *l, Err *err)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&l->thread, NULL, heartbeat, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    l->beating = failed == 0;
    errno = failed;
    return failed ? err_sys(err, "cannot start a thread") : ERR_OK;
}

ErrCode leases_open(Leases **out, const char *dir, const char *stage, const char *role, Err *err)
{
    Leases *l = calloc(1, sizeof *l);
    char path[LEASE_PATH], line[LEASE_LINE];
    ErrCode rc = ERR_OK;

    *out = NULL;
    if (!l) return err_nomem(err, "leases");
    init_lock(l);
    l->fd = -1;
    l->began = clock_seconds();
    l->expiry = lease_seconds();
    l->off = strstr(dir, "://") != NULL;
    l->dir = arena_str(&l->arena, span_str(dir));
    l->stage = arena_str(&l->arena, span_str(stage));
    l->role = arena_str(&l->arena, span_str(role));
    if (!l->dir || !l->stage || !l->role) rc = err_nomem(err, "leases");
    make_name(l);
    if (rc == ERR_OK && !l->off) {
        if (!lease_path(path, dir, "")) rc = err_set(err, ERR_LIMIT, "path too long: %.300s", dir);
        if (rc == ERR_OK) rc = store_mkdirs(path, err);
        if (rc == ERR_OK) rc = lease_sweep(dir, err);
        format_line(l, line);
        if (rc == ERR_OK) rc = make_process_file(l, line, true, err);
        if (rc == ERR_OK) rc = start_heartbeat(l, err);
        if (rc == ERR_OK) crash_watch(l);
    }
    if (rc == ERR_OK)
        *out = l;
    else
        leases_close(l);
    return rc;
}

bool leases_off(const Leases *l) { return l->off; }

static void unlink_lease(const Leases *l, uint32_t part, bool again)
{
    char path[LEASE_PATH];

    if (!l->off && lease_part_path(path, l->dir, part, again ? ".again" : "")) unlink(path);
}

void leases_close(Leases *l)
{
    char path[LEASE_PATH];

    if (!l) return;
    crash_unwatch(l);
    if (l->beating) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_signal(&l->wake);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    for (size_t i = 0; i < l->n_held; i++)
        if (!l->held[i].lost) unlink_lease(l, l->held[i].part, l->held[i].again);
    if (l->fd >= 0) {
        if (lease_path(path, l->dir, l->name)) unlink(path);
        close(l->fd);
        if (lease_path(path, l->dir, "")) rmdir(path); /* the last one closes the door */
    }
    free(l->held);
    free(l->watch);
    arena_clear(&l->arena);
    free(l);
}

/* --- leases */

static ErrCode hold(Leases *l, LeaseHeld h, Err *err)
{
    pthread_mutex_lock(&l->lock);
    LeaseHeld *held = array_grow(l->held, l->n_held, &l->cap_held, sizeof *held);
    if (held) {
        l->held = held;
        held[l->n_held] = h;
        held[l->n_held++].serial = ++l->n_claims;
        atomic_store(&l->again, h.again);
    }
    pthread_mutex_unlock(&l->lock);
    return held ? ERR_OK : err_nomem(err, "a lease");
}

ErrCode lease_claim(Leases *l, uint32_t part, bool again, const char *input, bool *got, Err *err)
{
    LeaseHeld h = {.part = part, .again = again};
    char path[LEASE_PATH], text[LEASE_LINE];
    ErrCode rc = ERR_OK;

    *got = l->off;
    if (l->off) return ERR_OK;
    if (!lease_part_path(path, l->dir, part, again ? ".again" : ""))
        return err_set(err, ERR_LIMIT, "path too long: %.300s", l->dir);
    int fd = create_in(l, path, O_EXCL, true);
    if (fd < 0) return errno == EEXIST ? ERR_OK : err_sys(err, "cannot create %s", path);
    int n = snprintf(text, sizeof text, "%s %.3f %s", l->name, clock_seconds() - l->began, input);
    if (n >= (int)sizeof text) n = sizeof text - 1;
    if (write(fd, text, (size_t)n) != n) rc = err_sys(err, "cannot write %s", path);
    close(fd);
    if (rc == ERR_OK) rc = hold(l, h, err);
    if (rc != ERR_OK) unlink(path);
    *got = rc == ERR_OK;
    return rc;
}

void lease_release(Leases *l, uint32_t part, bool done)
{
    LeaseHeld h = {.lost = true};

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_held; i++) {
        if (l->held[i].part != part) continue;
        h = l->held[i];
        l->held[i] = l->held[--l->n_held];
        break;
    }
    pthread_mutex_unlock(&l->lock);
    if (h.lost) return; /* the file, if any, is another's */
    unlink_lease(l, part, h.again);
    if (h.again && done) unlink_lease(l, part, false);
}

bool lease_lost(Leases *l, uint32_t part)
{
    bool lost = false;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_held; i++) lost |= l->held[i].part == part && l->held[i].lost;
    pthread_mutex_unlock(&l->lock);
    return lost;
}

bool lease_is_held(Leases *l, uint32_t part)
{
    bool held = false;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_held; i++) held |= l->held[i].part == part;
    pthread_mutex_unlock(&l->lock);
    return held;
}

void leases_count(Leases *l, uint64_t docs, uint64_t bytes)
{
    atomic_fetch_add_explicit(&l->docs, docs, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->bytes, bytes, memory_order_relaxed);
}

void leases_count_part(Leases *l, uint64_t weight, double seconds)
{
    pthread_mutex_lock(&l->lock);
    l->n_parts++;
    l->weight += weight;
    l->part_s += seconds;
    pthread_mutex_unlock(&l->lock);
}

void leases_pace(Leases *l, uint64_t *weight, double *seconds)
{
    pthread_mutex_lock(&l->lock);
    *weight = l->weight;
    *seconds = l->part_s;
    pthread_mutex_unlock(&l->lock);
}
