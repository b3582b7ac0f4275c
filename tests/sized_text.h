/* tests/sized_text.h - for probes that oracles ask: texts from stdin, each a line with its number of bytes, then the bytes. */
#ifndef TAMIS_TESTS_SIZED_TEXT_H
#define TAMIS_TESTS_SIZED_TEXT_H

#include "core/buf.h"

#include <stdio.h>

/* The next text in place of the last; *end: there is none. Errors: stdin ends within one. */
static inline ErrCode sized_text(Buf *text, bool *end, Err *err)
{
    size_t n;

    buf_reset(text);
    *end = scanf("%zu", &n) != 1 || getchar() != '\n';
    if (*end) return ERR_OK;
    if (!buf_reserve(text, n + 1) || fread(text->p, 1, n, stdin) != n)
        return err_set(err, ERR_DATA, "stdin ends within a text");
    text->n = n;
    return ERR_OK;
}

#endif
