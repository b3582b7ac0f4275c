#include "core/staging.h"

#ifdef TAMIS_CURL

#include "core/digest.h"
#include "core/fetch.h"
#include "core/log.h"
#include "core/store_fault.h"
#include "core/store_tmp.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef enum { OBJECT_WANTED, OBJECT_COMING, OBJECT_HERE, OBJECT_FAILED } ObjectState;

typedef struct {
    char *path, *local;
    size_t dir_n; /* bytes of `local` that are the directory */
    uint64_t size;
    int fd; /* locked while it is ours; -1: no file */
    ObjectState state;
    size_t place;     /* in what is expected; SIZE_MAX: not expected any more */
    uint32_t waiters; /* how many wait for it */
    uint32_t users;   /* how many read it */
    bool disk_full;   /* why it failed */
    bool patient;     /* room was made once, and was not enough while others were read */
    bool alone;       /* it was fetched with no other object on the disk, nor one coming */
    ErrCode rc;
    Err err;
} Object;

enum { MAX_OBJECTS = 2 * (STAGING_MAX_DEPTH + 1) }; /* those expected, and those still coming or read that are not */

struct Staging {
    char *dir;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    Object *object[MAX_OBJECTS];
    size_t n;
    uint64_t max_bytes; /* 0: no bound */
    Object *needs_room; /* the disk was too full for it: nothing else is begun before it is here; or NULL */
    atomic_bool stop;
    pthread_t thread[STAGING_MAX_DEPTH];
    uint32_t n_threads;
};

/* --- files */

static atomic_uint_least64_t n_files; /* of the process, whose stages may share a directory */

/* A file of its own, under a name that nobody else has. */
static ErrCode make_file(Object *o, Err *err)
{
    char suffix[STORE_TMP_SUFFIX];
    bool taken = true;
    ErrCode rc = ERR_OK;

    store_tmp_suffix(suffix, (long)getpid());
    while (rc == ERR_OK && taken) {
        snprintf(o->local + o->dir_n, STORE_TMP_SUFFIX + 40, "/stage-%06" PRIu64 "%s",
                 (uint64_t)atomic_fetch_add(&n_files, 1), suffix);
        rc = store_tmp_new(o->local, &o->fd, &taken, err);
    }
    return rc;
}

static void drop_file(Object *o)
{
    if (o->fd >= 0) {
        unlink(o->local);
        close(o->fd);
    }
    o->fd = -1;
}

static void object_free(Object *o)
{
    drop_file(o);
    free(o->path);
    free(o->local);
    free(o);
}

/* Where a body goes. */
typedef struct {
    Object *o;
    uint64_t at;
    Md5 *md5;
    bool disk_full;
} Sink;

static ErrCode take_piece(void *ctx, Span bytes, Err *err)
{
    Sink *s = ctx;

    if (bytes.n > s->o->size - s->at)
        return err_set(err, ERR_DATA, "%.*s is longer than the %" PRIu64 " bytes it was announced with",
                       fetch_shown(s->o->path), s->o->path, s->o->size);
    ErrCode rc = md5_put(s->md5, bytes, err);
    while (rc == ERR_OK && bytes.n) {
        ssize_t put = store_fault() ? -1 : pwrite(s->o->fd, bytes.p, bytes.n, (off_t)s->at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            s->disk_full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
            return err_sys(err, "cannot write %s", s->o->local);
        }
        s->at += (uint64_t)put;
        bytes = span_from(bytes, (size_t)put);
    }
    return rc;
}

static ErrCode check(const Object *o, const Sink *s, const FetchHead *head, Err *err)
{
    char md5[MD5_HEX];
    ErrCode rc = md5_hex(s->md5, md5, err);

    if (rc == ERR_OK && s->at != o->size)
        rc = err_set(err, ERR_DATA, "%.*s has %" PRIu64 " bytes, not the %" PRIu64 " it was announced with",
                     fetch_shown(o->path), o->path, s->at, o->size);
    if (rc != ERR_OK || !head->md5[0] || strcmp(md5, head->md5) == 0) return rc;
    if (head->md5_sure)
        return err_set(err, ERR_DATA, "%.*s arrived with MD5 %s, and its ETag says %s", fetch_shown(o->path), o->path,
                       md5, head->md5);
    log_warn("%.*s has the right length and MD5 %s; its ETag %s may be something else", fetch_shown(o->path), o->path,
             md5, head->md5);
    return ERR_OK;
}

/* The whole of it, once. The object is the thread's own meanwhile. */
static ErrCode fetch_once(Object *o, bool *disk_full, Err *err)
{
    Sink s = {.o = o};
    FetchHead head = {0};
    ErrCode rc = md5_new(&s.md5, err);

    if (rc == ERR_OK) rc = make_file(o, err);
    if (rc == ERR_OK) rc = fetch_range(o->path, "", 0, 0, take_piece, &s, &head, err);
    if (rc == ERR_OK) rc = check(o, &s, &head, err);
    md5_free(s.md5);
    *disk_full = s.disk_full;
    if (rc != ERR_OK) drop_file(o);
    return rc;
}

static ErrCode fetch(Object *o, bool *disk_full, Err *err)
{
    ErrCode rc = fetch_once(o, disk_full, err);

    if (rc != ERR_DATA) return rc;
    log_info("%s; fetching it again", err->msg);
    return fetch_once(o, disk_full, err);
}

/* --- threads */

static void remove_at(Staging *s, size_t i)
{
    object_free(s->object[i]);
    s->object[i] = s->object[--s->n];
}

/* Drops what nobody needs any more. The lock is held. */
static void tidy(Staging *s)
{
    for (size_t i = s->n; i-- > 0;) {
        const Object *o = s->object[i];
        if (o->place == SIZE_MAX && !o->users && !o->waiters && o->state != OBJECT_COMING) remove_at(s, i);
    }
}

/* Drops what nobody reads yet, for `o`. False: there is more to wait for. */
static bool room_is_made(Staging *s, Object *o)
{
    bool others = false, done = true;

    for (size_t i = 0; i < s->n; i++) {
        Object *other = s->object[i];
        if (other == o) continue;
        if (other->state == OBJECT_HERE && !other->users && !other->waiters) {
            drop_file(other);
            other->state = OBJECT_WANTED;
        }
        if (other->state == OBJECT_COMING) done = false;
        if (other->state == OBJECT_HERE) others = true;
    }
    o->alone = done && !others;
    return o->alone || (done && !o->patient);
}

/* Whether a is to be fetched before b: who is waited for first, then in the order of need. */
static bool is_before(const Object *a, const Object *b)
{
    return !b || (a->waiters && !b->waiters) || (!a->waiters == !b->waiters && a->place < b->place);
}

/* The next object to fetch; NULL: none, or no room for it now. */
static Object *next_object(Staging *s)
{
    Object *next = NULL;
    uint64_t held = 0;

    if (s->needs_room)
        return s->needs_room->state == OBJECT_WANTED && room_is_made(s, s->needs_room) ? s->needs_room : NULL;
    for (size_t i = 0; i < s->n; i++) {
        Object *o = s->object[i];
        if (o->state == OBJECT_COMING || o->state == OBJECT_HERE) held += o->size;
        if (o->state == OBJECT_WANTED && (o->place != SIZE_MAX || o->waiters) && is_before(o, next)) next = o;
    }
    if (!next || next->waiters || next->place == 0) return next;
    return s->max_bytes && (next->size > s->max_bytes || held > s->max_bytes - next->size) ? NULL : next;
}

/* What stood there beside `o` when the disk was too full for it is all that is fetched ahead from now on. */
static void learn_room(Staging *s, const Object *o)
{
    uint64_t beside = 0;

    for (size_t i = 0; i < s->n; i++)
        if (s->object[i]->state == OBJECT_COMING || s->object[i]->state == OBJECT_HERE) beside += s->object[i]->size;
    if (s->max_bytes && beside >= s->max_bytes) return;
    s->max_bytes = beside ? beside : 1;
    log_debug("no room for %s beside %" PRIu64 " bytes: fewer are fetched ahead", o->local, beside);
}

static void *work(void *arg)
{
    Staging *s = arg;

    web_cancel_by(&s->stop);
    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stop)) {
        Object *o = next_object(s);
        Err err = {0};
        bool disk_full;
        if (!o) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        o->state = OBJECT_COMING;
        o->alone &= s->needs_room == o;
        pthread_mutex_unlock(&s->lock);
        ErrCode rc = fetch(o, &disk_full, &err);
        pthread_mutex_lock(&s->lock);
        o->state = rc == ERR_OK ? OBJECT_HERE : OBJECT_FAILED;
        o->rc = rc;
        o->err = err;
        o->disk_full = disk_full;
        if (s->needs_room == o) s->needs_room = NULL;
        if (rc != ERR_OK && disk_full) learn_room(s, o);
        tidy(s);
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Signals are the other threads'. */
static ErrCode start_threads(Staging *s, uint32_t n, Err *err)
{
    sigset_t all, before;
    int failed = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (s->n_threads < n && (failed = pthread_create(&s->thread[s->n_threads], NULL, work, s)) == 0)
        s->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    return s->n_threads ? ERR_OK : err_sys(err, "cannot start a thread");
}

ErrCode staging_open(Staging **out, const StagingParams *params, Err *err)
{
    const char *dir = store_local_dir(params->dir);
    uint32_t depth = params->depth < 1 ? 1 : params->depth > STAGING_MAX_DEPTH ? STAGING_MAX_DEPTH : params->depth;
    ErrCode rc;

    *out = NULL;
    if (params->dir && store_is_remote(params->dir))
        return err_set(err, ERR_USAGE, "%s: objects are staged to a directory of this machine", params->dir);
    if ((rc = store_mkdirs(dir, err)) != ERR_OK || (rc = store_sweep(dir, 0, err)) != ERR_OK) return rc;
    Staging *s = calloc(1, sizeof *s);
    if (!s || !(s->dir = strdup(dir))) {
        free(s);
        return err_nomem(err, "staging");
    }
    s->max_bytes = params->max_bytes;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if ((rc = start_threads(s, depth, err)) == ERR_OK)
        *out = s;
    else
        staging_close(s);
    return rc;
}

void staging_close(Staging *s)
{
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->stop, true);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < s->n_threads; i++) pthread_join(s->thread[i], NULL);
    while (s->n) remove_at(s, s->n - 1);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s->dir);
    free(s);
}

/* --- readers */

static Object *find(const Staging *s, const char *path)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->object[i]->path, path) == 0) return s->object[i];
    return NULL;
}

static ErrCode add(Staging *s, const StagingObject *wanted, Object **out, Err *err)
{
    size_t dir_n = strlen(s->dir), n = dir_n + STORE_TMP_SUFFIX + 40;
    Object *o = calloc(1, sizeof *o);

    if (s->n == MAX_OBJECTS) {
        free(o);
        return err_set(err, ERR_LIMIT, "more than %d objects staged", MAX_OBJECTS);
    }
    if (!o || !(o->path = strdup(wanted->path)) || !(o->local = malloc(n))) {
        if (o) free(o->path);
        free(o);
        return err_nomem(err, "staging");
    }
    memcpy(o->local, s->dir, dir_n + 1);
    o->dir_n = dir_n;
    o->size = wanted->size;
    o->fd = -1;
    *out = s->object[s->n++] = o;
    return ERR_OK;
}

ErrCode staging_expect(Staging *s, const StagingObject *object, size_t n, Err *err)
{
    ErrCode rc = ERR_OK;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n; i++) s->object[i]->place = SIZE_MAX;
    for (size_t i = 0; i < n; i++) { /* those that stay, before those that are new: there is room for both */
        Object *o = find(s, object[i].path);
        if (o) o->place = i;
    }
    tidy(s);
    for (size_t i = 0; i < n && rc == ERR_OK; i++) {
        Object *o = find(s, object[i].path);
        if (!o) rc = add(s, &object[i], &o, err);
        if (rc == ERR_OK) o->place = i;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* The disk was too full for `o`, and it was not alone there: it gets room, and what others read goes on first if even so it failed. */
static void want_room(Staging *s, Object *o, bool *asked)
{
    o->patient = *asked;
    *asked = true;
    o->state = OBJECT_WANTED;
    s->needs_room = o;
    pthread_cond_broadcast(&s->changed);
}

static void wait_a_second(Staging *s)
{
    struct timespec soon;

    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec++;
    pthread_cond_timedwait(&s->changed, &s->lock, &soon);
}

/* Until it is here or will not come. The lock is held. */
static ErrCode await(Staging *s, Object *o, Err *err)
{
    bool asked = false;

    while (o->state != OBJECT_HERE) {
        bool full = o->state == OBJECT_FAILED && o->disk_full && !o->alone;
        if (interrupt_seen())
            return err_set(err, ERR_INTR, "interrupted; a rerun continues after the finished parts");
        if (full && !s->needs_room) {
            want_room(s, o, &asked);
        } else if (o->state == OBJECT_FAILED && !full) {
            if (err) *err = o->err;
            return o->rc;
        } else {
            wait_a_second(s);
        }
    }
    return ERR_OK;
}

ErrCode staging_take(Staging *s, const char *path, const char **local, Err *err)
{
    ErrCode rc = ERR_OK;

    pthread_mutex_lock(&s->lock);
    Object *o = find(s, path);
    if (!o) {
        rc = err_set(err, ERR_LIMIT, "%.*s is read and was not expected", fetch_shown(path), path);
        goto out;
    }
    o->waiters++;
    pthread_cond_broadcast(&s->changed);
    rc = await(s, o, err);
    o->waiters--;
    if (s->needs_room == o && !o->waiters) s->needs_room = NULL;
    if (rc == ERR_OK) {
        o->users++;
        *local = o->local;
    }
out:
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void staging_done(Staging *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    Object *o = find(s, path);
    if (o && o->users) o->users--;
    tidy(s);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

#else

ErrCode staging_open(Staging **s, const StagingParams *params, Err *err)
{
    (void)params;
    *s = NULL;
    return err_set(err, ERR_SYS, "built without libcurl, which remote inputs need");
}
void staging_close(Staging *s) { (void)s; }
ErrCode staging_expect(Staging *s, const StagingObject *object, size_t n, Err *err)
{
    (void)s, (void)object, (void)n, (void)err;
    return ERR_OK;
}
ErrCode staging_take(Staging *s, const char *path, const char **local, Err *err)
{
    (void)s, (void)path, (void)local, (void)err;
    return ERR_OK;
}
void staging_done(Staging *s, const char *path) { (void)s, (void)path; }

#endif
