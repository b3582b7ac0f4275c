#include "tokenize/pretoken.h"
#include "tokenize/pretoken_slow.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* The scanner cuts where the seven stages cut, and nowhere else. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    Span text = {p, n};
    Buf cuts = {0};

    if (!pretoken_slow(text, &cuts)) return 0;
    for (size_t at = 0, end; at < n; at = end) {
        end = pretoken_end(text, at);
        if (end <= at || end > n) abort();
        for (size_t i = at + 1; i < end; i++)
            if (cuts.p[i]) abort();
        if (end < n && !cuts.p[end]) abort();
    }
    buf_clear(&cuts);
    return 0;
}
