/* A model of arbitrary bytes, and a text it is asked about: what follows the last newline of the input. */
#include "core/fasttext.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    FastText *m;
    FastTextScratch *s;
    FastTextAnswer got[5];
    Err err;
    size_t text = n;

    while (text && p[text - 1] != '\n') text--;
    const size_t model_n = text ? text - 1 : n;
    if (fasttext_parse(&m, span(p, model_n), "fuzz", &err) != ERR_OK) return 0;
    if (fasttext_scratch_new(&s, m, &err) != ERR_OK) abort();
    const size_t k = fasttext_predict(m, s, span(p + text, n - text), 5, got);
    if (k > 5) abort();
    for (size_t i = 0; i < k; i++) {
        if (got[i].label >= fasttext_n_labels(m) || !(got[i].p >= 0)) abort();
        if (i && got[i].p > got[i - 1].p) abort();
    }
    fasttext_scratch_free(s);
    fasttext_free(m);
    return 0;
}
