#include "core/columns_file.h"
#include "core/doc.h"
#include "core/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

enum { COLS_SHORT = 256 }; /* read of a string on its own, at first */

size_t coltype_size(ColType t)
{
    switch (t) {
    case COL_U8: return 1;
    case COL_U32: return 4;
    case COL_U64: return 8;
    case COL_F32: return 4;
    case COL_STRING: return 8;
    }
    return 0;
}

static bool good_name(Span name)
{
    if (name.n == 0 || name.n > COL_NAME_MAX) return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (!ascii_is_lower(c) && !ascii_is_digit(c) && c != '_') return false;
    }
    return true;
}

bool column_is_defined(Span name, const ColumnDef *def)
{
    return good_name(name) && coltype_size(def->type) != 0 && def->width != 0;
}

bool column_values_size(uint64_t n_docs, const ColumnDef *d, size_t *out)
{
    size_t n;

    return u64_to_size(n_docs, &n) && size_mul(n, d->width, &n) && size_mul(n, coltype_size(d->type), out);
}

/* --- reading */

typedef struct {
    ColumnDef def;
    char name[COL_NAME_MAX + 1];
    uint64_t offset, sum;
    size_t values_bytes, pool_bytes;
    Buf values, pool;
    bool checked; /* its sum is right, and of it are here: */
    bool has_values, has_pool;
} Column;

struct Columns {
    InFile *file;
    uint64_t n_docs;
    Hash128 part;
    uint32_t n;
    Column *col;
    Buf receipt;
    pthread_mutex_t lock; /* of checks by columns_range() */
};

static ErrCode bad_cols(const Columns *c, Err *err, const char *why)
{
    return err_set(err, ERR_DATA, "%s is not a whole columns file: %s", infile_path(c->file), why);
}

/* Header and directory as bytes, their sums checked at both ends of the file. */
static ErrCode read_head(Columns *c, Buf *head, Err *err)
{
    uint64_t size = infile_size(c->file);
    uint8_t fixed[COLS_FIXED], end[8];
    ErrCode rc;

    if (size < COLS_FIXED + 16) return bad_cols(c, err, "too short");
    if ((rc = infile_read(c->file, 0, fixed, sizeof fixed, err)) != ERR_OK) return rc;
    if (memcmp(fixed, COLS_MAGIC, 8) != 0) return bad_cols(c, err, "wrong magic");
    if (le32_get(fixed + 8) != COLS_VERSION)
        return err_set(err, ERR_DATA, "%s has columns version %" PRIu32 ", this program knows 1",
                       infile_path(c->file), le32_get(fixed + 8));
    c->n = le32_get(fixed + 12);
    if (c->n > COLS_MAX) return bad_cols(c, err, "too many columns");
    size_t n = COLS_FIXED + (size_t)COLS_ENTRY * c->n + 8;
    if (n > size - 8) return bad_cols(c, err, "the directory is cut");
    if (!buf_reserve(head, n)) return err_nomem(err, infile_path(c->file));
    head->n = n;
    if ((rc = infile_read(c->file, 0, head->p, n, err)) != ERR_OK) return rc;
    if ((rc = infile_read(c->file, size - 8, end, 8, err)) != ERR_OK) return rc;
    if (hash64(span(head->p, n - 8)) != le64_get(head->p + n - 8)) return bad_cols(c, err, "wrong header sum");
    if (memcmp(head->p + n - 8, end, 8) != 0) return bad_cols(c, err, "the end is not the file's own (cut)");
    return ERR_OK;
}

/* Whether [offset, offset + n) lies between the directory and the end mark. */
static bool within(const Columns *c, uint64_t head, uint64_t offset, uint64_t n)
{
    uint64_t end = infile_size(c->file) - 8;

    return offset >= head && offset <= end && n <= end - offset;
}

static ErrCode parse_column(Columns *c, Column *col, const uint8_t *e, uint64_t head, Err *err)
{
    uint64_t pool = le64_get(e + 32);
    size_t total;

    memcpy(col->name, e, COL_NAME_MAX);
    size_t n = strlen(col->name);
    for (size_t i = n; i < COL_NAME_MAX; i++)
        if (e[i]) return bad_cols(c, err, "a column name is not zero-padded");
    col->def = (ColumnDef){col->name, (ColType)le16_get(e + 16), le16_get(e + 18), le32_get(e + 20)};
    if (!column_is_defined(span(col->name, n), &col->def)) return bad_cols(c, err, "a column is not well defined");
    for (const Column *other = c->col; other < col; other++)
        if (strcmp(other->name, col->name) == 0) return bad_cols(c, err, "two columns of one name");
    col->offset = le64_get(e + 24);
    col->sum = le64_get(e + 40);
    if (!column_values_size(c->n_docs, &col->def, &col->values_bytes) || !u64_to_size(pool, &col->pool_bytes) ||
        !size_add(col->values_bytes, col->pool_bytes, &total) || (pool && col->def.type != COL_STRING))
        return bad_cols(c, err, "a column of impossible size");
    if (col->offset % 8 || !within(c, head, col->offset, total))
        return bad_cols(c, err, "a column lies outside the file");
    return ERR_OK;
}

static ErrCode read_receipt(Columns *c, const uint8_t *head, size_t head_bytes, Err *err)
{
    uint64_t offset = le64_get(head + 40), n = le64_get(head + 48);
    ErrCode rc;

    if (n > COLS_MAX_RECEIPT || !within(c, head_bytes, offset, n))
        return bad_cols(c, err, "the receipt lies outside the file");
    if (!buf_reserve(&c->receipt, (size_t)n + 1)) return err_nomem(err, infile_path(c->file));
    c->receipt.n = (size_t)n;
    if ((rc = infile_read(c->file, offset, c->receipt.p, (size_t)n, err)) != ERR_OK) return rc;
    return hash64(buf_span(&c->receipt)) == le64_get(head + 56) ? ERR_OK
                                                                : bad_cols(c, err, "the receipt has a wrong sum");
}

static ErrCode parse_head(Columns *c, const Buf *head, Err *err)
{
    ErrCode rc = ERR_OK;

    c->n_docs = le64_get(head->p + 16);
    c->part = hash128_get(head->p + 24);
    if (c->n_docs > DOCID_MAX_RECORDS) return bad_cols(c, err, "too many documents");
    c->col = calloc(c->n ? c->n : 1, sizeof *c->col);
    if (!c->col) return err_nomem(err, infile_path(c->file));
    for (uint32_t i = 0; i < c->n && rc == ERR_OK; i++)
        rc = parse_column(c, &c->col[i], head->p + COLS_FIXED + (size_t)i * COLS_ENTRY, head->n, err);
    return rc ? rc : read_receipt(c, head->p, head->n, err);
}

ErrCode columns_open(Columns **out, const char *path, Err *err)
{
    Columns *c = calloc(1, sizeof *c);
    Buf head = {0};
    ErrCode rc;

    *out = NULL;
    if (!c) return err_nomem(err, path);
    pthread_mutex_init(&c->lock, NULL);
    rc = infile_open(&c->file, path, err);
    if (rc == ERR_OK) rc = read_head(c, &head, err);
    if (rc == ERR_OK) rc = parse_head(c, &head, err);
    buf_clear(&head);
    if (rc)
        columns_close(c);
    else
        *out = c;
    return rc;
}

void columns_close(Columns *c)
{
    if (!c) return;
    infile_close(c->file);
    for (uint32_t i = 0; c->col && i < c->n; i++) buf_clear(&c->col[i].values), buf_clear(&c->col[i].pool);
    free(c->col);
    buf_clear(&c->receipt);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

uint64_t columns_n_docs(const Columns *c) { return c->n_docs; }
Hash128 columns_part(const Columns *c) { return c->part; }
Span columns_receipt(const Columns *c) { return buf_span(&c->receipt); }
uint32_t columns_count(const Columns *c) { return c->n; }
const ColumnDef *columns_def(const Columns *c, uint32_t i) { return &c->col[i].def; }

int columns_find(const Columns *c, const char *name)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (strcmp(c->col[i].name, name) == 0) return (int)i;
    return -1;
}

/* n bytes of the file from `at` on go on with the sum, and are what *b holds in the end if they are to be kept. */
static ErrCode read_summed(Columns *c, uint64_t at, size_t n, bool keep, Buf *b, HashStream *sum, Err *err)
{
    const size_t step = keep || n < COLS_WINDOW ? n : COLS_WINDOW;
    ErrCode rc = buf_reserve(b, step ? step : 1) ? ERR_OK : err_nomem(err, infile_path(c->file));

    for (size_t piece; n && rc == ERR_OK; n -= piece, at += piece) {
        piece = n < step ? n : step;
        rc = infile_read(c->file, at, b->p, piece, err);
        b->n = rc == ERR_OK ? piece : 0;
        hashstream_add(sum, buf_span(b));
    }
    return rc;
}

/* What stays in memory of a column that is read and checked. */
typedef enum { KEEP_NOTHING, KEEP_VALUES, KEEP_ALL } Keep;

/* A pool of less than COLS_WINDOW stays in any case. */
static ErrCode load_column(Columns *c, Column *col, Keep keep, Err *err)
{
    const bool values = keep >= KEEP_VALUES, pool = keep == KEEP_ALL || col->pool_bytes < COLS_WINDOW;
    HashStream *sum = NULL;
    ErrCode rc = hashstream_new(&sum, err);

    buf_reset(&col->values);
    buf_reset(&col->pool);
    if (rc == ERR_OK) rc = read_summed(c, col->offset, col->values_bytes, values, &col->values, sum, err);
    if (rc == ERR_OK)
        rc = read_summed(c, col->offset + col->values_bytes, col->pool_bytes, pool, &col->pool, sum, err);
    if (rc == ERR_OK && hashstream_digest64(sum) != col->sum)
        rc = err_set(err, ERR_DATA, "%s: column %s has a wrong sum", infile_path(c->file), col->name);
    hashstream_free(sum);
    col->checked = rc == ERR_OK;
    col->has_values = values && rc == ERR_OK;
    col->has_pool = pool && rc == ERR_OK;
    if (!col->has_values) buf_clear(&col->values);
    if (!col->has_pool) buf_clear(&col->pool);
    return rc;
}

ErrCode columns_values(Columns *c, uint32_t i, Span *values, Span *pool, Err *err)
{
    Column *col = &c->col[i];
    ErrCode rc = col->has_values && col->has_pool ? ERR_OK : load_column(c, col, KEEP_ALL, err);

    if (rc) return rc;
    *values = buf_span(&col->values);
    if (pool) *pool = buf_span(&col->pool);
    return ERR_OK;
}

ErrCode columns_strings(Columns *c, uint32_t i, Err *err)
{
    return c->col[i].has_values ? ERR_OK : load_column(c, &c->col[i], KEEP_VALUES, err);
}

static ErrCode check_range(const Columns *c, uint64_t first, uint64_t n, Err *err)
{
    if (first <= c->n_docs && n <= c->n_docs - first) return ERR_OK;
    return err_set(err, ERR_LIMIT, "%s has %" PRIu64 " documents, not %" PRIu64, infile_path(c->file), c->n_docs,
                   first + n);
}

ErrCode columns_range(Columns *c, uint32_t i, uint64_t first, uint64_t n, Buf *out, Err *err)
{
    Column *col = &c->col[i];
    const size_t bytes = (size_t)n * coltype_size(col->def.type) * col->def.width;
    ErrCode rc = check_range(c, first, n, err);

    if (rc) return rc;
    pthread_mutex_lock(&c->lock);
    if (!col->checked) rc = load_column(c, col, KEEP_NOTHING, err);
    pthread_mutex_unlock(&c->lock);
    if (rc) return rc;
    buf_reset(out);
    if (!buf_reserve(out, bytes ? bytes : 1)) return err_nomem(err, infile_path(c->file));
    rc = columns_peek(c, i, first, n, out->p, err);
    out->n = rc == ERR_OK ? bytes : 0;
    return rc;
}

ErrCode columns_peek(const Columns *c, uint32_t i, uint64_t first, uint64_t n, uint8_t *out, Err *err)
{
    const Column *col = &c->col[i];
    const uint64_t each = (uint64_t)coltype_size(col->def.type) * col->def.width;
    ErrCode rc = check_range(c, first, n, err);

    return rc ? rc : infile_read(c->file, col->offset + first * each, out, (size_t)(n * each), err);
}

static ErrCode bad_string(const Columns *c, uint64_t index, const char *why, Err *err)
{
    return err_set(err, ERR_DATA, "%s: string %" PRIu64 " %s", infile_path(c->file), index, why);
}

ErrCode columns_require(const Columns *c, const ColumnDef *want, uint32_t *out, Err *err)
{
    int i = columns_find(c, want->name);

    if (i < 0 || c->col[i].def.type != want->type || c->col[i].def.width != want->width)
        return err_set(err, ERR_DATA, "%s has no column %s of the right type", infile_path(c->file), want->name);
    *out = (uint32_t)i;
    return ERR_OK;
}

ErrCode columns_typed(Columns *c, const ColumnDef *want, Span *values, Span *pool, Err *err)
{
    uint32_t i = 0;
    ErrCode rc = columns_require(c, want, &i, err);

    return rc ? rc : columns_values(c, i, values, pool, err);
}

/* The string at `at` of a pool that is in memory. */
static ErrCode pool_string(const Columns *c, Span pool, uint64_t at, uint64_t index, Span *out, Err *err)
{
    if (at > pool.n || pool.n - at < 4) return bad_string(c, index, "lies outside its pool", err);
    uint32_t n = le32_get(pool.p + at);
    if (n > pool.n - at - 4) return bad_string(c, index, "is cut by the end of its pool", err);
    *out = span(pool.p + at + 4, n);
    return ERR_OK;
}

ErrCode column_string(const Columns *c, Span values, Span pool, uint64_t index, Span *out, Err *err)
{
    *out = (Span){NULL, 0};
    if (index >= values.n / 8) return bad_string(c, index, "lies behind its column", err);
    uint64_t at = le64_get(values.p + 8 * index);
    return at == UINT64_MAX ? ERR_OK : pool_string(c, pool, at, index, out, err);
}

/* --- strings out of the file */

void stringwindow_clear(StringWindow *w)
{
    buf_clear(&w->ahead.bytes);
    buf_clear(&w->back.bytes);
}

void stringwindow_reset(StringWindow *w)
{
    buf_recycle(&w->ahead.bytes);
    buf_recycle(&w->back.bytes);
}

/* Makes [at, at + n) of the pool, in which it lies, part of *r, with what follows up to `least` bytes. */
static ErrCode range_cover(const Columns *c, const Column *col, PoolRange *r, uint64_t at, size_t n, size_t least,
                           Err *err)
{
    const uint64_t rest = col->pool_bytes - at;
    ErrCode rc;

    if (at >= r->at && at - r->at <= r->bytes.n && n <= r->bytes.n - (at - r->at)) return ERR_OK;
    if (n < least) n = least < rest ? least : (size_t)rest;
    buf_recycle(&r->bytes);
    if (!buf_reserve(&r->bytes, n)) return err_nomem(err, infile_path(c->file));
    rc = infile_read(c->file, col->offset + col->values_bytes + at, r->bytes.p, n, err);
    r->bytes.n = rc == ERR_OK ? n : 0;
    r->at = at;
    return rc;
}

ErrCode columns_string_at(const Columns *c, uint32_t i, Span values, uint64_t first, uint64_t index, StringWindow *w,
                          Span *out, Err *err)
{
    const Column *col = &c->col[i];
    PoolRange *r = &w->ahead;
    size_t least = COLS_WINDOW;
    ErrCode rc;

    *out = (Span){NULL, 0};
    if (index < first || index - first >= values.n / 8) return bad_string(c, index, "lies behind its column", err);
    uint64_t at = le64_get(values.p + 8 * (index - first));
    if (at == UINT64_MAX) return ERR_OK;
    if (col->has_pool) return pool_string(c, buf_span(&col->pool), at, index, out, err);
    if (at > col->pool_bytes || col->pool_bytes - at < 4) return bad_string(c, index, "lies outside its pool", err);
    /* Strings mostly follow one another. One that lies before the window, as those that recur do, is read beside it. */
    if (r->bytes.n && at < r->at) r = &w->back, least = COLS_SHORT;
    if ((rc = range_cover(c, col, r, at, 4, least, err)) != ERR_OK) return rc;
    const uint32_t n = le32_get(r->bytes.p + (at - r->at));
    if (n > col->pool_bytes - at - 4) return bad_string(c, index, "is cut by the end of its pool", err);
    if (n > DOC_MAX_LINE) return bad_string(c, index, "is longer than any line", err);
    if ((rc = range_cover(c, col, r, at, 4 + (size_t)n, least, err)) != ERR_OK) return rc;
    *out = span(r->bytes.p + (at - r->at) + 4, n);
    return ERR_OK;
}

ErrCode columns_read_string(const Columns *c, uint32_t i, uint64_t index, StringWindow *w, Span *out, Err *err)
{
    return columns_string_at(c, i, buf_span(&c->col[i].values), 0, index, w, out, err);
}
