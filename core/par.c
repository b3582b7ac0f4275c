#define _GNU_SOURCE /* sched_getaffinity */
#include "core/par.h"

#include "core/cgroup.h"
#include "core/events.h"
#include "core/log.h"
#include "core/par_mpi.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Tasks the launcher's environment announces for this step; 0 when there is no launcher. SLURM_NTASKS alone does not
 * count: a batch script has it without being launched by srun. */
int par_announced_tasks(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *v = getenv(names[i]);
        if (v && *v) return atoi(v);
    }
    const char *step = getenv("SLURM_STEP_NUM_TASKS");
    return step && getenv("SLURM_PROCID") ? atoi(step) : 0;
}

static int cgroup_cpu_quota(void)
{
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "r");
    long quota, period;
    int n = 0;

    if (!f) return 0;
    if (fscanf(f, "%ld %ld", &quota, &period) == 2 && quota > 0 && period > 0)
        n = (int)((quota + period - 1) / period);
    fclose(f);
    return n;
}

static int affinity_cores(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

int par_cores(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int bound = affinity_cores(), quota = cgroup_cpu_quota();
    int n = online > 0 ? (int)online : 1;

    if (bound > 0 && bound < n) n = bound;
    if (quota > 0 && quota < n) n = quota;
    return n;
}

/* A launcher that binds each rank has divided the cores already; one that does not leaves them all to every rank. */
static int default_threads(int local_ranks)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int cores = par_cores();

    if (affinity_cores() < (int)online) return cores;
    return cores / local_ranks > 0 ? cores / local_ranks : 1;
}

ErrCode par_refuse_tasks(const char *what, Err *err)
{
    int tasks = par_announced_tasks();

    if (tasks <= 1) return ERR_OK;
    return err_set(err, ERR_USAGE, "%s is the work of one process, not of %d under a launcher", what, tasks);
}

Par par_alone(int threads)
{
    return (Par){.rank = 0, .n_ranks = 1, .local_ranks = 1, .threads = threads > 0 ? threads : default_threads(1)};
}

ErrCode par_start(Par *par, int threads, Err *err)
{
    int tasks = par_announced_tasks();
    ErrCode rc;

    *par = par_alone(1);
    if (threads < 0 || threads > PAR_MAX_THREADS)
        return err_set(err, ERR_USAGE, "--threads is at most %d; 0 takes the cores we may use", PAR_MAX_THREADS);
    *par = par_alone(threads);
    if (tasks <= 1) return ERR_OK;
    if ((rc = mpi_begin(&par->rank, &par->n_ranks, &par->local_ranks, err)) != ERR_OK) return rc;
    if (par->n_ranks == 1)
        return err_set(err, ERR_USAGE,
                       "the launcher announces %d tasks but MPI sees one: each would write the same output "
                       "(build with MPI, and launch with mpirun or srun --mpi=pmix)",
                       tasks);
    if (threads <= 0) par->threads = default_threads(par->local_ranks);
    return ERR_OK;
}

void par_stop(Par *par)
{
    if (par->n_ranks > 1) mpi_end();
    *par = (Par){.n_ranks = 1, .threads = 1, .local_ranks = 1};
}

/* A whole number of the environment; 0 where it is none. */
static uint64_t env_number(const char *name)
{
    const char *v = getenv(name);
    uint64_t n = 0;

    return v && span_to_u64(span_str(v), &n) ? n : 0;
}

/* Bytes that Slurm grants the job on this node; UINT64_MAX without Slurm and where it grants all. Both variables are MiB. */
static uint64_t slurm_memory(void)
{
    uint64_t mib = env_number("SLURM_MEM_PER_NODE");

    if (!mib) mib = env_number("SLURM_MEM_PER_CPU") * env_number("SLURM_CPUS_ON_NODE");
    return mib && mib < UINT64_MAX >> 20 ? mib << 20 : UINT64_MAX;
}

/* What the kernel could give without swapping, others' memory left alone; 0 where it does not say. */
static uint64_t available_memory(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char line[128];
    unsigned long long kib = 0;

    while (f && !kib && fgets(line, sizeof line, f)) {
        if (sscanf(line, "MemAvailable: %llu kB", &kib) != 1) kib = 0;
    }
    if (f) fclose(f);
    return (uint64_t)kib << 10;
}

uint64_t par_memory(const Par *par)
{
    uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limits[] = {available_memory(), slurm_memory(), cgroup_memory("/proc/self/cgroup", "/sys/fs/cgroup")};

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i] && limits[i] < all) all = limits[i];
    return all / (uint64_t)par->local_ranks;
}

ErrCode par_agree(const Par *par, ErrCode rc, Err *err)
{
    Err local = {.code = ERR_OK, .msg = ""};
    int who = rc == ERR_OK ? par->n_ranks : par->rank;

    if (par->n_ranks == 1) return rc;
    const double began = clock_seconds();
    mpi_min_int(&who);
    event_barrier(began);
    if (who == par->n_ranks) return ERR_OK;
    if (who == par->rank && err) local = *err;
    local.code = rc;
    mpi_bcast(who, &local, sizeof local);
    local.said_elsewhere = who != par->rank;
    if (err) *err = local;
    return local.code;
}

const char *par_library(void) { return mpi_version(); }

void par_barrier(const Par *par)
{
    if (par->n_ranks == 1) return;
    const double began = clock_seconds();
    mpi_barrier();
    event_barrier(began);
}

void par_sum_u64(const Par *par, uint64_t *v, size_t n)
{
    if (par->n_ranks > 1) mpi_sum_u64(v, n);
}

ErrCode par_believe(const Par *par, ErrCode rc, bool *yes, Err *err)
{
    uint64_t flag = par->rank == 0 && rc == ERR_OK && *yes;

    if ((rc = par_agree(par, rc, err)) != ERR_OK) return rc;
    par_sum_u64(par, &flag, 1);
    *yes = flag != 0;
    return ERR_OK;
}

ErrCode par_bcast(const Par *par, Buf *b, Err *err)
{
    uint64_t n = b->n;
    ErrCode rc = ERR_OK;

    if (par->n_ranks == 1) return ERR_OK;
    mpi_bcast(0, &n, sizeof n);
    if (par->rank != 0) {
        buf_reset(b);
        if (!buf_reserve(b, (size_t)n)) rc = err_nomem(err, "a broadcast");
    }
    if ((rc = par_agree(par, rc, err)) != ERR_OK) return rc;
    mpi_bcast(0, b->p, (size_t)n);
    b->n = (size_t)n;
    return ERR_OK;
}

ErrCode par_gather(const Par *par, Buf *b, Err *err)
{
    size_t ranks = (size_t)par->n_ranks, at = 0;
    uint64_t *n = NULL, total = 0;
    Buf all = {0};
    ErrCode rc;

    if (ranks == 1) return ERR_OK;
    n = calloc(ranks, sizeof *n);
    if ((rc = par_agree(par, n ? ERR_OK : err_nomem(err, "a gathering"), err)) != ERR_OK) goto out;
    n[par->rank] = b->n;
    par_sum_u64(par, n, ranks);
    for (size_t i = 0; i < ranks; i++) total += n[i];
    rc = buf_reserve(&all, (size_t)total) ? ERR_OK : err_nomem(err, "a gathering");
    if ((rc = par_agree(par, rc, err)) != ERR_OK) goto out;
    for (size_t i = 0; i < ranks; at += n[i++]) {
        if ((int)i == par->rank && b->n) memcpy(all.p + at, b->p, b->n);
        mpi_bcast((int)i, all.p + at, (size_t)n[i]);
    }
    all.n = (size_t)total;
    buf_clear(b);
    *b = all;
    all = (Buf){0};
out:
    buf_clear(&all);
    free(n);
    return rc;
}

ErrCode par_first_error(const ErrCode *rc, const Err *errs, size_t n, Err *err)
{
    for (size_t i = 0; i < n; i++)
        if (rc[i] != ERR_OK) {
            if (err) *err = errs[i];
            return rc[i];
        }
    return ERR_OK;
}
