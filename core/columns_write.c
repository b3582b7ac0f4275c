#include "core/columns_file.h"
#include "core/doc.h"
#include "core/spool.h"
#include "core/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* --- the file: columns one after another, the directory when their sums are known */

typedef struct {
    const char *path;
    OutFile *file;
    HashStream *hash; /* of the column under way */
    Buf head;
    uint64_t n_docs;
    uint32_t n_cols, n; /* in all, begun */
} ColumnsOut;

static uint8_t *entry(ColumnsOut *o, uint32_t i) { return o->head.p + COLS_FIXED + (size_t)i * COLS_ENTRY; }

static ErrCode out_open(ColumnsOut *o, const char *path, uint64_t n_docs, uint32_t n_cols, Span receipt, Err *err)
{
    const size_t head = COLS_FIXED + (size_t)COLS_ENTRY * n_cols + 8;
    ErrCode rc;

    *o = (ColumnsOut){.path = path, .n_docs = n_docs, .n_cols = n_cols};
    if (n_cols > COLS_MAX || n_docs > DOCID_MAX_RECORDS || receipt.n > COLS_MAX_RECEIPT)
        return err_set(err, ERR_LIMIT, "%s: %" PRIu32 " columns of %" PRIu64 " documents are beyond the format", path,
                       n_cols, n_docs);
    if (!buf_reserve(&o->head, head)) return err_nomem(err, path);
    memset(o->head.p, 0, head);
    o->head.n = head;
    if ((rc = hashstream_new(&o->hash, err)) != ERR_OK || (rc = outfile_open(&o->file, path, err)) != ERR_OK)
        return rc;
    return outfile_put(o->file, o->head.p, o->head.n, err);
}

static void out_clear(ColumnsOut *o)
{
    outfile_abandon(o->file);
    hashstream_free(o->hash);
    buf_clear(&o->head);
}

static ErrCode out_align(ColumnsOut *o, Err *err)
{
    static const uint8_t zero[8];

    return outfile_put(o->file, zero, (size_t)(-outfile_size(o->file) & 7), err);
}

static ErrCode check_column(ColumnsOut *o, const ColumnDef *d, uint64_t values_bytes, uint64_t pool_bytes, Err *err)
{
    size_t want;

    if (!column_is_defined(span_str(d->name), d) || (pool_bytes && d->type != COL_STRING))
        return err_set(err, ERR_LIMIT, "%s: column %s is not well defined", o->path, d->name);
    for (uint32_t i = 0; i < o->n; i++)
        if (strncmp((const char *)entry(o, i), d->name, COL_NAME_MAX) == 0)
            return err_set(err, ERR_LIMIT, "%s: two columns named %s", o->path, d->name);
    if (!column_values_size(o->n_docs, d, &want) || want != values_bytes)
        return err_set(err, ERR_LIMIT, "%s: column %s has %" PRIu64 " bytes for %" PRIu64 " documents", o->path,
                       d->name, values_bytes, o->n_docs);
    return ERR_OK;
}

/* Its values and then its pool go through out_bytes(). */
static ErrCode out_begin(ColumnsOut *o, const ColumnDef *d, uint64_t values_bytes, uint64_t pool_bytes, Err *err)
{
    ErrCode rc = check_column(o, d, values_bytes, pool_bytes, err);

    if (rc == ERR_OK) rc = out_align(o, err);
    if (rc != ERR_OK) return rc;
    uint8_t *e = entry(o, o->n++);
    memcpy(e, d->name, strlen(d->name));
    le16_put(e + 16, (uint16_t)d->type);
    le16_put(e + 18, d->width);
    le32_put(e + 20, d->flags);
    le64_put(e + 24, outfile_size(o->file));
    le64_put(e + 32, pool_bytes);
    hashstream_reset(o->hash);
    return ERR_OK;
}

static ErrCode out_bytes(void *out, Span s, Err *err)
{
    ColumnsOut *o = out;

    hashstream_add(o->hash, s);
    return outfile_put(o->file, s.p, s.n, err);
}

static void out_end(ColumnsOut *o) { le64_put(entry(o, o->n - 1) + 40, hashstream_digest64(o->hash)); }

static ErrCode out_commit(ColumnsOut *o, Hash128 part, Span receipt, Err *err)
{
    uint8_t *h = o->head.p, *sum = h + o->head.n - 8;
    ErrCode rc = out_align(o, err);

    if (rc != ERR_OK) return rc;
    memcpy(h, COLS_MAGIC, 8);
    le32_put(h + 8, COLS_VERSION);
    le32_put(h + 12, o->n_cols);
    le64_put(h + 16, o->n_docs);
    hash128_put(h + 24, part);
    le64_put(h + 40, outfile_size(o->file));
    le64_put(h + 48, receipt.n);
    le64_put(h + 56, hash64(receipt));
    le64_put(sum, hash64(span(h, o->head.n - 8)));
    if ((rc = outfile_put(o->file, receipt.p, receipt.n, err)) != ERR_OK) return rc;
    if ((rc = outfile_put(o->file, sum, 8, err)) != ERR_OK) return rc;
    if ((rc = outfile_patch(o->file, 0, h, o->head.n, err)) != ERR_OK) return rc;
    return outfile_commit_part(&o->file, err);
}

/* --- columns in memory */

ErrCode columns_write(const char *path, uint64_t n_docs, Hash128 part, const ColumnData *cols, uint32_t n_cols,
                      Span receipt_json, Err *err)
{
    ColumnsOut out;
    ErrCode rc = out_open(&out, path, n_docs, n_cols, receipt_json, err);

    for (uint32_t i = 0; i < n_cols && rc == ERR_OK; i++) {
        if ((rc = out_begin(&out, &cols[i].def, cols[i].values.n, cols[i].pool.n, err)) != ERR_OK) break;
        if ((rc = out_bytes(&out, cols[i].values, err)) != ERR_OK) break;
        if ((rc = out_bytes(&out, cols[i].pool, err)) != ERR_OK) break;
        out_end(&out);
    }
    if (rc == ERR_OK) rc = out_commit(&out, part, receipt_json, err);
    out_clear(&out);
    return rc;
}

/* --- columns that grow */

/* Short strings of one column that recur are stored once: the first so many distinct ones, in an open table by hash. */
enum { SHARED_BYTES = 128, SHARED_SLOTS = 1 << 14, SHARED_HEAD = 12 };

typedef struct {
    uint32_t slot[SHARED_SLOTS]; /* 1 + where it stands in `strings` */
    Buf strings;                 /* each: u64 offset in the pool, u32 length, bytes */
    uint32_t n;
} SharedStrings;

struct ColumnsWriter {
    Spool *spool; /* streams: values of column c at 2c, its pool behind them */
    ColumnDef *def;
    SharedStrings **shared; /* of each column; NULL until needed */
    uint32_t n;
};

static uint32_t values_of(uint32_t c) { return 2 * c; }
static uint32_t pool_of(uint32_t c) { return 2 * c + 1; }

ErrCode columnswriter_new(ColumnsWriter **out, const ColumnDef *defs, uint32_t n_cols, uint64_t memory,
                          const char *scratch_dir, Err *err)
{
    ColumnsWriter *w = calloc(1, sizeof *w);
    uint64_t n_streams = 1; /* that can hold something, and one */

    *out = w;
    if (!w) return err_nomem(err, "columns");
    w->n = n_cols;
    w->def = calloc(n_cols + 1, sizeof *w->def);
    w->shared = calloc(n_cols + 1, sizeof *w->shared);
    if (!w->def || !w->shared) return err_nomem(err, "columns");
    for (uint32_t c = 0; c < n_cols; c++) {
        w->def[c] = defs[c];
        n_streams += defs[c].type == COL_STRING ? 2 : 1;
    }
    memory /= n_streams;
    return spool_new(&w->spool, 2 * n_cols, memory < SIZE_MAX ? (size_t)memory : SIZE_MAX, scratch_dir, "columns",
                     err);
}

void columnswriter_free(ColumnsWriter *w)
{
    if (!w) return;
    for (uint32_t c = 0; w->shared && c < w->n; c++)
        if (w->shared[c]) {
            buf_clear(&w->shared[c]->strings);
            free(w->shared[c]);
        }
    spool_free(w->spool);
    free(w->shared);
    free(w->def);
    free(w);
}

uint64_t columnswriter_held_bytes(const ColumnsWriter *w)
{
    uint64_t n = spool_held_bytes(w->spool);

    for (uint32_t c = 0; c < w->n; c++)
        if (w->shared[c]) n += sizeof *w->shared[c] + w->shared[c]->strings.cap;
    return n;
}

ErrCode columnswriter_values(ColumnsWriter *w, uint32_t c, Span values, Err *err)
{
    assert(c < w->n && w->def[c].type != COL_STRING);
    return spool_put(w->spool, values_of(c), values, err);
}

/* The slot of a short string: *at is where the pool has it, or UINT64_MAX, and then the slot is where it belongs. */
static uint32_t *find_shared(SharedStrings *sh, Span s, uint64_t *at)
{
    for (uint64_t i = hash64(s) % SHARED_SLOTS;; i = (i + 1) % SHARED_SLOTS) {
        *at = UINT64_MAX;
        if (!sh->slot[i]) return &sh->slot[i];
        const uint8_t *have = sh->strings.p + sh->slot[i] - 1;
        *at = le64_get(have);
        if (span_eq(span(have + SHARED_HEAD, le32_get(have + 8)), s)) return &sh->slot[i];
    }
}

static ErrCode keep_shared(SharedStrings *sh, uint32_t *slot, Span s, uint64_t at, Err *err)
{
    uint8_t head[SHARED_HEAD];
    const size_t where = sh->strings.n;

    if (sh->n == SHARED_SLOTS / 2) return ERR_OK;
    le64_put(head, at);
    le32_put(head + 8, (uint32_t)s.n);
    buf_put(&sh->strings, head, sizeof head);
    buf_put_span(&sh->strings, s);
    *slot = (uint32_t)where + 1;
    sh->n++;
    return buf_ok(&sh->strings, "a column's strings", err);
}

/* Where the column's pool has the string from now on. */
static ErrCode pool_put(ColumnsWriter *w, uint32_t c, Span s, uint64_t *at, Err *err)
{
    SharedStrings **sh = &w->shared[c];
    uint32_t *slot = NULL;
    uint8_t length[4];
    ErrCode rc;

    if (s.n <= SHARED_BYTES) {
        if (!*sh && !(*sh = calloc(1, sizeof **sh))) return err_nomem(err, "a column's strings");
        slot = find_shared(*sh, s, at);
        if (*at != UINT64_MAX) return ERR_OK;
    }
    *at = spool_bytes(w->spool, pool_of(c));
    le32_put(length, (uint32_t)s.n);
    if ((rc = spool_put(w->spool, pool_of(c), span(length, sizeof length), err)) != ERR_OK) return rc;
    if ((rc = spool_put(w->spool, pool_of(c), s, err)) != ERR_OK) return rc;
    return slot ? keep_shared(*sh, slot, s, *at, err) : ERR_OK;
}

ErrCode columnswriter_string(ColumnsWriter *w, uint32_t c, Span s, Err *err)
{
    uint64_t at = UINT64_MAX;
    uint8_t value[8];
    ErrCode rc = s.p ? pool_put(w, c, s, &at, err) : ERR_OK;

    assert(c < w->n && w->def[c].type == COL_STRING);
    le64_put(value, at);
    return rc == ERR_OK ? spool_put(w->spool, values_of(c), span(value, sizeof value), err) : rc;
}

ErrCode columnswriter_commit(ColumnsWriter *w, const char *path, uint64_t n_docs, Hash128 part, Span receipt_json,
                             Err *err)
{
    ColumnsOut out;
    ErrCode rc = out_open(&out, path, n_docs, w->n, receipt_json, err);

    for (uint32_t c = 0; c < w->n && rc == ERR_OK; c++) {
        const uint64_t values = spool_bytes(w->spool, values_of(c)), pool = spool_bytes(w->spool, pool_of(c));
        if ((rc = out_begin(&out, &w->def[c], values, pool, err)) != ERR_OK) break;
        if ((rc = spool_each(w->spool, values_of(c), out_bytes, &out, err)) != ERR_OK) break;
        if ((rc = spool_each(w->spool, pool_of(c), out_bytes, &out, err)) != ERR_OK) break;
        out_end(&out);
    }
    if (rc == ERR_OK) rc = out_commit(&out, part, receipt_json, err);
    out_clear(&out);
    return rc;
}
