#include "core/par_mpi.h"

#ifdef TAMIS_MPI

#include <mpi.h>
#include <stdio.h>

enum { MPI_PIECE = 1 << 28 }; /* counts are int: bulk bytes go in pieces */

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
void mpi_barrier(void) { MPI_Barrier(MPI_COMM_WORLD); }

void mpi_sum_u64(uint64_t *v, size_t n)
{
    for (size_t at = 0; at < n; at += MPI_PIECE) {
        size_t piece = n - at < MPI_PIECE ? n - at : MPI_PIECE;
        MPI_Allreduce(MPI_IN_PLACE, v + at, (int)piece, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    }
}

void mpi_min_int(int *v) { MPI_Allreduce(MPI_IN_PLACE, v, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD); }

void mpi_bcast(int root, void *p, size_t n)
{
    for (size_t at = 0; at < n; at += MPI_PIECE) {
        size_t piece = n - at < MPI_PIECE ? n - at : MPI_PIECE;
        MPI_Bcast((char *)p + at, (int)piece, MPI_BYTE, root, MPI_COMM_WORLD);
    }
}

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
const char *mpi_version(void) { return "no MPI"; }

#endif
