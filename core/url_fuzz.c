/* Any bytes as a URL: the host is short, lower-cased, holds no delimiter, and is found again in a URL made of it. */
#include "core/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t out[URL_MAX_HOST], again[URL_MAX_HOST], url[8 + URL_MAX_HOST] = "http://";
    Span host = url_host(span(p, n), out);

    if (!host.p) return 0;
    if (host.n == 0 || host.n > URL_MAX_HOST) abort();
    for (size_t i = 0; i < host.n; i++)
        if (ascii_is_upper(host.p[i]) || host.p[i] <= 32 || host.p[i] == '/' || host.p[i] == '@') abort();
    memcpy(url + 7, host.p, host.n);
    Span second = url_host(span(url, 7 + host.n), again);
    /* all but a dot at the end, of which one is dropped each time */
    if (host.p[host.n - 1] != '.' && !span_eq(host, second)) abort();
    return 0;
}
