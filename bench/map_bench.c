/* bench/map_bench.c - what the map engine costs a part that holds nothing: claim, file, fsync, receipt, lease given back.
 *
 *   map_bench DIR [PARTS [THREADS]]
 * Runs PARTS (10000) empty parts into DIR/out, three times in a row, and prints seconds and microseconds a part; then the same steps of
 * the file system alone: a lease (create, write, unlink) and a published file (create, write, fsync, rename). */
#include "core/log.h"
#include "core/stage.h"
#include "core/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t no_bytes(void *ctx, uint32_t part)
{
    (void)ctx, (void)part;
    return 0;
}

static ErrCode empty_open(void *ctx, uint32_t part, void **cursor, Err *err)
{
    (void)ctx, (void)part, (void)err;
    *cursor = NULL;
    return ERR_OK;
}

static ErrCode empty_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    (void)cursor, (void)block, (void)err;
    *end = true;
    return ERR_OK;
}

static void empty_close(void *cursor) { (void)cursor; }

static ErrCode empty_map(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    (void)ctx, (void)worker, (void)block, (void)sink, (void)err;
    return ERR_OK;
}

static const StageDef empty = {.name = "empty", .version = 1, .kind = DATASET_WRITTEN};

static ErrCode run(const char *dir, uint32_t n_parts, int threads, double *seconds, Err *err)
{
    const StageSource source = {.n_parts = n_parts,
                                .part_bytes = no_bytes,
                                .open = empty_open,
                                .next = empty_next,
                                .close = empty_close,
                                .map = empty_map};
    const CommonOptions common = {.memory = 256 << 20};
    const Par par = par_alone(threads);
    const StageJob job = {.def = &empty,
                          .params = SPAN_LIT("{}"),
                          .inputs = SPAN_LIT("[]"),
                          .out_dir = dir,
                          .source = &source,
                          .common = &common};
    ErrCode rc = store_delete_tree(dir, 1, err);
    const double begin = clock_seconds();

    if (rc == ERR_OK) rc = stage_run(&job, &par, NULL, err);
    *seconds = clock_seconds() - begin;
    return rc;
}

/* The bare system calls, for comparison; microseconds each. */
static double bare(const char *dir, int n, bool publish)
{
    char path[4096], to[4096], bytes[500] = {0};
    const double begin = clock_seconds();

    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/bare-%d", dir, i);
        snprintf(to, sizeof to, "%s/done-%d", dir, i);
        const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        bool ok = fd >= 0 && write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes;
        if (ok && publish) ok = fsync(fd) == 0 && rename(path, to) == 0;
        if (ok && !publish) ok = unlink(path) == 0;
        if (fd >= 0) close(fd);
        if (!ok) return -1;
    }
    const double us = (clock_seconds() - begin) / n * 1e6;
    for (int i = 0; publish && i < n; i++) {
        snprintf(to, sizeof to, "%s/done-%d", dir, i);
        (void)unlink(to);
    }
    return us;
}

int main(int argc, char **argv)
{
    enum { ROUNDS = 3, BARE = 1000 };
    Err err = {0};
    char dir[4096];
    const uint32_t n_parts = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10000;
    const int threads = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 2;

    if (argc < 2 || !n_parts || threads < 1) {
        fprintf(stderr, "usage: map_bench DIR [PARTS [THREADS]]\n");
        return 2;
    }
    log_setup(LOG_QUIET, 0);
    snprintf(dir, sizeof dir, "%s/out", argv[1]);
    for (int i = 0; i < ROUNDS; i++) {
        double seconds = 0;
        if (run(dir, n_parts, threads, &seconds, &err) != ERR_OK) {
            fprintf(stderr, "map_bench: %s\n", err.msg);
            return err_status(err.code);
        }
        printf("%" PRIu32
               " empty parts, %d threads: %.2f s, %.0f us a part; bare lease %.0f us, bare published file %.0f us\n",
               n_parts, threads, seconds, seconds / n_parts * 1e6, bare(argv[1], BARE, false),
               bare(argv[1], BARE, true));
    }
    return store_delete_tree(dir, 1, &err) == ERR_OK ? 0 : 3;
}
