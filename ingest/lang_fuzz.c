/* Any text, repaired: its language by a detector, with what a page says of itself in front of the first newline. */
#include "core/utf8.h"
#include "ingest/lang.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static LangDetector *d;
    Buf text = {0};
    Err err;
    const Span all = span(p, n);
    const size_t head = span_find(all, '\n');

    if (!d && lang_detector_new(&d, NULL, &err) != ERR_OK) abort();
    const bool traditional = lang_says_traditional(span(p, head), "utf-8", span(p, head));
    for (int i = 0; i < 1 + (n % 7 == 0) * 20; i++)
        utf8_repair(&text, span_from(all, head + 1)); /* now and then longer than a sample */
    const LangAnswer a = lang_detect(d, buf_span(&text), traditional);
    if (a.lang >= LANG_N || !(a.score >= 0 && a.score <= 1)) abort();
    if (a.code[0] && a.lang != LANG_OTHER) abort();
    buf_clear(&text);
    return 0;
}
