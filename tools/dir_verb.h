/* tools/dir_verb.h - a verb that looks at one directory, without ranks: its beginning and its end. */
#ifndef TAMIS_TOOLS_DIR_VERB_H
#define TAMIS_TOOLS_DIR_VERB_H

#include "core/options.h"

typedef ErrCode (*DirVerbRun)(const char *dir, const void *options, Err *err);

/* Parses into `options` what the verb's table says, then runs; the exit status. `common` points into the options; NULL: the
 * verb has none. */
int dir_verb(const OptVerb *verb, int argc, char **argv, DirVerbRun run, const void *options,
             const CommonOptions *common);

#endif
