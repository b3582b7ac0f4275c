#include "ingest/records.h"

#include "core/store.h"

#include <stdlib.h>

struct RecordCursor {
    const Inputs *in;
    Staged *staged;
    bool all_blocks;
    uint32_t slice, end_slice; /* of the part: the one that is read, one past the last */
    ByteStream *stream;        /* of that slice; NULL between slices */
    WarcReader warc;
    uint64_t line; /* number of the next line */

    InFile *file; /* of ranges: what `file_input` is, and the bytes of the slice */
    uint32_t file_input;
    Buf range;
};

ErrCode records_open(const Inputs *in, Staged *staged, uint32_t part, bool all_blocks, RecordCursor **out, Err *err)
{
    RecordCursor *c = calloc(1, sizeof *c);

    if (!c) return err_nomem(err, "an input");
    *c = (RecordCursor){.in = in,
                        .staged = staged,
                        .all_blocks = all_blocks,
                        .slice = in->part_first[part],
                        .end_slice = in->part_first[part + 1]};
    *out = c;
    return ERR_OK;
}

/* Closes the slice that is read. */
static void close_slice(RecordCursor *c)
{
    if (!c->stream) return;
    stream_close(c->stream);
    c->stream = NULL;
    staged_done(c->staged, c->in, c->slice);
}

void records_close(RecordCursor *c)
{
    if (!c) return;
    close_slice(c);
    if (c->file) infile_close(c->file);
    buf_clear(&c->range);
    free(c);
}

size_t records_n_items(const StageBlock *b) { return b->items.n / sizeof(RecordItem); }

/* items.p comes from malloc and holds nothing but RecordItems, so it is aligned for them. */
const RecordItem *records_item(const StageBlock *b, size_t i)
{
    return (const RecordItem *)(const void *)b->items.p + i;
}

static void put_item(StageBlock *b, RecordItem item, Span head, Span block)
{
    item.at = b->bytes.n;
    item.head_n = head.n;
    item.block_n = block.n;
    buf_put_span(&b->bytes, head);
    buf_put_span(&b->bytes, block);
    buf_put(&b->items, &item, sizeof item);
}

IngestReason records_reason(WarcType t)
{
    switch (t) {
    case WARC_RESPONSE:
    case WARC_RESOURCE:
    case WARC_CONVERSION: return INGEST_N_REASONS;
    case WARC_INFO: return INGEST_WARCINFO;
    case WARC_REQUEST: return INGEST_REQUEST;
    case WARC_METADATA: return INGEST_METADATA;
    case WARC_REVISIT: return INGEST_REVISIT;
    case WARC_UNKNOWN: break;
    }
    return INGEST_OTHER_TYPE;
}

static ErrCode next_record(RecordCursor *c, StageBlock *b, bool *more, Err *err)
{
    WarcRecord rec;
    ErrCode rc = warc_next(&c->warc, &rec, more, err);

    if (rc != ERR_OK || !*more) return rc;
    RecordItem item = {.input = c->in->slice[c->slice].input,
                       .kind = INPUT_ARCHIVE,
                       .mended = rec.mended,
                       .reason = rec.reason,
                       .stored = rec.stored,
                       .inner = rec.inner,
                       .bytes = rec.bytes};
    if (rec.reason == INGEST_N_REASONS) {
        item.reason = records_reason(rec.type);
        if (item.reason != INGEST_N_REASONS && !c->all_blocks) rec.block = (Span){NULL, 0};
    }
    put_item(b, item, rec.head, rec.block);
    return ERR_OK;
}

/* Takes one line off the stream. Blank lines are no documents but keep their numbers. */
static ErrCode next_line(RecordCursor *c, StageBlock *b, bool *more, Err *err)
{
    RecordItem item = {.input = c->in->slice[c->slice].input, .kind = INPUT_LINES, .reason = INGEST_N_REASONS};
    size_t want = STREAM_STEP, from = 0, n;
    ErrCode rc;

    item.stored = c->line;
    for (;;) {
        if ((rc = stream_need(c->stream, want, err)) != ERR_OK) return rc;
        Span v = stream_view(c->stream);
        n = from + span_find(span_from(v, from), '\n');
        if (n < v.n || v.n < want) break;
        if (v.n > RECORDS_MAX_LINE) { /* the rest of the line streams by */
            item.reason = INGEST_TOO_LARGE;
            item.bytes += v.n;
            stream_skip(c->stream, v.n);
            from = 0;
            continue;
        }
        from = v.n;
        want = v.n * 2;
    }
    Span line = span(stream_view(c->stream).p, n);
    if (n > RECORDS_MAX_LINE) item.reason = INGEST_TOO_LARGE; /* its end happened to be in the window */
    StreamBreak brk = STREAM_FINE;
    *more = true;
    if (n == stream_view(c->stream).n) { /* no line end: the last line, or a break */
        brk = stream_break(c->stream, NULL);
        if (brk != STREAM_FINE)
            item.reason = brk == STREAM_CORRUPT ? INGEST_GZIP_CORRUPT : INGEST_TRUNCATED;
        else if (n == 0 && item.reason == INGEST_N_REASONS)
            *more = false;
    }
    if (item.reason != INGEST_N_REASONS || span_trim(line).n) {
        item.bytes += n + 1;
        put_item(b, item, (Span){NULL, 0}, item.reason == INGEST_N_REASONS ? line : (Span){NULL, 0});
    }
    c->line++;
    stream_skip(c->stream, n < stream_view(c->stream).n ? n + 1 : n);
    return brk == STREAM_FINE ? ERR_OK : stream_pass(c->stream, err);
}

/* Formats that are told by their first bytes and that we do not read: bzip2, xz, zip, 7z, Parquet, PDF, LZ4 from before it had frames. */
static bool is_unknown_format(Span v)
{
    static const char *const magic[] = {"BZh",  "\3757zXZ", "PK\3\4",          "7z\xbc\xaf",
                                        "PAR1", "%PDF-",    "\x02\x21\x4c\x18"};

    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (span_starts(v, span_str(magic[i]))) return true;
    return false;
}

/* The whole of an input is one page. */
static ErrCode next_page(RecordCursor *c, StageBlock *b, bool *more, Err *err)
{
    RecordItem item = {.input = c->in->slice[c->slice].input, .kind = INPUT_HTML, .reason = INGEST_N_REASONS};
    ErrCode rc = stream_need(c->stream, WARC_MAX_BLOCK + 1, err);
    Span v = stream_view(c->stream);

    *more = false;
    if (rc != ERR_OK) return rc;
    item.bytes = v.n;
    if (v.n > WARC_MAX_BLOCK) item.reason = INGEST_TOO_LARGE;
    if (stream_break(c->stream, NULL) == STREAM_CORRUPT) item.reason = INGEST_GZIP_CORRUPT;
    if (stream_break(c->stream, NULL) == STREAM_CUT) item.reason = INGEST_TRUNCATED;
    put_item(b, item, (Span){NULL, 0}, item.reason == INGEST_N_REASONS ? v : (Span){NULL, 0});
    return ERR_OK;
}

/* Opens a slice that is a range of an index: just its bytes are read. One that reaches behind the end of its file is cut. */
static ErrCode open_range(RecordCursor *c, StageBlock *b, Err *err)
{
    const InputSlice *s = &c->in->slice[c->slice];
    uint64_t n = s->end - s->begin;
    ErrCode rc;

    if (!c->file || c->file_input != s->input) {
        if (c->file) infile_close(c->file);
        c->file = NULL;
        if ((rc = infile_open(&c->file, c->in->input[s->input].url, err)) != ERR_OK) return rc;
        c->file_input = s->input;
    }
    uint64_t size = infile_size(c->file), there = s->begin < size ? size - s->begin : 0;
    if (n > there) n = there;
    if (n == 0 || n > RECORDS_MAX_RANGE) {
        put_item(
            b,
            (RecordItem){
                .input = s->input, .reason = n ? INGEST_TOO_LARGE : INGEST_TRUNCATED, .stored = s->begin, .bytes = n},
            (Span){NULL, 0}, (Span){NULL, 0});
        c->slice++;
        return ERR_OK;
    }
    buf_reset(&c->range);
    if (!buf_reserve(&c->range, (size_t)n)) return err_nomem(err, "a range");
    if ((rc = infile_read(c->file, s->begin, c->range.p, (size_t)n, err)) != ERR_OK) return rc;
    c->range.n = (size_t)n;
    if ((rc = stream_open_range(&c->stream, buf_span(&c->range), s->begin, true, err)) != ERR_OK) return rc;
    c->warc = warc_reader(c->stream, 0, UINT64_MAX);
    return ERR_OK;
}

static ErrCode open_slice(RecordCursor *c, StageBlock *b, Err *err)
{
    const InputSlice *s = &c->in->slice[c->slice];
    const Input *i = &c->in->input[s->input];
    const bool warc = i->kind == INPUT_ARCHIVE;
    const char *local;
    ErrCode rc;

    if (i->n_ranges) return open_range(c, b, err);
    if ((rc = staged_take(c->staged, c->in, c->slice, c->end_slice, &local, err)) != ERR_OK) return rc;
    rc = input_is_stdin(i) ? stream_open_stdin(&c->stream, false, warc, err)
                           : stream_open(&c->stream, local, s->begin, warc, err);
    if (rc != ERR_OK) {
        staged_done(c->staged, c->in, c->slice);
        return rc;
    }
    c->line = 0;
    c->warc = warc_reader(c->stream, s->begin, s->end);
    if (!warc || s->begin > 0) return ERR_OK;
    if ((rc = stream_need(c->stream, 16, err)) != ERR_OK || !is_unknown_format(stream_view(c->stream))) return rc;
    put_item(b, (RecordItem){.input = s->input, .reason = INGEST_UNKNOWN_FORMAT, .bytes = i->size}, (Span){NULL, 0},
             (Span){NULL, 0});
    close_slice(c);
    c->slice++;
    return ERR_OK;
}

static ErrCode next_item(RecordCursor *c, StageBlock *b, bool *more, Err *err)
{
    switch (c->in->input[c->in->slice[c->slice].input].kind) {
    case INPUT_LINES: return next_line(c, b, more, err);
    case INPUT_HTML: return next_page(c, b, more, err);
    case INPUT_ARCHIVE: break;
    }
    return next_record(c, b, more, err);
}

ErrCode records_next(RecordCursor *c, StageBlock *b, bool *end, Err *err)
{
    ErrCode rc = ERR_OK;

    *end = false;
    buf_reset(&b->bytes);
    buf_reset(&b->items);
    while (rc == ERR_OK && b->bytes.n < RECORDS_BLOCK_BYTES && records_n_items(b) < RECORDS_BLOCK_ITEMS) {
        bool more = true;
        if (!c->stream) {
            if (c->slice == c->end_slice) {
                *end = records_n_items(b) == 0;
                break;
            }
            rc = open_slice(c, b, err);
            continue;
        }
        rc = next_item(c, b, &more, err);
        if (rc == ERR_OK && !more) {
            close_slice(c);
            c->slice++;
        }
    }
    if (rc == ERR_OK) rc = buf_ok(&b->bytes, "a block of records", err);
    return rc == ERR_OK ? buf_ok(&b->items, "a block of records", err) : rc;
}
