#include "tools/dir_verb.h"

int dir_verb(const OptVerb *verb, int argc, char **argv, DirVerbRun run, const void *options,
             const CommonOptions *common)
{
    Err err = {0};
    int first = 0;
    ErrCode rc = verb_begin_alone(verb, argc, argv, common, 1, 1, "one directory is needed", &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK) rc = run(argv[first], options, &err);
    return verb_exit(rc, &err);
}
