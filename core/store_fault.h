/* core/store_fault.h - private to core/store*.c and their tests: makes one system call that changes a disk fail.
 *
 * Every open for writing, write, fsync, rename, link and mkdir asks store_fault() first. A test arms the n-th such call,
 * for n = 1, 2, … until a run gets through, and so meets every way a disk can say no. Not armed (always, outside of
 * tests) it costs one relaxed load. */
#ifndef TAMIS_CORE_STORE_FAULT_H
#define TAMIS_CORE_STORE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* The nth call from now on (1 is the next) fails with this errno, and every later one too when `lasting` (a full disk
 * stays full). nth 0 disarms. */
void store_fault_arm(uint64_t nth, int error, bool lasting);
/* Calls asked about since the last store_fault_arm(); whether one was made to fail. */
uint64_t store_fault_calls(void);
bool store_fault_hit(void);
/* True: the caller must behave as if its system call had returned -1; errno is set. */
bool store_fault(void);

#endif
