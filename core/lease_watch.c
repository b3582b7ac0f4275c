/* Watching leases: what is in the directory, who of the holders lives, and taking over from the dead. */
#include "core/hash.h"
#include "core/json.h"
#include "core/lease_files.h"
#include "core/log.h"
#include "core/store_tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- the directory */

/* "part-%06u", then nothing, ".again", ".damaged", ".PROCESS.lost" or ".PROCESS.crashN"; anything else is no name of ours. */
static bool parse_part(const char *name, LeasePart *p)
{
    Span s = span_str(name), number;
    uint64_t part;

    *p = (LeasePart){0};
    if (!span_starts(s, SPAN_LIT("part-"))) return false;
    s = span_from(s, 5);
    number = span(s.p, span_find(s, '.'));
    if (number.n < 6 || !span_to_u64(number, &part) || part >= LEASE_NO_PART) return false;
    p->part = (uint32_t)part;
    if (number.n == s.n) {
        p->held = true;
        return true;
    }
    p->again = span_is(span_from(s, number.n), ".again");
    p->damaged = span_is(span_from(s, number.n), ".damaged");
    const char *how = strrchr(name, '.');
    p->n_lost = strcmp(how, ".lost") == 0;
    p->n_crashed = strncmp(how, ".crash", 6) == 0 && ascii_is_digit((uint8_t)how[6]);
    if (p->n_lost || p->n_crashed) p->record = name;
    return p->again || p->damaged || p->record;
}

static int by_part(const void *pa, const void *pb)
{
    const LeasePart *a = pa, *b = pb;

    return (a->part > b->part) - (a->part < b->part);
}

static void add_up(LeaseScan *s)
{
    size_t n = 0;

    if (s->n_parts) qsort(s->part, s->n_parts, sizeof *s->part, by_part);
    for (size_t i = 0; i < s->n_parts; i++) {
        LeasePart p = s->part[i], *q = n ? &s->part[n - 1] : NULL;
        if (!q || q->part != p.part) {
            s->part[n++] = p;
            continue;
        }
        q->held |= p.held;
        q->again |= p.again;
        q->damaged |= p.damaged;
        q->n_crashed += p.n_crashed;
        q->n_lost += p.n_lost;
        if (p.record) q->record = p.record;
    }
    s->n_parts = n;
}

ErrCode leases_scan(const char *dir, LeaseScan *out, Err *err)
{
    enum { LIST_TRIES = 8 };
    char path[LEASE_PATH];
    bool there = false;
    ErrCode rc;

    *out = (LeaseScan){0};
    if (!lease_path(path, dir, "")) return err_set(err, ERR_LIMIT, "path too long: %.300s", dir);
    if (strstr(dir, "://")) return ERR_OK;
    if ((rc = store_is_dir(path, &there, err)) != ERR_OK || !there) return rc;
    for (int tries = 0; (rc = store_list(path, &out->list, err)) != ERR_OK; tries++) {
        if (store_is_dir(path, &there, NULL) == ERR_OK && !there) return ERR_OK; /* the last process has just left */
        if (tries == LIST_TRIES) return rc;                                      /* else another has come since */
    }
    out->part = arena_array(&out->list.arena, out->list.n, sizeof *out->part);
    out->process = arena_array(&out->list.arena, out->list.n, sizeof *out->process);
    if (!out->part || !out->process) {
        leasescan_clear(out);
        return err_nomem(err, "a list of leases");
    }
    for (size_t i = 0; i < out->list.n; i++) {
        const char *name = out->list.name[i];
        if (parse_part(name, &out->part[out->n_parts]))
            out->n_parts++;
        else if (strncmp(name, "part-", 5) != 0)
            out->process[out->n_processes++] = name;
    }
    add_up(out);
    return ERR_OK;
}

void leasescan_clear(LeaseScan *s)
{
    storelist_clear(&s->list);
    *s = (LeaseScan){0};
}

uint32_t leasepart_points(const LeasePart *p) { return LEASE_POINTS_CRASH * p->n_crashed + p->n_lost; }

/* --- reading */

void lease_read_small(const char *path, char *text, size_t cap, size_t *n)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t got = -1;

    if (fd >= 0) {
        do got = read(fd, text, cap - 1);
        while (got < 0 && errno == EINTR);
        close(fd);
    }
    *n = got > 0 ? (size_t)got : 0;
    text[*n] = 0;
}

void lease_put_text(char *out, size_t cap, Span s)
{
    size_t n = s.n < cap - 1 ? s.n : cap - 1;

    for (size_t i = 0; i < n; i++) out[i] = s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : (char)s.p[i];
    out[n] = 0;
}

static void get_text(char *out, size_t cap, const Json *root, const char *key)
{
    const Json *j = json_get(root, key);

    lease_put_text(out, cap, j && j->type == JSON_STRING ? j->string : (Span){NULL, 0});
}

static bool parse_process(Span line, LeaseProcess *p)
{
    Arena a = {0};
    Json *root;
    bool ok = json_parse(&a, line, "a process", &root, NULL) == ERR_OK;
    static const char *const names[] = {"pid", "beat", "parts", "docs", "bytes", "weight"};
    uint64_t *const values[] = {&p->pid, &p->beat, &p->n_parts, &p->n_docs, &p->bytes, &p->weight};

    *p = (LeaseProcess){0};
    for (size_t i = 0; ok && i < sizeof names / sizeof *names; i++)
        ok = json_get_u64(root, names[i], 0, "", values[i], NULL) == ERR_OK;
    ok = ok && json_get_f64(root, "elapsed_s", 0, "", &p->elapsed_s, NULL) == ERR_OK &&
         json_get_f64(root, "part_s", 0, "", &p->part_s, NULL) == ERR_OK &&
         json_get_f64(root, "expiry_s", 0, "", &p->expiry_s, NULL) == ERR_OK;
    if (!(p->expiry_s >= 0 && p->expiry_s <= LEASE_MOST_SECONDS)) p->expiry_s = 0;
    if (ok) {
        get_text(p->host, sizeof p->host, root, "host");
        get_text(p->stage, sizeof p->stage, root, "stage");
        get_text(p->role, sizeof p->role, root, "role");
    } else {
        *p = (LeaseProcess){0};
    }
    arena_clear(&a);
    return ok;
}

ErrCode lease_process_read(const char *dir, const char *name, LeaseProcess *p, bool *found, Err *err)
{
    char path[LEASE_PATH], text[2 * LEASE_LINE];
    size_t n;

    *p = (LeaseProcess){0};
    *found = false;
    if (!lease_path(path, dir, name)) return err_set(err, ERR_LIMIT, "path too long: %.300s", dir);
    lease_read_small(path, text, sizeof text, &n);
    *found = n && parse_process(span(text, n), p);
    return ERR_OK;
}

/* "PROCESS SECONDS INPUT" */
static bool parse_holder(Span text, LeaseHolder *h)
{
    size_t name = span_find(text, ' ');
    Span rest = span_from(text, name + 1);
    size_t number = span_find(rest, ' ');
    char seconds[32];
    bool ok = name > 0 && name < sizeof h->process;

    *h = (LeaseHolder){.process = ""};
    for (size_t i = 0; ok && i < name; i++)
        ok = ascii_is_alnum(text.p[i]) || text.p[i] == '.' || text.p[i] == '-' || text.p[i] == '_';
    if (!ok) return false;
    lease_put_text(h->process, sizeof h->process, span(text.p, name));
    lease_put_text(seconds, sizeof seconds, span(rest.p, number));
    h->claimed_s = strtod(seconds, NULL);
    if (!(h->claimed_s >= 0 && h->claimed_s < 1e12)) h->claimed_s = 0;
    lease_put_text(h->input, sizeof h->input, span_from(rest, number + 1));
    return true;
}

ErrCode lease_holder_read(const char *dir, const char *file, LeaseHolder *h, bool *found, Err *err)
{
    char path[LEASE_PATH], text[2 * LEASE_LINE];
    size_t n;

    *h = (LeaseHolder){.process = ""};
    *found = false;
    if (!lease_path(path, dir, file)) return err_set(err, ERR_LIMIT, "path too long: %.300s", dir);
    lease_read_small(path, text, sizeof text, &n);
    *found = n && parse_holder(span(text, n), h);
    return ERR_OK;
}

/* --- who lives */

double lease_process_expiry(const LeaseProcess *p)
{
    double own = lease_seconds();

    return p->expiry_s > own ? p->expiry_s : own;
}

HolderState lease_process_state(const char *dir, const char *process)
{
    char path[LEASE_PATH];
    HolderState state = HOLDER_UNKNOWN;

    if (!lease_is_here(process) || !lease_path(path, dir, process)) return HOLDER_UNKNOWN;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* NFS locks only what may be written */
    if (fd < 0 && errno != ENOENT) fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? HOLDER_DEAD : HOLDER_UNKNOWN;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        state = HOLDER_DEAD;
    else if (errno == EWOULDBLOCK)
        state = HOLDER_ALIVE;
    close(fd);
    return state;
}

ErrCode lease_sweep(const char *dir, Err *err)
{
    char path[LEASE_PATH];
    LeaseScan scan;
    ErrCode rc = leases_scan(dir, &scan, err);

    for (size_t i = 0; i < scan.n_processes; i++) {
        if (!lease_is_here(scan.process[i]) || !lease_path(path, dir, scan.process[i])) continue;
        int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && store_tmp_is(path, fd)) (void)unlink(path);
        close(fd); /* the lock to the end: who makes the file now waits for it */
    }
    leasescan_clear(&scan);
    return rc;
}

static LeaseWatch *watch_of(Leases *l, uint32_t part, bool again)
{
    for (size_t i = 0; i < l->n_watch; i++)
        if (l->watch[i].part == part && l->watch[i].again == again) return &l->watch[i];
    LeaseWatch *grown = array_grow(l->watch, l->n_watch, &l->cap_watch, sizeof *grown);
    if (!grown) return NULL;
    l->watch = grown;
    grown[l->n_watch] = (LeaseWatch){.part = part, .again = again};
    return &grown[l->n_watch++];
}

/* Another holder is another lease; the same holder's line has to change. That it is gone is no sign of life: who buries a process
 * removes it. */
static void note(LeaseWatch *w, const char *process, uint64_t what, double now)
{
    if (!w->process[0] || strcmp(w->process, process) != 0) {
        *w = (LeaseWatch){.part = w->part, .again = w->again, .what = what, .first = now, .last = now};
        snprintf(w->process, sizeof w->process, "%s", process);
    } else if (what && w->what != what) {
        w->what = what;
        w->last = now;
        w->changed = true;
    }
}

ErrCode lease_look(Leases *l, uint32_t part, bool again, LeaseLook *out, Err *err)
{
    char path[LEASE_PATH], text[2 * LEASE_LINE], line[2 * LEASE_LINE];
    double now = clock_seconds();
    LeaseHolder h;
    struct stat st;
    size_t n, n_line = 0;

    *out = (LeaseLook){.state = HOLDER_UNKNOWN};
    if (!lease_part_path(path, l->dir, part, again ? ".again" : ""))
        return err_set(err, ERR_LIMIT, "path too long: %.300s", l->dir);
    lease_read_small(path, text, sizeof text, &n);
    out->gone = n == 0 && lstat(path, &st) != 0 && errno == ENOENT;
    if (out->gone) return ERR_OK;
    if (!parse_holder(span(text, n), &h))
        h = (LeaseHolder){.process = "?"}; /* killed before it wrote; not for long */
    if (strcmp(h.process, l->name) == 0 &&
        !lease_is_held(l, part)) { /* a claim whose answer was lost on the way (NFS) */
        out->gone = unlink(path) == 0;
        if (out->gone) return ERR_OK;
    }
    if (lease_path(path, l->dir, h.process)) lease_read_small(path, line, sizeof line, &n_line);
    if (n_line) (void)parse_process(span(line, n_line), &out->process);
    LeaseWatch *w = watch_of(l, part, again);
    if (!w) return err_nomem(err, "a lease");
    note(w, h.process, n_line ? hash64(span(text, n)) + mix64(hash64(span(line, n_line))) : 0, now);
    if (out->process.expiry_s > w->expiry) w->expiry = out->process.expiry_s;
    out->held_s = now - w->first;
    out->state = lease_process_state(l->dir, h.process);
    double patience = h.process[0] == '?' ? LEASE_EMPTY_SECONDS : l->expiry > w->expiry ? l->expiry : w->expiry;
    if (now - w->last >= patience) out->state = HOLDER_DEAD; /* a process that is stopped keeps its lock */
    if (out->state == HOLDER_UNKNOWN && w->changed) out->state = HOLDER_ALIVE;
    return ERR_OK;
}

/* --- taking over */

static bool has_crashed(const LeaseScan *scan, const char *process)
{
    size_t n = strlen(process);

    for (size_t i = 0; i < scan->list.n; i++) {
        const char *name = scan->list.name[i], *at = strstr(name, process);
        if (strncmp(name, "part-", 5) == 0 && at && strncmp(at + n, ".crash", 6) == 0) return true;
    }
    return false;
}

ErrCode lease_bury(Leases *l, uint32_t part, bool again, const LeaseScan *scan, Err *err)
{
    char lease[LEASE_PATH], record[LEASE_PATH], suffix[160];
    const LeaseWatch *w = watch_of(l, part, again);
    LeaseHolder h = {.process = ""};
    bool found;
    ErrCode rc;

    if (!w) return err_nomem(err, "a lease");
    snprintf(suffix, sizeof suffix, ".%s.lost", w->process);
    if (!lease_part_path(lease, l->dir, part, again ? ".again" : "") ||
        !lease_part_path(record, l->dir, part, suffix))
        return err_set(err, ERR_LIMIT, "path too long: %.300s", l->dir);
    /* Somebody else may have buried it since, and the part be claimed anew. Between this look and the next step it may too: then
     * two processes do the part. */
    if ((rc = lease_holder_read(l->dir, path_base(lease), &h, &found, err)) != ERR_OK) return rc;
    if (strcmp(found ? h.process : "?", w->process) != 0) return ERR_OK;
    bool counts = found && !has_crashed(scan, w->process);
    if ((counts ? rename(lease, record) : unlink(lease)) != 0 && errno != ENOENT)
        return err_sys(err, "cannot take over %s", lease);
    if (found && strncmp(w->process, "part-", 5) != 0 && lease_path(lease, l->dir, w->process))
        (void)unlink(lease); /* should it live after all, it makes another */
    log_debug("part %" PRIu32 ": its holder %s is gone", part, w->process);
    return ERR_OK;
}

ErrCode leases_anybody(const char *dir, char name[128], bool *yes, Err *err)
{
    double begin = clock_seconds();
    uint64_t *beat = NULL;
    LeaseScan scan;
    bool open = true;
    ErrCode rc = leases_scan(dir, &scan, err);

    *yes = false;
    if (rc != ERR_OK) return rc;
    if (!(beat = calloc(scan.n_processes + 1, sizeof *beat))) rc = err_nomem(err, "a list of processes");
    for (int round = 0; rc == ERR_OK && open && !*yes; round++) {
        open = false;
        for (size_t i = 0; i < scan.n_processes && !*yes; i++) {
            LeaseProcess p;
            bool found;
            HolderState state = lease_process_state(dir, scan.process[i]);
            if ((rc = lease_process_read(dir, scan.process[i], &p, &found, err)) != ERR_OK) break;
            if (state == HOLDER_UNKNOWN && found && round && p.beat != beat[i]) state = HOLDER_ALIVE;
            beat[i] = p.beat;
            open |= state == HOLDER_UNKNOWN && found && clock_seconds() - begin < lease_process_expiry(&p);
            *yes = state == HOLDER_ALIVE;
            if (*yes) snprintf(name, 128, "%s", scan.process[i]);
        }
        if (open && round == 0)
            log_info("%s: %s may still work here; looking for its heartbeat", dir, scan.process[0]);
        if (open && interrupt_seen()) rc = err_set(err, ERR_INTR, "interrupted");
        if (open) nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
    free(beat);
    leasescan_clear(&scan);
    return rc;
}

ErrCode leases_forget(const char *dir, Err *err)
{
    char path[LEASE_PATH];
    LeaseScan scan;
    ErrCode rc = leases_scan(dir, &scan, err);

    for (size_t i = 0; rc == ERR_OK && i < scan.list.n; i++) {
        LeasePart p;
        if (parse_part(scan.list.name[i], &p) && (p.record || p.damaged) && lease_path(path, dir, scan.list.name[i]))
            rc = store_delete(path, err);
    }
    leasescan_clear(&scan);
    return rc;
}

ErrCode leases_delete(const char *dir, Err *err)
{
    char path[LEASE_PATH];

    if (strstr(dir, "://")) return ERR_OK;
    if (snprintf(path, sizeof path, "%s/" LEASE_DIR, dir) >= (int)sizeof path)
        return err_set(err, ERR_LIMIT, "path too long: %.300s", dir);
    return store_delete_tree(path, 0, err);
}
