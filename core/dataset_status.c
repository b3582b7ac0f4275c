#include "core/dataset_status.h"

#include "core/alarm.h"
#include "core/dataset_files.h"

#include <stdio.h>

/* Totals of a complete dataset; its bases may be away, so that dataset_open() would fail. */
static ErrCode read_manifest(DatasetStatus *s, const char *path, Err *err)
{
    Buf text = {0};
    Json *root;
    ErrCode rc = store_read(path, DATASET_MAX_PLAN, &text, err);

    if (rc == ERR_OK) rc = json_parse(&s->arena, buf_span(&text), path, &root, err);
    if (rc == ERR_OK) rc = json_get_u64(root, "n_docs", 0, path, &s->n_docs, err);
    if (rc == ERR_OK) rc = json_get_u64(root, "text_bytes", 0, path, &s->text_bytes, err);
    buf_clear(&text);
    return rc;
}

/* done[p]: part p has a file. */
static ErrCode list_done(const char *dir, const DatasetPlan *plan, bool *done, Err *err)
{
    StoreList list;
    uint32_t part;
    ErrCode rc = store_list(dir, &list, err);

    for (uint32_t i = 0; i < plan->n_parts; i++) done[i] = false;
    for (size_t i = 0; rc == ERR_OK && i < list.n; i++)
        if (dataset_part_number(list.name[i], plan, &part)) done[part] = true;
    storelist_clear(&list);
    return rc;
}

static ErrCode list_processes(DatasetStatus *s, const char *dir, const LeaseScan *scan, Err *err)
{
    s->process = arena_array(&s->arena, scan->n_processes, sizeof *s->process);
    if (!s->process) return err_nomem(err, "a status");
    for (size_t i = 0; i < scan->n_processes; i++) {
        StatusProcess *p = &s->process[s->n_processes];
        bool found;
        ErrCode rc = lease_process_read(dir, scan->process[i], &p->line, &found, err);
        if (rc != ERR_OK) return rc;
        if (!found) continue;
        p->name = arena_str(&s->arena, span_str(scan->process[i]));
        if (!p->name) return err_nomem(err, "a status");
        p->state = lease_process_state(dir, p->name);
        s->n_processes++;
    }
    return ERR_OK;
}

static const StatusProcess *process_of(const DatasetStatus *s, const char *name)
{
    for (size_t i = 0; i < s->n_processes; i++)
        if (strcmp(s->process[i].name, name) == 0) return &s->process[i];
    return NULL;
}

static ErrCode add_lease(DatasetStatus *s, const char *dir, uint32_t part, bool again, bool left, Err *err)
{
    StatusLease *l = &s->lease[s->n_leases];
    const StatusProcess *p;
    char name[48];
    bool found;

    snprintf(name, sizeof name, "part-%06u%s", (unsigned)part, again ? ".again" : "");
    *l = (StatusLease){.part = part, .again = again, .left = left, .seconds = -1};
    ErrCode rc = lease_holder_read(dir, name, &l->holder, &found, err);
    if (rc != ERR_OK || !found) return rc;
    if ((p = process_of(s, l->holder.process)) != NULL) {
        l->seconds = p->line.elapsed_s - l->holder.claimed_s;
        if (l->seconds < 0) l->seconds = 0; /* claimed since the latest heartbeat */
    } else {
        l->state = lease_process_state(dir, l->holder.process);
    }
    s->n_leases++;
    return ERR_OK;
}

static ErrCode add_failed(DatasetStatus *s, const char *dir, const LeasePart *p, Err *err)
{
    StatusFailed *f = &s->failed[s->n_failed++];
    const char *crash = strstr(p->record, ".crash");
    uint64_t sig = 0;
    bool found;

    *f = (StatusFailed){.part = p->part, .n_crashed = p->n_crashed, .n_lost = p->n_lost};
    f->aside = leasepart_points(p) >= LEASE_MAX_POINTS;
    if (crash && span_to_u64(span_str(crash + 6), &sig) && sig < 128) f->signal = (int)sig;
    return lease_holder_read(dir, p->record, &f->holder, &found, err);
}

static ErrCode add_damaged(DatasetStatus *s, const char *dir, uint32_t part, Err *err)
{
    StatusDamaged *d = &s->damaged[s->n_damaged++];
    bool found;

    d->part = part;
    return lease_damage_read(dir, part, &d->what, &found, err);
}

static ErrCode list_work(DatasetStatus *s, const char *dir, const LeaseScan *scan, const bool *done, Err *err)
{
    ErrCode rc = list_processes(s, dir, scan, err);

    s->lease = arena_array(&s->arena, 2 * scan->n_parts, sizeof *s->lease);
    s->failed = arena_array(&s->arena, scan->n_parts, sizeof *s->failed);
    s->damaged = arena_array(&s->arena, scan->n_parts, sizeof *s->damaged);
    if (rc == ERR_OK && (!s->lease || !s->failed || !s->damaged)) rc = err_nomem(err, "a status");
    for (size_t i = 0; i < scan->n_parts && rc == ERR_OK; i++) {
        const LeasePart *p = &scan->part[i];
        if (p->part >= s->n_parts || done[p->part]) continue;
        bool damaged = p->damaged, aside = leasepart_points(p) >= LEASE_MAX_POINTS && !damaged;
        s->n_aside += aside;
        if (damaged) rc = add_damaged(s, dir, p->part, err);
        if (rc == ERR_OK && p->held) rc = add_lease(s, dir, p->part, false, aside || damaged, err);
        if (rc == ERR_OK && p->again) rc = add_lease(s, dir, p->part, true, aside || damaged, err);
        if (rc == ERR_OK && p->record) rc = add_failed(s, dir, p, err);
    }
    return rc;
}

/* One of the bands that the latest run was given was left, while it worked or at the commit. */
static ErrCode read_alarm(DatasetStatus *s, const char *dir, Err *err)
{
    AlarmBands *bands = arena_array(&s->arena, 1, sizeof *bands);
    Err alarm = {.code = ERR_OK};
    ErrCode rc = bands ? alarm_load(&s->arena, dir, bands, err) : err_nomem(err, "a status");

    if (rc == ERR_OK && alarm_fired(dir, bands, &alarm) == ERR_NO)
        snprintf(s->alarm, sizeof s->alarm, "%s", alarm.msg);
    return rc;
}

ErrCode dataset_status(const char *dir, DatasetStatus *s, bool *found, Err *err)
{
    char path[PATH_MAX];
    DatasetPlan plan;
    LeaseScan scan = {0};
    ErrCode rc;

    *s = (DatasetStatus){.complete = false};
    if ((rc = dataset_path(path, dir, "stage.json", err)) != ERR_OK) return rc;
    if ((rc = store_exists(path, found, err)) != ERR_OK || !*found) return rc;
    if ((rc = plan_read(&s->arena, dir, &plan, err)) != ERR_OK) return rc;
    snprintf(s->stage, sizeof s->stage, "%s", plan.stage);
    s->n_parts = plan.n_parts;
    s->key = plan.key;
    if ((rc = dataset_path(path, dir, "manifest.json", err)) != ERR_OK) return rc;
    if ((rc = leases_scan(dir, &scan, err)) != ERR_OK) return rc; /* before the parts: what ends meanwhile is done */
    rc = store_exists(path, &s->complete, err);
    if (rc == ERR_OK && s->complete) {
        s->n_done = s->n_parts;
        rc = read_manifest(s, path, err);
    } else if (rc == ERR_OK) {
        bool *done = arena_array(&s->arena, plan.n_parts + (size_t)1, sizeof *done);
        rc = done ? list_done(dir, &plan, done, err) : err_nomem(err, "a status");
        for (uint32_t i = 0; rc == ERR_OK && i < plan.n_parts; i++) s->n_done += done[i];
        if (rc == ERR_OK) rc = list_work(s, dir, &scan, done, err);
        if (rc == ERR_OK) rc = read_alarm(s, dir, err);
    }
    dataset_status_count(s);
    leasescan_clear(&scan);
    return rc;
}

void dataset_status_count(DatasetStatus *s)
{
    uint32_t running = LEASE_NO_PART; /* the latest counted: leases are in part order */

    s->parts_per_s = s->bytes_per_s = 0;
    s->n_running = 0;
    s->alive = false;
    for (size_t i = 0; i < s->n_processes; i++) {
        const StatusProcess *p = &s->process[i];
        s->alive |= p->state == HOLDER_ALIVE;
        if (p->state == HOLDER_DEAD || !(p->line.elapsed_s > 0)) continue;
        s->parts_per_s += (double)p->line.n_parts / p->line.elapsed_s;
        s->bytes_per_s += (double)p->line.bytes / p->line.elapsed_s;
    }
    for (size_t i = 0; i < s->n_leases; i++) {
        StatusLease *l = &s->lease[i];
        const StatusProcess *p = process_of(s, l->holder.process);
        if (p) l->state = p->state;
        if (l->state == HOLDER_DEAD || l->left || l->part == running) continue;
        running = l->part;
        s->n_running++;
    }
    s->n_missing = s->n_parts - s->n_done - s->n_running - s->n_aside - s->n_damaged;
}

void dataset_status_clear(DatasetStatus *s)
{
    arena_clear(&s->arena);
    *s = (DatasetStatus){.complete = false};
}
