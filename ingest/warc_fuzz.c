#include "ingest/warc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* Any bytes are records and reasons, in order, and no more records than bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint64_t before = 0, n_records = 0;
    ByteStream *s;
    WarcRecord rec;
    bool more = true;
    Err err;

    must(stream_open_bytes(&s, span(p, n), 0, true, &err) == ERR_OK);
    WarcReader r = warc_reader(s, 0, UINT64_MAX);
    while (more) {
        must(warc_next(&r, &rec, &more, &err) == ERR_OK);
        if (!more) break;
        must(rec.stored >= before && rec.stored <= n && ++n_records <= n * (1 << 14) + 1);
        before = rec.stored;
        must(rec.reason <= INGEST_N_REASONS && (rec.reason != INGEST_N_REASONS || rec.head.n > 8));
        for (size_t i = 0; i < rec.block.n; i += 97) must(rec.block.p[i] == rec.head.p[rec.head.n + i]);
    }
    stream_close(s);
    return 0;
}
