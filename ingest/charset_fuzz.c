#include "core/utf8.h"
#include "ingest/charset.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The first line is the label, the rest the page: it becomes well-formed UTF-8. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static Charset *c;
    static Buf out;
    CharsetResult r;
    Err err;
    size_t label = span_find(span(p, n), '\n');

    if (!c && charset_new(&c, &err) != ERR_OK) abort();
    buf_reset(&out);
    if (charset_to_utf8(c, span_from(span(p, n), label + 1), span(p, label), &out, &r, &err) != ERR_OK) abort();
    if (!utf8_valid(buf_span(&out)) || r.n_replaced > n) abort();
    return 0;
}
