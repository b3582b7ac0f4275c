/* tests/pretoken_probe.c - where a chain cuts, for oracles. Usage: pretoken_probe CHAIN
 * CHAIN: a name of tokenize/pretoken.h or the JSON of a member "pre_tokenizer". Reads texts from stdin, each a line with its number
 * of bytes, then the bytes; writes for each a line with the ends of its pretokens. */
#include "tests/sized_text.h"
#include "tokenize/pretoken.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ErrCode find_chain(const char *arg, Arena *tree, const Pretokenizer **p, Err *err)
{
    Json *root;

    *p = NULL;
    if (*arg != '{') {
        *p = pretokenizer_named(arg);
        return *p ? ERR_OK : err_set(err, ERR_USAGE, "no chain is called %s", arg);
    }
    ErrCode rc = json_parse(tree, span_str(arg), "pre_tokenizer", &root, err);
    return rc == ERR_OK ? pretokenizer_read(p, root, "pre_tokenizer", err) : rc;
}

static ErrCode put_ends(PretokenScan *s, Span text, Err *err)
{
    size_t end[64], n;
    ErrCode rc;

    pretokenscan_begin(s, text);
    while ((rc = pretokenscan_next(s, end, 64, &n, err)) == ERR_OK && n)
        for (size_t i = 0; i < n; i++) printf("%zu ", end[i]);
    putchar('\n');
    return rc;
}

static ErrCode run(PretokenScan *s, Err *err)
{
    Buf text = {0};
    bool end = false;
    ErrCode rc = ERR_OK;

    while (rc == ERR_OK && (rc = sized_text(&text, &end, err)) == ERR_OK && !end)
        rc = put_ends(s, buf_span(&text), err);
    buf_clear(&text);
    return rc;
}

int main(int argc, char **argv)
{
    const Pretokenizer *p = NULL;
    PretokenScan *s = NULL;
    Arena tree = {0};
    Err err = {0};

    ErrCode rc =
        argc > 1 ? find_chain(argv[1], &tree, &p, &err) : err_set(&err, ERR_USAGE, "usage: pretoken_probe CHAIN");
    if (rc == ERR_OK) rc = pretokenscan_new(&s, p, &err);
    if (rc == ERR_OK) rc = run(s, &err);
    if (rc != ERR_OK) fprintf(stderr, "pretoken_probe: %s\n", err.msg);
    pretokenscan_free(s);
    pretokenizer_free(p);
    arena_clear(&tree);
    return rc == ERR_OK ? 0 : 4;
}
