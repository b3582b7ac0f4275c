#include "core/columns.h"
#include "core/store.h"
#include "core/store_fault.h"
#include "tests/check.h"

#include <errno.h>
#include <stdlib.h>

enum { N = 37 };

static const Hash128 some_part = {0x1122334455667788u, 0x99aabbccddeeff00u};

/* One column of every type, filled from a counter. */
typedef struct {
    uint8_t u8[N], u32[N * 4 * 3], u64[N * 8], f32[N * 4], str[N * 8];
    Buf pool;
    ColumnData col[5];
} Sample;

static void sample_init(Sample *s)
{
    *s = (Sample){0};
    for (uint64_t i = 0; i < N; i++) {
        s->u8[i] = (uint8_t)(i % 3);
        for (uint64_t k = 0; k < 3; k++) le32_put(s->u32 + 4 * (3 * i + k), (uint32_t)mix64(3 * i + k));
        le64_put(s->u64 + 8 * i, mix64(i));
        le32_put(s->f32 + 4 * i, 0x3f800000u + (uint32_t)i);
        if (i % 5 == 0) {
            le64_put(s->str + 8 * i, UINT64_MAX);
        } else {
            uint8_t len[4];
            le64_put(s->str + 8 * i, s->pool.n);
            le32_put(len, (uint32_t)i);
            buf_put(&s->pool, len, 4);
            for (uint64_t k = 0; k < i; k++) buf_putc(&s->pool, (uint8_t)('a' + i % 26));
        }
    }
    s->col[0] = (ColumnData){{"keep", COL_U8, 1, 0}, span(s->u8, sizeof s->u8), {0}};
    s->col[1] = (ColumnData){{"three_words", COL_U32, 3, COL_SIGNAL}, span(s->u32, sizeof s->u32), {0}};
    s->col[2] = (ColumnData){{"cluster", COL_U64, 1, 0}, span(s->u64, sizeof s->u64), {0}};
    s->col[3] = (ColumnData){{"score_sixteen_16", COL_F32, 1, COL_SIGNAL}, span(s->f32, sizeof s->f32), {0}};
    s->col[4] = (ColumnData){{"domain", COL_STRING, 1, COL_FIELD}, span(s->str, sizeof s->str), buf_span(&s->pool)};
}

static void check_sample(Columns *c, const Sample *s)
{
    Err err;

    CHECK_INT(N, columns_n_docs(c));
    CHECK(hash128_eq(some_part, columns_part(c)));
    CHECK_INT(5, columns_count(c));
    CHECK_SPAN(SPAN_LIT("{\"n\":37}"), columns_receipt(c));
    for (uint32_t i = 0; i < 5; i++) {
        Span values, pool;
        const ColumnDef *d = columns_def(c, i);
        CHECK_STR(s->col[i].def.name, d->name);
        CHECK_INT(s->col[i].def.type, d->type);
        CHECK_INT(s->col[i].def.width, d->width);
        CHECK_INT(s->col[i].def.flags, d->flags);
        CHECK_INT(i, columns_find(c, d->name));
        CHECK_OK(columns_values(c, i, &values, &pool, &err), &err);
        CHECK_SPAN(s->col[i].values, values);
        CHECK_SPAN(s->col[i].pool, pool);
    }
    CHECK_INT(-1, columns_find(c, "absent"));
}

/* The same values, some documents at a time; the pool may have been left in the file. */
static void check_ranges(Columns *c, const Sample *s)
{
    StringWindow w = {.ahead = {.at = 0}};
    Buf got = {0};
    Span string, all;
    Err err;

    for (uint32_t i = 0; i < 5; i++) {
        const size_t each = s->col[i].values.n / N;
        for (uint64_t first = 0; first <= N; first += 3) {
            const uint64_t n = first + 10 < N ? 10 : N - first;
            CHECK_OK(columns_range(c, i, first, n, &got, &err), &err);
            CHECK_SPAN(span(s->col[i].values.p + first * each, n * each), buf_span(&got));
            for (uint64_t k = first; i == 4 && k < first + n; k++) {
                CHECK_OK(columns_string_at(c, i, buf_span(&got), first, k, &w, &string, &err), &err);
                CHECK_OK(column_string(c, s->col[i].values, s->col[i].pool, k, &all, &err), &err);
                CHECK_SPAN(all, string);
            }
            if (i == 4)
                CHECK_INT(ERR_DATA, columns_string_at(c, i, buf_span(&got), first, first + n, &w, &string, &err));
        }
        CHECK_INT(ERR_LIMIT, columns_range(c, i, N - 2, 3, &got, &err));
    }
    stringwindow_clear(&w);
    buf_clear(&got);
}

static ErrCode reads_ranges(const char *path)
{
    Buf got = {0};
    Columns *c;
    Err err;
    ErrCode rc = columns_open(&c, path, &err);

    for (uint32_t i = 0; rc == ERR_OK && i < columns_count(c); i++) rc = columns_range(c, i, 0, 1, &got, &err);
    columns_close(c);
    buf_clear(&got);
    return rc;
}

/* True when the file opens and every column reads; else every refusal is ERR_DATA and names the file. */
static bool reads(const char *path, const Sample *s)
{
    Columns *c;
    Span v;
    Err err;
    ErrCode rc = columns_open(&c, path, &err);

    for (uint32_t i = 0; rc == ERR_OK && i < columns_count(c); i++) rc = columns_values(c, i, &v, NULL, &err);
    CHECK_INT(rc, reads_ranges(path));
    if (rc == ERR_OK)
        check_sample(c, s);
    else
        CHECK(rc == ERR_DATA && strstr(err.msg, path) != NULL);
    columns_close(c);
    return rc == ERR_OK;
}

static const char *sample_path(char path[512])
{
    snprintf(path, 512, "%s/part-000000.x.cols", check_tmpdir());
    return path;
}

TEST(columns_round_trip)
{
    char path[512];
    Sample s;
    Columns *c;
    Err err;

    sample_init(&s);
    sample_path(path);
    CHECK_OK(columns_write(path, N, some_part, s.col, 5, SPAN_LIT("{\"n\":37}"), &err), &err);
    CHECK_OK(columns_open(&c, path, &err), &err);
    check_ranges(c, &s);
    check_sample(c, &s);
    check_ranges(c, &s);
    check_sample(c, &s); /* a second reading is from memory */
    columns_close(c);
    buf_clear(&s.pool);
}

/* Of which memory holds a window while they are checked: a flipped bit is found wherever it lies, and the rest of the file is as it was. */
TEST(columns_of_several_windows_read_by_ranges)
{
    enum { MANY = 300000, FLIPS = 5 };
    uint8_t *values = malloc(8 * MANY), *want = malloc(8 * MANY);
    char path[512];
    Buf got = {0}, file = {0};
    Columns *c;
    Err err;

    for (uint64_t i = 0; i < MANY; i++) le64_put(values + 8 * i, mix64(i));
    memcpy(want, values, 8 * MANY);
    const ColumnData col = {{"wide", COL_U64, 2, 0}, span(values, 8 * MANY), {0}};
    sample_path(path);
    CHECK_OK(columns_write(path, MANY / 2, some_part, &col, 1, SPAN_LIT("{}"), &err), &err);
    CHECK_OK(columns_open(&c, path, &err), &err);
    for (uint64_t first = 0; first < MANY / 2; first += 9973) {
        const uint64_t n = first + 4096 < MANY / 2 ? 4096 : MANY / 2 - first;
        CHECK_OK(columns_range(c, 0, first, n, &got, &err), &err);
        CHECK_SPAN(span(want + 16 * first, 16 * n), buf_span(&got));
        CHECK(got.cap < 1 << 17);
    }
    columns_close(c);
    CHECK_OK(store_read(path, 1 << 24, &file, &err), &err);
    for (size_t i = 0; i < FLIPS; i++) {
        const size_t at = 200 + (8 * MANY - 200) / FLIPS * i;
        file.p[at] ^= 4;
        CHECK_OK(store_write(path, buf_span(&file), &err), &err);
        file.p[at] ^= 4;
        CHECK_OK(columns_open(&c, path, &err), &err);
        CHECK_INT(ERR_DATA, columns_range(c, 0, 0, 1, &got, &err));
        columns_close(c);
    }
    buf_clear(&got);
    buf_clear(&file);
    free(values);
    free(want);
}

TEST(columns_strings)
{
    char path[512];
    Sample s;
    Columns *c;
    Span values, pool, got;
    Err err;

    sample_init(&s);
    sample_path(path);
    CHECK_OK(columns_write(path, N, some_part, s.col, 5, SPAN_LIT(""), &err), &err);
    CHECK_OK(columns_open(&c, path, &err), &err);
    CHECK_OK(columns_values(c, 4, &values, &pool, &err), &err);
    for (uint64_t i = 0; i < N; i++) {
        CHECK_OK(column_string(c, values, pool, i, &got, &err), &err);
        CHECK((got.p == NULL) == (i % 5 == 0));
        CHECK_INT(i % 5 ? i : 0, got.n);
        for (size_t k = 0; k < got.n; k++) CHECK_INT('a' + i % 26, got.p[k]);
    }
    CHECK_INT(ERR_DATA, column_string(c, values, pool, N, &got, &err));
    CHECK(strstr(err.msg, path) != NULL);
    for (size_t cut = 1; cut < pool.n; cut++) /* every shorter pool: in bounds or refused, never beyond */
        for (uint64_t i = 0; i < N; i++)
            if (column_string(c, values, span(pool.p, cut), i, &got, &err) == ERR_OK && got.p)
                CHECK(got.p + got.n <= pool.p + cut);
    columns_close(c);
    buf_clear(&s.pool);
}

TEST(columns_empty_files)
{
    const ColumnData none = {{"keep", COL_U8, 1, 0}, {0}, {0}};
    char path[512];
    Columns *c;
    Span v;
    Err err;

    sample_path(path);
    CHECK_OK(columns_write(path, 0, some_part, &none, 1, SPAN_LIT("{}"), &err), &err);
    CHECK_OK(columns_open(&c, path, &err), &err);
    CHECK_OK(columns_values(c, 0, &v, NULL, &err), &err);
    CHECK_INT(0, v.n);
    columns_close(c);
    CHECK_OK(columns_write(path, 5, some_part, NULL, 0, SPAN_LIT("{}"), &err), &err);
    CHECK_OK(columns_open(&c, path, &err), &err);
    CHECK_INT(0, columns_count(c));
    columns_close(c);
}

TEST(columns_wrong_definitions_are_refused)
{
    const ColumnData two[2] = {{{"a", COL_U8, 1, 0}, {0}, {0}}, {{"a", COL_U8, 1, 0}, {0}, {0}}};
    const ColumnData bad[] = {
        {{"", COL_U8, 1, 0}, {0}, {0}},
        {{"Upper", COL_U8, 1, 0}, {0}, {0}},
        {{"seventeen_letters", COL_U8, 1, 0}, {0}, {0}},
        {{"w", COL_U8, 0, 0}, {0}, {0}},
        {{"t", (ColType)9, 1, 0}, {0}, {0}},
        {{"v", COL_U8, 1, 0}, SPAN_LIT("x"), {0}},
        {{"p", COL_U8, 1, 0}, {0}, SPAN_LIT("pool")},
    };
    char path[512];
    bool exists;
    Err err;

    sample_path(path);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(ERR_LIMIT, columns_write(path, 0, some_part, &bad[i], 1, SPAN_LIT("{}"), &err));
    CHECK_INT(ERR_LIMIT, columns_write(path, 0, some_part, two, 2, SPAN_LIT("{}"), &err));
    CHECK_OK(store_exists(path, &exists, &err), &err);
    CHECK(!exists);
}

static void put_file(const char *path, const uint8_t *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    CHECK(f != NULL);
    if (!f) return;
    CHECK_INT(n, fwrite(p, 1, n, f));
    CHECK_INT(0, fclose(f));
}

TEST(columns_cut_or_flipped_bytes_are_refused_or_harmless)
{
    const uint8_t masks[] = {0x01, 0x80, 0xff};
    char path[512];
    Buf file = {0};
    Sample s;
    Err err;
    size_t harmless = 0;

    sample_init(&s);
    sample_path(path);
    CHECK_OK(columns_write(path, N, some_part, s.col, 5, SPAN_LIT("{\"n\":37}"), &err), &err);
    CHECK_OK(store_read(path, SIZE_MAX / 2, &file, &err), &err);
    for (size_t n = 0; n < file.n; n++) {
        put_file(path, file.p, n);
        CHECK(!reads(path, &s));
        for (size_t m = 0; m < sizeof masks; m++) {
            file.p[n] ^= masks[m];
            put_file(path, file.p, file.n);
            harmless += reads(path, &s);
            file.p[n] ^= masks[m];
        }
    }
    CHECK(harmless <= 3 * 7 * 6); /* padding before columns and receipt */
    buf_putc(&file, 0);
    put_file(path, file.p, file.n);
    CHECK(!reads(path, &s));
    buf_clear(&file);
    buf_clear(&s.pool);
}

TEST(columns_write_survives_every_failing_call)
{
    char path[512];
    bool through = false;
    Sample s;
    Err err;

    sample_init(&s);
    sample_path(path);
    for (uint64_t n = 1; n < 100 && !through; n++) {
        bool exists;
        store_fault_arm(n, ENOSPC, true);
        ErrCode rc = columns_write(path, N, some_part, s.col, 5, SPAN_LIT("{\"n\":37}"), &err);
        through = !store_fault_hit();
        store_fault_arm(0, 0, false);
        CHECK_INT(through ? ERR_OK : ERR_SYS, rc);
        CHECK_OK(store_exists(path, &exists, &err), &err);
        if (exists) CHECK(reads(path, &s));
        CHECK_OK(store_delete(path, &err), &err);
    }
    CHECK(through);
    buf_clear(&s.pool);
}
