#include "core/par_mpi.h"

#ifdef TAMIS_MPI

#include "core/log.h"

#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MPI_PIECE = 1 << 28 }; /* counts are int: bulk bytes go in pieces */

/* A rank that waits inside MPI takes a whole core (Open MPI polls), which is another's where ranks share cores, and costs where cores are
 * paid. So it looks, and sleeps ever longer in between: a fraction of what it has waited already, which is all that the wait can get longer.
 * Bulk bytes move while both sides look: there the sleep stays short. `bytes`: of the message. */
static void wait_for(MPI_Request *request, uint64_t bytes)
{
    enum { FRACTION = 16, BULK = 64 << 10 };
    const double at_once = 100e-6, most = bytes > BULK ? 20e-6 : 1e-3, began = clock_seconds(); /* seconds */
    int done = 0;

    for (;;) {
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done) return;
        const double waited = clock_seconds() - began;
        if (waited < at_once) {
            sched_yield();
            continue;
        }
        const double s = waited / FRACTION < most ? waited / FRACTION : most;
        nanosleep(&(struct timespec){.tv_nsec = (long)(s * 1e9)}, NULL);
    }
}

ErrCode mpi_begin(int *rank, int *n_ranks, int *local_ranks, Err *err)
{
    int provided;
    MPI_Comm local;

    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return err_set(err, ERR_SYS, "cannot start MPI");
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, n_ranks);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local);
    MPI_Comm_size(local, local_ranks);
    MPI_Comm_free(&local);
    return ERR_OK;
}

void mpi_end(void) { MPI_Finalize(); }

void mpi_barrier(void)
{
    MPI_Request r;

    MPI_Ibarrier(MPI_COMM_WORLD, &r);
    wait_for(&r, 0);
}

static void reduce(void *v, int n, MPI_Datatype type, MPI_Op op)
{
    MPI_Request r;

    MPI_Iallreduce(MPI_IN_PLACE, v, n, type, op, MPI_COMM_WORLD, &r);
    wait_for(&r, 8 * (uint64_t)n);
}

void mpi_sum_u64(uint64_t *v, size_t n)
{
    for (size_t at = 0; at < n; at += MPI_PIECE)
        reduce(v + at, (int)(n - at < MPI_PIECE ? n - at : MPI_PIECE), MPI_UINT64_T, MPI_SUM);
}

void mpi_min_int(int *v) { reduce(v, 1, MPI_INT, MPI_MIN); }
void mpi_max_u64(uint64_t *v) { reduce(v, 1, MPI_UINT64_T, MPI_MAX); }

void mpi_bcast(int root, void *p, size_t n)
{
    MPI_Request r;

    for (size_t at = 0; at < n; at += MPI_PIECE) {
        size_t piece = n - at < MPI_PIECE ? n - at : MPI_PIECE;
        MPI_Ibcast((char *)p + at, (int)piece, MPI_BYTE, root, MPI_COMM_WORLD, &r);
        wait_for(&r, piece);
    }
}

void mpi_alltoall_u64(const uint64_t *send, uint64_t *recv)
{
    MPI_Request r;

    MPI_Ialltoall(send, 1, MPI_UINT64_T, recv, 1, MPI_UINT64_T, MPI_COMM_WORLD, &r);
    wait_for(&r, 8);
}

static struct {
    MPI_Request request;
    int *counts; /* four per rank: what and where, to send and to receive */
} flight;

void mpi_alltoallv_begin(const void *send, const uint64_t *send_n, void *recv, const uint64_t *recv_n, int n_ranks)
{
    int *c = flight.counts = realloc(flight.counts, sizeof(int) * 4 * (size_t)n_ranks), send_at = 0, recv_at = 0;

    if (!c) MPI_Abort(MPI_COMM_WORLD, 5); /* sixteen bytes a rank */
    for (int r = 0; r < n_ranks; r++) {
        c[r] = (int)send_n[r];
        c[n_ranks + r] = send_at;
        c[2 * n_ranks + r] = (int)recv_n[r];
        c[3 * n_ranks + r] = recv_at;
        send_at += c[r];
        recv_at += c[2 * n_ranks + r];
    }
    MPI_Ialltoallv(send, c, c + n_ranks, MPI_BYTE, recv, c + 2 * n_ranks, c + 3 * n_ranks, MPI_BYTE, MPI_COMM_WORLD,
                   &flight.request);
}

void mpi_alltoallv_end(void) { wait_for(&flight.request, UINT64_MAX); }

const char *mpi_version(void)
{
    static char text[32];

#ifdef OMPI_MAJOR_VERSION
    snprintf(text, sizeof text, "Open MPI %d.%d.%d", OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION, OMPI_RELEASE_VERSION);
#else
    snprintf(text, sizeof text, "MPI %d.%d", MPI_VERSION, MPI_SUBVERSION);
#endif
    return text;
}

#else /* one process */

ErrCode mpi_begin(int *rank, int *n_ranks, int *local_ranks, Err *err)
{
    (void)err;
    *rank = 0;
    *n_ranks = *local_ranks = 1;
    return ERR_OK;
}

void mpi_end(void) {}
void mpi_barrier(void) {}
void mpi_sum_u64(uint64_t *v, size_t n) { (void)v, (void)n; }
void mpi_min_int(int *v) { (void)v; }
void mpi_bcast(int root, void *p, size_t n) { (void)root, (void)p, (void)n; }
void mpi_max_u64(uint64_t *v) { (void)v; }
void mpi_alltoall_u64(const uint64_t *send, uint64_t *recv) { *recv = *send; }
void mpi_alltoallv_begin(const void *send, const uint64_t *send_n, void *recv, const uint64_t *recv_n, int n_ranks)
{
    (void)send, (void)send_n, (void)recv, (void)recv_n, (void)n_ranks;
}
void mpi_alltoallv_end(void) {}
const char *mpi_version(void) { return "no MPI"; }

#endif
