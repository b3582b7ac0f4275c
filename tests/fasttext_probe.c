/* tests/fasttext_probe.c - what a model says of texts, for oracles. Usage: fasttext_probe MODEL K
 * Reads texts from stdin, each a line with its number of bytes, then the bytes; writes for each a line: the K likeliest labels, each
 * with its probability behind it. */
#include "core/fasttext.h"
#include "tests/sized_text.h"

#include <stdio.h>
#include <stdlib.h>

static void put_answer(const FastText *m, FastTextScratch *s, Span text, size_t k)
{
    FastTextAnswer answer[FASTTEXT_MAX_K];
    const size_t n = fasttext_predict(m, s, text, k, answer);

    for (size_t i = 0; i < n; i++) {
        const Span label = fasttext_label(m, answer[i].label);
        printf("%s%.*s %.9g", i ? " " : "", (int)label.n, (const char *)label.p, (double)answer[i].p);
    }
    putchar('\n');
}

static ErrCode run(const FastText *m, FastTextScratch *s, size_t k, Err *err)
{
    Buf text = {0};
    bool end = false;
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && (rc = sized_text(&text, &end, err)) == ERR_OK && !end)
        put_answer(m, s, buf_span(&text), k);
    buf_clear(&text);
    return rc;
}

int main(int argc, char **argv)
{
    FastText *m = NULL;
    FastTextScratch *s = NULL;
    Err err = {0};
    const int k = argc == 3 ? atoi(argv[2]) : 0;

    ErrCode rc = k >= 1 && k <= FASTTEXT_MAX_K ? fasttext_open(&m, argv[1], &err)
                                               : err_set(&err, ERR_USAGE, "usage: fasttext_probe MODEL K");
    if (rc == ERR_OK) rc = fasttext_scratch_new(&s, m, &err);
    if (rc == ERR_OK) rc = run(m, s, (size_t)k, &err);
    if (rc != ERR_OK) fprintf(stderr, "fasttext_probe: %s\n", err.msg);
    fasttext_scratch_free(s);
    fasttext_free(m);
    return rc == ERR_OK ? 0 : 4;
}
