/* tests/record_list.h - for tests of ingest: what a reader says of an archive, whole and in slices. */
#ifndef TAMIS_TESTS_RECORD_LIST_H
#define TAMIS_TESTS_RECORD_LIST_H

#include "ingest/warc.h"
#include "tests/check.h"

/* The records of a slice, one line each: address, reason, the first bytes of the block, at most `first`. */
static inline void list_records(Span stored, uint64_t begin, uint64_t end, size_t first, Buf *out)
{
    ByteStream *s;
    WarcRecord rec;
    bool more;
    Err err = {0};

    CHECK_OK(stream_open_bytes(&s, stored, begin, true, &err), &err);
    WarcReader r = warc_reader(s, begin, end);
    for (;;) {
        CHECK_OK(warc_next(&r, &rec, &more, &err), &err);
        if (!more) break;
        buf_printf(out, "%llu+%llu %d ", (unsigned long long)rec.stored, (unsigned long long)rec.inner,
                   (int)rec.reason);
        buf_put(out, rec.block.p, rec.block.n < first ? rec.block.n : first);
        buf_putc(out, '\n');
    }
    stream_close(s);
}

/* Slices say together what `whole` says: cut there, and once more `width` bytes behind; 0: there alone. */
static inline void check_cut(Span stored, uint64_t cut, uint64_t width, size_t first, const Buf *whole)
{
    Buf parts = {0};

    list_records(stored, 0, cut, first, &parts);
    if (width) list_records(stored, cut, cut + width, first, &parts);
    list_records(stored, cut + width, UINT64_MAX, first, &parts);
    CHECK_SPAN(buf_span(whole), buf_span(&parts));
    buf_clear(&parts);
}

/* The same at every `step` bytes. */
static inline void check_slices(Span stored, uint64_t step, uint64_t width, size_t first, const Buf *whole)
{
    for (uint64_t cut = 1; cut < stored.n; cut += step) check_cut(stored, cut, width, first, whole);
}

#endif
