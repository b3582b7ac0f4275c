#include "core/publicsuffix.h"

#include "core/idn.h"

#include <libpsl.h>

static bool is_address(Span host)
{
    size_t last = host.n;

    if (host.n && host.p[0] == '[') return true;
    while (last > 0 && host.p[last - 1] != '.') last--;
    for (size_t i = last; i < host.n; i++)
        if (!ascii_is_digit(host.p[i])) return false;
    return true; /* no domain of the top is a number */
}

Span publicsuffix_domain(Span host)
{
    const Span none = {NULL, 0};
    uint8_t bytes[URL_MAX_HOST];
    char name[URL_MAX_HOST + 1];
    size_t dots = 0, from;

    if (host.n == 0 || host.n > URL_MAX_HOST || memchr(host.p, 0, host.n) || is_address(host)) return none;
    const Span ascii = idn_ascii(host, bytes);
    memcpy(name, ascii.p, ascii.n);
    name[ascii.n] = 0;
    const char *domain = psl_registrable_domain(psl_builtin(), name);
    if (!domain) return none;
    for (const char *p = domain; *p; p++) dots += *p == '.';
    /* As many labels of the host, whichever way it is spelled. */
    for (from = host.n; from > 0; from--)
        if (host.p[from - 1] == '.' && dots-- == 0) break;
    return span_from(host, from);
}
