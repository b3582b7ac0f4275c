/* Any bytes as an answer of an object store: elements lie inside it and come in order, and text that is written again reads the same. */
#include "core/s3_xml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    Span rest = span(p, n), element;
    Buf text = {0}, again = {0}, copy = {0};
    uint64_t v;
    int64_t t;

    while (s3xml_next(&rest, "Contents", &element)) {
        if (element.p < p || element.n > n || rest.n >= n) abort();
        buf_reset(&text);
        if (s3xml_text(element, "Key", &text)) {
            buf_reset(&again);
            buf_puts(&again, "<Key>");
            s3xml_put(&again, buf_span(&text));
            buf_puts(&again, "</Key>");
            buf_reset(&copy);
            if (!s3xml_text(buf_span(&again), "Key", &copy) || !span_eq(buf_span(&copy), buf_span(&text))) abort();
            if (s3xml_unquote(&text) && text.n && memchr(text.p, 0, text.n)) abort();
        }
        (void)s3xml_u64(element, "Size", &v);
        (void)s3xml_time(element, "LastModified", &t);
    }
    buf_clear(&text);
    buf_clear(&again);
    buf_clear(&copy);
    return 0;
}
