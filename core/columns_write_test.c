/* A columns file against one put together here byte by byte as columns.h describes it, whoever wrote it: at once from memory, or from
 * columns that grew within any limit. */
#include "core/columns.h"
#include "core/store.h"
#include "core/store_fault.h"
#include "tests/check.h"

#include <errno.h>
#include <stdlib.h>

enum { N_COLS = 6, WORDS = 20000, SHARED = 8192 };

static const ColumnDef defs[N_COLS] = {
    {"drop", COL_U8, 1, 0},   {"line", COL_STRING, 1, COL_LINE},    {"score", COL_F32, 1, COL_SIGNAL},
    {"bands", COL_U64, 3, 0}, {"domain", COL_STRING, 1, COL_FIELD}, {"n", COL_U32, 1, 0}};
static const Hash128 some_part = {0x1122334455667788u, 0x99aabbccddeeff00u};
static const Span receipt = {(const uint8_t *)"{\"part\":{}}", 11};

typedef struct {
    uint64_t n_docs;
    size_t n_shared; /* of the last column of strings: short ones that stand once */
    Buf values[N_COLS], pool[N_COLS];
    struct {
        Buf bytes;
        uint64_t *at; /* of string i; strings[c].at[i + 1] its end; ~0 in `absent` */
        bool *absent;
    } strings[N_COLS];
} Table;

/* String i of a column: absent, short and often the same, short and often new, or long. */
static void put_string(Buf *b, uint32_t c, uint64_t i, size_t long_bytes, bool *absent)
{
    uint64_t h = mix64(1000 * c + i + 1);
    size_t n = h % 100 < 3 ? long_bytes + h % 50 : h % 7 == 0 ? 120 + h % 20 : h % 4;

    *absent = h % 5 == 0;
    if (*absent) return;
    for (size_t k = 0; k < n; k++) buf_putc(b, (uint8_t)(h >> (k % 7)));
    if (h % 8) buf_printf(b, "%d", (int)(h >> 20) % WORDS);
}

/* The pool as it is to be: a short string that is among the first SHARED short ones stands once. By linear search among those of the
 * same length. */
static void slow_pool(Table *t, uint32_t c)
{
    uint64_t *first = malloc(SHARED * sizeof *first);
    size_t n_first = 0;

    if (!first) abort();
    for (uint64_t i = 0; i < t->n_docs; i++) {
        const Span s = span(t->strings[c].bytes.p + t->strings[c].at[i],
                            (size_t)(t->strings[c].at[i + 1] - t->strings[c].at[i]));
        uint64_t at = UINT64_MAX;
        uint8_t bytes[8];
        for (size_t k = 0; k < n_first && s.n <= 128 && !t->strings[c].absent[i]; k++)
            if (le32_get(t->pool[c].p + first[k]) == s.n && span_eq(span(t->pool[c].p + first[k] + 4, s.n), s)) {
                at = first[k];
                break;
            }
        if (at == UINT64_MAX && !t->strings[c].absent[i]) {
            at = t->pool[c].n;
            if (s.n <= 128 && n_first < SHARED) first[n_first++] = at;
            le32_put(bytes, (uint32_t)s.n);
            buf_put(&t->pool[c], bytes, 4);
            buf_put_span(&t->pool[c], s);
        }
        le64_put(bytes, at);
        buf_put(&t->values[c], bytes, 8);
    }
    t->n_shared = n_first;
    free(first);
}

static void table_init(Table *t, uint64_t n_docs, size_t long_bytes)
{
    *t = (Table){.n_docs = n_docs};
    for (uint32_t c = 0; c < N_COLS; c++) {
        if (defs[c].type != COL_STRING) {
            size_t n = (size_t)n_docs * defs[c].width * coltype_size(defs[c].type);
            for (size_t i = 0; i < n; i++) buf_putc(&t->values[c], (uint8_t)mix64(i + c));
            continue;
        }
        t->strings[c].at = calloc((size_t)n_docs + 1, sizeof *t->strings[c].at);
        t->strings[c].absent = calloc((size_t)n_docs + 1, sizeof *t->strings[c].absent);
        if (!t->strings[c].at || !t->strings[c].absent) abort();
        buf_putc(&t->strings[c].bytes, 'x'); /* an empty string is somewhere, too */
        t->strings[c].at[0] = 1;
        for (uint64_t i = 0; i < n_docs; i++) {
            put_string(&t->strings[c].bytes, c, i, long_bytes, &t->strings[c].absent[i]);
            t->strings[c].at[i + 1] = t->strings[c].bytes.n;
        }
        slow_pool(t, c);
    }
}

static void table_clear(Table *t)
{
    for (uint32_t c = 0; c < N_COLS; c++) {
        buf_clear(&t->values[c]);
        buf_clear(&t->pool[c]);
        buf_clear(&t->strings[c].bytes);
        free(t->strings[c].at);
        free(t->strings[c].absent);
    }
}

static void pad8(Buf *b)
{
    while (b->n % 8) buf_putc(b, 0);
}

/* The file by its description. */
static void slow_file(const Table *t, Buf *f)
{
    uint8_t head[64 + 48 * N_COLS + 8] = {0};

    buf_put(f, head, sizeof head);
    memcpy(head, "TAMISCOL", 8);
    le32_put(head + 8, 1);
    le32_put(head + 12, N_COLS);
    le64_put(head + 16, t->n_docs);
    le64_put(head + 24, some_part.lo);
    le64_put(head + 32, some_part.hi);
    for (uint32_t c = 0; c < N_COLS; c++) {
        uint8_t *e = head + 64 + (size_t)48 * c;
        pad8(f);
        size_t at = f->n;
        buf_put_span(f, buf_span(&t->values[c]));
        buf_put_span(f, buf_span(&t->pool[c]));
        memcpy(e, defs[c].name, strlen(defs[c].name));
        le16_put(e + 16, (uint16_t)defs[c].type);
        le16_put(e + 18, defs[c].width);
        le32_put(e + 20, defs[c].flags);
        le64_put(e + 24, at);
        le64_put(e + 32, t->pool[c].n);
        le64_put(e + 40, hash64(span(f->p + at, f->n - at)));
    }
    pad8(f);
    le64_put(head + 40, f->n);
    le64_put(head + 48, receipt.n);
    le64_put(head + 56, hash64(receipt));
    buf_put_span(f, receipt);
    le64_put(head + sizeof head - 8, hash64(span(head, sizeof head - 8)));
    memcpy(f->p, head, sizeof head);
    buf_put(f, head + sizeof head - 8, 8);
}

static void check_file(const char *path, const Buf *want)
{
    Buf got = {0};
    Err err;

    CHECK_OK(store_read(path, SIZE_MAX / 2, &got, &err), &err);
    CHECK_INT(want->n, got.n);
    CHECK(span_eq(buf_span(want), buf_span(&got)));
    buf_clear(&got);
}

/* Rows [from, to) of all columns. */
static ErrCode put_rows(ColumnsWriter *w, const Table *t, uint64_t from, uint64_t to, Err *err)
{
    ErrCode rc = ERR_OK;

    for (uint32_t c = 0; c < N_COLS && rc == ERR_OK; c++) {
        const size_t row = defs[c].width * coltype_size(defs[c].type);
        if (defs[c].type != COL_STRING) {
            rc = columnswriter_values(w, c, span(t->values[c].p + from * row, (size_t)(to - from) * row), err);
            continue;
        }
        for (uint64_t i = from; i < to && rc == ERR_OK; i++) {
            const uint64_t *at = t->strings[c].at + i;
            Span s = {NULL, 0};
            if (!t->strings[c].absent[i]) s = span(t->strings[c].bytes.p + at[0], (size_t)(at[1] - at[0]));
            rc = columnswriter_string(w, c, s, err);
        }
    }
    return rc;
}

static ErrCode write_growing(const char *path, const Table *t, uint64_t memory, uint64_t *most, Err *err)
{
    ColumnsWriter *w;
    ErrCode rc = columnswriter_new(&w, defs, N_COLS, memory, check_tmpdir(), err);

    *most = 0;
    for (uint64_t i = 0, n; i < t->n_docs && rc == ERR_OK; i += n) {
        n = 1 + mix64(i) % 50;
        if (n > t->n_docs - i) n = t->n_docs - i;
        rc = put_rows(w, t, i, i + n, err);
        if (columnswriter_held_bytes(w) > *most) *most = columnswriter_held_bytes(w);
    }
    if (rc == ERR_OK) rc = columnswriter_commit(w, path, t->n_docs, some_part, receipt, err);
    columnswriter_free(w);
    return rc;
}

static ErrCode write_at_once(const char *path, const Table *t, Err *err)
{
    ColumnData data[N_COLS];

    for (uint32_t c = 0; c < N_COLS; c++)
        data[c] = (ColumnData){defs[c], buf_span(&t->values[c]), buf_span(&t->pool[c])};
    return columns_write(path, t->n_docs, some_part, data, N_COLS, receipt, err);
}

TEST(columns_are_written_as_described_within_any_memory)
{
    static const struct {
        uint64_t n_docs;
        size_t long_bytes;
    } tables[] = {{0, 0}, {1, 300}, {700, 300}, {14000, 5000}};
    static const uint64_t memory[] = {0, 300, 5000, 100000, 1 << 20, UINT64_MAX};
    char path[512];
    Err err;

    snprintf(path, sizeof path, "%s/part-000000.x.cols", check_tmpdir());
    for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
        Buf want = {0};
        Table t;
        uint64_t most;
        table_init(&t, tables[k].n_docs, tables[k].long_bytes);
        slow_file(&t, &want);
        CHECK_OK(write_at_once(path, &t, &err), &err);
        check_file(path, &want);
        for (size_t m = 0; m < sizeof memory / sizeof *memory; m++) {
            if (memory[m] < 5000 && t.n_docs > 1000) continue; /* a call of the system for a byte or so */
            CHECK_OK(write_growing(path, &t, memory[m], &most, &err), &err);
            check_file(path, &want);
        }
        if (t.n_docs > 10000) CHECK_INT(SHARED, t.n_shared); /* more would be */
        buf_clear(&want);
        table_clear(&t);
    }
}

TEST(growing_columns_keep_to_their_memory)
{
    enum { LONG = 100000, DOCS = 6000, MEMORY = 1 << 20 };
    char path[512];
    Buf want = {0};
    uint64_t most;
    Table t;
    Err err;

    snprintf(path, sizeof path, "%s/part-000000.x.cols", check_tmpdir());
    table_init(&t, DOCS, LONG);
    slow_file(&t, &want);
    CHECK(t.pool[1].n > 10 * MEMORY);
    CHECK_OK(write_growing(path, &t, MEMORY, &most, &err), &err);
    check_file(path, &want);
    CHECK(most > MEMORY / 4 && most < MEMORY + 2 * (2 << 20)); /* two columns of strings, short ones besides */
    CHECK_OK(write_growing(path, &t, UINT64_MAX, &most, &err), &err);
    CHECK(most > 10 * MEMORY);
    buf_clear(&want);
    table_clear(&t);
}

TEST(columns_of_unequal_length_are_refused)
{
    char path[512];
    ColumnsWriter *w;
    bool exists;
    Table t;
    Err err;

    snprintf(path, sizeof path, "%s/part-000000.x.cols", check_tmpdir());
    table_init(&t, 50, 10);
    CHECK_OK(columnswriter_new(&w, defs, N_COLS, 100, check_tmpdir(), &err), &err);
    CHECK_OK(put_rows(w, &t, 0, 50, &err), &err);
    CHECK_OK(columnswriter_string(w, 4, SPAN_LIT("one more"), &err), &err);
    CHECK_INT(ERR_LIMIT, columnswriter_commit(w, path, 50, some_part, receipt, &err));
    CHECK(strstr(err.msg, "domain") != NULL);
    CHECK_OK(store_exists(path, &exists, &err), &err);
    CHECK(!exists);
    columnswriter_free(w);
    table_clear(&t);
}

TEST(growing_columns_survive_every_failing_call)
{
    const char *dir = check_tmpdir();
    bool through = false;
    char path[512];
    Buf want = {0};
    Table t;
    Err err;

    snprintf(path, sizeof path, "%s/part-000000.x.cols", dir);
    table_init(&t, 40, 300);
    slow_file(&t, &want);
    for (uint64_t n = 1; n < 1000 && !through; n++) {
        StoreList list = {0};
        uint64_t most;
        store_fault_arm(n, ENOSPC, true);
        ErrCode rc = write_growing(path, &t, 2000, &most, &err);
        through = !store_fault_hit();
        store_fault_arm(0, 0, false);
        CHECK_INT(through ? ERR_OK : ERR_SYS, rc);
        CHECK_OK(store_list(dir, &list, &err), &err);
        CHECK(list.n <= 1); /* no temporary */
        if (list.n) check_file(path, &want);
        storelist_clear(&list);
        CHECK_OK(store_delete(path, &err), &err);
    }
    CHECK(through);
    buf_clear(&want);
    table_clear(&t);
}

/* --- reading strings out of the file */

/* A file whose one column has these offsets into this pool. */
static void write_strings(const char *path, Span values, Span pool)
{
    const ColumnData data = {{"line", COL_STRING, 1, COL_LINE}, values, pool};
    Err err;

    CHECK_OK(columns_write(path, values.n / 8, some_part, &data, 1, receipt, &err), &err);
}

/* Every string, in the order given by a step, as column_string() finds it in the whole pool. */
static void check_strings(const char *path, Span values, Span pool, uint64_t step, uint64_t *n_bad)
{
    const uint64_t n = values.n / 8;
    StringWindow w = {0};
    Columns *c;
    Err err;

    *n_bad = 0;
    CHECK_OK(columns_open(&c, path, &err), &err);
    CHECK_OK(columns_strings(c, 0, &err), &err);
    for (uint64_t k = 0; k <= n; k++) {
        const uint64_t i = k == n ? n : k * step % n;
        Span want, got;
        Err other;
        ErrCode rc = column_string(c, values, pool, i, &want, &err);
        CHECK_INT(rc, columns_read_string(c, 0, i, &w, &got, &other));
        if (rc == ERR_OK) {
            CHECK((want.p == NULL) == (got.p == NULL));
            CHECK(span_eq(want, got));
        } else {
            CHECK_STR(err.msg, other.msg);
            ++*n_bad;
        }
        CHECK(w.ahead.bytes.cap <= BUF_KEEP_BYTES && w.back.bytes.cap <= BUF_KEEP_BYTES);
    }
    stringwindow_clear(&w);
    columns_close(c);
}

TEST(strings_are_read_one_by_one_as_from_the_whole_pool)
{
    static const uint64_t steps[] = {1, 5, 2999, 1999};
    char path[512];
    Table t;
    uint64_t n_bad;

    snprintf(path, sizeof path, "%s/part-000000.x.cols", check_tmpdir());
    table_init(&t, 3000, 40000); /* the pool is several windows */
    CHECK(t.pool[1].n > 2 * COLS_WINDOW);
    write_strings(path, buf_span(&t.values[1]), buf_span(&t.pool[1]));
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        check_strings(path, buf_span(&t.values[1]), buf_span(&t.pool[1]), steps[s], &n_bad);
        CHECK_INT(1, n_bad); /* the one behind the column */
    }
    table_clear(&t);
}

TEST(offsets_and_lengths_out_of_the_pool_are_refused)
{
    enum { N = 2000, POOL = 3 * COLS_WINDOW + 5 };
    static const uint64_t near_end[] = {POOL,     POOL - 1,  POOL - 3,       POOL - 4,   POOL - 5,
                                        POOL + 1, INT64_MAX, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - 3};
    uint8_t values[8 * N];
    Buf pool = {0};
    char path[512];
    uint64_t n_bad;

    snprintf(path, sizeof path, "%s/part-000000.x.cols", check_tmpdir());
    /* Every four bytes are a length, some larger than the rest of the pool. */
    while (pool.n < POOL)
        buf_putc(&pool, pool.n % 4 == 3 || (pool.n % 4 == 2 && mix64(pool.n) % 3) ? 0 : (uint8_t)mix64(pool.n));
    for (uint64_t i = 0; i < N; i++) {
        uint64_t at = i % 50 < 10 ? near_end[i % 50] : mix64(i) % POOL;
        le64_put(values + 8 * i, i % 2 ? at : at & ~(uint64_t)3);
    }
    write_strings(path, span(values, sizeof values), buf_span(&pool));
    check_strings(path, span(values, sizeof values), buf_span(&pool), 1, &n_bad);
    CHECK(n_bad > N / 10 && n_bad < N / 10 * 9);
    buf_clear(&pool);
}

TEST(a_pool_that_stays_in_its_file_is_checked)
{
    uint8_t values[8] = {0}, length[4], byte;
    const uint32_t n = 2 * COLS_WINDOW + 100;
    Buf pool = {0};
    char path[512];
    Columns *c;
    FILE *f;
    Err err;

    snprintf(path, sizeof path, "%s/part-000000.x.cols", check_tmpdir());
    le32_put(length, n);
    buf_put(&pool, length, 4);
    for (uint32_t i = 0; i < n; i++) buf_putc(&pool, 'a');
    for (long back = 64; back < 2 * COLS_WINDOW; back += COLS_WINDOW) { /* in every window */
        write_strings(path, span(values, 8), buf_span(&pool));
        f = fopen(path, "r+b");
        CHECK(f != NULL);
        if (!f) break;
        CHECK_INT(0, fseek(f, -back, SEEK_END));
        CHECK_INT(1, fread(&byte, 1, 1, f));
        CHECK_INT('a', byte);
        CHECK_INT(0, fseek(f, -back, SEEK_END));
        CHECK_INT('b', fputc('b', f));
        CHECK_INT(0, fclose(f));
        CHECK_OK(columns_open(&c, path, &err), &err);
        CHECK_INT(ERR_DATA, columns_strings(c, 0, &err));
        CHECK(strstr(err.msg, "column line has a wrong sum") != NULL && strstr(err.msg, path) != NULL);
        columns_close(c);
    }
    buf_clear(&pool);
}
