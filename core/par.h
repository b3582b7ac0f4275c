/* core/par.h - threads and ranks. OpenMP inside a process, MPI between processes; MPI is called from the main
 * thread only (MPI_THREAD_FUNNELED). A build with TAMIS_MPI=OFF gives the same functions over one process. */
#ifndef TAMIS_CORE_PAR_H
#define TAMIS_CORE_PAR_H

#include "core/buf.h"

enum { PAR_MAX_THREADS = 4096 }; /* more than any machine's cores; a pipeline has slots for each */

typedef struct {
    int rank, n_ranks; /* 0 <= rank < n_ranks */
    int threads;       /* OpenMP threads of this process, >= 1 */
    int local_ranks;   /* ranks that share this machine's memory, >= 1 */
} Par;

/* Starts MPI when a launcher announced several tasks, else makes rank 0 of 1 without touching MPI. ERR_USAGE when
 * the launcher's environment says several tasks and MPI sees one (a mismatched srun: every process would believe it is
 * alone and write the same output), or threads is not 0 .. PAR_MAX_THREADS. threads 0: the cores we may use (affinity, cgroup),
 * divided by the local ranks. */
MUST_USE ErrCode par_start(Par *par, int threads, Err *err);
void par_stop(Par *par); /* ends MPI if par_start began it */

/* A Par of this process alone, for verbs that never distribute and for tests. */
Par par_alone(int threads);
/* "Open MPI 4.1.4", or "no MPI": what a build says of itself. */
const char *par_library(void);
/* Tasks that a launcher's environment announces for this step; 0 without a launcher. Does not start MPI. */
int par_announced_tasks(void);
/* ERR_USAGE when a launcher announces several: each would do the whole of `what`, which is one process's work. */
MUST_USE ErrCode par_refuse_tasks(const char *what, Err *err);
/* Cores this process may use. */
int par_cores(void);
/* Memory this process may use: the least of what the machine has available now, its control groups' limits and Slurm's grant
 * (SLURM_MEM_PER_NODE, or SLURM_MEM_PER_CPU for each of SLURM_CPUS_ON_NODE), over the local ranks. Bytes. */
uint64_t par_memory(const Par *par);

/* Collective: the worst outcome wins (lowest rank among failures) and every rank gets that code and message. */
MUST_USE ErrCode par_agree(const Par *par, ErrCode rc, Err *err);
/* The same, where rank 0 alone has looked at something: what it found, *yes, is what all believe, since another job may change it between
 * two looks. Other ranks' *yes is not read. */
MUST_USE ErrCode par_believe(const Par *par, ErrCode rc, bool *yes, Err *err);
void par_barrier(const Par *par);
/* Collective sum of n counters over ranks, in place. */
void par_sum_u64(const Par *par, uint64_t *v, size_t n);
/* Collective: rank 0's bytes become everybody's. On the others *b is replaced. */
MUST_USE ErrCode par_bcast(const Par *par, Buf *b, Err *err);
/* Collective: *b becomes the bytes of all ranks, one rank's behind the other's. */
MUST_USE ErrCode par_gather(const Par *par, Buf *b, Err *err);

/* The first failure by index of a parallel loop that wrote its outcome into slots. */
MUST_USE ErrCode par_first_error(const ErrCode *rc, const Err *errs, size_t n, Err *err);

#endif
