/* core/log.h - what a person sees while a verb runs (stderr); core/events.h is what programs read of it.
 *
 * stdout is data, stderr is talk. Rank 0 reports its progress: a live line on a terminal, else a line every ten
 * seconds; other ranks only speak of errors, with their number. */
#ifndef TAMIS_CORE_LOG_H
#define TAMIS_CORE_LOG_H

#include "core/err.h"
#include "core/par.h"

#include <stdint.h>

typedef enum { LOG_QUIET, LOG_NORMAL, LOG_VERBOSE } LogLevel;
void log_setup(LogLevel level, int rank); /* the one mutable global of the program */
LogLevel log_level(void);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2); /* "tamis: …", always printed */
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);  /* rank 0, quiet or not */
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);  /* rank 0, unless quiet */
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2); /* rank 0, with -v */

/* Progress of one phase. Counters may be added to from any thread. */
typedef struct Progress Progress;
MUST_USE ErrCode progress_start(Progress **p, const char *what, uint64_t total_bytes, Err *err); /* 0: unknown */
void progress_add(Progress *p, uint64_t docs, uint64_t bytes);                                   /* NULL is fine */
/* Prints if it is time; call it often from one thread, or from several: one of them prints. */
void progress_tick(Progress *p);
/* Collective: what all ranks added becomes rank 0's, so that its closing line tells the whole. NULL is fine. */
void progress_sum(Progress *p, const Par *par);
void progress_stop(Progress *p); /* the closing line; frees; NULL is fine */

/* Seconds of a monotonic clock; peak resident memory of this process in bytes; CPU seconds of it, and of the calling thread. */
double clock_seconds(void);
uint64_t peak_memory_bytes(void);
double cpu_seconds(void);
double thread_cpu_seconds(void);

/* --- signals: SIGINT, SIGTERM and SIGUSR1 set a flag that engines look at between blocks. One more, seconds later, kills at once. */
void interrupt_install(void);
bool interrupt_seen(void);

#endif
