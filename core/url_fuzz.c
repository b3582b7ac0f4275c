/* Any bytes as a URL: the host is short, lower-cased, holds no delimiter, and is found again in a URL made of it; so is the key, which is
 * printable. */
#include "core/blocklist.h"
#include "core/publicsuffix.h"
#include "core/surt.h"
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

static void check_surt(Span url, Span host)
{
    Buf surt = {0};
    Span domain = publicsuffix_domain(host);

    if (domain.n && (domain.p < host.p || domain.p + domain.n != host.p + host.n)) abort();
    if (!url_surt(&surt, url)) abort(); /* it has a host */
    for (size_t i = 0; i < surt.n; i++)
        if (surt.p[i] <= 32 || surt.p[i] >= 127) abort();
    buf_clear(&surt);
}

static void check_blocklist(Span url, Span host)
{
    static Blocklist *none;
    Blocklist *all = NULL;
    Buf scratch = {0};
    Err err;

    if (!none) {
        for (int k = 0; k < BLOCKLIST_N; k++)
            if (blocklist_add_lines(&none, (BlocklistKind)k, SPAN_LIT("xn--nobody-has-it.example"), &err)) abort();
        if (blocklist_seal(none, &err)) abort();
    }
    if (blocklist_find(none, url, &scratch) > BLOCKLIST_N) abort();
    /* The host as the one entry of a list blocks its URL. */
    if (blocklist_add_lines(&all, BLOCKLIST_DOMAIN, host, &err) || blocklist_seal(all, &err)) abort();
    if (host.p[0] != '[' && host.p[0] != '#' && span_trim(host).n == host.n &&
        blocklist_find(all, url, &scratch) != BLOCKLIST_DOMAIN)
        abort();
    blocklist_free(all);
    buf_clear(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t out[URL_MAX_HOST], again[URL_MAX_HOST], url[8 + URL_MAX_HOST] = "http://";
    Span host = url_host(span(p, n), out);

    if (!host.p) return 0;
    if (host.n == 0 || host.n > URL_MAX_HOST) abort();
    for (size_t i = 0; i < host.n; i++)
        if (ascii_is_upper(host.p[i]) || host.p[i] <= 32 || host.p[i] == '/' || host.p[i] == '@') abort();
    check_surt(span(p, n), host);
    if (host.p[host.n - 1] != '.') check_blocklist(span(p, n), host);
    memcpy(url + 7, host.p, host.n);
    Span second = url_host(span(url, 7 + host.n), again);
    /* all but a dot at the end, of which one is dropped each time */
    if (host.p[host.n - 1] != '.' && !span_eq(host, second)) abort();
    if (host.p[host.n - 1] != '.') check_key(span(p, n));
    return 0;
}
