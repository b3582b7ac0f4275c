#include "core/dataset.h"
#include "core/dataset_status.h"
#include "core/options.h"
#include "core/stage.h"
#include "tools/verbs.h"

#include <inttypes.h>
#include <stdio.h>

/* "37 of 120 parts are there", and which of the others are damaged or were set aside. */
static ErrCode incomplete(const char *dir, uint32_t have, uint32_t all, Err *err)
{
    DatasetStatus s;
    bool found, first = true;
    Buf b = {0};
    ErrCode rc = dataset_status(dir, &s, &found, err);

    buf_printf(&b, "%s: %" PRIu32 " of %" PRIu32 " parts are there", dir, have, all);
    for (size_t i = 0; i < s.n_failed && rc == ERR_OK; i++) {
        const StatusFailed *f = &s.failed[i];
        if (!f->aside) continue;
        buf_printf(&b, "%s %" PRIu32 " (%.100s)", first ? "; set aside after crashes:" : ",", f->part,
                   f->holder.input);
        first = false;
    }
    for (size_t i = 0; i < s.n_damaged && rc == ERR_OK; i++)
        buf_printf(&b, "%s %" PRIu32 " (%.100s)", i ? "," : "; damaged:", s.damaged[i].part, s.damaged[i].what.input);
    const char *text = buf_cstr(&b);
    if (rc == ERR_OK) rc = text ? err_set(err, ERR_NO, "%s", text) : err_nomem(err, "a message");
    buf_clear(&b);
    dataset_status_clear(&s);
    return rc;
}

int commit_verb(int argc, char **argv)
{
    CommonOptions common = {0};
    const OptSpec specs[] = {
        OPT_FLAG(0, "no-alarm", &common.no_alarm, "forget the bands that the jobs were given with --alarm"),
        OPT_COMMON_TALK(&common), OPT_END};
    const OptVerb verb = {
        "commit", "[options] DIR...",
        "Turn a full set of finished parts into a manifest: the last step after `--task I/N` jobs. Anybody may\n"
        "run it, any number of times.",
        specs, NULL};
    Err err = {.code = ERR_OK};
    int first;
    ErrCode rc = options_parse(&verb, argc, argv, &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && first == argc) rc = err_set(&err, ERR_USAGE, "commit: no directory; try tamis commit --help");
    if (rc != ERR_OK) return verb_exit(rc, &err);
    log_setup(common.quiet ? LOG_QUIET : common.verbose ? LOG_VERBOSE : LOG_NORMAL, 0);
    for (int i = first; i < argc; i++) {
        uint32_t have, all;
        bool done;
        if (common.no_alarm && (rc = alarm_publish(argv[i], &common.alarm, true, &err)) != ERR_OK) break;
        if ((rc = dataset_commit(argv[i], &done, &have, &all, &err)) != ERR_OK) break;
        if (done)
            rc = stage_summary(argv[i], &err);
        else
            rc = incomplete(argv[i], have, all, &err);
        if (rc != ERR_OK) break;
    }
    return verb_exit(rc, &err);
}
