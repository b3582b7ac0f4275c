/* train/train_dir.c - whose an output directory is, before files of ours go among those of others (train/train.h). */
#include "train/train.h"

#include "core/store.h"

ErrCode train_refuse_dir(const char *dir, const char *const *foreign, Err *err)
{
    Arena arena = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; foreign[i] && rc == ERR_OK; i++) {
        bool there = false;
        const char *path = path_join(&arena, dir, foreign[i]);
        rc = path ? store_exists(path, &there, err) : err_nomem(err, "a path");
        if (there)
            rc = err_set(err, ERR_DATA, "%s holds something else (it has %s): choose another directory", dir,
                         foreign[i]);
    }
    arena_clear(&arena);
    return rc;
}
