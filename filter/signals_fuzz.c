/* Any text through every measure: numbers are finite, and the shares that are parts of a whole lie within it. */
#include "filter/signals.h"

#include "core/utf8.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const SignalId parts[] = {SIG_BULLETS,     SIG_END_DOTS,   SIG_ALPHA,       SIG_ALPHA_PLAIN, SIG_DUP_PARA,
                                 SIG_DUP_PARA_CH, SIG_DUP_LINE,   SIG_DUP_LINE_CH, SIG_DUP_5,       SIG_DUP_10,
                                 SIG_LINE_END,    SIG_SHORT_LINE, SIG_DUP_TEXT_CH, SIG_HAN,         SIG_DIGITS,
                                 SIG_PUNCT,       SIG_BRACKETS,   SIG_MORE_LINES,  SIG_ALNUM};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    SignalScratch s = {0};
    Buf text = {0};

    utf8_repair(&text, span(p, n)); /* documents hold well-formed text */
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        double v[SIG_COUNT];
        if (signals_measure(&s, buf_span(&text), (TextKind)kind, v, NULL) != ERR_OK) abort();
        for (int i = 0; i < SIG_COUNT; i++)
            if (isinf(v[i]) || v[i] < 0) abort();
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            if (v[parts[i]] > 1) abort();
    }
    text_kind((Span){NULL, 0}, buf_span(&text));
    signals_clear(&s);
    buf_clear(&text);
    return 0;
}
