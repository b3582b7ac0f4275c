#include "core/utf8.h"
#include "ingest/mojibake.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Well-formed text stays well-formed, and does not grow: every character got back took two or more. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static Mojibake *m;
    static Buf page;
    MojibakeResult r;
    Err err;

    if (!m && mojibake_new(&m, &err) != ERR_OK) abort();
    buf_reset(&page);
    utf8_repair(&page, span(p, n));
    Span s = buf_span(&page);
    if (mojibake_repair(m, &s, &r, &err) != ERR_OK) abort();
    if (!utf8_valid(s) || s.n > page.n + page.n / 2) abort();
    if (mojibake_lost(s) > s.n) abort();
    return 0;
}
