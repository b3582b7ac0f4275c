/* train/checkpoint.c - writing, reading and keeping of train/checkpoint.h's files. */
#include "train/checkpoint.h"

#include "core/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char MAGIC[8] = "TAMISCKP";
enum {
    FIXED_BYTES = 88,
    ENTRY_BYTES = SPEC_NAME_BYTES + 3 * 8 + 3 * 16,
    MAX_TENSORS = SPEC_MAX_LAYERS * 16,
    CHUNK_FLOATS = 1 << 18 /* 1 MiB at a time passes through a buffer of little-endian bytes */
};

static size_t round8(size_t n) { return (n + 7) / 8 * 8; }

static char *file_path(Arena *a, const char *dir, uint64_t step)
{
    char name[40];
    snprintf(name, sizeof name, "step-%012" PRIu64 ".ckpt", step);
    return path_join(a, dir, name);
}

static void to_bytes(uint8_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], 4);
        le32_put(out + 4 * i, bits);
    }
}

static void from_bytes(float *x, const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = le32_get(in + 4 * i);
        memcpy(&x[i], &bits, 4);
    }
}

/* --- writing */

/* Sum of n values as they will stand in the file; with `f` they are also put there. */
static ErrCode put_values(OutFile *f, HashStream *h, uint8_t *chunk, const float *x, uint64_t n, Hash128 *sum,
                          Err *err)
{
    ErrCode rc = ERR_OK;

    hashstream_reset(h);
    for (uint64_t at = 0; at < n && rc == ERR_OK; at += CHUNK_FLOATS) {
        const size_t k = n - at < CHUNK_FLOATS ? (size_t)(n - at) : CHUNK_FLOATS;
        to_bytes(chunk, x + at, k);
        if (f)
            rc = outfile_put(f, chunk, 4 * k, err);
        else
            hashstream_add(h, span(chunk, 4 * k));
    }
    if (sum) *sum = hashstream_digest(h);
    return rc;
}

static void put_fixed(Buf *b, const CheckpointInfo *info, const ModelSpec *spec, size_t n_config)
{
    uint8_t fixed[FIXED_BYTES] = {0};

    memcpy(fixed, MAGIC, sizeof MAGIC);
    le32_put(fixed + 8, CHECKPOINT_VERSION);
    le32_put(fixed + 12, spec->n_tensors);
    le64_put(fixed + 16, info->step);
    le64_put(fixed + 24, info->samples);
    le64_put(fixed + 32, info->tokens);
    le64_put(fixed + 40, spec->n_params);
    hash128_put(fixed + 48, info->data);
    hash128_put(fixed + 64, info->tokenizer_id);
    le64_put(fixed + 80, n_config);
    buf_put(b, fixed, sizeof fixed);
}

static ErrCode build_header(Buf *b, const CheckpointInfo *info, const ModelSpec *spec, const float *const set[3],
                            HashStream *h, uint8_t *chunk, Err *err)
{
    Buf config = {0};
    uint8_t entry[ENTRY_BYTES], sum[8];
    ErrCode rc;

    config_put_json(&config, &info->config, true);
    if ((rc = buf_ok(&config, "a checkpoint's header", err)) != ERR_OK) goto out;
    put_fixed(b, info, spec, config.n);
    buf_put_span(b, buf_span(&config));
    while (b->n % 8 && !b->oom) buf_putc(b, 0);
    const uint64_t values = b->n + (uint64_t)spec->n_tensors * ENTRY_BYTES + 8;
    for (uint32_t i = 0; i < spec->n_tensors; i++) {
        const TensorSpec *t = &spec->tensor[i];
        memset(entry, 0, sizeof entry);
        memcpy(entry, t->name, sizeof t->name);
        le64_put(entry + SPEC_NAME_BYTES, t->rows);
        le64_put(entry + SPEC_NAME_BYTES + 8, t->cols);
        le64_put(entry + SPEC_NAME_BYTES + 16, values + 12 * t->first);
        for (int s = 0; s < 3; s++) {
            Hash128 hash;
            if ((rc = put_values(NULL, h, chunk, set[s] + t->first, t->rows * t->cols, &hash, err)) != ERR_OK)
                goto out;
            hash128_put(entry + SPEC_NAME_BYTES + 24 + 16 * s, hash);
        }
        buf_put(b, entry, sizeof entry);
    }
    le64_put(sum, hash64(buf_span(b)));
    buf_put(b, sum, sizeof sum);
    rc = buf_ok(b, "a checkpoint's header", err);
out:
    buf_clear(&config);
    return rc;
}

static ErrCode write_file(const char *path, const CheckpointInfo *info, const ModelSpec *spec,
                          const float *const set[3], Err *err)
{
    OutFile *f = NULL;
    HashStream *h = NULL;
    Buf header = {0};
    uint8_t *chunk = malloc((size_t)4 * CHUNK_FLOATS);
    ErrCode rc;

    if (!chunk) return err_nomem(err, "a checkpoint's buffer");
    if ((rc = hashstream_new(&h, err)) != ERR_OK) goto out;
    if ((rc = build_header(&header, info, spec, set, h, chunk, err)) != ERR_OK) goto out;
    if ((rc = outfile_open(&f, path, err)) != ERR_OK) goto out;
    if ((rc = outfile_put(f, header.p, header.n, err)) != ERR_OK) goto out;
    for (uint32_t i = 0; i < spec->n_tensors; i++)
        for (int s = 0; s < 3; s++) {
            const TensorSpec *t = &spec->tensor[i];
            if ((rc = put_values(f, h, chunk, set[s] + t->first, t->rows * t->cols, NULL, err)) != ERR_OK) goto out;
        }
    if ((rc = outfile_put(f, header.p + header.n - 8, 8, err)) != ERR_OK) goto out;
    rc = outfile_commit(&f, err);
out:
    outfile_abandon(f);
    hashstream_free(h);
    buf_clear(&header);
    free(chunk);
    return rc;
}

ErrCode checkpoint_write(const char *dir, const CheckpointInfo *info, const ModelSpec *spec, const float *w,
                         const float *m, const float *v, uint32_t keep, Err *err)
{
    const float *const set[3] = {w, m, v};
    Arena arena = {0};
    uint64_t *steps = NULL;
    size_t n = 0;
    char *path = file_path(&arena, dir, info->step);
    ErrCode rc = path ? write_file(path, info, spec, set, err) : err_nomem(err, "a path");

    if (rc == ERR_OK) rc = checkpoint_list(dir, &steps, &n, err);
    for (size_t i = 0; rc == ERR_OK && i + keep < n; i++) rc = checkpoint_delete(dir, steps[i], err);
    free(steps);
    arena_clear(&arena);
    return rc;
}

/* --- names */

static bool parse_name(const char *name, uint64_t *step)
{
    const Span s = span_str(name), head = SPAN_LIT("step-"), tail = SPAN_LIT(".ckpt");

    if (s.n != head.n + 12 + tail.n || !span_starts(s, head) || !span_eq(span_from(s, s.n - tail.n), tail))
        return false;
    return span_to_u64(span(s.p + head.n, 12), step);
}

ErrCode checkpoint_list(const char *dir, uint64_t **steps, size_t *n, Err *err)
{
    StoreList list = {0};
    bool there;
    ErrCode rc;

    *steps = NULL, *n = 0;
    if ((rc = store_is_dir(dir, &there, err)) != ERR_OK || !there) return rc;
    if ((rc = store_list(dir, &list, err)) != ERR_OK) return rc;
    *steps = malloc((list.n + 1) * sizeof **steps);
    if (!*steps) rc = err_nomem(err, "a list of checkpoints");
    for (size_t i = 0; rc == ERR_OK && i < list.n; i++) /* twelve digits: sorted by bytes is sorted by step */
        if (parse_name(list.name[i], &(*steps)[*n])) ++*n;
    storelist_clear(&list);
    return rc;
}

ErrCode checkpoint_delete(const char *dir, uint64_t step, Err *err)
{
    Arena arena = {0};
    char *path = file_path(&arena, dir, step);
    ErrCode rc = path ? store_delete(path, err) : err_nomem(err, "a path");

    arena_clear(&arena);
    return rc;
}

/* --- reading */

/* Sizes that the fixed part announces, in bytes; false when they cannot be. */
static bool header_bytes(const uint8_t *fixed, uint64_t file_bytes, size_t *directory, size_t *total)
{
    const uint64_t n_tensors = le32_get(fixed + 12), n_config = le64_get(fixed + 80);

    if (n_tensors > MAX_TENSORS || n_config > CHECKPOINT_MAX_CONFIG) return false;
    *directory = FIXED_BYTES + round8((size_t)n_config);
    *total = *directory + (size_t)n_tensors * ENTRY_BYTES + 8;
    return *total + 8 <= file_bytes;
}

static ErrCode bad(const char *path, const char *what, Err *err)
{
    return err_set(err, ERR_DATA, "%s: damaged checkpoint: %s", path, what);
}

/* The directory must be the table that the configuration gives, and the values must fill the file. */
static ErrCode check_directory(const uint8_t *entry, uint64_t values, uint64_t file_bytes, const ModelSpec *spec,
                               const char *path, Err *err)
{
    for (uint32_t i = 0; i < spec->n_tensors; i++, entry += ENTRY_BYTES) {
        const TensorSpec *t = &spec->tensor[i];
        if (memcmp(entry, t->name, SPEC_NAME_BYTES) != 0 || le64_get(entry + SPEC_NAME_BYTES) != t->rows ||
            le64_get(entry + SPEC_NAME_BYTES + 8) != t->cols ||
            le64_get(entry + SPEC_NAME_BYTES + 16) != values + 12 * t->first)
            return err_set(err, ERR_DATA, "%s: tensor %" PRIu32 " is not %s of this model", path, i, t->name);
    }
    return values + 12 * spec->n_params + 8 == file_bytes ? ERR_OK : bad(path, "truncated, or bytes added", err);
}

ErrCode checkpoint_parse_header(Span header, uint64_t file_bytes, const char *path, CheckpointInfo *info, Err *err)
{
    ModelSpec spec = {0};
    size_t directory, total;
    ErrCode rc;

    if (header.n < FIXED_BYTES) return bad(path, "truncated", err);
    if (memcmp(header.p, MAGIC, sizeof MAGIC) != 0) return err_set(err, ERR_DATA, "%s: not a checkpoint", path);
    if (le32_get(header.p + 8) != CHECKPOINT_VERSION)
        return err_set(err, ERR_DATA, "%s: checkpoint version %" PRIu32 "; this program knows %d", path,
                       le32_get(header.p + 8), CHECKPOINT_VERSION);
    if (!header_bytes(header.p, file_bytes, &directory, &total) || header.n < total)
        return bad(path, "truncated", err);
    if (hash64(span(header.p, total - 8)) != le64_get(header.p + total - 8))
        return bad(path, "wrong header sum", err);
    info->step = le64_get(header.p + 16);
    info->samples = le64_get(header.p + 24);
    info->tokens = le64_get(header.p + 32);
    info->data = hash128_get(header.p + 48);
    info->tokenizer_id = hash128_get(header.p + 64);
    const Span config = span(header.p + FIXED_BYTES, (size_t)le64_get(header.p + 80));
    if ((rc = config_read_json(&info->config, config, path, err)) != ERR_OK) return rc;
    if ((rc = modelspec_init(&spec, &info->config.model, err)) != ERR_OK)
        return rc == ERR_USAGE ? bad(path, "a configuration that is none", err) : rc;
    if (spec.n_params != le64_get(header.p + 40) || spec.n_tensors != le32_get(header.p + 12))
        rc = bad(path, "tensors and configuration disagree", err);
    else
        rc = check_directory(header.p + directory, total, file_bytes, &spec, path, err);
    modelspec_clear(&spec);
    return rc;
}

/* Reads and checks the header of the file that is named after `step`; *header receives its bytes. */
static ErrCode read_header(InFile *f, uint64_t step, Buf *header, CheckpointInfo *info, Err *err)
{
    const uint64_t size = infile_size(f);
    uint8_t fixed[FIXED_BYTES], sum[8];
    size_t directory, total;
    ErrCode rc;

    if (size < FIXED_BYTES + 16) return bad(infile_path(f), "truncated", err);
    if ((rc = infile_read(f, 0, fixed, sizeof fixed, err)) != ERR_OK) return rc;
    if (!header_bytes(fixed, size, &directory, &total)) total = FIXED_BYTES; /* the parser says what is wrong */
    if (!buf_reserve(header, total)) return err_nomem(err, "a checkpoint's header");
    if ((rc = infile_read(f, 0, header->p, total, err)) != ERR_OK) return rc;
    header->n = total;
    if ((rc = checkpoint_parse_header(buf_span(header), size, infile_path(f), info, err)) != ERR_OK) return rc;
    if ((rc = infile_read(f, size - 8, sum, sizeof sum, err)) != ERR_OK) return rc;
    if (memcmp(sum, header->p + total - 8, 8) != 0) return bad(infile_path(f), "wrong end mark", err);
    if (info->step != step)
        return err_set(err, ERR_DATA, "%s: the checkpoint of step %" PRIu64 " under another step's name",
                       infile_path(f), info->step);
    return ERR_OK;
}

ErrCode checkpoint_info(const char *dir, uint64_t step, CheckpointInfo *info, Err *err)
{
    Arena arena = {0};
    InFile *f = NULL;
    Buf header = {0};
    char *path = file_path(&arena, dir, step);
    ErrCode rc = path ? infile_open(&f, path, err) : err_nomem(err, "a path");

    if (rc == ERR_OK) rc = read_header(f, step, &header, info, err);
    infile_close(f);
    buf_clear(&header);
    arena_clear(&arena);
    return rc;
}

static ErrCode get_values(InFile *f, HashStream *h, uint8_t *chunk, uint64_t offset, float *x, uint64_t n,
                          Hash128 want, Err *err)
{
    ErrCode rc;

    hashstream_reset(h);
    for (uint64_t at = 0; at < n; at += CHUNK_FLOATS) {
        const size_t k = n - at < CHUNK_FLOATS ? (size_t)(n - at) : CHUNK_FLOATS;
        if ((rc = infile_read(f, offset + 4 * at, chunk, 4 * k, err)) != ERR_OK) return rc;
        hashstream_add(h, span(chunk, 4 * k));
        from_bytes(x + at, chunk, k);
    }
    return hash128_eq(hashstream_digest(h), want) ? ERR_OK : bad(infile_path(f), "wrong sum of a tensor", err);
}

static ErrCode load_tensors(InFile *f, const uint8_t *entry, const ModelSpec *spec, float *const set[3], Err *err)
{
    HashStream *h = NULL;
    uint8_t *chunk = malloc((size_t)4 * CHUNK_FLOATS);
    ErrCode rc = chunk ? hashstream_new(&h, err) : err_nomem(err, "a checkpoint's buffer");

    for (uint32_t i = 0; i < spec->n_tensors && rc == ERR_OK; i++, entry += ENTRY_BYTES) {
        const TensorSpec *t = &spec->tensor[i];
        const uint64_t n = t->rows * t->cols, offset = le64_get(entry + SPEC_NAME_BYTES + 16);
        for (uint64_t s = 0; s < 3 && rc == ERR_OK; s++)
            if (set[s])
                rc = get_values(f, h, chunk, offset + 4 * n * s, set[s] + t->first, n,
                                hash128_get(entry + SPEC_NAME_BYTES + 24 + 16 * s), err);
    }
    hashstream_free(h);
    free(chunk);
    return rc;
}

ErrCode checkpoint_load(const char *dir, uint64_t step, const ModelSpec *spec, float *w, float *m, float *v, Err *err)
{
    float *const set[3] = {w, m, v};
    Arena arena = {0};
    InFile *f = NULL;
    Buf header = {0};
    CheckpointInfo info;
    char *path = file_path(&arena, dir, step);
    ErrCode rc = path ? infile_open(&f, path, err) : err_nomem(err, "a path");

    if (rc == ERR_OK) rc = read_header(f, step, &header, &info, err);
    if (rc == ERR_OK) {
        const size_t directory = FIXED_BYTES + round8((size_t)le64_get(header.p + 80));
        const uint64_t values = header.n;
        rc = le32_get(header.p + 12) == spec->n_tensors
                 ? check_directory(header.p + directory, values, infile_size(f), spec, path, err)
                 : err_set(err, ERR_DATA, "%s: the checkpoint of another model", path);
        if (rc == ERR_OK) rc = load_tensors(f, header.p + directory, spec, set, err);
    }
    infile_close(f);
    buf_clear(&header);
    arena_clear(&arena);
    return rc;
}
