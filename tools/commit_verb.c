#include "core/dataset.h"
#include "core/options.h"
#include "core/stage.h"
#include "tools/verbs.h"

#include <inttypes.h>
#include <stdio.h>

int commit_verb(int argc, char **argv)
{
    CommonOptions common = {0};
    const OptSpec specs[] = {OPT_COMMON_TALK(&common), OPT_END};
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
        if ((rc = dataset_commit(argv[i], &done, &have, &all, &err)) != ERR_OK) break;
        if (done)
            rc = stage_summary(argv[i], &err);
        else
            rc = err_set(&err, ERR_NO, "%s: %" PRIu32 " of %" PRIu32 " parts are there", argv[i], have, all);
        if (rc != ERR_OK) break;
    }
    return verb_exit(rc, &err);
}
