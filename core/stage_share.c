#include "core/stage_share.h"

#include "core/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SHARE_LOOKS = 64,       /* leases examined in one round: each costs two small reads */
    SHARE_SLOW = 3,         /* a straggler holds a part this many times longer than one of its weight takes */
    SHARE_STAT_PARTS = 256, /* up to here unfinished parts are looked at one by one, beyond the directory is listed */
    SHARE_MAX_NAMED = 4     /* parts set aside that the closing line names */
};

/* What is known of a part. */
enum {
    PART_DONE = 1,
    PART_MINE = 2,     /* of this worker's share */
    PART_TAKEN = 4,    /* in the latest scan somebody holds its lease */
    PART_AGAIN = 8,    /* … or its second one */
    PART_SUSPECT = 16, /* an attempt died */
    PART_ASIDE = 32,   /* too many did */
    PART_FREED = 64,   /* its holder is dead, as we found */
    PART_DAMAGED = 128 /* its input is */
};
/* Nobody does these. */
enum { PART_LEFT = PART_ASIDE | PART_DAMAGED };

struct Share {
    const StageJob *job;
    Hash128 key;
    Arena arena;
    DatasetPlan plan;
    Leases *leases;
    uint8_t *state;
    uint32_t n_parts, first; /* first: where this worker begins to steal */
    uint32_t *queue, n_queue, at;
    bool again;          /* the queue is a straggler's part */
    bool claimed;        /* something of the queue was ours */
    bool rescanned;      /* at once, after something was found free */
    bool stealing, free; /* past its own share; may take what is nobody's */
    bool waits;          /* until all is done */
    LeaseScan scan;
    Err damage;       /* the first that we met */
    uint32_t damaged; /* … and its part */
    uint32_t n_reused, n_done, n_todo;
    uint64_t todo_bytes;
    double waited_since; /* 0: not waiting */
};

/* --- the split */

static uint64_t part_bytes(const StageJob *job, uint32_t part)
{
    uint32_t ds, local;

    if (!job->set) return job->source->part_bytes(job->source->ctx, part);
    datasetset_locate(job->set, part, &ds, &local);
    return dataset_part(datasetset_at(job->set, ds), local)->text_bytes;
}

static ErrCode mark_mine(Share *s, uint64_t me, uint64_t n_workers, Err *err)
{
    uint32_t *owner = malloc((s->n_parts + (size_t)1) * sizeof *owner);
    uint64_t *bytes = malloc((s->n_parts + (size_t)1) * sizeof *bytes);
    ErrCode rc = owner && bytes ? ERR_OK : err_nomem(err, "the list of parts");

    for (uint32_t i = 0; rc == ERR_OK && i < s->n_parts; i++) bytes[i] = part_bytes(s->job, i);
    if (rc == ERR_OK) rc = share_split(owner, bytes, s->n_parts, n_workers, err);
    for (uint32_t i = 0; rc == ERR_OK && i < s->n_parts; i++)
        if (owner[i] == me) s->state[i] |= PART_MINE;
    free(owner);
    free(bytes);
    return rc;
}

/* --- what is done */

/* Whether the part is there with our key. */
static ErrCode is_done(const Share *s, uint32_t part, bool *done, Err *err)
{
    Arena scratch = {0};
    Receipt r = {0};
    Span line;
    ErrCode rc = receipt_load(&scratch, s->job->out_dir, &s->plan, part, &r, &line, done, err);

    *done = rc == ERR_OK && *done && hash128_eq(r.key, s->key);
    receipt_clear(&r);
    arena_clear(&scratch);
    return rc;
}

/* Parts of the share that are there are ours by their receipts; others' are believed by their names, which costs no open. */
static ErrCode mark_done_mine(Share *s, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < s->n_parts && rc == ERR_OK; i++) {
        bool done;
        if (!(s->state[i] & PART_MINE)) continue;
        if ((rc = is_done(s, i, &done, err)) != ERR_OK) break;
        if (done)
            s->state[i] |= PART_DONE, s->n_reused++;
        else
            s->todo_bytes += part_bytes(s->job, i), s->n_todo++;
    }
    return rc;
}

static ErrCode mark_done_listed(Share *s, Err *err)
{
    StoreList list;
    uint32_t part;
    ErrCode rc = store_list(s->job->out_dir, &list, err);

    for (size_t i = 0; rc == ERR_OK && i < list.n; i++)
        if (dataset_part_number(list.name[i], &s->plan, &part)) s->state[part] |= PART_DONE;
    storelist_clear(&list);
    return rc;
}

static ErrCode mark_done(Share *s, Err *err)
{
    uint32_t n_open = 0;
    char path[PATH_MAX];
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < s->n_parts; i++) n_open += !(s->state[i] & PART_DONE);
    if (n_open > SHARE_STAT_PARTS) return mark_done_listed(s, err);
    for (uint32_t i = 0; i < s->n_parts && rc == ERR_OK; i++) {
        bool there;
        if (s->state[i] & PART_DONE) continue;
        rc = dataset_part_path(path, s->job->out_dir, s->plan.kind, s->plan.stage, i, err);
        if (rc == ERR_OK) rc = store_exists(path, &there, err);
        if (rc == ERR_OK && there && !(s->state[i] & PART_MINE)) s->state[i] |= PART_DONE;
        if (rc == ERR_OK && there && (s->state[i] & PART_MINE)) {
            if ((rc = is_done(s, i, &there, err)) == ERR_OK && there) s->state[i] |= PART_DONE;
        }
    }
    return rc;
}

static ErrCode mark_leases(Share *s, Err *err)
{
    if (leases_off(s->leases)) return ERR_OK; /* nothing to see, and what we found out ourselves stands */
    leasescan_clear(&s->scan);
    ErrCode rc = leases_scan(s->job->out_dir, &s->scan, err);

    for (uint32_t i = 0; i < s->n_parts; i++)
        s->state[i] &= (uint8_t) ~(PART_TAKEN | PART_AGAIN | PART_SUSPECT | PART_LEFT);
    for (size_t i = 0; rc == ERR_OK && i < s->scan.n_parts; i++) {
        const LeasePart *p = &s->scan.part[i];
        if (p->part >= s->n_parts) continue;
        uint32_t points = leasepart_points(p);
        s->state[p->part] |=
            (uint8_t)((p->held ? PART_TAKEN : 0) | (p->again ? PART_AGAIN : 0) | (points ? PART_SUSPECT : 0) |
                      (points >= LEASE_MAX_POINTS ? PART_ASIDE : 0) | (p->damaged ? PART_DAMAGED : 0));
    }
    return rc;
}

uint32_t share_attempt(const Share *s, uint32_t part)
{
    for (size_t i = 0; i < s->scan.n_parts && s->scan.part[i].part <= part; i++)
        if (s->scan.part[i].part == part) return 1 + s->scan.part[i].n_crashed + s->scan.part[i].n_lost;
    return 1;
}

/* --- begin and end */

/* Between the claim of the directory and now another --force may have replaced the run. */
static ErrCode read_plan(Share *s, Err *err)
{
    ErrCode rc = plan_read(&s->arena, s->job->out_dir, &s->plan, err);

    if (rc != ERR_OK || (hash128_eq(s->plan.key, s->key) && s->plan.n_parts == s->n_parts)) return rc;
    return err_set(err, ERR_DATA, "%s: another job has just started here", s->job->out_dir);
}

ErrCode share_open(Share **out, const StageJob *job, const Par *par, Hash128 key, Err *err)
{
    Share *s = calloc(1, sizeof *s);
    uint64_t n_tasks = job->common->task.count ? job->common->task.count : 1, n_workers, me;
    char role[64] = "";
    ErrCode rc;

    *out = s;
    if (!s) return err_nomem(err, "the parts of a job");
    n_workers = n_tasks * (uint64_t)par->n_ranks;
    me = (uint64_t)job->common->task.index * (uint64_t)par->n_ranks + (uint64_t)par->rank;
    s->job = job;
    s->key = key;
    s->n_parts = job->set ? datasetset_n_parts(job->set) : job->source->n_parts;
    s->first = (uint32_t)((uint64_t)s->n_parts * me / n_workers);
    s->waits = n_tasks == 1;
    s->state = calloc(s->n_parts + 1, 1);
    s->queue = malloc((s->n_parts + (size_t)1) * sizeof *s->queue);
    if (!s->state || !s->queue) return err_nomem(err, "the parts of a job");
    if ((rc = mark_mine(s, me, n_workers, err)) != ERR_OK) return rc;
    if ((rc = read_plan(s, err)) != ERR_OK || (rc = mark_done_mine(s, err)) != ERR_OK) return rc;
    s->free = true;
    for (uint32_t i = 0; i < s->n_parts && n_tasks > 1; i++)
        if ((s->state[i] & (PART_MINE | PART_DONE)) == PART_MINE) s->free = false;
    if (par->n_ranks > 1) snprintf(role, sizeof role, "rank %d of %d", par->rank, par->n_ranks);
    if (n_tasks > 1)
        snprintf(role + strlen(role), sizeof role - strlen(role), "%stask %" PRIu32 "/%" PRIu32, *role ? ", " : "",
                 job->common->task.index, job->common->task.count);
    if ((rc = leases_open(&s->leases, job->out_dir, job->def->name, role, err)) != ERR_OK) return rc;
    if (leases_off(s->leases)) s->free = s->waits = false; /* nobody could tell what others are at */
    return mark_leases(s, err);
}

void share_close(Share *s)
{
    if (!s) return;
    leases_close(s->leases);
    leasescan_clear(&s->scan);
    arena_clear(&s->arena);
    free(s->state);
    free(s->queue);
    free(s);
}

uint32_t share_n_reused(const Share *s) { return s->n_reused; }
uint32_t share_n_done(const Share *s) { return s->n_done; }

uint32_t share_n_todo(const Share *s, uint64_t *bytes)
{
    *bytes = s->todo_bytes;
    return s->n_todo;
}

Leases *share_leases(Share *s) { return s->leases; }

/* --- rounds */

static bool may_take(const Share *s, uint8_t state)
{
    if (s->stealing && s->free) return true;
    return (state & PART_MINE) || (s->stealing && (state & (PART_SUSPECT | PART_FREED)));
}

/* Parts nobody holds: of the share in order, of others' from where we begin to steal, backwards, since holders go forwards. */
static void queue_clean(Share *s)
{
    for (uint32_t k = 0; k < s->n_parts; k++) {
        uint32_t i = s->stealing ? (s->first + s->n_parts - k) % s->n_parts : k;
        uint8_t state = s->state[i];
        if (state & (PART_DONE | PART_TAKEN | PART_SUSPECT | PART_LEFT)) continue;
        if (may_take(s, state)) s->queue[s->n_queue++] = i;
    }
}

static void queue_suspect(Share *s)
{
    for (uint32_t k = 0; k < s->n_parts && !s->n_queue; k++) {
        uint32_t i = (s->first + k) % s->n_parts;
        uint8_t state = s->state[i];
        if ((state & PART_SUSPECT) && !(state & (PART_DONE | PART_TAKEN | PART_LEFT)) && may_take(s, state))
            s->queue[s->n_queue++] = i;
    }
}

static void queue_free(Share *s)
{
    queue_clean(s);
    if (!s->n_queue) queue_suspect(s);
}

/* How long a part of this weight takes, by our own and the holder's finished ones; 0: unknown. */
static double expected_seconds(const Share *s, uint32_t part, const LeaseProcess *holder)
{
    uint64_t weight;
    double seconds;

    leases_pace(s->leases, &weight, &seconds);
    weight += holder->weight;
    seconds += holder->part_s;
    if (!weight || seconds < 0) return 0;
    return seconds * ((double)part_bytes(s->job, part) + 1) / (double)weight;
}

/* What examining the leases of unfinished parts brought. */
typedef struct {
    bool freed, unknown; /* some part is free now; some holder may be dead */
} Looked;

static ErrCode look_at_lease(Share *s, uint32_t part, bool again, Looked *found, Err *err)
{
    double expiry = lease_seconds();
    LeaseLook look;
    ErrCode rc = lease_look(s->leases, part, again, &look, err);

    if (rc != ERR_OK) return rc;
    if (look.gone) {
        s->state[part] &= (uint8_t) ~(again ? PART_AGAIN : PART_TAKEN);
        found->freed |= !again;
    } else if (look.state == HOLDER_DEAD) {
        rc = lease_bury(s->leases, part, again, &s->scan, err);
        s->state[part] |= PART_FREED;
        found->freed = true;
    } else if (look.state == HOLDER_UNKNOWN) {
        found->unknown = true;
    } else if (!again && s->waits && !(s->state[part] & PART_AGAIN) && !s->n_queue) {
        double takes = expected_seconds(s, part, &look.process);
        if (look.held_s > SHARE_SLOW * (takes > 0 ? takes : SHARE_SLOW * expiry) + expiry) {
            s->queue[s->n_queue++] = part;
            s->again = true;
        }
    }
    return rc;
}

static ErrCode look_at_leases(Share *s, Looked *found, Err *err)
{
    uint32_t n_looks = 0;
    ErrCode rc = ERR_OK;

    *found = (Looked){0};
    for (uint32_t k = 0; k < s->n_parts && n_looks < SHARE_LOOKS && rc == ERR_OK; k++) {
        uint32_t i = (s->first + k) % s->n_parts;
        if (s->state[i] & (PART_DONE | PART_LEFT)) continue;
        if (s->state[i] & PART_AGAIN) rc = look_at_lease(s, i, true, found, err), n_looks++;
        if (rc == ERR_OK && (s->state[i] & PART_TAKEN)) rc = look_at_lease(s, i, false, found, err), n_looks++;
    }
    if (found->freed) s->n_queue = 0, s->again = false; /* first what is free */
    return rc;
}

static bool any_left(const Share *s)
{
    for (uint32_t i = 0; i < s->n_parts; i++)
        if (!(s->state[i] & (PART_DONE | PART_LEFT))) return true;
    return false;
}

static ErrCode interrupted(Err *err)
{
    return err_set(err, ERR_INTR, "interrupted; a rerun continues after the finished parts");
}

/* Longer, the longer we have waited: up to an eighth of it, at most a twelfth of the expiry. */
static ErrCode wait_for_others(Share *s, Err *err)
{
    double now = clock_seconds(), most = lease_seconds() / 12, wait;

    s->rescanned = false;
    if (s->waited_since == 0) s->waited_since = now;
    wait = (now - s->waited_since) / 8;
    wait = wait < 0.01 ? 0.01 : wait > most ? most : wait;
    for (double until = now + wait; now < until; now = clock_seconds()) {
        double left = until - now < 0.2 ? until - now : 0.2;
        if (interrupt_seen()) return interrupted(err);
        nanosleep(&(struct timespec){.tv_nsec = (long)(left * 1e9)}, NULL);
    }
    return ERR_OK;
}

/* Beyond the own share: *end when nothing is left to wait for. A listing may be behind (NFS), so that what it shows is gone and what is
 * there it does not show: the look at the lease and its claim decide, and none of this goes round without waiting. */
static ErrCode look_around(Share *s, bool *end, Err *err)
{
    Looked found;
    ErrCode rc;

    *end = !any_left(s);
    if (*end) return ERR_OK;
    if (interrupt_seen()) return interrupted(err);
    if ((rc = mark_leases(s, err)) != ERR_OK || (rc = mark_done(s, err)) != ERR_OK) return rc;
    queue_free(s);
    if (s->n_queue) return ERR_OK;
    if ((rc = look_at_leases(s, &found, err)) != ERR_OK) return rc;
    if (found.freed) queue_free(s);
    if (s->n_queue) return ERR_OK;
    if (found.freed && !s->rescanned) {
        s->rescanned = true;
        return ERR_OK;
    }
    *end = !any_left(s) || (!s->waits && !found.unknown && !found.freed);
    return *end ? ERR_OK : wait_for_others(s, err);
}

ErrCode share_round(Share *s, bool *more, Err *err)
{
    bool end = false, in_vain = s->stealing && s->n_queue && !s->claimed;
    ErrCode rc = ERR_OK;

    s->n_queue = s->at = 0;
    s->again = s->claimed = false;
    if (in_vain) rc = wait_for_others(s, err);
    if (!s->stealing) queue_clean(s);
    if (!s->n_queue) s->stealing = true;
    while (rc == ERR_OK && !s->n_queue && !end) rc = look_around(s, &end, err);
    *more = rc == ERR_OK && s->n_queue > 0;
    return rc;
}

/* --- one part */

static void input_name(const Share *s, uint32_t part, char *out, size_t cap)
{
    Buf b = {0};
    uint32_t ds, local;

    if (s->job->set) {
        datasetset_locate(s->job->set, part, &ds, &local);
        buf_printf(&b, "%s part %" PRIu32, dataset_dir(datasetset_at(s->job->set, ds)), local);
    } else if (s->job->source->part_name) {
        s->job->source->part_name(s->job->source->ctx, part, &b);
    }
    const char *name = buf_cstr(&b);
    snprintf(out, cap, "%s", name ? name : "");
    buf_clear(&b);
}

/* What others have made of a part of ours since we looked: who did it, or found it damaged, has released the lease afterwards. */
static ErrCode look_once_more(Share *s, uint32_t part, bool *settled, Err *err)
{
    LeaseDamage d;
    ErrCode rc = is_done(s, part, settled, err);

    if (rc != ERR_OK || *settled) {
        if (*settled) s->state[part] |= PART_DONE;
        return rc;
    }
    if (leases_off(s->leases)) return ERR_OK;
    if ((rc = lease_damage_read(s->job->out_dir, part, &d, settled, err)) != ERR_OK) return rc;
    if (*settled) s->state[part] |= PART_DAMAGED;
    return ERR_OK;
}

ErrCode share_next(Share *s, uint32_t *part, bool *got, Err *err)
{
    char input[400];
    bool settled;
    ErrCode rc;

    for (*got = false; s->at < s->n_queue;) {
        *part = s->queue[s->at++];
        input_name(s, *part, input, sizeof input);
        if ((rc = lease_claim(s->leases, *part, s->again, input, got, err)) != ERR_OK) return rc;
        if (!*got) { /* others were faster */
            s->state[*part] |= s->again ? PART_AGAIN : PART_TAKEN;
            continue;
        }
        s->claimed = true;
        s->waited_since = 0;
        if ((rc = look_once_more(s, *part, &settled, err)) == ERR_OK && !settled) return ERR_OK;
        lease_release(s->leases, *part, settled);
        *got = false;
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

const uint32_t *share_ahead(const Share *s, size_t *n)
{
    *n = s->n_queue - s->at;
    return s->queue + s->at;
}

/* Of a straggler's part the first lease goes too when the part is damaged: what it still reads is in vain. */
void share_leave(Share *s, uint32_t part, bool done, double seconds)
{
    lease_release(s->leases, part, done || (s->state[part] & PART_DAMAGED));
    if (!done) return;
    s->state[part] |= PART_DONE;
    s->n_done++;
    leases_count_part(s->leases, part_bytes(s->job, part) + 1, seconds);
}

ErrCode share_damaged(Share *s, uint32_t part, uint64_t stamp, const Err *why, Err *err)
{
    LeaseDamage d = {.stamp = stamp};

    input_name(s, part, d.input, sizeof d.input);
    snprintf(d.message, sizeof d.message, "%s", why->msg);
    log_warn("%s: part %" PRIu32 " (%.200s) is damaged: %s", s->job->def->name, part, d.input, why->msg);
    if (!s->damage.code) s->damage = *why, s->damaged = part;
    s->state[part] |= PART_DAMAGED;
    return lease_damage_put(s->leases, part, &d, err);
}

bool share_lost(Share *s, uint32_t part) { return lease_lost(s->leases, part); }

/* Appends the unfinished parts of this process' concern that are in this state, "7 (crawl/a.gz), 9 (crawl/b.gz)"; *first of them. */
static uint32_t list_parts(const Share *s, uint8_t what, uint32_t *first, Buf *b)
{
    char input[400];
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->n_parts; i++) {
        const uint8_t state = s->state[i];
        if (!(state & what) || (state & PART_DONE) || !(s->free || (state & PART_MINE))) continue;
        if (n == 0) *first = i;
        if (n++ >= SHARE_MAX_NAMED) continue;
        input_name(s, i, input, sizeof input);
        buf_printf(b, "%s%" PRIu32 " (%.70s)", n > 1 ? ", " : "", i, input);
    }
    if (n > SHARE_MAX_NAMED) buf_puts(b, ", …");
    return n;
}

/* The first message of a damaged part, which another process may have met. */
static ErrCode put_damage(const Share *s, uint32_t part, Buf *b, Err *err)
{
    LeaseDamage d = {.message = ""};
    bool found = false;
    ErrCode rc = leases_off(s->leases) ? ERR_OK : lease_damage_read(s->job->out_dir, part, &d, &found, err);

    if (!found && part == s->damaged) snprintf(d.message, sizeof d.message, "%s", s->damage.msg);
    if (d.message[0]) buf_printf(b, "; part %" PRIu32 ": %.280s", part, d.message);
    return rc;
}

ErrCode share_verdict(Share *s, Err *err)
{
    Buf text = {0}, list = {0};
    uint32_t first = 0, n;
    ErrCode rc = ERR_OK;

    if ((rc = mark_done(s, err)) != ERR_OK) return rc; /* another may have been told to --retry */
    buf_printf(&text, "%s: ", s->job->out_dir);
    if ((n = list_parts(s, PART_DAMAGED, &first, &list)) > 0) {
        const char *names = buf_cstr(&list);
        buf_printf(&text, "%" PRIu32 " %s damaged: %s", n, n == 1 ? "part is" : "parts are", names ? names : "");
        rc = put_damage(s, first, &text, err);
    }
    buf_reset(&list);
    const uint32_t n_aside = list_parts(s, PART_ASIDE, &first, &list);
    if (n_aside) {
        const char *names = buf_cstr(&list);
        buf_printf(&text, "%s%" PRIu32 " %s set aside, for %s crashed or vanished too often: %s", n ? "; " : "",
                   n_aside, n_aside == 1 ? "part is" : "parts are", n_aside == 1 ? "its process" : "their processes",
                   names ? names : "");
    }
    buf_puts(&text, "; tamis status says more, --retry tries again");
    const char *line = buf_cstr(&text);
    if (rc == ERR_OK && n + n_aside) rc = line ? err_set(err, ERR_DATA, "%s", line) : err_nomem(err, "a message");
    buf_clear(&text);
    buf_clear(&list);
    return rc;
}
