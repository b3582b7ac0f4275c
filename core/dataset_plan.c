#include "core/dataset_files.h"

#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

ErrCode dataset_path(char out[PATH_MAX], const char *dir, const char *name, Err *err)
{
    if (snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return err_set(err, ERR_LIMIT, "path too long: %.200s…/%.200s", dir, name);
    return ERR_OK;
}

ErrCode dataset_part_path(char out[PATH_MAX], const char *dir, DatasetKind kind, const char *stage, uint32_t part,
                          Err *err)
{
    char name[64];

    if (kind == DATASET_WRITTEN)
        snprintf(name, sizeof name, "part-%06" PRIu32 ".jsonl.zst", part);
    else
        snprintf(name, sizeof name, "part-%06" PRIu32 ".%s.cols", part, stage);
    return dataset_path(out, dir, name, err);
}

bool dataset_part_number(const char *name, const DatasetPlan *plan, uint32_t *part)
{
    Span s = span_str(name), number = span_from(s, 5);
    char want[PATH_MAX];
    uint64_t n;

    number.n = span_find(number, '.');
    if (!span_starts(s, SPAN_LIT("part-")) || !span_to_u64(number, &n) || n >= plan->n_parts) return false;
    *part = (uint32_t)n;
    return dataset_part_path(want, "", plan->kind, plan->stage, *part, NULL) == ERR_OK && strcmp(want + 1, name) == 0;
}

void json_put_u64_hex(Buf *b, uint64_t v) { buf_printf(b, "\"%016" PRIx64 "\"", v); }

static bool hex64(const Json *j, uint64_t *out)
{
    uint64_t v = 0;

    if (!j || j->type != JSON_STRING || j->string.n != 16) return false;
    for (size_t i = 0; i < 16; i++) {
        int d = ascii_hex(j->string.p[i]);
        if (d < 0) return false;
        v = v << 4 | (uint64_t)d;
    }
    *out = v;
    return true;
}

ErrCode plan_read(Arena *a, const char *dir, DatasetPlan *plan, Err *err)
{
    char path[PATH_MAX];
    Buf text = {0};
    const char *key, *kind, *format;
    uint64_t version, stage_version, n_parts;
    ErrCode rc;

    *plan = (DatasetPlan){0};
    if ((rc = dataset_path(path, dir, "stage.json", err)) != ERR_OK) return rc;
    if ((rc = store_read(path, DATASET_MAX_PLAN, &text, err)) != ERR_OK) goto out;
    if ((rc = json_parse(a, buf_span(&text), path, &plan->json, err)) != ERR_OK) goto out;
    if ((rc = json_get_str(plan->json, "format", path, &format, err)) != ERR_OK) goto out;
    if ((rc = json_get_u64(plan->json, "version", 0, path, &version, err)) != ERR_OK) goto out;
    if ((rc = json_get_str(plan->json, "stage", path, &plan->stage, err)) != ERR_OK) goto out;
    if ((rc = json_get_u64(plan->json, "stage_version", 0, path, &stage_version, err)) != ERR_OK) goto out;
    if ((rc = json_get_str(plan->json, "key", path, &key, err)) != ERR_OK) goto out;
    if ((rc = json_get_str(plan->json, "kind", path, &kind, err)) != ERR_OK) goto out;
    if ((rc = json_get_u64(plan->json, "n_parts", 0, path, &n_parts, err)) != ERR_OK) goto out;
    if (!format || !span_is(span_str(format), "tamis-dataset")) {
        rc = err_set(err, ERR_DATA, "%s: not a plan of a dataset", path);
    } else if (version != DATASET_FORMAT_VERSION) {
        rc = err_set(err, ERR_DATA, "%s: format version %" PRIu64 "; this program knows %d", path, version,
                     DATASET_FORMAT_VERSION);
    } else if (!plan->stage || !key || !kind || !hash128_parse(span_str(key), &plan->key) ||
               n_parts > DOCID_MAX_PARTS) {
        rc = err_set(err, ERR_DATA, "%s: a member is missing or out of range", path);
    }
    if (rc != ERR_OK) goto out;
    plan->stage_version = (uint32_t)stage_version;
    plan->n_parts = (uint32_t)n_parts;
    plan->kind = span_is(span_str(kind), "view") ? DATASET_VIEW : DATASET_WRITTEN;
out:
    buf_clear(&text);
    return rc;
}

void receipt_clear(Receipt *r)
{
    counters_clear(&r->counters);
    *r = (Receipt){0};
}

void receipt_put_json(Buf *b, const Receipt *r, const char *const *reasons, uint32_t n_reasons)
{
    bool comma = false;

    buf_printf(b, "{\"part\":{\"name\":\"%s\",\"key\":", r->info.name);
    json_put_hash(b, r->key);
    buf_printf(b, ",\"n_in\":%" PRIu64 ",\"n_docs\":%" PRIu64 ",\"text_bytes\":%" PRIu64 ",\"dropped\":{",
               r->info.n_in, r->info.n_docs, r->info.text_bytes);
    for (uint32_t i = 0; i < n_reasons; i++) {
        if (!r->dropped[i]) continue;
        buf_printf(b, "%s\"%s\":%" PRIu64, comma ? "," : "", reasons[i], r->dropped[i]);
        comma = true;
    }
    buf_puts(b, "},\"id_sum\":");
    json_put_u64_hex(b, r->info.id_sum);
    buf_puts(b, ",\"dropped_id_sum\":");
    json_put_u64_hex(b, r->dropped_id_sum);
    buf_puts(b, ",\"doc_sum\":");
    json_put_u64_hex(b, r->info.doc_sum);
    buf_puts(b, ",\"content\":");
    json_put_hash(b, r->info.content);
    buf_printf(b,
               ",\"base\":%" PRIu32 ",\"base_part\":%" PRIu32 "},\"stats\":{\"bytes_in\":%" PRIu64
               ",\"stored_bytes\":%" PRIu64,
               r->info.base, r->info.base_part, r->bytes_in, r->stored_bytes);
    buf_printf(b, ",\"wall_s\":%.3f,\"cpu_s\":%.3f,\"counters\":", r->wall_s, r->cpu_s);
    counters_put_json(b, &r->counters);
    buf_puts(b, "}}");
}

ErrCode partinfo_read(const Json *part, const char *name, PartInfo *info, Err *err)
{
    const char *text;
    uint64_t base, base_part;
    ErrCode rc;

    if ((rc = json_get_str(part, "name", name, &text, err)) != ERR_OK) return rc;
    if (!text || snprintf(info->name, sizeof info->name, "%s", text) >= (int)sizeof info->name) goto bad;
    if ((rc = json_get_u64(part, "n_in", 0, name, &info->n_in, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(part, "n_docs", 0, name, &info->n_docs, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(part, "text_bytes", 0, name, &info->text_bytes, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(part, "base", 0, name, &base, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(part, "base_part", 0, name, &base_part, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(part, "content", name, &text, err)) != ERR_OK) return rc;
    if (!text || !hash128_parse(span_str(text), &info->content)) goto bad;
    if (!hex64(json_get(part, "id_sum"), &info->id_sum) || !hex64(json_get(part, "doc_sum"), &info->doc_sum))
        goto bad;
    if (base >= DATASET_MAX_BASES || base_part >= DOCID_MAX_PARTS) goto bad;
    info->base = (uint32_t)base;
    info->base_part = (uint32_t)base_part;
    return ERR_OK;
bad:
    return err_set(err, ERR_DATA, "%s: a part's line lacks a member or has a wrong one", name);
}

static ErrCode read_dropped(const Json *dropped, const Json *plan_reasons, const char *name, Receipt *r, Err *err)
{
    for (const Json *d = dropped ? dropped->child : NULL; d; d = d->next) {
        uint32_t i = 0;
        const Json *reason = plan_reasons ? plan_reasons->child : NULL;
        while (reason && !span_eq(reason->string, d->key)) reason = reason->next, i++;
        if (!reason || i >= DATASET_MAX_REASONS || !span_to_u64(d->string, &r->dropped[i]))
            return err_set(err, ERR_DATA, "%s: drop reason \"%.64s\" is not of the plan, or its count is wrong", name,
                           (const char *)d->key.p);
    }
    return ERR_OK;
}

ErrCode receipt_read(Arena *a, Span json, const char *name, const Json *plan_reasons, Receipt *r, Span *part_line,
                     Err *err)
{
    Json *root;
    const char *key;
    Buf line = {0};
    ErrCode rc;

    if ((rc = json_parse(a, json, name, &root, err)) != ERR_OK) return rc;
    const Json *part = json_get(root, "part"), *stats = json_get(root, "stats");
    if ((rc = partinfo_read(part, name, &r->info, err)) != ERR_OK) return rc;
    if ((rc = json_get_str(part, "key", name, &key, err)) != ERR_OK) return rc;
    if (!key || !hash128_parse(span_str(key), &r->key) ||
        !hex64(json_get(part, "dropped_id_sum"), &r->dropped_id_sum))
        return err_set(err, ERR_DATA, "%s: the receipt lacks its key or a sum", name);
    if ((rc = read_dropped(json_get(part, "dropped"), plan_reasons, name, r, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(stats, "bytes_in", 0, name, &r->bytes_in, err)) != ERR_OK) return rc;
    if ((rc = json_get_u64(stats, "stored_bytes", 0, name, &r->stored_bytes, err)) != ERR_OK) return rc;
    if ((rc = json_get_f64(stats, "wall_s", 0, name, &r->wall_s, err)) != ERR_OK) return rc;
    if ((rc = json_get_f64(stats, "cpu_s", 0, name, &r->cpu_s, err)) != ERR_OK) return rc;
    if ((rc = counters_read_json(&r->counters, json_get(stats, "counters"), name, err)) != ERR_OK) return rc;
    json_put_tree(&line, part);
    if ((rc = buf_ok(&line, "a part's line", err)) == ERR_OK) {
        *part_line = arena_copy(a, buf_span(&line));
        if (!part_line->p) rc = err_nomem(err, "a part's line");
    }
    buf_clear(&line);
    return rc;
}

ErrCode receipt_load(Arena *a, const char *dir, const DatasetPlan *plan, uint32_t part, Receipt *r, Span *part_line,
                     bool *found, Err *err)
{
    char path[PATH_MAX];
    const Json *reasons = json_get(plan->json, "reasons");
    PartFile *file = NULL;
    Columns *cols = NULL;
    ErrCode rc;

    *found = false;
    if ((rc = dataset_part_path(path, dir, plan->kind, plan->stage, part, err)) != ERR_OK) return rc;
    if ((rc = store_exists(path, found, err)) != ERR_OK || !*found) return rc;
    if (plan->kind == DATASET_WRITTEN) {
        if ((rc = partfile_open(&file, path, err)) != ERR_OK) return rc;
        rc = receipt_read(a, partfile_receipt(file), path, reasons, r, part_line, err);
    } else {
        if ((rc = columns_open(&cols, path, err)) != ERR_OK) return rc;
        rc = receipt_read(a, columns_receipt(cols), path, reasons, r, part_line, err);
    }
    partfile_close(file);
    columns_close(cols);
    return rc;
}

/* Where the part of a resolved path begins that others of the same store may share: behind s3://BUCKET. */
static size_t root_bytes(const char *path)
{
    if (!store_is_remote(path)) return 0;
    const char *authority = strstr(path, "://") + 3;
    return (size_t)(authority - path) + strcspn(authority, "/");
}

ErrCode relative_path(Arena *a, const char *from_dir, const char *to, const char **out, Err *err)
{
    char *from_abs = NULL, *to_abs = NULL;
    Buf b = {0};
    size_t same = 0, i = 0;
    ErrCode rc = store_resolve(a, from_dir, &from_abs, err);

    if (rc == ERR_OK) rc = store_resolve(a, to, &to_abs, err);
    if (rc != ERR_OK) return rc;
    for (; from_abs[i] && from_abs[i] == to_abs[i]; i++)
        if (from_abs[i] == '/') same = i;
    bool from_done = !from_abs[i] || from_abs[i] == '/', to_done = !to_abs[i] || to_abs[i] == '/';
    if (from_done && to_done) same = i; /* one is the other's ancestor, or they are equal */
    if (same == 0 || same < root_bytes(to_abs)) {
        buf_puts(&b, to_abs);
    } else {
        for (const char *p = from_abs + same; *p; p++)
            if (*p == '/' && p[1]) buf_puts(&b, "../");
        const char *rest = to_abs + same;
        buf_puts(&b, *rest == '/' ? rest + 1 : rest);
        if (b.n == 0) buf_putc(&b, '.');
    }
    if ((rc = buf_ok(&b, "a path", err)) == ERR_OK) {
        *out = arena_str(a, buf_span(&b));
        if (!*out) rc = err_nomem(err, "a path");
    }
    buf_clear(&b);
    return rc;
}
