#include "core/doc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* A line that reads must be written, read again and written to the same bytes, and be one JSON value to the tree. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static DocScratch first, second;
    static Buf once, twice;
    Arena a = {0};
    const char *why;
    Json *tree;
    Doc d, again;
    Err err = {0};

    if (!doc_read(&first, (Span){p, n}, &d, &why)) {
        must(why && *why);
        return 0;
    }
    buf_reset(&once);
    doc_write(&once, &d);
    must(once.n > 0 && memchr(once.p, '\n', once.n) == once.p + once.n - 1);
    must(doc_read(&second, buf_span(&once), &again, &why));
    must(span_eq(d.id, again.id) && span_eq(d.text, again.text) && d.n_signals == again.n_signals);
    buf_reset(&twice);
    doc_write(&twice, &again);
    must(span_eq(buf_span(&once), buf_span(&twice)));
    /* only the tree looks for duplicates inside meta, edits and unknown members */
    must(json_parse(&a, buf_span(&once), "line", &tree, &err) == ERR_OK || strstr(err.msg, "duplicate key"));
    arena_clear(&a);
    return 0;
}
