/* `tamis train …` becomes tamis-train …: one verb table for people, two binaries for machines. */
#include "core/options.h"
#include "tools/child.h"
#include "tools/verbs.h"

#include <unistd.h>

int train_verb(int argc, char **argv)
{
    static char name[] = "tamis-train";
    const char *path;
    Arena arena = {0};
    Err err;

    (void)argc;
    ErrCode rc = child_find_trainer(&arena, &path, &err);
    if (rc == ERR_OK) {
        argv[0] = name;
        execvp(path, argv);
        rc = err_sys(&err, "cannot run tamis-train (it belongs beside tamis, or into PATH)");
    }
    arena_clear(&arena);
    return verb_exit(rc, &err);
}
