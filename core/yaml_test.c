#include "core/yaml.h"

#include "tests/check.h"

static void becomes(const char *want, const char *text)
{
    Span edge = check_edge(span_str(text));
    Arena a = {0};
    Buf b = {0};
    Json *j;
    Err err;

    CHECK_OK(yaml_parse(&a, edge, "r.yaml", &j, &err), &err);
    if (j) json_put_tree(&b, j);
    CHECK_STR(want, buf_cstr(&b));
    buf_clear(&b);
    arena_clear(&a);
    check_edge_free(edge);
}

static void refused(const char *want, const char *text)
{
    Arena a = {0};
    Json *j;
    Err err = {0};

    CHECK_INT(ERR_USAGE, yaml_parse(&a, span_str(text), "r.yaml", &j, &err));
    CHECK_STR(want, err.msg);
    CHECK(j == NULL);
    arena_clear(&a);
}

TEST(nodes_know_their_line)
{
    Arena a = {0};
    Json *j;
    Err err;

    CHECK_OK(
        yaml_parse(&a, span_str("# a recipe\nout: run\ningest:\n  dump:\n    x\n  tags:\n  - a\n  - {b:\n      1}\n"),
                   "r.yaml", &j, &err),
        &err);
    const Json *ingest = json_get(j, "ingest"), *tags = json_get(ingest, "tags");
    CHECK_INT(2, json_get(j, "out")->line);
    CHECK_INT(3, ingest->line);
    CHECK_INT(4, json_get(ingest, "dump")->line);
    CHECK_INT(7, tags->child->line);
    CHECK_INT(8, tags->child->next->child->line);
    arena_clear(&a);
}

TEST(yaml_recipe)
{
    becomes("{\"out\":\"run\",\"ingest\":{\"keep-lang\":[\"en\",\"zh\",\"no\"],\"dump\":\"2023-06\",\"threads\":2},"
            "\"on\":true,\"text\":\"a\\nb\\n\"}",
            "# a recipe\nout: run\ningest:\n  keep-lang: [en, zh, no]\n  dump: 2023-06\n  threads: 2 # two\non: "
            "true\ntext: |\n  a\n  b\n");
    becomes("[{\"a\":1,\"b\":[[]]},{\"c\":{}}]", "- a: 1\n  b:\n  - []\n- c: {}\n");
}

TEST(yaml_scalars)
{
    becomes("[null,null,true,false,\"yes\",\"NO\",\"~\",\"true\",\"1\"]",
            "[~, null, True, false, yes, NO, '~', \"true\", '1']");
    becomes("[0,-1,2.50,1e-4,\"+1\",\".5\",\"0x10\",\"012\",\"1_000\",\"1.2.3\",\".inf\"]",
            "[0, -1, 2.50, 1e-4, +1, .5, 0x10, 012, 1_000, 1.2.3, .inf]");
    becomes("{\"1\":\"a\",\"true\":\"\xe4\xbd\xa0\",\"n\":null}", "1: a\ntrue: \xe4\xbd\xa0\nn:\n");
    becomes("\"a\\u0000b\"", "\"a\\0b\"");
    becomes("[\"\xef\xbb\xbf"
            "22\"]",
            "[\xef\xbb\xbf"
            "22]"); /* a byte order mark inside is text */
}

TEST(yaml_is_json_too)
{
    becomes("{\"a\":[1,2.5,true,null,\"x\\ny\"],\"b\":{\"c\":\"\xe4\xbd\xa0\"}}",
            "{\"a\": [1, 2.5, true, null, \"x\\ny\"], \"b\": {\"c\": \"\\u4f60\"}}");
}

TEST(yaml_empty)
{
    becomes("null", "");
    becomes("null", "# nothing\n");
    becomes("null", "---\n...\n");
}

TEST(yaml_refuses)
{
    refused("r.yaml:4: the mapping that ends here has the key a twice", "a: 1\nb: 2\n\"a\": 3\n");
    refused("r.yaml:1: anchors are not supported", "a: &x 1\n");
    refused("r.yaml:2: anchors are not supported", "a:\n  &x\n  b: 1\n");
    refused("r.yaml:1: tags are not supported", "a: !!str 1\n");
    refused("r.yaml:1: tags are not supported", "!x {a: 1}\n");
    refused("r.yaml:1: aliases are not supported", "[*x]\n");
    refused("r.yaml:2: more than one document", "a\n---\nb\n");
    refused("r.yaml:1: a key must be a plain word or a string", "[a]: 1\n");
    refused("r.yaml:2: did not find expected ',' or ']'", "[a\n");
    refused("r.yaml:2: mapping values are not allowed in this context", "a: b\nc d: e: f\n");
    refused("r.yaml: byte 2: control characters are not allowed", "a:\x01");
    refused("r.yaml: byte 3: invalid leading UTF-8 octet", "a: \xff");
}

TEST(yaml_depth_and_size)
{
    Buf text = {0};
    Arena a = {0};
    Json *j;
    Err err = {0};

    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        buf_reset(&text);
        for (int i = 0; i < depth; i++) buf_putc(&text, '[');
        for (int i = 0; i < depth; i++) buf_putc(&text, ']');
        CHECK_INT(depth <= JSON_MAX_DEPTH ? ERR_OK : ERR_USAGE, yaml_parse(&a, buf_span(&text), "r.yaml", &j, &err));
    }
    CHECK_STR("r.yaml:1: nested too deeply", err.msg);
    buf_reset(&text);
    while (text.n <= YAML_MAX_BYTES) buf_puts(&text, "# some more comment, and nothing else\n");
    CHECK_INT(ERR_LIMIT, yaml_parse(&a, buf_span(&text), "r.yaml", &j, &err));
    buf_clear(&text);
    arena_clear(&a);
}
