#include "ingest/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static Buf scratch[2];
    HttpResponse r;
    unsigned notes;
    Span body;

    if (!http_parse(span(p, n), &r)) return 0;
    if (r.body.n > n || r.n_codings > HTTP_MAX_CODINGS) abort();
    if (http_body(&r, scratch, &body, &notes) == BODY_FINE && body.n > HTTP_MAX_BODY) abort();
    if (notes >> HTTP_N_NOTES) abort();
    http_sniff_binary(r.body);
    http_sniff_html(r.body);
    http_media_type(r.content_type);
    http_parameter(r.content_type, "charset");
    return 0;
}
