/* The names half of the POSIX back end: directories, listing, deleting. */
#include "core/hash.h"
#include "core/store_fault.h"
#include "core/store_posix.h"
#include "core/store_tmp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool is_absent(int error) { return error == ENOENT || error == ENOTDIR; }

/* One directory; fine when it is there already (or appears meanwhile: other ranks make it too; or goes again between two looks). */
static ErrCode make_dir(const char *path, Err *err)
{
    struct stat st;

    for (int tries = 0; tries < 8; tries++) {
        if (!store_fault() && mkdir(path, 0777) == 0) return ERR_OK;
        if (errno != EEXIST) break;
        if (stat(path, &st) != 0) continue;
        if (S_ISDIR(st.st_mode)) return ERR_OK;
        return err_set(err, ERR_SYS, "cannot create directory %s: a file has that name", path);
    }
    return err_sys(err, "cannot create directory %s", path);
}

ErrCode posix_mkdirs(const char *path, Err *err)
{
    size_t n = strlen(path);
    struct stat st;
    ErrCode rc = ERR_OK;
    char *p;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return ERR_OK; /* also when a parent is not ours to write */
    if (!(p = malloc(n + 1))) return err_nomem(err, path);
    memcpy(p, path, n + 1);
    for (size_t i = 1; i < n && rc == ERR_OK; i++) {
        if (p[i] != '/' || p[i - 1] == '/') continue;
        p[i] = 0;
        if (stat(p, &st) != 0 || !S_ISDIR(st.st_mode)) rc = make_dir(p, err);
        p[i] = '/';
    }
    if (rc == ERR_OK) rc = make_dir(path, err);
    free(p);
    return rc;
}

ErrCode posix_exists(const char *path, bool *exists, Err *err)
{
    struct stat st;

    *exists = stat(path, &st) == 0;
    if (!*exists && !is_absent(errno)) return err_sys(err, "cannot look at %s", path);
    return ERR_OK;
}

ErrCode posix_is_dir(const char *path, bool *is_dir, Err *err)
{
    struct stat st;
    bool there = stat(path, &st) == 0;

    *is_dir = there && S_ISDIR(st.st_mode);
    if (!there && !is_absent(errno)) return err_sys(err, "cannot look at %s", path);
    return ERR_OK;
}

ErrCode posix_size(const char *path, uint64_t *bytes, Err *err)
{
    struct stat st;

    if (stat(path, &st) != 0) return err_sys(err, "cannot look at %s", path);
    *bytes = (uint64_t)st.st_size;
    return ERR_OK;
}

uint64_t store_stamp(const char *path)
{
    struct stat st;

    if (store_is_remote(path) || stat(path, &st) != 0) return 0;
    uint64_t h = mix64((uint64_t)st.st_size);
    h = mix64(h ^ (uint64_t)st.st_mtim.tv_sec) + (uint64_t)st.st_mtim.tv_nsec;
    return mix64(h ^ (uint64_t)st.st_ctim.tv_sec) + (uint64_t)st.st_ctim.tv_nsec;
}

ErrCode posix_delete(const char *path, Err *err)
{
    if ((!store_fault() && unlink(path) == 0) || is_absent(errno)) return ERR_OK;
    return err_sys(err, "cannot delete %s", path);
}

/* Symbolic links are removed, never followed. */
ErrCode posix_delete_tree(const char *path, int depth, Err *err)
{
    StoreList list;
    struct stat st;
    ErrCode rc;

    if (lstat(path, &st) != 0) return is_absent(errno) ? ERR_OK : err_sys(err, "cannot look at %s", path);
    if (!S_ISDIR(st.st_mode)) return posix_delete(path, err);
    if (depth < 0) return err_set(err, ERR_LIMIT, "cannot delete %s: deeper than a tree of ours", path);
    if ((rc = posix_list(path, &list, err)) != ERR_OK)
        return lstat(path, &st) != 0 && is_absent(errno) ? ERR_OK : rc; /* another has deleted it meanwhile */
    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        const char *entry = path_join(&list.arena, path, list.name[i]);
        rc = entry ? posix_delete_tree(entry, depth - 1, err) : err_nomem(err, path);
    }
    storelist_clear(&list);
    if (rc == ERR_OK && (store_fault() || rmdir(path) != 0) && !is_absent(errno))
        rc = err_sys(err, "cannot delete directory %s", path);
    return rc;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Collects the entries; pointers grow in a Buf, the strings live in the list's arena. */
static ErrCode read_names(DIR *d, const char *dir, StoreList *out, Buf *names, Err *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) return errno ? err_sys(err, "cannot list %s", dir) : ERR_OK;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *name = arena_str(&out->arena, span_str(e->d_name));
        if (!name) return err_nomem(err, dir);
        buf_put(names, &name, sizeof name);
    }
}

ErrCode posix_list(const char *dir, StoreList *out, Err *err)
{
    DIR *d = opendir(dir);
    Buf names = {0};
    ErrCode rc;

    *out = (StoreList){0};
    if (!d) return err_sys(err, "cannot list %s", dir);
    rc = read_names(d, dir, out, &names, err);
    closedir(d);
    if (rc == ERR_OK) rc = buf_ok(&names, dir, err);
    if (rc == ERR_OK) {
        out->n = names.n / sizeof(char *);
        out->name = arena_alloc(&out->arena, names.n);
        if (!out->name) rc = err_nomem(err, dir);
    }
    if (rc == ERR_OK && out->n) {
        memcpy(out->name, names.p, names.n);
        qsort(out->name, out->n, sizeof(char *), compare_names);
    }
    buf_clear(&names);
    if (rc) storelist_clear(out);
    return rc;
}

/* Whether no process has this number, or one that has ended and only waits to be buried by its parent (a killed child whose
 * parent was killed with it may stay so for a while). */
static bool is_dead(pid_t pid)
{
    char path[64], stat[512];

    if (kill(pid, 0) != 0) return errno == ESRCH;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "r");
    if (!f) return errno == ENOENT && kill(pid, 0) != 0;
    size_t n = fread(stat, 1, sizeof stat - 1, f);
    fclose(f);
    stat[n] = 0;
    const char *name_end = strrchr(stat, ')'); /* "PID (NAME) STATE …" */
    return name_end && (strncmp(name_end, ") Z", 3) == 0 || strncmp(name_end, ") X", 3) == 0);
}

typedef enum { NOT_ORPHANED, ORPHAN_HERE, ORPHAN_ELSEWHERE } Orphan;

/* What `name` may be by itself: BASE.HOST.PID.tmp of this host (`mark` is ".HOST.") where no PID runs that we can see; or of another host, and
 * BASE is a name of ours. Where HOST begins shows only in the first case, since it may have dots. */
static Orphan look_orphaned(const char *name, const char *mark)
{
    size_t n = strlen(name), m = strlen(mark), digits = 0;
    uint64_t pid;

    if (n < 8 || strcmp(name + n - 4, ".tmp") != 0) return NOT_ORPHANED;
    while (digits < n - 4 && ascii_is_digit((uint8_t)name[n - 5 - digits])) digits++;
    const char *at = name + n - 4 - digits;
    if (digits == 0 || digits > 9 || !span_to_u64(span(at, digits), &pid) || pid == 0) return NOT_ORPHANED;
    if (n > 4 + digits + m && strncmp(at - m, mark, m) == 0) return is_dead((pid_t)pid) ? ORPHAN_HERE : NOT_ORPHANED;
    if (at == name || at[-1] != '.') return NOT_ORPHANED;
    for (const char *dot = name + 1; dot + 2 < at; dot++) /* a base, '.', a host of a byte or more, '.' */
        if (*dot == '.' && (store_name_is_ours(span(name, (size_t)(dot - name))) || strncmp(name, "stage-", 6) == 0))
            return ORPHAN_ELSEWHERE;
    return NOT_ORPHANED;
}

/* Deletes it unless its writer is alive after all (store_tmp.h says how that is known). One we may not open stays. */
static ErrCode sweep_file(const char *path, Orphan what, Err *err)
{
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ErrCode rc = ERR_OK;

    if (fd < 0) return ERR_OK;
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0, busy = !locked && errno == EWOULDBLOCK;
    bool old = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtime < time(NULL) - STORE_STALE_SECONDS;
    if (!busy && (old || (locked && what == ORPHAN_HERE)) && store_tmp_is(path, fd))
        rc = posix_delete(path, err); /* who would write it now waits for our lock */
    close(fd);
    return rc;
}

ErrCode posix_sweep(const char *dir, int depth, Err *err)
{
    char mark[STORE_TMP_SUFFIX];
    StoreList list;
    bool there;
    ErrCode rc = posix_is_dir(dir, &there, err);

    if (rc || !there) return rc;
    store_tmp_suffix(mark, 0);
    if ((rc = posix_list(dir, &list, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        const char *path = path_join(&list.arena, dir, list.name[i]);
        Orphan what = look_orphaned(list.name[i], mark);
        if (!path)
            rc = err_nomem(err, dir);
        else if (what != NOT_ORPHANED)
            rc = sweep_file(path, what, err);
        else if (depth > 0)
            rc = posix_sweep(path, depth - 1, err); /* does nothing where it is no directory */
    }
    storelist_clear(&list);
    return rc;
}

ErrCode posix_resolve(Arena *a, const char *path, char **out, Err *err)
{
    char *real = realpath(path, NULL);

    if (!real) return err_sys(err, "cannot resolve %s", path);
    *out = arena_str(a, span_str(real));
    free(real);
    return *out ? ERR_OK : err_nomem(err, path);
}
