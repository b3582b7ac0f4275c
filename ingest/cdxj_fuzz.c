#include "ingest/cdxj.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* Ranges come out sorted, none twice, no more than lines. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CdxjRanges r = {0};
    Arena names = {0};
    Err err;

    must(cdxj_add(&r, &names, span(p, n), &err) == ERR_OK);
    cdxj_seal(&r);
    must(r.n + r.n_other <= n);
    for (size_t i = 0; i < r.n; i++) {
        must(r.range[i].length && r.range[i].offset + r.range[i].length < INT64_MAX && *r.range[i].file);
        if (i == 0) continue;
        int c = strcmp(r.range[i - 1].file, r.range[i].file);
        must(c < 0 || (c == 0 && r.range[i - 1].offset < r.range[i].offset));
    }
    cdxj_clear(&r);
    arena_clear(&names);
    return 0;
}
