/* core/par_mpi.h - the few collectives par.c needs, over MPI or over one process. Private to core; MPI's types and its
 * int counts end in par_mpi.c. */
#ifndef TAMIS_CORE_PAR_MPI_H
#define TAMIS_CORE_PAR_MPI_H

#include "core/err.h"

#include <stdint.h>

MUST_USE ErrCode mpi_begin(int *rank, int *n_ranks, int *local_ranks, Err *err);
void mpi_end(void);
void mpi_barrier(void);
void mpi_sum_u64(uint64_t *v, size_t n);
void mpi_min_int(int *v);
void mpi_bcast(int root, void *p, size_t n);
void mpi_max_u64(uint64_t *v);
/* send and recv hold one word a rank. */
void mpi_alltoall_u64(const uint64_t *send, uint64_t *recv);
/* Bytes to and from every rank, lying one rank's behind the other's; at most INT_MAX on either side. One at a time; the
 * buffers are left alone until the end. */
void mpi_alltoallv_begin(const void *send, const uint64_t *send_n, void *recv, const uint64_t *recv_n, int n_ranks);
void mpi_alltoallv_end(void);
const char *mpi_version(void); /* "Open MPI 4.1.4", or "no MPI" */

#endif
