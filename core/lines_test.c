#include "core/lines.h"
#include "core/store.h"
#include "tests/check.h"
#include "tests/packing.h"

#include <stdio.h>
#include <unistd.h>

/* Lines of many lengths, some longer than a block; the last without an end when `open_end`. */
static void make_text(Buf *text, uint32_t n_lines, bool open_end)
{
    for (uint32_t i = 0; i < n_lines; i++) {
        uint64_t n = i % 7 == 0 ? 0 : (uint64_t)i * 2654435761u % 5000;
        if (i == n_lines / 2) n = 2 * LINES_BLOCK_BYTES + 17;
        for (uint64_t k = 0; k < n; k++) buf_putc(text, (uint8_t)('a' + (i + k) % 26));
        if (i + 1 < n_lines || !open_end) buf_putc(text, '\n');
    }
    CHECK(!text->oom);
}

static void write_file(const char *path, Span bytes)
{
    Err err = {0};

    CHECK_OK(store_write(path, bytes, &err), &err);
}

/* What comes out of a file is its text, cut at line ends, and counted as a slow loop counts it. */
static void check_file(const char *path, Span text)
{
    LineFile *f = NULL;
    LineBlock b = {0};
    uint64_t at = 0, line = 0;
    bool end = false;
    Err err = {0};

    CHECK_OK(linefile_open(&f, path, false, &err), &err);
    for (;;) {
        CHECK_OK(linefile_next(f, &b, &end, &err), &err);
        if (end) break;
        CHECK(b.bytes.n > 0 && !b.too_long && at + b.bytes.n <= text.n);
        CHECK_INT(at, b.begin);
        CHECK_INT(line, b.first_line);
        CHECK_SPAN(span(text.p + at, b.bytes.n), buf_span(&b.bytes));
        at += b.bytes.n;
        CHECK(b.bytes.p[b.bytes.n - 1] == '\n' || at == text.n);
        for (size_t i = 0; i < b.bytes.n; i++) line += b.bytes.p[i] == '\n';
    }
    CHECK_INT(text.n, at);
    CHECK_INT(0, b.bytes.n);
    linefile_close(f);
    buf_clear(&b.bytes);
}

TEST(blocks_are_the_text_whatever_packs_it)
{
    char path[600];

    snprintf(path, sizeof path, "%s/lines", check_tmpdir());
    for (int k = 0; k < 4; k++) {
        Buf text = {0}, packed = {0};
        make_text(&text, k == 2 ? 1 : 4000, k % 2 == 1);
        const Span half = span(text.p, text.n / 2), rest = span_from(buf_span(&text), text.n / 2);
        write_file(path, buf_span(&text));
        check_file(path, buf_span(&text));
        pack_gzip(&packed, half), pack_gzip(&packed, rest); /* cut in the middle of a line */
        write_file(path, buf_span(&packed));
        check_file(path, buf_span(&text));
        buf_reset(&packed);
        pack_zstd(&packed, half, (Span){NULL, 0}), pack_zstd(&packed, rest, (Span){NULL, 0});
        write_file(path, buf_span(&packed));
        check_file(path, buf_span(&text));
        buf_clear(&text), buf_clear(&packed);
    }
    write_file(path, (Span){NULL, 0});
    check_file(path, (Span){NULL, 0});
}

TEST(what_does_not_decompress_is_named_with_its_place)
{
    char path[600];
    Buf text = {0}, packed = {0};
    LineBlock b = {0};
    bool end = false;

    snprintf(path, sizeof path, "%s/lines.gz", check_tmpdir());
    make_text(&text, 3000, false);
    for (int k = 0; k < 4; k++) {
        LineFile *f = NULL;
        ErrCode rc = ERR_OK;
        Err err = {0};
        buf_reset(&packed);
        if (k < 2)
            pack_gzip(&packed, buf_span(&text));
        else
            pack_zstd(&packed, buf_span(&text), (Span){NULL, 0});
        if (k % 2) /* cut, or other bytes in the middle */
            packed.n = packed.n * 2 / 3;
        else
            memset(packed.p + packed.n / 2, 0xff, 64);
        write_file(path, buf_span(&packed));
        CHECK_OK(linefile_open(&f, path, false, &err), &err);
        while (rc == ERR_OK && !end) rc = linefile_next(f, &b, &end, &err);
        CHECK_INT(ERR_DATA, rc);
        CHECK(strstr(err.msg, path) && strstr(err.msg, " at 0: "));
        CHECK(strstr(err.msg, k % 2 ? "cut off" : "does not decompress"));
        linefile_close(f);
    }
    buf_clear(&text), buf_clear(&packed), buf_clear(&b.bytes);
}

/* A line as a file of a hole, and a short one behind it. */
static void check_long(uint64_t n, bool too_long)
{
    char path[600];
    LineFile *f = NULL;
    LineBlock b = {0};
    bool end = false;
    Err err = {0};

    snprintf(path, sizeof path, "%s/long", check_tmpdir());
    FILE *out = fopen(path, "w");
    CHECK(out && fseek(out, (long)n, SEEK_SET) == 0 && fputs("\nshort\n", out) >= 0 && fclose(out) == 0);
    CHECK_OK(linefile_open(&f, path, false, &err), &err);
    CHECK_OK(linefile_next(f, &b, &end, &err), &err);
    CHECK(!end && b.too_long == too_long && b.first_line == 0);
    if (too_long) {
        CHECK_INT(0, b.bytes.n);
        CHECK_OK(linefile_next(f, &b, &end, &err), &err);
        CHECK(!end && !b.too_long && b.first_line == 1 && b.begin == n + 1);
        CHECK_SPAN(SPAN_LIT("short\n"), buf_span(&b.bytes));
    } else {
        CHECK_INT('\n', b.bytes.p[n]);
    }
    linefile_close(f);
    buf_clear(&b.bytes);
    unlink(path);
}

TEST(a_line_beyond_the_limit_is_passed_over)
{
    check_long((uint64_t)LINES_MAX_BYTES + 1, true);
    if (CHECK_ASAN || CHECK_TSAN) return; /* slow */
    check_long(LINES_MAX_BYTES, false);
    check_long((uint64_t)2 * LINES_MAX_BYTES + 12345, true);
}
