/* core/turns.h - pieces of work that are taken one after the other, done by all threads at once, and finished one after the other: blocks
 * of a stream that become text again in the same order. A thread holds one piece at a time. */
#ifndef TAMIS_CORE_TURNS_H
#define TAMIS_CORE_TURNS_H

#include "core/err.h"

#include <stdbool.h>

typedef struct {
    /* Brings the next piece to where `thread` keeps its own; *end (false before): there is none. One thread at a time. */
    ErrCode (*take)(void *ctx, int thread, bool *end, Err *err);
    ErrCode (*work)(void *ctx, int thread, Err *err); /* any number of threads */
    /* One thread at a time, in the order in which pieces were taken. NULL: the order does not matter. */
    ErrCode (*finish)(void *ctx, int thread, Err *err);
} Turns;

/* Does all pieces, 0 <= thread < threads. The first failure in the order of pieces ends it: of those before it all are finished, of those
 * behind it none. ERR_INTR after a signal. */
MUST_USE ErrCode turns_run(const Turns *t, void *ctx, int threads, Err *err);

#endif
