#include "core/dataset.h"

#include "core/dataset_files.h"
#include "core/dataset_open.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static ErrCode read_tree(Arena *a, const char *dir, const char *name, Json **out, Err *err)
{
    char path[PATH_MAX];
    Buf text = {0};
    ErrCode rc = dataset_path(path, dir, name, err);

    if (rc == ERR_OK) rc = store_read(path, DATASET_MAX_PLAN, &text, err);
    if (rc == ERR_OK) rc = json_parse(a, buf_span(&text), path, out, err);
    buf_clear(&text);
    return rc;
}

static ErrCode read_totals(Dataset *ds, Err *err)
{
    const char *content, *stage;
    uint64_t n_parts, version, stage_version;
    ErrCode rc;

    if ((rc = json_get_u64(ds->manifest, "version", 0, ds->dir, &version, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(ds->manifest, "stage", ds->dir, &stage, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(ds->manifest, "stage_version", 0, ds->dir, &stage_version, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(ds->manifest, "n_parts", 0, ds->dir, &n_parts, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(ds->manifest, "n_docs", 0, ds->dir, &ds->n_docs, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(ds->manifest, "text_bytes", 0, ds->dir, &ds->text_bytes, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(ds->manifest, "content", ds->dir, &content, err)) != ERR_OK) return rc;
    if (version != DATASET_FORMAT_VERSION)
        return err_set(err, ERR_DATA, "%s/manifest.json: format version %" PRIu64 "; this program knows %d", ds->dir,
                       version, DATASET_FORMAT_VERSION);
    if (!stage || !content || n_parts > DOCID_MAX_PARTS || !hash128_parse(span_str(content), &ds->content))
        return err_set(err, ERR_DATA, "%s/manifest.json: a member is missing or out of range", ds->dir);
    ds->stage = stage;
    ds->n_parts = (uint32_t)n_parts;
    return ERR_OK;
}

/* parts.jsonl: one line a part, in part order; their sums must be the manifest's. */
static ErrCode read_parts(Dataset *ds, Err *err)
{
    char path[PATH_MAX];
    Buf text = {0}, contents = {0};
    uint64_t n_docs = 0;
    ErrCode rc;

    if ((rc = dataset_path(path, ds->dir, "parts.jsonl", err)) != ERR_OK) return rc;
    if ((rc = store_read(path, (size_t)2 << 30, &text, err)) != ERR_OK) goto out;
    ds->parts = calloc(ds->n_parts ? ds->n_parts : 1, sizeof *ds->parts);
    if (!ds->parts) {
        rc = err_nomem(err, "the parts of a dataset");
        goto out;
    }
    Span rest = buf_span(&text);
    for (uint32_t i = 0; i < ds->n_parts; i++) {
        Json *line;
        Arena scratch = {0};
        uint8_t hash[16];
        size_t n = span_find(rest, '\n');
        if ((rc = json_parse(&scratch, span(rest.p, n), path, &line, err)) == ERR_OK)
            rc = partinfo_read(line, path, &ds->parts[i], err);
        arena_clear(&scratch);
        if (rc != ERR_OK) goto out;
        hash128_put(hash, ds->parts[i].content);
        buf_put(&contents, hash, sizeof hash);
        n_docs += ds->parts[i].n_docs;
        rest = span_from(rest, n + 1);
    }
    if ((rc = buf_ok(&contents, "the parts of a dataset", err)) != ERR_OK) goto out;
    if (rest.n || n_docs != ds->n_docs || !hash128_eq(hash128(buf_span(&contents)), ds->content))
        rc = err_set(err, ERR_DATA, "%s does not agree with its manifest", path);
out:
    buf_clear(&text);
    buf_clear(&contents);
    return rc;
}

static ErrCode open_at_depth(Dataset **out, const char *dir, int depth, uint32_t *n_open, Err *err);

static ErrCode open_bases(Dataset *ds, const Json *base, int depth, uint32_t *n_open, Err *err)
{
    if (base->type != JSON_ARRAY || base->n == 0 || base->n > DATASET_MAX_BASES)
        return err_set(err, ERR_DATA, "%s/manifest.json: base is not a list of 1 to %d datasets", ds->dir,
                       DATASET_MAX_BASES);
    for (const Json *b = base->child; b; b = b->next) {
        const char *path, *content;
        char full[PATH_MAX];
        Hash128 want;
        ErrCode rc;
        if ((rc = json_get_str(b, "path", ds->dir, &path, err)) != ERR_OK) return rc;
        if ((rc = json_get_str(b, "content", ds->dir, &content, err)) != ERR_OK) return rc;
        if (!path || !content || !hash128_parse(span_str(content), &want))
            return err_set(err, ERR_DATA, "%s/manifest.json: a base lacks its path or content", ds->dir);
        if (path_is_absolute(path))
            snprintf(full, sizeof full, "%s", path);
        else if ((rc = dataset_path(full, ds->dir, path, err)) != ERR_OK)
            return rc;
        if ((rc = open_at_depth(&ds->base[ds->n_bases], full, depth + 1, n_open, err)) != ERR_OK) return rc;
        if (!hash128_eq(ds->base[ds->n_bases++]->content, want))
            return err_set(err, ERR_DATA, "%s is a view of %s, whose content has changed since", ds->dir, full);
    }
    for (uint32_t i = 0; i < ds->n_parts; i++)
        if (ds->parts[i].base >= ds->n_bases || ds->parts[i].base_part >= ds->base[ds->parts[i].base]->n_parts)
            return err_set(err, ERR_DATA, "%s/parts.jsonl: part %" PRIu32 " looks at a base part that is not there",
                           ds->dir, i);
    return ERR_OK;
}

/* What `dir` is instead of a complete dataset. */
static ErrCode no_manifest(const char *dir, Err *err)
{
    char run[PATH_MAX];
    bool exists, is_dir, is_run;
    ErrCode rc;

    if ((rc = store_exists(dir, &exists, err)) != ERR_OK || (rc = store_is_dir(dir, &is_dir, err)) != ERR_OK)
        return rc;
    if (!exists) return err_set(err, ERR_SYS, "no dataset at %s", dir);
    if (!is_dir)
        return err_set(err, ERR_DATA, "%s is a file; a dataset is a directory (tamis ingest makes one)", dir);
    if ((rc = dataset_path(run, dir, "run.json", err)) != ERR_OK || (rc = store_exists(run, &is_run, err)) != ERR_OK)
        return rc;
    if (is_run)
        return err_set(err, ERR_DATA, "%s is of tamis run: its datasets are docs, unique, clean and mixed in it",
                       dir);
    return err_set(err, ERR_DATA, "%s is not a complete dataset: it has no manifest.json", dir);
}

static ErrCode check_format(const Dataset *ds, Err *err)
{
    const char *format;
    ErrCode rc = json_get_str(ds->manifest, "format", ds->dir, &format, err);

    if (rc != ERR_OK || (format && strcmp(format, "tamis-dataset") == 0)) return rc;
    if (format && strcmp(format, "tamis-tokens") == 0)
        return err_set(err, ERR_DATA, "%s holds tokens, not documents: tamis shards and tamis train read it",
                       ds->dir);
    return err_set(err, ERR_DATA, "%s/manifest.json is not a dataset's", ds->dir);
}

static ErrCode resolve_dir(Dataset *ds, Err *err)
{
    char *real = NULL;
    ErrCode rc = store_resolve(&ds->arena, ds->dir, &real, err);

    ds->real = real;
    return rc;
}

/* *n_open counts what was opened so far. */
static ErrCode open_at_depth(Dataset **out, const char *dir, int depth, uint32_t *n_open, Err *err)
{
    Dataset *ds = calloc(1, sizeof *ds);
    char path[PATH_MAX];
    bool exists;
    ErrCode rc;

    *out = NULL;
    if (!ds) return err_nomem(err, "a dataset");
    ds->dir = arena_str(&ds->arena, span_str(dir));
    if (!ds->dir) {
        rc = err_nomem(err, "a dataset");
        goto fail;
    }
    if (depth > DATASET_MAX_DEPTH) {
        rc = err_set(err, ERR_LIMIT, "%s: more than %d views upon views", dir, DATASET_MAX_DEPTH);
        goto fail;
    }
    if (++*n_open > DATASET_MAX_OPEN) { /* bases that share bases double with every level */
        rc = err_set(err, ERR_LIMIT, "%s: more than %d datasets below one view", dir, DATASET_MAX_OPEN);
        goto fail;
    }
    if ((rc = dataset_path(path, dir, "manifest.json", err)) != ERR_OK) goto fail;
    if ((rc = store_exists(path, &exists, err)) != ERR_OK) goto fail;
    if (!exists) {
        rc = no_manifest(dir, err);
        goto fail;
    }
    if ((rc = resolve_dir(ds, err)) != ERR_OK) goto fail;
    if ((rc = read_tree(&ds->arena, dir, "manifest.json", &ds->manifest, err)) != ERR_OK) goto fail;
    if ((rc = check_format(ds, err)) != ERR_OK) goto fail;
    if ((rc = read_totals(ds, err)) != ERR_OK) goto fail;
    if ((rc = read_parts(ds, err)) != ERR_OK) goto fail;
    const Json *base = json_get(ds->manifest, "base");
    if (base && (rc = open_bases(ds, base, depth, n_open, err)) != ERR_OK) goto fail;
    *out = ds;
    return ERR_OK;
fail:
    dataset_close(ds);
    return rc;
}

ErrCode dataset_open(Dataset **ds, const char *dir, Err *err)
{
    uint32_t n_open = 0;

    return open_at_depth(ds, dir, 0, &n_open, err);
}

void dataset_close(Dataset *ds)
{
    if (!ds) return;
    for (uint32_t i = 0; i < ds->n_bases; i++) dataset_close(ds->base[i]);
    free(ds->parts);
    arena_clear(&ds->arena);
    free(ds);
}

const char *dataset_dir(const Dataset *ds) { return ds->dir; }
uint32_t dataset_n_parts(const Dataset *ds) { return ds->n_parts; }
const PartInfo *dataset_part(const Dataset *ds, uint32_t part) { return &ds->parts[part]; }
uint64_t dataset_n_docs(const Dataset *ds) { return ds->n_docs; }
uint64_t dataset_text_bytes(const Dataset *ds) { return ds->text_bytes; }
Hash128 dataset_content(const Dataset *ds) { return ds->content; }
bool dataset_is_view(const Dataset *ds) { return ds->n_bases > 0; }
const Json *dataset_manifest(const Dataset *ds) { return ds->manifest; }

static bool stands_on(const Dataset *ds, const char *real)
{
    bool yes = strcmp(ds->real, real) == 0;

    for (uint32_t i = 0; i < ds->n_bases && !yes; i++) yes = stands_on(ds->base[i], real);
    return yes;
}

ErrCode dataset_stands_on(const Dataset *ds, const char *dir, bool *yes, Err *err)
{
    Arena arena = {0};
    char *real;
    ErrCode rc = store_resolve(&arena, dir, &real, err);

    *yes = rc == ERR_OK && stands_on(ds, real);
    arena_clear(&arena);
    return rc;
}
