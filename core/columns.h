/* core/columns.h - what one stage says of one part: `part-%06u.STAGE.cols`, version 1. Integers are little-endian.
 *
 *   offset   size  field
 *        0      8  magic        "TAMISCOL"
 *        8      4  version      1
 *       12      4  n_columns    C
 *       16      8  n_docs       N, of the root part: a view of a view still counts the root's records
 *       24     16  part         XXH3-128 content of the root part it belongs to
 *       40      8  receipt      offset of the receipt (JSON)
 *       48      8  receipt size
 *       56      8  receipt sum  XXH3-64
 *       64     48C directory    per column: name 16 bytes zero-padded; u16 type (1 u8, 2 u32, 3 u64, 4 f32, 5 string
 *                               = u64 offset into the column's pool); u16 width >= 1; u32 flags (1 = joins the
 *                               document's signals, 2 = replaces the member of that name: domain, 4 = replacement
 *                               line); u64 offset; u64 pool bytes (0 unless string; the pool follows the values); u64 XXH3-64
 *                               of values and pool
 *   64+48C      8  header_sum   XXH3-64 of all before it
 *      ...         values       N * width * size(type) each, then its pool; each column 8-byte aligned; receipt
 *      end      8  header_sum   again: a cut file shows
 * A pool is strings as u32 length + bytes; offset ~0 means: absent. f32 NaN means: absent.
 * Checked on open: header_sum, every offset against the file size; a column's sum when it is first read. */
#ifndef TAMIS_CORE_COLUMNS_H
#define TAMIS_CORE_COLUMNS_H

#include "core/buf.h"
#include "core/hash.h"

typedef enum { COL_U8 = 1, COL_U32, COL_U64, COL_F32, COL_STRING } ColType;
enum { COL_SIGNAL = 1, COL_FIELD = 2, COL_LINE = 4 }; /* flags */
enum { COL_NAME_MAX = 16, COLS_MAX = 256 };

typedef struct {
    const char *name; /* 1..16 bytes of [a-z0-9_] */
    ColType type;
    uint16_t width; /* values per document */
    uint32_t flags;
} ColumnDef;

size_t coltype_size(ColType t); /* bytes of one value in the file: 1 4 8 4 8 */

/* --- writing: one whole file (outfile_commit_part) from columns in memory. values: n_docs * width values in file layout. */
typedef struct {
    ColumnDef def;
    Span values;
    Span pool;
} ColumnData;
MUST_USE ErrCode columns_write(const char *path, uint64_t n_docs, Hash128 part, const ColumnData *cols,
                               uint32_t n_cols, Span receipt_json, Err *err);

/* --- the same file from columns that grow, of which memory holds some `memory` bytes: what is beyond lies in a file without a name in
 * `scratch_dir` (core/scratch.h) until the commit copies it to its place. How many bytes that are shows nowhere in the file. */
typedef struct ColumnsWriter ColumnsWriter;
/* Takes copies of defs; their names and scratch_dir are borrowed. *w is to be freed after a failure, too. */
MUST_USE ErrCode columnswriter_new(ColumnsWriter **w, const ColumnDef *defs, uint32_t n_cols, uint64_t memory,
                                   const char *scratch_dir, Err *err);
void columnswriter_free(ColumnsWriter *w);
/* Appends values in file layout to column c, which is not one of strings. */
MUST_USE ErrCode columnswriter_values(ColumnsWriter *w, uint32_t c, Span values, Err *err);
/* Appends a string to column c; s.p == NULL: absent. Of strings up to 128 bytes the first 8192 are stored once however often they
 * recur, for which up to 2 MiB a column are held besides. */
MUST_USE ErrCode columnswriter_string(ColumnsWriter *w, uint32_t c, Span s, Err *err);
uint64_t columnswriter_held_bytes(const ColumnsWriter *w);
/* Publishes as columns_write() does; once. ERR_LIMIT when a column has not n_docs * width values. */
MUST_USE ErrCode columnswriter_commit(ColumnsWriter *w, const char *path, uint64_t n_docs, Hash128 part,
                                      Span receipt_json, Err *err);

/* --- reading */
typedef struct Columns Columns;
MUST_USE ErrCode columns_open(Columns **c, const char *path, Err *err);
void columns_close(Columns *c);
uint64_t columns_n_docs(const Columns *c);
Hash128 columns_part(const Columns *c);
Span columns_receipt(const Columns *c);
uint32_t columns_count(const Columns *c);
const ColumnDef *columns_def(const Columns *c, uint32_t i);
/* Index by name, or -1. */
int columns_find(const Columns *c, const char *name);
/* The column's values, read and checked on first use and kept until close. Not for several threads at once on one
 * column's first use. *pool may be NULL. */
MUST_USE ErrCode columns_values(Columns *c, uint32_t i, Span *values, Span *pool, Err *err);
/* Index of a column that must be there, with this name, type and width: else ERR_DATA. */
MUST_USE ErrCode columns_require(const Columns *c, const ColumnDef *want, uint32_t *i, Err *err);
/* columns_values() of such a one. */
MUST_USE ErrCode columns_typed(Columns *c, const ColumnDef *want, Span *values, Span *pool, Err *err);
/* Values of documents [first, first + n) of column i, alone in *out: for parts of any size in bounded memory. The column is checked before the
 * first of them, so that it is read twice. Any number of threads, which share what is open. */
MUST_USE ErrCode columns_range(Columns *c, uint32_t i, uint64_t first, uint64_t n, Buf *out, Err *err);
/* Values of documents [first, first + n) of column i as they lie in the file, without a look at its sum: for who can check them himself. Any
 * number of threads. */
MUST_USE ErrCode columns_peek(const Columns *c, uint32_t i, uint64_t first, uint64_t n, uint8_t *out, Err *err);
/* One string of a string column of `c`, which the message names; p == NULL when absent. Bounds are checked: ERR_DATA. */
MUST_USE ErrCode column_string(const Columns *c, Span values, Span pool, uint64_t index, Span *out, Err *err);

/* --- strings in bounded memory: of a column whose pool is whole texts. A column is read in one of the two ways. */
enum { COLS_WINDOW = 1 << 20 };
/* Reads and checks the column as columns_values() does, but keeps a pool of more than COLS_WINDOW bytes in the file. */
MUST_USE ErrCode columns_strings(Columns *c, uint32_t i, Err *err);
/* What one thread holds of one column's pool. Begins zeroed; is reset before it is used for another column. */
typedef struct {
    Buf bytes;
    uint64_t at;
} PoolRange;
typedef struct {
    PoolRange ahead, back; /* COLS_WINDOW bytes, or one string that is longer; a string that lies before them */
} StringWindow;
void stringwindow_reset(StringWindow *w);
void stringwindow_clear(StringWindow *w); /* frees */
/* As column_string(), of a column that columns_strings() was called for; any number of threads, each with its window. ERR_DATA also
 * when the string is longer than DOC_MAX_LINE. *out is valid until the next call with the window. */
MUST_USE ErrCode columns_read_string(const Columns *c, uint32_t i, uint64_t index, StringWindow *w, Span *out,
                                     Err *err);
/* The same where columns_range() gave the values, of documents from `first` on. */
MUST_USE ErrCode columns_string_at(const Columns *c, uint32_t i, Span values, uint64_t first, uint64_t index,
                                   StringWindow *w, Span *out, Err *err);

#endif
