/* core/stage_fake_test.h - a stage that tests of the map engine can rely on, disturb, and run in processes of their own. */
#ifndef TAMIS_CORE_STAGE_FAKE_TEST_H
#define TAMIS_CORE_STAGE_FAKE_TEST_H

#include "core/stage.h"

#include <sys/types.h>

enum { PARTS = 24, BLOCKS = 3 };

/* What a worker does with its blocks. */
typedef struct {
    uint32_t n_parts;
    int64_t abort_at, fail_at; /* a part; < 0: none */
    ErrCode fail_with;         /* … in its second block, or where it is opened: */
    bool fail_open;
    int64_t slow_at; /* a part each block of which takes slow_ms; the others take block_ms */
    int slow_ms, block_ms;
    const char *tries; /* a file that grows by a byte with each failure; NULL: none */
    const char *input; /* directory of the files "input-N" and "own-N" of every part; NULL: there are none */
} FakeWork;
extern const FakeWork fake_easy;

/* common.rejected non-NULL only says here: other parameters. */
ErrCode fake_run(const char *dir, const FakeWork *w, CommonOptions common, int threads, StageTotals *t, Err *err);
/* A worker in a process of its own; its exit status is that of a verb, or 100 + the parts it did where `tell`. */
pid_t fake_start(const char *dir, FakeWork w, CommonOptions common, bool tell);
/* Exit status, or 1000 + signal. */
int fake_end(pid_t pid);
/* The same, but -1 and the process killed when it goes on for longer. */
int fake_end_within(pid_t pid, double seconds);
/* One process, nothing in its way: the content. */
Hash128 fake_undisturbed(const char *dir);
/* It has this content, and nothing is left behind. */
void fake_check_finished(const char *dir, Hash128 want);
uint32_t fake_parts_there(const char *dir);
void fake_wait_for_parts(const char *dir, uint32_t n);

/* --- of any stage */
char *in_dir(char out[400], const char *dir, const char *name);
bool there(const char *dir, const char *name);
Hash128 content_of(const char *dir);
void nap_ms(int ms); /* the whole of it, whatever signals come */

#endif
