/* core/stage_share.h - which parts this process does, one after another: its share, then what others leave. Private.
 *
 * Parts are split beforehand: the heaviest first, each to the least loaded of all workers (ranks x tasks). A worker does its
 * share in part order, claiming a lease for each part, and then looks for more, in this order:
 *   1. parts that nobody has claimed, from the far end of somebody's share;
 *   2. parts that an earlier attempt died on, one at a time, so that a next crash has but one to blame;
 *   3. parts whose holder is dead;
 *   4. parts that a living holder has had for three times as long as such a part takes, and the expiry on top: done a second
 *      time, and the first to finish ends it.
 * It ends when every part is done, set aside, or found to be damaged. One task of several (--task I/N) ends sooner: others may not have started yet and
 * want their share. It does its own, takes from the dead, waits only until it knows who lives, and leaves the rest. A task that finds
 * its share done when it starts was started again for a reason and takes what nobody has: so any subset of the tasks, run any number of
 * times, completes the job. */
#ifndef TAMIS_CORE_STAGE_SHARE_H
#define TAMIS_CORE_STAGE_SHARE_H

#include "core/dataset_files.h"
#include "core/lease.h"
#include "core/stage.h"

/* Whose part is which: owner[i] < n_workers of the part of bytes[i]. */
MUST_USE ErrCode share_split(uint32_t *owner, const uint64_t *bytes, uint32_t n_parts, uint64_t n_workers, Err *err);

typedef struct Share Share;
MUST_USE ErrCode share_open(Share **s, const StageJob *job, const Par *par, Hash128 key, Err *err);
void share_close(Share *s); /* gives leases back; NULL is fine */
uint32_t share_n_reused(const Share *s);
uint32_t share_n_done(const Share *s);
uint32_t share_n_todo(const Share *s, uint64_t *bytes); /* of the share, when it was opened */

/* Finds parts to be tried next; waits where others hold them. *more false: nothing is left for this process. */
MUST_USE ErrCode share_round(Share *s, bool *more, Err *err);
/* The next of them that is ours now; *got false: none is left. One thread at a time. */
MUST_USE ErrCode share_next(Share *s, uint32_t *part, bool *got, Err *err);
/* Those behind it, as far as they are known; until the next share_round(). */
const uint32_t *share_ahead(const Share *s, size_t *n);
/* A part that share_next() gave is published (done) or given up. Any thread. */
void share_leave(Share *s, uint32_t part, bool done, double seconds);
/* Its input is damaged, as `why` says: nobody is to do it until the input, of which this is the stamp, has changed. Then leave it. */
MUST_USE ErrCode share_damaged(Share *s, uint32_t part, uint64_t stamp, const Err *why, Err *err);
/* Which attempt at the part ours is, from 1: behind those that were seen to have died. */
uint32_t share_attempt(const Share *s, uint32_t part);
/* Somebody else has it: to be given up. */
bool share_lost(Share *s, uint32_t part);
Leases *share_leases(Share *s);
/* ERR_DATA naming the parts that are damaged or were set aside and that this process would have had to do. */
MUST_USE ErrCode share_verdict(Share *s, Err *err);

/* What changes when an input file of the part does (store_stamp()), or one that the stage reads beside it. */
uint64_t stage_input_stamp(const StageJob *job, uint32_t part);
/* Damaged parts of the job's n_parts whose input has changed since are damaged no more. */
MUST_USE ErrCode stage_forget_repaired(const StageJob *job, uint32_t n_parts, Err *err);

#endif
