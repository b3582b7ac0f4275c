#include "core/cgroup.h"
#include "core/par.h"
#include "core/store.h"
#include "tests/check.h"

#include <stdlib.h>

static void put(const char *dir, const char *name, const char *text)
{
    char path[512];
    Err err = {.code = ERR_OK};

    snprintf(path, sizeof path, "%s/%s", dir, name);
    *(char *)(uintptr_t)path_base(path) = 0;
    CHECK_OK(store_mkdirs(path, &err), &err);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK_OK(store_write(path, span_str(text), &err), &err);
}

static uint64_t least(const char *dir)
{
    char self[512], root[512];

    snprintf(self, sizeof self, "%s/self", dir);
    snprintf(root, sizeof root, "%s/fs", dir);
    return cgroup_memory(self, root);
}

TEST(the_least_limit_of_all_ancestors_counts)
{
    const char *dir = check_tmpdir();

    CHECK(least(dir) == UINT64_MAX); /* no groups at all */
    put(dir, "self", "0::/slurm/job_7/step_0\n");
    put(dir, "fs/slurm/job_7/step_0/memory.max", "max\n");
    CHECK(least(dir) == UINT64_MAX);
    put(dir, "fs/slurm/memory.max", "9000000000\n");
    CHECK_INT(9000000000, least(dir));
    put(dir, "fs/slurm/job_7/memory.max", "4000000000\n");
    CHECK_INT(4000000000, least(dir));
    put(dir, "fs/memory.max", "100\n"); /* a container's own top */
    CHECK_INT(100, least(dir));
}

TEST(version_1_is_read_too)
{
    const char *dir = check_tmpdir();

    put(dir, "self", "12:cpu,cpuacct:/a\n9:pids,memory:/a/b\n3:memoryless:/c\n0::/d\n");
    put(dir, "fs/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(dir, "fs/memory/a/b/memory.limit_in_bytes", "5000\n");
    put(dir, "fs/memory/c/memory.limit_in_bytes", "1\n");
    CHECK_INT(5000, least(dir));
    put(dir, "self", "9:memory:/../../elsewhere\n");
    CHECK_INT(9223372036854771712, least(dir));
}

TEST(slurm_says_what_a_job_may_use)
{
    Par par = par_alone(1);

    unsetenv("SLURM_MEM_PER_CPU");
    setenv("SLURM_MEM_PER_NODE", "3", 1);
    CHECK_INT(3 << 20, par_memory(&par));
    setenv("SLURM_MEM_PER_NODE", "0", 1); /* all there is */
    CHECK(par_memory(&par) > 64 << 20);
    unsetenv("SLURM_MEM_PER_NODE");
    setenv("SLURM_MEM_PER_CPU", "2", 1);
    setenv("SLURM_CPUS_ON_NODE", "5", 1);
    CHECK_INT(10 << 20, par_memory(&par));
    par.local_ranks = 2;
    CHECK_INT(5 << 20, par_memory(&par));
    setenv("SLURM_CPUS_ON_NODE", "many", 1);
    CHECK(par_memory(&par) > 32 << 20);
    unsetenv("SLURM_MEM_PER_CPU");
    unsetenv("SLURM_CPUS_ON_NODE");
}
