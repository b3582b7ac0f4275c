/* core/stage_pipe.h - the pipeline of one rank: read in order, map in parallel, write in order. Private. */
#ifndef TAMIS_CORE_STAGE_PIPE_H
#define TAMIS_CORE_STAGE_PIPE_H

#include "core/log.h"
#include "core/stage_write.h"

/* Does the parts that spec->share gives, in that order; the blocks under way hold at most half of `memory` bytes and one block. On
 * failure the error of the lowest block (in that order) is returned; parts finished before stay. */
MUST_USE ErrCode stage_pipe(const WriteSpec *spec, int threads, Progress *progress, Err *err);

#endif
