#include "tools/dir_verb.h"

#include "core/log.h"

int dir_verb(const OptVerb *verb, int argc, char **argv, DirVerbRun run, const void *options, const bool *quiet,
             const bool *verbose)
{
    Err err = {0};
    int first = 0;
    ErrCode rc = options_parse(verb, argc, argv, &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK && argc - first != 1)
        rc = err_set(&err, ERR_USAGE, "%s: one directory is needed; try tamis %s --help", verb->name, verb->name);
    log_setup(quiet && *quiet ? LOG_QUIET : verbose && *verbose ? LOG_VERBOSE : LOG_NORMAL, 0);
    if (rc == ERR_OK) rc = run(argv[first], options, &err);
    return verb_exit(rc, &err);
}
