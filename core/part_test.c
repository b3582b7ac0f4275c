#include "core/part.h"
#include "core/store.h"
#include "core/store_fault.h"
#include "tests/check.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

/* Lines of hashed lengths up to max_line, so that frames end at odd places. */
static Buf make_lines(uint32_t n, size_t max_line)
{
    Buf b = {0};

    for (uint32_t i = 0; i < n; i++) {
        buf_printf(&b, "{\"id\":\"d/%u\",\"text\":\"", i);
        size_t fill = (size_t)(mix64(i + 1) % max_line);
        for (size_t k = 0; k < fill; k++) buf_putc(&b, (uint8_t)('a' + mix64(i * 1000003u + k) % 26));
        buf_puts(&b, "\"}\n");
    }
    return b;
}

static void write_part(const char *path, Span lines, size_t batch, const char *receipt)
{
    PartCoder *c;
    PartWriter *w;
    Err err;

    CHECK_OK(partcoder_new(&c, 3, &err), &err);
    CHECK_OK(partwriter_open(&w, path, &err), &err);
    while (lines.n) { /* whole lines, about `batch` bytes at a time */
        size_t n = batch < lines.n ? batch : lines.n;
        while (lines.p[n - 1] != '\n') n++;
        Buf out = {0}, frames = {0};
        CHECK_OK(partcoder_frames(c, span(lines.p, n), &out, &frames, &err), &err);
        CHECK_OK(partwriter_put(w, buf_span(&out), (const PartFrame *)(const void *)frames.p,
                                frames.n / sizeof(PartFrame), &err),
                 &err);
        buf_clear(&out);
        buf_clear(&frames);
        lines = span_from(lines, n);
    }
    CHECK_OK(partwriter_commit(&w, span_str(receipt), &err), &err);
    CHECK(w == NULL);
    partcoder_free(c);
}

/* All lines of a part through its own reader; false when opening or a frame is refused (always as ERR_DATA). */
static bool read_part(const char *path, Buf *lines, Buf *receipt)
{
    PartFile *f = NULL;
    PartCoder *c = NULL;
    Buf text = {0};
    Err err;
    ErrCode rc = partfile_open(&f, path, &err);

    buf_reset(lines);
    buf_reset(receipt);
    if (rc == ERR_OK) {
        CHECK_OK(partcoder_new(&c, 3, &err), &err);
        buf_put_span(receipt, partfile_receipt(f));
        for (uint32_t i = 0; i < partfile_n_frames(f) && rc == ERR_OK; i++) {
            rc = partcoder_read(c, f, i, &text, &err);
            buf_put_span(lines, buf_span(&text));
        }
    }
    CHECK(rc == ERR_OK || rc == ERR_DATA);
    if (rc) CHECK(strstr(err.msg, path) != NULL);
    partfile_close(f);
    partcoder_free(c);
    buf_clear(&text);
    return rc == ERR_OK;
}

/* What `zstd -d` does: libzstd's streaming decoder over the whole file. */
static Buf plain_zstd(const char *path)
{
    Buf file = {0}, out = {0};
    ZSTD_DStream *d = ZSTD_createDStream();
    Err err;

    CHECK_OK(store_read(path, SIZE_MAX / 2, &file, &err), &err);
    ZSTD_inBuffer in = {file.p, file.n, 0};
    size_t left = 0;
    do {
        if (!buf_reserve(&out, 1 << 17)) break;
        ZSTD_outBuffer o = {out.p + out.n, out.cap - out.n, 0};
        left = ZSTD_decompressStream(d, &o, &in);
        CHECK(!ZSTD_isError(left));
        if (ZSTD_isError(left)) break;
        out.n += o.pos;
    } while (in.pos < in.size || left > 0);
    CHECK_INT(0, left);
    ZSTD_freeDStream(d);
    buf_clear(&file);
    return out;
}

static void round_trip(Span lines, size_t batch)
{
    char path[512];
    Buf got = {0}, receipt = {0};

    snprintf(path, sizeof path, "%s/p.jsonl.zst", check_tmpdir());
    write_part(path, lines, batch, "{\"name\":\"p\"}");
    CHECK(read_part(path, &got, &receipt));
    CHECK(span_eq(lines, buf_span(&got)));
    CHECK_SPAN(SPAN_LIT("{\"name\":\"p\"}"), buf_span(&receipt));
    Buf plain = plain_zstd(path);
    CHECK(span_eq(lines, buf_span(&plain)));
    buf_clear(&plain);
    buf_clear(&got);
    buf_clear(&receipt);
}

TEST(part_round_trip_and_plain_zstd)
{
    Buf lines = make_lines(3000, 4000); /* about 6 MB: frames are cut inside a batch too */

    round_trip(buf_span(&lines), SIZE_MAX / 2);
    round_trip(buf_span(&lines), 100000);
    round_trip(span(lines.p, span_find(buf_span(&lines), '\n') + 1), 1);
    round_trip(SPAN_LIT("\n\n\n"), 1);
    round_trip(SPAN_LIT(""), 1);
    buf_clear(&lines);
}

TEST(part_frames_end_at_lines_and_one_long_line_has_its_own)
{
    Buf lines = {0}, out = {0}, frames = {0};
    PartCoder *c;
    Err err;

    buf_puts(&lines, "short\n");
    for (int i = 0; i < 5 << 20; i++) buf_putc(&lines, 'x');
    buf_puts(&lines, "\nlast\n");
    CHECK_OK(partcoder_new(&c, 1, &err), &err);
    CHECK_OK(partcoder_frames(c, buf_span(&lines), &out, &frames, &err), &err);
    const PartFrame *f = (const PartFrame *)(const void *)frames.p;
    CHECK_INT(3, frames.n / sizeof *f);
    CHECK_INT(6, f[0].text_bytes);
    CHECK_INT((5 << 20) + 1, f[1].text_bytes);
    CHECK_INT(1, f[1].n_lines);
    CHECK_INT(5, f[2].text_bytes);
    CHECK_INT(out.n, (size_t)f[0].stored_bytes + f[1].stored_bytes + f[2].stored_bytes);
    round_trip(buf_span(&lines), SIZE_MAX / 2);
    partcoder_free(c);
    buf_clear(&lines);
    buf_clear(&out);
    buf_clear(&frames);
}

TEST(part_frames_stay_within_their_size)
{
    Buf lines = make_lines(4000, 5000), out = {0}, frames = {0};
    PartCoder *c;
    Err err;
    size_t text = 0, n_lines = 0;

    CHECK_OK(partcoder_new(&c, 1, &err), &err);
    CHECK_OK(partcoder_frames(c, buf_span(&lines), &out, &frames, &err), &err);
    const PartFrame *f = (const PartFrame *)(const void *)frames.p;
    for (size_t i = 0; i < frames.n / sizeof *f; i++) {
        CHECK(f[i].text_bytes <= PART_FRAME_BYTES);
        text += f[i].text_bytes;
        n_lines += f[i].n_lines;
        CHECK_INT('\n', lines.p[text - 1]);
    }
    CHECK_INT(lines.n, text);
    CHECK_INT(4000, n_lines);
    partcoder_free(c);
    buf_clear(&lines);
    buf_clear(&out);
    buf_clear(&frames);
}

TEST(part_records_are_found)
{
    Buf lines = make_lines(200, 100);
    char path[512];
    PartFile *f;
    Err err;

    snprintf(path, sizeof path, "%s/p", check_tmpdir());
    write_part(path, buf_span(&lines), 500, "{}");
    CHECK_OK(partfile_open(&f, path, &err), &err);
    CHECK(partfile_n_frames(f) > 10);
    CHECK_INT(200, partfile_first_record(f, partfile_n_frames(f)));
    for (uint32_t r = 0; r < 200; r++) {
        uint32_t k = partfile_frame_of(f, r);
        CHECK(partfile_first_record(f, k) <= r && r < partfile_first_record(f, k + 1));
    }
    partfile_close(f);
    buf_clear(&lines);
}

static void put_file(const char *path, const uint8_t *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    CHECK(f != NULL);
    if (!f) return;
    CHECK_INT(n, fwrite(p, 1, n, f));
    CHECK_INT(0, fclose(f));
}

static Buf small_part(const char *path, Buf *lines)
{
    Buf file = {0};
    Err err;

    *lines = make_lines(12, 60);
    write_part(path, buf_span(lines), 300, "{\"n_docs\":12}");
    CHECK_OK(store_read(path, SIZE_MAX / 2, &file, &err), &err);
    return file;
}

TEST(part_cut_anywhere_is_refused)
{
    char path[512];
    Buf lines, got = {0}, receipt = {0};

    snprintf(path, sizeof path, "%s/p", check_tmpdir());
    Buf file = small_part(path, &lines);
    for (size_t n = 0; n < file.n; n++) {
        put_file(path, file.p, n);
        CHECK(!read_part(path, &got, &receipt));
        put_file(path, file.p + n + 1, file.n - n - 1); /* the head cut off */
        CHECK(!read_part(path, &got, &receipt));
    }
    put_file(path, file.p, file.n);
    CHECK(read_part(path, &got, &receipt));
    buf_put(&file, "x", 1);
    put_file(path, file.p, file.n);
    CHECK(!read_part(path, &got, &receipt));
    buf_clear(&file);
    buf_clear(&lines);
    buf_clear(&got);
    buf_clear(&receipt);
}

TEST(part_flipped_bytes_are_refused_or_harmless)
{
    const uint8_t masks[] = {0x01, 0x10, 0x80, 0xff};
    char path[512];
    Buf lines, got = {0}, receipt = {0};
    size_t harmless = 0;

    snprintf(path, sizeof path, "%s/p", check_tmpdir());
    Buf file = small_part(path, &lines);
    for (size_t i = 0; i < file.n; i++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            file.p[i] ^= masks[m];
            put_file(path, file.p, file.n);
            if (read_part(path, &got, &receipt)) {
                CHECK_SPAN(buf_span(&lines), buf_span(&got));
                CHECK_SPAN(SPAN_LIT("{\"n_docs\":12}"), buf_span(&receipt));
                harmless++;
            }
            file.p[i] ^= masks[m];
        }
    }
    CHECK(harmless < file.n / 10); /* unused header bits of frames; not more */
    buf_clear(&file);
    buf_clear(&lines);
    buf_clear(&got);
    buf_clear(&receipt);
}

TEST(part_writer_survives_every_failing_call)
{
    char path[512];
    bool through = false;
    Err err;

    snprintf(path, sizeof path, "%s/p", check_tmpdir());
    for (uint64_t n = 1; n < 100 && !through; n++) {
        PartWriter *w = NULL;
        bool exists;
        store_fault_arm(n, ENOSPC, true);
        ErrCode rc = partwriter_open(&w, path, &err);
        if (rc == ERR_OK) rc = partwriter_commit(&w, SPAN_LIT("{}"), &err);
        through = !store_fault_hit();
        store_fault_arm(0, 0, false);
        CHECK_INT(through ? ERR_OK : ERR_SYS, rc);
        CHECK(w == NULL);
        CHECK_OK(store_exists(path, &exists, &err), &err);
        if (exists) {
            Buf got = {0}, receipt = {0};
            CHECK(read_part(path, &got, &receipt));
            buf_clear(&receipt);
            buf_clear(&got);
        }
        CHECK_OK(store_delete(path, &err), &err);
    }
    CHECK(through);
}

TEST(part_abandoned_leaves_nothing)
{
    const char *dir = check_tmpdir();
    char path[512];
    PartWriter *w;
    StoreList l;
    Err err;

    snprintf(path, sizeof path, "%s/p", dir);
    CHECK_OK(partwriter_open(&w, path, &err), &err);
    partwriter_abandon(w);
    partwriter_abandon(NULL);
    CHECK_OK(store_list(dir, &l, &err), &err);
    CHECK_INT(0, l.n);
    storelist_clear(&l);
    snprintf(path, sizeof path, "%s/absent/p", dir);
    CHECK_INT(ERR_SYS, partwriter_open(&w, path, &err));
    CHECK(w == NULL);
}
