#include "core/idn.h"

#include <idn2.h>

Span idn_ascii(Span host, uint8_t out[URL_MAX_HOST])
{
    char name[URL_MAX_HOST + 1];
    char *ascii = NULL;
    size_t high = 0;

    while (high < host.n && host.p[high] < 0x80) high++;
    if (high == host.n || host.n > URL_MAX_HOST || memchr(host.p, 0, host.n)) return host;
    memcpy(name, host.p, host.n);
    name[host.n] = 0;
    if (idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK) return host;
    const size_t n = strlen(ascii);
    const bool fits = n > 0 && n <= URL_MAX_HOST;
    if (fits) memcpy(out, ascii, n);
    idn2_free(ascii);
    return fits ? span(out, n) : host;
}
