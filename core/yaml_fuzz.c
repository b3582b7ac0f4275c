#include "core/yaml.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok) abort();
}

/* A tree from YAML, written as JSON, must read back as itself. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    Buf once = {0}, twice = {0};
    Arena a = {0};
    Json *tree;
    Err err = {0};

    if (yaml_parse(&a, (Span){p, n}, "input", &tree, &err) == ERR_OK) {
        json_put_tree(&once, tree);
        must(json_parse(&a, buf_span(&once), "again", &tree, &err) == ERR_OK);
        json_put_tree(&twice, tree);
        must(span_eq(buf_span(&once), buf_span(&twice)));
    } else {
        must(err.msg[0] != 0);
    }
    arena_clear(&a);
    buf_clear(&once);
    buf_clear(&twice);
    return 0;
}
