#include "core/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* The scanner and the tree must agree, and what the tree writes must read back as itself. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    Span text = {p, n}, raw;
    JsonScan s = json_scan_text(text);
    Buf once = {0}, twice = {0};
    Arena a = {0};
    Json *tree;
    Err err = {0};

    bool skipped = json_skip(&s, &raw) && json_at_end(&s);
    ErrCode rc = json_parse(&a, text, "input", &tree, &err);
    must(rc == ERR_OK ? skipped : !skipped || strstr(err.msg, "duplicate key"));
    if (rc == ERR_OK) {
        json_put_tree(&once, tree);
        must(json_parse(&a, buf_span(&once), "again", &tree, &err) == ERR_OK);
        json_put_tree(&twice, tree);
        must(span_eq(buf_span(&once), buf_span(&twice)));
    }
    arena_clear(&a);
    buf_clear(&once);
    buf_clear(&twice);
    return 0;
}
