/* tokenize/pretoken_slow.h - the seven stages one after the other, for the test and the fuzz target of the scanner: every
 * stage walks the pieces that the stages before it left and adds its cuts, as the list of splits in tokenizer.json says. */
#ifndef TAMIS_TOKENIZE_PRETOKEN_SLOW_H
#define TAMIS_TOKENIZE_PRETOKEN_SLOW_H

#include "core/utf8.h"
#include "tokenize/pretoken.h"

#include <stdlib.h>

typedef struct {
    unsigned kind; /* PT_ bits; white space means newlines too */
    size_t at;     /* first byte */
    bool cut;      /* a piece begins here */
} SlowChar;

static bool slow_space(const SlowChar *c) { return c->kind & (PT_SPACE | PT_NEWLINE); }

/* Stage of the form \s?[kind]+ or, without the blank, [kind]+ or [kind]: marks the cuts within c[begin, end). */
static void slow_runs(SlowChar *c, size_t begin, size_t end, unsigned kind, bool blank, bool single)
{
    for (size_t i = begin; i < end;) {
        size_t from = i, to = i;
        if (blank && slow_space(&c[i]) && i + 1 < end && (c[i + 1].kind & kind)) to = i + 1;
        while (to < end && (c[to].kind & kind)) {
            to++;
            if (single) break;
        }
        if (to == from) {
            i++;
            continue;
        }
        c[from].cut = true;
        if (to < end) c[to].cut = true;
        i = to;
    }
}

static void slow_trailing(SlowChar *c, size_t begin, size_t end)
{
    size_t i = end;

    while (i > begin && slow_space(&c[i - 1])) i--;
    if (i < end) c[i].cut = true;
}

static void slow_stage(SlowChar *c, size_t n, int stage)
{
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && !c[end].cut;) end++;
        switch (stage) {
        case 1: slow_runs(c, begin, end, PT_NEWLINE, false, true); break;
        case 2: slow_runs(c, begin, end, PT_LETTER, true, false); break;
        case 3: slow_runs(c, begin, end, PT_PUNCT, true, false); break;
        case 4: slow_trailing(c, begin, end); break;
        case 5: slow_runs(c, begin, end, PT_CJK, false, false); break;
        default: slow_runs(c, begin, end, PT_NUMERIC, false, true); break;
        }
    }
}

/* Appends one byte for each byte of s: 1 where a pretoken begins. False when there is no memory. */
static bool pretoken_slow(Span s, Buf *cuts)
{
    SlowChar *c = malloc((s.n + 1) * sizeof *c);
    size_t n = 0;
    uint32_t cp;

    if (!c) return false;
    for (size_t at = 0; at < s.n; n++) {
        c[n] = (SlowChar){.at = at};
        at += utf8_next(s.p + at, s.n - at, &cp);
        c[n].kind = pretoken_class_of(cp);
    }
    for (int stage = 1; stage <= 6; stage++) slow_stage(c, n, stage);
    for (size_t i = 0, at = 0; i < n; i++) {
        for (; at < c[i].at; at++) buf_putc(cuts, 0);
        buf_putc(cuts, c[i].cut), at++;
    }
    while (!cuts->oom && cuts->n < s.n) buf_putc(cuts, 0);
    free(c);
    return !cuts->oom;
}

#endif
