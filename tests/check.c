#define _DEFAULT_SOURCE     /* MAP_ANONYMOUS */
#define _XOPEN_SOURCE   700 /* nftw */
#include "tests/check.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static CheckTest *first, **last = &first;
static int n_failed_checks;
static char tmpdir[256];

void check_register(CheckTest *t)
{
    *last = t;
    last = &t->next;
}

void check_fail(const char *file, int line, const char *what)
{
    n_failed_checks++;
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
}

void check_fail_i64(const char *file, int line, const char *what, long long want, long long got)
{
    n_failed_checks++;
    fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", file, line, what, got, want);
}

static void print_span(const char *label, Span s)
{
    fprintf(stderr, "  %s (%zu bytes): ", label, s.n);
    for (size_t i = 0; i < s.n && i < 400; i++) {
        if (s.p[i] >= 0x20 && s.p[i] != 0x7f)
            fputc(s.p[i], stderr);
        else
            fprintf(stderr, "\\x%02x", s.p[i]);
    }
    fputc('\n', stderr);
}

void check_fail_span(const char *file, int line, const char *what, Span want, Span got)
{
    n_failed_checks++;
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    print_span("expected", want);
    print_span("got", got);
}

void check_fail_err(const char *file, int line, const char *what, const Err *err)
{
    n_failed_checks++;
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, err ? err->msg : "(no message)");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tmpdir(void) { nftw(tmpdir, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

enum { CHECK_TMPDIRS = 512 };

/* In memory where there is plenty: what is published is synchronized first, and a disk takes its time over that. */
static const char *tmp_base(void)
{
    static const char memory[] = "/dev/shm";
    const uint64_t plenty = (uint64_t)2 << 30;
    const char *asked = getenv("TMPDIR");
    struct statvfs fs;

    if (asked && *asked) return asked;
    const bool fits = statvfs(memory, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize >= plenty;
    return fits && access(memory, W_OK) == 0 ? memory : "/tmp";
}

const char *check_tmpdir(void)
{
    static char made[CHECK_TMPDIRS][300]; /* a test program that wants more fails loudly */
    static int n;

    if (!tmpdir[0]) {
        snprintf(tmpdir, sizeof tmpdir, "%s/tamis-test-XXXXXX", tmp_base());
        if (!mkdtemp(tmpdir)) {
            perror(tmpdir);
            exit(99);
        }
        atexit(remove_tmpdir);
    }
    if (n == CHECK_TMPDIRS) {
        fprintf(stderr, "check_tmpdir: too many directories\n");
        exit(99);
    }
    snprintf(made[n], sizeof made[n], "%s/%d", tmpdir, n);
    if (mkdir(made[n], 0777) != 0) {
        perror(made[n]);
        exit(99);
    }
    return made[n++];
}

/* Bytes of the mapping that holds an edge copy of n bytes: whole pages for them, one page behind. */
static size_t edge_bytes(size_t n, size_t page) { return (n + page - 1) / page * page + page; }

Span check_edge(Span s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), total = edge_bytes(s.n, page);
    uint8_t *map = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED || mprotect(map + total - page, page, PROT_NONE) != 0) {
        perror("mmap");
        exit(99);
    }
    uint8_t *at = map + total - page - s.n;
    if (s.n) memcpy(at, s.p, s.n);
    return (Span){at, s.n};
}

void check_edge_free(Span s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), total = edge_bytes(s.n, page);

    munmap((uint8_t *)(uintptr_t)s.p + s.n + page - total, total);
}

/* usage: X_test [SUBSTRING]: runs the tests whose name contains it. */
int main(int argc, char **argv)
{
    int n_run = 0, n_bad = 0;

    for (CheckTest *t = first; t; t = t->next) {
        if (argc > 1 && !strstr(t->name, argv[1])) continue;
        int before = n_failed_checks;
        t->run();
        n_run++;
        bool bad = n_failed_checks != before;
        n_bad += bad;
        printf("%s %s\n", bad ? "FAIL" : "ok  ", t->name);
        fflush(stdout);
    }
    printf("%d tests, %d failed\n", n_run, n_bad);
    return n_bad || !n_run;
}
