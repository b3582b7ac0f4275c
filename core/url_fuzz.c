/* Any bytes as a URL: the host is short, lower-cased, holds no delimiter, and is found again in a URL made of it; so is the key, which is
 * printable. */
#include "core/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The key of SCHEME:KEY is KEY again. */
static bool key_stays(const char *scheme, Span key)
{
    Buf url = {0}, again = {0};

    buf_puts(&url, scheme);
    buf_put_span(&url, key);
    bool stays = url_key(&again, buf_span(&url)) && span_eq(buf_span(&again), key);
    buf_clear(&url);
    buf_clear(&again);
    return stays;
}

static void check_key(Span url)
{
    Buf key = {0};

    if (url_key(&key, url)) {
        for (size_t i = 0; i < key.n; i++)
            if (key.p[i] <= 32 || key.p[i] == 127) abort();
        /* one scheme's default port is kept with the other */
        if (!key_stays("http:", buf_span(&key)) && !key_stays("https:", buf_span(&key))) abort();
    }
    buf_clear(&key);
}

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
    if (host.p[host.n - 1] != '.') check_key(span(p, n));
    return 0;
}
