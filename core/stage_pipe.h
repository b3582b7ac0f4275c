/* core/stage_pipe.h - the pipeline of one rank: read in order, map in parallel, write in order. Private. */
#ifndef TAMIS_CORE_STAGE_PIPE_H
#define TAMIS_CORE_STAGE_PIPE_H

#include "core/log.h"
#include "core/stage_write.h"

/* Does the given parts, in the order given; the blocks under way hold at most half of `memory` bytes and one block. On failure
 * the error of the lowest block (in that order) is returned; parts finished before stay. */
MUST_USE ErrCode stage_pipe(const WriteSpec *spec, const uint32_t *parts, uint32_t n_parts, int threads,
                            uint64_t memory, Progress *progress, Err *err);

#endif
