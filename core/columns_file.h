/* core/columns_file.h - the layout of a columns file as columns.c reads it and columns_write.c writes it. Private to them. */
#ifndef TAMIS_CORE_COLUMNS_FILE_H
#define TAMIS_CORE_COLUMNS_FILE_H

#include "core/columns.h"

enum {
    COLS_FIXED = 64, /* bytes before the directory */
    COLS_ENTRY = 48, /* one column of the directory */
    COLS_VERSION = 1,
    COLS_MAX_RECEIPT = 8 << 20
};
#define COLS_MAGIC "TAMISCOL" /* 8 bytes, no NUL */

/* Whether a column may have this name, which is def->name or comes out of a file, type and width. */
bool column_is_defined(Span name, const ColumnDef *def);
/* Bytes of a column's values; false on overflow. */
bool column_values_size(uint64_t n_docs, const ColumnDef *d, size_t *out);

#endif
