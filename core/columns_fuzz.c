/* A columns file from arbitrary bytes: opened, every column and every string read. */
#include "core/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile uint64_t sink; /* keeps the reads */

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static char path[64];
static void remove_file(void) { unlink(path); }

static uint64_t read_all(Columns *c)
{
    uint64_t sum = columns_receipt(c).n;
    Span values, pool, s;
    Err err;

    for (uint32_t i = 0; i < columns_count(c); i++) {
        const ColumnDef *d = columns_def(c, i);
        if (columns_find(c, d->name) != (int)i) abort();
        if (columns_values(c, i, &values, &pool, &err) != ERR_OK) continue;
        if (values.n != columns_n_docs(c) * d->width * coltype_size(d->type)) abort();
        for (size_t k = 0; k < values.n; k++) sum += values.p[k];
        if (d->type != COL_STRING) continue;
        for (uint64_t k = 0; k <= values.n / 8; k++)
            if (column_string(c, values, pool, k, &s, &err) == ERR_OK && s.n) sum += s.p[0] + s.p[s.n - 1];
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static int fd = -1;
    Columns *c;
    Err err;

    if (fd < 0) {
        snprintf(path, sizeof path, "/tmp/columns-fuzz-XXXXXX");
        if ((fd = mkstemp(path)) < 0) abort();
        atexit(remove_file);
    }
    if (ftruncate(fd, 0) != 0 || pwrite(fd, p, n, 0) != (ssize_t)n) abort();
    if (columns_open(&c, path, &err) != ERR_OK) return 0;
    sink += read_all(c);
    columns_close(c);
    return 0;
}
