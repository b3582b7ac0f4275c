#include "core/columns.h"

#include "core/doc.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    COLS_FIXED = 64, /* bytes before the directory */
    COLS_ENTRY = 48, /* one column of the directory */
    COLS_VERSION = 1,
    COLS_MAX_RECEIPT = 8 << 20
};

static const char cols_magic[8] = {'T', 'A', 'M', 'I', 'S', 'C', 'O', 'L'};

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

static uint64_t align8(uint64_t n) { return (n + 7) & ~(uint64_t)7; }

/* Bytes of a column's values; false on overflow. */
static bool values_size(uint64_t n_docs, const ColumnDef *d, size_t *out)
{
    size_t n;

    return u64_to_size(n_docs, &n) && size_mul(n, d->width, &n) && size_mul(n, coltype_size(d->type), out);
}

/* --- writing */

static ErrCode check_column(const char *path, uint64_t n_docs, const ColumnData *c, Err *err)
{
    size_t want;

    if (!good_name(span_str(c->def.name)) || coltype_size(c->def.type) == 0 || c->def.width == 0 ||
        (c->pool.n && c->def.type != COL_STRING))
        return err_set(err, ERR_LIMIT, "%s: column %s is not well defined", path, c->def.name);
    if (!values_size(n_docs, &c->def, &want) || want != c->values.n)
        return err_set(err, ERR_LIMIT, "%s: column %s has %zu bytes for %" PRIu64 " documents", path, c->def.name,
                       c->values.n, n_docs);
    return ERR_OK;
}

/* XXH3-64 of values and pool as they stand in the file, one behind the other. */
static ErrCode column_sum(const ColumnData *c, uint64_t *sum, Err *err)
{
    Buf both = {0};

    if (c->pool.n == 0) {
        *sum = hash64(c->values);
        return ERR_OK;
    }
    buf_put_span(&both, c->values);
    buf_put_span(&both, c->pool);
    *sum = hash64(buf_span(&both));
    ErrCode rc = buf_ok(&both, "a column of strings", err);
    buf_clear(&both);
    return rc;
}

static void put_header(uint8_t *h, uint64_t n_docs, Hash128 part, uint32_t n_cols, uint64_t receipt_at, Span receipt)
{
    memcpy(h, cols_magic, 8);
    le32_put(h + 8, COLS_VERSION);
    le32_put(h + 12, n_cols);
    le64_put(h + 16, n_docs);
    hash128_put(h + 24, part);
    le64_put(h + 40, receipt_at);
    le64_put(h + 48, receipt.n);
    le64_put(h + 56, hash64(receipt));
}

static ErrCode put_entry(uint8_t *e, const ColumnData *c, uint64_t offset, Err *err)
{
    uint64_t sum;
    ErrCode rc = column_sum(c, &sum, err);

    if (rc) return rc;
    memset(e, 0, COLS_ENTRY);
    memcpy(e, c->def.name, strlen(c->def.name));
    le16_put(e + 16, (uint16_t)c->def.type);
    le16_put(e + 18, c->def.width);
    le32_put(e + 20, c->def.flags);
    le64_put(e + 24, offset);
    le64_put(e + 32, c->pool.n);
    le64_put(e + 40, sum);
    return ERR_OK;
}

/* The header with its sum; the columns follow at once, each 8-byte aligned, then the receipt. */
static ErrCode make_header(const char *path, uint64_t n_docs, Hash128 part, const ColumnData *cols, uint32_t n_cols,
                           Span receipt, Buf *head, Err *err)
{
    uint64_t at = COLS_FIXED + (uint64_t)COLS_ENTRY * n_cols + 8;
    ErrCode rc;

    if (!buf_reserve(head, (size_t)at)) return err_nomem(err, path);
    head->n = (size_t)at;
    for (uint32_t i = 0; i < n_cols; i++) {
        if ((rc = check_column(path, n_docs, &cols[i], err)) != ERR_OK) return rc;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(cols[k].def.name, cols[i].def.name) == 0)
                return err_set(err, ERR_LIMIT, "%s: two columns named %s", path, cols[i].def.name);
        at = align8(at);
        if ((rc = put_entry(head->p + COLS_FIXED + (size_t)i * COLS_ENTRY, &cols[i], at, err)) != ERR_OK) return rc;
        at += (uint64_t)cols[i].values.n + cols[i].pool.n;
    }
    put_header(head->p, n_docs, part, n_cols, align8(at), receipt);
    le64_put(head->p + head->n - 8, hash64(span(head->p, head->n - 8)));
    return ERR_OK;
}

static ErrCode put_padded(OutFile *f, Span s, Err *err)
{
    static const uint8_t zero[8];
    uint64_t at = outfile_size(f);
    ErrCode rc = outfile_put(f, zero, (size_t)(align8(at) - at), err);

    return rc ? rc : outfile_put(f, s.p, s.n, err);
}

ErrCode columns_write(const char *path, uint64_t n_docs, Hash128 part, const ColumnData *cols, uint32_t n_cols,
                      Span receipt_json, Err *err)
{
    OutFile *f = NULL;
    Buf head = {0};
    ErrCode rc;

    if (n_cols > COLS_MAX || n_docs > DOCID_MAX_RECORDS || receipt_json.n > COLS_MAX_RECEIPT)
        return err_set(err, ERR_LIMIT, "%s: %" PRIu32 " columns of %" PRIu64 " documents are beyond the format", path,
                       n_cols, n_docs);
    rc = make_header(path, n_docs, part, cols, n_cols, receipt_json, &head, err);
    if (rc == ERR_OK) rc = outfile_open(&f, path, err);
    if (rc == ERR_OK) rc = outfile_put(f, head.p, head.n, err);
    for (uint32_t i = 0; i < n_cols && rc == ERR_OK; i++) {
        rc = put_padded(f, cols[i].values, err);
        if (rc == ERR_OK) rc = outfile_put(f, cols[i].pool.p, cols[i].pool.n, err);
    }
    if (rc == ERR_OK) rc = put_padded(f, receipt_json, err);
    if (rc == ERR_OK) rc = outfile_put(f, head.p + head.n - 8, 8, err);
    if (rc == ERR_OK) rc = outfile_commit_part(&f, err);
    outfile_abandon(f);
    buf_clear(&head);
    return rc;
}

/* --- reading */

typedef struct {
    ColumnDef def;
    char name[COL_NAME_MAX + 1];
    uint64_t offset, sum;
    size_t values_bytes, pool_bytes;
    Buf bytes; /* values then pool, once read */
    bool loaded;
} Column;

struct Columns {
    InFile *file;
    uint64_t n_docs;
    Hash128 part;
    uint32_t n;
    Column *col;
    Buf receipt;
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
    if (memcmp(fixed, cols_magic, 8) != 0) return bad_cols(c, err, "wrong magic");
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
    if (!good_name(span(col->name, n)) || coltype_size(col->def.type) == 0 || col->def.width == 0)
        return bad_cols(c, err, "a column is not well defined");
    for (const Column *other = c->col; other < col; other++)
        if (strcmp(other->name, col->name) == 0) return bad_cols(c, err, "two columns of one name");
    col->offset = le64_get(e + 24);
    col->sum = le64_get(e + 40);
    if (!values_size(c->n_docs, &col->def, &col->values_bytes) || !u64_to_size(pool, &col->pool_bytes) ||
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
    for (uint32_t i = 0; c->col && i < c->n; i++) buf_clear(&c->col[i].bytes);
    free(c->col);
    buf_clear(&c->receipt);
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

static ErrCode load_column(Columns *c, Column *col, Err *err)
{
    size_t n = col->values_bytes + col->pool_bytes;
    ErrCode rc;

    buf_reset(&col->bytes);
    if (!buf_reserve(&col->bytes, n + 1)) return err_nomem(err, infile_path(c->file));
    if ((rc = infile_read(c->file, col->offset, col->bytes.p, n, err)) != ERR_OK) return rc;
    col->bytes.n = n;
    if (hash64(buf_span(&col->bytes)) != col->sum)
        return err_set(err, ERR_DATA, "%s: column %s has a wrong sum", infile_path(c->file), col->name);
    col->loaded = true;
    return ERR_OK;
}

ErrCode columns_values(Columns *c, uint32_t i, Span *values, Span *pool, Err *err)
{
    Column *col = &c->col[i];
    ErrCode rc = col->loaded ? ERR_OK : load_column(c, col, err);

    if (rc) return rc;
    *values = span(col->bytes.p, col->values_bytes);
    if (pool) *pool = span(col->bytes.p + col->values_bytes, col->pool_bytes);
    return ERR_OK;
}

static ErrCode bad_string(const Columns *c, uint64_t index, const char *why, Err *err)
{
    return err_set(err, ERR_DATA, "%s: string %" PRIu64 " %s", infile_path(c->file), index, why);
}

ErrCode columns_typed(Columns *c, const ColumnDef *want, Span *values, Span *pool, Err *err)
{
    int i = columns_find(c, want->name);

    if (i < 0 || c->col[i].def.type != want->type || c->col[i].def.width != want->width)
        return err_set(err, ERR_DATA, "%s has no column %s of the right type", infile_path(c->file), want->name);
    return columns_values(c, (uint32_t)i, values, pool, err);
}

ErrCode column_string(const Columns *c, Span values, Span pool, uint64_t index, Span *out, Err *err)
{
    *out = (Span){NULL, 0};
    if (index >= values.n / 8) return bad_string(c, index, "lies behind its column", err);
    uint64_t at = le64_get(values.p + 8 * index);
    if (at == UINT64_MAX) return ERR_OK;
    if (at > pool.n || pool.n - at < 4) return bad_string(c, index, "lies outside its pool", err);
    uint32_t n = le32_get(pool.p + at);
    if (n > pool.n - at - 4) return bad_string(c, index, "is cut by the end of its pool", err);
    *out = span(pool.p + at + 4, n);
    return ERR_OK;
}
