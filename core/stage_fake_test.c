#include "core/stage_fake_test.h"

#include "core/log.h"
#include "core/store.h"
#include "tests/check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const FakeWork fake_easy = {.n_parts = PARTS, .abort_at = -1, .fail_at = -1, .slow_at = -1};

static uint64_t some_bytes(void *ctx, uint32_t part)
{
    (void)ctx;
    return 1000 + part % 3;
}

static void some_name(void *ctx, uint32_t part, Buf *out)
{
    (void)ctx;
    buf_printf(out, "input-%" PRIu32, part);
}

static bool some_file(void *ctx, uint32_t part, uint32_t i, Buf *path)
{
    const FakeWork *w = ctx;

    if (!w->input || i) return false;
    buf_printf(path, "%s/input-%" PRIu32, w->input, part);
    return true;
}

static bool some_own_file(const StageJob *job, uint32_t part, uint32_t i, Buf *path)
{
    const FakeWork *w = job->source->ctx;

    if (!w->input || i) return false;
    buf_printf(path, "%s/own-%" PRIu32, w->input, part);
    return true;
}

/* What fails says so in a file that all processes share. */
static ErrCode fail(const FakeWork *w, const char *what, uint32_t part, Err *err)
{
    int fd = w->tries ? open(w->tries, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;

    if (fd >= 0) {
        CHECK_INT(1, write(fd, "x", 1));
        close(fd);
    }
    return err_set(err, w->fail_with, "%s of part %" PRIu32 " is not to my taste", what, part);
}

typedef struct {
    uint32_t part, block;
} Cursor;

static ErrCode some_open(void *ctx, uint32_t part, void **cursor, Err *err)
{
    Cursor *c = calloc(1, sizeof *c);

    const FakeWork *w = ctx;
    if (part == w->fail_at && w->fail_open) {
        free(c);
        return fail(w, "the head", part, err);
    }
    *cursor = c;
    if (!c) return err_nomem(err, "a cursor");
    c->part = part;
    return ERR_OK;
}

static ErrCode some_next(void *cursor, StageBlock *block, bool *end, Err *err)
{
    Cursor *c = cursor;
    uint8_t number[8];

    *end = c->block == BLOCKS;
    le32_put(number, c->part);
    le32_put(number + 4, c->block++);
    buf_put(&block->bytes, number, sizeof number);
    return buf_ok(&block->bytes, "a block", err);
}

static void some_close(void *cursor) { free(cursor); }

void nap_ms(int ms)
{
    for (double left, until = clock_seconds() + ms / 1e3; (left = until - clock_seconds()) > 0;)
        nanosleep(&(struct timespec){(time_t)left, (long)((left - (double)(time_t)left) * 1e9)}, NULL);
}

static ErrCode some_map(void *ctx, void *worker, const StageBlock *block, StageSink *sink, Err *err)
{
    const FakeWork *w = ctx;
    uint32_t part = le32_get(block->bytes.p);

    (void)worker;
    if (part == w->abort_at) abort();
    if (part == w->fail_at && !w->fail_open && le32_get(block->bytes.p + 4))
        return fail(w, le32_get(block->bytes.p + 4) == 1 ? "block 1" : "block 2", part, err);
    nap_ms(part == w->slow_at ? w->slow_ms : w->block_ms);
    for (uint32_t i = 0; i < 5; i++) {
        char id[64], text[64];
        snprintf(id, sizeof id, "local/%" PRIu32 "#%" PRIu32 "+%" PRIu32, part, le32_get(block->bytes.p + 4), i);
        snprintf(text, sizeof text, "text %" PRIu64, mix64(part * 100 + i));
        Doc doc = {.id = span_str(id), .text = span_str(text)};
        sink_in(sink, doc.id, doc.text.n);
        ErrCode rc = sink_emit(sink, &doc, err);
        if (rc != ERR_OK) return rc;
    }
    return ERR_OK;
}

static const StageDef some_def = {.name = "some", .version = 1, .kind = DATASET_WRITTEN};

ErrCode fake_run(const char *dir, const FakeWork *w, CommonOptions common, int threads, StageTotals *t, Err *err)
{
    FakeWork own = *w;
    StageSource source = {.ctx = &own,
                          .n_parts = w->n_parts,
                          .part_bytes = some_bytes,
                          .part_name = some_name,
                          .part_file = some_file,
                          .open = some_open,
                          .next = some_next,
                          .close = some_close,
                          .map = some_map};
    Par par = par_alone(threads);
    StageJob job = {.def = &some_def,
                    .params = common.rejected ? SPAN_LIT("{\"other\":1}") : SPAN_LIT("{}"),
                    .inputs = SPAN_LIT("[]"),
                    .out_dir = dir,
                    .own_file = some_own_file,
                    .source = &source,
                    .common = &common};

    common.rejected = NULL;
    return stage_run(&job, &par, t, err);
}

pid_t fake_start(const char *dir, FakeWork w, CommonOptions common, bool tell)
{
    pid_t pid = fork();

    if (pid == 0) {
        StageTotals t = {0};
        Err err = {.code = ERR_OK};
        log_setup(LOG_QUIET, 1);
        for (int sig = 1; sig < 16; sig++) (void)signal(sig, SIG_DFL);
        interrupt_install();
        ErrCode rc = fake_run(dir, &w, common, 1, &t, &err);
        _exit(rc == ERR_OK && tell ? 100 + (int)t.n_parts_done : err_status(rc));
    }
    return pid;
}

int fake_end_within(pid_t pid, double seconds)
{
    const double until = clock_seconds() + seconds;
    int status = 0;
    pid_t got;

    while ((got = waitpid(pid, &status, WNOHANG)) == 0 && clock_seconds() < until) nap_ms(2);
    if (got == 0) {
        kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        return -1;
    }
    CHECK(got == pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int fake_end(pid_t pid) { return fake_end_within(pid, 120); }

char *in_dir(char out[400], const char *dir, const char *name)
{
    snprintf(out, 400, "%s/%s", dir, name);
    return out;
}

bool there(const char *dir, const char *name)
{
    char path[500];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

uint32_t fake_parts_there(const char *dir)
{
    StoreList list;
    uint32_t n = 0;

    if (store_list(dir, &list, NULL) != ERR_OK) return 0;
    for (size_t i = 0; i < list.n; i++) n += strstr(list.name[i], ".jsonl.zst") && !strstr(list.name[i], ".tmp");
    storelist_clear(&list);
    return n;
}

void fake_wait_for_parts(const char *dir, uint32_t n)
{
    for (int i = 0; i < 2000 && fake_parts_there(dir) < n; i++) nap_ms(2);
    CHECK(fake_parts_there(dir) >= n);
}

Hash128 content_of(const char *dir)
{
    Dataset *ds;
    Err err = {.code = ERR_OK};
    Hash128 h = {0, 0};

    CHECK_OK(dataset_open(&ds, dir, &err), &err);
    if (err.code == ERR_OK) h = dataset_content(ds), dataset_close(ds);
    return h;
}

Hash128 fake_undisturbed(const char *dir)
{
    char path[400];
    Err err = {.code = ERR_OK};

    log_setup(LOG_QUIET, 0);
    CHECK_OK(fake_run(in_dir(path, dir, "want"), &fake_easy, (CommonOptions){0}, 1, NULL, &err), &err);
    return content_of(path);
}

void fake_check_finished(const char *dir, Hash128 want)
{
    CHECK(hash128_eq(want, content_of(dir)));
    CHECK(!there(dir, "leases"));
}
