/* `tamis docs wet`: documents as a WET archive, as Common Crawl's are: WARC records of type `conversion` (ISO 28500, 6.9), a gzip member each. */
#include "core/gzip_out.h"
#include "core/hash.h"
#include "tools/docs.h"

#include <stdio.h>
#include <stdlib.h>

struct DocsWet {
    GzipOut *gzip;
    Buf record, packed;
    bool begun;
};

ErrCode docswet_new(DocsWet **w, Err *err)
{
    *w = calloc(1, sizeof **w);
    if (!*w) return err_nomem(err, "an archive");
    return gzipout_new(&(*w)->gzip, err);
}

void docswet_free(DocsWet *w)
{
    if (!w) return;
    gzipout_free(w->gzip);
    buf_clear(&w->record);
    buf_clear(&w->packed);
    free(w);
}

/* A UUID of version 8 (RFC 9562, 5.8) out of a hash: the same record has the same one each time. */
static void put_record_id(Buf *b, Hash128 h)
{
    const uint64_t hi = (h.hi & ~UINT64_C(0xf000)) | 0x8000, lo = (h.lo & ~(UINT64_C(3) << 62)) | UINT64_C(2) << 62;

    buf_printf(b, "WARC-Record-ID: <urn:uuid:%08x-%04x-%04x-%04x-%012llx>\r\n", (unsigned)(hi >> 32),
               (unsigned)(hi >> 16 & 0xffff), (unsigned)(hi & 0xffff), (unsigned)(lo >> 48),
               (unsigned long long)(lo & 0xffffffffffff));
}

/* A header line; white space and controls inside a value, which would end it, as blanks. */
static void put_header(Buf *b, const char *name, Span value)
{
    if (value.n == 0) return;
    buf_puts(b, name);
    buf_puts(b, ": ");
    for (size_t i = 0; i < value.n; i++) buf_putc(b, value.p[i] < ' ' || value.p[i] == 0x7f ? ' ' : value.p[i]);
    buf_puts(b, "\r\n");
}

static ErrCode write_record(DocsWet *w, Span block, Err *err)
{
    Buf *b = &w->record;
    ErrCode rc;

    buf_puts(b, "Content-Length: ");
    buf_put_u64(b, block.n);
    buf_puts(b, "\r\n\r\n");
    buf_put_span(b, block);
    buf_puts(b, "\r\n\r\n");
    buf_reset(&w->packed);
    if ((rc = buf_ok(b, "a record", err)) != ERR_OK ||
        (rc = gzipout_member(w->gzip, buf_span(b), &w->packed, err)) != ERR_OK)
        return rc;
    fwrite(w->packed.p, 1, w->packed.n, stdout);
    return ferror(stdout) ? err_sys(err, "cannot write to standard output") : ERR_OK;
}

static ErrCode write_info(DocsWet *w, Span date, Err *err)
{
    const Span info = SPAN_LIT("software: tamis\r\nformat: WARC File Format 1.0\r\n");

    buf_reset(&w->record);
    buf_puts(&w->record, "WARC/1.0\r\nWARC-Type: warcinfo\r\n");
    put_header(&w->record, "WARC-Date", date);
    put_record_id(&w->record, hash128(info));
    buf_puts(&w->record, "Content-Type: application/warc-fields\r\n");
    w->begun = true;
    return write_record(w, info, err);
}

ErrCode docswet_write(DocsWet *w, const Doc *d, Err *err)
{
    const Span no_date = SPAN_LIT("1970-01-01T00:00:00Z"); /* the field is required */
    const Span date = d->date.n ? d->date : no_date;
    ErrCode rc = w->begun ? ERR_OK : write_info(w, date, err);

    if (rc) return rc;
    buf_reset(&w->record);
    buf_puts(&w->record, "WARC/1.0\r\nWARC-Type: conversion\r\n");
    put_header(&w->record, "WARC-Target-URI", d->url);
    put_header(&w->record, "WARC-Date", date);
    put_record_id(&w->record, hash128(d->id));
    if (span_is(d->lang, "en")) put_header(&w->record, "WARC-Identified-Content-Language", SPAN_LIT("eng"));
    if (span_starts(d->lang, SPAN_LIT("zh")))
        put_header(&w->record, "WARC-Identified-Content-Language", SPAN_LIT("zho"));
    put_header(&w->record, "X-Tamis-Id", d->id);
    buf_puts(&w->record, "Content-Type: text/plain\r\n");
    return write_record(w, d->text, err);
}
