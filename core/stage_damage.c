/* Whether the input of a part is what it was when the part was found damaged. */
#include "core/log.h"
#include "core/stage_share.h"

#include <inttypes.h>

static bool part_file(const StageJob *job, uint32_t part, uint32_t i, Buf *path)
{
    if (job->set) return datasetset_part_file(job->set, part, i, path);
    return job->source->part_file && job->source->part_file(job->source->ctx, part, i, path);
}

static bool own_file(const StageJob *job, uint32_t part, uint32_t i, Buf *path)
{
    return job->own_file && job->own_file(job, part, i, path);
}

static uint64_t add_file(uint64_t stamp, Buf *path)
{
    const char *file = buf_cstr(path);

    stamp = mix64(stamp ^ (file ? store_stamp(file) : 0));
    buf_reset(path);
    return stamp;
}

uint64_t stage_input_stamp(const StageJob *job, uint32_t part)
{
    Buf path = {0};
    uint64_t stamp = 0;

    for (uint32_t i = 0; part_file(job, part, i, &path); i++) stamp = add_file(stamp, &path);
    for (uint32_t i = 0; own_file(job, part, i, &path); i++) stamp = add_file(stamp, &path);
    buf_clear(&path);
    return stamp;
}

ErrCode stage_forget_repaired(const StageJob *job, uint32_t n_parts, Err *err)
{
    LeaseScan scan;
    ErrCode rc = leases_scan(job->out_dir, &scan, err);

    for (size_t i = 0; i < scan.n_parts && rc == ERR_OK; i++) {
        const uint32_t part = scan.part[i].part;
        LeaseDamage d;
        bool found;
        if (!scan.part[i].damaged || part >= n_parts) continue;
        if ((rc = lease_damage_read(job->out_dir, part, &d, &found, err)) != ERR_OK) break;
        if (found && d.stamp == stage_input_stamp(job, part)) continue;
        log_info("%s: part %" PRIu32 " was damaged and has changed: it is tried again", job->def->name, part);
        rc = lease_damage_forget(job->out_dir, part, err);
    }
    leasescan_clear(&scan);
    return rc;
}
