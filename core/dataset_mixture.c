#include "core/dataset_mixture.h"

#include "core/store.h"

static bool is_remix_view(const Dataset *ds)
{
    const Json *stage = json_get(dataset_manifest(ds), "stage");

    return stage && stage->type == JSON_STRING && span_is(stage->string, "remix");
}

ErrCode datasetset_mixture(const DatasetSet *set, Arena *a, Buf *text, const char **path, Err *err)
{
    *path = NULL;
    for (size_t i = 0; i < datasetset_count(set); i++) {
        const Dataset *ds = datasetset_at(set, i);
        const char *dir = dataset_dir(ds), *file = path_join(a, dir, "mixture.json");
        bool exists;
        ErrCode rc = file ? store_exists(file, &exists, err) : err_nomem(err, "a path");
        if (rc != ERR_OK) return rc;
        if (!exists && is_remix_view(ds)) /* `tamis commit` knows no recipe, so it cannot make one */
            return err_set(err, ERR_DATA,
                           "%s has no mixture.json, which weighs its domains: run the same tamis remix once more",
                           dir);
        if (!exists) continue;
        if (datasetset_count(set) > 1)
            return err_set(err, ERR_USAGE, "%s: a dataset with a mixture must be the only input", dir);
        *path = file;
        return store_read(file, MIXTURE_MAX_BYTES, text, err);
    }
    return ERR_OK;
}
