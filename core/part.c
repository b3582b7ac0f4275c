/* The layout half of core/part.h: tables, receipt, trailer. What is inside the frames is part_coder.c's. */
#include "core/part.h"

#include "core/part_file.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdlib.h>

#define SKIP_RECORDS 0x184D2A50u
#define SKIP_RECEIPT 0x184D2A51u
#define SKIP_SEEK    0x184D2A5Eu
#define SEEK_MAGIC   0x8F92EAB1u

enum {
    SKIP_HEADER = 8,    /* magic, payload size */
    RECORDS_FIXED = 24, /* magic, version, n_frames … sum */
    RECEIPT_FIXED = 24, /* magic, version, n … sum */
    SEEK_ENTRY = 8,
    SEEK_FOOTER = 9, /* n_frames, descriptor, magic */
    PART_VERSION = 1,
    PART_TABLES = 2 /* records and receipt count as frames of the seek table */
};

/* --- writing */

struct PartWriter {
    OutFile *file;
    Buf frames; /* PartFrame */
    uint64_t n_records;
};

ErrCode partwriter_open(PartWriter **out, const char *path, Err *err)
{
    PartWriter *w = calloc(1, sizeof *w);
    ErrCode rc;

    *out = NULL;
    if (!w) return err_nomem(err, path);
    if ((rc = outfile_open(&w->file, path, err)) != ERR_OK) {
        free(w);
        return rc;
    }
    *out = w;
    return ERR_OK;
}

void partwriter_abandon(PartWriter *w)
{
    if (!w) return;
    outfile_abandon(w->file);
    buf_clear(&w->frames);
    free(w);
}

ErrCode partwriter_put(PartWriter *w, Span stored, const PartFrame *frames, size_t n_frames, Err *err)
{
    if (n_frames > PART_MAX_FRAMES - w->frames.n / sizeof *frames)
        return err_set(err, ERR_LIMIT, "a part cannot hold more than %d frames", PART_MAX_FRAMES);
    for (size_t i = 0; i < n_frames; i++) w->n_records += frames[i].n_lines;
    if (w->n_records > DOCID_MAX_RECORDS)
        return err_set(err, ERR_LIMIT, "a part cannot hold more than %d documents", DOCID_MAX_RECORDS);
    buf_put(&w->frames, frames, n_frames * sizeof *frames);
    if (w->frames.oom) return err_nomem(err, "the list of frames");
    return outfile_put(w->file, stored.p, stored.n, err);
}

static void put_u32(Buf *b, uint32_t v)
{
    uint8_t p[4];

    le32_put(p, v);
    buf_put(b, p, 4);
}

static void put_u64(Buf *b, uint64_t v)
{
    put_u32(b, (uint32_t)v);
    put_u32(b, (uint32_t)(v >> 32));
}

/* Sum of the payload that began at `start`. */
static void put_sum(Buf *b, size_t start)
{
    if (!b->oom) put_u64(b, hash64(span(b->p + start, b->n - start)));
}

static void put_skip_header(Buf *b, uint32_t magic, size_t payload)
{
    put_u32(b, magic);
    put_u32(b, (uint32_t)payload);
}

static void put_records(Buf *b, const PartFrame *f, uint32_t n)
{
    put_skip_header(b, SKIP_RECORDS, RECORDS_FIXED + 4 * (size_t)n);
    size_t start = b->n;
    buf_puts(b, "TAMISREC");
    put_u32(b, PART_VERSION);
    put_u32(b, n);
    for (uint32_t i = 0; i < n; i++) put_u32(b, f[i].n_lines);
    put_sum(b, start);
}

static void put_receipt(Buf *b, Span json)
{
    put_skip_header(b, SKIP_RECEIPT, RECEIPT_FIXED + json.n);
    size_t start = b->n;
    buf_puts(b, "TAMISRCP");
    put_u32(b, PART_VERSION);
    put_u32(b, (uint32_t)json.n);
    buf_put_span(b, json);
    put_sum(b, start);
}

static void put_seek_table(Buf *b, const PartFrame *f, uint32_t n, size_t records_bytes, size_t receipt_bytes)
{
    put_skip_header(b, SKIP_SEEK, ((size_t)n + PART_TABLES) * SEEK_ENTRY + SEEK_FOOTER);
    for (uint32_t i = 0; i < n; i++) {
        put_u32(b, f[i].stored_bytes);
        put_u32(b, f[i].text_bytes);
    }
    put_u32(b, (uint32_t)records_bytes);
    put_u32(b, 0);
    put_u32(b, (uint32_t)receipt_bytes);
    put_u32(b, 0);
    put_u32(b, n + PART_TABLES);
    buf_putc(b, 0);
    put_u32(b, SEEK_MAGIC);
}

ErrCode partwriter_commit(PartWriter **out, Span receipt_json, Err *err)
{
    PartWriter *w = *out;
    const PartFrame *f = (const PartFrame *)(const void *)w->frames.p;
    uint32_t n = (uint32_t)(w->frames.n / sizeof *f);
    Buf b = {0};
    ErrCode rc;

    *out = NULL;
    if (receipt_json.n > PART_MAX_RECEIPT) {
        rc = err_set(err, ERR_LIMIT, "a receipt of %zu bytes is beyond %d", receipt_json.n, PART_MAX_RECEIPT);
    } else {
        put_records(&b, f, n);
        size_t records_bytes = b.n;
        put_receipt(&b, receipt_json);
        put_seek_table(&b, f, n, records_bytes, b.n - records_bytes);
        rc = buf_ok(&b, "the tables of a part", err);
    }
    if (rc == ERR_OK) rc = outfile_put(w->file, b.p, b.n, err);
    if (rc == ERR_OK) rc = outfile_commit_part(&w->file, err);
    buf_clear(&b);
    partwriter_abandon(w);
    return rc;
}

/* --- reading */

struct PartFile {
    InFile *file;
    uint32_t n_frames;
    PartFrame *frame;
    uint64_t *offset;       /* n_frames + 1: where each begins; the last: where the tables begin */
    uint32_t *first_record; /* n_frames + 1 */
    Buf receipt;
};

static ErrCode bad_part(const PartFile *f, Err *err, const char *why)
{
    return err_set(err, ERR_DATA, "%s is not a whole part: %s", infile_path(f->file), why);
}

static ErrCode read_range(PartFile *f, uint64_t offset, size_t n, Buf *out, Err *err)
{
    buf_reset(out);
    if (!buf_reserve(out, n)) return err_nomem(err, infile_path(f->file));
    out->n = n;
    return infile_read(f->file, offset, out->p, n, err);
}

static ErrCode alloc_tables(PartFile *f, Err *err)
{
    size_t n = f->n_frames;

    f->frame = calloc(n + 1, sizeof *f->frame);
    f->offset = calloc(n + 1, sizeof *f->offset);
    f->first_record = calloc(n + 1, sizeof *f->first_record);
    return f->frame && f->offset && f->first_record ? ERR_OK : err_nomem(err, infile_path(f->file));
}

/* The trailer and the seek table. Afterwards frames have offsets and sizes that fill the file exactly; *records and
 * *receipt are the stored sizes of the two tables. */
static ErrCode read_seek_table(PartFile *f, Buf *b, uint32_t *records, uint32_t *receipt, Err *err)
{
    uint64_t size = infile_size(f->file), at = 0;
    ErrCode rc;

    if (size < SKIP_HEADER + SEEK_FOOTER) return bad_part(f, err, "too short");
    if ((rc = read_range(f, size - SEEK_FOOTER, SEEK_FOOTER, b, err)) != ERR_OK) return rc;
    uint32_t n = le32_get(b->p);
    if (le32_get(b->p + 5) != SEEK_MAGIC) return bad_part(f, err, "no seek table at the end (unfinished or cut)");
    if (b->p[4] != 0 || n < PART_TABLES || n > PART_MAX_FRAMES + PART_TABLES)
        return bad_part(f, err, "a seek table of another kind");
    size_t table = SKIP_HEADER + (size_t)n * SEEK_ENTRY + SEEK_FOOTER;
    if (table > size) return bad_part(f, err, "the seek table is cut");
    if ((rc = read_range(f, size - table, table, b, err)) != ERR_OK) return rc;
    if (le32_get(b->p) != SKIP_SEEK || le32_get(b->p + 4) != table - SKIP_HEADER)
        return bad_part(f, err, "the seek table has a wrong header");
    f->n_frames = n - PART_TABLES;
    if ((rc = alloc_tables(f, err)) != ERR_OK) return rc;
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *e = b->p + SKIP_HEADER + (size_t)i * SEEK_ENTRY;
        uint32_t stored = le32_get(e), text = le32_get(e + 4);
        if (i < f->n_frames) {
            if (stored == 0 || text == 0 || text > DOC_MAX_LINE)
                return bad_part(f, err, "a frame of impossible size");
            f->frame[i] = (PartFrame){.stored_bytes = stored, .text_bytes = text};
        } else if (text != 0) {
            return bad_part(f, err, "records or receipt are missing");
        }
        if (i <= f->n_frames) f->offset[i] = at;
        *(i == n - 1 ? receipt : records) = stored;
        at += stored; /* at most 2^20 + 2 times 2^32 */
    }
    return at == size - table ? ERR_OK : bad_part(f, err, "frame sizes do not fill the file");
}

/* One skippable frame of ours with `fixed` bytes beside its array; checks magic, version and sum. *n: the count field. */
static ErrCode read_skip(PartFile *f, Buf *b, uint64_t offset, uint32_t stored, uint32_t magic, const char *name,
                         uint32_t *n, Err *err)
{
    ErrCode rc;

    if (stored < SKIP_HEADER + RECORDS_FIXED || stored > SKIP_HEADER + RECORDS_FIXED + PART_MAX_RECEIPT)
        return bad_part(f, err, "a table of impossible size");
    if ((rc = read_range(f, offset, stored, b, err)) != ERR_OK) return rc;
    size_t payload = stored - SKIP_HEADER;
    const uint8_t *p = b->p + SKIP_HEADER;
    if (le32_get(b->p) != magic || le32_get(b->p + 4) != payload || memcmp(p, name, 8) != 0)
        return bad_part(f, err, "a table has a wrong header");
    if (hash64(span(p, payload - 8)) != le64_get(p + payload - 8)) return bad_part(f, err, "a table has a wrong sum");
    if (le32_get(p + 8) != PART_VERSION)
        return err_set(err, ERR_DATA, "%s has part version %" PRIu32 ", this program knows 1", infile_path(f->file),
                       le32_get(p + 8));
    *n = le32_get(p + 12);
    return ERR_OK;
}

static ErrCode read_records(PartFile *f, Buf *b, uint32_t stored, Err *err)
{
    uint64_t sum = 0;
    uint32_t n = 0;
    ErrCode rc = read_skip(f, b, f->offset[f->n_frames], stored, SKIP_RECORDS, "TAMISREC", &n, err);

    if (rc) return rc;
    if (n != f->n_frames || stored != SKIP_HEADER + RECORDS_FIXED + 4 * (uint64_t)n)
        return bad_part(f, err, "the table of records is of another size");
    for (uint32_t i = 0; i < n; i++) {
        uint32_t lines = le32_get(b->p + SKIP_HEADER + 16 + 4 * (size_t)i);
        if (lines == 0 || lines > f->frame[i].text_bytes) return bad_part(f, err, "a frame of impossible lines");
        f->frame[i].n_lines = lines;
        f->first_record[i] = (uint32_t)sum;
        sum += lines;
        if (sum > DOCID_MAX_RECORDS) return bad_part(f, err, "too many documents");
    }
    f->first_record[n] = (uint32_t)sum;
    return ERR_OK;
}

static ErrCode read_receipt(PartFile *f, Buf *b, uint64_t offset, uint32_t stored, Err *err)
{
    uint32_t n = 0;
    ErrCode rc = read_skip(f, b, offset, stored, SKIP_RECEIPT, "TAMISRCP", &n, err);

    if (rc) return rc;
    if (stored != SKIP_HEADER + RECEIPT_FIXED + (uint64_t)n)
        return bad_part(f, err, "the receipt is of another size");
    buf_put(&f->receipt, b->p + SKIP_HEADER + 16, n);
    return buf_ok(&f->receipt, infile_path(f->file), err);
}

ErrCode partfile_open(PartFile **out, const char *path, Err *err)
{
    PartFile *f = calloc(1, sizeof *f);
    uint32_t records = 0, receipt = 0;
    Buf b = {0};
    ErrCode rc;

    *out = NULL;
    if (!f) return err_nomem(err, path);
    rc = infile_open(&f->file, path, err);
    if (rc == ERR_OK) rc = read_seek_table(f, &b, &records, &receipt, err);
    if (rc == ERR_OK) rc = read_records(f, &b, records, err);
    if (rc == ERR_OK) rc = read_receipt(f, &b, f->offset[f->n_frames] + records, receipt, err);
    buf_clear(&b);
    if (rc)
        partfile_close(f);
    else
        *out = f;
    return rc;
}

void partfile_close(PartFile *f)
{
    if (!f) return;
    infile_close(f->file);
    free(f->frame);
    free(f->offset);
    free(f->first_record);
    buf_clear(&f->receipt);
    free(f);
}

uint32_t partfile_n_frames(const PartFile *f) { return f->n_frames; }
uint32_t partfile_first_record(const PartFile *f, uint32_t frame) { return f->first_record[frame]; }
PartFrame partfile_frame(const PartFile *f, uint32_t frame) { return f->frame[frame]; }
Span partfile_receipt(const PartFile *f) { return buf_span(&f->receipt); }
const char *partfile_path(const PartFile *f) { return infile_path(f->file); }
uint64_t partfile_offset(const PartFile *f, uint32_t frame) { return f->offset[frame]; }
InFile *partfile_infile(PartFile *f) { return f->file; }

uint32_t partfile_frame_of(const PartFile *f, uint32_t record)
{
    uint32_t lo = 0, hi = f->n_frames; /* the last frame whose first record is <= record */

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (f->first_record[mid] <= record)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}
