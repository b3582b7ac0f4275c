/* tests/alloc_fault.h - makes one allocation of our own code fail. A test arms the n-th, for n = 1, 2, … until a run gets through,
 * and so meets every way memory can run out. Works by the linker's --wrap, so libraries we call are not touched. */
#ifndef TAMIS_TESTS_ALLOC_FAULT_H
#define TAMIS_TESTS_ALLOC_FAULT_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The nth malloc, calloc, realloc or aligned_alloc from now on (1 is the next), in any thread, returns NULL, and only that one. 0 disarms. */
void alloc_fault_arm(uint64_t nth);
/* Whether one was made to fail since it was armed. */
bool alloc_fault_hit(void);

/* Calls attempt(ctx) with its first, second, … allocation failing, until it meets no failure and then must succeed. Before, it
 * must say ERR_NOMEM in one line, or do without. `tidy` (may be NULL) comes behind each call that a failure met. */
typedef ErrCode (*AllocAttempt)(void *ctx, Err *err);
void alloc_fault_each(AllocAttempt attempt, AllocAttempt tidy, void *ctx);

#endif
