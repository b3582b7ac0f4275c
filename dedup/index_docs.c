/* Survivors of the datasets in an index, in the order of input: what runs are made of, and what a lookup compares and names. */
#include "core/dataset_files.h"
#include "core/json.h"
#include "core/store.h"
#include "dedup/index.h"
#include "dedup/sign.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { DOCS_RECORD, DOCS_EXACT, DOCS_ID, DOCS_URL, DOCS_HOST, DOCS_BAND, DOCS_SKETCH, DOCS_CHECK, N_DOCS_COLUMNS };
enum { SKETCH_ROWS = 16 /* read at a time: candidates are few or side by side */ };

static void make_columns(const Index *ix, ColumnDef def[N_DOCS_COLUMNS], uint32_t *n)
{
    def[DOCS_RECORD] = (ColumnDef){"record", COL_U32, 1, 0};
    def[DOCS_EXACT] = (ColumnDef){"exact", COL_U64, 2, 0};
    def[DOCS_ID] = (ColumnDef){"id", COL_STRING, 1, 0};
    def[DOCS_URL] = (ColumnDef){"url", COL_U64, 1, 0};
    def[DOCS_HOST] = (ColumnDef){"host", COL_U64, 1, 0};
    def[DOCS_BAND] = (ColumnDef){"band", COL_U64, (uint16_t)ix->bands, 0};
    def[DOCS_SKETCH] = (ColumnDef){"sketch", COL_U8, SKETCH_BINS, 0};
    def[DOCS_CHECK] = (ColumnDef){"check", COL_U32, 1, 0};
    *n = ix->bands ? N_DOCS_COLUMNS : DOCS_BAND;
}

static ErrCode docs_path(char out[PATH_MAX], const Index *ix, uint32_t dataset, uint32_t part, Err *err)
{
    char rest[64];

    snprintf(rest, sizeof rest, "docs/%05" PRIu32 "-%06" PRIu32 ".cols", dataset, part);
    return index_path(out, PATH_MAX, ix->dir, rest, err);
}

static void put_receipt(Buf *b, Hash128 key)
{
    buf_puts(b, "{\"key\":");
    json_put_hash(b, key);
    buf_putc(b, '}');
}

/* --- reading */

static ErrCode check_receipt(const Columns *c, const char *path, Hash128 key, Err *err)
{
    Buf want = {0};
    ErrCode rc;

    put_receipt(&want, key);
    if ((rc = buf_ok(&want, "a receipt", err)) == ERR_OK && !span_eq(columns_receipt(c), buf_span(&want)))
        rc = err_set(err, ERR_DATA, "%s belongs to another dataset", path);
    buf_clear(&want);
    return rc;
}

static bool is_used(uint32_t column, IndexDocsUse use)
{
    static const uint32_t used[] = {[DOCS_ALL] = UINT32_MAX,
                                    [DOCS_SKETCHES] = 1 << DOCS_RECORD | 1 << DOCS_CHECK,
                                    [DOCS_IDS] = 1 << DOCS_RECORD | 1 << DOCS_ID,
                                    [DOCS_NAMES] = 1 << DOCS_RECORD | 1 << DOCS_ID | 1 << DOCS_URL | 1 << DOCS_HOST,
                                    [DOCS_RECORDS] = 1 << DOCS_RECORD};

    return used[use] >> column & 1;
}

/* Checks the column, and for lookups keeps it: who goes through a whole file reads it in pieces. */
static ErrCode open_column(IndexDocs *d, const ColumnDef *def, IndexDocsUse use, Span *values, Span *pool, Err *err)
{
    Buf none = {0};
    uint32_t column;
    ErrCode rc;

    if (use != DOCS_ALL && use != DOCS_NAMES) return columns_typed(d->cols, def, values, pool, err);
    rc = columns_require(d->cols, def, &column, err);
    if (rc == ERR_OK) rc = columns_range(d->cols, column, 0, 0, &none, err);
    buf_clear(&none);
    return rc;
}

ErrCode indexdocs_open(IndexDocs *d, const Index *ix, uint32_t dataset, uint32_t part, IndexDocsUse use, Err *err)
{
    Span *to[N_DOCS_COLUMNS] = {[DOCS_RECORD] = &d->record, [DOCS_ID] = &d->id, [DOCS_CHECK] = &d->check};
    ColumnDef def[N_DOCS_COLUMNS];
    char path[PATH_MAX];
    uint32_t n;
    ErrCode rc = docs_path(path, ix, dataset, part, err);

    *d = (IndexDocs){.first = docid(dataset, part, 0)};
    if (rc || (rc = columns_open(&d->cols, path, err)) != ERR_OK) return rc;
    d->n = (uint32_t)columns_n_docs(d->cols);
    rc = check_receipt(d->cols, path, ix->dataset[dataset].key, err);
    make_columns(ix, def, &n);
    for (uint32_t i = 0; i < n && rc == ERR_OK; i++)
        if (is_used(i, use)) rc = open_column(d, &def[i], use, to[i], i == DOCS_ID ? &d->id_pool : NULL, err);
    if (rc) indexdocs_close(d);
    return rc;
}

ErrCode indexdocs_open_file(IndexDocs *d, const Index *ix, uint32_t file, IndexDocsUse use, Err *err)
{
    uint32_t lo = 0, hi = ix->n_datasets; /* the last dataset whose first file is not behind it */

    while (hi - lo > 1) {
        const uint32_t mid = lo + (hi - lo) / 2;
        if (ix->dataset[mid].first_file <= file)
            lo = mid;
        else
            hi = mid;
    }
    const ErrCode rc = indexdocs_open(d, ix, lo, file - ix->dataset[lo].first_file, use, err);
    if (rc == ERR_DATA) index_add_repair(ix, err);
    return rc;
}

void indexdocs_close(IndexDocs *d)
{
    columns_close(d->cols);
    *d = (IndexDocs){0};
}

bool indexdocs_row(const IndexDocs *d, DocId ref, uint32_t *row)
{
    uint32_t lo = 0, hi = d->n, record = docid_record(ref);

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (le32_get(d->record.p + 4 * (size_t)mid) < record)
            lo = mid + 1;
        else
            hi = mid;
    }
    *row = lo;
    return lo < d->n && le32_get(d->record.p + 4 * (size_t)lo) == record;
}

ErrCode indexdocs_seek(IndexDocsCursor *c, const Index *ix, DocId ref, bool *found, Err *err)
{
    DocId first = ref - docid_record(ref);
    ErrCode rc;

    *found = false;
    if (docid_dataset(ref) >= ix->n_datasets || docid_part(ref) >= ix->dataset[docid_dataset(ref)].n_parts)
        return err_set(err, ERR_DATA, "%s: does not have part %u of dataset %u", ix->dir, docid_part(ref),
                       docid_dataset(ref));
    if (!c->open || c->docs.first != first) {
        if (c->open) indexdocs_close(&c->docs);
        c->open = false;
        buf_reset(&c->sketches);
        rc = indexdocs_open(&c->docs, ix, docid_dataset(ref), docid_part(ref), c->use, err);
        if (rc == ERR_DATA) index_add_repair(ix, err);
        if (rc) return rc;
        c->open = true;
    }
    *found = indexdocs_row(&c->docs, ref, &c->row);
    return ERR_OK;
}

void indexdocs_leave(IndexDocsCursor *c)
{
    if (c->open) indexdocs_close(&c->docs);
    buf_clear(&c->sketches);
    c->open = false;
}

/* XXH3-64 of record and sketch, the low half. */
static void check_of(uint8_t out[4], const uint8_t record[4], const uint8_t sketch[SKETCH_BINS])
{
    uint8_t both[4 + SKETCH_BINS];

    memcpy(both, record, 4);
    memcpy(both + 4, sketch, SKETCH_BINS);
    le32_put(out, (uint32_t)hash64(span(both, sizeof both)));
}

ErrCode indexdocs_sketch(IndexDocsCursor *c, const Index *ix, const uint8_t **sketch, Err *err)
{
    const IndexDocs *d = &c->docs;
    const size_t row = c->row;
    uint8_t check[4];
    ErrCode rc = ERR_OK;

    if (c->sketches.n == 0 || row < c->first_row || row - c->first_row >= c->sketches.n / SKETCH_BINS) {
        const size_t n = d->n - row < SKETCH_ROWS ? d->n - row : SKETCH_ROWS;
        uint32_t column;
        buf_reset(&c->sketches);
        if (!buf_reserve(&c->sketches, SKETCH_ROWS * SKETCH_BINS)) return err_nomem(err, "sketches");
        rc = columns_require(d->cols, &(ColumnDef){"sketch", COL_U8, SKETCH_BINS, 0}, &column, err);
        if (rc == ERR_OK) rc = columns_peek(d->cols, column, row, n, c->sketches.p, err);
        if (rc) return rc;
        c->first_row = (uint32_t)row;
        c->sketches.n = n * SKETCH_BINS;
    }
    *sketch = c->sketches.p + (row - c->first_row) * SKETCH_BINS;
    check_of(check, d->record.p + 4 * row, *sketch);
    if (memcmp(check, d->check.p + 4 * row, 4) != 0)
        rc = err_set(err, ERR_DATA, "%s: the file of part %u of dataset %u is damaged at row %zu; %s", ix->dir,
                     docid_part(d->first), docid_dataset(d->first), row, ix->repair);
    return rc;
}

ErrCode indexdocs_id(const IndexDocs *d, uint32_t row, Span *id, Err *err)
{
    return column_string(d->cols, d->id, d->id_pool, row, id, err);
}

ErrCode indexdocs_keys(const IndexDocs *d, const Index *ix, bool bands, uint32_t first, uint32_t n, Buf *keys,
                       Err *err)
{
    ColumnDef def[N_DOCS_COLUMNS];
    uint32_t n_columns, column;
    ErrCode rc;

    make_columns(ix, def, &n_columns);
    rc = columns_require(d->cols, &def[bands ? DOCS_BAND : DOCS_EXACT], &column, err);
    return rc ? rc : columns_range(d->cols, column, first, n, keys, err);
}

/* --- writing */

/* A file under way, of which memory holds a little: the rest lies in a file without a name in the index. */
enum { FILE_MEMORY = 2 << 20, ROWS_AT_A_TIME = 1024 /* of what it is made from */ };
typedef struct {
    ColumnsWriter *out;
    uint32_t n_columns;
    uint64_t n;
} Rows;

static ErrCode rows_open(Rows *r, const Index *ix, Err *err)
{
    ColumnDef def[N_DOCS_COLUMNS];

    *r = (Rows){.n = 0};
    make_columns(ix, def, &r->n_columns);
    return columnswriter_new(&r->out, def, r->n_columns, FILE_MEMORY, ix->dir, err);
}

/* One row; band and sketch where there are bands. */
typedef struct {
    const uint8_t *exact, *url, *host, *band, *sketch;
    uint32_t record;
    Span id;
} Row;

static ErrCode put_row(Rows *r, const Index *ix, const Row *row, Err *err)
{
    uint8_t record[4], check[4];
    ErrCode rc;

    le32_put(record, row->record);
    r->n++;
    if ((rc = columnswriter_values(r->out, DOCS_RECORD, span(record, 4), err)) != ERR_OK) return rc;
    if ((rc = columnswriter_values(r->out, DOCS_EXACT, span(row->exact, 16), err)) != ERR_OK) return rc;
    if ((rc = columnswriter_string(r->out, DOCS_ID, row->id, err)) != ERR_OK) return rc;
    if ((rc = columnswriter_values(r->out, DOCS_URL, span(row->url, 8), err)) != ERR_OK) return rc;
    if ((rc = columnswriter_values(r->out, DOCS_HOST, span(row->host, 8), err)) != ERR_OK || !ix->bands) return rc;
    check_of(check, record, row->sketch);
    rc = columnswriter_values(r->out, DOCS_BAND, span(row->band, 8 * (size_t)ix->bands), err);
    if (rc == ERR_OK) rc = columnswriter_values(r->out, DOCS_SKETCH, span(row->sketch, SKETCH_BINS), err);
    return rc ? rc : columnswriter_values(r->out, DOCS_CHECK, span(check, sizeof check), err);
}

static ErrCode write_rows(const Index *ix, DocId first, const Rows *r, Err *err)
{
    const IndexDataset *d = &ix->dataset[docid_dataset(first)];
    char path[PATH_MAX];
    Buf receipt = {0};
    ErrCode rc = docs_path(path, ix, docid_dataset(first), docid_part(first), err);

    put_receipt(&receipt, d->key);
    if (rc == ERR_OK) rc = buf_ok(&receipt, "a receipt", err);
    if (rc == ERR_OK) rc = columnswriter_commit(r->out, path, r->n, d->key, buf_span(&receipt), err);
    buf_clear(&receipt);
    return rc;
}

/* --- from the view that was added */

enum { SOURCE_EXACT, SOURCE_ID, SOURCE_URL, SOURCE_HOST, SOURCE_SKETCH, SOURCE_BAND };
enum { N_SOURCE = SOURCE_BAND + DEDUP_MAX_BANDS };

typedef struct {
    Columns *sign, *view;
    uint32_t column[N_SOURCE], n_columns, drop_column;
    uint32_t n, first, end; /* rows: in all, and those at hand */
    Buf values[N_SOURCE], drop;
    StringWindow ids;
} Source;

static void source_close(Source *s)
{
    for (int i = 0; i < N_SOURCE; i++) buf_clear(&s->values[i]);
    buf_clear(&s->drop);
    stringwindow_clear(&s->ids);
    columns_close(s->sign);
    columns_close(s->view);
    free(s);
}

/* A view may have been made anew since, in the same place. */
static ErrCode check_view(const Columns *view, const char *path, Hash128 key, Err *err)
{
    Arena arena = {0};
    Json *j = NULL;
    const char *text = NULL;
    Hash128 have;
    ErrCode rc = json_parse(&arena, columns_receipt(view), path, &j, err);

    if (rc == ERR_OK) rc = json_get_str(json_get(j, "part"), "key", path, &text, err);
    if (rc == ERR_OK && (!text || !hash128_parse(span_str(text), &have) || !hash128_eq(have, key)))
        rc = err_set(err, ERR_DATA, "%s is of another run than the one that was added to the index", path);
    arena_clear(&arena);
    return rc;
}

static ErrCode find_columns(Source *s, const Index *ix, Err *err)
{
    static const ColumnDef known[SOURCE_BAND] = {[SOURCE_EXACT] = {"exact", COL_U64, 2, 0},
                                                 [SOURCE_ID] = {"id", COL_STRING, 1, 0},
                                                 [SOURCE_URL] = {"address", COL_U64, 1, 0},
                                                 [SOURCE_HOST] = {"host", COL_U64, 1, 0},
                                                 [SOURCE_SKETCH] = {"sketch", COL_U8, SKETCH_BINS, 0}};
    char name[COL_NAME_MAX + 1];
    ErrCode rc = ERR_OK;

    s->n_columns = ix->bands ? SOURCE_BAND + ix->bands : SOURCE_SKETCH;
    for (uint32_t i = 0; i < s->n_columns && rc == ERR_OK; i++) {
        ColumnDef want = {name, COL_U64, 1, 0};
        if (i < SOURCE_BAND)
            want = known[i];
        else
            sign_band_name(name, i - SOURCE_BAND);
        rc = columns_require(s->sign, &want, &s->column[i], err);
    }
    return rc;
}

static ErrCode source_open(Source *s, const Index *ix, uint32_t dataset, uint32_t part, Err *err)
{
    const char *out = ix->dataset[dataset].out;
    char path[PATH_MAX], rest[64];
    ErrCode rc;

    snprintf(rest, sizeof rest, "part-%06" PRIu32 ".dedup.cols", part);
    if ((rc = index_path(path, sizeof path, out, rest, err)) != ERR_OK) return rc;
    if ((rc = columns_open(&s->view, path, err)) != ERR_OK) return rc;
    rc = check_view(s->view, path, ix->dataset[dataset].key, err);
    if (rc == ERR_OK) rc = columns_require(s->view, &(ColumnDef){DROP_COLUMN, COL_U8, 1, 0}, &s->drop_column, err);
    snprintf(rest, sizeof rest, "sign/part-%06" PRIu32 ".sign.cols", part);
    if (rc == ERR_OK) rc = index_path(path, sizeof path, out, rest, err);
    if (rc == ERR_OK) rc = columns_open(&s->sign, path, err);
    if (rc) return rc;
    s->n = (uint32_t)columns_n_docs(s->view);
    if (columns_n_docs(s->sign) != s->n || !hash128_eq(columns_part(s->sign), columns_part(s->view)))
        return err_set(err, ERR_DATA, "%s: not the signatures of %s", path, out);
    return find_columns(s, ix, err);
}

static ErrCode source_rows(Source *s, uint32_t first, Err *err)
{
    const uint32_t left = s->n - first, n = left < ROWS_AT_A_TIME ? left : ROWS_AT_A_TIME;
    ErrCode rc = columns_range(s->view, s->drop_column, first, n, &s->drop, err);

    for (uint32_t i = 0; i < s->n_columns && rc == ERR_OK; i++)
        rc = columns_range(s->sign, s->column[i], first, n, &s->values[i], err);
    s->first = first;
    s->end = first + n;
    return rc;
}

static ErrCode copy_row(Rows *r, const Index *ix, Source *s, uint32_t record, Err *err)
{
    const size_t i = record - s->first;
    uint8_t band[8 * DEDUP_MAX_BANDS];
    Row row = {.record = record,
               .exact = s->values[SOURCE_EXACT].p + 16 * i,
               .url = s->values[SOURCE_URL].p + 8 * i,
               .host = s->values[SOURCE_HOST].p + 8 * i,
               .band = band};
    ErrCode rc = columns_string_at(s->sign, s->column[SOURCE_ID], buf_span(&s->values[SOURCE_ID]), s->first, record,
                                   &s->ids, &row.id, err);

    if (rc) return rc;
    for (uint32_t b = 0; b < ix->bands; b++) memcpy(band + 8 * (size_t)b, s->values[SOURCE_BAND + b].p + 8 * i, 8);
    if (ix->bands) row.sketch = s->values[SOURCE_SKETCH].p + SKETCH_BINS * i;
    return put_row(r, ix, &row, err);
}

/* *lost: the view cannot be read. */
static ErrCode write_part(const Index *ix, uint32_t dataset, uint32_t part, uint64_t *n_docs, bool *lost, Err *err)
{
    const DocId first = docid(dataset, part, 0);
    Source *s = calloc(1, sizeof *s);
    Rows r = {.n = 0};
    ErrCode rc;

    *lost = false;
    if (!s) return err_nomem(err, "an index file");
    rc = source_open(s, ix, dataset, part, err);
    *lost = rc == ERR_DATA || rc == ERR_SYS;
    if (rc == ERR_OK) rc = rows_open(&r, ix, err);
    for (uint32_t i = 0; rc == ERR_OK && i < s->n; i++) {
        if (i >= s->end && (rc = source_rows(s, i, err)) != ERR_OK) *lost = rc == ERR_DATA || rc == ERR_SYS;
        if (rc == ERR_OK && s->drop.p[i - s->first] == DROP_KEPT && !index_is_removed(ix, first + i))
            rc = copy_row(&r, ix, s, i, err);
    }
    if (rc == ERR_OK) rc = write_rows(ix, first, &r, err);
    *n_docs = r.n;
    columnswriter_free(r.out);
    source_close(s);
    return rc;
}

static ErrCode one_part(const Index *ix, uint32_t dataset, uint32_t part, bool damaged_only, IndexDocsCount *n,
                        Err *err)
{
    IndexDocs d;
    Err why;
    bool lost;
    ErrCode rc;

    *n = (IndexDocsCount){0};
    if (interrupt_seen()) return err_set(err, ERR_INTR, "interrupted");
    if (damaged_only && indexdocs_open(&d, ix, dataset, part, DOCS_ALL, &why) == ERR_OK) {
        n->docs = d.n;
        indexdocs_close(&d);
        return ERR_OK;
    }
    rc = write_part(ix, dataset, part, &n->docs, &lost, err);
    if (rc && damaged_only && lost) {
        log_error("index: %s; it cannot be made again: %s", why.msg, err->msg);
        n->lost = 1;
        return ERR_OK;
    }
    n->written = rc == ERR_OK;
    if (rc == ERR_OK && damaged_only) log_info("index: %s; made again", why.msg);
    return rc;
}

ErrCode indexdocs_write(const Index *ix, uint32_t dataset, bool damaged_only, const Par *par, IndexDocsCount *count,
                        Err *err)
{
    const uint32_t n_parts = ix->dataset[dataset].n_parts, ranks = (uint32_t)par->n_ranks, rank = (uint32_t)par->rank;
    char path[PATH_MAX];
    uint64_t sum[3] = {0};
    uint32_t failed = UINT32_MAX;
    ErrCode rc = index_path(path, sizeof path, ix->dir, "docs", err);

    if (rc == ERR_OK) rc = store_mkdirs(path, err);
#pragma omp parallel for schedule(dynamic, 1) num_threads(par->threads)
    for (uint32_t part = rank; part < n_parts; part += ranks) {
        IndexDocsCount n;
        Err own;
        ErrCode mine = one_part(ix, dataset, part, damaged_only, &n, &own);
#pragma omp critical(index_docs)
        {
            sum[0] += n.docs, sum[1] += n.written, sum[2] += n.lost;
            if (mine && part < failed) {
                failed = part;
                rc = mine;
                *err = own;
            }
        }
    }
    rc = par_agree(par, rc, err);
    par_sum_u64(par, sum, 3);
    *count = (IndexDocsCount){sum[0], sum[1], sum[2]};
    return rc;
}

/* --- without what is removed */

typedef struct {
    uint32_t column[N_DOCS_COLUMNS], n_columns;
    uint32_t first, end; /* rows at hand */
    Buf values[N_DOCS_COLUMNS];
    StringWindow ids;
} Window;

static ErrCode window_rows(Window *w, const IndexDocs *d, uint32_t first, Err *err)
{
    const uint32_t n = d->n - first < ROWS_AT_A_TIME ? d->n - first : ROWS_AT_A_TIME;
    ErrCode rc = ERR_OK;

    for (uint32_t i = 0; i < w->n_columns && rc == ERR_OK; i++)
        rc = columns_range(d->cols, w->column[i], first, n, &w->values[i], err);
    w->first = first;
    w->end = first + n;
    return rc;
}

static ErrCode purge_row(Rows *r, const Index *ix, const IndexDocs *d, Window *w, uint32_t at, Err *err)
{
    const size_t i = at - w->first;
    Row row = {.record = le32_get(w->values[DOCS_RECORD].p + 4 * i),
               .exact = w->values[DOCS_EXACT].p + 16 * i,
               .url = w->values[DOCS_URL].p + 8 * i,
               .host = w->values[DOCS_HOST].p + 8 * i};
    ErrCode rc;

    if (index_is_removed(ix, d->first + row.record)) return ERR_OK;
    rc = columns_string_at(d->cols, w->column[DOCS_ID], buf_span(&w->values[DOCS_ID]), w->first, at, &w->ids, &row.id,
                           err);
    if (ix->bands) {
        row.band = w->values[DOCS_BAND].p + 8 * ix->bands * i;
        row.sketch = w->values[DOCS_SKETCH].p + SKETCH_BINS * i;
    }
    return rc ? rc : put_row(r, ix, &row, err);
}

ErrCode indexdocs_purge(const Index *ix, const IndexDocs *d, Err *err)
{
    ColumnDef def[N_DOCS_COLUMNS];
    Window w = {.first = 0};
    Rows r;
    ErrCode rc = rows_open(&r, ix, err);

    make_columns(ix, def, &w.n_columns);
    for (uint32_t i = 0; i < w.n_columns && rc == ERR_OK; i++)
        rc = columns_require(d->cols, &def[i], &w.column[i], err);
    for (uint32_t i = 0; i < d->n && rc == ERR_OK; i++) {
        if (i == w.end) rc = window_rows(&w, d, i, err);
        if (rc == ERR_OK) rc = purge_row(&r, ix, d, &w, i, err);
    }
    if (rc == ERR_OK) rc = write_rows(ix, d->first, &r, err);
    for (uint32_t i = 0; i < N_DOCS_COLUMNS; i++) buf_clear(&w.values[i]);
    stringwindow_clear(&w.ids);
    columnswriter_free(r.out);
    return rc;
}
